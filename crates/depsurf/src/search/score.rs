//! How well a name answers what somebody typed.
//!
//! Case never counts, underscores little: the kernel puts them before names freely. A [`Pattern`] is prepared
//! once and asked about many names; [`letters`] of both tell for most names that a closer look is in vain.

use std::ops::Range;

use memchr::memmem::Finder;
use serde::Serialize;

/// In which way a name answers, the best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Rank {
    /// It is the text.
    Exact,
    /// It is the text but for case, underscores and the `CONFIG_` of options.
    Same,
    /// It begins with the text.
    Prefix,
    /// It is a field whose member is the text.
    Member,
    /// The text is in it, at the beginning of a word.
    Word,
    /// The text is in it.
    Inside,
    /// Each word of the text is in it, in some order.
    Words,
    /// It is near to the text: misspelt, or with letters left out.
    Near,
}

/// How well a name answers; the lowest is best.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Score {
    /// In which way.
    pub rank: Rank,
    /// How far it is, among near names; 0 for others.
    pub cost: u16,
}

impl Score {
    const fn of(rank: Rank) -> Self {
        Self { rank, cost: 0 }
    }

    /// The score of a name of two parts, such as a struct and its member.
    #[must_use]
    pub fn joined(self, other: Self) -> Self {
        Self { rank: self.rank.max(other.rank), cost: self.cost.saturating_add(other.cost) }
    }
}

/// What an edit costs. Near names are misspelt or have letters left out; the costs of both are such that the likelier
/// one is lower: `vfs_raed` is `vfs_read` rather than `vfs_removexattr_locked`.
const EDIT: usize = 6;
/// What it costs that only some words of a name are near to those of the text.
const IN_WORDS: usize = 4;
/// What a gap between two letters of the text costs where the second begins a word, beside the letters in the gap.
const GAP_TO_WORD: usize = 3;
/// The same where the second is within a word.
const GAP_IN_WORD: usize = 4;
/// The most that the letters in a gap cost.
const WIDE: usize = 8;
/// What it costs that the name goes on behind the last letter of the text.
const GOES_ON: usize = 3;
/// What it costs that the text goes on behind the name, beside the letters that follow.
const LEFT_OVER: usize = 20;
/// Letters below which too much would be near.
const LEAST: usize = 3;
/// The longest text and name that are compared letter by letter.
const LONGEST: usize = 128;

/// A text to look for, prepared.
#[derive(Debug, Clone)]
pub struct Pattern {
    text: String,
    /// In small letters, with underscores for spaces.
    lower: Vec<u8>,
    finder: Finder<'static>,
    /// Without underscores, in small letters.
    folded: Vec<u8>,
    /// What stands between underscores and spaces.
    words: Vec<Vec<u8>>,
    letters: u64,
    /// How many of the letters a name may lack that is near.
    lacking: usize,
}

