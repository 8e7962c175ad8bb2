//! A kernel's types without the kernel: `/sys/kernel/btf/vmlinux`, or a file of BTFHub's archives, which are tar
//! archives with one `RELEASE.btf` in them.

use super::archive::Archive;
use super::tar::Tar;
use super::{Bytes, Form, Kernel, Origin};
use crate::error::Result;

/// The largest BTF that is read out of an archive; a kernel's has below 16 MiB.
const LARGEST: u64 = 256 << 20;

/// Whether bytes begin with the header of BTF in either byte order (`Documentation/bpf/btf.rst`, "BTF Header").
#[must_use]
pub fn is_btf(bytes: &[u8]) -> bool {
    matches!(bytes, [0x9f, 0xeb, 1, ..] | [0xeb, 0x9f, 1, ..])
}

/// The BTF in a tar archive under any compression; `None` when the bytes are no tar archive or have none.
///
/// # Errors
/// When the archive is cut or damaged, or the member is too large.
pub fn in_archive(file: &str, bytes: &[u8]) -> Result<Option<Kernel>> {
    let mut archive = Archive::new(bytes)?;
    if !super::tar::begins(&mut archive)? {
        return Ok(None);
    }
    let mut files = Tar::new(archive);
    while let Some(member) = files.next()? {
        if !member.regular || !member.path.ends_with(".btf") {
            continue;
        }
        let data = files.data(member.size, LARGEST, "BTF")?;
        if is_btf(&data) {
            let origin = Origin { file: file.into(), package: None, member: Some(member.path) };
            let vmlinux = Bytes::owned(data);
            return Ok(Some(Kernel {
                vmlinux,
                form: Form::Btf,
                config: None,
                origin,
                config_packages: Vec::new(),
            }));
        }
    }
    Ok(None)
}
