//! Tracepoints: trace events, those of system calls among them, and raw tracepoints.

use std::borrow::Cow;
use std::fmt::Write;

use depsurf::surface::syscall::{EVENT_OPTION, EVENT_SYSTEM, Edge, EventField, SyscallEvent};
use depsurf::surface::tracepoint::{Tracepoint, split};
use depsurf::surface::types::{Type, TypeKind};
use depsurf::surface::{Fact, Surface, c};
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
#[schemars(rename = "TraceEvent")]
pub struct EventFacts<'a> {
    /// Directory below `events`; `None` where there is no event.
    pub system: Option<&'a str>,
    /// Event class.
    pub class: Option<&'a str>,
    /// The module that has it, which must be loaded; missing where that is vmlinux.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub module: Option<&'a str>,
    /// Whether `events/SYSTEM/NAME` exists.
    pub event: bool,
    /// Whether raw programs (`raw_tp`, `tp_btf`) can attach; `None` where that is unknown.
    pub raw: Option<bool>,
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
    /// `print_fmt`; `None` where there is no event, and where the kernel makes it at boot from what the image does
    /// not tell.
    pub format: Option<Cow<'a, str>>,
    /// Whether the kernel may append what pointers among the arguments of a system call point to.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub may_append_user_data: bool,
}

/// The tracepoints of a name, which may have its system before it, or what is there instead.
pub(crate) fn lookup<'a>(surface: &'a Surface, name: &'a str) -> Result<Facts<'a>, Option<String>> {
    let (system, name) = split(name);
    let is_meant = |event: &EventFacts<'_>| system.is_none_or(|system| event.system == Some(system));
    let listed = surface.tracepoints_named(name).map(|found| EventFacts::new(surface, found));
    let of_syscalls = surface.syscall_event(name).map(|event| EventFacts::of_syscall(surface, event));
    let (tracepoints, others): (Vec<_>, Vec<_>) = listed.chain(of_syscalls).partition(is_meant);
    if !tracepoints.is_empty() {
        return Ok(Facts { tracepoints });
    }
    if surface.has_syscall_events() == Some(false) && Edge::split(name).is_some() {
        return Err(Some(format!("the kernel was built without {EVENT_OPTION}")));
    }
    Err(others.first().map(|other| match other.system {
        Some(system) => format!("but there is `{system}:{name}`"),
        None => format!("but there is a raw tracepoint `{name}`"),
    }))
}

/// The facts without which an event of this name may have been overlooked, where these are not the kind's own: no
/// list of the image has the events of system calls.
pub(crate) fn needed(surface: &Surface, name: &str) -> Option<&'static [Fact]> {
    let is_syscall = Edge::split(split(name).1).is_some();
    match surface.has_syscall_events() {
        _ if !is_syscall => None,
        Some(false) => Some(&[]),
        _ => Some(&[Fact::SyscallMetadata, Fact::Syscalls]),
    }
}

impl<'a> EventFacts<'a> {
    fn new(surface: &'a Surface, found: Tracepoint<'a>) -> Self {
        let probe = found.class().map(|class| format!("trace_event_raw_event_{class}"));
        Self {
            system: found.system(),
            class: found.class(),
            module: found.module().map(|module| module.name()),
            event: found.has_event(),
            raw: (found.is_raw() || surface.meta().knows(Fact::RawTracepoints)).then(|| found.is_raw()),
            record: found.record().map(c::structure),
            record_size: found.record().and_then(Type::size),
            fields: found.record().map_or_else(Vec::new, |record| members(surface, record)),
            function: found.prototype().zip(probe).map(|(proto, probe)| c::prototype(proto, &probe)),
            raw_args: found.btf_trace().and_then(raw_args),
            raw_arg_count: found.raw_args(),
            writable_size: found.writable_size(),
            format: found.format().map(Into::into),
            may_append_user_data: false,
        }
    }

