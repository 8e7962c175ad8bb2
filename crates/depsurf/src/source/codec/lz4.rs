//! lz4's legacy format: a magic number, then blocks with their compressed size in front, up to the end.

use std::io::{Error, ErrorKind, Read, Result};

use super::LZ4_LEGACY;

/// Blocks have this size when decompressed, but the last.
const BLOCK: usize = 8 << 20;
/// What a block that does not shrink may have: lz4's bound.
const PACKED: usize = BLOCK + BLOCK / 255 + 16;

/// The contents of a file, which may be several one behind the other.
pub struct Legacy<R> {
    data: R,
    packed: Vec<u8>,
    block: Vec<u8>,
    read: usize,
    ended: bool,
}

impl<R: Read> Legacy<R> {
    /// From the first byte on.
    pub fn new(data: R) -> Self {
        Self { data, packed: Vec::new(), block: Vec::new(), read: 0, ended: false }
    }

    /// Decodes the next block; `false` at the end.
    fn advance(&mut self) -> Result<bool> {
        let mut size = [0; 4];
        loop {
            let length = fill(&mut self.data, &mut size)?;
            if length < size.len() {
                return if length == 0 { Ok(false) } else { Err(ErrorKind::UnexpectedEof.into()) };
            }
            if size != *LZ4_LEGACY {
                break;
            }
        }
        let size = u32::from_le_bytes(size) as usize;
        self.packed.clear();
        let wanted = size.min(PACKED) as u64;
        let length = self.data.by_ref().take(wanted).read_to_end(&mut self.packed)?;
        // Builds append the size of the kernel, which is no size of a block, and at most fill a word.
        if length <= 4 && length < size || size == 0 {
            return Ok(false);
        }
        if size > PACKED {
            return Err(Error::new(ErrorKind::InvalidData, format!("a block of {size} bytes")));
        }
        if length < size {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        self.block.resize(BLOCK, 0);
        let length = lz4_flex::block::decompress_into(&self.packed, &mut self.block)
            .map_err(|e| Error::new(ErrorKind::InvalidData, e.to_string()))?;
        self.block.truncate(length);
        self.read = 0;
        Ok(true)
    }
}

/// Reads as much as there is, at most all of `out`.
fn fill(data: &mut impl Read, out: &mut [u8]) -> Result<usize> {
    let mut filled = 0;
    while filled < out.len() {
        match data.read(&mut out[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(filled)
}

impl<R: Read> Read for Legacy<R> {
    fn read(&mut self, out: &mut [u8]) -> Result<usize> {
        while self.read == self.block.len() && !self.ended {
            self.ended = !self.advance()?;
        }
        let count = out.len().min(self.block.len() - self.read);
        out[..count].copy_from_slice(&self.block[self.read..self.read + count]);
        self.read += count;
        Ok(count)
    }
}
