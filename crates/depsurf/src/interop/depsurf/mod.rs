//! The dataset of the original DepSurf: one file per kind and kernel, written from a [`Surface`].
//!
//! ```text
//! func_groups/KERNEL.jsonl   types_{func,struct,union,enum,int}/KERNEL.jsonl
//! symtab/KERNEL.jsonl        tracepoints/KERNEL.jsonl
//! syscalls/KERNEL.json       config/KERNEL.config      comment/KERNEL.txt
//! ```
//!
//! Where facts are equal, lines are equal to the byte: key order, separators and escapes are those of
//! Python's `json.dumps`. An export keeps the original's own rules, so that what it feeds gives the
//! original's answers:
//! - an inline kind is `Selective` whenever there is a symbol and some `DW_AT_inline` is 1 or 3;
//! - LSM hooks are the `security_NAME` functions in `types_func` (their names are the members of
//!   `struct security_hook_heads`) and kfuncs the `__BTF_ID__func__*` names in `symtab`: there is no file
//!   for either;
//! - one type per name, enum values as 32-bit signed numbers, no ENUM64, floats as INT;
//! - tracepoints that have no event are left out, and so are system calls of other ABIs.
//!
//! The order of lines differs: functions are sorted by name, types come in the order of the surface.

mod read;
mod write;

use std::path::{Path, PathBuf};

pub use self::read::{Found, Listing, find, import};
pub use self::write::{Sink, export};
use crate::kernel::KernelId;
use crate::surface::{Fact, Surface};

/// A directory of the dataset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// Functions with their instances, callers and symbols.
    FuncGroups,
    /// Prototypes.
    TypesFunc,
    /// Structs.
    TypesStruct,
    /// Unions.
    TypesUnion,
    /// Enums.
    TypesEnum,
    /// Integers and floats.
    TypesInt,
    /// The symbol table.
    Symtab,
    /// Trace events.
    Tracepoints,
    /// Native system calls.
    Syscalls,
    /// Kconfig text.
    Config,
    /// The compiler's line.
    Comment,
}

impl Part {
    /// All directories; the ones that take longest come first.
    pub const ALL: [Self; 11] = [
        Self::FuncGroups,
        Self::Symtab,
        Self::TypesFunc,
        Self::TypesStruct,
        Self::Tracepoints,
        Self::TypesUnion,
        Self::TypesEnum,
        Self::TypesInt,
        Self::Syscalls,
        Self::Config,
        Self::Comment,
    ];

    /// Name of the directory.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::FuncGroups => "func_groups",
            Self::TypesFunc => "types_func",
            Self::TypesStruct => "types_struct",
            Self::TypesUnion => "types_union",
            Self::TypesEnum => "types_enum",
            Self::TypesInt => "types_int",
            Self::Symtab => "symtab",
            Self::Tracepoints => "tracepoints",
            Self::Syscalls => "syscalls",
            Self::Config => "config",
            Self::Comment => "comment",
        }
    }

    fn extension(self) -> &'static str {
        match self {
            Self::Syscalls => "json",
            Self::Config => "config",
            Self::Comment => "txt",
            _ => "jsonl",
        }
    }

    /// Path of a kernel's file below the dataset.
    #[must_use]
    pub fn path(self, kernel: &KernelId) -> PathBuf {
        Path::new(self.name()).join(format!("{kernel}.{}", self.extension()))
    }

    /// Whether the surface knows what the file would say. Where it does not, no file is written,
    /// because an empty one would say that the kernel has nothing of the kind.
    #[must_use]
    pub fn is_known(self, surface: &Surface) -> bool {
        let meta = surface.meta();
        if let Some(import) = &meta.imported {
            return import.parts.iter().any(|part| part == self.name());
        }
        match self {
            Self::FuncGroups => meta.knows(Fact::Functions),
            Self::TypesFunc | Self::TypesStruct | Self::TypesUnion | Self::TypesEnum | Self::TypesInt => {
                meta.knows(Fact::Types)
            }
            Self::Symtab => meta.knows(Fact::Symbols),
            Self::Tracepoints => meta.knows(Fact::Tracepoints),
            Self::Syscalls => meta.knows(Fact::Syscalls),
            Self::Config => meta.knows(Fact::Config),
            Self::Comment => meta.compiler.is_some(),
        }
    }
}
