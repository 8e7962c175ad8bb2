//! What a pull would fetch, as a table.

use super::{Item, Work};
use crate::output::Output;

/// A table of what was found, with what is there already.
pub(super) fn list(items: &[Item], work: &Work<'_>, output: &mut Output) -> anyhow::Result<()> {
    let mut rows = vec![["release", "version", "arch", "suite", "MB", "dataset"].map(str::to_owned)];
    let mut total = 0;
    for Item { kernel, .. } in items {
        let there = work.known.find(&work.wanted(kernel));
        if work.verb.dry_run && !work.verb.force && there.is_some() {
            continue;
        }
        let size = work.size(kernel);
        total += size;
        rows.push([
            kernel.release.clone(),
            kernel.image.version.clone(),
            kernel.arch.clone(),
            kernel.suite.clone(),
            format!("{:.1}", size as f64 / 1e6),
            there.map_or("-".into(), ToString::to_string),
        ]);
    }
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let widths: Vec<usize> = (0..rows[0].len()).map(width).collect();
    for row in &rows {
        let cell = |(column, text): (usize, &String)| match (column, widths[column]) {
            (4, width) => format!("{text:>width$}"),
            (_, width) => format!("{text:width$}"),
        };
        let line: Vec<String> = row.iter().enumerate().map(cell).collect();
        output.line(line.join("  ").trim_end())?;
    }
    output.line(format!("{} kernels, at most {:.1} MB to fetch", rows.len() - 1, total as f64 / 1e6))
}
