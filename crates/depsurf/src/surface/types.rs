//! Types in BTF's vocabulary, whether they were read from `.BTF` or from DWARF.

mod table;

use zerocopy::little_endian::U32;

pub use self::table::{Child, TypeTable};
use super::record::{self, NONE};
use super::strings::{StrId, compare_at, text_at};
use crate::bpf::core::essential_name;

/// Id of a type in a surface; 0 is `void`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TypeId(pub u32);

impl TypeId {
    /// `void`.
    pub const VOID: Self = Self(0);
}

/// Kinds of types, with BTF's numbers (`Documentation/bpf/btf.rst`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
#[allow(missing_docs, reason = "the names are BTF's")]
pub enum TypeKind {
    Void = 0,
    Int = 1,
    Ptr = 2,
    Array = 3,
    Struct = 4,
    Union = 5,
    Enum = 6,
    Fwd = 7,
    Typedef = 8,
    Volatile = 9,
    Const = 10,
    Restrict = 11,
    Func = 12,
    FuncProto = 13,
    Var = 14,
    Datasec = 15,
    Float = 16,
    DeclTag = 17,
    TypeTag = 18,
    Enum64 = 19,
}

impl TypeKind {
    /// All kinds; the index is the number.
    pub const ALL: [Self; 20] = [
        Self::Void,
        Self::Int,
        Self::Ptr,
        Self::Array,
        Self::Struct,
        Self::Union,
        Self::Enum,
        Self::Fwd,
        Self::Typedef,
        Self::Volatile,
        Self::Const,
        Self::Restrict,
        Self::Func,
        Self::FuncProto,
        Self::Var,
        Self::Datasec,
        Self::Float,
        Self::DeclTag,
        Self::TypeTag,
        Self::Enum64,
    ];

    /// The kind of a number, if it is one that is known here.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }

    /// Whether a type of this kind refers to another one in the place of a size.
    fn has_target(self) -> bool {
        use TypeKind::{Const, DeclTag, Func, FuncProto, Ptr, Restrict, TypeTag, Typedef, Var, Volatile};
        matches!(
            self,
            Ptr | Typedef | Volatile | Const | Restrict | Func | FuncProto | Var | DeclTag | TypeTag
        )
    }

    /// BTF's word, as in `bpftool btf dump`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Void => "VOID",
            Self::Int => "INT",
            Self::Ptr => "PTR",
            Self::Array => "ARRAY",
            Self::Struct => "STRUCT",
            Self::Union => "UNION",
            Self::Enum => "ENUM",
            Self::Fwd => "FWD",
            Self::Typedef => "TYPEDEF",
            Self::Volatile => "VOLATILE",
            Self::Const => "CONST",
            Self::Restrict => "RESTRICT",
            Self::Func => "FUNC",
            Self::FuncProto => "FUNC_PROTO",
            Self::Var => "VAR",
            Self::Datasec => "DATASEC",
            Self::Float => "FLOAT",
            Self::DeclTag => "DECL_TAG",
            Self::TypeTag => "TYPE_TAG",
            Self::Enum64 => "ENUM64",
        }
    }
}

/// The types of a surface, read in place.
#[derive(Debug, Clone, Copy)]
pub struct Types<'a> {
    pub(super) records: &'a [record::Type],
    pub(super) children: &'a [record::TypeChild],
    pub(super) by_name: &'a [U32],
    pub(super) strings: &'a [u8],
}

impl<'a> Types<'a> {
    /// Number of types, `void` included; ids are below it.
    #[must_use]
    pub fn len(self) -> u32 {
        self.records.len() as u32
    }

