//! The symbols that a running kernel lists of itself and of its modules.

use std::ops::Range;

use hashbrown::HashMap;
use object::elf::{SHN_ABS, STB_GLOBAL, STB_LOCAL, STB_WEAK, STT_FUNC, STT_NOTYPE, STT_OBJECT};

use crate::note::Notes;
use crate::source::live::Live;
use crate::surface::build::Parts;
use crate::surface::meta::{Evidence, Fact};
use crate::surface::record::{self, NONE};

/// A line of `kallsyms`.
pub(super) struct Symbol<'a> {
    pub name: &'a str,
    /// 0 where the kernel hides it.
    pub address: u64,
    /// The letter that `nm` prints for its kind; a capital for global symbols.
    pub letter: u8,
    /// Number of its module; 0 for the kernel itself.
    pub module: u32,
}

/// The symbols of the kernel itself, in its order, which is that of the addresses; then those of each module that is read.
pub(super) struct Symbols<'a> {
    pub list: Vec<Symbol<'a>>,
    by_name: HashMap<&'a str, Vec<u32>>,
    pub by_address: HashMap<u64, Vec<u32>>,
    /// Numbers of the modules by name.
    modules: HashMap<&'a str, u32>,
    /// Whether the kernel tells no addresses.
    pub hidden: bool,
}

impl<'a> Symbols<'a> {
    pub fn parse(live: &'a Live, notes: &mut Notes) -> Self {
        let modules: HashMap<&str, u32> =
            live.modules.iter().map(|module| module.name.as_str()).zip(1..).collect();
        let mut list = Vec::new();
        for line in live.kallsyms.as_deref().unwrap_or_default().lines() {
            let mut words = line.split_ascii_whitespace();
            let symbol = (|| {
                let address = u64::from_str_radix(words.next()?, 16).ok()?;
                let &[letter] = words.next()?.as_bytes() else { return None };
                Some(Symbol { address, letter, name: words.next()?, module: 0 })
            })();
            match (symbol, words.next()) {
                // `[bpf]`, `[__builtin__ftrace]`: code made at run time; and modules that are left out.
                (Some(symbol), Some(module)) => {
                    if let Some(module) = number_in(&modules, module) {
                        list.push(Symbol { module, ..symbol });
                    }
                }
                (Some(symbol), None) => list.push(symbol),
                (None, _) => notes.lost(
                    "kallsyms-line",
                    || "a line of `/proc/kallsyms` is no symbol".into(),
                    || line.chars().take(80).collect(),
                ),
            }
        }
        list.sort_by_key(|symbol| symbol.module);
        let mut by_name: HashMap<&str, Vec<u32>> = HashMap::with_capacity(list.len());
        let mut by_address: HashMap<u64, Vec<u32>> = HashMap::with_capacity(list.len());
        for (index, symbol) in (0u32..).zip(&list) {
            by_name.entry(symbol.name).or_default().push(index);
            by_address.entry(symbol.address).or_default().push(index);
        }
        let hidden = list.iter().all(|symbol| symbol.address == 0);
        Self { list, by_name, by_address, modules, hidden }
    }

    /// The number of a module as the kernel's lists write it, `[ext4]`; 0 where none is written, `None` for modules that are left out.
    pub fn module(&self, word: Option<&str>) -> Option<u32> {
        word.map_or(Some(0), |word| number_in(&self.modules, word))
    }

    /// The symbols of a name that a module has, or with 0 the kernel itself.
    pub fn named(&self, name: &str, module: u32) -> &[u32] {
        let all = self.by_name.get(name).map_or(&[][..], Vec::as_slice);
        let place = |module| all.partition_point(|&index| self.list[index as usize].module < module);
        &all[place(module)..place(module + 1)]
    }

    /// The address of a name; `None` where it is hidden.
    pub fn address_of(&self, name: &str) -> Option<u64> {
        let address = self.list[*self.named(name, 0).first()? as usize].address;
        (address != 0).then_some(address)
    }

    pub fn between(&self, start: &str, stop: &str) -> Option<Range<u64>> {
        Some(self.address_of(start)?..self.address_of(stop)?)
    }
}

fn number_in(modules: &HashMap<&str, u32>, word: &str) -> Option<u32> {
    modules.get(word.strip_prefix('[')?.strip_suffix(']')?).copied()
}

/// The words for what `kallsyms` tells of a symbol's section: its kind.
const SECTIONS: [(&str, &[u8]); 4] =
    [("text", b"tTwW"), ("data", b"dDgGvV"), ("rodata", b"rR"), ("bss", b"bBsS")];

/// Fills `sections` and `symbols`, the null symbol first, as `.symtab` has it.
pub(super) fn store(symbols: &Symbols<'_>, bits: &[u32], live: &Live, parts: &mut Parts, notes: &mut Notes) {
    let kernel = std::iter::once("");
    for module in kernel.chain(live.modules.iter().map(|module| module.name.as_str())) {
        let module = if module.is_empty() { 0 } else { parts.strings.intern(module.as_bytes()).0 };
        for (name, _) in SECTIONS {
            let name = parts.strings.intern(name.as_bytes()).0.into();
            parts.sections.push(record::ElfSection { name, module: module.into() });
        }
    }
    let null = record::Symbol {
        name: 0.into(),
        address: 0.into(),
        size: 0.into(),
        section: NONE.into(),
        attach: 0.into(),
        info: 0,
        other: 0,
        special: 0.into(),
    };
    let named = symbols.list.iter().zip(bits).map(|(symbol, bits)| {
        let section = SECTIONS.iter().position(|(_, letters)| letters.contains(&symbol.letter));
        let kind = match section {
            Some(0) => STT_FUNC,
            Some(_) => STT_OBJECT,
            None => STT_NOTYPE,
        };
        let binding = match symbol.letter {
            b'w' | b'W' | b'v' | b'V' => STB_WEAK,
            letter if letter.is_ascii_lowercase() => STB_LOCAL,
            _ => STB_GLOBAL,
        };
        let is_absolute = symbol.letter.eq_ignore_ascii_case(&b'a');
        record::Symbol {
            name: parts.strings.intern(symbol.name.as_bytes()).0.into(),
            address: symbol.address.into(),
            size: 0.into(),
            section: section
                .map_or(NONE, |index| symbol.module * SECTIONS.len() as u32 + index as u32)
                .into(),
            attach: (*bits).into(),
            info: binding.0 << 4 | kind.0,
            other: 0,
            special: if is_absolute { SHN_ABS.0 } else { 0 }.into(),
        }
    });
    parts.symbols = std::iter::once(null).chain(named).collect();
    let evidence = match &live.kallsyms {
        Err(reason) => Evidence::unknown(reason.clone()),
        Ok(_) if symbols.list.is_empty() => {
            Evidence::unknown("`/proc/kallsyms` is empty: the kernel was built without CONFIG_KALLSYMS")
        }
        Ok(_) => Evidence::known("/proc/kallsyms"),
    };
    if symbols.hidden && !symbols.list.is_empty() {
        notes.lost(
            "kallsyms-hidden",
            || {
                "the kernel hides the addresses of its symbols: run as root, or set kernel.kptr_restrict=1"
                    .into()
            },
            || "/proc/kallsyms".into(),
        );
    }
    parts.meta.evidence.insert(Fact::Symbols, evidence);
}
