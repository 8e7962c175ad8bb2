//! The fewest kernels on which everything happens that happens anywhere: what a test matrix needs.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::report::{Finding, Report};
use super::rules::{Consequence, Rule};

/// Up to so many kernels that differ, the smallest set is searched for; beyond, one is found that may not be the smallest.
const EXACT: usize = 20;

/// What becomes of a program, or of an object itself, on some kernels.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "MatrixOutcome"))]
pub struct Outcome {
    /// The object.
    pub object: String,
    /// The program; none for what is of the object itself.
    pub program: Option<String>,
    /// What happens.
    pub consequence: Consequence,
    /// Why: rules, and what they are about.
    #[cfg_attr(feature = "schema", schemars(with = "Vec<(String, String)>"))]
    pub because: Vec<(Rule, String)>,
}

/// A chosen kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Covered {
    /// Its place in the report.
    pub kernel: usize,
    /// What happens on it and on none that was chosen before.
    pub outcomes: Vec<Outcome>,
    /// Places of all other kernels with the same outcomes.
    pub same: Vec<usize>,
}

/// The chosen kernels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cover {
    /// In the order of the report.
    pub chosen: Vec<Covered>,
    /// How many outcomes there are.
    pub outcomes: usize,
    /// Whether no smaller set has all outcomes. Otherwise it is not known.
    pub smallest: bool,
}

impl Cover {
    /// The kernels of a report that have all outcomes between them. Of several sets it is always the same.
    #[must_use]
    pub fn new(report: &Report) -> Self {
        let on: Vec<Vec<Outcome>> =
            (0..report.kernels.len()).map(|kernel| outcomes(report, kernel)).collect();
        let distinct: BTreeSet<&Outcome> = on.iter().flatten().collect();
        let numbers: BTreeMap<&Outcome, usize> = distinct.into_iter().zip(0..).collect();
        let mut sets: Vec<(Bits, Vec<usize>)> = Vec::new();
        for (kernel, outcomes) in on.iter().enumerate() {
            let mut bits = Bits::new(numbers.len());
            outcomes.iter().for_each(|outcome| bits.set(numbers[outcome]));
            match sets.iter_mut().find(|known| known.0 == bits) {
                Some(known) => known.1.push(kernel),
                None => sets.push((bits, vec![kernel])),
            }
        }
        let bits: Vec<&Bits> = sets.iter().map(|set| &set.0).collect();
        let greedy = greedily(&bits, numbers.len());
        let smallest = bits.len() <= EXACT;
        let mut chosen = if smallest { exactly(&bits, numbers.len(), greedy) } else { greedy };
        chosen.sort_unstable();
        let all: Vec<&Outcome> = numbers.into_keys().collect();
        let mut seen = Bits::new(all.len());
        let covered = |set: usize| {
            let new = (0..all.len()).filter(|it| sets[set].0.has(*it) && !seen.has(*it)).collect::<Vec<_>>();
            new.iter().for_each(|outcome| seen.set(*outcome));
            let outcomes = new.into_iter().map(|it| all[it].clone()).collect();
            Covered { kernel: sets[set].1[0], outcomes, same: sets[set].1[1..].to_vec() }
        };
        let chosen = chosen.into_iter().map(covered).collect();
        Self { chosen, outcomes: all.len(), smallest }
    }
}

/// What happens on a kernel.
fn outcomes(report: &Report, kernel: usize) -> Vec<Outcome> {
    let because = |findings: &[Finding]| {
        let mut because: Vec<_> = findings.iter().map(|it| (it.rule, it.subject.clone())).collect();
        because.sort();
        because.dedup();
        because
    };
    let mut all = Vec::new();
    for object in &report.objects {
        for program in &object.programs {
            let verdict = &program.verdicts[kernel];
            all.push(Outcome {
                object: object.name.clone(),
                program: Some(program.name.clone()),
                consequence: verdict.consequence,
                because: because(&verdict.findings),
            });
        }
        let findings = &object.whole[kernel].findings;
        let worst = findings.iter().map(|it| it.consequence).max();
        all.push(Outcome {
            object: object.name.clone(),
            program: None,
            consequence: worst.unwrap_or(Consequence::Fine),
            because: because(findings),
        });
    }
    all
}

/// A set of numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Bits(Vec<u64>);

