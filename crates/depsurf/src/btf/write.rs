//! Types to `.BTF` bytes.

use std::ops::Range;

use hashbrown::HashMap;
use object::Endianness;

use super::format::{HEADER, MAGIC};
use crate::surface::strings::StrId;
use crate::surface::{Type, TypeId, TypeKind, Types};

/// Writes the types of `ids` as a blob; `1..types.len()` is all of them.
///
/// A range that starts later gives split BTF, whose base is what `write(types, 1..ids.start, endian)` gives.
/// References past the end of the range become `void`.
///
/// What the model does not keep is put back as compilers write it: the index of an ARRAY is `__ARRAY_SIZE_TYPE__` or
/// `int`, else the first INT there is, a variable in a DATASEC has the size of its type. A type that [`super::read()`]
/// could not read keeps its id as `const void`.
#[must_use]
pub fn write(types: Types<'_>, ids: Range<u32>, endian: Endianness) -> Vec<u8> {
    let end = ids.end.min(types.len());
    let start = ids.start.clamp(1, end.max(1));
    let mut writer = Writer::new(types, end, endian);
    if start > 1 {
        writer.strings.push(0);
        for ty in range(types, 1..start) {
            writer.write(ty);
        }
        writer.bytes.clear();
        writer.strings_start = writer.strings.len();
        writer.strings.clear();
    } else {
        // The string at offset 0 of everything is the empty one.
        writer.strings.push(0);
    }
    for ty in range(types, start..end) {
        writer.write(ty);
    }
    writer.finish()
}

/// Writes all types, and behind them a FUNC for each name and prototype.
#[must_use]
pub(super) fn write_with<'a>(
    types: Types<'_>,
    functions: impl Iterator<Item = (&'a str, TypeId)>,
    endian: Endianness,
) -> Vec<u8> {
    let mut writer = Writer::new(types, types.len(), endian);
    writer.strings.push(0);
    for ty in range(types, 1..types.len()) {
        writer.write(ty);
    }
    for (name, prototype) in functions {
        let name = writer.new_name(name);
        // Static, as pahole writes every function of a kernel: bit 0 of the length is the linkage.
        writer.words([name, (TypeKind::Func as u32) << 24, prototype.0]);
    }
    writer.finish()
}

