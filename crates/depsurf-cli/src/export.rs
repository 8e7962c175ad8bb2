//! `depsurf export FORMAT`.

#[path = "export/btf.rs"]
mod btf;
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

use crate::args::{Export, ExportFormat, ExportTree, Global};
use crate::dataset::{self, Opened, Wanted};
use crate::exit;
use crate::output::Output;
use crate::progress::Bar;
use crate::terminal::Terminal;

/// Writes the chosen kernels to another program's format.
pub fn run(verb: &Export, global: &Global, terminal: &Terminal, output: &mut Output) -> anyhow::Result<u8> {
    let (tree, is_parquet) = match &verb.format {
        ExportFormat::Btf(verb) => return btf::run(verb, global, terminal, output),
        ExportFormat::Depsurf(tree) => (tree, false),
        ExportFormat::Parquet(tree) => (tree, true),
    };
    if is_parquet {
        parquet::available()?;
    }
    let ExportTree { directory, kernel } = tree;
    let wanted = Wanted::new(kernel, global)?;
    let dataset = dataset::to_read(global, terminal)?;
    let Opened { surfaces, damaged, .. } = dataset::open(&dataset, &wanted, terminal)?;
    let progress = Bar::new(terminal);
    if is_parquet {
        parquet::export(surfaces, directory, &progress, output)?;
    } else {
        depsurf(&surfaces, directory, &progress, output)?;
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
