//! Objects on kernels: a matrix of programs, then each problem once.

mod cover;
mod github;
mod json;
mod junit;
mod markdown;
mod result;
mod sarif;
mod terminal;

use depsurf::check::{Consequence, Finding, ObjectReport, Report, Way};

pub use self::cover::{cover, cover_json};
pub use self::github::github;
pub use self::json::{json, schema};
pub use self::junit::junit;
pub use self::markdown::markdown;
pub use self::result::Files;
pub use self::sarif::sarif;
pub use self::terminal::terminal;

/// A report with what its kernels are called.
#[derive(Debug)]
pub struct Checked<'r> {
    /// The report.
    pub report: &'r Report,
    /// Short names of its kernels, in its order.
    pub labels: Vec<String>,
}

/// One problem, wherever it was found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Problem<'r> {
    pub finding: &'r Finding,
    /// Names of the programs that have it; empty for one of the object itself.
    pub programs: Vec<&'r str>,
    /// Places of the kernels in the report.
    pub kernels: Vec<usize>,
    /// The same finding on each kernel, whose ways out may differ.
    on: Vec<(usize, &'r Finding)>,
}

/// The ways out of a problem, each with the kernels that it covers: those that cover most first.
pub(crate) fn ways_out<'r>(problem: &Problem<'r>) -> Vec<(&'r Way, Vec<usize>)> {
    let mut ways: Vec<(&Way, Vec<usize>)> = Vec::new();
    for (kernel, finding) in &problem.on {
        for way in &finding.ways {
            match ways.iter_mut().find(|known| known.0 == way) {
                Some(known) if !known.1.contains(kernel) => known.1.push(*kernel),
                Some(_) => {}
                None => ways.push((way, vec![*kernel])),
            }
        }
    }
    ways.iter_mut().for_each(|way| way.1.sort_unstable());
    ways.sort_by_key(|(way, kernels)| (std::cmp::Reverse(kernels.len()), way.kind));
    ways
}

/// The problems of an object, the worst first, each once: the same rule, subject and evidence is one.
pub(crate) fn problems(object: &ObjectReport) -> Vec<Problem<'_>> {
    let mut problems: Vec<Problem<'_>> = Vec::new();
    for (kernel, whole) in object.whole.iter().enumerate() {
        whole.findings.iter().for_each(|finding| add(&mut problems, finding, None, kernel));
    }
    for program in &object.programs {
        for (kernel, verdict) in program.verdicts.iter().enumerate() {
            verdict
                .findings
                .iter()
                .for_each(|finding| add(&mut problems, finding, Some(&program.name), kernel));
        }
    }
    problems.iter_mut().for_each(|problem| problem.kernels.sort_unstable());
    problems.sort_by_key(|problem| std::cmp::Reverse(problem.finding.consequence));
    problems
}

fn add<'r>(problems: &mut Vec<Problem<'r>>, finding: &'r Finding, program: Option<&'r str>, kernel: usize) {
    let is_same = |known: &Problem<'_>| {
        let (a, b) = (known.finding, finding);
        known.programs.is_empty() == program.is_none()
            && (a.rule, a.consequence) == (b.rule, b.consequence)
            && (&a.subject, &a.evidence, &a.depends_on) == (&b.subject, &b.evidence, &b.depends_on)
    };
    let place = problems.iter().position(is_same).unwrap_or_else(|| {
        problems.push(Problem { finding, programs: Vec::new(), kernels: Vec::new(), on: Vec::new() });
        problems.len() - 1
    });
    let problem = &mut problems[place];
    if let Some(program) = program.filter(|program| !problem.programs.contains(program)) {
        problem.programs.push(program);
    }
    problem.on.push((kernel, finding));
    if !problem.kernels.contains(&kernel) {
        problem.kernels.push(kernel);
    }
}

/// The word of a consequence in a table.
pub(crate) fn word(consequence: Consequence) -> &'static str {
    match consequence {
        Consequence::Fine => "fine",
        Consequence::Unknown => "unknown",
        Consequence::ReadsWrong => "reads wrong",
        Consequence::MissesEvents => "misses",
        Consequence::AttachFails => "no attach",
        Consequence::LoadFails => "no load",
        Consequence::ObjectFails => "no object",
    }
}

/// What a consequence means, in a sentence's end.
pub(crate) fn words(consequence: Consequence) -> &'static str {
    match consequence {
        Consequence::Fine => "works",
        Consequence::Unknown => "cannot be told",
        Consequence::ReadsWrong => "runs and reads wrong data",
        Consequence::MissesEvents => "attaches and misses events",
        Consequence::AttachFails => "does not attach",
        Consequence::LoadFails => "does not load",
        Consequence::ObjectFails => "the object does not load",
    }
}

/// What no report tells, so that nobody takes silence for an answer.
pub(crate) const NOT_CHECKED: &str = "Not checked: what the verifier says of code that depends on nothing here, \
    permissions and lockdown, modules, uprobes.";

/// Kernels with the same column of a table, in the order of the first of each.
pub(crate) fn columns(object: &ObjectReport) -> Vec<Vec<usize>> {
    let column = |kernel: usize| -> Vec<Consequence> {
        let programs = object.programs.iter().map(|program| program.verdicts[kernel].consequence);
        programs.chain([object.whole[kernel].consequence]).collect()
    };
    let mut columns: Vec<(Vec<Consequence>, Vec<usize>)> = Vec::new();
    for kernel in 0..object.whole.len() {
        let cells = column(kernel);
        match columns.iter_mut().find(|known| known.0 == cells) {
            Some(known) => known.1.push(kernel),
            None => columns.push((cells, vec![kernel])),
        }
    }
    columns.into_iter().map(|column| column.1).collect()
}
