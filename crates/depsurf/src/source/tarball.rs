//! A tar archive with a kernel in it, under whatever compression: what `make tar-pkg` leaves, a layer of a
//! container image, BTFHub's archives.

use super::archive::Archive;
use super::tar::{self, Tar};
use super::{Kernel, Origin, find, members};
use crate::error::{Error, Result};
use crate::progress::Progress;

/// Opens the kernel in a tar archive; `None` when the bytes are none.
///
/// # Errors
/// When the archive is cut or damaged, or has no kernel.
pub fn open(file: &str, bytes: &[u8], progress: &dyn Progress) -> Result<Option<Kernel>> {
    let mut archive = Archive::new(bytes)?;
    if !tar::begins(&mut archive)? {
        return Ok(None);
    }
    progress.step("find vmlinux", None);
    let mut files = Tar::new(archive);
    let found = members::find_vmlinux(&mut files, true)?;
    let origin = |member: String| Origin { file: file.into(), package: None, member: Some(member) };
    find::kernel(&mut files, found, &origin, progress)?.map(Some).ok_or(Error::NoVmlinux { suggestion: None })
}
