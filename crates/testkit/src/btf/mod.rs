//! Writes BTF (`Documentation/bpf/btf.rst`), type by type, in either byte order: the contents of a
//! `.BTF` section or of a module's split BTF.
//!
//! Every method that adds a type returns its id; ids count up from 1. A type may refer to a later one
//! through [`Btf::next_id`], or get its members later with [`Btf::set_members`].
//!
//! ```
//! use testkit::{Endian, btf::{Btf, Encoding, Linkage, Member}};
//!
//! let mut btf = Btf::new(Endian::Little);
//! let int = btf.int("int", 4, Encoding::Signed);
//! let file = btf.structure("file", 8, [Member::new("f_mode", int, 0), Member::bits("f_low", int, 32, 3)]);
//! let pointer = btf.ptr(file);
//! let proto = btf.func_proto(int, [("file", pointer)]);
//! btf.func("vfs_read", proto, Linkage::Static);
//! let section: Vec<u8> = btf.build();
//! ```

mod write;

pub use write::Header;

use std::collections::HashMap;

use crate::Endian;

/// A type id. 0 is `void`.
pub type TypeId = u32;

/// The numbers of the kinds, `BTF_KIND_*`.
#[allow(missing_docs, reason = "the names are those of the specification")]
pub mod kind {
    pub const INT: u8 = 1;
    pub const PTR: u8 = 2;
    pub const ARRAY: u8 = 3;
    pub const STRUCT: u8 = 4;
    pub const UNION: u8 = 5;
    pub const ENUM: u8 = 6;
    pub const FWD: u8 = 7;
    pub const TYPEDEF: u8 = 8;
    pub const VOLATILE: u8 = 9;
    pub const CONST: u8 = 10;
    pub const RESTRICT: u8 = 11;
    pub const FUNC: u8 = 12;
    pub const FUNC_PROTO: u8 = 13;
    pub const VAR: u8 = 14;
    pub const DATASEC: u8 = 15;
    pub const FLOAT: u8 = 16;
    pub const DECL_TAG: u8 = 17;
    pub const TYPE_TAG: u8 = 18;
    pub const ENUM64: u8 = 19;
}

/// `BTF_INT_ENCODING`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// No bit set.
    Unsigned = 0,
    /// `BTF_INT_SIGNED`.
    Signed = 1,
    /// `BTF_INT_CHAR`.
    Char = 2,
    /// `BTF_INT_BOOL`.
    Bool = 4,
}

/// Linkage of a `FUNC` or `VAR`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Linkage {
    /// `BTF_FUNC_STATIC`, `BTF_VAR_STATIC`: what pahole writes for every function of a kernel.
    Static = 0,
    /// `BTF_FUNC_GLOBAL`, `BTF_VAR_GLOBAL_ALLOCATED`.
    Global = 1,
    /// `BTF_FUNC_EXTERN`, `BTF_VAR_GLOBAL_EXTERN`: a kfunc or ksym of a BPF object.
    Extern = 2,
}

/// What a `FWD` declares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forward {
    /// A `struct`: `kind_flag` 0.
    Struct,
    /// A `union`: `kind_flag` 1.
    Union,
}

/// A member of a `STRUCT` or `UNION`.
#[derive(Clone, Debug)]
pub struct Member {
    name: String,
    type_id: TypeId,
    bit_offset: u32,
    bit_size: u32,
}

impl Member {
    /// A member at an offset in bits. An anonymous one has an empty name.
    pub fn new(name: &str, type_id: TypeId, bit_offset: u32) -> Member {
        Member::bits(name, type_id, bit_offset, 0)
    }

    /// A bit-field of `bit_size` bits. The first one sets the struct's `kind_flag`.
    pub fn bits(name: &str, type_id: TypeId, bit_offset: u32, bit_size: u32) -> Member {
        Member { name: name.to_owned(), type_id, bit_offset, bit_size }
    }
}

/// A type as it is stored: `struct btf_type` and what follows it. Open to a test that wants it wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawType {
    /// `name_off`.
    pub name_offset: u32,
    /// Bits 24-28 of `info`; see [`kind`].
    pub kind: u8,
    /// Bits 0-15 of `info`.
    pub vlen: u16,
    /// Bit 31 of `info`.
    pub kind_flag: bool,
    /// The union of `size` and `type`.
    pub size_or_type: u32,
    /// The words behind `struct btf_type`.
    pub tail: Vec<u32>,
}

/// BTF under construction.
#[derive(Clone, Debug)]
pub struct Btf {
    endian: Endian,
    first_id: TypeId,
    base_strings: u32,
    types: Vec<RawType>,
    strings: Vec<u8>,
    offsets: HashMap<String, u32>,
    layout: Option<Vec<u8>>,
}

impl Btf {
    /// BTF without types. Its string section has the empty string.
    pub fn new(endian: Endian) -> Btf {
        Btf { strings: vec![0], ..Btf::split_at(endian, 1, 0) }
    }

