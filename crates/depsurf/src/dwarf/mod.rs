//! DWARF 4 and 5 in one parallel pass: functions, calls, inlined copies, prototypes and types.
//!
//! In come the debug sections of an image, out come [`Facts`]: units in the order of `.debug_info`, with
//! names, paths and types interned. Nothing here knows of symbols, BTF or surfaces. Facts do not depend on
//! the number of threads, except for the numbers of names and nodes, which no caller may print or sort by,
//! and which of several damaged definitions of one type is kept.

mod import;
mod names;
pub mod node;
mod path;
mod split;
mod types;
mod unit;
mod walk;
mod worker;

use std::sync::atomic::{AtomicU32, Ordering};

use foldhash::fast::FixedState;
use gimli::{DwTag, Endianity, SectionId, UnitHeader};
use hashbrown::{HashMap, HashSet};

pub use self::names::NameId;
pub use self::node::{NodeId, Nodes};
pub use self::split::{IN_FILE, IN_PACKAGE, Located, Others, Sections, Skeleton, skeletons};
pub use self::unit::{Call, Function, FunctionRef, InlinedCopy, OutOfLine, Unit};

use self::names::Names;
use self::path::Roots;
use self::split::Splits;
use self::worker::{Context, Dwarf, Header, Worker, offset_of};
use crate::error::{Error, Result};
use crate::note::Notes;
use crate::progress::{Progress, Silent};

/// The sections that are read of an image.
pub const IN_IMAGE: [SectionId; 10] = [
    SectionId::DebugInfo,
    SectionId::DebugAbbrev,
    SectionId::DebugStr,
    SectionId::DebugLineStr,
    SectionId::DebugLine,
    SectionId::DebugRanges,
    SectionId::DebugRngLists,
    SectionId::DebugAddr,
    SectionId::DebugStrOffsets,
    SectionId::DebugTypes,
];

/// A named type.
#[derive(Debug, Clone, Copy)]
pub struct Definition {
    /// The [`node::Kind::Named`] leaf.
    pub node: NodeId,
    /// Its members, values or target.
    pub body: NodeId,
}

/// What the debug sections of an image tell.
#[derive(Debug, Default)]
pub struct Facts<'data> {
    names: Names<'data>,
    /// All types.
    pub nodes: Nodes,
    /// Source files, relative to the kernel tree, sorted; the index is the file's number. 0 is unknown.
    pub files: Vec<String>,
    /// All named types, in the order of `.debug_info`.
    pub definitions: Vec<Definition>,
    /// The compile units that were read, in the order of `.debug_info`.
    pub units: Vec<Unit>,
    /// Offset of each unit of `.debug_info`, read or not, by [`Unit::index`].
    pub unit_offsets: Vec<usize>,
    /// What was skipped.
    pub notes: Notes,
}

impl<'data> Facts<'data> {
    /// The bytes of a name.
    #[must_use]
    pub fn name(&self, id: NameId) -> &'data [u8] {
        self.names.get(id)
    }

    /// The function that a reference in a unit leads to, as positions in [`Facts::units`] and in the functions there.
    /// References into other units are what link-time optimisation leaves; they may lead to an out-of-line instance.
    #[must_use]
    pub fn find(&self, mut position: usize, mut reference: FunctionRef) -> Option<(usize, usize)> {
        for _ in 0..walk::MAX_ORIGINS {
            let offset = match reference {
                FunctionRef::Here(index) => return Some((position, index as usize)),
                FunctionRef::Elsewhere(offset) => offset,
                FunctionRef::Nowhere => return None,
            };
            let unit = self.unit_offsets.partition_point(|start| *start <= offset).checked_sub(1)?;
            position = self.units.binary_search_by_key(&(unit as u32), |unit| unit.index).ok()?;
            let inner = u32::try_from(offset - self.unit_offsets[unit]).ok()?;
            let unit = &self.units[position];
            // What refers to a place in the image cannot mean another file.
            if unit.is_split {
                return None;
            }
            let own = &unit.functions[..unit.own_functions as usize];
            if let Ok(index) = own.binary_search_by_key(&inner, |function| function.offset) {
                return Some((position, index));
            }
            let code = unit.out_of_line.binary_search_by_key(&inner, |code| code.offset).ok()?;
            reference = unit.out_of_line[code].function;
        }
        None
    }

    /// Number of names; ids are below it.
    #[must_use]
    pub fn name_count(&self) -> usize {
        self.names.list().len()
    }
}

/// Reads all compile units. `section` gives the bytes of a debug section, empty where there is none; `others` has the
/// units of which only [`skeletons`] are there.
///
/// # Errors
/// When the section is so damaged that not even the list of units can be read. A unit that cannot be read
/// to its end is left out with a note, and so is a type.
pub fn read<'data>(
    big_endian: bool,
    section: impl Fn(SectionId) -> &'data [u8],
    others: &Others<'data>,
    progress: &dyn Progress,
) -> Result<Facts<'data>> {
    if big_endian {
        read_endian(gimli::BigEndian, true, section, others, Threads::All, progress)
    } else {
        read_endian(gimli::LittleEndian, false, section, others, Threads::All, progress)
    }
}

