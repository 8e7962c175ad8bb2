//! Comparisons with an oracle: counts, and each difference under a reason.

use std::collections::BTreeMap;
use std::fmt::Write;

/// Why two sides differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reason {
    /// Short name, in kebab case.
    pub id: &'static str,
    /// What happened, in a sentence.
    pub text: &'static str,
}

/// A difference that no rule explains.
pub const UNEXPLAINED: Reason = Reason { id: "unexplained", text: "No rule explains it." };

/// On which side a thing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    There,
    Here,
    Different,
}

/// How one kind of thing compares.
#[derive(Debug, Default)]
pub struct Row {
    /// What is compared.
    pub kind: String,
    /// How many the oracle has.
    pub there: usize,
    /// How many of them are equal here.
    pub equal: usize,
    reasons: BTreeMap<(Side, Reason), (usize, String)>,
}

impl Row {
    /// An empty comparison.
    pub fn new(kind: impl Into<String>) -> Self {
        Self { kind: kind.into(), ..Self::default() }
    }

    /// A thing that is the same on both sides.
    pub fn equal(&mut self) {
        self.there += 1;
        self.equal += 1;
    }

    /// A thing that only the oracle has.
    pub fn only_there(&mut self, reason: Reason, example: impl FnOnce() -> String) {
        self.there += 1;
        self.add(Side::There, reason, example);
    }

    /// A thing that only we have.
    pub fn only_here(&mut self, reason: Reason, example: impl FnOnce() -> String) {
        self.add(Side::Here, reason, example);
    }

    /// A thing that both have, with different facts.
    pub fn different(&mut self, reason: Reason, example: impl FnOnce() -> String) {
        self.there += 1;
        self.add(Side::Different, reason, example);
    }

    /// Compares two values of a thing that both have.
    pub fn compare<T: PartialEq + std::fmt::Debug>(
        &mut self,
        there: &T,
        here: &T,
        name: impl FnOnce() -> String,
        reason: impl FnOnce() -> Reason,
    ) {
        if there == here {
            self.equal();
        } else {
            self.different(reason(), || format!("`{}`: {there:?} there, {here:?} here", name()));
        }
    }

    fn add(&mut self, side: Side, reason: Reason, example: impl FnOnce() -> String) {
        self.reasons.entry((side, reason)).or_insert_with(|| (0, example())).0 += 1;
    }

    fn count(&self, side: Side) -> usize {
        self.reasons.iter().filter(|((at, _), _)| *at == side).map(|(_, (count, _))| count).sum()
    }

    /// How many differences have no explanation.
    pub fn unexplained(&self) -> usize {
        self.reasons
            .iter()
            .filter(|((_, reason), _)| *reason == UNEXPLAINED)
            .map(|(_, (count, _))| count)
            .sum()
    }

    /// Share of the oracle's things that are equal here, in percent, rounded down so that 100 is all.
    fn agreement(&self) -> String {
        if self.there == 0 {
            return "-".into();
        }
        let share = self.equal as u128 * 100_000 / self.there as u128;
        format!("{}.{:03}", share / 1000, share % 1000)
    }

    /// An example of a difference without an explanation.
    pub fn unexplained_example(&self) -> Option<&str> {
        let mut unexplained = self.reasons.iter().filter(|((_, reason), _)| *reason == UNEXPLAINED);
        unexplained.next().map(|(_, (_, example))| example.as_str())
    }

    fn cells(&self) -> [String; 7] {
        [
            self.kind.clone(),
            self.there.to_string(),
            self.equal.to_string(),
            self.agreement(),
            self.count(Side::There).to_string(),
            self.count(Side::Here).to_string(),
            self.count(Side::Different).to_string(),
        ]
    }
}

const HEAD: [&str; 7] = ["kind", "there", "equal", "equal %", "only there", "only here", "different"];

/// The comparisons as an aligned Markdown table.
pub fn table(rows: &[Row]) -> String {
    let cells: Vec<[String; 7]> =
        std::iter::once(HEAD.map(String::from)).chain(rows.iter().map(Row::cells)).collect();
    let widths: [usize; 7] =
        std::array::from_fn(|column| cells.iter().map(|row| row[column].chars().count()).max().unwrap_or(0));
    let mut text = String::new();
    for (number, row) in cells.iter().enumerate() {
        for (column, (cell, width)) in row.iter().zip(widths).enumerate() {
            let _ = if column == 0 {
                write!(text, "| {cell:<width$} ")
            } else {
                write!(text, "| {cell:>width$} ")
            };
        }
        text.push_str("|\n");
        if number == 0 {
            for (column, width) in widths.iter().enumerate() {
                let line = "-".repeat(width + 1);
                let _ = if column == 0 { write!(text, "|{line}-") } else { write!(text, "|{line}:") };
            }
            text.push_str("|\n");
        }
    }
    text
}

/// The reasons behind the differences of some comparisons: per kind and reason a count and an example.
pub fn reasons(rows: &[Row]) -> String {
    let mut text = String::new();
    for row in rows.iter().filter(|row| !row.reasons.is_empty()) {
        let _ = writeln!(text, "### {}\n", row.kind);
        for ((side, reason), (count, example)) in &row.reasons {
            let side = match side {
                Side::There => "only there",
                Side::Here => "only here",
                Side::Different => "different",
            };
            let _ = writeln!(text, "- {count} {side}, **{}**: {}", reason.id, reason.text);
            let _ = writeln!(text, "  Example: {}", cut(example));
        }
        text.push('\n');
    }
    text
}

/// Examples are for reading: long ones are cut.
fn cut(text: &str) -> String {
    const MAX: usize = 600;
    if text.chars().count() <= MAX {
        return text.to_owned();
    }
    text.chars().take(MAX).collect::<String>() + " ..."
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_count_and_name_examples() {
        let mut row = Row::new("things");
        row.equal();
        row.equal();
        row.only_here(UNEXPLAINED, || "a".into());
        row.only_here(UNEXPLAINED, || "b".into());
        row.compare(&1, &2, || "c".into(), || Reason { id: "odd", text: "It is odd." });
        assert_eq!(row.agreement(), "66.666");
        assert_eq!(row.unexplained(), 2);
        let text = reasons(std::slice::from_ref(&row));
        assert!(
            text.contains("- 2 only here, **unexplained**: No rule explains it.\n  Example: a\n"),
            "{text}"
        );
        assert!(text.contains("Example: `c`: 1 there, 2 here"), "{text}");
        assert_eq!(
            table(&[row]),
            "| kind   | there | equal | equal % | only there | only here | different |\n\
             |--------|------:|------:|--------:|-----------:|----------:|----------:|\n\
             | things |     3 |     2 |  66.666 |          0 |         2 |         1 |\n"
        );
    }
}
