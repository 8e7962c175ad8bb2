//! Split DWARF: units whose DIEs the compiler left in files beside the objects (DWARF 5 §3.1.2, and before it the GNU
//! extension of DWARF 4). A `.dwo` file has those of one object, a `.dwp` package those of a whole kernel. What the
//! linker took is a *skeleton*: where the file is, an id, and what is relocated: addresses and the line table.
//!
//! A unit of such a file takes the place of its skeleton, so that nothing behind this knows that it was split. The
//! files are found by the caller: [`skeletons`] tells which are wanted, and [`Others`] has their sections.

use std::sync::Arc;

use foldhash::fast::FixedState;
use gimli::{DwoId, Endianity, SectionId, UnitType, constants};
use hashbrown::{HashMap, HashSet};
use rayon::prelude::*;

use super::Threads;
use super::worker::{self, Dwarf, Header, Slice, offset_of};
use crate::note::Notes;

/// The sections that are read of a `.dwo` file.
pub const IN_FILE: [SectionId; 5] = [
    SectionId::DebugInfo,
    SectionId::DebugAbbrev,
    SectionId::DebugStr,
    SectionId::DebugRngLists,
    SectionId::DebugStrOffsets,
];

/// The sections of a `.dwp` package: all of which its index may name parts.
pub const IN_PACKAGE: [SectionId; 13] = [
    SectionId::DebugCuIndex,
    SectionId::DebugTuIndex,
    SectionId::DebugInfo,
    SectionId::DebugTypes,
    SectionId::DebugAbbrev,
    SectionId::DebugStr,
    SectionId::DebugStrOffsets,
    SectionId::DebugRngLists,
    SectionId::DebugLine,
    SectionId::DebugLoc,
    SectionId::DebugLocLists,
    SectionId::DebugMacinfo,
    SectionId::DebugMacro,
];

/// Units of DWARF 4 in one `.dwo` file that are asked for their id, which is among the attributes of each. Compilers
/// write one.
const MOST_OLD_UNITS: usize = 1024;

/// Bytes of a skeleton, which has no DIE but its root, with room for attributes of all kinds.
const SMALL: usize = 1024;

/// A unit of which only the skeleton is in the image.
#[derive(Debug, Clone, Copy)]
pub struct Skeleton<'data> {
    /// Offset of its header in `.debug_info`.
    pub offset: usize,
    /// `DW_AT_comp_dir`: the directory that the name is relative to. Empty where it has none.
    pub directory: &'data [u8],
    /// `DW_AT_dwo_name` or `DW_AT_GNU_dwo_name`: the file, as the compiler was told to write it.
    pub name: &'data [u8],
    /// What the unit in the file has to have, too.
    pub id: u64,
}

/// Debug sections of a file beside the image, under the names they have in an image.
#[derive(Debug, Default)]
pub struct Sections<'data>(pub Vec<(SectionId, &'data [u8])>);

impl<'data> Sections<'data> {
    pub(super) fn get(&self, id: SectionId) -> &'data [u8] {
        self.0.iter().find(|(other, _)| *other == id).map_or(&[], |(_, bytes)| bytes)
    }
}

/// The files that may have a unit, by their place in [`Others::files`], the likeliest first.
#[derive(Debug, Clone)]
pub struct Located<'data> {
    /// The unit.
    pub skeleton: Skeleton<'data>,
    /// The files; empty where there are none.
    pub files: Vec<usize>,
}

/// Files with units of which the image has the skeletons.
#[derive(Debug, Default)]
pub struct Others<'data> {
    /// The units.
    pub located: Vec<Located<'data>>,
    /// The `.dwo` files with the sections [`IN_FILE`], or why they cannot be read.
    pub files: Vec<Result<Sections<'data>, String>>,
    /// A `.dwp` package with the sections [`IN_PACKAGE`], for what is in none of the files; or why it cannot be read.
    pub package: Option<Result<Sections<'data>, String>>,
}

/// The units of which only the skeletons are here, in the order of `.debug_info`. What is damaged is none:
/// [`super::read`] tells of it.
pub fn skeletons<'data>(
    big_endian: bool,
    section: impl Fn(SectionId) -> &'data [u8],
) -> Vec<Skeleton<'data>> {
    if big_endian {
        skeletons_endian(gimli::BigEndian, section)
    } else {
        skeletons_endian(gimli::LittleEndian, section)
    }
}

fn skeletons_endian<'data, E: Endianity>(
    endian: E,
    section: impl Fn(SectionId) -> &'data [u8],
) -> Vec<Skeleton<'data>> {
    let dwarf: Dwarf<'data, E> =
        Dwarf::load(|id| Ok::<_, gimli::Error>(gimli::EndianSlice::new(section(id), endian)))
            .unwrap_or_default();
    // A header of DWARF 5 tells. Before, the root DIE does. Most kernels are spared reading it in all of their units: only
    // skeletons of that time have addresses in a section of their own, and are as small.
    let has_addresses = !section(SectionId::DebugAddr).is_empty();
    let may_be_old = |header: &Header<'data, E>| {
        header.version() < 5 && (has_addresses || header.length_including_self() < SMALL)
    };
    let mut found = Vec::new();
    let mut units = dwarf.units();
    while let Ok(Some(header)) = units.next() {
        if matches!(header.type_(), UnitType::Skeleton(_)) || may_be_old(&header) {
            found.extend(skeleton(&dwarf, header).ok().flatten());
        }
    }
    found
}

