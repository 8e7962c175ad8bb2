//! What of a program's hook is there, by the system's files.

use std::collections::HashSet;

use serde::Serialize;

use super::{Symbols, System};
use crate::bpf::{Hook, Sec};
use crate::check::{Finding, Rule};
use crate::source::live::Part;
use crate::surface::types::TypeKind;

/// An answer of the system's files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "Presence"))]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// It is there.
    There,
    /// A file could not be read.
    Unknown,
    /// It is not there, or in the way.
    Missing,
}

/// One thing that a hook needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "Observation"))]
pub struct Check {
    /// What was looked for, and where.
    pub what: String,
    /// Whether it is there.
    pub state: State,
    /// What was found, or why nothing is known and what to do.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub detail: String,
}

/// What of a hook is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Observed {
    /// The worst of all checks; `None` where the system's files tell nothing of such a hook.
    pub state: Option<State>,
    /// Each thing that was looked for.
    pub checks: Vec<Check>,
}

impl System {
    /// What of a hook is there.
    #[must_use]
    pub fn observe(&self, sec: &Sec<'_>) -> Observed {
        let checks = match sec.hook {
            Hook::Kprobe { function: Some(function), multi: false, session: false, .. } => {
                self.kprobe(function)
            }
            Hook::Kprobe { function: Some(function), .. } if !function.contains(['*', '?']) => {
                vec![self.traceable(function)]
            }
            Hook::Ksyscall { name: Some(name), .. } => self.ksyscall(name),
            Hook::Tracepoint { target: Some(target) } => vec![self.event(target.category, target.name)],
            Hook::RawTracepoint { name: Some(name), .. } => vec![self.raw_tracepoint(name)],
            Hook::TpBtf { name: Some(name) } => {
                vec![self.in_btf(TypeKind::Typedef, &format!("btf_trace_{name}"))]
            }
            Hook::Trace { function: Some(function), multi: false, .. } => {
                let mut checks = vec![self.in_btf(TypeKind::Func, function)];
                checks.extend([self.symbol(function), self.traceable(function)]);
                checks
            }
            Hook::Lsm { hook: Some(hook), .. } => {
                vec![self.in_btf(TypeKind::Func, &format!("bpf_lsm_{hook}")), self.bpf_lsm()]
            }
            Hook::Iter { target: Some(target) } => {
                vec![self.in_btf(TypeKind::Func, &format!("bpf_iter_{target}"))]
            }
            _ => Vec::new(),
        };
        Observed { state: checks.iter().map(|check| check.state).max(), checks }
    }

    fn kprobe(&self, function: &str) -> Vec<Check> {
        let mut checks = vec![self.symbol(function)];
        let on_notrace = self.config.as_ref().ok().and_then(|it| it.get("CONFIG_KPROBE_EVENTS_ON_NOTRACE"));
        if on_notrace.is_none_or(|value| value != "y") {
            checks.push(self.traceable(function));
        }
        // An option that is not known says nothing, as the other files do.
        if self
            .config
            .as_ref()
            .is_ok_and(|it| it.get("CONFIG_KPROBE_EVENTS").is_none_or(|value| value != "y"))
        {
            let what = "CONFIG_KPROBE_EVENTS in the configuration".to_owned();
            checks.push(Check { what, state: State::Missing, detail: String::new() });
        }
        checks.push(seen(format!("`{function}` not on the kprobe blacklist"), &self.blacklist, |list| {
            (!list.contains(function), String::new())
        }));
        checks
    }

    fn symbol(&self, function: &str) -> Check {
        seen(format!("one symbol `{function}` in kallsyms"), &self.symbols, |symbols| {
            symbols.describe(function)
        })
    }

    fn traceable(&self, function: &str) -> Check {
        let what = format!("`{function}` in available_filter_functions");
        seen(what, &self.traceable, |list: &HashSet<String>| (list.contains(function), String::new()))
    }

    /// The kernel wraps system calls if it does so with `bpf`, as libbpf asks.
    fn ksyscall(&self, name: &str) -> Vec<Check> {
        let Ok(symbols) = &self.symbols else { return vec![self.symbol(name)] };
        let prefixes = ["x64", "ia32", "arm64", "s390x", "riscv", "powerpc", "arm", "mips", "loongarch"];
        let wrapped =
            prefixes.iter().find(|prefix| symbols.image.contains_key(&format!("__{prefix}_sys_bpf")));
        self.kprobe(&match wrapped {
            Some(prefix) => format!("__{prefix}_sys_{name}"),
            None => format!("__se_sys_{name}"),
        })
    }

