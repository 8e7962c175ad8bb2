//! Joins the names of many kernels into one [`Index`].
//!
//! Kernels have most names in common, so each is merged into what the earlier ones gave: a list of entries,
//! sorted, each with the set of kernels that have it. Sets are few, and numbered. An older index is such a list
//! already: only the kernels that it lacks are read.

use std::collections::HashMap;

use rayon::prelude::*;
use zerocopy::little_endian::U64;

use super::index::{self, Index, Kernel, NONE, words_of};
use super::names::Names;
use super::score::letters;
use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::surface::strings::{StrId, Strings};
use crate::surface::{Evidence, Surface};

/// Surfaces that are read at once: their names are kept until they are merged.
const BATCH: usize = 8;
/// Names are numbered with as many bits, so that an entry is one word.
const NAME_BITS: u32 = 28;
/// Sets are numbered with as many bits.
const SET_BITS: u32 = 24;

/// A name, what it names, and the name it belongs to, in an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Key(u64);

impl Key {
    fn new(name: u32, what: u8, outer: u32) -> Self {
        Self(u64::from(name) << 36 | u64::from(what) << 28 | u64::from(outer))
    }

    fn name(self) -> u32 {
        (self.0 >> 36) as u32
    }

    fn what(self) -> u8 {
        (self.0 >> 28) as u8
    }

    fn outer(self) -> u32 {
        self.0 as u32 & ((1 << NAME_BITS) - 1)
    }
}

/// A surface to index, and what tells its state from others.
pub type Stamped<'s> = (&'s Surface, u64);

impl Index {
    /// The index of some surfaces, in their order. Kernels that `old` has with the same stamp are taken from there.
    ///
    /// # Errors
    /// When there are more names than an index holds.
    pub fn build(surfaces: &[Stamped<'_>], old: Option<&Self>, progress: &dyn Progress) -> Result<Self> {
        let mut merged = Merged::new(surfaces.len());
        let kernels: Vec<Kernel> = surfaces.iter().map(kernel).collect();
        // Where each kernel of the old index is in the new one.
        let place =
            |old: &Kernel| kernels.iter().position(|new| (&new.id, new.stamp) == (&old.id, old.stamp));
        let kept: Vec<Option<usize>> =
            old.map_or_else(Vec::new, |old| old.kernels().iter().map(place).collect());
        let missing: Vec<usize> = (0..surfaces.len()).filter(|at| !kept.contains(&Some(*at))).collect();
        progress.step("index the names", Some(missing.len() as u64));
        if let Some(old) = old.filter(|_| missing.len() < surfaces.len()) {
            merged.take(old, &kept)?;
        }
        for batch in missing.chunks(BATCH) {
            let names = |at: &usize| (*at, Names::of(surfaces[*at].0));
            let read: Vec<(usize, Names)> = batch.par_iter().map(names).collect();
            for (at, names) in read {
                merged.add(at, &names)?;
                progress.advance(1);
            }
        }
        Self::from_bytes(merged.finish(&kernels)?)
    }
}

fn kernel((surface, stamp): &Stamped<'_>) -> Kernel {
    let unread = surface.meta().evidence.iter().filter_map(|(fact, evidence)| match evidence {
        Evidence::Known { .. } => None,
        Evidence::Unknown { reason } => Some((*fact, reason.clone())),
    });
    Kernel { id: surface.kernel().clone(), stamp: *stamp, unknown: unread.collect() }
}

/// What the kernels so far have.
struct Merged {
    strings: Strings,
    /// Sorted; each with the number of its set.
    entries: Vec<(Key, u32)>,
    sets: Sets,
}

impl Merged {
    fn new(kernels: usize) -> Self {
        Self { strings: Strings::new(), entries: Vec::new(), sets: Sets::new(words_of(kernels)) }
    }

    /// Takes the kernels of an index that are among the new ones, at their new places.
    fn take(&mut self, old: &Index, places: &[Option<usize>]) -> Result<()> {
        let names: Vec<u32> =
            (0..old.names().len() as u32).map(|name| self.intern(old.text(name))).collect::<Result<_>>()?;
        let mut sets = Vec::new();
        for words in old.sets() {
            let has = |at: &usize| words.get(at / 64).is_some_and(|word| word.get() >> (at % 64) & 1 != 0);
            let kernels = (0..places.len()).filter(has).filter_map(|at| places[at]);
            sets.push(self.sets.of(kernels));
        }
        for (name, number) in (0u32..).zip(&names) {
            for entry in old.entries(name) {
                let set = sets.get(entry.set.get() as usize).copied().unwrap_or(EMPTY);
                let outer = names.get(entry.outer.get() as usize).copied().unwrap_or(0);
                if set != EMPTY {
                    self.entries.push((Key::new(*number, entry.what, outer), set));
                }
            }
        }
        self.entries.par_sort_unstable();
        Ok(())
    }

    /// Merges the names of one more kernel.
    fn add(&mut self, kernel: usize, names: &Names) -> Result<()> {
        // The strings of the kernel, by their offsets.
        let mut numbers = vec![0; names.strings.bytes().len()];
        let mut at = 1;
        for text in names.strings.bytes()[1..].split(|byte| *byte == 0).filter(|text| !text.is_empty()) {
            numbers[at] = self.intern(text)?;
            at += text.len() + 1;
        }
        let number = |offset: u32| numbers[offset as usize];
        let mut keys: Vec<Key> = names
            .entries
            .iter()
            .map(|(what, name, outer)| Key::new(number(*name), *what as u8, number(*outer)))
            .collect();
        keys.par_sort_unstable();
        let mut grown = Grown::new(&mut self.sets, kernel);
        self.entries = merge(&self.entries, &keys, |set| grown.with(set));
        Ok(())
    }

