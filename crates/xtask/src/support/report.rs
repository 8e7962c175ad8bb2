//! `docs/support.md`: one line for each image, and what is out of line.

use std::collections::BTreeSet;
use std::fmt::Write;

use anyhow::Result;
use depsurf::surface::meta::{Evidence, Fact};

use super::count::{COLUMNS, Count, MEANING, counts};
use super::explain::{REASONS, reason};
use super::{Read, SUITES, images};
use crate::bench::Table;
use crate::packages::Released;

/// How far from the median of its suite a number may be, as a factor, before it is out of line.
const NEAR: f64 = 1.25;

/// The document.
pub fn document(done: &[Read], missing: &[&Released], unlisted: &[String]) -> Result<String> {
    let mut text = format!(
        "# Which kernels are read, and how well\n\n\
         Written by `cargo xtask support` on {}: the newest kernels that Debian's suites have for nine architectures in all flavours, \
         each read by `depsurf add` from its debug package and the package with its configuration, and once more from its bootable image alone. \
         {} images were read{}.\n\n",
        crate::oracle::today()?,
        done.len(),
        if missing.is_empty() { String::new() } else { format!(", {} were not", missing.len()) },
    );
    text += "Times are those of two busy processors that others used too: they show the order of magnitude, `docs/bench.md` has \
             figures of a quiet machine. The peak is the resident set, which counts pages of the mapped package.\n\n";
    for (suite, series) in SUITES {
        let of_suite: Vec<&Read> = done.iter().filter(|read| read.is_of(suite)).collect();
        if of_suite.is_empty() {
            continue;
        }
        writeln!(text, "{}", times(suite, series, &of_suite).markdown())?;
        writeln!(text, "{}", numbers(&of_suite).markdown())?;
    }
    text += "## What the columns count\n\n";
    for (column, meaning) in COLUMNS.iter().zip(MEANING) {
        writeln!(text, "- `{column}`: {meaning}")?;
    }
    text += "\n`?` is not known; the reason is among the notes. A number with `*` is further than a quarter from the median of its suite:\n\n";
    for reason in REASONS {
        writeln!(text, "- **{}**: {}", reason.id, reason.text)?;
    }
    text += "\n## Notes, and what is unknown\n\n";
    text += &notes(done)?;
    text += &images::section(done)?;
    if !unlisted.is_empty() {
        writeln!(
            text,
            "\n## Not listed\n\nThe mirror's lists of packages were not those that its index is signed with: {}.",
            unlisted.join(", ")
        )?;
    }
    if !missing.is_empty() {
        text += "\n## Not read\n\n";
        for image in missing {
            writeln!(text, "- {} `{}` {}", image.suite, image.release, image.version)?;
        }
        let others: Vec<String> =
            super::STAND_INS.iter().map(|(other, suite, _)| format!("`{other}` for {suite}")).collect();
        writeln!(
            text,
            "\nThe mirror's index has their packages, the mirror has not. Kernels of the same series and flavour were read instead, from {}.",
            others.join(", ")
        )?;
    }
    Ok(text.trim_end().to_owned() + "\n")
}

fn times(suite: &str, series: &str, rows: &[&Read]) -> Table {
    let title = format!("## {suite}: {series}");
    let mut table = Table::new(
        &title,
        &["image", "package MB", "s", "processor s", "peak MB", "surface MB", "types", "notes"],
    );
    for Read { row, surface, .. } in rows {
        let mega = |bytes: u64| (bytes / 1_000_000).to_string();
        let reading = &row.debug;
        let Some(surface) = surface else {
            table.row([
                row.release.clone(),
                mega(reading.package),
                reading.error.clone().unwrap_or_default(),
            ]);
            continue;
        };
        let types = if surface.meta().has_btf() == Some(true) { ".BTF" } else { "DWARF" };
        let notes = surface.notes().map_or(0, |notes| notes.len());
        table.row([
            row.release.clone(),
            mega(reading.package),
            format!("{:.1}", reading.time as f64 / 1e3),
            format!("{:.1}", reading.cpu as f64 / 1e3),
            mega(reading.peak),
            format!("{:.1}", surface.bytes().len() as f64 / 1e6),
            types.into(),
            notes.to_string(),
        ]);
    }
    table
}

