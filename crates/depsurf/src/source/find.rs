//! From what a walk over a package or an archive found to a kernel.

use super::members::{Files, Found, Other, Text};
use super::{Bytes, Config, Form, Kernel, Origin, boot, btf, compressed, decode, elf};
use crate::error::{Error, Result};
use crate::progress::Progress;

/// Decodes what was found; `None` when nothing was. `origin` makes an origin of a member's path.
///
/// # Errors
/// When it is cut or damaged.
pub fn kernel<'a>(
    files: &mut impl Files<'a>,
    (found, config): (Found, Option<Text>),
    origin: &dyn Fn(String) -> Origin,
    progress: &dyn Progress,
) -> Result<Option<Kernel>> {
    let config = config.map(|config| Config { text: config.text, origin: origin(config.path) });
    let mut kernel = match found {
        Found::Vmlinux { member, head } => {
            let vmlinux = decode::vmlinux(files.archive(), member.size, &head, progress)
                .map_err(|e| e.at(format!("`{}`", member.path)))?;
            Kernel {
                vmlinux,
                form: Form::Vmlinux,
                config: None,
                origin: origin(member.path),
                config_packages: Vec::new(),
                place: None,
                modules: Vec::new(),
            }
        }
        Found::Other(Other { path, data }) => {
            let place = format!("`{path}`");
            progress.step("decompress the kernel", None);
            other(data, origin(path), progress).map_err(|e| e.at(place))?
        }
        Found::Nothing { not_elf: Some(path) } => {
            return Err(Error::malformed("package", format!("`{path}`"), "not an ELF file"));
        }
        Found::Nothing { not_elf: None } => return Ok(None),
    };
    kernel.config = config.or(kernel.config);
    Ok(Some(kernel))
}

/// A kernel of another form than a plain vmlinux.
fn other(data: Vec<u8>, origin: Origin, progress: &dyn Progress) -> Result<Kernel> {
    let bytes = Bytes::owned(data);
    let (form, vmlinux) = if btf::is_btf(&bytes) {
        (Form::Btf, bytes)
    } else if bytes.starts_with(elf::MAGIC) && !boot::is_bootable(&bytes) {
        (Form::Vmlinux, bytes)
    } else if compressed::holds_elf(&bytes)
        && let Some(inside) = compressed::open(&bytes, progress)?
    {
        (Form::Vmlinux, inside)
    } else {
        return boot::kernel(origin, bytes);
    };
    Ok(Kernel {
        vmlinux,
        form,
        config: None,
        origin,
        config_packages: Vec::new(),
        place: None,
        modules: Vec::new(),
    })
}
