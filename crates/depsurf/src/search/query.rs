//! What to look for, and the names that answer it.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::ops::Range;

use foldhash::fast::FixedState;
use rayon::prelude::*;
use regex::{Regex, RegexBuilder};

use super::index::{Entry, Index, NONE};
use super::names::What;
use super::score::{Pattern, Rank, Score};
use crate::error::{Error, Result};
use crate::kind::Kind;

/// Names that one thread compares before it takes the next ones.
const CHUNK: usize = 1 << 13;
/// Bytes that a regular expression may take when it is compiled.
const REGEX_LIMIT: usize = 1 << 20;

/// What to look for.
#[derive(Debug, Clone)]
pub struct Query {
    /// What the names are compared with.
    pub text: Text,
    /// Only these kinds; all where it is empty.
    pub kinds: Vec<Kind>,
    /// How many hits are wanted.
    pub limit: usize,
}

/// What names are compared with.
#[derive(Debug, Clone)]
pub struct Text {
    form: Form,
}

#[derive(Debug, Clone)]
enum Form {
    /// Names that contain the text or are near to it.
    Like(Parts),
    /// Names that are the text.
    Exact(Parts),
    /// Names in which the expression matches.
    Regex(Box<Regex>),
}

/// A text as a whole, and as the name of a part of something: `task_struct::pids`, `sched:sched_switch`.
#[derive(Debug, Clone)]
struct Parts {
    whole: Pattern,
    split: Option<(Pattern, Pattern)>,
    /// The separator of the parts.
    by: &'static str,
}

/// What was found.
#[derive(Debug, Clone)]
pub struct Found {
    /// The best ones, the best first.
    pub hits: Vec<Hit>,
    /// How many there are.
    pub total: usize,
}

/// A name that answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    /// What it names.
    pub what: What,
    /// The name: a member's, an enumerator's.
    pub name: String,
    /// What it belongs to: the struct of a member, the enum of an enumerator, the system of an event.
    pub outer: Option<String>,
    /// In which way it answers.
    pub rank: Rank,
    /// The parts of [`Hit::title`] in which the text was found.
    pub matched: Vec<Range<usize>>,
    /// The kernels that have it, of those that were searched, as places in [`Index::kernels`].
    pub kernels: Vec<usize>,
}

impl Hit {
    /// The name by which it is shown: with its struct for a field.
    #[must_use]
    pub fn title(&self) -> String {
        match (&self.outer, self.what) {
            (Some(outer), What::Field) => format!("{outer}::{}", self.name),
            _ => self.name.clone(),
        }
    }

    /// Kind and name of the page that tells of it: an enumerator is on that of its enum.
    #[must_use]
    pub fn page(&self) -> (Kind, String) {
        let name = match (&self.outer, self.what) {
            (Some(outer), What::Enumerator) => outer.clone(),
            _ => self.title(),
        };
        (self.what.kind(), name)
    }
}

impl Text {
    /// Names that contain a text, or its words in any order; where there are none, those that are near to it.
    /// `struct::member` looks for members of structs, `system:event` for tracepoints of a system; either half may
    /// be empty.
    #[must_use]
    pub fn like(text: &str) -> Self {
        Self { form: Form::Like(Parts::new(text)) }
    }

    /// Names that are the text.
    #[must_use]
    pub fn exact(text: &str) -> Self {
        Self { form: Form::Exact(Parts::new(text)) }
    }

    /// Names in which a regular expression matches, whatever the case. One with `::` in it is compared with
    /// `struct::member` and `enum::value`, others with the member and the value alone.
    ///
    /// # Errors
    /// When it is no regular expression.
    pub fn regex(text: &str) -> Result<Self> {
        let regex = RegexBuilder::new(text).case_insensitive(true).size_limit(REGEX_LIMIT).build();
        let regex = regex.map_err(|error| Error::Usage {
            what: format!("`{text}` is no regular expression: {}", error.to_string().replace('\n', " ")),
            help: Some("leave out --regex to look for the text as it is".into()),
        })?;
        Ok(Self { form: Form::Regex(Box::new(regex)) })
    }
}

