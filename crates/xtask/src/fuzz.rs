//! `fuzz`: builds the fuzz targets, gives them their seeds, and runs them one after the other.
//!
//! `cargo-fuzz` is installed when it is missing. It needs options of the compiler that are not stable, which
//! `RUSTC_BOOTSTRAP` lets the installed toolchain take. What the inputs mean is told in each target's module in
//! `fuzz/src`; what was found so far, in docs/fuzz.md.

use std::fmt;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use clap::{Parser, ValueEnum};

use crate::cargo;

/// What to run.
#[derive(Debug, Parser)]
pub struct Args {
    /// Targets to run; all when none is given
    #[arg(value_name = "TARGET")]
    pub targets: Vec<Target>,
    /// How long to run each target
    #[arg(long, default_value_t = 5)]
    pub minutes: u64,
    /// Watch memory as well. Slower, and worth it after a change to `unsafe` code or to C libraries
    #[arg(long)]
    pub address_sanitizer: bool,
}

/// A fuzz target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Target {
    /// ELF files, down to a surface
    Image,
    /// Debug sections, down to types and functions
    Dwarf,
    /// BTF and split BTF, to types and back
    Btf,
    /// Debian packages, down to the vmlinux
    Package,
    /// RPM packages, tar archives, compressed files, down to the vmlinux
    Wrapping,
    /// Bootable images and bare BTF, down to a surface
    Boot,
    /// A vmlinux in two files, down to a surface
    Halves,
    /// What a running kernel tells, down to a surface
    Live,
    /// Surface files and packed surfaces
    Store,
    /// Files of DepSurf's dataset, down to a surface and back
    Import,
    /// The index of names
    Names,
    /// eBPF objects
    Object,
    /// Files with eBPF objects in them
    Scan,
    /// Scripts of bpftrace and BCC, and side files
    Script,
}

impl Target {
    fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().into())
    }

    /// Longest input in bytes. Lists of patches are short, so this leaves room for whole files.
    fn longest(self) -> usize {
        match self {
            Self::Image
            | Self::Package
            | Self::Wrapping
            | Self::Boot
            | Self::Halves
            | Self::Live
            | Self::Store
            | Self::Import
            | Self::Names => 64 << 10,
            Self::Dwarf | Self::Btf | Self::Object | Self::Scan | Self::Script => 4 << 10,
        }
    }
}

/// What a run came to.
#[derive(Debug, Default, PartialEq, Eq)]
struct Outcome {
    executions: u64,
    /// Features of the coverage: edges, and how often they were taken.
    features: u64,
    edges: u64,
    peak_megabytes: u64,
    /// Inputs that crashed, hung or took too much memory.
    findings: Vec<String>,
}

/// Runs the targets; fails when one of them finds something.
pub fn run(args: &Args) -> Result<()> {
    if !cargo::exists("cargo-fuzz", &["--version"]) {
        cargo::run(&["install", "cargo-fuzz", "--locked"])?;
    }
    let targets = if args.targets.is_empty() { Target::value_variants() } else { &args.targets };
    let sanitizer = if args.address_sanitizer { "address" } else { "none" };
    let mut lines = Vec::new();
    let mut found = false;
    for &target in targets {
        let started = Instant::now();
        let outcome = fuzz(target, args.minutes * 60, sanitizer)?;
        found |= !outcome.findings.is_empty();
        lines.push(format!("{:<8} {:>5} s  {outcome}", target.name(), started.elapsed().as_secs()));
    }
    println!("\n{}", lines.join("\n"));
    ensure!(
        !found,
        "found something: run the input again with `cargo fuzz run --sanitizer none TARGET INPUT`"
    );
    Ok(())
}

