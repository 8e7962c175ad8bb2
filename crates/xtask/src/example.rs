//! `example`: builds the eBPF program in `example`, which the README's first command checks.

use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::cargo;

/// Compiles the source with clang. The object holds no path of this machine and no debug information but BTF, so that
/// the same compiler gives the same bytes everywhere.
pub fn run() -> Result<()> {
    for (program, package) in [("clang", "clang"), ("llvm-strip", "llvm")] {
        ensure!(
            cargo::exists(program, &["--version"]),
            "`{program}` is not installed; Debian has it in the package `{package}`"
        );
    }
    let (source, object) = ("example/readlat.bpf.c", "example/readlat.bpf.o");
    // Where Debian keeps the headers of the machine's own C library.
    let include = format!("-I/usr/include/{}-linux-gnu", std::env::consts::ARCH);
    let here = "-fdebug-compilation-dir=.";
    let compile = ["-g", "-O2", "-Wall", "-target", "bpf", &include, here, "-c", source, "-o", object];
    succeed(Command::new("clang").args(compile))?;
    succeed(Command::new("llvm-strip").args(["-g", object]))?;
    println!("{object}");
    Ok(())
}

fn succeed(command: &mut Command) -> Result<()> {
    eprintln!("{command:?}");
    let status = command.current_dir(crate::root()).status().context("cannot run it")?;
    ensure!(status.success(), "it ended with {status}; Debian has libbpf's headers in `libbpf-dev`");
    Ok(())
}
