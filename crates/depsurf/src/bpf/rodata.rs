//! Global variables: `.rodata*`, `.data*`, `.bss*` and their first contents.
//!
//! What a loader sets before loading (`skel->rodata->min_us = 5`) is not in the object; what the object has is what
//! the program gets otherwise.

use std::collections::HashMap;

use super::elf::Elf;
use crate::surface::types::Types;
use crate::surface::{TypeId, TypeKind};

/// What a section of variables becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DataKind {
    /// Constants: the verifier knows their values once they are loaded.
    Rodata,
    /// Variables with a first value.
    Data,
    /// Variables that start as zero.
    Bss,
    /// Variables in memory that is shared with user space (`.addr_space.1`).
    Arena,
}

/// What a section's name says about its variables; `None` for other sections.
pub(super) fn kind(name: &str, nobits: bool) -> Option<DataKind> {
    let is =
        |base: &str| name.strip_prefix(base).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    Some(match () {
        () if name == ".addr_space.1" => DataKind::Arena,
        () if nobits && is(".bss") => DataKind::Bss,
        () if nobits => return None,
        () if is(".rodata") => DataKind::Rodata,
        () if is(".data") => DataKind::Data,
        () => return None,
    })
}

/// A global variable.
#[derive(Debug, Clone, Copy)]
pub struct Variable<'a> {
    /// Name; static variables of functions have the function's name and a dot in front.
    pub name: &'a str,
    /// Index of its section.
    pub section: u32,
    /// Offset in its section, in bytes.
    pub offset: u64,
    /// Bytes; `None` where its type tells no size.
    pub size: Option<u64>,
    /// Type in the object's own types.
    pub type_id: TypeId,
    /// First contents; `None` where the file has none (`.bss`, which is zero) or they are cut.
    pub bytes: Option<&'a [u8]>,
}

/// `linkage` of a VAR.
const STATIC: u32 = 0;

/// The variables of all sections of data, by section and offset.
pub(super) fn read<'a>(elf: &Elf<'a>, types: Types<'a>) -> Vec<Variable<'a>> {
    let mut variables = Vec::new();
    let mut symbols = HashMap::new();
    for symbol in elf.symbols.iter().filter(|symbol| !symbol.is_local()) {
        if let Some(section) = symbol.section {
            symbols.entry((section, symbol.name)).or_insert(symbol.value);
        }
    }
    let mut seen = std::collections::HashSet::new();
    for found in types.iter().filter(|found| found.kind() == TypeKind::Datasec) {
        let Some(index) = elf.section_named(found.name()) else { continue };
        let Some(section) = elf.section(index) else { continue };
        if kind(section.name, section.is_nobits()).is_none() || !seen.insert(index) {
            continue;
        }
        for child in found.children() {
            let Some(variable) =
                types.get(TypeId(child.a.get())).filter(|found| found.kind() == TypeKind::Var)
            else {
                continue;
            };
            let Some(target) = variable.target() else { continue };
            // Compilers leave the offsets of global variables to the symbol table.
            let linkage = variable.children().first().map_or(STATIC, |child| child.a.get());
            let symbol = (linkage != STATIC).then(|| symbols.get(&(index, variable.name()))).flatten();
            let offset = symbol.copied().unwrap_or_else(|| child.b.get().into());
            let size = target.byte_size(8);
            let range =
                size.and_then(|size| Some((usize::try_from(offset).ok()?, usize::try_from(size).ok()?)));
            let bytes = range.and_then(|(start, size)| section.bytes.get(start..start.checked_add(size)?));
            let bytes = bytes.filter(|_| !section.is_nobits());
            let (name, type_id) = (variable.name(), target.id());
            variables.push(Variable { name, section: index, offset, size, type_id, bytes });
        }
    }
    variables.sort_by_key(|variable| (variable.section, variable.offset));
    variables
}
