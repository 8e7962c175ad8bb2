//! Enums, and their enumerators: a value that is called otherwise now.

use std::collections::BTreeMap;

use super::evidence::Evidence;
use super::name::{Alike, Name, Rarity};
use super::place::{Place, places};
use super::rank::Pair;
use super::{KindOf, Rename, proposals, types};
use crate::Kind;
use crate::surface::Surface;
use crate::surface::meaning::value_same;
use crate::surface::types::{Enumerator, Type, TypeKind};

/// How anonymous enums are called.
const ANONYMOUS: &str = "(anon)";
/// Pairs that are compared in enums of one name.
const PAIRS: usize = 1 << 18;
/// How alike, in words, enumerators must be to be compared where nothing else tells that their enums are one.
const WORDS: f32 = 0.25;

/// Enumerators of one enum that went and came, by their places in the lists of names.
#[derive(Debug, Default)]
struct Changed {
    gone: Vec<u32>,
    came: Vec<u32>,
}

/// What is found out about two enumerators.
#[derive(Debug)]
struct Facts {
    name: Alike,
    /// Both values; `None` where an enumerator was not found.
    values: Option<(i128, i128)>,
    place: Option<(f32, Evidence)>,
}

/// Pairs of enums, and of enumerators (`enum::ENUMERATOR`), that are gone or came.
pub(super) fn propose(old: &Surface, new: &Surface, removed: &[&str], added: &[&str]) -> Vec<Rename> {
    let is_enumerator = |name: &&str| name.contains("::");
    let (gone, old_enums): (Vec<&str>, Vec<&str>) = removed.iter().copied().partition(is_enumerator);
    let (came, new_enums): (Vec<&str>, Vec<&str>) = added.iter().copied().partition(is_enumerator);
    let mut renames = types::propose(old, new, Kind::Enum, &old_enums, &new_enums);
    renames.extend(enumerators(old, new, &gone, &came));
    super::sort(&mut renames);
    renames
}

fn enumerators(old: &Surface, new: &Surface, gone: &[&str], came: &[&str]) -> Vec<Rename> {
    let mut enums: BTreeMap<&str, Changed> = BTreeMap::new();
    for (at, name) in (0..).zip(gone) {
        enums.entry(parts(name).0).or_default().gone.push(at);
    }
    for (at, name) in (0..).zip(came) {
        enums.entry(parts(name).0).or_default().came.push(at);
    }
    let old_names: Vec<Name<'_>> = gone.iter().map(|name| Name::new(parts(name).1)).collect();
    let new_names: Vec<Name<'_>> = came.iter().map(|name| Name::new(parts(name).1)).collect();
    let rarity = Rarity::new(old_names.iter().chain(&new_names));
    let mut pairs = Vec::new();
    let mut found = BTreeMap::new();
    for (name, changed) in &enums {
        if changed.gone.len() * changed.came.len() > PAIRS {
            continue;
        }
        let (left, right) = (Siblings::new(old, new, name), Siblings::new(new, old, name));
        for (a, b) in changed.gone.iter().flat_map(|a| changed.came.iter().map(move |b| (*a, *b))) {
            let (x, y) = (&old_names[a as usize], &new_names[b as usize]);
            let members = left.find(x.text).zip(right.find(y.text));
            let facts = Facts {
                name: Alike::new(x, y, &rarity),
                values: members.map(|(a, b)| (a.0, b.0)),
                place: members.and_then(|(a, b)| a.1.evidence(b.1)),
            };
            // Among all anonymous enums, only the place or the name tells which may be the same one.
            if *name == ANONYMOUS && facts.place.is_none() && facts.name.words < WORDS {
                continue;
            }
            pairs.push(Pair { old: a, new: b, kind_of: KindOf::Renamed, weight: facts.weight() });
            found.insert((a, b), facts);
        }
    }
    proposals(&pairs, gone, came, |pair| found.get(&(pair.old, pair.new)).map_or(Vec::new(), Facts::evidence))
}

/// The enum and the enumerator of a name.
fn parts(name: &str) -> (&str, &str) {
    name.split_once("::").unwrap_or((ANONYMOUS, name))
}

/// The enumerators of one enum, or of all anonymous ones: value and place by name.
struct Siblings<'a>(BTreeMap<&'a str, (i128, Place<'a>)>);

impl<'a> Siblings<'a> {
    fn new(surface: &'a Surface, other: &'a Surface, name: &'a str) -> Self {
        let others: Vec<&str> =
            enums(other, name).into_iter().flat_map(Type::enumerators).map(|item| item.name).collect();
        let mut siblings = BTreeMap::new();
        for found in enums(surface, name) {
            let items: Vec<Enumerator<'a>> = found.enumerators().collect();
            let names: Vec<&str> = items.iter().map(|item| item.name).collect();
            for (item, place) in items.iter().zip(places(&names, &others)) {
                siblings.entry(item.name).or_insert((item.value, place));
            }
        }
        Self(siblings)
    }

    fn find(&self, name: &str) -> Option<(i128, &Place<'a>)> {
        self.0.get(name).map(|(value, place)| (*value, place))
    }
}

/// The enums of a name; of the anonymous ones, all.
fn enums<'a>(surface: &'a Surface, name: &'a str) -> Vec<Type<'a>> {
    let is_enum = |found: &Type<'_>| matches!(found.kind(), TypeKind::Enum | TypeKind::Enum64);
    if name == ANONYMOUS {
        surface.types().iter().filter(|found| is_enum(found) && found.name_id().is_empty()).collect()
    } else {
        surface.types().with_name(name).filter(is_enum).collect()
    }
}

impl Facts {
    fn same_value(&self) -> Option<i128> {
        self.values.filter(|(old, new)| value_same(*old, *new)).map(|(old, _)| old)
    }

    fn weight(&self) -> f32 {
        let mut weight = -4.2 + self.name.weight(3.6, 2.0);
        weight += match (self.same_value(), self.values) {
            (Some(_), _) => 1.2,
            (None, Some(_)) => -0.8,
            (None, None) => 0.0,
        };
        weight + self.place.as_ref().map_or(0.0, |(weight, _)| *weight)
    }

    fn evidence(&self) -> Vec<(f32, Evidence)> {
        let value = self.same_value().map(|value| (1.2, Evidence::SameValue { value: value.to_string() }));
        self.name.evidence().into_iter().chain(value).chain(self.place.clone()).collect()
    }
}
