//! `.BTF` bytes to types.

use std::ops::Range;

use super::format::{Blob, Head, TYPE, word};
use crate::error::{Error, Result};
use crate::note::Notes;
use crate::surface::TypeKind;
use crate::surface::strings::{StrId, Strings};
use crate::surface::types::{Child, TypeTable};

/// The string section of a blob, NUL-terminated strings by offset: `.BTF.ext` refers to it as well.
///
/// # Errors
/// When the outline of the blob is damaged; see [`read`].
pub fn string_section(bytes: &[u8]) -> Result<&[u8]> {
    Ok(Blob::parse(bytes)?.strings)
}

/// How long the blob is that bytes begin with; `None` where they begin with none, or with one whose types do not fit.
#[must_use]
pub fn length(bytes: &[u8]) -> Option<usize> {
    let blob = Blob::parse(bytes).ok()?;
    if blob.big { blob.count::<true>(1) } else { blob.count::<false>(1) }.ok()?;
    let end = |part: &[u8]| part.as_ptr_range().end as usize - bytes.as_ptr() as usize;
    Some(end(blob.types).max(end(blob.strings)))
}

/// What split BTF builds on: the BTF of the kernel itself, whose ids and string offsets come first.
#[derive(Debug, Clone, Copy)]
pub struct Base<'a> {
    /// Number of types, `void` included: the first id of the split BTF.
    types: u32,
    strings: &'a [u8],
}

impl<'a> Base<'a> {
    /// The BTF blob that others are split from. Steps over its types once, to count them.
    ///
    /// # Errors
    /// When the outline of the blob is damaged; see [`read`].
    pub fn new(bytes: &'a [u8]) -> Result<Self> {
        let blob = Blob::parse(bytes)?;
        let types = 1 + if blob.big { blob.count::<true>(1) } else { blob.count::<false>(1) }?;
        Ok(Self { types, strings: blob.strings })
    }

    /// What a blob that is not split builds on: `void` and no strings.
    const NONE: Self = Self { types: 1, strings: &[] };
}

/// Reads a blob. The ids of the table are those of the blob.
///
/// A kind that is not known here, but whose size the blob's layout section tells, becomes an unnamed `void` of
/// its own id and a note.
///
/// # Errors
/// Names type id and offset (from the start of `bytes`) where a type is cut, is of a kind of unknown size, or has
/// a name or a reference that is out of range; names the section that does not fit; refuses a blob whose names
/// overlap so much that they would outgrow it many times.
pub fn read(bytes: &[u8], strings: &mut Strings, notes: &mut Notes) -> Result<TypeTable> {
    let mut table = TypeTable::new();
    read_split(bytes, Base::NONE, &mut table, strings, notes)?;
    Ok(table)
}

/// Reads the split BTF of a module and appends it to `table`, which starts with the types of `base`.
/// Several modules may be appended one after the other: each refers to the base and to itself.
/// Gives the ids of the new types.
///
/// # Errors
/// As [`read`]; `table` is then as it was.
pub fn read_split(
    bytes: &[u8],
    base: Base<'_>,
    table: &mut TypeTable,
    strings: &mut Strings,
    notes: &mut Notes,
) -> Result<Range<u32>> {
    let start = table.next_id();
    if start.0 < base.types {
        let what = format!("builds on {} types, the table has {}", base.types, start.0);
        return Err(Error::malformed("BTF", "split", what));
    }
    let result = Blob::parse(bytes).and_then(|blob| {
        let names = Names {
            base: base.strings,
            own: blob.strings,
            ids: vec![0; blob.strings.len()],
            budget: (bytes.len() as u64).saturating_mul(16) + (64 << 10),
            strings,
        };
        let reader = Reader { blob, first: base.types, shift: start.0 - base.types, names };
        if blob.big { reader.run::<true>(table, notes) } else { reader.run::<false>(table, notes) }
    });
    match result {
        Ok(()) => Ok(start.0..table.next_id().0),
        Err(error) => {
            table.truncate(start);
            Err(error)
        }
    }
}

/// Strings of the blob as ids of the surface.
struct Names<'a> {
    base: &'a [u8],
    own: &'a [u8],
    /// For each offset of `own` the id plus one, or 0 where it has not been looked at.
    ids: Vec<u32>,
    /// Bytes that may still be interned. Offsets may point into the middle of strings, so the names of hostile
    /// input can add up to far more than the section; those of real input are about the section's size.
    budget: u64,
    strings: &'a mut Strings,
}

