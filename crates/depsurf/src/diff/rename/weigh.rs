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

/// From which weight a pair that has no better competitor counts as known in the next round.
const CONFIDENT: f32 = 0.5;
/// Pairs that weigh less in the first round are not looked at again.
const HOPELESS: f32 = -4.0;
/// Pairs in which words are replaced alike, from which on that is a pattern.
const PATTERN: u32 = 3;
/// Peers of both functions that are compared when pairs are weighed. They are in the order of their hashes, so the first
/// ones are a sample.
const SAMPLE: u32 = 64;

/// What the rounds before found.
#[derive(Debug, Default)]
struct Known {
    /// How often words are replaced by others in pairs that are known, by [`Name::replaced_hash`].
    patterns: HashMap<u64, u32, FixedState>,
    olds: Renamed,
    news: Renamed,
}

/// Callers and callees of each subject, under one name for both where a pair is known; `None` for lists that stay as
/// they are, and nothing before anything is known.
#[derive(Debug, Default)]
struct Renamed {
    callers: Vec<Option<Vec<Peer>>>,
    callees: Vec<Option<Vec<Peer>>>,
}

/// What names are called instead, by hash.
type Names = HashMap<u64, u64, FixedState>;

impl Known {
    /// What pairs tell that are ahead of all others.
    fn from(pairs: &[Pair], olds: &[Subject<'_>], news: &[Subject<'_>]) -> Self {
        let mut patterns = HashMap::default();
        let (mut old_names, mut new_names) = (Names::default(), Names::default());
        for pair in confident(pairs) {
            let (old, new) = (&olds[pair.old as usize], &news[pair.new as usize]);
            if pair.kind_of == KindOf::Renamed {
                old_names.insert(old.hash, old.hash ^ new.hash);
                new_names.insert(new.hash, old.hash ^ new.hash);
            }
            if let Some(replaced) = old.name.replaced_hash(&new.name) {
                *patterns.entry(replaced).or_default() += 1;
            }
        }
        Self { patterns, olds: Renamed::new(olds, &old_names), news: Renamed::new(news, &new_names) }
    }
}

impl Renamed {
    fn new(subjects: &[Subject<'_>], names: &Names) -> Self {
        let all = subjects.par_iter().with_min_len(256);
        let callers = all.clone().map(|of| renamed(&of.callers, names)).collect();
        Self { callers, callees: all.map(|of| renamed(&of.callees, names)).collect() }
    }

    fn callers<'s>(&'s self, at: u32, of: &'s Subject<'_>) -> &'s [Peer] {
        self.callers.get(at as usize).and_then(Option::as_ref).unwrap_or(&of.callers)
    }

    fn callees<'s>(&'s self, at: u32, of: &'s Subject<'_>) -> &'s [Peer] {
        self.callees.get(at as usize).and_then(Option::as_ref).unwrap_or(&of.callees)
    }

    fn has(&self, at: u32) -> bool {
        [&self.callers, &self.callees].iter().any(|lists| matches!(lists.get(at as usize), Some(Some(_))))
    }
}

/// Peers under other names; `None` where none of them has one.
fn renamed(peers: &[Peer], names: &Names) -> Option<Vec<Peer>> {
    peers.iter().any(|peer| names.contains_key(&peer.hash)).then(|| {
        let name = |peer: &Peer| Peer { hash: *names.get(&peer.hash).unwrap_or(&peer.hash), ..*peer };
        let mut renamed: Vec<Peer> = peers.iter().map(name).collect();
        renamed.sort_unstable();
        renamed
    })
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

/// Weighs pairs.
pub(super) struct Weighing<'a> {
    olds: &'a [Subject<'a>],
    news: &'a [Subject<'a>],
    rarity: &'a Rarity,
    /// How many subjects have a prototype.
    prototypes: HashMap<u64, u32, FixedState>,
    known: Known,
    /// The pairs that are not hopeless, with what is found out about each.
    pub pairs: Vec<Pair>,
    facts: Vec<Facts>,
}

