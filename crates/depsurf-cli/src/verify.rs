//! `depsurf verify [KERNEL...]`.

use depsurf::kernel::KernelId;
use depsurf::store::Problem;
use rayon::prelude::*;

use crate::args::{Global, Verify};
use crate::dataset::{self, Wanted};
use crate::exit;
use crate::output::Output;
use crate::terminal::Terminal;

/// Reads every byte of the chosen kernels, and prints what is damaged.
pub fn run(verb: &Verify, global: &Global, terminal: &Terminal, output: &mut Output) -> anyhow::Result<u8> {
    let dataset = dataset::to_read(global, terminal)?;
    let listing = dataset.list()?;
    let names: Vec<KernelId> = listing.entries.iter().map(|entry| entry.kernel.clone()).collect();
    // Kernels that cannot be opened are chosen by their names, as those that can be.
    let exact = |text: &String| text.parse().ok().filter(|name: &KernelId| names.contains(name));
    let by_name: Option<Vec<KernelId>> = verb.kernels.iter().map(exact).collect();
    let chosen = match by_name {
        Some(exact) if !exact.is_empty() => exact,
        _ if verb.kernels.is_empty() => names,
        _ => {
            let wanted = Wanted::of("KERNEL", &verb.kernels, global)?.choose(&dataset, terminal)?;
            names.into_iter().filter(|name| wanted.has(name)).collect()
        }
    };
    let entries: Vec<_> = listing.entries.iter().filter(|entry| chosen.contains(&entry.kernel)).collect();
    let results: Vec<depsurf::Result<()>> = entries
        .par_iter()
        .map(|entry| {
            let surface = dataset.surface(entry)?;
            surface.verify()?;
            surface.check_records()
        })
        .collect();
    let mut damaged = 0;
    for (entry, result) in entries.iter().zip(results) {
        match result {
            Ok(()) if terminal.verbose() => output.line(format!("{}: fine", entry.kernel))?,
            Ok(()) => {}
            Err(error) => {
                damaged += 1;
                output.line(format!("{}: {error}", entry.kernel))?;
            }
        }
    }
    for Problem { error, .. } in listing.problems.iter().filter(|_| verb.kernels.is_empty()) {
        terminal.warning(error);
    }
    let what = match damaged {
        0 => format!("{} kernels are fine", entries.len()),
        1 => "1 kernel is damaged: add it again with --force, or `depsurf remove` it".into(),
        _ => format!("{damaged} kernels are damaged: add them again with --force, or `depsurf remove` them"),
    };
    output.flush()?;
    if damaged > 0 || terminal.verbose() || terminal.shows_progress() {
        terminal.summary(what);
    }
    Ok(if damaged > 0 { exit::FOUND } else { exit::FINE })
}
