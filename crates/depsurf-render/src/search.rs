//! What a search found, as terminal text, Markdown and JSON.

use std::ops::Range;

use depsurf::kernel::KernelId;
use depsurf::search::{Found, Hit, What};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize;

use crate::look::{Look, Tone};
use crate::rows::Shelf;
use depsurf::Kind;

/// Number of the JSON's shape; raised when a reader of the old one would go wrong.
pub const SCHEMA: u32 = 1;

/// What a search found, and where it looked.
#[derive(Debug)]
pub struct Results<'r> {
    /// What was looked for.
    pub text: &'r str,
    /// What was found.
    pub found: &'r Found,
    /// The kernels that were searched.
    pub kernels: Vec<Searched<'r>>,
    /// Kinds that were searched and are not known of all these kernels.
    pub unknown: Vec<Unknown>,
}

/// A kernel that was searched.
#[derive(Debug)]
pub struct Searched<'r> {
    /// Its place in the index, as [`Hit::kernels`] has it.
    pub place: usize,
    /// Which one.
    pub id: &'r KernelId,
    /// What it is called: `6.12`.
    pub label: String,
}

/// A kind of which some kernels were not read as a whole: what was not found may still be there.
#[derive(Debug)]
pub struct Unknown {
    /// The kind.
    pub kind: Kind,
    /// These kernels, as places in [`Results::kernels`].
    pub kernels: Vec<usize>,
}

impl Results<'_> {
    /// Where a hit's kernels are in [`Results::kernels`].
    fn kernels_of(&self, hit: &Hit) -> Vec<usize> {
        let has = |kernel: &Searched<'_>| hit.kernels.contains(&kernel.place);
        (0..).zip(&self.kernels).filter(|(_, kernel)| has(kernel)).map(|(place, _)| place).collect()
    }

    /// Kernels in words: `all 25`, `6.1`, `5.10 .. 6.12 (3 kernels)`.
    #[must_use]
    pub fn words(&self, kernels: &[usize]) -> String {
        let look = Look::default();
        let shelf = Shelf::new(&look, self.kernels.iter().map(|kernel| kernel.label.as_str()).collect());
        let all: Vec<usize> = (0..self.kernels.len()).collect();
        let only = || self.kernels.first().map_or_else(String::new, |kernel| kernel.label.clone());
        shelf.kernels(kernels, &all).unwrap_or_else(|| match all.len() {
            1 => only(),
            count => format!("all {count}"),
        })
    }

    /// The same in as many columns, if need be by the first and the last only.
    fn short_words(&self, kernels: &[usize], columns: usize) -> String {
        let words = self.words(kernels);
        let label = |place: &usize| self.kernels.get(*place).map_or("", |kernel| kernel.label.as_str());
        match (kernels.first(), kernels.last()) {
            (Some(first), Some(last)) if words.chars().count() > columns => {
                let (count, all) = (kernels.len(), self.kernels.len());
                format!("{count} of {all}: {} .. {}", label(first), label(last))
            }
            _ => words,
        }
    }

    /// How many hits there are besides those that are shown; `None` where there are no more.
    fn more(&self) -> Option<String> {
        let count = self.found.total - self.found.hits.len();
        (count > 0).then(|| format!("and {count} more"))
    }
}

/// What a name belongs to, or is, beside its kind.
fn remark(hit: &Hit) -> String {
    match (hit.what, &hit.outer) {
        (What::Enumerator, Some(outer)) => format!("in {outer}"),
        (What::Tracepoint, Some(outer)) => format!("in {outer}"),
        (What::Tracepoint, None) => "raw only".into(),
        (What::Symbol, _) => "symbol only".into(),
        _ => String::new(),
    }
}

/// The hits in columns. What was found in a name is coloured where colour is wanted.
#[must_use]
pub fn terminal(results: &Results<'_>, look: &Look) -> String {
    let rows: Vec<(&Hit, String)> = results.found.hits.iter().map(|hit| (hit, remark(hit))).collect();
    let kind = rows.iter().map(|row| row.0.what.kind().name().len()).chain([4]).max().unwrap_or_default();
    let width = |(hit, remark): &(&Hit, String)| {
        let remark = if remark.is_empty() { 0 } else { remark.chars().count() + 2 };
        hit.title().chars().count() + remark
    };
    let name = rows.iter().map(width).chain([4]).max().unwrap_or_default();
    let mut out = look.paint(Tone::Title, &format!("{:kind$}  {:name$}  kernels", "kind", "name"));
    out.push('\n');
    for row in &rows {
        let (hit, remark) = row;
        let columns = if look.verbose { usize::MAX } else { look.width.saturating_sub(kind + name + 4) };
        let kernels = results.short_words(&results.kernels_of(hit), columns);
        let remark = if remark.is_empty() { String::new() } else { format!("  {remark}") };
        let pad = " ".repeat(name - width(row));
        out += &format!("{:kind$}  ", hit.what.kind().name());
        out += &marked(&hit.title(), &hit.matched, look);
        out += &look.paint(Tone::Dim, &remark);
        out += &format!("{pad}  {}\n", look.paint(Tone::Dim, &kernels));
    }
    if let Some(more) = results.more() {
        out += &look.paint(Tone::Dim, &format!("{more}; --limit prints more of them"));
        out.push('\n');
    }
    out
}

