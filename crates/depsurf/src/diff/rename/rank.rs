//! From what each pair says for itself to a ranking: pairs compete for their names.
//!
//! The weight of a pair is the logarithm of its odds; evidence adds to it. A name has one successor as a rule, so a pair
//! loses where its old or its new name has a better one, and gains where no other comes near.

use std::cmp::Ordering;

use super::{KindOf, LEAST};

/// Proposals that each old and each new name keeps.
const KEPT: usize = 5;
/// What a margin over (or behind) the best competitor adds per unit of weight, and how much at most.
const AHEAD: f32 = 0.35;
const AHEAD_MOST: f32 = 1.5;
const BEHIND: f32 = 0.8;
const BEHIND_MOST: f32 = 4.0;
/// A competitor that is not there counts as one of this weight.
const NOBODY: f32 = -4.0;

/// Two things that may be one, by their places in the lists of old and new things.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Pair {
    pub old: u32,
    pub new: u32,
    pub kind_of: KindOf,
    /// Logarithm of the odds, from the pair alone.
    pub weight: f32,
}

/// The best and the second best of what competes for a name.
#[derive(Debug, Clone, Copy)]
struct Best {
    first: f32,
    second: f32,
}

impl Best {
    const NONE: Self = Self { first: NOBODY, second: NOBODY };

    fn meet(&mut self, weight: f32) {
        if weight > self.first {
            *self = Self { first: weight, second: self.first };
        } else if weight > self.second {
            self.second = weight;
        }
    }

    /// The best one but one of this weight.
    fn other(self, weight: f32) -> f32 {
        if weight >= self.first { self.second } else { self.first }
    }
}

/// How far each pair is ahead of what competes with it, for either name.
pub(super) fn margins(pairs: &[Pair]) -> Vec<f32> {
    let count = |key: fn(&Pair) -> u32| pairs.iter().map(key).max().map_or(0, |most| most as usize + 1);
    let mut olds = vec![Best::NONE; count(|pair| pair.old)];
    let mut news = vec![Best::NONE; count(|pair| pair.new)];
    for pair in pairs {
        olds[pair.old as usize].meet(pair.weight);
        news[pair.new as usize].meet(pair.weight);
    }
    let margin = |pair: &Pair| {
        let others = [olds[pair.old as usize], news[pair.new as usize]].map(|best| best.other(pair.weight));
        pair.weight - others[0].max(others[1])
    };
    pairs.iter().map(margin).collect()
}

/// The pairs worth proposing, with their scores in per cent; by old name, best first.
pub(super) fn rank(pairs: &[Pair]) -> Vec<(Pair, u8)> {
    let score = |pair: &Pair, margin: f32| {
        let bonus =
            if margin < 0.0 { (margin * BEHIND).max(-BEHIND_MOST) } else { (margin * AHEAD).min(AHEAD_MOST) };
        let odds = (pair.weight + bonus).exp();
        // 99 at most: nothing in an image proves it.
        (odds / (1.0 + odds) * 100.0).round().min(99.0) as u8
    };
    let mut ranked: Vec<(Pair, u8)> = pairs
        .iter()
        .zip(margins(pairs))
        .map(|(pair, margin)| (*pair, score(pair, margin)))
        .filter(|(_, score)| *score >= LEAST)
        .collect();
    let best_first = |a: &(Pair, u8), b: &(Pair, u8)| {
        b.1.cmp(&a.1).then(b.0.weight.partial_cmp(&a.0.weight).unwrap_or(Ordering::Equal))
    };
    // A pair stays where it is among the best of either name, so that swapped surfaces keep the same pairs.
    let mut keep = vec![false; ranked.len()];
    for key in [(|pair: &Pair| pair.old) as fn(&Pair) -> u32, |pair| pair.new] {
        let mut order: Vec<usize> = (0..ranked.len()).collect();
        order.sort_by(|a, b| {
            let (a, b) = (&ranked[*a], &ranked[*b]);
            key(&a.0).cmp(&key(&b.0)).then_with(|| best_first(a, b))
        });
        let mut seen = 0;
        for (at, index) in order.iter().enumerate() {
            let same = at > 0 && key(&ranked[order[at - 1]].0) == key(&ranked[*index].0);
            seen = if same { seen + 1 } else { 0 };
            keep[*index] |= seen < KEPT;
        }
    }
    let mut keep = keep.into_iter();
    ranked.retain(|_| keep.next().unwrap_or_default());
    ranked.sort_by(|a, b| a.0.old.cmp(&b.0.old).then_with(|| best_first(a, b)).then(a.0.new.cmp(&b.0.new)));
    ranked
}
