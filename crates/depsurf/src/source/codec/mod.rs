//! The compressions that packages and kernels come in: told by the first bytes, decompressed as a stream.

use std::io::{BufRead, BufReader, Read};

use liblzma::bufread::XzDecoder;
use liblzma::stream::{CONCATENATED, Stream};

use super::xz;
use crate::error::{Error, Result};

mod lz4;
mod lzo;

/// First bytes of a zstd frame.
pub const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
/// First bytes of a gzip member.
pub const GZIP: &[u8] = &[0x1f, 0x8b];
/// First bytes of a bzip2 file.
pub const BZIP2: &[u8] = b"BZh";
/// First bytes of an lz4 frame.
pub const LZ4: &[u8] = &[0x04, 0x22, 0x4d, 0x18];
/// First bytes of what `lz4 -l` writes, which is what kernels are compressed with.
pub const LZ4_LEGACY: &[u8] = &[0x02, 0x21, 0x4c, 0x18];
/// First bytes of what `lzop` writes.
pub const LZO: &[u8] = b"\x89LZO\0\r\n\x1a\n";
/// First byte of an LZMA file with the properties that `lzma -9` writes; [`Codec::of`] looks at the rest of the header.
pub const LZMA: &[u8] = &[0x5d, 0];

/// How many of the first bytes tell the compression.
pub const HEAD: usize = 14;

/// A compression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codec {
    /// `.xz`
    Xz,
    /// `.zst`
    Zstd,
    /// `.gz`
    Gzip,
    /// `.bz2`
    Bzip2,
    /// `.lz4`
    Lz4,
    /// `.lz4` as `lz4 -l` writes it.
    Lz4Legacy,
    /// `.lzma`, which has no magic number.
    Lzma,
    /// `.lzo`
    Lzo,
}

impl Codec {
    /// The compression that bytes begin with.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Option<Self> {
        const MAGICS: [(&[u8], Codec); 7] = [
            (xz::MAGIC, Codec::Xz),
            (ZSTD, Codec::Zstd),
            (GZIP, Codec::Gzip),
            (BZIP2, Codec::Bzip2),
            (LZ4, Codec::Lz4),
            (LZ4_LEGACY, Codec::Lz4Legacy),
            (LZO, Codec::Lzo),
        ];
        let known = MAGICS.iter().find(|(magic, _)| bytes.starts_with(magic)).map(|(_, codec)| *codec);
        known.or_else(|| is_lzma(bytes).then_some(Self::Lzma))
    }

    /// What messages call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Xz => "xz",
            Self::Zstd => "zstd",
            Self::Gzip => "gzip",
            Self::Bzip2 => "bzip2",
            Self::Lz4 | Self::Lz4Legacy => "lz4",
            Self::Lzma => "lzma",
            Self::Lzo => "lzo",
        }
    }

    /// Whether decoding twice costs less than the memory for all that is decoded. That of the others is far slower.
    #[must_use]
    pub fn is_fast(self) -> bool {
        !matches!(self, Self::Xz | Self::Bzip2 | Self::Lzma)
    }

    /// Decompresses all of a file: every stream, member or frame in it, up to its last byte.
    ///
    /// # Errors
    /// When the decompressor cannot be made.
    pub fn reader<'a>(self, data: impl BufRead + 'a) -> Result<Box<dyn Read + 'a>> {
        Ok(match self {
            Self::Xz => Box::new(XzDecoder::new_stream(data, self.xz(CONCATENATED)?)),
            // The library refuses windows above 128 MiB by itself.
            Self::Zstd => {
                Box::new(zstd::stream::read::Decoder::with_buffer(data).map_err(|e| self.refused(&e))?)
            }
            Self::Gzip => Box::new(BufReader::new(flate2::bufread::MultiGzDecoder::new(data))),
            Self::Bzip2 => Box::new(BufReader::new(bzip2::bufread::MultiBzDecoder::new(data))),
            Self::Lz4 => Box::new(lz4_flex::frame::FrameDecoder::new(data)),
            // These end by themselves.
            Self::Lz4Legacy => Box::new(lz4::Legacy::new(data)),
            Self::Lzma => Box::new(XzDecoder::new_stream(data, self.lzma()?)),
            Self::Lzo => Box::new(lzo::Lzop::new(data)),
        })
    }

    /// Decompresses the first stream, member or frame alone. What is behind its end, as the size that a kernel's build
    /// appends, is no matter.
    ///
    /// # Errors
    /// When the decompressor cannot be made.
    pub fn first(self, data: &[u8]) -> Result<Box<dyn Read + '_>> {
        Ok(match self {
            Self::Xz => Box::new(XzDecoder::new_stream(data, self.xz(0)?)),
            Self::Zstd => {
                let reader = zstd::stream::read::Decoder::with_buffer(data);
                Box::new(reader.map_err(|e| self.refused(&e))?.single_frame())
            }
            Self::Gzip => Box::new(flate2::bufread::GzDecoder::new(data)),
            Self::Bzip2 => Box::new(bzip2::bufread::BzDecoder::new(data)),
            Self::Lz4 | Self::Lz4Legacy | Self::Lzma | Self::Lzo => self.reader(data)?,
        })
    }

    fn xz(self, flags: u32) -> Result<Stream> {
        Stream::new_stream_decoder(xz::MEMORY, flags).map_err(|e| self.refused(&e))
    }

    fn lzma(self) -> Result<Stream> {
        Stream::new_lzma_decoder(xz::MEMORY).map_err(|e| self.refused(&e))
    }

    fn refused(self, error: &dyn std::error::Error) -> Error {
        Error::malformed(self.name(), "0x0", error.to_string())
    }
}

/// Whether bytes begin as an LZMA file: what the fields of its header may be leaves one chance in billions to others.
fn is_lzma(bytes: &[u8]) -> bool {
    /// What no contents reach: as `xz` does it (its manual, "lzma").
    const MOST: u64 = 256 << 30;
    let Some(head) = bytes.first_chunk::<HEAD>().filter(|head| head.starts_with(LZMA)) else { return false };
    let dictionary = u32::from_le_bytes([head[1], head[2], head[3], head[4]]);
    // A power of two, or that and its half.
    let odd = dictionary >> dictionary.trailing_zeros().min(31);
    let size = u64::from_le_bytes(std::array::from_fn(|index| head[5 + index]));
    // The range coder begins with a zero.
    matches!(odd, 1 | 3) && (size == u64::MAX || size < MOST) && head[13] == 0
}

#[cfg(test)]
mod tests;
