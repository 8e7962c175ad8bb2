//! What loaders say when something fails: from a finding to each loader's words, and the way back from a log to its cause.
//!
//! One table serves both ways, so that what is predicted is understood.
// house: long file because of its table

use std::sync::OnceLock;

use regex::{Captures, Regex};
use serde::Serialize;

use super::loader::{Loader, Said};
use super::report::{Errno, Finding};
use super::rules::Rule;
use crate::bpf::{Hook, Sec, TraceAt};
use crate::kernel::Arch;

/// A line of a log that says why something failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Message {
    /// Number of the line, from 1.
    pub line: usize,
    /// The line.
    pub text: String,
    /// The function, event, field or the like that it names; none where it names none.
    pub name: Option<String>,
    /// What it may be, the likelier first.
    pub rules: Vec<Rule>,
}

/// A form of message: libbpf's or the kernel's, and what other loaders say in its place.
///
/// The group `name` of the pattern is what it is about. Templates are read both ways: `check` fills them, and `explain` knows them
/// again. `{name}` is the group, `{prefix}` that of the architecture's system calls, `{errno}` the error in the loader's way,
/// `{message}` libbpf's or the kernel's own words, `{event}` what ebpf-go calls a kind of attachment.
struct Form {
    pattern: &'static str,
    rules: &'static [Rule],
    go: &'static str,
    aya: &'static str,
    notes: &'static [(Loader, &'static str)],
}

const fn form(pattern: &'static str, rules: &'static [Rule]) -> Form {
    Form { pattern, rules, go: "", aya: "", notes: &[] }
}

impl Form {
    /// What ebpf-go says.
    const fn go(self, go: &'static str) -> Self {
        Self { go, ..self }
    }

    /// What aya says.
    const fn aya(self, aya: &'static str) -> Self {
        Self { aya, ..self }
    }

    /// What others do, where it is something else.
    const fn note(self, notes: &'static [(Loader, &'static str)]) -> Self {
        Self { notes, ..self }
    }

    /// What the kernel's verifier says, in each loader's frame.
    const fn verifier(self) -> Self {
        self.go("load program: {errno}: {message}").aya(AYA_LOAD)
    }
}

const AYA_LOAD: &str = "the BPF_PROG_LOAD syscall returned {errno}. Verifier output: {message}";
// The number is not in aya's words on system calls other than that which loads: it is the cause of the error.
const AYA_PERF: &str = "`perf_event_open` failed";
const AYA_RAW: &str = "`bpf_raw_tracepoint_open` failed";
const AYA_LINK: &str = "`bpf_link_create` failed";
const GO_EVENT: &str = "reading file \"/sys/kernel/tracing/events/{name}/id\": open /sys/kernel/tracing/events/{name}/id: {errno}";
const GO_KPROBE: &str = "creating perf_kprobe PMU (arch-specific fallback for \"{name}\"): token {prefix}{name}: not found: no such file or directory";
const GO_KPROBE_OPEN: &str = "creating perf_kprobe PMU (arch-specific fallback for \"{name}\"): token {name}: opening perf event: {errno}";

