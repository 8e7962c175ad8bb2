//! From what a walk over a package or an archive found to a kernel.

use super::members::{Files, Found, Other, Text};
use super::{
    Bytes, Config, Form, Kernel, Origin, boot, btf, carrier, compressed, decode, describe, elf, plain,
};
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
            inside(Bytes::owned(data), origin(path), progress).map_err(|e| e.at(place))?
        }
        Found::Nothing { not_elf: Some(path) } => {
            return Err(Error::malformed("package", format!("`{path}`"), "not an ELF file"));
        }
        Found::Nothing { not_elf: None } => return Ok(None),
    };
    kernel.config = config.or(kernel.config);
    Ok(Some(kernel))
}

/// How many carriers and compressions, one in the other, are taken off. In real files there are two.
const DEEPEST: usize = 4;
/// The largest kernel in a carrier; as large as what may be compressed.
const LARGEST_PART: usize = 1 << 30;

/// The kernel in a file: carriers and compressions are taken off, one by one.
///
/// # Errors
/// When one of them is cut, damaged, or has no kernel, or there are too many.
pub fn inside(bytes: Bytes, origin: Origin, progress: &dyn Progress) -> Result<Kernel> {
    layer(bytes, origin, DEEPEST, false, progress)
}

fn layer(
    bytes: Bytes,
    origin: Origin,
    left: usize,
    carried: bool,
    progress: &dyn Progress,
) -> Result<Kernel> {
    let deeper = |inside, carried| match left.checked_sub(1) {
        Some(left) => layer(inside, origin.clone(), left, carried, progress),
        None => Err(Error::Limit {
            what: "number of images and compressions, one in the other,".into(),
            limit: DEEPEST.to_string(),
        }),
    };
    if let Some(part) = carrier::kernel(&bytes)? {
        if part.bytes.len() > LARGEST_PART {
            return Err(Error::Limit {
                what: format!("{} of {} bytes", part.place, part.bytes.len()),
                limit: format!("{} MiB", LARGEST_PART >> 20),
            });
        }
        return deeper(Bytes::owned(part.bytes.to_vec()), true).map_err(|e| e.at(part.place));
    }
    if compressed::is_compressed(&bytes) {
        progress.step("decompress the kernel", None);
    }
    if let Some(inside) = compressed::open(&bytes, progress)? {
        drop(bytes);
        return deeper(inside, carried);
    }
    let bootable = boot::is_bootable(&bytes);
    if bytes.starts_with(elf::MAGIC) && !bootable {
        return Ok(plain(Form::Vmlinux, origin, bytes));
    }
    if btf::is_btf(&bytes) {
        return Ok(plain(Form::Btf, origin, bytes));
    }
    // A carrier says that it is a kernel: what no header tells may be found by search.
    if bootable || carried {
        progress.step("decompress the kernel", None);
        return boot::kernel(origin, bytes);
    }
    Err(Error::UnknownFormat { found: describe(&bytes).into() })
}