fn skeleton<'data, E: Endianity>(
    dwarf: &Dwarf<'data, E>,
    header: Header<'data, E>,
) -> gimli::Result<Option<Skeleton<'data>>> {
    let unit = dwarf.unit(header)?;
    let Some(DwoId(id)) = unit.dwo_id else { return Ok(None) };
    let mut entries = unit.entries_raw(None)?;
    let Some(root) = entries.read_abbreviation()? else { return Ok(None) };
    for &spec in root.attributes() {
        let attr = entries.read_attribute_inline(spec)?;
        if matches!(attr.name(), constants::DW_AT_dwo_name | constants::DW_AT_GNU_dwo_name) {
            let name = dwarf.attr_string(&unit, attr.raw_value())?.slice();
            let directory = unit.comp_dir.map_or(&[][..], |directory| directory.slice());
            return Ok(Some(Skeleton { offset: offset_of(&header), directory, name, id }));
        }
    }
    Ok(None)
}

/// A unit that takes the place of its skeleton.
#[derive(Debug)]
pub(super) struct Split<'data, E: Endianity> {
    /// The sections of its file, with those of the image that it uses.
    pub dwarf: Arc<Dwarf<'data, E>>,
    pub header: Header<'data, E>,
    /// The file's name, as the skeleton has it.
    pub name: &'data [u8],
}

/// Why a unit is left out.
#[derive(Debug)]
pub(super) enum Lost {
    Missing,
    Unreadable(String),
    OtherBuild,
    Taken,
}

impl Lost {
    /// Notes a unit of a file of this name.
    pub(super) fn note(&self, notes: &mut Notes, name: &[u8]) {
        let place = || String::from_utf8_lossy(name).into_owned();
        match self {
            Self::Missing => missing(notes, place),
            Self::Unreadable(why) => notes.lost(
                "dwarf-split-file",
                || format!("compile units whose `.dwo` files cannot be read are left out: {why}"),
                place,
            ),
            Self::OtherBuild => notes.lost(
                "dwarf-split-id",
                || {
                    "compile units whose `.dwo` files are of another build (the DWO id differs) are left out"
                        .into()
                },
                place,
            ),
            Self::Taken => notes.lost(
                "dwarf-split-taken",
                || "compile units are left out that claim the same unit of a `.dwo` file as others".into(),
                place,
            ),
        }
    }
}

/// Notes a unit whose file was not found.
pub(super) fn missing(notes: &mut Notes, place: impl FnOnce() -> String) {
    let message = || {
        "compile units whose debug information is in `.dwo` files (CONFIG_DEBUG_INFO_SPLIT) that were not found are \
         left out: they are looked for in the place of the build"
            .into()
    };
    notes.lost("dwarf-split-unit", message, place);
}

/// The units of other files, by the place of their skeletons among all units.
#[derive(Debug)]
pub(super) struct Splits<'data, E: Endianity> {
    by_unit: HashMap<u32, One<'data, E>, FixedState>,
}

/// What became of a skeleton.
#[derive(Debug)]
pub(super) struct One<'data, E: Endianity> {
    /// The file's name, as the skeleton has it.
    pub name: &'data [u8],
    /// Its unit, or why there is none.
    pub split: Result<Split<'data, E>, Lost>,
}

/// A `.dwo` file.
struct File<'data, E: Endianity> {
    dwarf: Arc<Dwarf<'data, E>>,
    /// Its units, by id.
    units: HashMap<u64, Header<'data, E>, FixedState>,
}

impl<'data, E: Endianity + Send + Sync> File<'data, E> {
    fn new(sections: &Sections<'data>, image: &Dwarf<'data, E>, endian: E) -> gimli::Result<Self> {
        let mut dwarf: Dwarf<'data, E> =
            Dwarf::load(|id| Ok::<_, gimli::Error>(gimli::EndianSlice::new(sections.get(id), endian)))?;
        dwarf.make_dwo(image);
        let mut units = HashMap::default();
        let mut old = 0;
        let mut headers = dwarf.units();
        while let Some(header) = headers.next()? {
            let id = match header.type_() {
                UnitType::SplitCompilation(id) => Some(id),
                UnitType::Compilation if header.version() < 5 && old < MOST_OLD_UNITS => {
                    old += 1;
                    dwarf.unit(header)?.dwo_id
                }
                _ => None,
            };
            if let Some(DwoId(id)) = id {
                units.entry(id).or_insert(header);
            }
        }
        Ok(Self { dwarf: Arc::new(dwarf), units })
    }
}