/// The first form that fits a line is taken. From the loaders' sources (libbpf 1.8, ebpf-go 0.11 and 0.22, aya 0.16 with
/// aya-obj 0.6), and from logs of booted kernels. What ebpf-go 0.9 said otherwise is only understood.
#[rustfmt::skip]
const FORMS: &[Form] = &[
    form(r"failed to create k(?:ret)?probe '(?P<name>[^'+]+)\+0x[0-9a-f]+' perf event: No such file",
         &[Rule::NoSymbol, Rule::FullyInlined, Rule::OnlySuffixedSymbols, Rule::NoSyscall])
        .go(GO_KPROBE).aya(AYA_PERF),
    form(r"failed to create k(?:ret)?probe '(?P<name>[^'+]+)\+0x[0-9a-f]+' perf event: Invalid argument",
         &[Rule::NoFtraceSite, Rule::Blacklisted, Rule::InitText, Rule::NoKretprobe])
        .go(GO_KPROBE).aya(AYA_PERF)
        .note(&[(Loader::EbpfGo, "tries the name again as that of a system call, and tells what came of that")]),
    form(r"failed to create k(?:ret)?probe '(?P<name>[^'+]+)\+0x[0-9a-f]+' perf event: Cannot assign",
         &[Rule::SeveralSymbols])
        .go(GO_KPROBE_OPEN).aya(AYA_PERF),
    form(r"Could not probe notrace function (?P<name>[\w.]+)", &[Rule::NoFtraceSite]),
    form(r"token (?P<name>[\w.]+): (?:not found|file does not exist|no such file)|symbol '(?P<symbol>[^'+]+)\+0x[0-9a-f]+' not found",
         &[Rule::NoSymbol, Rule::FullyInlined, Rule::OnlySuffixedSymbols, Rule::NoSyscall, Rule::NoFtraceSite,
           Rule::Blacklisted, Rule::InitText, Rule::NoKretprobe]),
    form(r"token (?P<name>[\w.]+): opening perf event: cannot assign", &[Rule::SeveralSymbols]),
    form(r"(?:Failed to attach BPF program .* to k(?:ret)?probe (?P<name>[\w.]+), )?it's not traceable|probe entry may not exist",
         &[Rule::NoSymbol, Rule::FullyInlined, Rule::OnlySuffixedSymbols, Rule::NoFtraceSite]),
    form(r"failed to attach multi-kprobe: No such process", &[Rule::NoSymbol, Rule::NoFtraceSite])
        .go("couldn't find one or more symbols: file does not exist"),
    form(r"couldn't find one or more symbols|failed to attach multi-kprobe", &[Rule::NoSymbol, Rule::NoFtraceSite]),
    form(r"failed to find kernel BTF type ID of '(?P<name>[^']+)': -3", &[Rule::NoBtfFunc])
        .go("attach Tracing/{event} {name} not supported").aya("unknown BTF type `{name}`"),
    form(r"failed to find kernel BTF type ID of '(?P<name>[^']+)': -3", &[Rule::NoBtfTrace])
        .go("attach Tracing/TraceRawTp: raw_tp {name} not supported").aya("unknown BTF type `btf_trace_{name}`"),
    form(r"failed to find kernel BTF type ID of '(?P<name>[^']+)': -3", &[Rule::NoLsmHook, Rule::BpfLsmOff])
        .go("attach LSM/LSMMac: {name} LSM hook not supported").aya("unknown BTF type `bpf_lsm_{name}`"),
    form(r"failed to find kernel BTF type ID of '(?P<name>[^']+)': -3", &[Rule::NoIterator])
        .go("attach Tracing/TraceIter: {name} iterator not supported").aya("unknown BTF type `bpf_iter_{name}`"),
    form(r"The address of function (?P<name>[\w.]+) cannot be found", &[Rule::NoFuncAddress]).verifier(),
    form(r"points to wrong type name bpf_lsm_(?P<name>\w+)", &[Rule::LsmHookDisabled]).verifier(),
    form(r"(?P<name>[\w.]+)\(\) is not modifiable", &[Rule::NotModifiable]).verifier(),
    form(r"(?P<name>[\w.]+) is not sleepable", &[Rule::NotSleepable]).verifier(),
    form(r"Attaching fexit/fmod_ret to __noreturn function(?:s| '(?P<name>[\w.]+)')", &[Rule::NoReturn]).verifier(),
    form(r"failed to determine tracepoint '(?P<name>[^']+)' perf event ID|trace event (?P<event>\S+): file does not exist",
         &[Rule::NoEvent, Rule::NoSyscallEvent])
        .go(GO_EVENT).aya("`/sys/kernel/tracing/events/{name}/id`"),
    form(r"failed to (?:attach to|open) raw tracepoint '(?P<name>[^']+)': (?:Permission denied|Invalid argument)",
         &[Rule::ArgumentAbsent])
        .aya(AYA_RAW),
    form(r"failed to (?:attach to|open) raw tracepoint '(?P<name>[^']+)'", &[Rule::NoRawTracepoint]).aya(AYA_RAW),
    form(r"func '(?P<name>[^']+)' doesn't have \d+-th argument", &[Rule::ArgumentAbsent]).verifier(),
    form(r"invalid bpf_context access|has type \S+\. Only pointer access is allowed",
         &[Rule::ArgumentAbsent, Rule::RecordTooShort, Rule::ReturnGone]).verifier(),
    form(r"R\d+ invalid mem access '(?:scalar|inv)'", &[Rule::SpilledPointerLost]).verifier(),
    form(r"(?i)(?:create bpf link for perf_event FD|cannot create bpf perf link).*permission denied",
         &[Rule::RecordTooShort])
        .go("cannot create bpf perf link: permission denied").aya(AYA_LINK),
    form(r"failed to resolve CO-RE relocation <\w+> \[\d+\] (?:struct |union |enum )?(?P<name>\S+)",
         &[Rule::FieldAbsent, Rule::TypeAbsent, Rule::EnumeratorAbsent, Rule::FieldSizeChanged]),
    form(r"unknown#195896080|<invalid CO-RE relocation>|bad CO-RE relocation",
         &[Rule::FieldAbsent, Rule::TypeAbsent, Rule::EnumeratorAbsent, Rule::FieldSizeChanged])
        .go("load program: bad CO-RE relocation: {message}").aya(AYA_LOAD),
    form(r"kfunc '(?P<name>[^']+)' is referenced but wasn't resolved|unknown#2002000\d+", &[Rule::UnresolvedCall]),
    form(r"(?:unknown|invalid) func (?:unknown#(?P<name>\d+)|(?P<helper>bpf_\w+))", &[Rule::NoHelper]).verifier(),
    form(r"extern \(func ksym\) '(?P<name>[^']+)': not found", &[Rule::NoKfunc])
        .aya("kernel symbol error: kernel function '{name}' not found in kernel BTF"),
    form(r"extern \(func ksym\) '(?P<name>[^']+)': func_proto incompatible", &[Rule::KfuncPrototype])
        .aya("kernel symbol error: kernel function '{name}' has incompatible signature"),
    form(r"extern \(var ksym\) '(?P<name>[^']+)': not found", &[Rule::NoKsym])
        .aya("kernel symbol error: kernel variable '{name}' not found"),
    form(r"strong extern `(?P<name>[^`]+)` not resolvable", &[Rule::NoKfunc, Rule::NoKsym]),
    form(r"extern \(ksym\) '(?P<name>[^']+)': resolution is ambiguous", &[Rule::KsymAmbiguous]),
    form(r"extern '(?P<name>[^']+)' \(strong\): not resolved|extern \(kcfg\) '(?P<option>[^']+)'",
         &[Rule::NoKconfigOption, Rule::NoKsym]),
    form(r"relocation decision ambiguity|field offset ambiguity", &[Rule::RelocationAmbiguous])
        .go("apply CO-RE relocations: relocate Struct:\"{name}\": byte_off: multiple types match: ambiguous relocation")
        .aya("error relocating {name}, multiple candidate target types found with different memory layouts")
        .note(&[(Loader::EbpfGo, "takes the type with the fewest relocations of it poisoned, and says this only where such types disagree")]),
    form(r"missing BPF prog type, check ELF section name(?: '(?P<name>[^']*)')?|can't load program of unspecified type",
         &[Rule::UnknownSection])
        .go("program type is unspecified").aya("error parsing BPF object: invalid program section `{name}`"),
    form(r"failed to find valid kernel BTF", &[Rule::NoKernelBtf]),
    form(r"invalid BTF relocation kind", &[Rule::RelocationRefused]),
    form(r"(?:Error in bpf_create_map\w*\(|map '|failed to create map \(name: ')(?P<name>[\w.]+).*(?:Invalid argument|\(?-22|-EINVAL)",
         &[Rule::NoMapType]),
    form(r"Unknown error 524|: -524\b", &[Rule::NoTrampoline, Rule::SignatureNotTraceable]).aya(AYA_RAW),
    form(r"failed to attach.*Device or resource busy|: -16\b", &[Rule::NoFtraceSite]).aya(AYA_RAW),
];

