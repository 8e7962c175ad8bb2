//! Tables for data engines: Parquet files, one directory per table and one partition per kernel, in the
//! layout that DuckDB, Spark, Polars and others know as Hive's.
//!
//! ```text
//! functions/kernel=6.1.176-50-cloud-amd64/part-0.parquet
//! ```
//!
//! The columns are described in [`Table::columns`], and for readers in `docs/parquet.md`. Ids are places in the
//! surface: they join the tables of one kernel, and mean nothing between kernels. What the image does not tell
//! is null, and the table `evidence` says why; only a fact that was read makes a missing row mean "absent".

mod column;
mod config;
mod field;
mod function;
mod kernel;
mod kfunc;
mod lsm;
mod rows;
mod symbol;
mod syscall;
mod tracepoint;
mod types;

use std::fs;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use rayon::prelude::*;

pub use self::column::{Column, ColumnKind};
use self::rows::Rows;
use crate::error::{Error, Result};
use crate::kernel::KernelId;
use crate::store::write;
use crate::surface::{Fact, Surface};

/// Number of the tables' shape; raised when a reader of the old one would go wrong.
pub const SCHEMA: u32 = 1;

/// A table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    /// The kernel itself: one row.
    Kernels,
    /// Which kinds of facts could be read.
    Evidence,
    /// What was skipped when the image was read.
    Notes,
    /// Functions by name, with their verdicts and what attaching leads to.
    Functions,
    /// Definitions of functions.
    Instances,
    /// Direct calls.
    CallEdges,
    /// Inlined copies.
    InlineSites,
    /// ELF symbols.
    Symbols,
    /// Types.
    Types,
    /// Members of structs and unions.
    Members,
    /// Values of enums.
    Enumerators,
    /// Trace events and raw tracepoints.
    Tracepoints,
    /// LSM hooks.
    Hooks,
    /// Functions that eBPF programs may call.
    Kfuncs,
    /// Entries of the system call tables.
    Syscalls,
    /// Kconfig options.
    Configs,
}

impl Table {
    /// All tables; the order of the documentation.
    pub const ALL: [Self; 16] = [
        Self::Kernels,
        Self::Evidence,
        Self::Notes,
        Self::Functions,
        Self::Instances,
        Self::CallEdges,
        Self::InlineSites,
        Self::Symbols,
        Self::Types,
        Self::Members,
        Self::Enumerators,
        Self::Tracepoints,
        Self::Hooks,
        Self::Kfuncs,
        Self::Syscalls,
        Self::Configs,
    ];

