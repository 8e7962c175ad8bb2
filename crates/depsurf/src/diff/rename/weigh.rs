//! How much speaks for two functions being the same one.
//!
//! What is weighed adds up in the logarithm of the odds. The numbers were fitted to the tuning half of the list of real
//! renames (`docs/renames.md`); facts that one of the surfaces does not have weigh nothing.

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use rayon::prelude::*;

use super::evidence::Evidence;
use super::function::Subject;
use super::graph::Peer;
use super::name::{Alike, Rarity};
use super::rank::{Pair, margins};
use super::{KindOf, strongest_first};

/// From which weight a pair that has no better competitor counts as known in the second round.
const CONFIDENT: f32 = 0.5;
/// Pairs in which words are replaced alike, from which on that is a pattern.
const PATTERN: u32 = 3;

/// What the first round found.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// New names of old functions, by hash.
    names: HashMap<u64, u64, FixedState>,
    /// How often words are replaced by others, in pairs that are known.
    patterns: HashMap<(String, String), u32, FixedState>,
}

impl Known {
    /// What pairs tell that are ahead of all others.
    pub fn from(pairs: &[Pair], olds: &[Subject<'_>], news: &[Subject<'_>]) -> Self {
        let mut known = Self::default();
        for pair in confident(pairs) {
            let (old, new) = (&olds[pair.old as usize], &news[pair.new as usize]);
            if pair.kind_of == KindOf::Renamed {
                known.names.insert(old.hash, new.hash);
            }
            if let Some(replaced) = old.name.replaced(&new.name) {
                *known.patterns.entry(replaced).or_default() += 1;
            }
        }
        known
    }
}

/// The pairs that are ahead of all others and weigh enough to be taken for true.
pub(super) fn confident(pairs: &[Pair]) -> impl Iterator<Item = &Pair> {
    let ahead = pairs.iter().zip(margins(pairs));
    ahead.filter(|(pair, margin)| pair.weight >= CONFIDENT && *margin > 0.0).map(|(pair, _)| pair)
}

/// Two sets of peers.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Overlap {
    pub shared: u32,
    pub of: u32,
    /// Share in common, by what the peers tell: 0 to 1.
    pub share: f32,
    /// What the peers in common tell together.
    pub told: f32,
}

/// What is found out about a pair. `None` is unknown.
#[derive(Debug, Clone, Default)]
pub(super) struct Facts {
    pub name: Alike,
    pub pattern: u32,
    /// Places in which the prototypes differ, and parameters of the longer one.
    pub prototype: Option<(usize, usize)>,
    /// Other subjects with the old one's prototype.
    pub others: u32,
    pub same_file: Option<bool>,
    pub callers: Option<Overlap>,
    pub callees: Option<Overlap>,
    pub calls: bool,
    /// Of a split or merge: the part of what the one that is not in both surfaces does that the other one did.
    pub taken: f32,
    /// Of that, the part which the one that is in both surfaces does in both.
    pub kept: f32,
}

/// What pairs are weighed with.
pub(super) struct Weighing<'a> {
    olds: &'a [Subject<'a>],
    news: &'a [Subject<'a>],
    rarity: &'a Rarity,
    /// How many subjects have a prototype.
    prototypes: HashMap<u64, u32, FixedState>,
    pub known: Known,
}

