//! C types by their spelling, laid out for a target, and turned into both BTF and DWARF.
//!
//! A type is written the way the DWARF labels are: `int`, `const char *`, `struct file *`, `char[16]`,
//! `int (struct file *, long)` for a function, the same with ` *` behind it for a pointer to one.
//! A struct or union that was not defined is a declaration (a BTF `FWD`). A name in angle brackets,
//! `union <event>`, is for a type that has none.
//!
//! ```
//! use testkit::{Target, c::Types};
//!
//! let mut types = Types::new(Target::LE64);
//! types.structure("list_head", &[("next", "struct list_head *"), ("prev", "struct list_head *")]);
//! types.structure("file", &[("f_mode:3", "unsigned int"), ("f_list", "struct list_head")]);
//! types.function("vfs_read", "long", &[("file", "struct file *"), ("count", "unsigned long")]);
//! assert_eq!(types.offset("struct file", "f_list"), 8);
//! let table = types.btf();
//! let vfs_read: u32 = table.func("vfs_read");
//! let dies = types.dies(&["struct file *"]);
//! ```

mod btf;
mod dwarf;
mod spelling;

pub use btf::TypeTable;

use std::collections::HashMap;

use crate::Target;
use crate::btf::Encoding;
use spelling::Shape;

/// A set of types for one target. It knows the arithmetic types of C and `bool`, `u8` to `u64`, `size_t`.
#[derive(Clone, Debug)]
pub struct Types {
    target: Target,
    definitions: Vec<Definition>,
    /// By spelling.
    known: HashMap<String, usize>,
    functions: Vec<Function>,
    tags: Vec<(String, String)>,
}

#[derive(Clone, Debug)]
struct Definition {
    /// As a declaration refers to it: `struct file`, `pid_t`.
    spelling: String,
    /// Empty for a type without name.
    name: String,
    kind: Kind,
}

#[derive(Clone, Debug)]
enum Kind {
    Base { size: u64, encoding: Encoding },
    Typedef { of: String },
    Struct { members: Vec<Member>, size: u64, align: u64 },
    Union { members: Vec<Member>, size: u64, align: u64 },
    Enum { values: Vec<(String, i64)> },
}

#[derive(Clone, Debug)]
struct Member {
    name: String,
    spelling: String,
    /// From the start of the struct or union.
    bit_offset: u64,
    /// `None` unless it is a bit-field.
    bit_size: Option<u64>,
}

#[derive(Clone, Debug)]
struct Function {
    name: String,
    returns: String,
    parameters: Vec<(String, String)>,
}

impl Types {
    /// The arithmetic types only. They appear in BTF and DWARF when something uses them.
    pub fn new(target: Target) -> Types {
        let mut types = Types {
            target,
            definitions: Vec::new(),
            known: HashMap::new(),
            functions: Vec::new(),
            tags: Vec::new(),
        };
        let long = target.width.bytes().into();
        for (name, size, encoding) in [
            ("char", 1, Encoding::Signed),
            ("unsigned char", 1, Encoding::Unsigned),
            ("short", 2, Encoding::Signed),
            ("unsigned short", 2, Encoding::Unsigned),
            ("int", 4, Encoding::Signed),
            ("unsigned int", 4, Encoding::Unsigned),
            ("long", long, Encoding::Signed),
            ("unsigned long", long, Encoding::Unsigned),
            ("long long", 8, Encoding::Signed),
            ("unsigned long long", 8, Encoding::Unsigned),
            ("_Bool", 1, Encoding::Bool),
        ] {
            types.define(name, name, Kind::Base { size, encoding });
        }
        for (name, of) in [
            ("bool", "_Bool"),
            ("u8", "unsigned char"),
            ("u16", "unsigned short"),
            ("u32", "unsigned int"),
            ("u64", "unsigned long long"),
            ("size_t", "unsigned long"),
        ] {
            types.typedef(name, of);
        }
        types
    }

    /// `typedef OF NAME`.
    pub fn typedef(&mut self, name: &str, of: &str) -> &mut Types {
        self.define(name, name, Kind::Typedef { of: of.to_owned() })
    }

    /// `struct NAME`: members by name and type, laid out as a C compiler does. An anonymous member has
    /// an empty name, a bit-field its number of bits behind it: `"low:3"`.
    ///
    /// # Panics
    /// When a member has the type of something that is not defined, or the struct is defined already.
    pub fn structure(&mut self, name: &str, members: &[(&str, &str)]) -> &mut Types {
        self.structure_aligned(name, 1, members)
    }

    /// A struct with `__attribute__((aligned(ALIGN)))`.
    pub fn structure_aligned(&mut self, name: &str, align: u64, members: &[(&str, &str)]) -> &mut Types {
        let (members, bits, natural) = self.layout(members, false);
        let align = align.max(natural);
        let size = bits.div_ceil(8).next_multiple_of(align);
        self.define(&format!("struct {name}"), name, Kind::Struct { members, size, align })
    }

    /// `union NAME`, with members as in [`Types::structure`].
    pub fn union(&mut self, name: &str, members: &[(&str, &str)]) -> &mut Types {
        let (members, bits, align) = self.layout(members, true);
        let size = bits.div_ceil(8).next_multiple_of(align);
        self.define(&format!("union {name}"), name, Kind::Union { members, size, align })
    }

