//! `depsurf man DIR`.

use std::fs;

use anyhow::Context;
use clap::CommandFactory;

use crate::args::{Arguments, Man};
use crate::exit;

/// Writes a manual page for the program and one for each verb that `--help` shows.
pub fn run(verb: &Man) -> anyhow::Result<u8> {
    let directory = &verb.directory;
    let failed = || format!("cannot write the pages to `{}`", directory.display());
    fs::create_dir_all(directory).with_context(failed)?;
    clap_mangen::generate_to(Arguments::command().disable_help_subcommand(true), directory)
        .with_context(failed)?;
    Ok(exit::FINE)
}
