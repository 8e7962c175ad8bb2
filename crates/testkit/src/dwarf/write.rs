//! Writes units in one pass: DIEs go out in order, references are patched once every label is placed.

use std::collections::{BTreeMap, HashMap};

use gimli::constants::*;

use super::die::{Die, File, Value};
use super::line::Files;
use super::lists::Lists;
use super::strings::{Strings, Table};
use super::unit::Unit;
use super::{DebugSections, Dwarf, Style};
use crate::{Bytes, Target};

/// The sections under construction.
pub(super) struct Writer<'a> {
    pub(super) dwarf: &'a Dwarf,
    pub(super) info: Bytes,
    pub(super) abbrev: Bytes,
    pub(super) line: Bytes,
    pub(super) ranges: Bytes,
    pub(super) rnglists: Bytes,
    loc: Bytes,
    loclists: Bytes,
    pub(super) str_offsets: Bytes,
    pub(super) addr: Bytes,
    strings: Strings,
    pub(super) line_strings: Strings,
    /// Labels of each unit; offsets are those in `.debug_info`.
    labels: Vec<BTreeMap<String, u64>>,
    pub(super) unit_starts: Vec<u64>,
    fixups: Vec<Fixup>,
    pub(super) split: BTreeMap<String, DebugSections>,
}

/// A reference to fill in.
struct Fixup {
    at: usize,
    unit: usize,
    form: DwForm,
    label: String,
}

/// What is per unit while it is written.
pub(super) struct UnitState {
    index: usize,
    pub(super) version: u16,
    style: Style,
    /// Whether this is the unit of a skeleton elsewhere.
    is_split: bool,
    unterminated: bool,
    pub(super) files: Files,
    line_table: bool,
    pub(super) ranges: Lists,
    locations: Lists,
    pub(super) string_table: Table,
    pub(super) address_table: Table,
    pub(super) abbreviations: Abbreviations,
}

impl UnitState {
    pub(super) fn new(target: Target, index: usize, unit: &Unit, version: u16, style: Style) -> UnitState {
        UnitState {
            index,
            version,
            style,
            is_split: false,
            unterminated: unit.unterminated,
            files: Files::new(unit, version, style),
            line_table: unit.line_table,
            ranges: Lists::new(target, version, unit.low_pc),
            locations: Lists::new(target, version, unit.low_pc),
            string_table: Table::default(),
            address_table: Table::default(),
            abbreviations: Abbreviations::default(),
        }
    }

    /// The state of a unit in a file of its own, which has strings and addresses by index whatever its version.
    pub(super) fn split(target: Target, index: usize, unit: &Unit, version: u16) -> UnitState {
        UnitState { is_split: true, ..UnitState::new(target, index, unit, version, Style::Clang) }
    }
}

/// What tells one abbreviation from another.
type Shape = (DwTag, bool, Vec<(DwAt, DwForm, i64)>);

/// The abbreviation table of a unit (DWARF 5 §7.5.3).
#[derive(Default)]
pub(super) struct Abbreviations {
    codes: HashMap<Shape, u64>,
    shapes: Vec<Shape>,
}

impl Abbreviations {
    fn code(&mut self, shape: Shape) -> u64 {
        if let Some(code) = self.codes.get(&shape) {
            return *code;
        }
        self.shapes.push(shape.clone());
        let code = self.shapes.len() as u64;
        self.codes.insert(shape, code);
        code
    }

    pub(super) fn write(&self, out: &mut Bytes) {
        for (index, (tag, children, attributes)) in self.shapes.iter().enumerate() {
            out.uleb(index as u64 + 1).uleb(tag.0.into()).u8((*children).into());
            for (name, form, constant) in attributes {
                out.uleb(name.0.into()).uleb(form.0.into());
                if *form == DW_FORM_implicit_const {
                    out.sleb(*constant);
                }
            }
            out.uleb(0).uleb(0);
        }
        out.uleb(0);
    }
}

