//! The kernel's memory by address, as the boot code would leave it after relocating the image.

use std::borrow::Cow;
use std::ops::Range;

use object::Endianness;
use object::endian::Endian as _;

use super::elf::Subject;
use super::relocation::Relocations;
use super::section::Section;
use super::{File, Image};
use crate::error::{Error, Result};

/// The longest string that is believed: the longest `print_fmt` of a real kernel has some 10 KiB.
const STRING_LIMIT: usize = 1 << 20;

impl<'a> File<'a> {
    /// Bytes by file offset.
    pub(super) fn slice(&self, offset: u64, size: u64, what: impl Fn() -> String) -> Result<&'a [u8]> {
        let end = offset.saturating_add(size);
        let available = self.bytes.len() as u64;
        if end > available {
            return Err(Error::Truncated { what: what(), needed: end, available });
        }
        if self.present.is_some_and(|present| !present(offset..end)) {
            return Err(Error::malformed(
                "ELF",
                format!("{} at file offset {offset:#x}", what()),
                format!("these {size} bytes were not decoded"),
            ));
        }
        Ok(&self.bytes[offset as usize..end as usize])
    }

    /// The bytes of a section as they are in the file; empty where it has none.
    pub(super) fn section_bytes(&self, section: &Section<'_>) -> Result<&'a [u8]> {
        let range = section.file_range();
        self.slice(range.start, range.end - range.start, || format!("section `{}`", section.display_name()))
    }
}

/// A number of 1, 2, 4 or 8 bytes; 0 for other sizes.
pub(super) fn uint(bytes: &[u8], endian: Endianness) -> u64 {
    match *bytes {
        [a] => a.into(),
        [a, b] => endian.read_u16([a, b]).into(),
        [a, b, c, d] => endian.read_u32([a, b, c, d]).into(),
        [a, b, c, d, e, f, g, h] => endian.read_u64([a, b, c, d, e, f, g, h]),
        _ => 0,
    }
}

impl<'a> Image<'a> {
    /// The section with bytes in the file that holds an address.
    #[must_use]
    pub fn section_of(&self, address: u64) -> Option<&Section<'a>> {
        let behind =
            self.by_address.partition_point(|&index| self.sections[index as usize].address <= address);
        let section = &self.sections[self.by_address[behind.checked_sub(1)?] as usize];
        section.addresses().contains(&address).then_some(section)
    }

    /// Bytes as the file has them, from an address to at most the end of its section.
    fn file_bytes_from(&self, address: u64) -> Result<(&Section<'a>, u64)> {
        let section = self.section_of(address).ok_or_else(|| {
            Error::malformed("image", format!("address {address:#x}"), "no section has bytes there")
        })?;
        Ok((section, address - section.address))
    }

    fn file_bytes_at(&self, address: u64, len: u64) -> Result<&'a [u8]> {
        let (section, at) = self.file_bytes_from(address)?;
        if len > section.size - at {
            return Err(Error::malformed(
                "image",
                format!("address {address:#x}"),
                format!("{len} bytes reach behind section `{}`", section.display_name()),
            ));
        }
        self.file.slice(section.offset + at, len, || format!("section `{}`", section.display_name()))
    }

    /// Bytes at an address, with the relocations of `.rela.dyn` applied.
    ///
    /// # Errors
    /// When no section has bytes there, they cross the section's end, or they were not decoded.
    pub fn bytes_at(&self, address: u64, len: u64) -> Result<Cow<'a, [u8]>> {
        let bytes = self.file_bytes_at(address, len)?;
        let inside = self.relocations()?.within(&(address..address + len));
        if inside.is_empty() {
            return Ok(Cow::Borrowed(bytes));
        }
        let mut patched = bytes.to_vec();
        let size = usize::from(self.address_size());
        for &(at, value) in inside {
            let start = (at - address) as usize;
            // A pointer that the range cuts stays as it is in the file: nobody can ask for half of one.
            let Some(place) = patched.get_mut(start..start + size) else { continue };
            if size == 8 {
                place.copy_from_slice(&self.file.endian.write_u64(value));
            } else {
                place.copy_from_slice(&self.file.endian.write_u32(value as u32));
            }
        }
        Ok(Cow::Owned(patched))
    }

    /// The NUL-terminated string at an address, without the NUL.
    ///
    /// # Errors
    /// When no section has bytes there, or no NUL follows within the section and 1 MiB.
    pub fn c_string_at(&self, address: u64) -> Result<&'a [u8]> {
        let (section, at) = self.file_bytes_from(address)?;
        let limit = (section.size - at).min(STRING_LIMIT as u64);
        // In pages, so that a sparse file needs no more than the string's own bytes to be present.
        let mut len = 0;
        while len < limit {
            let step = (limit - len).min(256);
            let part = self
                .file
                .slice(section.offset + at + len, step, || format!("section `{}`", section.display_name()))?;
            if let Some(end) = memchr::memchr(0, part) {
                return self.file_bytes_at(address, len + end as u64);
            }
            len += step;
        }
        Err(Error::malformed(
            "image",
            format!("address {address:#x}"),
            format!("no string ends within {limit} bytes"),
        ))
    }

    /// The pointer at an address, with the relocations of `.rela.dyn` applied.
    ///
    /// # Errors
    /// As [`Image::bytes_at`].
    pub fn pointer_at(&self, address: u64) -> Result<u64> {
        let bytes = self.file_bytes_at(address, self.address_size().into())?;
        Ok(self.relocations()?.at(address).unwrap_or_else(|| self.uint(bytes)))
    }

    /// The unsigned number of `size` (1, 2, 4 or 8) bytes at an address, in the image's byte order.
    ///
    /// # Errors
    /// As [`Image::bytes_at`].
    pub fn uint_at(&self, address: u64, size: u8) -> Result<u64> {
        Ok(self.uint(&self.bytes_at(address, size.into())?))
    }

    /// The pointers of an array, with relocations applied.
    ///
    /// # Errors
    /// As [`Image::bytes_at`]; when the range is no whole number of pointers the rest is left out.
    pub fn pointers(&self, range: Range<u64>) -> Result<Vec<u64>> {
        if range.is_empty() {
            return Ok(Vec::new());
        }
        let bytes = self.bytes_at(range.start, range.end - range.start)?;
        Ok(bytes.chunks_exact(self.address_size().into()).map(|bytes| self.uint(bytes)).collect())
    }

    /// A number of 1, 2, 4 or 8 bytes in the image's byte order; 0 for other sizes.
    #[must_use]
    pub fn uint(&self, bytes: &[u8]) -> u64 {
        uint(bytes, self.file.endian)
    }

    /// The dynamic relocations. A broken table is an error at every read, since any pointer may be wrong then.
    fn relocations(&self) -> Result<&Relocations> {
        if let Some(read) = self.relocations.get() {
            return Ok(read);
        }
        let read = match self.subject {
            Subject::Kernel | Subject::Debug => Relocations::read(&self.file, self.machine, &self.sections)?,
            Subject::Module => self.module_relocations()?,
        };
        Ok(self.relocations.get_or_init(|| read))
    }
}
