//! `test`: all tests of the workspace, and a loud word about each that could not be made.
//!
//! Tests that need something from outside take its place from the environment and print a line that
//! starts with `SKIPPED:` where it is not set:
//!
//! | variable | what |
//! |---|---|
//! | `DEPSURF_SHARED` | directory with `golden/`: data of the original |
//! | `DEPSURF_VMLINUX` | vmlinux of Debian's 6.1 cloud kernel for amd64 |
//! | `DEPSURF_DUCKDB` | a Python that has the package `duckdb` |
//! | `DEPSURF_SARIF_SCHEMA` | the JSON Schema of SARIF 2.1.0 |
//!
//! This verb looks for them, fetching the kernel where the system's apt knows it, DuckDB where pip does and the schema where
//! cargo does, runs cargo's tests with all features, those that need a program without them, and gathers those lines. A comparison
//! of the kernel's bootable image with its vmlinux ([`boot`]) is one test more.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use clap::Parser;

use crate::oracle::boot;
use crate::packages::{self, Unavailable};
use crate::{cargo, duckdb, sarif};

/// The comparison that is no test of cargo's.
const BOOTABLE: &str = "a bootable image against its vmlinux";

/// What to run.
#[derive(Debug, Parser)]
pub struct Args {
    /// Fail when the kernel that tests compare with cannot be fetched
    #[arg(long)]
    pub require_kernel: bool,
    /// Only tests whose name contains one of these
    pub filter: Vec<String>,
}

/// Runs the tests.
pub fn run(args: &Args) -> Result<()> {
    let mut skipped = Vec::new();
    let mut environment = Vec::new();
    match duckdb::python() {
        Ok(path) => environment.push(("DEPSURF_DUCKDB", path)),
        Err(reason) => skipped.push(format!("the queries of docs/parquet.md: {reason}")),
    }
    match sarif::schema() {
        Ok(path) => environment.push(("DEPSURF_SARIF_SCHEMA", path)),
        Err(reason) => skipped.push(format!("SARIF against its JSON Schema: {reason}")),
    }
    match shared() {
        Ok(path) => environment.push(("DEPSURF_SHARED", path)),
        Err(reason) => skipped.push(format!("comparisons with golden data: {reason}")),
    }
    let mut bootable = None;
    match kernel() {
        Ok(path) => {
            match image() {
                Ok(image) => bootable = Some((path.clone(), image)),
                Err(error) => skipped.push(format!("{BOOTABLE}: {error:#}")),
            }
            environment.push(("DEPSURF_VMLINUX", path));
        }
        Err(Unavailable::Here(reason)) => skipped.push(format!("comparisons on a real kernel: {reason}")),
        Err(Unavailable::Failed(error)) if args.require_kernel => {
            return Err(error.context("cannot get the kernel that tests compare with"));
        }
        Err(Unavailable::Failed(error)) => skipped.push(format!("comparisons on a real kernel: {error:#}")),
    }

    let mut totals = Totals::default();
    let all: &[&str] = &["--workspace", "--all-features"];
    // What a program without features says.
    let plain: &[&str] = &["--package", "depsurf-cli", "--test", "parquet"];
    let mut passed = true;
    for what in [all, plain] {
        let mut command = cargo::cargo(&["test", "--no-fail-fast"]);
        command.args(what).args(["--", "--show-output"]).args(&args.filter);
        command.envs(environment.iter().map(|(name, value)| (name, value)));
        passed &= tests(command, &mut totals, &mut skipped)?;
    }
    if let Some((vmlinux, image)) = bootable
        && (args.filter.is_empty() || args.filter.iter().any(|word| BOOTABLE.contains(word.as_str())))
    {
        let is_same = boot::check(&vmlinux, &image)?;
        println!("test {BOOTABLE} ... {}", if is_same { "ok" } else { "FAILED" });
        *if is_same { &mut totals.passed } else { &mut totals.failed } += 1;
        passed &= is_same;
    }
    loudly(&skipped);
    println!(
        "all tests: {} passed, {} failed, {} ignored, {} skipped",
        totals.passed,
        totals.failed,
        totals.ignored,
        skipped.len()
    );
    if !passed {
        bail!("tests failed");
    }
    Ok(())
}

/// Runs tests, shows what they print, and gathers what they say; gives whether all passed.
fn tests(mut command: Command, totals: &mut Totals, skipped: &mut Vec<String>) -> Result<bool> {
    cargo::announce(&command);
    let mut child = command.stdout(Stdio::piped()).spawn().context("cannot run cargo")?;
    let stdout = child.stdout.take().context("cargo has no output")?;
    for line in BufReader::new(stdout).lines() {
        let line = line.context("cannot read cargo's output")?;
        println!("{line}");
        if let Some(what) = line.strip_prefix("SKIPPED:") {
            skipped.push(what.trim().to_owned());
        }
        totals.add(&line);
    }
    Ok(child.wait().context("cannot wait for cargo")?.success())
}

/// Prints what was not tested, so that nobody overlooks it.
pub fn loudly(skipped: &[String]) {
    if skipped.is_empty() {
        return;
    }
    println!("\n================ NOT TESTED ================");
    for what in skipped {
        println!("  SKIPPED: {what}");
    }
    println!("============================================\n");
}

/// The directory with golden data.
pub fn shared() -> Result<PathBuf, String> {
    let path =
        std::env::var_os("DEPSURF_SHARED").map_or_else(|| crate::root().join("../shared"), PathBuf::from);
    if path.join("golden").is_dir() {
        return path.canonicalize().map_err(|error| error.to_string());
    }
    Err("there is no `../shared/golden` beside the workspace; DEPSURF_SHARED may name the directory".into())
}

/// The vmlinux that tests compare with.
fn kernel() -> Result<PathBuf, Unavailable> {
    if let Some(path) = std::env::var_os("DEPSURF_VMLINUX") {
        return Ok(path.into());
    }
    if !cargo::exists("bpftool", &["version"]) {
        return Err(Unavailable::Here("bpftool, which they compare with, is not installed".into()));
    }
    packages::vmlinux(&packages::ORACLE)
}

/// The package with the bootable image of that kernel.
fn image() -> Result<PathBuf> {
    let line = packages::ORACLE;
    let name = line.package();
    let name = name.strip_suffix("-dbg").unwrap_or(&name);
    Ok(packages::package(&line, name, line.version)?)
}

#[derive(Default)]
struct Totals {
    passed: u64,
    failed: u64,
    ignored: u64,
}

impl Totals {
    /// Adds a closing line of cargo: `test result: ok. 3 passed; 0 failed; 1 ignored; ...`.
    fn add(&mut self, line: &str) {
        let Some(rest) = line.strip_prefix("test result: ") else { return };
        for part in rest.split([';', '.']) {
            let mut words = part.split_whitespace();
            let (Some(count), Some(what)) =
                (words.next().and_then(|word| word.parse::<u64>().ok()), words.next())
            else {
                continue;
            };
            match what {
                "passed" => self.passed += count,
                "failed" => self.failed += count,
                "ignored" => self.ignored += count,
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_lines_are_summed() {
        let mut totals = Totals::default();
        totals.add(
            "test result: ok. 10 passed; 0 failed; 2 ignored; 0 measured; 34 filtered out; finished in 0.02s",
        );
        totals.add("test result: FAILED. 1 passed; 3 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.50s");
        totals.add("running 3 tests");
        assert_eq!((totals.passed, totals.failed, totals.ignored), (11, 3, 2));
    }
}