impl Names<'_> {
    /// The name at an offset; `Err` tells what is wrong with it.
    fn get(&mut self, offset: u32) -> Result<StrId, String> {
        if offset == 0 {
            return Ok(StrId::EMPTY);
        }
        let at = offset as usize;
        let (section, at) =
            if at < self.base.len() { (self.base, at) } else { (self.own, at - self.base.len()) };
        let own = offset as usize >= self.base.len();
        if own && let Some(&known @ 1..) = self.ids.get(at) {
            return Ok(StrId(known - 1));
        }
        let Some(rest) = section.get(at..).filter(|rest| !rest.is_empty()) else {
            let length = self.base.len() + self.own.len();
            return Err(format!("name at {offset:#x} of a string section of {length:#x} bytes"));
        };
        let Some(length) = memchr::memchr(0, rest) else {
            return Err(format!("name at {offset:#x} of the string section does not end"));
        };
        let Some(left) = self.budget.checked_sub(length as u64) else {
            return Err("names overlap: they are many times larger than the blob".into());
        };
        self.budget = left;
        let id = self.strings.intern(&rest[..length]);
        if own {
            self.ids[at] = id.0 + 1;
        }
        Ok(id)
    }
}

struct Reader<'a> {
    blob: Blob<'a>,
    /// Id of the first type, in the blob's own counting.
    first: u32,
    /// What to add to an id of the blob's own types to get the id in the table.
    shift: u32,
    names: Names<'a>,
}

impl Reader<'_> {
    fn run<const BIG: bool>(mut self, table: &mut TypeTable, notes: &mut Notes) -> Result<()> {
        let count = self.blob.count::<BIG>(self.first)?;
        let end = self.first + count;
        let mut children = Vec::new();
        let mut at = 0;
        for id in self.first..end {
            let (head, tail) = self.blob.type_at::<BIG>(id, at)?;
            children.clear();
            let kind = TypeKind::from_number(head.kind).unwrap_or(TypeKind::Void);
            let parsed = self.parse::<BIG>(kind, &head, tail, end, &mut children);
            let (name, size_or_type) =
                parsed.map_err(|what| Error::malformed("BTF", self.blob.place(id, at), what))?;
            if kind == TypeKind::Void {
                notes.lost(
                    "btf-unknown-kind",
                    || format!("types of BTF kind {}, which is not known here, read as `void`", head.kind),
                    || self.blob.place(id, at),
                );
            }
            table.push(kind, head.kind_flag, name, size_or_type, children.iter().copied());
            at += TYPE + tail.len();
        }
        Ok(())
    }

    /// Name, third word and children of a type; `Err` tells what is wrong with it.
    fn parse<const BIG: bool>(
        &mut self,
        kind: TypeKind,
        head: &Head,
        tail: &[u8],
        end: u32,
        children: &mut Vec<Child>,
    ) -> Result<(StrId, u32), String> {
        use TypeKind::{
            Array, Const, Datasec, DeclTag, Enum, Enum64, Float, Func, FuncProto, Fwd, Int, Ptr, Restrict,
            Struct, TypeTag, Typedef, Union, Var, Void, Volatile,
        };
        let Self { first, shift, ref mut names, .. } = *self;
        let reference = |id: u32| {
            if id >= end {
                Err(format!("refers to type {id}, the last is {}", end - 1))
            } else if id < first {
                Ok(id)
            } else {
                Ok(id + shift)
            }
        };
        let plain = |a: u32, b: u32| Child { name: StrId::EMPTY, a, b };
        let word = word::<BIG>;
        let third = head.size_or_type;
        let third = match kind {
            // What is known of it is its id: its name and words may mean anything.
            Void => return Ok((StrId::EMPTY, 0)),
            Int | Float => third,
            Ptr | Typedef | Volatile | Const | Restrict | FuncProto | Func | Var | DeclTag | TypeTag => {
                reference(third)?
            }
            Struct | Union | Enum | Enum64 | Datasec => third,
            Array | Fwd => 0,
        };
        match kind {
            Int | Var | DeclTag => children.push(plain(word(tail), 0)),
            Func => children.push(plain(head.vlen, 0)),
            Array => {
                // The type of the index is always an integer and is written again as such.
                reference(word(&tail[4..]))?;
                children.push(plain(reference(word(tail))?, word(&tail[8..])));
            }
            Struct | Union => {
                for member in tail.chunks_exact(12) {
                    let name = names.get(word(member))?;
                    children.push(Child { name, a: reference(word(&member[4..]))?, b: word(&member[8..]) });
                }
            }
            Enum => {
                for value in tail.chunks_exact(8) {
                    children.push(Child { name: names.get(word(value))?, a: word(&value[4..]), b: 0 });
                }
            }
            Enum64 => {
                for value in tail.chunks_exact(12) {
                    let name = names.get(word(value))?;
                    children.push(Child { name, a: word(&value[4..]), b: word(&value[8..]) });
                }
            }
            FuncProto => {
                for param in tail.chunks_exact(8) {
                    let name = names.get(word(param))?;
                    children.push(Child { name, a: reference(word(&param[4..]))?, b: 0 });
                }
            }
            Datasec => {
                for variable in tail.chunks_exact(12) {
                    children.push(plain(reference(word(variable))?, word(&variable[4..])));
                }
            }
            Void | Ptr | Fwd | Typedef | Volatile | Const | Restrict | Float | TypeTag => {}
        }
        Ok((names.get(head.name)?, third))
    }
}
