//! Kernel modules: object files, which the kernel links when it loads them.
//!
//! The addresses of a loaded module are the kernel's choice. Here its sections lie one behind the other, in the order
//! of the file, from [`Layout::START`] on, so that every symbol has an address of its own; only the place in the
//! section means something outside. References between sections are relocations, applied to whatever is read.
//! What the kernel finds by symbols of its linker script, it finds in a module by the names of sections
//! (`find_module_sections` in `kernel/module/main.c`).

use std::borrow::Cow;

use object::elf::{SHT_REL, SHT_RELA};
use object::endian::Endian as _;

use super::Image;
use super::arch::DataRelocation;
use super::elf::Subject;
use super::relocation::Relocations;
use super::section::Section;
use crate::error::{Error, Result};
use crate::kernel::Arch;

/// Start symbols of the kernel's linker script, and the sections of a module that hold the same.
const SECTIONS: [(&str, &str); 12] = [
    ("__start_mcount_loc", "__mcount_loc"),
    ("__start_ftrace_events", "_ftrace_events"),
    ("__start__bpf_raw_tp", "__bpf_raw_tp_map"),
    ("__start_kprobe_blacklist", "_kprobe_blacklist"),
    ("__start_error_injection_whitelist", "_error_injection_whitelist"),
    ("__kprobes_text_start", ".kprobes.text"),
    ("__noinstr_text_start", ".noinstr.text"),
    ("_sinittext", ".init.text"),
    ("__start___ksymtab", "__ksymtab"),
    ("__start___ksymtab_gpl", "__ksymtab_gpl"),
    ("__start___kflagstab", "__kflagstab"),
    ("__start_syscalls_metadata", "__syscalls_metadata"),
];

/// Where the sections of an object file are put.
pub(super) struct Layout {
    next: u64,
}

impl Layout {
    /// Not 0, which stands for "no address" in DWARF and in symbol tables.
    const START: u64 = 0x1000;

    pub fn new() -> Self {
        Self { next: Self::START }
    }

    /// The address of the next section. Sizes that no address space holds wrap: such a section has no bytes anyway.
    pub fn place(&mut self, size: u64, alignment: u64) -> u64 {
        let alignment = if alignment.is_power_of_two() { alignment } else { 1 };
        let address = self.next.checked_next_multiple_of(alignment).unwrap_or(Self::START);
        let end = address.checked_add(size);
        // Two sections never share an address, even where one is empty.
        self.next = end.and_then(|end| end.checked_add(1)).unwrap_or(Self::START);
        if end.is_some() { address } else { Self::START }
    }
}

/// An entry of a table of relocations.
struct Entry {
    offset: u64,
    kind: u32,
    symbol: u32,
    /// `None` where the addend is the word itself.
    addend: Option<u64>,
}

impl<'a> Image<'a> {
    pub(super) fn check_module(&self) -> Result<()> {
        if self.section(".modinfo").is_none() {
            let what = "there is no section `.modinfo`: it is an object file, but no module";
            return Err(Error::malformed("module", "the section headers", what));
        }
        Ok(())
    }

