//! How alike two names are: by their words, by their letters, and by what is replaced in many names alike.
//!
//! A name falls into words at underscores, between letters and digits, and where a capital follows a small letter.
//! Words that many names have (`get`, `page`) say less than rare ones.

use super::{Evidence, percent};

/// Names longer than this are compared by their first bytes: one machine word of the edit distance.
const LETTERS: usize = 64;

/// A name and its words.
#[derive(Debug, Clone, Default)]
pub(super) struct Name<'a> {
    pub text: &'a str,
    /// In the order of the name.
    words: Vec<Word>,
    /// Hashes of the words, sorted.
    bag: Vec<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Word {
    hash: u32,
    start: u16,
    end: u16,
}

impl<'a> Name<'a> {
    pub fn new(text: &'a str) -> Self {
        let text = text.get(..usize::from(u16::MAX)).unwrap_or(text);
        let mut list = Vec::with_capacity(6);
        list.extend(words(text));
        let words = list;
        let mut bag: Vec<u32> = words.iter().map(|word| word.hash).collect();
        bag.sort_unstable();
        Self { text, words, bag }
    }

    /// The name without the underscores around it.
    pub fn core(&self) -> &'a str {
        match self.words.as_slice() {
            [] => "",
            [first, .., last] => &self.text[usize::from(first.start)..usize::from(last.end)],
            [word] => &self.text[usize::from(word.start)..usize::from(word.end)],
        }
    }

    /// Whether another name has one of the words: cheaper than to take that name apart.
    pub fn shares_word(&self, other: &str) -> bool {
        words(other).any(|word| self.bag.contains(&word.hash))
    }

    /// Hashes of the words, sorted; a word that stands twice is there twice.
    pub fn bag(&self) -> &[u32] {
        &self.bag
    }

    /// Names that this one may have come from: without its first or its last word, and without underscores.
    pub fn shorter(&self) -> impl Iterator<Item = &'a str> {
        let part = |words: &[Word]| match words {
            [first, .., last] => &self.text[usize::from(first.start)..usize::from(last.end)],
            _ => "",
        };
        let all = self.words.as_slice();
        let parts = match all.len() {
            0..=2 => ["", ""],
            count => [part(&all[1..]), part(&all[..count - 1])],
        };
        [self.core(), parts[0], parts[1]].into_iter().filter(|text| text.len() > 3)
    }

    /// The words that only one of the two has, as `old` and `new`; `None` when no word is in both.
    pub fn replaced(&self, new: &Self) -> Option<(String, String)> {
        let (old, new) = (self.only(new)?, new.only(self)?);
        (old != new).then_some((old, new))
    }

    /// A hash that is the same where [`Name::replaced`] names the same words.
    pub fn replaced_hash(&self, new: &Self) -> Option<u64> {
        let (mut shared, mut old, mut hash) = (false, self.bag.iter().peekable(), [0u64; 2]);
        merge(&self.bag, &new.bag, |word, in_both| {
            let is_old = old.next_if_eq(&&word).is_some();
            if in_both {
                shared = true;
            } else {
                let hash = &mut hash[usize::from(is_old)];
                *hash = (*hash ^ u64::from(word)).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
            }
        });
        (shared && hash != [0, 0]).then_some(hash[0] ^ hash[1].rotate_left(13))
    }

    /// The words that `other` lacks, joined; `None` when it lacks all of them.
    fn only(&self, other: &Self) -> Option<String> {
        let mut left = other.bag.clone();
        let mut text = String::new();
        let mut shared = false;
        for word in &self.words {
            if let Ok(at) = left.binary_search(&word.hash) {
                left.remove(at);
                shared = true;
                continue;
            }
            if !text.is_empty() {
                text.push('_');
            }
            text.push_str(&self.text[usize::from(word.start)..usize::from(word.end)]);
        }
        shared.then_some(text)
    }
}

fn words(text: &str) -> impl Iterator<Item = Word> {
    let bytes = text.as_bytes();
    let (mut start, mut at) = (0, 0);
    std::iter::from_fn(move || {
        while at <= bytes.len() {
            let ends = at == bytes.len() || at > start && is_seam(bytes[at - 1], bytes[at]);
            let word = start..at;
            if ends && !word.is_empty() {
                start = at;
            }
            if at < bytes.len() && !is_part(bytes[at]) {
                start = at + 1;
            }
            at += 1;
            if ends && !word.is_empty() {
                let hash = hash(&bytes[word.clone()]);
                return Some(Word { hash, start: word.start as u16, end: word.end as u16 });
            }
        }
        None
    })
}

/// Bytes beyond ASCII are letters, so that a cut never falls into a character.
fn is_part(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || !byte.is_ascii()
}