impl<'a> Weighing<'a> {
    pub fn new(olds: &'a [Subject<'a>], news: &'a [Subject<'a>], rarity: &'a Rarity, known: Known) -> Self {
        let mut prototypes = HashMap::default();
        for prototype in olds.iter().chain(news).filter_map(|subject| subject.prototype.as_ref()) {
            *prototypes.entry(prototype.hash).or_default() += 1;
        }
        Self { olds, news, rarity, prototypes, known }
    }

    /// Weighs all pairs.
    pub fn weigh(&self, pairs: &mut [Pair]) {
        pairs
            .par_iter_mut()
            .with_min_len(256)
            .for_each(|pair| pair.weight = self.facts(pair).weight(pair.kind_of));
    }

    /// What is found out about a pair.
    pub fn facts(&self, pair: &Pair) -> Facts {
        let (old, new) = (&self.olds[pair.old as usize], &self.news[pair.new as usize]);
        let mut facts = Facts { name: Alike::new(&old.name, &new.name, self.rarity), ..Facts::default() };
        if !self.known.patterns.is_empty() && facts.name.words > 0.0 {
            facts.pattern = self.pattern(old, new).map_or(0, |(_, pairs)| pairs);
        }
        if let (Some(a), Some(b)) = (&old.prototype, &new.prototype) {
            facts.prototype = Some((a.differences(b), a.params().max(b.params())));
            facts.others = self.prototypes.get(&a.hash).map_or(0, |count| count.saturating_sub(2));
        }
        if let (Some(a), Some(b)) = (old.file, new.file) {
            facts.same_file = Some(a == b);
        }
        facts.callers = self.overlap(&old.callers, &new.callers, None);
        let apart = match pair.kind_of {
            KindOf::Split => Some(new.hash),
            KindOf::Merged => Some(old.hash),
            _ => None,
        };
        facts.callees = self.overlap(&old.callees, &new.callees, apart);
        facts.calls = match pair.kind_of {
            KindOf::Split => has(&new.callers, old.hash) || has(&new.callees, old.hash),
            KindOf::Merged => has(&old.callers, new.hash) || has(&old.callees, new.hash),
            _ => false,
        };
        match pair.kind_of {
            KindOf::Split => (facts.taken, facts.kept) = taken(&old.callees, &new.callees, &old.elsewhere),
            KindOf::Merged => (facts.taken, facts.kept) = taken(&new.callees, &old.callees, &new.elsewhere),
            _ => {}
        }
        facts
    }

    /// The words that are replaced and in how many known pairs they are.
    fn pattern(&self, old: &Subject<'_>, new: &Subject<'_>) -> Option<((String, String), u32)> {
        let replaced = old.name.replaced(&new.name)?;
        let pairs = *self.known.patterns.get(&replaced)?;
        (pairs >= PATTERN).then_some((replaced, pairs))
    }

    /// What two sets of peers have in common, old names seen as the new ones where these are known. `None` where one of
    /// them is empty: a function without callers may be reached by pointers, which says nothing.
    fn overlap(&self, old: &[Peer], new: &[Peer], apart: Option<u64>) -> Option<Overlap> {
        if old.is_empty() || new.is_empty() {
            return None;
        }
        let renamed: Vec<Peer>;
        let mut old = old;
        if old.iter().any(|peer| self.known.names.contains_key(&peer.hash)) {
            let mut peers: Vec<Peer> = old
                .iter()
                .map(|peer| Peer { hash: *self.known.names.get(&peer.hash).unwrap_or(&peer.hash), ..*peer })
                .collect();
            peers.sort_unstable();
            renamed = peers;
            old = &renamed;
        }
        let mut overlap = Overlap::default();
        let mut all = 0u32;
        let mut told = 0u32;
        let (mut i, mut j) = (0, 0);
        while i < old.len() || j < new.len() {
            let (a, b) = (old.get(i), new.get(j));
            let (left, right) = match (a, b) {
                (Some(a), Some(b)) => (a.hash <= b.hash, b.hash <= a.hash),
                (a, b) => (a.is_some(), b.is_some()),
            };
            let weight = |peer: Option<&Peer>, taken: bool| {
                peer.filter(|_| taken).map_or(0, |peer| u32::from(peer.weight))
            };
            let weight = weight(a, left).max(weight(b, right));
            (i, j) = (i + usize::from(left), j + usize::from(right));
            let hash = if left { a } else { b }.map(|peer| peer.hash);
            if apart.is_some() && hash == apart {
                continue;
            }
            all += weight;
            overlap.of += 1;
            if left && right {
                overlap.shared += 1;
                told += weight;
            }
        }
        overlap.share = if all > 0 { told as f32 / all as f32 } else { 0.0 };
        overlap.told = told as f32;
        Some(overlap)
    }

    /// What speaks for a pair, the strongest first.
    pub fn evidence(&self, pair: &Pair) -> Vec<Evidence> {
        let (old, new) = (&self.olds[pair.old as usize], &self.news[pair.new as usize]);
        let facts = self.facts(pair);
        let mut list: Vec<(f32, Evidence)> = Vec::new();
        if pair.kind_of != KindOf::Moved {
            list.extend(facts.name.evidence());
            if let Some(((old, new), pairs)) = self.pattern(old, new) {
                list.push((2.0, Evidence::Pattern { old, new, pairs }));
            }
        }
        match facts.prototype {
            Some((0, params)) => {
                let weight = 2.0 - (facts.others as f32 + 1.0).ln() * 0.3;
                list.push((weight, Evidence::SamePrototype { params: params as u32, others: facts.others }));
            }
            Some((1, params)) if params >= 2 => {
                list.push((1.0, Evidence::PrototypeButOne { params: params as u32 }));
            }
            _ => {}
        }
        if let Some(file) = new.file.filter(|_| facts.same_file == Some(true)) {
            list.push((1.0, Evidence::SameFile { file: file.to_owned() }));
        }
        if let Some(Overlap { shared: shared @ 1.., of, share, .. }) = facts.callers {
            list.push((share * 4.0, Evidence::SameCallers { shared, of }));
        }
        if let Some(Overlap { shared: shared @ 1.., of, share, .. }) = facts.callees {
            list.push((share * 3.0, Evidence::SameCallees { shared, of }));
        }
        if facts.calls {
            list.push((0.5, Evidence::Calls));
        }
        strongest_first(list)
    }
}

