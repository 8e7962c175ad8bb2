//! Whether a program's hook is there and takes it, by the kernel's own checks.

#[cfg(test)]
mod tests;

use super::report::{Errno, Finding};
use super::rules::{Consequence, Rule};
use super::types::{NO_BTF, NO_BTF_MESSAGE, unread_btf};
use crate::bpf::{Hook, Sec, TraceAt};
use crate::image::arch;
use crate::surface::attach::{Answer, Attach, EXIT_TEXT, Miss, Obstacle};
use crate::surface::module::{self, Module};
use crate::surface::syscall::EVENT_SYSTEM;
use crate::surface::types::{Type, TypeKind};
use crate::surface::{Fact, Surface};

/// What is wrong with the hook of a program.
pub(super) fn findings(surface: &Surface, sec: &Sec<'_>) -> Vec<Finding> {
    match sec.hook {
        Hook::Kprobe { function: Some(function), ret, multi, session, offset } => {
            kprobe(surface, function, offset, ret, multi || session)
        }
        Hook::Ksyscall { name: Some(name), ret } => ksyscall(surface, name, ret),
        Hook::Tracepoint { target: Some(target) } => event(surface, target.category, target.name),
        Hook::RawTracepoint { name: Some(name), writable } => raw_tracepoint(surface, name, writable),
        Hook::TpBtf { name: Some(name) } => tp_btf(surface, name),
        Hook::Trace { at, module, function: Some(function), multi } => {
            trace(surface, Trace { at, module, function, multi, sleepable: sec.is_sleepable() })
        }
        Hook::Lsm { hook: Some(hook), .. } => lsm(surface, hook, sec.is_sleepable()),
        Hook::Iter { target: Some(target) } => iterator(surface, target),
        // Loaders attach these by hand, to what the object cannot tell.
        Hook::Malformed { why } if is_of_user_space(sec) => {
            vec![Finding::new(Rule::TargetChosenByLoader, sec.written, why)]
        }
        Hook::Malformed { why } => {
            let message = format!("invalid section `{}`", sec.written);
            vec![Finding::new(Rule::BadTarget, sec.written, why).fails(Errno::Einval, message)]
        }
        Hook::Unknown => {
            let message = "missing BPF prog type, check ELF section name";
            let evidence = "none of libbpf's prefixes";
            vec![Finding::new(Rule::UnknownSection, sec.written, evidence).fails(Errno::Einval, message)]
        }
        Hook::Kprobe { .. }
        | Hook::Ksyscall { .. }
        | Hook::Tracepoint { .. }
        | Hook::RawTracepoint { .. }
        | Hook::TpBtf { .. }
        | Hook::Trace { .. }
        | Hook::Lsm { .. }
        | Hook::Iter { .. } => {
            vec![Finding::new(Rule::TargetChosenByLoader, sec.written, "the section names no target")]
        }
        // Not the kernel's, or not by name.
        Hook::Uprobe { .. }
        | Hook::Usdt { .. }
        | Hook::Freplace { .. }
        | Hook::StructOps { .. }
        | Hook::Syscall
        | Hook::Other => Vec::new(),
    }
}

/// Whether the section is for a probe of a program or library.
fn is_of_user_space(sec: &Sec<'_>) -> bool {
    let prefix = sec.entry.map_or("", |entry| entry.name);
    ["uprobe", "uretprobe", "usdt"].iter().any(|kind| prefix.starts_with(kind))
}

/// A fact is missing.
fn missing(subject: &str, fact: Fact, reason: &str) -> Finding {
    Finding::new(Rule::EvidenceMissing, subject, format!("{}: {reason}", word(fact)))
}

