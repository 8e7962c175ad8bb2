//! The comparison on a terminal.

use depsurf::diff::{Class, KindDiff, Summary};

use super::{Compared, Comparison, occurring, per_cent, remarks, share};
use crate::change;
use crate::look::{Look, Tone};
use crate::rows::wrap;

/// Names of each list that are shown without `-v`.
const SHOWN: usize = 20;

/// The comparison as text.
#[must_use]
pub fn terminal(comparison: &Comparison<'_>, look: &Look) -> String {
    let mut page = Text { look, out: String::new() };
    match comparison.pairs.as_slice() {
        [pair] => {
            page.line(0, Tone::Title, &pair.labels());
            page.out.push('\n');
            let rows = pair.summaries.iter().map(|summary| (summary.kind.name().to_owned(), summary));
            page.table("kind", &rows.collect::<Vec<_>>());
        }
        pairs => {
            let kinds = pairs.first().map_or(0, |pair| pair.summaries.len());
            for at in 0..kinds {
                if at > 0 {
                    page.out.push('\n');
                }
                let rows: Vec<(String, &Summary)> =
                    pairs.iter().map(|pair| (pair.labels(), &pair.summaries[at])).collect();
                page.table(rows[0].1.kind.name(), &rows);
            }
        }
    }
    for pair in &comparison.pairs {
        page.remarks(pair);
    }
    if comparison.lists {
        if comparison.is_empty() {
            page.out.push('\n');
            page.line(0, Tone::Good, "nothing changed of what was asked for");
        }
        for pair in &comparison.pairs {
            page.lists(pair, comparison.pairs.len() > 1);
        }
    }
    page.out
}

/// The text while it is written.
struct Text<'l> {
    look: &'l Look,
    out: String,
}

impl Text<'_> {
    fn line(&mut self, indent: usize, tone: Tone, text: &str) {
        for piece in wrap(text, self.look.width.saturating_sub(indent)) {
            self.out.push_str(&" ".repeat(indent));
            self.out.push_str(&self.look.paint(tone, &piece));
            self.out.push('\n');
        }
    }

    /// A row of numbers per kind or pair, and below it how many names have each change.
    fn table(&mut self, title: &str, rows: &[(String, &Summary)]) {
        let head = ["old", "new", "added", "", "removed", "", "changed", "", "otherwise", ""];
        let cells: Vec<[String; 10]> = rows.iter().map(|(_, summary)| cells(summary)).collect();
        let label =
            rows.iter().map(|(label, _)| label.chars().count()).chain([title.len()]).max().unwrap_or(0);
        let width = |column: usize| {
            // The head of a number stands over its share, too.
            let head = if column < 2 { head[column].len() } else { 0 };
            cells.iter().map(|row| row[column].chars().count()).chain([head]).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..head.len()).map(width).collect();
        let mut text = format!("{title:label$}");
        for (column, name) in head.iter().enumerate().filter(|(_, name)| !name.is_empty()) {
            let width = if column < 2 { widths[column] } else { widths[column] + 1 + widths[column + 1] };
            text += &format!("  {name:>width$}");
        }
        self.out.push_str(&self.look.paint(Tone::Title, &text));
        self.out.push('\n');
        for ((name, summary), cells) in rows.iter().zip(&cells) {
            let mut text = format!("{name:label$}");
            for (column, cell) in cells.iter().enumerate() {
                let gap = if column < 2 || column % 2 == 0 { "  " } else { " " };
                text += &format!("{gap}{cell:>width$}", width = widths[column]);
            }
            self.out.push_str(text.trim_end());
            self.out.push('\n');
            self.details(summary);
        }
    }

    fn details(&mut self, summary: &Summary) {
        for class in Class::ALL {
            let parts: Vec<String> = occurring(summary, class)
                .map(|(what, count)| format!("{} {}", what.words().to_lowercase(), share(count, summary)))
                .collect();
            if !parts.is_empty() {
                self.line(4, Tone::Dim, &format!("{}: {}", class.name(), parts.join(", ")));
            }
        }
    }

    fn remarks(&mut self, pair: &Compared<'_>) {
        let remarks = remarks(pair);
        if !remarks.is_empty() {
            self.out.push('\n');
            self.line(0, Tone::Title, &format!("Not compared  {}", pair.labels()));
            remarks.iter().for_each(|remark| self.line(2, Tone::Caution, remark));
        }
    }

    fn lists(&mut self, pair: &Compared<'_>, several: bool) {
        for kind in pair.diff.kinds.iter().filter(|kind| !kind.is_empty()) {
            self.out.push('\n');
            let labels = if several { format!("  {}", pair.labels()) } else { String::new() };
            self.line(0, Tone::Title, &format!("{}{labels}", kind.kind));
            self.names(kind);
        }
    }

    fn names(&mut self, kind: &KindDiff<'_>) {
        let shown = if self.look.verbose { usize::MAX } else { SHOWN };
        for (sign, tone, names) in [("+", Tone::Good, &kind.added), ("-", Tone::Bad, &kind.removed)] {
            names.iter().take(shown).for_each(|name| self.line(2, tone, &format!("{sign} {name}")));
            self.more(names.len(), shown, if sign == "+" { "added" } else { "removed" });
        }
        for changed in kind.changed.iter().take(shown) {
            self.line(2, Tone::Plain, &format!("~ {}", changed.name));
            for (line, tone) in change::lines(&changed.changes, self.look.verbose) {
                self.line(6, tone, &line);
            }
        }
        self.more(kind.changed.len(), shown, "changed");
    }

    fn more(&mut self, count: usize, shown: usize, what: &str) {
        if count > shown {
            self.line(2, Tone::Dim, &format!("and {} more {what} (-v lists them)", count - shown));
        }
    }
}

/// The numbers of a row, each with its share behind it.
fn cells(summary: &Summary) -> [String; 10] {
    let number = |count: Option<usize>| match count {
        Some(count) => [count.to_string(), per_cent(count, summary)],
        None => ["?".into(), String::new()],
    };
    let [added, added_share] = number(summary.added);
    let [removed, removed_share] = number(summary.removed);
    let [changed, changed_share] = number(Some(summary.changed));
    let [otherwise, otherwise_share] = number(Some(summary.otherwise));
    let (old, new) = (summary.old.to_string(), summary.new.to_string());
    [old, new, added, added_share, removed, removed_share, changed, changed_share, otherwise, otherwise_share]
}