    /// The value of a key in `.modinfo`: `name`, `vermagic`, `intree` ... `None` where it is not there.
    #[must_use]
    pub fn modinfo(&self, key: &str) -> Option<&'a str> {
        let bytes = self.file.section_bytes(self.section(".modinfo")?).ok()?;
        bytes.split(|&byte| byte == 0).find_map(|entry| {
            let value = entry.strip_prefix(key.as_bytes())?.strip_prefix(b"=")?;
            std::str::from_utf8(value).ok()
        })
    }

    /// The section of a module that stands for what a start symbol begins in the kernel.
    pub(super) fn bounded_section(&self, start: &str) -> Option<&Section<'a>> {
        if self.subject != Subject::Module {
            return None;
        }
        let (_, name) = SECTIONS.iter().find(|(symbol, _)| *symbol == start)?;
        self.section(name)
    }

    /// Whether the file has the module's own code and data, and not only what was written for debuggers
    /// (`objcopy --only-keep-debug`).
    #[must_use]
    pub fn has_code(&self) -> bool {
        // Without any code there is nothing that could have been left out.
        let mut code = self.sections.iter().filter(|section| section.is_executable() && section.size != 0);
        code.next().is_none_or(Section::has_bytes) && code.all(Section::has_bytes)
    }

    /// Whether the file has debug information.
    #[must_use]
    pub fn has_debug_info(&self) -> bool {
        let sections = [".debug_info", ".zdebug_info"];
        sections.iter().any(|name| self.section(name).is_some_and(Section::has_bytes))
    }

    /// Why another file of a module is of another build, so that its addresses mean something else here.
    pub(crate) fn differs_from(&self, other: &Self) -> Option<&'static str> {
        if let (Some(here), Some(there)) = (self.build_id(), other.build_id())
            && here != there
        {
            return Some("the build ids differ");
        }
        let layout = |image: &Self| -> Vec<(Vec<u8>, u64, u64)> {
            let in_memory = image.sections.iter().filter(|section| section.is_allocated());
            in_memory.map(|section| (section.name.to_vec(), section.address, section.size)).collect()
        };
        (layout(self) != layout(other)).then_some("they do not have the same sections")
    }

    /// The pointers in the module's data, by address. Code holds none that anybody reads.
    pub(super) fn module_relocations(&self) -> Result<Relocations> {
        let mut values = Vec::new();
        for table in &self.sections {
            let Some(target) = self.target_of(table).filter(|target| target.is_mapped()) else { continue };
            if target.is_executable() {
                continue;
            }
            let words = self.file.section_bytes(target)?;
            self.entries(table, |entry| {
                if entry.kind == self.machine.absolute_relocation
                    && let Some(addend) = self.addend(&entry, words, self.machine.address_size)
                {
                    let value = self.symbol_value(entry.symbol).map_or(0, |value| value.wrapping_add(addend));
                    values.push((target.address.wrapping_add(entry.offset), value));
                }
            })?;
        }
        Ok(Relocations::new(values))
    }

    /// Applies the relocations of a section that is no part of memory, which for debug sections are references to
    /// other debug sections and addresses of code.
    pub(super) fn linked<'b>(&self, section: &Section<'a>, bytes: Cow<'b, [u8]>) -> Result<Cow<'b, [u8]>> {
        if self.subject != Subject::Module || section.is_allocated() {
            return Ok(bytes);
        }
        let mut bytes = bytes;
        for table in &self.sections {
            if self.target_of(table).is_some_and(|target| std::ptr::eq(target, section)) {
                let patched = bytes.to_mut();
                self.entries(table, |entry| self.apply(&entry, patched))?;
            }
        }
        Ok(bytes)
    }

    /// The section that a table of relocations patches; `None` for what is no such table.
    fn target_of(&self, table: &Section<'_>) -> Option<&Section<'a>> {
        let is_table = table.kind == SHT_RELA.0 || table.kind == SHT_REL.0;
        if is_table && table.info != 0 { self.sections.get(table.info as usize) } else { None }
    }

    fn apply(&self, entry: &Entry, bytes: &mut [u8]) {
        let known = self.machine.data_relocations.iter().find(|(kind, _)| *kind == entry.kind);
        let Some((_, relocation)) = known else { return };
        let size = relocation.size();
        let Some(addend) = self.addend(entry, bytes, size) else { return };
        let Some(value) = self.symbol_value(entry.symbol).map(|value| value.wrapping_add(addend)) else {
            return;
        };
        let Ok(start) = usize::try_from(entry.offset) else { return };
        let Some(place) = start.checked_add(size.into()).and_then(|end| bytes.get_mut(start..end)) else {
            return;
        };
        let old = self.uint(place);
        let new = match relocation {
            DataRelocation::Set(_) => value,
            DataRelocation::Add(_) => old.wrapping_add(value),
            DataRelocation::Subtract(_) => old.wrapping_sub(value),
        };
        let size = usize::from(size);
        if self.is_big_endian() {
            place.copy_from_slice(&new.to_be_bytes()[8 - size..]);
        } else {
            place.copy_from_slice(&new.to_le_bytes()[..size]);
        }
    }

    /// The address of a symbol; `None` where another module or the kernel has it.
    fn symbol_value(&self, index: u32) -> Option<u64> {
        let symbol = self.symbols().get(index as usize)?;
        (symbol.section != 0 || symbol.special != 0 || index == 0).then_some(symbol.address)
    }

    fn addend(&self, entry: &Entry, bytes: &[u8], size: u8) -> Option<u64> {
        if entry.addend.is_some() {
            return entry.addend;
        }
        let start = usize::try_from(entry.offset).ok()?;
        Some(self.uint(bytes.get(start..start.checked_add(size.into())?)?))
    }

    /// Reads a table of `Elf32_Rel`, `Elf32_Rela`, `Elf64_Rel` or `Elf64_Rela`.
    fn entries(&self, table: &Section<'a>, mut with: impl FnMut(Entry)) -> Result<()> {
        let bytes = self.file.section_bytes(table)?;
        let word = usize::from(self.machine.address_size);
        let has_addend = table.kind == SHT_RELA.0;
        let endian = self.file.endian;
        for entry in bytes.chunks_exact(word * if has_addend { 3 } else { 2 }) {
            let info = self.uint(&entry[word..2 * word]);
            let (symbol, kind) = match (self.machine.arch, word) {
                // Here the symbol comes first, then four bytes with up to three types, the first one last.
                (Arch::Mips64el, _) => {
                    let symbol = endian.read_u32([entry[8], entry[9], entry[10], entry[11]]);
                    (symbol, u32::from(entry[15]))
                }
                (_, 4) => ((info >> 8) as u32, (info & 0xff) as u32),
                _ => ((info >> 32) as u32, info as u32),
            };
            let addend = has_addend.then(|| self.uint(&entry[2 * word..])).map(|addend| {
                // A negative addend of four bytes is one of eight.
                if word == 4 { i64::from(addend as u32 as i32).cast_unsigned() } else { addend }
            });
            with(Entry { offset: self.uint(&entry[..word]), kind, symbol, addend });
        }
        Ok(())
    }
}
