//! Who built a kernel, as far as its names tell.

use std::fmt;

/// A distribution, or a vendor who is one for the purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "their own names")]
pub enum Distribution {
    Debian,
    Ubuntu,
    Fedora,
    /// Red Hat Enterprise Linux, or one that is built from its sources and does not tell.
    Rhel,
    Centos,
    Suse,
    Amazon,
    Oracle,
    Archlinux,
    Android,
    /// The kernel of the Windows Subsystem for Linux.
    Wsl,
}

/// What the banner's `(user@host)` tells. Images of these distributions are built on hosts of their own; where
/// there is no such host, as in a rebuild, nothing is told.
const BUILDERS: [(&str, Distribution); 5] = [
    ("@archlinux", Distribution::Archlinux),
    ("geeko@buildhost", Distribution::Suse),
    (".centos.org", Distribution::Centos),
    (".fedoraproject.org", Distribution::Fedora),
    (".redhat.com", Distribution::Rhel),
];

/// Ubuntu's flavours, by their first word.
const UBUNTU: [&str; 22] = [
    "generic",
    "lowlatency",
    "realtime",
    "server",
    "virtual",
    "aws",
    "azure",
    "bluefield",
    "gcp",
    "gke",
    "gkeop",
    "ibm",
    "intel",
    "iot",
    "kvm",
    "nvidia",
    "oem",
    "oracle",
    "raspi",
    "raspi2",
    "snapdragon",
    "xilinx",
];

/// Debian's plain flavours, which are named after the architecture, by their first word.
const DEBIAN_PLAIN: [&str; 10] = [
    "686",
    "amd64",
    "arm64",
    "armmp",
    "loong64",
    "mips64el",
    "mips64r2el",
    "powerpc64le",
    "riscv64",
    "s390x",
];

/// Words that Debian puts before these.
const DEBIAN_BEFORE: [&str; 2] = ["cloud", "rt"];

/// Debian's flavours for single machines, by their first word.
const DEBIAN_MACHINES: [&str; 7] = ["4kc", "5kc", "kirkwood", "loongson", "marvell", "octeon", "rpi"];

impl Distribution {
    /// Every distribution.
    pub const ALL: [Self; 11] = [
        Self::Debian,
        Self::Ubuntu,
        Self::Fedora,
        Self::Rhel,
        Self::Centos,
        Self::Suse,
        Self::Amazon,
        Self::Oracle,
        Self::Archlinux,
        Self::Android,
        Self::Wsl,
    ];

    /// The word in a surface's [`Meta`](crate::surface::Meta) and on a command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Debian => "debian",
            Self::Ubuntu => "ubuntu",
            Self::Fedora => "fedora",
            Self::Rhel => "rhel",
            Self::Centos => "centos",
            Self::Suse => "suse",
            Self::Amazon => "amazon",
            Self::Oracle => "oracle",
            Self::Archlinux => "archlinux",
            Self::Android => "android",
            Self::Wsl => "wsl",
        }
    }

    /// The distribution of a word, whatever its case.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.name().eq_ignore_ascii_case(word))
    }

    /// Tells the distribution from the `user@host` of a banner.
    #[must_use]
    pub fn of_builder(builder: &str) -> Option<Self> {
        BUILDERS.iter().find(|(mark, _)| builder.contains(mark)).map(|(_, it)| *it)
    }

    /// Tells the distribution from what follows the version in `uname -r`; `None` for upstream's own and for what
    /// could be anybody's.
    pub(super) fn of_suffix(suffix: &str) -> Option<Self> {
        let words = || suffix.split(['.', '-', '+']);
        let has = |mark: &str| words().any(|word| is_numbered(word, mark));
        if has("el") && suffix.contains("uek") {
            return Some(Self::Oracle);
        }
        let marks = [
            ("fc", Self::Fedora),
            ("el", Self::Rhel),
            ("amzn", Self::Amazon),
            ("android", Self::Android),
            ("arch", Self::Archlinux),
            ("deb", Self::Debian),
        ];
        if let Some((_, found)) = marks.into_iter().find(|(mark, _)| has(mark)) {
            return Some(found);
        }
        // Backports, and the derivative for the Raspberry Pi.
        if words().any(|word| word == "bpo" || word == "rpt") {
            return Some(Self::Debian);
        }
        let words: Vec<&str> = suffix.split(['-', '+']).filter(|word| !word.is_empty()).collect();
        if words.contains(&"microsoft") {
            Some(Self::Wsl)
        } else if is_suse(&words) {
            Some(Self::Suse)
        } else if is_debian(&words) {
            Some(Self::Debian)
        } else if matches!(words[..], [abi, flavour, ..] if starts_with_digit(abi) && UBUNTU.contains(&flavour))
        {
            Some(Self::Ubuntu)
        } else {
            None
        }
    }
}

/// `150600.21` is SUSE's count for 15 SP6; Tumbleweed's plain flavour is the only one called `default`.
fn is_suse(words: &[&str]) -> bool {
    let (service_pack, flavour) = (words.first().copied().unwrap_or_default(), words.last());
    let counted = service_pack.split_once('.').is_some_and(|(number, _)| number.len() == 6);
    (counted && service_pack.starts_with("150")) || flavour == Some(&"default")
}

/// An ABI number, a release candidate or nothing, and then one of Debian's flavours.
fn is_debian(words: &[&str]) -> bool {
    let is_release = |word: &&&str| {
        let is_number = word.bytes().all(|byte| byte.is_ascii_digit());
        (is_number || is_numbered(word, "rc")) && !DEBIAN_PLAIN.contains(word)
    };
    let release = words.iter().take_while(is_release).count();
    match words[release..] {
        [plain, ..] if DEBIAN_PLAIN.contains(&plain) => true,
        [before, plain, ..] if DEBIAN_BEFORE.contains(&before) => DEBIAN_PLAIN.contains(&plain),
        [machine, ..] => release > 0 && DEBIAN_MACHINES.contains(&machine),
        [] => false,
    }
}

/// Whether a word is the mark and then a number: `el9_4`.
pub(super) fn is_numbered(word: &str, mark: &str) -> bool {
    word.strip_prefix(mark).is_some_and(starts_with_digit)
}

fn starts_with_digit(word: &str) -> bool {
    word.starts_with(|first: char| first.is_ascii_digit())
}

impl fmt::Display for Distribution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
