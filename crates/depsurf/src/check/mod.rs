//! Whether an eBPF object works on a kernel: what it depends on x surface -> findings.
//!
//! [`Prepared`] is what of an object does not depend on the kernel. [`check`] compares it with kernels, in the order in
//! which libbpf and the kernel meet the same questions: externs and maps, CO-RE relocations ([`core`]), the code that
//! is left ([`flow`]), hooks, arguments. What comes out is plain values ([`Report`]). [`Rule`] is the table of all that
//! can be wrong. Not judged here: what the verifier says of code that is all right by itself, permissions, lockdown.

mod allow;
mod argument;
mod baseline;
mod choice;
pub mod core;
mod cover;
mod external;
mod feature;
pub mod flow;
mod hook;
mod loader;
mod lock;
mod message;
mod object;
mod relocated;
mod report;
mod rules;
mod script;
mod spoil;
mod types;
mod way;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use rayon::prelude::*;

pub use self::allow::{Allow, Date, Expired};
pub use self::baseline::Baseline;
pub use self::cover::{Cover, Covered, Outcome as CoveredOutcome};
pub use self::loader::{Loader, Said};
pub use self::lock::{Compared, Lock};
pub use self::message::{Message, messages};
pub use self::object::Prepared;
pub use self::report::{
    Errno, Finding, ObjectReport, Place, ProgramReport, Relocated, Report, SCHEMA, Settled, Verdict, Whole,
};
pub use self::rules::{Consequence, Entry, Rule};
pub use self::script::check_scripts;
pub use self::way::{Way, WayKind};

use self::core::{Access, Candidates, Outcome, Patch, Refusal};
use self::external::Resolved;
use self::feature::Features;
use self::flow::{Code, Lent, Mark, Reached, Spoils, Value};
use self::object::{OPTIONS, PreparedProgram};
use self::spoil::Habit;
use self::way::Inside;
use crate::bpf::core::RelocationKind;
use crate::bpf::{Class, Insn, POISON, Sec};
use crate::surface::Surface;
use crate::surface::module::{self, Module};
use crate::surface::types::TypeId;

/// What is asked for.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options<'k> {
    /// Also what every relocation gives.
    pub relocations: bool,
    /// Also ways out of what is found.
    pub ways: bool,
    /// Also what loaders other than libbpf say and do.
    pub loaders: bool,
    /// A kernel on which the programs are right: arguments and records are compared with its own.
    pub reference: Option<&'k Surface>,
}

/// Compares objects with kernels. The result does not depend on the number of threads.
#[must_use]
pub fn check(objects: &[Prepared<'_>], kernels: &[&Surface], options: Options<'_>) -> Report {
    let facts: Vec<Kernel<'_>> = kernels.par_iter().map(|surface| Kernel::new(surface)).collect();
    let objects = objects.par_iter().map(|object| {
        let on: Vec<OnKernel> = facts.par_iter().map(|kernel| one(object, kernel, options)).collect();
        let mut report = ObjectReport { name: object.name.clone(), whole: Vec::new(), programs: Vec::new() };
        report.programs.extend(object.programs.iter().map(|program| ProgramReport {
            name: program.program.name.to_owned(),
            section: program.program.sec.written.to_owned(),
            targets: choice::targets(program),
            autoload: program.sec().autoload,
            optional: program.optional,
            is_guess: program.is_guess,
            verdicts: Vec::new(),
        }));
        for on in on {
            for (program, verdict) in report.programs.iter_mut().zip(on.verdicts) {
                program.verdicts.push(verdict);
            }
            report.whole.push(on.whole);
        }
        report
    });
    let objects = objects.collect();
    Report { kernels: kernels.iter().map(|surface| surface.kernel().clone()).collect(), objects }
}

/// What of a kernel does not depend on the object.
struct Kernel<'k> {
    surface: &'k Surface,
    features: Features,
    inside: Inside,
    habit: Habit,
}

impl<'k> Kernel<'k> {
    fn new(surface: &'k Surface) -> Self {
        Self {
            surface,
            features: Features::new(surface),
            inside: Inside::default(),
            habit: Habit::new(surface),
        }
    }
}

/// An object on one kernel.
struct OnKernel {
    whole: Whole,
    verdicts: Vec<Verdict>,
}

