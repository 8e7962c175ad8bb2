//! `hooks`: LSM hooks.

use super::column::Column;
use super::column::ColumnKind::{Bool, Text, U32};
use super::rows::Rows;
use crate::error::Result;
use crate::surface::{Surface, c, record};

const NO_SETS: &str = "the sets of `.BTF_ids` were not read (fact `btf-ids`)";

/// Columns of `hooks`.
pub(super) const HOOKS: &[Column] = &[
    Column::new("name", Text, "name, as in `SEC(\"lsm/NAME\")`"),
    Column::nullable(
        "prototype_id",
        U32,
        "its FUNC_PROTO: `types.type_id`",
        "it is no member of `union security_list_options`",
    ),
    Column::nullable(
        "prototype",
        Text,
        "the declaration in C; the kernel's own table has no names for the parameters",
        "it is no member of `union security_list_options`",
    ),
    Column::nullable("attachable", Bool, "whether programs can attach", NO_SETS),
    Column::nullable("sleepable", Bool, "whether sleepable programs can attach", NO_SETS),
    Column::nullable("disabled", Bool, "whether the kernel lists it as disabled for programs", NO_SETS),
];

/// One row per hook, sorted by name.
pub(super) fn hooks(surface: &Surface, rows: &mut Rows<'_>) -> Result<()> {
    surface.lsm_hooks().try_for_each(|hook| {
        let prototype = hook.prototype();
        let sets_known = hook.flags() & record::LSM_SETS_UNKNOWN == 0;
        rows.row(|row| {
            row.put("name", hook.name());
            row.put("prototype_id", prototype.map(|proto| proto.id().0));
            row.put("prototype", prototype.map(|proto| c::prototype(proto, hook.name())).as_ref());
            row.put("attachable", hook.is_attachable());
            row.put("sleepable", hook.is_sleepable());
            row.put("disabled", sets_known.then(|| hook.flags() & record::LSM_DISABLED != 0));
        })
    })
}
