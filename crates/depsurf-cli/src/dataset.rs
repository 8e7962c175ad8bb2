//! Which dataset is meant, and what of it is wanted.

use std::env;
use std::path::PathBuf;

use depsurf::kernel::KernelId;
use depsurf::search::Index;
use depsurf::store::{Dataset, Indexed, Problem};
use depsurf::surface::Surface;
use depsurf::{Error, Result};
use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use crate::args::Global;
use crate::progress::Bar;
use crate::starter;
use crate::terminal::Terminal;

/// Environment of the XDG base directory specification, and what it defaults to below `HOME`.
const DATA: (&str, &str) = ("XDG_DATA_HOME", ".local/share");
const CACHE: (&str, &str) = ("XDG_CACHE_HOME", ".cache");

/// The dataset to read: the one that is named, else the user's, else the one inside the program.
///
/// # Errors
/// When the one that is named does not exist.
pub fn to_read(global: &Global, terminal: &Terminal) -> Result<Dataset> {
    let cache = cache_directory();
    if let Some(directory) = named(global) {
        return Ok(Dataset::open(directory)?.with_cache(cache));
    }
    if let Some(directory) = user_directory(DATA).filter(|directory| directory.is_dir()) {
        let dataset = Dataset::open(directory)?;
        // A directory that an `add` made and then failed to fill is no dataset yet.
        if !dataset.list()?.entries.is_empty() {
            return Ok(dataset.with_cache(cache));
        }
    }
    terminal.note("no dataset yet, so this is the starter dataset; `depsurf add FILE` begins one");
    Ok(Dataset::embedded(starter::KERNELS).with_cache(cache))
}

/// Where the dataset to add to is, or will be.
///
/// # Errors
/// When there is no place for it.
pub fn place_to_write(global: &Global) -> Result<PathBuf> {
    named(global).or_else(|| user_directory(DATA)).ok_or_else(|| Error::Usage {
        what: "no place for the dataset: neither XDG_DATA_HOME nor HOME is set".into(),
        help: Some("name a directory with --dataset".into()),
    })
}

fn named(global: &Global) -> Option<PathBuf> {
    let variable = || env::var_os("DEPSURF_DATASET").filter(|value| !value.is_empty());
    global.dataset.clone().or_else(|| variable().map(PathBuf::from))
}

/// Where packed surfaces are expanded to.
fn cache_directory() -> Option<PathBuf> {
    Some(user_directory(CACHE)?.join("surfaces"))
}

fn user_directory((variable, below_home): (&str, &str)) -> Option<PathBuf> {
    // The specification has relative paths ignored.
    let absolute = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    absolute(variable).or_else(|| Some(absolute("HOME")?.join(below_home))).map(|base| base.join("depsurf"))
}

/// Kernels chosen by name.
pub struct Wanted {
    globs: GlobSet,
    all: bool,
    given: String,
}

impl Wanted {
    /// All kernels when no glob is given, else those that match one of them.
    ///
    /// # Errors
    /// When one is not a glob.
    pub fn new(given: &[String]) -> Result<Self> {
        let mut set = GlobSetBuilder::new();
        for glob in given {
            set.add(GlobBuilder::new(glob).build().map_err(|error| bad_glob(glob, &error))?);
        }
        let globs = set.build().map_err(|error| bad_glob(&given.join(" "), &error))?;
        Ok(Self { globs, all: given.is_empty(), given: given.join(", ") })
    }

    /// Whether a kernel was chosen.
    pub fn has(&self, kernel: &KernelId) -> bool {
        self.all || self.globs.is_match(kernel.to_string())
    }
}

fn bad_glob(glob: &str, error: &globset::Error) -> Error {
    Error::Usage {
        what: format!("`--kernel {glob}`: {}", error.kind()),
        help: Some("write * for any text and ? for one character, as in '6.1.*-amd64'".into()),
    }
}

/// The surfaces that were chosen, and whether some of them could not be opened, which has been told.
///
/// # Errors
/// When there is none.
pub fn open(dataset: &Dataset, wanted: &Wanted, terminal: &Terminal) -> Result<(Vec<Surface>, bool)> {
    let progress = Bar::new(terminal);
    let opened = dataset.surfaces(|kernel| wanted.has(kernel), &progress);
    progress.finish();
    let opened = opened?;
    let damaged = tell(opened.problems, terminal);
    if opened.surfaces.is_empty() && !damaged {
        return Err(nothing(dataset, wanted));
    }
    Ok((opened.surfaces, damaged))
}

/// The names of the dataset, the places of the chosen kernels among its kernels, and whether some of them could not
/// be opened, which has been told.
///
/// # Errors
/// When no kernel was chosen.
pub fn names(dataset: &Dataset, wanted: &Wanted, terminal: &Terminal) -> Result<(Index, Vec<usize>, bool)> {
    let progress = Bar::new(terminal);
    let indexed = dataset.index(&progress);
    progress.finish();
    let Indexed { index, mut problems } = indexed?;
    problems.retain(|problem| problem.kernel.as_ref().is_none_or(|kernel| wanted.has(kernel)));
    let damaged = tell(problems, terminal);
    let chosen = (0..).zip(index.kernels()).filter(|(_, kernel)| wanted.has(&kernel.id));
    let chosen: Vec<usize> = chosen.map(|(place, _)| place).collect();
    if chosen.is_empty() && !damaged {
        return Err(nothing(dataset, wanted));
    }
    Ok((index, chosen, damaged))
}

/// Tells what is wrong in a dataset, and whether that kept a kernel from being used.
pub fn tell(problems: Vec<Problem>, terminal: &Terminal) -> bool {
    let mut damaged = false;
    for Problem { kernel, error } in problems {
        if kernel.is_some() {
            damaged = true;
            terminal.error(&error.into());
        } else {
            terminal.warning(error);
        }
    }
    damaged
}

fn nothing(dataset: &Dataset, wanted: &Wanted) -> Error {
    let place = match dataset.directory() {
        Some(directory) => format!("the dataset at `{}`", directory.display()),
        None => "the starter dataset".into(),
    };
    if wanted.all {
        Error::Usage {
            what: format!("{place} has no kernels"),
            help: Some("`depsurf add FILE` adds the kernel of a vmlinux or a debug package".into()),
        }
    } else {
        Error::Usage {
            what: format!("no kernel of {place} matches `{}`", wanted.given),
            help: Some("`depsurf list` tells which there are".into()),
        }
    }
}
