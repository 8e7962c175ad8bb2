//! Tracepoints: trace events and raw tracepoints.

use std::fmt::Write;

use depsurf::surface::types::{Type, TypeKind};
use depsurf::surface::{Surface, c};
use schemars::JsonSchema;
use serde::Serialize;

use crate::json::Prototype;
use crate::layout::{self, List};
use crate::look::Tone;
use crate::markdown;
use crate::rows::{Rows, Shelf};
use crate::types::{MemberFacts, members};

/// A tracepoint name on one kernel.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "Tracepoint")]
pub struct Facts<'a> {
    /// The tracepoints of the name; more than one where several systems have an event of that name.
    pub tracepoints: Vec<EventFacts<'a>>,
}

/// One tracepoint.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "Event")]
pub struct EventFacts<'a> {
    /// Directory below `events`; `None` where there is no event.
    pub system: Option<&'a str>,
    /// Event class.
    pub class: Option<&'a str>,
    /// Whether `events/SYSTEM/NAME` exists.
    pub event: bool,
    /// Whether raw programs (`raw_tp`, `tp_btf`) can attach.
    pub raw: bool,
    /// The record that programs on the event read, in C.
    pub record: Option<String>,
    /// Size of the record in bytes.
    pub record_size: Option<u32>,
    /// Members of the record.
    pub fields: Vec<MemberFacts<'a>>,
    /// The kernel's function that fills the record, in C.
    pub function: Option<String>,
    /// Arguments of raw programs, from `btf_trace_NAME`; `None` where the types lack it.
    pub raw_args: Option<Vec<crate::json::Param>>,
    /// Number of arguments of raw programs, from the kernel's own table.
    pub raw_arg_count: Option<u32>,
    /// Bytes of the first argument that `raw_tp.w` programs may write.
    pub writable_size: Option<u32>,
    /// `print_fmt`.
    pub format: Option<&'a str>,
}

/// The tracepoints of a name.
pub(crate) fn lookup<'a>(surface: &'a Surface, name: &'a str) -> Option<Facts<'a>> {
    let one = |found: depsurf::surface::tracepoint::Tracepoint<'a>| {
        let probe = found.class().map(|class| format!("trace_event_raw_event_{class}"));
        EventFacts {
            system: found.system(),
            class: found.class(),
            event: found.has_event(),
            raw: found.is_raw(),
            record: found.record().map(c::structure),
            record_size: found.record().and_then(Type::size),
            fields: found.record().map_or_else(Vec::new, |record| members(surface, record)),
            function: found.prototype().zip(probe).map(|(proto, probe)| c::prototype(proto, &probe)),
            raw_args: found.btf_trace().and_then(raw_args),
            raw_arg_count: found.raw_args(),
            writable_size: found.writable_size(),
            format: found.format(),
        }
    };
    let tracepoints: Vec<EventFacts<'a>> = surface.tracepoints_named(name).map(one).collect();
    (!tracepoints.is_empty()).then_some(Facts { tracepoints })
}

/// `btf_trace_NAME` is a typedef of a pointer to a function whose first argument is the probe's own data.
fn raw_args(typedef: Type<'_>) -> Option<Vec<crate::json::Param>> {
    let pointer = typedef.stripped(true);
    let proto = if pointer.kind() == TypeKind::Ptr { pointer.target()? } else { pointer };
    (proto.kind() == TypeKind::FuncProto).then(|| Prototype::new(proto).params.into_iter().skip(1).collect())
}

/// The body of an entry.
pub(crate) fn markdown(facts: &Facts<'_>, out: &mut String) {
    for (index, event) in facts.tracepoints.iter().enumerate() {
        if index > 0 {
            let _ = writeln!(out, "\nIn system `{}`:\n", event.system.unwrap_or("none"));
        }
        if !event.event {
            out.push_str("Raw tracepoint without event.\n");
        }
        if let Some(record) = &event.record {
            out.push_str("Event:\n\n");
            markdown::block("c", record, out);
        }
        if let Some(function) = &event.function {
            out.push_str("Function:\n\n");
            markdown::block("c", function, out);
        }
    }
}

/// The sections of a tracepoint's page.
pub(crate) fn terminal(present: &[(usize, &Facts<'_>)], shelf: &mut Shelf<'_>) {
    let among: Vec<usize> = present.iter().map(|(kernel, _)| *kernel).collect();
    let (mut names, mut raw, mut formats) = (Rows::default(), Rows::default(), Rows::default());
    for (kernel, event) in events(present) {
        match (event.system, event.event) {
            (Some(system), true) => {
                let class = event.class.unwrap_or("unknown");
                names.add(kernel, "event", format!("system {system}, class {class}"), Tone::Plain);
            }
            _ => names.add(kernel, "event", "none: only raw programs can attach", Tone::Caution),
        }
        let (text, tone) = match (event.raw, event.writable_size) {
            (false, _) => ("none".to_owned(), Tone::Caution),
            (true, None) => ("raw_tp, tp_btf".into(), Tone::Plain),
            (true, Some(size)) => (format!("raw_tp, tp_btf, raw_tp.w ({size} bytes writable)"), Tone::Plain),
        };
        names.add(kernel, "raw", text, tone);
        match (&event.raw_args, event.raw_arg_count) {
            (Some(args), _) => {
                let args: Vec<&str> = args.iter().map(|arg| arg.declaration.as_str()).collect();
                raw.add(kernel, "", args.join(", "), Tone::Plain);
            }
            (None, Some(count)) => raw.add(kernel, "", format!("{count} of unknown types"), Tone::Caution),
            (None, None) if event.raw => raw.add(kernel, "", "unknown", Tone::Caution),
            (None, None) => {}
        }
        if let Some(format) = event.format {
            formats.add(kernel, "", format, Tone::Plain);
        }
    }
    shelf.section("Attach", "", &names.by_key(), &among);
    shelf.section("Raw arguments", "", &raw, &among);
    let lists: Vec<List> = events(present)
        .filter(|(_, event)| event.record.is_some())
        .map(|(kernel, event)| {
            let size =
                event.record_size.map_or_else(|| "size unknown".into(), |size| format!("{size} bytes"));
            let title = format!("{size}, {}", layout::counted(event.fields.len(), "field"));
            List { kernel, title, lines: event.fields.iter().map(MemberFacts::line).collect() }
        })
        .collect();
    layout::members("Record", "Fields", &lists, &among, shelf);
    shelf.section("Format", "", &formats, &among);
}

fn events<'p, 'a>(
    present: &'p [(usize, &'p Facts<'a>)],
) -> impl Iterator<Item = (usize, &'p EventFacts<'a>)> {
    present.iter().flat_map(|(kernel, facts)| facts.tracepoints.iter().map(move |event| (*kernel, event)))
}
