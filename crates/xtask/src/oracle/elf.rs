//! The symbol table as `readelf` and `nm` print it, beside ours.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use depsurf::surface::{Surface, Symbol};

use super::table::{Row, UNEXPLAINED};

/// A symbol as a row of text.
pub type Line = (String, u64, u64, String);

/// Compares with both programs.
pub fn compare(vmlinux: &Path, surface: &Surface) -> Result<Vec<Row>> {
    let mut readelf = Row::new("symbols of `readelf` (all columns, in order)");
    let mut there = self::readelf(vmlinux)?.into_iter();
    let mut here = surface.symbols().map(|symbol| {
        let (name, address, size, words) = our_line(symbol);
        (printed(&name), address, size, words)
    });
    loop {
        match (there.next(), here.next()) {
            (None, None) => break,
            (Some(a), Some(b)) => readelf.compare(&a, &b, || a.0.clone(), || UNEXPLAINED),
            (Some(a), None) => readelf.only_there(UNEXPLAINED, || format!("{a:?}")),
            (None, Some(b)) => readelf.only_here(UNEXPLAINED, || format!("{b:?}")),
        }
    }

    let mut nm = Row::new("symbols of `nm` (name, address, size)");
    let mut counts: BTreeMap<(String, u64, u64), i64> = BTreeMap::new();
    for line in run("nm", &["--format=posix", "--no-sort"], vmlinux)?.lines() {
        let columns: Vec<&str> = line.split(' ').filter(|column| !column.is_empty()).collect();
        // What is undefined has neither address nor size.
        let [name, _kind, numbers @ ..] = columns.as_slice() else { continue };
        let number = |place: usize| {
            numbers.get(place).and_then(|text| u64::from_str_radix(text, 16).ok()).unwrap_or(0)
        };
        *counts.entry(((*name).to_owned(), number(0), number(1))).or_default() += 1;
    }
    // nm leaves out the null symbol and those of sections and files.
    for symbol in surface.symbols().filter(|symbol| !matches!(symbol.elf_type(), 3 | 4)).skip(1) {
        let name = symbol.name().trim_end().to_owned();
        let key = (name, symbol.address(), u64::from(symbol.size()));
        match counts.get_mut(&key) {
            Some(count) if *count > 0 => {
                *count -= 1;
                nm.equal();
            }
            _ => nm.only_here(UNEXPLAINED, || format!("{key:?}")),
        }
    }
    for (key, count) in counts {
        (0..count).for_each(|_| nm.only_there(UNEXPLAINED, || format!("{key:?}")));
    }
    Ok(vec![readelf, nm])
}

/// A name as `readelf` prints it, which shows control characters as `^A`; labels that assemblers make up have them, and
/// spaces at their ends, which columns do not show.
pub fn printed(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for letter in name.trim_end_matches(' ').chars() {
        match letter {
            '\0'..='\x1f' => text.extend(['^', char::from(letter as u8 + b'@')]),
            _ => text.push(letter),
        }
    }
    text
}

/// Runs a program on a file.
pub fn run(program: &str, args: &[&str], file: &Path) -> Result<String> {
    let output = Command::new(program).args(args).arg(file).env("LC_ALL", "C").output();
    let output = output.with_context(|| format!("cannot run {program}"))?;
    ensure!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The lines of the symbol table that `readelf` prints for a file, the null symbol included.
pub fn readelf(file: &Path) -> Result<Vec<Line>> {
    let text = run("readelf", &["--wide", "--symbols"], file)?;
    let sections = sections(&run("readelf", &["--wide", "--section-headers"], file)?);
    // Kernels that relocate themselves have a second table, for their relocations.
    let text = text.find("Symbol table '.symtab'").map_or("", |at| &text[at..]);
    let text = text.split("\nSymbol table ").next().unwrap_or_default();
    Ok(text.lines().filter_map(|line| readelf_line(line, &sections)).collect())
}

/// Names of sections by number: `[ 1] .text PROGBITS ...`.
fn sections(text: &str) -> BTreeMap<String, String> {
    text.lines()
        .filter_map(|line| {
            let (number, rest) = line.trim().strip_prefix('[')?.split_once(']')?;
            Some((number.trim().to_owned(), rest.split_whitespace().next()?.to_owned()))
        })
        .collect()
}

/// `NUM: VALUE SIZE TYPE BIND VIS NDX NAME`; name, value, size, and the words.
fn readelf_line(line: &str, sections: &BTreeMap<String, String>) -> Option<Line> {
    let (number, rest) = line.trim_start().split_once(": ")?;
    number.parse::<u32>().ok()?;
    // On ppc64el `[<localentry>: 8]` stands between visibility and section.
    let (before, rest) = match rest.split_once("[<localentry>: ") {
        Some((before, rest)) => (before, rest.split_once(']')?.1),
        None => ("", rest),
    };
    let columns: Vec<&str> = before.split_whitespace().chain(rest.split_whitespace()).collect();
    let [value, size, kind, bind, visibility, section, name @ ..] = columns.as_slice() else { return None };
    let size = match size.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).ok()?,
        None => size.parse().ok()?,
    };
    let home = sections.get(*section).map_or(*section, String::as_str);
    // Symbols of sections are shown with the section's name, which they do not have.
    let name = if *kind == "SECTION" { "" } else { name.first().copied().unwrap_or_default() };
    let words = format!("{kind} {bind} {visibility} {home}");
    Some((name.to_owned(), u64::from_str_radix(value, 16).ok()?, size, words))
}

/// A symbol of ours, in the same form.
pub fn our_line(symbol: Symbol<'_>) -> Line {
    let word = |words: &[&'static str], number: u8| words.get(usize::from(number)).copied().unwrap_or("?");
    let kind = word(&["NOTYPE", "OBJECT", "FUNC", "SECTION", "FILE", "COMMON", "TLS"], symbol.elf_type());
    let bind = word(&["LOCAL", "GLOBAL", "WEAK"], symbol.binding());
    let visibility = word(&["DEFAULT", "INTERNAL", "HIDDEN", "PROTECTED"], symbol.other() & 3);
    let home = match (symbol.section(), symbol.special_section()) {
        (Some(name), _) => name,
        (None, 0xfff1) => "ABS",
        (None, 0xfff2) => "COM",
        (None, _) => "UND",
    };
    let words = format!("{kind} {bind} {visibility} {home}");
    (symbol.name().to_owned(), symbol.address(), symbol.size().into(), words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_readelf_are_read() {
        let sections = sections(
            "  [ 1] .text             PROGBITS        ffffffff81000000 200000 c011e7 00  AX  0   0 4096\n",
        );
        let line = "   100: ffffffff81000000 0x1000 FUNC    GLOBAL DEFAULT    1 startup_64";
        let expected = ("startup_64".into(), 0xffff_ffff_8100_0000, 4096, "FUNC GLOBAL DEFAULT .text".into());
        assert_eq!(readelf_line(line, &sections), Some(expected));
        let local =
            "   100: ffffffff81000000 0x1000 FUNC    GLOBAL DEFAULT [<localentry>: 8]     1 startup_64";
        assert_eq!(readelf_line(local, &sections), readelf_line(line, &sections));
        assert_eq!(
            readelf_line("   Num:    Value          Size Type    Bind   Vis      Ndx Name", &sections),
            None
        );
    }
}
