//! The bytes of a vmlinux, wherever they live, and which of them are there.

use std::fmt;
use std::fs::{self, File};
use std::io::Read as _;
use std::ops::{Deref, Range};
use std::path::Path;

use memmap2::{Mmap, MmapMut, MmapOptions};

use crate::error::{Error, Result};

/// A vmlinux: a mapping of the file, or memory that a package was decoded into.
///
/// It has the size of the whole file either way, so file offsets index it. Ranges that nobody reads
/// are not decoded from packages: they read as zeros through [`Deref`], cost no memory, and are an
/// error in [`Bytes::get`], which is therefore the way to take a section.
pub struct Bytes {
    data: Data,
    /// Sorted, disjoint, not touching; `None` when everything is there.
    present: Option<Vec<Range<u64>>>,
}

/// The largest file that is read because it cannot be mapped; the kernel's own BTF has 16 MiB at most.
const LARGEST_READ: u64 = 256 << 20;

enum Data {
    Mapped(Mmap),
    Owned(Vec<u8>),
}

impl Bytes {
    /// Maps a file.
    ///
    /// # Errors
    /// When the file cannot be opened or mapped, or is empty.
    pub fn map(path: &Path) -> Result<Self> {
        let failed = |e| Error::io("cannot open", path, e);
        // Before it is opened: that waits for ever where a pipe has no writer.
        let meta = fs::metadata(path).map_err(failed)?;
        if !meta.is_file() {
            let found = if meta.is_dir() { "a directory" } else { "a pipe or a device" };
            return Err(Error::UnknownFormat { found: found.into() }.at(path.to_string_lossy()));
        }
        let file = File::open(path).map_err(failed)?;
        let meta = file.metadata().map_err(|e| Error::io("cannot read", path, e))?;
        // Files that the kernel makes up tell no size.
        if meta.len() == 0 {
            return Self::read(path, file);
        }
        #[allow(
            unsafe_code,
            reason = "a mapping is the only way to read a file of this size without holding it in memory; \
                      a file that somebody truncates meanwhile ends the process, as with every tool that maps"
        )]
        let map = unsafe { Mmap::map(&file) };
        match map {
            Ok(map) => Ok(Self { data: Data::Mapped(map), present: None }),
            // Those of sysfs refuse to be mapped.
            Err(_) => Self::read(path, file),
        }
    }

    /// Reads a file that cannot be mapped.
    fn read(path: &Path, file: File) -> Result<Self> {
        let mut data = Vec::new();
        let read = file.take(LARGEST_READ + 1).read_to_end(&mut data);
        read.map_err(|e| Error::io("cannot read", path, e))?;
        if data.is_empty() {
            return Err(Error::UnknownFormat { found: "an empty file".into() }.at(path.to_string_lossy()));
        }
        if data.len() as u64 > LARGEST_READ {
            return Err(Error::Limit {
                what: format!("`{}`, which cannot be mapped,", path.display()),
                limit: format!("{} MiB", LARGEST_READ >> 20),
            });
        }
        Ok(Self::owned(data))
    }

    /// Bytes that are in memory already, all of them there.
    #[must_use]
    pub fn owned(data: Vec<u8>) -> Self {
        Self { data: Data::Owned(data), present: None }
    }

    /// Memory that was decoded into; `present` lists the decoded ranges in any order.
    pub(super) fn decoded(memory: MmapMut, present: impl IntoIterator<Item = Range<u64>>) -> Result<Self> {
        let map = memory.make_read_only().map_err(|e| Error::io("cannot protect", "memory", e))?;
        let present = merge(present);
        let all = present.first().is_some_and(|range| *range == (0..map.len() as u64));
        Ok(Self { data: Data::Mapped(map), present: if all { None } else { Some(present) } })
    }

    /// Whether every byte of `range` is inside the file and was decoded.
    #[must_use]
    pub fn present(&self, range: Range<u64>) -> bool {
        if range.end > self.len() as u64 || range.start > range.end {
            return false;
        }
        match &self.present {
            None => true,
            Some(_) if range.is_empty() => true,
            Some(present) => {
                let after = present.partition_point(|have| have.start <= range.start);
                after > 0 && present[after - 1].end >= range.end
            }
        }
    }

    /// How many bytes are there: the size of the file, less what was not decoded.
    #[must_use]
    pub fn present_len(&self) -> u64 {
        match &self.present {
            None => self.len() as u64,
            Some(present) => present.iter().map(|range| range.end - range.start).sum(),
        }
    }

    /// The bytes of a range of file offsets.
    ///
    /// # Errors
    /// When the range reaches beyond the file, or was left out when the package was decoded.
    pub fn get(&self, range: Range<u64>) -> Result<&[u8]> {
        let out = || Error::Truncated {
            what: format!("vmlinux range {:#x}..{:#x}", range.start, range.end),
            needed: range.end,
            available: self.len() as u64,
        };
        let start = usize::try_from(range.start).map_err(|_| out())?;
        let end = usize::try_from(range.end).map_err(|_| out())?;
        let bytes = self.deref().get(start..end).ok_or_else(out)?;
        if self.present(range.clone()) {
            return Ok(bytes);
        }
        Err(Error::Usage {
            what: format!("vmlinux range {:#x}..{:#x} was not decoded", range.start, range.end),
            help: Some(
                "only sections that are read are decoded: unpack the package and give the vmlinux".into(),
            ),
        })
    }
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.data {
            Data::Mapped(map) => map,
            Data::Owned(data) => data,
        }
    }
}

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bytes").field("len", &self.len()).field("present", &self.present).finish()
    }
}

