//! `depsurf add FILE...`, `depsurf add --live`.

use std::path::Path;

use depsurf::kernel::KernelId;
use depsurf::note::Note;
use depsurf::progress::Progress;
use depsurf::source::live::Live;
use depsurf::source::{self, Input};
use depsurf::store::Dataset;
use depsurf::surface::{Fact, Surface};
use depsurf::{Error, extract};

use crate::args::{Add, Global};
use crate::dataset;
use crate::exit;
use crate::jobs;
use crate::output::Output;
use crate::progress::Bar;
use crate::terminal::Terminal;

/// Reads kernels, keeps their surfaces, and prints the kernels' names.
pub fn run(verb: &Add, global: &Global, terminal: &Terminal, output: &mut Output) -> anyhow::Result<u8> {
    jobs::limit(verb.jobs)?;
    let inputs: Vec<Source> = if verb.live {
        vec![Source::Live(&verb.root)]
    } else {
        inputs(verb)?.into_iter().map(Source::Files).collect()
    };
    // A directory that cannot be one is told before the work, one that is missing is made after it.
    let place = dataset::place_to_write(global)?;
    if place.exists() {
        Dataset::open(&place)?;
    }
    let mut status = exit::FINE;
    let mut added: Vec<KernelId> = Vec::new();
    let progress = Bar::new(terminal);
    for input in &inputs {
        progress.heading(&input.name());
        let kernel = read(input, verb, terminal, &progress).and_then(|surface| {
            progress.step("keep the surface", None);
            Dataset::create(&place)?.add(&surface)?;
            Ok(surface.kernel().clone())
        });
        match kernel {
            Ok(kernel) => {
                if added.contains(&kernel) {
                    terminal.warning(format_args!("`{kernel}` was given twice; the last one is kept"));
                }
                progress.suspend(|| output.line(&kernel).and_then(|()| output.flush()))?;
                added.push(kernel);
            }
            Err(error) => {
                progress.suspend(|| terminal.error(&error.into()));
                status = exit::FAILED;
            }
        }
    }
    progress.finish();
    Ok(status)
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
}

/// What belongs together among the files.
fn inputs(verb: &Add) -> depsurf::Result<Vec<Input>> {
    let mut inputs = source::pair(&verb.files)?;
    let option = match inputs.as_mut_slice() {
        [input] => {
            if verb.config.is_some() {
                input.config.clone_from(&verb.config);
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

fn read(from: &Source<'_>, verb: &Add, terminal: &Terminal, progress: &Bar) -> depsurf::Result<Surface> {
    let options = extract::Options { name: verb.name.clone(), strict: verb.strict, ..Default::default() };
    let extracted = match from {
        Source::Files(input) => {
            let kernel = source::open(&input.image, &input.options(), progress)?;
            let extracted = extract::surface(&kernel, &options, progress)
                .map_err(|error| error.at(input.image.display().to_string()))?;
            if let source::Form::Boot { .. } | source::Form::Btf = kernel.form {
                tell_partial(&extracted.bytes, terminal, progress)?;
            }
            if kernel.config.is_none() {
                let with = match kernel.config_packages.first() {
                    Some(package) => format!("the package `{package}`"),
                    None => "--config FILE".into(),
                };
                progress.suspend(|| {
                    terminal.note(format_args!("the configuration is unknown; give {with} to have it"));
                });
            }
            extracted
        }
        Source::Live(root) => extract::live::surface(&Live::read(root)?, &options, progress)?,
    };
    progress.suspend(|| tell(&extracted.notes, terminal));
    Surface::from_bytes(extracted.bytes)
}

/// Tells that what was read is a part of a kernel, and what has the rest.
fn tell_partial(bytes: &[u8], terminal: &Terminal, progress: &Bar) -> depsurf::Result<()> {
    let surface = Surface::from_bytes(bytes.to_vec())?;
    let meta = surface.meta();
    let unknown = Fact::ALL.iter().filter(|fact| **fact != Fact::Config && !meta.knows(**fact)).count();
    if let Some(reason) = meta.unknown_because(Fact::Functions) {
        progress.suspend(|| {
            terminal.note(format_args!("{unknown} kinds of facts are unknown (`depsurf list -v`): {reason}"));
        });
    }
    Ok(())
}

/// Tells what was lost; by design skipped things only with `-v`.
fn tell(notes: &[Note], terminal: &Terminal) {
    if terminal.verbose() {
        for note in notes {
            terminal.note(format_args!("{} ({}) [{}]", note.message, note.count, note.id));
        }
    } else if notes.iter().any(|note| note.lossy) {
        terminal.note("not everything could be read; `depsurf list -v` tells what");
    }
}
