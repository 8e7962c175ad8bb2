//! Random access to xz data, block by block.
//!
//! An xz file is one or more streams, each followed by zeros in multiples of four bytes. A stream is
//! (The .xz File Format 1.2.1, §2)
//!
//! ```text
//! header   fd "7zXZ" 00, flags[2], crc32 of the flags
//! blocks   each a multiple of four bytes; they do not refer to each other
//! index    00, count, then per block its unpadded and its uncompressed size, padding, crc32
//! footer   crc32 of what follows, size of the index in words less one, flags[2], "YZ"
//! ```
//!
//! so the last bytes tell where every block begins, in both the compressed and the uncompressed data.

use std::ops::Range;

use flate2::Crc;
use liblzma::stream::{Action, Status, Stream};

use super::input::{Input, Reader};
use crate::error::{Error, Result};

/// First bytes of every xz stream.
pub const MAGIC: &[u8] = b"\xfd7zXZ\0";
/// Size of a stream header, and of a footer.
const HEADER: usize = 12;
/// What one decoder may allocate. `xz -9` needs 65 MiB, package builders use 9 MiB.
pub const MEMORY: u64 = 256 << 20;
/// More blocks than this are refused. Packages have a hundred.
const MOST_BLOCKS: usize = 1 << 20;

/// One block of xz data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// Where the header of the block's stream is in the compressed data: its flags say how to decode.
    stream: usize,
    /// Where the block begins in the compressed data.
    start: usize,
    /// Its compressed size, padding included.
    packed: usize,
    /// Where its first byte is in the uncompressed data.
    pub offset: u64,
    /// Its uncompressed size.
    pub size: u64,
}

impl Block {
    /// First offset behind the block in the uncompressed data.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.offset + self.size
    }

    /// Where the block is in the compressed data.
    #[must_use]
    pub fn packed_range(&self) -> Range<usize> {
        self.start..self.start + self.packed
    }

    /// Compressed size in bytes.
    #[must_use]
    pub fn packed(&self) -> usize {
        self.packed
    }
}

/// Lists the blocks of xz data, by reading footers and indexes only.
///
/// # Errors
/// When the data is cut or damaged in these parts.
pub fn blocks<'a>(data: impl Into<Input<'a>>) -> Result<Vec<Block>> {
    let data = data.into();
    // Streams can only be found from the end: the footer says how far the index reaches back,
    // and the index how far the blocks do.
    let mut streams: Vec<Vec<Block>> = Vec::new();
    let mut total = 0;
    let mut end = data.len();
    while end > 0 {
        let stream = stream(data, end)?;
        end = stream.start;
        total += stream.blocks.len();
        if total > MOST_BLOCKS {
            return Err(too_many());
        }
        // An empty stream takes 32 bytes, so their number is bounded by the size of the file.
        if !stream.blocks.is_empty() {
            streams.push(stream.blocks);
        }
    }
    let mut blocks: Vec<Block> = Vec::with_capacity(total);
    let mut offset = 0u64;
    for mut block in streams.into_iter().rev().flatten() {
        block.offset = offset;
        offset = offset
            .checked_add(block.size)
            .ok_or_else(|| malformed(block.start, "the sizes in the index exceed 64 bits"))?;
        blocks.push(block);
    }
    Ok(blocks)
}

struct Indexed {
    start: usize,
    blocks: Vec<Block>,
}

