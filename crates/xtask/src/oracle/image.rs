//! The kernel that is compared: its surface, and what its DWARF says about definitions that the surface
//! does not keep.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use depsurf::image::Image;
use depsurf::progress::Silent;
use depsurf::source::Bytes;
use depsurf::surface::Surface;
use depsurf::{dwarf, extract, source};
use gimli::SectionId;

/// External functions with several definitions, by name, each with the files of its compile units. One of
/// them is linked to the name; the others are weak defaults, whose code is in the image all the same.
pub type Definitions = HashMap<String, HashSet<String>>;

/// A kernel and what was read from it.
pub struct Kernel {
    /// The package, or vmlinux, it came from.
    pub path: PathBuf,
    /// What we read.
    pub surface: Surface,
    /// What we read when the image hides its `.BTF`: all types from DWARF.
    pub dwarf_only: Surface,
    /// See [`Definitions`].
    pub definitions: Definitions,
}

impl Kernel {
    /// Reads a package and, for the second surface, the vmlinux that was unpacked from it.
    pub fn read(package: &Path, vmlinux: &Path) -> Result<Self> {
        let kernel = timed("open", || Ok(source::open(package, &source::Options::default(), &Silent)?))?;
        let surface = timed("extract", || surface(&kernel))?;

        let mut bytes =
            std::fs::read(vmlinux).with_context(|| format!("cannot read `{}`", vmlinux.display()))?;
        hide_section(&mut bytes, ".BTF")?;
        let hidden = source::Kernel { vmlinux: Bytes::owned(bytes), ..kernel };
        let dwarf_only = timed("extract without .BTF", || self::surface(&hidden))?;
        ensure!(dwarf_only.meta().btf_types <= 1, "the image still shows its `.BTF`");
        let definitions = timed("find weak definitions", || definitions(&hidden.vmlinux))?;
        Ok(Self { path: package.into(), surface, dwarf_only, definitions })
    }
}

fn timed<T>(what: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let start = Instant::now();
    let result = work().with_context(|| what.to_owned())?;
    eprintln!("{what}: {:.2} s", start.elapsed().as_secs_f64());
    Ok(result)
}

fn surface(kernel: &source::Kernel) -> Result<Surface> {
    let extracted = extract::surface(kernel, &extract::Options::default(), &Silent)?;
    for note in &extracted.notes {
        eprintln!("  note {} ({} times): {}", note.id, note.count, note.message);
    }
    Ok(Surface::from_bytes(extracted.bytes)?)
}

/// Takes the name of a section from the section headers of a little-endian ELF64 file.
fn hide_section(elf: &mut [u8], name: &str) -> Result<()> {
    fn number<const N: usize>(elf: &[u8], at: usize) -> Result<usize> {
        let bytes = elf.get(at..at + N).context("the ELF file is cut")?;
        Ok(bytes.iter().rev().fold(0, |value, byte| value << 8 | usize::from(*byte)))
    }
    let (table, size) = (number::<8>(elf, 0x28)?, number::<2>(elf, 0x3a)?);
    let (count, names) = (number::<2>(elf, 0x3c)?, number::<2>(elf, 0x3e)?);
    let names = number::<8>(elf, table + names * size + 0x18)?;
    let wanted = [name.as_bytes(), b"\0"].concat();
    for header in (0..count).map(|index| table + index * size) {
        let at = names + number::<4>(elf, header)?;
        if elf.get(at..).is_some_and(|rest| rest.starts_with(&wanted)) {
            elf[header..header + 4].fill(0);
        }
    }
    Ok(())
}

fn definitions(vmlinux: &[u8]) -> Result<Definitions> {
    let image = Image::parse(vmlinux)?;
    let mut sections = HashMap::new();
    for id in [
        SectionId::DebugAbbrev,
        SectionId::DebugAddr,
        SectionId::DebugInfo,
        SectionId::DebugLine,
        SectionId::DebugLineStr,
        SectionId::DebugRanges,
        SectionId::DebugRngLists,
        SectionId::DebugStr,
        SectionId::DebugStrOffsets,
    ] {
        sections.insert(id, image.section_data(id.name())?.unwrap_or(Cow::Borrowed(&[])));
    }
    let section = |id| sections.get(&id).map_or(&[][..], |bytes| bytes.as_ref());
    let facts = dwarf::read(image.is_big_endian(), section, &dwarf::Others::default(), &Silent)?;
    let mut found: HashMap<_, (usize, HashSet<String>)> = HashMap::new();
    for unit in &facts.units {
        for function in unit.functions.iter().filter(|function| function.external && !function.declaration) {
            let (count, files) = found.entry(function.name).or_default();
            *count += 1;
            files.insert(facts.files[unit.file as usize].clone());
        }
    }
    Ok(found
        .into_iter()
        .filter(|(_, (count, _))| *count > 1)
        .map(|(name, (_, files))| (String::from_utf8_lossy(facts.name(name)).into_owned(), files))
        .collect())
}
