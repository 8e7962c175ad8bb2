//! How much changed between two kernels, counted.

use std::collections::BTreeMap;

use serde::Serialize;

use super::KindDiff;
use super::change::{Class, What};
use crate::Kind;

/// The changes of a kind as numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Summary {
    /// The kind.
    pub kind: Kind,
    /// Names that the old kernel has.
    pub old: usize,
    /// Names that the new kernel has.
    pub new: usize,
    /// Names that only the new kernel has; `None` where the old one was not read, so that nobody knows.
    pub added: Option<usize>,
    /// Names that only the old kernel has; `None` where the new one was not read, so that nobody knows.
    pub removed: Option<usize>,
    /// Names that both have and whose source changed.
    pub changed: usize,
    /// Names that both have and that changed in any other way only.
    pub otherwise: usize,
    /// Names with each of the changes; a name counts once for each.
    pub with: BTreeMap<What, usize>,
}

impl Summary {
    /// The numbers of one kind.
    #[must_use]
    pub fn new(diff: &KindDiff<'_>) -> Self {
        let mut with = BTreeMap::new();
        let mut changed = 0;
        for name in &diff.changed {
            changed += usize::from(name.has(Class::Source));
            let mut seen: Vec<What> = name.changes.iter().map(|change| change.what).collect();
            seen.sort_unstable();
            seen.dedup();
            for what in seen {
                *with.entry(what).or_default() += 1;
            }
        }
        Self {
            kind: diff.kind,
            old: diff.old,
            new: diff.new,
            added: diff.old_is_known.then_some(diff.added.len()),
            removed: diff.new_is_known.then_some(diff.removed.len()),
            changed,
            otherwise: diff.changed.len() - changed,
            with,
        }
    }

    /// Whether anything was found.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.added.unwrap_or(0) == 0 && self.removed.unwrap_or(0) == 0 && self.with.is_empty()
    }
}