/// Whether a function is among peers.
fn has(peers: &[Peer], hash: u64) -> bool {
    peers.binary_search_by_key(&hash, |peer| peer.hash).is_ok()
}

/// Of what the callees of `only` tell: the part that `there` called too, and of that the part that it calls `elsewhere`.
fn taken(there: &[Peer], only: &[Peer], elsewhere: &[Peer]) -> (f32, f32) {
    let (mut all, mut taken, mut kept) = (0.0, 0.0, 0.0);
    for peer in only {
        let weight = f32::from(peer.weight);
        all += weight;
        if has(there, peer.hash) {
            taken += weight;
            kept += if has(elsewhere, peer.hash) { weight } else { 0.0 };
        }
    }
    (if all > 0.0 { taken / all } else { 0.0 }, if taken > 0.0 { kept / taken } else { 0.0 })
}

/// What each kind of evidence adds to the logarithm of the odds.
struct Weights {
    nothing: f32,
    words: f32,
    letters: f32,
    underscores: f32,
    /// Per power of e of the pairs with the pattern.
    pattern: f32,
    /// Prototypes that differ in no place, one, two, more.
    prototype: [f32; 4],
    /// Per power of e of the others with the same prototype.
    others: f32,
    same_file: f32,
    other_file: f32,
    callers: f32,
    callers_share: f32,
    no_callees: f32,
    callees: f32,
    callees_share: f32,
    callees_told: f32,
    calls: f32,
    taken: f32,
    kept: f32,
}

const RENAMED: Weights = Weights {
    nothing: -5.3,
    words: 4.8,
    letters: 1.9,
    underscores: 0.0,
    pattern: 0.7,
    prototype: [2.2, 0.2, -0.8, -1.6],
    others: -0.35,
    same_file: 0.95,
    other_file: -0.15,
    callers: 0.8,
    callers_share: 1.4,
    no_callees: -1.8,
    callees: -1.0,
    callees_share: 5.3,
    callees_told: 0.95,
    calls: 0.0,
    taken: 0.0,
    kept: 0.0,
};

/// Also for merges, which are splits seen from the other side.
const SPLIT: Weights = Weights {
    nothing: -6.7,
    words: 2.4,
    letters: 2.1,
    underscores: 1.8,
    pattern: 0.35,
    prototype: [1.5, 1.2, 0.0, -0.8],
    others: -0.2,
    same_file: 0.2,
    other_file: -0.2,
    callers: 0.7,
    callers_share: 2.4,
    no_callees: -2.1,
    callees: 0.2,
    callees_share: 2.8,
    callees_told: 0.7,
    calls: 2.4,
    taken: 1.2,
    kept: -2.8,
};

impl Facts {
    /// Logarithm of the odds that the two are one.
    fn weight(&self, kind_of: KindOf) -> f32 {
        let of = match kind_of {
            KindOf::Renamed | KindOf::Moved => &RENAMED,
            KindOf::Split | KindOf::Merged => &SPLIT,
        };
        let on = |fact: bool, weight: f32| if fact { weight } else { 0.0 };
        let mut weight = of.nothing + self.name.weight(of.words, of.letters);
        weight += on(self.name.underscores, of.underscores) + on(self.calls, of.calls);
        weight += of.pattern * (self.pattern as f32 + 1.0).ln();
        if let Some((differences, params)) = self.prototype {
            weight += match differences {
                0 => of.prototype[0] + of.others * (self.others as f32 + 1.0).ln(),
                1 if params < 2 => 0.0,
                count => of.prototype[count.min(3)],
            };
        }
        if let Some(same) = self.same_file {
            weight += if same { of.same_file } else { of.other_file };
        }
        if let Some(callers) = self.callers.filter(|callers| callers.shared > 0) {
            weight += of.callers + of.callers_share * callers.share;
        }
        if let Some(callees) = self.callees {
            weight += match callees.shared {
                0 => of.no_callees,
                _ => {
                    of.callees
                        + of.callees_share * callees.share
                        + of.callees_told * (callees.told / 40.0).min(1.0)
                }
            };
            weight += of.taken * self.taken + of.kept * self.kept;
        }
        weight
    }
}
