//! Range and location lists: `.debug_ranges` and `.debug_loc` of DWARF 4 §2.17.3 and §2.6.2,
//! `.debug_rnglists` and `.debug_loclists` of DWARF 5 §7.28 and §7.29.

use gimli::constants::*;

use crate::{Bytes, Target};

/// One entry of a range or location list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Range {
    /// A new base for the [`Range::Offsets`] behind it.
    Base(u64),
    /// From and up to these offsets from the base, which at first is the unit's `DW_AT_low_pc`.
    Offsets(u64, u64),
    /// From one address up to another.
    StartEnd(u64, u64),
    /// From an address, that many bytes.
    StartLength(u64, u64),
}

/// One unit's lists of a kind.
#[derive(Debug)]
pub(super) struct Lists {
    target: Target,
    version: u16,
    low_pc: u64,
    pub(super) body: Bytes,
    /// Starts of the lists that are referred to by index, in `body`.
    pub(super) indexed: Vec<u32>,
}

impl Lists {
    pub(super) fn new(target: Target, version: u16, low_pc: u64) -> Lists {
        Lists { target, version, low_pc, body: target.bytes(), indexed: Vec::new() }
    }

    /// Appends a range list and returns its offset in the body.
    pub(super) fn ranges(&mut self, ranges: &[Range]) -> u32 {
        let offset = self.body.len() as u32;
        let mut base = self.low_pc;
        for range in ranges {
            match self.version {
                4 => old_entry(&mut self.body, self.target, *range, &mut base),
                _ => {
                    let (kind, first, second, plain) = match *range {
                        Range::Base(address) => (DW_RLE_base_address, address, None, false),
                        Range::Offsets(start, end) => (DW_RLE_offset_pair, start, Some(end), true),
                        Range::StartEnd(start, end) => (DW_RLE_start_end, start, Some(end), false),
                        Range::StartLength(start, length) => {
                            self.body.u8(DW_RLE_start_length.0).word(start).uleb(length);
                            continue;
                        }
                    };
                    entry(&mut self.body, kind.0, first, second, plain);
                }
            }
        }
        match self.version {
            4 => self.body.word(0).word(0),
            _ => self.body.u8(DW_RLE_end_of_list.0),
        };
        offset
    }

    /// Appends a location list and returns its offset in the body.
    pub(super) fn locations(&mut self, locations: &[(Range, Vec<u8>)]) -> u32 {
        let offset = self.body.len() as u32;
        let mut base = self.low_pc;
        for (range, expression) in locations {
            let is_base = matches!(range, Range::Base(_));
            if self.version == 4 {
                old_entry(&mut self.body, self.target, *range, &mut base);
                if !is_base {
                    self.body.u16(expression.len() as u16).raw(expression);
                }
                continue;
            }
            match *range {
                Range::Base(address) => entry(&mut self.body, DW_LLE_base_address.0, address, None, false),
                Range::Offsets(start, end) => {
                    entry(&mut self.body, DW_LLE_offset_pair.0, start, Some(end), true);
                }
                Range::StartEnd(start, end) => {
                    entry(&mut self.body, DW_LLE_start_end.0, start, Some(end), false);
                }
                Range::StartLength(start, length) => {
                    self.body.u8(DW_LLE_start_length.0).word(start).uleb(length);
                }
            }
            if !is_base {
                self.body.uleb(expression.len() as u64).raw(expression);
            }
        }
        match self.version {
            4 => self.body.word(0).word(0),
            _ => self.body.u8(DW_LLE_end_of_list.0),
        };
        offset
    }

    /// Bytes in front of the body, in DWARF 5, if no list is referred to by index. With indices the
    /// offsets stand between this header and the body; a `DW_AT_rnglists_base` points at them.
    pub(super) const HEADER: u64 = 12;

    /// Appends the unit's lists to the section.
    pub(super) fn write(&self, out: &mut Bytes) {
        let body = self.body.clone().into_vec();
        if self.version == 4 {
            out.raw(&body);
            return;
        }
        let mut lists = self.target.bytes();
        lists.u16(5).u8(self.target.width.bytes()).u8(0).u32(self.indexed.len() as u32);
        let table = 4 * self.indexed.len() as u32;
        for start in &self.indexed {
            lists.u32(table + start);
        }
        lists.raw(&body);
        out.u32(lists.len() as u32).raw(&lists.into_vec());
    }
}

/// A DWARF 5 entry of addresses, or of LEB128 numbers if `plain`.
fn entry(out: &mut Bytes, kind: u8, first: u64, second: Option<u64>, plain: bool) {
    out.u8(kind);
    for number in [Some(first), second].into_iter().flatten() {
        if plain {
            out.uleb(number)
        } else {
            out.word(number)
        };
    }
}

/// A DWARF 4 entry: two offsets from the base, or a largest address in front of a new base.
fn old_entry(out: &mut Bytes, target: Target, range: Range, base: &mut u64) {
    match range {
        Range::Base(address) => {
            *base = address;
            out.number(u64::MAX, target.width.bytes().into()).word(address);
        }
        Range::Offsets(start, end) => {
            out.word(start).word(end);
        }
        Range::StartEnd(start, end) => {
            out.word(start.wrapping_sub(*base)).word(end.wrapping_sub(*base));
        }
        Range::StartLength(start, length) => {
            let start = start.wrapping_sub(*base);
            out.word(start).word(start.wrapping_add(length));
        }
    }
}
