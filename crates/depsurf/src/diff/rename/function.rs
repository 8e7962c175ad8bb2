//! Functions: what one that is gone is called now, and which one took over from one that is still there.

use foldhash::fast::FixedState;
use hashbrown::{HashMap, HashSet};
use rayon::prelude::*;

use super::graph::{ByHash, Graph, Peer, hash_of};
use super::name::{Name, Rarity};
use super::prototype::{Memo, Prototype};
use super::rank::{self, Pair};
use super::weigh::{self, Weighing};
use super::{KindOf, Rename, candidate};
use crate::surface::Surface;

/// Callers of a function that are looked at as what it may be split from.
const SPLIT_CALLERS: usize = 24;
/// A caller with at most so many call sites may have become a wrapper: then less has to be alike.
const WRAPPER: u32 = 10;
const WRAPPER_WORDS: f32 = 0.1;
/// How alike, in words, the names of two functions are for a split to be looked at.
const SPLIT_WORDS: f32 = 0.3;

/// How often pairs are weighed again with what is known by then.
const ROUNDS: usize = 2;

/// One function that is compared.
pub(super) struct Subject<'a> {
    pub name: Name<'a>,
    pub function: u32,
    /// Hash of the name.
    pub hash: u64,
    /// Where it is declared: the source file, or the header of a `static inline` function.
    pub file: Option<&'a str>,
    /// `None` where the surface has none.
    pub prototype: Option<Prototype>,
    pub callers: Vec<Peer>,
    pub callees: Vec<Peer>,
    /// For a function that both surfaces have: its callees in the other one.
    pub elsewhere: Vec<Peer>,
}

/// One surface, and the functions of it that are compared.
pub(super) struct Side<'a> {
    graph: &'a Graph<'a>,
    memo: Memo<'a>,
    /// First the functions that only this surface has, then others.
    pub subjects: Vec<Subject<'a>>,
}

impl<'a> Side<'a> {
    fn new(graph: &'a Graph<'a>, names: &[&str]) -> Self {
        let functions = graph.find(names);
        let mut side = Self { graph, memo: Memo::new(graph.surface.types()), subjects: Vec::new() };
        side.add(&functions);
        side
    }

    /// Adds functions by their places.
    fn add(&mut self, functions: &[u32]) {
        let subjects = functions.par_iter().with_min_len(64).filter_map(|function| self.subject(*function));
        let subjects: Vec<Subject<'a>> = subjects.collect();
        self.subjects.extend(subjects);
    }

    fn subject(&self, index: u32) -> Option<Subject<'a>> {
        let function = self.graph.surface.function_at(index)?;
        let first = function.instances().next();
        let file =
            first.and_then(|instance| instance.declaration().map(|(file, _)| file).or(instance.file()));
        Some(Subject {
            name: Name::new(function.name()),
            function: index,
            hash: self.graph.hash(index),
            file,
            prototype: function.prototype().map(|proto| self.memo.prototype(proto)),
            callers: self.graph.callers(index),
            callees: self.graph.callees(index),
            elsewhere: Vec::new(),
        })
    }
}

