//! What one thread keeps while it walks compile units: interned names, paths and types.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use foldhash::fast::FixedState;
use gimli::{AttributeValue, Endianity};
use hashbrown::{HashMap, HashSet};

use super::names::{NameId, Names};
use super::node::{self, NodeId, Nodes};
use super::split::Split;
use crate::note::Notes;

/// Bytes of a DWARF section.
pub(super) type Slice<'data, E> = gimli::EndianSlice<'data, E>;
/// All DWARF sections.
pub(super) type Dwarf<'data, E> = gimli::Dwarf<Slice<'data, E>>;
/// A cursor over DIEs.
pub(super) type Entries<'abbrev, 'data, E> = gimli::EntriesRaw<'abbrev, Slice<'data, E>>;
/// The header of a unit.
pub(super) type Header<'data, E> = gimli::UnitHeader<Slice<'data, E>>;

/// A reference to a DIE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DieRef {
    /// Offset in the same unit.
    Unit(u32),
    /// Offset in `.debug_info`.
    Info(usize),
    /// In a type unit or in another file.
    Foreign,
}

impl DieRef {
    /// `None` for a value that is no reference.
    pub(super) fn from_value<R: gimli::Reader<Offset = usize>>(value: &AttributeValue<R>) -> Option<Self> {
        match value {
            // An offset beyond 4 GiB is outside of every unit that is read.
            AttributeValue::UnitRef(offset) => Some(Self::Unit(u32::try_from(offset.0).unwrap_or(u32::MAX))),
            AttributeValue::DebugInfoRef(offset) => Some(Self::Info(offset.0)),
            AttributeValue::DebugInfoRefSup(_) | AttributeValue::DebugTypesRef(_) => Some(Self::Foreign),
            _ => None,
        }
    }
}

/// Where a DIE is: number of the unit, offset in it.
pub(super) type Place = (u32, u32);

/// Contexts of other units that a thread keeps.
const MOST_CONTEXTS: usize = 512;

/// A unit that is being walked.
pub(super) struct Context<'data, E: Endianity> {
    /// Place among the units of `.debug_info`.
    pub index: u32,
    /// Offset of the unit in its `.debug_info`.
    pub offset: usize,
    pub unit: gimli::Unit<Slice<'data, E>>,
    pub big_endian: bool,
    /// The sections of the file that the unit is in; `None` for the image.
    pub file: Option<Arc<Dwarf<'data, E>>>,
    /// That file's name, for notes.
    file_name: &'data [u8],
    /// Path id + 1 per entry of the unit's file table; 0 where it was not needed yet.
    files: Vec<Cell<u32>>,
    /// The same for the unit's own source file.
    own_file: Cell<u32>,
}

impl<'data, E: Endianity> Context<'data, E> {
    pub(super) fn new(
        dwarf: &Dwarf<'data, E>,
        index: u32,
        header: Header<'data, E>,
        big_endian: bool,
    ) -> gimli::Result<Self> {
        let offset = offset_of(&header);
        check_length(&header)?;
        let unit = dwarf.unit(header)?;
        let count = unit.line_program.as_ref().map_or(0, |program| program.header().file_names().len() + 1);
        let own_file = Cell::new(0);
        let files = vec![Cell::new(0); count];
        Ok(Self { index, offset, unit, big_endian, file: None, file_name: &[], files, own_file })
    }

    /// The unit that this one is the skeleton of. What is relocated, the line table and the compilation directory are
    /// the skeleton's (DWARF 5 §3.1.3).
    pub(super) fn split(self, split: &Split<'data, E>) -> gimli::Result<Self> {
        check_length(&split.header)?;
        let mut unit = split.dwarf.unit(split.header)?;
        unit.copy_relocated_attributes(&self.unit);
        unit.line_program = self.unit.line_program;
        unit.comp_dir = self.unit.comp_dir.or(unit.comp_dir);
        let file = Some(Arc::clone(&split.dwarf));
        Ok(Self { offset: offset_of(&split.header), unit, file, file_name: split.name, ..self })
    }