/// Whether a word ends between two bytes.
fn is_seam(before: u8, after: u8) -> bool {
    !is_part(after)
        || before.is_ascii_lowercase() && after.is_ascii_uppercase()
        || before.is_ascii_digit() != after.is_ascii_digit()
}

/// FNV-1a of the small letters.
fn hash(word: &[u8]) -> u32 {
    word.iter().fold(0x811c_9dc5, |hash, byte| {
        (hash ^ u32::from(byte.to_ascii_lowercase())).wrapping_mul(0x0100_0193)
    })
}

/// In how many of the compared names a word occurs.
#[derive(Debug)]
pub(super) struct Rarity {
    /// By the low bits of the word's hash: two words that share a slot both count as more frequent than they are.
    counts: Vec<u32>,
    names: u32,
}

impl Rarity {
    const SLOTS: usize = 1 << 16;

    pub fn new<'a>(names: impl Iterator<Item = &'a Name<'a>>) -> Self {
        let mut rarity = Self { counts: vec![0; Self::SLOTS], names: 0 };
        for name in names {
            rarity.names += 1;
            for word in &name.bag {
                rarity.counts[Self::slot(*word)] += 1;
            }
        }
        rarity
    }

    fn slot(word: u32) -> usize {
        word as usize & (Self::SLOTS - 1)
    }

    /// How often a word occurs.
    pub fn count(&self, word: u32) -> u32 {
        self.counts[Self::slot(word)]
    }

    /// What a word says: more where it is rare.
    fn weight(&self, word: u32) -> f32 {
        1.0 + (self.names / self.count(word).max(1)).max(1).ilog2() as f32
    }

    /// The share of the words that both names have, by what they say: 0 to 1.
    pub fn words(&self, a: &Name<'_>, b: &Name<'_>) -> f32 {
        let (mut shared, mut all) = (0.0, 0.0);
        merge(&a.bag, &b.bag, |word, in_both| {
            let weight = self.weight(word);
            all += weight;
            shared += if in_both { weight } else { 0.0 };
        });
        if all > 0.0 { shared / all } else { 0.0 }
    }
}

/// Meets the items of two sorted lists in order, and says of each whether it is in both.
pub(super) fn merge<T: Copy + Ord>(a: &[T], b: &[T], mut meet: impl FnMut(T, bool)) {
    let (mut i, mut j) = (0, 0);
    loop {
        match (a.get(i), b.get(j)) {
            (Some(x), Some(y)) if x == y => {
                meet(*x, true);
                (i, j) = (i + 1, j + 1);
            }
            (Some(x), Some(y)) if x < y => {
                meet(*x, false);
                i += 1;
            }
            (_, Some(y)) => {
                meet(*y, false);
                j += 1;
            }
            (Some(x), None) => {
                meet(*x, false);
                i += 1;
            }
            (None, None) => return,
        }
    }
}

/// How few letters have to change, underscores around the names left out: 1 for equal, 0 for nothing in common.
fn letters(a: &Name<'_>, b: &Name<'_>) -> f32 {
    let (a, b) = (a.core().as_bytes(), b.core().as_bytes());
    let (a, b) = (&a[..a.len().min(LETTERS)], &b[..b.len().min(LETTERS)]);
    let longest = a.len().max(b.len());
    if longest == 0 {
        return 0.0;
    }
    1.0 - distance(a, b) as f32 / longest as f32
}

/// How alike two names are.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Alike {
    /// Share of words in common, by what they say.
    pub words: f32,
    /// [`letters`].
    pub letters: f32,
    /// Whether they differ only in underscores around them.
    pub underscores: bool,
}

impl Alike {
    pub fn new(a: &Name<'_>, b: &Name<'_>, rarity: &Rarity) -> Self {
        let mut alike = Self::by_words(a, b, rarity);
        alike.compare_letters(a, b);
        alike
    }

    /// By words alone; letters count as different until [`Alike::compare_letters`].
    pub fn by_words(a: &Name<'_>, b: &Name<'_>, rarity: &Rarity) -> Self {
        Self { words: rarity.words(a, b), letters: 0.0, underscores: a.core() == b.core() }
    }

    pub fn compare_letters(&mut self, a: &Name<'_>, b: &Name<'_>) {
        self.letters = letters(a, b);
    }

    /// What it adds to the logarithm of the odds, where names are all that is compared of names.
    pub fn weight(self, words: f32, letters: f32) -> f32 {
        words * self.words + letters * ((self.letters - 0.4) / 0.6).max(0.0)
    }

