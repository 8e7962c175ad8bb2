//! Standard error: everything that is not a result.

use std::fmt;
use std::io::{self, IsTerminal, Write};

use anstyle::{AnsiColor, Style};

use crate::args::Global;
use crate::output::wants_color;

const ERROR: Style = AnsiColor::Red.on_default().bold();
const WARNING: Style = AnsiColor::Yellow.on_default().bold();
const QUIET: Style = Style::new().dimmed();

/// Says things to the person in front.
pub struct Terminal {
    color: bool,
    quiet: bool,
    verbose: bool,
    interactive: bool,
}

impl Terminal {
    /// The process's standard error.
    pub fn new(global: &Global) -> Self {
        let interactive = io::stderr().is_terminal();
        Self {
            color: wants_color(global.color, interactive),
            quiet: global.quiet,
            verbose: global.verbose,
            interactive,
        }
    }

    /// Whether `-v` was given.
    pub fn verbose(&self) -> bool {
        self.verbose
    }

    /// Whether progress may be drawn.
    pub fn shows_progress(&self) -> bool {
        self.interactive && !self.quiet
    }

    /// Why something was not done, and what to do about it.
    pub fn error(&self, error: &anyhow::Error) {
        let mut message = String::new();
        let mut help = None;
        for cause in error.chain() {
            let separator = if message.is_empty() { "" } else { ": " };
            message += &format!("{separator}{cause}");
            if let Some(error) = cause.downcast_ref::<depsurf::Error>() {
                // The library's errors tell their causes themselves.
                help = error.help();
                break;
            }
        }
        self.say(ERROR, "error", message);
        for line in help.iter().flat_map(|help| help.lines()) {
            self.say(QUIET, "  help", line);
        }
    }

    /// Something that is worth knowing and keeps nothing from being done.
    pub fn warning(&self, text: impl fmt::Display) {
        if !self.quiet {
            self.say(WARNING, "warning", text);
        }
    }

    /// What was done, in numbers.
    pub fn summary(&self, text: impl fmt::Display) {
        if !self.quiet {
            let _ = writeln!(io::stderr(), "{text}");
        }
    }

    /// Something that a person may want to know; programs do not.
    pub fn note(&self, text: impl fmt::Display) {
        if self.verbose || self.shows_progress() {
            self.say(QUIET, "note", text);
        }
    }

    fn say(&self, style: Style, what: &str, text: impl fmt::Display) {
        let style = if self.color { style } else { Style::new() };
        // Nobody is left to be told that standard error is closed.
        let _ = writeln!(io::stderr(), "{style}{what}:{style:#} {text}");
    }
}