/// Pairs of functions that are gone or came.
pub(super) fn propose(old: &Surface, new: &Surface, removed: &[&str], added: &[&str]) -> Vec<Rename> {
    let (old_graph, new_graph) = rayon::join(|| Graph::new(old), || Graph::new(new));
    let (mut old, mut new) = rayon::join(|| Side::new(&old_graph, removed), || Side::new(&new_graph, added));
    let (gone, came) = (old.subjects.len(), new.subjects.len());
    let rarity = Rarity::new(old.subjects.iter().chain(&new.subjects).map(|subject| &subject.name));
    let (old_places, new_places) = rayon::join(|| old_graph.by_hash(), || new_graph.by_hash());
    let (splits, merges) = rayon::join(
        || still_there(&new, &new_places, &old_places, &rarity),
        || still_there(&old, &old_places, &new_places, &rarity),
    );
    // Functions that were called and are now only inlined, and the other way round: others may be called in their place.
    let (inlined, called) = rayon::join(
        || became_inline(&old_graph, &new_graph, &new_places),
        || became_inline(&new_graph, &old_graph, &old_places),
    );
    let (old_stay, new_stay) = rayon::join(
        || old.stay(&splits, &inlined, &new_graph, &new_places),
        || new.stay(&merges, &called, &old_graph, &old_places),
    );
    let (inlined, called) = (gone..gone + inlined.len(), came..came + called.len());
    let mut pairs = Vec::new();
    let mut add = |old: u32, new: u32, kind_of| pairs.push(Pair { old, new, kind_of, weight: 0.0 });
    for (a, b) in candidate::pairs(&old.subjects[..gone], &new.subjects[..came], &rarity) {
        add(a, b, KindOf::Renamed);
    }
    for (a, b) in candidate::pairs(&old.subjects[inlined], &new.subjects[..came], &rarity) {
        add(a + gone as u32, b, KindOf::Split);
    }
    for (a, b) in candidate::pairs(&old.subjects[..gone], &new.subjects[called], &rarity) {
        add(a, b + came as u32, KindOf::Merged);
    }
    for (came, there) in splits {
        add(old_stay[&there], came, KindOf::Split);
    }
    for (gone, there) in merges {
        add(gone, new_stay[&there], KindOf::Merged);
    }
    pairs.par_sort_unstable_by_key(|pair| (pair.old, pair.new));
    pairs.dedup_by_key(|pair| (pair.old, pair.new));
    let renames = finish(&old, &new, (gone, came), &rarity, &pairs);
    // To give back some hundred thousand short lists takes a while, too.
    rayon::join(|| drop(old), || drop(new));
    renames
}

/// Functions that both surfaces have, in different files.
pub(super) fn moves(old: &Surface, new: &Surface, functions: &[&str]) -> Vec<Rename> {
    let (old_graph, new_graph) = rayon::join(|| Graph::new(old), || Graph::new(new));
    let (old, new) = rayon::join(|| Side::new(&old_graph, functions), || Side::new(&new_graph, functions));
    let rarity = Rarity::new(old.subjects.iter().map(|subject| &subject.name));
    let places: ByHash = new.subjects.iter().map(|subject| subject.hash).zip(0..).collect();
    let pairs = (0..).zip(&old.subjects).filter_map(|(place, subject)| {
        let other = *places.get(&subject.hash)?;
        Some(Pair { old: place, new: other, kind_of: KindOf::Moved, weight: 0.0 })
    });
    let pairs: Vec<Pair> = pairs.collect();
    finish(&old, &new, (0, 0), &rarity, &pairs)
}

/// Weighs pairs in rounds: what is found with confidence in one is known in the next. `only` says how many subjects of
/// either side are not in the other surface.
fn finish(
    old: &Side<'_>,
    new: &Side<'_>,
    only: (usize, usize),
    rarity: &Rarity,
    pairs: &[Pair],
) -> Vec<Rename> {
    let mut seen: HashSet<(u32, u32), FixedState> = pairs.iter().map(|pair| (pair.old, pair.new)).collect();
    let mut weighing = Weighing::new(&old.subjects, &new.subjects, rarity);
    weighing.add(pairs);
    for _ in 0..ROUNDS {
        let known: Vec<(u32, u32)> =
            weigh::confident(&weighing.pairs).map(|pair| (pair.old, pair.new)).collect();
        let all = (old.subjects.as_slice(), new.subjects.as_slice());
        let around = candidate::around(&known, &all.0[..only.0], &all.1[..only.1], all);
        let fresh = around.into_iter().filter(|pair| seen.insert(*pair));
        let pair = |(old, new)| Pair { old, new, kind_of: KindOf::Renamed, weight: 0.0 };
        weighing.add(&fresh.map(pair).collect::<Vec<_>>());
        weighing.again();
    }
    let ranked = rank::rank(&weighing.pairs);
    let rename = |(pair, score): &(Pair, u8)| Rename {
        old: old.subjects[pair.old as usize].name.text.to_owned(),
        new: new.subjects[pair.new as usize].name.text.to_owned(),
        kind_of: pair.kind_of,
        score: *score,
        evidence: weighing.evidence(pair),
    };
    let mut renames: Vec<Rename> = ranked.par_iter().with_min_len(64).map(rename).collect();
    super::sort(&mut renames);
    renames
}