/// A name with some of its parts coloured.
fn marked(name: &str, parts: &[Range<usize>], look: &Look) -> String {
    let mut out = String::new();
    let mut at = 0;
    for part in parts {
        out += name.get(at..part.start).unwrap_or_default();
        out += &look.paint(Tone::Good, name.get(part.clone()).unwrap_or_default());
        at = part.end;
    }
    out + name.get(at..).unwrap_or_default()
}

/// The hits as a table.
#[must_use]
pub fn markdown(results: &Results<'_>) -> String {
    let mut out = String::from("| kind | name | | kernels |\n| --- | --- | --- | --- |\n");
    for hit in &results.found.hits {
        let kernels = results.words(&results.kernels_of(hit));
        let title = hit.title().replace('|', "\\|");
        out += &format!("| {} | `{title}` | {} | {kernels} |\n", hit.what.kind(), remark(hit));
    }
    if let Some(more) = results.more() {
        out += &format!("\n{more}\n");
    }
    out
}

/// The hits with everything that is known of them.
///
/// # Panics
/// Never: all of it is plain data with string keys.
#[must_use]
pub fn json(results: &Results<'_>) -> String {
    let id = |place: &usize| results.kernels.get(*place).map_or_else(String::new, |it| it.id.to_string());
    let hit = |hit: &Hit| {
        let (_, page) = hit.page();
        HitJson {
            kind: hit.what.kind(),
            name: hit.title(),
            is: hit.what.name(),
            of: hit.outer.clone(),
            page,
            rank: hit.rank,
            matched: hit.matched.iter().map(|part| [part.start, part.end]).collect(),
            kernels: results.kernels_of(hit).iter().map(id).collect(),
        }
    };
    let unknown = results
        .unknown
        .iter()
        .map(|unknown| UnknownJson { kind: unknown.kind, kernels: unknown.kernels.iter().map(id).collect() });
    let document = Document {
        schema: SCHEMA,
        text: results.text,
        kernels: (0..results.kernels.len()).map(|place| id(&place)).collect(),
        total: results.found.total,
        hits: results.found.hits.iter().map(hit).collect(),
        unknown: unknown.collect(),
    };
    serde_json::to_string_pretty(&document).expect("plain data serialises") + "\n"
}

/// The JSON Schema of what a search found.
#[must_use]
pub fn schema(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<Document<'_>>()
}

/// What a search found.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "SearchResults")]
struct Document<'r> {
    /// Number of the format; changed whenever a field changes its meaning or goes.
    schema: u32,
    /// What was looked for.
    text: &'r str,
    /// The kernels that were searched.
    kernels: Vec<String>,
    /// How many names answer; `hits` has the best of them.
    total: usize,
    /// The names, the best first.
    hits: Vec<HitJson>,
    /// Kinds that some kernels are not known to have or to lack.
    unknown: Vec<UnknownJson>,
}

/// A name that answers.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Hit")]
struct HitJson {
    /// The kind whose page has it.
    kind: Kind,
    /// The name.
    name: String,
    /// The kind, `enumerator` or `symbol`.
    is: &'static str,
    /// The struct of a field, the enum of an enumerator, the system of an event; `None` for others.
    of: Option<String>,
    /// What `depsurf show KIND` takes.
    page: String,
    /// In which way it answers.
    rank: depsurf::search::score::Rank,
    /// Where the text is in the name: first byte, and the one behind the last.
    matched: Vec<[usize; 2]>,
    /// The kernels that have it.
    kernels: Vec<String>,
}

/// A kind that some kernels are not known to have or to lack.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "UnknownKind")]
struct UnknownJson {
    /// The kind.
    kind: Kind,
    /// These kernels.
    kernels: Vec<String>,
}
