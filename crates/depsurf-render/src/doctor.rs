//! The running system, and what of programs is predicted and observed on it.

use depsurf::bpf::Sec;
use depsurf::check::{Consequence, Finding, Report};
use depsurf::system::{Fact, Observed, State, System};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize;

use crate::check::word;
use crate::look::{Look, Tone};
use crate::rows::Shelf;

const SCHEMA: u32 = 1;
const INDENT: usize = 2;

/// What `depsurf doctor --format json` prints.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Doctor {
    /// Number of the format; changed whenever a field changes its meaning or goes.
    schema: u32,
    /// The system, in the order of a page.
    system: Vec<Fact>,
    /// What predictions are made from; none where nothing is predicted.
    predicted_from: Option<String>,
    /// Why nothing is predicted; none where it is.
    unpredicted: Option<String>,
    /// The objects of the files.
    objects: Vec<Object>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "DoctorObject")]
struct Object {
    /// What it is called: a file, and which of the objects in it.
    name: String,
    /// Its programs, in the order of the file.
    programs: Vec<Program>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "DoctorProgram")]
struct Program {
    /// Name of its function.
    name: String,
    /// What it attaches to: of several targets the first that is there, else the first.
    section: String,
    /// Whether it is loaded unless the loader says otherwise.
    autoload: bool,
    /// What is predicted to happen; none where the kernel is not known.
    predicted: Option<Consequence>,
    /// Why.
    findings: Vec<Finding>,
    /// What is there.
    observed: Observed,
    /// Whether what is predicted of its hook is what is observed; none where one of them is not known.
    agrees: Option<bool>,
}

impl Doctor {
    /// The system, and the programs of a report over one kernel, or over none and the reason for that.
    #[must_use]
    pub fn new(system: &System, from: Result<String, String>, report: &Report) -> Self {
        let objects = report.objects.iter().map(|object| Object {
            name: object.name.clone(),
            programs: object
                .programs
                .iter()
                .map(|program| {
                    let targets: Vec<&String> = if program.targets.is_empty() {
                        vec![&program.section]
                    } else {
                        program.targets.iter().collect()
                    };
                    let tried: Vec<(&String, Observed)> =
                        targets.iter().map(|target| (*target, system.observe(&Sec::parse(target)))).collect();
                    let best = tried.iter().position(|it| it.1.state == Some(State::There)).unwrap_or(0);
                    let (section, observed) = tried.into_iter().nth(best).expect("there is a target");
                    let verdict = program.verdicts.first();
                    Program {
                        name: program.name.clone(),
                        section: section.clone(),
                        autoload: program.autoload,
                        predicted: verdict.map(|verdict| verdict.consequence),
                        findings: verdict.map_or_else(Vec::new, |verdict| verdict.findings.clone()),
                        agrees: verdict.and_then(|verdict| observed.agrees(&verdict.findings)),
                        observed,
                    }
                })
                .collect(),
        });
        let objects = objects.collect();
        let unpredicted = from.as_ref().err().cloned();
        Self { schema: SCHEMA, system: system.facts(), predicted_from: from.ok(), unpredicted, objects }
    }

    /// Whether nothing is missing of programs that are loaded by default, and all is as predicted.
    #[must_use]
    pub fn is_well(&self) -> bool {
        let programs = self.objects.iter().flat_map(|object| &object.programs).filter(|it| it.autoload);
        programs.into_iter().all(|it| it.observed.state != Some(State::Missing) && it.agrees != Some(false))
    }
}

/// The JSON Schema of what is printed.
#[must_use]
pub fn schema(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<Doctor>()
}

/// Everything, as JSON.
#[must_use]
pub fn json(doctor: &Doctor) -> String {
    serde_json::to_string_pretty(doctor).expect("plain data serialises") + "\n"
}

/// The page.
#[must_use]
pub fn terminal(doctor: &Doctor, look: &Look) -> String {
    let mut page = Shelf::new(look, Vec::new());
    page.heading("System");
    let width = doctor.system.iter().map(|fact| fact.name.len()).max().unwrap_or(0);
    for fact in &doctor.system {
        let line = |text: &str| format!("{:width$}  {text}", fact.name);
        if let Some(text) = &fact.value {
            page.line(INDENT, Tone::Plain, &line(text));
        }
        if let Some(why) = &fact.unknown {
            page.line(INDENT, Tone::Caution, &line(&format!("unknown: {why}")));
        }
        if let Some(meaning) = fact.meaning {
            page.line(INDENT + width + 2, Tone::Caution, meaning);
        }
    }
    if !doctor.objects.is_empty() {
        page.line(0, Tone::Plain, "");
        match (&doctor.predicted_from, &doctor.unpredicted) {
            (Some(from), _) => page.line(0, Tone::Dim, &format!("predicted from {from}")),
            (None, reason) => {
                let reason = reason.as_deref().unwrap_or_default();
                page.line(0, Tone::Caution, &format!("nothing is predicted: {reason}"));
            }
        }
    }
    for object in &doctor.objects {
        page.line(0, Tone::Plain, "");
        page.heading(&object.name);
        let name = object.programs.iter().map(|it| it.name.chars().count() + 1).max().unwrap_or(0).max(8);
        page.line(0, Tone::Title, &format!("{:name$}  {:11}  observed", "program", "predicted"));
        for program in &object.programs {
            show(&mut page, program, name, look.verbose);
        }
    }
    page.finish()
}

fn show(page: &mut Shelf<'_>, program: &Program, width: usize, verbose: bool) {
    let name = if program.autoload { program.name.clone() } else { format!("{}?", program.name) };
    let (observed, tone) = match program.observed.state {
        None => ("nothing to look at", Tone::Dim),
        Some(State::There) => ("there", Tone::Good),
        Some(State::Unknown) => ("unknown", Tone::Caution),
        Some(State::Missing) => ("missing", Tone::Bad),
    };
    let predicted = program.predicted.map_or("-", word);
    let differs = if program.agrees == Some(false) { "  differs" } else { "" };
    let line = format!("{name:width$}  {predicted:11}  {observed}{differs}  {}", program.section);
    page.line(0, tone, line.trim_end());
    for check in program.observed.checks.iter().filter(|check| verbose || check.state != State::There) {
        let word = match check.state {
            State::There => "yes",
            State::Unknown => "unknown",
            State::Missing => "no",
        };
        let detail = if check.detail.is_empty() { String::new() } else { format!(" ({})", check.detail) };
        page.line(INDENT, Tone::Dim, &format!("{word:7}  {}{detail}", check.what));
    }
    for finding in &program.findings {
        let line = format!("{}  `{}`: {}", finding.rule, finding.subject, finding.rule.entry().title);
        page.line(INDENT, Tone::Dim, &line);
    }
}