/// Reads the index of the stream that ends at `end`, or before the padding that ends there.
fn stream(data: Input<'_>, mut end: usize) -> Result<Indexed> {
    let take = |range| -> Result<&[u8]> { Ok(data.get(range)?.unwrap_or_default()) };
    while end >= 4 && take(end - 4..end)? == [0; 4] {
        end -= 4;
    }
    // No stream is shorter than a header, an index of one word and its checksum, and a footer.
    if end < 2 * HEADER + 8 || take(end - 2..end)? != b"YZ" {
        return Err(Error::Truncated {
            what: "xz data: no stream footer at the end, it".into(),
            needed: (end as u64).saturating_add(1),
            available: end as u64,
        });
    }
    let at = end - HEADER;
    let footer = take(at..end)?;
    if crc32(&footer[4..10]) != le32(&footer[0..]) {
        return Err(Error::Checksum { what: format!("the xz footer at {at:#x}") });
    }
    let flags = &footer[8..10];
    let index_size = (u64::from(le32(&footer[4..])) + 1) * 4;
    let begin = usize::try_from(index_size)
        .ok()
        .and_then(|size| at.checked_sub(size))
        .filter(|begin| *begin >= HEADER)
        .ok_or_else(|| malformed(at, "the index reaches before the start"))?;
    let index = take(begin..at)?;
    if crc32(&index[..index.len() - 4]) != le32(&index[index.len() - 4..]) {
        return Err(Error::Checksum { what: format!("the xz index at {begin:#x}") });
    }
    let mut index = &index[..index.len() - 4];
    let bad = |what| malformed(begin, what);
    if index.first() != Some(&0) {
        return Err(bad("not an index"));
    }
    index = &index[1..];
    let count = number(&mut index).ok_or_else(|| bad("bad number of blocks"))?;
    if count > MOST_BLOCKS as u64 {
        return Err(too_many());
    }
    let mut blocks = Vec::with_capacity((count as usize).min(index.len() / 2));
    let mut packed_total = 0usize;
    for _ in 0..count {
        let packed = number(&mut index).ok_or_else(|| bad("bad size of a block"))?;
        let size = number(&mut index).ok_or_else(|| bad("bad size of a block"))?;
        let packed = usize::try_from(packed)
            .ok()
            .and_then(|packed| packed.checked_next_multiple_of(4))
            .filter(|packed| *packed > 0)
            .ok_or_else(|| bad("bad size of a block"))?;
        // Relative to the first block for now.
        blocks.push(Block { stream: 0, start: packed_total, packed, offset: 0, size });
        packed_total =
            packed_total.checked_add(packed).ok_or_else(|| bad("the blocks reach before the start"))?;
    }
    if index.len() > 3 || index.iter().any(|byte| *byte != 0) {
        return Err(bad("bytes behind the last block"));
    }
    let start = begin
        .checked_sub(packed_total)
        .and_then(|first| first.checked_sub(HEADER))
        .ok_or_else(|| bad("the blocks reach before the start"))?;
    let header = take(start..start + HEADER)?;
    if !header.starts_with(MAGIC) || &header[6..8] != flags {
        return Err(malformed(start, "no stream header where the index says"));
    }
    if crc32(&header[6..8]) != le32(&header[8..]) {
        return Err(Error::Checksum { what: format!("the xz header at {start:#x}") });
    }
    for block in &mut blocks {
        block.stream = start;
        block.start += start + HEADER;
    }
    Ok(Indexed { start, blocks })
}

/// Decodes one block from its first byte on.
///
/// The decoder of the library wants a whole stream. It gets the header of the block's stream and then
/// the block: that it never sees the other blocks and the index does not matter, because decoding stops
/// behind the block.
pub struct Decoder<'a> {
    stream: Stream,
    header: &'a [u8],
    packed: Reader<'a>,
    block: Block,
    produced: u64,
}

impl<'a> Decoder<'a> {
    /// A decoder at the start of `block`, which must be one of [`blocks`]`(data)`.
    ///
    /// # Errors
    /// When the block's header contradicts the index, or the library has no memory for a decoder.
    pub fn new(data: impl Into<Input<'a>>, block: &Block) -> Result<Self> {
        let data = data.into();
        let truncated = || malformed(block.start, "a block outside the data");
        check_sizes(data, block)?;
        let mut decoder = Self {
            stream: Stream::new_stream_decoder(MEMORY, 0).map_err(|e| failed(block, e))?,
            header: data.get(block.stream..block.stream + HEADER)?.ok_or_else(truncated)?,
            packed: data.part(block.packed_range()).ok_or_else(truncated)?.reader(),
            block: block.clone(),
            produced: 0,
        };
        while !decoder.header.is_empty() {
            if decoder.run(&mut [], true)? == (0, 0) {
                return Err(malformed(block.stream, "the stream header does not decode"));
            }
        }
        Ok(decoder)
    }

    /// How much of the block was decoded.
    #[must_use]
    pub fn produced(&self) -> u64 {
        self.produced
    }

    /// Fills `out` with the next bytes of the block. With the last one its checksum is verified.
    ///
    /// # Errors
    /// When the block is damaged, or shorter or longer than the index says.
    pub fn read(&mut self, out: &mut [u8]) -> Result<()> {
        let short = |this: &Self| {
            malformed(this.block.start, format!("the block ends after {} bytes", this.produced))
        };
        if out.len() as u64 > self.block.size - self.produced {
            return Err(short(self));
        }
        let mut filled = 0;
        while filled < out.len() {
            let (taken, made) = self.run(&mut out[filled..], false)?;
            filled += made;
            self.produced += made as u64;
            if (taken, made) == (0, 0) {
                return Err(short(self));
            }
        }
        if self.produced == self.block.size {
            self.finish()?;
        }
        Ok(())
    }

    /// Decodes and drops the next `count` bytes.
    ///
    /// # Errors
    /// As [`Decoder::read`].
    pub fn skip(&mut self, mut count: u64) -> Result<()> {
        let mut scratch = [0; 32 << 10];
        while count > 0 {
            let now = count.min(scratch.len() as u64) as usize;
            self.read(&mut scratch[..now])?;
            count -= now as u64;
        }
        Ok(())
    }

