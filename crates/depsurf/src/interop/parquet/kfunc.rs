//! `kfuncs`: functions that eBPF programs may call.

use super::column::ColumnKind::{Bool, Text, Texts, U32};
use super::column::{Column, VMLINUX};
use super::rows::Rows;
use crate::error::Result;
use crate::surface::kfunc::FLAG_NAMES;
use crate::surface::{Fact, Surface, Type, c, record};

const NO_SETS: &str = "the sets of `.BTF_ids` were not read (fact `btf-ids`)";

/// Columns of `kfuncs`.
pub(super) const KFUNCS: &[Column] = &[
    Column::new("name", Text, "name"),
    Column::nullable("prototype_id", U32, "its FUNC_PROTO: `types.type_id`", "its BTF has no FUNC"),
    Column::nullable("prototype", Text, "the declaration in C", "its BTF has no FUNC"),
    Column::nullable("flags", U32, "`KF_*` bits, of all its sets", NO_SETS),
    Column::nullable(
        "flag_names",
        Texts,
        "names of these bits, as in `include/linux/btf.h` of newest kernels",
        NO_SETS,
    ),
    Column::nullable(
        "sets",
        Texts,
        "the kfunc sets it is in, which are registered for program types",
        NO_SETS,
    ),
    Column::new("decl_tag", Bool, "whether it has the DECL_TAG `bpf_kfunc`, which older kernels do not use"),
    Column::nullable("module", Text, "module it is in: it is there while this is loaded", VMLINUX),
];

/// One row per kfunc, sorted by name.
pub(super) fn kfuncs(surface: &Surface, rows: &mut Rows<'_>) -> Result<()> {
    let sets = surface.meta().knows(Fact::BtfIds);
    surface.kfuncs().try_for_each(|kfunc| {
        let flags = kfunc.flags();
        let names = FLAG_NAMES.iter().enumerate().filter(|(bit, _)| flags >> bit & 1 != 0);
        let prototype = kfunc.prototype();
        rows.row(|row| {
            row.put("name", kfunc.name());
            row.put("prototype_id", prototype.map(id));
            row.put("prototype", prototype.map(|proto| c::prototype(proto, kfunc.name())).as_ref());
            row.put("flags", sets.then_some(flags));
            row.texts("flag_names", sets.then_some(names.map(|(_, name)| *name)));
            row.texts("sets", sets.then(|| kfunc.sets()));
            row.put("decl_tag", kfunc.evidence() & record::KFUNC_DECL_TAG != 0);
            row.put("module", kfunc.module().map(|module| module.name()));
        })
    })
}

fn id(found: Type<'_>) -> u32 {
    found.id().0
}
