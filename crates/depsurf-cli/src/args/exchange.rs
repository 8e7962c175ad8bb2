//! Verbs that bring kernels in and take them out.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use depsurf::kernel::KernelId;
use depsurf::source::ModuleChoice;

use super::CHOICE;
use crate::jobs::Bounds;

/// Read kernels and keep their surfaces; prints their names.
///
/// A kernel that is in the dataset already is replaced, unless it is from the same build.
#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  depsurf add vmlinux --config .config
  depsurf add linux-image-6.1.0-50-cloud-amd64-dbg_6.1.176-1_amd64.deb
  depsurf add *.deb                      debug packages, and the image packages with their configs")]
pub struct Add {
    /// A vmlinux with debug information, or a Debian or Ubuntu package that holds one; image packages and
    /// config files among them give the configuration of the kernel they belong to. Bare BTF, as
    /// /sys/kernel/btf/vmlinux, gives the types alone.
    #[arg(required_unless_present = "live", value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Read what the running kernel tells of itself: its BTF, symbols, configuration, and what it says can be traced.
    #[arg(long, conflicts_with_all = ["files", "config"])]
    pub live: bool,
    /// With --live: where /proc, /sys and /boot are, as of a machine whose files were copied.
    #[arg(long, value_name = "DIR", default_value = "/", requires = "live", hide_default_value = true)]
    pub root: PathBuf,
    /// Where the kernel's configuration is: a file like /boot/config-*, or the image package, which may have stripped code as well.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Keep the kernel under this name instead of its own: VERSION-RELEASE-FLAVOUR-ARCH, or what a distribution
    /// calls it where that tells the architecture.
    #[arg(long, value_name = "NAME", value_parser = KernelId::of_any_name)]
    pub name: Option<KernelId>,
    /// Which modules to read too, from the packages that have them, or with `--live` of those that are loaded: all, none, a
    /// name, or a pattern of names or of paths like 'kernel/fs/*' [default: none, with `--live` all].
    #[arg(long, value_name = "MODULES")]
    pub modules: Option<String>,
    /// Refuse a kernel of which something cannot be read.
    #[arg(long)]
    pub strict: bool,
    /// Read kernels again that are there already, from the same build.
    #[arg(long)]
    pub force: bool,
    #[command(flatten)]
    pub limits: Bounds,
}

impl Add {
    /// Which modules are read.
    ///
    /// # Errors
    /// When what was said is no pattern.
    pub fn modules(&self) -> depsurf::error::Result<ModuleChoice> {
        match &self.modules {
            Some(text) => ModuleChoice::parse(text),
            // What is loaded is part of what a running kernel is.
            None if self.live => Ok(ModuleChoice::All),
            None => Ok(ModuleChoice::None),
        }
    }
}

/// Write the dataset in the format of another program.
#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  depsurf export depsurf data            in the format of the original DepSurf dataset
  depsurf export parquet tables          as tables for DuckDB, Spark, Polars ... (docs/parquet.md)
  depsurf export depsurf data --kernel 6.1
  depsurf export btf 6.1:armhf -o armhf.btf   the types of a kernel for libbpf")]
pub struct Export {
    #[command(subcommand)]
    pub format: ExportFormat,
}

/// Formats to export to.
#[derive(Debug, Subcommand)]
pub enum ExportFormat {
    /// The layout of the original DepSurf dataset; prints the kernels' names
    Depsurf(ExportTree),
    /// Tables for data engines, one partition for each kernel; prints the kernels' names
    Parquet(ExportTree),
    /// The types of one kernel as BTF, as libbpf takes them from a file
    Btf(ExportBtf),
}

/// Where a format with files for every kernel is written to.
#[derive(Debug, Args)]
#[command(after_help = CHOICE)]
pub struct ExportTree {
    /// Where to; made when it does not exist.
    #[arg(value_name = "DIR")]
    pub directory: PathBuf,
    /// Only these kernels, as in `6.1..7.2,arm64,-rt`; may be given several times.
    #[arg(long, value_name = "KERNELS", allow_hyphen_values = true)]
    pub kernel: Vec<String>,
}

/// The kernel that is written as BTF, and where to.
///
/// A kernel with BTF of its own gets just that. For one without, the types of its debug information are written: libbpf takes the file
/// with `btf_custom_path` for CO-RE relocations; tracing programs and kfuncs need BTF in the kernel itself.
#[derive(Debug, Args)]
#[command(after_help = CHOICE)]
pub struct ExportBtf {
    /// The kernel.
    #[arg(value_name = "KERNEL")]
    pub kernel: String,
    /// Where to; standard output, when that is no terminal.
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// Read the dataset of another program and keep its kernels; prints their names.
///
/// What the format does not tell is unknown afterwards. A kernel that is in the dataset already is replaced.
#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  depsurf import depsurf DepSurf-dataset                 every kernel of the original DepSurf dataset
  depsurf import depsurf data --kernel '5.4.*'           only some kernels
  depsurf import depsurf data --dataset ubuntu           into a dataset of its own")]
pub struct Import {
    /// Which format.
    pub format: ImportFormat,
    /// The directory with func_groups, types_struct and so on, or some of them; files may be compressed with
    /// gzip or zstd.
    #[arg(value_name = "DIR")]
    pub directory: PathBuf,
    /// Only these kernels, as in `6.1..7.2,arm64,!rt`; may be given several times.
    #[arg(long, value_name = "KERNELS", allow_hyphen_values = true)]
    pub kernel: Vec<String>,
}

/// Formats to import from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ImportFormat {
    Depsurf,
}
