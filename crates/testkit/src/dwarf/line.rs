//! The header of a unit's line table: directories and files, without a line program
//! (DWARF 4 §6.2.4, DWARF 5 §6.2.4).

use gimli::constants::*;

use super::Style;
use super::strings::Strings;
use super::unit::Unit;
use crate::{Bytes, Target};

/// The files of one unit, in the order of their indices.
#[derive(Debug)]
pub(super) struct Files {
    version: u16,
    directories: Vec<String>,
    files: Vec<(String, u64)>,
}

impl Files {
    /// The table with what every unit has: in DWARF 5 the compilation directory and the primary source
    /// file have index 0. GCC enters that file a second time, and refers to it as 1; Clang does not.
    pub(super) fn new(unit: &Unit, version: u16, style: Style) -> Files {
        let mut files = Files { version, directories: vec![unit.comp_dir.clone()], files: Vec::new() };
        if version >= 5 {
            files.push(&unit.name);
            if style == Style::Gcc {
                files.push(&unit.name);
            }
        }
        for path in &unit.files {
            files.push(path);
        }
        files
    }

    /// Index of a file, which is entered if it is new.
    pub(super) fn index(&mut self, path: &str) -> u64 {
        let (directory, name) = split(path);
        let found =
            self.files.iter().rposition(|(known, at)| known == name && self.directory(*at) == directory);
        let position = found.unwrap_or_else(|| {
            self.push(path);
            self.files.len() - 1
        });
        // DWARF 4 counts files from 1.
        position as u64 + u64::from(self.version < 5)
    }

    fn directory(&self, index: u64) -> &str {
        if index == 0 { "" } else { &self.directories[index as usize] }
    }

    fn push(&mut self, path: &str) {
        let (directory, name) = split(path);
        let index = if directory.is_empty() {
            0
        } else {
            let known = self.directories.iter().skip(1).position(|known| known == directory);
            known.map_or(self.directories.len(), |position| position + 1)
        };
        if index == self.directories.len() {
            self.directories.push(directory.to_owned());
        }
        self.files.push((name.to_owned(), index as u64));
    }

    /// Appends the table to `.debug_line`.
    pub(super) fn write(&self, target: Target, strings: &mut Strings, out: &mut Bytes) {
        let mut header = target.bytes();
        // minimum_instruction_length, maximum_operations_per_instruction, default_is_stmt
        header.u8(1).u8(1).u8(1);
        // line_base -5, line_range, opcode_base, and the operand counts of the standard opcodes
        header.u8(0xfb).u8(14).u8(13).raw(&[0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1]);
        match self.version {
            4 => self.tables_4(&mut header),
            _ => self.tables_5(strings, &mut header),
        }
        let header = header.into_vec();
        let mut table = target.bytes();
        table.u16(self.version);
        if self.version >= 5 {
            table.u8(target.width.bytes()).u8(0);
        }
        table.u32(header.len() as u32).raw(&header);
        out.u32(table.len() as u32).raw(&table.into_vec());
    }

    fn tables_4(&self, header: &mut Bytes) {
        // The compilation directory is directory 0 without being in the table.
        for directory in &self.directories[1..] {
            header.cstr(directory);
        }
        header.u8(0);
        for (name, directory) in &self.files {
            header.cstr(name).uleb(*directory).uleb(0).uleb(0);
        }
        header.u8(0);
    }

    fn tables_5(&self, strings: &mut Strings, header: &mut Bytes) {
        let path = [u64::from(DW_LNCT_path.0), u64::from(DW_FORM_line_strp.0)];
        let index = [u64::from(DW_LNCT_directory_index.0), u64::from(DW_FORM_udata.0)];
        header.u8(1).uleb(path[0]).uleb(path[1]).uleb(self.directories.len() as u64);
        for directory in &self.directories {
            header.u32(strings.add(directory));
        }
        header.u8(2).uleb(path[0]).uleb(path[1]).uleb(index[0]).uleb(index[1]);
        header.uleb(self.files.len() as u64);
        for (name, directory) in &self.files {
            header.u32(strings.add(name)).uleb(*directory);
        }
    }
}

/// Directory and file name of a path.
fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}
