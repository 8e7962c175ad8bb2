//! `support`: every kernel image that Debian's suites have, read one by one, and what became of each.
//!
//! For each image the packages are fetched, `depsurf add` is run as a user would run it, measured, and the packages are removed.
//! The surface and the figures stay below `target/support`, so that a run that is cut goes on where it was, and the document
//! can be written again without another run.

mod count;
mod explain;
mod report;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use clap::Parser;
use depsurf::kernel::Arch;
use depsurf::progress::Silent;
use depsurf::store::Dataset;
use depsurf::surface::Surface;
use serde::{Deserialize, Serialize};

use crate::packages::{self, Released};
use crate::{bench, cargo};

/// The suites, with the series of kernels that is told of each.
const SUITES: [(&str, &str); 5] =
    [("bullseye", "5.10"), ("bookworm", "6.1"), ("trixie", "6.12"), ("forky", "7.2"), ("sid", "7.2")];

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
    /// Bytes of the debug package.
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
    let mut wanted = Vec::new();
    for (suite, series) in SUITES {
        for arch in Arch::ALL {
            let found = packages::released(suite, series, arch.name());
            wanted.extend(found.with_context(|| format!("{suite} for {}", arch.name()))?);
        }
    }
    if !args.report {
        cargo::run(&["build", "--release", "--package", "depsurf-cli"])?;
        for image in wanted.iter().filter(|image| args.wants(image)) {
            // A mirror may be between two states; the image is told as not read, and the next run takes it up.
            if let Err(error) = read(image, &place, args.again) {
                eprintln!("{} {}: {error:#}", image.suite, image.release);
            }
        }
    }
    let (mut done, mut missing) = (Vec::new(), Vec::new());
    for image in &wanted {
        match kept(image, &place)? {
            Some(row) => done.push(row),
            None => missing.push(image),
        }
    }
    let text = report::document(&done, &missing)?;
    let path = crate::root().join("docs/support.md");
    fs::write(&path, text).with_context(|| format!("cannot write `{}`", path.display()))?;
    println!("{} images of {} read; wrote {}", done.len(), wanted.len(), path.display());
    let failed = done.iter().filter(|(row, _)| row.error.is_some()).count();
    ensure!(failed == 0, "{failed} images could not be read");
    let unexplained = report::unexplained(&done);
    if !unexplained.is_empty() {
        bail!("figures out of line that nothing explains: {}", unexplained.join(", "));
    }
    Ok(())
}

impl Args {
    fn wants(&self, image: &Released) -> bool {
        let is_of = |word: &String| {
            word == image.suite || word == image.arch || image.release.starts_with(word.as_str())
        };
        self.words.is_empty() || self.words.iter().any(is_of)
    }
}

/// The directory of what is kept of an image.
fn home(image: &Released, place: &Path) -> PathBuf {
    place.join(format!("{}-{}", image.suite, image.release))
}

/// What was read of an image before, with its surface unless reading failed.
fn kept(image: &Released, place: &Path) -> Result<Option<(Row, Option<Surface>)>> {
    let home = home(image, place);
    let Ok(text) = fs::read_to_string(home.join("row.json")) else { return Ok(None) };
    let row: Row = serde_json::from_str(&text).with_context(|| format!("`{}`", home.display()))?;
    if row.error.is_some() {
        return Ok(Some((row, None)));
    }
    let dataset = Dataset::open(home.join("dataset"))?;
    let surface = dataset.surfaces(|_| true, &Silent)?.surfaces.pop();
    Ok(Some((row, surface)))
}

fn read(image: &Released, place: &Path, again: bool) -> Result<()> {
    let home = home(image, place);
    let done = home.join("row.json");
    if done.is_file() && !again {
        return Ok(());
    }
    let _ = fs::remove_dir_all(&home);
    let dataset = home.join("dataset");
    fs::create_dir_all(&home).with_context(|| format!("cannot create `{}`", home.display()))?;
    let paths = image.fetch()?;
    let command = || {
        let mut command = Command::new(crate::target().join("release/depsurf"));
        command.arg("--dataset").arg(&dataset).arg("add").args(&paths);
        command
    };
    let size = fs::metadata(&paths[0]).map_or(0, |meta| meta.len());
    let mut row = Row {
        suite: image.suite.into(),
        arch: image.arch.into(),
        release: image.release.clone(),
        version: image.version.clone(),
        package: size,
        time: 0,
        cpu: 0,
        peak: 0,
        error: None,
    };
    match bench::once(&command(), &[]) {
        Ok(run) => {
            row.time = run.time.as_millis() as u64;
            row.cpu = run.cpu.as_millis() as u64;
            row.peak = run.peak;
        }
        Err(_) => {
            let output = command().output().context("cannot run depsurf")?;
            row.error = Some(String::from_utf8_lossy(&output.stderr).trim().to_owned());
        }
    }
    image.remove(&paths)?;
    fs::write(&done, serde_json::to_string_pretty(&row)?)
        .with_context(|| format!("cannot write `{}`", done.display()))?;
    println!(
        "{} {}: {:.1} s, {} MB{}",
        image.suite,
        image.release,
        row.time as f64 / 1e3,
        row.peak / 1_000_000,
        row.error.as_deref().map(|error| format!(", {error}")).unwrap_or_default()
    );
    Ok(())
}