impl Parts {
    fn new(text: &str) -> Self {
        let halves = text.split_once("::").map(|halves| (halves, "::"));
        // As `events/SYSTEM/NAME` is written where programs are attached.
        let halves = halves.or_else(|| text.split_once([':', '/']).map(|halves| (halves, ":")));
        let (split, by) = match halves {
            Some(((outer, inner), by)) => (Some((Pattern::new(outer), Pattern::new(inner))), by),
            None => (None, ""),
        };
        Self { whole: Pattern::new(text), split, by }
    }
}

/// A hit while others are looked for; the smallest is the best.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Candidate {
    score: Score,
    length: u32,
    kernels: Reverse<u32>,
    what: What,
    // Names are sorted, so their numbers are in their order.
    name: u32,
    outer: u32,
    set: u32,
}

/// What a search goes by.
struct Search<'i> {
    index: &'i Index,
    query: &'i Query,
    /// How many of the searched kernels are in each set.
    counts: Vec<u32>,
    kinds: [bool; What::ALL.len()],
}

/// The best so far.
struct Best {
    limit: usize,
    heap: BinaryHeap<Candidate>,
    total: usize,
}

impl Index {
    /// The names of the kernels `among` that answer a query: the better rank first, then shorter names, names that
    /// more kernels have, kinds in their order, names in theirs.
    #[must_use]
    pub fn search(&self, query: &Query, among: &[usize]) -> Found {
        let search = Search::new(self, query, among);
        let best = match &query.text.form {
            Form::Like(parts) => {
                let direct = search.run(parts, false);
                if direct.total == 0 { search.run(parts, true) } else { direct }
            }
            Form::Exact(parts) => search.run_exact(parts),
            Form::Regex(regex) => search.run_regex(regex),
        };
        let total = best.total;
        let hits = best.heap.into_sorted_vec();
        Found { hits: hits.iter().map(|found| search.hit(found, among)).collect(), total }
    }
}

impl<'i> Search<'i> {
    fn new(index: &'i Index, query: &'i Query, among: &[usize]) -> Self {
        let mut mask = vec![0u64; index.kernels().len().div_ceil(64)];
        for kernel in among.iter().filter(|kernel| **kernel < index.kernels().len()) {
            mask[kernel / 64] |= 1 << (kernel % 64);
        }
        let count = |set: &[zerocopy::little_endian::U64]| {
            set.iter().zip(&mask).map(|(word, mask)| (word.get() & mask).count_ones()).sum()
        };
        let wanted = |what: What| query.kinds.is_empty() || query.kinds.contains(&what.kind());
        Self { index, query, counts: index.sets().map(count).collect(), kinds: What::ALL.map(wanted) }
    }

    /// Compares all names; those that are near where `near`, else those that contain the text.
    fn run(&self, parts: &Parts, near: bool) -> Best {
        let Some((outer, inner)) = &parts.split else {
            return self.over_names(|name, letters, scratch, best| {
                if let Some(score) = self.score(&parts.whole, name, letters, near, scratch) {
                    self.offer_all(name, score, best);
                }
            });
        };
        let outers = (!outer.is_empty()).then(|| self.scores(outer, near));
        let of_outer = |outer: u32| match &outers {
            Some(scores) => scores.get(&outer).copied(),
            None => Some(Score { rank: Rank::Exact, cost: 0 }),
        };
        self.over_names(|name, letters, scratch, best| {
            // No name of the kernel's C code has a separator in it, but other names may.
            if let Some(score) = self.score(&parts.whole, name, letters, false, scratch) {
                self.offer_all(name, score, best);
            } else if let Some(score) = self.score(inner, name, letters, near, scratch) {
                for (entry, what) in self.parts_by(name, parts.by) {
                    if let Some(of_outer) = of_outer(entry.outer.get()) {
                        self.offer(name, entry, what, score.joined(of_outer), best);
                    }
                }
            }
        })
    }

