//! Answers in words and as JSON.

use std::fmt;

use serde::{Serialize, Serializer};

use super::{Answer, CloneKind, Miss, Obstacle, Signature};
use crate::surface::Fact;

impl Obstacle {
    /// Stable id in kebab case.
    #[must_use]
    pub fn id(self) -> &'static str {
        match self {
            Self::NoSymbol => "no-symbol",
            Self::OnlySuffixed => "only-suffixed",
            Self::SeveralSymbols { .. } => "several-symbols",
            Self::Blacklisted => "kprobe-blacklist",
            Self::ForbiddenText { .. } => "forbidden-text",
            Self::InitText => "init-text",
            Self::NoFtraceSite { .. } => "no-ftrace-site",
            Self::NoKretprobe => "kretprobe-blacklist",
            Self::NoBtf => "no-btf",
            Self::NoBtfFunc => "no-btf-func",
            Self::NoTrampoline => "no-trampoline",
            Self::Signature { .. } => "signature",
            Self::Denied { .. } => "denied",
            Self::NoReturn => "no-return",
            Self::NotModifiable => "not-modifiable",
            Self::NotSleepable => "not-sleepable",
        }
    }
}

impl Fact {
    /// The kind of fact in words, as in "ftrace sites were not read".
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Functions => "functions",
            Self::Symbols => "symbols",
            Self::Btf => "the kernel's BTF",
            Self::Types => "types",
            Self::Structs => "structs",
            Self::Unions => "unions",
            Self::Enums => "enums",
            Self::Prototypes => "prototypes",
            Self::FtraceSites => "ftrace sites",
            Self::KprobeBlacklist => "the kprobe blacklist",
            Self::Exports => "exported symbols",
            Self::ErrorInjection => "the error-injection list",
            Self::BtfIds => "the sets of `.BTF_ids`",
            Self::Tracepoints => "trace events",
            Self::RawTracepoints => "raw tracepoints",
            Self::LsmHooks => "LSM hooks",
            Self::Kfuncs => "kfuncs",
            Self::Syscalls => "the system call table",
            Self::SyscallMetadata => "system call metadata",
            Self::CompatSyscalls => "compat system call tables",
            Self::Config => "the configuration",
            Self::Modules => "modules",
        }
    }
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSymbol => f.write_str("no symbol has this name"),
            Self::OnlySuffixed => f.write_str("only symbols with a compiler suffix carry the name"),
            Self::SeveralSymbols { count } => {
                write!(f, "{count} symbols have this name and the kernel refuses to choose")
            }
            Self::Blacklisted => f.write_str("on the kprobe blacklist"),
            Self::ForbiddenText { section } => write!(f, "its code is in `{section}`"),
            Self::InitText => f.write_str("init code, which is freed after boot"),
            Self::NoFtraceSite { declared_inline: true } => {
                f.write_str("no ftrace site: declared `inline`, which implies `notrace`")
            }
            Self::NoFtraceSite { declared_inline: false } => f.write_str("no ftrace site (notrace)"),
            Self::NoKretprobe => f.write_str("on the kretprobe blacklist"),
            Self::NoBtf => f.write_str("this kernel has no BTF"),
            Self::NoBtfFunc => f.write_str("no FUNC of this name in the kernel's BTF"),
            Self::NoTrampoline => f.write_str("this kernel has no BPF trampolines"),
            Self::Signature { what: Signature::Variadic } => {
                f.write_str("variable arguments cannot pass a BPF trampoline")
            }
            Self::Signature { what: Signature::Params { count, limit } } => {
                write!(f, "{count} parameters, a BPF trampoline passes at most {limit}")
            }
            Self::Signature { what: Signature::Registers { count, limit } } => {
                write!(
                    f,
                    "arguments in {count} registers, a BPF trampoline of this kernel passes at most {limit}"
                )
            }
            Self::Signature { what: Signature::ByValue } => {
                f.write_str("a struct or union by value, which a BPF trampoline cannot pass")
            }
            Self::Denied { set } => write!(f, "in the verifier's deny list `{set}`"),
            Self::NoReturn => f.write_str("it never returns"),
            Self::NotModifiable => {
                f.write_str("not in the error-injection list, and no `security_` function")
            }
            Self::NotSleepable => f.write_str("not in the error-injection list, or not allowed to sleep"),
        }
    }
}

impl fmt::Display for Answer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Yes => f.write_str("yes"),
            Self::No { reason } => write!(f, "no: {reason}"),
            Self::Unknown { fact, reason } => {
                write!(f, "unknown: {} could not be read ({reason})", fact.words())
            }
        }
    }
}

impl fmt::Display for Miss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let s = |count: &u32| if *count == 1 { "" } else { "s" };
        match self {
            Self::InlinedCopies { sites, functions } => {
                let copies = if *sites == 1 { "copy" } else { "copies" };
                write!(f, "{sites} inlined {copies} in {functions} function{}", s(functions))
            }
            Self::Clone { suffix: CloneKind::Part } => {
                f.write_str("calls whose first part was inlined and that enter at `.part`")
            }
            Self::Clone { suffix: CloneKind::Constprop } => {
                f.write_str("calls with constant arguments that enter at `.constprop`")
            }
            Self::Clone { suffix: CloneKind::Isra } => {
                f.write_str("calls that enter at the `.isra` copy with other parameters")
            }
            Self::OtherFunctions { symbols } => {
                write!(f, "the other functions of this name: one of {symbols} symbols is hooked")
            }
        }
    }
}

/// Whether something attaches.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "Answer"))]
#[serde(tag = "answer", rename_all = "kebab-case")]
enum Words<'w> {
    /// It does.
    Yes,
    /// It is refused.
    No {
        /// Stable id of the obstacle.
        id: &'static str,
        /// The obstacle in words.
        reason: String,
    },
    /// A fact that decides it was not read from the image.
    Unknown {
        /// The fact.
        fact: Fact,
        /// Why it was not read.
        reason: &'w str,
    },
}

impl Serialize for Answer<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Yes => Words::Yes,
            Self::No { reason } => Words::No { id: reason.id(), reason: reason.to_string() },
            Self::Unknown { fact, reason } => Words::Unknown { fact: *fact, reason },
        }
        .serialize(serializer)
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Answer<'_> {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        Words::schema_name()
    }

    fn schema_id() -> std::borrow::Cow<'static, str> {
        Words::schema_id()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        Words::json_schema(generator)
    }
}
