//! U-Boot's legacy images (`include/image.h` of U-Boot): a header of 64 bytes, big-endian, then the data.

use super::{Part, none, part, u32_be};
use crate::error::{Error, Result};

const MAGIC: &[u8] = &[0x27, 0x05, 0x19, 0x56];
/// Size of the header.
const HEADER: u64 = 64;
/// Where the header has its own checksum, which counts as zero in it.
const SUM: std::ops::Range<usize> = 4..8;

/// Types of images: those with a kernel, and names of others.
const KERNEL: u8 = 2;
const MULTI: u8 = 4;
const KERNEL_NOLOAD: u8 = 14;
const OTHERS: [(u8, &str); 6] = [
    (1, "a standalone program"),
    (3, "a ramdisk"),
    (5, "firmware"),
    (6, "a script"),
    (7, "a file system"),
    (8, "a device tree"),
];

/// Whether a file is one.
pub fn is_image(bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC)
}

/// The kernel of an image. Both checksums are compared.
///
/// # Errors
/// When the image is cut or damaged, or has something else.
pub fn kernel(bytes: &[u8]) -> Result<Part<'_>> {
    let header = part(bytes, 0, HEADER, "header of the uImage")?;
    let number = |at| u32_be(header, at).unwrap_or_default();
    let (size, kind) = (number(12), header[30]);
    let mut unsummed = header.to_vec();
    unsummed[SUM].fill(0);
    if crc32(&unsummed) != number(SUM.start) {
        return Err(Error::Checksum { what: "the header of the uImage".into() });
    }
    if ![KERNEL, MULTI, KERNEL_NOLOAD].contains(&kind) {
        let name = OTHERS.iter().find(|(number, _)| *number == kind).map(|(_, name)| *name);
        let name = name.map_or_else(|| format!("an image of type {kind}"), str::to_owned);
        return Err(none(format!("a uImage of {name}, not of a kernel"), "give the uImage of the kernel"));
    }
    let data = part(bytes, HEADER, size.into(), "data of the uImage")?;
    if crc32(data) != number(24) {
        return Err(Error::Checksum { what: "the data of the uImage".into() });
    }
    if kind != MULTI {
        return Ok(Part { bytes: data, place: "data of the uImage".into() });
    }
    // Sizes up to a zero, then the parts, of which the first is the kernel.
    let end = data
        .chunks_exact(4)
        .position(|size| size == [0; 4])
        .ok_or_else(|| Error::malformed("uImage", "offset 0x40", "a list of sizes that does not end"))?;
    let first = u32_be(data, 0).unwrap_or_default();
    if first == 0 {
        return Err(none("a uImage without parts", "give the uImage of the kernel"));
    }
    let bytes = part(data, (end as u64 + 1) * 4, first.into(), "first part of the uImage")?;
    Ok(Part { bytes, place: "first part of the uImage".into() })
}

fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    crc.sum()
}