    /// What a name names that is a part of something.
    fn parts_by(&self, name: u32, separator: &'static str) -> impl Iterator<Item = (&'i Entry, What)> {
        let entries = self.index.entries(name).iter().filter_map(|entry| Some((entry, entry.what()?)));
        entries.filter(move |(_, what)| what.separator() == Some(separator))
    }

    /// How each name answers, those that do not left out.
    fn scores(&self, pattern: &Pattern, near: bool) -> HashMap<u32, Score, FixedState> {
        let chunks = self.index.letters().par_chunks(CHUNK).enumerate().map(|(number, chunk)| {
            let mut scratch = Vec::new();
            let first = (number * CHUNK) as u32;
            let scored = (first..).zip(chunk).filter_map(|(name, letters)| {
                Some((name, self.score(pattern, name, letters.get(), near, &mut scratch)?))
            });
            scored.collect::<Vec<_>>()
        });
        chunks.collect::<Vec<_>>().into_iter().flatten().collect()
    }

    fn score(
        &self,
        pattern: &Pattern,
        name: u32,
        letters: u64,
        near: bool,
        scratch: &mut Vec<u8>,
    ) -> Option<Score> {
        let contained = pattern.may_contain(letters);
        if !(contained || near && pattern.may_be_near(letters)) {
            return None;
        }
        let text = self.index.text(name);
        let direct = if contained { pattern.contained(text, scratch) } else { None };
        direct.or_else(|| if near { pattern.near(text, scratch) } else { None })
    }

    fn run_exact(&self, parts: &Parts) -> Best {
        let score = Score { rank: Rank::Exact, cost: 0 };
        self.over_names(|name, _, _, best| {
            let text = self.index.text(name);
            if parts.whole.is(text) {
                self.offer_all(name, score, best);
            }
            let Some((outer, inner)) = &parts.split else { return };
            if !inner.is(text) {
                return;
            }
            for (entry, what) in self.parts_by(name, parts.by) {
                if outer.is(self.index.text(entry.outer.get())) {
                    self.offer(name, entry, what, score, best);
                }
            }
        })
    }

    fn run_regex(&self, regex: &Regex) -> Best {
        let with_outer = regex.as_str().contains("::");
        let score = |text: &str| {
            let found = regex.find(text)?;
            let rank = match (found.start(), found.end() == text.len()) {
                (0, true) => Rank::Exact,
                (0, false) => Rank::Prefix,
                _ => Rank::Inside,
            };
            Some(Score { rank, cost: 0 })
        };
        self.over_names(|name, _, _, best| {
            let text = String::from_utf8_lossy(self.index.text(name));
            if !with_outer {
                if let Some(score) = score(&text) {
                    self.offer_all(name, score, best);
                }
                return;
            }
            for entry in self.index.entries(name) {
                let Some(what) = entry.what().filter(|what| self.kinds[*what as usize]) else { continue };
                let Some(separator) = what.separator() else { continue };
                let outer = String::from_utf8_lossy(self.index.text(entry.outer.get()));
                if let Some(score) = score(&format!("{outer}{separator}{text}")) {
                    self.offer(name, entry, what, score, best);
                }
            }
        })
    }

    /// Lets `compare` look at each name, with all threads.
    fn over_names(&self, compare: impl Fn(u32, u64, &mut Vec<u8>, &mut Best) + Sync) -> Best {
        let limit = self.query.limit;
        let chunks = self.index.letters().par_chunks(CHUNK).enumerate().map(|(number, chunk)| {
            let mut best = Best { limit, heap: BinaryHeap::new(), total: 0 };
            let mut scratch = Vec::new();
            for (name, letters) in ((number * CHUNK) as u32..).zip(chunk) {
                compare(name, letters.get(), &mut scratch, &mut best);
            }
            best
        });
        chunks.reduce(|| Best { limit, heap: BinaryHeap::new(), total: 0 }, Best::joined)
    }

