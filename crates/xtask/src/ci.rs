//! `ci`: what the continuous integration runs, nothing more.

use anyhow::Result;

use crate::{lint, test};

/// Lint, then test. Both run, so that one report shows everything.
pub fn run() -> Result<()> {
    let linted = lint::run();
    test::run(&test::Args { require_kernel: true, filter: Vec::new() })?;
    linted
}
