//! The bytes of a tar archive under whatever compression, read forwards.

use std::io::{self, BufReader, ErrorKind, Read};

use liblzma::stream::{CONCATENATED, Stream};

use super::xz;
use crate::error::{Error, Result};

/// First bytes of a zstd frame.
pub const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
/// First bytes of a gzip member.
pub const GZIP: &[u8] = &[0x1f, 0x8b];
/// Blocks larger than this are decoded as a stream: beginning in the middle would gain nothing.
const LARGEST_BLOCK: u64 = 256 << 20;

/// Archives with larger contents are refused. The largest kernel packages have 10 GiB.
const LARGEST: u64 = 64 << 30;

/// A compressed byte sequence that can be read and skipped in.
pub enum Archive<'a> {
    /// xz of several blocks: what is skipped is decoded no further than a block's start.
    Blocks(Box<Blocks<'a>>),
    /// Anything else: what is skipped is decoded and dropped.
    Stream {
        /// Name of the compression, for messages.
        format: &'static str,
        /// The decompressor.
        reader: Box<dyn Read + 'a>,
        /// Offset of the next byte in the uncompressed data.
        position: u64,
    },
}

impl<'a> Archive<'a> {
    /// Recognizes the compression by the first bytes.
    ///
    /// # Errors
    /// When the xz index is damaged or a decompressor cannot be made.
    pub fn new(data: &'a [u8]) -> Result<Self> {
        if data.starts_with(xz::MAGIC) {
            let blocks = xz::blocks(data)?;
            if blocks.len() > 1 && blocks.iter().all(|block| block.size <= LARGEST_BLOCK) {
                within_limit(blocks.last().map_or(0, xz::Block::end))?;
                return Ok(Self::Blocks(Box::new(Blocks::new(data, blocks))));
            }
        }
        Self::stream(data)
    }

    /// As [`Archive::new`], but never by block.
    ///
    /// # Errors
    /// When a decompressor cannot be made.
    pub fn stream(data: &'a [u8]) -> Result<Self> {
        let (format, reader): (_, Box<dyn Read>) = if data.starts_with(xz::MAGIC) {
            let stream = Stream::new_stream_decoder(xz::MEMORY, CONCATENATED)
                .map_err(|e| Error::malformed("xz", "0x0", e.to_string()))?;
            ("xz", Box::new(liblzma::bufread::XzDecoder::new_stream(data, stream)))
        } else if data.starts_with(ZSTD) {
            // The library refuses windows above 128 MiB by itself.
            let reader = zstd::stream::read::Decoder::with_buffer(data)
                .map_err(|e| Error::malformed("zstd", "0x0", e.to_string()))?;
            ("zstd", Box::new(reader))
        } else if data.starts_with(GZIP) {
            ("gzip", Box::new(BufReader::new(flate2::bufread::MultiGzDecoder::new(data))))
        } else {
            ("tar", Box::new(data))
        };
        Ok(Self::Stream { format, reader, position: 0 })
    }

    /// Offset of the next byte in the uncompressed data.
    #[must_use]
    pub fn position(&self) -> u64 {
        match self {
            Self::Blocks(blocks) => blocks.position,
            Self::Stream { position, .. } => *position,
        }
    }

    /// Fills `out`; returns how much there was, which is less only at the end of the archive.
    ///
    /// # Errors
    /// When the compressed data is cut or damaged.
    pub fn read(&mut self, out: &mut [u8]) -> Result<usize> {
        match self {
            Self::Blocks(blocks) => blocks.read(out),
            Self::Stream { format, reader, position } => {
                let mut filled = 0;
                within_limit(position.saturating_add(out.len() as u64))?;
                while filled < out.len() {
                    match reader.read(&mut out[filled..]) {
                        Ok(0) => break,
                        Ok(count) => filled += count,
                        Err(e) if e.kind() == ErrorKind::Interrupted => {}
                        Err(e) => return Err(broken(format, *position + filled as u64, &e)),
                    }
                }
                *position += filled as u64;
                Ok(filled)
            }
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

    /// Moves on by `count` bytes, possibly beyond the end.
    ///
    /// # Errors
    /// As [`Archive::read`].
    pub fn skip(&mut self, count: u64) -> Result<()> {
        match self {
            Self::Blocks(blocks) => blocks.position = blocks.position.saturating_add(count),
            Self::Stream { .. } => {
                let mut scratch = vec![0; count.min(64 << 10) as usize];
                let mut left = count;
                while left > 0 {
                    let now = left.min(scratch.len() as u64) as usize;
                    if self.read(&mut scratch[..now])? < now {
                        break;
                    }
                    left -= now as u64;
                }
            }
        }
        Ok(())
    }
}

fn within_limit(position: u64) -> Result<()> {
    if position <= LARGEST {
        return Ok(());
    }
    Err(Error::Limit { what: "contents of the archive".into(), limit: format!("{} GiB", LARGEST >> 30) })
}

fn broken(format: &'static str, position: u64, error: &io::Error) -> Error {
    if error.kind() == ErrorKind::UnexpectedEof {
        return Error::Truncated {
            what: format!("{format} data"),
            needed: position + 1,
            available: position,
        };
    }
    Error::malformed(format, format!("byte {position:#x} of the contents"), error.to_string())
}

/// A position in xz data of several blocks, with the decoder of the block it is in.
pub struct Blocks<'a> {
    data: &'a [u8],
    blocks: Vec<xz::Block>,
    position: u64,
    /// Index of the block, and its decoder.
    current: Option<(usize, xz::Decoder<'a>)>,
}

impl<'a> Blocks<'a> {
    fn new(data: &'a [u8], blocks: Vec<xz::Block>) -> Self {
        Self { data, blocks, position: 0, current: None }
    }

    /// The compressed bytes.
    #[must_use]
    pub fn data(&self) -> &'a [u8] {
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
