//! One file that arrives in parts while it is read.
//!
//! The file is a sparse one of the size that the index tells, in chunks that are there or not. Readers ask for ranges
//! and wait ([`Ranges`]); threads fetch what is asked for first, then what will be needed, then the rest, if all is
//! wanted. A server that gives no parts sends the file from front to back, and readers wait for their place in it.
//!
//! What has arrived outlives the process in [`crate::part`].

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::Read;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use depsurf::source::Arriving;
use memmap2::Mmap;

use crate::arrival::Arrival;
use crate::checksum::Sha256;
use crate::chunks::{Chunk, State};
use crate::error::{Error, Result};
use crate::http::{Answer, Client, Validator, cut};
use crate::part::{self, Part};
use crate::place::Remote;
use crate::rpm::{self, Own};

/// What is there or not as a whole.
const CHUNK: u64 = 256 << 10;
/// How many chunks may arrive before it is written down.
const REMEMBER: u32 = 64;

/// How much of a file to fetch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Amount {
    /// What is read; all of it when that is most of it.
    Needed,
    /// All of it.
    Whole,
}

/// A file that is being fetched.
pub struct Download {
    pub(crate) shared: Arc<Shared>,
    map: Arc<Mmap>,
    /// What came of looking for the file's own signature.
    own: OnceLock<Own>,
}

/// What has become of a download.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finished {
    /// Whether all of it is there and has the checksum that the index tells. Otherwise only the index was checked.
    pub verified: bool,
    /// Bytes that came over the network.
    pub fetched: u64,
    /// The file; `None` where it was not kept.
    pub path: Option<PathBuf>,
}

/// What is common to readers and to the threads that fetch.
pub struct Shared {
    client: Client,
    remote: Remote,
    /// Where the file will be when it is complete.
    path: PathBuf,
    file: File,
    state: Mutex<State>,
    changed: Condvar,
    /// Bytes that came over the network.
    fetched: AtomicU64,
}

