//! Programs and the functions that they call, by the symbols of sections with instructions.

use std::collections::HashMap;

use super::elf::{Elf, Section};
use super::insn::SIZE;
use super::section::Sec;
use crate::error::{Error, Result};
use crate::note::Notes;
use crate::surface::TypeId;

/// A function of the object: a program, or one that programs call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Program<'a> {
    /// Name.
    pub name: &'a str,
    /// Index of its section.
    pub section: u32,
    /// What the section's name says.
    pub sec: Sec<'a>,
    /// Offset in its section, in bytes.
    pub offset: u64,
    /// Bytes.
    pub size: u64,
    /// Whether libbpf loads it as a program of its own, not only with those that call it.
    pub is_entry: bool,
    /// Whether its symbol is local.
    pub is_static: bool,
    /// Whether other programs see it as static: the verifier then checks it with each of its callers.
    pub is_hidden: bool,
    /// Its FUNC in the object's types.
    pub function: Option<TypeId>,
}

impl Program<'_> {
    /// Number of slots of eight bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        (self.size / SIZE as u64) as usize
    }

    /// Whether it has no instructions, which no program has.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.size == 0
    }

    /// Whether it has the instruction at an offset of a section.
    pub(super) fn contains(&self, section: u32, offset: u64) -> bool {
        self.section == section && offset >= self.offset && offset - self.offset < self.size
    }
}

/// Instructions that all programs may have once those that they call are appended to each. A real object stays
/// below a million.
const MAX_LINKED: u64 = 1 << 27;

/// The functions, by section and offset. `function_at` gives the FUNC of an instruction.
pub(super) fn read<'a>(
    elf: &Elf<'a>,
    function_at: impl Fn(u32, u64) -> Option<TypeId>,
    notes: &mut Notes,
) -> Result<Vec<Program<'a>>> {
    let text = elf.section_named(".text");
    let mut programs = Vec::new();
    let mut read: HashMap<u32, Sec<'a>> = HashMap::new();
    for symbol in elf.symbols.iter().filter(|symbol| symbol.is_function()) {
        let Some(index) = symbol.section else { continue };
        let Some(section) = elf.section(index).filter(|section| holds_programs(section)) else { continue };
        let (name, offset, size) = (symbol.name, symbol.value, symbol.size);
        let place = || format!("section `{}` offset {offset:#x}, program `{name}`", section.name);
        if offset.checked_add(size).is_none_or(|end| end > section.bytes.len() as u64) {
            let what = format!("{size} bytes reach behind the section's end at {:#x}", section.bytes.len());
            return Err(Error::malformed("eBPF object", place(), what));
        }
        if size == 0 || !size.is_multiple_of(SIZE as u64) || !offset.is_multiple_of(SIZE as u64) {
            let what = format!("{size} bytes are not a number of instructions");
            return Err(Error::malformed("eBPF object", place(), what));
        }
        let is_text = text == Some(index);
        if symbol.is_local() && !is_text {
            notes.lost(
                "bpf-static-program",
                || "static functions outside `.text`; libbpf refuses the object".into(),
                place,
            );
        }
        programs.push(Program {
            name,
            section: index,
            sec: *read.entry(index).or_insert_with(|| Sec::parse(section.name)),
            offset,
            size,
            is_entry: !is_text && !symbol.is_local(),
            is_static: symbol.is_local(),
            is_hidden: symbol.is_hidden(),
            function: function_at(index, offset),
        });
    }
    // A function on its own in `.text` is a program: so it was before sections told the type.
    if let [only] = programs.as_mut_slice() {
        only.is_entry = true;
    }
    programs.sort_by_key(|program| (program.section, program.offset));

    let sum = |wanted: bool| -> u64 {
        let chosen = programs.iter().filter(|program| program.is_entry == wanted);
        chosen.fold(0, |sum: u64, program| sum.saturating_add(program.size / SIZE as u64))
    };
    let entries = programs.iter().filter(|program| program.is_entry).count() as u64;
    let linked = sum(true).saturating_add(entries.saturating_mul(sum(false)));
    if linked > MAX_LINKED {
        let what = format!("up to {linked} instructions in {entries} programs with what they call");
        return Err(Error::Limit { what, limit: format!("{MAX_LINKED} instructions") });
    }
    Ok(programs)
}

/// Whether a section's functions are read: those of sections with instructions.
fn holds_programs(section: &Section<'_>) -> bool {
    section.is_executable() && !section.is_nobits() && !section.bytes.is_empty()
}
