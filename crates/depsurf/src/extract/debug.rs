//! Debug sections, of an image and of the files beside it that have what the linker did not take.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use gimli::SectionId;
use rayon::prelude::*;

use crate::dwarf::{IN_FILE, IN_IMAGE, IN_PACKAGE, Located, Others, Sections, Skeleton};
use crate::error::Result;
use crate::image::Image;
use crate::source::{BesideFile, BuildPlace};

/// Bytes that compressed sections of all files beside an image may have together when they are expanded; the others are mapped.
const MOST_EXPANDED: u64 = 4 << 30;

/// The debug sections of a file, decompressed where they were compressed.
pub struct DebugSections<'a> {
    sections: Vec<(SectionId, Cow<'a, [u8]>)>,
}

impl<'a> DebugSections<'a> {
    /// Those of an image.
    pub fn load(image: &Image<'a>) -> Result<Self> {
        Self::named(image, IN_IMAGE.map(|id| (id, Some(id.name()))))
    }

    /// Those of a `.dwo` file or `.dwp` package.
    fn load_split(image: &Image<'a>, ids: &[SectionId]) -> Result<Self> {
        Self::named(image, ids.iter().map(|id| (*id, id.dwo_name())))
    }

    fn named(
        image: &Image<'a>,
        names: impl IntoIterator<Item = (SectionId, Option<&'static str>)>,
    ) -> Result<Self> {
        let mut sections = Vec::new();
        for (id, name) in names {
            if let Some(name) = name
                && let Some(bytes) = image.section_data(name)?
            {
                sections.push((id, bytes));
            }
        }
        Ok(Self { sections })
    }

    /// The bytes of a section; none where it is not there.
    pub fn get(&self, id: SectionId) -> &[u8] {
        self.sections.iter().find(|(other, _)| *other == id).map_or(&[], |(_, bytes)| bytes)
    }

    /// Whether there is no debug information.
    pub fn is_empty(&self) -> bool {
        self.get(SectionId::DebugInfo).is_empty()
    }

    fn sections(&self) -> Sections<'_> {
        Sections(self.sections.iter().map(|(id, bytes)| (*id, &**bytes)).collect())
    }

    /// How many bytes were expanded.
    fn expanded(&self) -> u64 {
        let owned = |bytes: &Cow<'_, [u8]>| matches!(bytes, Cow::Owned(_));
        self.sections.iter().filter(|(_, bytes)| owned(bytes)).map(|(_, bytes)| bytes.len() as u64).sum()
    }
}

/// The files that units of an image are in, open.
#[derive(Default)]
pub struct BesideFiles {
    files: Vec<std::result::Result<BesideFile, String>>,
    /// For each skeleton those that may have its unit.
    of_skeleton: Vec<Vec<usize>>,
    package: Option<std::result::Result<BesideFile, String>>,
}

impl BesideFiles {
    /// Finds the files of skeletons; none where nobody knows where the image is.
    pub fn find(skeletons: &[Skeleton<'_>], place: Option<&BuildPlace>) -> Self {
        let Some(place) = place.filter(|_| !skeletons.is_empty()) else {
            return Self { of_skeleton: vec![Vec::new(); skeletons.len()], ..Self::default() };
        };
        let mut numbers: HashMap<PathBuf, usize> = HashMap::new();
        let mut paths = Vec::new();
        let mut number = |path: PathBuf| {
            *numbers.entry(path).or_insert_with_key(|path| {
                paths.push(path.clone());
                paths.len() - 1
            })
        };
        let places: Vec<Vec<usize>> = skeletons
            .iter()
            .map(|skeleton| {
                let text = |bytes| String::from_utf8_lossy(bytes);
                let paths = place.paths(&text(skeleton.directory), &text(skeleton.name));
                paths.into_iter().map(&mut number).collect()
            })
            .collect();
        let found: Vec<_> = paths.par_iter().map(|path| place.open(path)).collect();
        let mut files = Vec::new();
        let kept: Vec<Option<usize>> = found
            .into_iter()
            .map(|found| {
                files.push(found?);
                Some(files.len() - 1)
            })
            .collect();
        let of_skeleton =
            places.into_iter().map(|places| places.into_iter().filter_map(|at| kept[at]).collect()).collect();
        Self { files, of_skeleton, package: place.package() }
    }

    /// Reads their section headers.
    pub fn load(&self, big_endian: bool) -> BesideSections<'_> {
        let expanded = AtomicU64::new(0);
        BesideSections {
            files: self.files.par_iter().map(|file| load(file, &IN_FILE, big_endian, &expanded)).collect(),
            package: self.package.as_ref().map(|file| load(file, &IN_PACKAGE, big_endian, &expanded)),
        }
    }
}

/// The sections of a file, or why they cannot be read. `expanded` counts what compressed ones of all files have.
fn load<'a>(
    file: &'a std::result::Result<BesideFile, String>,
    ids: &[SectionId],
    big_endian: bool,
    expanded: &AtomicU64,
) -> std::result::Result<DebugSections<'a>, String> {
    let file = file.as_ref().map_err(Clone::clone)?;
    let image = Image::parse_debug(&file.bytes).map_err(|error| error.to_string())?;
    if image.is_big_endian() != big_endian {
        return Err("its byte order is not the kernel's".to_owned());
    }
    let sections = DebugSections::load_split(&image, ids).map_err(|error| error.to_string())?;
    let size = sections.expanded();
    if expanded.fetch_add(size, Ordering::Relaxed) + size > MOST_EXPANDED {
        return Err(format!("all together expand to more than {} GiB", MOST_EXPANDED >> 30));
    }
    Ok(sections)
}

/// Their sections.
pub struct BesideSections<'a> {
    files: Vec<std::result::Result<DebugSections<'a>, String>>,
    package: Option<std::result::Result<DebugSections<'a>, String>>,
}

impl BesideSections<'_> {
    /// What the reader of DWARF takes.
    pub fn others<'b>(&'b self, skeletons: &[Skeleton<'b>], files: &BesideFiles) -> Others<'b> {
        let sections = |file: &'b std::result::Result<DebugSections<'_>, String>| {
            file.as_ref().map(DebugSections::sections).map_err(Clone::clone)
        };
        let located = skeletons
            .iter()
            .zip(&files.of_skeleton)
            .map(|(skeleton, files)| Located { skeleton: *skeleton, files: files.clone() });
        Others {
            located: located.collect(),
            files: self.files.iter().map(sections).collect(),
            package: self.package.as_ref().map(sections),
        }
    }
}
