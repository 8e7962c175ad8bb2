//! `oracle ARCH...`: a real kernel of each architecture beside other programs and the kernel's own headers.

use std::fmt::Write;
use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};
use depsurf::kernel::Arch;
use depsurf::progress::Silent;
use depsurf::surface::Surface;
use depsurf::{extract, source};

use super::table::{self, Row};
use super::{btf, elf, pahole, unistd};
use crate::packages::{self, Released};

/// Heading of the part of `docs/oracle.md` that is written here.
pub const HEADING: &str = "# Other architectures";

/// Suite, series and flavour of the kernel that is looked at, of each architecture.
const IMAGES: [(Arch, &str, &str, &str); 9] = [
    (Arch::Amd64, "bookworm", "6.1", "amd64"),
    (Arch::Arm64, "bookworm", "6.1", "cloud-arm64"),
    (Arch::Armhf, "bookworm", "6.1", "armmp"),
    (Arch::I386, "bookworm", "6.1", "686-pae"),
    (Arch::Loong64, "forky", "7.2", "loong64"),
    (Arch::Mips64el, "bookworm", "6.1", "loongson-3"),
    (Arch::Ppc64el, "bookworm", "6.1", "powerpc64le"),
    (Arch::Riscv64, "trixie", "6.12", "riscv64"),
    (Arch::S390x, "bookworm", "6.1", "s390x"),
];

/// Compares a kernel of each of these architectures, and rewrites their sections of the document.
pub fn run(architectures: &[Arch]) -> Result<()> {
    let mut unexplained = 0;
    for (arch, suite, series, flavour) in IMAGES {
        if !architectures.contains(&arch) {
            continue;
        }
        let image = packages::released(suite, series, arch.name())?
            .into_iter()
            .find(|image| image.release.ends_with(&format!("-{flavour}")))
            .with_context(|| format!("{suite} has no {series} kernel `{flavour}`"))?;
        let (text, rows) = compare(&image, arch)?;
        println!("{}", table::table(&rows));
        write(arch, &text)?;
        unexplained += rows.iter().map(Row::unexplained).sum::<usize>();
    }
    if unexplained > 0 {
        bail!("{unexplained} differences have no explanation");
    }
    Ok(())
}

/// The section of an architecture, and what is in it.
fn compare(image: &Released, arch: Arch) -> Result<(String, Vec<Row>)> {
    let packages = image.fetch()?;
    let debug = &packages.paths[0];
    let vmlinux = packages::unpacked(debug)?;
    let kernel = source::open(debug, &source::Options::default(), &Silent)?;
    let surface = surface(&kernel, false)?;
    let mut rows = elf::compare(&vmlinux, &surface)?;
    let from_dwarf = self::surface(&kernel, true)?;
    if surface.meta().has_btf() == Some(true) {
        rows.extend(btf::compare(&surface, &from_dwarf));
    }
    rows.extend(pahole::compare(&vmlinux, &from_dwarf)?);
    rows.extend(unistd::compare(&surface, |package| headers(image, package))?);
    let mut text = String::new();
    writeln!(
        text,
        "## {}: `{}`\n\nPackage version {}, written on {}, with {} and {}.\n",
        arch.name(),
        image.release,
        image.version,
        super::today()?,
        super::version("pahole", "--version")?,
        super::version("readelf", "--version")?,
    )?;
    text += &table::table(&rows);
    text += "\n";
    text += &table::reasons(&rows);
    std::fs::remove_file(&vmlinux).with_context(|| format!("cannot remove `{}`", vmlinux.display()))?;
    packages.remove()?;
    Ok((text.trim_end().to_owned() + "\n", rows))
}

fn surface(kernel: &source::Kernel, dwarf_types: bool) -> Result<Surface> {
    let options = extract::Options { dwarf_types, ..Default::default() };
    Ok(Surface::from_bytes(extract::surface(kernel, &options, &Silent)?.bytes)?)
}

/// The headers of an architecture, of the same source as the image, unpacked.
fn headers(image: &Released, arch: Arch) -> Result<PathBuf> {
    let package = packages::of_release(image.suite, arch.name(), "linux-libc-dev", &image.version)?;
    let directory = crate::target().join("headers").join(package.file_stem().unwrap_or_default());
    if !directory.is_dir() {
        std::fs::create_dir_all(&directory)
            .with_context(|| format!("cannot create `{}`", directory.display()))?;
        let status = std::process::Command::new("dpkg-deb").arg("-x").arg(&package).arg(&directory).status();
        ensure!(status.context("cannot run dpkg-deb")?.success(), "cannot unpack `{}`", package.display());
    }
    Ok(directory)
}

/// Puts the section of an architecture in its place, which is by name.
fn write(arch: Arch, section: &str) -> Result<()> {
    let path = crate::root().join("docs/oracle.md");
    let old = std::fs::read_to_string(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
    let (before, sections) = split(&old);
    let mut sections: Vec<(&str, &str)> = sections;
    sections.retain(|(name, _)| *name != arch.name());
    sections.push((arch.name(), section));
    sections.sort_unstable();
    let mut text = format!("{}\n\n{INTRODUCTION}", before.trim_end());
    for (_, section) in sections {
        write!(text, "\n\n{}", section.trim_end())?;
    }
    std::fs::write(&path, text + "\n").with_context(|| format!("cannot write `{}`", path.display()))
}

const INTRODUCTION: &str = "# Other architectures\n\n\
    Written by `cargo xtask oracle ARCH...`: the symbol table as `readelf` and `nm` print it, structs and unions as `pahole` reads \
    them from DWARF, the image's own `.BTF` where it has one beside the types of its DWARF, and the system call tables beside the numbers that \
    the kernel's headers of the same version promise to programs (`asm/unistd.h` of linux-libc-dev).";

/// What the document has before the part that is written here, and the sections of that part by architecture.
pub fn split(text: &str) -> (&str, Vec<(&str, &str)>) {
    let Some(at) = text.find(HEADING) else { return (text, Vec::new()) };
    let sections = text[at..].split("\n## ").skip(1).filter_map(|section| {
        let (name, _) = section.split_once(": ")?;
        let start = section.as_ptr() as usize - text.as_ptr() as usize - "## ".len();
        Some((name, &text[start..start + "## ".len() + section.len()]))
    });
    (&text[..at], sections.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_are_found_again() {
        let text = format!(
            "# First\n\n## Other\n\n{HEADING}\n\nWords.\n\n## arm64: `x`\n\na\n\n## s390x: `y`\n\nb\n"
        );
        let (before, sections) = split(&text);
        assert_eq!(before, "# First\n\n## Other\n\n");
        assert_eq!(sections.len(), 2);
        assert_eq!(sections[0].0, "arm64");
        assert_eq!(sections[1], ("s390x", "## s390x: `y`\n\nb\n"));
    }
}
