//! The machine that a kernel boots on: compiler of its only program, archive of its files, emulator.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::cargo;
use crate::packages::{self, Line, ORACLE};

/// What an architecture needs.
#[derive(Debug, Clone, Copy)]
pub struct Machine {
    /// Debian architecture.
    pub arch: &'static str,
    /// Rust's word for it.
    rust: &'static str,
    /// GNU triplet, in names of compilers and directories.
    triplet: &'static str,
    emulator: &'static str,
    /// Board and processor. An arm64 one with pointer authentication takes several times as long. With x86's
    /// `cmpxchg16b`, which the kernel's allocator uses where it is there, machines ended in double faults (qemu 7.2).
    board: &'static [&'static str],
    console: &'static str,
    /// Debian packages with the emulator and with the compiler for others.
    packages: [&'static str; 2],
}

const MACHINES: [Machine; 2] = [
    Machine {
        arch: "amd64",
        rust: "x86_64",
        triplet: "x86_64-linux-gnu",
        emulator: "qemu-system-x86_64",
        board: &["-machine", "q35", "-cpu", "qemu64,-cx16"],
        console: "ttyS0",
        packages: ["qemu-system-x86", "gcc-x86-64-linux-gnu"],
    },
    Machine {
        arch: "arm64",
        rust: "aarch64",
        triplet: "aarch64-linux-gnu",
        emulator: "qemu-system-aarch64",
        board: &["-machine", "virt", "-cpu", "cortex-a72"],
        console: "ttyAMA0",
        packages: ["qemu-system-arm", "gcc-aarch64-linux-gnu"],
    },
];

/// Static libraries, in the order of linking, with the Debian package and version that has them for other architectures.
const LIBRARIES: [(&str, &str, &str); 3] = [
    ("libbpf.a", "libbpf-dev", "1:1.1.2-0+deb12u1"),
    ("libelf.a", "libelf-dev", "0.188-2.1"),
    ("libz.a", "zlib1g-dev", "1:1.2.13.dfsg-1"),
];

/// How to boot.
#[derive(Debug, Clone, Copy)]
pub struct Boot<'a> {
    pub kernel: &'a Path,
    pub initramfs: &'a Path,
    /// Where the console goes.
    pub console: &'a Path,
    /// Whether the host's processor runs the machine.
    pub kvm: bool,
    pub patience: Duration,
}

impl Machine {
    /// The machine for a Debian architecture.
    pub fn of(arch: &str) -> Result<Self> {
        let found = MACHINES.into_iter().find(|machine| machine.arch == arch);
        found.with_context(|| format!("no emulated machine for `{arch}` is described in truth/machine.rs"))
    }

    fn is_native(self) -> bool {
        self.rust == std::env::consts::ARCH
    }

    fn compiler(self) -> String {
        if self.is_native() { "cc".into() } else { format!("{}-gcc", self.triplet) }
    }

    /// Says all that is missing here, and which packages have it.
    pub fn check(self, boots: bool) -> Result<()> {
        let mut missing = Vec::new();
        if boots && !cargo::exists(self.emulator, &["--version"]) {
            missing.push(format!("`{}` (Debian package {})", self.emulator, self.packages[0]));
        }
        if boots && !cargo::exists(&self.compiler(), &["--version"]) {
            let package = if self.is_native() { "gcc" } else { self.packages[1] };
            missing.push(format!("`{}` (Debian package {package})", self.compiler()));
        }
        if boots && self.is_native() {
            let absent = LIBRARIES.iter().filter(|(file, ..)| self.system_library(file).is_none());
            missing.extend(absent.map(|(file, package, _)| format!("`{file}` (Debian package {package})")));
        }
        if !cargo::exists("dpkg-deb", &["--version"]) {
            missing.push("`dpkg-deb` (Debian package dpkg)".into());
        }
        ensure!(missing.is_empty(), "to boot {} kernels there must be {}", self.arch, missing.join(", "));
        Ok(())
    }

    /// A static library of the system's own architecture.
    fn system_library(self, file: &str) -> Option<PathBuf> {
        [format!("/usr/lib/{}", self.triplet), "/usr/lib64".into(), "/usr/lib".into()]
            .iter()
            .map(|directory| Path::new(directory).join(file))
            .find(|path| path.is_file())
    }