/// Explicit labels and C spellings of a unit, from which the form of a [`Value::Ref`] follows.
fn labels_of(unit: &Unit) -> BTreeMap<String, u64> {
    let mut labels = BTreeMap::new();
    let mut spellings = BTreeMap::new();
    let mut stack = vec![&unit.root];
    while let Some(die) = stack.pop() {
        match (&die.label, &die.spelling) {
            (Some(label), _) => {
                let before = labels.insert(label.clone(), 0);
                assert!(before.is_none(), "two DIEs of unit `{}` are labelled `{label}`", unit.name);
            }
            (None, Some(spelling)) => {
                spellings.insert(spelling.clone(), 0);
            }
            (None, None) => {}
        }
        stack.extend(&die.children);
    }
    // An explicit label wins over a spelling that looks the same.
    spellings.extend(labels);
    spellings
}

/// Not placed yet. No DIE is at offset 0: a unit header is there.
const UNPLACED: u64 = 0;

pub(super) fn write(dwarf: &Dwarf) -> DebugSections {
    let mut writer = Writer::new(dwarf);
    for (index, unit) in dwarf.units.iter().enumerate() {
        match &unit.split {
            Some((name, id)) => writer.split_unit(index, unit, name, *id),
            None => writer.unit(index, unit),
        }
    }
    writer.finish()
}

impl<'a> Writer<'a> {
    pub(super) fn new(dwarf: &'a Dwarf) -> Self {
        let empty = || dwarf.target.bytes();
        Writer {
            dwarf,
            info: empty(),
            abbrev: empty(),
            line: empty(),
            ranges: empty(),
            rnglists: empty(),
            loc: empty(),
            loclists: empty(),
            str_offsets: empty(),
            addr: empty(),
            strings: Strings::default(),
            line_strings: Strings::default(),
            labels: dwarf.units.iter().map(labels_of).collect(),
            unit_starts: Vec::new(),
            fixups: Vec::new(),
            split: BTreeMap::new(),
        }
    }

    pub(super) fn target(&self) -> Target {
        self.dwarf.target
    }

    fn unit(&mut self, index: usize, unit: &Unit) {
        let target = self.target();
        let version = unit.version.unwrap_or(self.dwarf.version);
        assert!(matches!(version, 4 | 5), "DWARF {version} is not written here");
        let style = if version >= 5 { self.dwarf.style } else { Style::Gcc };
        let start = self.info.len();
        self.unit_starts.push(start as u64);
        let abbreviations = self.abbrev.len() as u32;

        let faults = &unit.faults;
        let address_size = faults.address_size.unwrap_or(target.width.bytes());
        let abbreviations = faults.abbreviations.unwrap_or(abbreviations);
        self.info.u32(0).u16(faults.version.unwrap_or(version));
        if version >= 5 {
            self.info.u8(unit.kind.0).u8(address_size).u32(abbreviations);
        } else {
            self.info.u32(abbreviations).u8(address_size);
        }

        let mut state = UnitState::new(target, index, unit, version, style);
        let root = self.root(unit, version, style);
        self.die(&mut state, &root, false);

        let length = self.info.len() - start - 4;
        self.info.patch(start, faults.length.unwrap_or(length as u32).into(), 4);
        self.end_of_unit(state);
    }

