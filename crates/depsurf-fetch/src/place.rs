//! Where kernels can be had from.

use std::sync::Arc;

use crate::checksum::Sha256;
use crate::error::Result;
use crate::keyring::Keyring;
use crate::spec::Wanted;

/// A file on a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remote {
    /// Where it is.
    pub url: String,
    /// Name of the file, here and mostly there.
    pub file: String,
    /// Name of the package; build id where there is none.
    pub name: String,
    /// Version of the package.
    pub version: String,
    /// Size in bytes, from the index.
    pub size: u64,
    /// From the index; `None` where there is no index.
    pub sha256: Option<Sha256>,
    /// Whose signatures vouch for it.
    pub signatures: Signatures,
}

/// Whose signatures vouch for a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Signatures {
    /// Whether a signature of its index is good.
    pub index: bool,
    /// The keys that its own has to be by, where it is a file that may have one: an RPM package.
    pub keys: Option<Arc<Keyring>>,
}

/// A kernel that can be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kernel {
    /// What `uname -r` says on it: `6.1.0-50-cloud-amd64`.
    pub release: String,
    /// Architecture, in the distribution's word.
    pub arch: String,
    /// Where it was found: `bookworm-security`, `41`.
    pub suite: String,
    /// What has its vmlinux.
    pub image: Remote,
    /// What has its configuration; `None` where the image has, or nothing does.
    pub config: Option<Remote>,
    /// Further packages that may have modules, or halves of them.
    pub modules: Vec<Remote>,
}

/// What a [`Wanted`] stands for.
#[derive(Debug, Default)]
pub struct Found {
    /// Kernels, each once: by suite, architecture and release.
    pub kernels: Vec<Kernel>,
    /// What the user should know about how they were found.
    pub warnings: Vec<String>,
}

/// Somewhere that kernels can be had from.
pub trait Place {
    /// The kernels that `wanted` stands for.
    ///
    /// # Errors
    /// When there are none, or an index cannot be had or trusted.
    fn find(&self, wanted: &Wanted) -> Result<Found>;
}
