//! `configs`: Kconfig options.

use super::column::Column;
use super::column::ColumnKind::Text;
use super::rows::Rows;
use crate::error::Result;
use crate::surface::Surface;

/// Columns of `configs`.
pub(super) const CONFIGS: &[Column] = &[
    Column::new("name", Text, "name with `CONFIG_`"),
    Column::new("value", Text, "value as written: `y`, `m`, a number, a quoted text; `n` for \"is not set\""),
];

/// One row per option that the configuration names.
pub(super) fn configs(surface: &Surface, rows: &mut Rows<'_>) -> Result<()> {
    surface.configs().try_for_each(|config| {
        rows.row(|row| {
            row.put("name", config.name);
            row.put("value", config.value);
        })
    })
}
