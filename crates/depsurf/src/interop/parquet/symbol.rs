//! `symbols`: the ELF symbol table, and what the image tells about attaching to each.

use super::column::ColumnKind::{Bool, Text, U32, U64};
use super::column::{Column, VMLINUX};
use super::rows::Rows;
use crate::error::Result;
use crate::surface::record::{self, NONE};
use crate::surface::symbol::base_name;
use crate::surface::{Fact, Surface, Symbol};

const NO_SITES: &str = "fact `ftrace-sites` is unknown";
const NO_BLACKLIST: &str = "fact `kprobe-blacklist` is unknown";
const NO_EXPORTS: &str = "fact `exports` is unknown";

/// Columns of `symbols`.
pub(super) const SYMBOLS: &[Column] = &[
    Column::new("symbol_id", U32, "place in `.symtab`").ascending(),
    Column::new("name", Text, "name, with compiler suffixes; empty for section symbols"),
    Column::new(
        "base_name",
        Text,
        "the part before the first `.`: the name of the function it was made from",
    ),
    Column::nullable(
        "function_id",
        U32,
        "function whose name it carries: `functions.function_id`",
        "there is none",
    ),
    Column::new("address", U64, "`st_value`").ascending(),
    Column::new("size", U32, "`st_size` in bytes; 0 where assembly gives none"),
    Column::nullable("section", Text, "ELF section", "the symbol is undefined or absolute"),
    Column::new("binding", Text, "`local`, `global`, `weak`; other ELF bindings as a number"),
    Column::new("type", Text, "`none`, `object`, `function`, `section`, `file`; other ELF types as a number"),
    Column::nullable("ftrace_site", Bool, "an ftrace site is at its entry", NO_SITES),
    Column::nullable("kprobe_blacklist", Bool, "on the kprobe blacklist", NO_BLACKLIST),
    Column::nullable("kprobes_text", Bool, "in `.kprobes.text`", NO_BLACKLIST),
    Column::nullable("noinstr_text", Bool, "in `.noinstr.text`", NO_BLACKLIST),
    Column::nullable("entry_text", Bool, "in `.entry.text` or the like", NO_BLACKLIST),
    Column::nullable(
        "init_text",
        Bool,
        "in code that is freed after boot",
        "no table of the image was read: the facts of the columns around are all unknown",
    ),
    Column::nullable("exported", Bool, "exported to modules", NO_EXPORTS),
    Column::nullable("exported_gpl", Bool, "exported to GPL modules only", NO_EXPORTS),
    Column::nullable(
        "error_injection",
        Bool,
        "in the error-injection list",
        "fact `error-injection` is unknown",
    ),
    Column::nullable(
        "module",
        Text,
        "module it is in; addresses of a module are places in its file",
        VMLINUX,
    ),
];

/// One row per symbol, in the order of `.symtab`.
pub(super) fn symbols(surface: &Surface, rows: &mut Rows<'_>) -> Result<()> {
    let functions = functions(surface);
    let known = |fact| surface.meta().knows(fact);
    let [sites, blacklist, exports, injection] =
        [Fact::FtraceSites, Fact::KprobeBlacklist, Fact::Exports, Fact::ErrorInjection].map(known);
    let any = sites || blacklist || exports || injection;
    surface.symbols().zip(functions).try_for_each(|(symbol, function)| {
        let has = |known: bool, bits| known.then(|| symbol.has(bits));
        rows.row(|row| {
            row.put("symbol_id", symbol.index());
            row.put("name", symbol.name());
            row.put("base_name", base_name(symbol.name()));
            row.put("function_id", Some(function).filter(|function| *function != NONE));
            row.put("address", symbol.address());
            row.put("size", symbol.size());
            row.put("section", symbol.section());
            row.put("binding", &binding(symbol));
            row.put("type", &elf_type(symbol));
            row.put("ftrace_site", has(sites, record::ATTACH_FTRACE));
            row.put("kprobe_blacklist", has(blacklist, record::ATTACH_BLACKLIST));
            row.put("kprobes_text", has(blacklist, record::ATTACH_KPROBES_TEXT));
            row.put("noinstr_text", has(blacklist, record::ATTACH_NOINSTR));
            row.put("entry_text", has(blacklist, record::ATTACH_ENTRY));
            row.put("init_text", has(any, record::ATTACH_INIT));
            row.put("exported", has(exports, record::ATTACH_EXPORTED));
            row.put("exported_gpl", has(exports, record::ATTACH_EXPORTED_GPL));
            row.put("error_injection", has(injection, record::ATTACH_ERROR_INJECTION));
            row.put("module", symbol.module().map(|module| module.name()));
        })
    })
}

/// The function of each symbol; `NONE` where there is none.
fn functions(surface: &Surface) -> Vec<u32> {
    let mut functions = vec![NONE; surface.symbols().len()];
    for function in surface.functions() {
        for symbol in function.symbols() {
            functions[symbol.index() as usize] = function.index();
        }
    }
    functions
}

fn binding(symbol: Symbol<'_>) -> String {
    match symbol.binding() {
        0 => "local".into(),
        1 => "global".into(),
        2 => "weak".into(),
        other => other.to_string(),
    }
}

fn elf_type(symbol: Symbol<'_>) -> String {
    match symbol.elf_type() {
        0 => "none".into(),
        1 => "object".into(),
        2 => "function".into(),
        3 => "section".into(),
        4 => "file".into(),
        other => other.to_string(),
    }
}
