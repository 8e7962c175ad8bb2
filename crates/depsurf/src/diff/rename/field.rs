//! Fields: what a member that is gone is called now, in the same struct or union.

use std::collections::BTreeMap;

use rayon::prelude::*;

use super::evidence::Evidence;
use super::name::{Alike, Name, Rarity};
use super::place::places;
use super::prototype::{Memo, Prototype};
use super::rank::Pair;
use super::{KindOf, Rename, proposals};
use crate::surface::Surface;
use crate::surface::field::{Field, fields};
use crate::surface::meaning;
use crate::surface::types::{Type, TypeKind};

/// Pairs of members that are compared in one struct.
const PAIRS: usize = 1 << 14;

/// Members of one struct that went and came, by their places in the lists of names.
#[derive(Debug, Default)]
struct Changed {
    gone: Vec<u32>,
    came: Vec<u32>,
}

/// What is found out about two members. `None` is unknown, or nothing.
#[derive(Debug, Default)]
struct Facts {
    name: Alike,
    /// Weight and evidence of what their types tell.
    of_type: Option<(f32, Option<Evidence>)>,
    /// The offset of both, where it is the same.
    offset: Option<u64>,
    place: Option<(f32, Evidence)>,
}

/// Pairs of members that are gone or came.
pub(super) fn propose(old: &Surface, new: &Surface, removed: &[&str], added: &[&str]) -> Vec<Rename> {
    let mut structs: BTreeMap<&str, Changed> = BTreeMap::new();
    for (at, name) in (0..).zip(removed) {
        structs.entry(parts(name).0).or_default().gone.push(at);
    }
    for (at, name) in (0..).zip(added) {
        structs.entry(parts(name).0).or_default().came.push(at);
    }
    let structs: Vec<(&str, Changed)> = structs
        .into_iter()
        .filter(|(_, changed)| (1..=PAIRS).contains(&(changed.gone.len() * changed.came.len())))
        .collect();
    let old_names: Vec<Name<'_>> = removed.iter().map(|name| Name::new(parts(name).1)).collect();
    let new_names: Vec<Name<'_>> = added.iter().map(|name| Name::new(parts(name).1)).collect();
    let rarity = Rarity::new(old_names.iter().chain(&new_names));
    let memos = (Memo::new(old.types()), Memo::new(new.types()));
    let of_struct = |(name, changed): &(&str, Changed)| {
        let (left, right) = (fields_of(old, name), fields_of(new, name));
        let (left_names, right_names) = (names(&left), names(&right));
        let (left_places, right_places) =
            (places(&left_names, &right_names), places(&right_names, &left_names));
        let mut pairs = Vec::new();
        for a in &changed.gone {
            let gone = left_names.iter().position(|name| *name == parts(removed[*a as usize]).1);
            for b in &changed.came {
                let came = right_names.iter().position(|name| *name == parts(added[*b as usize]).1);
                let alike = Alike::new(&old_names[*a as usize], &new_names[*b as usize], &rarity);
                let mut facts = Facts { name: alike, ..Facts::default() };
                if let (Some(gone), Some(came)) = (gone, came) {
                    let (x, y) = (&left[gone], &right[came]);
                    facts.of_type = Some(compare(x.ty, y.ty, (&memos.0, &memos.1)));
                    facts.offset = x.bit_offset.filter(|_| x.bit_offset == y.bit_offset);
                    facts.place = left_places[gone].evidence(&right_places[came]);
                }
                pairs.push((*a, *b, facts));
            }
        }
        pairs
    };
    let mut facts: Vec<(u32, u32, Facts)> = structs.par_iter().flat_map_iter(of_struct).collect();
    facts.sort_by_key(|(old, new, _)| (*old, *new));
    let pair = |(old, new, facts): &(u32, u32, Facts)| Pair {
        old: *old,
        new: *new,
        kind_of: KindOf::Renamed,
        weight: facts.weight(),
    };
    let pairs: Vec<Pair> = facts.iter().map(pair).collect();
    proposals(&pairs, removed, added, |pair| {
        let at = facts.binary_search_by_key(&(pair.old, pair.new), |facts| (facts.0, facts.1));
        at.map_or(Vec::new(), |at| facts[at].2.evidence())
    })
}

