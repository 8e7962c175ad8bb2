//! What tests with programs of others share: building and running them, and eBPF objects to look at.
#![allow(dead_code, reason = "each test takes a part of it")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use depsurf::bpf;
use tempfile::TempDir;

/// Files that live as long as the tests.
pub static PLACE: LazyLock<TempDir> = LazyLock::new(|| tempfile::tempdir().expect("a directory can be made"));

pub fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(name)
}

pub fn skip(what: &str, why: &str) {
    println!("SKIPPED: {what}: {why}");
}

/// Runs a program; `None` where it is not installed. Panics with what it said where it fails.
pub fn output(command: &mut Command) -> Option<String> {
    let output = command.output().ok()?;
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}\n{stderr}", output.status);
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Builds `tools/NAME.c`, which links libbpf; where that is not installed, says so.
pub fn build_with_libbpf(name: &str) -> Result<PathBuf, String> {
    let program = PLACE.path().join(name);
    let mut command = Command::new("cc");
    command.arg(source(&format!("tools/{name}.c"))).arg("-o").arg(&program).arg("-lbpf");
    let output = command.output().map_err(|error| format!("cannot run cc: {error}"))?;
    if output.status.success() {
        return Ok(program);
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    // Without libbpf-dev the header or the library is missing; anything else is a fault of the test.
    assert!(stderr.contains("bpf/bpf.h") || stderr.contains("-lbpf"), "{stderr}");
    Err("libbpf-dev is not installed".into())
}

/// The object file of `objects/module.c`; `None` where clang is missing or does not know the machine.
pub fn module(target: &str, options: &[&str]) -> Option<Vec<u8>> {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let path = PLACE.path().join(format!("module.{}.o", COUNT.fetch_add(1, Ordering::Relaxed)));
    let mut command = Command::new("clang");
    command.args(["-target", target, "-O2", "-g", "-ffreestanding", "-fno-pic", "-c"]).args(options);
    command.arg(source("objects/module.c")).arg("-o").arg(&path);
    let output = command.output().ok()?;
    let stderr = String::from_utf8_lossy(&output.stderr);
    if stderr.contains("No available targets") || stderr.contains("unable to create target") {
        return None;
    }
    assert!(output.status.success(), "{stderr}");
    Some(std::fs::read(&path).expect("clang has written it"))
}

/// A file with an object of our own.
pub struct Compiled {
    pub path: PathBuf,
    pub bytes: Vec<u8>,
}

/// Compiles a source for a byte order; `None` where clang or libbpf's headers are missing.
pub fn compile(name: &str, target: &str) -> Option<Compiled> {
    let path = PLACE.path().join(format!("{name}.{target}.{:?}.o", std::thread::current().id()));
    let include = format!("-I/usr/include/{}-linux-gnu", std::env::consts::ARCH);
    let mut command = Command::new("clang");
    command.args(["-target", target, "-O2", "-g", "-mcpu=v3", &include, "-c"]);
    command.arg(source(&format!("objects/{name}.bpf.c"))).arg("-o").arg(&path);
    let output = command.output().ok()?;
    let stderr = String::from_utf8_lossy(&output.stderr);
    if stderr.contains("'bpf/bpf_helpers.h' file not found") {
        return None;
    }
    assert!(output.status.success(), "{stderr}");
    let bytes = std::fs::read(&path).expect("clang has written it");
    Some(Compiled { path, bytes })
}

/// The objects of the installed tools, each once: file, place in it, bytes.
pub fn installed() -> Vec<(PathBuf, usize, Vec<u8>)> {
    let Some(list) = Command::new("dpkg").args(["-L", "libbpf-tools"]).output().ok() else {
        return Vec::new();
    };
    let list = String::from_utf8_lossy(&list.stdout).into_owned();
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for path in list.lines().filter(|line| line.contains("/sbin/")) {
        let Ok(file) = std::fs::read(path) else { continue };
        for range in bpf::scan(&file) {
            let bytes = file[range.clone()].to_vec();
            if seen.insert(bytes.clone()) {
                found.push((path.into(), range.start, bytes));
            }
        }
    }
    found
}
