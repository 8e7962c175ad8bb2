//! Rows of a terminal page: answers that kernels share.

use std::collections::HashMap;

use crate::look::{Look, Tone};

/// Spaces before a row.
const INDENT: usize = 2;
/// Keys up to this width stand in a column of their own.
const KEY_WIDTH: usize = 34;

/// Answers to one question, each with the kernels that give it, in the order of first mention.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    rows: Vec<Row>,
    places: HashMap<(String, String), usize>,
    /// Whether rows with the same key stand together and only the first of them shows it.
    grouped: bool,
}

#[derive(Debug)]
struct Row {
    key: String,
    text: String,
    tone: Tone,
    kernels: Vec<usize>,
}

impl Rows {
    /// Adds a kernel's answer; `key` may be empty.
    pub(crate) fn add(&mut self, kernel: usize, key: &str, text: impl Into<String>, tone: Tone) {
        let text = text.into();
        let place = *self.places.entry((key.to_owned(), text.clone())).or_insert_with(|| {
            self.rows.push(Row { key: key.to_owned(), text, tone, kernels: Vec::new() });
            self.rows.len() - 1
        });
        let kernels = &mut self.rows[place].kernels;
        if kernels.last() != Some(&kernel) {
            kernels.push(kernel);
        }
    }

    /// The rows as they are read: key and text.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (&str, &str)> {
        self.rows.iter().map(|row| (row.key.as_str(), row.text.as_str()))
    }

    /// Whether there is no row.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Puts rows with the same key together, keys in the order of first mention.
    pub(crate) fn by_key(mut self) -> Self {
        let mut order: HashMap<String, usize> = HashMap::new();
        for row in &self.rows {
            let next = order.len();
            order.entry(row.key.clone()).or_insert(next);
        }
        self.rows.sort_by_key(|row| order[&row.key]);
        self.places.clear();
        self.grouped = true;
        self
    }
}

/// The page while it is written.
#[derive(Debug)]
pub(crate) struct Shelf<'p> {
    look: &'p Look,
    labels: Vec<&'p str>,
    out: String,
}

impl<'p> Shelf<'p> {
    pub(crate) fn new(look: &'p Look, labels: Vec<&'p str>) -> Self {
        Self { look, labels, out: String::new() }
    }