/// The struct and the member of a field's name.
fn parts(name: &str) -> (&str, &str) {
    name.split_once("::").unwrap_or(("", name))
}

/// The fields of the first struct or union of a name.
fn fields_of<'a>(surface: &'a Surface, name: &'a str) -> Vec<Field<'a>> {
    let mut types = surface.types().with_name(name);
    let found = types.find(|found| matches!(found.kind(), TypeKind::Struct | TypeKind::Union));
    found.map_or(Vec::new(), fields)
}

fn names<'a>(fields: &'a [Field<'_>]) -> Vec<&'a str> {
    fields.iter().map(|field| &*field.name).collect()
}

/// What two types tell about their fields being one: a weight, and what to say about it.
pub(super) fn compare<'a>(
    old: Type<'a>,
    new: Type<'a>,
    memos: (&Memo<'a>, &Memo<'a>),
) -> (f32, Option<Evidence>) {
    if meaning::same(old, new) {
        return (1.6, Some(Evidence::SameType));
    }
    let (mut a, mut b) = (old, new);
    // Pointers to pointers to arrays: real ones are at most a few deep.
    for depth in 0..8 {
        (a, b) = (a.stripped(false), b.stripped(false));
        let next = match (a.kind(), b.kind()) {
            (TypeKind::Ptr, TypeKind::Ptr) => a.target().zip(b.target()),
            (TypeKind::Array, TypeKind::Array) => element(a).zip(element(b)),
            (TypeKind::FuncProto, TypeKind::FuncProto) => {
                let (a, b) = (memos.0.prototype(a), memos.1.prototype(b));
                return compare_prototypes(&a, &b);
            }
            _ => None,
        };
        match next {
            Some(next) => (a, b) = next,
            None if a.kind() == b.kind() && !a.name().is_empty() && !b.name().is_empty() => {
                let renamed = Evidence::TypeRenamed { old: a.name().to_owned(), new: b.name().to_owned() };
                // Numbers of all kinds are alike; pointers to other structs are most often other fields.
                let weight = if a.kind() == TypeKind::Int || depth == 0 { 0.3 } else { 0.6 };
                return (weight, (a.name() != b.name()).then_some(renamed));
            }
            None => break,
        }
    }
    (-0.8, None)
}

fn element(array: Type<'_>) -> Option<Type<'_>> {
    array.types().get(array.array()?.0)
}

fn compare_prototypes(old: &Prototype, new: &Prototype) -> (f32, Option<Evidence>) {
    let params = old.params().max(new.params()) as u32;
    match old.differences(new) {
        0 => (1.6, Some(Evidence::SameType)),
        1 => (1.0, Some(Evidence::PrototypeButOne { params })),
        2 => (0.4, None),
        _ => (-0.2, None),
    }
}

impl Facts {
    fn weight(&self) -> f32 {
        let mut weight = -4.2 + self.name.weight(3.6, 1.8);
        weight += self.of_type.as_ref().map_or(0.0, |(weight, _)| *weight);
        weight += if self.offset.is_some() { 1.2 } else { 0.0 };
        weight + self.place.as_ref().map_or(0.0, |(weight, _)| *weight)
    }

    fn evidence(&self) -> Vec<(f32, Evidence)> {
        let of_type = self.of_type.iter().filter_map(|(weight, evidence)| Some((*weight, evidence.clone()?)));
        let offset = self.offset.map(|bits| (1.2, Evidence::SameOffset { bits }));
        self.name.evidence().into_iter().chain(of_type).chain(offset).chain(self.place.clone()).collect()
    }
}
