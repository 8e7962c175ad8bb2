//! Types as DWARF spells them, hash-consed: equal types have equal ids within one table.
//!
//! A node is a run of words; [`Kind`] tells what each word means. A named struct, union, enum or typedef
//! is a leaf keyed by kind, name, place of declaration and size; its body is a node of its own, kept
//! beside the table, so that nodes never form a cycle.
//!
//! Each key has one body, with one exception: a source file that another one includes may mean something else
//! there. `fs/compat_binfmt_elf.c` defines some macros and includes `fs/binfmt_elf.c`, so that a member of
//! `struct elf_note_info` has another type. Therefore the unit is part of the key of what is declared in a
//! source file. (In five Debian kernels from 5.10 to 6.12, amd64 and arm64, with 9,283 to 12,026 named types,
//! this was the one type with several bodies.)

use std::hash::{BuildHasher, Hash, Hasher};

use foldhash::fast::FixedState;
use hashbrown::HashTable;

/// A type of a [`Nodes`] table; 0 is `void`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub u32);

impl NodeId {
    /// `void`.
    pub const VOID: Self = Self(0);
}

/// What a node is, and what its words after the first mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum Kind {
    /// `void`.
    Void = 0,
    /// name, size in bytes, BTF encoding bits (1 signed, 2 char, 4 bool).
    Int = 1,
    /// name, size in bytes.
    Float = 2,
    /// node.
    Ptr = 3,
    /// node.
    Const = 4,
    /// node.
    Volatile = 5,
    /// node.
    Restrict = 6,
    /// node, number of elements. Dimensions are multiplied, as `pahole` does for BTF.
    Array = 7,
    /// node of the return type; then per parameter name, node. `...` is a last one of no name and `void`.
    Proto = 8,
    /// composite ([`STRUCT`] ...), name, file, line, size, unit: a definition elsewhere. The unit is that of
    /// types declared in a source file instead of a header, and 0 for others.
    Named = 9,
    /// composite, name: a declaration only.
    Fwd = 10,
    /// composite, size; then per member name, node, bit offset, bitfield size. A body or an anonymous type.
    Members = 11,
    /// size, signed; then per value name, low half, high half. A body or an anonymous enum.
    Values = 12,
    /// node: the body of a typedef.
    Alias = 13,
    /// Why a type could not be read ([`DAMAGED`] ...), or the tag of a DIE that is no type of C.
    Unread = 14,
}

/// Composite word of a struct.
pub const STRUCT: u32 = 0;
/// Composite word of a union.
pub const UNION: u32 = 1;
/// Composite word of an enum.
pub const ENUM: u32 = 2;
/// Composite word of a typedef.
pub const TYPEDEF: u32 = 3;

// Tags have 16 bits, so these words are none.
/// Word of a [`Kind::Unread`]: the DIEs break off, or refer to what is not there.
pub const DAMAGED: u32 = 1 << 16;
/// Word of a [`Kind::Unread`]: nested too deeply.
pub const TOO_DEEP: u32 = DAMAGED + 1;
/// Word of a [`Kind::Unread`]: in a type unit or in another file.
pub const FOREIGN: u32 = DAMAGED + 2;

/// What a word of a node after the first means.
enum Role {
    Name,
    Node,
    File,
}

impl Kind {
    fn from_word(word: u32) -> Self {
        const ALL: [Kind; 15] = [
            Kind::Void,
            Kind::Int,
            Kind::Float,
            Kind::Ptr,
            Kind::Const,
            Kind::Volatile,
            Kind::Restrict,
            Kind::Array,
            Kind::Proto,
            Kind::Named,
            Kind::Fwd,
            Kind::Members,
            Kind::Values,
            Kind::Alias,
            Kind::Unread,
        ];
        ALL[word as usize]
    }
}

/// A table of nodes.
#[derive(Debug)]
pub struct Nodes {
    words: Vec<u32>,
    ends: Vec<u32>,
    index: HashTable<u32>,
    hasher: FixedState,
}

impl Default for Nodes {
    fn default() -> Self {
        Self {
            words: vec![Kind::Void as u32],
            ends: vec![1],
            index: HashTable::new(),
            hasher: FixedState::with_seed(0),
        }
    }
}

impl Nodes {
    /// The id of the node with these words; the first one is a [`Kind`].
    pub fn intern(&mut self, words: &[u32]) -> NodeId {
        if words[0] == Kind::Void as u32 {
            return NodeId::VOID;
        }
        let Self { words: all, ends, index, hasher } = self;
        let entry = index.entry(
            hash(hasher, words),
            |&id| slice(all, ends, id) == words,
            |&id| hash(hasher, slice(all, ends, id)),
        );
        match entry {
            hashbrown::hash_table::Entry::Occupied(entry) => NodeId(*entry.get()),
            hashbrown::hash_table::Entry::Vacant(entry) => {
                let id = ends.len() as u32;
                entry.insert(id);
                all.extend_from_slice(words);
                ends.push(all.len() as u32);
                NodeId(id)
            }
        }
    }

