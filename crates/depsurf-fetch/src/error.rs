//! Why something could not be had.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

/// Shorthand for results of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A reason to stop, with what to do about it in [`Error::help`].
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The system refused a file.
    #[error("{action} `{}`: {source}", path.display())]
    Io {
        /// What was being done, as in "cannot write".
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: Arc<io::Error>,
    },
    /// The server was not reached, or the connection broke, as often as it was tried.
    #[error("cannot fetch `{url}`: {what}")]
    Connection {
        /// What was asked for.
        url: String,
        /// What happened.
        what: String,
    },
    /// The server answered that it will not.
    #[error("cannot fetch `{url}`: the server says {status}")]
    Status {
        /// What was asked for.
        url: String,
        /// Status code of HTTP.
        status: u16,
    },
    /// The server answered something that makes no sense.
    #[error("cannot fetch `{url}`: {what}")]
    Answer {
        /// What was asked for.
        url: String,
        /// What is wrong with it.
        what: String,
    },
    /// The file on the server became another one while it was fetched.
    #[error("`{url}` changed while it was fetched")]
    Changed {
        /// What was asked for.
        url: String,
    },
    /// What arrived is not what the index promises.
    #[error("`{what}` is not what the index says: {why}")]
    Differs {
        /// The file.
        what: String,
        /// In what it differs.
        why: String,
    },
    /// A signature is missing, or by a key that is not known.
    #[error("`{url}` cannot be trusted: {why}")]
    Signature {
        /// The index or the package.
        url: String,
        /// Why not.
        why: String,
    },
    /// Something is not what was signed.
    #[error("`{url}` cannot be trusted: {why}")]
    Forged {
        /// The index or the package.
        url: String,
        /// What shows it.
        why: String,
    },
    /// An index that cannot be read.
    #[error("malformed {format} `{url}`: {what}")]
    Malformed {
        /// The kind of index.
        format: &'static str,
        /// Where it is.
        url: String,
        /// What is wrong.
        what: String,
    },
    /// What the user asks for does not exist, or cannot be asked for this way.
    #[error("{what}")]
    Usage {
        /// What is wrong.
        what: String,
        /// What to do.
        help: Option<String>,
    },
}

impl Error {
    pub(crate) fn io(action: &'static str, path: impl Into<PathBuf>, source: io::Error) -> Self {
        Self::Io { action, path: path.into(), source: source.into() }
    }

    pub(crate) fn usage(what: impl Into<String>, help: impl Into<String>) -> Self {
        Self::Usage { what: what.into(), help: Some(help.into()) }
    }

    /// Whether the server has no such file, as opposed to everything that may go wrong.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Status { status: 404 | 410, .. })
    }

    /// Whether trying again may help.
    pub(crate) fn is_passing(&self) -> bool {
        match self {
            Self::Connection { .. } => true,
            Self::Status { status, .. } => matches!(status, 408 | 429 | 500..=599),
            _ => false,
        }
    }

    /// What the user can do about it, where that is known.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        let help = match self {
            Self::Usage { help, .. } => return help.clone(),
            Self::Connection { .. } => {
                "run it again: what has arrived is kept; proxies are taken from HTTPS_PROXY and the like"
            }
            Self::Status { status: 404 | 410, .. } => {
                "the mirror may be out of step with its index: try again later, or another one with --mirror"
            }
            Self::Differs { .. } => {
                "what was fetched is thrown away: run it again, or name another mirror with --mirror"
            }
            Self::Changed { .. } => "run it again",
            Self::Forged { .. } => {
                "it was changed on its way or on the mirror, and is thrown away: run it again, or name another mirror with --mirror"
            }
            Self::Signature { .. } => {
                "name the keyring that has its key with --keyring, or take it as it is with --unsigned"
            }
            _ => return None,
        };
        Some(help.into())
    }
}

impl From<Error> for depsurf::Error {
    fn from(error: Error) -> Self {
        Self::Fetch { what: error.to_string(), help: error.help() }
    }
}
