//! What loaders say when something fails, and which rules that may be: the way back from a log to its cause.

use std::sync::OnceLock;

use regex::Regex;
use serde::Serialize;

use super::rules::Rule;

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

/// A form of message: libbpf's, the kernel's, ebpf-go's, aya's or BCC's. The group `name` is what it is about.
struct Form {
    pattern: &'static str,
    rules: &'static [Rule],
}

/// The first form that fits a line is taken. From the loaders' sources, and from logs of booted kernels.
#[rustfmt::skip]
const FORMS: &[Form] = &[
    Form { pattern: r"failed to create k(?:ret)?probe '(?P<name>[^'+]+)\+0x[0-9a-f]+' perf event: No such file",
           rules: &[Rule::NoSymbol, Rule::FullyInlined, Rule::OnlySuffixedSymbols, Rule::NoSyscall] },
    Form { pattern: r"failed to create k(?:ret)?probe '(?P<name>[^'+]+)\+0x[0-9a-f]+' perf event: Invalid argument",
           rules: &[Rule::NoFtraceSite, Rule::Blacklisted, Rule::InitText, Rule::NoKretprobe] },
    Form { pattern: r"failed to create k(?:ret)?probe '(?P<name>[^'+]+)\+0x[0-9a-f]+' perf event: Cannot assign",
           rules: &[Rule::SeveralSymbols] },
    Form { pattern: r"Could not probe notrace function (?P<name>[\w.]+)", rules: &[Rule::NoFtraceSite] },
    Form { pattern: r"token (?P<name>[\w.]+): not found",
           rules: &[Rule::NoSymbol, Rule::FullyInlined, Rule::OnlySuffixedSymbols] },
    Form { pattern: r"(?:Failed to attach BPF program .* to k(?:ret)?probe (?P<name>[\w.]+), )?it's not traceable|probe entry may not exist",
           rules: &[Rule::NoSymbol, Rule::FullyInlined, Rule::OnlySuffixedSymbols, Rule::NoFtraceSite] },
    Form { pattern: r"couldn't find one or more symbols|failed to attach multi-kprobe",
           rules: &[Rule::NoSymbol, Rule::NoFtraceSite] },
    Form { pattern: r"failed to find kernel BTF type ID of '(?P<name>[^']+)': -3",
           rules: &[Rule::NoBtfFunc, Rule::NoBtfTrace, Rule::NoLsmHook, Rule::NoIterator] },
    Form { pattern: r"The address of function (?P<name>[\w.]+) cannot be found", rules: &[Rule::NoFuncAddress] },
    Form { pattern: r"points to wrong type name bpf_lsm_(?P<name>\w+)", rules: &[Rule::LsmHookDisabled] },
    Form { pattern: r"(?P<name>[\w.]+)\(\) is not modifiable", rules: &[Rule::NotModifiable] },
    Form { pattern: r"(?P<name>[\w.]+) is not sleepable", rules: &[Rule::NotSleepable] },
    Form { pattern: r"Attaching fexit/fmod_ret to __noreturn function(?:s| '(?P<name>[\w.]+)')", rules: &[Rule::NoReturn] },
    Form { pattern: r"failed to determine tracepoint '(?P<name>[^']+)' perf event ID|trace event (?P<event>\S+): file does not exist",
           rules: &[Rule::NoEvent, Rule::NoSyscallEvent] },
    Form { pattern: r"failed to (?:attach to|open) raw tracepoint '(?P<name>[^']+)': (?:Permission denied|Invalid argument)",
           rules: &[Rule::ArgumentAbsent] },
    Form { pattern: r"failed to (?:attach to|open) raw tracepoint '(?P<name>[^']+)'", rules: &[Rule::NoRawTracepoint] },
    Form { pattern: r"func '(?P<name>[^']+)' doesn't have \d+-th argument", rules: &[Rule::ArgumentAbsent] },
    Form { pattern: r"invalid bpf_context access", rules: &[Rule::ArgumentAbsent, Rule::RecordTooShort] },
    Form { pattern: r"(?i)(?:create bpf link for perf_event FD|cannot create bpf perf link).*permission denied",
           rules: &[Rule::RecordTooShort] },
    Form { pattern: r"failed to resolve CO-RE relocation <\w+> \[\d+\] (?:struct |union |enum )?(?P<name>\S+)",
           rules: &[Rule::FieldAbsent, Rule::TypeAbsent, Rule::EnumeratorAbsent, Rule::FieldSizeChanged] },
    Form { pattern: r"unknown#195896080|<invalid CO-RE relocation>|bad CO-RE relocation",
           rules: &[Rule::FieldAbsent, Rule::TypeAbsent, Rule::EnumeratorAbsent, Rule::FieldSizeChanged] },
    Form { pattern: r"kfunc '(?P<name>[^']+)' is referenced but wasn't resolved|unknown#2002000\d+", rules: &[Rule::UnresolvedCall] },
    Form { pattern: r"(?:unknown|invalid) func (?:unknown#(?P<name>\d+)|(?P<helper>bpf_\w+))", rules: &[Rule::NoHelper] },
    Form { pattern: r"extern \(func ksym\) '(?P<name>[^']+)': not found", rules: &[Rule::NoKfunc] },
    Form { pattern: r"extern \(func ksym\) '(?P<name>[^']+)': func_proto incompatible", rules: &[Rule::KfuncPrototype] },
    Form { pattern: r"extern \(var ksym\) '(?P<name>[^']+)': not found", rules: &[Rule::NoKsym] },
    Form { pattern: r"extern \(ksym\) '(?P<name>[^']+)': resolution is ambiguous", rules: &[Rule::KsymAmbiguous] },
    Form { pattern: r"extern '(?P<name>[^']+)' \(strong\): not resolved|extern \(kcfg\) '(?P<option>[^']+)'",
           rules: &[Rule::NoKconfigOption, Rule::NoKsym] },
    Form { pattern: r"relocation decision ambiguity|field offset ambiguity|multiple candidate target types found",
           rules: &[Rule::RelocationAmbiguous] },
    Form { pattern: r"missing BPF prog type, check ELF section name(?: '(?P<name>[^']*)')?", rules: &[Rule::UnknownSection] },
    Form { pattern: r"failed to find valid kernel BTF", rules: &[Rule::NoKernelBtf] },
    Form { pattern: r"(?:Error in bpf_create_map\w*\(|map '|failed to create map \(name: ')(?P<name>[\w.]+).*(?:Invalid argument|\(?-22|-EINVAL)",
           rules: &[Rule::NoMapType] },
    Form { pattern: r"Unknown error 524|: -524\b", rules: &[Rule::NoTrampoline, Rule::SignatureNotTraceable] },
    Form { pattern: r"failed to attach.*Device or resource busy|: -16\b", rules: &[Rule::NoFtraceSite] },
];

fn forms() -> &'static [(Regex, &'static [Rule])] {
    static FORMS_READ: OnceLock<Vec<(Regex, &'static [Rule])>> = OnceLock::new();
    FORMS_READ.get_or_init(|| {
        let read = |form: &Form| (Regex::new(form.pattern).expect("the patterns are right"), form.rules);
        FORMS.iter().map(read).collect()
    })
}

/// The lines of a log that say why something failed, in their order.
#[must_use]
pub fn messages(log: &str) -> Vec<Message> {
    let mut found = Vec::new();
    for (number, text) in (1..).zip(log.lines()) {
        let Some((captures, rules)) =
            forms().iter().find_map(|(form, rules)| Some((form.captures(text)?, *rules)))
        else {
            continue;
        };
        let name = ["name", "event", "helper", "option"].into_iter().find_map(|group| captures.name(group));
        let name = name.map(|name| name.as_str().to_owned()).filter(|name| !name.is_empty());
        found.push(Message { line: number, text: text.trim().to_owned(), name, rules: rules.to_vec() });
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
            ("failed to attach: Unknown error 524", None, Rule::NoTrampoline),
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
