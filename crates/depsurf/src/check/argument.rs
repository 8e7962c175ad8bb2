//! What programs read of their context: arguments by number or register, fields of records by offset.

use std::collections::BTreeSet;

use super::flow::ContextAccess;
use super::object::PreparedProgram;
use super::report::{Errno, Finding};
use super::rules::{Consequence, Rule};
use crate::bpf::{Hook, Object, TraceAt};
use crate::image::arch;
use crate::kernel::Arch;
use crate::surface::field::fields;
use crate::surface::types::{Type, TypeKind, Types};
use crate::surface::{Surface, c};

/// The architecture that an object was compiled for, by the `struct pt_regs` among its own types; `None` where it has
/// none, so that it may be for any.
pub(super) fn compiled_for(types: Types<'_>) -> Option<Arch> {
    let has = |name: &str, member: &str| {
        let found = types.iter().find(|it| it.kind() == TypeKind::Struct && it.name() == name);
        found.is_some_and(|found| fields(found).iter().any(|field| field.name == member))
    };
    arch::all()
        .find(|machine| has(machine.register_mark.0, machine.register_mark.1))
        .map(|machine| machine.arch)
}

/// The place of a register in the kernel's `struct pt_regs`, in bytes; `None` where its types do not have it.
fn place_of(surface: &Surface, register: &str) -> Option<u64> {
    let (name, index) = match register.split_once('[') {
        Some((name, index)) => (name, index.trim_end_matches(']').parse::<u64>().ok()?),
        None => (register, 0),
    };
    // On arm64 the registers are in a struct of their own at the start.
    ["pt_regs", "user_pt_regs"].into_iter().find_map(|regs| {
        let fields = fields(surface.types().find(TypeKind::Struct, regs)?);
        let found = fields.iter().find(|field| field.name == name)?;
        Some(found.bit_offset? / 8 + index * u64::from(surface.meta().address_size))
    })
}

/// The register at an offset of `struct pt_regs`, as a number of the argument that it holds.
fn argument_at(surface: &Surface, offset: i32) -> Option<usize> {
    let offset = u64::try_from(offset).ok()?;
    let registers = arch::of(surface.kernel().arch).argument_registers;
    registers.iter().position(|register| place_of(surface, register) == Some(offset))
}

/// What is wrong with what a program reads of its context. `reference` is a kernel on which it is right.
pub(super) fn findings(
    surface: &Surface,
    reference: Option<&Surface>,
    object: &Object<'_>,
    program: &PreparedProgram<'_>,
    hook: Hook<'_>,
    accesses: &[ContextAccess],
) -> Vec<Finding> {
    let mut found = match hook {
        Hook::TpBtf { name: Some(name) } => raw_arguments(surface, reference, name, accesses, true),
        Hook::RawTracepoint { name: Some(name), .. } => {
            raw_arguments(surface, reference, name, accesses, false)
        }
        Hook::Trace { at, function: Some(function), .. } => {
            let after = at != TraceAt::Fentry;
            traced(surface, reference, function, accesses, after)
        }
        Hook::Kprobe { function: Some(function), ret: false, offset: 0, multi: false, .. } => {
            registers(surface, reference, object, function, accesses)
        }
        Hook::Kprobe { function: Some(function), ret: true, multi: false, .. } => {
            returned_in_register(surface, reference, object, function, accesses)
        }
        Hook::Tracepoint { target: Some(target) } => {
            record(surface, reference, target.category, target.name, accesses)
        }
        _ => Vec::new(),
    };
    for (slot, finding) in &mut found {
        finding.place = program.place(object, *slot);
    }
    found.into_iter().map(|(_, finding)| finding).collect()
}

type Found = Vec<(usize, Finding)>;

/// The numbers of the arguments of eight bytes that are read, each with the first slot that does.
fn numbers(accesses: &[ContextAccess]) -> Vec<(usize, usize)> {
    let mut seen = BTreeSet::new();
    let number = |access: &ContextAccess| usize::try_from(access.offset).ok().map(|offset| offset / 8);
    let numbers = accesses.iter().filter_map(|access| Some((number(access)?, access.slot)));
    numbers.filter(|(number, _)| seen.insert(*number)).collect()
}

