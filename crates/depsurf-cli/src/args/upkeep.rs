//! Verbs that fetch, check and remove the kernels of a dataset.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use depsurf_fetch::Spec;

use super::{CHOICE, Format};
use crate::jobs::Bounds;

/// Fetch kernels from where distributions keep them, and keep their surfaces; prints their names.
///
/// Packages are read while they arrive, and what is not needed of them is not fetched. Indexes and packages have to have
/// the signatures and checksums that they should have.
#[derive(Debug, Args)]
#[command(
    before_help = "\
Examples:
  depsurf pull debian:trixie/cloud-amd64           the newest of a suite, with its updates
  depsurf pull debian:6.1.0-50-cloud-arm64         by what `uname -r` says
  depsurf pull 'debian:*/rt-amd64' --list          what a pattern stands for, and how large it is
  depsurf pull ubuntu:noble/generic-amd64 --mirror URL --mirror URL
  depsurf pull fedora:41/x86_64 --mirror URL
  depsurf pull debuginfod:BUILDID                  from the servers in DEBUGINFOD_URLS",
    after_help = "\
Where from:
  debian      the mirrors that the system's apt is configured with, unless --mirror or DEPSURF_MIRROR_DEBIAN name some
  ubuntu      --mirror, or DEPSURF_MIRROR_UBUNTU: the archive, and that of its debug packages
  fedora      --mirror, or DEPSURF_MIRROR_FEDORA: repositories, with {suite} and {arch} in their addresses
  debuginfod  --mirror, or DEBUGINFOD_URLS
Proxies are taken from HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY."
)]
pub struct Pull {
    /// PLACE:SUITE/FLAVOUR-ARCH, PLACE:RELEASE or debuginfod:BUILDID; `* ? [abc] {a,b}` are patterns.
    #[arg(required = true, value_name = "SPEC", value_parser = spec)]
    pub specs: Vec<Spec>,
    /// Print what the specifications stand for, with sizes, and fetch nothing.
    #[arg(long)]
    pub list: bool,
    /// Print what would be fetched, and fetch nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Where to fetch from; may be given several times.
    #[arg(long, value_name = "URL")]
    pub mirror: Vec<String>,
    /// File with the keys that indexes, or RPM packages, must be signed with [default: those of the distribution].
    #[arg(long, value_name = "FILE", conflicts_with = "unsigned")]
    pub keyring: Option<PathBuf>,
    /// Take indexes and packages whoever signed them.
    #[arg(long)]
    pub unsigned: bool,
    /// Fetch all of each package, and compare it with its checksum.
    #[arg(long)]
    pub verify: bool,
    /// Keep the packages, in the directory for what is fetched.
    #[arg(long)]
    pub keep: bool,
    /// Which modules to read too, from the packages that have them, which are fetched as a whole then: all, none, a name, or a pattern of names or of paths
    /// like 'kernel/fs/*'.
    #[arg(long, value_name = "MODULES", default_value = "none")]
    pub modules: String,
    /// Directory for what is fetched [default: depsurf in the user's cache directory].
    #[arg(long, value_name = "DIR")]
    pub cache: Option<PathBuf>,
    /// Fetch kernels again that are there already, from the same package.
    #[arg(long)]
    pub force: bool,
    /// Refuse a kernel of which something cannot be read.
    #[arg(long)]
    pub strict: bool,
    /// Give up when nothing arrives for as many seconds.
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub timeout: Option<Duration>,
    /// How many parts of a package to ask for at once [default: 4].
    #[arg(long, value_name = "N")]
    pub connections: Option<NonZeroUsize>,
    #[command(flatten)]
    pub limits: Bounds,
}

fn spec(text: &str) -> Result<Spec, String> {
    text.parse().map_err(|error: depsurf_fetch::Error| match error.help() {
        Some(help) => format!("{error}: {help}"),
        None => error.to_string(),
    })
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "it is no number".to_owned())?;
    let limit = 1.0e6;
    if seconds > 0.0 && seconds < limit {
        Ok(Duration::from_secs_f64(seconds))
    } else {
        Err("it is out of bounds".into())
    }
}

/// Remove kernels from the dataset; prints their names.
#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  depsurf remove 6.1.176-50-cloud-amd64
  depsurf remove '5.*' --yes             all that a pattern stands for", after_help = CHOICE)]
pub struct Remove {
    /// Kernels by name, or chosen as by --kernel.
    #[arg(required = true, value_name = "KERNEL")]
    pub kernels: Vec<String>,
    /// Remove all that are meant where that are several.
    #[arg(long)]
    pub yes: bool,
}

/// Read every byte of surfaces, and tell which are damaged.
///
/// Checked are the checksums of all sections, and that every record refers to something that is there.
#[derive(Debug, Args)]
#[command(
    before_help = "\
Examples:
  depsurf verify
  depsurf verify 6.1 -v",
    after_help = "\
Exit status:
  0  all are fine
  1  some are damaged
  2  could not do it"
)]
pub struct Verify {
    /// Kernels by name, or chosen as by --kernel [default: all].
    #[arg(value_name = "KERNEL")]
    pub kernels: Vec<String>,
}

/// Tell where each kind of fact about kernels comes from, what is unknown and why, and what takes how much room.
#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  depsurf info 6.1.176-50-cloud-amd64
  depsurf info 6.1 --format json | jq '.kernels[].identity.evidence'", after_help = CHOICE)]
pub struct Info {
    /// Kernels by name, or chosen as by --kernel.
    #[arg(required = true, value_name = "KERNEL")]
    pub kernels: Vec<String>,
    /// How to write the result.
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub format: Format,
}