    /// Lets the library see the padding and the checksum behind the compressed bytes.
    fn finish(&mut self) -> Result<()> {
        while !self.packed.is_empty() {
            let (taken, made) = self.run(&mut [0], false)?;
            if made > 0 || taken == 0 {
                return Err(malformed(self.block.start, "the block is longer than its index says"));
            }
        }
        Ok(())
    }

    /// One call into the library: how many bytes it took, and how many it made.
    fn run(&mut self, out: &mut [u8], header: bool) -> Result<(usize, usize)> {
        let input = if header { self.header } else { self.packed.next()? };
        let (taken, made) = (self.stream.total_in(), self.stream.total_out());
        let status = self.stream.process(input, out, Action::Run).map_err(|e| failed(&self.block, e))?;
        let taken = (self.stream.total_in() - taken) as usize;
        let made = (self.stream.total_out() - made) as usize;
        if header {
            self.header = &input[taken..];
        } else {
            self.packed.skip(taken);
        }
        // A block whose first byte is zero would be taken for an index, behind which a stream can end.
        if status == Status::StreamEnd {
            return Err(malformed(self.block.start, "an index in place of a block"));
        }
        Ok((taken, made))
    }
}

/// Compares the sizes in a block's header, where it has them (§3.1.3, §3.1.4), with those in the index. The library
/// does so only at the end of a stream, which is never reached here, and the checksum of a block that is not decoded to
/// its end is never seen.
fn check_sizes<'a>(data: impl Into<Input<'a>>, block: &Block) -> Result<()> {
    let data = data.into();
    let bad = |what| malformed(block.start, what);
    let first = data.get(block.start..block.start + 1)?.ok_or_else(|| bad("no block"))?;
    let header_size = (usize::from(first[0]) + 1) * 4;
    let header = data.get(block.start..block.start + header_size)?.filter(|_| header_size <= block.packed);
    let header = header.ok_or_else(|| bad("the block header is longer than the block"))?;
    let (fields, checksum) = header.split_at(header_size - 4);
    if crc32(fields) != le32(checksum) {
        return Err(Error::Checksum { what: format!("the xz block header at {:#x}", block.start) });
    }
    let flags = fields.get(1).copied().unwrap_or(0);
    let mut rest = fields.get(2..).unwrap_or_default();
    let mut size = |bit: u8| match flags & bit {
        0 => Ok(None),
        _ => number(&mut rest).map(Some).ok_or_else(|| bad("bad size in the block header")),
    };
    let (packed, unpacked) = (size(0x40)?, size(0x80)?);
    // The type of check is in the stream's flags (§2.1.1.2).
    let check: u64 = match data.get(block.stream + 7..block.stream + 8)?.map_or(0, |flags| flags[0] & 0xf) {
        0 => 0,
        kind => 4 << ((kind - 1) / 3),
    };
    let whole = packed.map(|packed| {
        packed.checked_next_multiple_of(4).and_then(|size| size.checked_add(header_size as u64 + check))
    });
    if unpacked.is_some_and(|size| size != block.size)
        || whole.is_some_and(|size| size != Some(block.packed as u64))
    {
        return Err(bad("the block header and the index tell different sizes"));
    }
    Ok(())
}

fn failed(block: &Block, error: liblzma::stream::Error) -> Error {
    use liblzma::stream::Error as Lzma;
    match error {
        Lzma::MemLimit | Lzma::Mem => Error::Limit {
            what: format!("memory for decoding the xz block at {:#x}", block.start),
            limit: format!("{} MiB", MEMORY >> 20),
        },
        Lzma::Data => Error::Checksum { what: format!("the xz block at {:#x}", block.start) },
        other => malformed(block.start, other.to_string()),
    }
}

fn malformed(at: usize, what: impl Into<String>) -> Error {
    Error::malformed("xz", format!("{at:#x}"), what)
}

fn too_many() -> Error {
    Error::Limit { what: "number of xz blocks".into(), limit: MOST_BLOCKS.to_string() }
}

fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(bytes);
    crc.sum()
}

/// Four bytes of a slice that is known to have them.
fn le32(bytes: &[u8]) -> u32 {
    u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
}

