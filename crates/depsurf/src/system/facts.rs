//! The system in a few lines: what eBPF programs need of any kernel.

use serde::Serialize;

use super::System;
use crate::source::live::Part;

/// A fact of the system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "SystemFact"))]
pub struct Fact {
    /// What it is about.
    pub name: &'static str,
    /// What the system says, in words; none where that is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// Why nothing is known, and what to do; none where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unknown: Option<String>,
    /// What that means for programs; none where it means nothing special.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub meaning: Option<&'static str>,
}

/// Options that decide whether eBPF programs work at all.
const OPTIONS: [&str; 10] = [
    "CONFIG_BPF_SYSCALL",
    "CONFIG_BPF_JIT",
    "CONFIG_BPF_EVENTS",
    "CONFIG_BPF_LSM",
    "CONFIG_DEBUG_INFO_BTF",
    "CONFIG_DEBUG_INFO_BTF_MODULES",
    "CONFIG_KPROBES",
    "CONFIG_FUNCTION_TRACER",
    "CONFIG_FTRACE_SYSCALLS",
    "CONFIG_KPROBE_EVENTS_ON_NOTRACE",
];

impl System {
    fn release(&self) -> Part<String> {
        let release = self.live.release().map(str::to_owned);
        release.ok_or_else(|| "`/proc/version` does not begin with `Linux version`".into())
    }

    /// The facts, in the order of a page.
    #[must_use]
    pub fn facts(&self) -> Vec<Fact> {
        vec![
            fact("release", &self.release(), |release| (release.clone(), None)),
            fact("kernel BTF", &self.btf, |btf| {
                let modules = btf.module_count();
                (format!("{} types, and those of {modules} modules", btf.types - 1), None)
            }),
            fact("kallsyms", &self.symbols, |symbols| {
                let hidden = "addresses are hidden: libbpf finds no variables of the kernel by name";
                (format!("{} symbols", symbols.count), (!symbols.addresses).then_some(hidden))
            }),
            fact("traceable functions", &self.traceable, |list| (list.len().to_string(), None)),
            fact("events", &self.events, |events| (events.len().to_string(), None)),
            fact("kprobe blacklist", &self.blacklist, |list| (format!("{} functions", list.len()), None)),
            fact("configuration", &self.config, |config| {
                let word = |name: &&str| {
                    let value = config.get(*name).map_or("n", String::as_str);
                    format!("{}={value}", name.trim_start_matches("CONFIG_"))
                };
                (OPTIONS.iter().map(word).collect::<Vec<_>>().join(" "), None)
            }),
            fact("security modules", &self.security, |active| {
                let without = "LSM programs attach and are not called: boot with `bpf` in lsm=";
                (active.join(","), (!active.iter().any(|it| it == "bpf")).then_some(without))
            }),
            fact("lockdown", &self.lockdown, |level| {
                let meaning = match level.as_str() {
                    "confidentiality" => {
                        Some("programs may not read the kernel's memory, and kprobes are refused")
                    }
                    "integrity" => Some("programs may not write to the memory of processes"),
                    _ => None,
                };
                (level.clone(), meaning)
            }),
            fact("unprivileged_bpf_disabled", &self.unprivileged, |value| {
                let meaning = (*value == 0).then_some("users without privileges may load some programs");
                (value.to_string(), meaning)
            }),
            fact("bpf_jit_enable", &self.jit, |value| {
                let meaning =
                    (*value == 0).then_some("no trampolines: fentry, fexit and LSM programs do not attach");
                (value.to_string(), meaning)
            }),
            fact("kptr_restrict", &self.pointers, |value| (value.to_string(), None)),
            fact("ftrace_enabled", &self.ftrace, |value| {
                let meaning = (*value == 0)
                    .then_some("nothing that needs ftrace attaches: sysctl kernel.ftrace_enabled=1");
                (value.to_string(), meaning)
            }),
        ]
    }
}

fn fact<T>(
    name: &'static str,
    part: &Part<T>,
    words: impl FnOnce(&T) -> (String, Option<&'static str>),
) -> Fact {
    match part {
        Ok(known) => {
            let (text, meaning) = words(known);
            Fact { name, value: Some(text), unknown: None, meaning }
        }
        Err(why) => Fact { name, value: None, unknown: Some(why.clone()), meaning: None },
    }
}
