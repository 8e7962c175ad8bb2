//! Command line of depsurf: reads arguments and the environment, calls the library, prints.

mod add;
mod args;
mod batch;
mod check;
mod completions;
mod dataset;
mod deps;
mod diff;
mod doctor;
mod exit;
mod explain;
mod export;
mod gate;
mod groups;
mod import;
mod info;
mod jobs;
mod known;
mod list;
mod log;
mod man;
mod memory;
mod objects;
mod output;
mod pages;
mod progress;
mod pull;
mod remove;
mod schema;
mod search;
mod show;
mod side;
mod starter;
mod terminal;
mod verify;

use std::process::ExitCode;

use args::{Arguments, Verb};
use clap::Parser;
use output::Output;
use terminal::Terminal;

fn main() -> ExitCode {
    // `parse` leaves with status 2 on a bad command line, as `exit::FAILED` says.
    let arguments = Arguments::parse();
    let terminal = Terminal::new(&arguments.global);
    let mut output = Output::stdout(arguments.global.color);
    let done = run(&arguments, &terminal, &mut output).and_then(|status| {
        output.flush()?;
        Ok(status)
    });
    match done {
        Ok(status) => status.into(),
        Err(error) if output::is_closed_pipe(&error) => exit::FINE.into(),
        Err(error) => {
            terminal.error(&error);
            exit::FAILED.into()
        }
    }
}

/// Gives the exit status, which is one of those in [`exit`].
fn run(arguments: &Arguments, terminal: &Terminal, output: &mut Output) -> anyhow::Result<u8> {
    let global = &arguments.global;
    match &arguments.verb {
        Verb::Add(verb) => add::run(verb, global, terminal, output),
        Verb::Pull(verb) => pull::run(verb, global, terminal, output),
        Verb::Remove(verb) => remove::run(verb, global, terminal, output),
        Verb::Verify(verb) => verify::run(verb, global, terminal, output),
        Verb::Info(verb) => info::run(verb, global, terminal, output),
        Verb::List(verb) => list::run(verb, global, terminal, output),
        Verb::Show(verb) => show::run(verb, global, terminal, output),
        Verb::Check(verb) => check::run(verb, global, terminal, output),
        Verb::Deps(verb) => deps::run(verb, global, terminal, output),
        Verb::Explain(verb) => explain::run(verb, global, terminal, output),
        Verb::Doctor(verb) => doctor::run(verb, global, terminal, output),
        Verb::Diff(verb) => diff::run(verb, global, terminal, output),
        Verb::Log(verb) => log::run(verb, global, terminal, output),
        Verb::Search(verb) => search::run(verb, global, terminal, output),
        Verb::Export(verb) => export::run(verb, global, terminal, output),
        Verb::Import(verb) => import::run(verb, global, terminal, output),
        Verb::Pages(verb) => pages::run(verb, global, terminal, output),
        Verb::Schema(verb) => schema::run(verb, output),
        Verb::Completions(verb) => completions::run(verb, output),
        Verb::Man(verb) => man::run(verb),
    }
}
