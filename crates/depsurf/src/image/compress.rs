//! Compressed sections: `SHF_COMPRESSED` (gABI, "Section Compression") and the older `.zdebug_*`.

use std::borrow::Cow;

use object::elf;
use object::endian::Endian as _;
use object::read::{CompressedData, CompressionFormat};

use super::File;
use super::arch::Machine;
use super::section::Section;
use crate::error::{Error, Result};

/// How much larger than its compressed form a section may claim to be. Debug sections of real kernels
/// shrink three- to sixfold; deflate cannot exceed 1032.
const MAX_RATIO: u64 = 256;
/// What a section may claim to be whatever its compressed size.
const MIN_LIMIT: u64 = 16 << 20;
/// The largest section that is read.
const MAX_LIMIT: u64 = 4 << 30;

impl<'a> File<'a> {
    /// The contents of a section.
    pub(super) fn decompressed(&self, section: &Section<'a>, machine: &Machine) -> Result<Cow<'a, [u8]>> {
        let bytes = self.section_bytes(section)?;
        let data = if section.is_compressed() {
            self.compression_header(bytes, machine)?
        } else if section.name.starts_with(b".zdebug") && bytes.starts_with(b"ZLIB") {
            // "ZLIB", then the size as eight bytes, big-endian on every machine.
            let size = bytes.get(4..12).and_then(|size| size.try_into().ok()).ok_or_else(cut)?;
            CompressedData {
                format: CompressionFormat::Zlib,
                data: &bytes[12..],
                uncompressed_size: u64::from_be_bytes(size),
            }
        } else {
            return Ok(Cow::Borrowed(bytes));
        };
        let limit = (data.data.len() as u64).saturating_mul(MAX_RATIO).clamp(MIN_LIMIT, MAX_LIMIT);
        if data.uncompressed_size > limit {
            return Err(Error::Limit {
                what: format!("the uncompressed size of {} bytes", data.uncompressed_size),
                limit: format!("{limit} bytes for {} compressed ones", data.data.len()),
            });
        }
        data.decompress().map_err(|error| Error::malformed("ELF", "compressed bytes", error.to_string()))
    }

    /// `Elf32_Chdr` and `Elf64_Chdr`: type, (64 bit: a reserved word,) size, alignment.
    fn compression_header(&self, bytes: &'a [u8], machine: &Machine) -> Result<CompressedData<'a>> {
        let word = |at: usize| -> Option<u32> {
            let bytes = bytes.get(at..at + 4)?.try_into().ok()?;
            Some(self.endian.read_u32(bytes))
        };
        let kind = word(0).ok_or_else(cut)?;
        let (size, header) = if machine.address_size == 8 {
            let size = bytes.get(8..16).and_then(|size| size.try_into().ok()).ok_or_else(cut)?;
            (self.endian.read_u64(size), 24)
        } else {
            (word(4).ok_or_else(cut)?.into(), 12)
        };
        let format = match kind {
            _ if kind == elf::ELFCOMPRESS_ZLIB.0 => CompressionFormat::Zlib,
            _ if kind == elf::ELFCOMPRESS_ZSTD.0 => CompressionFormat::Zstandard,
            _ => {
                return Err(Error::malformed(
                    "ELF",
                    "compression header",
                    format!("type {kind} is neither zlib (1) nor zstd (2)"),
                ));
            }
        };
        let data = bytes.get(header..).ok_or_else(cut)?;
        Ok(CompressedData { format, data, uncompressed_size: size })
    }
}

fn cut() -> Error {
    Error::malformed("ELF", "compression header", "the section is shorter than its header")
}