    /// The root DIE with the attributes that follow from the rest of the unit. The base attributes come
    /// last: indices in front of them must already be resolved with them.
    fn root(&self, unit: &Unit, version: u16, style: Style) -> Die {
        let text = |text: &str| match (version, style) {
            (5, Style::Gcc) => Value::LineStrp(text.to_owned()),
            _ => Value::Text(text.to_owned()),
        };
        let mut root = unit.root.clone();
        root.attributes.push((DW_AT_name, text(&unit.name)));
        if !unit.comp_dir.is_empty() {
            root.attributes.push((DW_AT_comp_dir, text(&unit.comp_dir)));
        }
        root.attributes.push((DW_AT_low_pc, Value::Address(unit.low_pc)));
        if unit.line_table {
            root.attributes.push((DW_AT_stmt_list, Value::SecOffset(self.line.len() as u32)));
        }
        if style == Style::Clang {
            let base =
                |section: &Bytes, header: u64| Value::SecOffset((section.len() as u64 + header) as u32);
            root.attributes.push((DW_AT_str_offsets_base, base(&self.str_offsets, Table::HEADER)));
            root.attributes.push((DW_AT_addr_base, base(&self.addr, Table::HEADER)));
            if has_ranges(&unit.root) {
                root.attributes.push((DW_AT_rnglists_base, base(&self.rnglists, Lists::HEADER)));
            }
        }
        root
    }

    /// Appends what the unit put into tables and lists.
    fn end_of_unit(&mut self, state: UnitState) {
        let target = self.target();
        state.abbreviations.write(&mut self.abbrev);
        if state.line_table {
            state.files.write(target, &mut self.line_strings, &mut self.line);
        }
        if !state.ranges.body.is_empty() {
            let section = if state.version < 5 { &mut self.ranges } else { &mut self.rnglists };
            state.ranges.write(section);
        }
        if !state.locations.body.is_empty() {
            let section = if state.version < 5 { &mut self.loc } else { &mut self.loclists };
            state.locations.write(section);
        }
        if !state.string_table.is_empty() {
            state.string_table.write(target, 0, &mut self.str_offsets);
        }
        if !state.address_table.is_empty() {
            state.address_table.write(target, target.width.bytes(), &mut self.addr);
        }
    }

    pub(super) fn die(&mut self, state: &mut UnitState, die: &Die, followed: bool) {
        let offset = self.info.len();
        self.place(state.index, die, offset as u64);

        let has_children = !die.children.is_empty();
        let sibling = die.sibling || (self.dwarf.siblings && has_children && followed);
        let mut shape = Vec::new();
        let mut values = self.target().bytes();
        let mut fixups = Vec::new();
        for (name, value) in &die.attributes {
            let before = values.len();
            let (form, constant) = self.value(state, value, &mut values);
            shape.push((*name, form, constant));
            if let Value::Ref(label) | Value::Ref4(label) | Value::RefUdata(label) | Value::RefAddr(label) =
                value
            {
                fixups.push((before, form, label.clone()));
            }
        }
        let sibling_at = sibling.then(|| {
            shape.push((DW_AT_sibling, DW_FORM_ref4, 0));
            values.u32(0);
            values.len() - 4
        });

        let code = state.abbreviations.code((die.tag, has_children, shape));
        self.info.uleb(die.abbreviation.unwrap_or(code));
        let start = self.info.len();
        self.info.raw(&values.into_vec());
        for (at, form, label) in fixups {
            self.fixups.push(Fixup { at: start + at, unit: state.index, form, label });
        }

        for (index, child) in die.children.iter().enumerate() {
            self.die(state, child, index + 1 < die.children.len());
        }
        if has_children && !state.unterminated {
            self.info.u8(0);
        }
        if let Some(at) = sibling_at {
            let behind = self.info.len() as u64 - self.unit_starts[state.index];
            self.info.patch(start + at, behind, 4);
        }
    }

    fn place(&mut self, unit: usize, die: &Die, offset: u64) {
        let Some(label) = die.label.as_ref().or(die.spelling.as_ref()) else { return };
        let slot = self.labels[unit].get_mut(label).expect("`labels_of` collects every label");
        // The first of several DIEs with the same spelling is the one meant; a label is given once, and
        // wins over spellings.
        if *slot == UNPLACED || die.label.is_some() {
            *slot = offset;
        }
    }