    /// Whether there are no types but `void`.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.records.len() <= 1
    }

    /// The type of an id; `None` for an id that is not of this table.
    #[must_use]
    pub fn get(self, id: TypeId) -> Option<Type<'a>> {
        let record = self.records.get(id.0 as usize)?;
        Some(Type { types: self, id, record })
    }

    /// The type a record refers to: `None` for [`NONE`] and for ids that are not of this table.
    #[must_use]
    pub fn get_optional(self, id: u32) -> Option<Type<'a>> {
        if id == NONE { None } else { self.get(TypeId(id)) }
    }

    /// All types but `void`, by id.
    pub fn iter(self) -> impl Iterator<Item = Type<'a>> {
        (1..self.len()).filter_map(move |id| self.get(TypeId(id)))
    }

    /// All named types, sorted by name, kind, id.
    pub fn named(self) -> impl Iterator<Item = Type<'a>> {
        self.by_name.iter().filter_map(move |id| self.get(TypeId(id.get())))
    }

    /// All types of a name, whatever their kind, sorted by kind and id.
    pub fn with_name(self, name: &'a str) -> impl Iterator<Item = Type<'a>> {
        let name_of = |id: &U32| self.records.get(id.get() as usize).map_or(0, |record| record.name.get());
        let start = self.by_name.partition_point(|id| compare_at(self.strings, name_of(id), name).is_lt());
        self.by_name[start..]
            .iter()
            .filter_map(move |id| self.get(TypeId(id.get())))
            .take_while(move |found| found.name() == name)
    }

    /// All types of a name and those that are flavours of it (`task_struct___old`), sorted by name, kind and id. For
    /// libbpf, the flavour of a name does not count.
    pub fn with_essential_name<'n>(self, name: &'n str) -> impl Iterator<Item = Type<'a>> + use<'a, 'n> {
        let from = move |prefix: &str, wanted: fn(&str, &str) -> bool| {
            let name_of =
                |id: &U32| self.records.get(id.get() as usize).map_or(0, |record| record.name.get());
            let before = |id: &U32| compare_at(self.strings, name_of(id), prefix).is_lt();
            let start = self.by_name.partition_point(before);
            let found = self.by_name[start..].iter().filter_map(move |id| self.get(TypeId(id.get())));
            found.take_while(move |found| wanted(found.name(), name))
        };
        let flavours = from(&format!("{name}___"), |found, name| {
            found.strip_prefix(name).is_some_and(|rest| rest.starts_with("___"))
        });
        let flavours = flavours.filter(move |found| essential_name(found.name()).0 == name);
        from(name, |found, name| found == name).chain(flavours)
    }

    /// All types of a kind and name, the first defined one first.
    pub fn find_all(self, kind: TypeKind, name: &'a str) -> impl Iterator<Item = Type<'a>> {
        self.with_name(name).filter(move |found| found.kind() == kind)
    }

    /// The first type of a kind and name.
    #[must_use]
    pub fn find(self, kind: TypeKind, name: &'a str) -> Option<Type<'a>> {
        self.find_all(kind, name).next()
    }

    /// A string of the table; empty for a bad offset.
    pub(crate) fn text(self, id: u32) -> &'a str {
        text_at(self.strings, id)
    }
}

/// One type.
#[derive(Debug, Clone, Copy)]
pub struct Type<'a> {
    types: Types<'a>,
    id: TypeId,
    record: &'a record::Type,
}

/// A member of a struct or union.
#[derive(Debug, Clone, Copy)]
pub struct Member<'a> {
    /// Name; empty for an anonymous struct or union member.
    pub name: &'a str,
    /// Type.
    pub type_id: TypeId,
    /// Offset from the start of the struct, in bits; `None` where it is unknown.
    pub bit_offset: Option<u32>,
    /// Bits of a bitfield; `None` for other members, and where that is unknown.
    pub bitfield_size: Option<u8>,
}

/// A parameter of a prototype.
#[derive(Debug, Clone, Copy)]
pub struct Param<'a> {
    /// Name; empty where the declaration has none.
    pub name: &'a str,
    /// Type; `void` without a name for the `...` at the end.
    pub type_id: TypeId,
}

/// A value of an enum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Enumerator<'a> {
    /// Name.
    pub name: &'a str,
    /// Value, signed as the enum is declared.
    pub value: i128,
}

impl<'a> Type<'a> {
    /// Id in its table.
    #[must_use]
    pub fn id(self) -> TypeId {
        self.id
    }

