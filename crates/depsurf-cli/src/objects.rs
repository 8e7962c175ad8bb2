//! eBPF objects in files: alone, or inside programs, libraries and archives.

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use anyhow::Context;
use depsurf::Error;
use depsurf::bpf::{self, Object};

use crate::terminal::Terminal;

/// Files that were read.
pub struct Files(Vec<File>);

/// A file, and where objects are in it.
struct File {
    name: String,
    path: String,
    bytes: Vec<u8>,
    images: Vec<Range<usize>>,
}

/// An object, what to call it, and where it is in its file.
pub struct Found<'f> {
    pub name: String,
    /// The file, as it was given.
    pub path: &'f str,
    pub place: Range<usize>,
    pub object: Object<'f>,
}

impl Files {
    /// Reads files and finds the objects in them.
    ///
    /// # Errors
    /// When a file cannot be read, or has none.
    pub fn read(paths: &[PathBuf], terminal: &Terminal) -> anyhow::Result<Self> {
        let read = paths.iter().map(|path| File::read(path, terminal));
        let mut files: Vec<File> = read.collect::<anyhow::Result<_>>()?;
        // Files of different directories may have one name, and objects are known by theirs.
        let names: Vec<String> = files.iter().map(|file| file.name.clone()).collect();
        for file in &mut files {
            if names.iter().filter(|name| **name == file.name).count() > 1 {
                file.name.clone_from(&file.path);
            }
        }
        Ok(Self(files))
    }

    /// The objects, and whether some cannot be read, which has been told.
    pub fn objects(&self, terminal: &Terminal) -> (Vec<Found<'_>>, bool) {
        let mut found = Vec::new();
        let mut damaged = false;
        for file in &self.0 {
            for (number, place) in file.images.iter().enumerate() {
                let several = file.images.len() > 1;
                let name = if several { format!("{}#{}", file.name, number + 1) } else { file.name.clone() };
                match Object::parse(&file.bytes[place.clone()]) {
                    Ok(object) => {
                        found.push(Found { name, path: &file.path, place: place.clone(), object });
                    }
                    Err(error) => {
                        damaged = true;
                        terminal.warning(format_args!("{name}: {error}"));
                    }
                }
            }
        }
        (found, damaged)
    }
}

impl File {
    fn read(path: &Path, terminal: &Terminal) -> anyhow::Result<Self> {
        let bytes = fs::read(path).with_context(|| format!("cannot read `{}`", path.display()))?;
        let images: Vec<Range<usize>> = bpf::scan(&bytes).collect();
        let packed = bpf::compressed(&bytes).count();
        if packed > 0 {
            terminal.warning(format_args!(
                "`{}` has {packed} compressed members, which were not looked into; unpack them first",
                path.display()
            ));
        }
        if images.is_empty() {
            return Err(Error::Usage {
                what: format!("`{}` has no eBPF object", path.display()),
                help: Some(
                    "objects are ELF files of machine 247, alone or inside another file; programs of bpftrace and BCC \
                     make theirs when they run"
                        .into(),
                ),
            }
            .into());
        }
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        Ok(Self { name, path: path.to_string_lossy().into_owned(), bytes, images })
    }
}
