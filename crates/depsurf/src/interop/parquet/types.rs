//! `types`, `enumerators`: types in BTF's vocabulary.

use super::column::Column;
use super::column::ColumnKind::{Bool, Decimal, Records, Text, U32, U64};
use super::rows::{Row, Rows};
use crate::error::Result;
use crate::surface::types::{Param, Type, TypeKind, Types};
use crate::surface::{Surface, c};

/// Columns of `types`.
pub(super) const TYPES: &[Column] = &[
    Column::new("type_id", U32, "id in this kernel; those of its BTF are its own ids there; 0 is `void`")
        .ascending(),
    Column::new("kind", Text, "BTF's word: `STRUCT`, `PTR`, `FUNC_PROTO` ..."),
    Column::nullable("name", Text, "name", "the type has none"),
    Column::new("source", Text, "`btf` for what libbpf sees, `dwarf` for what the kernel's BTF lacks"),
    Column::nullable(
        "size",
        U32,
        "bytes, as the type itself says",
        "only INT, STRUCT, UNION, ENUM, ENUM64, FLOAT and DATASEC have one",
    ),
    Column::nullable(
        "byte_size",
        U64,
        "bytes of a value, through typedefs, qualifiers and arrays",
        "`void`, functions and types that are only declared have no values",
    ),
    Column::nullable(
        "target_id",
        U32,
        "type that a pointer, typedef, qualifier, tag, FUNC or VAR refers to, element of an ARRAY, result of a \
         FUNC_PROTO: `types.type_id`",
        "the kind refers to none",
    ),
    Column::nullable("array_length", U32, "number of elements", "no ARRAY"),
    Column::nullable("signed", Bool, "whether values are signed", "neither INT nor ENUM nor ENUM64"),
    Column::nullable("params", Records(PARAMS), "parameters", "no FUNC_PROTO"),
    Column::new("c", Text, "the type in C; of a FUNC its declaration"),
    Column::nullable("module", Text, "module whose BTF has it", "vmlinux has it, or only DWARF"),
];

/// Fields of a parameter.
pub(super) const PARAMS: &[Column] = &[
    Column::nullable("name", Text, "name of the parameter", "it has none"),
    Column::new("type_id", U32, "its type: `types.type_id`; 0 for `...`"),
    Column::new("type", Text, "its type in C; `...` for variable arguments"),
];

/// Columns of `enumerators`.
pub(super) const ENUMERATORS: &[Column] = &[
    Column::new("enum_id", U32, "the ENUM or ENUM64: `types.type_id`").ascending(),
    Column::nullable("enum_name", Text, "its name", "it has none"),
    Column::new("position", U32, "place in the enum, from 0"),
    Column::new("name", Text, "name"),
    Column::new("value", Decimal, "value, signed as the enum is declared"),
];

/// One row per type, `void` included, by id.
pub(super) fn types(surface: &Surface, rows: &mut Rows<'_>) -> Result<()> {
    let types = surface.types();
    let address_size = surface.meta().address_size;
    (0..types.len()).filter_map(|id| types.get(crate::surface::TypeId(id))).try_for_each(|found| {
        let array = found.array();
        let target = found.target_id().or(array.map(|(element, _)| element));
        rows.row(|row| {
            row.put("type_id", found.id().0);
            row.put("kind", found.kind().name());
            row.put("name", name(found));
            row.put("source", source(surface, found));
            row.put("size", found.size());
            row.put("byte_size", found.byte_size(address_size));
            row.put("target_id", target.map(|id| id.0));
            row.put("array_length", array.map(|(_, length)| length));
            row.put("signed", is_signed(found));
            let list = (found.kind() == TypeKind::FuncProto).then(|| found.params());
            row.records("params", list, |fields, param| params(fields, types, param));
            row.put("c", &text(found));
            row.put("module", surface.module_of_type(found).map(|module| module.name()));
        })
    })
}

/// One row per value of an enum.
pub(super) fn enumerators(surface: &Surface, rows: &mut Rows<'_>) -> Result<()> {
    for found in surface.types().iter() {
        for (position, enumerator) in (0u32..).zip(found.enumerators()) {
            rows.row(|row| {
                row.put("enum_id", found.id().0);
                row.put("enum_name", name(found));
                row.put("position", position);
                row.put("name", enumerator.name);
                row.put("value", enumerator.value);
            })?;
        }
    }
    Ok(())
}

/// The fields of a parameter.
pub(super) fn params(row: &mut Row<'_>, types: Types<'_>, param: Param<'_>) {
    // BTF writes the `...` at the end as a parameter of type void.
    let found = types.get(param.type_id).filter(|found| found.kind() != TypeKind::Void);
    row.put("name", Some(param.name).filter(|name| !name.is_empty()));
    row.put("type_id", param.type_id.0);
    row.put("type", &found.map_or_else(|| "...".into(), |found| c::declaration(found, "")));
}

/// The name of a type that has one.
pub(super) fn name(found: Type<'_>) -> Option<&str> {
    Some(found.name()).filter(|name| !name.is_empty())
}

/// Where a type was read from.
fn source(surface: &Surface, found: Type<'_>) -> &'static str {
    if surface.is_in_btf(found) { "btf" } else { "dwarf" }
}

fn is_signed(found: Type<'_>) -> Option<bool> {
    match found.kind() {
        TypeKind::Int => Some(found.is_signed()),
        TypeKind::Enum | TypeKind::Enum64 => Some(found.kind_flag()),
        _ => None,
    }
}

fn text(found: Type<'_>) -> String {
    match found.kind() {
        TypeKind::Func => c::prototype(found, found.name()),
        _ => c::declaration(found, ""),
    }
}
