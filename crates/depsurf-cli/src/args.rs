//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

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
    List(List),
    #[command(hide = true)]
    Completions(Completions),
    #[command(hide = true)]
    Man(Man),
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
