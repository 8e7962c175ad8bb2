//! The one string table of a surface: every name once, NUL-terminated, addressed by offset.

use std::hash::{BuildHasher, Hasher};

use foldhash::fast::FixedState;
use hashbrown::HashTable;

/// Offset of a string in the string table; 0 is the empty string.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct StrId(pub u32);

impl StrId {
    /// The empty string: "no name".
    pub const EMPTY: Self = Self(0);

    /// Whether this is the empty string.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// The string table while a surface is built: interns, so equal strings have equal ids.
#[derive(Debug)]
pub struct Strings {
    blob: Vec<u8>,
    /// Hash and offset of each string: the hash is kept, because growing the table asks for all of them.
    index: HashTable<(u64, u32)>,
    hasher: FixedState,
}

impl Default for Strings {
    fn default() -> Self {
        Self { blob: vec![0], index: HashTable::new(), hasher: FixedState::with_seed(0) }
    }
}

impl Strings {
    /// A table that holds only the empty string.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The id of `bytes`, added when new. What follows a NUL byte is cut, as in C; bytes that are
    /// not UTF-8 are replaced by U+FFFD.
    ///
    /// # Panics
    /// When the table outgrows 4 GiB, which limits on image sizes exclude.
    pub fn intern(&mut self, bytes: &[u8]) -> StrId {
        let bytes = memchr::memchr(0, bytes).map_or(bytes, |end| &bytes[..end]);
        if bytes.is_empty() {
            return StrId::EMPTY;
        }
        if !bytes.is_ascii() && std::str::from_utf8(bytes).is_err() {
            let clean = String::from_utf8_lossy(bytes).into_owned();
            return self.intern(clean.as_bytes());
        }
        let Self { blob, index, hasher } = self;
        let hash = hash_bytes(hasher, bytes);
        let entry =
            index.entry(hash, |&(other, at)| other == hash && is_at(blob, at, bytes), |&(hash, _)| hash);
        match entry {
            hashbrown::hash_table::Entry::Occupied(entry) => StrId(entry.get().1),
            hashbrown::hash_table::Entry::Vacant(entry) => {
                let at = u32::try_from(blob.len()).expect("names of an image stay below 4 GiB");
                entry.insert((hash, at));
                blob.extend_from_slice(bytes);
                blob.push(0);
                StrId(at)
            }
        }
    }

    /// The id of `text` if it is in the table.
    #[must_use]
    pub fn find(&self, text: &str) -> Option<StrId> {
        if text.is_empty() {
            return Some(StrId::EMPTY);
        }
        if text.contains('\0') {
            return None;
        }
        let hash = hash_bytes(&self.hasher, text.as_bytes());
        let is_it = |&(other, at): &(u64, u32)| other == hash && is_at(&self.blob, at, text.as_bytes());
        self.index.find(hash, is_it).map(|&(_, at)| StrId(at))
    }

    /// The string of an id; empty for an id that is not of this table.
    #[must_use]
    pub fn get(&self, id: StrId) -> &str {
        text_at(&self.blob, id.0)
    }

    /// The table as bytes, as it is stored.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.blob
    }
}

fn hash_bytes(hasher: &FixedState, bytes: &[u8]) -> u64 {
    let mut state = hasher.build_hasher();
    state.write(bytes);
    state.finish()
}

/// Whether a string of the table is `bytes`, which has no NUL in it.
fn is_at(blob: &[u8], at: u32, bytes: &[u8]) -> bool {
    blob[at as usize..].strip_prefix(bytes).is_some_and(|rest| rest.first() == Some(&0))
}

/// The string at an offset of a string table; empty where the offset or the bytes are bad.
pub(crate) fn text_at(blob: &[u8], at: u32) -> &str {
    std::str::from_utf8(bytes_at(blob, at)).unwrap_or_default()
}

/// The bytes of the string at an offset, which may not be UTF-8; empty where the offset is bad.
pub(crate) fn bytes_at(blob: &[u8], at: u32) -> &[u8] {
    let rest = blob.get(at as usize..).unwrap_or_default();
    memchr::memchr(0, rest).map_or(&[], |end| &rest[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_strings_have_one_id() {
        let mut strings = Strings::new();
        let a = strings.intern(b"vfs_read");
        let b = strings.intern(b"vfs_write");
        assert_ne!(a, b);
        assert_eq!(strings.intern(b"vfs_read\0tail"), a);
        assert_eq!(strings.get(b), "vfs_write");
        assert_eq!(strings.find("vfs_read"), Some(a));
        assert_eq!(strings.find("vfs_rea"), None);
        assert_eq!(strings.intern(b""), StrId::EMPTY);
        assert_eq!(strings.get(StrId(9999)), "");
    }

    #[test]
    fn bytes_that_are_not_utf8_stay_readable() {
        let mut strings = Strings::new();
        let id = strings.intern(b"a\xffb");
        assert_eq!(strings.get(id), "a\u{fffd}b");
    }
}
