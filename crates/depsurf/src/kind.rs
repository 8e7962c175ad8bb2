//! The kinds of things that a kernel has under a name, and that pages and changes are about.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use crate::error::Error;
use crate::surface::syscall::EVENT_SYSTEM;
use crate::surface::tracepoint::{self, Tracepoint};
use crate::surface::types::TypeKind;
use crate::surface::{Fact, Surface, field};

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
            Self::Struct => &[Fact::Types, Fact::Structs],
            Self::Union => &[Fact::Types, Fact::Unions],
            Self::Enum => &[Fact::Types, Fact::Enums],
            Self::Field => &[Fact::Types, Fact::Structs, Fact::Unions],
            Self::Tracepoint => &[Fact::Tracepoints, Fact::RawTracepoints],
            Self::Lsm => &[Fact::LsmHooks],
            Self::Kfunc => &[Fact::Kfuncs],
            Self::Syscall => &[Fact::Syscalls, Fact::CompatSyscalls],
            Self::Config => &[Fact::Config],
        }
    }

    /// Whether modules have things of this kind besides those of vmlinux.
    #[must_use]
    pub fn may_be_in_modules(self) -> bool {
        !matches!(self, Self::Lsm | Self::Syscall | Self::Config)
    }

    /// The facts of a second place where a name of this kind may be, and what can be said of a name that is not in
    /// the first one. An imported dataset may mean only the first place by the kind: its tracepoints are the trace
    /// events, its system calls the native ones.
    #[must_use]
    pub fn second_place(self) -> Option<(Fact, &'static str)> {
        match self {
            Self::Tracepoint => Some((Fact::RawTracepoints, "no event of this name")),
            Self::Syscall => Some((Fact::CompatSyscalls, "not in the native table")),
            _ => None,
        }
    }
}

impl Surface {
    /// Whether it has something of a kind under a name.
    #[must_use]
    pub fn has(&self, kind: Kind, name: &str) -> bool {
        let has_type =
            |kinds: &[TypeKind]| self.types().with_name(name).any(|found| kinds.contains(&found.kind()));
        match kind {
            Kind::Function => self.function(name).is_some(),
            Kind::Struct => has_type(&[TypeKind::Struct]),
            Kind::Union => has_type(&[TypeKind::Union]),
            Kind::Enum => has_type(&[TypeKind::Enum, TypeKind::Enum64]),
            Kind::Field => field::named(self, name).next().is_some(),
            Kind::Tracepoint => self.has_tracepoint(name),
            Kind::Lsm => self.lsm_hook(name).is_some(),
            Kind::Kfunc => self.kfunc(name).is_some(),
            Kind::Syscall => self.syscalls().any(|syscall| syscall.name() == name),
            Kind::Config => self.config(name).is_some(),
        }
    }

    /// Why it is not known which names of a kind there are; `None` where it is known. What an imported dataset does
    /// not mean by the kind ([`Kind::second_place`]) need not be known.
    #[must_use]
    pub fn unread(&self, kind: Kind) -> Option<(Fact, &str)> {
        match kind.second_place() {
            Some((second, _)) if self.meta().imported.is_some() => {
                let first = kind.facts().iter().copied().filter(|fact| *fact != second);
                self.first_unread(&first.collect::<Vec<_>>())
            }
            _ => self.first_unread(kind.facts()),
        }
    }

    /// The first of some facts that was not read, and why; `None` where all were.
    #[must_use]
    pub fn first_unread(&self, facts: &[Fact]) -> Option<(Fact, &str)> {
        facts.iter().find_map(|&fact| Some((fact, self.meta().unknown_because(fact)?)))
    }

    /// Whether it has a tracepoint `NAME` or `SYSTEM:NAME`, events of system calls included.
    fn has_tracepoint(&self, name: &str) -> bool {
        let (system, name) = tracepoint::split(name);
        let mut listed = self.tracepoints_named(name).map(Tracepoint::system);
        listed.any(|found| system.is_none() || found == system)
            || system.is_none_or(|system| system == EVENT_SYSTEM) && self.syscall_event(name).is_some()
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