    /// Its name, which is that of its directory.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Kernels => "kernels",
            Self::Evidence => "evidence",
            Self::Notes => "notes",
            Self::Functions => "functions",
            Self::Instances => "instances",
            Self::CallEdges => "call_edges",
            Self::InlineSites => "inline_sites",
            Self::Symbols => "symbols",
            Self::Types => "types",
            Self::Members => "members",
            Self::Enumerators => "enumerators",
            Self::Tracepoints => "tracepoints",
            Self::Hooks => "hooks",
            Self::Kfuncs => "kfuncs",
            Self::Syscalls => "syscalls",
            Self::Configs => "configs",
        }
    }

    /// Its columns. The kernel's name is no column of the files: it is the partition.
    #[must_use]
    pub fn columns(self) -> &'static [Column] {
        match self {
            Self::Kernels => kernel::KERNELS,
            Self::Evidence => kernel::EVIDENCE,
            Self::Notes => kernel::NOTES,
            Self::Functions => function::FUNCTIONS,
            Self::Instances => function::INSTANCES,
            Self::CallEdges => function::CALL_EDGES,
            Self::InlineSites => function::INLINE_SITES,
            Self::Symbols => symbol::SYMBOLS,
            Self::Types => types::TYPES,
            Self::Members => field::MEMBERS,
            Self::Enumerators => types::ENUMERATORS,
            Self::Tracepoints => tracepoint::TRACEPOINTS,
            Self::Hooks => lsm::HOOKS,
            Self::Kfuncs => kfunc::KFUNCS,
            Self::Syscalls => syscall::SYSCALLS,
            Self::Configs => config::CONFIGS,
        }
    }

    /// The facts its rows come from: where one of them is unknown, a row that is not there may still be of a
    /// thing that the kernel has.
    #[must_use]
    pub fn facts(self) -> &'static [Fact] {
        match self {
            Self::Kernels | Self::Evidence | Self::Notes => &[],
            Self::Functions | Self::Instances | Self::CallEdges | Self::InlineSites => &[Fact::Functions],
            Self::Symbols => &[Fact::Symbols],
            Self::Types | Self::Members | Self::Enumerators => &[Fact::Types],
            Self::Tracepoints => &[Fact::Tracepoints, Fact::RawTracepoints],
            Self::Hooks => &[Fact::LsmHooks],
            Self::Kfuncs => &[Fact::Kfuncs],
            Self::Syscalls => &[Fact::Syscalls, Fact::CompatSyscalls],
            Self::Configs => &[Fact::Config],
        }
    }

    /// What a row is, and in which order they come.
    #[must_use]
    pub fn rows(self) -> &'static str {
        match self {
            Self::Kernels => "One row: the kernel.",
            Self::Evidence => "One row per kind of fact.",
            Self::Notes => "One row per kind of thing that was skipped when the image was read.",
            Self::Functions => "One row per name of a function, sorted by name.",
            Self::Instances => "One row per definition of a function, or declaration without definition.",
            Self::CallEdges => "One row per direct call: by callee, then in the order of DWARF.",
            Self::InlineSites => "One row per inlined copy: by callee, then in the order of DWARF.",
            Self::Symbols => "One row per ELF symbol, in the order of `.symtab`.",
            Self::Types => "One row per type, by id.",
            Self::Members => {
                "One row per member of a struct or union, by `type_id`. Behind an anonymous struct or union \
                 member come its own members: `depth = 0` gives members as declared, `name IS NOT NULL` the \
                 fields that a program can name."
            }
            Self::Enumerators => "One row per value of an enum, by `type_id`.",
            Self::Tracepoints => {
                "One row per trace event, and per raw tracepoint without event, sorted by name."
            }
            Self::Hooks => "One row per LSM hook, sorted by name.",
            Self::Kfuncs => "One row per function that eBPF programs may call, sorted by name.",
            Self::Syscalls => "One row per entry of a system call table, by table and number.",
            Self::Configs => "One row per Kconfig option that the configuration names, sorted by name.",
        }
    }

    /// Path of a kernel's file below the directory of the export.
    #[must_use]
    pub fn path(self, kernel: &KernelId) -> PathBuf {
        Path::new(self.name()).join(format!("kernel={kernel}")).join("part-0.parquet")
    }

    /// Writes a kernel's file of the table. A table without rows has a file too, so that its columns are known.
    ///
    /// # Errors
    /// When `file` cannot be written, or the surface is damaged.
    pub fn write(self, surface: &Surface, file: &mut (dyn Write + Send)) -> Result<()> {
        let kernel = surface.kernel();
        let about =
            [("schema", SCHEMA.to_string()), ("table", self.name().into()), ("kernel", kernel.to_string())];
        let mut rows = Rows::new(self.name(), self.columns(), &about, self.path(kernel), file)?;
        match self {
            Self::Kernels => kernel::kernels(surface, &mut rows),
            Self::Evidence => kernel::evidence(surface, &mut rows),
            Self::Notes => kernel::notes(surface, &mut rows),
            Self::Functions => function::functions(surface, &mut rows),
            Self::Instances => function::instances(surface, &mut rows),
            Self::CallEdges => function::call_edges(surface, &mut rows),
            Self::InlineSites => function::inline_sites(surface, &mut rows),
            Self::Symbols => symbol::symbols(surface, &mut rows),
            Self::Types => types::types(surface, &mut rows),
            Self::Members => field::members(surface, &mut rows),
            Self::Enumerators => types::enumerators(surface, &mut rows),
            Self::Tracepoints => tracepoint::tracepoints(surface, &mut rows),
            Self::Hooks => lsm::hooks(surface, &mut rows),
            Self::Kfuncs => kfunc::kfuncs(surface, &mut rows),
            Self::Syscalls => syscall::syscalls(surface, &mut rows),
            Self::Configs => config::configs(surface, &mut rows),
        }?;
        rows.finish()
    }
}

/// Writes all tables of a surface below `dir`, which is made where it does not exist. Files of the same
/// kernel are replaced, each in one step. `done` is called after each of the [`Table::ALL`], from several threads.
///
/// # Errors
/// When a file cannot be written, or the surface is damaged.
pub fn export(surface: &Surface, dir: &Path, done: impl Fn() + Sync) -> Result<()> {
    Table::ALL.into_par_iter().try_for_each(|table| {
        file(table, surface, dir)?;
        done();
        Ok(())
    })
}

fn file(table: Table, surface: &Surface, dir: &Path) -> Result<()> {
    let path = dir.join(table.path(surface.kernel()));
    let parent = path.parent().unwrap_or(dir);
    fs::create_dir_all(parent).map_err(|error| Error::io("cannot create", parent, error))?;
    write::remove_abandoned(parent);
    write::replace_with(&path, |file| {
        let mut buffered = BufWriter::new(file);
        table.write(surface, &mut buffered)?;
        buffered.flush().map_err(|error| Error::io("cannot write", &path, error))
    })
}

#[cfg(test)]
mod tests;
