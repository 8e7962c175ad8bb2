//! `oracle modules`: all modules of a real kernel beside what other programs read from their files.

mod function;
mod set;
mod symbol;
mod tracepoint;
mod types;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use depsurf::extract::{self, Options};
use depsurf::progress::Silent;
use depsurf::source::{self, ModuleChoice};
use depsurf::surface::{Module, Surface};

use super::table::{self, Row, UNEXPLAINED};
use super::{arch, btf, elf, pahole};
use crate::packages;

/// What to say for this part.
pub const WORD: &str = "modules";

/// Heading of the part of `docs/oracle.md` that is written here.
pub const HEADING: &str = "# Modules";

/// A module's file, and what we read from it.
struct File<'a> {
    path: PathBuf,
    ours: Module<'a>,
    /// The symbol table, as `readelf` prints it.
    symbols: Vec<elf::Line>,
}

impl File<'_> {
    /// The symbols in a section.
    fn symbols_in<'f>(&'f self, section: &'f str) -> impl Iterator<Item = &'f elf::Line> {
        symbols_in(&self.symbols, section)
    }
}

/// The symbols in a section.
fn symbols_in<'f>(symbols: &'f [elf::Line], section: &'f str) -> impl Iterator<Item = &'f elf::Line> {
    symbols.iter().filter(move |(_, _, _, words)| words.rsplit(' ').next() == Some(section))
}

/// Compares all modules of the first kernel, and rewrites the section of the document.
pub fn run() -> Result<()> {
    let package = packages::debug_package(&packages::ORACLE)?;
    let vmlinux = packages::vmlinux(&packages::ORACLE)?;
    let directory = unpack(&package)?;
    let surface = surface(&package, false)?;
    let rows = compare(&directory, &vmlinux, &surface, &self::surface(&package, true)?)?;
    fs::remove_dir_all(&directory).with_context(|| format!("cannot remove `{}`", directory.display()))?;
    println!("{}", table::table(&rows));
    write(&document(&package, &surface, &rows)?)?;
    let unexplained: usize = rows.iter().map(Row::unexplained).sum();
    if unexplained > 0 {
        bail!("{unexplained} differences have no explanation");
    }
    Ok(())
}

/// Everything. `from_dwarf` is the surface of the same kernel and modules without their BTF.
fn compare(directory: &Path, vmlinux: &Path, surface: &Surface, from_dwarf: &Surface) -> Result<Vec<Row>> {
    let mut found = BTreeMap::new();
    find(directory, &mut found)?;
    let mut row = Row::new("files");
    let mut files = Vec::new();
    let ours: BTreeMap<&str, Module<'_>> = surface.modules().map(|module| (module.path(), module)).collect();
    for (name, path) in &found {
        match ours.get(name.as_str()) {
            Some(module) => {
                row.equal();
                let symbols = elf::readelf(path)?;
                files.push(File { path: path.clone(), ours: *module, symbols });
            }
            None => row.only_there(UNEXPLAINED, || format!("`{name}`")),
        }
    }
    for name in ours.keys().filter(|name| !found.contains_key(**name)) {
        row.only_here(UNEXPLAINED, || format!("`{name}`"));
    }
    let mut rows = vec![row];
    rows.extend(symbol::compare(&files)?);
    rows.push(types::compare(&files, vmlinux, surface)?);
    rows.extend(function::compare(&files, surface)?);
    rows.extend(tracepoint::compare(&files, surface));
    rows.extend(set::compare(&files, vmlinux, surface)?);
    rows.extend(btf::compare(surface, from_dwarf));
    let mut ours = pahole::Ours::new(from_dwarf);
    for file in &files {
        ours.compare(&file.path)?;
    }
    rows.extend(ours.rows());
    Ok(rows)
}

