//! The comparison as Markdown.

use std::collections::BTreeSet;
use std::fmt::Write;

use depsurf::diff::{KindDiff, Summary, What};

use super::{Comparison, remarks, share};
use crate::change;

/// The comparison as Markdown: a table per kind, with a row per pair and a column per change that occurs.
#[must_use]
pub fn markdown(comparison: &Comparison<'_>) -> String {
    let mut out = String::from("# Changes\n");
    if let [pair] = comparison.pairs.as_slice() {
        let _ = writeln!(out, "\nFrom `{}` to `{}`.", pair.old, pair.new);
    }
    let kinds = comparison.pairs.first().map_or(0, |pair| pair.summaries.len());
    for at in 0..kinds {
        let rows: Vec<(String, &Summary)> =
            comparison.pairs.iter().map(|pair| (pair.labels(), &pair.summaries[at])).collect();
        let _ = writeln!(out, "\n## {}\n", rows[0].1.kind.heading());
        table(&rows, &mut out);
        if comparison.lists {
            for pair in &comparison.pairs {
                lists(&pair.labels(), &pair.diff.kinds[at], &mut out);
            }
        }
    }
    let remarks: Vec<String> = comparison
        .pairs
        .iter()
        .flat_map(|pair| remarks(pair).into_iter().map(move |remark| format!("{}: {remark}", pair.labels())))
        .collect();
    if !remarks.is_empty() {
        out.push_str("\n## Not compared\n\n");
        remarks.iter().for_each(|remark| out.push_str(&format!("- {remark}\n")));
    }
    out
}

fn table(rows: &[(String, &Summary)], out: &mut String) {
    let occurring: BTreeSet<What> =
        rows.iter().flat_map(|(_, summary)| summary.with.keys().copied()).collect();
    let head = ["Kernels", "Old", "New", "Added", "Removed", "Changed", "Otherwise"];
    let head: Vec<&str> = head.into_iter().chain(occurring.iter().map(|what| what.words())).collect();
    let _ = writeln!(out, "| {} |", head.join(" | "));
    let _ = writeln!(out, "|---|{}", "---:|".repeat(head.len() - 1));
    for (label, summary) in rows {
        let known = |count: Option<usize>| count.map_or_else(|| "?".into(), |count| share(count, summary));
        let mut cells = vec![
            label.clone(),
            summary.old.to_string(),
            summary.new.to_string(),
            known(summary.added),
            known(summary.removed),
            share(summary.changed, summary),
            share(summary.otherwise, summary),
        ];
        cells.extend(
            occurring.iter().map(|what| share(summary.with.get(what).copied().unwrap_or(0), summary)),
        );
        let _ = writeln!(out, "| {} |", cells.join(" | "));
    }
}

fn lists(labels: &str, kind: &KindDiff<'_>, out: &mut String) {
    for (title, names) in [("Added", &kind.added), ("Removed", &kind.removed)] {
        if !names.is_empty() {
            let _ = writeln!(out, "\n### {title}, {labels}\n");
            names.iter().for_each(|name| out.push_str(&format!("- `{name}`\n")));
        }
    }
    if !kind.changed.is_empty() {
        let _ = writeln!(out, "\n### Changed, {labels}\n");
    }
    for changed in &kind.changed {
        let _ = writeln!(out, "- `{}`", changed.name);
        changed
            .changes
            .iter()
            .for_each(|change| out.push_str(&format!("  - {}\n", change::sentence(change))));
    }
}
