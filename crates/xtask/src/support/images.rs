//! What bootable images tell by themselves, beside the debug information of the same kernels.

use std::fmt::Write;

use anyhow::Result;
use depsurf::surface::Fact;

use super::{Read, SUITES};
use crate::bench::Table;
use crate::oracle::boot;
use crate::oracle::table::Row;

/// The part of the document.
pub fn section(done: &[Read]) -> Result<String> {
    let mut text = "\n# Bootable images alone\n\n\
        The package with the bootable image of each kernel above, read without its debug package. `told` is how many facts the image has of those \
        that it is asked for: symbols, what can be attached to functions, types of `.BTF`, tracepoints, system calls, sets of BTF ids, kfuncs and \
        LSM hooks; `other` is how many of them the debug package has not, or has otherwise, and the reverse. The symbol table of a kernel without \
        `CONFIG_KALLSYMS_ALL` lists no data, so that the kernel's tables are not found: then only symbols are told, and compared.\n\n"
        .to_owned();
    for (suite, series) in SUITES {
        let of_suite: Vec<&Read> =
            done.iter().filter(|read| read.is_of(suite) && read.row.image.is_some()).collect();
        if !of_suite.is_empty() {
            writeln!(text, "{}", table(suite, series, &of_suite).markdown())?;
        }
    }
    Ok(text)
}

fn table(suite: &str, series: &str, rows: &[&Read]) -> Table {
    let title = format!("## {suite}: {series}, images");
    let head =
        ["image", "package MB", "s", "peak MB", "symbols", "types", "events", "calls", "told", "other"];
    let mut table = Table::new(&title, &head);
    for read in rows {
        let Some(reading) = &read.row.image else { continue };
        let mega = |bytes: u64| (bytes / 1_000_000).to_string();
        let mut cells = vec![read.row.release.clone(), mega(reading.package)];
        let Some(image) = &read.image else {
            cells.push(reading.error.clone().unwrap_or_default());
            table.row(cells);
            continue;
        };
        let known = |fact, count: usize| {
            if image.meta().knows(fact) { count.to_string() } else { "?".into() }
        };
        cells.push(format!("{:.1}", reading.time as f64 / 1e3));
        cells.push(mega(reading.peak));
        cells.push(known(Fact::Symbols, image.symbols().len()));
        cells.push(known(Fact::Btf, image.meta().btf_types as usize));
        cells.push(known(Fact::Tracepoints, image.tracepoints().filter(|event| event.has_event()).count()));
        cells.push(known(Fact::Syscalls, image.syscalls().filter(|call| call.is_implemented()).count()));
        let compared = compared(read);
        cells.push(compared.iter().map(|row| row.there).sum::<usize>().to_string());
        cells.push(compared.iter().map(Row::unexplained).sum::<usize>().to_string());
        table.row(cells);
    }
    table
}

fn compared(read: &Read) -> Vec<Row> {
    match (&read.surface, &read.image) {
        (Some(full), Some(image)) => boot::compare(full, image),
        _ => Vec::new(),
    }
}

/// Images that could not be read or tell something else than the debug package, with an example.
pub fn wrong(done: &[Read]) -> Vec<String> {
    let mut wrong = Vec::new();
    for read in done {
        let release = &read.row.release;
        if let Some(error) = read.row.image.as_ref().and_then(|reading| reading.error.as_ref()) {
            wrong.push(format!("{release}: {error}"));
        }
        for row in compared(read) {
            if let Some(example) = row.unexplained_example() {
                wrong.push(format!("{release}: {} {}, as {example}", row.unexplained(), row.kind));
            }
        }
    }
    wrong
}
