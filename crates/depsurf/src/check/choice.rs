//! What becomes of an object as a whole, where its loader chooses among programs and targets.

use std::cmp::Reverse;

use super::object::{Prepared, PreparedProgram};
use super::report::{Finding, Verdict, Whole};
use super::rules::{Consequence, Rule};
use crate::bpf::{Group, Sec};

/// The targets that stand in the place of a program's section; none where there are no others.
pub(super) fn targets(program: &PreparedProgram<'_>) -> Vec<String> {
    let own = [program.program.sec.written];
    let written: Vec<&str> = program.targets.iter().map(|sec| sec.written).collect();
    if written == own { Vec::new() } else { written.into_iter().map(str::to_owned).collect() }
}

/// The verdict with the first target that works, or does least harm.
pub(super) fn first_that_works(targets: &[Sec<'_>], on: impl Fn(&Sec<'_>) -> Verdict) -> Verdict {
    let mut best: Option<Verdict> = None;
    for sec in targets {
        let verdict = on(sec);
        if verdict.consequence == Consequence::Fine {
            return verdict;
        }
        if best.as_ref().is_none_or(|best| verdict.consequence < best.consequence) {
            best = Some(verdict);
        }
    }
    best.unwrap_or_else(|| Verdict::new(Vec::new(), Vec::new()))
}

/// A verdict that rests on a guess: unknown, with what would become of the guess. What does not depend on the target
/// stays as it is.
pub(super) fn guessed(program: &PreparedProgram<'_>, verdict: Verdict) -> Verdict {
    let targets: Vec<&str> = program.targets.iter().map(|sec| sec.written).collect();
    let evidence = format!(
        "guessed from the loader's texts: `{}`, which would be {}",
        targets.join("`, else `"),
        verdict.consequence
    );
    let finding = Finding::new(Rule::TargetChosenByLoader, program.program.sec.written, evidence);
    let mut findings = vec![finding];
    findings.extend(verdict.findings.into_iter().filter(|it| it.place.is_some()));
    Verdict::new(findings, verdict.relocations)
}

/// The object as a whole: one program that is loaded by default and fails fails all, unless the loader has another
/// way or goes on without it.
pub(super) fn whole(prepared: &Prepared<'_>, findings: Vec<Finding>, verdicts: &[Verdict]) -> Whole {
    let fails = |consequence| consequence >= Consequence::AttachFails;
    let mut worst = findings.iter().map(|finding| finding.consequence).max().unwrap_or(Consequence::Fine);
    let mut failing = Vec::new();
    for (program, verdict) in prepared.programs.iter().zip(verdicts) {
        let is_grouped = prepared.choices.is_some_and(|choices| choices.is_grouped(program.program.name));
        if !program.sec().autoload || program.optional || is_grouped {
            continue;
        }
        worst = worst.max(verdict.consequence);
        if fails(verdict.consequence) {
            failing.push(program.program.name.to_owned());
        }
    }
    let groups = prepared.choices.map_or(&[][..], |choices| choices.groups());
    for group in groups.iter().filter(|group| !group.optional) {
        let Some((consequence, names)) = best_way(prepared, group, verdicts) else { continue };
        worst = worst.max(consequence);
        failing.extend(names.into_iter().map(str::to_owned));
    }
    Whole { consequence: worst, failing, findings }
}

/// What happens with the best set of a group, and which of its programs fail. `None` where the object has no set.
fn best_way<'o>(
    prepared: &Prepared<'o>,
    group: &Group,
    verdicts: &[Verdict],
) -> Option<(Consequence, Vec<&'o str>)> {
    let of = |name: &String| {
        let found = prepared.programs.iter().zip(verdicts).find(|(it, _)| it.program.name == name)?;
        Some((found.0.program.name, found.1.consequence))
    };
    let ways = group.ways.iter().filter_map(|way| {
        let members: Vec<(&str, Consequence)> = way.iter().map(of).collect::<Option<_>>()?;
        let worst = members.iter().map(|it| it.1).max()?;
        let failing = members.into_iter().filter(|it| it.1 >= Consequence::AttachFails).map(|it| it.0);
        Some((worst, failing.collect()))
    });
    // Of equals the first, which is the one that the loader would rather have.
    ways.rev().max_by_key(|way: &(Consequence, Vec<&str>)| Reverse(way.0))
}