    fn of_syscall(surface: &'a Surface, event: SyscallEvent<'a>) -> Self {
        let fields: Vec<MemberFacts<'a>> =
            event.fields().unwrap_or_default().into_iter().map(MemberFacts::of_event).collect();
        let end =
            fields.iter().filter_map(|field| Some(field.bit_offset? / 8 + field.size.unwrap_or(0))).max();
        let word = u64::from(surface.meta().address_size.max(1));
        Self {
            system: Some(EVENT_SYSTEM),
            class: Some(event.class()),
            module: None,
            event: true,
            raw: Some(false),
            record: event.record().map(c::structure),
            record_size: end.map(|end| end.next_multiple_of(word) as u32),
            fields,
            function: None,
            raw_args: None,
            raw_arg_count: None,
            writable_size: None,
            format: event.format().map(Into::into),
            may_append_user_data: event.may_append_user_data(),
        }
    }
}

impl<'a> MemberFacts<'a> {
    fn of_event(field: EventField<'a>) -> Self {
        let EventField { type_name, name, offset, size } = field;
        Self {
            name: name.into(),
            type_name: type_name.to_owned(),
            declaration: crate::syscall::declaration(type_name, name),
            bit_offset: Some(offset * 8),
            bitfield_size: None,
            size: Some(size),
        }
    }
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
        if event.system == Some(EVENT_SYSTEM) {
            markdown_fields(event, out);
        }
        if let Some(function) = &event.function {
            out.push_str("Function:\n\n");
            markdown::block("c", function, out);
        }
    }
}

/// The fields of an event whose record type does not name them.
fn markdown_fields(event: &EventFacts<'_>, out: &mut String) {
    out.push_str("Fields:\n\n```\n");
    for field in &event.fields {
        let (declaration, place) = field.line();
        let _ = writeln!(out, "{place}: {declaration} ({} bytes)", field.extent());
    }
    if event.may_append_user_data {
        let _ = writeln!(out, "{USER_DATA}");
    }
    out.push_str("```\n");
}

/// What `may_append_user_data` means.
const USER_DATA: &str = "perhaps more: what a pointer argument points to, as __ARGUMENT_val";

/// The sections of a tracepoint's page.
pub(crate) fn terminal(present: &[(usize, &Facts<'_>)], shelf: &mut Shelf<'_>) {
    let among: Vec<usize> = present.iter().map(|(kernel, _)| *kernel).collect();
    let (mut names, mut raw, mut formats) = (Rows::default(), Rows::default(), Rows::default());
    for (kernel, event) in events(present) {
        match (event.system, event.event) {
            (system, true) => {
                let (system, class) = (system.unwrap_or("unknown"), event.class.unwrap_or("unknown"));
                names.add(kernel, "event", format!("system {system}, class {class}"), Tone::Plain);
            }
            (_, false) => names.add(kernel, "event", "none: only raw programs can attach", Tone::Caution),
        }
        if let Some(module) = event.module {
            names.add(kernel, "while loaded", format!("module {module}"), Tone::Caution);
        }
        let (text, tone) = match (event.raw, event.writable_size) {
            (None, _) => ("unknown: raw tracepoints could not be read".to_owned(), Tone::Caution),
            (Some(false), _) if event.system == Some(EVENT_SYSTEM) => {
                ("none of this name: sys_enter and sys_exit are for all calls".into(), Tone::Plain)
            }
            (Some(false), _) => ("none".into(), Tone::Caution),
            (Some(true), None) => ("raw_tp, tp_btf".into(), Tone::Plain),
            (Some(true), Some(size)) => {
                (format!("raw_tp, tp_btf, raw_tp.w ({size} bytes writable)"), Tone::Plain)
            }
        };
        names.add(kernel, "raw", text, tone);
        match (&event.raw_args, event.raw_arg_count) {
            (Some(args), _) => {
                let args: Vec<&str> = args.iter().map(|arg| arg.declaration.as_str()).collect();
                raw.add(kernel, "", args.join(", "), Tone::Plain);
            }
            (None, Some(count)) => raw.add(kernel, "", format!("{count} of unknown types"), Tone::Caution),
            (None, None) if event.raw != Some(false) => raw.add(kernel, "", "unknown", Tone::Caution),
            (None, None) => {}
        }
        match &event.format {
            Some(format) => formats.add(kernel, "", &**format, Tone::Plain),
            None if event.event => formats.add(kernel, "", "unknown: made at boot", Tone::Caution),
            None => {}
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
            let mut lines: Vec<_> = event.fields.iter().map(MemberFacts::line).collect();
            if event.may_append_user_data {
                lines.push((USER_DATA.into(), "?".into()));
            }
            List { kernel, title, lines }
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