fn fuzz(target: Target, seconds: u64, sanitizer: &str) -> Result<Outcome> {
    let name = target.name();
    let build = cargo_fuzz(&["build", "--sanitizer", sanitizer, &name]);
    succeed(build)?;
    let corpus = directory("corpus", &name)?;
    let mut command = cargo_fuzz(&["run", "--sanitizer", sanitizer, &name]);
    command.arg(&corpus).arg("--").args([
        format!("-max_total_time={seconds}"),
        format!("-max_len={}", target.longest()),
        "-rss_limit_mb=1024".into(),
        "-timeout=10".into(),
        "-print_final_stats=1".into(),
    ]);
    command.env("DEPSURF_FUZZ_SEEDS", &corpus).stderr(Stdio::piped());
    cargo::announce(&command);
    let mut child = command.spawn().context("cannot run cargo fuzz")?;
    let mut outcome = Outcome::default();
    for line in BufReader::new(child.stderr.take().context("cargo fuzz has no output")?).lines() {
        let line = line.context("cannot read the output of cargo fuzz")?;
        // New inputs are thousands of lines; the pulse tells enough.
        if !line.starts_with('#') || ["INITED", "pulse", "DONE"].iter().any(|word| line.contains(word)) {
            println!("{line}");
        }
        outcome.add(&line);
    }
    let status = child.wait().context("cannot wait for cargo fuzz")?;
    if !status.success() && outcome.findings.is_empty() {
        bail!("target `{name}` ended with {status}");
    }
    Ok(outcome)
}

fn cargo_fuzz(args: &[&str]) -> Command {
    let mut command = cargo::cargo(&["fuzz"]);
    command.args(args).env("RUSTC_BOOTSTRAP", "1");
    command
}

fn succeed(mut command: Command) -> Result<()> {
    cargo::announce(&command);
    let status = command.status().context("cannot run cargo fuzz")?;
    ensure!(status.success(), "cargo fuzz ended with {status}");
    Ok(())
}

/// A directory of a target in `fuzz`, which git ignores.
fn directory(kind: &str, target: &str) -> Result<PathBuf> {
    let path = crate::root().join(Path::new("fuzz").join(kind).join(target));
    std::fs::create_dir_all(&path).with_context(|| format!("cannot make `{}`", path.display()))?;
    Ok(path)
}

impl Outcome {
    /// Takes what a line of libFuzzer tells:
    /// `#4096 pulse  cov: 3014 ft: 9220 corp: 512/20Kb exec/s: 1365 rss: 98Mb`.
    fn add(&mut self, line: &str) {
        if let Some(path) = line.split("Test unit written to ").nth(1) {
            self.findings.push(path.trim().into());
        }
        let number = |text: &str| text.trim().parse().ok();
        if let Some(count) = line.strip_prefix("stat::number_of_executed_units:").and_then(number) {
            self.executions = count;
        }
        if let Some(megabytes) = line.strip_prefix("stat::peak_rss_mb:").and_then(number) {
            self.peak_megabytes = megabytes;
        }
        let Some(rest) = line.strip_prefix('#') else { return };
        let mut words = rest.split_whitespace();
        self.executions = words.next().and_then(number).unwrap_or(self.executions);
        while let Some(word) = words.next() {
            match word {
                "cov:" => self.edges = words.next().and_then(number).unwrap_or(self.edges),
                "ft:" => self.features = words.next().and_then(number).unwrap_or(self.features),
                _ => {}
            }
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { executions, features, edges, peak_megabytes, findings } = self;
        write!(
            f,
            "{executions:>9} executions  {edges:>6} edges  {features:>6} features  {peak_megabytes:>5} MB"
        )?;
        findings.iter().try_for_each(|path| write!(f, "\n  found: {path}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_of_each_kind_counts() {
        let mut outcome = Outcome::default();
        for line in [
            "INFO: Seed: 123",
            "#2\tINITED cov: 300 ft: 400 corp: 1/1b exec/s: 0 rss: 44Mb",
            "#4096\tpulse  cov: 3014 ft: 9220 corp: 512/20Kb lim: 4096 exec/s: 1365 rss: 98Mb",
            "artifact_prefix='fuzz/artifacts/btf/'; Test unit written to fuzz/artifacts/btf/crash-0a",
            "stat::number_of_executed_units: 5000",
            "stat::peak_rss_mb:              120",
        ] {
            outcome.add(line);
        }
        let expected = Outcome {
            executions: 5000,
            features: 9220,
            edges: 3014,
            peak_megabytes: 120,
            findings: vec!["fuzz/artifacts/btf/crash-0a".into()],
        };
        assert_eq!(outcome, expected);
    }
}