fn one(prepared: &Prepared<'_>, kernel: &Kernel<'_>, options: Options<'_>) -> OnKernel {
    let (surface, object) = (kernel.surface, prepared.object);
    let mut findings = Vec::new();
    if object.is_big_endian() != surface.meta().big_endian {
        let order = |big| if big { "big-endian" } else { "little-endian" };
        let evidence =
            format!("{}, the kernel is {}", order(object.is_big_endian()), order(surface.meta().big_endian));
        let finding = Finding::new(Rule::WrongMachine, "byte order", evidence);
        findings
            .push(finding.so(Consequence::ObjectFails).fails(Errno::Einval, "object endianness mismatch"));
        let refused =
            || Verdict { consequence: Consequence::ObjectFails, ..Verdict::new(Vec::new(), Vec::new()) };
        let verdicts = prepared.programs.iter().map(|_| refused()).collect();
        return OnKernel { whole: choice::whole(prepared, findings, &[]), verdicts };
    }
    let (externals, missing) = external::resolve(surface, object);
    findings.extend(missing);
    findings.extend(feature::of_maps(surface, &kernel.features, object));

    let relocated = Relocations::new(prepared, surface, &mut findings);
    if options.loaders {
        let context = message::Context { arch: surface.kernel().arch, sec: None };
        findings.iter_mut().for_each(|it| it.loaders = message::loaders(it, context));
    }
    let verdicts: Vec<Verdict> = prepared
        .programs
        .iter()
        .map(|program| {
            let on =
                |sec: &Sec<'_>| of_program(prepared, program, sec, kernel, &relocated, &externals, options);
            let verdict = choice::first_that_works(&program.targets, on);
            if program.is_guess { choice::guessed(program, verdict) } else { verdict }
        })
        .collect();
    OnKernel { whole: choice::whole(prepared, findings, &verdicts), verdicts }
}

/// What libbpf makes of an object's CO-RE relocations on a kernel.
struct Relocations {
    /// In the object's order.
    outcomes: Vec<Option<Outcome>>,
    /// Why none were carried out.
    impossible: Option<Finding>,
}

impl Relocations {
    /// Carries them out in the object's order, which matters.
    fn new(prepared: &Prepared<'_>, surface: &Surface, findings: &mut Vec<Finding>) -> Self {
        let count = prepared.paths.len();
        let needs_kernel = prepared
            .paths
            .iter()
            .any(|path| path.as_ref().is_ok_and(|path| path.kind() != RelocationKind::TypeIdLocal));
        if needs_kernel && surface.meta().btf_types <= 1 {
            let finding = types::relocations_without_btf(surface, prepared);
            findings.push(finding.clone());
            return Self { outcomes: vec![None; count], impossible: Some(finding) };
        }
        let meta = surface.meta();
        let mut candidates =
            Candidates::new(surface.types(), meta.btf_types, meta.address_size, meta.big_endian)
                .with_modules(surface.modules().map(|module| module.types()).filter(|ids| !ids.is_empty()));
        let outcomes =
            prepared.paths.iter().map(|path| path.as_ref().ok().map(|path| candidates.relocate(path)));
        Self { outcomes: outcomes.collect(), impossible: None }
    }

    /// Which types of a program are those of modules.
    fn of_modules(&self, program: &PreparedProgram<'_>, surface: &Surface) -> Vec<Finding> {
        let mut types = BTreeMap::new();
        for &(_, number) in &program.relocations {
            if let Some(Some(Outcome::Patched { candidate: Some(id), .. })) = self.outcomes.get(number)
                && let Some(found) = surface.types().get(*id)
            {
                types.insert(found.name(), found);
            }
        }
        types.into_iter().filter_map(|(name, found)| hook::needs_module_of(surface, found, name)).collect()
    }
}

