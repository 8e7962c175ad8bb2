//! Runs the real binary in an environment of its own.

#![allow(dead_code, reason = "every test file uses its own part")]

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use depsurf::store::Dataset;
use depsurf::surface::build::Parts;
use depsurf::surface::{Evidence, Fact, Meta, Surface, record};
use tempfile::TempDir;

pub const A: &str = "5.10.223-32-cloud-amd64";
pub const B: &str = "6.1.176-50-cloud-amd64";

/// A home directory without anything in it.
pub struct Home {
    directory: TempDir,
}

impl Home {
    pub fn new() -> Self {
        Self { directory: TempDir::new().unwrap() }
    }

    /// A home whose default dataset has the kernels [`A`] and [`B`].
    pub fn with_dataset() -> Self {
        let home = Self::new();
        let dataset = Dataset::create(home.dataset()).unwrap();
        for name in [A, B] {
            dataset.add(&surface(name)).unwrap();
        }
        home
    }

    /// A home whose default dataset has the given kernels, each of a distribution.
    pub fn with_kernels(kernels: &[(&str, &str)]) -> Self {
        let home = Self::new();
        let dataset = Dataset::create(home.dataset()).unwrap();
        for (name, distribution) in kernels {
            let surface = surface_with(name, |meta| {
                meta.distribution = Some((*distribution).to_owned());
                meta.uname = None;
            });
            dataset.add(&surface).unwrap();
        }
        home
    }

    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Where the default dataset is.
    pub fn dataset(&self) -> PathBuf {
        self.path().join(".local/share/depsurf")
    }

    pub fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_depsurf"));
        command.env_clear().env("HOME", self.path()).current_dir(self.path()).stdin(Stdio::null());
        command
    }

    pub fn run(&self, arguments: &[impl AsRef<OsStr>]) -> Ran {
        self.command().args(arguments).output().unwrap().into()
    }
}

/// What a run gave.
#[derive(Debug)]
pub struct Ran {
    pub status: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            status: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Ran {
    /// Standard output of a run that went well and said nothing else.
    #[track_caller]
    pub fn fine(self) -> String {
        assert_eq!((self.status, self.stderr.as_str()), (Some(0), ""), "{self:?}");
        self.stdout
    }

    /// A run that was refused for its arguments.
    #[track_caller]
    pub fn failed_usage(self) {
        assert_eq!(self.status, Some(2), "{self:?}");
        assert!(self.stderr.contains("Usage:") || self.stderr.contains("--help"), "{self:?}");
    }

    /// Standard error of a run that could not do it.
    #[track_caller]
    pub fn failed(self) -> String {
        assert_eq!(self.status, Some(2), "{self:?}");
        assert!(self.stderr.starts_with("error: "), "{self:?}");
        self.stderr
    }
}

/// A surface with a few facts in it.
pub fn surface(name: &str) -> Surface {
    surface_with(name, |_| {})
}

/// The same, with another identity.
pub fn surface_with(name: &str, change: impl FnOnce(&mut Meta)) -> Surface {
    let mut meta = Meta {
        kernel: name.parse().unwrap(),
        uname: Some("6.1.0-50-cloud-amd64".into()),
        banner: None,
        build_id: None,
        compiler: Some("GCC: (Debian 12.2.0-14+deb12u1) 12.2.0".into()),
        distribution: None,
        package: None,
        big_endian: false,
        address_size: 8,
        base_address: 0,
        btf_types: 1,
        imported: None,
        fetched: None,
        evidence: [
            (Fact::Functions, Evidence::known(".debug_info")),
            (Fact::Config, Evidence::unknown("no config was given")),
        ]
        .into(),
    };
    change(&mut meta);
    let mut parts = Parts::new(meta);
    for name in ["vfs_read", "vfs_write"] {
        let name = parts.strings.intern(name.as_bytes());
        parts.functions.push(record::Function {
            name: name.0.into(),
            first_instance: 0.into(),
            first_symbol: 0.into(),
            btf_func: record::NONE.into(),
        });
    }
    let mut notes = depsurf::note::Notes::new();
    notes.lost("dwarf-odd", || "an odd DIE was passed over".into(), || "DIE 0x17".into());
    parts.notes = notes.into_vec();
    Surface::from_bytes(parts.encode()).unwrap()
}
