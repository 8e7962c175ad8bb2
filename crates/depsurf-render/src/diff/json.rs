//! The comparison as JSON: every change with its id and class.

use std::borrow::Cow;

use depsurf::diff::rename::Rename;
use depsurf::diff::{Changed, Summary, Unread};
use serde::Serialize;

use super::{Compared, Comparison};
use crate::json::{KernelJson, SCHEMA};

/// The comparison as JSON, indented, with a newline at its end.
///
/// # Panics
/// Never: all of it is plain data with string keys.
#[must_use]
pub fn json(comparison: &Comparison<'_>) -> String {
    let pairs = comparison.pairs.iter().map(|pair| PairJson::new(pair, comparison.lists)).collect();
    let document = Document { schema: SCHEMA, pairs };
    serde_json::to_string_pretty(&document).expect("plain data serialises") + "\n"
}

#[derive(Serialize)]
struct Document<'c> {
    schema: u32,
    pairs: Vec<PairJson<'c>>,
}

#[derive(Serialize)]
struct PairJson<'c> {
    old: Side<'c>,
    new: Side<'c>,
    /// Whether sizes and offsets are compared.
    layout: bool,
    kinds: Vec<KindJson<'c>>,
}

#[derive(Serialize)]
struct Side<'c> {
    label: &'c str,
    kernel: KernelJson<'c>,
}

#[derive(Serialize)]
struct KindJson<'c> {
    #[serde(flatten)]
    summary: &'c Summary,
    unread: &'c [Unread<'c>],
    #[serde(skip_serializing_if = "Option::is_none")]
    names: Option<Names<'c>>,
}

#[derive(Serialize)]
struct Names<'c> {
    added: &'c [Cow<'c, str>],
    removed: &'c [Cow<'c, str>],
    changed: &'c [Changed<'c>],
    /// What removed names may have become, the best first for each.
    renames: &'c [Rename],
}

impl<'c> PairJson<'c> {
    fn new(pair: &'c Compared<'_>, lists: bool) -> Self {
        let surfaces = pair.diff.pair;
        let kinds = pair.summaries.iter().zip(&pair.diff.kinds).map(|(summary, kind)| KindJson {
            summary,
            unread: &kind.unread,
            names: lists.then_some(Names {
                added: &kind.added,
                removed: &kind.removed,
                changed: &kind.changed,
                renames: &kind.renames,
            }),
        });
        Self {
            old: Side { label: &pair.old, kernel: KernelJson::new(surfaces.old) },
            new: Side { label: &pair.new, kernel: KernelJson::new(surfaces.new) },
            layout: surfaces.compares_layout(),
            kinds: kinds.collect(),
        }
    }
}