/// A program on a kernel.
fn of_program(
    prepared: &Prepared<'_>,
    program: &PreparedProgram<'_>,
    sec: &Sec<'_>,
    kernel: &Kernel<'_>,
    relocations: &Relocations,
    externals: &[Resolved],
    options: Options<'_>,
) -> Verdict {
    let surface = kernel.surface;
    let mut findings = feature::of_program(surface, &kernel.features, sec);
    let hook = hook::findings(surface, sec);
    if findings.is_empty() || hook.is_empty() {
        findings.extend(hook);
    }
    if program.relocations.is_empty() {
    } else if let Some(finding) = &relocations.impossible {
        findings.push(finding.clone());
    }
    findings.extend(relocations.of_modules(program, surface));
    let suspects = Suspects::new(prepared, program, kernel, relocations, externals);
    let of_context = |accesses: &[flow::ContextAccess]| {
        argument::findings(surface, options.reference, prepared.object, program, sec.hook, accesses)
    };
    let unpatched = of_context(&program.context);
    let wants_flow = !suspects.list.is_empty() || !unpatched.is_empty() || options.relocations;
    let reached = wants_flow.then(|| suspects.follow(prepared, program, externals, surface, Ask::default()));
    let is_reached = |slot: usize| reached.as_ref().is_none_or(|it| it.slots.get(slot) == Some(&true));

    // Whether it depends on a constant that loaders set is only asked where it may matter.
    let mut open: Option<Vec<(String, Reached)>> = None;
    for (slot, finding) in &suspects.list {
        if is_reached(*slot) {
            findings.push(finding.clone());
            continue;
        }
        let ways = open.get_or_insert_with(|| {
            variables(prepared, program)
                .into_iter()
                .map(|(name, place)| {
                    let ask = Ask { open: Some(place), ..Ask::default() };
                    (name, suspects.follow(prepared, program, externals, surface, ask))
                })
                .collect()
        });
        let names: Vec<String> = ways
            .iter()
            .filter(|(_, it)| it.slots.get(*slot) == Some(&true))
            .map(|(name, _)| name.clone())
            .collect();
        if !names.is_empty() {
            findings.push(Finding { depends_on: names, ..finding.clone() });
        }
    }
    findings.extend(spoil::findings(&kernel.habit, prepared, program, &|ask| {
        suspects.follow(prepared, program, externals, surface, ask)
    }));
    if let Some(reached) = &reached {
        findings.extend(of_context(&reached.context));
    } else {
        findings.extend(unpatched);
    }
    let mut seen = BTreeSet::new();
    findings.retain(|it| seen.insert((it.rule, it.subject.clone(), it.depends_on.clone())));
    if options.loaders {
        let context = message::Context { arch: surface.kernel().arch, sec: Some(sec) };
        findings.iter_mut().for_each(|it| it.loaders = message::loaders(it, context));
    }
    if options.ways {
        for finding in &mut findings {
            finding.ways = way::ways(surface, &kernel.inside, finding);
        }
    }
    findings.sort_by(|a, b| (b.consequence, &a.subject).cmp(&(a.consequence, &b.subject)));
    let list = if options.relocations {
        relocated::list(prepared, program, relocations, &is_reached, options.loaders)
    } else {
        Vec::new()
    };
    Verdict::new(findings, list)
}

/// Constants of the object that a program refers to, which loaders may set: names, and where each is.
fn variables(prepared: &Prepared<'_>, program: &PreparedProgram<'_>) -> Vec<(String, (u32, u64, u64))> {
    let object = prepared.object;
    let mut found = BTreeSet::new();
    let all = object.variables();
    for mark in program.marks.values() {
        let Mark::Gives(Value::Data { section: map, offset }) = *mark else { continue };
        let Some(map_is) = object.maps().get(map as usize) else { continue };
        let is_here = |variable: &&crate::bpf::Variable<'_>| {
            let end = variable.offset + variable.size.unwrap_or(0);
            Some(variable.section) == map_is.section && (variable.offset..end).contains(&u64::from(offset))
        };
        if let Some(variable) = all.iter().find(is_here) {
            let end = variable.offset + variable.size.unwrap_or(0);
            found.insert((variable.name.to_owned(), (map, variable.offset, end)));
        }
    }
    found.into_iter().collect()
}

/// How a program's code is followed.
#[derive(Debug, Clone, Copy, Default)]
struct Ask {
    /// A place in the object's constants that may hold anything: map, first byte, byte behind the last.
    open: Option<(u32, u64, u64)>,
    /// What becomes of the stack that helpers get to, where that is asked.
    spoils: Option<Spoils>,
}

/// A program's code on a kernel, and the instructions that the verifier refuses.
struct Suspects {
    insns: Vec<Insn>,
    marks: HashMap<usize, Mark>,
    /// Slot, and what it would mean to get there.
    list: Vec<(usize, Finding)>,
}

