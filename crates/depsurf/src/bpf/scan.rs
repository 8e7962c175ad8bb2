//! eBPF objects inside other files: programs and libraries that carry them as data, archives, layers of containers.

use std::ops::Range;

use super::elf;
use memchr::memmem;

const MAGIC: &[u8] = b"\x7fELF";

/// The ranges of all eBPF objects in `bytes`, each from its header to its last section or section header, in order.
///
/// A header must be that of a relocatable 64-bit file for machine 247 with section headers inside `bytes`. What is
/// compressed is not looked into ([`compressed`] says where that is). An object inside an object is found as well. Ends early in a file whose headers
/// claim more sections than it has bytes.
pub fn scan(bytes: &[u8]) -> impl Iterator<Item = Range<usize>> {
    // Many headers may claim the same section headers.
    let mut left = bytes.len();
    memmem::find_iter(bytes, MAGIC)
        .map_while(move |start| {
            let object = &bytes[start..];
            let Ok((endian, header, sections)) = elf::headers(object) else { return Some(None) };
            left = left.checked_sub(sections.len())?;
            let end = elf::extent(endian, header, sections).filter(|&end| end <= object.len());
            Some(end.map(|end| start..start + end))
        })
        .flatten()
}

/// Size of a tar header, and what sizes are rounded up to.
const BLOCK: usize = 512;

/// Where the compressed members of a tar archive start, which [`scan`] cannot look into: layers of a container image
/// in an OCI layout. Nothing for files that are no tar archive.
pub fn compressed(bytes: &[u8]) -> impl Iterator<Item = usize> {
    let mut rest = 0;
    let members = std::iter::from_fn(move || {
        let header = bytes.get(rest..rest + BLOCK)?;
        if &header[257..262] != b"ustar" {
            return None;
        }
        // Twelve octal digits, ended by a space or NUL.
        let digits = std::str::from_utf8(&header[124..136]).ok()?.trim_matches([' ', '\0']);
        let size = usize::from_str_radix(digits, 8).ok()?;
        let start = rest + BLOCK;
        rest = start.checked_add(size.checked_next_multiple_of(BLOCK)?)?;
        Some(start)
    });
    members.filter(|&start| {
        let contents = bytes.get(start..).unwrap_or_default();
        contents.starts_with(b"\x1f\x8b\x08") || contents.starts_with(b"\x28\xb5\x2f\xfd")
    })
}