/// The word for a fact, as in JSON.
fn word(fact: Fact) -> String {
    serde_json::to_value(fact).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

/// Nothing where the facts were read; else that they were not.
fn unread(surface: &Surface, subject: &str, facts: &[Fact]) -> Option<Finding> {
    surface.first_unread(facts).map(|(fact, reason)| missing(subject, fact, reason))
}

/// What is said where something is not in the image, but may be in a module.
pub(super) fn not_in_image(surface: &Surface) -> &'static str {
    if surface.meta().knows(Fact::Modules) {
        "neither in the kernel image nor in its modules"
    } else if surface.modules().len() > 0 {
        "not in the kernel image, nor in the modules that were read"
    } else {
        "not in the kernel image; modules were not read"
    }
}

/// What is used is in modules: one of them has to be loaded. Nothing where one is.
pub(super) fn needs_module(surface: &Surface, subject: &str, modules: &[&str]) -> Option<Finding> {
    if modules.iter().any(|name| surface.module(name).is_some_and(Module::is_loaded)) {
        return None;
    }
    let choice = if modules.len() > 1 { ": one of them" } else { "" };
    Some(Finding::new(Rule::NeedsModule, subject, format!("in {}{choice}", module::words(modules))))
}

/// That a type of BTF is in modules; nothing where vmlinux has it.
pub(super) fn needs_module_of(surface: &Surface, found: Type<'_>, subject: &str) -> Option<Finding> {
    surface.module_of_type(found)?;
    let modules: Vec<&str> = surface.modules_with_type(found).iter().map(|module| module.name()).collect();
    needs_module(surface, subject, &modules)
}

fn kprobe(surface: &Surface, function: &str, offset: i64, ret: bool, multi: bool) -> Vec<Finding> {
    if multi {
        return kprobe_multi(surface, function);
    }
    let attach = surface.attach(function);
    let answer = if ret { &attach.kretprobe } else { &attach.kprobe };
    let what = if ret { "kretprobe" } else { "kprobe" };
    let fails = |finding: Finding, errno: Errno| {
        let plus = if offset == 0 { "+0x0".into() } else { format!("+{offset:#x}") };
        finding
            .fails(errno, format!("failed to create {what} '{function}{plus}' perf event: {}", errno.text()))
    };
    match answer {
        Answer::Yes if offset != 0 => {
            let evidence = "whether an instruction begins there: the code itself is not kept";
            vec![Finding::new(Rule::EvidenceMissing, format!("{function}+{offset:#x}"), evidence)]
        }
        Answer::Yes => attached(function, &attach, surface),
        Answer::Unknown { fact, reason } => vec![missing(function, *fact, reason)],
        Answer::No { reason } => {
            let (finding, errno) = refused(surface, function, *reason);
            vec![fails(finding.so(Consequence::AttachFails), errno)]
        }
    }
}

/// A link over all ftrace-able functions of a pattern, or one name that must be one.
fn kprobe_multi(surface: &Surface, pattern: &str) -> Vec<Finding> {
    let facts = [Fact::Symbols, Fact::FtraceSites];
    let is_pattern = pattern.contains(['*', '?']);
    let takes = |name: &str| if is_pattern { matches(pattern, name) } else { name == pattern };
    let traced = |symbol: &crate::surface::Symbol<'_>| {
        symbol.attach() & crate::surface::record::ATTACH_FTRACE != 0 && takes(symbol.name())
    };
    let found = if is_pattern {
        surface.symbols().any(|symbol| traced(&symbol))
    } else {
        surface.symbols_named(pattern).any(|symbol| traced(&symbol))
    };
    if found {
        let attach = surface.attach(pattern);
        return if is_pattern { Vec::new() } else { attached(pattern, &attach, surface) };
    }
    if let Some(finding) = unread(surface, pattern, &facts) {
        return vec![finding];
    }
    let exists = surface.symbols_named(pattern).next().is_some();
    let rule = if exists { Rule::NoFtraceSite } else { Rule::NoSymbol };
    let errno = if is_pattern { Errno::Enoent } else { Errno::Esrch };
    let evidence =
        if is_pattern { "no ftrace-able function of the pattern" } else { "no ftrace site of that name" };
    vec![
        Finding::new(rule, pattern, evidence)
            .fails(errno, format!("failed to attach multi-kprobe: {}", errno.text())),
    ]
}