/// A form, with its patterns read.
struct Read {
    form: &'static Form,
    pattern: Regex,
    /// Of the templates of others that say enough to be known again.
    others: Vec<Regex>,
}

fn forms() -> &'static [Read] {
    static FORMS_READ: OnceLock<Vec<Read>> = OnceLock::new();
    FORMS_READ.get_or_init(|| {
        let read = |form: &'static Form| Read {
            form,
            pattern: Regex::new(form.pattern).expect("the patterns are right"),
            // What frames the verifier's words is known by these.
            others: [form.go, form.aya]
                .into_iter()
                .filter(|template| !template.is_empty() && !template.contains("{message}"))
                .map(known_again)
                .collect(),
        };
        FORMS.iter().map(read).collect()
    })
}

/// What ebpf-go calls attachments to functions.
const EVENT: &str = "(?:TraceFEntry: fentry|TraceFExit: fexit|ModifyReturn: fmod_ret)";

/// The pattern of what a template may become.
fn known_again(template: &str) -> Regex {
    let mut pattern = regex::escape(template);
    for (place, first, more) in [
        (r"\{name\}", r"(?P<name>[\w./:]+)", r"[\w./:]+"),
        (r"\{prefix\}", r"(?:__[a-z0-9]+_)?", r"(?:__[a-z0-9]+_)?"),
        (r"\{errno\}", r".+", r".+"),
        (r"\{event\}", EVENT, EVENT),
    ] {
        pattern = pattern.replacen(place, first, 1).replace(place, more);
    }
    Regex::new(&pattern).expect("templates are right")
}