/// A `.dwp` package.
type Package<'data, E> = gimli::DwarfPackage<Slice<'data, E>>;

impl<'data, E: Endianity + Send + Sync> Splits<'data, E> {
    /// Finds the unit of each skeleton.
    pub(super) fn new(
        image: &Dwarf<'data, E>,
        headers: &[Header<'data, E>],
        others: &Others<'data>,
        endian: E,
        threads: Threads,
    ) -> Self {
        let mut by_unit = HashMap::default();
        if others.located.is_empty() {
            return Self { by_unit };
        }
        let open = |file: &Result<Sections<'data>, String>| {
            let sections = file.as_ref().map_err(Clone::clone)?;
            File::new(sections, image, endian).map_err(|error| error.to_string())
        };
        let files: Vec<Result<File<'data, E>, String>> = match threads {
            Threads::All => others.files.par_iter().map(open).collect(),
            Threads::One => others.files.iter().map(open).collect(),
        };
        let package = others.package.as_ref().map(|package| {
            let sections = package.as_ref().map_err(Clone::clone)?;
            let empty = gimli::EndianSlice::new(&[][..], endian);
            let section = |id| Ok::<_, gimli::Error>(gimli::EndianSlice::new(sections.get(id), endian));
            Package::load(section, empty).map_err(|error| error.to_string())
        });
        // Which units of which files are somebody's: a hostile image could have the same one read a million times.
        let mut left =
            others.package.as_ref().and_then(|package| package.as_ref().ok()).map_or(0, |package| {
                // Each unit has its own part of the section, which a damaged index may not say.
                package.get(SectionId::DebugInfo).len()
            });
        let mut taken: HashSet<(Option<usize>, u64), FixedState> = HashSet::default();
        for Located { skeleton, files: places } in &others.located {
            let Ok(unit) = headers.binary_search_by_key(&skeleton.offset, offset_of) else { continue };
            let mut lost = Lost::Missing;
            let in_file = places.iter().find_map(|&place| match files.get(place)? {
                Ok(file) => {
                    lost = Lost::OtherBuild;
                    let header = *file.units.get(&skeleton.id)?;
                    Some((Some(place), Split { dwarf: Arc::clone(&file.dwarf), header, name: skeleton.name }))
                }
                Err(why) => {
                    lost = Lost::Unreadable(why.clone());
                    None
                }
            });
            let in_package = || match package.as_ref()? {
                Ok(package) => match of_package(package, image, skeleton, &mut left) {
                    Ok(split) => Some((None, split?)),
                    Err(error) => {
                        lost = Lost::Unreadable(error.to_string());
                        None
                    }
                },
                Err(why) => {
                    lost = Lost::Unreadable(why.clone());
                    None
                }
            };
            let split = match in_file.or_else(in_package) {
                Some((place, _)) if !taken.insert((place, skeleton.id)) => Err(Lost::Taken),
                Some((_, split)) => Ok(split),
                None => Err(lost),
            };
            by_unit.insert(unit as u32, One { name: skeleton.name, split });
        }
        Self { by_unit }
    }
}

impl<'data, E: Endianity> Splits<'data, E> {
    /// The unit whose skeleton is at a place among all units, or why it is left out; `None` where there is no skeleton.
    pub(super) fn get(&self, unit: u32) -> Option<&One<'data, E>> {
        self.by_unit.get(&unit)
    }

    /// Where a DIE is, for a reader; `offset` is that of the unit in `.debug_info` of the image.
    pub(super) fn place(&self, unit: u32, offset: usize, inner: u32) -> String {
        match self.by_unit.get(&unit) {
            Some(One { split: Ok(split), .. }) => {
                worker::place(Some(split.name), offset_of(&split.header) + inner as usize)
            }
            _ => worker::place(None, offset + inner as usize),
        }
    }
}

/// The unit of an id in a package, with the parts of its sections that are the unit's. `left` are the bytes that are nobody's yet.
fn of_package<'data, E: Endianity>(
    package: &Package<'data, E>,
    image: &Dwarf<'data, E>,
    &Skeleton { id, name, .. }: &Skeleton<'data>,
    left: &mut usize,
) -> gimli::Result<Option<Split<'data, E>>> {
    let Some(dwarf) = package.find_cu(DwoId(id), image)? else { return Ok(None) };
    let Some(header) = dwarf.units().next()? else { return Ok(None) };
    let is_it = match header.type_() {
        UnitType::SplitCompilation(DwoId(found)) => found == id,
        UnitType::Compilation => dwarf.unit(header)?.dwo_id == Some(DwoId(id)),
        _ => false,
    };
    if !is_it {
        return Ok(None);
    }
    let length = header.length_including_self();
    *left = left.checked_sub(length).ok_or(gimli::Error::TooManyIterations)?;
    Ok(Some(Split { dwarf: Arc::new(dwarf), header, name }))
}
