//! The command line.

mod exchange;
mod programs;
mod upkeep;

use std::ffi::OsStr;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Arg, Args, Command, Parser, Subcommand, ValueEnum};
use depsurf::group::Title;
use depsurf_render::Kind;

pub use self::exchange::{Add, Export, ExportBtf, ExportFormat, ExportTree, Import, ImportFormat};
pub use self::programs::{Check, CheckFormat, Deps, DepsFormat, Doctor, DoctorFormat, Explain};
pub use self::upkeep::{Info, Pull, Remove, Verify};
use crate::schema;

const EXAMPLES: &str = "\
Examples:
  depsurf check /usr/sbin/biosnoop              where a program works, and why not elsewhere
  depsurf doctor /usr/sbin/biosnoop             what of it is there on the running kernel
  depsurf show function vfs_read                a function on every kernel of the dataset
  depsurf show field task_struct::pids          where a field is, and of which type
  depsurf show lsm file_open --kernel 6.1..7.2  only on some kernels
  depsurf diff 6.1 6.12                         what changed between two kernels
  depsurf log function vfs_write                when a function changed
  depsurf search account io start               names that have these words, best first
  depsurf add linux-image-6.1.0-50-cloud-amd64-dbg_6.1.176-1_amd64.deb
                                                read a kernel and keep its surface
  depsurf list -v                               which kernels there are, and what is known of them";

/// How kernels are chosen; `depsurf::select` has all of it.
const CHOICE: &str = "\
Choosing kernels (--kernel):
  6.1  6.1.176              a version, or how it starts
  6.1..7.2  ..6.1  6.12..   from one version to another, both included
  '6.1*'  '*-cloud-*'       a pattern of the name; the name itself, or how it starts
  arm64  rt  debian         an architecture, a flavour, a distribution (or arch=, flavour=, dist=)
  regular lts arch flavor revision other
                            a group, around the default kernel (--default)
  debian:6.1..:arm64        all of it
  6.1,7.2,-rt               one or the other, but not; - and ! are the same";

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
    /// Kernel that groups are around, chosen as by --kernel [env: DEPSURF_DEFAULT] [default: the one with the
    /// most relatives].
    #[arg(long, global = true, value_name = "KERNEL")]
    pub default: Option<String>,
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
    Pull(Pull),
    Remove(Remove),
    Verify(Verify),
    Info(Info),
    List(List),
    Show(Show),
    Check(Check),
    Deps(Deps),
    Explain(Explain),
    Doctor(Doctor),
    Diff(Diff),
    Log(Log),
    Search(Search),
    Export(Export),
    Import(Import),
    Pages(Pages),
    Schema(Schema),
    Completions(Completions),
    Man(Man),
}

/// Which kernels, and in which groups.
#[derive(Debug, Args)]
pub struct Chosen {
    /// Only these kernels, as in `6.1..7.2,arm64,-rt`; may be given several times.
    #[arg(long, value_name = "KERNELS", allow_hyphen_values = true)]
    pub kernel: Vec<String>,
    /// Only these groups; with commas between, or several times.
    #[arg(long, value_name = "GROUP", value_delimiter = ',', value_parser = titles(), ignore_case = true)]
    pub group: Vec<Title>,
}

/// Show which kernels the dataset has, by group.
///
/// The columns count functions, structs, trace events, LSM hooks, kfuncs, system calls, options of the configuration,
/// and notes on what was skipped while the kernel was read: `!` says that something was lost, and -v tells what.
/// `?` is what the image does not tell.
#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  depsurf list
  depsurf list -v --kernel 6.1           with compiler, package, evidence and notes
  depsurf list --group lts               only long-term kernels
  depsurf list --format json | jq -r '.kernels[].kernel'", after_help = CHOICE)]
pub struct List {
    #[command(flatten)]
    pub chosen: Chosen,
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
  depsurf show tracepoint sched:sched_switch --kernel 6,-arm64
  depsurf show syscall openat --format json", after_help = CHOICE)]
pub struct Show {
    /// What the name names.
    #[arg(value_parser = KindWords)]
    pub kind: KindWord,
    /// The name: `vfs_read`, `task_struct::pids`, `file_open`, `CONFIG_BPF`.
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
    #[command(flatten)]
    pub chosen: Chosen,
    /// How to write the result.
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub format: Format,
}

/// What stands in the place of a kind.
#[derive(Debug, Clone)]
pub enum KindWord {
    Kind(Kind),
    /// No kind: a slip, or the name of something. The dataset tells what may have been meant.
    Other(String),
}

/// Takes any word, and offers the kinds in help texts and completions.
#[derive(Debug, Clone)]
struct KindWords;

impl TypedValueParser for KindWords {
    type Value = KindWord;

    fn parse_ref(&self, _: &Command, _: Option<&Arg>, word: &OsStr) -> Result<KindWord, clap::Error> {
        let word = word.to_string_lossy();
        Ok(word.parse().map_or_else(|_| KindWord::Other(word.into_owned()), KindWord::Kind))
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(Kind::ALL.map(|kind| PossibleValue::new(kind.name())).into_iter()))
    }
}

