//! Carriers: what boot loaders take, with a kernel as one part of it. Out comes where that part is, and nothing else.
//!
//! | carrier | told by | the kernel is | room |
//! |---|---|---|---|
//! | unified kernel image | a PE file with a section `.linux` | that section | `uki` |
//! | Android's `boot` image, versions 0 to 4 | `ANDROID!` | behind the first page | `android` |
//! | U-Boot's `uImage` | its magic number | behind the header, or the first of several parts | `uimage` |
//! | U-Boot's FIT image (`.itb`) | a flattened device tree with `/images` | what the default configuration names | `fit` |
//! | a compressed or bootable kernel with device trees behind it | the last tree ends with the file | what is in front of them | `tree` |
//!
//! What the part is, a bootable image or a compressed one or another carrier, is told from its own first bytes.

use super::boot;
use super::codec::Codec;
use crate::error::{Error, Result};

mod android;
mod fit;
mod tree;
mod uimage;
mod uki;

/// The kernel in a carrier.
#[derive(Debug)]
pub struct Part<'a> {
    /// Its bytes.
    pub bytes: &'a [u8],
    /// What messages call its place.
    pub place: String,
}

/// The kernel in a carrier; `None` when the bytes are none.
///
/// # Errors
/// When the carrier is cut or damaged, or of a kind that has no kernel: that is an [`Error::Usage`].
pub fn kernel(bytes: &[u8]) -> Result<Option<Part<'_>>> {
    if let Some(part) = uki::kernel(bytes)? {
        return Ok(Some(part));
    }
    let bootable = boot::is_bootable(bytes);
    if bootable || Codec::of(bytes).is_some() {
        return Ok(tree::without(bytes));
    }
    if uki::is_program(bytes) {
        return Err(uki::no_kernel());
    }
    if android::is_image(bytes) {
        return android::kernel(bytes).map(Some);
    }
    if uimage::is_image(bytes) {
        return uimage::kernel(bytes).map(Some);
    }
    if tree::is_tree(bytes) {
        return fit::kernel(bytes).map(Some);
    }
    Ok(None)
}

/// Whether bytes, or the first of them, are a carrier, with a kernel or without.
#[must_use]
pub fn is_carrier(bytes: &[u8]) -> bool {
    !matches!(kernel(bytes), Ok(None))
}

/// Whether a file is a carrier that has a kernel, or would have one if it were not damaged.
#[must_use]
pub fn may_have_kernel(bytes: &[u8]) -> bool {
    !matches!(kernel(bytes), Ok(None) | Err(Error::Usage { .. }))
}

/// A carrier without kernel: what it is, and what to do.
fn none(what: impl Into<String>, help: &str) -> Error {
    Error::Usage { what: what.into(), help: Some(help.into()) }
}

/// The bytes of a part whose place and size foreign bytes tell.
fn part<'a>(bytes: &'a [u8], start: u64, size: u64, what: &str) -> Result<&'a [u8]> {
    let end = start.saturating_add(size);
    let range = usize::try_from(start).ok().zip(usize::try_from(end).ok());
    range.and_then(|(start, end)| bytes.get(start..end)).ok_or_else(|| Error::Truncated {
        what: what.into(),
        needed: end,
        available: bytes.len() as u64,
    })
}

/// Numbers of a header that is all there.
fn u32_le(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u32_be(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u16_le(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

#[cfg(test)]
mod tests;
