//! The fewest kernels to test on.

use std::collections::BTreeMap;

use depsurf::check::{Consequence, Cover, CoveredOutcome, Report, SCHEMA};
use schemars::JsonSchema;
use serde::Serialize;

use super::word;

/// A line for each kernel: its name, and what happens on it and on none above.
#[must_use]
pub fn cover(cover: &Cover, report: &Report) -> String {
    let name = |kernel: usize| report.kernels[kernel].to_string();
    let width = cover.chosen.iter().map(|it| name(it.kernel).chars().count()).max().unwrap_or(0);
    let mut out = String::new();
    for chosen in &cover.chosen {
        out += &format!("{:width$}  {}\n", name(chosen.kernel), outcomes(&chosen.outcomes, report));
    }
    out
}

/// `no load: io_ends, io_begins; fine: 3`. Objects are named where there are several.
fn outcomes(outcomes: &[CoveredOutcome], report: &Report) -> String {
    let mut programs: BTreeMap<Consequence, Vec<String>> = BTreeMap::new();
    for outcome in outcomes {
        let program = outcome.program.as_deref().unwrap_or("(object)");
        let name = match report.objects.len() {
            1 => program.to_owned(),
            _ => format!("{}/{program}", outcome.object),
        };
        programs.entry(outcome.consequence).or_default().push(name);
    }
    let parts = programs.into_iter().rev().map(|(consequence, programs)| match consequence {
        Consequence::Fine => format!("{}: {}", word(consequence), programs.len()),
        _ => format!("{}: {}", word(consequence), programs.join(", ")),
    });
    parts.collect::<Vec<_>>().join("; ")
}

/// What `depsurf check --matrix --format json` prints.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "CheckMatrix")]
pub(crate) struct CoverJson<'c> {
    /// Number of the format; changed whenever a field changes its meaning or goes.
    schema: u32,
    /// The chosen kernels.
    chosen: Vec<ChosenJson<'c>>,
    /// How many outcomes there are, all of which happen on the chosen kernels.
    outcomes: usize,
    /// Whether no smaller set has all outcomes; otherwise there may be one.
    smallest: bool,
}

/// A chosen kernel.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "MatrixKernel")]
struct ChosenJson<'c> {
    /// Its name.
    kernel: String,
    /// What happens on it and on none before.
    outcomes: &'c [CoveredOutcome],
    /// Kernels on which all is the same.
    same: Vec<String>,
}

/// The same as JSON, with the reasons, and the kernels that each stands for.
#[must_use]
pub fn cover_json(cover: &Cover, report: &Report) -> String {
    let name = |kernel: usize| report.kernels[kernel].to_string();
    let chosen = cover.chosen.iter().map(|chosen| ChosenJson {
        kernel: name(chosen.kernel),
        outcomes: &chosen.outcomes,
        same: chosen.same.iter().map(|it| name(*it)).collect(),
    });
    let told = CoverJson {
        schema: SCHEMA,
        chosen: chosen.collect(),
        outcomes: cover.outcomes,
        smallest: cover.smallest,
    };
    serde_json::to_string_pretty(&told).expect("plain data serialises") + "\n"
}