/// Takes a variable-length integer: seven bits per byte, at most nine bytes (§1.2).
fn number(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in 0..9 {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << (7 * shift);
        if byte & 0x80 == 0 {
            // The shortest form is the only one.
            return (byte != 0 || shift == 0).then_some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{noise, xz_blocks, xz_even};
    use super::*;

    fn decode(data: &[u8]) -> Result<Vec<u8>> {
        let mut out = Vec::new();
        // Backwards, to show that the order does not matter.
        for block in blocks(data)?.iter().rev() {
            let mut bytes = vec![0; block.size as usize];
            let mut decoder = Decoder::new(data, block)?;
            let (first, rest) = bytes.split_at_mut(block.size as usize / 3);
            decoder.read(first)?;
            decoder.read(rest)?;
            out.splice(0..0, bytes);
        }
        Ok(out)
    }

    #[test]
    fn blocks_of_several_streams_decode_in_any_order() {
        let plain = noise(50_000, 3);
        let empty = xz_blocks(&[], []);
        let data = [
            empty.clone(),
            xz_even(&plain[..20_000], 3000),
            vec![0; 12],
            xz_blocks(&plain[20_000..40_000], [1, 0, 7]),
            empty,
            vec![0; 4],
            xz_blocks(&plain[40_000..], []),
            vec![0; 400],
        ]
        .concat();
        assert!(decode(&data).unwrap() == plain);
        let blocks = blocks(&data).unwrap();
        assert!(blocks.windows(2).all(|pair| pair[0].end() == pair[1].offset));
        assert_eq!(blocks.last().unwrap().end(), 50_000);
    }

    #[test]
    fn cut_or_changed_anywhere_it_is_an_error() {
        let data = [xz_even(&noise(3000, 4), 1000), xz_blocks(&noise(500, 5), [])].concat();
        let plain = decode(&data).unwrap();
        for length in 1..data.len() {
            // Cut between the streams it is a file of one stream.
            let whole = decode(&data[..length]);
            assert!(whole.is_err() || whole.unwrap().len() == 3000, "cut at {length}");
        }
        for at in 0..data.len() {
            let mut data = data.clone();
            data[at] ^= 4;
            if let Ok(decoded) = decode(&data) {
                panic!("changed at {at}: {}", decoded == plain);
            }
        }
    }

    #[test]
    fn sizes_in_the_index_must_be_true() {
        let data = xz_blocks(&noise(3000, 4), []);
        let [block] = &blocks(&data).unwrap()[..] else { panic!("one block") };
        let all = |block: &Block| {
            let mut decoder = Decoder::new(&data, block)?;
            decoder.skip(block.size)
        };
        assert!(all(block).is_ok());
        for size in [0, 1, 2999, 3001, 1 << 40] {
            let error = all(&Block { size, ..block.clone() });
            // An empty block has nothing to read, so nothing is found out about it.
            assert_eq!(error.is_err(), size != 0, "{size}");
        }
        assert!(all(&Block { packed: block.packed / 2, ..block.clone() }).is_err());
        assert!(all(&Block { start: block.start + 4, ..block.clone() }).is_err());
    }

    /// As encoders with threads write them.
    #[test]
    fn sizes_in_block_headers_must_be_those_of_the_index() {
        let sizes = |packed: u8, size: u8, flags: u8| {
            // Header of the stream with the check type CRC64, then of the block: sizes, LZMA2 and its dictionary.
            let mut data = vec![0xfd, b'7', b'z', b'X', b'Z', 0, 0, 4, 0xe6, 0xd6, 0xb4, 0x46];
            data.extend([3, flags, packed, size, 0x21, 1, 0x16, 0, 0, 0, 0, 0]);
            let crc = crc32(&data[12..24]);
            data.extend(crc.to_le_bytes());
            data.resize(200, 0);
            // 16 bytes of header, 30 of data and their padding, 8 of checksum.
            let block = Block { stream: 0, start: 12, packed: 16 + 32 + 8, offset: 0, size: 100 };
            check_sizes(&data, &block)
        };
        assert!(sizes(30, 100, 0xc0).is_ok());
        // Without the flags the bytes mean something else.
        assert!(sizes(31, 99, 0).is_ok());
        for (packed, size) in [(30, 99), (30, 101), (20, 100), (33, 100)] {
            let error = sizes(packed, size, 0xc0).unwrap_err().to_string();
            assert_eq!(error, "malformed xz at 0xc: the block header and the index tell different sizes");
        }
        assert!(sizes(30, 100, 0x40).is_ok() && sizes(100, 30, 0x80).is_ok());
    }

    #[test]
    fn too_much_memory_is_refused() {
        let mut options = liblzma::stream::LzmaOptions::new_preset(0).unwrap();
        options.dict_size(512 << 20);
        let mut filters = liblzma::stream::Filters::new();
        filters.lzma2(&options);
        let mut block = xz_blocks(&noise(3000, 4), []);
        // The dictionary size of LZMA2 is one byte of the block's header (§5.3.1), which has a checksum.
        block[12 + 4] = 34;
        let crc = crc32(&block[12..20]);
        block[20..24].copy_from_slice(&crc.to_le_bytes());
        let error = decode(&block).unwrap_err();
        assert_eq!(error.to_string(), "memory for decoding the xz block at 0xc exceeds the limit of 256 MiB");
    }
}
