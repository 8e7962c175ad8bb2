//! The command line.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum};
use depsurf::kernel::KernelId;
use depsurf_render::Kind;

use crate::schema;

const EXAMPLES: &str = "\
Examples:
  depsurf show function vfs_read                a function on every kernel of the dataset
  depsurf show field task_struct::pids          where a field is, and of which type
  depsurf show lsm file_open --kernel '6.*'     only on some kernels
  depsurf add linux-image-6.1.0-50-cloud-amd64-dbg_6.1.176-1_amd64.deb
                                                read a kernel and keep its surface
  depsurf list -v                               which kernels there are, and what is known of them";

const STATUS: &str = "\
Exit status:
  0  done
  1  done, and something was found (verbs that judge)
  2  could not do it, or not all of it";

/// The dependency surfaces of Linux kernels: functions, types, tracepoints, LSM hooks, kfuncs, syscalls and
/// options that eBPF programs build on.
#[derive(Debug, Parser)]
#[command(name = "depsurf", version, before_help = EXAMPLES, after_help = STATUS, max_term_width = 100)]
pub struct Arguments {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub verb: Verb,
}

/// Options of every verb.
#[derive(Debug, Args)]
pub struct Global {
    /// Directory with one surface file per kernel [env: DEPSURF_DATASET] [default: depsurf in the user's
    /// data directory; where there is none, the starter dataset inside the program].
    #[arg(long, global = true, value_name = "DIR")]
    pub dataset: Option<PathBuf>,
    /// Print results and errors, nothing else.
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Print more.
    #[arg(short, long, global = true)]
    pub verbose: bool,
    /// When to colour; `auto` means on a terminal, unless `NO_COLOR` is set.
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub color: Color,
}

/// When to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    Auto,
    Always,
    Never,
}

/// How a result is written: for reading in a terminal, with everything that is known, as Markdown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Table,
    Json,
    Md,
}

#[derive(Debug, Subcommand)]
pub enum Verb {
    Add(Add),
    List(List),
    Show(Show),
    Export(Export),
    Schema(Schema),
    #[command(hide = true)]
    Completions(Completions),
    #[command(hide = true)]
    Man(Man),
}

/// Read kernels and keep their surfaces; prints their names.
///
/// A kernel that is in the dataset already is replaced.
#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  depsurf add vmlinux --config .config
  depsurf add linux-image-6.1.0-50-cloud-amd64-dbg_6.1.176-1_amd64.deb
  depsurf add *.deb                      debug packages, and the image packages with their configs")]
pub struct Add {
    /// A vmlinux with debug information, or a Debian or Ubuntu package that holds one; image packages and
    /// config files among them give the configuration of the kernel they belong to.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Where the kernel's configuration is: a file like /boot/config-*, or the image package.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Keep the kernel under this name instead of its own: VERSION-RELEASE-FLAVOUR-ARCH.
    #[arg(long, value_name = "NAME")]
    pub name: Option<KernelId>,
    /// Refuse a kernel of which something cannot be read.
    #[arg(long)]
    pub strict: bool,
    /// How many threads to use [default: as many as there are processors].
    #[arg(long, value_name = "N")]
    pub jobs: Option<NonZeroUsize>,
}

/// Show which kernels the dataset has.
#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  depsurf list
  depsurf list -v --kernel '6.1.*'       with compiler, package, evidence and notes
  depsurf list --format json | jq -r '.kernels[].kernel'")]
pub struct List {
    /// Only kernels whose name matches; may be given several times.
    #[arg(long, value_name = "GLOB")]
    pub kernel: Vec<String>,
    /// How to write the result.
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub format: Format,
}

/// Show what a name is on every kernel: facts, where it is, and what can attach to it.
#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  depsurf show function vfs_read
  depsurf show field task_struct::se.vruntime
  depsurf show tracepoint sched:sched_switch --kernel '6.*'
  depsurf show syscall openat --format json")]
pub struct Show {
    /// What the name names.
    #[arg(value_parser = PossibleValuesParser::new(Kind::ALL.map(Kind::name))
        .try_map(|kind| kind.parse::<Kind>()))]
    pub kind: Kind,
    /// The name: `vfs_read`, `task_struct::pids`, `file_open`, `CONFIG_BPF`.
    pub name: String,
    /// Only kernels whose name matches; may be given several times.
    #[arg(long, value_name = "GLOB")]
    pub kernel: Vec<String>,
    /// How to write the result.
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub format: Format,
}

/// Write the dataset in the format of another program; prints the kernels' names.
#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  depsurf export depsurf data            in the format of the original DepSurf dataset
  depsurf export parquet tables          as tables for DuckDB, Spark, Polars ... (docs/parquet.md)
  depsurf export depsurf data --kernel '6.1.*'")]
pub struct Export {
    /// Which format.
    pub format: ExportFormat,
    /// Where to; made when it does not exist.
    #[arg(value_name = "DIR")]
    pub directory: PathBuf,
    /// Only kernels whose name matches; may be given several times.
    #[arg(long, value_name = "GLOB")]
    pub kernel: Vec<String>,
}

/// Formats to export to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    Depsurf,
    Parquet,
}

/// Print the JSON Schema of what `--format json` prints.
#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  depsurf schema                         of everything that is printed as JSON
  depsurf schema show                    of what `depsurf show --format json` prints")]
pub struct Schema {
    /// Which verb's.
    #[arg(value_parser = PossibleValuesParser::new(schema::WHAT.map(|(name, _)| name)))]
    pub what: Option<String>,
}

/// Write the completions of a shell.
#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  depsurf completions bash > ~/.local/share/bash-completion/completions/depsurf")]
pub struct Completions {
    /// Which shell.
    pub shell: clap_complete::Shell,
}

/// Write the manual pages.
#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  depsurf man ~/.local/share/man/man1")]
pub struct Man {
    /// Where to; made when it does not exist.
    pub directory: PathBuf,
}
