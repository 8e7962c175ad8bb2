//! Tracepoints: the record of the event, the function behind it, the format, and the raw arguments.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::change::{Change, Class, What};
use super::merge::few;
use super::pair::Pair;
use super::{Changed, KindDiff, prototype, types};
use crate::Kind;
use crate::surface::syscall::{EVENT_SYSTEM, EventField, SyscallEvent};
use crate::surface::tracepoint::{Tracepoint, split};
use crate::surface::types::{Type, TypeKind};
use crate::surface::{Fact, Surface, c};

/// Compares all tracepoints, events of system calls included.
pub(super) fn compare<'a>(pair: Pair<'a>) -> KindDiff<'a> {
    let all = |surface: &'a Surface| {
        let scope = pair.scope(surface);
        surface.tracepoints().filter(|it| scope.has(it.module())).map(|it| (it.name(), it)).collect()
    };
    let mut diff = super::compare(pair, Kind::Tracepoint, all, changes);
    let [old, new] = [pair.old, pair.new].map(events);
    diff.old += old.len();
    diff.new += new.len();
    // Where one kernel's events cannot be told, the other's say nothing about a change.
    if pair.old.has_syscall_events().is_none() || pair.new.has_syscall_events().is_none() {
        return diff;
    }
    let is_in = |list: &BTreeMap<String, SyscallEvent<'a>>, name: &String| list.contains_key(name);
    diff.added.extend(new.keys().filter(|name| !is_in(&old, name)).cloned().map(Cow::Owned));
    diff.removed.extend(old.keys().filter(|name| !is_in(&new, name)).cloned().map(Cow::Owned));
    for (name, before) in old {
        let mut changes = Vec::new();
        if let Some(after) = new.get(&name) {
            syscall_event(pair, before, *after, &mut changes);
        }
        if !changes.is_empty() {
            diff.changed.push(Changed { name: Cow::Owned(name), changes });
        }
    }
    diff.added.sort();
    diff.removed.sort();
    diff.changed.sort_by(|a, b| a.name.cmp(&b.name));
    diff
}

/// The events of system calls, by name; none where they cannot be told.
fn events(surface: &Surface) -> BTreeMap<String, SyscallEvent<'_>> {
    let known = surface.has_syscall_events() == Some(true);
    let events = if known { surface.syscall_events() } else { Vec::new() };
    events.into_iter().map(|event| (event.name(), event)).collect()
}

/// The changes of `NAME` or `SYSTEM:NAME`, events of system calls included; `None` where not both kernels have it.
pub(super) fn named<'a>(pair: Pair<'a>, name: &'a str) -> Option<Vec<Change>> {
    let (system, name) = split(name);
    let mut out = Vec::new();
    let (old, new) = (listed(pair, pair.old, system, name), listed(pair, pair.new, system, name));
    if !old.is_empty() && !new.is_empty() {
        changes(pair, &old, &new, &mut out);
        return Some(out);
    }
    system.is_none_or(|system| system == EVENT_SYSTEM).then_some(())?;
    syscall_event(pair, pair.old.syscall_event(name)?, pair.new.syscall_event(name)?, &mut out);
    Some(out)
}

/// The tracepoints of a name, and of a system where one is given, that count.
fn listed<'a>(
    pair: Pair<'a>,
    surface: &'a Surface,
    system: Option<&str>,
    name: &'a str,
) -> Vec<Tracepoint<'a>> {
    let scope = pair.scope(surface);
    let of_system = |found: &Tracepoint<'a>| system.is_none_or(|system| found.system() == Some(system));
    surface.tracepoints_named(name).filter(|it| of_system(it) && scope.has(it.module())).collect()
}

/// Whether a kernel has a tracepoint `NAME` or `SYSTEM:NAME` that counts, events of system calls included.
pub(super) fn is_there<'a>(pair: Pair<'a>, surface: &'a Surface, name: &'a str) -> bool {
    let (system, short) = split(name);
    !listed(pair, surface, system, short).is_empty()
        || system.is_none_or(|system| system == EVENT_SYSTEM) && surface.syscall_event(short).is_some()
}

