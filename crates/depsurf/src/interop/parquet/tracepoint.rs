//! `tracepoints`: trace events and raw tracepoints.

use super::column::ColumnKind::{Bool, Records, Text, U32};
use super::column::{Column, VMLINUX};
use super::rows::Rows;
use super::types::{PARAMS, params};
use crate::error::Result;
use crate::surface::types::{Type, TypeKind};
use crate::surface::{Fact, Surface};

const NO_EVENT: &str = "there is no event, or events were not read (fact `tracepoints`)";

/// Columns of `tracepoints`.
pub(super) const TRACEPOINTS: &[Column] = &[
    Column::new("name", Text, "event name; for one without event the name of the raw tracepoint"),
    Column::nullable("system", Text, "directory below `events`", NO_EVENT),
    Column::nullable("class", Text, "event class", NO_EVENT),
    Column::nullable("event", Bool, "whether `events/SYSTEM/NAME` exists", "fact `tracepoints` is unknown"),
    Column::nullable("raw", Bool, "whether raw programs can attach", "fact `raw-tracepoints` is unknown"),
    Column::nullable("format", Text, "`print_fmt`", NO_EVENT),
    Column::nullable(
        "record_id",
        U32,
        "`struct trace_event_raw_CLASS`: `types.type_id`",
        "there is no event, or the types lack it",
    ),
    Column::nullable(
        "prototype_id",
        U32,
        "FUNC_PROTO of `trace_event_raw_event_CLASS`: `types.type_id`",
        "there is no event, or the types lack it",
    ),
    Column::nullable("btf_trace_id", U32, "TYPEDEF `btf_trace_NAME`: `types.type_id`", "the types lack it"),
    Column::nullable(
        "raw_args",
        Records(PARAMS),
        "arguments of raw programs",
        "the types lack `btf_trace_NAME`",
    ),
    Column::nullable(
        "raw_arg_count",
        U32,
        "number of these, from the kernel's own table",
        "not in that table",
    ),
    Column::nullable(
        "writable_size",
        U32,
        "bytes of the first argument that `raw_tp.w` programs may write",
        "they may not, or fact `raw-tracepoints` is unknown",
    ),
    Column::nullable("module", Text, "module it is in: it is there while this is loaded", VMLINUX),
];

/// One row per tracepoint, sorted by name and system.
pub(super) fn tracepoints(surface: &Surface, rows: &mut Rows<'_>) -> Result<()> {
    let events = surface.meta().knows(Fact::Tracepoints);
    let raws = surface.meta().knows(Fact::RawTracepoints);
    surface.tracepoints().try_for_each(|tracepoint| {
        let id = |found: Option<Type<'_>>| found.map(|found| found.id().0);
        rows.row(|row| {
            row.put("name", tracepoint.name());
            row.put("system", tracepoint.system());
            row.put("class", tracepoint.class());
            row.put("event", events.then(|| tracepoint.has_event()));
            row.put("raw", raws.then(|| tracepoint.is_raw()));
            row.put("format", tracepoint.format());
            row.put("record_id", id(tracepoint.record()));
            row.put("prototype_id", id(tracepoint.prototype()));
            row.put("btf_trace_id", id(tracepoint.btf_trace()));
            // The first argument is the probe's own data.
            let args = tracepoint.btf_trace().and_then(prototype).map(|proto| proto.params().skip(1));
            row.records("raw_args", args, |fields, arg| params(fields, surface.types(), arg));
            row.put("raw_arg_count", tracepoint.raw_args());
            row.put("writable_size", tracepoint.writable_size());
            row.put("module", tracepoint.module().map(|module| module.name()));
        })
    })
}

/// `btf_trace_NAME` is a typedef of a pointer to a function.
fn prototype(typedef: Type<'_>) -> Option<Type<'_>> {
    let pointer = typedef.stripped(true);
    let proto = if pointer.kind() == TypeKind::Ptr { pointer.target()? } else { pointer };
    (proto.kind() == TypeKind::FuncProto).then_some(proto)
}
