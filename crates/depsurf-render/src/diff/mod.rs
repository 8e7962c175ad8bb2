//! What changed between kernels as wholes: a table of numbers, then the names that were asked for.

mod json;
mod markdown;
mod terminal;

use depsurf::diff::rename::{LIKELY, Rename};
use depsurf::diff::{Class, Diff, KindDiff, Pair, Side, Summary, Unread, What};

pub use self::json::{json, schema};
pub use self::markdown::markdown;
pub use self::terminal::terminal;

/// Pairs of kernels with what changed between them.
#[derive(Debug)]
pub struct Comparison<'a> {
    /// At least one; with several, each is one kernel and the next.
    pub pairs: Vec<Compared<'a>>,
    /// Whether the names are listed and not only counted.
    pub lists: bool,
}

/// What changed between two kernels.
#[derive(Debug)]
pub struct Compared<'a> {
    /// What the old kernel is called.
    pub old: String,
    /// What the new kernel is called.
    pub new: String,
    /// Numbers per kind, of all names.
    pub summaries: Vec<Summary>,
    /// The changes per kind, of the names that were asked for.
    pub diff: Diff<'a>,
    /// Whether any of these names came, went or changed.
    pub found: bool,
}

impl<'a> Compared<'a> {
    /// Counts all of a diff, then leaves the names that are wanted.
    #[must_use]
    pub fn new(old: String, new: String, mut diff: Diff<'a>, wanted: impl Fn(&str) -> bool) -> Self {
        let summaries = diff.kinds.iter().map(Summary::new).collect();
        diff.kinds.iter_mut().for_each(|kind| kind.retain(&wanted));
        let found = !diff.is_empty();
        Self { old, new, summaries, diff, found }
    }

    /// Leaves the numbers only.
    pub fn forget_names(&mut self) {
        self.diff.kinds.iter_mut().for_each(KindDiff::clear);
    }

    fn labels(&self) -> String {
        format!("{} -> {}", self.old, self.new)
    }
}

impl Comparison<'_> {
    /// Whether nothing changed of what was asked for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !self.pairs.iter().any(|pair| pair.found)
    }
}

/// The proposals worth a line: of those that are likely the best for each name, of all with `every`.
fn likely<'k>(kind: &'k KindDiff<'_>, every: bool) -> impl Iterator<Item = &'k Rename> {
    let mut before = "";
    kind.renames.iter().filter(move |rename| {
        let is_first = std::mem::replace(&mut before, &rename.old) != rename.old;
        every || is_first && rename.score >= LIKELY
    })
}

/// What may have happened, how likely it is, and what speaks for it.
fn proposal(rename: &Rename) -> String {
    let Rename { old, new, kind_of, score, .. } = rename;
    let evidence: Vec<String> = rename.evidence.iter().map(ToString::to_string).collect();
    let what = kind_of.word();
    format!("`{old}` -> `{new}` ({what}? {score} %: {})", evidence.join(", "))
}

/// A share in per cent of all names of the old kernel; nothing where it has none.
fn per_cent(count: usize, summary: &Summary) -> String {
    if summary.old == 0 {
        return String::new();
    }
    format!("{:.1} %", count as f64 * 100.0 / summary.old as f64)
}

/// A number and its share: `12 (1.5 %)`.
fn share(count: usize, summary: &Summary) -> String {
    match per_cent(count, summary) {
        percent if percent.is_empty() => count.to_string(),
        percent => format!("{count} ({percent})"),
    }
}

/// Each change of a class that occurs, with the number of names that have it.
fn occurring<'s>(summary: &'s Summary, class: Class) -> impl Iterator<Item = (What, usize)> + 's {
    let with = summary.with.iter().map(|(what, count)| (*what, *count));
    with.filter(move |(what, _)| what.class() == class)
}

/// What is not in the numbers, and why, a line each.
fn remarks(compared: &Compared<'_>) -> Vec<String> {
    let Pair { old, new } = compared.diff.pair;
    let mut remarks = Vec::new();
    if !compared.diff.pair.compares_layout() {
        let [old, new] = [old, new].map(|surface| surface.meta().address_size);
        remarks.push(format!(
            "sizes and offsets are not compared: a pointer has {old} bytes on the old kernel and {new} on the new"
        ));
    }
    for kind in &compared.diff.kinds {
        for Unread { side, fact, reason } in &kind.unread {
            let label = match side {
                Side::Old => &compared.old,
                Side::New => &compared.new,
            };
            let fact = fact.words();
            let remark = format!("{}: {fact} of {label} could not be read ({reason})", kind.kind);
            remarks.push(remark);
        }
    }
    remarks
}
