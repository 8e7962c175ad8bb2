//! String sections and the tables through which DWARF 5 refers to strings and addresses by index.

use std::collections::HashMap;

use crate::{Bytes, Target};

/// `.debug_str` or `.debug_line_str`: equal strings share an entry, as a linker merges them.
#[derive(Debug, Default)]
pub(super) struct Strings {
    pub(super) data: Vec<u8>,
    offsets: HashMap<String, u32>,
}

impl Strings {
    pub(super) fn add(&mut self, text: &str) -> u32 {
        if let Some(offset) = self.offsets.get(text) {
            return *offset;
        }
        let offset = self.data.len() as u32;
        self.data.extend(text.as_bytes());
        self.data.push(0);
        self.offsets.insert(text.to_owned(), offset);
        offset
    }
}

/// A unit's part of `.debug_str_offsets` or `.debug_addr` (DWARF 5 §7.26, §7.27).
#[derive(Debug, Default)]
pub(super) struct Table {
    entries: Vec<u64>,
}

impl Table {
    pub(super) fn index(&mut self, entry: u64) -> u64 {
        let known = self.entries.iter().position(|known| *known == entry);
        let index = known.unwrap_or_else(|| {
            self.entries.push(entry);
            self.entries.len() - 1
        });
        index as u64
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Appends the entries alone, as GNU's extension of DWARF 4 has them.
    pub(super) fn write_bare(&self, size: u8, out: &mut Bytes) {
        for entry in &self.entries {
            out.number(*entry, size.into());
        }
    }

    /// Bytes of the header in front of the entries: where a `DW_AT_*_base` points.
    pub(super) const HEADER: u64 = 8;

    /// Appends header and entries. `address_size` is 0 in `.debug_str_offsets`, whose header has padding
    /// in that place and whose entries take four bytes.
    pub(super) fn write(&self, target: Target, address_size: u8, out: &mut Bytes) {
        let size = if address_size == 0 { 4 } else { address_size.into() };
        let mut table = target.bytes();
        table.u16(5).u8(address_size).u8(0);
        for entry in &self.entries {
            table.number(*entry, size);
        }
        out.u32(table.len() as u32).raw(&table.into_vec());
    }
}