impl Side<'_> {
    /// Adds functions that the other surface has too: first `inlined`, then those on the right of the pairs. Gives the
    /// places of all of them among the subjects.
    fn stay(
        &mut self,
        pairs: &[(u32, u32)],
        inlined: &[u32],
        other: &Graph<'_>,
        places: &ByHash,
    ) -> HashMap<u32, u32, FixedState> {
        let first = self.subjects.len();
        let mut functions: Vec<u32> = pairs.iter().map(|(_, function)| *function).collect();
        functions.sort_unstable();
        functions.dedup();
        functions.retain(|function| inlined.binary_search(function).is_err());
        self.add(inlined);
        self.add(&functions);
        self.subjects[first..].par_iter_mut().with_min_len(64).for_each(|subject| {
            subject.elsewhere = places.get(&subject.hash).map_or(Vec::new(), |place| other.callees(*place));
        });
        (0..).zip(&self.subjects).skip(first).map(|(place, subject)| (subject.function, place)).collect()
    }
}

/// The functions of `one` that are called there and only inlined in the other surface, sorted.
fn became_inline(one: &Graph<'_>, other: &Graph<'_>, places: &ByHash) -> Vec<u32> {
    let became = |function: &u32| {
        let Some(place) = places.get(&one.hash(*function)) else { return false };
        matches!((one.sites_of(*function), other.sites_of(*place)), ((_, 1..), (1.., 0)))
    };
    (0..one.len()).filter(became).collect()
}

/// For the functions that only `one` has: functions that both have, by their places in the other surface, which they may
/// be split from or merged into. These call them or are called by them, or have the shorter name.
fn still_there(
    one: &Side<'_>,
    one_places: &ByHash,
    other_places: &ByHash,
    rarity: &Rarity,
) -> Vec<(u32, u32)> {
    let find = |(place, subject): (usize, &Subject<'_>)| {
        let mut found: Vec<(u32, u32)> = Vec::new();
        let mut add = |hash: u64| {
            if let Some(function) = other_places.get(&hash).filter(|_| one_places.contains_key(&hash)) {
                found.push((place as u32, *function));
            }
        };
        for name in subject.name.shorter() {
            add(hash_of(name.as_bytes()));
        }
        let least = |peer: &Peer| match one.graph.calls_of(peer.function) {
            0..=WRAPPER => WRAPPER_WORDS,
            _ if subject.callers.len() <= SPLIT_CALLERS => SPLIT_WORDS,
            _ => f32::INFINITY,
        };
        let alike = |peer: &Peer, least: f32| {
            let function = one.graph.surface.function_at(peer.function).filter(|_| least <= 1.0);
            let name = function.map(|function| function.name()).filter(|name| subject.name.shares_word(name));
            name.is_some_and(|name| rarity.words(&subject.name, &Name::new(name)) >= least)
        };
        subject.callers.iter().filter(|peer| alike(peer, least(peer))).for_each(|peer| add(peer.hash));
        if one.graph.calls_of(subject.function) <= WRAPPER {
            subject.callees.iter().filter(|peer| alike(peer, SPLIT_WORDS)).for_each(|peer| add(peer.hash));
        }
        found.sort_unstable();
        found.dedup();
        found
    };
    one.subjects.par_iter().enumerate().with_min_len(64).flat_map_iter(find).collect()
}