    /// `enum NAME` of four bytes.
    pub fn enumeration(&mut self, name: &str, values: &[(&str, i64)]) -> &mut Types {
        let values = values.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect();
        self.define(&format!("enum {name}"), name, Kind::Enum { values })
    }

    /// A function, which BTF has as a `FUNC`. It is no type, and so not among the [`Types::dies`].
    pub fn function(&mut self, name: &str, returns: &str, parameters: &[(&str, &str)]) -> &mut Types {
        let parameters = parameters.iter().map(|(name, of)| ((*name).to_owned(), (*of).to_owned()));
        self.functions.push(Function {
            name: name.to_owned(),
            returns: returns.to_owned(),
            parameters: parameters.collect(),
        });
        self
    }

    /// A BTF `DECL_TAG` on a function, such as `bpf_kfunc`.
    pub fn tag(&mut self, text: &str, function: &str) -> &mut Types {
        self.tags.push((text.to_owned(), function.to_owned()));
        self
    }

    /// `sizeof`.
    ///
    /// # Panics
    /// When the type is not defined.
    pub fn size(&self, spelling: &str) -> u64 {
        self.size_and_align(spelling).0
    }

    /// Offset in bytes of a member, also one of an anonymous struct or union inside.
    ///
    /// # Panics
    /// When there is none.
    pub fn offset(&self, aggregate: &str, member: &str) -> u64 {
        let found = self.find(aggregate, member);
        found.unwrap_or_else(|| panic!("`{aggregate}` has no member `{member}`")).bit_offset / 8
    }

    /// Size in bytes of a member's type.
    ///
    /// # Panics
    /// When there is no such member.
    pub fn member_size(&self, aggregate: &str, member: &str) -> u64 {
        let found = self.find(aggregate, member);
        self.size(&found.unwrap_or_else(|| panic!("`{aggregate}` has no member `{member}`")).spelling)
    }

    /// The member with its offset from the start of `aggregate`.
    fn find(&self, aggregate: &str, name: &str) -> Option<Member> {
        let (Kind::Struct { members, .. } | Kind::Union { members, .. }) = &self.definition(aggregate)?.kind
        else {
            return None;
        };
        members.iter().find_map(|member| {
            if member.name == name {
                return Some(member.clone());
            }
            let inner =
                if member.name.is_empty() { self.find(&member.spelling, name)? } else { return None };
            Some(Member { bit_offset: member.bit_offset + inner.bit_offset, ..inner })
        })
    }

    fn define(&mut self, spelling: &str, name: &str, kind: Kind) -> &mut Types {
        let name = if name.starts_with('<') { "" } else { name };
        let before = self.known.insert(spelling.to_owned(), self.definitions.len());
        assert!(before.is_none(), "`{spelling}` is defined twice");
        self.definitions.push(Definition { spelling: spelling.to_owned(), name: name.to_owned(), kind });
        self
    }

    fn definition(&self, spelling: &str) -> Option<&Definition> {
        self.known.get(spelling).map(|index| &self.definitions[*index])
    }

    fn size_and_align(&self, spelling: &str) -> (u64, u64) {
        match Shape::of(spelling) {
            Shape::Void | Shape::Function { .. } => (1, 1),
            Shape::Pointer(_) => (self.target.width.bytes().into(), self.target.width.bytes().into()),
            Shape::Array { of, counts } => {
                let (size, align) = self.size_and_align(of);
                (size * counts.iter().product::<u64>(), align)
            }
            Shape::Const(of) | Shape::Volatile(of) => self.size_and_align(of),
            Shape::Named(name) => {
                let found = self.definition(name);
                match &found.unwrap_or_else(|| panic!("`{name}` is not defined")).kind {
                    Kind::Base { size, .. } => (*size, *size),
                    Kind::Typedef { of } => self.size_and_align(of),
                    Kind::Struct { size, align, .. } | Kind::Union { size, align, .. } => (*size, *align),
                    Kind::Enum { .. } => (4, 4),
                }
            }
        }
    }

    /// Places members; returns them with the number of bits they take and the alignment they need.
    fn layout(&self, members: &[(&str, &str)], is_union: bool) -> (Vec<Member>, u64, u64) {
        let (mut end, mut most, mut align) = (0, 0, 1);
        let mut placed = Vec::new();
        for (name, spelling) in members {
            let (name, bit_size) = match name.split_once(':') {
                Some((name, bits)) => (name, Some(bits.parse().expect("a bit-field has a number of bits"))),
                None => (*name, None),
            };
            let (size, natural) = self.size_and_align(spelling);
            let start = if is_union { 0 } else { end };
            let bit_offset = match bit_size {
                // A bit-field goes where the last one ends, unless it would cross a unit of its type.
                Some(bits) if start % (8 * size) + bits <= 8 * size => start,
                _ => u64::next_multiple_of(start, 8 * natural),
            };
            end = bit_offset + bit_size.unwrap_or(8 * size);
            most = most.max(end);
            align = align.max(natural);
            placed.push(Member {
                name: name.to_owned(),
                spelling: (*spelling).to_owned(),
                bit_offset,
                bit_size,
            });
        }
        (placed, most, align)
    }
}
