//! Runs programs of the toolchain in the workspace.

use std::process::Command;

use anyhow::{Context, Result, bail};

/// A cargo command in the workspace.
pub fn cargo(args: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(crate::root()).args(args);
    command
}

/// Prints a command as one would type it.
pub fn announce(command: &Command) {
    let words = std::iter::once("cargo".into()).chain(command.get_args().map(|word| word.to_string_lossy()));
    eprintln!("$ {}", words.collect::<Vec<_>>().join(" "));
}

/// Announces and runs a cargo command.
pub fn run(args: &[&str]) -> Result<()> {
    let mut command = cargo(args);
    announce(&command);
    let status = command.status().context("cannot run cargo")?;
    if !status.success() {
        bail!("`cargo {}` failed", args.join(" "));
    }
    Ok(())
}

/// Whether a program answers to `--version`.
pub fn exists(program: &str, args: &[&str]) -> bool {
    Command::new(program).args(args).output().is_ok_and(|output| output.status.success())
}
