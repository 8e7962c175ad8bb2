//! Which parts of a download are there, and which to fetch next.

use std::collections::VecDeque;
use std::ops::Range;
use std::time::Instant;

use crate::error::Error;
use crate::http::Validator;

/// Chunks that are asked for at once: a request costs a round trip.
const SPAN: usize = 16;
/// How many chunks are fetched behind one that is read as the continuation of another.
const AHEAD: usize = 16;
/// With more than this share of a file, in percent, all of it is fetched: what is saved is then less worth than its checksum.
const WORTH: usize = 70;

/// What has become of a part of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chunk {
    Missing,
    Wanted,
    Flying,
    Here,
}

/// What is known of a download.
pub struct State {
    pub chunks: Vec<Chunk>,
    /// Somebody waits for these; soonest first.
    pub asked: VecDeque<usize>,
    /// These will be asked for; soonest first.
    pub expected: VecDeque<usize>,
    /// Whether `expected` is known.
    pub expects: bool,
    /// Whether all of the file is wanted.
    pub whole: bool,
    /// Whether the server sends the file from front to back only.
    pub in_order: bool,
    /// Whether more than one thread fetches.
    pub several: bool,
    pub validator: Validator,
    /// Whether bytes were handed out.
    pub used: bool,
    pub failure: Option<Error>,
    /// Nobody wants anything any more.
    pub closed: bool,
    pub attempts: u32,
    pub unwritten: u32,
    pub last: Instant,
}

impl State {
    /// Wants all of the file where most of it is wanted anyhow.
    pub fn decide(&mut self) {
        let wanted = self.chunks.iter().filter(|chunk| **chunk != Chunk::Missing).count();
        self.whole |= wanted * 100 > self.chunks.len() * WORTH;
    }

    /// The next chunks to fetch: the most urgent one, and those behind it that are wanted, too.
    pub fn next(&mut self) -> Option<Range<usize>> {
        let urgent = |queue: &mut VecDeque<usize>, chunks: &[Chunk]| loop {
            let at = queue.pop_front()?;
            if matches!(chunks[at], Chunk::Wanted | Chunk::Missing) {
                return Some(at);
            }
        };
        let rest = |chunks: &[Chunk], whole: bool| {
            let left = |chunk: &Chunk| *chunk == Chunk::Wanted || (whole && *chunk == Chunk::Missing);
            chunks.iter().position(left)
        };
        let first = urgent(&mut self.asked, &self.chunks)
            .or_else(|| urgent(&mut self.expected, &self.chunks))
            .or_else(|| rest(&self.chunks, self.whole))?;
        let wanted = |chunk: Chunk| chunk == Chunk::Wanted || (self.whole && chunk == Chunk::Missing);
        let mut end = first + 1;
        while end < self.chunks.len() && end - first < SPAN && wanted(self.chunks[end]) {
            end += 1;
        }
        self.chunks[first..end].fill(Chunk::Flying);
        Some(first..end)
    }

    /// Asks for a chunk, and for some behind it where it continues what is there.
    ///
    /// Returns whether that is news.
    pub fn ask(&mut self, at: usize) -> bool {
        let mut news = false;
        if matches!(self.chunks[at], Chunk::Missing | Chunk::Wanted) && !self.asked.contains(&at) {
            self.chunks[at] = Chunk::Wanted;
            self.asked.push_back(at);
            news = true;
        }
        let continues = at > 0 && self.chunks[at - 1] == Chunk::Here;
        // What was announced is nearly all, but where it ends is an estimate.
        let ahead = if self.expects { AHEAD / 8 } else { AHEAD };
        if continues {
            for behind in at + 1..(at + 1 + ahead).min(self.chunks.len()) {
                if self.chunks[behind] == Chunk::Missing {
                    self.chunks[behind] = Chunk::Wanted;
                    self.expected.push_back(behind);
                    news = true;
                }
            }
        }
        news
    }

    pub fn here(&self) -> Vec<bool> {
        self.chunks.iter().map(|chunk| *chunk == Chunk::Here).collect()
    }
}