impl Pattern {
    /// Prepares a text.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let text = text.trim();
        let lower: Vec<u8> =
            text.split_ascii_whitespace().collect::<Vec<_>>().join("_").to_ascii_lowercase().into();
        let folded: Vec<u8> = lower.iter().copied().filter(|byte| *byte != b'_').collect();
        let words: Vec<Vec<u8>> = words(&lower).map(<[u8]>::to_vec).collect();
        let in_words = words.iter().map(|word| slips_in_word(word.len())).sum();
        Self {
            lacking: slips(lower.len()).max(in_words),
            words,
            finder: Finder::new(&lower).into_owned(),
            letters: letters(&folded),
            text: text.to_owned(),
            lower,
            folded,
        }
    }

    /// Whether there is nothing to look for, which every name answers.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lower.is_empty()
    }

    /// Whether the name is the text, letter for letter.
    #[must_use]
    pub fn is(&self, name: &[u8]) -> bool {
        self.text.as_bytes() == name
    }

    /// Whether a name with these [`letters`] can contain the text.
    #[must_use]
    pub fn may_contain(&self, letters: u64) -> bool {
        self.letters & !letters == 0
    }

    /// Whether a name with these [`letters`] can be near.
    #[must_use]
    pub fn may_be_near(&self, letters: u64) -> bool {
        // A name that the text goes on behind has no letters of its own.
        (self.letters & !letters).count_ones() as usize <= self.lacking || letters & !self.letters == 0
    }

    /// The score of a name that contains the text or its words; `None` for others. `scratch` is overwritten.
    #[must_use]
    pub fn contained(&self, name: &[u8], scratch: &mut Vec<u8>) -> Option<Score> {
        if self.is(name) || self.is_empty() {
            return Some(Score::of(Rank::Exact));
        }
        lower(name, scratch);
        if self.is_same(scratch) {
            return Some(Score::of(Rank::Same));
        }
        let begin = if scratch.starts_with(OPTION) { OPTION.len() } else { 0 };
        let mut best = None;
        for at in self.finder.find_iter(scratch) {
            let rank = match at {
                _ if at == 0 || at == begin => Rank::Prefix,
                _ if begins_word(name, at) => Rank::Word,
                _ => Rank::Inside,
            };
            best = best.min(Some(rank)).or(Some(rank));
        }
        if best.is_none() && self.words.len() > 1 {
            let has = |word: &Vec<u8>| memchr::memmem::find(scratch, word).is_some();
            best = self.words.iter().all(has).then_some(Rank::Words);
        }
        best.map(Score::of)
    }

    /// The score of a name that is near to the text; `None` for others. `scratch` is overwritten.
    #[must_use]
    pub fn near(&self, name: &[u8], scratch: &mut Vec<u8>) -> Option<Score> {
        if self.folded.len() < LEAST || self.lower.len() > LONGEST || name.len() > LONGEST {
            return None;
        }
        lower(name, scratch);
        let (text, whole) = (trimmed(&self.lower), trimmed(scratch));
        let whole = distance(text, whole, slips(text.len())).map(|slips| slips * EDIT);
        let found = [whole, self.misspelt(scratch), self.skipping(name, scratch), self.left_over(scratch)];
        let cost = found.into_iter().flatten().min()?;
        Some(Score { rank: Rank::Near, cost: cost as u16 })
    }

    /// Where in the name the text was found, for a name that [`Pattern::contained`] or [`Pattern::near`] it.
    #[must_use]
    pub fn places(&self, name: &str, rank: Rank) -> Vec<Range<usize>> {
        let lower = name.to_ascii_lowercase().into_bytes();
        let mut places = match rank {
            Rank::Exact | Rank::Same | Rank::Member => std::iter::once(0..name.len()).collect(),
            Rank::Prefix | Rank::Word | Rank::Inside => {
                let mut all: Vec<usize> = self.finder.find_iter(&lower).collect();
                all.sort_by_key(|at| !begins_word(name.as_bytes(), *at));
                all.into_iter().take(1).map(|at| at..at + self.lower.len()).collect()
            }
            Rank::Words => {
                let place = |word: &Vec<u8>| Some((memchr::memmem::find(&lower, word)?, word.len()));
                self.words.iter().filter_map(place).map(|(at, len)| at..at + len).collect()
            }
            Rank::Near => self.subsequence(name.as_bytes(), &lower).map_or_else(Vec::new, |found| found.1),
        };
        places.retain(|place| !place.is_empty() && name.get(place.clone()).is_some());
        places.sort_by_key(|place| (place.start, place.end));
        places.dedup_by(|next, before| {
            let joins = next.start <= before.end;
            before.end = if joins { before.end.max(next.end) } else { before.end };
            joins
        });
        places
    }

    /// Equal but for underscores and the `CONFIG_` of options.
    fn is_same(&self, lower: &[u8]) -> bool {
        let equal = |name: &[u8]| {
            name.len() >= self.folded.len()
                && name.iter().filter(|byte| **byte != b'_').eq(self.folded.iter())
        };
        !self.folded.is_empty()
            && (equal(lower) || lower.strip_prefix(OPTION).is_some_and(equal) || self.lower == lower)
    }

    /// Each word of the text is one of the name's, some of them misspelt.
    fn misspelt(&self, name: &[u8]) -> Option<usize> {
        let mut cost = IN_WORDS;
        for word in &self.words {
            let nearest =
                words(name).filter_map(|other| distance(word, other, slips_in_word(word.len()))).min();
            cost += EDIT * nearest?;
        }
        let others = words(name).count().saturating_sub(self.words.len());
        (!self.words.is_empty()).then_some(cost + others)
    }

    /// The letters of the text are in the name in their order.
    fn skipping(&self, name: &[u8], lower: &[u8]) -> Option<usize> {
        let mut rest = lower.iter();
        let all = self.folded.iter().all(|letter| rest.any(|other| other == letter));
        if !all {
            return None;
        }
        let (cost, _) = self.subsequence(name, lower)?;
        // Letters that are scattered over a name say nothing.
        (cost <= 2 * self.folded.len()).then_some(cost)
    }

    /// The letters of the text in the name with the fewest and the best gaps between them: what these cost, and
    /// where the letters are.
    fn subsequence(&self, name: &[u8], lower: &[u8]) -> Option<(usize, Vec<Range<usize>>)> {
        // Letters of the name before each place: underscores part nothing.
        let before: Vec<usize> = lower
            .iter()
            .scan(0, |count, byte| {
                let before = *count;
                *count += usize::from(*byte != b'_');
                Some(before)
            })
            .collect();
        let gap = |letters: usize, to: usize| match letters {
            0 => 0,
            _ if begins_word(name, to) => GAP_TO_WORD + letters.min(WIDE),
            _ => GAP_IN_WORD + letters.min(WIDE),
        };
        // For each letter of the text: the places it can have, what the letters so far cost, and which of the places
        // of the letter before is the best for it.
        let mut steps: Vec<Vec<(usize, usize, usize)>> = Vec::with_capacity(self.folded.len());
        for letter in &self.folded {
            let places = (0..lower.len()).filter(|at| lower[*at] == *letter);
            let step = match steps.last() {
                None => places.map(|at| (at, gap(before[at], at), 0)).collect(),
                Some(last) => places
                    .filter_map(|at| {
                        let earlier = last.iter().enumerate().take_while(|(_, place)| place.0 < at);
                        let joined = earlier.map(|(number, place)| {
                            (place.1 + gap(before[at] - before[place.0] - 1, at), number)
                        });
                        joined.min().map(|(cost, number)| (at, cost, number))
                    })
                    .collect(),
            };
            steps.push(step);
        }
        let goes_on = |at: usize| if lower[at + 1..].iter().any(|byte| *byte != b'_') { GOES_ON } else { 0 };
        let ends = steps.last()?.iter().enumerate();
        let (cost, mut number) = ends.map(|(number, place)| (place.1 + goes_on(place.0), number)).min()?;
        let mut places = Vec::with_capacity(steps.len());
        for step in steps.iter().rev() {
            let (at, _, earlier) = *step.get(number)?;
            places.push(at..at + 1);
            number = earlier;
        }
        Some((cost, places))
    }

    /// The text is the name with something behind it.
    fn left_over(&self, name: &[u8]) -> Option<usize> {
        let rest = self.lower.strip_prefix(name)?;
        // A member of a member: `se.vruntime`. Else the suffix of a compiler.
        let begins = match rest.first() {
            Some(b'.') => !name.is_empty(),
            Some(byte) => !byte.is_ascii_alphanumeric() && name.len() > LEAST && rest.len() <= 2 * name.len(),
            None => false,
        };
        begins.then_some(LEFT_OVER + rest.len())
    }
}

