//! What changed of one name, pair by pair of the kernels that a group compares.

use std::fmt::Write;

use depsurf::Kind;
use depsurf::diff::{Change, Class, Pair, declares};
use depsurf::surface::{Fact, Surface};
use schemars::JsonSchema;
use serde::Serialize;

use crate::change;
use crate::look::Tone;
use crate::page::{Group, Kernel};
use crate::rows::{Rows, Shelf};

/// The pairs of one group.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Differences<'a> {
    /// The group's title.
    pub title: String,
    /// Its pairs, in the order of the group.
    pub pairs: Vec<Compared<'a>>,
}

/// One name on two kernels.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "ComparedName")]
pub struct Compared<'a> {
    /// What the old kernel is called.
    pub old: String,
    /// What the new kernel is called.
    pub new: String,
    /// For each of the two whether it tells what the source declares: a function in assembly has no prototype.
    pub declared: [bool; 2],
    /// What comparing them gave.
    #[serde(flatten)]
    pub outcome: Outcome<'a>,
}

/// What comparing a name on two kernels gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "outcome", rename_all = "lowercase")]
pub enum Outcome<'a> {
    /// Both have it: what changed, of every class.
    Both {
        /// In the order of a page.
        changes: Vec<Change>,
    },
    /// Only the new kernel has it.
    Appeared,
    /// Only the old kernel has it.
    Disappeared,
    /// Neither has it.
    Absent,
    /// One of them may have it: what would tell was not read.
    Unknown {
        /// What that kernel is called.
        kernel: String,
        /// What was not read of it.
        fact: Fact,
        /// Why.
        reason: &'a str,
    },
}

impl<'a> Differences<'a> {
    /// Compares the kernels of every group that has a pair.
    #[must_use]
    pub fn of(kind: Kind, name: &str, groups: &[Group<'a>]) -> Vec<Self> {
        let section = |group: &Group<'a>| {
            let pairs = group.pairs().map(|(old, new)| Compared::new(kind, name, old, new)).collect();
            Self { title: group.title.clone(), pairs }
        };
        groups.iter().map(section).filter(|section| !section.pairs.is_empty()).collect()
    }
}

impl<'a> Compared<'a> {
    fn new(kind: Kind, name: &str, old: &Kernel<'a>, new: &Kernel<'a>) -> Self {
        let declared = [old, new].map(|kernel| declares(kernel.surface, kind, name));
        let outcome = outcome(kind, name, old, new);
        Self { old: old.label.clone(), new: new.label.clone(), declared, outcome }
    }

    /// Whether the source changed, as far as both kernels tell what it declares.
    #[must_use]
    pub fn is_changed(&self) -> bool {
        let Outcome::Both { changes } = &self.outcome else { return false };
        self.declared == [true, true] && changes.iter().any(|change| change.what.class() == Class::Source)
    }

    /// Whether a list of differences in the source has a place for it.
    fn matters(&self) -> bool {
        self.declared.contains(&true) || matches!(self.outcome, Outcome::Unknown { .. })
    }
}

fn outcome<'a>(kind: Kind, name: &str, old: &Kernel<'a>, new: &Kernel<'a>) -> Outcome<'a> {
    let pair = Pair::new(old.surface, new.surface);
    if let Some(changes) = pair.changes(kind, name) {
        return Outcome::Both { changes };
    }
    let lacks = |surface: &Surface| !surface.has(kind, name);
    for kernel in [old, new] {
        if let Some((fact, reason)) = kernel.surface.unread(kind).filter(|_| lacks(kernel.surface)) {
            return Outcome::Unknown { kernel: kernel.label.clone(), fact, reason };
        }
    }
    if pair.overlooks(kind, name) {
        let fact = Fact::Modules;
        let unread = |kernel: &&Kernel<'a>| kernel.surface.meta().unknown_because(fact);
        let other = [old, new]
            .into_iter()
            .find(|kernel| lacks(kernel.surface))
            .and_then(|it| Some((it, unread(&it)?)));
        if let Some((kernel, reason)) = other {
            return Outcome::Unknown { kernel: kernel.label.clone(), fact, reason };
        }
    }
    match (lacks(pair.old), lacks(pair.new)) {
        (true, false) => Outcome::Appeared,
        (false, true) => Outcome::Disappeared,
        _ => Outcome::Absent,
    }
}

/// The `## Differences` part of a page: what changed in the source.
pub(crate) fn markdown(differences: &[Differences<'_>], out: &mut String) {
    out.push_str("\n## Differences\n");
    for section in differences.iter().filter(|section| section.pairs.iter().any(Compared::matters)) {
        let _ = writeln!(out, "<b>{}</b>\n<ul>", section.title);
        section.pairs.iter().for_each(|pair| item(pair, out));
        out.push_str("</ul>\n");
    }
}

fn item(pair: &Compared<'_>, out: &mut String) {
    let between = format!("between <code>{}</code> and <code>{}</code>", pair.old, pair.new);
    match &pair.outcome {
        Outcome::Both { changes } if pair.declared == [true, true] => {
            let source: Vec<&Change> =
                changes.iter().filter(|change| change.what.class() == Class::Source).collect();
            if source.is_empty() {
                let _ = writeln!(out, "<li>\nNo changes {between} ✅\n</li>");
                return;
            }
            let _ = writeln!(out, "<li>\n<details>\n<summary>Changed {between} ⚠️</summary>\n<ul>");
            source.into_iter().for_each(|change| change::markdown(change, out));
            out.push_str("</ul>\n</details>\n</li>\n");
        }
        Outcome::Unknown { kernel, fact, reason } => {
            let fact = fact.words();
            let _ = writeln!(
                out,
                "<li>\nUnknown {between} ⚠️ ({fact} of <code>{kernel}</code> could not be read: {reason})\n</li>"
            );
        }
        Outcome::Both { .. } | Outcome::Appeared | Outcome::Disappeared | Outcome::Absent => {}
    }
}

/// The section of a page that tells where the thing changed, pair by pair; pairs without a change are left out.
pub(crate) fn terminal(differences: &[Differences<'_>], shelf: &mut Shelf<'_>) {
    let mut rows = Rows::default();
    let mut compared = false;
    let verbose = shelf.look().verbose;
    for pair in differences.iter().flat_map(|section| &section.pairs) {
        let Outcome::Both { changes } = &pair.outcome else { continue };
        compared = true;
        let key = format!("{} -> {}", pair.old, pair.new);
        for (line, tone) in change::lines(changes, verbose) {
            rows.add(0, &key, line, tone);
        }
    }
    if compared && rows.is_empty() {
        rows.add(0, "", "none", Tone::Good);
    }
    shelf.section("Changes", "", &rows.by_key(), &[]);
}
