//! `depsurf import FORMAT DIR`.

use depsurf::Error;
use depsurf::group;
use depsurf::interop::depsurf::{Found, find, import};
use depsurf::kernel::KernelId;
use depsurf::progress::Progress;
use depsurf::select::{Candidate, Selection};
use depsurf::store::Dataset;
use depsurf::surface::Surface;
use rayon::prelude::*;

use crate::args::{Global, Import, ImportFormat};
use crate::dataset;
use crate::exit;
use crate::output::Output;
use crate::progress::Bar;
use crate::terminal::Terminal;

/// Reads the chosen kernels of another program's dataset, keeps them, and prints their names.
pub fn run(verb: &Import, global: &Global, terminal: &Terminal, output: &mut Output) -> anyhow::Result<u8> {
    let ImportFormat::Depsurf = verb.format;
    let listing = find(&verb.directory)?;
    for problem in listing.problems {
        terminal.warning(problem);
    }
    if listing.kernels.is_empty() {
        return Err(nothing(verb).into());
    }
    let kernels = chosen(listing.kernels, &verb.kernel)?;
    let place = dataset::place_to_write(global)?;
    let dataset = Dataset::create(&place)?;
    let progress = Bar::new(terminal);
    progress.step("import", Some(kernels.iter().map(|found| found.size).sum()));
    let results: Vec<depsurf::Result<()>> = kernels
        .par_iter()
        .map(|found| {
            let kept = import(found).and_then(|surface| keep(&surface, &dataset, terminal, &progress));
            progress.advance(found.size);
            kept
        })
        .collect();
    progress.finish();
    let mut status = exit::FINE;
    for (found, result) in kernels.iter().zip(results) {
        match result {
            Ok(()) => output.line(&found.kernel)?,
            Err(error) => {
                terminal.error(&error.at(found.kernel.to_string()).into());
                status = exit::FAILED;
            }
        }
    }
    Ok(status)
}

/// The kernels that are wanted, all where nothing is chosen.
fn chosen(kernels: Vec<Found>, given: &[String]) -> depsurf::Result<Vec<Found>> {
    let selection = Selection::parse(given).map_err(|error| error.at("--kernel"))?;
    let candidates: Vec<Candidate<'_>> = kernels.iter().map(|found| (&found.kernel).into()).collect();
    let ids: Vec<&KernelId> = kernels.iter().map(|found| &found.kernel).collect();
    let chosen = selection.choose(&candidates, group::default_kernel(&ids))?;
    let mut place = 0..;
    Ok(kernels.into_iter().filter(|_| place.next().is_some_and(|place| chosen.contains(&place))).collect())
}

fn keep(surface: &Surface, dataset: &Dataset, terminal: &Terminal, progress: &Bar) -> depsurf::Result<()> {
    dataset.add(surface)?;
    for note in surface.notes()?.iter().filter(|note| note.lossy) {
        let kernel = surface.kernel();
        progress.suspend(|| terminal.note(format_args!("{kernel}: {} ({})", note.message, note.count)));
    }
    Ok(())
}

fn nothing(verb: &Import) -> Error {
    Error::Usage {
        what: format!("the DepSurf dataset at `{}` has no kernels", verb.directory.display()),
        help: Some("files are named after kernels, as in func_groups/5.4.0-26-generic-amd64.jsonl".into()),
    }
}