/// The C of a type alone.
fn text(types: Types<'_>, id: crate::surface::TypeId) -> String {
    types.get(id).map_or_else(|| "?".into(), |ty| c::declaration(ty, ""))
}

/// The types of a raw tracepoint's arguments; `None` where they are not known.
fn raw_types(surface: &Surface, name: &str) -> Option<Vec<String>> {
    let typedef = surface.tracepoints_named(name).find_map(|it| it.btf_trace())?;
    let pointer = typedef.stripped(true);
    let proto = if pointer.kind() == TypeKind::Ptr { pointer.target()? } else { pointer };
    // The first is the probe's own data.
    (proto.kind() == TypeKind::FuncProto)
        .then(|| proto.params().skip(1).map(|param| text(proto.types(), param.type_id)).collect())
}

fn raw_arguments(
    surface: &Surface,
    reference: Option<&Surface>,
    name: &str,
    accesses: &[ContextAccess],
    checked_on_load: bool,
) -> Found {
    let Some(types) = raw_types(surface, name) else { return Vec::new() };
    let before = reference.and_then(|reference| raw_types(reference, name));
    let mut found = Vec::new();
    for (number, slot) in numbers(accesses) {
        let Some(here) = types.get(number) else {
            let evidence = format!("argument {} of {}", number + 1, types.len());
            let finding = Finding::new(Rule::ArgumentAbsent, name, evidence);
            found.push((
                slot,
                if checked_on_load {
                    let message = format!("func '{name}' doesn't have {}-th argument", number + 1);
                    finding.fails(Errno::Eacces, message)
                } else {
                    finding.so(Consequence::AttachFails).fails(
                        Errno::Einval,
                        format!("failed to open raw tracepoint '{name}': Invalid argument"),
                    )
                },
            ));
            continue;
        };
        if let Some(there) = before.as_ref().and_then(|before| before.get(number)).filter(|it| *it != here) {
            let evidence = format!("argument {}: `{here}`, on {} `{there}`", number + 1, label(reference));
            found.push((slot, Finding::new(Rule::ArgumentChanged, name, evidence)));
        }
    }
    found
}

/// What the kernel that is compared with is called.
fn label(reference: Option<&Surface>) -> String {
    reference.map_or_else(String::new, |reference| reference.kernel().to_string())
}

/// Parameters as names and C, where every one takes one slot of a trampoline's context.
fn parameters(proto: Type<'_>) -> Option<Vec<(String, String)>> {
    let types = proto.types();
    proto
        .params()
        .map(|param| {
            let ty = types.get(param.type_id)?;
            let by_value = matches!(ty.stripped(true).kind(), TypeKind::Struct | TypeKind::Union);
            (!by_value).then(|| (param.name.to_owned(), c::declaration(ty, param.name)))
        })
        .collect()
}

/// What a function returns, in C.
fn returns(proto: Type<'_>) -> String {
    proto.target().map_or_else(|| "void".to_owned(), |ty| c::declaration(ty, ""))
}

/// What is wrong with reading what a function returns: nothing is there, or something else than on the kernel that is compared
/// with.
fn returned(
    function: &str,
    here: Type<'_>,
    there: Option<Type<'_>>,
    reference: Option<&Surface>,
) -> Option<Finding> {
    let new = returns(here);
    if new == "void" {
        return Some(Finding::new(Rule::ReturnGone, function, "it returns `void`"));
    }
    // A program that reads it was not written for a kernel where nothing is returned.
    let old = there.map(returns).filter(|old| *old != new && old != "void")?;
    let evidence = format!("it returns `{new}`, on {} `{old}`", label(reference));
    Some(Finding::new(Rule::ReturnChanged, function, evidence))
}

fn prototype<'s>(surface: &'s Surface, function: &str) -> Option<Type<'s>> {
    surface.function(function).and_then(|found| found.prototype())
}

