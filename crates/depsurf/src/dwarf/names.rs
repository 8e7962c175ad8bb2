//! Names and paths of DWARF, interned once per worker.

use std::hash::{BuildHasher, Hasher};

use foldhash::fast::FixedState;
use hashbrown::{HashMap, HashTable};

/// A name of a [`Names`] table; 0 is "no name".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct NameId(pub u32);

/// Interned byte strings that borrow from the image.
///
/// A linker stores equal strings once, so most look-ups end at the first map, by place;
/// only a place seen for the first time is compared by content.
#[derive(Debug)]
pub struct Names<'data> {
    list: Vec<&'data [u8]>,
    by_place: HashMap<usize, u32, FixedState>,
    by_content: HashTable<u32>,
    hasher: FixedState,
}

impl Default for Names<'_> {
    fn default() -> Self {
        let hasher = FixedState::with_seed(0);
        Self {
            list: vec![b""],
            by_place: HashMap::with_hasher(hasher.clone()),
            by_content: HashTable::new(),
            hasher,
        }
    }
}

impl<'data> Names<'data> {
    /// The id of the name at a place of the image. `read` gives the bytes and is only called for a new place.
    pub fn at_place<E>(
        &mut self,
        place: usize,
        read: impl FnOnce() -> Result<&'data [u8], E>,
    ) -> Result<NameId, E> {
        if let Some(&id) = self.by_place.get(&place) {
            return Ok(NameId(id));
        }
        let id = self.intern(read()?);
        self.by_place.insert(place, id.0);
        Ok(id)
    }

    /// The id of a name, by content.
    pub fn intern(&mut self, bytes: &'data [u8]) -> NameId {
        if bytes.is_empty() {
            return NameId(0);
        }
        let Self { list, by_content, hasher, .. } = self;
        let entry = by_content.entry(
            hash(hasher, bytes),
            |&id| list[id as usize] == bytes,
            |&id| hash(hasher, list[id as usize]),
        );
        match entry {
            hashbrown::hash_table::Entry::Occupied(entry) => NameId(*entry.get()),
            hashbrown::hash_table::Entry::Vacant(entry) => {
                let id = list.len() as u32;
                entry.insert(id);
                list.push(bytes);
                NameId(id)
            }
        }
    }

    /// The bytes of a name of this table.
    pub fn get(&self, id: NameId) -> &'data [u8] {
        self.list[id.0 as usize]
    }

    /// All names, by id.
    pub fn list(&self) -> &[&'data [u8]] {
        &self.list
    }
}

fn hash(hasher: &FixedState, bytes: &[u8]) -> u64 {
    let mut state = hasher.build_hasher();
    state.write(bytes);
    state.finish()
}
