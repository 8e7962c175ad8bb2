//! The bytes of a tar archive, under whatever compression.

use std::io::{self, ErrorKind, Read};

use rayon::prelude::*;

use super::codec::{self, Codec};
use super::input::{Input, cause};
use super::xz;
use crate::error::{Error, Result};

/// With blocks larger than this it is decoded as a stream: beginning in the middle would gain nothing.
const LARGEST_BLOCK: u64 = 256 << 20;
/// Archives with larger contents are refused. The largest kernel packages have 10 GiB.
const LARGEST: u64 = 64 << 30;
/// How much larger than its compressed form an archive may be. Debug packages shrink four- to tenfold; zeros shrink
/// seven thousandfold in xz, and more in zstd.
const MOST_RATIO: u64 = 100;
/// What an archive may hold whatever its compressed size.
const ALWAYS_ALLOWED: u64 = 256 << 20;

/// A compressed byte sequence with a position in it.
pub enum Archive<'a> {
    /// xz of several blocks: only what comes before a position in its block must be decoded.
    Blocks(Box<Blocks<'a>>),
    /// Anything else: all that comes before a position must be decoded to get there.
    Stream(Stream<'a>),
}

impl<'a> Archive<'a> {
    /// Recognizes the compression by the first bytes.
    ///
    /// # Errors
    /// When the xz index is damaged or a decompressor cannot be made.
    pub fn new(data: impl Into<Input<'a>>) -> Result<Self> {
        let data = data.into();
        if data.starts_with(xz::MAGIC)? {
            let blocks = xz::blocks(data)?;
            // The index tells the size of the contents before anything is decoded.
            within_limit(blocks.last().map_or(0, xz::Block::end), data.len())?;
            if blocks.len() > 1 && blocks.iter().all(|block| block.size <= LARGEST_BLOCK) {
                return Ok(Self::Blocks(Box::new(Blocks::new(data, blocks))));
            }
        }
        Self::stream(data)
    }

    /// As [`Archive::new`], but never by block.
    ///
    /// # Errors
    /// When a decompressor cannot be made.
    pub fn stream(data: impl Into<Input<'a>>) -> Result<Self> {
        Ok(Self::Stream(Stream::new(data.into())?))
    }

    /// Whether contents that reach to `end` may be decoded.
    ///
    /// # Errors
    /// When that is more than any archive may hold, or more than one of this compressed size.
    pub fn allows(&self, end: u64) -> Result<()> {
        match self {
            Self::Blocks(blocks) => within_limit(end, blocks.data.len()),
            Self::Stream(stream) => within_limit(end, stream.data.len()),
        }
    }

    /// Size of the uncompressed data. Where no index tells it, all that is left is decoded.
    ///
    /// # Errors
    /// As [`Archive::read`].
    pub fn length(&mut self) -> Result<u64> {
        if let Self::Blocks(blocks) = self {
            return Ok(blocks.blocks().last().map_or(0, xz::Block::end));
        }
        let mut scratch = vec![0; 1 << 20];
        while self.read(&mut scratch)? > 0 {}
        Ok(self.position())
    }

    /// Offset of the next byte in the uncompressed data.
    #[must_use]
    pub fn position(&self) -> u64 {
        match self {
            Self::Blocks(blocks) => blocks.position,
            Self::Stream(stream) => stream.position,
        }
    }

    /// Fills `out`; returns how much there was, which is less only at the end of the archive.
    ///
    /// # Errors
    /// When the compressed data is cut or damaged.
    pub fn read(&mut self, out: &mut [u8]) -> Result<usize> {
        match self {
            Self::Blocks(blocks) => blocks.read(out),
            Self::Stream(stream) => stream.read(out),
        }
    }

    /// Fills `out` entirely.
    ///
    /// # Errors
    /// As [`Archive::read`], and when the archive ends before.
    pub fn read_exact(&mut self, out: &mut [u8], what: &str) -> Result<()> {
        let needed = self.position().saturating_add(out.len() as u64);
        if self.read(out)? == out.len() {
            return Ok(());
        }
        Err(Error::Truncated { what: what.into(), needed, available: self.position() })
    }

    /// From now on decodes `blocks` blocks at once, by all threads of the current rayon pool: for reading nearly
    /// everything from front to back. Takes memory for that many blocks. An archive without blocks stays as it is.
    pub fn read_ahead(&mut self, blocks: usize) {
        if let Self::Blocks(archive) = self {
            archive.ahead = blocks;
        }
    }

    /// Goes to another position, which may be beyond the end.
    ///
    /// # Errors
    /// As [`Archive::read`].
    pub fn seek(&mut self, position: u64) -> Result<()> {
        match self {
            Self::Blocks(blocks) => {
                blocks.seek(position);
                Ok(())
            }
            Self::Stream(stream) => stream.seek(position),
        }
    }
}

/// A decompressor that goes forwards. Going back begins anew.
pub struct Stream<'a> {
    data: Input<'a>,
    /// `None` where it is not compressed.
    codec: Option<Codec>,
    reader: Box<dyn Read + 'a>,
    /// Offset of the next byte in the uncompressed data.
    position: u64,
}

