//! `symtab`: the symbol table, in its order, with the words of the ELF specification.

use super::Sink;
use super::json::Json;
use crate::error::Result;
use crate::surface::{Surface, Symbol};

/// One line per symbol of vmlinux.
pub(super) fn table(surface: &Surface, sink: Sink<'_>) -> Result<()> {
    let mut json = Json::default();
    for symbol in surface.symbols().filter(|symbol| symbol.module().is_none()) {
        json.clear();
        json.object(|json| {
            json.key("name").string(symbol.name());
            section(json.key("section"), symbol);
            bind(json.key("bind"), symbol.binding());
            word(json.key("type"), symbol.elf_type(), |number| {
                Some(match number {
                    0 => "STT_NOTYPE",
                    1 => "STT_OBJECT",
                    2 => "STT_FUNC",
                    3 => "STT_SECTION",
                    4 => "STT_FILE",
                    5 => "STT_COMMON",
                    6 => "STT_TLS",
                    _ => return None,
                })
            });
            // The three high bits of `st_other`; ppc64 keeps the distance to the local entry there.
            json.key("local").plain(symbol.other() >> 5);
            word(json.key("visibility"), symbol.other() & 3, |number| {
                Some(match number {
                    0 => "STV_DEFAULT",
                    1 => "STV_INTERNAL",
                    2 => "STV_HIDDEN",
                    _ => "STV_PROTECTED",
                })
            });
            json.key("value").plain(symbol.address());
            json.key("size").plain(symbol.size());
        });
        sink(json.line())?;
    }
    Ok(())
}

/// The word of an ELF binding.
pub(super) fn bind(json: &mut Json, number: u8) {
    word(json, number, |number| {
        Some(match number {
            0 => "STB_LOCAL",
            1 => "STB_GLOBAL",
            2 => "STB_WEAK",
            _ => return None,
        })
    });
}

/// A word, or the number where the specification has none.
fn word(json: &mut Json, number: u8, words: impl FnOnce(u8) -> Option<&'static str>) {
    match words(number) {
        Some(word) => json.string(word),
        None => json.plain(number),
    }
}

fn section(json: &mut Json, symbol: Symbol<'_>) {
    match (symbol.section(), symbol.special_section()) {
        (Some(name), _) => json.string(name),
        (None, 0) => json.string("SHN_UNDEF"),
        (None, 0xfff1) => json.string("SHN_ABS"),
        (None, 0xfff2) => json.string("SHN_COMMON"),
        (None, number) => json.plain(number),
    }
}