    /// Split BTF, as modules have it, over this base: it knows the base's strings, and its ids go on
    /// where those of the base end.
    pub fn split(base: &Btf) -> Btf {
        let split = Btf::split_at(base.endian, base.next_id(), base.base_strings + base.strings.len() as u32);
        Btf { offsets: base.offsets.clone(), ..split }
    }

    /// Split BTF over a base given by its number of types and of string bytes: the first id, and the
    /// offset of the first string, of this part.
    pub fn split_at(endian: Endian, first_id: TypeId, base_strings: u32) -> Btf {
        Btf {
            endian,
            first_id,
            base_strings,
            types: Vec::new(),
            strings: Vec::new(),
            offsets: HashMap::new(),
            layout: None,
        }
    }

    /// The id that the next added type gets.
    pub fn next_id(&self) -> TypeId {
        self.first_id + self.types.len() as u32
    }

    /// Offset of a string, which is added if it is new.
    pub fn string(&mut self, text: &str) -> u32 {
        if text.is_empty() {
            return 0;
        }
        if let Some(offset) = self.offsets.get(text) {
            return *offset;
        }
        let offset = self.base_strings + self.strings.len() as u32;
        self.strings.extend(text.as_bytes());
        self.strings.push(0);
        self.offsets.insert(text.to_owned(), offset);
        offset
    }

    /// Appends a type as it is stored: of a kind that the specification does not have, say.
    pub fn raw(&mut self, raw: RawType) -> TypeId {
        self.types.push(raw);
        self.next_id() - 1
    }

    /// The stored form of a type of this part, to be made wrong.
    ///
    /// # Panics
    /// When the id is not of this part.
    pub fn edit(&mut self, id: TypeId) -> &mut RawType {
        let index = id.checked_sub(self.first_id).map(|index| index as usize);
        let found = index.and_then(|index| self.types.get_mut(index));
        found.unwrap_or_else(|| panic!("no type has the id {id}"))
    }

    fn add(&mut self, kind: u8, name: &str, size_or_type: u32) -> TypeId {
        let name_offset = self.string(name);
        self.raw(RawType { name_offset, kind, vlen: 0, kind_flag: false, size_or_type, tail: Vec::new() })
    }

    /// Appends a type with entries behind it, of which `vlen` counts.
    fn add_list<const N: usize>(
        &mut self,
        kind: u8,
        name: &str,
        size_or_type: u32,
        entries: Vec<[u32; N]>,
    ) -> TypeId {
        let id = self.add(kind, name, size_or_type);
        let raw = self.edit(id);
        raw.vlen = entries.len() as u16;
        raw.tail = entries.concat();
        id
    }

    /// `INT` that fills its bytes.
    pub fn int(&mut self, name: &str, size: u32, encoding: Encoding) -> TypeId {
        self.int_bits(name, size, encoding, 0, size * 8)
    }

    /// `INT` of `bits` bits at a bit offset in its `size` bytes, as old compilers write bit-fields.
    pub fn int_bits(&mut self, name: &str, size: u32, encoding: Encoding, offset: u32, bits: u32) -> TypeId {
        let id = self.add(kind::INT, name, size);
        self.edit(id).tail = vec![(encoding as u32) << 24 | offset << 16 | bits];
        id
    }

    /// `PTR`.
    pub fn ptr(&mut self, to: TypeId) -> TypeId {
        self.add(kind::PTR, "", to)
    }

    /// `ARRAY` of `count` elements, counted in the type `index`.
    pub fn array(&mut self, of: TypeId, index: TypeId, count: u32) -> TypeId {
        let id = self.add(kind::ARRAY, "", 0);
        self.edit(id).tail = vec![of, index, count];
        id
    }

    /// `STRUCT` of `size` bytes.
    pub fn structure(&mut self, name: &str, size: u32, members: impl IntoIterator<Item = Member>) -> TypeId {
        let id = self.add(kind::STRUCT, name, size);
        self.set_members(id, members);
        id
    }

    /// `UNION` of `size` bytes.
    pub fn union(&mut self, name: &str, size: u32, members: impl IntoIterator<Item = Member>) -> TypeId {
        let id = self.add(kind::UNION, name, size);
        self.set_members(id, members);
        id
    }

    /// Replaces the members of a struct or union. With a bit-field among them, `kind_flag` is set and
    /// every `offset` also holds a size.
    pub fn set_members(&mut self, id: TypeId, members: impl IntoIterator<Item = Member>) {
        let members: Vec<Member> = members.into_iter().collect();
        let kind_flag = members.iter().any(|member| member.bit_size > 0);
        let entries = members.iter().map(|member| {
            let offset = member.bit_size << 24 | member.bit_offset;
            [self.string(&member.name), member.type_id, offset]
        });
        let entries: Vec<[u32; 3]> = entries.collect();
        let raw = self.edit(id);
        raw.kind_flag = kind_flag;
        raw.vlen = entries.len() as u16;
        raw.tail = entries.concat();
    }