/// What all options begin with, in small letters.
const OPTION: &[u8] = b"config_";

/// Edits of a name of some letters that still count as a slip.
#[must_use]
pub fn slips(length: usize) -> usize {
    match length {
        0..=4 => 1,
        5..=14 => 2,
        _ => 3,
    }
}

/// The same for one of several words: short ones become others too easily.
fn slips_in_word(length: usize) -> usize {
    match length {
        0..=3 => 0,
        4..=7 => 1,
        _ => 2,
    }
}

/// How many letters were missed, doubled, mistaken or swapped (OSA distance), where they are no more than
/// `limit`. Both in small letters. A slip that changes the first letter as well as the last two is not looked for.
#[must_use]
pub fn distance(text: &[u8], name: &[u8], limit: usize) -> Option<usize> {
    if text.len().abs_diff(name.len()) > limit {
        return None;
    }
    let ends = |name: &[u8]| name.last_chunk::<2>().copied();
    if text.first() != name.first() && ends(text) != ends(name) {
        return None;
    }
    // Each edit changes which letters occur by two at most.
    if (letters(text) ^ letters(name)).count_ones() as usize > 2 * limit {
        return None;
    }
    let slips = strsim::osa_distance(std::str::from_utf8(text).ok()?, std::str::from_utf8(name).ok()?);
    (slips <= limit).then_some(slips)
}

/// Which letters and digits occur, as a set of bits; capital and small letters are the same, and what is neither
/// does not count.
#[must_use]
pub fn letters(name: &[u8]) -> u64 {
    name.iter().fold(0, |set, byte| {
        set | match byte {
            b'a'..=b'z' => 1 << (byte - b'a'),
            b'A'..=b'Z' => 1 << (byte - b'A'),
            b'0'..=b'9' => 1 << (26 + byte - b'0'),
            _ => 0,
        }
    })
}

/// A name without the underscores in front.
fn trimmed(name: &[u8]) -> &[u8] {
    let start = name.iter().position(|byte| *byte != b'_').unwrap_or(name.len());
    &name[start..]
}

fn words(name: &[u8]) -> impl Iterator<Item = &[u8]> {
    name.split(|byte| matches!(byte, b'_' | b'.' | b' ')).filter(|word| !word.is_empty())
}

fn lower(name: &[u8], scratch: &mut Vec<u8>) {
    scratch.clear();
    scratch.extend(name.iter().map(u8::to_ascii_lowercase));
}

/// Whether a word begins at a place of a name: behind something that is no letter or digit, or with a capital
/// letter behind a small one.
fn begins_word(name: &[u8], at: usize) -> bool {
    let Some(before) = at.checked_sub(1).and_then(|before| name.get(before)) else { return true };
    let capital = name.get(at).is_some_and(u8::is_ascii_uppercase);
    !before.is_ascii_alphanumeric() || capital && before.is_ascii_lowercase()
}
