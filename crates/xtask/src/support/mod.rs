//! `support`: every kernel image that Debian's suites have, read one by one, and what became of each.
//!
//! For each image the packages are fetched, `depsurf add` is run as a user would run it, measured, and the packages are removed:
//! once for the debug package, once for the package with the bootable image alone, whose surface is compared with the first.
//! The surfaces and the figures stay below `target/support`, so that a run that is cut goes on where it was, and the document
//! can be written again without another run.

mod count;
mod explain;
mod images;
mod report;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use depsurf::kernel::Arch;
use depsurf::progress::Silent;
use depsurf::store::Dataset;
use depsurf::surface::Surface;
use serde::{Deserialize, Serialize};

use crate::packages::{self, Released};
use crate::{bench, cargo};

/// The suites, with the series of kernels that is told of each.
const SUITES: [(&str, &str); 6] = [
    ("bullseye", "5.10"),
    ("bookworm", "6.1"),
    ("trixie", "6.12"),
    ("forky", "7.2"),
    ("sid", "7.2"),
    ("trixie-backports", "7.3"),
];

/// Suites whose kernels of the same series are read where those of another suite, the second, are gone from the mirror.
const STAND_INS: [(&str, &str, &str); 1] = [("bookworm-backports", "trixie", "6.12")];

/// The most memory that reading an image may take, in bytes.
const MOST_MEMORY: u64 = 1_000_000_000;

/// What to read.
#[derive(Debug, Parser)]
pub struct Args {
    /// Only images whose suite, architecture or release is one of these
    #[arg(value_name = "WORD")]
    pub words: Vec<String>,
    /// Read images again that were read before
    #[arg(long)]
    pub again: bool,
    /// Write the document from what was read, and read nothing
    #[arg(long)]
    pub report: bool,
}

/// What is kept of the reading of an image.
#[derive(Debug, Serialize, Deserialize)]
pub struct Row {
    /// Debian suite.
    pub suite: String,
    /// Debian architecture.
    pub arch: String,
    /// `uname -r`.
    pub release: String,
    /// Package version.
    pub version: String,
    /// How the debug package was read.
    #[serde(flatten)]
    pub debug: Reading,
    /// How the package with the bootable image was read.
    pub image: Option<Reading>,
}

/// How a package was read.
#[derive(Debug, Serialize, Deserialize)]
pub struct Reading {
    /// Bytes of the package.
    pub package: u64,
    /// Wall-clock time in milliseconds.
    pub time: u64,
    /// Time on all processors in milliseconds.
    pub cpu: u64,
    /// Largest resident set in bytes.
    pub peak: u64,
    /// What `depsurf add` said when it failed.
    pub error: Option<String>,
}

/// Reads what was not read yet and writes `docs/support.md`.
pub fn run(args: &Args) -> Result<()> {
    let place = crate::target().join("support");
    fs::create_dir_all(&place).with_context(|| format!("cannot create `{}`", place.display()))?;
    let (mut wanted, mut unlisted) = (Vec::new(), Vec::new());
    for (suite, series) in SUITES {
        for arch in Arch::ALL {
            match packages::released(suite, series, arch.name()) {
                Ok(found) => wanted.extend(found),
                // A mirror may be between two states, and have an index that is not the one it is signed with.
                Err(error) => {
                    eprintln!("{suite} for {}: {error:#}", arch.name());
                    unlisted.push(format!("{suite} for {}", arch.name()));
                }
            }
        }
    }
    if !args.report {
        cargo::run(&["build", "--release", "--package", "depsurf-cli"])?;
        read_all(&wanted, args, &place);
    }
    let (mut done, mut missing) = (Vec::new(), Vec::new());
    for image in &wanted {
        match kept(image, &place)? {
            Some(row) => done.push(row),
            None => missing.push(image),
        }
    }
    let instead = stand_ins(&missing)?;
    if !args.report {
        read_all(&instead, args, &place);
    }
    for image in &instead {
        done.extend(kept(image, &place)?);
    }
    let text = report::document(&done, &missing, &unlisted)?;
    let path = crate::root().join("docs/support.md");
    fs::write(&path, text).with_context(|| format!("cannot write `{}`", path.display()))?;
    println!("{} images of {} read; wrote {}", done.len(), wanted.len(), path.display());
    let heavy: Vec<_> = done.iter().filter(|read| read.row.debug.peak >= MOST_MEMORY).collect();
    let heavy: Vec<_> = heavy.iter().map(|read| read.row.release.as_str()).collect();
    ensure!(
        heavy.is_empty(),
        "images that took more than {MOST_MEMORY} bytes of memory: {}",
        heavy.join(", ")
    );
    let failed = done.iter().filter(|read| read.row.debug.error.is_some()).count();
    ensure!(failed == 0, "{failed} images could not be read");
    let unexplained = report::unexplained(&done);
    ensure!(unexplained.is_empty(), "figures out of line that nothing explains: {}", unexplained.join(", "));
    let wrong = images::wrong(&done);
    ensure!(wrong.is_empty(), "bootable images that tell something else: {}", wrong.join(", "));
    Ok(())
}

/// Reads images. One that cannot be had is told as not read, and the next run takes it up.
fn read_all(images: &[Released], args: &Args, place: &Path) {
    for image in images.iter().filter(|image| args.wants(image)) {
        if let Err(error) = read(image, place, args.again) {
            eprintln!("{} {}: {error:#}", image.suite, image.release);
        }
    }
}