    /// Where a DIE of the unit is, for a reader.
    pub(super) fn place(&self, inner: u32) -> String {
        let file = self.file.as_ref().map(|_| self.file_name);
        place(file, self.offset + inner as usize)
    }

    /// The offset in the unit of an offset in its `.debug_info`; `None` where it is in another unit.
    pub(super) fn inner(&self, offset: usize) -> Option<u32> {
        let inner = u32::try_from(offset.checked_sub(self.offset)?).ok()?;
        self.contains(inner).then_some(inner)
    }

    /// Whether an offset is inside of the unit.
    pub(super) fn contains(&self, offset: u32) -> bool {
        (offset as usize) < self.unit.header.length_including_self()
    }
}

/// Nodes of the current unit's type DIEs, by offset: 8 bytes per byte of the longest unit.
/// Entries of earlier units are told by their stamp.
#[derive(Default)]
pub(super) struct Memo {
    slots: Vec<(u32, u32)>,
}

impl Memo {
    pub(super) fn get(&self, unit: u32, offset: u32) -> Option<NodeId> {
        self.slots.get(offset as usize).filter(|slot| slot.0 == unit + 1).map(|slot| NodeId(slot.1))
    }

    /// `offset` must be inside of the unit.
    pub(super) fn set(&mut self, unit: u32, offset: u32, node: NodeId) {
        let offset = offset as usize;
        if offset >= self.slots.len() {
            self.slots.resize((offset + 1).next_power_of_two(), (0, 0));
        }
        self.slots[offset] = (unit + 1, node.0);
    }
}

/// Source paths as the line tables spell them.
#[derive(Default)]
pub(super) struct Paths {
    pub list: Vec<Vec<u8>>,
    by_content: HashMap<Vec<u8>, u32, FixedState>,
    /// By the places of compilation directory, directory and file name in the image, which repeat from unit
    /// to unit in DWARF 5.
    by_place: HashMap<[usize; 3], u32, FixedState>,
}

impl Paths {
    fn intern(&mut self, path: Vec<u8>) -> u32 {
        if let Some(&id) = self.by_content.get(&path) {
            return id;
        }
        let id = self.list.len() as u32;
        self.list.push(path.clone());
        self.by_content.insert(path, id);
        id
    }
}

/// A named type: where it is defined first, and what it consists of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Definition {
    pub place: Place,
    /// Its body.
    pub body: NodeId,
}

/// One thread's tables.
pub(super) struct Worker<'data, 'headers, E: Endianity> {
    pub dwarf: &'headers Dwarf<'data, E>,
    pub headers: &'headers [Header<'data, E>],
    pub big_endian: bool,
    pub names: Names<'data>,
    pub nodes: Nodes,
    pub paths: Paths,
    /// The definition of each [`super::node::Kind::Named`] node that this worker saw.
    pub definitions: HashMap<NodeId, Definition, FixedState>,
    /// Named types of the current unit that were not compared with `definitions` yet.
    pub found: Vec<(NodeId, Place)>,
    pub memo: Memo,
    /// DIEs that may still be read inside of types. Each unit brings as many as it has bytes: far more than
    /// it needs, unless references into the middle of DIEs make the same bytes part of many types.
    pub budget: usize,
    /// What was skipped, by unit.
    pub notes: Vec<(u32, Notes)>,
    /// Units that others refer into (link-time optimisation), and types resolved there.
    elsewhere: HashMap<u32, Rc<Context<'data, E>>, FixedState>,
    /// All units whose contexts were made at some time.
    known: HashSet<u32, FixedState>,
    elsewhere_nodes: HashMap<usize, NodeId, FixedState>,
}

