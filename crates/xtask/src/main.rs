//! Chores of the workspace: `cargo xtask VERB`. One file per verb; each prints what it does.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a tool for the terminal of a developer")]

mod bench;
mod cargo;
mod ci;
mod dataset;
mod duckdb;
mod example;
mod fuzz;
mod house;
mod kernels;
mod lint;
mod method;
mod oracle;
mod packages;
mod renames;
mod sarif;
mod starter;
mod support;
mod test;
mod truth;
mod wrappings;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;

/// Chores of the depsurf workspace.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", max_term_width = 100)]
enum Verb {
    /// Run all tests, with the kernels and golden data that are at hand
    Test(test::Args),
    /// Check the format, clippy and the rules of the house
    Lint,
    /// Compare what we read from a kernel with what others read from it
    Oracle(oracle::Args),
    /// Measure time and memory of the release program on real kernels
    Bench(bench::Args),
    /// Run a command and print its time and peak memory; what `bench` starts its commands with
    #[command(hide = true)]
    Weigh {
        /// Exit status 1 is no failure
        #[arg(long)]
        judging: bool,
        #[arg(required = true, last = true)]
        command: Vec<std::ffi::OsString>,
    },
    /// Fetch the kernel packages that the other chores read, and print where they are
    Packages,
    /// The original's verdicts beside the kernel's own checks, into docs/method.md
    Method,
    /// Build the eBPF program in `example` with clang
    Example,
    /// Build the starter dataset from Debian's packages
    Starter,
    /// Make a dataset of eight Debian kernels: four versions, three architectures, three flavours
    Dataset(dataset::Args),
    /// Measure recall and precision of the proposed renames on real kernels
    Renames(renames::Args),
    /// Boot kernels and compare what attaches with what is predicted
    Truth(truth::Args),
    /// Read every Debian kernel image of five suites and nine architectures, into docs/support.md
    Support(support::Args),
    /// Wrap one kernel in everything kernels come in, and compare what is read, into docs/wrappings.md
    Wrappings(wrappings::Args),
    /// Run the fuzz targets, one after the other
    Fuzz(fuzz::Args),
    /// What the continuous integration runs: lint, then test
    Ci,
}

fn main() -> ExitCode {
    let result = match Verb::parse() {
        Verb::Test(args) => test::run(&args),
        Verb::Lint => lint::run(),
        Verb::Oracle(args) => oracle::run(&args),
        Verb::Bench(args) => bench::run(&args),
        Verb::Weigh { judging, command } => bench::weigh(&command, judging),
        Verb::Packages => packages::run(),
        Verb::Method => method::run(),
        Verb::Example => example::run(),
        Verb::Starter => starter::run(),
        Verb::Dataset(args) => dataset::run(&args),
        Verb::Renames(args) => renames::run(&args),
        Verb::Truth(args) => truth::run(&args),
        Verb::Support(args) => support::run(&args),
        Verb::Wrappings(args) => wrappings::run(&args),
        Verb::Fuzz(args) => fuzz::run(&args),
        Verb::Ci => ci::run(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The workspace's directory.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("the crate is two levels below the root")
}

/// Cargo's target directory.
fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}
