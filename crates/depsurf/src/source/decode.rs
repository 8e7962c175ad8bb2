//! Decodes the wanted parts of a vmlinux out of an archive into memory.

use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::archive::{Archive, Blocks};
use super::bytes::{Bytes, reserve};
use super::input::Input;
use super::{elf, xz};
use crate::error::{Error, Result};
use crate::progress::{Progress, Silent};

/// The largest vmlinux that is decoded; with debug information they are below 1 GiB.
const LARGEST: u64 = 8 << 30;
/// The largest part of one that is decoded, because it is held in memory; for Debian's kernels that is 0.4 GiB.
const MOST_WANTED: u64 = 4 << 30;
/// How much is decoded between two reports of progress.
const STEP: usize = 1 << 20;
/// Unwanted bytes in a wanted block are not stored when there are this many in a row. Fewer
/// would not free whole huge pages.
const GAP: u64 = 2 << 20;

/// Decodes a vmlinux of `size` bytes, of which the archive has already given the `head`.
///
/// # Errors
/// When the compressed data or the ELF headers are damaged, or it is too large.
pub fn vmlinux(archive: &mut Archive<'_>, size: u64, head: &[u8], progress: &dyn Progress) -> Result<Bytes> {
    if size > LARGEST {
        return Err(Error::Limit {
            what: format!("vmlinux of {size} bytes"),
            limit: format!("{} GiB", LARGEST >> 30),
        });
    }
    let base = archive.position() - head.len() as u64;
    archive.allows(base.saturating_add(size))?;
    match archive {
        Archive::Blocks(blocks) => by_block(blocks, size, head, progress),
        Archive::Stream(stream) => {
            let fast = stream.is_fast();
            as_stream(archive, size, head, fast, progress)
        }
    }
}

/// From front to back: the only way when the data is not divided into blocks. Twice if that is fast, at first
/// only for the section headers, so that unwanted ranges take no memory.
fn as_stream(
    archive: &mut Archive<'_>,
    size: u64,
    head: &[u8],
    twice: bool,
    progress: &dyn Progress,
) -> Result<Bytes> {
    let base = archive.position() - head.len() as u64;
    let wanted = if twice {
        progress.step("read section headers", None);
        let needed = elf::needed(head, size, |offset, length| {
            let mut bytes = vec![0; length];
            archive.seek(base + offset)?;
            archive.read_exact(&mut bytes, "vmlinux")?;
            Ok(bytes)
        })?;
        within(&needed, 0..size)
    } else {
        std::iter::once(0..size).collect()
    };
    within_memory(&wanted)?;
    progress.step("decode vmlinux", Some(size));
    let mut memory = reserve(size)?;
    memory[..head.len()].copy_from_slice(head);
    let mut at = 0;
    for range in &wanted {
        let start = range.start.max(head.len() as u64).min(range.end);
        archive.seek(base + start)?;
        progress.advance(start - at);
        for chunk in memory[start as usize..range.end as usize].chunks_mut(STEP) {
            archive.read_exact(chunk, "vmlinux")?;
            progress.advance(chunk.len() as u64);
        }
        at = range.end;
    }
    Bytes::decoded(memory, wanted)
}

/// Refuses wanted ranges that are more than memory should hold.
fn within_memory(wanted: &[Range<u64>]) -> Result<()> {
    let size: u64 = wanted.iter().map(|range| range.end - range.start).sum();
    if size <= MOST_WANTED {
        return Ok(());
    }
    Err(Error::Limit {
        what: format!("sections of {size} bytes that are read"),
        limit: format!("{} GiB", MOST_WANTED >> 30),
    })
}

/// The wanted ranges only, several blocks at a time.
///
/// The block with the section headers goes first, because they tell what is wanted. Meanwhile another thread
/// decodes the block where the vmlinux begins, which has its code and is wanted whatever they say. A block is
/// decoded no further than wanted. Its checksum is behind its last byte, so a block that is not decoded to its end is
/// not verified: what can be checked of it are its header and the sizes that header and index tell.
fn by_block(archive: &mut Blocks<'_>, size: u64, head: &[u8], progress: &dyn Progress) -> Result<Bytes> {
    let data = archive.data();
    let base = archive.position() - head.len() as u64;
    let mut memory = reserve(size)?;
    let mut jobs = divide(archive, base, &mut memory)?;
    let headers = elf::section_headers(head)?;
    let headers = jobs.iter().position(|job| job.range().contains(&headers)).unwrap_or(0);
    let mut headers = jobs.swap_remove(headers);
    let mut present = vec![headers.range()];
    let begin = jobs.iter().position(|job| job.at == 0).map(|begin| jobs.swap_remove(begin));
    present.extend(begin.as_ref().map(Job::range));

    let failure = Mutex::new(None);
    let queue = Mutex::new(Vec::new());
    let fail = |error| {
        lock(&queue).clear();
        lock(&failure).get_or_insert(error);
    };
    rayon::scope(|scope| {
        if let Some(mut begin) = begin {
            scope.spawn(move |_| begin.run(data, &Silent).unwrap_or_else(fail));
        }
        progress.step("read section headers", Some(headers.work()));
        let needed = headers.run(data, progress).and_then(|()| {
            elf::needed(head, size, |offset, length| match headers.get(offset, length) {
                Some(bytes) => Ok(bytes.to_vec()),
                None => {
                    let mut bytes = vec![0; length];
                    archive.seek(base + offset);
                    archive.read_exact(&mut bytes)?;
                    Ok(bytes)
                }
            })
        });
        let needed = match needed.and_then(|needed| within_memory(&needed).map(|()| needed)) {
            Ok(needed) => needed,
            Err(error) => return fail(error),
        };
        jobs.iter_mut().for_each(|job| job.keep = within(&needed, job.range()));
        jobs.retain(|job| !job.keep.is_empty());
        present.extend(jobs.iter().flat_map(|job| job.keep.iter().cloned()));
        progress.step("decode vmlinux", Some(jobs.iter().map(Job::work).sum()));
        // The longest first, so that all threads finish at about the same time.
        jobs.sort_by_key(Job::effort);
        data.expect(jobs.iter().rev().map(Job::packed));
        let workers = rayon::current_num_threads().min(jobs.len());
        *lock(&queue) = jobs;
        for _ in 0..workers {
            scope.spawn(|_| {
                while let Some(mut job) = next(&queue) {
                    job.run(data, progress).unwrap_or_else(fail);
                }
            });
        }
    });
    match failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
        Some(error) => Err(error),
        None => Bytes::decoded(memory, present),
    }
}

