//! `depsurf add FILE...`, `depsurf add --live`.

use std::path::Path;

use depsurf::image::Image;
use depsurf::note::Note;
use depsurf::progress::Progress;
use depsurf::source::live::Live;
use depsurf::source::{self, Bytes, Input, Kind};
use depsurf::store::Dataset;
use depsurf::surface::{Fact, Meta, Surface};
use depsurf::{Error, extract};

use crate::args::{Add, Global};
use crate::batch::{self, Done, Task};
use crate::dataset;
use crate::known::{Known, Wanted};
use crate::memory;
use crate::output::Output;
use crate::terminal::Terminal;

/// Reads kernels, keeps their surfaces, and prints the kernels' names.
pub fn run(verb: &Add, global: &Global, terminal: &Terminal, output: &mut Output) -> anyhow::Result<u8> {
    let inputs: Vec<Source> = if verb.live {
        vec![Source::Live(&verb.root)]
    } else {
        inputs(verb)?.into_iter().map(Source::Files).collect()
    };
    // A directory that cannot be one is told before the work, one that is missing is made after it.
    let place = dataset::place_to_write(global)?;
    let known = match place.exists() {
        true => Known::of(&Dataset::open(&place)?),
        false => Known::default(),
    };
    let reads_modules = !verb.modules()?.is_none();
    let (place, known, verbose) = (place.as_path(), &known, terminal.verbose());
    let tasks = inputs.iter().map(|input| Task {
        name: input.name(),
        need: input.need(reads_modules),
        work: Box::new(move |progress| one(input, verb, place, known, verbose, progress)),
    });
    batch::run(tasks.collect(), verb.limits.limits(), terminal, output)
}

/// Where a kernel comes from.
enum Source<'a> {
    /// Files that belong together.
    Files(Input),
    /// The running kernel, below a root directory.
    Live(&'a Path),
}

impl Source<'_> {
    fn name(&self) -> String {
        match self {
            Self::Files(input) => input.image.display().to_string(),
            Self::Live(_) => "the running kernel".into(),
        }
    }

    /// Bytes of memory that reading it may take.
    fn need(&self, with_modules: bool) -> u64 {
        match self {
            Self::Files(input) => memory::need_of(&input.image, with_modules),
            Self::Live(_) => memory::OF_LIVE,
        }
    }
}

/// What belongs together among the files.
fn inputs(verb: &Add) -> depsurf::Result<Vec<Input>> {
    let mut inputs = source::pair(&verb.files)?;
    let option = match inputs.as_mut_slice() {
        [input] => {
            if let Some(config) = &verb.config {
                // A package with it may have the code of modules, or of the vmlinux, where these are stripped.
                if source::identify(config).is_ok_and(|kind| matches!(kind, Kind::Package(_))) {
                    input.modules.push(config.clone());
                }
                input.config = Some(config.clone());
            }
            None
        }
        _ if verb.config.is_some() => Some("--config"),
        _ if verb.name.is_some() => Some("--name"),
        _ => None,
    };
    if let Some(option) = option {
        return Err(Error::Usage {
            what: format!("{option} is for one kernel, but the files are of {}", inputs.len()),
            help: Some("add the kernels one by one".into()),
        });
    }
    Ok(inputs)
}