/// libbpf's `glob_match`: `*` for any characters, `?` for one.
fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.as_bytes(), name.as_bytes());
    let (mut p, mut n, mut star) = (0, 0, None);
    while n < name.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(&c) if c == b'?' || c == name[n] => {
                p += 1;
                n += 1;
            }
            _ => match star {
                Some((at, from)) => {
                    star = Some((at, from + 1));
                    (p, n) = (at + 1, from + 1);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == b'*')
}

/// What a refusal by the kernel is called, with the error that kprobes give.
fn refused(surface: &Surface, name: &str, reason: Obstacle) -> (Finding, Errno) {
    let new = |rule, evidence: String| Finding::new(rule, name, evidence);
    match reason {
        Obstacle::NoSymbol => {
            let function = surface.function(name);
            let sites =
                function.map(|found| found.instances().map(|it| it.inline_sites().count()).sum::<usize>());
            match sites {
                Some(sites) if sites > 0 => {
                    (new(Rule::FullyInlined, format!("no symbol; {sites} inlined copies")), Errno::Enoent)
                }
                _ if surface.symbols_named(name).any(|it| it.section() == Some(EXIT_TEXT)) => {
                    let evidence =
                        format!("in `{EXIT_TEXT}`, which kallsyms leaves out without CONFIG_KALLSYMS_ALL");
                    (new(Rule::NoSymbol, evidence), Errno::Enoent)
                }
                Some(_) => (new(Rule::NoSymbol, "declared, but no symbol".into()), Errno::Enoent),
                None => (new(Rule::NoSymbol, not_in_image(surface).into()), Errno::Enoent),
            }
        }
        Obstacle::OnlySuffixed => {
            let names: Vec<String> =
                surface.symbols_of(name).iter().map(|symbol| format!("`{}`", symbol.name())).collect();
            (new(Rule::OnlySuffixedSymbols, format!("only {}", names.join(", "))), Errno::Enoent)
        }
        Obstacle::SeveralSymbols { count } => {
            (new(Rule::SeveralSymbols, format!("{count} symbols")), Errno::Eaddrnotavail)
        }
        Obstacle::Blacklisted => (new(Rule::Blacklisted, "on the kprobe blacklist".into()), Errno::Einval),
        Obstacle::ForbiddenText { section } => {
            (new(Rule::Blacklisted, format!("in `{section}`")), Errno::Einval)
        }
        Obstacle::InitText => (new(Rule::InitText, "in init text".into()), Errno::Einval),
        Obstacle::NoFtraceSite { declared_inline } => {
            let why = if declared_inline { "; it is declared inline" } else { "" };
            (new(Rule::NoFtraceSite, format!("a symbol without ftrace site{why}")), Errno::Einval)
        }
        Obstacle::NoKretprobe => (new(Rule::NoKretprobe, "on the kretprobe blacklist".into()), Errno::Einval),
        Obstacle::NoBtf => (new(Rule::NoKernelBtf, NO_BTF.into()), Errno::Esrch),
        Obstacle::NoBtfFunc => (new(Rule::NoBtfFunc, "no FUNC in the kernel's BTF".into()), Errno::Esrch),
        Obstacle::NoTrampoline => (
            new(Rule::NoTrampoline, "no BPF trampolines, or no direct calls of ftrace".into()),
            Errno::Enotsupp,
        ),
        Obstacle::Signature { what } => signature(name, what),
        Obstacle::Denied { set } => (new(Rule::DenyListed, format!("in `{set}`")), Errno::Einval),
        Obstacle::NoReturn => (new(Rule::NoReturn, "in `noreturn_deny`".into()), Errno::Einval),
        Obstacle::NotModifiable => {
            (new(Rule::NotModifiable, "not on the error-injection list".into()), Errno::Einval)
        }
        Obstacle::NotSleepable => {
            (new(Rule::NotSleepable, "not on the error-injection list".into()), Errno::Einval)
        }
    }
}