fn range(types: Types<'_>, ids: Range<u32>) -> impl Iterator<Item = Type<'_>> {
    ids.filter_map(move |id| types.get(TypeId(id)))
}

/// The INT that counts elements of arrays; 0 if there is no INT at all.
fn index_type(types: Types<'_>, end: u32) -> u32 {
    let ints = || range(types, 1..end).filter(|ty| ty.kind() == TypeKind::Int);
    // clang's name for it in objects, and what pahole takes for a kernel.
    let named = ["__ARRAY_SIZE_TYPE__", "int"].iter().find_map(|name| ints().find(|ty| ty.name() == *name));
    named.or_else(|| ints().next()).map_or(0, |ty| ty.id().0)
}

/// Bytes of a pointer, which BTF does not tell: those of a `long`, as on every architecture of the kernel.
fn address_size(types: Types<'_>) -> u8 {
    let long = types.iter().find(|ty| {
        ty.kind() == TypeKind::Int
            && matches!(ty.name(), "long unsigned int" | "unsigned long" | "long int" | "long")
    });
    long.and_then(Type::size).map_or(8, |size| size as u8)
}

struct Writer {
    big: bool,
    /// First id that is not written.
    end: u32,
    index: u32,
    address_size: u8,
    /// Offset of each name that has been written.
    offsets: HashMap<StrId, u32>,
    strings: Vec<u8>,
    /// Bytes of strings of the base.
    strings_start: usize,
    bytes: Vec<u8>,
}

impl Writer {
    fn new(types: Types<'_>, end: u32, endian: Endianness) -> Self {
        Self {
            big: endian == Endianness::Big,
            end,
            index: index_type(types, end),
            address_size: address_size(types),
            offsets: HashMap::new(),
            strings: Vec::new(),
            strings_start: 0,
            bytes: Vec::new(),
        }
    }

    fn write(&mut self, ty: Type<'_>) {
        use TypeKind::{
            Array, Const, Datasec, DeclTag, Enum, Enum64, Float, Func, FuncProto, Fwd, Int, Ptr, Restrict,
            Struct, TypeTag, Typedef, Union, Var, Void, Volatile,
        };
        let types = ty.types();
        let children = ty.children();
        let kind = if ty.kind() == Void { Const } else { ty.kind() };
        let first = children.first().map_or(0, |child| child.a.get());
        let vlen = match kind {
            Struct | Union | Enum | Enum64 | FuncProto | Datasec => children.len() as u32,
            Func => first,
            _ => 0,
        };
        let third = match kind {
            Int | Struct | Union | Enum | Enum64 | Float | Datasec => ty.size().unwrap_or(0),
            Ptr | Typedef | Volatile | Const | Restrict | Func | FuncProto | Var | DeclTag | TypeTag => {
                self.reference(ty.target_id().map_or(0, |id| id.0))
            }
            Array | Fwd | Void => 0,
        };
        let name = self.name(types, ty.name_id());
        let flag = if ty.kind() == Void { 0 } else { u32::from(ty.kind_flag()) };
        self.words([name, vlen & 0xff_ffff | (kind as u32) << 24 | flag << 31, third]);
        match kind {
            Int | Var | DeclTag => self.words([first]),
            Array => {
                let (element, count) = ty.array().unwrap_or((TypeId::VOID, 0));
                self.words([self.reference(element.0), self.index, count]);
            }
            Struct | Union => {
                for child in children {
                    let name = self.name(types, StrId(child.name.get()));
                    self.words([name, self.reference(child.a.get()), child.b.get()]);
                }
            }
            Enum => {
                for child in children {
                    let name = self.name(types, StrId(child.name.get()));
                    self.words([name, child.a.get()]);
                }
            }
            Enum64 => {
                for child in children {
                    let name = self.name(types, StrId(child.name.get()));
                    self.words([name, child.a.get(), child.b.get()]);
                }
            }
            FuncProto => {
                for child in children {
                    let name = self.name(types, StrId(child.name.get()));
                    self.words([name, self.reference(child.a.get())]);
                }
            }
            Datasec => {
                for child in children {
                    let variable = types.get(TypeId(child.a.get()));
                    // A DATASEC of a BPF object also has FUNCs, of no size.
                    let variable = variable.filter(|variable| variable.kind() == Var).and_then(Type::target);
                    let size = variable.and_then(|ty| ty.byte_size(self.address_size)).unwrap_or(0);
                    let size = u32::try_from(size).unwrap_or(u32::MAX);
                    self.words([self.reference(child.a.get()), child.b.get(), size]);
                }
            }
            Void | Ptr | Fwd | Typedef | Volatile | Const | Restrict | Func | Float | TypeTag => {}
        }
    }

    fn reference(&self, id: u32) -> u32 {
        if id < self.end { id } else { 0 }
    }

    fn name(&mut self, types: Types<'_>, id: StrId) -> u32 {
        let text = types.text(id.0);
        if text.is_empty() {
            return 0;
        }
        if let Some(offset) = self.offsets.get(&id) {
            return *offset;
        }
        let offset = self.new_name(text);
        self.offsets.insert(id, offset);
        offset
    }

    /// The offset of a name that was not written before.
    fn new_name(&mut self, text: &str) -> u32 {
        let offset = self.strings_start + self.strings.len();
        self.strings.extend_from_slice(text.as_bytes());
        self.strings.push(0);
        offset as u32
    }

    fn words<const N: usize>(&mut self, words: [u32; N]) {
        for word in words {
            self.bytes.extend_from_slice(&if self.big { word.to_be_bytes() } else { word.to_le_bytes() });
        }
    }

    fn finish(mut self) -> Vec<u8> {
        let types = std::mem::take(&mut self.bytes);
        let (types_len, strings_len) = (types.len() as u32, self.strings.len() as u32);
        let magic = if self.big { MAGIC.to_be_bytes() } else { MAGIC.to_le_bytes() };
        // Version 1, no flags.
        self.bytes.extend_from_slice(&[magic[0], magic[1], 1, 0]);
        self.words([HEADER as u32, 0, types_len, types_len, strings_len]);
        self.bytes.extend_from_slice(&types);
        self.bytes.extend_from_slice(&self.strings);
        self.bytes
    }
}
