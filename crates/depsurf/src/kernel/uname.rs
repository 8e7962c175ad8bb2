//! The names that distributions give their kernels, as in `uname -r` and in packages.
//!
//! | name | version | release | flavour |
//! |---|---|---|---|
//! | `6.1.0-50-cloud-amd64` (Debian) | 6.1.0 | 50 | cloud |
//! | `6.12.107+deb13-amd64` (Debian) | 6.12.107 | deb13 | generic |
//! | `5.4.0-26-generic` (Ubuntu) | 5.4.0 | 26 | generic |
//! | `5.14.0-427.13.1.el9_4.x86_64+rt` (Red Hat) | 5.14.0 | 427.13.1.el9_4 | rt |
//! | `6.4.0-150600.21-default` (SUSE) | 6.4.0 | 150600.21 | default |
//! | `6.1.79-99.167.amzn2023.x86_64` (Amazon) | 6.1.79 | 99.167.amzn2023 | generic |
//! | `5.15.153.1-microsoft-standard-WSL2` | 5.15.153.1 | microsoft-standard | WSL2 |
//! | `6.8.1-arch1-1` (Arch Linux) | 6.8.1 | arch1-1 | generic |
//! | `6.9.0-rc3-00123-gabcdef` (upstream) | 6.9.0 | rc3-00123-gabcdef | generic |
//!
//! A distribution's own word for a flavour is kept (`default`); where it has none for its plain kernel, that is
//! `generic`. What nobody is known to write behind a version is the release as a whole.

use std::fmt;

use super::distribution::is_numbered;
use super::{Arch, Distribution, KernelId, PLAIN, Version, is_safe};

/// What a distribution's name for a kernel tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uname {
    /// The version it starts with. Debian's `6.1.0-50` does not tell the stable update.
    pub version: Version,
    /// See [`KernelId::release`].
    pub release: String,
    /// See [`KernelId::flavour`].
    pub flavour: String,
    /// The architecture that was given, else the one that the name tells: Ubuntu's and upstream's do not.
    pub arch: Option<Arch>,
    /// The distribution that was given, else the one that the name tells.
    pub distribution: Option<Distribution>,
}

/// Why a name tells nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unclear {
    /// It does not start with a version.
    Version,
    /// It cannot be part of a file's name.
    Characters,
}

impl fmt::Display for Unclear {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Version => "it starts with no version",
            Self::Characters => "only letters, digits and -._+~ may occur",
        })
    }
}

/// Flavours that exist on one architecture alone and do not name it.
const MACHINES: [(&str, Arch); 9] = [
    ("5kc_malta", Arch::Mips64el),
    ("kirkwood", Arch::Armhf),
    ("loongson_3", Arch::Mips64el),
    ("marvell", Arch::Armhf),
    ("octeon", Arch::Mips64el),
    ("rpi", Arch::Armhf),
    ("rpi_2712", Arch::Arm64),
    ("rpi_v7", Arch::Armhf),
    ("rpi_v8", Arch::Arm64),
];

impl Uname {
    /// Reads a name. What is known of the kernel otherwise, from its image or its banner, is believed over it.
    ///
    /// # Errors
    /// When it starts with no version, or holds characters that file names should not.
    pub fn parse(
        text: &str,
        distribution: Option<Distribution>,
        arch: Option<Arch>,
    ) -> Result<Self, Unclear> {
        let (version, suffix) = Version::split(text).ok_or(Unclear::Version)?;
        if !is_safe(suffix) {
            return Err(Unclear::Characters);
        }
        let distribution = distribution.or_else(|| Distribution::of_suffix(suffix));
        let arch = arch.or_else(|| arch_in(suffix));
        // `6.12.107+deb13`: what a plus sign adds is a release, whatever it looks like. A lone one is kept: it marks
        // a tree that was changed after the tag.
        let added = suffix.len() > 1 && suffix.starts_with('+');
        let suffix = if added { &suffix[1..] } else { suffix.trim_start_matches(['-', '.', '~']) };
        let (release, flavour) = match distribution {
            Some(Distribution::Fedora | Distribution::Rhel | Distribution::Centos)
            | Some(Distribution::Amazon | Distribution::Oracle) => rpm(suffix, arch),
            _ => {
                let parts: Vec<&str> = suffix.split('-').filter(|part| !part.is_empty()).collect();
                match distribution {
                    Some(Distribution::Debian) => debian(&parts, usize::from(added), arch),
                    Some(Distribution::Ubuntu) => ubuntu(&parts, arch),
                    Some(Distribution::Suse) => last_is_flavour(&parts, arch),
                    Some(Distribution::Wsl) => last_is_flavour(&parts, arch),
                    _ => other(&parts, arch),
                }
            }
        };
        let arch = arch.or_else(|| MACHINES.iter().find(|(it, _)| *it == flavour).map(|(_, arch)| *arch));
        let flavour = if flavour.is_empty() { PLAIN.to_owned() } else { flavour };
        Ok(Self { version, release, flavour, arch, distribution })
    }

