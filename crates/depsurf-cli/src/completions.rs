//! `depsurf completions SHELL`.

use clap::CommandFactory;

use crate::args::{Arguments, Completions};
use crate::exit;
use crate::output::Output;

/// Writes the completions of a shell.
pub fn run(verb: &Completions, output: &mut Output) -> anyhow::Result<u8> {
    let mut script = Vec::new();
    clap_complete::generate(verb.shell, &mut Arguments::command(), "depsurf", &mut script);
    output.write(script)?;
    Ok(exit::FINE)
}
