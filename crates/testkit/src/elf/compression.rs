//! Contents of `SHF_COMPRESSED` sections.
//!
//! Both formats allow a block to carry its bytes uncompressed. Written that way they need no
//! compressor, and a reader must go through its decompressor all the same.

use crate::Bytes;

/// How a section is compressed (gABI, "Section Compression").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// `ELFCOMPRESS_ZLIB`: a zlib stream (RFC 1950) of stored deflate blocks.
    Zlib,
    /// `ELFCOMPRESS_ZSTD`: a zstd frame (RFC 8878) of raw blocks.
    Zstd,
}

impl Compression {
    /// `ch_type`.
    pub(super) fn number(self) -> u32 {
        match self {
            Compression::Zlib => 1,
            Compression::Zstd => 2,
        }
    }

    /// The stream that follows the compression header.
    pub(super) fn stream(self, data: &[u8]) -> Vec<u8> {
        match self {
            Compression::Zlib => zlib(data),
            Compression::Zstd => zstd(data),
        }
    }
}

/// Largest block both formats accept: a stored deflate block has a 16-bit length.
const BLOCK: usize = 0xffff;

/// The blocks of `data` with a flag on the last one; empty data is one empty block.
fn blocks(data: &[u8]) -> impl Iterator<Item = (&[u8], bool)> {
    let count = data.len().div_ceil(BLOCK).max(1);
    (0..count).map(move |index| {
        let end = data.len().min((index + 1) * BLOCK);
        (&data[index * BLOCK..end], index + 1 == count)
    })
}

/// A gzip file (RFC 1952) of stored blocks, as `IKCONFIG` embeds one.
pub fn gzip(data: &[u8]) -> Vec<u8> {
    // Magic, deflate, no flags, no time, no extra flags, made on Unix.
    let mut out = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3];
    stored_blocks(data, &mut out);
    out.extend(crc32(data).to_le_bytes());
    out.extend((data.len() as u32).to_le_bytes());
    out
}

/// Checksum at the end of a gzip file (RFC 1952 §8), bit by bit.
fn crc32(data: &[u8]) -> u32 {
    !data.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(
            crc ^ u32::from(*byte),
            |crc, _| {
                if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 }
            },
        )
    })
}

/// The blocks of a deflate stream that does not deflate (RFC 1951 §3.2.4).
fn stored_blocks(data: &[u8], out: &mut Vec<u8>) {
    for (block, last) in blocks(data) {
        let length = block.len() as u16;
        out.push(last.into());
        out.extend(length.to_le_bytes());
        out.extend((!length).to_le_bytes());
        out.extend(block);
    }
}

fn zlib(data: &[u8]) -> Vec<u8> {
    // CMF: deflate with a 32 KiB window; FLG: fastest, with the check bits that make it a multiple of 31.
    let mut out = vec![0x78, 0x01];
    stored_blocks(data, &mut out);
    out.extend(adler32(data).to_be_bytes());
    out
}

/// Checksum at the end of a zlib stream (RFC 1950 §8.2).
fn adler32(data: &[u8]) -> u32 {
    const MODULUS: u32 = 65521;
    let (mut sum, mut sum_of_sums) = (1, 0);
    for byte in data {
        sum = (sum + u32::from(*byte)) % MODULUS;
        sum_of_sums = (sum_of_sums + sum) % MODULUS;
    }
    sum_of_sums << 16 | sum
}

fn zstd(data: &[u8]) -> Vec<u8> {
    let mut out = vec![0x28, 0xb5, 0x2f, 0xfd];
    // Frame header: an 8-byte content size, single segment, no checksum, no dictionary.
    out.push(0b1110_0000);
    out.extend((data.len() as u64).to_le_bytes());
    for (block, last) in blocks(data) {
        // Block type 0, raw, in bits 1 and 2.
        let header = u32::from(last) | (block.len() as u32) << 3;
        out.extend(&header.to_le_bytes()[..3]);
        out.extend(block);
    }
    out
}

/// `Elf32_Chdr` or `Elf64_Chdr` and the stream.
pub(super) fn compressed(
    how: Compression,
    data: &[u8],
    align: u64,
    mut out: Bytes,
    claimed: Option<u64>,
) -> Vec<u8> {
    out.u32(how.number());
    if out.is_64() {
        out.u32(0);
    }
    out.word(claimed.unwrap_or(data.len() as u64)).word(align).raw(&how.stream(data));
    out.into_vec()
}