impl<'a> Weighing<'a> {
    pub fn new(olds: &'a [Subject<'a>], news: &'a [Subject<'a>], rarity: &'a Rarity) -> Self {
        let mut prototypes = HashMap::default();
        for prototype in olds.iter().chain(news).filter_map(|subject| subject.prototype.as_ref()) {
            *prototypes.entry(prototype.hash).or_default() += 1;
        }
        let (known, pairs, facts) = (Known::default(), Vec::new(), Vec::new());
        Self { olds, news, rarity, prototypes, known, pairs, facts }
    }

    /// Weighs pairs for the first time, and keeps those that are not hopeless.
    pub fn add(&mut self, pairs: &[Pair]) {
        let weigh = |pair: &Pair| {
            let facts = self.facts(pair, SAMPLE);
            let pair = Pair { weight: facts.weight(pair.kind_of), ..*pair };
            (pair.weight > HOPELESS).then_some((pair, facts))
        };
        let weighed: Vec<(Pair, Facts)> = pairs.par_iter().with_min_len(256).filter_map(weigh).collect();
        let (pairs, facts): (Vec<Pair>, Vec<Facts>) = weighed.into_iter().unzip();
        self.pairs.extend(pairs);
        self.facts.extend(facts);
    }

    /// Weighs all pairs again, with what is known by now.
    pub fn again(&mut self) {
        let known = Known::from(&self.pairs, self.olds, self.news);
        self.known = known;
        let (mut pairs, mut facts) = (std::mem::take(&mut self.pairs), std::mem::take(&mut self.facts));
        pairs.par_iter_mut().zip(&mut facts).with_min_len(256).for_each(|(pair, facts)| {
            self.update(pair, facts);
            pair.weight = facts.weight(pair.kind_of);
        });
        (self.pairs, self.facts) = (pairs, facts);
    }

    /// What is found out about a pair that was not weighed before.
    fn facts(&self, pair: &Pair, peers: u32) -> Facts {
        let (old, new) = (&self.olds[pair.old as usize], &self.news[pair.new as usize]);
        let mut facts = Facts { name: Alike::new(&old.name, &new.name, self.rarity), ..Facts::default() };
        if let (Some(a), Some(b)) = (&old.prototype, &new.prototype) {
            facts.prototype = Some((a.differences(b), a.params().max(b.params())));
            facts.others = self.prototypes.get(&a.hash).map_or(0, |count| count.saturating_sub(2));
        }
        if let (Some(a), Some(b)) = (old.file, new.file) {
            facts.same_file = Some(a == b);
        }
        (facts.callers, facts.callees) = self.overlaps(pair, peers);
        match pair.kind_of {
            KindOf::Split => {
                facts.calls = has(&new.callers, old.hash) || has(&new.callees, old.hash);
                (facts.taken, facts.kept) = taken(&old.callees, &new.callees, &old.elsewhere);
            }
            KindOf::Merged => {
                facts.calls = has(&old.callers, new.hash) || has(&old.callees, new.hash);
                (facts.taken, facts.kept) = taken(&new.callees, &old.callees, &new.elsewhere);
            }
            _ => {}
        }
        facts
    }

    /// What changes when more is known.
    fn update(&self, pair: &Pair, facts: &mut Facts) {
        let (old, new) = (&self.olds[pair.old as usize], &self.news[pair.new as usize]);
        if facts.name.words > 0.0 {
            facts.pattern = self.pattern(old, new);
        }
        if self.known.olds.has(pair.old) || self.known.news.has(pair.new) {
            (facts.callers, facts.callees) = self.overlaps(pair, SAMPLE);
        }
    }

    /// In how many known pairs the same words are replaced; 0 where it is no pattern.
    fn pattern(&self, old: &Subject<'_>, new: &Subject<'_>) -> u32 {
        let replaced = old.name.replaced_hash(&new.name);
        let pairs = replaced.and_then(|replaced| self.known.patterns.get(&replaced)).copied();
        pairs.filter(|pairs| *pairs >= PATTERN).unwrap_or_default()
    }

    /// What callers and callees of a pair have in common, under one name where a pair is known.
    fn overlaps(&self, pair: &Pair, most: u32) -> (Option<Overlap>, Option<Overlap>) {
        let (old, new) = (&self.olds[pair.old as usize], &self.news[pair.new as usize]);
        let (olds, news) = (&self.known.olds, &self.known.news);
        // That one calls the other is told apart.
        let apart = match pair.kind_of {
            KindOf::Split => Some(old.hash),
            KindOf::Merged => Some(new.hash),
            _ => None,
        };
        (
            overlap(olds.callers(pair.old, old), news.callers(pair.new, new), None, most),
            overlap(olds.callees(pair.old, old), news.callees(pair.new, new), apart, most),
        )
    }

    /// What speaks for a pair, the strongest first.
    pub fn evidence(&self, pair: &Pair) -> Vec<Evidence> {
        let (old, new) = (&self.olds[pair.old as usize], &self.news[pair.new as usize]);
        let mut facts = self.facts(pair, u32::MAX);
        facts.pattern = self.pattern(old, new);
        let mut list: Vec<(f32, Evidence)> = Vec::new();
        if pair.kind_of != KindOf::Moved {
            list.extend(facts.name.evidence());
            if let Some((old, new)) = old.name.replaced(&new.name).filter(|_| facts.pattern > 0) {
                list.push((2.0, Evidence::Pattern { old, new, pairs: facts.pattern }));
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

/// What two sets of peers have in common, of the first `most` of either. `None` where one of them is empty: a function
/// without callers may be reached by pointers, which says nothing.
fn overlap(old: &[Peer], new: &[Peer], apart: Option<u64>, most: u32) -> Option<Overlap> {
    if old.is_empty() || new.is_empty() {
        return None;
    }
    let (mut overlap, mut all, mut told) = (Overlap::default(), 0u32, 0u32);
    let (mut i, mut j) = (0, 0);
    while overlap.of < most {
        let (a, b) = (old.get(i), new.get(j));
        let (left, right) = match (a, b) {
            (Some(a), Some(b)) => (a.hash <= b.hash, b.hash <= a.hash),
            (None, None) => break,
            (a, b) => (a.is_some(), b.is_some()),
        };
        (i, j) = (i + usize::from(left), j + usize::from(right));
        let Some(peer) = (if left { a } else { b }) else { break };
        if apart == Some(peer.hash) {
            continue;
        }
        // Of two weights the larger one, whichever side it is on.
        let other = b.filter(|_| left && right).map_or(0, |peer| peer.weight);
        let weight = u32::from(peer.weight.max(other));
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