fn one(
    from: &Source<'_>,
    verb: &Add,
    place: &Path,
    known: &Known,
    verbose: bool,
    progress: &dyn Progress,
) -> depsurf::Result<Done> {
    let modules = verb.modules()?;
    let reads_modules = !modules.is_none();
    let options =
        extract::Options { name: verb.name.clone(), strict: verb.strict, modules, ..Default::default() };
    let mut notes = Vec::new();
    let mut is_partial = false;
    let is_file = matches!(from, Source::Files(_));
    let extracted = match from {
        Source::Files(input) => {
            // What was kept may have losses that are not accepted now.
            // A configuration that is named is news, whatever it says, and so are modules.
            if !verb.force
                && !verb.strict
                && verb.config.is_none()
                && !reads_modules
                && let Some(done) = unchanged(input, verb, known)
            {
                return Ok(done);
            }
            let kernel = source::open(&input.image, &input.options(), progress)?;
            let extracted = extract::surface(&kernel, &options, progress)
                .map_err(|error| error.at(input.image.display().to_string()))?;
            is_partial = matches!(kernel.form, source::Form::Boot { .. } | source::Form::Btf);
            if kernel.config.is_none() {
                let with = match kernel.config_packages.first() {
                    Some(package) => format!("the package `{package}`"),
                    None => "--config FILE".into(),
                };
                notes.push(format!("the configuration is unknown; give {with} to have it"));
            }
            extracted
        }
        Source::Live(root) => {
            extract::live::surface(&Live::read(root, &options.modules)?, &options, progress)?
        }
    };
    notes.extend(tell(&extracted.notes, verbose));
    let surface = Surface::from_bytes(extracted.bytes)?;
    if !surface.meta().knows(Fact::Functions) && known.has_functions(surface.kernel()) && !verb.force {
        let kernel = surface.kernel().clone();
        let there = "is there already with its debug information; --force puts this in its place";
        let notes = vec![format!("`{kernel}` {there}")];
        return Ok(Done { kernel, unchanged: true, detail: None, notes, warnings: Vec::new() });
    }
    if verb.modules.is_some() && reads_modules && surface.modules().len() == 0 {
        let reason = surface.meta().unknown_because(Fact::Modules).unwrap_or("the kernel has none");
        notes.push(format!("no modules were read: {reason}"));
    }
    if is_partial || is_file && !surface.meta().knows(Fact::Functions) {
        notes.extend(tell_partial(surface.meta()));
    }
    progress.step("keep the surface", None);
    Dataset::create(place)?.add(&surface)?;
    Ok(Done { kernel: surface.kernel().clone(), unchanged: false, detail: None, notes, warnings: Vec::new() })
}

/// Tells that what was read is a part of a kernel, and what has the rest.
fn tell_partial(meta: &Meta) -> Option<String> {
    let unknown = Fact::ALL.iter().filter(|fact| **fact != Fact::Config && !meta.knows(**fact)).count();
    let reason = meta.unknown_because(Fact::Functions)?;
    Some(format!("{unknown} kinds of facts are unknown (`depsurf info KERNEL`): {reason}"))
}

/// The kernel of an input that is in the dataset as it is. A package is told by its name and version, a vmlinux by its
/// build id.
fn unchanged(input: &Input, verb: &Add, known: &Known) -> Option<Done> {
    let mut wanted = Wanted { name: verb.name.as_ref(), config: input.config.is_some(), ..Wanted::default() };
    let (package, id);
    match source::identify(&input.image).ok()? {
        Kind::Package(found) => {
            package = found;
            wanted.package = Some((&package.name, &package.version));
        }
        Kind::Elf => {
            let bytes = Bytes::map(&input.image).ok()?;
            id = hex(Image::parse(&bytes).ok()?.build_id()?);
            wanted.build_id = Some(&id);
        }
        _ => return None,
    }
    let kernel = known.find(&wanted)?.clone();
    let notes = vec![format!("`{kernel}` is there already, from the same build; --force reads it again")];
    Some(Done { kernel, unchanged: true, detail: None, notes, warnings: Vec::new() })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What was lost; by design skipped things only with `-v`.
pub fn tell(notes: &[Note], verbose: bool) -> Vec<String> {
    if verbose {
        notes.iter().map(|note| format!("{} ({}) [{}]", note.message, note.count, note.id)).collect()
    } else if notes.iter().any(|note| note.lossy) {
        vec!["not everything could be read; `depsurf info KERNEL` tells what".into()]
    } else {
        Vec::new()
    }
}
