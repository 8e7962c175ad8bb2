//! `config` and `comment`: the build's options and compiler, as text.

use super::line::Source;
use super::{FORMAT, Part};
use crate::error::Result;
use crate::extract::config;
use crate::note::Notes;
use crate::surface::build::Parts;

/// Reads Kconfig text.
pub(super) fn read(source: Source<'_>, parts: &mut Parts, notes: &mut Notes) -> Result<()> {
    let origin = format!("{FORMAT}, {}", Part::Config.name());
    config::store(Some((&source.text()?, &origin)), parts, notes);
    Ok(())
}

/// Reads the lines of `.comment`: the compiler's, and then perhaps those of other compilers.
pub(super) fn comment(source: Source<'_>, parts: &mut Parts) -> Result<()> {
    let text = source.text()?;
    // A return at the very end is none of `lines`' line ends, but would be one in an export.
    let mut lines = text.lines().map(|line| line.trim_end_matches('\r').to_owned());
    parts.meta.compiler = lines.next();
    if let Some(import) = &mut parts.meta.imported {
        import.further_comments = lines.collect();
    }
    Ok(())
}
