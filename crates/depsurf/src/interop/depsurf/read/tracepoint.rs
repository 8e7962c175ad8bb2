//! `tracepoints`: the trace events, with the types that their programs see.

use serde::Deserialize;

use super::line::{Line, Source, Text};
use super::types::{Node, Types};
use crate::error::Result;
use crate::note::Notes;
use crate::surface::TypeId;
use crate::surface::build::Parts;
use crate::surface::record::{self, NONE};

#[derive(Debug, Deserialize)]
struct Event<'l> {
    #[serde(borrow)]
    class_name: Text<'l>,
    #[serde(borrow)]
    event_name: Text<'l>,
    #[serde(borrow)]
    func_name: Text<'l>,
    #[serde(borrow)]
    struct_name: Text<'l>,
    #[serde(borrow)]
    fmt_str: Text<'l>,
    #[serde(borrow)]
    func: Option<Node<'l>>,
    #[serde(borrow, rename = "struct")]
    record: Option<Node<'l>>,
}

/// What lines are sorted by.
#[derive(Debug, Deserialize)]
struct Name<'l> {
    #[serde(borrow)]
    event_name: Text<'l>,
}

/// Reads the events, in the order of their names.
pub(super) fn read(
    source: Source<'_>,
    types: &mut Types,
    parts: &mut Parts,
    notes: &mut Notes,
) -> Result<()> {
    let mut lines = Vec::new();
    source.lines(|line| {
        let Name { event_name } = line.parse()?;
        let (number, bytes) = line.parts();
        lines.push((event_name.0.into_owned(), number, bytes.to_vec()));
        Ok(())
    })?;
    lines.sort();
    for (_, number, bytes) in &lines {
        let line = Line::kept(source.name, *number, bytes);
        let event: Event<'_> = line.parse()?;
        let record = store(&event, types, parts, line, notes).map_err(|what| line.error(what))?;
        parts.tracepoints.push(record);
    }
    Ok(())
}

fn store(
    event: &Event<'_>,
    types: &mut Types,
    parts: &mut Parts,
    line: Line<'_>,
    notes: &mut Notes,
) -> std::result::Result<record::Tracepoint, String> {
    let class = &event.class_name.0;
    for (field, name, prefix) in [
        ("func_name", &event.func_name, "trace_event_raw_event_"),
        ("struct_name", &event.struct_name, "trace_event_raw_"),
    ] {
        if name.0.strip_prefix(prefix) != Some(class) {
            return Err(format!("`{field}` is `{}`, expected `{prefix}{class}`", name.0));
        }
    }
    let strings = &mut parts.strings;
    let id = |id: Option<TypeId>| id.map_or(NONE, |id| id.0);
    let record = event.record.as_ref().map(|node| types.record(node, strings, line, notes)).transpose()?;
    let prototype = event.func.as_ref().map(|node| types.prototype(node, strings)).transpose()?;
    Ok(record::Tracepoint {
        name: event.event_name.intern(strings)?.0.into(),
        system: 0.into(),
        class: event.class_name.intern(strings)?.0.into(),
        format: event.fmt_str.intern(strings)?.0.into(),
        record: id(record).into(),
        prototype: id(prototype).into(),
        btf_trace: NONE.into(),
        flags: record::TRACEPOINT_EVENT.into(),
        writable_size: 0.into(),
        raw_args: NONE.into(),
    })
}
