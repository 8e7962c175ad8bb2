//! `depsurf export parquet DIR`.

use std::path::Path;

use depsurf::interop::parquet::{self, Table};
use depsurf::progress::Progress;
use depsurf::surface::Surface;
use rayon::prelude::*;

use crate::output::Output;
use crate::progress::Bar;

/// Whether this program can; it can.
#[allow(clippy::unnecessary_wraps, reason = "the program without the feature refuses here")]
pub fn available() -> depsurf::Result<()> {
    Ok(())
}

/// Writes all tables of all kernels. A surface is let go as soon as its tables are written, and with it the
/// memory that its mapped file takes.
pub fn export(
    surfaces: Vec<Surface>,
    directory: &Path,
    progress: &Bar,
    output: &mut Output,
) -> anyhow::Result<()> {
    let kernels: Vec<_> = surfaces.iter().map(|surface| surface.kernel().clone()).collect();
    progress.step("write tables", Some((surfaces.len() * Table::ALL.len()) as u64));
    surfaces
        .into_par_iter()
        .try_for_each(|surface| parquet::export(&surface, directory, || progress.advance(1)))?;
    kernels.iter().try_for_each(|kernel| output.line(kernel))
}