/// Whether the parameter at a place is another one than on the kernel that is compared with.
fn changed(
    here: &[(String, String)],
    there: Option<&[(String, String)]>,
    number: usize,
) -> Option<(String, String)> {
    let (here, there) = (here.get(number)?, there?.get(number)?);
    // A name alone changes nothing.
    let ty = |it: &(String, String)| it.1.trim_end_matches(it.0.as_str()).to_owned();
    (ty(here) != ty(there)).then(|| (here.1.clone(), there.1.clone()))
}

fn traced(
    surface: &Surface,
    reference: Option<&Surface>,
    function: &str,
    accesses: &[ContextAccess],
    after: bool,
) -> Found {
    let Some(proto) = prototype(surface, function) else { return Vec::new() };
    let Some(here) = parameters(proto) else { return Vec::new() };
    let of_reference = reference.and_then(|reference| prototype(reference, function));
    let there = of_reference.and_then(parameters);
    let mut found = Vec::new();
    for (number, slot) in numbers(accesses) {
        let was_return = there.as_ref().is_some_and(|there| after && number == there.len());
        if number > here.len() || number == here.len() && !after {
            let evidence = format!("argument {} of {}", number + 1, here.len());
            let message = format!("func '{function}' doesn't have {}-th argument", number + 1);
            found.push((
                slot,
                Finding::new(Rule::ArgumentAbsent, function, evidence).fails(Errno::Eacces, message),
            ));
        } else if number == here.len() {
            // Behind the arguments is what it returned.
            if there.as_ref().is_some_and(|there| number < there.len()) {
                let evidence = format!(
                    "argument {} is what it returns, on {} `{}`",
                    number + 1,
                    label(reference),
                    there.as_ref().map_or("", |there| there[number].1.as_str())
                );
                found.push((slot, Finding::new(Rule::ArgumentChanged, function, evidence)));
            } else if let Some(finding) = returned(function, proto, of_reference, reference) {
                let finding = if finding.rule == Rule::ReturnGone {
                    let message = format!("invalid bpf_context access off={} size=8", 8 * number);
                    finding.so(Consequence::LoadFails).fails(Errno::Eacces, message)
                } else {
                    finding
                };
                found.push((slot, finding));
            }
        } else if was_return {
            let evidence = format!(
                "argument {} is `{}`, on {} what it returns",
                number + 1,
                here[number].1,
                label(reference)
            );
            found.push((slot, Finding::new(Rule::ReturnChanged, function, evidence)));
        } else if let Some((new, old)) = changed(&here, there.as_deref(), number) {
            let evidence = format!("argument {}: `{new}`, on {} `{old}`", number + 1, label(reference));
            found.push((slot, Finding::new(Rule::ArgumentChanged, function, evidence)));
        }
    }
    found
}

/// The object reads registers of another architecture.
fn other_machine(
    surface: &Surface,
    object: &Object<'_>,
    function: &str,
    accesses: &[ContextAccess],
) -> Option<Found> {
    let other = object.types().and_then(compiled_for).filter(|other| *other != surface.kernel().arch)?;
    let evidence = format!("it reads registers of {other}");
    let finding = Finding::new(Rule::WrongMachine, function, evidence).so(Consequence::ReadsWrong);
    Some(vec![(accesses.first()?.slot, finding)])
}

/// What a kretprobe reads of the register with the function's result.
fn returned_in_register(
    surface: &Surface,
    reference: Option<&Surface>,
    object: &Object<'_>,
    function: &str,
    accesses: &[ContextAccess],
) -> Found {
    if let Some(found) = other_machine(surface, object, function, accesses) {
        return found;
    }
    let Some(place) = place_of(surface, arch::of(surface.kernel().arch).return_register) else {
        return Vec::new();
    };
    let reads = |access: &&ContextAccess| {
        !access.is_store && u64::try_from(access.offset).is_ok_and(|offset| offset == place)
    };
    let Some(access) = accesses.iter().find(reads) else { return Vec::new() };
    let Some(proto) = prototype(surface, function) else { return Vec::new() };
    let there = reference.and_then(|reference| prototype(reference, function));
    returned(function, proto, there, reference).map(|finding| (access.slot, finding)).into_iter().collect()
}

