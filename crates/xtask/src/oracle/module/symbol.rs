//! Symbols of modules as `readelf` and `nm` print them.

use std::collections::{HashMap, HashSet};

use anyhow::Result;

use super::super::elf::{self, Line, our_line, printed};
use super::super::table::{Reason, Row, UNEXPLAINED};
use super::File;

const UNTYPED: Reason = Reason {
    id: "untyped",
    text: "Symbols without a type: labels of assembly, and what the build adds. They are neither functions nor variables, and left out here.",
};

/// Compares with both programs.
pub fn compare(files: &[File<'_>]) -> Result<Vec<Row>> {
    let mut all = Row::new("functions and global variables of `readelf` (all columns, in order)");
    let mut globals = Row::new("global symbols of `nm` (name, size)");
    for file in files {
        readelf(file, &mut all);
        nm(file, &mut globals)?;
    }
    Ok(vec![all, globals])
}

/// In the file a symbol has a place in its section, here an address. So of each section the first symbol tells where the
/// section is, and all others have to agree.
fn readelf(file: &File<'_>, row: &mut Row) {
    let mut starts: HashMap<&str, u64> = HashMap::new();
    let mut here = file.ours.symbols().map(|symbol| {
        let (name, address, size, words) = our_line(symbol);
        (printed(&name), address, size, words)
    });
    for there in file.symbols.iter().filter(|line| is_kept(line)) {
        let example = |line: &Line| format!("{} in `{}`: {line:?}", line.0, file.ours.path());
        match here.next() {
            Some(mut line) => {
                let section = there.3.rsplit(' ').next().unwrap_or_default();
                let start = starts.entry(section).or_insert_with(|| line.1.wrapping_sub(there.1));
                line.1 = line.1.wrapping_sub(*start);
                row.compare(there, &line, || example(there), || UNEXPLAINED);
            }
            None => row.only_there(UNEXPLAINED, || example(there)),
        }
    }
    for line in here {
        row.only_here(UNEXPLAINED, || format!("{line:?} in `{}`", file.ours.path()));
    }
}

/// Whether a line is one of those that a surface keeps of modules.
fn is_kept((name, _, _, words): &Line) -> bool {
    let words: Vec<&str> = words.split(' ').collect();
    let [kind, binding, _, section] = words.as_slice() else { return false };
    let is_kind = matches!(*kind, "FUNC" | "IFUNC") || *kind == "OBJECT" && *binding != "LOCAL";
    is_kind && *section != "UND" && !name.is_empty()
}

fn nm(file: &File<'_>, row: &mut Row) -> Result<()> {
    let here: HashSet<(&str, u64)> =
        file.ours.symbols().map(|symbol| (symbol.name(), u64::from(symbol.size()))).collect();
    let untyped: HashSet<&str> =
        file.symbols.iter().filter(|line| line.3.starts_with("NOTYPE")).map(|line| line.0.as_str()).collect();
    let options = ["--format=posix", "--extern-only", "--defined-only"];
    for line in elf::run("nm", &options, &file.path)?.lines() {
        let columns: Vec<&str> = line.split_whitespace().collect();
        let [name, _kind, _place, size @ ..] = columns.as_slice() else { continue };
        let size = size.first().and_then(|text| u64::from_str_radix(text, 16).ok()).unwrap_or(0);
        if here.contains(&(*name, size)) {
            row.equal();
        } else {
            let reason = if untyped.contains(name) { UNTYPED } else { UNEXPLAINED };
            row.only_there(reason, || format!("`{line}` in `{}`", file.ours.path()));
        }
    }
    Ok(())
}
