//! `depsurf export FORMAT DIR`.

use depsurf::interop;
use depsurf::progress::Progress;

use crate::args::{Export, ExportFormat, Global};
use crate::dataset::{self, Opened, Wanted};
use crate::exit;
use crate::output::Output;
use crate::progress::Bar;
use crate::terminal::Terminal;

/// Writes the chosen kernels to another program's format, and prints their names.
pub fn run(verb: &Export, global: &Global, terminal: &Terminal, output: &mut Output) -> anyhow::Result<u8> {
    let wanted = Wanted::new(&verb.kernel, global)?;
    let dataset = dataset::to_read(global, terminal)?;
    let Opened { surfaces, damaged, .. } = dataset::open(&dataset, &wanted, terminal)?;
    let progress = Bar::new(terminal);
    for surface in &surfaces {
        progress.step(&format!("write {}", surface.kernel()), None);
        match verb.format {
            ExportFormat::Depsurf => interop::depsurf::export(surface, &verb.directory)?,
        }
        output.line(surface.kernel())?;
    }
    progress.finish();
    Ok(if damaged { exit::FAILED } else { exit::FINE })
}
