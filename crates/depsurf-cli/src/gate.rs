//! What of a report counts: the files that settle findings.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use depsurf::check::{Allow, Baseline, Compared, Date, Lock, Report};
use depsurf::{Error, Result};

use crate::args::Check;
use crate::terminal::Terminal;

/// Read where nothing else is named.
const CONFIGURATION: &str = "depsurf.toml";

/// The files that settle findings.
pub struct Gate {
    allow: Option<(PathBuf, Allow)>,
    baseline: Option<(PathBuf, Baseline)>,
    lock: Option<LockFile>,
}

struct LockFile {
    path: PathBuf,
    /// What is in it; none where it does not exist.
    lock: Option<Lock>,
    update: bool,
}

impl Gate {
    /// Reads the files that are named.
    ///
    /// # Errors
    /// When one cannot be read or means nothing.
    pub fn read(verb: &Check) -> Result<Self> {
        let configuration = || Some(PathBuf::from(CONFIGURATION)).filter(|path| path.exists());
        let allow = verb.allow.clone().or_else(|| configuration().filter(|_| !verb.matrix));
        Ok(Self {
            allow: allow.map(|path| parse(path, allowed)).transpose()?,
            baseline: verb.baseline.clone().map(|path| parse(path, Baseline::parse)).transpose()?,
            lock: verb.lock.clone().map(|path| LockFile::read(path, verb.update_lock)).transpose()?,
        })
    }

    /// Settles findings, writes the lock file where that is due, and gives what is left to show.
    ///
    /// # Errors
    /// When the lock file cannot be written.
    pub fn settle(&self, report: &mut Report, told: &Terminal) -> Result<Report> {
        // Before anything is settled: the file has what is, not what counts.
        let written = self.lock.as_ref().map(|file| file.updated(report));
        if let Some((path, allow)) = &self.allow {
            let today = today();
            for expired in allow.expired(today) {
                told.warning(format_args!("`{}`: {expired}; it counts again", path.display()));
            }
            let count = allow.settle(report, today);
            if count > 0 {
                told.summary(format_args!("{} allowed by `{}`", findings(count), path.display()));
            }
        }
        if let Some((path, baseline)) = &self.baseline {
            let count = baseline.settle(report);
            told.summary(format_args!("{} known from `{}`", findings(count), path.display()));
        }
        if let Some(LockFile { path, lock: Some(lock), .. }) = &self.lock {
            let Compared { unchanged, changed, new } = lock.settle(report);
            told.summary(format_args!(
                "{unchanged} programs on kernels unchanged since `{}`, {changed} changed, {new} new",
                path.display()
            ));
        }
        if let (Some(file), Some(Some(lock))) = (&self.lock, written) {
            fs::write(&file.path, lock.to_json())
                .map_err(|error| Error::io("cannot write", &file.path, error))?;
            told.summary(format_args!("wrote `{}`", file.path.display()));
        }
        let compared = self.baseline.is_some() || self.lock.as_ref().is_some_and(|file| file.lock.is_some());
        Ok(if compared { report.pending() } else { report.unsettled() })
    }
}

impl LockFile {
    fn read(path: PathBuf, update: bool) -> Result<Self> {
        let lock = match fs::read(&path) {
            Ok(bytes) => Some(Lock::parse(&bytes).map_err(|error| error.at(name(&path)))?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(Error::io("cannot read", path, error)),
        };
        Ok(Self { path, lock, update })
    }

    /// What to write into it, if anything.
    fn updated(&self, report: &Report) -> Option<Lock> {
        if self.lock.is_some() && !self.update {
            return None;
        }
        let mut lock = self.lock.clone().unwrap_or_default();
        lock.update(report);
        Some(lock)
    }
}

/// Reads and parses a file.
fn parse<T>(path: PathBuf, parse: fn(&[u8]) -> Result<T>) -> Result<(PathBuf, T)> {
    let bytes = fs::read(&path).map_err(|error| Error::io("cannot read", &path, error))?;
    let parsed = parse(&bytes).map_err(|error| error.at(name(&path)))?;
    Ok((path, parsed))
}

fn allowed(bytes: &[u8]) -> Result<Allow> {
    let text = std::str::from_utf8(bytes).map_err(|error| Error::Usage {
        what: format!("no UTF-8 behind byte {}", error.valid_up_to()),
        help: Some("TOML is UTF-8".into()),
    })?;
    Allow::parse(text)
}

fn name(path: &Path) -> String {
    format!("`{}`", path.display())
}

fn findings(count: usize) -> String {
    if count == 1 { "1 finding".into() } else { format!("{count} findings") }
}

/// The day by the system's clock; clocks before 1970 are taken to be there.
fn today() -> Date {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Date::of_unix_time(now.as_secs())
}
