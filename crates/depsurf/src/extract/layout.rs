//! Records of the kernel in the image's memory, read by the layout that the image's own types give them.

use std::cell::Cell;

use crate::error::{Error, Result};
use crate::image::Image;
use crate::surface::field::{Field, fields};
use crate::surface::types::{TypeKind, Types};

/// The layout of a struct of the kernel.
#[derive(Debug)]
pub struct Layout<'t> {
    name: &'static str,
    fields: Vec<Field<'t>>,
    /// Size of the struct in bytes.
    pub size: u64,
}

/// Strings that the records of one table point to. All of them together have a limit, since pointers of a damaged
/// image may lead into one long string again and again; those of a real kernel have below 2 MiB.
pub struct Texts<'a, 'i> {
    image: &'a Image<'i>,
    left: Cell<usize>,
}

impl<'a, 'i> Texts<'a, 'i> {
    const LIMIT: usize = 32 << 20;

    /// No string was read yet.
    pub fn new(image: &'a Image<'i>) -> Self {
        Self { image, left: Cell::new(Self::LIMIT) }
    }

    /// The string at an address; empty at address 0.
    ///
    /// # Errors
    /// When no string is there, or the strings read so far reach the limit.
    pub fn at(&self, address: u64) -> Result<String> {
        if address == 0 {
            return Ok(String::new());
        }
        let text = self.image.c_string_at(address)?;
        let left = self.left.get().checked_sub(text.len() + 1).ok_or_else(|| Error::Limit {
            what: format!("the text of a table, at address {address:#x},"),
            limit: format!("{} bytes", Self::LIMIT),
        })?;
        self.left.set(left);
        Ok(String::from_utf8_lossy(text).into_owned())
    }
}

/// Where a member lies in its struct.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    bit_offset: u64,
    bits: u64,
}

impl<'t> Layout<'t> {
    /// The layout of a struct that the kernel's tables are made of.
    ///
    /// # Errors
    /// When the types do not define it.
    pub fn of(types: Types<'t>, name: &'static str) -> Result<Self> {
        let found = types.find(TypeKind::Struct, name);
        let found =
            found.ok_or_else(|| Error::malformed("types", format!("struct `{name}`"), "not defined"))?;
        Ok(Self { name, fields: fields(found), size: found.size().unwrap_or(0).into() })
    }

    /// Where a member is, also one of an anonymous member.
    ///
    /// # Errors
    /// When the struct has no such member, or its type has no size up to eight bytes.
    pub fn place(&self, member: &str, image: &Image<'_>) -> Result<Place> {
        let error = |what: &str| Error::malformed("types", format!("struct `{}`", self.name), what);
        let field = self
            .fields
            .iter()
            .find(|field| field.name == member)
            .ok_or_else(|| error(&format!("it has no member `{member}`")))?;
        let bits = match field.bitfield_size {
            Some(bits) => bits.into(),
            None => field.ty.byte_size(image.address_size()).unwrap_or(0).saturating_mul(8),
        };
        let is_inside = |offset: &u64| bits != 0 && bits <= 64 && offset + bits <= self.size * 8;
        match field.bit_offset.filter(is_inside) {
            Some(bit_offset) => Ok(Place { bit_offset, bits }),
            None => Err(error(&format!("member `{member}` is no number"))),
        }
    }
}

impl Place {
    /// The member's value in the record at an address: a pointer with its relocation applied, or a number.
    ///
    /// # Errors
    /// When the image has no bytes there.
    pub fn read(self, image: &Image<'_>, record: u64) -> Result<u64> {
        let at = record.wrapping_add(self.bit_offset / 8);
        let shift = self.bit_offset % 8;
        if shift == 0 && [8, 16, 32, 64].contains(&self.bits) {
            return image.uint_at(at, (self.bits / 8) as u8);
        }
        // A bitfield: counted from the low bit of the first byte on little-endian machines, from the high bit
        // on big-endian ones (`Documentation/bpf/btf.rst`, BTF_KIND_STRUCT).
        let bytes = image.bytes_at(at, (shift + self.bits).div_ceil(8))?;
        let all = 8 * bytes.len() as u64;
        let value = if image.is_big_endian() {
            let value = bytes.iter().fold(0u128, |value, &byte| value << 8 | u128::from(byte));
            value >> (all - shift - self.bits)
        } else {
            let value = bytes.iter().rev().fold(0u128, |value, &byte| value << 8 | u128::from(byte));
            value >> shift
        };
        Ok((value & ((1u128 << self.bits) - 1)) as u64)
    }
}
