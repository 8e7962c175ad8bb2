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

/// The compiler's line of `.comment`, and what an import had behind it.
pub(super) fn comment(surface: &Surface, sink: Sink<'_>) -> Result<()> {
    let meta = surface.meta();
    let further = meta.imported.iter().flat_map(|import| &import.further_comments).map(String::as_str);
    for line in meta.compiler.as_deref().into_iter().chain(further) {
        sink(&format!("{line}\n"))?;
    }
    Ok(())
}
