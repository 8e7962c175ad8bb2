//! Structs, unions and enums: what one that is gone is called now, and which one took members of one that is still there.

use foldhash::fast::FixedState;
use hashbrown::{HashMap, HashSet};
use rayon::prelude::*;

use super::evidence::Evidence;
use super::graph::hash_of;
use super::name::{Alike, Name, Rarity, merge};
use super::prototype::Memo;
use super::rank::Pair;
use super::{KindOf, Rename, proposals};
use crate::Kind;
use crate::surface::Surface;
use crate::surface::field::fields;
use crate::surface::types::{Type, TypeKind};

/// Pairs that one word or member may lead to.
const PAIRS: usize = 600;
/// Hints from which on a pair is compared.
const ENOUGH: usize = 2;
/// Members that a split must take over at least.
const TAKEN: u32 = 2;

type Set<T> = HashSet<T, FixedState>;
type Map<K, V> = HashMap<K, V, FixedState>;

/// A type that is compared.
struct Subject<'a> {
    name: Name<'a>,
    size: Option<u32>,
    /// Hashes of the members' names, sorted.
    names: Vec<u64>,
    /// Hashes of the members with their types or values, sorted.
    members: Vec<u64>,
    /// Of a type that both surfaces have: hashes of the members' names that the other one lacks, sorted.
    lost: Vec<u64>,
    /// Hashes of the names of the structs that are members.
    holds: Vec<u64>,
}

/// What is found out about two types.
struct Facts {
    name: Alike,
    kind_of: KindOf,
    /// Members of both, members of either.
    members: (u32, u32),
    /// Members of both by name alone.
    names: u32,
    /// Size of both, where it is the same.
    size: Option<u32>,
    /// Of a split or merge: what one lost and the other has, out of what was lost.
    taken: (u32, u32),
    holds: bool,
}

struct Side<'a> {
    surface: &'a Surface,
    memo: Memo<'a>,
    kinds: &'static [TypeKind],
}

impl<'a> Side<'a> {
    fn new(surface: &'a Surface, kind: Kind) -> Self {
        let kinds: &[TypeKind] = match kind {
            Kind::Struct => &[TypeKind::Struct],
            Kind::Union => &[TypeKind::Union],
            _ => &[TypeKind::Enum, TypeKind::Enum64],
        };
        Self { surface, memo: Memo::new(surface.types()), kinds }
    }

