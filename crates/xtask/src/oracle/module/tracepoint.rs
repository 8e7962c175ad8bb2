//! Tracepoints of modules, by the symbols that the macros of `include/trace/` leave.

use std::collections::BTreeSet;

use depsurf::surface::Surface;
use depsurf::surface::tracepoint::Tracepoint;

use super::super::table::{Row, UNEXPLAINED};
use super::File;

/// Compares events and raw tracepoints.
pub fn compare(files: &[File<'_>], surface: &Surface) -> Vec<Row> {
    vec![
        row(
            files,
            surface,
            "trace events: `__event_NAME` in `_ftrace_events`",
            ("_ftrace_events", "__event_"),
            |found| found.has_event(),
        ),
        row(
            files,
            surface,
            "raw tracepoints: `__bpf_trace_tp_map_NAME` in `__bpf_raw_tp_map`",
            ("__bpf_raw_tp_map", "__bpf_trace_tp_map_"),
            |found| found.is_raw(),
        ),
    ]
}

fn row(
    files: &[File<'_>],
    surface: &Surface,
    title: &str,
    (section, prefix): (&str, &str),
    counts: impl Fn(Tracepoint<'_>) -> bool,
) -> Row {
    let mut row = Row::new(title);
    for file in files {
        let theirs: BTreeSet<&str> =
            file.symbols_in(section).filter_map(|line| line.0.strip_prefix(prefix)).collect();
        let ours: BTreeSet<&str> = surface
            .tracepoints()
            .filter(|found| found.module().is_some_and(|module| module.index() == file.ours.index()))
            .filter(|found| counts(*found))
            .map(Tracepoint::name)
            .collect();
        let place = |name: &str| format!("`{name}` in `{}`", file.ours.path());
        theirs.intersection(&ours).for_each(|_| row.equal());
        theirs.difference(&ours).for_each(|name| row.only_there(UNEXPLAINED, || place(name)));
        ours.difference(&theirs).for_each(|name| row.only_here(UNEXPLAINED, || place(name)));
    }
    row
}