    fn intern(&mut self, text: &[u8]) -> Result<u32> {
        let number = self.strings.intern(text).0;
        if number >> NAME_BITS != 0 {
            return Err(Error::Limit {
                what: "the text of all names".into(),
                limit: format!("{} MiB", 1 << (NAME_BITS - 20)),
            });
        }
        Ok(number)
    }

    /// The bytes of the index.
    fn finish(self, kernels: &[Kernel]) -> Result<Vec<u8>> {
        let Self { strings, mut entries, sets } = self;
        // An older index may leave names behind that no kernel has any more.
        let mut used: Vec<u32> = Vec::with_capacity(entries.len());
        used.extend(entries.iter().flat_map(|(key, _)| [key.name(), key.outer()]).filter(|name| *name != 0));
        used.par_sort_unstable();
        used.dedup();
        let text = |name: &u32| strings.get(StrId(*name)).as_bytes();
        used.par_sort_unstable_by(|a, b| text(a).cmp(text(b)));
        let mut places = vec![0; strings.bytes().len()];
        (0u32..).zip(&used).for_each(|(place, name)| places[*name as usize] = place + 1);
        for (key, _) in &mut entries {
            *key = Key::new(places[key.name() as usize], key.what(), places[key.outer() as usize]);
        }
        entries.par_sort_unstable();

        let (mut texts, mut names, mut masks) = (Vec::new(), Vec::new(), Vec::new());
        let mut first = 0;
        for (place, name) in (1u32..).zip(&used) {
            first += entries[first..].iter().take_while(|(key, _)| key.name() < place).count();
            names.push(index::Name { text: (texts.len() as u32).into(), first_entry: (first as u32).into() });
            masks.push(U64::from(letters(text(name))));
            texts.extend_from_slice(text(name));
        }
        let mut numbered = HashMap::new();
        let mut order = Vec::new();
        let records: Vec<index::Entry> = entries
            .iter()
            .map(|(key, set)| {
                let number = *numbered.entry(*set).or_insert_with(|| {
                    order.push(*set);
                    order.len() as u32 - 1
                });
                let outer = key.outer().checked_sub(1).unwrap_or(NONE);
                index::Entry { outer: outer.into(), what: key.what(), set: number.into() }
            })
            .collect();
        if order.len() >> SET_BITS != 0 {
            let limit = format!("{}", 1 << SET_BITS);
            return Err(Error::Limit { what: "the number of different sets of kernels".into(), limit });
        }
        let words: Vec<U64> = order.iter().flat_map(|set| sets.words(*set)).copied().map(U64::from).collect();
        Ok(Index::join(kernels, &texts, &names, &masks, &records, &words))
    }
}

/// Joins two sorted lists. `with` gives the set that has one kernel more.
fn merge(old: &[(Key, u32)], new: &[Key], mut with: impl FnMut(u32) -> u32) -> Vec<(Key, u32)> {
    let mut merged = Vec::with_capacity(old.len() + new.len() / 8);
    let mut new = new.iter().peekable();
    for (key, set) in old {
        while let Some(own) = new.next_if(|own| *own < key) {
            merged.push((*own, with(EMPTY)));
        }
        let set = if new.next_if_eq(&key).is_some() { with(*set) } else { *set };
        merged.push((*key, set));
    }
    for own in new {
        merged.push((*own, with(EMPTY)));
    }
    merged
}

/// Number of the set without kernels.
const EMPTY: u32 = 0;

/// Sets of kernels, each once.
struct Sets {
    size: usize,
    words: Vec<u64>,
    numbers: HashMap<Box<[u64]>, u32>,
}

impl Sets {
    fn new(size: usize) -> Self {
        let mut sets = Self { size, words: Vec::new(), numbers: HashMap::new() };
        sets.number(vec![0; size].into());
        sets
    }

    fn number(&mut self, set: Box<[u64]>) -> u32 {
        let next = self.numbers.len() as u32;
        *self.numbers.entry(set).or_insert_with_key(|set| {
            self.words.extend_from_slice(set);
            next
        })
    }

    fn of(&mut self, kernels: impl Iterator<Item = usize>) -> u32 {
        let mut set = vec![0; self.size];
        kernels.for_each(|kernel| set[kernel / 64] |= 1 << (kernel % 64));
        self.number(set.into())
    }

    fn words(&self, set: u32) -> &[u64] {
        &self.words[set as usize * self.size..][..self.size]
    }
}

/// Adds one kernel to sets.
struct Grown<'s> {
    sets: &'s mut Sets,
    kernel: usize,
    /// What each set became.
    known: HashMap<u32, u32, foldhash::fast::FixedState>,
}

impl<'s> Grown<'s> {
    fn new(sets: &'s mut Sets, kernel: usize) -> Self {
        Self { sets, kernel, known: HashMap::default() }
    }

    fn with(&mut self, set: u32) -> u32 {
        let Self { sets, kernel, known } = self;
        *known.entry(set).or_insert_with(|| {
            let mut words: Box<[u64]> = sets.words(set).into();
            words[*kernel / 64] |= 1 << (*kernel % 64);
            sets.number(words)
        })
    }
}