    fn event(&self, category: &str, name: &str) -> Check {
        seen(format!("directory events/{category}/{name}"), &self.events, |events| {
            (events.contains(&format!("{category}/{name}")), String::new())
        })
    }

    /// Its own list is in no file, but each has a typedef and a function that calls its programs.
    fn raw_tracepoint(&self, name: &str) -> Check {
        let typedef = self.in_btf(TypeKind::Typedef, &format!("btf_trace_{name}"));
        if typedef.state != State::Unknown {
            return typedef;
        }
        let function = format!("__traceiter_{name}");
        seen(format!("symbol `{function}` in kallsyms"), &self.symbols, |symbols| symbols.describe(&function))
    }

    fn in_btf(&self, kind: TypeKind, name: &str) -> Check {
        let what = format!("{} `{name}` in the kernel's BTF", kind.name());
        let mut check = seen(what, &self.btf, |btf| match btf.find(kind, name) {
            Some("vmlinux") => (true, String::new()),
            Some(module) => (true, format!("in module `{module}`")),
            None => (false, String::new()),
        });
        // A module that could not be read may have it.
        if let (State::Missing, Ok(btf)) = (check.state, &self.btf)
            && let Some(unread) = btf.unread.first()
        {
            (check.state, check.detail) = (State::Unknown, unread.clone());
        }
        check
    }

    fn bpf_lsm(&self) -> Check {
        seen("`bpf` among the active security modules".to_owned(), &self.security, |active| {
            (active.iter().any(|module| module == "bpf"), format!("active: {}", active.join(",")))
        })
    }
}

/// Findings that the system's files would show as well.
const SHOWN: [Rule; 16] = [
    Rule::NoSymbol,
    Rule::FullyInlined,
    Rule::OnlySuffixedSymbols,
    Rule::SeveralSymbols,
    Rule::Blacklisted,
    Rule::InitText,
    Rule::NoFtraceSite,
    Rule::NoBtfFunc,
    Rule::NoFuncAddress,
    Rule::NoEvent,
    Rule::NoSyscallEvent,
    Rule::NoRawTracepoint,
    Rule::NoBtfTrace,
    Rule::NoLsmHook,
    Rule::BpfLsmInactive,
    Rule::NoSyscall,
];

impl Observed {
    /// Whether what was found about a hook is what is seen; `None` where the files, or findings, leave it open.
    #[must_use]
    pub fn agrees(&self, findings: &[Finding]) -> Option<bool> {
        if findings.iter().any(|finding| finding.rule == Rule::EvidenceMissing) {
            return None;
        }
        let predicted = findings.iter().any(|finding| SHOWN.contains(&finding.rule));
        match self.state? {
            State::Unknown => None,
            State::There => Some(!predicted),
            State::Missing => Some(predicted),
        }
    }
}

impl Symbols {
    /// Whether one symbol of code has a name, and what there is else.
    fn describe(&self, name: &str) -> (bool, String) {
        match (self.image.get(name), self.modules.get(name)) {
            (Some(1), _) => (true, String::new()),
            (Some(count), _) => (false, format!("{count} symbols")),
            (None, Some(module)) => (true, format!("in module `{module}`")),
            (None, None) => {
                let mut others: Vec<&str> = self
                    .image
                    .keys()
                    .filter(|other| other.strip_prefix(name).is_some_and(|rest| rest.starts_with('.')))
                    .map(String::as_str)
                    .collect();
                others.sort_unstable();
                let detail =
                    if others.is_empty() { String::new() } else { format!("only `{}`", others.join("`, `")) };
                (false, detail)
            }
        }
    }
}

/// What a file says of something.
fn seen<T>(what: String, fact: &Part<T>, look: impl FnOnce(&T) -> (bool, String)) -> Check {
    match fact {
        Ok(known) => {
            let (is_there, detail) = look(known);
            Check { what, state: if is_there { State::There } else { State::Missing }, detail }
        }
        Err(why) => Check { what, state: State::Unknown, detail: why.clone() },
    }
}
