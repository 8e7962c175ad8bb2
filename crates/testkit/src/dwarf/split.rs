//! Units in files of their own, of which the image has the skeletons: DWARF 5 §3.1.2 and §7.3.2, and GNU's extension of
//! DWARF 4 by attributes and forms of its own.

use gimli::constants::*;

use super::Style;
use super::die::{Die, Value};
use super::strings::Table;
use super::unit::Unit;
use super::write::{UnitState, Writer};

impl Writer<'_> {
    /// Writes a unit to a file, and its skeleton here, with the addresses, the line table, and what of the lists is old.
    pub(super) fn split_unit(&mut self, index: usize, unit: &Unit, name: &str, id: u64) {
        let target = self.target();
        let version = unit.version.unwrap_or(self.dwarf.version);
        let mut file = Writer::new(self.dwarf);
        let mut state = UnitState::split(target, index, unit, version);
        file.unit_starts = vec![0; index + 1];
        let mut root = unit.root.clone();
        root.attributes.push((DW_AT_name, Value::Text(unit.name.clone())));
        // The compilation directory is in the skeleton, and Clang repeats the name of the file.
        if version < 5 {
            root.attributes.push((DW_AT_GNU_dwo_name, Value::Text(name.to_owned())));
            root.attributes.push((DW_AT_GNU_dwo_id, Value::Data8(id)));
        } else {
            root.attributes.push((DW_AT_dwo_name, Value::Text(name.to_owned())));
        }
        let id = (version >= 5).then_some(id);
        file.in_frame(&mut state, &root, DW_UT_split_compile, id);
        state.abbreviations.write(&mut file.abbrev);
        match version {
            4 => state.string_table.write_bare(4, &mut file.str_offsets),
            _ => state.string_table.write(target, 0, &mut file.str_offsets),
        }
        if version >= 5 && !state.ranges.body.is_empty() {
            state.ranges.write(&mut file.rnglists);
        }
        self.skeleton(index, unit, name);
        match version {
            4 => {
                state.address_table.write_bare(target.width.bytes(), &mut self.addr);
                state.ranges.write(&mut self.ranges);
            }
            _ => state.address_table.write(target, target.width.bytes(), &mut self.addr),
        }
        if unit.line_table {
            state.files.write(target, &mut self.line_strings, &mut self.line);
        }
        self.split.insert(name.to_owned(), file.finish());
    }

    fn skeleton(&mut self, index: usize, unit: &Unit, name: &str) {
        let version = unit.version.unwrap_or(self.dwarf.version);
        let offset = |offset: u64| Value::SecOffset(offset as u32);
        let mut root = Die::new(if version < 5 { DW_TAG_compile_unit } else { DW_TAG_skeleton_unit });
        root.attributes.push((DW_AT_low_pc, Value::Addr(unit.low_pc)));
        if unit.line_table {
            root.attributes.push((DW_AT_stmt_list, offset(self.line.len() as u64)));
        }
        if !unit.comp_dir.is_empty() {
            root.attributes.push((DW_AT_comp_dir, Value::Strp(unit.comp_dir.clone())));
        }
        let addresses = self.addr.len() as u64;
        let id = unit.split.as_ref().map_or(0, |(_, id)| *id);
        if version < 5 {
            root.attributes.push((DW_AT_GNU_dwo_name, Value::Strp(name.to_owned())));
            root.attributes.push((DW_AT_GNU_dwo_id, Value::Data8(id)));
            root.attributes.push((DW_AT_GNU_addr_base, offset(addresses)));
            root.attributes.push((DW_AT_GNU_ranges_base, offset(self.ranges.len() as u64)));
        } else {
            root.attributes.push((DW_AT_dwo_name, Value::Strp(name.to_owned())));
            root.attributes.push((DW_AT_addr_base, offset(addresses + Table::HEADER)));
        }
        self.unit_starts.push(self.info.len() as u64);
        let mut state = UnitState::new(self.target(), index, unit, version, Style::Gcc);
        self.in_frame(&mut state, &root, DW_UT_skeleton, (version >= 5).then_some(id));
        state.abbreviations.write(&mut self.abbrev);
    }

    /// A unit of one header and these DIEs.
    fn in_frame(&mut self, state: &mut UnitState, root: &Die, kind: DwUt, id: Option<u64>) {
        let start = self.info.len();
        let abbreviations = self.abbrev.len() as u32;
        let address_size = self.target().width.bytes();
        self.info.u32(0).u16(state.version);
        match id {
            Some(id) => self.info.u8(kind.0).u8(address_size).u32(abbreviations).u64(id),
            None => self.info.u32(abbreviations).u8(address_size),
        };
        self.die(state, root, false);
        let length = self.info.len() - start - 4;
        self.info.patch(start, length as u64, 4);
    }
}
