//! Unified kernel images: an EFI program with the kernel, its command line and its initrd as sections.
//!
//! "Unified Kernel Image (UKI)" of the UAPI group's specifications; the headers are those of Microsoft's "PE Format".

use super::{Part, none, part, u16_le, u32_le};
use crate::error::{Error, Result};

/// Where the DOS header tells the place of the PE header.
const PE_OFFSET: usize = 0x3c;
/// Size of the signature and the COFF header behind it.
const COFF: u64 = 24;
/// Size of a section header.
const HEADER: u64 = 40;
/// The name of the section, padded as section headers have it.
const LINUX: &[u8] = b".linux\0\0";

/// Whether a file is an EFI program, or any other PE file.
pub fn is_program(bytes: &[u8]) -> bool {
    header(bytes).is_some()
}

/// Where the PE header is.
fn header(bytes: &[u8]) -> Option<u64> {
    let at = u32_le(bytes, PE_OFFSET).filter(|_| bytes.starts_with(b"MZ"))?;
    bytes.get(at as usize..)?.starts_with(b"PE\0\0").then_some(at.into())
}

/// The section `.linux`; the first of them, where profiles bring their own. `None` where there is none.
///
/// # Errors
/// When the section reaches beyond the end of the file. So do headers that are cut: they may have told of one.
pub fn kernel(bytes: &[u8]) -> Result<Option<Part<'_>>> {
    let Some(at) = header(bytes) else { return Ok(None) };
    let coff = part(bytes, at, COFF, "PE header")?;
    let count = u64::from(u16_le(coff, 6).unwrap_or_default());
    let optional = u64::from(u16_le(coff, 20).unwrap_or_default());
    let table = at + COFF + optional;
    for index in 0..count {
        let section = part(bytes, table + index * HEADER, HEADER, "section headers")?;
        if !section.starts_with(LINUX) {
            continue;
        }
        let number = |at| u64::from(u32_le(section, at).unwrap_or_default());
        let (virtual_size, size, offset) = (number(8), number(16), number(20));
        // In the file a section is padded to the alignment of the file.
        let size = if virtual_size == 0 { size } else { size.min(virtual_size) };
        let bytes = part(bytes, offset, size, "section `.linux`")?;
        return Ok(Some(Part { bytes, place: "section `.linux`".into() }));
    }
    Ok(None)
}

/// What to say of an EFI program that is no bootable image and has no kernel.
pub fn no_kernel() -> Error {
    none(
        "an EFI program without a section `.linux`: a boot loader, a stub or an addon, and not a kernel",
        "give the unified kernel image, which has the kernel: `/EFI/Linux/*.efi`, or a `vmlinuz`",
    )
}
