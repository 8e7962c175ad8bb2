//! Sections that follow from others: records in the order of their names.
//!
//! They are stored, because a look-up needs them at once, and left out when a surface is packed.

use std::ops::Range;

use rayon::prelude::*;
use zerocopy::little_endian::U32;

use super::record;
use super::strings::text_at;

/// `SYMBOLS_BY_NAME`: indices of the named symbols, sorted by name, then by place in `.symtab`.
pub(crate) fn symbols_by_name(symbols: &[record::Symbol], strings: &[u8]) -> Vec<U32> {
    let named = (0u32..).zip(symbols).filter(|(_, symbol)| symbol.name.get() != 0);
    sorted(named.map(|(index, symbol)| Key::new(strings, symbol.name.get(), 0, index)).collect())
}

/// `TYPES_BY_NAME`: ids of the named types, sorted by name, kind, id; without those that are not listed.
pub(crate) fn types_by_name(types: &[record::Type], strings: &[u8]) -> Vec<U32> {
    types_by_name_within(types, 0..types.len() as u32, strings)
}

/// As [`types_by_name`], of some ids only.
pub(crate) fn types_by_name_within(types: &[record::Type], ids: Range<u32>, strings: &[u8]) -> Vec<U32> {
    let unlisted = record::TYPE_UNDEFINED | record::TYPE_UNLISTED;
    let is_listed = |record: &record::Type| record.name.get() != 0 && record.kind.get() & unlisted == 0;
    let within = types.get(ids.start as usize..ids.end as usize).unwrap_or_default();
    let named = (ids.start..).zip(within).filter(|(_, record)| is_listed(record));
    sorted(
        named.map(|(id, record)| Key::new(strings, record.name.get(), record.kind.get() as u8, id)).collect(),
    )
}

/// The strings of `ids`, sorted by text.
pub(crate) fn names_in_order(ids: impl Iterator<Item = u32>, strings: &[u8]) -> Vec<U32> {
    sorted(ids.map(|id| Key::new(strings, id, 0, id)).collect())
}

/// What is compared, from the first field to the last.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Key<'a> {
    /// The first eight bytes of the text, which mostly decide without a look at the string table.
    prefix: u64,
    text: &'a str,
    kind: u8,
    index: u32,
}

impl<'a> Key<'a> {
    fn new(strings: &'a [u8], name: u32, kind: u8, index: u32) -> Self {
        let text = text_at(strings, name);
        let mut prefix = [0; 8];
        // Strings hold no NUL, so a shorter one is smaller, as it has to be.
        let len = text.len().min(8);
        prefix[..len].copy_from_slice(&text.as_bytes()[..len]);
        Self { prefix: u64::from_be_bytes(prefix), text, kind, index }
    }
}

fn sorted(mut keys: Vec<Key<'_>>) -> Vec<U32> {
    // The index makes all keys different, so the order does not depend on threads.
    keys.par_sort_unstable();
    keys.into_iter().map(|key| key.index.into()).collect()
}