    /// Offers everything that a name names.
    fn offer_all(&self, name: u32, score: Score, best: &mut Best) {
        for entry in self.index.entries(name) {
            let Some(what) = entry.what() else { continue };
            let score = if what == What::Field { of_member(score) } else { score };
            self.offer(name, entry, what, score, best);
        }
    }

    fn offer(&self, name: u32, entry: &Entry, what: What, score: Score, best: &mut Best) {
        let kernels = self.counts.get(entry.set.get() as usize).copied().unwrap_or(0);
        if kernels == 0 || !self.kinds[what as usize] {
            return;
        }
        let outer = entry.outer.get();
        let mut length = self.index.text(name).len();
        if what == What::Field {
            length += self.index.text(outer).len();
        }
        best.add(Candidate {
            score,
            length: length as u32,
            kernels: Reverse(kernels),
            what,
            name,
            outer,
            set: entry.set.get(),
        });
    }

    fn hit(&self, found: &Candidate, among: &[usize]) -> Hit {
        let text = |name| String::from_utf8_lossy(self.index.text(name)).into_owned();
        let has = self.index.set(found.set);
        let mut hit = Hit {
            what: found.what,
            name: text(found.name),
            outer: (found.outer != NONE).then(|| text(found.outer)),
            rank: found.score.rank,
            matched: Vec::new(),
            kernels: among.iter().copied().filter(|kernel| has.binary_search(kernel).is_ok()).collect(),
        };
        hit.matched = self.places(&hit);
        hit
    }

    /// Where the text is in the title of a hit.
    fn places(&self, hit: &Hit) -> Vec<Range<usize>> {
        let title = hit.title();
        let shift = title.len() - hit.name.len();
        let shifted = |places: Vec<Range<usize>>| {
            places.into_iter().map(move |place| place.start + shift..place.end + shift)
        };
        let of = |pattern: &Pattern, name: &str| {
            let mut scratch = Vec::new();
            let direct = pattern.contained(name.as_bytes(), &mut scratch);
            pattern.places(name, direct.map_or(Rank::Near, |score| score.rank))
        };
        match &self.query.text.form {
            Form::Regex(regex) => {
                let by_title = regex.as_str().contains("::");
                let found = if by_title { regex.find(&title) } else { regex.find(&hit.name) };
                let places: Vec<Range<usize>> = found.map(|found| found.range()).into_iter().collect();
                if by_title { places } else { shifted(places).collect() }
            }
            Form::Like(parts) | Form::Exact(parts) => {
                let split = parts.split.as_ref().filter(|_| hit.what.separator() == Some(parts.by));
                let Some((outer, inner)) = split else {
                    return shifted(of(&parts.whole, &hit.name)).collect();
                };
                let outer_name = hit.outer.as_deref().filter(|_| shift > 0 && !outer.is_empty());
                let mut places = outer_name.map_or_else(Vec::new, |name| of(outer, name));
                if !inner.is_empty() {
                    places.extend(shifted(of(inner, &hit.name)));
                }
                places
            }
        }
    }
}

/// A member that was found by its own name stands behind what has that name for itself.
fn of_member(score: Score) -> Score {
    let rank = match score.rank {
        Rank::Exact | Rank::Same => Rank::Member,
        Rank::Prefix => Rank::Word,
        other => other,
    };
    Score { rank, ..score }
}

impl Best {
    fn add(&mut self, candidate: Candidate) {
        self.total += 1;
        if self.heap.len() < self.limit {
            self.heap.push(candidate);
        } else if let Some(mut worst) = self.heap.peek_mut()
            && candidate < *worst
        {
            *worst = candidate;
        }
    }

    fn joined(self, other: Self) -> Self {
        let total = self.total + other.total;
        let mut best = self;
        other.heap.into_iter().for_each(|candidate| best.add(candidate));
        best.total = total;
        best
    }
}
