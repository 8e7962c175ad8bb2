//! The comparison as JSON: every change with its id and class.

use std::borrow::Cow;

use depsurf::diff::rename::Rename;
use depsurf::diff::{Changed, Summary, Unread};
use schemars::{JsonSchema, Schema, SchemaGenerator};
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

/// The JSON Schema of a comparison.
#[must_use]
pub fn schema(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<Document<'_>>()
}

/// What changed between kernels.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Comparison")]
struct Document<'c> {
    /// Number of the format; changed whenever a field changes its meaning or goes.
    schema: u32,
    /// The pairs that were compared, in the order of their kernels.
    pairs: Vec<PairJson<'c>>,
}

/// Two kernels that were compared.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ComparedPair")]
struct PairJson<'c> {
    /// The old kernel.
    old: Side<'c>,
    /// The new kernel.
    new: Side<'c>,
    /// Whether sizes and offsets are compared.
    layout: bool,
    /// The changes of each kind of thing.
    kinds: Vec<KindJson<'c>>,
}

/// One of two kernels that were compared.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ComparedKernel")]
struct Side<'c> {
    /// What it is called.
    label: &'c str,
    /// Which kernel it is.
    kernel: KernelJson<'c>,
}

/// The changes of a kind of thing.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ComparedKind")]
struct KindJson<'c> {
    /// The numbers.
    #[serde(flatten)]
    summary: &'c Summary,
    /// What was not read of either kernel.
    unread: &'c [Unread<'c>],
    /// The names; only where they were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    names: Option<Names<'c>>,
}

/// Names with a change.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ChangedNames")]
struct Names<'c> {
    /// Names that only the new kernel has, sorted.
    added: &'c [Cow<'c, str>],
    /// Names that only the old kernel has, sorted.
    removed: &'c [Cow<'c, str>],
    /// Names that both have and that changed, sorted.
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