    /// Appends one value, with zeros in the place of references; returns its form, and the constant of an
    /// implicit one.
    fn value(&mut self, state: &mut UnitState, value: &Value, out: &mut Bytes) -> (DwForm, i64) {
        let is_old = state.is_split && state.version < 5;
        let form = match value {
            Value::Text(text) if is_old => {
                let index = state.string_table.index(self.strings.add(text).into());
                as_form(DW_FORM_GNU_str_index, out.uleb(index))
            }
            Value::Address(address) if is_old => {
                as_form(DW_FORM_GNU_addr_index, out.uleb(state.address_table.index(*address)))
            }
            Value::Text(text) if state.style == Style::Clang => {
                let index = state.string_table.index(self.strings.add(text).into());
                match u8::try_from(index) {
                    Ok(index) => as_form(DW_FORM_strx1, out.u8(index)),
                    Err(_) => as_form(DW_FORM_strx2, out.u16(index as u16)),
                }
            }
            Value::Text(text) | Value::Strp(text) => as_form(DW_FORM_strp, out.u32(self.strings.add(text))),
            Value::String(text) => as_form(DW_FORM_string, out.cstr(text)),
            Value::LineStrp(text) => as_form(DW_FORM_line_strp, out.u32(self.line_strings.add(text))),
            Value::Strx(text) => {
                let index = state.string_table.index(self.strings.add(text).into());
                as_form(DW_FORM_strx, out.uleb(index))
            }
            Value::Unsigned(number) => unsigned(*number, out),
            Value::Word(number) if out.is_64() => as_form(DW_FORM_data8, out.u64(*number)),
            Value::Word(number) => as_form(DW_FORM_data4, out.u32(*number as u32)),
            Value::Data1(number) => as_form(DW_FORM_data1, out.u8(*number)),
            Value::Data2(number) => as_form(DW_FORM_data2, out.u16(*number)),
            Value::Data4(number) => as_form(DW_FORM_data4, out.u32(*number)),
            Value::Data8(number) => as_form(DW_FORM_data8, out.u64(*number)),
            Value::Udata(number) => as_form(DW_FORM_udata, out.uleb(*number)),
            Value::Sdata(number) => as_form(DW_FORM_sdata, out.sleb(*number)),
            Value::ImplicitConst(number) => return (DW_FORM_implicit_const, *number),
            Value::Flag(flag) => as_form(DW_FORM_flag, out.u8((*flag).into())),
            Value::FlagPresent => DW_FORM_flag_present,
            Value::Address(address) if state.style == Style::Clang => {
                as_form(DW_FORM_addrx, out.uleb(state.address_table.index(*address)))
            }
            Value::Addrx(address) => as_form(DW_FORM_addrx, out.uleb(state.address_table.index(*address))),
            Value::Address(address) | Value::Addr(address) => as_form(DW_FORM_addr, out.word(*address)),
            Value::Ref(label) if !self.labels[state.index].contains_key(label) => {
                as_form(DW_FORM_ref_addr, out.u32(0))
            }
            Value::Ref(_) | Value::Ref4(_) => as_form(DW_FORM_ref4, out.u32(0)),
            Value::RefUdata(_) => as_form(DW_FORM_ref_udata, out.u32(0)),
            Value::RefAddr(_) => as_form(DW_FORM_ref_addr, out.u32(0)),
            Value::Ref4Offset(offset) => as_form(DW_FORM_ref4, out.u32(*offset)),
            Value::RefAddrOffset(offset) => as_form(DW_FORM_ref_addr, out.u32(*offset)),
            Value::SecOffset(offset) => as_form(DW_FORM_sec_offset, out.u32(*offset)),
            Value::Exprloc(code) => as_form(DW_FORM_exprloc, out.uleb(code.len() as u64).raw(code)),
            Value::Block1(block) => as_form(DW_FORM_block1, out.u8(block.len() as u8).raw(block)),
            Value::Ranges(ranges) => {
                let start = state.ranges.ranges(ranges);
                match (state.version, state.style) {
                    // From `DW_AT_GNU_ranges_base` of the skeleton on.
                    (4, _) if state.is_split => as_form(DW_FORM_sec_offset, out.u32(start)),
                    (4, _) => as_form(DW_FORM_sec_offset, out.u32(self.ranges.len() as u32 + start)),
                    (_, Style::Gcc) => {
                        let base = self.rnglists.len() as u64 + Lists::HEADER;
                        as_form(DW_FORM_sec_offset, out.u32(base as u32 + start))
                    }
                    (_, Style::Clang) => {
                        state.ranges.indexed.push(start);
                        as_form(DW_FORM_rnglistx, out.uleb(state.ranges.indexed.len() as u64 - 1))
                    }
                }
            }
            Value::Locations(locations) => {
                let start = state.locations.locations(locations);
                let base = match state.version {
                    4 => self.loc.len() as u64,
                    _ => self.loclists.len() as u64 + Lists::HEADER,
                };
                as_form(DW_FORM_sec_offset, out.u32(base as u32 + start))
            }
            Value::File(File::Index(index)) => unsigned(*index, out),
            Value::File(File::Path(path)) => {
                assert!(state.line_table, "file `{path}` in a unit without line table");
                unsigned(state.files.index(path), out)
            }
            Value::Raw(form, bytes) => as_form(*form, out.raw(bytes)),
        };
        (form, 0)
    }

