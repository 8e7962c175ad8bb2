//! `docs/wrappings.md`: a line for each wrapping, and why a surface is not the same.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use anyhow::Result;
use depsurf::surface::Surface;

use super::build::{Build, MODULES};
use super::facts::{Difference, Verdict};
use super::{Outcome, Row, tool};
use crate::bench::Table;
use crate::oracle::today;

/// What became of a wrapping, in some words.
pub fn words(outcome: &Outcome) -> String {
    match outcome {
        Outcome::NoTool(tool) => format!("left out: there is no {tool}"),
        Outcome::Failed(said) => format!("NOT READ: {said}"),
        Outcome::Read { verdict, run, .. } => {
            let verdict = match verdict {
                Verdict::Same => "same".to_owned(),
                Verdict::Explained(_, differences) => format!("same but for {}", kinds(differences)),
                Verdict::Partial(why, _) => format!("a part, the same: {why}"),
                Verdict::Different(differences) => format!("DIFFERENT: {}", kinds(differences)),
            };
            format!("{verdict}, {:.1} s, {} MB", run.time.as_secs_f64(), run.peak / 1_000_000)
        }
    }
}

fn kinds(differences: &[Difference]) -> String {
    let kinds: Vec<String> = differences.iter().map(Difference::words).collect();
    kinds.join(", ")
}

impl Difference {
    fn words(&self) -> String {
        let Self { kind, all, missing, more, .. } = self;
        format!("{kind} ({missing} of {all} missing, {more} more)")
    }
}

/// The differences that have no reason, with examples.
pub fn differences(outcome: &Outcome) -> Vec<String> {
    let Outcome::Read { verdict, .. } = outcome else { return Vec::new() };
    let of = |differences: &[Difference]| {
        differences.iter().flat_map(|it| std::iter::once(it.words()).chain(it.examples.clone())).collect()
    };
    match verdict {
        Verdict::Different(differences) | Verdict::Explained(_, differences) => of(differences),
        Verdict::Same | Verdict::Partial(..) => Vec::new(),
    }
}

/// The document.
pub fn document(build: &Build, plain: &Surface, modular: &Surface, rows: &[Row]) -> Result<String> {
    let tools: BTreeSet<&str> = rows.iter().flat_map(|row| row.wrapping.tools.iter().copied()).collect();
    let tools: Vec<String> = tools.into_iter().filter(|tool| tool::exists(tool)).map(tool::version).collect();
    let mut text = format!(
        "# One kernel in every wrapping\n\n\
         Written by `cargo xtask wrappings` on {}. One kernel, Debian's `{}` {} (build id {}), was packed by the tools of distributions \
         in the way each lays out its packages, and read by `depsurf add`. The surface has to be that of the plain vmlinux: {} MB \
         without modules, {} MB with {} of them.\n\n\
         *same* is byte for byte, all but the name of the file or package that it came from. *a part* has no debug information; \
         all that it tells is the same. Where anything else differs the command fails, unless a reason stands below.\n\n\
         Made by {}. Compression is set to be quick. Times are of a machine with two processors, on which other work went on, and show the \
         order of magnitude; the peak is the resident set, which counts pages of the mapped file (docs/bench.md has figures of a \
         quiet machine).\n\n",
        today()?,
        build.package,
        build.version,
        plain.meta().build_id.as_deref().unwrap_or("unknown"),
        mega(plain.bytes().len() as u64),
        mega(modular.bytes().len() as u64),
        MODULES.len(),
        tools.join(", "),
    );
    let mut groups: Vec<&str> = rows.iter().map(|row| row.wrapping.group).collect();
    groups.dedup();
    for group in groups {
        let head = ["wrapping", "made by", "modules", "MB", "s", "peak MB", "surface"];
        let mut table = Table::new(&format!("## {group}"), &head);
        for row in rows.iter().filter(|row| row.wrapping.group == group) {
            table.row(cells(row));
        }
        writeln!(text, "{}", table.markdown())?;
    }
    text += &reasons(rows)?;
    text += &parts(rows)?;
    Ok(text.trim_end().to_owned() + "\n")
}

fn mega(bytes: u64) -> String {
    format!("{:.1}", bytes as f64 / 1e6)
}

fn cells(row: &Row) -> Vec<String> {
    let wrapping = &row.wrapping;
    let mut cells = vec![wrapping.name.clone(), wrapping.tools.join(", ")];
    cells.push(if wrapping.has_modules { MODULES.len().to_string() } else { String::new() });
    match &row.outcome {
        Outcome::Read { size, run, verdict } => {
            cells.extend([
                mega(*size),
                format!("{:.1}", run.time.as_secs_f64()),
                (run.peak / 1_000_000).to_string(),
                match verdict {
                    Verdict::Same => "same".into(),
                    Verdict::Explained(..) => "explained".into(),
                    Verdict::Partial(why, _) => format!("a part: {why}"),
                    Verdict::Different(_) => "DIFFERENT".into(),
                },
            ]);
        }
        Outcome::NoTool(_) => cells.extend(["", "", "", "left out"].map(str::to_owned)),
        Outcome::Failed(_) => cells.extend(["", "", "", "NOT READ"].map(str::to_owned)),
    }
    cells
}

/// Why surfaces differ.
fn reasons(rows: &[Row]) -> Result<String> {
    let mut text = String::from("## What differs, and why\n\n");
    for row in rows {
        let Outcome::Read { verdict, .. } = &row.outcome else { continue };
        match verdict {
            Verdict::Explained(why, differences) => {
                writeln!(text, "- {}: {}. {why}", row.wrapping.name, kinds(differences))?;
            }
            Verdict::Different(differences) => {
                writeln!(text, "- {}: {}. Nothing explains it.", row.wrapping.name, kinds(differences))?;
            }
            Verdict::Same | Verdict::Partial(..) => {}
        }
    }
    Ok(text + "\n")
}

/// How much was compared of parts.
fn parts(rows: &[Row]) -> Result<String> {
    let mut text = String::from("## What parts tell\n\n");
    for row in rows {
        if let Outcome::Read { verdict: Verdict::Partial(_, compared), .. } = &row.outcome {
            let counts: Vec<String> =
                compared.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
            writeln!(text, "- {}: {}", row.wrapping.name, counts.join(", "))?;
        }
    }
    Ok(text)
}
