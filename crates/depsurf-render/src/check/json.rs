//! The report as JSON.

use depsurf::check::{Consequence, Report, SCHEMA};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Serialize;

use super::Checked;
use super::cover::CoverJson;

/// What `depsurf check --format json` prints.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Check")]
pub struct CheckJson<'r> {
    /// Number of the format; changed whenever a field changes its meaning or goes.
    schema: u32,
    /// The worst that happens anywhere.
    consequence: Consequence,
    /// The worst of what counts: of findings without `settled`.
    counts: Consequence,
    #[serde(flatten)]
    report: &'r Report,
}

/// The JSON Schema of a report, and of the kernels that `--matrix` chooses.
#[must_use]
pub fn schema(generator: &mut SchemaGenerator) -> Schema {
    let report = generator.subschema_for::<CheckJson<'_>>();
    json_schema!({ "anyOf": [report, generator.subschema_for::<CoverJson<'_>>()] })
}

/// The report as JSON, with everything that was found.
#[must_use]
pub fn json(checked: &Checked<'_>) -> String {
    let whole = checked.report.objects.iter().flat_map(|object| &object.whole);
    let consequence = whole.map(|whole| whole.consequence).max().unwrap_or(Consequence::Fine);
    let told =
        CheckJson { schema: SCHEMA, consequence, counts: checked.report.counts(), report: checked.report };
    serde_json::to_string_pretty(&told).expect("plain data serialises") + "\n"
}
