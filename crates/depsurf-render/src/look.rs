//! How a page looks on a terminal: width, colour, how much of it.

use anstyle::{AnsiColor, Style};

/// What the terminal allows and the user asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// Whether to write colour codes. Without them the text is the same.
    pub colour: bool,
    /// Columns to fill; longer lines are wrapped where they can be.
    pub width: usize,
    /// Whether long lists are shown to their end.
    pub verbose: bool,
}

impl Default for Look {
    fn default() -> Self {
        Self { colour: false, width: 100, verbose: false }
    }
}

/// What a piece of text is, for its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Tone {
    /// Text.
    #[default]
    Plain,
    /// A title.
    Title,
    /// Less important: kernels, paths.
    Dim,
    /// An answer that is as one would wish.
    Good,
    /// An answer that costs something.
    Caution,
    /// An answer that stops.
    Bad,
}

impl Tone {
    fn style(self) -> Style {
        match self {
            Self::Plain => Style::new(),
            Self::Title => Style::new().bold(),
            Self::Dim => Style::new().dimmed(),
            Self::Good => AnsiColor::Green.on_default(),
            Self::Caution => AnsiColor::Yellow.on_default(),
            Self::Bad => AnsiColor::Red.on_default(),
        }
    }
}

impl Look {
    /// The text with the codes of its tone, or as it is.
    pub(crate) fn paint(&self, tone: Tone, text: &str) -> String {
        if !self.colour || tone == Tone::Plain || text.is_empty() {
            return text.to_owned();
        }
        let style = tone.style();
        format!("{style}{text}{style:#}")
    }
}
