//! A compile unit: its header, its root DIE and its files.

use gimli::constants::*;

use super::die::{Die, Value};
use super::lists::Range;

/// A compile unit under construction.
#[derive(Clone, Debug)]
pub struct Unit {
    pub(super) root: Die,
    pub(super) name: String,
    pub(super) comp_dir: String,
    pub(super) version: Option<u16>,
    pub(super) kind: DwUt,
    /// `DW_AT_low_pc`: the base of range and location lists.
    pub(super) low_pc: u64,
    pub(super) files: Vec<String>,
    pub(super) line_table: bool,
    pub(super) unterminated: bool,
    /// Name and id of the file that it is in, if only its skeleton is in the image.
    pub(super) split: Option<(String, u64)>,
    pub(super) faults: Faults,
}

/// Header fields to write wrongly.
#[derive(Clone, Debug, Default)]
pub(super) struct Faults {
    pub(super) length: Option<u32>,
    pub(super) version: Option<u16>,
    pub(super) address_size: Option<u8>,
    pub(super) abbreviations: Option<u32>,
}

impl Unit {
    /// The unit of a C file, compiled in `/build/linux` by GCC 12.2. Its `DW_AT_low_pc` is 0, as in units
    /// whose functions are spread over several sections.
    pub fn new(name: &str) -> Unit {
        Unit {
            root: Die::new(DW_TAG_compile_unit),
            name: name.to_owned(),
            comp_dir: "/build/linux".to_owned(),
            version: None,
            kind: DW_UT_compile,
            low_pc: 0,
            files: Vec::new(),
            line_table: true,
            unterminated: false,
            split: None,
            faults: Faults::default(),
        }
        .producer("GNU C11 12.2.0 -mcmodel=kernel -O2")
        .language(DW_LANG_C11)
    }

    /// A `DW_TAG_partial_unit`, as `dwz` makes them for what several units share.
    pub fn partial(name: &str) -> Unit {
        let mut unit = Unit::new(name);
        unit.root.tag = DW_TAG_partial_unit;
        unit.kind = DW_UT_partial;
        unit
    }

    /// Another tag of the root DIE, with the same header.
    pub fn tag(mut self, tag: DwTag) -> Unit {
        self.root.tag = tag;
        self
    }

    /// Label of the root DIE, for `DW_AT_import`.
    pub fn label(mut self, label: &str) -> Unit {
        self.root = self.root.label(label);
        self
    }

    /// DWARF version of this unit, in place of that of the [`super::Dwarf`].
    pub fn version(mut self, version: u16) -> Unit {
        self.version = Some(version);
        self
    }

    /// `DW_AT_comp_dir`; left out if empty.
    pub fn comp_dir(mut self, directory: &str) -> Unit {
        self.comp_dir = directory.to_owned();
        self
    }

    /// `DW_AT_producer`.
    pub fn producer(self, producer: &str) -> Unit {
        self.replace(DW_AT_producer, Value::Text(producer.to_owned()))
    }

    /// `DW_AT_language`.
    pub fn language(self, language: DwLang) -> Unit {
        self.replace(DW_AT_language, Value::Unsigned(language.0.into()))
    }

    /// `DW_AT_low_pc`. In DWARF 4, range lists are written relative to it.
    pub fn low_pc(mut self, address: u64) -> Unit {
        self.low_pc = address;
        self
    }

    /// `DW_AT_ranges` of the whole unit.
    pub fn ranges(self, ranges: impl IntoIterator<Item = Range>) -> Unit {
        self.replace(DW_AT_ranges, Value::Ranges(ranges.into_iter().collect()))
    }

    /// Any other attribute of the root DIE.
    pub fn attr(mut self, name: DwAt, value: Value) -> Unit {
        self.root = self.root.attr(name, value);
        self
    }

    /// Appends a child of the root DIE.
    pub fn child(mut self, die: Die) -> Unit {
        self.root = self.root.child(die);
        self
    }

    /// Appends children of the root DIE.
    pub fn children(mut self, dies: impl IntoIterator<Item = Die>) -> Unit {
        self.root = self.root.children(dies);
        self
    }

    /// Enters a file in the line table before those that the DIEs name.
    pub fn file(mut self, path: &str) -> Unit {
        self.files.push(path.to_owned());
        self
    }

    /// Leaves out the line table and `DW_AT_stmt_list`. DIEs then name files by index only.
    pub fn without_line_table(mut self) -> Unit {
        self.line_table = false;
        self
    }

    /// As [`Unit::split`], to a file beside the source: `fs/open.dwo` for `fs/open.c`.
    pub fn split_beside(self, id: u64) -> Unit {
        let stem = self.name.rsplit_once('.').map_or(&*self.name, |(stem, _)| stem);
        let name = format!("{stem}.dwo");
        self.split(&name, id)
    }

    /// Leaves only the skeleton in the image, and writes the unit to a file of this name with this id: by DWARF 5, or by
    /// GNU's extension of DWARF 4.
    pub fn split(mut self, name: &str, id: u64) -> Unit {
        self.split = Some((name.to_owned(), id));
        self
    }

    /// Fault: leaves out the null entries that end the children of the root DIE and of all DIEs below.
    pub fn unterminated(mut self) -> Unit {
        self.unterminated = true;
        self
    }

    /// Fault: `unit_length`.
    pub fn claim_length(mut self, length: u32) -> Unit {
        self.faults.length = Some(length);
        self
    }

    /// Fault: the version in the header, without its layout.
    pub fn claim_version(mut self, version: u16) -> Unit {
        self.faults.version = Some(version);
        self
    }

    /// Fault: `address_size` in the header.
    pub fn claim_address_size(mut self, size: u8) -> Unit {
        self.faults.address_size = Some(size);
        self
    }

    /// Fault: `debug_abbrev_offset` in the header.
    pub fn claim_abbreviations(mut self, offset: u32) -> Unit {
        self.faults.abbreviations = Some(offset);
        self
    }

    fn replace(mut self, name: DwAt, value: Value) -> Unit {
        self.root = self.root.without(name).attr(name, value);
        self
    }
}
