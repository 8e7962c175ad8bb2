//! `syscalls`: entries of the system call tables.

use super::column::Column;
use super::column::ColumnKind::{Bool, Records, Text, U32};
use super::rows::Rows;
use crate::error::Result;
use crate::surface::Surface;

/// Columns of `syscalls`.
pub(super) const SYSCALLS: &[Column] = &[
    Column::new("abi", Text, "which table: `64`, `x32`, `ia32`, `compat` ..."),
    Column::new("number", U32, "number in that table"),
    Column::new("name", Text, "name without prefix, `openat`; `ni_syscall` where not implemented"),
    Column::nullable("symbol", Text, "symbol of the entry, `__x64_sys_openat`", "no symbol is known"),
    Column::new("implemented", Bool, "whether the kernel implements it"),
    Column::nullable("args", Records(ARGS), "its arguments", "the image has no metadata for it"),
];

const ARGS: &[Column] =
    &[Column::new("name", Text, "name of the argument"), Column::new("type", Text, "its type in C")];

/// One row per entry, sorted by ABI and number.
pub(super) fn syscalls(surface: &Surface, rows: &mut Rows<'_>) -> Result<()> {
    surface.syscalls().try_for_each(|syscall| {
        rows.row(|row| {
            row.put("abi", syscall.abi());
            row.put("number", syscall.number());
            row.put("name", syscall.name());
            row.put("symbol", syscall.symbol());
            row.put("implemented", syscall.is_implemented());
            row.records("args", syscall.args(), |fields, arg| {
                fields.put("name", arg.name);
                fields.put("type", arg.type_name);
            });
        })
    })
}
