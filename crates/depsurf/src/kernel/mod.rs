//! The identity of one kernel image: parsing, printing, order.
//!
//! [`KernelId`] parses what it prints, the names of a dataset's files. [`Uname`] reads the names that distributions
//! give their kernels.

mod arch;
mod distribution;
mod uname;
mod version;

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

pub use arch::Arch;
pub use distribution::Distribution;
pub use uname::{Uname, Unclear};
pub use version::Version;

/// The flavour of kernels that name none.
pub const PLAIN: &str = "generic";

/// Which kernel image: what a dataset is keyed by.
///
/// Prints as `VERSION-RELEASE-FLAVOUR-ARCH` (`5.4.0-26-generic-amd64`), the file name of a surface;
/// where there is no release suffix that part is left out (`7.2.12-cloud-amd64`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct KernelId {
    /// Upstream version with the stable update: `6.1.176`, also where `uname -r` says `6.1.0-50`.
    pub version: Version,
    /// ABI number or release suffix: `26`, `50`, `deb13`; empty where there is none.
    pub release: String,
    /// `generic`, `cloud`, `rt`, `azure`; Debian's plain kernels are `generic`.
    pub flavour: String,
    /// Architecture of the image.
    pub arch: Arch,
}

impl fmt::Display for KernelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-", self.version)?;
        if !self.release.is_empty() {
            write!(f, "{}-", self.release)?;
        }
        write!(f, "{}-{}", self.flavour, self.arch)
    }
}

impl FromStr for KernelId {
    type Err = Error;

    /// Parses what [`KernelId`] prints: the first part is the version, the last the architecture,
    /// the one before it the flavour, and whatever is left is the release.
    fn from_str(text: &str) -> Result<Self> {
        let bad = |why: &str| Error::Usage {
            what: format!("`{text}` is not a kernel name: {why}"),
            help: Some("write VERSION-RELEASE-FLAVOUR-ARCH, as in 5.4.0-26-generic-amd64".into()),
        };
        if !is_safe(text) {
            return Err(bad(&Unclear::Characters.to_string()));
        }
        let mut parts: Vec<&str> = text.split('-').collect();
        if parts.len() < 3 || parts.iter().any(|part| part.is_empty()) {
            return Err(bad("it needs a version, a flavour and an architecture"));
        }
        let arch = parts.pop().unwrap_or_default();
        let arch = arch.parse().map_err(|_| bad(&format!("`{arch}` is no architecture")))?;
        let flavour = parts.pop().unwrap_or_default().to_owned();
        let version = parts.remove(0).parse()?;
        Ok(Self { version, release: parts.join("-"), flavour, arch })
    }
}

impl KernelId {
    /// Reads a name of either kind: one that [`KernelId`] prints, or one that a distribution gives
    /// (`6.8.5-301.fc40.x86_64`).
    ///
    /// # Errors
    /// When it is neither, or does not tell the architecture.
    pub fn of_any_name(text: &str) -> Result<Self> {
        let own = text.parse::<Self>();
        let foreign = Uname::parse(text, None, None).ok();
        // Debian's `6.1.0-50-amd64` has the form of a name of ours, with the ABI number as its flavour.
        let is_debian = foreign.as_ref().is_some_and(|it| it.distribution == Some(Distribution::Debian));
        match own {
            Ok(id) if !is_debian || !id.release.is_empty() => Ok(id),
            own => foreign.and_then(Uname::kernel).map_or(own, Ok),
        }
    }

    /// Whether it is a release candidate, as `6.13.0-rc3`.
    #[must_use]
    pub fn is_candidate(&self) -> bool {
        is_candidate(&self.release)
    }

    /// Versions ascending, release candidates before their release, then releases (runs of digits by value),
    /// flavours and architectures by name.
    #[must_use]
    pub fn order(&self, other: &Self) -> Ordering {
        self.version
            .cmp(&other.version)
            .then_with(|| other.is_candidate().cmp(&self.is_candidate()))
            .then_with(|| natural(&self.release, &other.release))
            .then_with(|| self.flavour.cmp(&other.flavour))
            .then_with(|| self.arch.name().cmp(other.arch.name()))
    }
}

/// Whether a release is of a candidate: `rc3`, `rc3-00123-gabcdef`, Fedora's `0.rc3.31.fc41`, Ubuntu's `060900rc3`.
fn is_candidate(release: &str) -> bool {
    release.match_indices("rc").any(|(at, _)| {
        let (before, after) = (&release.as_bytes()[..at], &release.as_bytes()[at + 2..]);
        !before.last().is_some_and(u8::is_ascii_alphabetic) && after.first().is_some_and(u8::is_ascii_digit)
    })
}

impl PartialOrd for KernelId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for KernelId {
    fn cmp(&self, other: &Self) -> Ordering {
        self.order(other)
    }
}

/// Whether a text can be part of a file's name anywhere.
fn is_safe(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._+~".contains(&byte))
}

/// Compares text with runs of digits taken by value, so that `9` comes before `26`.
fn natural(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a.as_bytes(), b.as_bytes());
    loop {
        match (a.first(), b.first()) {
            (None, None) => return Ordering::Equal,
            (None, _) => return Ordering::Less,
            (_, None) => return Ordering::Greater,
            (Some(x), Some(y)) if x.is_ascii_digit() && y.is_ascii_digit() => {
                let run = |s: &[u8]| s.iter().take_while(|c| c.is_ascii_digit()).count();
                let (n, m) = (run(a), run(b));
                let strip = |s: &[u8]| s.iter().position(|c| *c != b'0').unwrap_or(s.len());
                let (x, y) = (&a[..n][strip(&a[..n])..], &b[..m][strip(&b[..m])..]);
                match x.len().cmp(&y.len()).then_with(|| x.cmp(y)).then(n.cmp(&m)) {
                    Ordering::Equal => (a, b) = (&a[n..], &b[m..]),
                    unequal => return unequal,
                }
            }
            (Some(x), Some(y)) if x == y => (a, b) = (&a[1..], &b[1..]),
            (Some(x), Some(y)) => return x.cmp(y),
        }
    }
}

#[cfg(test)]
mod tests;
