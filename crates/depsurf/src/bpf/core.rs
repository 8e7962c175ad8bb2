//! CO-RE relocations: what a program wants to know of the running kernel's types, as a path over the object's own.

use std::fmt;

use crate::error::{Error, Result};
use crate::surface::types::{Type, Types};
use crate::surface::{TypeId, TypeKind};

/// Steps that libbpf allows in a path (`BPF_CORE_SPEC_MAX_LEN`).
const MAX_STEPS: usize = 64;

/// What is asked (`enum bpf_core_relo_kind`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "the names are libbpf's")]
pub enum RelocationKind {
    FieldByteOffset,
    FieldByteSize,
    FieldExists,
    FieldSigned,
    FieldLshiftU64,
    FieldRshiftU64,
    TypeIdLocal,
    TypeIdTarget,
    TypeExists,
    TypeSize,
    EnumvalExists,
    EnumvalValue,
    TypeMatches,
    /// A number that is not known here.
    Unknown(u32),
}

impl From<u32> for RelocationKind {
    fn from(number: u32) -> Self {
        match number {
            0 => Self::FieldByteOffset,
            1 => Self::FieldByteSize,
            2 => Self::FieldExists,
            3 => Self::FieldSigned,
            4 => Self::FieldLshiftU64,
            5 => Self::FieldRshiftU64,
            6 => Self::TypeIdLocal,
            7 => Self::TypeIdTarget,
            8 => Self::TypeExists,
            9 => Self::TypeSize,
            10 => Self::EnumvalExists,
            11 => Self::EnumvalValue,
            12 => Self::TypeMatches,
            _ => Self::Unknown(number),
        }
    }
}

impl RelocationKind {
    /// libbpf's word, as its messages have it between `<` and `>`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::FieldByteOffset => "byte_off",
            Self::FieldByteSize => "byte_sz",
            Self::FieldExists => "field_exists",
            Self::FieldSigned => "signed",
            Self::FieldLshiftU64 => "lshift_u64",
            Self::FieldRshiftU64 => "rshift_u64",
            Self::TypeIdLocal => "local_type_id",
            Self::TypeIdTarget => "target_type_id",
            Self::TypeExists => "type_exists",
            Self::TypeSize => "type_size",
            Self::EnumvalExists => "enumval_exists",
            Self::EnumvalValue => "enumval_value",
            Self::TypeMatches => "type_matches",
            Self::Unknown(_) => "unknown",
        }
    }

    /// Whether it asks about a field.
    #[must_use]
    pub fn is_field(self) -> bool {
        use RelocationKind::{
            FieldByteOffset, FieldByteSize, FieldExists, FieldLshiftU64, FieldRshiftU64, FieldSigned,
        };
        matches!(
            self,
            FieldByteOffset | FieldByteSize | FieldExists | FieldSigned | FieldLshiftU64 | FieldRshiftU64
        )
    }

    /// Whether it asks about an enumerator.
    #[must_use]
    pub fn is_enumerator(self) -> bool {
        matches!(self, Self::EnumvalExists | Self::EnumvalValue)
    }

    /// Whether the answer "it is not there" is 0 rather than a failure.
    #[must_use]
    pub fn may_miss(self) -> bool {
        use RelocationKind::{EnumvalExists, FieldExists, TypeExists, TypeIdTarget, TypeMatches, TypeSize};
        matches!(self, FieldExists | TypeExists | EnumvalExists | TypeMatches | TypeSize | TypeIdTarget)
    }
}

/// One record of `.BTF.ext`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Relocation {
    /// Index of the section with the instruction.
    pub section: u32,
    /// Offset of the instruction in its section, in bytes.
    pub offset: u32,
    /// What is asked.
    pub kind: RelocationKind,
    /// The type where the path starts, in the object's own types.
    pub type_id: TypeId,
    /// Offset of the access string in BTF's strings.
    pub(super) access: u32,
}

/// One step of a path.
#[derive(Debug, Clone, Copy)]
pub enum Step<'a> {
    /// The first of a field's path: which element, where the root is taken for the start of an array. 0 but for
    /// pointer arithmetic.
    Root {
        /// Index.
        index: u32,
    },
    /// A member of a struct or union.
    Member {
        /// The struct or union.
        of: Type<'a>,
        /// Which member.
        index: u32,
        /// Its name; empty for an anonymous struct or union.
        name: &'a str,
        /// Its type.
        type_id: TypeId,
    },
    /// An element of an array.
    Element {
        /// The array.
        of: Type<'a>,
        /// Which element.
        index: u32,
        /// Whether the array is the last member of its struct and has no length of its own, so that any index
        /// will do.
        flexible: bool,
    },
    /// An enumerator.
    Enumerator {
        /// Name.
        name: &'a str,
        /// Value in the object's own types.
        value: i128,
    },
}

/// What a relocation is about: a type, a field or an enumerator. `Display` gives a readable path, as in
/// `task_struct::__state`, `sock::__sk_common.skc_family`, `enum pid_type::PIDTYPE_PID` or `struct task_struct`.
#[derive(Debug, Clone)]
pub struct Path<'a> {
    /// The type as the program names it: struct, union, enum, typedef or another kind.
    pub root: Type<'a>,
    /// The root behind typedefs and qualifiers.
    pub resolved: Type<'a>,
    /// The steps; none for a type.
    pub steps: Vec<Step<'a>>,
    kind: RelocationKind,
}

