//! `symtab`: the symbol table, in its order.

use std::fmt;

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer};

use super::line::{Source, Text};
use crate::error::Result;
use crate::surface::build::Parts;
use crate::surface::record::{self, NONE};
use crate::surface::strings::StrId;

#[derive(Debug, Deserialize)]
struct Entry<'l> {
    #[serde(borrow)]
    name: Text<'l>,
    #[serde(borrow)]
    section: Word<'l>,
    #[serde(borrow)]
    bind: Word<'l>,
    #[serde(borrow, rename = "type")]
    elf_type: Word<'l>,
    local: u8,
    #[serde(borrow)]
    visibility: Word<'l>,
    value: u64,
    size: u32,
}

/// A word of the ELF specification, or the number where it has none.
#[derive(Debug)]
enum Word<'l> {
    Number(u16),
    Word(Text<'l>),
}

impl<'de: 'l, 'l> Deserialize<'de> for Word<'l> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Word<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a word or a number of ELF")
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> std::result::Result<Word<'de>, E> {
                let number = u16::try_from(number);
                number.map(Word::Number).map_err(|_| E::custom("a number of more than 16 bits"))
            }

            fn visit_borrowed_str<E>(self, word: &'de str) -> std::result::Result<Word<'de>, E> {
                Ok(Word::Word(Text(word.into())))
            }

            fn visit_str<E>(self, word: &str) -> std::result::Result<Word<'de>, E> {
                Ok(Word::Word(Text(word.to_owned().into())))
            }
        }
        deserializer.deserialize_any(Either)
    }
}

/// ELF's reserved section numbers that a symbol table has.
const SPECIAL: [(&str, u16); 3] = [("SHN_UNDEF", 0), ("SHN_ABS", 0xfff1), ("SHN_COMMON", 0xfff2)];
const TYPES: [(&str, u8); 7] = [
    ("STT_NOTYPE", 0),
    ("STT_OBJECT", 1),
    ("STT_FUNC", 2),
    ("STT_SECTION", 3),
    ("STT_FILE", 4),
    ("STT_COMMON", 5),
    ("STT_TLS", 6),
];
const VISIBILITIES: [(&str, u8); 4] =
    [("STV_DEFAULT", 0), ("STV_INTERNAL", 1), ("STV_HIDDEN", 2), ("STV_PROTECTED", 3)];
const BINDINGS: [(&str, u8); 3] = [("STB_LOCAL", 0), ("STB_GLOBAL", 1), ("STB_WEAK", 2)];

/// A symbol as the functions refer to it: name, address, size, binding.
pub(super) type Key = (StrId, u64, u32, u8);

/// Puts names of sections into their table.
#[derive(Default)]
pub(super) struct Sections {
    by_name: HashMap<StrId, u32, FixedState>,
}

impl Sections {
    pub(super) fn number(&mut self, name: StrId, table: &mut Vec<record::ElfSection>) -> u32 {
        *self.by_name.entry(name).or_insert_with(|| {
            table.push(record::ElfSection { name: name.0.into(), module: 0.into() });
            table.len() as u32 - 1
        })
    }
}

/// Reads the symbol table into that of the surface.
pub(super) fn read(source: Source<'_>, parts: &mut Parts, sections: &mut Sections) -> Result<()> {
    source.lines(|line| {
        let entry: Entry<'_> = line.parse()?;
        let symbol = symbol(&entry, parts, sections).map_err(|what| line.error(what))?;
        parts.symbols.push(symbol);
        Ok(())
    })
}

fn symbol(
    entry: &Entry<'_>,
    parts: &mut Parts,
    sections: &mut Sections,
) -> std::result::Result<record::Symbol, String> {
    let (section, special) = match &entry.section {
        Word::Number(number) => (NONE, *number),
        Word::Word(word) => match SPECIAL.iter().find(|(special, _)| *special == word.0) {
            Some((_, number)) => (NONE, *number),
            None => (sections.number(word.intern(&mut parts.strings)?, &mut parts.sections), 0),
        },
    };
    let elf_type = entry.elf_type.number("type", &TYPES, 15)?;
    let bind = entry.bind.number("bind", &BINDINGS, 15)?;
    let visibility = entry.visibility.number("visibility", &VISIBILITIES, 3)?;
    if entry.local > 7 {
        return Err(format!("`local` is {}, which has more than three bits", entry.local));
    }
    Ok(record::Symbol {
        name: entry.name.intern(&mut parts.strings)?.0.into(),
        address: entry.value.into(),
        size: entry.size.into(),
        section: section.into(),
        attach: 0.into(),
        info: bind << 4 | elf_type,
        other: entry.local << 5 | visibility,
        special: special.into(),
    })
}

impl Word<'_> {
    fn number(&self, field: &str, words: &[(&str, u8)], max: u8) -> std::result::Result<u8, String> {
        match self {
            Self::Number(number) => u8::try_from(*number).ok().filter(|number| *number <= max),
            Self::Word(text) => words.iter().find(|(word, _)| *word == text.0).map(|(_, number)| *number),
        }
        .ok_or_else(|| match self {
            Self::Number(number) => format!("`{field}` is {number}"),
            Self::Word(text) => format!("`{field}` is `{}`, which is no word of ELF's", text.0),
        })
    }
}

/// The number of a binding's word, as functions have it.
pub(super) fn binding(word: &str) -> Option<u8> {
    BINDINGS.iter().find(|(other, _)| *other == word).map(|(_, number)| *number)
}

/// Where each symbol is in the table; the first of equal ones.
pub(super) fn index(symbols: &[record::Symbol]) -> HashMap<Key, u32, FixedState> {
    let mut index = HashMap::with_capacity_and_hasher(symbols.len(), FixedState::with_seed(0));
    for (place, symbol) in (0..).zip(symbols) {
        let key = (StrId(symbol.name.get()), symbol.address.get(), symbol.size.get(), symbol.info >> 4);
        index.entry(key).or_insert(place);
    }
    index
}

/// A symbol that only a function tells of.
pub(super) fn of_function((name, address, size, bind): Key, section: u32) -> record::Symbol {
    record::Symbol {
        name: name.0.into(),
        address: address.into(),
        size: size.into(),
        section: section.into(),
        attach: 0.into(),
        // STT_FUNC: the original looks at no others.
        info: bind << 4 | 2,
        other: 0,
        special: 0.into(),
    }
}
