//! Architectures, and the words for them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// Instruction set of an image, by Debian's word for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "the names are Debian's architecture names")]
pub enum Arch {
    Amd64,
    Arm64,
    /// Every 32-bit ARM: kernels of Debian's armel and armhf do not differ in more than the processors they support.
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

    /// The word in names of kernels, and of their files.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.words()[0]
    }

    /// All words for it: the name, then those of `uname -m`, of other distributions and of flavours that are
    /// named after the architecture.
    #[must_use]
    pub fn words(self) -> &'static [&'static str] {
        match self {
            Self::Amd64 => &["amd64", "x86_64", "x86-64", "x64"],
            Self::Arm64 => &["arm64", "aarch64"],
            Self::Armhf => &["armhf", "armmp", "armv7l", "armv7hl", "armv6l", "armel", "arm"],
            Self::I386 => &["i386", "686", "i686", "i586", "x86"],
            Self::Ppc64el => &["ppc64el", "ppc64le", "powerpc64le"],
            Self::Riscv64 => &["riscv64"],
            Self::S390x => &["s390x"],
            Self::Mips64el => &["mips64el", "mips64r2el"],
            Self::Loong64 => &["loong64", "loongarch64"],
        }
    }

    /// The architecture that a word is for, whatever its case.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|arch| arch.words().iter().any(|it| it.eq_ignore_ascii_case(word)))
    }
}

impl fmt::Display for Arch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Arch {
    type Err = Error;

    /// Takes the name alone, so that what prints alike is written alike; [`Arch::of`] takes every word.
    fn from_str(text: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|arch| arch.name() == text).ok_or_else(|| Error::Usage {
            what: format!("unknown architecture `{text}`"),
            help: Some(format!("known are {}", Self::ALL.map(Self::name).join(", "))),
        })
    }
}
