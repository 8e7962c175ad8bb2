//! The symbol table: names borrowed from `.strtab`, found by name or by address.

use std::hash::{BuildHasher, Hasher};
use std::ops::Range;
use std::sync::OnceLock;

use foldhash::fast::FixedState;
use hashbrown::HashTable;
use object::elf::{STB_LOCAL, STT_FILE, STT_FUNC, STT_GNU_IFUNC, STT_OBJECT, STT_SECTION};

use super::Image;

/// Symbols that share a name, or an address, and are looked at: some hundred in a real kernel (weak aliases of
/// `sys_ni_syscall`), but mapping symbols like `$x`, which nobody asks for, and what a damaged file may hold.
const MAX_SHARED: usize = 4096;

/// Whether an `st_info` is that of a function.
#[must_use]
pub fn is_function(info: u8) -> bool {
    info & 0xf == STT_FUNC.0 || info & 0xf == STT_GNU_IFUNC.0
}

/// A symbol of `.symtab`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Symbol<'a> {
    /// Name, empty for section symbols.
    pub name: &'a [u8],
    /// `st_value`.
    pub address: u64,
    /// `st_size`; 0 where assembly gives none.
    pub size: u64,
    /// Index of its section; 0 where it is undefined, absolute or common.
    pub section: u32,
    /// `st_shndx` where it is a reserved value (`SHN_ABS`), else 0.
    pub special: u16,
    /// `st_info`: binding in the high half, type in the low one.
    pub info: u8,
    /// `st_other`.
    pub other: u8,
}

impl<'a> Symbol<'a> {
    /// Name as text; empty for a name that is not UTF-8, which no compiler writes.
    #[must_use]
    pub fn text(&self) -> &'a str {
        std::str::from_utf8(self.name).unwrap_or_default()
    }

    /// Whether it is a function (`STT_FUNC`).
    #[must_use]
    pub fn is_function(&self) -> bool {
        is_function(self.info)
    }

    /// Whether it is a variable (`STT_OBJECT`).
    #[must_use]
    pub fn is_object(&self) -> bool {
        self.info & 0xf == STT_OBJECT.0
    }

    /// Whether it is local to its unit.
    #[must_use]
    pub fn is_local(&self) -> bool {
        self.info >> 4 == STB_LOCAL.0
    }

    /// Whether it names an address of the image: not a file, a section or an undefined or absolute symbol.
    #[must_use]
    pub fn is_located(&self) -> bool {
        self.section != 0 && ![STT_FILE.0, STT_SECTION.0].contains(&(self.info & 0xf))
    }
}

/// The named symbols that have an address, by address, those of one address in table order.
#[derive(Debug)]
pub struct ByAddress {
    /// Addresses on their own, so that a search touches little memory.
    addresses: Vec<u64>,
    indices: Vec<u32>,
}

impl ByAddress {
    /// Indices of the symbols, by address.
    #[must_use]
    pub fn indices(&self) -> &[u32] {
        &self.indices
    }

    /// Place in [`ByAddress::indices`] of the first symbol at or behind an address.
    #[must_use]
    pub fn place_of(&self, address: u64) -> usize {
        self.addresses.partition_point(|&other| other < address)
    }

    /// Indices of the symbols in a range of addresses.
    #[must_use]
    pub fn within(&self, range: &Range<u64>) -> &[u32] {
        let (start, end) = (self.place_of(range.start), self.place_of(range.end));
        self.indices.get(start..end).unwrap_or_default()
    }

    /// The first address of a symbol behind an address.
    fn next_address(&self, address: u64) -> Option<u64> {
        self.addresses.get(self.place_of(address.checked_add(1)?)).copied()
    }
}

/// All symbols and their indices.
pub(super) struct SymbolTable<'a> {
    symbols: Vec<Symbol<'a>>,
    /// First symbol of each name.
    by_name: HashTable<u32>,
    /// For each symbol the next one of its name; its own index for the last.
    next: Vec<u32>,
    /// Made on first use.
    by_address: OnceLock<ByAddress>,
    hasher: FixedState,
}