    /// What to say about it, and how strong it is; nothing where the names are not alike.
    pub fn evidence(self) -> Option<(f32, Evidence)> {
        if self.underscores {
            return Some((4.0, Evidence::Underscores));
        }
        let (words, letters) = (percent(self.words), percent(self.letters));
        let strength = (self.words * 4.0).max((self.letters - 0.5) * 4.0);
        (self.words > 0.0 || self.letters >= 0.5)
            .then_some((strength, Evidence::SimilarName { words, letters }))
    }
}

/// Edit distance of two texts, the first of at most 64 bytes: the bit-parallel algorithm of Myers (1999) as
/// Hyyrö (2001) gives it, one machine word per column.
fn distance(a: &[u8], b: &[u8]) -> u32 {
    if a.is_empty() {
        return b.len() as u32;
    }
    let mut places = [0u64; 256];
    for (at, byte) in a.iter().enumerate() {
        places[usize::from(*byte)] |= 1 << at;
    }
    let last = 1u64 << (a.len() - 1);
    let (mut up, mut down, mut score) = (u64::MAX, 0u64, a.len() as u32);
    for byte in b {
        let equal = places[usize::from(*byte)];
        let vertical = equal | down;
        let diagonal = ((equal & up).wrapping_add(up) ^ up) | equal;
        let mut plus = down | !(diagonal | up);
        let mut minus = up & diagonal;
        score += u32::from(plus & last != 0);
        score -= u32::from(minus & last != 0);
        plus = plus << 1 | 1;
        minus <<= 1;
        up = minus | !(vertical | plus);
        down = plus & vertical;
    }
    score
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn split(text: &str) -> Vec<&str> {
        words(text).map(|word| &text[usize::from(word.start)..usize::from(word.end)]).collect()
    }

    #[test]
    fn names_fall_into_words() {
        assert_eq!(split("__blk_account_io_start"), ["blk", "account", "io", "start"]);
        assert_eq!(split("iov_iter_get_pages2"), ["iov", "iter", "get", "pages", "2"]);
        assert_eq!(split("ZSTD_loadEntropy_inDDict"), ["ZSTD", "load", "Entropy", "in", "DDict"]);
        assert_eq!(split("___"), [""; 0]);
        assert_eq!(split(""), [""; 0]);
    }

    #[test]
    fn shorter_names_lack_one_end() {
        let shorter = |text| Name::new(text).shorter().collect::<Vec<_>>();
        assert_eq!(shorter("__kfree_skb_reason"), ["kfree_skb_reason", "skb_reason", "kfree_skb"]);
        assert_eq!(shorter("_fput"), ["fput"]);
    }

    #[test]
    fn replaced_words_are_told() {
        let replaced = |a, b| Name::new(a).replaced(&Name::new(b));
        let pair = |a: &str, b: &str| Some((a.to_owned(), b.to_owned()));
        assert_eq!(replaced("page_referenced_one", "folio_referenced_one"), pair("page", "folio"));
        assert_eq!(replaced("kmemdup", "kmemdup_noprof"), pair("", "noprof"));
        assert_eq!(replaced("load_balance", "sched_balance_rq"), pair("load", "sched_rq"));
        assert_eq!(replaced("__a_b", "a_b"), None);
        assert_eq!(replaced("a_b", "c_d"), None);
    }

    #[test]
    fn rare_words_say_more() {
        let names = ["get_page", "get_task", "get_file", "get_zebra"].map(Name::new);
        let rarity = Rarity::new(names.iter());
        let alike = |a, b| rarity.words(&Name::new(a), &Name::new(b));
        assert!(alike("get_zebra", "put_zebra") > alike("get_zebra", "get_horse"));
        assert_eq!(alike("__get_page", "page_get"), 1.0);
        assert_eq!(alike("get_page", "wake"), 0.0);
    }

    fn distance_by_table(a: &[u8], b: &[u8]) -> u32 {
        let mut row: Vec<u32> = (0..=b.len() as u32).collect();
        for (i, x) in a.iter().enumerate() {
            let mut diagonal = row[0];
            row[0] = i as u32 + 1;
            for (j, y) in b.iter().enumerate() {
                let next = (diagonal + u32::from(x != y)).min(row[j] + 1).min(row[j + 1] + 1);
                diagonal = row[j + 1];
                row[j + 1] = next;
            }
        }
        row[b.len()]
    }

    proptest! {
        #[test]
        fn distance_is_the_edit_distance(a in "[abc_]{0,64}", b in "[abc_]{0,64}") {
            let (a, b) = (a.as_bytes(), b.as_bytes());
            prop_assert_eq!(distance(a, b), distance_by_table(a, b));
        }

        #[test]
        fn any_text_is_a_name(a in any::<String>(), b in any::<String>()) {
            let (a, b) = (Name::new(&a), Name::new(&b));
            prop_assert_eq!(letters(&a, &b), letters(&b, &a));
            let _ = (a.replaced(&b), a.shorter().count());
        }
    }
}