impl Download {
    /// Begins to fetch a file into a directory, or goes on with what is there of it.
    ///
    /// # Errors
    /// When the directory cannot be written, or another process is at it. What the server says comes later.
    pub fn begin(client: &Client, remote: &Remote, directory: &Path, amount: Amount) -> Result<Self> {
        fs::create_dir_all(directory)
            .map_err(|error| Error::io("cannot make the directory", directory, error))?;
        let path = directory.join(&remote.file);
        let chunks = remote.size.div_ceil(CHUNK) as usize;
        if remote.size == 0 {
            return Err(Error::Answer { url: remote.url.clone(), what: "the file is empty".into() });
        }
        let kept = path.is_file() && is_complete(&path, remote)?;
        let place = if kept { path.clone() } else { part::place(&path) };
        let failed = |error| Error::io("cannot write", &place, error);
        let file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&place)
            .map_err(failed)?;
        if file.try_lock().is_err() {
            return Err(Error::usage(
                format!("`{}` is in use by another process", place.display()),
                "wait for it, or name another directory for what is fetched with --cache",
            ));
        }
        let (mut here, mut validator) = (vec![kept; chunks], Validator::default());
        if !kept {
            let known = file.metadata().is_ok_and(|meta| meta.len() == remote.size);
            if let Some(part) = known.then(|| Part::read(&path, remote, CHUNK, chunks)).flatten() {
                (here, validator) = part;
            }
            file.set_len(remote.size).map_err(failed)?;
        }
        #[allow(
            unsafe_code,
            reason = "readers take slices of a file that grows meanwhile; they take only bytes that are there, \
                      which nobody writes again, and nobody else writes because the file is locked"
        )]
        let map = unsafe { Mmap::map(&file) }.map_err(|error| Error::io("cannot map", &place, error))?;
        let chunks = here.iter().map(|here| if *here { Chunk::Here } else { Chunk::Missing }).collect();
        let state = State {
            chunks,
            asked: VecDeque::new(),
            expected: VecDeque::new(),
            expects: false,
            whole: amount == Amount::Whole,
            in_order: false,
            several: false,
            validator,
            used: false,
            failure: None,
            closed: false,
            attempts: 0,
            unwritten: 0,
            last: Instant::now(),
        };
        let shared = Arc::new(Shared {
            client: client.clone(),
            remote: remote.clone(),
            path,
            file,
            state: Mutex::new(state),
            changed: Condvar::new(),
            fetched: AtomicU64::new(0),
        });
        if !kept {
            shared.spawn();
        }
        Ok(Self { shared, map: Arc::new(map), own: OnceLock::new() })
    }

    /// The file's bytes; those that were not waited for may be zeros.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.map
    }

    /// The same bytes for a reader that keeps them. What is not there when the download is given up is an error for
    /// whoever waits for it.
    #[must_use]
    pub fn arriving(&self) -> Arc<dyn Arriving> {
        Arc::new(Arrival { shared: Arc::clone(&self.shared), map: Arc::clone(&self.map) })
    }

    /// Bytes that came over the network so far.
    #[must_use]
    pub fn fetched(&self) -> u64 {
        self.shared.fetched.load(Ordering::Relaxed)
    }

    /// Bytes that are wanted and not there yet, as far as is known.
    #[must_use]
    pub fn missing(&self) -> u64 {
        let state = self.shared.lock();
        let missing = |chunk: &&Chunk| match chunk {
            Chunk::Here => false,
            Chunk::Missing => state.whole,
            Chunk::Wanted | Chunk::Flying => true,
        };
        state.chunks.iter().filter(missing).count() as u64 * CHUNK
    }

    /// Whether all of the file will have been fetched and compared with its checksum, as far as is known.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        let mut state = self.shared.lock();
        state.decide();
        state.whole || state.in_order
    }

    /// Waits for all of the file.
    ///
    /// # Errors
    /// When it cannot be had.
    pub fn wait(&self) -> Result<()> {
        self.shared.wait_for(0..self.shared.remote.size)
    }

    /// Checks the signature that a package has itself, once its first bytes are there. [`Download::finish`] does, too, and
    /// compares the rest with it if that is there.
    ///
    /// # Errors
    /// When it is bad or by nobody who is known, or missing where the user wants one; what has arrived is then removed.
    pub fn signature(&self) -> Result<Own> {
        if let Some(own) = self.own.get() {
            return Ok(*own);
        }
        let own = rpm::check(&self.map, self, &self.shared.remote).map_err(|error| self.refused(error))?;
        Ok(*self.own.get_or_init(|| own))
    }

    /// Why a package is not taken, which is then thrown away, unless it was the connection that failed.
    fn refused(&self, error: Error) -> Error {
        self.shared.close();
        if let Some(failure) = &self.shared.lock().failure {
            return failure.clone();
        }
        if !self.shared.path.is_file() {
            part::remove(&self.shared.path);
        }
        error
    }

    /// Throws away what has arrived: it cannot be read, and another try must not begin with it.
    pub fn discard(self) {
        self.shared.close();
        if !self.shared.path.is_file() {
            part::remove(&self.shared.path);
        }
    }

    /// Waits for what is still wanted, checks it, and keeps the file or removes it.
    ///
    /// # Errors
    /// When the rest cannot be had, or the whole has another checksum than the index or the package's own signature tells; what has
    /// arrived is then removed.
    pub fn finish(self, keep: bool) -> Result<Finished> {
        let own = self.signature()?;
        let whole = {
            let mut state = self.shared.lock();
            state.whole |= keep;
            state.decide();
            state.whole || state.in_order
        };
        if whole {
            self.shared.changed.notify_all();
            self.wait()?;
        }
        self.shared.close();
        let mut verified = false;
        if let Some(promised) = self.shared.remote.sha256.filter(|_| whole) {
            let found = Sha256::of(&self.map);
            if found != promised {
                part::remove(&self.shared.path);
                return Err(Error::Differs {
                    what: self.shared.remote.url.clone(),
                    why: format!("its SHA-256 is {found}, not {promised}"),
                });
            }
            verified = true;
        }
        if let (Own::Good(promised), true) = (own, whole) {
            let remote = &self.shared.remote;
            rpm::check_contents(&self.map, &self, remote, promised).map_err(|error| self.refused(error))?;
        }
        let mut path = None;
        if keep {
            if !self.shared.path.is_file() {
                part::complete(&self.shared.path)?;
            }
            path = Some(self.shared.path.clone());
        } else if !self.shared.path.is_file() {
            part::remove(&self.shared.path);
        }
        Ok(Finished { verified, fetched: self.fetched(), path })
    }
}