/// Where a finding is, as far as other loaders' words depend on it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Context<'a> {
    pub arch: Arch,
    /// None for what is of no program.
    pub sec: Option<&'a Sec<'a>>,
}

/// What each loader says where one says something else than libbpf; nothing where that is not known.
pub(super) fn loaders(finding: &Finding, context: Context<'_>) -> Vec<Said> {
    let Some((errno, message)) = finding.errno.zip(finding.message.as_ref()) else { return Vec::new() };
    let fits = |it: &&Read| it.form.rules.contains(&finding.rule) && it.pattern.is_match(message);
    let Some(Read { form, pattern, .. }) = forms().iter().find(fits) else { return Vec::new() };
    let name = pattern.captures(message).and_then(|found| name_in(&found));
    // Where the message names nothing, it is about the root of what was found.
    let name = name.unwrap_or_else(|| finding.subject.split("::").next().unwrap_or_default().to_owned());
    let of = |loader: Loader, template: &str| {
        let note = form.notes.iter().find(|note| note.0 == loader).map(|note| note.1);
        let said = filled(template, loader, &name, errno, message, context);
        (said.is_some() || note.is_some()).then_some(Said { loader, message: said, note })
    };
    let others: Vec<Said> =
        [of(Loader::EbpfGo, form.go), of(Loader::Aya, form.aya)].into_iter().flatten().collect();
    if others.is_empty() {
        return others;
    }
    let own = Said { loader: Loader::Libbpf, message: Some(message.clone()), note: None };
    std::iter::once(own).chain(others).collect()
}

/// A template as the loader says it; `None` where it says nothing, or what it says is not known.
fn filled(
    template: &str,
    loader: Loader,
    name: &str,
    errno: Errno,
    message: &str,
    context: Context<'_>,
) -> Option<String> {
    if template.is_empty() {
        return None;
    }
    let mut text = template.to_owned();
    if template.contains("{prefix}") {
        // Names with a dot it tries in another way.
        let prefix = syscall_prefix(context.arch).filter(|_| !name.contains('.'))?;
        text = text.replace("{prefix}", prefix);
    }
    if template.contains("{event}") {
        let Hook::Trace { at, multi: false, .. } = context.sec?.hook else { return None };
        text = text.replace(
            "{event}",
            match at {
                TraceAt::Fentry => "TraceFEntry: fentry",
                TraceAt::Fexit => "TraceFExit: fexit",
                TraceAt::FmodRet => "ModifyReturn: fmod_ret",
                TraceAt::Fsession => return None,
            },
        );
    }
    let errno = match loader {
        // Go has no text for it; ebpf-go has.
        Loader::EbpfGo if errno == Errno::Enotsupp => "operation not supported".to_owned(),
        Loader::EbpfGo => errno.text().to_lowercase(),
        // Rust's.
        _ => format!("{} (os error {})", errno.text(), errno.number()),
    };
    Some(text.replace("{name}", name).replace("{errno}", &errno).replace("{message}", message))
}

