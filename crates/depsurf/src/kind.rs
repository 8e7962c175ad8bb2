//! The kinds of things that a kernel has under a name, and that pages and changes are about.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use crate::error::Error;
use crate::surface::Fact;

/// What a name names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "the kinds are the words of the field")]
pub enum Kind {
    Function,
    Struct,
    Union,
    Enum,
    /// `struct::member`, also through nested members: `task_struct::se.vruntime`.
    Field,
    Tracepoint,
    /// An LSM hook.
    Lsm,
    Kfunc,
    Syscall,
    /// A Kconfig option.
    Config,
}

impl Kind {
    /// All kinds, in the order of help texts and indexes.
    pub const ALL: [Self; 10] = [
        Self::Function,
        Self::Struct,
        Self::Union,
        Self::Enum,
        Self::Field,
        Self::Tracepoint,
        Self::Lsm,
        Self::Kfunc,
        Self::Syscall,
        Self::Config,
    ];

    /// The word on a command line and in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Function => "function",
            Self::Struct => "struct",
            Self::Union => "union",
            Self::Enum => "enum",
            Self::Field => "field",
            Self::Tracepoint => "tracepoint",
            Self::Lsm => "lsm",
            Self::Kfunc => "kfunc",
            Self::Syscall => "syscall",
            Self::Config => "config",
        }
    }

    /// The word in the heading of a page.
    #[must_use]
    pub fn heading(self) -> &'static str {
        match self {
            Self::Function => "Function",
            Self::Struct => "Struct",
            Self::Union => "Union",
            Self::Enum => "Enum",
            Self::Field => "Field",
            Self::Tracepoint => "Tracepoint",
            Self::Lsm => "LSM",
            Self::Kfunc => "Kfunc",
            Self::Syscall => "Syscall",
            Self::Config => "Config",
        }
    }

    /// The facts that must have been read before a name can be called absent.
    #[must_use]
    pub fn facts(self) -> &'static [Fact] {
        match self {
            Self::Function => &[Fact::Functions],
            Self::Struct | Self::Union | Self::Enum | Self::Field => &[Fact::Types],
            Self::Tracepoint => &[Fact::Tracepoints, Fact::RawTracepoints],
            Self::Lsm => &[Fact::LsmHooks],
            Self::Kfunc => &[Fact::Kfuncs],
            Self::Syscall => &[Fact::Syscalls, Fact::CompatSyscalls],
            Self::Config => &[Fact::Config],
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Kind {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::ALL.into_iter().find(|kind| kind.name() == text).ok_or_else(|| Error::Usage {
            what: format!("unknown kind `{text}`"),
            help: Some(format!("known are {}", Self::ALL.map(Self::name).join(", "))),
        })
    }
}