impl Drop for Download {
    fn drop(&mut self) {
        // What has arrived is remembered for the next run, unless it was finished.
        self.shared.close();
        // Threads that still wait for a server have the file open, and the lock with it.
        let _ = self.shared.file.unlock();
        if !self.shared.lock().chunks.contains(&Chunk::Here) {
            part::remove(&self.shared.path);
        }
    }
}

/// Whether a file that was kept is the one that is wanted.
fn is_complete(path: &Path, remote: &Remote) -> Result<bool> {
    let failed = |error| Error::io("cannot read", path, error);
    if fs::metadata(path).map_err(failed)?.len() != remote.size {
        return Ok(false);
    }
    let Some(promised) = remote.sha256 else { return Ok(false) };
    Ok(Sha256::of_reader(File::open(path).map_err(failed)?).map_err(failed)? == promised)
}

fn chunks_of(range: &Range<u64>) -> Range<usize> {
    if range.is_empty() {
        return 0..0;
    }
    (range.start / CHUNK) as usize..range.end.div_ceil(CHUNK) as usize
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Will fetch ranges soon, the first first.
    pub fn expect(&self, ranges: &[Range<u64>]) {
        let mut state = self.lock();
        state.expects = true;
        for range in ranges {
            for at in chunks_of(range) {
                if state.chunks.get(at) == Some(&Chunk::Missing) {
                    state.chunks[at] = Chunk::Wanted;
                    state.expected.push_back(at);
                }
            }
        }
        state.decide();
        drop(state);
        self.changed.notify_all();
    }

    fn spawn(self: &Arc<Self>) {
        let shared = Arc::clone(self);
        thread::spawn(move || shared.work());
    }

    /// Fetches until nobody wants anything any more.
    fn work(self: &Arc<Self>) {
        while let Some(span) = self.next() {
            let fetched = self.fetch(span.clone());
            self.put_back(&span);
            if let Err(error) = fetched {
                self.failed(error);
            }
        }
    }

    fn next(&self) -> Option<Range<usize>> {
        let mut state = self.lock();
        loop {
            if state.closed || state.failure.is_some() {
                return None;
            }
            if let Some(span) = state.next() {
                return Some(span);
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Wants chunks again that did not arrive.
    fn put_back(&self, span: &Range<usize>) {
        let mut state = self.lock();
        for at in span.clone().rev() {
            if state.chunks[at] == Chunk::Flying {
                state.chunks[at] = Chunk::Wanted;
                state.expected.push_front(at);
            }
        }
    }

    /// Waits before the next attempt, or gives up.
    fn failed(&self, error: Error) {
        let mut attempts = self.lock().attempts;
        let result = self.client.pause(&mut attempts, error);
        let mut state = self.lock();
        state.attempts = state.attempts.max(attempts);
        if let Err(error) = result {
            state.failure.get_or_insert(error);
        }
        drop(state);
        self.changed.notify_all();
    }

    fn fetch(self: &Arc<Self>, span: Range<usize>) -> Result<()> {
        let url = &self.remote.url;
        let bytes = span.start as u64 * CHUNK..(span.end as u64 * CHUNK).min(self.remote.size);
        let range = (!self.lock().in_order).then(|| bytes.clone());
        let answer = match self.client.get(url, range) {
            Err(Error::Status { status: 416, .. }) => {
                return Err(Error::Differs { what: url.clone(), why: "it is smaller".into() });
            }
            answer => answer?,
        };
        let total = match (answer.status, answer.range) {
            (206, Some((first, total))) if first == bytes.start => Some(total),
            (206, _) => {
                return Err(Error::Answer {
                    url: url.clone(),
                    what: "the server gave another part than asked for".into(),
                });
            }
            _ => answer.length,
        };
        if total.is_some_and(|total| total != self.remote.size) {
            let why = format!("it has {} bytes, not {}", total.unwrap_or_default(), self.remote.size);
            return Err(Error::Differs { what: url.clone(), why });
        }
        let mut state = self.lock();
        if !state.validator.agrees(&answer.validator) {
            self.start_over(&mut state)?;
        }
        state.validator.clone_from(&answer.validator);
        if answer.status == 200 && state.several {
            let what = "the server gave all of the file instead of a part".into();
            return Err(Error::Connection { url: url.clone(), what });
        } else if answer.status == 200 {
            state.in_order = true;
        } else if !state.several && !state.in_order {
            // Only now, so that a server that gives no parts is asked for the file once.
            state.several = true;
            (1..self.client.options.connections).for_each(|_| self.spawn());
        }
        drop(state);
        let first = if answer.status == 206 { span.start } else { 0 };
        self.receive(answer, first)
    }

    /// Forgets what was fetched of another state of the file; an error when some of it was read already.
    fn start_over(&self, state: &mut State) -> Result<()> {
        if state.used {
            part::remove(&self.path);
            return Err(Error::Changed { url: self.remote.url.clone() });
        }
        for chunk in state.chunks.iter_mut().filter(|chunk| **chunk == Chunk::Here) {
            *chunk = Chunk::Missing;
        }
        Ok(())
    }

    /// Writes chunks as they arrive.
    fn receive(&self, mut answer: Answer, first: usize) -> Result<()> {
        let url = &self.remote.url;
        let mut buffer = vec![0; CHUNK as usize];
        let mut at = first;
        loop {
            let start = at as u64 * CHUNK;
            let size = self.remote.size.saturating_sub(start).min(CHUNK) as usize;
            if size == 0 {
                return Ok(());
            }
            let mut filled = 0;
            while filled < size {
                match answer.body.read(&mut buffer[filled..size]) {
                    Ok(0) => break,
                    Ok(count) => filled += count,
                    Err(error) => return Err(cut(url, &error)),
                }
                let mut state = self.lock();
                state.last = Instant::now();
                if state.closed {
                    return Ok(());
                }
            }
            if filled == 0 && answer.status == 206 && at > first {
                return Ok(());
            }
            if filled < size {
                return Err(Error::Connection { url: url.clone(), what: "the connection broke".into() });
            }
            self.fetched.fetch_add(filled as u64, Ordering::Relaxed);
            self.arrived(at, &buffer[..size])?;
            at += 1;
        }
    }

    fn arrived(&self, at: usize, bytes: &[u8]) -> Result<()> {
        let mut state = self.lock();
        if state.closed {
            return Ok(());
        }
        // Under the lock, so that nothing is written behind the back of who comes next. What is there may be in use, and is
        // the same.
        if state.chunks[at] != Chunk::Here {
            let write = self.file.write_all_at(bytes, at as u64 * CHUNK);
            write.map_err(|error| Error::io("cannot write", part::place(&self.path), error))?;
        }
        state.chunks[at] = Chunk::Here;
        state.attempts = 0;
        state.unwritten += 1;
        if state.unwritten >= REMEMBER {
            state.unwritten = 0;
            self.remember(&state)?;
        }
        drop(state);
        self.changed.notify_all();
        Ok(())
    }

    fn remember(&self, state: &State) -> Result<()> {
        Part::new(&self.remote, CHUNK, state.validator.clone(), &state.here()).write(&self.path)
    }

    pub fn wait_for(&self, range: Range<u64>) -> Result<()> {
        let chunks = chunks_of(&range);
        let mut state = self.lock();
        state.last = Instant::now();
        loop {
            let chunks = chunks.start..chunks.end.min(state.chunks.len());
            if state.chunks[chunks.clone()].iter().all(|chunk| *chunk == Chunk::Here) {
                state.used = true;
                return Ok(());
            }
            if let Some(error) = &state.failure {
                return Err(error.clone());
            }
            // Parts have their own limit of time; the file as a whole has none, however large it is.
            let options = &self.client.options;
            let attempts = if state.in_order { 1 } else { options.retries + 2 };
            if state.last.elapsed() > options.idle * attempts + options.connect {
                let what = format!("nothing arrived for {} s", state.last.elapsed().as_secs());
                state.failure = Some(Error::Connection { url: self.remote.url.clone(), what });
                continue;
            }
            // Whoever waits wakes up, too, so only if there is something to do.
            let news = chunks.filter(|at| state.ask(*at)).count();
            if news > 0 {
                self.changed.notify_all();
            }
            let waited = self.changed.wait_timeout(state, Duration::from_millis(500));
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Lets the threads end, and remembers what is there.
    fn close(&self) {
        let mut state = self.lock();
        if !std::mem::replace(&mut state.closed, true) && state.unwritten > 0 {
            // Without it the next run fetches more than it needs, and nothing worse.
            let _ = self.remember(&state);
        }
        drop(state);
        self.changed.notify_all();
    }
}