impl Bits {
    fn new(count: usize) -> Self {
        Self(vec![0; count.div_ceil(64)])
    }

    fn set(&mut self, number: usize) {
        self.0[number / 64] |= 1 << (number % 64);
    }

    fn has(&self, number: usize) -> bool {
        self.0[number / 64] >> (number % 64) & 1 == 1
    }

    fn add(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(a, b)| *a |= b);
    }

    /// How many are in `other` and not here.
    fn missing(&self, other: &Self) -> u32 {
        self.0.iter().zip(&other.0).map(|(a, b)| (b & !a).count_ones()).sum()
    }
}

/// Always the set that adds most; of equal ones the first.
fn greedily(sets: &[&Bits], count: usize) -> Vec<usize> {
    let (mut chosen, mut seen) = (Vec::new(), Bits::new(count));
    loop {
        let best = (0..sets.len()).rev().max_by_key(|set| seen.missing(sets[*set]));
        match best.filter(|set| seen.missing(sets[*set]) > 0) {
            Some(set) => {
                seen.add(sets[set]);
                chosen.push(set);
            }
            None => return chosen,
        }
    }
}

/// The smallest choice, the first of several; `known` is one that may be larger.
fn exactly(sets: &[&Bits], count: usize, known: Vec<usize>) -> Vec<usize> {
    for size in 1..known.len() {
        let mut chosen = Vec::new();
        if choose(sets, count, &Bits::new(count), size, &mut chosen) {
            return chosen;
        }
    }
    known
}

/// Whether `left` more sets can have all numbers that are not in `seen`; if so, `chosen` has them.
fn choose(sets: &[&Bits], count: usize, seen: &Bits, left: usize, chosen: &mut Vec<usize>) -> bool {
    // One of the sets with this number is needed.
    let Some(number) = (0..count).find(|number| !seen.has(*number)) else { return true };
    if left == 0 {
        return false;
    }
    for (set, bits) in sets.iter().enumerate().filter(|(_, bits)| bits.has(number)) {
        let mut with = seen.clone();
        with.add(bits);
        chosen.push(set);
        if choose(sets, count, &with, left - 1, chosen) {
            return true;
        }
        chosen.pop();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bits(sets: &[&[usize]], count: usize) -> Vec<Bits> {
        let bits = |set: &&[usize]| {
            let mut bits = Bits::new(count);
            set.iter().for_each(|number| bits.set(*number));
            bits
        };
        sets.iter().map(bits).collect()
    }

    #[test]
    fn the_smallest_choice_is_found_where_the_greedy_one_is_larger() {
        // Two rows of six, and a set that has four of both: greedy begins with that.
        let sets = bits(&[&[0, 1, 2], &[3, 4, 5], &[0, 1, 3, 4], &[2], &[5]], 6);
        let sets: Vec<&Bits> = sets.iter().collect();
        let greedy = greedily(&sets, 6);
        assert_eq!(greedy, [2, 0, 1]);
        assert_eq!(exactly(&sets, 6, greedy), [0, 1]);
    }

    #[test]
    fn it_is_the_smallest_of_all() {
        // All families of some small sets, against trying every subset.
        let mut seed = 7_u64;
        for _ in 0..200 {
            let mut next = || {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (seed >> 33) as usize
            };
            let count = 1 + next() % 70;
            let mut sets: Vec<Vec<usize>> =
                (0..1 + next() % 8).map(|_| (0..count).filter(|_| next() % 3 == 0).collect()).collect();
            // Everything is somewhere.
            sets.push((0..count).filter(|number| !sets.iter().flatten().any(|it| it == number)).collect());
            let sets = bits(&sets.iter().map(Vec::as_slice).collect::<Vec<_>>(), count);
            let sets: Vec<&Bits> = sets.iter().collect();
            let covers = |mask: usize| {
                let mut seen = Bits::new(count);
                (0..sets.len()).filter(|set| mask >> set & 1 == 1).for_each(|set| seen.add(sets[set]));
                (0..count).all(|number| seen.has(number))
            };
            let best = (0..1_usize << sets.len()).filter(|mask| covers(*mask)).map(usize::count_ones).min();
            let found = exactly(&sets, count, greedily(&sets, count));
            assert!(covers(found.iter().map(|set| 1 << set).sum()));
            assert_eq!(Some(found.len() as u32), best);
        }
    }
}
