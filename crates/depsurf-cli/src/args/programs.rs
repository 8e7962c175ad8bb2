//! Verbs about eBPF programs.

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum};
use depsurf::check::Consequence;

use crate::side::Decided;

/// Tell whether eBPF programs load, attach and read the right bytes on each kernel, and why not.
#[derive(Debug, Args)]
#[command(
    before_help = "\
Examples:
  depsurf check /usr/sbin/biosnoop               a program as it is shipped: the objects in it are found
  depsurf check build/*.bpf.o --kernel 'debian'  objects, on some kernels
  depsurf check x.bpf.o --fail-on load-fails     exit status 1 only where something does not load
  depsurf check x.bpf.o --format json > known.json
  depsurf check x.bpf.o --baseline known.json    only what is new or worse since then
  depsurf check x.bpf.o --matrix                 the fewest kernels to test on",
    after_help = "\
Exit status:
  0  nothing as bad as --fail-on that counts
  1  something is
  2  could not do it, or not all of it

Findings do not count that a baseline or a lock file knows, or that are allowed. Where a file `depsurf.toml` is in
the current directory, it is read as with --allow:
  [[allow]]
  rule = \"no-symbol\"
  subject = \"blk_account_io_start\"
  kernel = \"6.1*\"              # a pattern, as are program and object; all three may be left out
  reason = \"the tracepoint is used there\"
  until = \"2027-01-31\"         # the last day; may be left out"
)]
pub struct Check {
    /// eBPF objects, or files that have some inside: programs, libraries, archives.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    #[command(flatten)]
    pub decided: Decided,
    /// Only these kernels, as in `6.1..7.2,arm64,!rt`; may be given several times.
    #[arg(long, alias = "kernels", value_name = "KERNELS", allow_hyphen_values = true)]
    pub kernel: Vec<String>,
    /// What counts as found: this consequence or a worse one
    #[arg(long, value_name = "LEVEL", default_value = "reads-wrong",
          value_parser = PossibleValuesParser::new(Consequence::ALL.map(Consequence::name))
              .map(|text| text.parse::<Consequence>().expect("a possible value")))]
    pub fail_on: Consequence,
    /// Only what is new or worse than in this earlier report, made with --format json.
    #[arg(long, value_name = "FILE")]
    pub baseline: Option<PathBuf>,
    /// Findings that may stay, with reasons [default: depsurf.toml in the current directory, if it is there].
    #[arg(long, value_name = "FILE")]
    pub allow: Option<PathBuf>,
    /// Only programs and kernels with other facts than in this file; written where it does not exist.
    #[arg(long, value_name = "FILE")]
    pub lock: Option<PathBuf>,
    /// Write the lock file again, after comparing with it.
    #[arg(long, requires = "lock")]
    pub update_lock: bool,
    /// Print the fewest kernels on which everything happens that happens on any: those to test on.
    #[arg(long, conflicts_with_all = ["baseline", "allow", "lock"])]
    pub matrix: bool,
    /// How to write the result
    #[arg(long, value_enum, default_value = "table")]
    pub format: CheckFormat,
}

/// How a report is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum CheckFormat {
    /// For reading in a terminal
    Table,
    /// Everything that is known
    Json,
    /// Markdown
    Md,
    /// SARIF 2.1.0, for services that show results beside the source
    Sarif,
    /// JUnit XML: a suite per kernel, a case per program
    Junit,
    /// Annotations of GitHub's workflows
    Github,
}

/// List what eBPF objects depend on: hooks, fields, types, helpers, maps, and what they take by name.
#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  depsurf deps /usr/sbin/biosnoop      the objects in a program as it is shipped
  depsurf deps -v x.bpf.o              with the lines of source that use a field")]
pub struct Deps {
    /// eBPF objects, or files that have some inside: programs, libraries, archives.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    #[command(flatten)]
    pub decided: Decided,
    /// How to write the result.
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub format: DepsFormat,
}

/// How dependencies are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DepsFormat {
    Table,
    Json,
}

/// Tell what a rule of `check` means, or what a loader's message does; without one, list all rules.
#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  depsurf explain no-ftrace-site
  depsurf explain \"failed to find kernel BTF type ID of 'vfs_x': -3\"
  dmesg | depsurf explain -                             every line that says why something failed
  depsurf explain - --object x.bpf.o --kernel 6.1 < log and which of its causes the object has there")]
pub struct Explain {
    /// Id of a rule, or what a loader said; `-` reads it from standard input.
    #[arg(value_name = "RULE|MESSAGE")]
    pub text: Vec<String>,
    /// The object that was loaded, or a file that has it inside; may be given several times.
    #[arg(long, value_name = "FILE")]
    pub object: Vec<PathBuf>,
    /// The kernel that it was loaded on, as in `6.1`; may be given several times.
    #[arg(long, alias = "kernels", value_name = "KERNELS", allow_hyphen_values = true)]
    pub kernel: Vec<String>,
}

/// Tell what of the running system eBPF programs need, and for each program what is predicted and what is there.
///
/// Reads files of the system and nothing else: nothing is loaded or attached. What cannot be read is unknown, with what to do.
/// Predictions are those of `check`, for the kernel of the dataset that runs, or else for what it tells of itself.
#[derive(Debug, Args)]
#[command(
    before_help = "\
Examples:
  depsurf doctor                       BTF, symbols, tracing, configuration, security modules of this system
  sudo depsurf doctor /usr/sbin/biosnoop
                                       and whether the hooks of these programs are there",
    after_help = "\
Exit status:
  0  nothing is missing that was looked for
  1  something is, or is there against what is predicted
  2  could not do it, or not all of it"
)]
pub struct Doctor {
    /// eBPF objects, or files that have some inside: programs, libraries, archives.
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    #[command(flatten)]
    pub decided: Decided,
    /// Where /sys, /proc and /boot are.
    #[arg(long, value_name = "DIR", default_value = "/", hide = true)]
    pub root: PathBuf,
    /// How to write the result.
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub format: DoctorFormat,
}

/// How the state of the system is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DoctorFormat {
    Table,
    Json,
}
