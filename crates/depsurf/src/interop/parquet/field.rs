//! `members`: members of structs and unions, those of anonymous members included.

use std::fmt::Write;

use super::column::Column;
use super::column::ColumnKind::{Text, U32, U64};
use super::rows::Rows;
use super::types::name;
use crate::error::Result;
use crate::surface::types::{Type, TypeKind};
use crate::surface::{Surface, c};

/// Columns of `members`.
pub(super) const MEMBERS: &[Column] = &[
    Column::new("parent_id", U32, "the STRUCT or UNION: `types.type_id`").ascending(),
    Column::new("parent_kind", Text, "`STRUCT` or `UNION`"),
    Column::nullable("parent_name", Text, "its name", "it has none"),
    Column::new("position", U32, "place among the rows of the parent, from 0"),
    Column::new(
        "depth",
        U32,
        "0 for a member that the parent declares; more for one inside of so many anonymous members",
    ),
    Column::new(
        "access",
        Text,
        "indices of the members from the parent down, `0:3:1`: the access string of a CO-RE relocation",
    ),
    Column::nullable("name", Text, "name", "the member is anonymous; its own members follow"),
    Column::nullable(
        "bit_offset",
        U64,
        "offset from the start of the parent, in bits",
        "an imported dataset may lack it",
    ),
    Column::nullable("bitfield_size", U32, "bits of a bitfield", "no bitfield, or offsets are unknown"),
    Column::new("type_id", U32, "its type: `types.type_id`"),
    Column::new("type", Text, "its type in C"),
    Column::nullable("byte_size", U64, "bytes", "a bitfield, or a type without a size"),
];

/// Rows that one type may have. The largest struct of a real kernel has some hundreds; types that contain
/// themselves, which only damaged input has, stop here.
const LIMIT: u32 = 1 << 17;
/// How deep anonymous members may nest. Real ones go to about five.
const DEPTH: u32 = 32;

/// The members of every struct and union, by type id. An anonymous struct or union member is a row, and its
/// members are the rows behind it: `depth = 0` gives members as declared, `name IS NOT NULL` the fields that a
/// program can name.
pub(super) fn members(surface: &Surface, rows: &mut Rows<'_>) -> Result<()> {
    for parent in surface.types().iter() {
        if matches!(parent.kind(), TypeKind::Struct | TypeKind::Union) {
            let mut walk = Walk { surface, parent, position: 0, access: "0".into(), rows: &mut *rows };
            walk.members(parent, Some(0), 0)?;
        }
    }
    Ok(())
}

/// A way through the members of a type.
struct Walk<'w, 'a, 'f> {
    surface: &'a Surface,
    parent: Type<'a>,
    position: u32,
    access: String,
    rows: &'w mut Rows<'f>,
}

impl<'a> Walk<'_, 'a, '_> {
    fn members(&mut self, outer: Type<'a>, base: Option<u64>, depth: u32) -> Result<()> {
        for (index, member) in outer.members().enumerate() {
            if self.position >= LIMIT {
                break;
            }
            // A member whose type is not of the table can only come from damaged bytes.
            let Some(found) = outer.types().get(member.type_id) else { continue };
            let before = self.access.len();
            let _ = write!(self.access, ":{index}");
            let bit_offset = base.zip(member.bit_offset).map(|(base, offset)| base + u64::from(offset));
            self.row(found, member.name, bit_offset, member.bitfield_size, depth)?;
            let inner = found.stripped(true);
            let anonymous =
                member.name.is_empty() && matches!(inner.kind(), TypeKind::Struct | TypeKind::Union);
            if anonymous && depth < DEPTH {
                self.members(inner, bit_offset, depth + 1)?;
            }
            self.access.truncate(before);
        }
        Ok(())
    }

    fn row(
        &mut self,
        found: Type<'_>,
        member: &str,
        bit_offset: Option<u64>,
        bitfield_size: Option<u8>,
        depth: u32,
    ) -> Result<()> {
        let Self { surface, parent, position, access, rows } = self;
        let byte_size = found.byte_size(surface.meta().address_size).filter(|_| bitfield_size.is_none());
        rows.row(|row| {
            row.put("parent_id", parent.id().0);
            row.put("parent_kind", parent.kind().name());
            row.put("parent_name", name(*parent));
            row.put("position", *position);
            row.put("depth", depth);
            row.put("access", &*access);
            row.put("name", Some(member).filter(|name| !name.is_empty()));
            row.put("bit_offset", bit_offset);
            row.put("bitfield_size", bitfield_size.map(u32::from));
            row.put("type_id", found.id().0);
            row.put("type", &c::declaration(found, ""));
            row.put("byte_size", byte_size);
        })?;
        self.position += 1;
        Ok(())
    }
}
