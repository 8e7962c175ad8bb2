//! Why work stopped. Everything that does *not* stop the work is a [`crate::note::Note`].

use std::path::PathBuf;

/// Shorthand for results of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A reason to stop: says what happened; [`Error::at`] adds where, [`Error::help`] what to do.
///
/// Messages are lower case, without a full stop, with names in backticks.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused to read or write `path`.
    #[error("{action} `{path}`: {source}")]
    Io {
        /// What was being done, as in "cannot read".
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The bytes are not in a format that is read here.
    #[error("not a kernel image or package: {found}")]
    UnknownFormat {
        /// What the first bytes look like.
        found: String,
    },
    /// Fewer bytes than the format promises.
    #[error("truncated: {what} needs bytes up to {needed:#x}, the file ends at {available:#x}")]
    Truncated {
        /// The part that is cut.
        what: String,
        /// First offset behind the part.
        needed: u64,
        /// Size of what is there.
        available: u64,
    },
    /// Bytes that contradict their own format.
    #[error("malformed {format} at {at}: {what}")]
    Malformed {
        /// The format, as in "ELF" or "BTF".
        format: &'static str,
        /// Section, offset, DIE, type id: as exact as is known.
        at: String,
        /// What is wrong.
        what: String,
    },
    /// A package holds no kernel image with debug information.
    #[error("no vmlinux in the package")]
    NoVmlinux {
        /// The debug package that should be used in its place, where it can be named.
        suggestion: Option<String>,
    },
    /// The image has neither DWARF nor BTF.
    #[error("no debug information: the image has neither `.debug_info` nor `.BTF`")]
    NoDebugInfo,
    /// An ELF file that is no Linux kernel of a known machine.
    #[error("unsupported machine: {what}")]
    UnsupportedMachine {
        /// The ELF machine, or what the file is instead.
        what: String,
    },
    /// The file is an ELF file but not a kernel.
    #[error("not a Linux kernel: {why}")]
    NotKernel {
        /// What is missing.
        why: String,
    },
    /// A surface file written by another version of the format.
    #[error("surface file of schema {found}, this program reads schema {expected}")]
    Schema {
        /// Schema number in the file.
        found: u32,
        /// Schema number of this program.
        expected: u32,
    },
    /// A checksum did not match.
    #[error("checksum mismatch in {what}")]
    Checksum {
        /// The damaged part.
        what: String,
    },
    /// A size or a depth beyond a stated limit.
    #[error("{what} exceeds the limit of {limit}")]
    Limit {
        /// What was too large, with its size.
        what: String,
        /// The limit, with its unit.
        limit: String,
    },
    /// A value given by the user cannot be used.
    #[error("{what}")]
    Usage {
        /// What is wrong with it.
        what: String,
        /// What to do.
        help: Option<String>,
    },
    /// `--strict`: something was skipped that a lenient run would only note.
    #[error("{count} note(s) in strict mode, first: {first}")]
    Strict {
        /// How many notes there are.
        count: usize,
        /// The first of them.
        first: String,
    },
    /// An error inside something larger; reads from the outside in.
    #[error("{place}: {source}")]
    In {
        /// File, package member, section.
        place: String,
        /// What happened there.
        source: Box<Error>,
    },
}

impl Error {
    /// Wraps an I/O error with what was being done to which path.
    pub fn io(action: &'static str, path: impl Into<PathBuf>, source: std::io::Error) -> Self {
        Self::Io { action, path: path.into(), source }
    }

    /// Shorthand for [`Error::Malformed`].
    pub fn malformed(format: &'static str, at: impl Into<String>, what: impl Into<String>) -> Self {
        Self::Malformed { format, at: at.into(), what: what.into() }
    }

    /// Names the place in which the error happened; the outermost place is added last.
    #[must_use]
    pub fn at(self, place: impl Into<String>) -> Self {
        Self::In { place: place.into(), source: Box::new(self) }
    }

    /// What the user can do about it, where that is known.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        match self {
            Self::In { source, .. } => source.help(),
            Self::Usage { help, .. } => help.clone(),
            Self::NoVmlinux { suggestion: Some(package) } => {
                Some(format!("the debug package `{package}` has it"))
            }
            Self::NoVmlinux { suggestion: None } => {
                Some("give the package with debug symbols (Debian: linux-image-*-dbg, Ubuntu: linux-image-*-dbgsym)".into())
            }
            Self::NoDebugInfo => Some(
                "the stripped image is not enough: use the vmlinux of the debug package (Debian: linux-image-*-dbg, Ubuntu: linux-image-*-dbgsym)".into(),
            ),
            Self::Schema { found, expected } if found > expected => {
                Some("update depsurf, or add the kernel again with this version".into())
            }
            Self::Schema { .. } => Some("add the kernel again with this version".into()),
            Self::Checksum { .. } => Some("the file is damaged: fetch or build it again".into()),
            Self::Truncated { .. } => Some("the file is incomplete: fetch it again".into()),
            Self::UnknownFormat { .. } => Some(
                "expected a vmlinux (ELF) or a Debian/Ubuntu debug package (.deb, .ddeb)".into(),
            ),
            Self::Strict { .. } => Some("run without --strict to go on with what could be read".into()),
            _ => None,
        }
    }
}
