//! Android's boot images, header versions 0 to 4 (`bootimg.h` of its tools): a header of one page, then the kernel.

use super::{Part, none, part, u32_le};
use crate::error::{Error, Result};

const MAGIC: &[u8] = b"ANDROID!";
/// What an image for the vendor's partition has: its ramdisks and device trees, no kernel.
const VENDOR: &[u8] = b"VNDRBOOT";
/// Size of the header's part that is read.
const HEADER: u64 = 44;
/// The newest version that is known.
const NEWEST: u32 = 4;
/// From this version on pages have one size.
const FIXED: u32 = 3;
/// That size.
const PAGE: u32 = 4096;
/// The page sizes that the tools know; the largest headers of these versions need the first.
const PAGES: std::ops::RangeInclusive<u32> = 2048..=131_072;

/// Whether a file is one, the vendor's included.
pub fn is_image(bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC) || bytes.starts_with(VENDOR)
}

/// The kernel of an image.
///
/// # Errors
/// When the image is cut, of an unknown version, or has no kernel.
pub fn kernel(bytes: &[u8]) -> Result<Part<'_>> {
    if bytes.starts_with(VENDOR) {
        return Err(none(
            "Android's `vendor_boot` image, which has no kernel",
            "give the `boot` image of the same build",
        ));
    }
    let header = part(bytes, 0, HEADER, "header of Android's boot image")?;
    let number = |at| u32_le(header, at).unwrap_or_default();
    let (size, page, version) = (number(8), number(36), number(40));
    let has_page = page.is_power_of_two() && PAGES.contains(&page);
    // Before there were versions, vendors had the size of the device trees in their place.
    let page = match version {
        FIXED..=NEWEST => PAGE,
        _ if has_page => page,
        0..FIXED => {
            return Err(Error::malformed(
                "Android boot image",
                "offset 0x24",
                format!("a page size of {page} bytes"),
            ));
        }
        _ => {
            return Err(Error::malformed(
                "Android boot image",
                "offset 0x28",
                format!("header version {version}, known are those up to {NEWEST}"),
            ));
        }
    };
    if size == 0 {
        return Err(none(
            "Android's boot image without a kernel, as `init_boot` and `recovery` images may be",
            "give the `boot` image of the same build",
        ));
    }
    let bytes = part(bytes, page.into(), size.into(), "kernel of Android's boot image")?;
    Ok(Part { bytes, place: "kernel of Android's boot image".into() })
}