impl<'data, 'headers, E: Endianity> Worker<'data, 'headers, E> {
    pub(super) fn new(
        dwarf: &'headers Dwarf<'data, E>,
        headers: &'headers [Header<'data, E>],
        big_endian: bool,
    ) -> Self {
        let mut paths = Paths::default();
        // Path 0 is "unknown".
        paths.intern(Vec::new());
        Self {
            dwarf,
            headers,
            big_endian,
            names: Names::default(),
            nodes: Nodes::default(),
            paths,
            definitions: HashMap::default(),
            found: Vec::new(),
            memo: Memo::default(),
            budget: 0,
            notes: Vec::new(),
            elsewhere: HashMap::default(),
            known: HashSet::default(),
            elsewhere_nodes: HashMap::default(),
        }
    }

    /// The sections that a unit's DIEs refer to.
    pub(super) fn sections<'a>(&'a self, cx: &'a Context<'data, E>) -> &'a Dwarf<'data, E> {
        cx.file.as_deref().unwrap_or(self.dwarf)
    }

    /// The id of a string attribute.
    pub(super) fn name(
        &mut self,
        cx: &Context<'data, E>,
        value: &AttributeValue<Slice<'data, E>>,
    ) -> gimli::Result<NameId> {
        // Offsets in the two string sections are told apart by the lowest bit. Those of other files are not kept.
        match value {
            AttributeValue::DebugStrRef(offset) if cx.file.is_none() => {
                let section = &self.dwarf.debug_str;
                self.names.at_place(offset.0 << 1, || Ok(section.get_str(*offset)?.slice()))
            }
            AttributeValue::DebugLineStrRef(offset) if cx.file.is_none() => {
                let section = &self.dwarf.debug_line_str;
                self.names.at_place(offset.0 << 1 | 1, || Ok(section.get_str(*offset)?.slice()))
            }
            AttributeValue::String(text) => Ok(self.names.intern(text.slice())),
            other => {
                let text = self.sections(cx).attr_string(&cx.unit, *other)?;
                Ok(self.names.intern(text.slice()))
            }
        }
    }

    /// The path id of an entry of the unit's file table; 0 where there is no such entry.
    pub(super) fn file(&mut self, cx: &Context<'data, E>, number: u64) -> gimli::Result<u32> {
        let Some(cell) = usize::try_from(number).ok().and_then(|number| cx.files.get(number)) else {
            return Ok(0);
        };
        if let Some(id) = cell.get().checked_sub(1) {
            return Ok(id);
        }
        let id = self.read_file(cx, number)?;
        cell.set(id + 1);
        Ok(id)
    }

    fn read_file(&mut self, cx: &Context<'data, E>, number: u64) -> gimli::Result<u32> {
        let Some(program) = &cx.unit.line_program else { return Ok(0) };
        let header = program.header();
        // Before DWARF 5 the numbers start at 1, and 0 means "no file".
        if number == 0 && header.version() < 5 {
            return Ok(0);
        }
        let Some(entry) = header.file(number) else { return Ok(0) };
        // The line table is the image's, also of a unit in another file, whose table of strings has nothing to do with it.
        let text = |value| match cx.file {
            None => self.dwarf.attr_string(&cx.unit, value),
            Some(_) => self.dwarf.attr_line_string(value),
        };
        let name = text(entry.path_name())?.slice();
        let directory = match entry.directory(header) {
            Some(value) => text(value)?.slice(),
            None => &[],
        };
        let place = |text: &[u8]| text.as_ptr() as usize;
        let root = cx.unit.comp_dir.map_or(&[][..], |directory| directory.slice());
        let key = [place(root), place(directory), place(name)];
        if let Some(&id) = self.paths.by_place.get(&key) {
            return Ok(id);
        }
        let path = join(directory, name);
        let id = self.paths.intern(self.absolute(cx, path));
        self.paths.by_place.insert(key, id);
        Ok(id)
    }

    /// The path id of the unit's own source file.
    pub(super) fn unit_file(&mut self, cx: &Context<'data, E>) -> u32 {
        if let Some(id) = cx.own_file.get().checked_sub(1) {
            return id;
        }
        // A partial unit is of several files.
        let Some(name) = cx.unit.name else { return 0 };
        let path = self.absolute(cx, name.slice().to_vec());
        let id = self.paths.intern(path);
        cx.own_file.set(id + 1);
        id
    }

    fn absolute(&self, cx: &Context<'data, E>, path: Vec<u8>) -> Vec<u8> {
        let directory = cx.unit.comp_dir.map_or(&[][..], |directory| directory.slice());
        // Line tables of DWARF 5 repeat the compilation directory, which may itself be relative.
        let repeated =
            path.strip_prefix(directory).is_some_and(|rest| rest.first().is_none_or(|byte| *byte == b'/'));
        if path.first() == Some(&b'/') || directory.is_empty() || repeated {
            return path;
        }
        join(directory, &path)
    }

    /// The unit that starts before an offset of `.debug_info`, and the offset in it.
    pub(super) fn unit_at(&self, offset: usize) -> Option<(u32, u32)> {
        let index = self.headers.partition_point(|header| offset_of(header) <= offset).checked_sub(1)?;
        let inner = u32::try_from(offset - offset_of(&self.headers[index])).ok()?;
        Some((index as u32, inner))
    }

    /// The node of a type DIE in any unit, by its offset in `.debug_info`.
    pub(super) fn resolve_elsewhere(&mut self, cx: &Context<'data, E>, offset: usize, depth: u32) -> NodeId {
        if let Some(&node) = self.elsewhere_nodes.get(&offset) {
            return node;
        }
        let node = match self.unit_at(offset) {
            Some((index, inner)) if index == cx.index => self.resolve(cx, inner, depth),
            Some((index, inner)) => match self.context(index) {
                Ok(other) => self.resolve(&other, inner, depth),
                Err(_) => self.unread(node::DAMAGED),
            },
            None => self.unread(node::DAMAGED),
        };
        self.elsewhere_nodes.insert(offset, node);
        node
    }

    /// Forgets what an abandoned unit found.
    pub(super) fn abandon(&mut self) {
        self.found.clear();
        // What these lead to may have been found only there.
        self.memo = Memo::default();
        self.elsewhere_nodes.clear();
    }

    /// The context of any unit, made on first use and kept for some time.
    pub(super) fn context(&mut self, index: u32) -> gimli::Result<Rc<Context<'data, E>>> {
        if let Some(context) = self.elsewhere.get(&index) {
            return Ok(Rc::clone(context));
        }
        // Each has a table of files, and `dwz` makes ten thousands of units that others refer into.
        if self.elsewhere.len() >= MOST_CONTEXTS {
            self.elsewhere.clear();
        }
        let header = self.headers[index as usize];
        let context = Rc::new(Context::new(self.dwarf, index, header, self.big_endian)?);
        // Nothing refers to a skeleton, whose place is taken.
        if context.unit.dwo_id.is_some() {
            return Err(gimli::Error::MissingUnitDie);
        }
        if self.known.insert(index) {
            self.budget = self.budget.saturating_add(header.length_including_self());
        } else {
            let again = context.files.len() + 1;
            self.budget = self.budget.checked_sub(again).ok_or(gimli::Error::TooManyIterations)?;
        }
        self.elsewhere.insert(index, Rc::clone(&context));
        Ok(context)
    }
}

