//! Tables of measurements, for the terminal and for `docs/bench.md`.

use std::fmt::Write;
use std::time::Duration;

/// A table with a title.
#[derive(Debug)]
pub struct Table {
    title: String,
    head: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// An empty table.
    pub fn new(title: &str, head: &[&str]) -> Self {
        Self {
            title: title.into(),
            head: head.iter().map(|cell| (*cell).to_owned()).collect(),
            rows: Vec::new(),
        }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// Markdown with aligned columns: the first to the left, the others to the right.
    pub fn markdown(&self) -> String {
        let rows = || std::iter::once(&self.head).chain(&self.rows);
        let width = |column: usize| {
            rows().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.head.len()).map(width).collect();
        let mut text = format!("{}\n\n", self.title);
        for (number, row) in rows().enumerate() {
            for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
                let _ = if column == 0 {
                    write!(text, "| {cell:<width$} ")
                } else {
                    write!(text, "| {cell:>width$} ")
                };
            }
            text.push_str("|\n");
            if number == 0 {
                for (column, width) in widths.iter().enumerate() {
                    let _ = write!(text, "|{}{}", "-".repeat(width + 1), if column == 0 { '-' } else { ':' });
                }
                text.push_str("|\n");
            }
        }
        text
    }
}

/// `1.23 s` or `12.3 ms`.
pub fn time(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    if seconds >= 0.1 { format!("{seconds:.2} s") } else { format!("{:.1} ms", seconds * 1e3) }
}

/// Millions of bytes.
pub fn mega(bytes: u64) -> String {
    let mega = bytes as f64 / 1e6;
    if mega >= 100.0 { format!("{mega:.0}") } else { format!("{mega:.1}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned() {
        let mut table = Table::new("### Title", &["kernel", "s"]);
        table.row(["6.1".into(), "1.25".into()]);
        assert_eq!(
            table.markdown(),
            "### Title\n\n| kernel |    s |\n|--------|-----:|\n| 6.1    | 1.25 |\n"
        );
    }

    #[test]
    fn numbers_fit_their_size() {
        assert_eq!(time(Duration::from_millis(1234)), "1.23 s");
        assert_eq!(time(Duration::from_micros(12_340)), "12.3 ms");
        assert_eq!([mega(588_000_000), mega(23_886_248)], ["588", "23.9"]);
    }
}