impl<'a> Stream<'a> {
    fn new(data: Input<'a>) -> Result<Self> {
        let head = data.get(0..data.len().min(codec::HEAD))?.unwrap_or_default();
        let codec = Codec::of(head);
        let reader: Box<dyn Read> = match codec {
            Some(codec) => codec.reader(data.reader())?,
            None => Box::new(data.reader()),
        };
        Ok(Self { data, codec, reader, position: 0 })
    }

    /// Whether decoding twice costs less than the memory for all that is decoded.
    #[must_use]
    pub fn is_fast(&self) -> bool {
        self.codec.is_none_or(Codec::is_fast)
    }

    fn format(&self) -> &'static str {
        self.codec.map_or("tar", Codec::name)
    }

    fn read(&mut self, out: &mut [u8]) -> Result<usize> {
        within_limit(self.position.saturating_add(out.len() as u64), self.data.len())?;
        let mut filled = 0;
        while filled < out.len() {
            match self.reader.read(&mut out[filled..]) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(self.broken(filled, &e)),
            }
        }
        self.position += filled as u64;
        Ok(filled)
    }

    fn seek(&mut self, position: u64) -> Result<()> {
        if position < self.position {
            *self = Self::new(self.data)?;
        }
        let mut left = position - self.position;
        let mut scratch = vec![0; left.min(64 << 10) as usize];
        while left > 0 {
            let now = left.min(scratch.len() as u64) as usize;
            if self.read(&mut scratch[..now])? < now {
                break;
            }
            left -= now as u64;
        }
        Ok(())
    }

    fn broken(&self, filled: usize, error: &io::Error) -> Error {
        if let Some(error) = cause(error) {
            return error;
        }
        let position = self.position + filled as u64;
        if error.kind() == ErrorKind::UnexpectedEof {
            return Error::Truncated {
                what: format!("{} data", self.format()),
                needed: position + 1,
                available: position,
            };
        }
        Error::malformed(self.format(), format!("byte {position:#x} of the contents"), error.to_string())
    }
}

/// Refuses contents that are too large for what they are compressed to, before they are decoded.
fn within_limit(end: u64, compressed: usize) -> Result<()> {
    let limit = (compressed as u64).saturating_mul(MOST_RATIO).clamp(ALWAYS_ALLOWED, LARGEST);
    if end <= limit {
        return Ok(());
    }
    Err(Error::Limit {
        what: format!("contents of {end} bytes or more in {compressed} compressed ones"),
        limit: format!("{limit} bytes ({MOST_RATIO} for each compressed one)"),
    })
}

