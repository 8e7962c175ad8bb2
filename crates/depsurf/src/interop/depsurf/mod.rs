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

mod config;
mod function;
mod json;
mod symbol;
mod syscall;
mod tracepoint;
mod types;

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use crate::error::{Error, Result};
use crate::kernel::KernelId;
use crate::surface::{Fact, Surface, TypeKind};

/// Takes the text of a file piece by piece; every piece ends with a line.
pub type Sink<'a> = &'a mut dyn FnMut(&str) -> Result<()>;

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

    /// Hands the text of a kernel's file to `sink`.
    ///
    /// # Errors
    /// What `sink` returns, and [`Error::Limit`] for types that are nested beyond any sense.
    pub fn write(self, surface: &Surface, sink: Sink<'_>) -> Result<()> {
        match self {
            Self::FuncGroups => function::groups(surface, sink),
            Self::TypesFunc => types::functions(surface, sink),
            Self::TypesStruct => types::composites(surface, TypeKind::Struct, sink),
            Self::TypesUnion => types::composites(surface, TypeKind::Union, sink),
            Self::TypesEnum => types::enums(surface, sink),
            Self::TypesInt => types::ints(surface, sink),
            Self::Symtab => symbol::table(surface, sink),
            Self::Tracepoints => tracepoint::events(surface, sink),
            Self::Syscalls => syscall::table(surface, sink),
            Self::Config => config::text(surface, sink),
            Self::Comment => config::comment(surface, sink),
        }
    }
}

/// Writes a surface into the dataset at `dir`, which is made where it does not exist. Files of the
/// same kernel are replaced, each in one step, after all of them were written.
///
/// # Errors
/// When a file cannot be written; then none was replaced.
pub fn export(surface: &Surface, dir: &Path) -> Result<()> {
    let parts: Vec<Part> = Part::ALL.into_iter().filter(|part| part.is_known(surface)).collect();
    let staged: Vec<Staged> =
        parts.par_iter().map(|&part| stage(part, surface, dir)).collect::<Result<_>>()?;
    staged.into_iter().try_for_each(Staged::publish)
}

/// A file written beside its place; removed again unless published.
struct Staged {
    temporary: PathBuf,
    path: PathBuf,
}

impl Staged {
    fn publish(self) -> Result<()> {
        fs::rename(&self.temporary, &self.path).map_err(|error| Error::io("cannot write", &self.path, error))
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        // After publishing there is nothing left under this name.
        let _ = fs::remove_file(&self.temporary);
    }
}

fn stage(part: Part, surface: &Surface, dir: &Path) -> Result<Staged> {
    let path = dir.join(part.path(surface.kernel()));
    let parent = dir.join(part.name());
    fs::create_dir_all(&parent).map_err(|error| Error::io("cannot create", &parent, error))?;
    let temporary = parent.join(format!(".{}.{}.tmp", surface.kernel(), std::process::id()));
    let staged = Staged { temporary, path };
    let failed = |error| Error::io("cannot write", &staged.path, error);
    let file = File::create(&staged.temporary).map_err(failed)?;
    let mut out = BufWriter::with_capacity(1 << 18, file);
    part.write(surface, &mut |text| out.write_all(text.as_bytes()).map_err(failed))?;
    out.flush().map_err(failed)?;
    Ok(staged)
}

#[cfg(test)]
mod tests;
