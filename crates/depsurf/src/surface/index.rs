//! Sections that follow from others: records in the order of their names.
//!
//! They are stored, because a look-up needs them at once, and left out when a surface is packed.

use zerocopy::little_endian::U32;

use super::record;
use super::strings::text_at;

/// `SYMBOLS_BY_NAME`: indices of the named symbols, sorted by name, then by place in `.symtab`.
pub(crate) fn symbols_by_name(symbols: &[record::Symbol], strings: &[u8]) -> Vec<U32> {
    let mut order: Vec<(&str, u32)> = (0u32..)
        .zip(symbols)
        .filter(|(_, symbol)| symbol.name.get() != 0)
        .map(|(index, symbol)| (text_at(strings, symbol.name.get()), index))
        .collect();
    order.sort_unstable();
    order.into_iter().map(|(_, index)| index.into()).collect()
}

/// `TYPES_BY_NAME`: ids of the named types, sorted by name, kind, id.
pub(crate) fn types_by_name(types: &[record::Type], strings: &[u8]) -> Vec<U32> {
    let mut order: Vec<(&str, u8, u32)> = (0u32..)
        .zip(types)
        .filter(|(_, record)| record.name.get() != 0)
        .map(|(id, record)| (text_at(strings, record.name.get()), record.kind.get() as u8, id))
        .collect();
    order.sort_unstable();
    order.into_iter().map(|(_, _, id)| id.into()).collect()
}