/// As [`read`], on this thread alone: for many small files, which are read by many threads at once.
///
/// # Errors
/// As [`read`].
pub fn read_here<'data>(
    big_endian: bool,
    section: impl Fn(SectionId) -> &'data [u8],
    others: &Others<'data>,
) -> Result<Facts<'data>> {
    if big_endian {
        read_endian(gimli::BigEndian, true, section, others, Threads::One, &Silent)
    } else {
        read_endian(gimli::LittleEndian, false, section, others, Threads::One, &Silent)
    }
}

/// Who walks the compile units.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Threads {
    /// All threads of the current rayon pool.
    All,
    /// The current one.
    One,
}

fn read_endian<'data, E: Endianity + Sync + Send>(
    endian: E,
    big_endian: bool,
    section: impl Fn(SectionId) -> &'data [u8],
    others: &Others<'data>,
    threads: Threads,
    progress: &dyn Progress,
) -> Result<Facts<'data>> {
    let dwarf = Dwarf::load(|id| Ok::<_, gimli::Error>(gimli::EndianSlice::new(section(id), endian)))
        .map_err(|error| damaged(0, &error))?;
    // The workers borrow the sections through this value; what they keep borrows the image itself.
    let mut headers = Vec::new();
    let mut iter = dwarf.units();
    let mut notes = Notes::new();
    loop {
        match iter.next() {
            Ok(Some(header)) => headers.push(header),
            Ok(None) => break,
            Err(error) if headers.is_empty() => return Err(damaged(0, &error)),
            Err(error) => {
                notes.lost(
                    "dwarf-unit-header",
                    || format!("the list of compile units ends early: {error}"),
                    || format!("after unit {}", headers.len()),
                );
                break;
            }
        }
    }
    progress.step("read DWARF", Some(section(SectionId::DebugInfo).len() as u64));
    let splits = Splits::new(&dwarf, &headers, others, endian, threads);
    let next = AtomicU32::new(0);
    let walk = || walk_units(&dwarf, &headers, &splits, big_endian, &next, progress);
    let workers = match threads {
        Threads::All => rayon::broadcast(|_| walk()),
        Threads::One => vec![walk()],
    };
    Ok(merge(&headers, &splits, workers, notes))
}

/// What one thread read.
struct Share<'data> {
    names: Names<'data>,
    nodes: Nodes,
    paths: Vec<Vec<u8>>,
    definitions: HashMap<NodeId, worker::Definition, FixedState>,
    /// By unit.
    notes: Vec<(u32, Notes)>,
    units: Vec<Unit>,
    directories: HashSet<Vec<u8>>,
}

fn walk_units<'data, E: Endianity>(
    dwarf: &Dwarf<'data, E>,
    headers: &[Header<'data, E>],
    splits: &Splits<'data, E>,
    big_endian: bool,
    next: &AtomicU32,
    progress: &dyn Progress,
) -> Share<'data> {
    let mut worker = Worker::new(dwarf, headers, big_endian);
    let mut units = Vec::new();
    let mut directories = HashSet::new();
    loop {
        let index = next.fetch_add(1, Ordering::Relaxed);
        let Some(header) = headers.get(index as usize) else { break };
        let split = match splits.get(index).map(|one| (one.name, &one.split)) {
            Some((_, Ok(split))) => Some(split),
            Some((name, Err(lost))) => {
                let mut notes = Notes::new();
                lost.note(&mut notes, name);
                worker.notes.push((index, notes));
                progress.advance(header.length_including_self() as u64);
                continue;
            }
            None => None,
        };
        let result = Context::new(dwarf, index, *header, big_endian).and_then(|cx| {
            let cx = match split {
                Some(split) => cx.split(split)?,
                None => cx,
            };
            if let Some(directory) = cx.unit.comp_dir
                && !directories.contains(directory.slice())
            {
                directories.insert(directory.slice().to_vec());
            }
            worker.walk(&cx)
        });
        match result {
            Ok(unit) => units.extend(unit),
            Err(error) => {
                worker.abandon();
                let mut notes = Notes::new();
                notes.lost(
                    "dwarf-unit",
                    || format!("a compile unit was left out: {error}"),
                    || splits.place(index, offset_of(header), 0),
                );
                worker.notes.push((index, notes));
            }
        }
        progress.advance(header.length_including_self() as u64);
    }
    let Worker { names, nodes, paths, definitions, notes, .. } = worker;
    Share { names, nodes, paths: paths.list, definitions, notes, units, directories }
}