/// A name up to the last `___`, which the kernel's type must have, and the flavour behind it. libbpf:
/// `bpf_core_essential_name_len`.
#[must_use]
pub fn essential_name(name: &str) -> (&str, Option<&str>) {
    // Three underscores with another character before and behind.
    let bytes = name.as_bytes();
    let is_flavour =
        |at: usize| bytes[at] != b'_' && &bytes[at + 1..at + 4] == b"___" && bytes[at + 4] != b'_';
    match (0..bytes.len().saturating_sub(4)).rev().find(|&at| is_flavour(at)) {
        // Underscores are characters of their own, so both cuts are between characters.
        Some(at) => (&name[..=at], Some(&name[at + 4..])),
        None => (name, None),
    }
}

impl<'a> Path<'a> {
    /// Follows an access string over the object's types, as libbpf does (`bpf_core_parse_spec`). `place` is for
    /// errors.
    pub(super) fn parse(types: Types<'a>, relocation: &Relocation, access: &str) -> Result<Self> {
        let (kind, id) = (relocation.kind, relocation.type_id);
        let failed = |what: String| {
            let what = format!(
                "CO-RE relocation {} of type {} with access string `{access}`: {what}",
                kind.name(),
                id.0
            );
            Error::malformed("eBPF object", format!("`.BTF.ext`, instruction {:#x}", relocation.offset), what)
        };
        let root = types.get(id).ok_or_else(|| failed(format!("there are {} types", types.len())))?;
        let mut path = Self { root, resolved: root.stripped(true), steps: Vec::new(), kind };
        if !kind.is_field() && !kind.is_enumerator() {
            return Ok(path);
        }
        let mut indices = Vec::new();
        for part in access.split(':') {
            if indices.len() == MAX_STEPS {
                return Err(failed(format!("more than {MAX_STEPS} steps")));
            }
            indices.push(part.parse::<u32>().map_err(|_| failed("it is no list of numbers".into()))?);
        }
        let (first, rest) = (indices[0], &indices[1..]);
        if kind.is_enumerator() {
            let found = enumerator(path.resolved, first).filter(|_| rest.is_empty());
            path.steps.push(found.ok_or_else(|| failed("no such enumerator".into()))?);
            return Ok(path);
        }
        path.steps.push(Step::Root { index: first });
        let mut current = path.resolved;
        // Whether `current` is the last member: an array there may be flexible.
        let mut last = false;
        for &index in rest {
            let next = match current.kind() {
                TypeKind::Struct | TypeKind::Union => {
                    let members = current.children();
                    last = index as usize + 1 == members.len();
                    let what = || failed(format!("no member {index} in {}", describe(current)));
                    let member = members.get(index as usize).ok_or_else(what)?;
                    let (name, type_id) = (types.text(member.name.get()), TypeId(member.a.get()));
                    path.steps.push(Step::Member { of: current, index, name, type_id });
                    type_id
                }
                TypeKind::Array => {
                    let (element, count) =
                        current.array().ok_or_else(|| failed("an array of nothing".into()))?;
                    let flexible = last && count == 0;
                    if index >= count && !flexible {
                        return Err(failed(format!("element {index} of {count}")));
                    }
                    path.steps.push(Step::Element { of: current, index, flexible });
                    last = false;
                    element
                }
                _ => return Err(failed(format!("{} has no parts", describe(current)))),
            };
            let next = types.get(next).ok_or_else(|| failed(format!("type {} does not exist", next.0)))?;
            current = next.stripped(true);
        }
        Ok(path)
    }

    /// What is asked.
    #[must_use]
    pub fn kind(&self) -> RelocationKind {
        self.kind
    }

    /// Name of the root without flavour: what the kernel's type is called.
    #[must_use]
    pub fn name(&self) -> &'a str {
        essential_name(self.root.name()).0
    }

    /// Flavour of the root, as in `o` for `task_struct___o`.
    #[must_use]
    pub fn flavour(&self) -> Option<&'a str> {
        essential_name(self.root.name()).1
    }
}

/// An enumerator by its index. Not through an iterator, which would take all of a long enum for every relocation.
fn enumerator(found: Type<'_>, index: u32) -> Option<Step<'_>> {
    if !matches!(found.kind(), TypeKind::Enum | TypeKind::Enum64) {
        return None;
    }
    let child = found.children().get(index as usize)?;
    let (low, high) = (child.a.get(), child.b.get());
    let value = match (found.kind(), found.kind_flag()) {
        (TypeKind::Enum, false) => i128::from(low),
        (TypeKind::Enum, true) => i128::from(low.cast_signed()),
        (_, signed) => {
            let value = u64::from(high) << 32 | u64::from(low);
            if signed { i128::from(value.cast_signed()) } else { i128::from(value) }
        }
    };
    Some(Step::Enumerator { name: found.types().text(child.name.get()), value })
}

/// "`struct sock`", for errors.
fn describe(found: Type<'_>) -> String {
    format!("`{}{}`", keyword(found.kind()), found.name())
}

/// C's keyword in front of a name.
fn keyword(kind: TypeKind) -> &'static str {
    match kind {
        TypeKind::Struct => "struct ",
        TypeKind::Union => "union ",
        TypeKind::Enum | TypeKind::Enum64 => "enum ",
        _ => "",
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.kind.is_field() {
            f.write_str(keyword(self.root.kind()))?;
        }
        f.write_str(self.name())?;
        let mut separator = "::";
        for step in &self.steps {
            match *step {
                Step::Root { index: 0 } | Step::Member { name: "", .. } => {}
                Step::Root { index } | Step::Element { index, .. } => write!(f, "[{index}]")?,
                Step::Member { name, .. } | Step::Enumerator { name, .. } => {
                    write!(f, "{separator}{name}")?;
                    separator = ".";
                }
            }
        }
        Ok(())
    }
}
