//! The outline of a BTF blob: header, sections and how long each type is.
//!
//! ```text
//! 0   u16 magic 0xeb9f   u8 version   u8 flags   u32 hdr_len
//! 8   u32 type_off   u32 type_len   u32 str_off   u32 str_len      offsets count from hdr_len
//! 24  u32 layout_off u32 layout_len                                only where hdr_len says so
//! ```
//!
//! A type is twelve bytes (`name_off`, `info`, `size` or `type`) and what its kind adds. The optional layout
//! section says for every kind how much that is, so that a reader can step over kinds it has never heard of.

use crate::error::{Error, Result};
use crate::surface::TypeKind;

/// `magic` of the header, in the blob's own endian.
pub(super) const MAGIC: u16 = 0xeb9f;
/// `hdr_len` of a header without the layout fields.
pub(super) const HEADER: usize = 24;
/// Size of `struct btf_type`.
pub(super) const TYPE: usize = 12;
/// Size of one entry of the layout section.
const LAYOUT: usize = 4;

/// The parts of a blob, within bounds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Blob<'a> {
    pub(super) big: bool,
    pub(super) types: &'a [u8],
    pub(super) strings: &'a [u8],
    layout: &'a [u8],
    /// Where `types` starts, for error messages that count from the start of the blob.
    types_at: usize,
}

/// The fixed part of a type.
#[derive(Debug, Clone, Copy)]
pub(super) struct Head {
    pub(super) name: u32,
    pub(super) kind: u8,
    pub(super) kind_flag: bool,
    pub(super) vlen: u32,
    pub(super) size_or_type: u32,
}

/// A word of the blob's endian. Callers have checked the bounds.
pub(super) fn word<const BIG: bool>(bytes: &[u8]) -> u32 {
    let bytes = bytes.first_chunk().copied().unwrap_or_default();
    if BIG { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }
}

impl<'a> Blob<'a> {
    /// Reads the header and cuts the sections out.
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self> {
        let short = |what: &str, needed: usize| Error::Truncated {
            what: format!("BTF {what}"),
            needed: needed as u64,
            available: bytes.len() as u64,
        };
        let Some(start) = bytes.first_chunk::<8>() else { return Err(short("header", HEADER)) };
        let big = match [start[0], start[1]] {
            [0x9f, 0xeb] => false,
            [0xeb, 0x9f] => true,
            [a, b] => {
                let found = format!("magic bytes {a:02x} {b:02x} in place of 9f eb or eb 9f");
                return Err(Error::malformed("BTF", "offset 0", found));
            }
        };
        debug_assert_eq!(MAGIC.to_le_bytes(), [0x9f, 0xeb]);
        if start[2] != 1 {
            let found = format!("version {} where only 1 is known", start[2]);
            return Err(Error::malformed("BTF", "offset 2", found));
        }
        let at = |offset: usize| {
            let bytes = bytes.get(offset..).unwrap_or_default();
            if big { word::<true>(bytes) } else { word::<false>(bytes) }
        };
        let header = at(4) as usize;
        if header < HEADER {
            let found = format!("header length {header}, at least {HEADER} is needed");
            return Err(Error::malformed("BTF", "offset 4", found));
        }
        if header > bytes.len() {
            return Err(short("header", header));
        }
        // Fields behind the known ones belong to newer kernels and are of no concern here.
        let field = |offset: usize| if offset + 4 <= header { at(offset) } else { 0 };
        let section = |what: &str, offset: usize| {
            // 64 bits: the sum of three 32-bit numbers cannot wrap.
            let start = header as u64 + u64::from(field(offset));
            let end = start + u64::from(field(offset + 4));
            let range = usize::try_from(start).ok().zip(usize::try_from(end).ok());
            range
                .and_then(|(start, end)| bytes.get(start..end))
                .ok_or_else(|| short(&format!("{what} section"), end as usize))
        };
        Ok(Self {
            big,
            types: section("type", 8)?,
            strings: section("string", 16)?,
            layout: section("layout", 24)?,
            types_at: header + field(8) as usize,
        })
    }

    /// "type 5 at offset 0x84": the place of a type for error messages.
    pub(super) fn place(&self, id: u32, at: usize) -> String {
        format!("type {id} at offset {:#x}", self.types_at + at)
    }

    /// The head of the type at `at` and the bytes its kind adds.
    pub(super) fn type_at<const BIG: bool>(&self, id: u32, at: usize) -> Result<(Head, &'a [u8])> {
        let cut = |needed: usize| {
            let available = (self.types_at + self.types.len()) as u64;
            let needed = (self.types_at + needed) as u64;
            Error::Truncated { what: format!("BTF {}", self.place(id, at)), needed, available }
        };
        let rest = self.types.get(at..).unwrap_or_default();
        if rest.len() < TYPE {
            return Err(cut(at + TYPE));
        }
        let info = word::<BIG>(&rest[4..]);
        let head = Head {
            name: word::<BIG>(rest),
            // Bits 16-23, 29 and 30 are unused and zero in the documented format. They are taken along, so
            // that a `vlen` or kind that grows into them is not misread as a smaller one.
            kind: (info >> 24 & 0x7f) as u8,
            kind_flag: info >> 31 != 0,
            vlen: info & 0xff_ffff,
            size_or_type: word::<BIG>(&rest[8..]),
        };
        let Some(length) = self.tail::<BIG>(&head) else {
            return Err(Error::malformed("BTF", self.place(id, at), format!("unknown kind {}", head.kind)));
        };
        // At most 12 * 2^24 + 255: fits where usize has 32 bits.
        match rest.get(TYPE..TYPE + length) {
            Some(tail) => Ok((head, tail)),
            None => Err(cut(at + TYPE + length)),
        }
    }

    /// Bytes that follow `struct btf_type`; `None` for a kind that neither we nor the layout section know.
    fn tail<const BIG: bool>(&self, head: &Head) -> Option<usize> {
        use TypeKind::{
            Array, Const, Datasec, DeclTag, Enum, Enum64, Float, Func, FuncProto, Fwd, Int, Ptr, Restrict,
            Struct, TypeTag, Typedef, Union, Var, Void, Volatile,
        };
        let vlen = head.vlen as usize;
        Some(match TypeKind::from_number(head.kind) {
            Some(Int | Var | DeclTag) => 4,
            Some(Array) => 12,
            Some(Struct | Union | Datasec | Enum64) => 12 * vlen,
            Some(Enum | FuncProto) => 8 * vlen,
            Some(Ptr | Fwd | Typedef | Volatile | Const | Restrict | Func | Float | TypeTag) => 0,
            Some(Void) | None => {
                let entry = self.layout.get(usize::from(head.kind) * LAYOUT..)?.first_chunk::<LAYOUT>()?;
                usize::from(entry[0]) + usize::from(entry[1]) * vlen
            }
        })
    }

    /// Number of types. `first` is the id of the first, for error messages.
    pub(super) fn count<const BIG: bool>(&self, first: u32) -> Result<u32> {
        let (mut at, mut id) = (0, first);
        while at < self.types.len() {
            let (_, tail) = self.type_at::<BIG>(id, at)?;
            at += TYPE + tail.len();
            id += 1;
        }
        Ok(id - first)
    }
}
