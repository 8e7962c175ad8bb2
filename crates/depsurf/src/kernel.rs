//! The identity of one kernel image: parsing, printing, order.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// Upstream version; a missing part is 0 (`4.4` is `4.4.0`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Version {
    /// `6` in `6.12.107`.
    pub major: u32,
    /// `12` in `6.12.107`.
    pub minor: u32,
    /// `107` in `6.12.107`.
    pub patch: u32,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

impl FromStr for Version {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let bad = || Error::Usage {
            what: format!("`{text}` is not a kernel version"),
            help: Some("write it as 6.12 or 6.12.107".into()),
        };
        let mut parts = [0u32; 3];
        let mut count = 0;
        for part in text.split('.') {
            if count == 3 {
                return Err(bad());
            }
            parts[count] = part.parse().map_err(|_| bad())?;
            count += 1;
        }
        if count < 2 {
            return Err(bad());
        }
        Ok(Self { major: parts[0], minor: parts[1], patch: parts[2] })
    }
}

/// Instruction set of an image, by the distribution's word for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "the names are Debian's architecture names")]
pub enum Arch {
    Amd64,
    Arm64,
    Armhf,
    I386,
    Ppc64el,
    Riscv64,
    S390x,
    Mips64el,
    Loong64,
}

impl Arch {
    /// Every architecture that has a name here.
    pub const ALL: [Self; 9] = [
        Self::Amd64,
        Self::Arm64,
        Self::Armhf,
        Self::I386,
        Self::Ppc64el,
        Self::Riscv64,
        Self::S390x,
        Self::Mips64el,
        Self::Loong64,
    ];

    /// The distribution's word, as in file names.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Amd64 => "amd64",
            Self::Arm64 => "arm64",
            Self::Armhf => "armhf",
            Self::I386 => "i386",
            Self::Ppc64el => "ppc64el",
            Self::Riscv64 => "riscv64",
            Self::S390x => "s390x",
            Self::Mips64el => "mips64el",
            Self::Loong64 => "loong64",
        }
    }
}

impl fmt::Display for Arch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Arch {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|arch| arch.name() == text).ok_or_else(|| Error::Usage {
            what: format!("unknown architecture `{text}`"),
            help: Some(format!("known are {}", Self::ALL.map(Self::name).join(", "))),
        })
    }
}

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
        if !text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._+~".contains(&b)) {
            return Err(bad("only letters, digits and -._+~ may occur"));
        }
        let mut parts: Vec<&str> = text.split('-').collect();
        if parts.len() < 3 || parts.iter().any(|part| part.is_empty()) {
            return Err(bad("it needs a version, a flavour and an architecture"));
        }
        let arch = parts.pop().unwrap_or_default().parse()?;
        let flavour = parts.pop().unwrap_or_default().to_owned();
        let version = parts.remove(0).parse()?;
        Ok(Self { version, release: parts.join("-"), flavour, arch })
    }
}

impl KernelId {
    /// Versions ascending, then releases (runs of digits by value), flavours and architectures by name.
    #[must_use]
    pub fn order(&self, other: &Self) -> Ordering {
        self.version
            .cmp(&other.version)
            .then_with(|| natural(&self.release, &other.release))
            .then_with(|| self.flavour.cmp(&other.flavour))
            .then_with(|| self.arch.name().cmp(other.arch.name()))
    }
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
mod tests {
    use super::*;

    #[test]
    fn prints_what_it_parses() {
        for name in [
            "5.4.0-26-generic-amd64",
            "6.12.107-deb13-cloud-amd64",
            "7.2.12-cloud-arm64",
            "6.1.176-50-rt-armhf",
        ] {
            assert_eq!(name.parse::<KernelId>().unwrap().to_string(), name);
        }
    }

    #[test]
    fn refuses_what_is_no_name() {
        for name in [
            "",
            "6.1",
            "6.1-cloud",
            "a.b-cloud-amd64",
            "6.1.0-cloud-vax",
            "6.1.0--cloud-amd64",
            "../6.1.0-cloud-amd64",
        ] {
            assert!(name.parse::<KernelId>().is_err(), "{name}");
        }
    }

    #[test]
    fn orders_releases_by_value() {
        let mut names: Vec<KernelId> =
            ["6.1.0-26-cloud-amd64", "6.1.0-9-cloud-amd64", "5.10.0-9-cloud-amd64"]
                .map(|name| name.parse().unwrap())
                .into();
        names.sort();
        let names: Vec<_> = names.iter().map(ToString::to_string).collect();
        assert_eq!(names, ["5.10.0-9-cloud-amd64", "6.1.0-9-cloud-amd64", "6.1.0-26-cloud-amd64"]);
    }
}