    /// Builds the machine's only program.
    pub fn build(self, directory: &Path) -> Result<PathBuf> {
        let program = directory.join(format!("init-{}", self.arch));
        let source = crate::root().join("crates/xtask/truth/init.c");
        let mut command = Command::new(self.compiler());
        command.args(["-O2", "-Wall", "-Wextra", "-static", "-o"]).arg(&program);
        let mut libraries = Vec::new();
        if self.is_native() {
            libraries.extend(LIBRARIES.iter().filter_map(|(file, ..)| self.system_library(file)));
        } else {
            let root = directory.join(format!("libraries-{}", self.arch));
            let line = Line { arch: self.arch, ..ORACLE };
            for (file, package, version) in LIBRARIES {
                unpack(&packages::package(&line, package, version)?, &root)?;
                libraries.push(root.join("usr/lib").join(self.triplet).join(file));
            }
            // libbpf's headers only: the others come with the compiler.
            command.arg("-idirafter").arg(root.join("usr/include"));
        }
        command.arg(source).args(libraries);
        let status = command.status().with_context(|| format!("cannot run `{}`", self.compiler()))?;
        ensure!(status.success(), "cannot build `{}`", program.display());
        Ok(program)
    }

    /// Boots, and waits until the machine is off. One that takes too long is ended, which is an error.
    pub fn boot(self, boot: &Boot<'_>) -> Result<Duration> {
        let console = File::create(boot.console)
            .with_context(|| format!("cannot write `{}`", boot.console.display()))?;
        let mut command = Command::new("nice");
        command.args(["-n", "10", self.emulator]).args(self.board);
        if boot.kvm {
            command.args(["-accel", "kvm"]);
            if self.arch == "arm64" {
                command.args(["-cpu", "host"]);
            }
        } else {
            command.args(["-accel", "tcg"]);
        }
        command.arg("-kernel").arg(boot.kernel).arg("-initrd").arg(boot.initramfs);
        // The console is ours: of the kernel's messages only those of its end go there, the others are read by the
        // program.
        let line = format!("console={} panic=-1 loglevel=1 rdinit=/init", self.console);
        command.args(["-append", &line, "-nographic", "-no-reboot", "-nic", "none", "-m", "1G", "-smp", "2"]);
        command.stdin(Stdio::null()).stdout(console);
        let start = Instant::now();
        let mut child = command.spawn().with_context(|| format!("cannot run `{}`", self.emulator))?;
        loop {
            if let Some(status) = child.try_wait()? {
                ensure!(status.success(), "`{}` ended with {status}", self.emulator);
                return Ok(start.elapsed());
            }
            if start.elapsed() > boot.patience {
                child.kill()?;
                child.wait()?;
                let patience = boot.patience.as_secs();
                bail!(
                    "the machine was not off after {patience} s; its console is in `{}` (`--patience` gives it longer)",
                    boot.console.display()
                );
            }
            std::thread::sleep(Duration::from_millis(200));
        }
    }
}

/// Unpacks a package below a directory.
pub fn unpack(package: &Path, directory: &Path) -> Result<()> {
    fs::create_dir_all(directory).with_context(|| format!("cannot create `{}`", directory.display()))?;
    let status = Command::new("dpkg-deb").arg("-x").arg(package).arg(directory).status();
    ensure!(status.context("cannot run dpkg-deb")?.success(), "cannot unpack `{}`", package.display());
    Ok(())
}

/// Takes one file of a package: the first of some patterns that is there.
pub fn member(package: &Path, patterns: &[&str]) -> Result<Vec<u8>> {
    for pattern in patterns {
        let script = r#"dpkg-deb --fsys-tarfile "$1" | tar -xO --wildcards --occurrence=1 "$2" 2>/dev/null"#;
        let output = Command::new("sh").args(["-c", script, "sh"]).arg(package).arg(pattern).output();
        let bytes = output.context("cannot run sh")?.stdout;
        if !bytes.is_empty() {
            return Ok(bytes);
        }
    }
    bail!("`{}` has none of {}", package.display(), patterns.join(", "))
}
