//! Writes DWARF 4 and 5, DIE by DIE, in either byte order and address size.
//!
//! A DIE names others by *label*. The constructors label what they make with its C spelling (`int`,
//! `char *`, `struct file`, a function's name), so a test can be read like C. A label is looked up in
//! the DIE's own unit first (then it becomes a `DW_FORM_ref4`), else in the other units in order (a
//! `DW_FORM_ref_addr`). `void` is the absence of a type.
//!
//! ```
//! use testkit::{Target, dwarf::*};
//!
//! let unit = Unit::new("fs/read_write.c").children([
//!     base_type("int", 4, DW_ATE_signed),
//!     subprogram("vfs_read").external().decl("fs/read_write.c", 450).returns("int")
//!         .low_pc(0xffff_ffff_8100_0010).size(0x20)
//!         .parameter("fd", "int")
//!         .child(call_site("kfree")),
//!     subprogram("kfree").external().declaration().decl("include/linux/slab.h", 213),
//! ]);
//! let debug = Dwarf::new(Target::LE64, 5).unit(unit).build();
//! assert!(debug.offset("kfree") > debug.offset("vfs_read"));
//! let info: &[u8] = debug.get(".debug_info");
//! ```

mod code;
mod die;
mod line;
mod lists;
mod split;
mod strings;
mod types;
mod unit;
mod write;

pub use code::{
    call_site, formal_parameter, gnu_call_site, inlined_subroutine, lexical_block, out_of_line, subprogram,
    unspecified_parameters, variable,
};
pub use die::{Die, File, Value};
/// The constants of the DWARF specifications, under their names there.
pub use gimli::constants::*;
pub use lists::Range;
pub use types::{
    array, base_type, bitfield, constant, declared, enumeration, flexible_array, member, nested_array,
    old_bitfield, pointer, restrict, structure, subroutine_type, typedef, union, volatile,
};
pub use unit::Unit;

use std::collections::BTreeMap;

use crate::Target;
use crate::elf::Section;

/// How the compiler refers to strings, addresses and range lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// In place or by section offset: `DW_FORM_strp`, `DW_FORM_addr`, `DW_FORM_sec_offset`.
    Gcc,
    /// By index into a table of the unit: `DW_FORM_strx1`, `DW_FORM_addrx`, `DW_FORM_rnglistx`.
    /// Units before DWARF 5 have no such tables and look like [`Style::Gcc`].
    Clang,
}

/// The debug information of an image under construction.
#[derive(Clone, Debug)]
pub struct Dwarf {
    target: Target,
    version: u16,
    style: Style,
    siblings: bool,
    units: Vec<Unit>,
}

impl Dwarf {
    /// No units yet. `version` (4 or 5) is that of units that do not set their own.
    pub fn new(target: Target, version: u16) -> Dwarf {
        Dwarf { target, version, style: Style::Gcc, siblings: false, units: Vec::new() }
    }

    /// Sets how strings, addresses and range lists are referred to.
    pub fn style(mut self, style: Style) -> Dwarf {
        self.style = style;
        self
    }

    /// Adds `DW_AT_sibling` to every DIE that has both children and a following sibling, as GCC does.
    pub fn siblings(mut self) -> Dwarf {
        self.siblings = true;
        self
    }

    /// Appends a unit.
    pub fn unit(mut self, unit: Unit) -> Dwarf {
        self.units.push(unit);
        self
    }

    /// Appends several units.
    pub fn units(mut self, units: impl IntoIterator<Item = Unit>) -> Dwarf {
        self.units.extend(units);
        self
    }

    /// Writes the sections.
    ///
    /// # Panics
    /// When a label is unknown, or given twice in a unit.
    pub fn build(&self) -> DebugSections {
        write::write(self)
    }
}

/// The written `.debug_*` sections; those without contents are absent.
#[derive(Clone, Debug, Default)]
pub struct DebugSections {
    sections: BTreeMap<&'static str, Vec<u8>>,
    /// Per unit, the offset in `.debug_info` of each labelled DIE.
    labels: Vec<BTreeMap<String, u64>>,
    /// Offset in `.debug_info` of each unit's header.
    units: Vec<u64>,
    /// Units that were split, by the names of their files.
    split: BTreeMap<String, DebugSections>,
}

impl DebugSections {
    /// The bytes of a section, empty if absent.
    pub fn get(&self, name: &str) -> &[u8] {
        self.sections.get(name).map_or(&[], Vec::as_slice)
    }

    /// The bytes of a section, to be damaged.
    ///
    /// # Panics
    /// When there is no such section.
    pub fn get_mut(&mut self, name: &str) -> &mut Vec<u8> {
        self.sections.get_mut(name).unwrap_or_else(|| panic!("no section `{name}`"))
    }

    /// The sections of a file that a unit was written to ([`Unit::split`]), under the names they have in an image.
    ///
    /// # Panics
    /// When no unit was.
    pub fn dwo(&self, name: &str) -> &DebugSections {
        self.split.get(name).unwrap_or_else(|| panic!("no unit is in `{name}`"))
    }

    /// Names of the files that units were written to, in order.
    pub fn dwo_names(&self) -> impl Iterator<Item = &str> {
        self.split.keys().map(String::as_str)
    }

    /// All sections of a `.dwo` file, ready to be added to an [`crate::elf::Elf`].
    pub fn into_dwo_sections(self) -> Vec<Section> {
        let named = |(name, data): (&str, _)| Section::debug(format!("{name}.dwo"), data);
        self.sections.into_iter().map(named).collect()
    }

    /// Drops a section.
    pub fn remove(&mut self, name: &str) {
        self.sections.remove(name);
    }

    /// Offset in `.debug_info` of the first DIE with this label.
    ///
    /// # Panics
    /// When no unit has it.
    pub fn offset(&self, label: &str) -> u64 {
        let found = self.labels.iter().find_map(|labels| labels.get(label));
        *found.unwrap_or_else(|| panic!("no DIE is labelled `{label}`"))
    }

    /// Offset in `.debug_info` of the DIE with this label in the `unit`th unit.
    ///
    /// # Panics
    /// When the unit does not have it.
    pub fn offset_in(&self, unit: usize, label: &str) -> u64 {
        let found = self.labels[unit].get(label);
        *found.unwrap_or_else(|| panic!("no DIE of unit {unit} is labelled `{label}`"))
    }

    /// Offset in `.debug_info` of the header of the `unit`th unit.
    pub fn unit_offset(&self, unit: usize) -> u64 {
        self.units[unit]
    }

    /// All sections, ready to be added to an [`crate::elf::Elf`].
    pub fn into_sections(self) -> Vec<Section> {
        self.sections.into_iter().map(|(name, data)| Section::debug(name, data)).collect()
    }
}