    /// `ENUM`; signed (`kind_flag`) if a value is negative. Values are the low 32 bits.
    pub fn enumeration<'a>(
        &mut self,
        name: &str,
        size: u32,
        values: impl IntoIterator<Item = (&'a str, i64)>,
    ) -> TypeId {
        let values: Vec<(&str, i64)> = values.into_iter().collect();
        let entries = values.iter().map(|(name, value)| [self.string(name), *value as u32]).collect();
        let id = self.add_list(kind::ENUM, name, size, entries);
        self.edit(id).kind_flag = values.iter().any(|(_, value)| *value < 0);
        id
    }

    /// `ENUM64`; signed (`kind_flag`) if a value is negative.
    pub fn enum64<'a>(
        &mut self,
        name: &str,
        size: u32,
        values: impl IntoIterator<Item = (&'a str, i128)>,
    ) -> TypeId {
        let values: Vec<(&str, i128)> = values.into_iter().collect();
        let entries = values.iter().map(|(name, value)| {
            // Low half first, in either byte order.
            [self.string(name), *value as u32, (*value >> 32) as u32]
        });
        let entries = entries.collect();
        let id = self.add_list(kind::ENUM64, name, size, entries);
        self.edit(id).kind_flag = values.iter().any(|(_, value)| *value < 0);
        id
    }

    /// `FWD`.
    pub fn forward(&mut self, name: &str, of: Forward) -> TypeId {
        let id = self.add(kind::FWD, name, 0);
        self.edit(id).kind_flag = of == Forward::Union;
        id
    }

    /// `TYPEDEF`.
    pub fn typedef(&mut self, name: &str, of: TypeId) -> TypeId {
        self.add(kind::TYPEDEF, name, of)
    }

    /// `VOLATILE`.
    pub fn volatile(&mut self, of: TypeId) -> TypeId {
        self.add(kind::VOLATILE, "", of)
    }

    /// `CONST`.
    pub fn constant(&mut self, of: TypeId) -> TypeId {
        self.add(kind::CONST, "", of)
    }

    /// `RESTRICT`.
    pub fn restrict(&mut self, of: TypeId) -> TypeId {
        self.add(kind::RESTRICT, "", of)
    }

    /// `FUNC`, whose `vlen` is the linkage.
    pub fn func(&mut self, name: &str, proto: TypeId, linkage: Linkage) -> TypeId {
        let id = self.add(kind::FUNC, name, proto);
        self.edit(id).vlen = linkage as u16;
        id
    }

    /// `FUNC_PROTO`. A last parameter `("", 0)` makes it variadic.
    pub fn func_proto<'a>(
        &mut self,
        returns: TypeId,
        parameters: impl IntoIterator<Item = (&'a str, TypeId)>,
    ) -> TypeId {
        let entries = parameters.into_iter().map(|(name, type_id)| [self.string(name), type_id]).collect();
        self.add_list(kind::FUNC_PROTO, "", returns, entries)
    }

    /// `VAR`.
    pub fn var(&mut self, name: &str, of: TypeId, linkage: Linkage) -> TypeId {
        let id = self.add(kind::VAR, name, of);
        self.edit(id).tail = vec![linkage as u32];
        id
    }

    /// `DATASEC` of `size` bytes: variables (or functions) with offset and size in bytes.
    pub fn datasec(
        &mut self,
        name: &str,
        size: u32,
        variables: impl IntoIterator<Item = (TypeId, u32, u32)>,
    ) -> TypeId {
        let entries = variables.into_iter().map(|(id, offset, size)| [id, offset, size]).collect();
        self.add_list(kind::DATASEC, name, size, entries)
    }

    /// `FLOAT`.
    pub fn float(&mut self, name: &str, size: u32) -> TypeId {
        self.add(kind::FLOAT, name, size)
    }

    /// `DECL_TAG` on a type, or on its member or parameter `component`.
    pub fn decl_tag(&mut self, text: &str, on: TypeId, component: Option<u32>) -> TypeId {
        let id = self.add(kind::DECL_TAG, text, on);
        self.edit(id).tail = vec![component.unwrap_or(u32::MAX)];
        id
    }

    /// `TYPE_TAG`.
    pub fn type_tag(&mut self, text: &str, on: TypeId) -> TypeId {
        self.add(kind::TYPE_TAG, text, on)
    }

    /// Adds a `layout` section behind the strings, and its offset and length to the header. Newer kernels
    /// describe with it how long the types of each kind are, so that unknown kinds can be skipped.
    pub fn layout(&mut self, layout: Vec<u8>) {
        self.layout = Some(layout);
    }

    /// The bytes of the section.
    pub fn build(&self) -> Vec<u8> {
        self.build_with(|_| {})
    }

    /// The bytes of the section, with the header as the test wants it.
    pub fn build_with(&self, edit: impl FnOnce(&mut Header)) -> Vec<u8> {
        write::write(self, edit)
    }
}
