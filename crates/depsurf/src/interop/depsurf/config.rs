//! `config` and `comment`: the build's options and compiler, as text.

use super::Sink;
use crate::error::Result;
use crate::surface::Surface;

/// Kconfig text, sorted by option.
pub(super) fn text(surface: &Surface, sink: Sink<'_>) -> Result<()> {
    for option in surface.configs() {
        match option.value {
            "n" => sink(&format!("# {} is not set\n", option.name))?,
            value => sink(&format!("{}={value}\n", option.name))?,
        }
    }
    Ok(())
}

/// The compiler's line of `.comment`.
pub(super) fn comment(surface: &Surface, sink: Sink<'_>) -> Result<()> {
    sink(&format!("{}\n", surface.meta().compiler.as_deref().unwrap_or_default()))
}
