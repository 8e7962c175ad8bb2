//! `wrappings`: one kernel in everything that distributions and builds wrap it in, made by their own tools, and each read by
//! `depsurf add`. Whatever the wrapping, the surface has to be that of the plain vmlinux. Into `docs/wrappings.md`.

mod boot;
mod build;
mod deb;
mod facts;
mod file;
mod half;
mod report;
mod rpm;
mod tar;
mod tool;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::slice;

use anyhow::{Context, Result, bail, ensure};
use depsurf::progress::Silent;
use depsurf::store::Dataset;
use depsurf::surface::Surface;
use serde::{Deserialize, Serialize};

use self::build::Build;
use self::facts::Verdict;
use crate::{bench, cargo};

/// What `wrappings` is to do.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only wrappings whose group or name has one of these words; the document is left as it is
    words: Vec<String>,
    /// Keep what was unpacked and read
    #[arg(long)]
    keep: bool,
    /// Go on where a run was cut: what it has read, and was kept, is not read again
    #[arg(long)]
    resume: bool,
}

/// What the surface of a wrapping has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// Byte for byte that of the plain vmlinux, but for what names the file it came from.
    Same,
    /// The same but for what a reason explains, with the kinds that it explains.
    Explained(&'static str, &'static [&'static str]),
    /// A part of it: what it tells is the same.
    Partial(&'static str),
    /// The types of its BTF, and what they tell.
    Types(&'static str),
}

/// Makes a wrapping in a directory; gives the files that a user would name.
type Make = Box<dyn Fn(&Build, &Path) -> Result<Vec<PathBuf>>>;

/// A way to wrap a kernel.
pub struct Wrapping {
    /// Heading in the document.
    group: &'static str,
    name: String,
    /// Programs that make it; the first is told.
    tools: &'static [&'static str],
    /// Whether modules are in it.
    has_modules: bool,
    /// Whether the configuration is in it; otherwise it is given besides.
    has_config: bool,
    expected: Expected,
    make: Make,
}

/// What became of a wrapping.
pub struct Row {
    wrapping: Wrapping,
    outcome: Outcome,
}

/// See [`Row`].
#[derive(Serialize, Deserialize)]
pub enum Outcome {
    /// It was read.
    Read { size: u64, run: bench::Run, verdict: Verdict },
    /// A program that makes it is missing.
    NoTool(String),
    /// It could not be read: what `depsurf` said.
    Failed(String),
}

/// All of them, in the order of the document.
fn all() -> Vec<Wrapping> {
    [
        file::wrappings(),
        half::wrappings(),
        deb::wrappings(),
        rpm::wrappings(),
        tar::wrappings(),
        boot::wrappings(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Makes and reads all wrappings, writes the document, and fails where a difference has no reason.
pub fn run(args: &Args) -> Result<()> {
    cargo::run(&["build", "--release", "--package", "depsurf-cli"])?;
    let place = crate::target().join("wrappings");
    let build = Build::unpack(&place.join("parts"))?;
    let wants = |wrapping: &Wrapping| {
        let has =
            |word: &String| wrapping.group.contains(word.as_str()) || wrapping.name.contains(word.as_str());
        args.words.is_empty() || args.words.iter().any(has)
    };
    let wrappings: Vec<Wrapping> = all().into_iter().filter(wants).collect();
    let reader = Reader { place: place.join("work"), build: &build };
    let plain = reader.reference(slice::from_ref(&build.vmlinux), false)?;
    let modular = reader.reference(slice::from_ref(&build.tree), true)?;
    let mut rows = Vec::new();
    for wrapping in wrappings {
        let reference = if wrapping.has_modules { &modular } else { &plain };
        let done = wrapping.done(&place);
        let outcome = match kept(&done).filter(|_| args.resume) {
            Some(outcome) => outcome,
            None => reader.outcome(&wrapping, reference)?,
        };
        fs::write(&done, serde_json::to_string_pretty(&outcome)?)
            .with_context(|| format!("cannot write `{}`", done.display()))?;
        println!("{}: {}: {}", wrapping.group, wrapping.name, report::words(&outcome));
        for line in report::differences(&outcome) {
            println!("    {line}");
        }
        rows.push(Row { wrapping, outcome });
    }
    if !args.keep {
        fs::remove_dir_all(&place).with_context(|| format!("cannot remove `{}`", place.display()))?;
    }
    if args.words.is_empty() {
        let path = crate::root().join("docs/wrappings.md");
        fs::write(&path, report::document(&build, &plain, &modular, &rows)?)
            .with_context(|| format!("cannot write `{}`", path.display()))?;
        println!("wrote {}", path.display());
    }
    let missing: Vec<&str> = rows.iter().filter_map(Row::missing).collect();
    if !missing.is_empty() {
        println!(
            "LEFT OUT: there is no {}; install Debian's packages {}",
            missing.join(", "),
            tool::PACKAGES
        );
    }
    let wrong = rows.iter().filter(|row| row.is_wrong()).count();
    ensure!(wrong == 0, "{wrong} wrappings give another surface, and nothing explains it");
    Ok(())
}

impl Wrapping {
    /// The file with what became of it.
    fn done(&self, place: &Path) -> PathBuf {
        let name = format!("{} {}", self.group, self.name).replace(|c: char| !c.is_ascii_alphanumeric(), "-");
        place.join(format!("{name}.json"))
    }
}

/// What was read before, unless it was wrong.
fn kept(done: &Path) -> Option<Outcome> {
    let outcome: Outcome = serde_json::from_str(&fs::read_to_string(done).ok()?).ok()?;
    matches!(&outcome, Outcome::Read { verdict, .. } if !verdict.is_wrong()).then_some(outcome)
}

impl Row {
    fn missing(&self) -> Option<&str> {
        match &self.outcome {
            Outcome::NoTool(tool) => Some(tool),
            _ => None,
        }
    }

    fn is_wrong(&self) -> bool {
        match &self.outcome {
            Outcome::Read { verdict, .. } => verdict.is_wrong(),
            Outcome::NoTool(_) => false,
            Outcome::Failed(_) => true,
        }
    }
}

/// Reads wrappings with the release program.
struct Reader<'a> {
    place: PathBuf,
    build: &'a Build,
}

impl Reader<'_> {
    fn outcome(&self, wrapping: &Wrapping, reference: &Surface) -> Result<Outcome> {
        if let Some(missing) = wrapping.tools.iter().find(|tool| !tool::exists(tool)) {
            return Ok(Outcome::NoTool((*missing).to_owned()));
        }
        let made = self.empty("made")?;
        let files =
            (wrapping.make)(self.build, &made).with_context(|| format!("cannot make {}", wrapping.name))?;
        let size = files.iter().map(|file| size(file)).sum::<Result<u64>>()?;
        let config = if wrapping.has_config { None } else { Some(self.build.config.as_path()) };
        let read = self.read(&files, config, wrapping.has_modules)?;
        fs::remove_dir_all(&made).with_context(|| format!("cannot remove `{}`", made.display()))?;
        Ok(match read {
            Ok((run, surface)) => {
                Outcome::Read { size, run, verdict: facts::compare(reference, &surface, wrapping.expected)? }
            }
            Err(said) => Outcome::Failed(said),
        })
    }

    /// The surface that the others are compared with.
    fn reference(&self, files: &[PathBuf], with_modules: bool) -> Result<Surface> {
        match self.read(files, Some(&self.build.config), with_modules)? {
            Ok((_, surface)) => Ok(surface),
            Err(said) => bail!("cannot read the plain vmlinux: {said}"),
        }
    }

    /// Adds files to a fresh dataset; what `depsurf` said where it failed.
    fn read(
        &self,
        files: &[PathBuf],
        config: Option<&Path>,
        with_modules: bool,
    ) -> Result<Result<(bench::Run, Surface), String>> {
        let dataset = self.empty("dataset")?;
        let command = || {
            let mut command = Command::new(crate::target().join("release/depsurf"));
            command.arg("--dataset").arg(&dataset).arg("add").args(files);
            if let Some(config) = config {
                command.arg("--config").arg(config);
            }
            if with_modules {
                command.args(["--modules", "all"]);
            }
            command
        };
        let Ok(run) = bench::once(&command(), &[]) else {
            let output = command().output().context("cannot run depsurf")?;
            return Ok(Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
        };
        let found = Dataset::open(&dataset)?.surfaces(|_| true, &Silent)?.surfaces.pop();
        let surface = found.context("depsurf added nothing")?;
        // The file goes with the directory; the surface stays as it is mapped.
        Ok(Ok((run, surface)))
    }

    fn empty(&self, name: &str) -> Result<PathBuf> {
        let place = self.place.join(name);
        let _ = fs::remove_dir_all(&place);
        fs::create_dir_all(&place).with_context(|| format!("cannot create `{}`", place.display()))?;
        Ok(place)
    }
}

/// Bytes of a file, or of all files of a directory.
fn size(path: &Path) -> Result<u64> {
    let meta = fs::symlink_metadata(path).with_context(|| format!("cannot read `{}`", path.display()))?;
    if !meta.is_dir() {
        return Ok(meta.len());
    }
    let entries = fs::read_dir(path).with_context(|| format!("cannot read `{}`", path.display()))?;
    entries.map(|entry| size(&entry?.path())).sum()
}
