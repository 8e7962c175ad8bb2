//! Opens Debian packages that are still being fetched.

use super::deb::Deb;
use super::input::Input;
use super::{Config, Kernel, Ranges, config_of, from_deb};
use crate::error::Result;
use crate::progress::Progress;

/// As [`super::open_bytes`], for a Debian or Ubuntu package of which not all may be there: parts are waited for when
/// they are needed, and nothing else is. `bytes` has the size of the whole package.
///
/// # Errors
/// As [`super::open`], and when a part cannot be had.
pub fn fetched(name: &str, bytes: &[u8], ranges: &dyn Ranges, progress: &dyn Progress) -> Result<Kernel> {
    let open = || from_deb(name, Deb::parse(Input::fetched(bytes, ranges))?, progress);
    open().map_err(|error| error.at(name))
}

/// As [`super::read_config_bytes`], for a package of which not all may be there.
///
/// # Errors
/// As [`super::read_config`], and when a part cannot be had.
pub fn fetched_config(name: &str, bytes: &[u8], ranges: &dyn Ranges) -> Result<Config> {
    let read = || config_of(name, Deb::parse(Input::fetched(bytes, ranges))?);
    read().map_err(|error| error.at(name))
}
