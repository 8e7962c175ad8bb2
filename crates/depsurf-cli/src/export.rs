//! `depsurf export FORMAT DIR`.

#[cfg(feature = "parquet")]
#[path = "export/parquet.rs"]
mod parquet;
#[cfg(not(feature = "parquet"))]
#[path = "export/no_parquet.rs"]
mod parquet;

use std::path::Path;

use depsurf::interop;
use depsurf::progress::Progress;
use depsurf::surface::Surface;

use crate::args::{Export, ExportFormat, Global};
use crate::dataset::{self, Opened, Wanted};
use crate::exit;
use crate::output::Output;
use crate::progress::Bar;
use crate::terminal::Terminal;

/// Writes the chosen kernels to another program's format, and prints their names.
pub fn run(verb: &Export, global: &Global, terminal: &Terminal, output: &mut Output) -> anyhow::Result<u8> {
    if verb.format == ExportFormat::Parquet {
        parquet::available()?;
    }
    let wanted = Wanted::new(&verb.kernel, global)?;
    let dataset = dataset::to_read(global, terminal)?;
    let Opened { surfaces, damaged, .. } = dataset::open(&dataset, &wanted, terminal)?;
    let progress = Bar::new(terminal);
    match verb.format {
        ExportFormat::Depsurf => depsurf(&surfaces, &verb.directory, &progress, output)?,
        ExportFormat::Parquet => parquet::export(surfaces, &verb.directory, &progress, output)?,
    }
    progress.finish();
    Ok(if damaged { exit::FAILED } else { exit::FINE })
}

fn depsurf(
    surfaces: &[Surface],
    directory: &Path,
    progress: &Bar,
    output: &mut Output,
) -> anyhow::Result<()> {
    for surface in surfaces {
        progress.step(&format!("write {}", surface.kernel()), None);
        interop::depsurf::export(surface, directory)?;
        output.line(surface.kernel())?;
    }
    Ok(())
}
