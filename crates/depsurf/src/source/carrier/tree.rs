//! Flattened device trees (Devicetree Specification, chapter 5): a walk over what one has, and those behind a kernel.

use memchr::memmem;

use super::{Part, part, u32_be};
use crate::error::{Error, Result};

const MAGIC: &[u8] = &[0xd0, 0x0d, 0xfe, 0xed];
/// Size of the header.
const HEADER: u64 = 40;
/// The version of the layout, which has not changed since 2007.
const VERSION: u32 = 17;
/// The oldest version whose readers are told that they can read this one.
const COMPATIBLE: u32 = 16;
/// How much of a file's end may be device trees; those of a vendor's kernel have some 100 KiB each.
const MOST_BEHIND: usize = 32 << 20;

/// Whether bytes begin as a device tree.
pub fn is_tree(bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC)
}

/// What is in front of the device trees that end a file, as `cat Image.gz board.dtb` leaves it; `None` where no tree does.
pub fn without(bytes: &[u8]) -> Option<Part<'_>> {
    let start = bytes.len().saturating_sub(MOST_BEHIND);
    let mut end = bytes.len();
    for at in memmem::rfind_iter(&bytes[start..], MAGIC).map(|at| start + at) {
        let header = &bytes[at..end.max(at)];
        let size = u32_be(header, 4).map(|size| size as usize);
        let fits = [20, 24].map(|at| u32_be(header, at)) == [Some(VERSION), Some(COMPATIBLE)];
        if fits && at > 0 && size == Some(end - at) {
            end = at;
        }
    }
    let place = "in front of the device trees".into();
    (end < bytes.len()).then(|| Part { bytes: &bytes[..end], place })
}

/// A device tree.
pub struct Tree<'a> {
    /// Size of the tree as its header tells it: what is behind belongs to something else.
    pub size: u64,
    nodes: &'a [u8],
    strings: &'a [u8],
}

/// What a walk meets.
pub enum Token<'a> {
    /// The beginning of a node with this name, empty for the root.
    Begin(&'a [u8]),
    /// A property of the current node.
    Property(&'a [u8], &'a [u8]),
    /// The end of the current node.
    End,
}

impl<'a> Tree<'a> {
    /// Reads the header.
    ///
    /// # Errors
    /// When the tree is cut or of an unknown version.
    pub fn read(bytes: &'a [u8]) -> Result<Self> {
        let header = part(bytes, 0, HEADER, "header of the device tree")?;
        let number = |at| u64::from(u32_be(header, at).unwrap_or_default());
        if (number(20) as u32) < VERSION || (number(24) as u32) > VERSION {
            let what = format!("version {}, known is {VERSION}", number(20));
            return Err(Error::malformed("device tree", "offset 0x14", what));
        }
        let tree = part(bytes, 0, number(4), "device tree")?;
        let nodes = part(tree, number(8), number(36), "nodes of the device tree")?;
        let strings = part(tree, number(12), number(32), "names of the device tree")?;
        Ok(Self { size: number(4), nodes, strings })
    }

    /// All nodes and properties, in order.
    pub fn tokens(&self) -> Tokens<'a, '_> {
        Tokens { tree: self, at: 0 }
    }
}

/// A position in a tree.
pub struct Tokens<'a, 't> {
    tree: &'t Tree<'a>,
    at: usize,
}

impl<'a> Tokens<'a, '_> {
    /// The next token; `None` at the end of the tree.
    ///
    /// # Errors
    /// When a token is cut or unknown.
    pub fn next(&mut self) -> Result<Option<Token<'a>>> {
        let nodes = self.tree.nodes;
        loop {
            let at = self.at;
            let bad = |what: &str| Error::malformed("device tree", format!("{at:#x} of the nodes"), what);
            let cut = || bad("a token that is cut");
            let token = u32_be(nodes, at).ok_or_else(cut)?;
            let rest = &nodes[at + 4..];
            let (length, token) = match token {
                // FDT_BEGIN_NODE, FDT_END_NODE, FDT_PROP, FDT_NOP, FDT_END
                1 => {
                    let length = memchr::memchr(0, rest).ok_or_else(cut)?;
                    (length + 1, Some(Token::Begin(&rest[..length])))
                }
                2 => (0, Some(Token::End)),
                3 => {
                    let (size, name) = u32_be(rest, 0).zip(u32_be(rest, 4)).ok_or_else(cut)?;
                    let value = rest[8..].get(..size as usize).ok_or_else(cut)?;
                    let names = self.tree.strings.get(name as usize..);
                    let names = names.ok_or_else(|| bad("a name that is not there"))?;
                    (8 + value.len(), Some(Token::Property(names, value)))
                }
                4 => (0, None),
                9 => return Ok(None),
                _ => return Err(bad(&format!("an unknown token {token:#x}"))),
            };
            self.at = at + 4 + length.next_multiple_of(4);
            if token.is_some() {
                return Ok(token);
            }
        }
    }
}

/// Whether the names from a property's name on begin with this one.
pub fn is_named(names: &[u8], name: &str) -> bool {
    names.strip_prefix(name.as_bytes()).is_some_and(|rest| rest.first() == Some(&0))
}

/// The first of the texts in a value.
pub fn text(value: &[u8]) -> &[u8] {
    value.split(|byte| *byte == 0).next().unwrap_or_default()
}
