//! Standard output: results only.

use std::env;
use std::fmt;
use std::io::{self, BufWriter, IsTerminal, StdoutLock, Write};

use anstyle::Style;

use crate::args::Color;

/// Where results go. Writes are buffered; [`Output::flush`] tells whether all arrived.
pub struct Output {
    writer: BufWriter<StdoutLock<'static>>,
    color: bool,
}

/// Standard output could not be written.
#[derive(Debug)]
struct Failed(io::Error);

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot write to standard output: {}", self.0)
    }
}

impl std::error::Error for Failed {}

impl Output {
    /// The process's standard output.
    pub fn stdout(color: Color) -> Self {
        let stdout = io::stdout().lock();
        let color = wants_color(color, stdout.is_terminal());
        Self { writer: BufWriter::with_capacity(64 * 1024, stdout), color }
    }

    /// Whether the result may be coloured.
    pub fn color(&self) -> bool {
        self.color
    }

    /// Columns of the terminal; `None` when the result goes elsewhere.
    pub fn width(&self) -> Option<usize> {
        let (terminal_size::Width(columns), _) = terminal_size::terminal_size_of(io::stdout())?;
        Some(columns.into())
    }

    /// Writes text as it is.
    pub fn write(&mut self, text: impl AsRef<[u8]>) -> anyhow::Result<()> {
        Ok(self.writer.write_all(text.as_ref()).map_err(Failed)?)
    }

    /// Writes text and a newline.
    pub fn line(&mut self, text: impl fmt::Display) -> anyhow::Result<()> {
        Ok(writeln!(self.writer, "{text}").map_err(Failed)?)
    }

    /// Text in a style, where colours are wanted.
    pub fn styled(&self, style: Style, text: impl fmt::Display) -> String {
        if self.color { format!("{style}{text}{style:#}") } else { text.to_string() }
    }

    /// Writes what is buffered.
    pub fn flush(&mut self) -> anyhow::Result<()> {
        Ok(self.writer.flush().map_err(Failed)?)
    }
}

/// Whether the reader of standard output went away, as `head` does: no reason to complain.
pub fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<Failed>().is_some_and(|Failed(error)| error.kind() == io::ErrorKind::BrokenPipe)
}

/// Whether to colour a stream, as no-color.org asks for.
pub fn wants_color(color: Color, terminal: bool) -> bool {
    match color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => {
            terminal
                && env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
                && env::var_os("TERM").is_none_or(|value| value != "dumb")
        }
    }
}