/// Kernels of other suites in the place of those that are missing.
fn stand_ins(missing: &[&Released]) -> Result<Vec<Released>> {
    let mut found = Vec::new();
    for image in missing {
        for (suite, _, series) in STAND_INS.iter().filter(|(_, of, _)| *of == image.suite) {
            let others = packages::released(suite, series, image.arch)?;
            found.extend(others.into_iter().filter(|other| other.flavour == image.flavour));
        }
    }
    Ok(found)
}

impl Args {
    fn wants(&self, image: &Released) -> bool {
        let is_of = |word: &String| {
            word == table_of(image.suite) || word == image.arch || image.release.starts_with(word.as_str())
        };
        self.words.is_empty() || self.words.iter().any(is_of)
    }
}

/// The suite in whose table an image of a suite is.
fn table_of(suite: &str) -> &str {
    STAND_INS.iter().find(|(other, ..)| *other == suite).map_or(suite, |(_, of, _)| of)
}

/// A kernel as it was read.
pub struct Read {
    pub row: Row,
    /// What its debug package gave, unless reading failed.
    pub surface: Option<Surface>,
    /// What its bootable image gave, unless reading failed.
    pub image: Option<Surface>,
}

impl Read {
    fn is_of(&self, suite: &str) -> bool {
        table_of(&self.row.suite) == suite
    }
}

/// Directories of the datasets below [`home`], of the debug package and of the bootable image.
const DATASETS: [&str; 2] = ["dataset", "image"];

/// The directory of what is kept of an image.
fn home(image: &Released, place: &Path) -> PathBuf {
    place.join(format!("{}-{}", image.suite, image.release))
}

/// The figures of an image that was read before.
fn row(home: &Path) -> Result<Option<Row>> {
    let Ok(text) = fs::read_to_string(home.join("row.json")) else { return Ok(None) };
    Ok(Some(serde_json::from_str(&text).with_context(|| format!("`{}`", home.display()))?))
}

/// What was read of an image before.
fn kept(image: &Released, place: &Path) -> Result<Option<Read>> {
    let home = home(image, place);
    let Some(row) = row(&home)? else { return Ok(None) };
    let surface = |name: &str, reading: Option<&Reading>| -> Result<Option<Surface>> {
        if reading.is_none_or(|reading| reading.error.is_some()) {
            return Ok(None);
        }
        Ok(Dataset::open(home.join(name))?.surfaces(|_| true, &Silent)?.surfaces.pop())
    };
    let [debug, boot] = DATASETS;
    let (surface, image) = (surface(debug, Some(&row.debug))?, surface(boot, row.image.as_ref())?);
    Ok(Some(Read { row, surface, image }))
}

/// Reads what was not read before.
fn read(image: &Released, place: &Path, again: bool) -> Result<()> {
    let home = home(image, place);
    let [debug, boot] = DATASETS.map(|name| home.join(name));
    let mut row = match row(&home)? {
        Some(row) if !again && row.debug.error.is_none() => row,
        _ => {
            let packages = image.fetch()?;
            let reading = add(&debug, &packages.paths)?;
            packages.remove()?;
            Row {
                suite: image.suite.into(),
                arch: image.arch.into(),
                release: image.release.clone(),
                version: image.version.clone(),
                debug: reading,
                image: None,
            }
        }
    };
    let keep = |row: &Row| {
        fs::write(home.join("row.json"), serde_json::to_string_pretty(row)?)
            .with_context(|| format!("cannot write to `{}`", home.display()))
    };
    keep(&row)?;
    if row.image.as_ref().is_none_or(|reading| reading.error.is_some()) {
        let packages = image.fetch_image()?;
        row.image = Some(add(&boot, &packages.paths)?);
        packages.remove()?;
        keep(&row)?;
    }
    for reading in [Some(&row.debug), row.image.as_ref()].into_iter().flatten() {
        let (seconds, peak) = (reading.time as f64 / 1e3, reading.peak / 1_000_000);
        let error = reading.error.as_deref().map(|error| format!(", {error}")).unwrap_or_default();
        println!("{} {}: {seconds:.1} s, {peak} MB{error}", image.suite, image.release);
    }
    Ok(())
}

/// Adds packages, of which the first has the kernel, to a dataset of their own.
fn add(dataset: &Path, paths: &[PathBuf]) -> Result<Reading> {
    if let Err(error) = fs::remove_dir_all(dataset)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        return Err(error).with_context(|| format!("cannot remove `{}`", dataset.display()));
    }
    fs::create_dir_all(dataset).with_context(|| format!("cannot create `{}`", dataset.display()))?;
    let command = || {
        let mut command = Command::new(crate::target().join("release/depsurf"));
        command.arg("--dataset").arg(dataset).arg("add").args(paths);
        command
    };
    let package = fs::metadata(&paths[0]).map_or(0, |meta| meta.len());
    Ok(match bench::once(&command(), &[]) {
        Ok(run) => Reading {
            package,
            time: run.time.as_millis() as u64,
            cpu: run.cpu.as_millis() as u64,
            peak: run.peak,
            error: None,
        },
        Err(_) => {
            let output = command().output().context("cannot run depsurf")?;
            let error = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            ensure!(!output.status.success() && !error.is_empty(), "depsurf ended early and then it did not");
            Reading { package, time: 0, cpu: 0, peak: 0, error: Some(error) }
        }
    })
}
