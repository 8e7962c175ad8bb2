//! Reads the dataset into surfaces, one file per noun. What it does not tell is unknown.

mod config;
mod evidence;
mod function;
mod kfunc;
mod line;
mod lsm;
mod symbol;
mod syscall;
mod tracepoint;
mod types;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use self::function::Functions;
use self::line::{Place, Source};
use self::symbol::Sections;
use self::types::Types;
use super::Part;
use crate::error::{Error, Result};
use crate::kernel::{Arch, KernelId};
use crate::note::Notes;
use crate::surface::build::Parts;
use crate::surface::meta::{Fact, Import};
use crate::surface::{Meta, Surface};

/// What the format is called.
const FORMAT: &str = "DepSurf dataset";

/// What a directory in the layout of the dataset holds, by the names of its files.
#[derive(Debug, Default)]
pub struct Listing {
    /// The kernels, in their order.
    pub kernels: Vec<Found>,
    /// Files that are not named like a kernel.
    pub problems: Vec<Error>,
}

/// The files of a kernel.
#[derive(Debug, Clone)]
pub struct Found {
    /// Which kernel, by the names of the files.
    pub kernel: KernelId,
    /// Bytes of all its files.
    pub size: u64,
    files: BTreeMap<Part, Vec<File>>,
}

/// A file of a kernel.
#[derive(Debug, Clone)]
enum File {
    Path(PathBuf),
    Memory(Vec<u8>),
}

impl File {
    /// What to call it in messages.
    fn name(&self, part: Part) -> String {
        let file = match self {
            Self::Path(path) => path.file_name().unwrap_or_default().to_string_lossy(),
            Self::Memory(_) => "memory".into(),
        };
        format!("{}/{file}", part.name())
    }

    fn place(&self) -> Place<'_> {
        match self {
            Self::Path(path) => Place::Path(path),
            Self::Memory(bytes) => Place::Memory(bytes),
        }
    }
}

impl Found {
    /// A kernel whose files, plain or compressed, are in memory.
    #[must_use]
    pub fn in_memory(kernel: KernelId, files: impl IntoIterator<Item = (Part, Vec<u8>)>) -> Self {
        let mut found = Self { kernel, size: 0, files: BTreeMap::new() };
        for (part, bytes) in files {
            found.size += bytes.len() as u64;
            found.files.entry(part).or_default().push(File::Memory(bytes));
        }
        found
    }
}

/// Lists the kernels of the dataset at `directory`; opens no file.
///
/// # Errors
/// When it cannot be read, or has none of the directories of the dataset.
pub fn find(directory: &Path) -> Result<Listing> {
    let mut listing = Listing::default();
    let mut kernels: BTreeMap<KernelId, Found> = BTreeMap::new();
    let mut has_part = false;
    let found = fs::metadata(directory).map_err(|error| Error::io("cannot read", directory, error))?;
    for part in Part::ALL.into_iter().filter(|_| found.is_dir()) {
        let place = directory.join(part.name());
        let files = match fs::read_dir(&place) {
            Ok(files) => files,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(Error::io("cannot read", place, error)),
        };
        has_part = true;
        for file in files {
            let file = file.map_err(|error| Error::io("cannot read", &place, error))?;
            let name = file.file_name().to_string_lossy().into_owned();
            // Hidden files are unfinished writes and the desk of the file manager.
            if name.starts_with('.') {
                continue;
            }
            match kernel_of(&name) {
                Ok(kernel) => {
                    let new = || Found { kernel: kernel.clone(), size: 0, files: BTreeMap::new() };
                    let found = kernels.entry(kernel.clone()).or_insert_with(new);
                    found.size += fs::metadata(file.path()).map_or(0, |metadata| metadata.len());
                    found.files.entry(part).or_default().push(File::Path(file.path()));
                }
                Err(error) => listing.problems.push(error.at(format!("{}/{name}", part.name()))),
            }
        }
    }
    if !has_part {
        return Err(Error::Usage {
            what: format!("no DepSurf dataset at `{}`", directory.display()),
            help: Some(format!("it has some of the directories {}", Part::ALL.map(Part::name).join(", "))),
        });
    }
    listing.kernels = kernels.into_values().collect();
    listing.problems.sort_by_key(ToString::to_string);
    Ok(listing)
}

