//! A growing buffer that writes numbers in the byte order and width of a [`Target`].

use crate::{Endian, Target, Width};

/// Bytes under construction. Every method appends, and returns the buffer so that a table can be
/// written as one expression.
#[derive(Clone, Debug)]
pub struct Bytes {
    target: Target,
    data: Vec<u8>,
}

impl Bytes {
    /// An empty buffer.
    pub fn new(target: Target) -> Bytes {
        Bytes { target, data: Vec::new() }
    }

    /// Bytes written so far.
    pub fn len(&self) -> usize {
        self.data.len()
    }

    /// Whether nothing was written yet.
    pub fn is_empty(&self) -> bool {
        self.data.is_empty()
    }

    /// The finished bytes.
    pub fn into_vec(self) -> Vec<u8> {
        self.data
    }

    /// The finished bytes, leaving an empty buffer behind. Ends a chain of writes to a temporary.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.data)
    }

    /// One byte.
    pub fn u8(&mut self, value: u8) -> &mut Bytes {
        self.data.push(value);
        self
    }

    /// Two bytes in the target's order.
    pub fn u16(&mut self, value: u16) -> &mut Bytes {
        self.number(value.into(), 2)
    }

    /// Four bytes in the target's order.
    pub fn u32(&mut self, value: u32) -> &mut Bytes {
        self.number(value.into(), 4)
    }

    /// Eight bytes in the target's order.
    pub fn u64(&mut self, value: u64) -> &mut Bytes {
        self.number(value, 8)
    }

    /// The low `size` bytes of `value` in the target's order.
    pub fn number(&mut self, value: u64, size: usize) -> &mut Bytes {
        let at = self.len();
        self.data.resize(at + size, 0);
        self.patch(at, value, size);
        self
    }

    /// An address or C `long`: four or eight bytes. On 32-bit targets the upper half is cut off.
    pub fn word(&mut self, value: u64) -> &mut Bytes {
        self.number(value, self.target.width.bytes().into())
    }

    /// Unsigned LEB128 (DWARF 5 §7.6).
    pub fn uleb(&mut self, mut value: u64) -> &mut Bytes {
        loop {
            let byte = (value & 0x7f) as u8;
            value >>= 7;
            if value == 0 {
                return self.u8(byte);
            }
            self.u8(byte | 0x80);
        }
    }

    /// Signed LEB128 (DWARF 5 §7.6).
    pub fn sleb(&mut self, mut value: i64) -> &mut Bytes {
        loop {
            let byte = (value & 0x7f) as u8;
            value >>= 7;
            let sign_follows = byte & 0x40 == 0;
            if (value == 0 && sign_follows) || (value == -1 && !sign_follows) {
                return self.u8(byte);
            }
            self.u8(byte | 0x80);
        }
    }

    /// The text and a terminating NUL.
    pub fn cstr(&mut self, text: &str) -> &mut Bytes {
        self.raw(text.as_bytes()).u8(0)
    }

    /// Bytes as they are.
    pub fn raw(&mut self, bytes: &[u8]) -> &mut Bytes {
        self.data.extend_from_slice(bytes);
        self
    }

    /// `count` zero bytes.
    pub fn zeros(&mut self, count: usize) -> &mut Bytes {
        self.data.resize(self.len() + count, 0);
        self
    }

    /// Zero bytes up to the next multiple of `alignment` (0 counts as 1).
    pub fn align(&mut self, alignment: usize) -> &mut Bytes {
        let padded = self.len().next_multiple_of(alignment.max(1));
        self.data.resize(padded, 0);
        self
    }

    /// Overwrites `size` bytes at `at` with the low bytes of `value`.
    pub fn patch(&mut self, at: usize, value: u64, size: usize) {
        let slot = &mut self.data[at..at + size];
        for (index, byte) in slot.iter_mut().enumerate() {
            let shift = match self.target.endian {
                Endian::Little => index,
                Endian::Big => size - 1 - index,
            };
            *byte = if shift < 8 { (value >> (8 * shift)) as u8 } else { 0 };
        }
    }

    /// Whether an address takes eight bytes here.
    pub(crate) fn is_64(&self) -> bool {
        self.target.width == Width::W64
    }
}
