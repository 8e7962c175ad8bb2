//! Changes to valid bytes, as a fuzzer writes them.
//!
//! ```text
//! buffer (u8)  what to do and with how many bytes (u8)  offset (u24, little-endian)  bytes
//! ```
//! The two high bits say what: overwrite, insert, delete, cut off. Numbers too large are taken modulo what
//! there is, so every input means something.

/// A list of changes.
pub struct Patches<'a> {
    rest: &'a [u8],
}

/// What a change does with its bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Action {
    Overwrite,
    Insert,
    Delete,
    Cut,
}

/// One change.
pub struct Patch<'a> {
    pub buffer: usize,
    pub action: Action,
    pub offset: usize,
    /// How many bytes to delete; `bytes` has as many for the other actions.
    pub length: usize,
    pub bytes: &'a [u8],
}

impl<'a> Patches<'a> {
    pub fn new(input: &'a [u8]) -> Self {
        Self { rest: input }
    }
}

impl<'a> Iterator for Patches<'a> {
    type Item = Patch<'a>;

    fn next(&mut self) -> Option<Patch<'a>> {
        let (&[buffer, what, a, b, c], rest) = self.rest.split_first_chunk()?;
        let length = usize::from(what & 63);
        let action = [Action::Overwrite, Action::Insert, Action::Delete, Action::Cut][usize::from(what >> 6)];
        let taken =
            if matches!(action, Action::Overwrite | Action::Insert) { length.min(rest.len()) } else { 0 };
        let (bytes, rest) = rest.split_at(taken);
        self.rest = rest;
        Some(Patch {
            buffer: buffer.into(),
            action,
            offset: u32::from_le_bytes([a, b, c, 0]) as usize,
            length,
            bytes,
        })
    }
}

impl Patch<'_> {
    /// Changes one of the buffers; gives its number. There must be one.
    pub fn apply(&self, buffers: &mut [Vec<u8>]) -> usize {
        let number = self.buffer % buffers.len();
        let buffer = &mut buffers[number];
        let at = self.offset % (buffer.len() + 1);
        match self.action {
            Action::Overwrite => overwrite(&mut buffer[at..], self.bytes),
            Action::Insert => drop(buffer.splice(at..at, self.bytes.iter().copied())),
            Action::Delete => drop(buffer.drain(at..buffer.len().min(at + self.length))),
            Action::Cut => buffer.truncate(at),
        }
        number
    }
}

/// Puts bytes over others, as many as there is room for.
pub fn overwrite(target: &mut [u8], bytes: &[u8]) {
    let length = target.len().min(bytes.len());
    target[..length].copy_from_slice(&bytes[..length]);
}

/// An input that overwrites.
pub fn write_at(buffer: u8, offset: usize, bytes: &[u8]) -> Vec<u8> {
    let mut patch = vec![buffer, bytes.len().min(63) as u8];
    patch.extend_from_slice(&(offset as u32).to_le_bytes()[..3]);
    patch.extend_from_slice(bytes);
    patch
}