fn signature(name: &str, what: crate::surface::attach::Signature) -> (Finding, Errno) {
    use crate::surface::attach::Signature;
    let new = |evidence: String| Finding::new(Rule::SignatureNotTraceable, name, evidence);
    match what {
        Signature::Params { count, limit } => {
            let evidence = format!("{count} parameters, {limit} can be passed");
            (new(evidence).so(Consequence::LoadFails), Errno::Einval)
        }
        // The trampoline of the architecture refuses when it is made, which is on attaching.
        Signature::Registers { count, limit } => {
            (new(format!("arguments in {count} registers, {limit} can be passed")), Errno::Enotsupp)
        }
        Signature::Variadic => {
            (new("it takes variable arguments".into()).so(Consequence::LoadFails), Errno::Einval)
        }
        Signature::ByValue => {
            (new("it takes or returns a struct by value".into()).so(Consequence::LoadFails), Errno::Einval)
        }
    }
}

/// What is to be said where it attaches: on what condition, and what is not seen.
fn attached(name: &str, attach: &Attach<'_>, surface: &Surface) -> Vec<Finding> {
    let condition = attach.module.and_then(|module| {
        let modules: Vec<&str> = [module].into_iter().chain(attach.also_in.iter().copied()).collect();
        needs_module(surface, name, &modules)
    });
    condition.into_iter().chain(misses(name, &attach.misses, surface)).collect()
}

/// What is not seen where it attaches.
fn misses(name: &str, misses: &[Miss], surface: &Surface) -> Vec<Finding> {
    let found = misses.iter().map(|miss| match miss {
        Miss::InlinedCopies { sites, functions } => {
            let calls = surface.function(name).map_or(0, |found| {
                found.instances().map(|instance| instance.callers().count()).sum::<usize>()
            });
            let evidence = format!("{sites} inlined copies in {functions} functions, {calls} calls");
            Finding::new(Rule::InlinedCopies, name, evidence)
        }
        Miss::Clone { suffix } => {
            Finding::new(Rule::PartialClone, name, format!("a symbol with `.{}`", suffix.name()))
        }
        Miss::OtherFunctions { symbols } => {
            Finding::new(Rule::OtherFunctions, name, format!("{symbols} symbols of that name"))
        }
    });
    found.collect()
}

/// libbpf asks whether the kernel has wrappers of system calls by looking for one of `bpf` itself.
fn ksyscall(surface: &Surface, name: &str, ret: bool) -> Vec<Finding> {
    let prefix = arch::of(surface.kernel().arch).libbpf_word;
    if let Some(finding) = unread(surface, name, &[Fact::Symbols]) {
        return vec![finding];
    }
    let wrapped = surface.symbols_named(&format!("__{prefix}_sys_bpf")).next().is_some();
    let function = if wrapped { format!("__{prefix}_sys_{name}") } else { format!("__se_sys_{name}") };
    let mut found = kprobe(surface, &function, 0, ret, false);
    for finding in &mut found {
        if finding.rule == Rule::NoSymbol {
            finding.rule = Rule::NoSyscall;
            finding.evidence = format!("no symbol `{function}`");
        }
    }
    found
}

