//! What machines are told: a finding of a program with its line, once for all kernels.

use std::collections::BTreeMap;

use depsurf::check::{Consequence, Finding, Place};

use super::Checked;

/// So many kernels are named in a message; all of them stand elsewhere.
const NAMED: usize = 8;

/// Where files are, as services that show results beside the source want to know.
#[derive(Debug, Default)]
pub struct Files<'r> {
    /// The directory that paths are told relative to, absolute; none where it is not known.
    pub root: Option<&'r str>,
    /// For each name of an object the path of the file it is in.
    pub objects: BTreeMap<&'r str, &'r str>,
}

impl Files<'_> {
    /// A path, relative to the root where it is below it, without `.` and, where they can be resolved, `..`.
    pub(crate) fn path(&self, path: &str) -> String {
        let below = self.root.and_then(|root| path.strip_prefix(root)).filter(|rest| rest.starts_with('/'));
        let path = below.map_or(path, |rest| rest.trim_start_matches('/'));
        let mut parts: Vec<&str> = Vec::new();
        for part in path.split('/') {
            match (part, parts.last()) {
                (".", _) | ("", Some(_)) => {}
                ("..", Some(&last)) if last != ".." && !last.is_empty() => {
                    parts.pop();
                }
                _ => parts.push(part),
            }
        }
        parts.join("/")
    }

    /// The file and line to show a finding at: its line of the source, else the first of the object.
    pub(crate) fn at(&self, object: &str, place: Option<&Place>) -> (String, u32) {
        match place {
            Some(place) => (self.path(&place.file), place.line.max(1)),
            None => (self.path(self.objects.get(object).unwrap_or(&object)), 1),
        }
    }
}

/// A finding, wherever it was found.
#[derive(Debug)]
pub(crate) struct Found<'r> {
    pub object: &'r str,
    /// None for what is of the object itself.
    pub program: Option<&'r str>,
    /// On the first of the kernels.
    pub finding: &'r Finding,
    /// Whether it happens as the object is loaded, unless the loader says otherwise.
    pub certain: bool,
    /// Places of the kernels in the report.
    pub kernels: Vec<usize>,
}

impl Found<'_> {
    /// The problem in a line or two, and where.
    pub(crate) fn message(&self, checked: &Checked<'_>) -> String {
        let finding = self.finding;
        let entry = finding.rule.entry();
        let who = self.program.unwrap_or(self.object);
        let mut text = format!("`{}`: {}. ", finding.subject, entry.title);
        text += &format!(
            "`{who}` {} on {}",
            match finding.consequence {
                Consequence::Unknown => "may not work",
                other => super::words(other),
            },
            kernels(&self.kernels, checked)
        );
        if !finding.evidence.is_empty() {
            text += &format!(" ({})", finding.evidence);
        }
        text += ".";
        if let (Some(errno), Some(message)) = (finding.errno, &finding.message) {
            text += &format!(" Loader: {message} (-{}, {}).", errno.number(), errno.name());
        }
        if !finding.depends_on.is_empty() {
            text += &format!(" Only if `{}` is set to another value.", finding.depends_on.join("`, `"));
        }
        text
    }
}

/// Names of kernels, not too many.
fn kernels(kernels: &[usize], checked: &Checked<'_>) -> String {
    if kernels.len() == checked.labels.len() && kernels.len() > 1 {
        return format!("all {} kernels", kernels.len());
    }
    let names: Vec<&str> = kernels.iter().take(NAMED).map(|it| checked.labels[*it].as_str()).collect();
    let more = kernels.len().saturating_sub(NAMED);
    let names = names.join(", ");
    if more > 0 { format!("{names} and {more} more") } else { names }
}

/// What counts in a report: objects, then programs in their order. Findings that differ in their evidence alone are one.
pub(crate) fn found<'r>(checked: &Checked<'r>) -> Vec<Found<'r>> {
    let mut all: Vec<Found<'r>> = Vec::new();
    for object in &checked.report.objects {
        let first = all.len();
        let mut add = |program: Option<&'r str>, autoload: bool, kernel: usize, finding: &'r Finding| {
            let is_same = |known: &&mut Found<'r>| {
                let (a, b) = (known.finding, finding);
                known.program == program
                    && (a.rule, a.consequence, &a.subject) == (b.rule, b.consequence, &b.subject)
                    && (&a.place, &a.depends_on) == (&b.place, &b.depends_on)
            };
            match all[first..].iter_mut().find(is_same) {
                Some(known) if known.kernels.contains(&kernel) => {}
                Some(known) => known.kernels.push(kernel),
                None => all.push(Found {
                    object: &object.name,
                    program,
                    finding,
                    certain: autoload && finding.depends_on.is_empty(),
                    kernels: vec![kernel],
                }),
            }
        };
        for (kernel, whole) in object.whole.iter().enumerate() {
            let findings = whole.findings.iter().filter(|finding| finding.settled.is_none());
            findings.for_each(|finding| add(None, true, kernel, finding));
        }
        for program in &object.programs {
            for (kernel, verdict) in program.verdicts.iter().enumerate() {
                let findings = verdict.findings.iter().filter(|finding| finding.settled.is_none());
                findings.for_each(|finding| add(Some(&program.name), program.autoload, kernel, finding));
            }
        }
    }
    all
}

/// How bad services call something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    Error,
    Warning,
    Note,
}

impl Level {
    /// The level of a consequence.
    pub(crate) fn new(consequence: Consequence) -> Self {
        match consequence {
            Consequence::Fine | Consequence::Unknown => Self::Note,
            Consequence::ReadsWrong | Consequence::MissesEvents => Self::Warning,
            Consequence::AttachFails | Consequence::LoadFails | Consequence::ObjectFails => Self::Error,
        }
    }

    /// The level of what was found: what does not happen unless the loader asks for it is no error.
    pub(crate) fn of(found: &Found<'_>) -> Self {
        let level = Self::new(found.finding.consequence);
        if found.certain { level } else { level.max(Self::Warning) }
    }
}
