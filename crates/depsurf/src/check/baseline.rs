//! An earlier report: what it has, and as bad, is known.
//!
//! Findings are the same when object, program, kernel, rule and subject are. Lines and evidence may differ: sources move.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::Value;

use super::report::{Finding, Report, SCHEMA, Settled};
use super::rules::Consequence;
use crate::error::{Error, Result};

/// Rule and subject.
type Question = (String, String);

/// What was known of a program, or of an object itself, on a kernel.
#[derive(Debug)]
struct Known {
    consequence: Consequence,
    /// The worst for each question.
    findings: HashMap<Question, Consequence>,
}

/// An earlier report.
#[derive(Debug)]
pub struct Baseline {
    /// By object, program (none for the object itself) and kernel.
    known: HashMap<(String, Option<String>, String), Known>,
}

#[derive(Deserialize)]
struct File {
    kernels: Vec<String>,
    objects: Vec<Object>,
}

#[derive(Deserialize)]
struct Object {
    name: String,
    whole: Vec<Entry>,
    programs: Vec<Program>,
}

#[derive(Deserialize)]
struct Program {
    name: String,
    verdicts: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    consequence: String,
    findings: Vec<Written>,
}

#[derive(Deserialize)]
struct Written {
    rule: String,
    consequence: String,
    subject: String,
}

impl Baseline {
    /// Reads what `depsurf check --format json` printed.
    ///
    /// # Errors
    /// When it is something else, or of another schema.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let help = "write it again: `depsurf check --format json FILE... > BASELINE`";
        let refused = |what: String| Error::Usage { what, help: Some(help.into()) };
        let value: Value =
            serde_json::from_slice(bytes).map_err(|error| refused(format!("no JSON: {error}")))?;
        match value["schema"].as_u64() {
            Some(number) if number == u64::from(SCHEMA) => {}
            Some(number) => {
                return Err(refused(format!(
                    "a report of schema {number}, this program reads schema {SCHEMA}"
                )));
            }
            None => return Err(refused("not a report of `check`: it has no `schema`".into())),
        }
        let file: File = serde_json::from_value(value)
            .map_err(|error| refused(format!("not a report of `check`: {error}")))?;
        let mut known = HashMap::new();
        for object in file.objects {
            let programs = object.programs.into_iter().map(|it| (Some(it.name), it.verdicts));
            for (program, entries) in programs.chain([(None, object.whole)]) {
                if entries.len() != file.kernels.len() {
                    return Err(refused(format!(
                        "not a report of `check`: `{}` is judged on {} kernels of {}",
                        object.name,
                        entries.len(),
                        file.kernels.len()
                    )));
                }
                for (kernel, entry) in file.kernels.iter().zip(entries) {
                    let key = (object.name.clone(), program.clone(), kernel.clone());
                    known
                        .insert(key, Known::new(entry).map_err(|error| error.at("not a report of `check`"))?);
                }
            }
        }
        Ok(Self { known })
    }

    /// Settles what is in the baseline and was as bad there; gives how much that is.
    pub fn settle(&self, report: &mut Report) -> usize {
        let kernels: Vec<String> = report.kernels.iter().map(ToString::to_string).collect();
        let mut settled = 0;
        for object in &mut report.objects {
            for (kernel, whole) in kernels.iter().zip(&mut object.whole) {
                let worst = whole.findings.iter().map(|it| it.consequence).max();
                let key = (object.name.clone(), None, kernel.clone());
                let known = self.known.get(&key);
                settled += settle(known, worst.unwrap_or(Consequence::Fine), &mut whole.findings);
            }
            for program in &mut object.programs {
                for (kernel, verdict) in kernels.iter().zip(&mut program.verdicts) {
                    let key = (object.name.clone(), Some(program.name.clone()), kernel.clone());
                    settled += settle(self.known.get(&key), verdict.consequence, &mut verdict.findings);
                }
            }
        }
        settled
    }
}

impl Known {
    fn new(entry: Entry) -> Result<Self> {
        let mut findings: HashMap<Question, Consequence> = HashMap::new();
        for written in entry.findings {
            let consequence = written.consequence.parse()?;
            let worst = findings.entry((written.rule, written.subject)).or_insert(consequence);
            *worst = consequence.max(*worst);
        }
        Ok(Self { consequence: entry.consequence.parse()?, findings })
    }
}

/// Settles the findings of one program on one kernel, where `consequence` is the worst of them.
fn settle(known: Option<&Known>, consequence: Consequence, findings: &mut [Finding]) -> usize {
    let Some(known) = known else { return 0 };
    // What is in its findings may have been uncertain before, and now makes it worse.
    let worse = consequence > known.consequence;
    let mut settled = 0;
    for finding in findings {
        let question = (finding.rule.id().to_owned(), finding.subject.clone());
        let as_bad = known.findings.get(&question).is_some_and(|before| finding.consequence <= *before);
        let makes_worse = worse && finding.depends_on.is_empty() && finding.consequence > known.consequence;
        if as_bad && !makes_worse && finding.settled.is_none() {
            finding.settled = Some(Settled::Baseline);
            settled += 1;
        }
    }
    settled
}
