//! Writes surfaces in the layout of the dataset, one file per noun.

mod config;
mod function;
mod json;
mod symbol;
mod syscall;
mod tracepoint;
mod types;

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::Part;
use crate::error::{Error, Result};
use crate::surface::{Surface, TypeKind};

/// Takes the text of a file piece by piece; every piece ends with a line.
pub type Sink<'a> = &'a mut dyn FnMut(&str) -> Result<()>;

impl Part {
    /// Hands the text of a kernel's file to `sink`.
    ///
    /// # Errors
    /// What `sink` returns, and [`Error::Limit`] for types that are nested beyond any sense.
    pub fn write(self, surface: &Surface, sink: Sink<'_>) -> Result<()> {
        match self {
            Self::FuncGroups => function::groups(surface, sink),
            Self::TypesFunc => types::functions(surface, sink),
            Self::TypesStruct => types::composites(surface, TypeKind::Struct, sink),
            Self::TypesUnion => types::composites(surface, TypeKind::Union, sink),
            Self::TypesEnum => types::enums(surface, sink),
            Self::TypesInt => types::ints(surface, sink),
            Self::Symtab => symbol::table(surface, sink),
            Self::Tracepoints => tracepoint::events(surface, sink),
            Self::Syscalls => syscall::table(surface, sink),
            Self::Config => config::text(surface, sink),
            Self::Comment => config::comment(surface, sink),
        }
    }
}

/// Writes a surface into the dataset at `dir`, which is made where it does not exist. Files of the
/// same kernel are replaced, each in one step, after all of them were written.
///
/// # Errors
/// When a file cannot be written; then none was replaced.
pub fn export(surface: &Surface, dir: &Path) -> Result<()> {
    let parts: Vec<Part> = Part::ALL.into_iter().filter(|part| part.is_known(surface)).collect();
    let staged: Vec<Staged> =
        parts.par_iter().map(|&part| stage(part, surface, dir)).collect::<Result<_>>()?;
    staged.into_iter().try_for_each(Staged::publish)
}

/// A file written beside its place; removed again unless published.
struct Staged {
    temporary: PathBuf,
    path: PathBuf,
}

impl Staged {
    fn publish(self) -> Result<()> {
        fs::rename(&self.temporary, &self.path).map_err(|error| Error::io("cannot write", &self.path, error))
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        // After publishing there is nothing left under this name.
        let _ = fs::remove_file(&self.temporary);
    }
}

fn stage(part: Part, surface: &Surface, dir: &Path) -> Result<Staged> {
    let path = dir.join(part.path(surface.kernel()));
    let parent = dir.join(part.name());
    fs::create_dir_all(&parent).map_err(|error| Error::io("cannot create", &parent, error))?;
    let temporary = parent.join(format!(".{}.{}.tmp", surface.kernel(), std::process::id()));
    let staged = Staged { temporary, path };
    let failed = |error| Error::io("cannot write", &staged.path, error);
    let file = File::create(&staged.temporary).map_err(failed)?;
    let mut out = BufWriter::with_capacity(1 << 18, file);
    part.write(surface, &mut |text| out.write_all(text.as_bytes()).map_err(failed))?;
    out.flush().map_err(failed)?;
    Ok(staged)
}

#[cfg(test)]
mod tests;