fn registers(
    surface: &Surface,
    reference: Option<&Surface>,
    object: &Object<'_>,
    function: &str,
    accesses: &[ContextAccess],
) -> Found {
    let arch = surface.kernel().arch;
    if let Some(found) = other_machine(surface, object, function, accesses) {
        return found;
    }
    let Some(proto) = prototype(surface, function) else { return Vec::new() };
    let Some(here) = parameters(proto) else { return Vec::new() };
    let there = reference.and_then(|reference| prototype(reference, function)).and_then(parameters);
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for access in accesses.iter().filter(|access| !access.is_store) {
        let Some(number) = argument_at(surface, access.offset).filter(|number| seen.insert(*number)) else {
            continue;
        };
        let register = arch::of(arch).argument_registers[number];
        if number >= here.len() {
            let evidence = format!("argument {} (`{register}`) of {}", number + 1, here.len());
            found.push((access.slot, Finding::new(Rule::ArgumentGone, function, evidence)));
        } else if let Some((new, old)) = changed(&here, there.as_deref(), number) {
            let evidence =
                format!("argument {} (`{register}`): `{new}`, on {} `{old}`", number + 1, label(reference));
            found.push((access.slot, Finding::new(Rule::ArgumentChanged, function, evidence)));
        }
    }
    found
}

/// A field of an event's record: its name, where it begins and ends, in bytes.
type RecordField = (String, u64, u64);

/// The fields of an event's record, as its `format` file lists them; `None` where they are not known.
fn record_fields(surface: &Surface, category: &str, name: &str) -> Option<Vec<RecordField>> {
    if category == crate::surface::syscall::EVENT_SYSTEM
        && let Some(event) = surface.syscall_event(name)
    {
        let fields = event.fields()?;
        return Some(fields.iter().map(|it| (it.name.to_owned(), it.offset, it.offset + it.size)).collect());
    }
    let event = surface.tracepoints_named(name).find(|it| it.has_event() && it.system() == Some(category))?;
    let record = event.record()?;
    let word = surface.meta().address_size;
    let fields = fields(record).into_iter().filter(|field| field.name != "__data").map(|field| {
        let start = field.bit_offset? / 8;
        Some((field.name.into_owned(), start, start + field.ty.byte_size(word)?))
    });
    fields.collect()
}

fn record(
    surface: &Surface,
    reference: Option<&Surface>,
    category: &str,
    name: &str,
    accesses: &[ContextAccess],
) -> Found {
    let subject = format!("{category}:{name}");
    let Some(here) = record_fields(surface, category, name) else { return Vec::new() };
    let end = here.iter().map(|field| field.2).max().unwrap_or(0);
    let there = reference.and_then(|reference| record_fields(reference, category, name));
    let at = |fields: &[RecordField], offset: u64, size: u8| {
        let found = fields.iter().find(|field| field.1 <= offset && offset + u64::from(size) <= field.2);
        found.map(|field| (field.0.clone(), offset - field.1))
    };
    let mut found = Vec::new();
    let mut seen = BTreeSet::new();
    for access in accesses {
        let Ok(offset) = u64::try_from(access.offset) else { continue };
        if offset + u64::from(access.size) > end {
            let evidence = format!("bytes {offset} to {} of {end}", offset + u64::from(access.size));
            let message = "failed to create BPF link for perf_event FD: Permission denied";
            found.push((
                access.slot,
                Finding::new(Rule::RecordTooShort, &subject, evidence).fails(Errno::Eacces, message),
            ));
            break;
        }
        let Some(before) = there.as_ref().and_then(|there| at(there, offset, access.size)) else { continue };
        let now = at(&here, offset, access.size);
        if now.as_ref() != Some(&before) && seen.insert(offset) {
            let words =
                now.map_or_else(|| "parts of other fields".to_owned(), |(name, _)| format!("`{name}`"));
            let evidence = format!("byte {offset} is {words}, on {} `{}`", label(reference), before.0);
            found.push((access.slot, Finding::new(Rule::RecordMoved, &subject, evidence)));
        }
    }
    found
}