    /// Kind and words of a node, without the kind's word.
    pub fn get(&self, id: NodeId) -> (Kind, &[u32]) {
        let words = slice(&self.words, &self.ends, id.0);
        (Kind::from_word(words[0]), &words[1..])
    }

    /// Number of nodes.
    pub fn count(&self) -> usize {
        self.ends.len()
    }

    /// Adds all nodes of `other`, whose names and files have the given ids here; gives their ids here.
    pub fn merge(&mut self, other: &Self, names: &[u32], files: &[u32]) -> Vec<NodeId> {
        let mut ids: Vec<NodeId> = Vec::with_capacity(other.count());
        let mut words = Vec::new();
        for id in 0..other.count() as u32 {
            words.clear();
            words.extend_from_slice(slice(&other.words, &other.ends, id));
            visit(&mut words, |role, word| {
                *word = match role {
                    Role::Name => names[*word as usize],
                    Role::File => files[*word as usize],
                    // A node only refers to nodes that were interned before it.
                    Role::Node => ids[*word as usize].0,
                }
            });
            ids.push(self.intern(&words));
        }
        ids
    }

    /// For each node the word of the first [`Kind::Unread`] that it contains, if it does. A named type
    /// does not contain its members.
    pub fn unread(&self) -> Vec<Option<u32>> {
        let mut unread: Vec<Option<u32>> = Vec::with_capacity(self.count());
        let mut words = Vec::new();
        for id in 0..self.count() as u32 {
            words.clear();
            words.extend_from_slice(slice(&self.words, &self.ends, id));
            let mut found = (words[0] == Kind::Unread as u32).then(|| words[1]);
            visit(&mut words, |role, word| {
                if let Role::Node = role {
                    found = found.or(unread[*word as usize]);
                }
            });
            unread.push(found);
        }
        unread
    }
}

impl Nodes {
    /// For each node a hash of what it means to a reader, whom a named type's place of declaration and whether
    /// its members are known here do not concern: named types are equal by kind and name.
    pub fn meanings(&self) -> Vec<u64> {
        let mut meanings: Vec<u64> = Vec::with_capacity(self.count());
        let mut words = Vec::new();
        for id in 0..self.count() as u32 {
            words.clear();
            words.extend_from_slice(slice(&self.words, &self.ends, id));
            let mut state = self.hasher.build_hasher();
            match Kind::from_word(words[0]) {
                Kind::Named | Kind::Fwd => (Kind::Named as u32, words[1], words[2]).hash(&mut state),
                _ => {
                    visit(&mut words, |role, word| {
                        if let Role::Node = role {
                            state.write_u64(meanings[*word as usize]);
                            *word = 0;
                        }
                    });
                    words.hash(&mut state);
                }
            }
            meanings.push(state.finish());
        }
        meanings
    }
}

/// Calls `each` for the words of a node that are an id of something.
fn visit(words: &mut [u32], mut each: impl FnMut(Role, &mut u32)) {
    match Kind::from_word(words[0]) {
        Kind::Void | Kind::Unread => {}
        Kind::Int | Kind::Float => each(Role::Name, &mut words[1]),
        Kind::Ptr | Kind::Const | Kind::Volatile | Kind::Restrict | Kind::Array | Kind::Alias => {
            each(Role::Node, &mut words[1]);
        }
        Kind::Proto => {
            each(Role::Node, &mut words[1]);
            for param in words[2..].chunks_exact_mut(2) {
                each(Role::Name, &mut param[0]);
                each(Role::Node, &mut param[1]);
            }
        }
        Kind::Named => {
            each(Role::Name, &mut words[2]);
            each(Role::File, &mut words[3]);
            each(Role::File, &mut words[6]);
        }
        Kind::Fwd => each(Role::Name, &mut words[2]),
        Kind::Members => {
            for member in words[3..].chunks_exact_mut(4) {
                each(Role::Name, &mut member[0]);
                each(Role::Node, &mut member[1]);
            }
        }
        Kind::Values => {
            for value in words[3..].chunks_exact_mut(3) {
                each(Role::Name, &mut value[0]);
            }
        }
    }
}

fn slice<'a>(words: &'a [u32], ends: &[u32], id: u32) -> &'a [u32] {
    let start = id.checked_sub(1).map_or(0, |before| ends[before as usize]);
    &words[start as usize..ends[id as usize] as usize]
}

fn hash(hasher: &FixedState, words: &[u32]) -> u64 {
    use zerocopy::IntoBytes;
    let mut state = hasher.build_hasher();
    state.write(words.as_bytes());
    state.finish()
}