/// The kernel of a file's name: `5.4.0-26-generic-amd64.jsonl.zst`.
fn kernel_of(name: &str) -> Result<KernelId> {
    let strip = |name: &str, extensions: &[&str]| {
        let stripped = extensions.iter().find_map(|extension| name.strip_suffix(extension));
        stripped.unwrap_or(name).to_owned()
    };
    let name = strip(name, &[".zst", ".gz"]);
    strip(&name, &[".jsonl", ".json", ".config", ".txt"]).parse()
}

/// Reads a kernel into a surface, whose bytes do not depend on the order of lines that mean the same.
///
/// # Errors
/// When a file cannot be read, or is not what it should be: names file and line.
pub fn import(found: &Found) -> Result<Surface> {
    let mut sources: Vec<(Part, &File, String)> = Vec::new();
    for (part, files) in &found.files {
        let [file] = files.as_slice() else { return Err(ambiguous(*part, files)) };
        sources.push((*part, file, file.name(*part)));
    }
    let source = |part: Part| {
        let (_, file, name) = sources.iter().find(|(other, ..)| *other == part)?;
        Some(Source { place: file.place(), name })
    };
    let arch = found.kernel.arch;
    let (functions, tables) = rayon::join(
        || source(Part::FuncGroups).map(|source| Functions::read(source, arch)).transpose(),
        || Tables::read(meta(found), &source),
    );
    let (functions, Tables { mut parts, mut types, mut sections, mut notes }) = (functions?, tables?);
    if let Some(source) = source(Part::Tracepoints) {
        tracepoint::read(source, &mut types, &mut parts, &mut notes)?;
    }
    let has_symtab = source(Part::Symtab).is_some();
    let missing = [Part::TypesStruct, Part::TypesFunc].into_iter().find(|part| source(*part).is_none());
    let lsm = lsm::read(&types, missing.map(Part::name), &mut parts);
    parts.meta.evidence.insert(Fact::LsmHooks, lsm);
    let kfuncs = kfunc::read(&types, has_symtab, &mut parts);
    parts.meta.evidence.insert(Fact::Kfuncs, kfuncs);
    if let Some(functions) = functions {
        functions.store(&mut parts, &types, &mut sections, has_symtab, &mut notes);
    }
    parts.types = types.finish();
    parts.notes = notes.into_vec();
    evidence::tell(&mut parts.meta, &|part| source(part).is_some());
    Surface::from_bytes(parts.encode())
}

/// The files that do not need each other's lines.
struct Tables {
    parts: Parts,
    types: Types,
    sections: Sections,
    notes: Notes,
}

impl Tables {
    fn read<'s>(meta: Meta, source: &impl Fn(Part) -> Option<Source<'s>>) -> Result<Self> {
        let mut parts = Parts::new(meta);
        let mut types = Types::new();
        let mut sections = Sections::default();
        let mut notes = Notes::new();
        if let Some(source) = source(Part::Comment) {
            config::comment(source, &mut parts)?;
        }
        if let Some(source) = source(Part::Config) {
            config::read(source, &mut parts, &mut notes)?;
        }
        if let Some(source) = source(Part::Syscalls) {
            syscall::read(source, &mut parts)?;
        }
        if let Some(source) = source(Part::Symtab) {
            symbol::read(source, &mut parts, &mut sections)?;
        }
        let order = [Part::TypesInt, Part::TypesEnum, Part::TypesUnion, Part::TypesStruct, Part::TypesFunc];
        for part in order {
            if let Some(source) = source(part) {
                types.read(part, source, &mut parts.strings, &mut notes)?;
            }
        }
        Ok(Self { parts, types, sections, notes })
    }
}

fn ambiguous(part: Part, files: &[File]) -> Error {
    let mut names: Vec<String> = files.iter().map(|file| format!("`{}`", file.name(part))).collect();
    names.sort();
    Error::Usage {
        what: format!("{} has several files of one kernel: {}", part.name(), names.join(", ")),
        help: Some("remove all but one".into()),
    }
}

/// What the names of the files tell.
fn meta(found: &Found) -> Meta {
    let kernel = found.kernel.clone();
    Meta {
        uname: None,
        banner: None,
        build_id: None,
        compiler: None,
        distribution: None,
        package: None,
        big_endian: kernel.arch == Arch::S390x,
        address_size: if matches!(kernel.arch, Arch::Armhf | Arch::I386) { 4 } else { 8 },
        base_address: 0,
        btf_types: 1,
        imported: Some(Import {
            format: FORMAT.into(),
            parts: found.files.keys().map(|part| part.name().to_owned()).collect(),
            further_comments: Vec::new(),
        }),
        fetched: None,
        evidence: BTreeMap::new(),
        kernel,
    }
}

#[cfg(test)]
mod tests;