/// The numbers of a suite's images; those out of line are marked.
fn numbers(rows: &[&Read]) -> Table {
    let all: Vec<_> =
        rows.iter().filter_map(|read| Some((&read.row, counts(read.surface.as_ref()?)))).collect();
    let medians = medians(&all.iter().map(|(_, counts)| *counts).collect::<Vec<_>>());
    let mut table = Table::new("", &[&["image"], &COLUMNS[..]].concat());
    for (row, counts) in &all {
        let cells = counts.iter().zip(medians).map(|(count, median)| match count {
            None => "?".to_owned(),
            Some(count) if is_near(*count, median) => count.to_string(),
            Some(count) => format!("{count}*"),
        });
        table.row(std::iter::once(row.release.clone()).chain(cells));
    }
    table
}

fn medians(all: &[[Count; COLUMNS.len()]]) -> [usize; COLUMNS.len()] {
    std::array::from_fn(|column| {
        let mut known: Vec<usize> = all.iter().filter_map(|counts| counts[column]).collect();
        known.sort_unstable();
        known.get(known.len() / 2).copied().unwrap_or(0)
    })
}

fn is_near(count: usize, median: usize) -> bool {
    let (low, high) = (count.min(median) as f64, count.max(median) as f64);
    high <= low * NEAR
}

/// The numbers out of line that no reason is known for, as `IMAGE COLUMN COUNT (MEDIAN)`.
pub fn unexplained(done: &[Read]) -> Vec<String> {
    let mut found = Vec::new();
    for (suite, _) in SUITES {
        let all: Vec<_> = done
            .iter()
            .filter(|read| read.is_of(suite))
            .filter_map(|read| Some((&read.row, read.surface.as_ref()?)))
            .map(|(row, surface)| (row, surface, counts(surface)))
            .collect();
        let medians = medians(&all.iter().map(|(.., counts)| *counts).collect::<Vec<_>>());
        for (row, surface, counts) in &all {
            for ((column, count), median) in COLUMNS.iter().zip(counts).zip(medians) {
                let Some(count) = count.filter(|count| !is_near(*count, median)) else { continue };
                if reason(row, surface, column).is_none() {
                    found.push(format!("{} {column} {count} ({median})", row.release));
                }
            }
        }
    }
    found
}

/// Notes and unknown facts, each with the images that have it.
fn notes(done: &[Read]) -> Result<String> {
    let mut lines: Vec<(String, BTreeSet<String>)> = Vec::new();
    let mut add = |line: String, image: String| match lines.iter_mut().find(|(other, _)| *other == line) {
        Some((_, images)) => {
            images.insert(image);
        }
        None => lines.push((line, BTreeSet::from([image]))),
    };
    for Read { row, surface, .. } in done {
        let Some(surface) = surface else { continue };
        for note in surface.notes()? {
            let kind = if note.lossy { "lost" } else { "left out" };
            add(
                format!("{kind}, `{}`: {}", note.id, note.message),
                format!("`{}` ({})", row.release, note.count),
            );
        }
        for fact in Fact::ALL {
            match surface.meta().evidence.get(&fact) {
                Some(Evidence::Known { .. }) => {}
                Some(Evidence::Unknown { reason }) => {
                    add(format!("unknown, {}: {reason}", fact.words()), format!("`{}`", row.release));
                }
                None => {
                    add(format!("unknown, {}: not looked for", fact.words()), format!("`{}`", row.release))
                }
            }
        }
    }
    lines.sort();
    let mut text = String::new();
    for (line, images) in lines {
        let named = images.iter().cloned().collect::<Vec<_>>().join(", ");
        writeln!(text, "- {line}. {} images: {named}", images.len())?;
    }
    Ok(text)
}