/// A position in xz data of several blocks, with the decoder of the block it is in.
pub struct Blocks<'a> {
    data: Input<'a>,
    blocks: Vec<xz::Block>,
    position: u64,
    /// Index of the block, and its decoder.
    current: Option<(usize, xz::Decoder<'a>)>,
    /// How many blocks are decoded at once, by all threads; 0 for one at a time and no further than needed.
    ahead: usize,
    /// Index of the first block that was decoded ahead, and the contents from there on.
    decoded: (usize, Vec<Vec<u8>>),
}

impl<'a> Blocks<'a> {
    fn new(data: Input<'a>, blocks: Vec<xz::Block>) -> Self {
        Self { data, blocks, position: 0, current: None, ahead: 0, decoded: (0, Vec::new()) }
    }

    /// The decoded contents of a block, decoding it and those behind it if that was not done yet.
    fn decoded(&mut self, index: usize) -> Result<&[u8]> {
        let (first, blocks) = &self.decoded;
        if index < *first || index >= first + blocks.len() {
            // The old ones go first, so that no more than one lot is in memory.
            self.decoded = (index, Vec::new());
            let end = self.blocks.len().min(index + self.ahead);
            let (data, wanted) = (self.data, &self.blocks[index..end]);
            let decode = |block: &xz::Block| {
                let mut bytes = vec![0; block.size as usize];
                xz::Decoder::new(data, block)?.read(&mut bytes).map(|()| bytes)
            };
            self.decoded.1 = wanted.par_iter().map(decode).collect::<Result<_>>()?;
        }
        Ok(&self.decoded.1[index - self.decoded.0])
    }

    /// The compressed bytes.
    #[must_use]
    pub fn data(&self) -> Input<'a> {
        self.data
    }

    /// All blocks, in order.
    #[must_use]
    pub fn blocks(&self) -> &[xz::Block] {
        &self.blocks
    }

    /// Goes anywhere; forwards in the same block is cheapest.
    pub fn seek(&mut self, position: u64) {
        self.position = position;
    }

    /// Offset of the next byte in the uncompressed data.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Fills `out` entirely.
    ///
    /// # Errors
    /// When a block is damaged, or the data ends before.
    pub fn read_exact(&mut self, out: &mut [u8]) -> Result<()> {
        let needed = self.position.saturating_add(out.len() as u64);
        if self.read(out)? == out.len() {
            return Ok(());
        }
        Err(Error::Truncated { what: "xz data".into(), needed, available: self.position })
    }

    /// Index of the block that has a position, or the number of blocks when it is behind the last.
    #[must_use]
    pub fn index(&self, position: u64) -> usize {
        self.blocks.partition_point(|block| block.end() <= position)
    }

    /// Fills `out`; returns how much there was, which is less only at the end.
    ///
    /// # Errors
    /// When a block is damaged.
    pub fn read(&mut self, out: &mut [u8]) -> Result<usize> {
        let mut filled = 0;
        while filled < out.len() {
            let index = self.index(self.position);
            let Some(block) = self.blocks.get(index) else { break };
            let within = self.position - block.offset;
            let size = block.size;
            if self.ahead > 0 {
                let now = (size - within).min((out.len() - filled) as u64) as usize;
                let contents = self.decoded(index)?;
                out[filled..filled + now].copy_from_slice(&contents[within as usize..within as usize + now]);
                filled += now;
                self.position += now as u64;
                continue;
            }
            let decoder = match &mut self.current {
                Some((at, decoder)) if *at == index && decoder.produced() <= within => decoder,
                current => &mut current.insert((index, xz::Decoder::new(self.data, block)?)).1,
            };
            decoder.skip(within - decoder.produced())?;
            let now = (block.size - within).min((out.len() - filled) as u64) as usize;
            decoder.read(&mut out[filled..filled + now])?;
            filled += now;
            self.position += now as u64;
        }
        Ok(filled)
    }
}
