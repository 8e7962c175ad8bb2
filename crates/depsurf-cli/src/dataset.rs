//! Which dataset is meant, and what of it is wanted.

use std::collections::BTreeSet;
use std::env;
use std::path::PathBuf;
use std::slice;

use depsurf::group::{self, Title};
use depsurf::kernel::KernelId;
use depsurf::search::Index;
use depsurf::select::{Candidate, Selection};
use depsurf::store::{self, Dataset, Indexed, Problem};
use depsurf::surface::Surface;
use depsurf::{Error, Result};

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
    Some(cache()?.join("surfaces"))
}

/// Where what can be had again is kept.
pub fn cache() -> Option<PathBuf> {
    user_directory(CACHE)
}

fn user_directory((variable, below_home): (&str, &str)) -> Option<PathBuf> {
    // The specification has relative paths ignored.
    let absolute = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    absolute(variable).or_else(|| Some(absolute("HOME")?.join(below_home))).map(|base| base.join("depsurf"))
}

/// Names the kernel that groups are around.
const DEFAULT: &str = "DEPSURF_DEFAULT";

/// Which kernels the user wants, and around which one.
pub struct Wanted {
    kernels: Selection,
    default: Option<Named>,
}

/// A default kernel that the user names.
struct Named {
    selection: Selection,
    /// By the argument, not by the variable.
    here: bool,
}

impl Wanted {
    /// All kernels when nothing is given.
    ///
    /// # Errors
    /// When what is given is not written as it should be.
    pub fn new(given: &[String], global: &Global) -> Result<Self> {
        Self::of("--kernel", given, global)
    }

    /// As [`Wanted::new`], given as something else than an option of this name.
    ///
    /// # Errors
    /// As [`Wanted::new`].
    pub fn of(argument: &str, given: &[String], global: &Global) -> Result<Self> {
        let parse = |texts: &[String], place: &str| Selection::parse(texts).map_err(|error| error.at(place));
        let kernels = parse(given, argument)?;
        let by_variable = || env::var(DEFAULT).ok().filter(|value| !value.is_empty());
        let default = match (&global.default, by_variable()) {
            (Some(text), _) => {
                Some(Named { selection: parse(slice::from_ref(text), "--default")?, here: true })
            }
            (None, Some(text)) => Some(Named { selection: parse(&[text], DEFAULT)?, here: false }),
            (None, None) => None,
        };
        Ok(Self { kernels, default })
    }

    /// What that means in a dataset.
    ///
    /// # Errors
    /// When it means nothing.
    pub fn choose(&self, dataset: &Dataset, terminal: &Terminal) -> Result<Chosen> {
        let names: Vec<KernelId> = dataset.list()?.entries.into_iter().map(|entry| entry.kernel).collect();
        let candidates: Vec<Candidate<'_>> = names.iter().map(Candidate::from).collect();
        let selections = [Some(&self.kernels), self.default.as_ref().map(|named| &named.selection)];
        if selections.into_iter().flatten().all(|selection| selection.is_by_name(&candidates)) {
            return self.among(&candidates, dataset, terminal);
        }
        // Distributions and `uname -r` are told by the surfaces alone.
        let store::Opened { surfaces, problems } = surfaces(dataset, |_| true, terminal)?;
        let candidates: Vec<Candidate<'_>> = surfaces.iter().map(candidate).collect();
        let mut chosen = self.among(&candidates, dataset, terminal)?;
        // Whether a damaged kernel is meant cannot be told.
        chosen.damaged = tell(problems.into_iter().filter(|it| it.kernel.is_some()).collect(), terminal);
        Ok(chosen)
    }

    fn among(&self, kernels: &[Candidate<'_>], dataset: &Dataset, terminal: &Terminal) -> Result<Chosen> {
        let failed = |error: Error| error.at(place(dataset));
        let default = match &self.default {
            None => None,
            Some(named) => match named.selection.one(kernels, None) {
                Ok(index) => Some(index),
                Err(error) if named.here => return Err(failed(error.at("--default"))),
                Err(error) => {
                    terminal.warning(format_args!("{DEFAULT} is not used: {error}"));
                    None
                }
            },
        };
        let ids: Vec<&KernelId> = kernels.iter().map(|it| it.kernel).collect();
        let default = default.or_else(|| group::default_kernel(&ids));
        let chosen = self.kernels.choose(kernels, default).map_err(failed)?;
        let chosen: BTreeSet<KernelId> = chosen.into_iter().map(|index| ids[index].clone()).collect();
        let default = default.map(|index| ids[index].clone());
        Ok(Chosen { kernels: chosen, default, damaged: false })
    }
}

fn candidate(surface: &Surface) -> Candidate<'_> {
    let meta = surface.meta();
    Candidate {
        kernel: surface.kernel(),
        distribution: meta.distribution.as_deref(),
        uname: meta.uname.as_deref(),
    }
}

/// Kernels of a dataset that are wanted.
pub struct Chosen {
    kernels: BTreeSet<KernelId>,
    /// The one that groups of the whole dataset are around; `None` where there is no kernel.
    default: Option<KernelId>,
    /// Whether some could not be opened to find out, which has been told.
    damaged: bool,
}