/// Hands every block its part of the memory; each is to be kept entirely for now.
fn divide<'a>(archive: &Blocks<'_>, base: u64, memory: &'a mut [u8]) -> Result<Vec<Job<'a>>> {
    let end = base.saturating_add(memory.len() as u64);
    let available = archive.blocks().last().map_or(0, xz::Block::end);
    if end > available {
        return Err(Error::Truncated { what: "vmlinux".into(), needed: end, available });
    }
    let mut jobs = Vec::new();
    let mut rest = memory;
    for block in archive.blocks() {
        let (start, stop) = (block.offset.max(base), block.end().min(end));
        if start < stop {
            let (memory, behind) = rest.split_at_mut((stop - start) as usize);
            rest = behind;
            let keep = std::iter::once(start - base..stop - base).collect();
            jobs.push(Job {
                block: block.clone(),
                skip: start - block.offset,
                at: start - base,
                memory,
                keep,
            });
        }
    }
    Ok(jobs)
}

/// The job that is next, without holding the lock while it runs.
fn next<'a>(queue: &Mutex<Vec<Job<'a>>>) -> Option<Job<'a>> {
    lock(queue).pop()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What to decode of one block.
struct Job<'a> {
    block: xz::Block,
    /// How many bytes of the block are in front of the vmlinux.
    skip: u64,
    /// The block's first byte of the vmlinux, as an offset in it.
    at: u64,
    /// Where the block's part of the vmlinux goes.
    memory: &'a mut [u8],
    /// What to store; decoding stops behind the last.
    keep: Vec<Range<u64>>,
}

impl Job<'_> {
    /// The block's part of the vmlinux.
    fn range(&self) -> Range<u64> {
        self.at..self.at + self.memory.len() as u64
    }

    /// Bytes of the vmlinux that are in this block.
    fn get(&self, offset: u64, length: usize) -> Option<&[u8]> {
        let start = usize::try_from(offset.checked_sub(self.at)?).ok()?;
        self.memory.get(start..start.checked_add(length)?)
    }

    /// How many bytes to decode.
    fn work(&self) -> u64 {
        self.keep.last().map_or(0, |last| self.skip + last.end - self.at)
    }

    /// Compressed bytes to decode, nearly: the time that decoding takes is proportional to them.
    fn effort(&self) -> u64 {
        (self.block.packed() as f64 * (self.work() as f64 / self.block.size as f64)) as u64
    }

    /// What of the compressed data that takes, nearly.
    fn packed(&self) -> Range<usize> {
        let start = self.block.packed_range().start;
        start..start + self.effort() as usize
    }

    fn run(&mut self, data: Input<'_>, progress: &dyn Progress) -> Result<()> {
        let mut decoder = xz::Decoder::new(data, &self.block)?;
        decoder.skip(self.skip)?;
        progress.advance(self.skip);
        let mut at = self.at;
        for keep in &self.keep {
            decoder.skip(keep.start - at)?;
            progress.advance(keep.start - at);
            let memory = &mut self.memory[(keep.start - self.at) as usize..(keep.end - self.at) as usize];
            for chunk in memory.chunks_mut(STEP) {
                decoder.read(chunk)?;
                progress.advance(chunk.len() as u64);
            }
            at = keep.end;
        }
        Ok(())
    }
}

/// The parts of sorted `ranges` that are within `window`, joined where the gaps are small.
fn within(ranges: &[Range<u64>], window: Range<u64>) -> Vec<Range<u64>> {
    let mut parts: Vec<Range<u64>> = Vec::new();
    let first = ranges.partition_point(|range| range.end <= window.start);
    for range in &ranges[first..] {
        let part = range.start.max(window.start)..range.end.min(window.end);
        if part.start >= part.end {
            break;
        }
        match parts.last_mut() {
            Some(last) if part.start - last.end < GAP => last.end = part.end,
            _ => parts.push(part),
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_memory_should_hold_is_refused() {
        assert!(within_memory(&[0..1 << 30, 2 << 30..5 << 30]).is_ok());
        let error = within_memory(&[0..1 << 30, (2 << 30) - 1..5 << 30]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "sections of 4294967297 bytes that are read exceeds the limit of 4 GiB"
        );
    }
}