fn event(surface: &Surface, category: &str, name: &str) -> Vec<Finding> {
    let subject = format!("{category}:{name}");
    if subject.contains(['*', '?']) {
        return event_pattern(surface, category, name);
    }
    let mut events =
        surface.tracepoints_named(name).filter(|it| it.has_event() && it.system() == Some(category));
    let event = events.next();
    if let Some(module) = event.and_then(|event| event.module()) {
        return needs_module(surface, &subject, &[module.name()]).into_iter().collect();
    }
    let listed = event.is_some();
    let of_syscall = category == EVENT_SYSTEM && surface.syscall_event(name).is_some();
    if listed || of_syscall {
        return Vec::new();
    }
    let errno = Errno::Enoent;
    let message =
        format!("failed to determine tracepoint '{category}/{name}' perf event ID: {}", errno.text());
    if category == EVENT_SYSTEM {
        return vec![match surface.has_syscall_events() {
            None => {
                let unread =
                    unread(surface, &subject, &[Fact::SyscallMetadata, Fact::Syscalls, Fact::Config]);
                unread.unwrap_or_else(|| missing(&subject, Fact::SyscallMetadata, "not read"))
            }
            Some(true) => Finding::new(Rule::NoSyscallEvent, subject, "no such call with metadata")
                .fails(errno, message),
            Some(false) => Finding::new(Rule::NoSyscallEvent, subject, "CONFIG_FTRACE_SYSCALLS is not set")
                .fails(errno, message),
        }];
    }
    if let Some(finding) = unread(surface, &subject, &[Fact::Tracepoints]) {
        return vec![finding];
    }
    let mut others = surface.tracepoints_named(name).filter(|it| it.has_event()).filter_map(|it| it.system());
    let evidence = match others.next() {
        Some(system) => format!("the event is `{system}:{name}` here"),
        None => not_in_image(surface).to_owned(),
    };
    vec![Finding::new(Rule::NoEvent, subject, evidence).fails(errno, message)]
}

/// A pattern, as scripts have it: one event that it takes is enough.
fn event_pattern(surface: &Surface, category: &str, name: &str) -> Vec<Finding> {
    let subject = format!("{category}:{name}");
    let takes = |system: &str, event: &str| matches(category, system) && matches(name, event);
    let is_listed = surface
        .tracepoints()
        .any(|it| it.has_event() && it.system().is_some_and(|system| takes(system, it.name())));
    // Any prefix of the events of system calls stands for all of them.
    let of_syscalls = matches(category, EVENT_SYSTEM) && (name.starts_with("sys_") || name.starts_with('*'));
    if is_listed || of_syscalls && surface.has_syscall_events() == Some(true) {
        return Vec::new();
    }
    let facts: &[Fact] = if of_syscalls {
        &[Fact::SyscallMetadata, Fact::Syscalls, Fact::Config]
    } else {
        &[Fact::Tracepoints]
    };
    if let Some(finding) = unread(surface, &subject, facts) {
        return vec![finding];
    }
    let rule = if of_syscalls { Rule::NoSyscallEvent } else { Rule::NoEvent };
    let evidence = format!("no event of the pattern: {}", not_in_image(surface));
    vec![Finding::new(rule, subject, evidence).fails(Errno::Enoent, Errno::Enoent.text())]
}

fn raw_tracepoint(surface: &Surface, name: &str, writable: bool) -> Vec<Finding> {
    let errno = Errno::Enoent;
    let message = format!("failed to open raw tracepoint '{name}': {}", errno.text());
    match surface.tracepoints_named(name).find(|it| it.is_raw()) {
        Some(found) if writable && !found.knows_writable() => {
            vec![missing(name, Fact::RawTracepoints, "types do not tell what raw programs may write")]
        }
        Some(found) if writable && found.writable_size().is_none() => {
            let evidence = "no argument of it is writable";
            vec![Finding::new(Rule::NotWritable, name, evidence).fails(Errno::Einval, "Invalid argument")]
        }
        Some(found) => {
            let module = found.module();
            module.and_then(|module| needs_module(surface, name, &[module.name()])).into_iter().collect()
        }
        None => vec![unread(surface, name, &[Fact::RawTracepoints]).unwrap_or_else(|| {
            Finding::new(Rule::NoRawTracepoint, name, not_in_image(surface)).fails(errno, message)
        })],
    }
}

/// What has a kind and name in BTF: that of the kernel itself, else of a module.
fn in_btf<'s>(surface: &'s Surface, kind: TypeKind, name: &str) -> Option<Type<'s>> {
    // The ids of vmlinux come first.
    surface
        .types()
        .with_essential_name(name)
        .find(|it| it.kind() == kind && it.name() == name && surface.is_in_btf(*it))
}