    /// The first type of a name, empty where there is none.
    fn subject(&self, name: &'a str) -> Subject<'a> {
        let mut types = self.surface.types().with_name(name);
        let found = types.find(|found| self.kinds.contains(&found.kind()));
        let mut subject = Subject {
            name: Name::new(name),
            size: found.and_then(Type::size),
            names: Vec::new(),
            members: Vec::new(),
            lost: Vec::new(),
            holds: Vec::new(),
        };
        let Some(found) = found else { return subject };
        for item in found.enumerators() {
            let name = hash_of(item.name.as_bytes());
            subject.names.push(name);
            subject.members.push(name ^ (item.value as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        }
        for field in fields(found) {
            let name = hash_of(field.name.as_bytes());
            subject.names.push(name);
            subject.members.push(name ^ self.memo.hash(field.ty.id()).rotate_left(17));
            let inner = field.ty.stripped(false);
            if inner.kind() == TypeKind::Struct && !inner.name_id().is_empty() {
                subject.holds.push(hash_of(inner.name().as_bytes()));
            }
        }
        for list in [&mut subject.names, &mut subject.members, &mut subject.holds] {
            list.sort_unstable();
        }
        subject
    }

    /// Hashes of the names of a type's members or enumerators, sorted; nothing where there is no such type.
    fn names(&self, name: &str) -> Vec<u64> {
        let mut types = self.surface.types().with_name(name);
        let found = types.find(|found| self.kinds.contains(&found.kind()));
        let mut names: Vec<u64> = Vec::new();
        if let Some(found) = found {
            names.extend(found.enumerators().map(|item| hash_of(item.name.as_bytes())));
            names.extend(fields(found).iter().map(|field| hash_of(field.name.as_bytes())));
        }
        names.sort_unstable();
        names
    }

    /// A type that has members which the other surface's type of that name lacks; `None` where these are too few.
    fn loser(&self, other: &Self, name: &'a str, (ours, theirs): (&[u64], &[u64])) -> Option<Subject<'a>> {
        let mut lost = Vec::new();
        lost.extend(ours.iter().copied().filter(|name| theirs.binary_search(name).is_err()));
        if (lost.len() as u32) < TAKEN || theirs.is_empty() {
            return None;
        }
        Some(Subject { lost, holds: other.subject(name).holds, ..self.subject(name) })
    }
}

/// Types that both surfaces have and that lost members, with what they lost: old ones on the way to the new surface, and
/// new ones on the way back.
fn losers<'a>(old: &Side<'a>, new: &Side<'a>, removed: &[&str]) -> (Vec<Subject<'a>>, Vec<Subject<'a>>) {
    let removed: Set<&str> = removed.iter().copied().collect();
    let named = old.surface.types().named().filter(|found| old.kinds.contains(&found.kind()));
    let mut names: Vec<&'a str> = named.map(Type::name).filter(|name| !removed.contains(name)).collect();
    names.dedup();
    // Most types are the same in both, so their members' types are only looked at where names tell of a loss.
    let both = |name: &&'a str| {
        let (ours, theirs) = (old.names(name), new.names(name));
        (old.loser(new, name, (&ours, &theirs)), new.loser(old, name, (&theirs, &ours)))
    };
    let found: Vec<_> = names.par_iter().with_min_len(64).map(both).collect();
    let (olds, news): (Vec<_>, Vec<_>) = found.into_iter().unzip();
    (olds.into_iter().flatten().collect(), news.into_iter().flatten().collect())
}

/// Pairs of types that are gone or came.
pub(super) fn propose<'a>(
    old: &'a Surface,
    new: &'a Surface,
    kind: Kind,
    removed: &[&'a str],
    added: &[&'a str],
) -> Vec<Rename> {
    if removed.is_empty() && added.is_empty() {
        return Vec::new();
    }
    let (old, new) = (Side::new(old, kind), Side::new(new, kind));
    let all = |side: &Side<'a>, names: &[&'a str]| -> Vec<Subject<'a>> {
        names.par_iter().map(|name| side.subject(name)).collect()
    };
    let (mut olds, mut news) = (all(&old, removed), all(&new, added));
    let (gone, came) = (olds.len(), news.len());
    let rarity = Rarity::new(olds.iter().chain(&news).map(|subject| &subject.name));
    let (old_losers, new_losers) = losers(&old, &new, removed);
    olds.extend(old_losers);
    news.extend(new_losers);
    let renamed = candidates(&olds[..gone], &news[..came], |subject| &subject.names);
    let splits = candidates(&olds[gone..], &news[..came], |subject| {
        if subject.lost.is_empty() { &subject.names } else { &subject.lost }
    });
    let merges = candidates(&olds[..gone], &news[came..], |subject| {
        if subject.lost.is_empty() { &subject.names } else { &subject.lost }
    });
    let renamed = renamed.into_iter().map(|(a, b)| (a, b, KindOf::Renamed));
    let splits = splits.into_iter().map(|(a, b)| (a + gone as u32, b, KindOf::Split));
    let merges = merges.into_iter().map(|(a, b)| (a, b + came as u32, KindOf::Merged));
    let mut found: Map<(u32, u32), Facts> = Map::default();
    let mut pairs = Vec::new();
    for (a, b, kind_of) in renamed.chain(splits).chain(merges) {
        let facts = Facts::new(&olds[a as usize], &news[b as usize], kind_of, &rarity);
        if kind_of == KindOf::Renamed || facts.taken.0 >= TAKEN {
            pairs.push(Pair { old: a, new: b, kind_of, weight: facts.weight() });
            found.insert((a, b), facts);
        }
    }
    let text = |subjects: &[Subject<'a>]| -> Vec<&str> {
        subjects.iter().map(|subject| subject.name.text).collect()
    };
    let facts = |pair: &Pair| found.get(&(pair.old, pair.new)).map_or(Vec::new(), Facts::evidence);
    proposals(&pairs, &text(&olds), &text(&news), facts)
}

/// Pairs that share words or members.
fn candidates<'s, 'a>(
    olds: &'s [Subject<'a>],
    news: &'s [Subject<'a>],
    members: impl Fn(&'s Subject<'a>) -> &'s Vec<u64>,
) -> Vec<(u32, u32)> {
    let keys = |subject: &'s Subject<'a>| -> Vec<u64> {
        let words = subject.name.bag().iter().map(|word| u64::from(*word));
        words.chain(members(subject).iter().copied()).collect()
    };
    let mut by_key: Map<u64, (Vec<u32>, Vec<u32>)> = Map::default();
    for (at, subject) in (0..).zip(olds) {
        keys(subject).into_iter().for_each(|key| by_key.entry(key).or_default().0.push(at));
    }
    for (at, subject) in (0..).zip(news) {
        for key in keys(subject) {
            if let Some(lists) = by_key.get_mut(&key) {
                lists.1.push(at);
            }
        }
    }
    let mut hints: Vec<(u32, u32)> = by_key
        .values()
        .filter(|(olds, news)| olds.len() * news.len() <= PAIRS)
        .flat_map(|(olds, news)| olds.iter().flat_map(|old| news.iter().map(|new| (*old, *new))))
        .collect();
    hints.sort_unstable();
    hints.chunk_by(|a, b| a == b).filter(|hints| hints.len() >= ENOUGH).map(|hints| hints[0]).collect()
}