impl Suspects {
    fn new(
        prepared: &Prepared<'_>,
        program: &PreparedProgram<'_>,
        kernel: &Kernel<'_>,
        relocated: &Relocations,
        externals: &[Resolved],
    ) -> Self {
        let mut insns = program.linked.insns.clone();
        let mut marks = program.marks.clone();
        let mut list = Vec::new();
        for &(slot, number) in &program.relocations {
            let Some(Ok(path)) = prepared.paths.get(number) else { continue };
            let place = || program.place(prepared.object, slot);
            match relocated.outcomes.get(number) {
                Some(Some(Outcome::Patched { patch, .. })) => {
                    if let Err(finding) = patched(&mut insns, slot, *patch, &path.to_string()) {
                        if finding.rule == Rule::FieldSizeChanged {
                            marks.insert(slot, Mark::Poison);
                        }
                        list.push((slot, finding.at(place())));
                    }
                }
                Some(Some(Outcome::Poisoned)) => {
                    marks.insert(slot, Mark::Poison);
                    list.push((slot, absent(kernel.surface, path).at(place())));
                }
                Some(Some(Outcome::Ambiguous { candidates })) => {
                    marks.insert(slot, Mark::Anything);
                    let evidence =
                        format!("types {} and {} of the kernel's BTF", candidates[0].0, candidates[1].0);
                    let finding = Finding::new(Rule::RelocationAmbiguous, path.to_string(), evidence);
                    list.push((
                        slot,
                        finding.fails(Errno::Einval, "relocation decision ambiguity").at(place()),
                    ));
                }
                Some(Some(Outcome::Contested { candidates })) => {
                    marks.insert(slot, Mark::Anything);
                    let finding = contested(kernel.surface, &path.to_string(), *candidates);
                    list.push((slot, finding.at(place())));
                }
                Some(Some(Outcome::Refused(refusal))) => {
                    marks.insert(slot, Mark::Anything);
                    list.push((slot, refused(&path.to_string(), *refusal).at(place())));
                }
                _ => {
                    marks.insert(slot, Mark::Anything);
                }
            }
        }
        for &(slot, number) in &program.externals {
            let is_load = insns[slot].is_ld_imm64();
            match externals.get(number) {
                Some(Resolved::There) if is_load => {
                    marks.insert(slot, Mark::Gives(Value::Address));
                }
                Some(Resolved::Absent)
                    if is_load && !matches!(marks.get(&slot), Some(Mark::Gives(Value::Data { .. }))) =>
                {
                    marks.insert(slot, Mark::Gives(Value::Number(0)));
                }
                Some(Resolved::Absent) if insns[slot].is_call() => {
                    marks.insert(slot, Mark::Poison);
                    let name = prepared.object.externals().get(number).map_or("", |it| it.name);
                    let message = format!("kfunc '{name}' is referenced but wasn't resolved");
                    let finding =
                        Finding::new(Rule::UnresolvedCall, name, "no FUNC of that name in the kernel's BTF");
                    list.push((
                        slot,
                        finding.fails(Errno::Einval, message).at(program.place(prepared.object, slot)),
                    ));
                }
                _ => {}
            }
        }
        for &(slot, helper) in &program.helpers {
            let has = |helper| kernel.features.has_helper(helper);
            let replaced = feature::replacement(helper).is_some_and(|other| has(other) == Some(true));
            let place = || program.place(prepared.object, slot);
            match has(helper) {
                Some(false) if !replaced => {
                    marks.insert(slot, Mark::Poison);
                    list.push((slot, feature::no_helper(helper).at(place())));
                }
                None => {
                    list.push((slot, feature::unknown_helper(kernel.surface, helper)));
                }
                _ => {}
            }
        }
        Self { insns, marks, list }
    }

