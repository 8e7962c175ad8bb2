//! Structs, unions and enums.

use std::borrow::Cow;

use depsurf::surface::field::{Field, fields};
use depsurf::surface::types::{Type, TypeKind};
use depsurf::surface::{Fact, Surface, c};
use schemars::JsonSchema;
use serde::Serialize;

use crate::json::type_name;
use crate::layout::{self, List};
use crate::markdown;
use crate::rows::Shelf;
use depsurf::Kind;

/// The definitions of one name on one kernel.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "Type")]
pub struct Facts<'a> {
    /// Definitions that differ, the one that is shown first in front. CO-RE tries every one of them.
    pub definitions: Vec<Definition<'a>>,
}

/// One definition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Definition<'a> {
    /// `btf` for what libbpf sees, `dwarf` for what the kernel's BTF lacks, `import` for what an imported dataset has
    /// and the kernel's BTF may have or not.
    pub source: &'static str,
    /// The module whose BTF has it; missing where the kernel's own has it, or none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub module: Option<&'a str>,
    /// The definition in C. Members of anonymous structs and unions stand among those of the type.
    pub declaration: String,
    /// Bytes; `None` where the source of the facts does not tell.
    pub size: Option<u32>,
    /// Members with their places, those of anonymous structs and unions included.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<MemberFacts<'a>>,
    /// Values of an enum.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<ValueFacts<'a>>,
}

/// A member of a struct or union.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "Member")]
pub struct MemberFacts<'a> {
    /// Name.
    pub name: Cow<'a, str>,
    /// Type, as C.
    #[serde(rename = "type")]
    pub type_name: String,
    /// Type and name, as C.
    #[serde(skip)]
    pub declaration: String,
    /// Offset from the start of the outermost type, in bits; `None` where it is unknown.
    pub bit_offset: Option<u64>,
    /// Bits of a bitfield; `None` for other members, and where that is unknown.
    pub bitfield_size: Option<u8>,
    /// Bytes; `None` for a bitfield and for types without a size.
    pub size: Option<u64>,
}

/// A value of an enum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "EnumValue")]
pub struct ValueFacts<'a> {
    /// Name.
    pub name: &'a str,
    /// Value.
    pub value: i128,
}

/// The name under which anonymous enums are collected.
const ANONYMOUS: &str = "(anon)";

/// The definitions of a name, or what is there instead.
pub(crate) fn lookup<'a>(
    surface: &'a Surface,
    kind: Kind,
    name: &'a str,
) -> Result<Facts<'a>, Option<String>> {
    let kinds: &[TypeKind] = match kind {
        Kind::Union => &[TypeKind::Union],
        Kind::Enum => &[TypeKind::Enum, TypeKind::Enum64],
        _ => &[TypeKind::Struct],
    };
    let types = surface.types();
    let mut definitions: Vec<Definition<'a>> = Vec::new();
    let mut add = |found: Type<'a>| {
        let definition = Definition::new(surface, found);
        // The same definition may have been read from BTF and again from DWARF.
        let same = |other: &Definition<'_>| {
            Definition { source: other.source, module: other.module, ..definition.clone() } == *other
        };
        if !definitions.iter().any(same) {
            definitions.push(definition);
        }
    };
    if kind == Kind::Enum && name == ANONYMOUS {
        let is_anonymous = |found: &Type<'a>| found.name().is_empty() && found.is_defined();
        types.iter().filter(|found| kinds.contains(&found.kind()) && is_anonymous(found)).for_each(&mut add);
    } else {
        types.with_name(name).filter(|found| kinds.contains(&found.kind())).for_each(&mut add);
    }
    if definitions.is_empty() {
        let declared =
            types.find(TypeKind::Fwd, name).is_some_and(|fwd| fwd.kind_flag() == (kind == Kind::Union));
        return Err((declared && kind != Kind::Enum).then(|| "declared, but nowhere defined".into()));
    }
    Ok(Facts { definitions })
}

/// Why a type is unknown that others of an imported dataset refer to and that the dataset does not define.
pub(crate) fn undefined(surface: &Surface, kind: Kind, name: &str) -> Option<(Fact, &'static str)> {
    surface.meta().imported.as_ref()?;
    let (fact, kinds): (_, &[TypeKind]) = match kind {
        Kind::Struct => (Fact::Structs, &[TypeKind::Struct]),
        Kind::Union => (Fact::Unions, &[TypeKind::Union]),
        Kind::Enum => (Fact::Enums, &[TypeKind::Enum]),
        Kind::Field => (Fact::Structs, &[TypeKind::Struct, TypeKind::Union]),
        _ => return None,
    };
    let name = match kind {
        Kind::Field => depsurf::surface::field::split(name)?.0,
        _ => name,
    };
    let types = surface.types();
    let is_it = |found: &Type<'_>| kinds.contains(&found.kind()) && found.name() == name;
    let named = types.iter().any(|found| !found.is_defined() && is_it(&found));
    (named && !types.with_name(name).any(|found| is_it(&found)))
        .then_some((fact, "the dataset refers to it and does not define it"))
}