fn surface(package: &Path, dwarf_types: bool) -> Result<Surface> {
    let kernel = source::open(package, &source::Options::default(), &Silent)?;
    let options = Options { dwarf_types, modules: ModuleChoice::All, ..Options::default() };
    let extracted = extract::surface(&kernel, &options, &Silent)?;
    for note in &extracted.notes {
        eprintln!("  note {} ({} times): {}", note.id, note.count, note.message);
    }
    Ok(Surface::from_bytes(extracted.bytes)?)
}

/// Unpacks a package with dpkg-deb, so that the files do not come from the reader that is compared.
fn unpack(package: &Path) -> Result<PathBuf> {
    let directory = crate::target().join("tmp").join("oracle-modules");
    fs::create_dir_all(&directory).with_context(|| format!("cannot create `{}`", directory.display()))?;
    let status = Command::new("dpkg-deb").arg("-x").arg(package).arg(&directory).status();
    ensure!(status.context("cannot run dpkg-deb")?.success(), "cannot unpack `{}`", package.display());
    Ok(directory)
}

/// The modules in a directory, by their paths below `lib/modules/RELEASE/`.
fn find(directory: &Path, found: &mut BTreeMap<String, PathBuf>) -> Result<()> {
    let context = || format!("cannot read `{}`", directory.display());
    for entry in fs::read_dir(directory).with_context(context)? {
        let path = entry.with_context(context)?.path();
        if path.is_dir() {
            find(&path, found)?;
        } else if path.extension().is_some_and(|ending| ending == "ko") {
            let text = path.to_string_lossy().into_owned();
            let inside = text.split_once("/lib/modules/").and_then(|(_, rest)| rest.split_once('/'));
            let (_, name) = inside.with_context(|| format!("`{text}` is below no lib/modules/RELEASE"))?;
            found.insert(name.to_owned(), path);
        }
    }
    Ok(())
}

fn document(package: &Path, surface: &Surface, rows: &[Row]) -> Result<String> {
    let mut text = format!("{HEADING}\n\n");
    writeln!(
        text,
        "Written by `cargo xtask oracle modules` on {}: all {} modules in `{}`, unpacked with dpkg-deb, beside \
         `depsurf add --modules all`, with {}, {}, {}, {} and {}. Types are counted once per module that pahole finds them \
         in, definitions in `.BTF` once, those of the kernel included.\n",
        super::today()?,
        surface.modules().len(),
        package.file_name().unwrap_or_default().to_string_lossy(),
        super::version("readelf", "--version")?,
        super::version("nm", "--version")?,
        super::version("bpftool", "version")?,
        super::version("pahole", "--version")?,
        super::version("pfunct", "--version")?,
    )?;
    text += &table::table(rows);
    text += "\n";
    text += &table::reasons(rows);
    Ok(text.trim_end().to_owned() + "\n")
}

/// Puts the section between the two others.
fn write(section: &str) -> Result<()> {
    let path = crate::root().join("docs/oracle.md");
    let old = fs::read_to_string(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
    fs::write(&path, placed(&old, section)).with_context(|| format!("cannot write `{}`", path.display()))
}

fn placed(old: &str, section: &str) -> String {
    let behind = old.find(arch::HEADING).map_or("", |at| &old[at..]);
    let before = &old[..old.find(HEADING).unwrap_or(old.len() - behind.len())];
    let mut text = format!("{}\n\n{section}", before.trim_end());
    if !behind.is_empty() {
        text += "\n";
        text += behind;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_section_has_its_place() {
        let old = format!("# First\n\nx\n\n{}\n\ny\n", arch::HEADING);
        let once = placed(&old, "# Modules\n\na\n");
        assert_eq!(once, format!("# First\n\nx\n\n# Modules\n\na\n\n{}\n\ny\n", arch::HEADING));
        assert_eq!(placed(&once, "# Modules\n\na\n"), once);
        assert_eq!(placed("# First\n", "# Modules\n"), "# First\n\n# Modules\n");
    }
}
