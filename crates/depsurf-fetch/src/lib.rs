//! Gets kernels from where distributions keep them: finds the packages of a kernel, fetches as much of them as
//! reading takes, and checks what it got.
//!
//! ```text
//! SPEC -> Place::find -> Kernel { image, config } -> Download -> bytes that arrive while they are read
//! ```
//!
//! Nothing here prints. Hosts are never guessed: the user, or the configuration of the system's own package manager,
//! says where packages are.

mod arrival;
mod checksum;
mod chunks;
mod deb;
mod debuginfod;
mod download;
mod error;
mod fedora;
mod http;
mod index;
mod keyring;
mod part;
mod place;
mod rpm;
mod signature;
mod spec;

pub use checksum::Sha256;
pub use deb::apt::{self, Mirror};
pub use deb::{Archive, Distribution};
pub use debuginfod::Debuginfod;
pub use download::{Amount, Download, Finished};
pub use error::{Error, Result};
pub use fedora::Fedora;
pub use http::{Client, Options};
pub use index::Cache;
pub use keyring::{Keyring, Trust};
pub use place::{Found, Kernel, Place, Remote, Signatures};
pub use rpm::Own;
pub use spec::{Spec, Wanted};