/// Parses the titles of groups.
fn titles() -> impl TypedValueParser<Value = Title> {
    let word = |title: Title| match title {
        Title::Flavor => PossibleValue::new(title.word()).alias("flavour"),
        _ => PossibleValue::new(title.word()),
    };
    PossibleValuesParser::new(Title::ALL.map(word)).try_map(|word| word.parse::<Title>())
}

/// What a name on the command line names.
fn kinds() -> impl TypedValueParser<Value = Kind> {
    PossibleValuesParser::new(Kind::ALL.map(Kind::name)).try_map(|kind| kind.parse::<Kind>())
}

/// Compare kernels: how many names came, went and changed, and which. Exit status 0 means no change, 1 changes.
#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  depsurf diff 6.1.176-50-cloud-amd64 6.12        two kernels, by name or by how the name begins
  depsurf diff 6.1 6.12 --kind lsm --kind kfunc   with the names of some kinds
  depsurf diff 6.1 6.12 --grep '^blk_account_io'  with the names that match, of every kind
  depsurf diff                                    each version with the next
  depsurf diff --group arch --format md           the default kernel with each architecture")]
pub struct Diff {
    /// The old kernel and the new one; with more, each is compared with the next. A name, its beginning, or a
    /// glob that matches one.
    #[arg(value_name = "KERNEL")]
    pub kernels: Vec<String>,
    /// Where no kernel is named: the group whose kernels are compared, each with the next or with the default.
    #[arg(long, value_name = "GROUP", default_value = "regular", value_parser = titles(), ignore_case = true,
        conflicts_with = "kernels")]
    pub group: Title,
    /// Only this kind, with its names; may be given several times.
    #[arg(long, value_name = "KIND", value_parser = kinds())]
    pub kind: Vec<Kind>,
    /// List names that match this regular expression.
    #[arg(long, value_name = "REGEX")]
    pub grep: Option<String>,
    /// How to write the result.
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub format: Format,
}

/// Show when a name came, changed and went over the kernels of a group.
#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  depsurf log function vfs_write
  depsurf log field task_struct::__state
  depsurf log struct bio -v                       with every offset that changed
  depsurf log lsm file_open --group arch")]
pub struct Log {
    /// What the name names.
    #[arg(value_parser = kinds())]
    pub kind: Kind,
    /// The name.
    pub name: String,
    /// The group whose kernels are followed.
    #[arg(long, value_name = "GROUP", default_value = "regular", value_parser = titles(), ignore_case = true)]
    pub group: Title,
    /// Only these kernels, as in `6.1..7.2,arm64,!rt`; may be given several times.
    #[arg(long, value_name = "KERNELS", allow_hyphen_values = true)]
    pub kernel: Vec<String>,
    /// How to write the result.
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub format: Format,
}

/// Find names of every kind: functions, types, fields, enumerators, tracepoints, hooks, kfuncs, syscalls, options.
///
/// Finds names that contain the text, whatever the case, or all of its words in any order; where there are none,
/// names that are near: misspelt, or with letters left out. The best come first. Status 2 when nothing is found.
#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  depsurf search vfs_read
  depsurf search account io start        words in any order
  depsurf search task_struct::pi         fields of a struct; ::pids for those of any struct
  depsurf search bpfprgload              with letters left out, or misspelt
  depsurf search --regex '^tcp_.*_skb$' --kind function --kernel '6.*'")]
pub struct Search {
    /// What to look for.
    #[arg(required = true, value_name = "TEXT")]
    pub text: Vec<String>,
    /// Only names of this kind; may be given several times.
    #[arg(long, value_name = "KIND", value_parser = PossibleValuesParser::new(Kind::ALL.map(Kind::name))
        .try_map(|kind| kind.parse::<Kind>()))]
    pub kind: Vec<Kind>,
    /// Only these kernels, as in `6.1..7.2,arm64,!rt`; may be given several times.
    #[arg(long, value_name = "KERNELS", allow_hyphen_values = true)]
    pub kernel: Vec<String>,
    /// How many names to print.
    #[arg(long, value_name = "N", default_value = "20")]
    pub limit: NonZeroUsize,
    /// Only names that are the text.
    #[arg(long, conflicts_with = "regex")]
    pub exact: bool,
    /// The text is a regular expression; upper and lower case are the same.
    #[arg(long)]
    pub regex: bool,
    /// How to write the result.
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub format: Format,
}

/// Write the page of every name as Markdown, and indexes; prints the path of the page that leads to all others.
///
/// Only files that have changed are written, and those of names that are gone are removed, so a run that was
/// interrupted is resumed by running again. Kinds that are not chosen are left as they are. Files that this
/// command did not write are never touched.
#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  depsurf pages -o site
  depsurf pages -o site --kernel 6.1..7.2    over some kernels
  depsurf pages -o site --kind struct --kind field")]
pub struct Pages {
    /// Where to; made when it does not exist.
    #[arg(short, long, value_name = "DIR")]
    pub output: PathBuf,
    /// Only names of this kind; may be given several times [default: all but fields, which are on the pages of
    /// their structs].
    #[arg(long, value_name = "KIND", value_parser = kinds())]
    pub kind: Vec<Kind>,
    #[command(flatten)]
    pub chosen: Chosen,
    /// How many threads to use [default: as many as there are processors].
    #[arg(long, value_name = "N")]
    pub jobs: Option<NonZeroUsize>,
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