    /// The dataset's key for it; `None` when the architecture is not known.
    #[must_use]
    pub fn kernel(self) -> Option<KernelId> {
        let Self { version, release, flavour, arch, .. } = self;
        Some(KernelId { version, release, flavour, arch: arch? })
    }
}

/// The architecture that is a word of a name; of several the last.
fn arch_in(suffix: &str) -> Option<Arch> {
    suffix.rsplit(['-', '.', '+']).find_map(Arch::of)
}

fn is_word_of(arch: Option<Arch>, part: &str) -> bool {
    arch.is_some_and(|arch| arch.words().contains(&part))
}

fn is_number(part: &str) -> bool {
    part.bytes().all(|byte| byte.is_ascii_digit())
}

/// Debian: the ABI number or `deb13`, then the flavour, which for plain kernels is the architecture
/// (`amd64`, `686-pae`, `armmp`) and for others has it in it (`cloud-amd64`, `rt-686-pae`, `arm64-16k`).
/// At least `first` parts are the release.
fn debian(parts: &[&str], first: usize, arch: Option<Arch>) -> (String, String) {
    let is_release = |part: &&&str| {
        let part = **part;
        let number = is_number(part) && !is_word_of(arch, part);
        number || part.contains('.') || part.starts_with("rc") || part.starts_with("deb")
    };
    let release = parts.iter().take_while(is_release).count().max(first).min(parts.len());
    (parts[..release].join("-"), flavour_of(&parts[release..], arch))
}

/// Ubuntu: the ABI number, then the flavour. The architecture stands behind it in other people's lists.
fn ubuntu(parts: &[&str], arch: Option<Arch>) -> (String, String) {
    match parts {
        [abi, flavour @ ..] if abi.starts_with(|first: char| first.is_ascii_digit()) => {
            ((*abi).to_owned(), flavour_of(flavour, arch))
        }
        _ => (String::new(), flavour_of(parts, arch)),
    }
}

/// Fedora and its relatives: the release of the package, a dot, the architecture, and for all but the plain flavour a
/// plus sign and the flavour. Before Red Hat's 9 the real-time kernel said so in its release (`553.rt7.342.el8_10`).
fn rpm(suffix: &str, arch: Option<Arch>) -> (String, String) {
    let words = arch.map_or(&[][..], Arch::words);
    let (release, flavour) = match suffix.split_once('+') {
        Some((release, flavour)) => (release, flavour),
        // Red Hat's 7: `1160.el7.x86_64.debug`.
        None => {
            let split = words.iter().find_map(|word| suffix.split_once(&format!(".{word}.")));
            split.unwrap_or((suffix, ""))
        }
    };
    let release = words.iter().find_map(|word| release.strip_suffix(word)).unwrap_or(release);
    let release = release.trim_end_matches(['.', '-']);
    let flavour = flavour_of(&flavour.split(['-', '+']).collect::<Vec<_>>(), arch);
    let own = if release.ends_with("uek") {
        "uek"
    } else if release.split('.').any(|part| is_numbered(part, "rt")) {
        "rt"
    } else {
        ""
    };
    let flavour = [own, &flavour].iter().copied().filter(|part| !part.is_empty()).collect::<Vec<_>>();
    (release.to_owned(), join_flavour(&flavour))
}

/// SUSE and WSL: the flavour is the last part.
fn last_is_flavour(parts: &[&str], arch: Option<Arch>) -> (String, String) {
    let parts: Vec<&str> = parts.iter().copied().filter(|part| !is_word_of(arch, part)).collect();
    let Some((flavour, release)) = parts.split_last() else { return (String::new(), String::new()) };
    (release.join("-"), (*flavour).to_owned())
}

/// Everybody else: all is release, but the architecture at the end is left out, and so are the few words that many
/// use alike for a flavour: `-lts`, `-zen`, `-hardened`, and upstream's real-time patch, `-rt27`.
fn other(parts: &[&str], arch: Option<Arch>) -> (String, String) {
    let mut release = parts.join("-");
    for word in arch.map_or(&[][..], Arch::words) {
        if let Some(rest) =
            release.strip_suffix(word).filter(|rest| rest.is_empty() || rest.ends_with(['-', '.']))
        {
            release.truncate(rest.trim_end_matches(['.', '-']).len());
            break;
        }
    }
    if let Some((rest, flavour)) =
        release.rsplit_once('-').filter(|(_, it)| ["lts", "zen", "hardened"].contains(it))
    {
        return (rest.to_owned(), flavour.to_owned());
    }
    let flavour = if release.split('-').any(|part| is_numbered(part, "rt")) { "rt" } else { "" };
    (release, flavour.to_owned())
}

/// The parts without words for the architecture.
fn flavour_of(parts: &[&str], arch: Option<Arch>) -> String {
    let parts: Vec<&str> = parts.iter().copied().filter(|part| !is_word_of(arch, part)).collect();
    join_flavour(&parts)
}

/// A flavour is one word of a kernel's name, so its own hyphens become underscores: `lowlatency_64k`.
fn join_flavour(parts: &[&str]) -> String {
    parts.join("_")
}
