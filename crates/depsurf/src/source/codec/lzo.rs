//! The format of `lzop`: a header, then blocks of LZO1X with both sizes and checksums in front, up to a size of zero.
//!
//! Numbers are big-endian. The kernel's own reader of it is `lib/decompress_unlzo.c`.

use std::io::{Error, ErrorKind, Read, Result};

use super::LZO;

/// The largest block, compressed or not: what the kernel's own decompressor takes (`LZO_BLOCK_SIZE`), and `lzop` writes.
const BLOCK: usize = 256 << 10;

/// Bits of the header's flags: checksums of blocks, uncompressed and compressed, and parts of the header.
const ADLER32: u32 = 1;
const ADLER32_PACKED: u32 = 2;
const EXTRA_FIELD: u32 = 0x40;
const CRC32: u32 = 0x100;
const CRC32_PACKED: u32 = 0x200;
const FILTER: u32 = 0x800;
/// The first version whose header has a level and more.
const VERSION_LEVEL: u16 = 0x940;

/// The contents of a file.
pub struct Lzop<R> {
    data: R,
    flags: Option<u32>,
    packed: Vec<u8>,
    block: Vec<u8>,
    read: usize,
    ended: bool,
}

impl<R: Read> Lzop<R> {
    /// From the first byte on.
    pub fn new(data: R) -> Self {
        Self { data, flags: None, packed: Vec::new(), block: Vec::new(), read: 0, ended: false }
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut bytes = [0; N];
        self.data.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    fn u32(&mut self) -> Result<u32> {
        self.take().map(u32::from_be_bytes)
    }

    fn skip(&mut self, count: u64) -> Result<()> {
        let skipped = std::io::copy(&mut self.data.by_ref().take(count), &mut std::io::sink())?;
        if skipped < count { Err(ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
    }

    /// Reads the header and gives its flags.
    fn header(&mut self) -> Result<u32> {
        if self.take::<9>()? != *LZO {
            return Err(invalid("no header of `lzop`"));
        }
        let [version, _library] =
            [self.take().map(u16::from_be_bytes)?, self.take().map(u16::from_be_bytes)?];
        let has_level = version >= VERSION_LEVEL;
        // The version that is needed; then the method, and the level.
        self.skip(if has_level { 2 } else { 0 } + 1 + u64::from(has_level))?;
        let flags = self.u32()?;
        if flags & FILTER != 0 {
            return Err(invalid("contents that went through a filter"));
        }
        // Mode, time of the file and its upper half.
        self.skip(if has_level { 12 } else { 8 })?;
        let [name] = self.take()?;
        self.skip(u64::from(name) + 4)?;
        if flags & EXTRA_FIELD != 0 {
            let size = self.u32()?;
            self.skip(u64::from(size) + 4)?;
        }
        Ok(flags)
    }

    /// Decodes the next block; `false` at the end.
    fn advance(&mut self) -> Result<bool> {
        let flags = match self.flags {
            Some(flags) => flags,
            None => {
                let flags = self.header()?;
                *self.flags.insert(flags)
            }
        };
        let size = self.u32()? as usize;
        if size == 0 {
            return Ok(false);
        }
        let packed = self.u32()? as usize;
        if size > BLOCK || packed > size || packed == 0 {
            return Err(invalid(&format!("a block of {size} bytes in {packed} compressed ones")));
        }
        let adler = if flags & ADLER32 != 0 { Some(self.u32()?) } else { None };
        self.skip(if flags & CRC32 != 0 { 4 } else { 0 })?;
        // A block that does not shrink is as it was, and has one pair of checksums.
        if packed < size {
            let sums = [ADLER32_PACKED, CRC32_PACKED].iter().filter(|sum| flags & **sum != 0).count();
            self.skip(4 * sums as u64)?;
        }
        self.packed.resize(packed, 0);
        self.data.read_exact(&mut self.packed)?;
        self.block.resize(size, 0);
        if packed == size {
            self.block.copy_from_slice(&self.packed);
        } else {
            let length = lzokay::decompress::decompress(&self.packed, &mut self.block)
                .map_err(|e| invalid(&e.to_string()))?;
            if length != size {
                return Err(invalid(&format!("a block of {length} bytes that should have {size}")));
            }
        }
        if adler.is_some_and(|sum| sum != adler2::adler32_slice(&self.block)) {
            return Err(invalid("a block with another checksum"));
        }
        self.read = 0;
        Ok(true)
    }
}

fn invalid(what: &str) -> Error {
    Error::new(ErrorKind::InvalidData, what)
}

impl<R: Read> Read for Lzop<R> {
    fn read(&mut self, out: &mut [u8]) -> Result<usize> {
        if self.read == self.block.len() && !self.ended {
            self.ended = !self.advance()?;
        }
        let count = out.len().min(self.block.len() - self.read);
        out[..count].copy_from_slice(&self.block[self.read..self.read + count]);
        self.read += count;
        Ok(count)
    }
}
