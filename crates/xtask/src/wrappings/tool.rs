//! Programs of distributions that wrap kernels.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// The packages of Debian that have all of them.
pub const PACKAGES: &str = "binutils bzip2 dpkg dwz elfutils gzip lz4 rpm tar xz-utils zstd";

/// Whether a program is there.
pub fn exists(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok()
}

/// Name and version of a program, from the first line it prints about itself.
pub fn version(program: &str) -> String {
    let output = Command::new(program).arg("--version").output();
    let text = output.map(|output| [output.stdout, output.stderr].concat()).unwrap_or_default();
    let text = String::from_utf8_lossy(&text).into_owned();
    let is_number = |word: &str| word.starts_with(|c: char| c.is_ascii_digit()) && word.contains('.');
    let mut words = text.split([' ', '\n', ',', ')', 'v']).map(|word| word.trim_end_matches('.'));
    format!("{program} {}", words.find(|word| is_number(word)).unwrap_or("?"))
}

/// Runs a program, which has to succeed.
pub fn run(command: &mut Command) -> Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().with_context(|| format!("cannot run {name}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{name} failed with {}: {}", output.status, said.trim());
    Ok(())
}

/// Runs a line of shell in a directory, with arguments from `$1` on.
pub fn shell(directory: &Path, line: &str, args: &[&Path]) -> Result<()> {
    let script = format!("set -eu -o pipefail; {line}");
    run(Command::new("bash").args(["-c", &script, "bash"]).args(args).current_dir(directory))
        .with_context(|| format!("`{line}`"))
}

/// How a stream is compressed, quickly: the name that files end in, and the command.
#[derive(Debug, Clone, Copy)]
pub struct Compression {
    pub ending: &'static str,
    pub command: &'static str,
}

/// Those that every tool of today reads.
pub const COMPRESSIONS: [Compression; 5] = [
    Compression { ending: "gz", command: "gzip -1 -c" },
    Compression { ending: "xz", command: "xz -0 -T2 -c" },
    Compression { ending: "zst", command: "zstd -q -1 -T2 -c" },
    Compression { ending: "bz2", command: "bzip2 -1 -c" },
    Compression { ending: "lz4", command: "lz4 -q -1 -c" },
];