impl<'a> Definition<'a> {
    fn new(surface: &'a Surface, found: Type<'a>) -> Self {
        Self {
            source: source(surface, found),
            module: surface.module_of_type(found).map(|module| module.name()),
            declaration: c::definition(found),
            size: found.size(),
            members: members(surface, found),
            values: found.enumerators().map(|it| ValueFacts { name: it.name, value: it.value }).collect(),
        }
    }
}

/// Where a type was read from.
pub(crate) fn source(surface: &Surface, found: Type<'_>) -> &'static str {
    let meta = surface.meta();
    if surface.is_in_btf(found) {
        "btf"
    } else if meta.imported.is_some() {
        "import"
    } else {
        "dwarf"
    }
}

/// The fields of a struct or union; those of anonymous members stand in the place of these.
pub(crate) fn members<'a>(surface: &'a Surface, found: Type<'a>) -> Vec<MemberFacts<'a>> {
    fields(found).into_iter().map(|field| MemberFacts::new(surface, field)).collect()
}

impl<'a> MemberFacts<'a> {
    pub(crate) fn new(surface: &'a Surface, field: Field<'a>) -> Self {
        let size = field.ty.byte_size(surface.meta().address_size);
        Self {
            type_name: type_name(field.ty),
            declaration: c::declaration(field.ty, &field.name),
            name: field.name,
            bit_offset: field.bit_offset,
            bitfield_size: field.bitfield_size,
            size: size.filter(|_| field.bitfield_size.is_none()),
        }
    }
}

impl MemberFacts<'_> {
    /// Byte offset; for a bitfield `byte:bit`, where bits count as BTF counts them; `?` where unknown.
    pub(crate) fn place(&self) -> String {
        match (self.bit_offset, self.bitfield_size) {
            (None, _) => "?".into(),
            (Some(offset), None) => (offset / 8).to_string(),
            (Some(offset), Some(_)) => format!("{}:{}", offset / 8, offset % 8),
        }
    }

    /// Its line in a list of members: declaration and place.
    pub(crate) fn line(&self) -> (String, String) {
        let bits = self.bitfield_size.map_or_else(String::new, |bits| format!(" : {bits}"));
        (self.declaration.clone() + &bits, self.place())
    }

    /// Bytes, or bits with their unit; `?` where unknown.
    pub(crate) fn extent(&self) -> String {
        match (self.bitfield_size, self.size) {
            (Some(1), _) => "1 bit".into(),
            (Some(bits), _) => format!("{bits} bits"),
            (None, Some(size)) => size.to_string(),
            (None, None) => "?".into(),
        }
    }
}

/// The body of an entry: the first definition, then the others.
pub(crate) fn markdown(facts: &Facts<'_>, out: &mut String) {
    for (index, definition) in facts.definitions.iter().enumerate() {
        if index > 0 {
            out.push_str("\nAnother definition under this name:\n\n");
        }
        markdown::block("c", &definition.declaration, out);
    }
}

/// The sections of a page on a struct, union or enum.
pub(crate) fn terminal(present: &[(usize, &Facts<'_>)], shelf: &mut Shelf<'_>) {
    let among: Vec<usize> = present.iter().map(|(kernel, _)| *kernel).collect();
    let mut lists = Vec::new();
    for (kernel, facts) in present {
        for (index, definition) in facts.definitions.iter().enumerate() {
            let size = definition.size.map_or_else(|| "size unknown".into(), |size| format!("{size} bytes"));
            let count = match (definition.members.len(), definition.values.len()) {
                (0, 0) => "empty".into(),
                (members, 0) => layout::counted(members, "member"),
                (_, values) => layout::counted(values, "value"),
            };
            let mut title = format!("{size}, {count}");
            if definition.source == "dwarf" {
                title.push_str(", from DWARF: not in the kernel's BTF");
            }
            if let Some(module) = definition.module {
                title.push_str(&format!(", in module {module}"));
            }
            if facts.definitions.len() > 1 {
                title.push_str(&format!(" (definition {} of {})", index + 1, facts.definitions.len()));
            }
            let members = definition.members.iter().map(MemberFacts::line);
            let values = definition.values.iter().map(|it| (it.name.to_owned(), it.value.to_string()));
            lists.push(List { kernel: *kernel, title, lines: members.chain(values).collect() });
        }
    }
    let is_enum = present.iter().any(|(_, facts)| facts.definitions.iter().any(|it| !it.values.is_empty()));
    if is_enum {
        layout::values("Size", "Values", &lists, &among, shelf);
    } else {
        layout::members("Size", "Members", &lists, &among, shelf);
    }
}