impl Chosen {
    /// Whether a kernel was chosen.
    pub fn has(&self, kernel: &KernelId) -> bool {
        self.kernels.contains(kernel)
    }

    /// The place of the kernel that groups of some of the kernels are around: the default one of the dataset where
    /// it is among them.
    fn default_among(&self, ids: &[&KernelId]) -> usize {
        let place = ids.iter().position(|id| Some(*id) == self.default.as_ref());
        place.or_else(|| group::default_kernel(ids)).unwrap_or_default()
    }
}

/// The chosen surfaces of a dataset.
pub struct Opened {
    /// At least one, in the order of their kernels.
    pub surfaces: Vec<Surface>,
    /// The place of the one that groups are around.
    pub default: usize,
    /// Whether some could not be opened, which has been told.
    pub damaged: bool,
}

/// Opens the wanted kernels.
///
/// # Errors
/// When there is none.
pub fn open(dataset: &Dataset, wanted: &Wanted, terminal: &Terminal) -> Result<Opened> {
    let chosen = wanted.choose(dataset, terminal)?;
    let opened = surfaces(dataset, |kernel| chosen.has(kernel), terminal)?;
    let mut problems = opened.problems;
    if opened.surfaces.is_empty()
        && let Some(last) = problems.iter().rposition(|problem| problem.kernel.is_some())
    {
        // Why nothing can be shown is one error, not an error about errors.
        let last = problems.remove(last).error;
        tell(problems, terminal);
        return Err(last);
    }
    let damaged = tell(problems, terminal) || chosen.damaged;
    if opened.surfaces.is_empty() {
        return Err(Error::Usage {
            what: format!("{} has no kernels", place(dataset)),
            help: Some("`depsurf add FILE` adds the kernel of a vmlinux or a debug package".into()),
        });
    }
    let ids: Vec<&KernelId> = opened.surfaces.iter().map(Surface::kernel).collect();
    let default = chosen.default_among(&ids);
    if wanted.default.as_ref().is_some_and(|named| named.here)
        && Some(ids[default]) != chosen.default.as_ref()
    {
        terminal.warning(format_args!(
            "the kernel of --default is not among the chosen ones, so groups are around `{}`",
            ids[default]
        ));
    }
    Ok(Opened { surfaces: opened.surfaces, default, damaged })
}

fn surfaces(
    dataset: &Dataset,
    wanted: impl Fn(&KernelId) -> bool,
    terminal: &Terminal,
) -> Result<store::Opened> {
    let progress = Bar::new(terminal);
    let opened = dataset.surfaces(wanted, &progress);
    progress.finish();
    opened
}

/// The names of the dataset, the places of the chosen kernels among its kernels, and whether some of them could not
/// be opened, which has been told.
///
/// # Errors
/// When no kernel was chosen.
pub fn names(dataset: &Dataset, wanted: &Wanted, terminal: &Terminal) -> Result<(Index, Vec<usize>, bool)> {
    let wanted = wanted.choose(dataset, terminal)?;
    let progress = Bar::new(terminal);
    let indexed = dataset.index(&progress);
    progress.finish();
    let Indexed { index, mut problems } = indexed?;
    problems.retain(|problem| problem.kernel.as_ref().is_none_or(|kernel| wanted.has(kernel)));
    let damaged = tell(problems, terminal) || wanted.damaged;
    let chosen = (0..).zip(index.kernels()).filter(|(_, kernel)| wanted.has(&kernel.id));
    let chosen: Vec<usize> = chosen.map(|(place, _)| place).collect();
    if chosen.is_empty() && !damaged {
        return Err(Error::Usage {
            what: format!("{} has no kernels", place(dataset)),
            help: Some("`depsurf add FILE` adds the kernel of a vmlinux or a debug package".into()),
        });
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

/// The one kernel that a text chooses. Where it chooses several, as `6.1` may, the one that is in the Regular group.
///
/// # Errors
/// When there is none, or more than one; says which.
pub fn one<'a>(opened: &'a Opened, text: &str) -> Result<&'a Surface> {
    let candidates: Vec<Candidate<'_>> = opened.surfaces.iter().map(candidate).collect();
    let selection = Selection::parse(&[text])?;
    let ids: Vec<&KernelId> = candidates.iter().map(|it| it.kernel).collect();
    let groups = group::arrange(&ids, opened.default);
    let regular =
        groups.iter().filter(|group| group.title == Title::Regular).flat_map(|group| &group.members);
    let chosen = selection.choose(&candidates, Some(opened.default))?;
    let mut regular = regular.map(|member| member.index).filter(|index| chosen.contains(index));
    match (regular.next(), regular.next()) {
        (Some(index), None) => Ok(&opened.surfaces[index]),
        _ => Ok(&opened.surfaces[selection.one(&candidates, Some(opened.default))?]),
    }
}

fn place(dataset: &Dataset) -> String {
    match dataset.directory() {
        Some(directory) => format!("the dataset at `{}`", directory.display()),
        None => "the starter dataset".into(),
    }
}