/// What ebpf-go puts before a name for its second try; `None` where it makes none.
fn syscall_prefix(arch: Arch) -> Option<&'static str> {
    match arch {
        Arch::Amd64 => Some("__x64_"),
        Arch::I386 => Some("__ia32_"),
        Arch::Arm64 => Some("__arm64_"),
        Arch::S390x => Some("__s390x_"),
        Arch::Riscv64 => Some("__riscv_"),
        Arch::Ppc64el => Some("__powerpc64_"),
        Arch::Armhf => Some("__arm_"),
        Arch::Mips64el => Some("__mips_"),
        Arch::Loong64 => None,
    }
}

/// What a message is about, by the groups of its pattern.
fn name_in(captures: &Captures<'_>) -> Option<String> {
    let name = ["name", "event", "helper", "option", "symbol"].into_iter().find_map(|it| captures.name(it));
    name.map(|name| name.as_str().to_owned()).filter(|name| !name.is_empty())
}

/// The lines of a log that say why something failed, in their order.
#[must_use]
pub fn messages(log: &str) -> Vec<Message> {
    let mut found = Vec::new();
    for (number, text) in (1..).zip(log.lines()) {
        let message = |name, rules| Message { line: number, text: text.trim().to_owned(), name, rules };
        let own = forms().iter().filter_map(|it| Some((it.pattern.captures(text)?, it)));
        let of_others = forms()
            .iter()
            .filter_map(|it| Some((it.others.iter().find_map(|other| other.captures(text))?, it)));
        // Rows with the same words are told apart by what was tried, which a log need not say.
        let mut all = own.chain(of_others).peekable();
        let Some((captures, first)) = all.peek() else { continue };
        let (name, pattern) = (name_in(captures), first.form.pattern);
        let is_own = first.pattern.is_match(text);
        let mut rules: Vec<Rule> = Vec::new();
        for (_, it) in all.take_while(|(_, it)| !is_own || it.form.pattern == pattern) {
            let new = it.form.rules.iter().copied().filter(|rule| !rules.contains(rule));
            rules.extend(new.collect::<Vec<_>>());
        }
        found.push(message(name, rules));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn only(text: &str) -> (Option<String>, Rule) {
        let found = messages(text);
        assert_eq!(found.len(), 1, "{text}: {found:?}");
        (found[0].name.clone(), found[0].rules[0])
    }

    #[test]
    fn messages_lead_back_to_rules() {
        for (text, name, rule) in [
            (
                "libbpf: prog 'x': failed to create kprobe 'vfs_nothing+0x0' perf event: No such file or directory",
                Some("vfs_nothing"),
                Rule::NoSymbol,
            ),
            (
                "libbpf: prog 'x': failed to create kretprobe 'f.isra.0+0x0' perf event: Invalid argument",
                Some("f.isra.0"),
                Rule::NoFtraceSite,
            ),
            (
                "prog 'x': failed to create kprobe 'f+0x10' perf event: Cannot assign requested address",
                Some("f"),
                Rule::SeveralSymbols,
            ),
            ("trace_kprobe: Could not probe notrace function do_idle", Some("do_idle"), Rule::NoFtraceSite),
            (
                "creating perf_kprobe PMU: token __x64_sys_x: not found: no such file",
                Some("__x64_sys_x"),
                Rule::NoSymbol,
            ),
            ("failed to find kernel BTF type ID of 'vfs_x': -3", Some("vfs_x"), Rule::NoBtfFunc),
            ("The address of function tcp_x cannot be found", Some("tcp_x"), Rule::NoFuncAddress),
            (
                "attach_btf_id 7 points to wrong type name bpf_lsm_inode_x",
                Some("inode_x"),
                Rule::LsmHookDisabled,
            ),
            ("vfs_read() is not modifiable", Some("vfs_read"), Rule::NotModifiable),
            ("vfs_read is not sleepable", Some("vfs_read"), Rule::NotSleepable),
            (
                "failed to determine tracepoint 'sched/sched_x' perf event ID: No such file or directory",
                Some("sched/sched_x"),
                Rule::NoEvent,
            ),
            (
                "failed to open raw tracepoint 'x': No such file or directory",
                Some("x"),
                Rule::NoRawTracepoint,
            ),
            ("failed to attach to raw tracepoint 'x': Invalid argument", Some("x"), Rule::ArgumentAbsent),
            (
                "func 'block_rq_issue' doesn't have 2-th argument",
                Some("block_rq_issue"),
                Rule::ArgumentAbsent,
            ),
            (
                "failed to resolve CO-RE relocation <byte_off> [5] struct task_struct.nosuchfield (0:1 @ offset 4)",
                Some("task_struct.nosuchfield"),
                Rule::FieldAbsent,
            ),
            ("12: call unknown#195896080", None, Rule::FieldAbsent),
            ("invalid func unknown#199", Some("199"), Rule::NoHelper),
            ("unknown func bpf_get_func_ip#173", Some("bpf_get_func_ip"), Rule::NoHelper),
            ("extern (func ksym) 'bpf_x': not found in kernel or module BTFs", Some("bpf_x"), Rule::NoKfunc),
            ("extern 'CONFIG_X' (strong): not resolved", Some("CONFIG_X"), Rule::NoKconfigOption),
            ("R1 invalid mem access 'scalar'", None, Rule::SpilledPointerLost),
            ("12: (79) r1 = *(u64 *)(r1 +8): R1 invalid mem access 'inv'", None, Rule::SpilledPointerLost),
            ("failed to attach: Unknown error 524", None, Rule::NoTrampoline),
            // ebpf-go 0.22 and 0.9; aya as it prints an error with its causes.
            (
                "reading file \"/sys/kernel/tracing/events/sched/x/id\": open /sys/kernel/tracing/events/sched/x/id: no such file or directory",
                Some("sched/x"),
                Rule::NoEvent,
            ),
            ("trace event sched/x: file does not exist", Some("sched/x"), Rule::NoEvent),
            ("cannot load program f: program type is unspecified", None, Rule::UnknownSection),
            ("`perf_event_open` failed: Invalid argument (os error 22)", None, Rule::NoSymbol),
            (
                "kernel symbol error: kernel function 'bpf_x' not found in kernel BTF",
                Some("bpf_x"),
                Rule::NoKfunc,
            ),
        ] {
            assert_eq!(only(text), (name.map(str::to_owned), rule), "{text}");
        }
    }

    #[test]
    fn what_says_nothing_is_left_out() {
        let log = "libbpf: loading object\n\nfailed to find valid kernel BTF\nlibbpf: done\n";
        let found = messages(log);
        assert_eq!((found.len(), found[0].line), (1, 3));
    }

    /// What other loaders are said to say leads back to the rule, and to the name.
    #[test]
    fn words_of_all_loaders_are_understood() {
        let sec = Sec::parse("fentry/some_name");
        let mut count = 0;
        for (form, read) in FORMS.iter().zip(forms()) {
            for (loader, template) in [(Loader::EbpfGo, form.go), (Loader::Aya, form.aya)] {
                let context = Context { arch: Arch::Amd64, sec: Some(&sec) };
                let own = "some_name() is not modifiable";
                let Some(said) = filled(template, loader, "some_name", Errno::Einval, own, context) else {
                    continue;
                };
                count += 1;
                if template.contains("{message}") {
                    assert!(said.contains(own), "{said}");
                    continue;
                }
                let found = only_message(&said);
                for rule in form.rules {
                    // aya does not say of system calls that fail what they were asked.
                    assert!(found.rules.contains(rule), "{said}: {rule} is not among {:?}", found.rules);
                }
                if template.contains("{name}") {
                    let name = found.name.as_deref().unwrap_or_default();
                    assert!(name.ends_with("some_name"), "{said}: {name}");
                }
            }
            assert!(read.others.len() <= 2);
        }
        assert!(count > 30, "{count}");
    }

    fn only_message(text: &str) -> Message {
        let mut found = messages(text);
        assert_eq!(found.len(), 1, "{text}: {found:?}");
        found.remove(0)
    }

    #[test]
    fn findings_are_told_in_each_loaders_words() {
        let say = |section: &str, arch, finding: Finding| -> Vec<(Loader, Option<String>)> {
            let sec = Sec::parse(section);
            let said = loaders(&finding, Context { arch, sec: Some(&sec) });
            said.into_iter().skip(1).map(|said| (said.loader, said.message)).collect()
        };
        let kprobe = |errno: Errno| {
            let rule = if errno == Errno::Einval { Rule::NoFtraceSite } else { Rule::NoSymbol };
            let message = format!("failed to create kprobe 'do_idle+0x0' perf event: {}", errno.text());
            Finding::new(rule, "do_idle", "").fails(errno, message)
        };
        let go = |prefix: &str| {
            let begin = "creating perf_kprobe PMU (arch-specific fallback for \"do_idle\"): token";
            Some(format!("{begin} {prefix}do_idle: not found: no such file or directory"))
        };
        // A function without ftrace site looks to users of ebpf-go like one that is not there.
        for errno in [Errno::Enoent, Errno::Einval] {
            let found = say("kprobe/do_idle", Arch::Arm64, kprobe(errno));
            let aya = Some("`perf_event_open` failed".to_owned());
            assert_eq!(found, [(Loader::EbpfGo, go("__arm64_")), (Loader::Aya, aya)]);
        }
        let gone = |rule| {
            let message = "failed to find kernel BTF type ID of 'x': -3";
            Finding::new(rule, "x", "").fails(Errno::Esrch, message)
        };
        for (section, rule, go, aya) in [
            ("fexit/x", Rule::NoBtfFunc, "attach Tracing/TraceFExit: fexit x not supported", "x"),
            ("fmod_ret/x", Rule::NoBtfFunc, "attach Tracing/ModifyReturn: fmod_ret x not supported", "x"),
            (
                "tp_btf/x",
                Rule::NoBtfTrace,
                "attach Tracing/TraceRawTp: raw_tp x not supported",
                "btf_trace_x",
            ),
            ("lsm/x", Rule::NoLsmHook, "attach LSM/LSMMac: x LSM hook not supported", "bpf_lsm_x"),
        ] {
            let aya = format!("unknown BTF type `{aya}`");
            let found = say(section, Arch::Amd64, gone(rule));
            assert_eq!(found, [(Loader::EbpfGo, Some(go.into())), (Loader::Aya, Some(aya))]);
        }
        // What nobody looked up is not made up.
        let unknown =
            Finding::new(Rule::NoKernelBtf, "x", "").fails(Errno::Esrch, "failed to find valid kernel BTF");
        assert_eq!(say("kprobe/x", Arch::Amd64, unknown), []);
    }

    /// What a finding says of libbpf leads back to its rule, or to one that cannot be told from it.
    #[test]
    fn our_own_messages_are_understood() {
        for (rule, message) in [
            (Rule::NoSymbol, "failed to create kprobe 'f+0x0' perf event: No such file or directory"),
            (Rule::FullyInlined, "failed to create kprobe 'f+0x0' perf event: No such file or directory"),
            (Rule::RecordTooShort, "failed to create BPF link for perf_event FD: Permission denied"),
            (Rule::UnknownSection, "missing BPF prog type, check ELF section name"),
            (Rule::RelocationAmbiguous, "relocation decision ambiguity"),
            (Rule::NoKernelBtf, "failed to find valid kernel BTF"),
        ] {
            let found = messages(message);
            assert!(found.iter().any(|message| message.rules.contains(&rule)), "{rule}: {found:?}");
        }
    }
}
