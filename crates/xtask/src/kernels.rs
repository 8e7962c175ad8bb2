//! Kernels of Debian's packages as surfaces, with their configuration.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use depsurf::progress::Silent;
use depsurf::surface::Surface;
use depsurf::{extract, source};

use crate::packages::{self, Line};

/// The surface of a line's kernel.
pub fn surface(line: &Line) -> Result<Surface> {
    let package = packages::debug_package(line)?;
    let mut kernel = source::open(&package, &source::Options::default(), &Silent)?;
    if kernel.config.is_none() {
        kernel.config = Some(config(line, &kernel, &package)?);
    }
    let extracted = extract::surface(&kernel, &extract::Options::default(), &Silent)?;
    Ok(Surface::from_bytes(extracted.bytes)?)
}

/// The kernel's configuration, from the first of its other packages that has it.
fn config(line: &Line, kernel: &source::Kernel, debug_package: &Path) -> Result<source::Config> {
    let version = kernel.origin.package.as_ref().map_or("", |package| package.version.as_str());
    let mut tried = Vec::new();
    for name in &kernel.config_packages {
        let found = packages::package(line, name, version)
            .map_err(anyhow::Error::from)
            .and_then(|path: PathBuf| Ok(source::read_config(&path)?));
        match found {
            Ok(config) => return Ok(config),
            Err(error) => tried.push(format!("{name}: {error:#}")),
        }
    }
    bail!("no configuration for `{}`: {}", debug_package.display(), tried.join("; "))
}