    pub(crate) fn look(&self) -> &'p Look {
        self.look
    }

    /// What a kernel is called.
    pub(crate) fn label(&self, kernel: usize) -> &'p str {
        self.labels[kernel]
    }

    pub(crate) fn finish(self) -> String {
        self.out
    }

    /// The first line.
    pub(crate) fn heading(&mut self, text: &str) {
        self.line(0, Tone::Title, text);
    }

    /// A titled list of rows; nothing where there are none. A row names its kernels unless it has
    /// all of `among`.
    pub(crate) fn section(&mut self, title: &str, remark: &str, rows: &Rows, among: &[usize]) {
        if rows.rows.is_empty() {
            return;
        }
        let remark = if remark.is_empty() { String::new() } else { format!("  {remark}") };
        self.out.push_str(&self.look.paint(Tone::Title, title));
        self.out.push_str(&self.look.paint(Tone::Dim, &remark));
        self.out.push('\n');
        self.rows(rows, among);
    }

    fn rows(&mut self, rows: &Rows, among: &[usize]) {
        let limit = if rows.grouped { KEY_WIDTH } else { usize::MAX };
        let widths = rows.rows.iter().map(|row| row.key.chars().count()).filter(|width| *width <= limit);
        let column = widths.max().unwrap_or(0);
        let mut last_key = None;
        for row in &rows.rows {
            let repeated = rows.grouped && last_key == Some(&row.key);
            last_key = Some(&row.key);
            let key = if repeated { "" } else { &row.key };
            self.row(key, column, row, among);
        }
    }

    fn row(&mut self, key: &str, column: usize, row: &Row, among: &[usize]) {
        let left = if column == 0 { INDENT } else { INDENT + column + 2 };
        let width = self.look.width;
        let mut used = if key.is_empty() { 0 } else { self.put(0, INDENT, Tone::Plain, key) };
        if !row.text.is_empty() {
            for piece in wrap(&row.text, width.saturating_sub(left)) {
                used = self.put(used, left, row.tone, &piece);
            }
        }
        if let Some(kernels) = self.kernels(&row.kernels, among) {
            let text = format!("[{kernels}]");
            if used + 2 + text.chars().count() <= width {
                self.put(used, used + 2, Tone::Dim, &text);
            } else {
                let left = if row.text.is_empty() { INDENT + 2 } else { left + 2 };
                for piece in wrap(&text, width.saturating_sub(left)) {
                    used = self.put(used, left, Tone::Dim, &piece);
                }
            }
        }
        self.out.push('\n');
    }

    /// Writes text at a column of the line of which `used` columns are taken, or of the next line where that
    /// column is not free. Gives the columns that are then taken.
    fn put(&mut self, used: usize, column: usize, tone: Tone, text: &str) -> usize {
        let mut used = used;
        if used > 0 && used + 2 > column {
            self.out.push('\n');
            used = 0;
        }
        self.out.push_str(&" ".repeat(column - used));
        self.out.push_str(&self.look.paint(tone, text));
        column + text.chars().count()
    }

    /// A line of its own.
    pub(crate) fn line(&mut self, indent: usize, tone: Tone, text: &str) {
        self.out.push_str(&" ".repeat(indent));
        self.out.push_str(&self.look.paint(tone, text));
        self.out.push('\n');
    }

    /// The kernels of a row in words; `None` where it has all of `among`. Runs of at least three
    /// neighbours among all kernels of the page are written as a range.
    pub(crate) fn kernels(&self, of: &[usize], among: &[usize]) -> Option<String> {
        let missing: Vec<usize> = among.iter().copied().filter(|kernel| !of.contains(kernel)).collect();
        if missing.is_empty() {
            return None;
        }
        if missing.len() <= 2 && of.len() >= 4 {
            let names: Vec<&str> = missing.iter().map(|kernel| self.labels[*kernel]).collect();
            return Some(format!("all but {}", names.join(", ")));
        }
        let mut parts: Vec<String> = Vec::new();
        let mut rest = of;
        while let Some(&first) = rest.first() {
            let run = rest.iter().zip(first..).take_while(|(kernel, expected)| **kernel == *expected).count();
            if run >= 3 {
                parts.push(format!(
                    "{} .. {} ({run} kernels)",
                    self.labels[first],
                    self.labels[rest[run - 1]]
                ));
            } else {
                parts.extend(rest[..run].iter().map(|kernel| self.labels[*kernel].to_owned()));
            }
            rest = &rest[run..];
        }
        Some(parts.join(", "))
    }
}

/// Breaks a line so that its pieces fit, with the later ones set in by four: behind commas, which keeps
/// parameters whole, or at spaces where that is not enough. A word longer than the width stays whole.
pub(crate) fn wrap(line: &str, width: usize) -> Vec<String> {
    const HANGING: usize = 4;
    if line.chars().count() <= width {
        return vec![line.to_owned()];
    }
    let fits = |part: &str| part.trim_end().chars().count() + HANGING <= width;
    let by_comma = line.split_inclusive(", ").all(fits);
    let mut pieces: Vec<String> = Vec::new();
    let mut current = String::new();
    for part in line.split_inclusive(if by_comma { ", " } else { " " }) {
        let full = current.chars().count() + part.trim_end().chars().count() > width;
        if full && !current.trim().is_empty() {
            pieces.push(current.trim_end().to_owned());
            current = " ".repeat(HANGING);
        }
        current.push_str(part);
    }
    pieces.push(current.trim_end().to_owned());
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernels_fold_into_runs() {
        let look = Look::default();
        let shelf = Shelf::new(&look, vec!["a", "b", "c", "d", "e", "f", "g"]);
        let all: Vec<usize> = (0..7).collect();
        assert_eq!(shelf.kernels(&all, &all), None);
        assert_eq!(shelf.kernels(&[0, 1, 2], &all).as_deref(), Some("a .. c (3 kernels)"));
        assert_eq!(shelf.kernels(&[0, 2, 3], &all).as_deref(), Some("a, c, d"));
        assert_eq!(shelf.kernels(&[0, 1, 2, 4, 5, 6], &all).as_deref(), Some("all but d"));
        assert_eq!(shelf.kernels(&[5], &[5]), None);
    }

    #[test]
    fn long_lines_break_at_spaces() {
        assert_eq!(wrap("one two three", 20), ["one two three"]);
        assert_eq!(wrap("one two three four", 9), ["one two", "    three", "    four"]);
        assert_eq!(wrap("unbreakable", 3), ["unbreakable"]);
        assert_eq!(wrap("f(int a, int b, int c)", 15), ["f(int a, int b,", "    int c)"]);
    }
}
