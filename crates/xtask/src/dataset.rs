//! `dataset`: a dataset of Debian kernels of several versions, architectures and flavours.
//!
//! What the documents say of many real kernels is said of this one. Kernels that are there already are
//! left alone.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result};
use clap::Parser;
use depsurf::store::Dataset;

use crate::{kernels, packages};

/// Where to.
#[derive(Debug, Parser)]
pub struct Args {
    /// Directory of the dataset; `target/dataset` when none is given
    #[arg(value_name = "DIR")]
    pub directory: Option<PathBuf>,
}

/// Adds the kernels of [`packages::DATASET`] that are missing.
pub fn run(args: &Args) -> Result<()> {
    let directory = args.directory.clone().unwrap_or_else(|| crate::target().join("dataset"));
    let dataset = Dataset::create(&directory)?;
    for line in &packages::DATASET {
        // A kernel's name tells version and release only together with its package, so the package is asked for.
        let stamp = directory.join(format!(".{}.done", line.package()));
        if stamp.exists() {
            continue;
        }
        let start = Instant::now();
        let surface = kernels::surface(line)?;
        dataset.add(&surface)?;
        std::fs::write(&stamp, surface.kernel().to_string())
            .with_context(|| format!("cannot write `{}`", stamp.display()))?;
        println!("{}: {:.1} s", surface.kernel(), start.elapsed().as_secs_f64());
    }
    println!("{}", directory.display());
    Ok(())
}
