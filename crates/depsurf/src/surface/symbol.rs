//! ELF symbols of the image, and what the image tells about attaching to each.

use super::Surface;
use super::record::{self, Section};
use super::strings::{StrId, compare_at};
use zerocopy::little_endian::U32;

/// A symbol of `.symtab`.
#[derive(Debug, Clone, Copy)]
pub struct Symbol<'a> {
    surface: &'a Surface,
    index: u32,
    record: &'a record::Symbol,
}

impl Surface {
    /// All symbols, in the order of `.symtab`.
    pub fn symbols(&self) -> impl ExactSizeIterator<Item = Symbol<'_>> {
        let records: &[record::Symbol] = self.table(Section::Symbols);
        (0u32..)
            .zip(records)
            .map(|(index, record)| Symbol { surface: self, index, record })
            .collect::<Vec<_>>()
            .into_iter()
    }

    /// The symbol of an index; `None` where there is none.
    #[must_use]
    pub fn symbol(&self, index: u32) -> Option<Symbol<'_>> {
        let records: &[record::Symbol] = self.table(Section::Symbols);
        records.get(index as usize).map(|record| Symbol { surface: self, index, record })
    }

    /// All symbols of exactly this name, in the order of `.symtab`.
    pub fn symbols_named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = Symbol<'a>> {
        self.symbols_from(name).take_while(move |symbol| symbol.name() == name)
    }

    /// All symbols of this name, and of this name with compiler suffixes behind it, by name.
    pub(super) fn symbols_with_base<'a>(&'a self, base: &'a str) -> impl Iterator<Item = Symbol<'a>> {
        let start = format!("{base}.");
        let suffixed = self.symbols_from(&start).take_while(move |symbol| symbol.name().starts_with(&start));
        self.symbols_named(base).chain(suffixed)
    }

    /// The symbols from the first one on whose name is not before this one, by name; those of one name in the order of
    /// `.symtab`.
    fn symbols_from<'a>(&'a self, name: &str) -> impl Iterator<Item = Symbol<'a>> + use<'a> {
        let order: &[U32] = self.table(Section::SymbolsByName);
        let symbols: &[record::Symbol] = self.table(Section::Symbols);
        let strings = self.section(Section::Strings);
        let name_of = |index: &U32| symbols.get(index.get() as usize).map_or(0, |symbol| symbol.name.get());
        let start = order.partition_point(|index| compare_at(strings, name_of(index), name).is_lt());
        order[start..].iter().filter_map(|index| self.symbol(index.get()))
    }
}

impl<'a> Symbol<'a> {
    /// Place in `.symtab` order.
    #[must_use]
    pub fn index(self) -> u32 {
        self.index
    }

    pub(super) fn surface(self) -> &'a Surface {
        self.surface
    }

    /// Full name, with compiler suffixes.
    #[must_use]
    pub fn name(self) -> &'a str {
        self.surface.text(self.record.name)
    }

    /// Name as an id of the surface's string table, in which equal strings are one.
    pub(crate) fn name_id(self) -> StrId {
        StrId(self.record.name.get())
    }

    /// `st_value`.
    #[must_use]
    pub fn address(self) -> u64 {
        self.record.address.get()
    }

    /// `st_size` in bytes; 0 where assembly gives none.
    #[must_use]
    pub fn size(self) -> u32 {
        self.record.size.get()
    }

    /// Name of its section; `None` for undefined and absolute symbols.
    #[must_use]
    pub fn section(self) -> Option<&'a str> {
        let sections: &[record::ElfSection] = self.surface.table(Section::Sections);
        sections.get(self.record.section.get() as usize).map(|section| self.surface.text(section.name))
    }

    /// `st_shndx` where it is one of the reserved values (`SHN_ABS` 0xfff1, `SHN_COMMON`), else 0.
    #[must_use]
    pub fn special_section(self) -> u16 {
        self.record.special.get()
    }

    /// ELF binding: 0 local, 1 global, 2 weak.
    #[must_use]
    pub fn binding(self) -> u8 {
        self.record.info >> 4
    }

    /// ELF type: 0 none, 1 object, 2 function, 3 section, 4 file.
    #[must_use]
    pub fn elf_type(self) -> u8 {
        self.record.info & 0xf
    }

    /// Whether it is that of a function or of other code: ELF's `STT_FUNC`.
    #[must_use]
    pub fn is_function(self) -> bool {
        self.elf_type() == 2
    }

    /// ELF `st_other`.
    #[must_use]
    pub fn other(self) -> u8 {
        self.record.other
    }

    /// `record::ATTACH_*` bits. What a missing bit means is told by the evidence in [`super::Meta`].
    #[must_use]
    pub fn attach(self) -> u32 {
        self.record.attach.get()
    }

    /// Whether all of some `record::ATTACH_*` bits are set.
    #[must_use]
    pub fn has(self, bits: u32) -> bool {
        self.attach() & bits == bits
    }
}

/// The part of a symbol's name before the first `.`: the function the compiler derived it from.
#[must_use]
pub fn base_name(symbol: &str) -> &str {
    // A leading dot (ppc64 entry points) belongs to the name.
    symbol.get(1..).and_then(|rest| rest.find('.')).map_or(symbol, |dot| &symbol[..=dot])
}

/// The compiler's suffixes of a symbol: its dot-separated parts that are not numbers.
pub fn suffixes(symbol: &str) -> impl Iterator<Item = &str> {
    symbol[base_name(symbol).len()..]
        .split('.')
        .filter(|part| !part.is_empty() && !part.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suffixes_are_what_the_compiler_added() {
        let of = |name| suffixes(name).collect::<Vec<_>>();
        assert_eq!(base_name("foo.isra.0.cold"), "foo");
        assert_eq!(of("foo.isra.0.cold"), ["isra", "cold"]);
        assert_eq!(of("foo"), Vec::<&str>::new());
        assert_eq!(of("foo.123"), Vec::<&str>::new());
        assert_eq!(of("foo.llvm.123ab"), ["llvm", "123ab"]);
        assert_eq!(base_name(".foo"), ".foo");
        assert_eq!(base_name(""), "");
    }
}
