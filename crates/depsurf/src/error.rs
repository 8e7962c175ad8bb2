//! Why work stopped. Everything that does *not* stop the work is a [`crate::note::Note`].

use std::io;
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
        source: io::Error,
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
    /// The image is a kernel without what its surface is read from.
    #[error("no debug information: {missing}")]
    NoDebugInfo {
        /// What the image does not have.
        missing: &'static str,
        /// The package that has it, where it can be named.
        suggestion: Option<String>,
    },
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
    #[error("{what} of schema {found}, this program reads schema {expected}")]
    Schema {
        /// What was written: a surface file, or its packed form.
        what: &'static str,
        /// Schema number in the file.
        found: u32,
        /// Schema number of this program.
        expected: u32,
    },
    /// A file of a dataset cannot be used.
    #[error("{path}: {source}")]
    Surface {
        /// The file.
        path: String,
        /// What is wrong with it.
        source: Box<Error>,
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
    /// Bytes from elsewhere could not be had.
    #[error("{what}")]
    Fetch {
        /// What of where, and why not.
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

/// What can be read, and what distributions call it.
const WANTED: &str = "a vmlinux with debug information, or the package that has it \
    (Debian: linux-image-*-dbg, Ubuntu: linux-image-*-dbgsym)";

/// What is being done when something is written.
const WRITING: [&str; 5] = [
    "cannot write",
    "cannot create",
    "cannot make the dataset",
    "cannot make the directory",
    "cannot remove",
];

/// What to do about a place that cannot be written.
fn writing_help(action: &str, error: &io::Error) -> Option<String> {
    let help = match error.kind() {
        _ if !WRITING.contains(&action) => return None,
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "make room there, or name a directory on another file system"
        }
        io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => {
            "name a directory that can be written"
        }
        _ => return None,
    };
    Some(help.into())
}

impl Error {
    /// Says that a file of a dataset is what cannot be used, so that the help is about datasets.
    #[must_use]
    pub(crate) fn of_surface(self, path: impl Into<String>) -> Self {
        Self::Surface { path: path.into(), source: Box::new(self) }
    }

    /// Wraps an I/O error with what was being done to which path.
    pub fn io(action: &'static str, path: impl Into<PathBuf>, source: io::Error) -> Self {
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
            Self::Usage { help, .. } | Self::Fetch { help, .. } => help.clone(),
            Self::NoVmlinux { suggestion: Some(package) } => {
                Some(format!("the debug package `{package}` has it"))
            }
            Self::NoVmlinux { suggestion: None } | Self::NotKernel { .. } => Some(format!("give {WANTED}")),
            Self::NoDebugInfo { suggestion, .. } => {
                let package = match suggestion {
                    Some(package) => format!("the debug package `{package}` has it"),
                    None => format!("give {WANTED}"),
                };
                Some(format!(
                    "{package}; a kernel of your own needs CONFIG_DEBUG_INFO or CONFIG_DEBUG_INFO_BTF"
                ))
            }
            Self::Surface { source, .. } => match &**source {
                Self::Truncated { .. } | Self::Malformed { .. } | Self::Checksum { .. } => {
                    Some("the file is damaged: `depsurf add FILE` of its kernel replaces it".into())
                }
                source => source.help(),
            },
            Self::Io { action, source, .. } => writing_help(action, source),
            Self::Schema { found, expected, .. } if found > expected => {
                Some("update depsurf, or add the kernel again with this version".into())
            }
            Self::Schema { .. } => Some("add the kernel again with this version".into()),
            Self::Checksum { .. } => Some("the file is damaged: fetch or build it again".into()),
            Self::Truncated { .. } => Some("the file is incomplete: fetch it again".into()),
            Self::UnknownFormat { .. } => Some(format!("give {WANTED}")),
            Self::Strict { .. } => Some("run without --strict to go on with what could be read".into()),
            _ => None,
        }
    }
}