impl<'a> SymbolTable<'a> {
    pub(super) fn new(symbols: Vec<Symbol<'a>>) -> Self {
        let hasher = FixedState::with_seed(0);
        let hash = |name: &[u8]| {
            let mut state = hasher.build_hasher();
            state.write(name);
            state.finish()
        };
        let mut by_name: HashTable<u32> = HashTable::with_capacity(symbols.len());
        let mut next: Vec<u32> = (0..symbols.len() as u32).collect();
        // From the back, so that each new entry becomes the head of the list of its name.
        for index in (0..symbols.len() as u32).rev() {
            let name = symbols[index as usize].name;
            if name.is_empty() {
                continue;
            }
            let entry = by_name.entry(
                hash(name),
                |&other| symbols[other as usize].name == name,
                |&other| hash(symbols[other as usize].name),
            );
            match entry {
                hashbrown::hash_table::Entry::Occupied(mut head) => {
                    next[index as usize] = *head.get();
                    *head.get_mut() = index;
                }
                hashbrown::hash_table::Entry::Vacant(place) => {
                    place.insert(index);
                }
            }
        }
        Self { symbols, by_name, next, by_address: OnceLock::new(), hasher }
    }

    fn head(&self, name: &[u8]) -> Option<u32> {
        let mut state = self.hasher.build_hasher();
        state.write(name);
        self.by_name.find(state.finish(), |&index| self.symbols[index as usize].name == name).copied()
    }

    fn by_address(&self) -> &ByAddress {
        self.by_address.get_or_init(|| {
            let mut order: Vec<(u64, u32)> = (0u32..)
                .zip(&self.symbols)
                .filter(|(_, symbol)| symbol.is_located() && !symbol.name.is_empty())
                .map(|(index, symbol)| (symbol.address, index))
                .collect();
            order.sort_unstable();
            let (addresses, indices) = order.into_iter().unzip();
            ByAddress { addresses, indices }
        })
    }
}

impl<'a> Image<'a> {
    /// All symbols in the order of `.symtab`. The first is the reserved null entry, so that an index here is
    /// the index that relocations and other tools use.
    #[must_use]
    pub fn symbols(&self) -> &[Symbol<'a>] {
        &self.symbols.symbols
    }

    /// The symbols of a name with their indices, in the order of `.symtab`; at most 4096.
    pub fn symbols_named(&self, name: &str) -> impl Iterator<Item = (u32, &Symbol<'a>)> {
        let table = &self.symbols;
        let mut at = table.head(name.as_bytes());
        std::iter::from_fn(move || {
            let index = at?;
            at = Some(table.next[index as usize]).filter(|&next| next != index);
            Some((index, &table.symbols[index as usize]))
        })
        .take(MAX_SHARED)
    }

    /// The symbol of a name: the first global or weak one, else the first.
    #[must_use]
    pub fn symbol(&self, name: &str) -> Option<&Symbol<'a>> {
        let mut named = self.symbols_named(name).map(|(_, symbol)| symbol);
        let first = named.next()?;
        if first.is_local() { named.find(|symbol| !symbol.is_local()).or(Some(first)) } else { Some(first) }
    }

    /// The address of the symbol of a name.
    #[must_use]
    pub fn address_of(&self, name: &str) -> Option<u64> {
        self.symbol(name).map(|symbol| symbol.address)
    }

    /// The addresses between a start and a stop symbol, as linker scripts set them; in a module the section that the
    /// linker script would put there. `None` where one of them is missing or they are in the wrong order.
    #[must_use]
    pub fn between(&self, start: &str, stop: &str) -> Option<Range<u64>> {
        if let Some(section) = self.bounded_section(start) {
            return Some(section.addresses());
        }
        let range = self.address_of(start)?..self.address_of(stop)?;
        (range.start <= range.end).then_some(range)
    }

    /// The named symbols that have an address, by address.
    #[must_use]
    pub fn symbols_by_address(&self) -> &ByAddress {
        self.symbols.by_address()
    }

    /// The symbols at exactly an address, in the order of `.symtab`; at most 4096.
    pub fn symbols_at(&self, address: u64) -> impl Iterator<Item = (u32, &Symbol<'a>)> {
        let found = self.symbols.by_address().within(&(address..address.saturating_add(1)));
        found.iter().take(MAX_SHARED).map(|&index| (index, &self.symbols()[index as usize]))
    }

    /// The end of a symbol: by its size, or, where assembly gives none, the next symbol's address or the end of
    /// its section.
    #[must_use]
    pub fn symbol_end(&self, symbol: &Symbol<'a>) -> u64 {
        if symbol.size != 0 {
            return symbol.address.saturating_add(symbol.size);
        }
        let section_end =
            self.section_at(symbol.section).map_or(symbol.address, |section| section.addresses().end);
        let next = self.symbols.by_address().next_address(symbol.address);
        next.map_or(section_end, |next| next.min(section_end)).max(symbol.address)
    }
}
