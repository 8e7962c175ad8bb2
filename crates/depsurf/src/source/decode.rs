//! Decodes the wanted parts of a vmlinux out of an archive into memory.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use super::archive::{Archive, Blocks};
use super::bytes::{Bytes, reserve};
use super::{elf, xz};
use crate::error::{Error, Result};
use crate::progress::Progress;

/// The largest vmlinux that is decoded; with debug information they are below 1 GiB.
const LARGEST: u64 = 8 << 30;
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
    match archive {
        Archive::Blocks(blocks) => by_block(blocks, size, head, progress),
        Archive::Stream { .. } => as_stream(archive, size, head, progress),
    }
}

/// Everything from front to back: the only way when the data is not divided into blocks.
fn as_stream(archive: &mut Archive<'_>, size: u64, head: &[u8], progress: &dyn Progress) -> Result<Bytes> {
    progress.step("decode vmlinux", Some(size));
    let mut memory = reserve(size)?;
    let (first, rest) = memory.split_at_mut(head.len());
    first.copy_from_slice(head);
    for chunk in rest.chunks_mut(STEP) {
        archive.read_exact(chunk, "vmlinux")?;
        progress.advance(chunk.len() as u64);
    }
    Bytes::decoded(memory, std::iter::once(0..size))
}

/// The wanted ranges only, several blocks at a time.
fn by_block(archive: &mut Blocks<'_>, size: u64, head: &[u8], progress: &dyn Progress) -> Result<Bytes> {
    progress.step("read section headers", None);
    let base = archive.position() - head.len() as u64;
    let available = archive.blocks().last().map_or(0, xz::Block::end);
    let end = base.checked_add(size).filter(|end| *end <= available).ok_or_else(|| Error::Truncated {
        what: "vmlinux".into(),
        needed: base.saturating_add(size),
        available,
    })?;
    let needed = elf::needed(head, size, |offset, length| {
        archive.seek(base + offset);
        let mut bytes = vec![0; length];
        archive.read_exact(&mut bytes)?;
        Ok(bytes)
    })?;
    let data = archive.data();

    let mut memory = reserve(size)?;
    let mut jobs = Vec::new();
    let mut rest = &mut memory[..];
    for block in archive.blocks() {
        let (start, stop) = (block.offset.max(base), block.end().min(end));
        if start >= stop {
            continue;
        }
        let (here, behind) = rest.split_at_mut((stop - start) as usize);
        rest = behind;
        let keep = within(&needed, start - base..stop - base);
        if !keep.is_empty() {
            jobs.push(Job { block, skip: start - block.offset, at: start - base, memory: here, keep });
        }
    }
    progress.step("decode vmlinux", Some(jobs.iter().map(Job::work).sum()));
    let present: Vec<_> = jobs.iter().flat_map(|job| job.keep.iter().cloned()).collect();
    // The longest first, so that all threads finish at about the same time.
    jobs.sort_by_key(Job::effort);
    run(jobs, data, progress)?;
    Bytes::decoded(memory, present)
}

/// Hands the last job in turn to whichever thread is free; the first error ends all.
fn run(jobs: Vec<Job<'_>>, data: &[u8], progress: &dyn Progress) -> Result<()> {
    let threads = rayon::current_num_threads().min(jobs.len());
    let queue = Mutex::new(jobs);
    let failure = Mutex::new(None);
    rayon::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|_| {
                while let Some(job) = lock(&queue).pop() {
                    if let Err(error) = job.run(data, progress) {
                        lock(&queue).clear();
                        lock(&failure).get_or_insert(error);
                    }
                }
            });
        }
    });
    failure.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), Err)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What to decode of one block.
struct Job<'a> {
    block: &'a xz::Block,
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
    /// How many bytes to decode.
    fn work(&self) -> u64 {
        self.keep.last().map_or(0, |last| self.skip + last.end - self.at)
    }

    /// Compressed bytes to decode, nearly: the time that decoding takes is proportional to them.
    fn effort(&self) -> u64 {
        (self.block.packed() as f64 * (self.work() as f64 / self.block.size as f64)) as u64
    }

    fn run(self, data: &[u8], progress: &dyn Progress) -> Result<()> {
        let mut decoder = xz::Decoder::new(data, self.block)?;
        decoder.skip(self.skip)?;
        progress.advance(self.skip);
        let mut at = self.at;
        for keep in self.keep {
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