/// Joins what the threads read into one numbering, with units and definitions in image order.
fn merge<'data, E: Endianity>(
    headers: &[Header<'data, E>],
    splits: &Splits<'data, E>,
    mut shares: Vec<Share<'data>>,
    mut notes: Notes,
) -> Facts<'data> {
    let (files, file_maps) = merge_paths(&shares);
    let mut unit_notes: Vec<_> =
        shares.iter_mut().flat_map(|share| std::mem::take(&mut share.notes)).collect();
    unit_notes.sort_unstable_by_key(|(unit, _)| *unit);
    unit_notes.into_iter().for_each(|(_, of_unit)| notes.merge(of_unit));

    let mut names = Names::default();
    let mut nodes = Nodes::default();
    let mut first: HashMap<NodeId, worker::Definition, FixedState> = HashMap::default();
    let mut units = Vec::new();
    for (share, file_map) in shares.into_iter().zip(file_maps) {
        let name_map: Vec<u32> = share.names.list().iter().map(|name| names.intern(name).0).collect();
        let node_map = nodes.merge(&share.nodes, &name_map, &file_map);
        for (node, definition) in &share.definitions {
            let body = node_map[definition.body.0 as usize];
            let moved = worker::Definition { place: definition.place, body };
            let kept = first.entry(node_map[node.0 as usize]).or_insert(moved);
            if moved.place < kept.place {
                *kept = moved;
            }
        }
        for mut unit in share.units {
            let file = |id: &mut u32| *id = file_map[*id as usize];
            file(&mut unit.file);
            for function in &mut unit.functions {
                function.name = NameId(name_map[function.name.0 as usize]);
                file(&mut function.decl_file);
                function.prototype = function.prototype.map(|node| node_map[node.0 as usize]);
            }
            for copy in &mut unit.inlined {
                file(&mut copy.call_file);
            }
            units.push(unit);
        }
    }
    units.sort_unstable_by_key(|unit| unit.index);
    let mut first: Vec<_> = first.into_iter().collect();
    first.sort_unstable_by_key(|(_, definition)| definition.place);
    let unit_offsets: Vec<usize> = headers.iter().map(offset_of).collect();
    let size = headers.iter().map(UnitHeader::length_including_self).sum();
    let units = import::expand(units, &unit_offsets, size, &mut notes);
    let place = |unit: u32, inner| splits.place(unit, unit_offsets[unit as usize], inner);
    note_unread(&nodes, &first, &units, place, &mut notes);
    let definitions =
        first.into_iter().map(|(node, definition)| Definition { node, body: definition.body }).collect();
    Facts { names, nodes, files, definitions, units, unit_offsets, notes }
}

/// All paths, relative and sorted, and for each share the numbers of its paths among them.
fn merge_paths(shares: &[Share<'_>]) -> (Vec<String>, Vec<Vec<u32>>) {
    let sources = shares
        .iter()
        .flat_map(|share| share.units.iter().map(|unit| share.paths[unit.file as usize].as_slice()));
    let directories = shares.iter().flat_map(|share| share.directories.iter().map(Vec::as_slice));
    let roots = Roots::find(directories, sources);
    let relative: Vec<Vec<String>> =
        shares.iter().map(|share| share.paths.iter().map(|raw| roots.relative(raw)).collect()).collect();
    // Sorted, so that a number does not depend on which thread met a path first. The empty path is "unknown".
    let mut files: Vec<String> = relative.iter().flatten().cloned().chain([String::new()]).collect();
    files.sort_unstable();
    files.dedup();
    let number = |path: &String| files.binary_search(path).map_or(0, |index| index as u32);
    let maps = relative.iter().map(|paths| paths.iter().map(number).collect()).collect();
    (files, maps)
}

/// Notes the definitions and prototypes that contain a type which could not be read.
fn note_unread(
    nodes: &Nodes,
    definitions: &[(NodeId, worker::Definition)],
    units: &[Unit],
    place: impl Fn(u32, u32) -> String,
    notes: &mut Notes,
) {
    let unread = nodes.unread();
    if unread.iter().all(Option::is_none) {
        return;
    }
    let bodies = definitions.iter().map(|(_, definition)| (definition.body, definition.place));
    let functions = units.iter().flat_map(|unit| {
        unit.functions
            .iter()
            .filter_map(|function| Some((function.prototype?, (unit.index, function.offset))))
    });
    for (node, (unit, offset)) in bodies.chain(functions) {
        let Some(why) = unread[node.0 as usize] else { continue };
        let (id, message): (_, &dyn Fn() -> String) = match why {
            node::DAMAGED => ("dwarf-type", &|| "types whose DIEs are damaged are read as void".into()),
            node::TOO_DEEP => ("dwarf-type-depth", &|| "types nested too deeply are read as void".into()),
            node::FOREIGN => {
                ("dwarf-type-foreign", &|| "types in type units or other files are read as void".into())
            }
            tag => {
                ("dwarf-type-tag", &move || format!("types of tag {} are read as void", DwTag(tag as u16)))
            }
        };
        notes.lost(id, message, || place(unit, offset));
    }
}

fn damaged(offset: usize, error: &gimli::Error) -> Error {
    Error::malformed("DWARF", format!(".debug_info+{offset:#x}"), error.to_string())
}

#[cfg(test)]
pub(crate) mod tests;