/// How many items are in both of two sorted lists, and in either.
fn overlap(a: &[u64], b: &[u64]) -> (u32, u32) {
    let (mut shared, mut of) = (0, 0);
    merge(a, b, |_, in_both| {
        of += 1;
        shared += u32::from(in_both);
    });
    (shared, of)
}

impl Facts {
    fn new(old: &Subject<'_>, new: &Subject<'_>, kind_of: KindOf, rarity: &Rarity) -> Self {
        let holds = |stays: &Subject<'_>, other: &Subject<'_>| {
            stays.holds.binary_search(&hash_of(other.name.text.as_bytes())).is_ok()
        };
        let taken = |lost: &[u64], by: &Subject<'_>| (overlap(lost, &by.names).0, lost.len() as u32);
        let (taken, holds) = match kind_of {
            KindOf::Split => (taken(&old.lost, new), holds(old, new)),
            KindOf::Merged => (taken(&new.lost, old), holds(new, old)),
            _ => ((0, 0), false),
        };
        Self {
            name: Alike::new(&old.name, &new.name, rarity),
            kind_of,
            members: overlap(&old.members, &new.members),
            names: overlap(&old.names, &new.names).0,
            size: old.size.filter(|size| Some(*size) == new.size),
            taken,
            holds,
        }
    }

    fn weight(&self) -> f32 {
        let share = |(shared, of): (u32, u32)| if of > 0 { shared as f32 / of as f32 } else { 0.0 };
        if self.kind_of != KindOf::Renamed {
            let mut weight = -4.5 + self.name.weight(3.5, 1.5);
            weight += 3.0 * share(self.taken) + (self.taken.0 as f32).ln().min(2.0);
            return weight + if self.holds { 2.0 } else { 0.0 };
        }
        let mut weight = -4.6 + self.name.weight(4.5, 1.8);
        weight += 3.0 * share(self.members) + 2.5 * share((self.names, self.members.1));
        weight += (self.members.0 as f32 + 1.0).ln() * 0.4;
        weight += match (self.names, self.members.1) {
            (0, 1..) => -1.0,
            _ => 0.0,
        };
        weight + if self.size.is_some() { 0.5 } else { 0.0 }
    }

    fn evidence(&self) -> Vec<(f32, Evidence)> {
        let mut list: Vec<(f32, Evidence)> = self.name.evidence().into_iter().collect();
        let (shared, of) = if self.kind_of == KindOf::Renamed { self.members } else { self.taken };
        if shared > 0 {
            list.push((3.0 * shared as f32 / of as f32, Evidence::SameMembers { shared, of }));
        }
        if self.holds {
            list.push((2.0, Evidence::Holds));
        }
        list.extend(self.size.map(|bytes| (0.5, Evidence::SameSize { bytes })));
        list
    }
}