    /// Follows the code.
    fn follow(
        &self,
        prepared: &Prepared<'_>,
        program: &PreparedProgram<'_>,
        externals: &[Resolved],
        surface: &Surface,
        ask: Ask,
    ) -> Reached {
        debug_assert_eq!(self.insns.len(), program.linked.insns.len());
        let sizes = |map| object::sizes(prepared.object, map);
        let lent = ask.spoils.map(|spoils| Lent { spoils, sizes: &sizes });
        let code =
            Code { insns: &self.insns, marks: &self.marks, big_endian: surface.meta().big_endian, lent };
        flow::follow(&code, &|section, offset, size| {
            if section & OPTIONS != 0 {
                return match externals.get((section & !OPTIONS) as usize) {
                    Some(Resolved::Value(value)) if offset == 0 => {
                        Some(value & (u64::MAX >> (64 - 8 * u32::from(size))))
                    }
                    Some(Resolved::Absent) => Some(0),
                    _ => None,
                };
            }
            let is_open =
                ask.open.is_some_and(|it| it.0 == section && (it.1..it.2).contains(&u64::from(offset)));
            if is_open { None } else { prepared.constant(section, offset, size) }
        })
    }
}

/// Writes a relocated number into an instruction (`bpf_core_patch_insn`).
fn patched(insns: &mut [Insn], slot: usize, patch: Patch, path: &str) -> Result<(), Box<Finding>> {
    let (insn, value) = (insns[slot], patch.value);
    if insn.is_ld_imm64() {
        insns[slot].imm = value as i32;
        if let Some(next) = insns.get_mut(slot + 1) {
            next.imm = (value >> 32) as i32;
        }
        return Ok(());
    }
    match insn.class() {
        Class::Ldx | Class::St | Class::Stx => {
            if let Access::Unfit { object, kernel } = patch.access {
                let evidence = format!("{kernel} bytes in the kernel, {object} in the object");
                let finding = Finding::new(Rule::FieldSizeChanged, path, evidence);
                return Err(finding.fails(Errno::Einval, format!("invalid func unknown#{POISON}")).into());
            }
            let Ok(offset) = i16::try_from(value) else {
                let evidence = format!("offset {value}; instructions reach up to {}", i16::MAX);
                let finding = Finding::new(Rule::RelocationRefused, path, evidence);
                return Err(finding.fails(Errno::Erange, "insn value too big").into());
            };
            insns[slot].offset = offset;
        }
        _ => insns[slot].imm = value as i32,
    }
    Ok(())
}

/// What libbpf says of a program with a relocation that it refuses.
const REFUSED: &str = "failed to perform CO-RE relocations: -22";

/// A path that leads nowhere in the kernel.
fn absent(surface: &Surface, path: &crate::bpf::core::Path<'_>) -> Finding {
    let name = path.to_string();
    let message = format!("invalid func unknown#{POISON}");
    let root = path.resolved;
    let wanted = path.name();
    let has_type = surface
        .types()
        .with_essential_name(wanted)
        .any(|it| it.kind() == path.root.kind() && surface.is_in_btf(it));
    let (rule, evidence) = match (path.kind().is_enumerator(), has_type) {
        (true, true) => (Rule::EnumeratorAbsent, format!("`enum {wanted}` has no such value")),
        (false, true) => (Rule::FieldAbsent, format!("`{}` has no such member, or of another kind", wanted)),
        (_, false) => (Rule::TypeAbsent, format!("no {} `{wanted}` in the kernel's BTF", root.kind().name())),
    };
    Finding::new(rule, name, evidence).fails(Errno::Einval, message)
}

/// A path that leads to different places, depending on which modules are loaded.
fn contested(surface: &Surface, path: &str, candidates: [TypeId; 2]) -> Finding {
    let types = candidates.map(|id| surface.types().get(id));
    let names = types.into_iter().flatten().filter_map(|found| surface.module_of_type(found));
    let mut names: Vec<&str> = names.map(|module| module.name()).collect();
    names.dedup();
    let evidence = format!("in {}, with types that differ", module::words(&names));
    let is_loaded = |name: &&str| surface.module(name).is_some_and(Module::is_loaded);
    if names.iter().all(is_loaded) {
        return Finding::new(Rule::RelocationRefused, path, evidence).fails(Errno::Einval, REFUSED);
    }
    Finding::new(Rule::NeedsModule, path, evidence)
}

fn refused(path: &str, refusal: Refusal) -> Finding {
    let evidence = match refusal {
        Refusal::Broken(broken) => format!("{broken:?}"),
        Refusal::Nameless => "the type has no name".into(),
        Refusal::TooWide => "no load takes the bitfield".into(),
        Refusal::UnknownKind => "a kind of relocation that is not known".into(),
    };
    Finding::new(Rule::RelocationRefused, path, evidence).fails(Errno::Einval, REFUSED)
}