    /// The table it is in.
    #[must_use]
    pub fn types(self) -> Types<'a> {
        self.types
    }

    /// Kind. A number that no writer gives reads as `Void`.
    #[must_use]
    pub fn kind(self) -> TypeKind {
        TypeKind::from_number(self.record.kind.get() as u8).unwrap_or(TypeKind::Void)
    }

    /// BTF's `kind_flag`: bitfields in a struct, a union FWD, a signed enum.
    #[must_use]
    pub fn kind_flag(self) -> bool {
        self.record.kind.get() >> 8 & 1 != 0
    }

    /// Name; empty for anonymous types.
    #[must_use]
    pub fn name(self) -> &'a str {
        self.types.text(self.record.name.get())
    }

    /// Name as an id of the surface's string table.
    #[must_use]
    pub fn name_id(self) -> StrId {
        StrId(self.record.name.get())
    }

    /// Whether it is known what the type is made of: members, values, target. What an imported dataset only
    /// refers to has nothing but kind and name, and is not found by its name.
    #[must_use]
    pub fn is_defined(self) -> bool {
        !self.has(record::TYPE_UNDEFINED)
    }

    /// Whether it is found by its name.
    pub(crate) fn is_listed(self) -> bool {
        !self.has(record::TYPE_UNDEFINED) && !self.has(record::TYPE_UNLISTED)
    }

    /// Whether the offsets of its members are known, and which of them are bitfields.
    #[must_use]
    pub fn has_offsets(self) -> bool {
        !self.has(record::TYPE_NO_OFFSETS)
    }

    fn has(self, bit: u32) -> bool {
        self.record.kind.get() & bit != 0
    }

    /// Size in bytes of INT, STRUCT, UNION, ENUM, ENUM64, FLOAT and DATASEC; `None` for other kinds, and where it is
    /// unknown.
    #[must_use]
    pub fn size(self) -> Option<u32> {
        use TypeKind::{Datasec, Enum, Enum64, Float, Int, Struct, Union};
        let sized = matches!(self.kind(), Int | Struct | Union | Enum | Enum64 | Float | Datasec);
        (sized && !self.has(record::TYPE_NO_SIZE)).then(|| self.record.size_or_type.get())
    }

    /// The id of the type that PTR, TYPEDEF, a qualifier, FUNC, VAR, a tag or FUNC_PROTO (its return type)
    /// refers to; `None` for other kinds, and for a typedef of which only the name is known.
    #[must_use]
    pub fn target_id(self) -> Option<TypeId> {
        (self.kind().has_target() && self.is_defined()).then(|| TypeId(self.record.size_or_type.get()))
    }

    /// The type of [`Type::target_id`].
    #[must_use]
    pub fn target(self) -> Option<Self> {
        self.types.get(self.target_id()?)
    }

    /// The raw children.
    #[must_use]
    pub fn children(self) -> &'a [record::TypeChild] {
        let start = self.record.first_child.get() as usize;
        let end = self
            .types
            .records
            .get(self.id.0 as usize + 1)
            .map_or(self.types.children.len(), |next| next.first_child.get() as usize);
        self.types.children.get(start..end).unwrap_or_default()
    }

    /// Members of a STRUCT or UNION; nothing for other kinds.
    pub fn members(self) -> impl ExactSizeIterator<Item = Member<'a>> {
        let children = match self.kind() {
            TypeKind::Struct | TypeKind::Union => self.children(),
            _ => &[],
        };
        let bitfields = self.kind_flag();
        let known = self.has_offsets();
        children.iter().map(move |child| {
            let word = child.b.get();
            let size = (word >> 24) as u8;
            Member {
                name: self.types.text(child.name.get()),
                type_id: TypeId(child.a.get()),
                bit_offset: known.then_some(if bitfields { word & 0xff_ffff } else { word }),
                bitfield_size: (bitfields && size != 0).then_some(size),
            }
        })
    }

    /// Parameters of a FUNC_PROTO; nothing for other kinds.
    pub fn params(self) -> impl ExactSizeIterator<Item = Param<'a>> {
        let children = if self.kind() == TypeKind::FuncProto { self.children() } else { &[] };
        children.iter().map(move |child| Param {
            name: self.types.text(child.name.get()),
            type_id: TypeId(child.a.get()),
        })
    }

    /// Values of an ENUM or ENUM64; nothing for other kinds.
    pub fn enumerators(self) -> impl ExactSizeIterator<Item = Enumerator<'a>> {
        let wide = self.kind() == TypeKind::Enum64;
        let children = if wide || self.kind() == TypeKind::Enum { self.children() } else { &[] };
        let signed = self.kind_flag();
        children.iter().map(move |child| {
            let (low, high) = (child.a.get(), child.b.get());
            let value = match (wide, signed) {
                (false, false) => i128::from(low),
                (false, true) => i128::from(low.cast_signed()),
                (true, signed) => {
                    let value = u64::from(high) << 32 | u64::from(low);
                    if signed { i128::from(value.cast_signed()) } else { i128::from(value) }
                }
            };
            Enumerator { name: self.types.text(child.name.get()), value }
        })
    }

    /// Element type and number of elements of an ARRAY.
    #[must_use]
    pub fn array(self) -> Option<(TypeId, u32)> {
        if self.kind() != TypeKind::Array {
            return None;
        }
        self.children().first().map(|child| (TypeId(child.a.get()), child.b.get()))
    }

    /// Whether an INT is signed.
    #[must_use]
    pub fn is_signed(self) -> bool {
        // BTF_INT_SIGNED is bit 0 of the encoding, which is in bits 24-27 of the word.
        self.kind() == TypeKind::Int
            && self.children().first().is_some_and(|child| child.a.get() >> 24 & 1 != 0)
    }

    /// The type behind qualifiers, type tags and, if asked, typedefs.
    #[must_use]
    pub fn stripped(self, typedefs: bool) -> Self {
        let mut current = self;
        // A chain longer than this only occurs in hostile input, where it may be a cycle.
        for _ in 0..64 {
            let step = match current.kind() {
                TypeKind::Const | TypeKind::Volatile | TypeKind::Restrict | TypeKind::TypeTag => true,
                TypeKind::Typedef => typedefs,
                _ => false,
            };
            match current.target() {
                Some(next) if step => current = next,
                _ => break,
            }
        }
        current
    }

    /// Size in bytes of a value of this type: through typedefs, qualifiers and arrays; pointers count
    /// `address_size`. `None` for `void`, functions, FWD and types that refer to themselves.
    #[must_use]
    pub fn byte_size(self, address_size: u8) -> Option<u64> {
        let mut current = self.stripped(true);
        let mut count = 1u64;
        for _ in 0..64 {
            match current.kind() {
                TypeKind::Array => {
                    let (element, elements) = current.array()?;
                    count = count.checked_mul(u64::from(elements))?;
                    current = self.types.get(element)?.stripped(true);
                }
                TypeKind::Ptr => return count.checked_mul(u64::from(address_size)),
                TypeKind::Datasec => return None,
                _ => return count.checked_mul(u64::from(current.size()?)),
            }
        }
        None
    }
}