/// libbpf's message for a BTF id that it does not find.
fn no_btf_id(finding: Finding, name: &str) -> Finding {
    finding.fails(Errno::Esrch, format!("failed to find kernel BTF type ID of '{name}': -3"))
}

fn tp_btf(surface: &Surface, name: &str) -> Vec<Finding> {
    let typedef = format!("btf_trace_{name}");
    if let Some(found) = in_btf(surface, TypeKind::Typedef, &typedef) {
        return needs_module_of(surface, found, name).into_iter().collect();
    }
    vec![
        unread_btf(surface, name).unwrap_or_else(|| {
            no_btf_id(Finding::new(Rule::NoBtfTrace, name, format!("no `{typedef}`")), name)
        }),
    ]
}

struct Trace<'a> {
    at: TraceAt,
    module: Option<&'a str>,
    function: &'a str,
    multi: bool,
    sleepable: bool,
}

fn trace(surface: &Surface, trace: Trace<'_>) -> Vec<Finding> {
    let name = trace.function;
    if let Some(module) = trace.module.filter(|module| *module != "vmlinux") {
        let read = surface.module(module);
        if read.is_none() && !surface.meta().knows(Fact::Modules) {
            let evidence = format!("in module `{module}`, which was not read");
            return vec![Finding::new(Rule::EvidenceMissing, name, evidence)];
        }
        let func = |found: Type<'_>| read.is_some_and(|module| module.types().contains(&found.id().0));
        if !surface.types().find_all(TypeKind::Func, name).any(func) {
            let evidence = match read {
                None => format!("there is no module `{module}`"),
                Some(_) => format!("no FUNC in the BTF of module `{module}`"),
            };
            return vec![no_btf_id(Finding::new(Rule::NoBtfFunc, name, evidence), name)];
        }
    }
    if trace.multi && name.contains(['*', '?']) {
        let evidence = "which functions a pattern takes is not judged";
        return vec![Finding::new(Rule::EvidenceMissing, name, evidence)];
    }
    let attach = surface.attach(name);
    let answer = match trace.at {
        TraceAt::Fentry => &attach.fentry,
        TraceAt::Fexit | TraceAt::Fsession => &attach.fexit,
        TraceAt::FmodRet => &attach.fmod_ret,
    };
    // Both are asked at the same two stages: what refuses first is what is worse. Of equals the last counts.
    let answers = [Some(answer), Some(&attach.sleepable).filter(|_| trace.sleepable)];
    let findings = answers.into_iter().flatten().filter_map(|answer| match answer {
        Answer::Yes => None,
        Answer::Unknown { fact, reason } => Some(missing(name, *fact, reason)),
        Answer::No { reason } => Some(refused_trace(surface, name, *reason)),
    });
    match findings.max_by_key(|finding| finding.consequence) {
        Some(worst) => vec![worst],
        None => attached(name, &attach, surface),
    }
}

/// The same refusals meet tracing programs at other stages.
fn refused_trace(surface: &Surface, name: &str, reason: Obstacle) -> Finding {
    let (finding, errno) = refused(surface, name, reason);
    match reason {
        Obstacle::NoBtf => finding.fails(errno, NO_BTF_MESSAGE),
        Obstacle::NoBtfFunc => {
            let known = surface.function(name);
            let evidence = match known {
                None => not_in_image(surface),
                Some(found) if found.symbols().next().is_none() => {
                    "inlined everywhere, so that BTF has no FUNC"
                }
                Some(_) => "the function is there, but not in BTF",
            };
            no_btf_id(Finding { evidence: evidence.into(), ..finding }, name)
        }
        Obstacle::NoSymbol | Obstacle::OnlySuffixed => {
            let evidence = finding.evidence;
            Finding::new(Rule::NoFuncAddress, name, evidence)
                .fails(Errno::Enoent, format!("The address of function {name} cannot be found"))
        }
        Obstacle::NoFtraceSite { .. } => {
            let errno = Errno::Ebusy;
            finding.fails(errno, format!("failed to attach: {}", errno.text()))
        }
        Obstacle::NoReturn => finding
            .fails(errno, format!("Attaching fexit/fmod_ret to __noreturn function '{name}' is rejected.")),
        Obstacle::NotModifiable => finding.fails(errno, format!("{name}() is not modifiable")),
        Obstacle::NotSleepable => finding.fails(errno, format!("{name} is not sleepable")),
        _ => finding.fails(errno, format!("failed to attach: {}", errno.text())),
    }
}

