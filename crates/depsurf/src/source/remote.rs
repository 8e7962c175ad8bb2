//! Opens packages that are still being fetched.

use super::deb::Deb;
use super::input::Input;
use super::{Config, Kernel, Ranges, ar, config_of, from_deb, rpm};
use crate::error::Result;
use crate::progress::Progress;

/// Whether a file that begins like this is a package that can be read while it arrives: one of Debian's kind or of RPM's.
/// The first 8 bytes tell.
#[must_use]
pub fn can_arrive(first: &[u8]) -> bool {
    first.starts_with(ar::MAGIC) || first.starts_with(rpm::MAGIC)
}

/// As [`super::open_bytes`], for a package of Debian's or of RPM's kind of which not all may be there: parts are waited for when
/// they are needed, and nothing else is. `bytes` has the size of the whole package.
///
/// # Errors
/// As [`super::open`], and when a part cannot be had.
pub fn fetched(name: &str, bytes: &[u8], ranges: &dyn Ranges, progress: &dyn Progress) -> Result<Kernel> {
    let input = Input::fetched(bytes, ranges);
    let open = || match input.starts_with(rpm::MAGIC)? {
        true => rpm::open(name, input, progress),
        false => from_deb(name, Deb::parse(input)?, progress),
    };
    open().map_err(|error| error.at(name))
}

/// As [`super::read_config_bytes`], for a package of which not all may be there.
///
/// # Errors
/// As [`super::read_config`], and when a part cannot be had.
pub fn fetched_config(name: &str, bytes: &[u8], ranges: &dyn Ranges) -> Result<Config> {
    let input = Input::fetched(bytes, ranges);
    let read = || match input.starts_with(rpm::MAGIC)? {
        true => rpm::config(name, input),
        false => config_of(name, Deb::parse(input)?),
    };
    read().map_err(|error| error.at(name))
}
