//! A file that is compressed as a whole: `vmlinux.xz`, `Image.gz`, `5.4.0-1010-aws.btf.zst`.

use super::archive::Archive;
use super::codec::Codec;
use super::{Bytes, boot, btf, carrier, decode, elf};
use crate::error::{Error, Result};
use crate::progress::Progress;

/// The largest bootable image or BTF that is held in memory when decompressed.
const LARGEST: u64 = 1 << 30;
/// Enough to tell what is inside.
const HEAD: usize = 0x10010;

/// Whether bytes begin as a compressed file.
#[must_use]
pub fn is_compressed(bytes: &[u8]) -> bool {
    Codec::of(bytes).is_some()
}

/// Whether bytes decompress to something that begins as a kernel does.
#[must_use]
pub fn holds_kernel(bytes: &[u8]) -> bool {
    let head = head(bytes);
    head.starts_with(elf::MAGIC)
        || btf::is_btf(&head)
        || boot::is_bootable(&head)
        || carrier::is_carrier(&head)
}

/// The first bytes of what is in a compressed file; none where it is not compressed.
fn head(bytes: &[u8]) -> Vec<u8> {
    if !is_compressed(bytes) {
        return Vec::new();
    }
    let mut head = vec![0; HEAD];
    let length = Archive::stream(bytes).and_then(|mut archive| archive.read(&mut head)).unwrap_or(0);
    head.truncate(length);
    head
}

/// What is in a compressed file; `None` when the bytes are none. Of an ELF file only the sections that are read.
///
/// # Errors
/// When it is cut or damaged, or too large.
pub fn open(bytes: &[u8], progress: &dyn Progress) -> Result<Option<Bytes>> {
    if !is_compressed(bytes) {
        return Ok(None);
    }
    let mut archive = Archive::new(bytes)?;
    let mut head = vec![0; elf::HEADER as usize];
    let length = archive.read(&mut head)?;
    head.truncate(length);
    if head.starts_with(elf::MAGIC) {
        progress.step("measure vmlinux", None);
        let size = archive.length()?;
        archive.seek(length as u64)?;
        return decode::vmlinux(&mut archive, size, &head, progress).map(Some);
    }
    let data = all(&mut archive, head).or_else(|error| without_size(bytes).ok_or(error))?;
    Ok(Some(Bytes::owned(data)))
}

/// What is left in an archive, behind its first bytes.
fn all(archive: &mut Archive<'_>, head: Vec<u8>) -> Result<Vec<u8>> {
    let mut data = head;
    let mut chunk = vec![0; 1 << 20];
    loop {
        let count = archive.read(&mut chunk)?;
        if count == 0 {
            return Ok(data);
        }
        data.extend_from_slice(&chunk[..count]);
        if data.len() as u64 > LARGEST {
            return Err(Error::Limit {
                what: format!("a kernel of more than {LARGEST} bytes"),
                limit: format!("{} MiB", LARGEST >> 20),
            });
        }
    }
}

/// What is in a compressed file with the size of the contents behind it, which the build of kernels up to 5.16
/// appends; `None` where that is not what is behind.
fn without_size(bytes: &[u8]) -> Option<Vec<u8>> {
    let (packed, size) = bytes.split_last_chunk()?;
    let data = boot::decompressed(packed).ok()?;
    (data.len() as u32 == u32::from_le_bytes(*size)).then_some(data)
}