    /// Fills in the references.
    fn resolve(&mut self) {
        for fixup in std::mem::take(&mut self.fixups) {
            let Fixup { at, unit, form, label } = fixup;
            let anywhere = || self.labels.iter().find_map(|labels| labels.get(&label).copied());
            let own = self.labels[unit].get(&label).copied();
            let found = if form == DW_FORM_ref_addr {
                own.or_else(anywhere)
            } else {
                own.map(|offset| offset - self.unit_starts[unit])
            };
            let name = &self.dwarf.units[unit].name;
            let value =
                found.unwrap_or_else(|| panic!("unit `{name}` refers to `{label}`, which it cannot reach"));
            if form == DW_FORM_ref_udata {
                // Padded LEB128: a continuation bit on all bytes but the last.
                for byte in 0..4 {
                    let more = if byte < 3 { 0x80 } else { 0 };
                    self.info.patch(at + byte, value >> (7 * byte) & 0x7f | more, 1);
                }
            } else {
                self.info.patch(at, value, 4);
            }
        }
    }

    pub(super) fn finish(mut self) -> DebugSections {
        self.resolve();
        let sections = [
            (".debug_info", self.info.into_vec()),
            (".debug_abbrev", self.abbrev.into_vec()),
            (".debug_line", self.line.into_vec()),
            (".debug_ranges", self.ranges.into_vec()),
            (".debug_rnglists", self.rnglists.into_vec()),
            (".debug_loc", self.loc.into_vec()),
            (".debug_loclists", self.loclists.into_vec()),
            (".debug_str_offsets", self.str_offsets.into_vec()),
            (".debug_addr", self.addr.into_vec()),
            (".debug_str", self.strings.data),
            (".debug_line_str", self.line_strings.data),
        ];
        DebugSections {
            sections: sections.into_iter().filter(|(_, data)| !data.is_empty()).collect(),
            labels: self.labels,
            units: self.unit_starts,
            split: self.split,
        }
    }
}

/// The form of a value whose bytes were just appended.
fn as_form(form: DwForm, _appended: &mut Bytes) -> DwForm {
    form
}

fn has_ranges(die: &Die) -> bool {
    die.attributes.iter().any(|(_, value)| matches!(value, Value::Ranges(_)))
        || die.children.iter().any(has_ranges)
}

/// The smallest of the fixed-size forms that holds the number.
fn unsigned(number: u64, out: &mut Bytes) -> DwForm {
    let (size, form) = match number {
        0..=0xff => (1, DW_FORM_data1),
        0x100..=0xffff => (2, DW_FORM_data2),
        0x1_0000..=0xffff_ffff => (4, DW_FORM_data4),
        _ => (8, DW_FORM_data8),
    };
    out.number(number, size);
    form
}
