//! Pairs of functions worth a closer look, by keys that both must have: without them every function that is gone would
//! have to be compared with every one that came.

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use rayon::prelude::*;

use super::function::Subject;
use super::graph::{Peer, hash_of};
use super::name::Rarity;

/// Pairs that one key may lead to: where more functions share it, it says too little.
const PAIRS: usize = 400;
/// The same for a file, of which only pairs remain that have something else in common,
const FILE_PAIRS: usize = 6000;
/// unless there are so few that all of them are looked at.
const FEW_PAIRS: usize = 80;
/// Strength from which on a pair is looked at.
const ENOUGH: u32 = 6;
/// Callees that tell at least this much are keys.
const RARE_CALLEE: u8 = 9;
/// Words that occur in at most this many names are keys.
const RARE_WORD: u32 = 40;

/// What two functions may have in common, and how strong a hint it is.
#[derive(Debug, Clone, Copy)]
#[repr(u64)]
enum Key {
    Core = 1,
    Caller,
    Callee,
    File,
    FileAndPrototype,
    Prototype,
    Word,
    /// Two words of the name, in whatever order.
    Words,
}

impl Key {
    fn strength(self) -> u32 {
        match self {
            Self::Core | Self::FileAndPrototype => 6,
            Self::Caller | Self::Words => 4,
            Self::File | Self::Prototype | Self::Word => 3,
            Self::Callee => 2,
        }
    }

    fn pairs(self) -> usize {
        match self {
            Self::File | Self::FileAndPrototype => FILE_PAIRS,
            _ => PAIRS,
        }
    }

    /// The key for a value, so that values of different keys do not meet.
    fn of(self, value: u64) -> (u64, Self) {
        ((value ^ self as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(self as u32 * 8), self)
    }
}

/// The keys of a function.
fn keys(subject: &Subject<'_>, rarity: &Rarity) -> Vec<(u64, Key)> {
    let mut keys = vec![Key::Core.of(hash_of(subject.name.core().as_bytes()))];
    let file = subject.file.map(|file| hash_of(file.as_bytes()));
    let prototype = subject.prototype.as_ref().map(|prototype| prototype.hash);
    keys.extend(file.map(|file| Key::File.of(file)));
    keys.extend(prototype.map(|prototype| Key::Prototype.of(prototype)));
    if let (Some(file), Some(prototype)) = (file, prototype) {
        keys.push(Key::FileAndPrototype.of(file.rotate_left(7) ^ prototype));
    }
    keys.extend(subject.callers.iter().take(32).map(|peer| Key::Caller.of(peer.hash)));
    let rare = subject.callees.iter().filter(|peer| peer.weight >= RARE_CALLEE);
    keys.extend(rare.take(48).map(|peer| Key::Callee.of(peer.hash)));
    let words = subject.name.bag().iter().filter(|word| rarity.count(**word) <= RARE_WORD);
    keys.extend(words.map(|word| Key::Word.of(u64::from(*word))));
    let bag = &subject.name.bag()[..subject.name.bag().len().min(8)];
    for (at, first) in bag.iter().enumerate() {
        keys.extend(
            bag[at + 1..].iter().map(|second| Key::Words.of(u64::from(*first) << 32 | u64::from(*second))),
        );
    }
    keys
}

/// How many old and new functions have a key.
#[derive(Debug, Default, Clone, Copy)]
struct Slot {
    /// Its first place in the list of old functions by key.
    first: u32,
    olds: u32,
    news: u32,
}

/// Places of old and of new functions that have enough in common, sorted.
pub(super) fn pairs(olds: &[Subject<'_>], news: &[Subject<'_>], rarity: &Rarity) -> Vec<(u32, u32)> {
    let keys_of = |subjects: &[Subject<'_>]| -> Vec<Vec<(u64, Key)>> {
        subjects.par_iter().with_min_len(64).map(|subject| keys(subject, rarity)).collect()
    };
    let (old_keys, new_keys) = rayon::join(|| keys_of(olds), || keys_of(news));
    let mut by_key: Vec<(u64, u32)> = (0u32..)
        .zip(&old_keys)
        .flat_map(|(old, keys)| keys.iter().map(move |(key, _)| (*key, old)))
        .collect();
    by_key.par_sort_unstable();
    let mut slots: HashMap<u64, Slot, FixedState> = HashMap::default();
    for (place, (key, _)) in (0..).zip(&by_key) {
        slots.entry(*key).or_insert(Slot { first: place, ..Slot::default() }).olds += 1;
    }
    for (key, _) in new_keys.iter().flatten() {
        if let Some(slot) = slots.get_mut(key) {
            slot.news += 1;
        }
    }
    let pairs_of = |(new, keys): (usize, &Vec<(u64, Key)>)| {
        let mut hints: Vec<(u32, u32)> = Vec::new();
        for (key, kind) in keys {
            let Some(slot) = slots.get(key) else { continue };
            let count = slot.olds as usize * slot.news as usize;
            if count > kind.pairs() {
                continue;
            }
            let strength = match kind {
                Key::File if count <= FEW_PAIRS => ENOUGH,
                _ => kind.strength(),
            };
            let run = slot.first as usize..(slot.first + slot.olds) as usize;
            hints.extend(by_key[run].iter().map(|(_, old)| (*old, strength)));
        }
        hints.sort_unstable();
        let same = hints.chunk_by(|a, b| a.0 == b.0);
        let enough = same.filter(|hints| hints.iter().map(|hint| hint.1).sum::<u32>() >= ENOUGH);
        enough.map(|hints| (hints[0].0, new as u32)).collect::<Vec<_>>()
    };
    let mut pairs: Vec<(u32, u32)> =
        new_keys.par_iter().enumerate().with_min_len(64).flat_map_iter(pairs_of).collect();
    pairs.par_sort_unstable();
    pairs
}

/// Pairs among what calls and what is called by the pairs that are known: where a function has another name, its
/// neighbours may have too.
pub(super) fn around(
    known: &[(u32, u32)],
    gone: &[Subject<'_>],
    came: &[Subject<'_>],
    (olds, news): (&[Subject<'_>], &[Subject<'_>]),
) -> Vec<(u32, u32)> {
    let places = |subjects: &[Subject<'_>]| -> HashMap<u64, u32, FixedState> {
        subjects.iter().map(|subject| subject.hash).zip(0..).collect()
    };
    let (old_places, new_places) = rayon::join(|| places(gone), || places(came));
    let pairs_of = |(old, new): &(u32, u32)| {
        let (old, new) = (&olds[*old as usize], &news[*new as usize]);
        let mut pairs = Vec::new();
        for (left, right) in [(&old.callers, &new.callers), (&old.callees, &new.callees)] {
            let find = |peers: &[Peer], places: &HashMap<u64, u32, FixedState>| -> Vec<u32> {
                peers.iter().filter_map(|peer| places.get(&peer.hash).copied()).collect()
            };
            let (left, right) = (find(left, &old_places), find(right, &new_places));
            if left.len() * right.len() <= PAIRS {
                pairs.extend(left.iter().flat_map(|old| right.iter().map(move |new| (*old, *new))));
            }
        }
        pairs
    };
    let mut pairs: Vec<(u32, u32)> = known.par_iter().with_min_len(64).flat_map_iter(pairs_of).collect();
    pairs.par_sort_unstable();
    pairs.dedup();
    pairs
}