/// Memory of `size` zeros for decoding into. A page that is never written to costs nothing.
pub(super) fn reserve(size: u64) -> Result<MmapMut> {
    let failed = |e| Error::io("cannot reserve", "memory", e);
    let len = usize::try_from(size).map_err(|_| Error::Limit {
        what: format!("vmlinux of {size} bytes"),
        limit: "the address space".into(),
    })?;
    let memory = MmapOptions::new().len(len).no_reserve_swap().map_anon().map_err(failed)?;
    // Fewer page faults while decoding. Kernels without huge pages refuse, which is as good.
    #[cfg(target_os = "linux")]
    let _ = memory.advise(memmap2::Advice::HugePage);
    Ok(memory)
}

/// Sorts ranges and joins those that overlap or touch; empty ones vanish.
pub(super) fn merge(ranges: impl IntoIterator<Item = Range<u64>>) -> Vec<Range<u64>> {
    let mut ranges: Vec<_> = ranges.into_iter().filter(|range| range.start < range.end).collect();
    ranges.sort_by_key(|range| range.start);
    let mut merged: Vec<Range<u64>> = Vec::with_capacity(ranges.len());
    for range in ranges {
        match merged.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => merged.push(range),
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merges_what_touches() {
        assert_eq!(merge([8..9, 3..5, 0..2, 2..3, 4..4, 7..7]), [0..5, 8..9]);
    }

    #[test]
    fn absent_ranges_are_errors() {
        let mut memory = reserve(0x4000).unwrap();
        memory[0x10] = 7;
        let bytes = Bytes::decoded(memory, [0x1000..0x1800, 0..0x800]).unwrap();
        assert_eq!(bytes.len(), 0x4000);
        assert_eq!(bytes.get(0x10..0x11).unwrap(), [7]);
        assert_eq!(bytes.get(0x1000..0x1800).unwrap().len(), 0x800);
        assert!(bytes.present(0x900..0x900) && !bytes.present(0x7ff..0x801));
        assert_eq!(bytes.present_len(), 0x1000);
        let error = bytes.get(0x7ff..0x801).unwrap_err();
        assert_eq!(error.to_string(), "vmlinux range 0x7ff..0x801 was not decoded");
        assert!(matches!(bytes.get(0x3fff..0x4001), Err(Error::Truncated { .. })));
        assert!(bytes.get(0..0x4000).is_err() && bytes.get(0x1800..0x1801).is_err());
        assert!(matches!(bytes.get(u64::MAX - 1..u64::MAX), Err(Error::Truncated { .. })));
    }
}
