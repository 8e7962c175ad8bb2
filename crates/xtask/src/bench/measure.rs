//! Time and peak memory of a child process, as the kernel tells them.

use std::ffi::OsString;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};

/// What one kind of run took.
#[derive(Debug, Clone, Copy)]
pub struct Measure {
    /// Median of the wall-clock times.
    pub time: Duration,
    /// The shortest of them.
    pub best: Duration,
    /// Time on all processors, of the run with the median time.
    pub cpu: Duration,
    /// Largest resident set of any run, in bytes. Pages of mapped files count.
    pub peak: u64,
    /// The part of the resident set that is no page of a file, at its largest among samples some milliseconds
    /// apart; too low for runs that are hardly longer than that.
    pub anonymous: u64,
}

/// What one run took.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Run {
    /// Wall-clock time.
    pub time: Duration,
    /// Time on all processors.
    pub cpu: Duration,
    /// Largest resident set, in bytes.
    pub peak: u64,
    anonymous: u64,
}

/// How often the anonymous memory of a run is looked at.
const SAMPLE: Duration = Duration::from_millis(10);

/// Runs a command once to warm up, then `runs` times. `prepare` comes before each, and is not measured.
pub fn measure(runs: usize, command: &Command, prepare: impl FnMut() -> Result<()>) -> Result<Measure> {
    repeat(runs, command, &[], prepare)
}

/// The same of a command whose exit status 1 says that it found something.
pub fn measure_judging(runs: usize, command: &Command) -> Result<Measure> {
    repeat(runs, command, &["--judging"], || Ok(()))
}

fn repeat(
    runs: usize,
    command: &Command,
    options: &[&str],
    mut prepare: impl FnMut() -> Result<()>,
) -> Result<Measure> {
    let mut done = Vec::with_capacity(runs);
    for number in 0..=runs {
        prepare()?;
        let run = once(command, options)?;
        if number > 0 {
            done.push(run);
        }
    }
    ensure!(!done.is_empty(), "nothing was run");
    done.sort_by_key(|run| run.time);
    let median = &done[done.len() / 2];
    Ok(Measure {
        time: median.time,
        best: done[0].time,
        cpu: median.cpu,
        peak: done.iter().map(|run| run.peak).max().unwrap_or(0),
        anonymous: done.iter().map(|run| run.anonymous).max().unwrap_or(0),
    })
}

/// Runs a command once, through [`weigh`] in a process of its own.
pub fn once(command: &Command, options: &[&str]) -> Result<Run> {
    let program = command.get_program();
    let mut helper = Command::new(std::env::current_exe().context("cannot find the program of xtask")?);
    helper.arg("weigh").args(options).arg("--").arg(program).args(command.get_args());
    let output = helper.output().context("cannot run xtask")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let numbers: Vec<u64> = text.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let [time, cpu, peak, anonymous] = numbers.as_slice() else {
        bail!("cannot measure {}: {}", program.display(), String::from_utf8_lossy(&output.stderr).trim());
    };
    Ok(Run {
        time: Duration::from_micros(*time),
        cpu: Duration::from_micros(*cpu),
        peak: *peak,
        anonymous: *anonymous,
    })
}

/// Runs a command without output, and prints the microseconds it took on the clock and on processors, and the
/// bytes of its peak: of the resident set, and of its anonymous part. One that is `judging` may end with status 1.
///
/// The peak of a child begins with that of the process that starts it, even across `execve` (`setmax_mm_hiwater_rss`
/// in the kernel's `fs/exec.c`). So the one that starts it has to be small, which this is and the benchmark is not.
pub fn weigh(command: &[OsString], judging: bool) -> Result<()> {
    let (program, args) = command.split_first().context("no command")?;
    let start = Instant::now();
    let child = Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .with_context(|| format!("cannot run {}", program.display()))?;
    let done = AtomicBool::new(false);
    let (waited, time, anonymous) = thread::scope(|scope| {
        let sampler = scope.spawn(|| anonymous_peak(child.id(), &done));
        let waited = wait(&child);
        let time = start.elapsed().as_micros();
        done.store(true, Ordering::Relaxed);
        sampler.thread().unpark();
        (waited, time, sampler.join().unwrap_or(0))
    });
    let (status, usage) = waited.context("cannot wait")?;
    ensure!(status.success() || judging && status.code() == Some(1), "{status}");
    let micros = |value: libc::timeval| value.tv_sec * 1_000_000 + value.tv_usec;
    // `ru_maxrss` is in kilobytes (getrusage(2)).
    let cpu = micros(usage.ru_utime) + micros(usage.ru_stime);
    println!("{time} {cpu} {} {anonymous}", usage.ru_maxrss * 1024);
    Ok(())
}

/// The largest `RssAnon` of a process (proc_pid_status(5)) until it is done, in bytes; 0 where it was not seen.
fn anonymous_peak(process: u32, done: &AtomicBool) -> u64 {
    let path = format!("/proc/{process}/status");
    let mut peak = 0;
    while !done.load(Ordering::Relaxed) {
        thread::park_timeout(SAMPLE);
        let status = fs::read_to_string(&path).unwrap_or_default();
        let value = status.lines().find_map(|line| line.strip_prefix("RssAnon:")?.split_whitespace().next());
        let kilobytes: u64 = value.and_then(|value| value.parse().ok()).unwrap_or(0);
        peak = peak.max(kilobytes * 1024);
    }
    peak
}

/// Waits for a child and takes its resource usage, which the standard library does not tell.
#[allow(unsafe_code, reason = "wait4(2) has no safe form in the crates we use")]
fn wait(child: &Child) -> std::io::Result<(ExitStatus, libc::rusage)> {
    let pid = libc::pid_t::try_from(child.id()).map_err(std::io::Error::other)?;
    let mut status = 0;
    // SAFETY: `rusage` is plain numbers, for which all zeros is a value.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: both pointers are to live locals of the types that wait4 writes.
    let done = unsafe { libc::wait4(pid, &raw mut status, 0, &raw mut usage) };
    if done == pid { Ok((ExitStatus::from_raw(status), usage)) } else { Err(std::io::Error::last_os_error()) }
}