/// Where a DIE of the image is or of another file, for a reader.
pub(super) fn place(file: Option<&[u8]>, offset: usize) -> String {
    match file {
        Some(name) => format!("`{}` .debug_info.dwo+{offset:#x}", String::from_utf8_lossy(name)),
        None => format!(".debug_info+{offset:#x}"),
    }
}

/// Offset of a unit in its `.debug_info`.
pub(super) fn offset_of<E: Endianity>(header: &Header<'_, E>) -> usize {
    header.debug_info_offset().map_or(0, |offset| offset.0)
}

/// Offsets in units are kept in 32 bits.
fn check_length<E: Endianity>(header: &Header<'_, E>) -> gimli::Result<()> {
    let fits = u32::try_from(header.length_including_self()).is_ok();
    if fits { Ok(()) } else { Err(gimli::Error::UnsupportedOffset) }
}

fn join(directory: &[u8], path: &[u8]) -> Vec<u8> {
    if directory.is_empty() || path.first() == Some(&b'/') {
        return path.to_vec();
    }
    let mut joined = Vec::with_capacity(directory.len() + path.len() + 1);
    joined.extend_from_slice(directory);
    if joined.last() != Some(&b'/') {
        joined.push(b'/');
    }
    joined.extend_from_slice(path);
    joined
}
