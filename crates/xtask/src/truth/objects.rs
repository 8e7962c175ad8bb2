//! The eBPF objects that are tried: all that the programs of Debian's `libbpf-tools` carry.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use depsurf::bpf::{self, Object};
use testkit::Endian;
use testkit::bpf::{Insn, Object as Written};

use super::machine;
use crate::packages::{self, Line, ORACLE};

/// Package and version that the objects are taken from.
const PACKAGE: (&str, &str) = ("libbpf-tools", "0.26.0+ds-1");

/// An object, and what it is called.
#[derive(Debug)]
pub struct Carried {
    pub name: String,
    pub bytes: Vec<u8>,
}

/// The objects for an architecture, by name, each once.
pub fn carried(arch: &'static str, directory: &Path) -> Result<Vec<Carried>> {
    let root = directory.join(format!("tools-{arch}"));
    let found = objects_of(&tools(arch, &root)?)?;
    ensure!(!found.is_empty(), "no program of `{}` carries an eBPF object", PACKAGE.0);
    Ok(found)
}

/// The programs of the package for an architecture, which is unpacked into `root`.
pub fn tools(arch: &'static str, root: &Path) -> Result<Vec<PathBuf>> {
    let line = Line { arch, ..ORACLE };
    machine::unpack(&packages::package(&line, PACKAGE.0, PACKAGE.1)?, root)?;
    let mut found = Vec::new();
    for place in ["usr/sbin", "usr/bin"] {
        let Ok(entries) = fs::read_dir(root.join(place)) else { continue };
        let mut paths: Vec<_> = entries.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
        paths.sort();
        found.extend(paths);
    }
    Ok(found)
}

/// The objects in programs, each once.
pub fn objects_of(programs: &[PathBuf]) -> Result<Vec<Carried>> {
    let mut found = Vec::new();
    let mut seen = HashSet::new();
    for path in programs {
        let bytes = fs::read(path).with_context(|| format!("cannot read `{}`", path.display()))?;
        let tool = path.file_name().unwrap_or_default().to_string_lossy();
        for (number, range) in (1..).zip(bpf::scan(&bytes)) {
            let object = bytes[range].to_vec();
            if seen.insert(object.clone()) {
                found.push(Carried { name: format!("{tool}#{number}"), bytes: object });
            }
        }
    }
    Ok(found)
}

/// Number of all programs.
pub fn programs(objects: &[Carried]) -> Result<usize> {
    objects.iter().map(|carried| Ok(Object::parse(&carried.bytes)?.programs().count())).sum()
}

/// The object whose programs the machine's program attaches to whatever is asked.
pub fn probe() -> Vec<u8> {
    let mut object = Written::new(Endian::Little);
    for (section, name) in [("kprobe", "kprobe"), ("kretprobe", "kretprobe"), ("tp", "tp")] {
        object.program(section, name, [Insn::mov(0, 0), Insn::exit()]);
    }
    object.license("GPL");
    object.build()
}
