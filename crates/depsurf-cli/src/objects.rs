//! eBPF objects in files: alone, or inside programs, libraries and archives; and scripts that make theirs when they run.

use std::collections::BTreeSet;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use depsurf::Error;
use depsurf::bpf::{self, Choices, Object};
use depsurf::check::Prepared;
use depsurf::script::{Language, Script};

use crate::terminal::Terminal;

/// Files that were read.
pub struct Files(Vec<File>);

/// A file, and where objects are in it.
struct File {
    path: PathBuf,
    name: String,
    bytes: Vec<u8>,
    images: Vec<Range<usize>>,
    script: Option<Script>,
}

/// An object, what to call it, and where it is in its file.
pub struct Found<'f> {
    pub name: String,
    /// The file, as it was given.
    pub path: &'f Path,
    pub place: Range<usize>,
    /// What is around it: the program that loads it. Empty where it is alone.
    pub texts: Arc<BTreeSet<&'f str>>,
    pub object: Object<'f>,
}

impl Found<'_> {
    /// Names of its programs.
    pub fn programs(&self) -> impl Iterator<Item = &str> {
        self.object.programs().map(|program| program.name)
    }

    /// Whether it has a program.
    pub fn has(&self, program: &str) -> bool {
        self.programs().any(|name| name == program)
    }
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
                file.name = file.path.to_string_lossy().into_owned();
            }
        }
        Ok(Self(files))
    }

    /// The objects, and whether some cannot be read, which has been told.
    pub fn objects(&self, terminal: &Terminal) -> (Vec<Found<'_>>, bool) {
        let mut found = Vec::new();
        let mut damaged = false;
        for file in &self.0 {
            let texts = Arc::new(file.texts());
            for (number, place) in file.images.iter().enumerate() {
                let several = file.images.len() > 1;
                let name = if several { format!("{}#{}", file.name, number + 1) } else { file.name.clone() };
                match Object::parse(&file.bytes[place.clone()]) {
                    Ok(object) => found.push(Found {
                        name,
                        path: &file.path,
                        place: place.clone(),
                        texts: Arc::clone(&texts),
                        object,
                    }),
                    Err(error) => {
                        damaged = true;
                        terminal.warning(format_args!("{name}: {error}"));
                    }
                }
            }
        }
        (found, damaged)
    }

    /// The scripts, and what each is called.
    pub fn scripts(&self) -> Vec<(&str, &Script)> {
        self.0.iter().filter_map(|file| Some((file.name.as_str(), file.script.as_ref()?))).collect()
    }
}

/// Objects as they are loaded, ready to be judged. Of one that cannot be, the reason is told and `damaged` is set.
pub fn prepare<'f>(
    objects: &'f [Found<'f>],
    decided: &'f [Choices],
    told: &Terminal,
    damaged: &mut bool,
) -> Vec<Prepared<'f>> {
    let mut prepared = Vec::new();
    for (found, choices) in objects.iter().zip(decided) {
        match Prepared::new(&found.name, &found.object) {
            Ok(object) => prepared.push(object.with(choices)),
            Err(error) => {
                *damaged = true;
                told.warning(format_args!("{}: {error}", found.name));
            }
        }
    }
    prepared
}

impl File {
    /// Names among the texts around its objects: they end with a zero byte and may be a function's.
    fn texts(&self) -> BTreeSet<&str> {
        let ends = self.images.iter().map(|place| place.start).chain([self.bytes.len()]);
        let starts = [0].into_iter().chain(self.images.iter().map(|place| place.end));
        let gaps = starts.zip(ends).filter_map(|(start, end)| self.bytes.get(start..end));
        let is_name = |text: &&[u8]| {
            (4..=128).contains(&text.len())
                && !text[0].is_ascii_digit()
                && text.iter().all(|c| c.is_ascii_alphanumeric() || *c == b'_')
        };
        let pieces = gaps.flat_map(|gap| gap.split(|byte| *byte == 0).filter(is_name));
        pieces.filter_map(|text| str::from_utf8(text).ok()).collect()
    }

    fn read(path: &Path, terminal: &Terminal) -> anyhow::Result<Self> {
        let bytes = fs::read(path).with_context(|| format!("cannot read `{}`", path.display()))?;
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        if let Some(language) = Language::of(&name, &bytes) {
            let script = Script::parse(language, &String::from_utf8_lossy(&bytes));
            return Ok(Self { path: path.into(), name, bytes, images: Vec::new(), script: Some(script) });
        }
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
                what: format!("`{}` has no eBPF object, and is no script of bpftrace or BCC", path.display()),
                help: Some(
                    "objects are ELF files of machine 247, alone or inside another file; scripts are known by \
                     `#!/usr/bin/env bpftrace`, `.bt` and `from bcc import BPF`"
                        .into(),
                ),
            }
            .into());
        }
        Ok(Self { path: path.into(), name, bytes, images, script: None })
    }
}
