//! `oracle`: what we read from a real kernel, beside what others read from it.
//!
//! One table compares our export with the original's dataset of the same image, kind by kind; another one
//! compares with programs of other makes. Every difference is put under a reason; `unexplained` is a reason
//! too, and the verb fails when it occurs. `docs/oracle.md` keeps the last run.

mod arch;
pub mod boot;
mod btf;
mod elf;
mod function;
mod golden;
mod image;
mod module;
mod pahole;
mod symbol;
pub mod table;
mod types;
mod unistd;

use std::fmt::Write;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use clap::Parser;
use depsurf::kernel::Arch;

use self::golden::Side;
use self::image::Kernel;
use self::table::Row;
use crate::packages;

/// What to compare.
#[derive(Debug, Parser)]
pub struct Args {
    /// Compare a kernel of each of these architectures with other programs and the kernel's headers, or with `modules` all
    /// modules of the first kernel; without any, the kernel that the original was run on, with the original too
    #[arg(value_name = "ARCH|modules")]
    pub parts: Vec<String>,
}

/// Runs all comparisons, prints them and writes `docs/oracle.md`.
pub fn run(args: &Args) -> Result<()> {
    if !args.parts.is_empty() {
        let (modules, words): (Vec<_>, Vec<_>) = args.parts.iter().partition(|part| *part == module::WORD);
        let known = |word: &String| Arch::of(word).with_context(|| format!("no architecture `{word}`"));
        let architectures = words.into_iter().map(known).collect::<Result<Vec<_>>>()?;
        if !modules.is_empty() {
            module::run()?;
        }
        return arch::run(&architectures);
    }
    let shared = crate::test::shared().map_err(anyhow::Error::msg)?;
    let package = packages::debug_package(&packages::ORACLE)?;
    let vmlinux = packages::vmlinux(&packages::ORACLE)?;
    let kernel = Kernel::read(&package, &vmlinux)?;

    let original = original(&shared.join(golden::NAME), &kernel)?;
    println!("{}", table::table(&original));
    let mut others = btf::compare(&kernel.surface, &kernel.dwarf_only);
    others.extend(elf::compare(&vmlinux, &kernel.surface)?);
    others.extend(pahole::compare(&vmlinux, &kernel.dwarf_only)?);
    println!("{}", table::table(&others));

    let path = crate::root().join("docs/oracle.md");
    let text = document(&kernel, &original, &others)? + &kept(&path);
    std::fs::create_dir_all(crate::root().join("docs")).context("cannot create `docs`")?;
    std::fs::write(&path, text).with_context(|| format!("cannot write `{}`", path.display()))?;
    eprintln!("wrote {}", path.display());
    let unexplained: usize = original.iter().chain(&others).map(Row::unexplained).sum();
    if unexplained > 0 {
        bail!("{unexplained} differences have no explanation");
    }
    Ok(())
}

/// What the document has behind the part that is written here, to be kept.
fn kept(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let behind = [module::HEADING, arch::HEADING].iter().filter_map(|heading| text.find(heading)).min();
    behind.map(|at| format!("\n{}", &text[at..])).unwrap_or_default()
}

/// Our export beside the original's dataset.
fn original(dir: &Path, kernel: &Kernel) -> Result<Vec<Row>> {
    let (there, here) = (Side::Golden(dir.into()), Side::Ours(&kernel.surface));
    let mut rows = function::compare(&there, &here, kernel)?;
    rows.extend(types::compare(&there, &here, kernel)?);
    rows.extend(symbol::compare(&there, &here)?);
    Ok(rows)
}

fn document(kernel: &Kernel, original: &[Row], others: &[Row]) -> Result<String> {
    let mut text = String::from("# What others read from the same kernel\n\n");
    let package = kernel.path.file_name().unwrap_or_default().to_string_lossy();
    writeln!(
        text,
        "Written by `cargo xtask oracle` on {}, from `{package}` (build id {}), with {} and {}.\n\n\
         \"There\" is the oracle, \"here\" is depsurf. The share is that of the oracle's things that are equal here.\n",
        today()?,
        kernel.surface.meta().build_id.as_deref().unwrap_or("unknown"),
        version("pahole", "--version")?,
        version("readelf", "--version")?,
    )?;
    text += "## The original's dataset\n\n\
             DepSurf's own code, run on this image, beside `depsurf export depsurf`. Where depsurf means to\n\
             be more exact, the reason says so.\n\n";
    text += &table::table(original);
    text += "\n";
    text += &table::reasons(original);
    text += "## Other programs\n\n\
             `.BTF`, made by pahole when the kernel was built, beside the types we read from DWARF when the image\n\
             hides its `.BTF`; the symbol table; and pahole's own reading of DWARF.\n\n";
    text += &table::table(others);
    text += "\n";
    text += &table::reasons(others);
    Ok(text.trim_end().to_owned() + "\n")
}

/// The day, in UTC.
pub fn today() -> Result<String> {
    let output = Command::new("date").args(["-u", "+%Y-%m-%d"]).output().context("cannot run date")?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Name and version of a program, from the first line it prints about itself.
pub fn version(program: &str, option: &str) -> Result<String> {
    let output =
        Command::new(program).arg(option).output().with_context(|| format!("cannot run {program}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let number =
        text.lines().next().unwrap_or_default().split_whitespace().last().unwrap_or_default().to_owned();
    Ok(format!("{program} {}", number.trim_start_matches('v')))
}