fn lsm(surface: &Surface, hook: &str, sleepable: bool) -> Vec<Finding> {
    if let Some(off) = surface.config("CONFIG_BPF_LSM").filter(|option| option.value != "y") {
        let evidence = format!("{}={}", off.name, off.value);
        let finding = Finding::new(Rule::BpfLsmOff, hook, evidence);
        return vec![no_btf_id(finding, hook)];
    }
    if let Some(finding) = unread(surface, hook, &[Fact::LsmHooks]).or_else(|| unread_btf(surface, hook)) {
        return vec![finding];
    }
    let function = format!("bpf_lsm_{hook}");
    if in_btf(surface, TypeKind::Func, &function).is_none() {
        return vec![no_btf_id(Finding::new(Rule::NoLsmHook, hook, format!("no `{function}`")), hook)];
    }
    let Some(found) = surface.lsm_hook(hook) else {
        let evidence = format!("`{function}` is there, but no hook of that name");
        return vec![Finding::new(Rule::NoLsmHook, hook, evidence).fails(Errno::Einval, "Invalid argument")];
    };
    match found.is_attachable() {
        None => return unread(surface, hook, &[Fact::BtfIds]).into_iter().collect(),
        Some(false) => {
            let message = format!("attach_btf_id points to wrong type name {function}");
            let finding = Finding::new(Rule::LsmHookDisabled, hook, "not among the hooks for programs");
            return vec![finding.fails(Errno::Einval, message)];
        }
        Some(true) => {}
    }
    if sleepable {
        match found.is_sleepable() {
            Some(true) => {}
            None => return unread(surface, hook, &[Fact::BtfIds]).into_iter().collect(),
            Some(false) => {
                let finding = Finding::new(Rule::NotSleepable, hook, "not in `sleepable_lsm_hooks`");
                return vec![finding.fails(Errno::Einval, format!("{function} is not sleepable"))];
            }
        }
    }
    // What is hooked is the function, by a trampoline like that of any other.
    match surface.attach(&function).fentry {
        Answer::Yes => {}
        Answer::Unknown { fact, reason } => return vec![missing(hook, fact, reason)],
        Answer::No { reason } => return vec![refused_trace(surface, &function, reason)],
    }
    let list = surface.config("CONFIG_LSM").map(|option| option.value);
    let active = list.map(|list| list.trim_matches('"').split(',').any(|module| module.trim() == "bpf"));
    match (list, active) {
        (Some(list), Some(false)) => {
            vec![Finding::new(Rule::BpfLsmInactive, hook, format!("CONFIG_LSM={list}"))]
        }
        (None, _) => unread(surface, hook, &[Fact::Config]).into_iter().collect(),
        _ => Vec::new(),
    }
}

fn iterator(surface: &Surface, target: &str) -> Vec<Finding> {
    let function = format!("bpf_iter_{target}");
    if let Some(found) = in_btf(surface, TypeKind::Func, &function) {
        return needs_module_of(surface, found, target).into_iter().collect();
    }
    vec![unread_btf(surface, target).unwrap_or_else(|| {
        no_btf_id(
            Finding::new(Rule::NoIterator, target, format!("no `{function}`: {}", not_in_image(surface))),
            target,
        )
    })]
}