/// The changes of an event of a system call: its record is no type, but follows from the metadata.
fn syscall_event(pair: Pair<'_>, old: SyscallEvent<'_>, new: SyscallEvent<'_>, out: &mut Vec<Change>) {
    let Some((before, after)) = old.fields().zip(new.fields()) else { return };
    let find = |list: &[EventField<'_>], name: &str| list.iter().position(|field| field.name == name);
    let text = |field: &EventField<'_>| format!("{} {}", field.type_name, field.name);
    let mut record = Vec::new();
    for field in after.iter().filter(|field| find(&before, field.name).is_none()) {
        record.push(Change::added(What::FieldAdded, field.name, text(field)));
    }
    for field in before.iter().filter(|field| find(&after, field.name).is_none()) {
        record.push(Change::removed(What::FieldRemoved, field.name, text(field)));
    }
    let common = || before.iter().filter_map(|old| Some((old, &after[find(&after, old.name)?])));
    for (old, new) in common().filter(|(old, new)| old.type_name != new.type_name) {
        record.push(Change::changed(What::FieldTypeChanged, text(old), text(new)).of(new.name));
    }
    under(What::EventChanged, record, out);
    if pair.compares_layout() {
        for (old, new) in common().filter(|(old, new)| old.offset != new.offset) {
            let change = Change::changed(What::OffsetChanged, old.offset.to_string(), new.offset.to_string());
            out.push(change.of(new.name));
        }
    }
}

/// The changes of a tracepoint name that both kernels have.
pub(super) fn changes<'a>(
    pair: Pair<'a>,
    old: &[Tracepoint<'a>],
    new: &[Tracepoint<'a>],
    out: &mut Vec<Change>,
) {
    if let ([old], [new]) = (old, new) {
        return one(pair, *old, *new, out);
    }
    // Several systems have an event of the name.
    let (old, new) = (few(old), few(new));
    let system = |found: &Tracepoint<'a>| found.system().unwrap_or_default();
    let has = |list: &[Tracepoint<'a>], name: &str| list.iter().any(|other| system(other) == name);
    for found in new.iter().filter(|found| !has(old, system(found))) {
        out.push(Change::added(What::EventGained, system(found), system(found)));
    }
    for found in old.iter().filter(|found| !has(new, system(found))) {
        out.push(Change::removed(What::EventLost, system(found), system(found)));
    }
    for before in old {
        if let Some(after) = new.iter().find(|after| system(after) == system(before)) {
            one(pair, *before, *after, out);
        }
    }
}

fn one<'a>(pair: Pair<'a>, old: Tracepoint<'a>, new: Tracepoint<'a>, out: &mut Vec<Change>) {
    let mut layout = Vec::new();
    if let (Some(old), Some(new)) = (old.record(), new.record()) {
        let mut record = Vec::new();
        types::structure(pair, old, new, &mut record);
        (record, layout) = record.into_iter().partition(|change| change.what.class() == Class::Source);
        under(What::EventChanged, record, out);
    }
    if let (Some(old), Some(new)) = (old.prototype(), new.prototype()) {
        let mut function = Vec::new();
        prototype::changes(pair, old, new, &mut function);
        under(What::FuncChanged, function, out);
    }
    if pair.knows(&[Fact::Tracepoints]) {
        gained(old.has_event(), new.has_event(), [What::EventGained, What::EventLost], out);
    }
    if pair.knows(&[Fact::RawTracepoints]) {
        gained(old.is_raw(), new.is_raw(), [What::RawGained, What::RawLost], out);
    }
    out.append(&mut layout);
    differ(What::ArgsChanged, raw_args(pair, old, new), out);
    differ(What::FormatChanged, old.format().zip(new.format()), out);
    differ(What::SystemChanged, old.system().zip(new.system()), out);
    let writable = |found: Tracepoint<'_>| found.writable_size().unwrap_or(0).to_string();
    let known = old.knows_writable() && new.knows_writable();
    differ(What::WritableChanged, known.then(|| (writable(old), writable(new))), out);
}

/// What changed in a part of the tracepoint, below a line that says which part.
fn under(what: What, mut changes: Vec<Change>, out: &mut Vec<Change>) {
    if !changes.is_empty() {
        out.push(Change::bare(what));
        out.append(&mut changes);
    }
}

fn gained(old: bool, new: bool, [gained, lost]: [What; 2], out: &mut Vec<Change>) {
    if old != new {
        out.push(Change::bare(if new { gained } else { lost }));
    }
}

fn differ<T: AsRef<str>>(what: What, values: Option<(T, T)>, out: &mut Vec<Change>) {
    if let Some((old, new)) = values.filter(|(old, new)| old.as_ref() != new.as_ref()) {
        out.push(Change::changed(what, old.as_ref(), new.as_ref()));
    }
}

/// The arguments of raw programs where they differ: their types, or where these are not known their number.
fn raw_args<'a>(pair: Pair<'a>, old: Tracepoint<'a>, new: Tracepoint<'a>) -> Option<(String, String)> {
    let [of_old, of_new] = [old, new].map(|found| found.btf_trace().and_then(raw_prototype));
    match (of_old, of_new) {
        (Some(old), Some(new)) if pair.same(old, new) => None,
        (Some(old), Some(new)) => Some((list(old), list(new))),
        _ => Some((old.raw_args()?.to_string(), new.raw_args()?.to_string())),
    }
}

/// `btf_trace_NAME` is a typedef of a pointer to a function.
fn raw_prototype(typedef: Type<'_>) -> Option<Type<'_>> {
    let pointer = typedef.stripped(true);
    let proto = if pointer.kind() == TypeKind::Ptr { pointer.target()? } else { pointer };
    (proto.kind() == TypeKind::FuncProto).then_some(proto)
}

/// The arguments in C, without the first, which is the probe's own data.
fn list(proto: Type<'_>) -> String {
    let param = |param: crate::surface::types::Param<'_>| {
        proto.types().get(param.type_id).map_or_else(|| "?".into(), |ty| c::declaration(ty, param.name))
    };
    proto.params().skip(1).map(param).collect::<Vec<_>>().join(", ")
}
