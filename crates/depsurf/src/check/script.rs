//! What becomes of scripts: their probes are judged as hooks, and the fields that can be seen are looked for.

use rayon::prelude::*;

use super::choice::first_that_works;
use super::hook;
use super::report::{Finding, ObjectReport, ProgramReport, Verdict, Whole};
use super::rules::{Consequence, Rule};
use crate::bpf::Sec;
use crate::script::Script;
use crate::surface::field::resolve;
use crate::surface::types::TypeKind;
use crate::surface::{Fact, Surface};

/// Compares scripts, by what they are called, with kernels. What is not judged is in [`Script::notes`].
#[must_use]
pub fn check_scripts(scripts: &[(&str, &Script)], kernels: &[&Surface]) -> Vec<ObjectReport> {
    scripts.iter().map(|(name, script)| of_script(name, script, kernels)).collect()
}

fn of_script(name: &str, script: &Script, kernels: &[&Surface]) -> ObjectReport {
    let on: Vec<(Vec<Verdict>, Whole)> = kernels
        .par_iter()
        .map(|surface| {
            let verdicts: Vec<Verdict> =
                script.probes.iter().map(|probe| of_probe(surface, &probe.sections)).collect();
            let whole = whole(script, fields(surface, script), &verdicts);
            (verdicts, whole)
        })
        .collect();
    let mut report = ObjectReport { name: name.to_owned(), whole: Vec::new(), programs: Vec::new() };
    report.programs.extend(script.probes.iter().map(|probe| ProgramReport {
        name: probe.name.clone(),
        section: probe.sections.first().cloned().unwrap_or_default(),
        targets: if probe.sections.len() > 1 { probe.sections.clone() } else { Vec::new() },
        autoload: true,
        optional: probe.optional,
        is_guess: false,
        verdicts: Vec::new(),
    }));
    for (verdicts, whole) in on {
        for (program, verdict) in report.programs.iter_mut().zip(verdicts) {
            program.verdicts.push(verdict);
        }
        report.whole.push(whole);
    }
    report
}

fn of_probe(surface: &Surface, sections: &[String]) -> Verdict {
    let sections: Vec<Sec<'_>> = sections.iter().map(|section| Sec::parse(section)).collect();
    first_that_works(&sections, |sec| {
        let mut findings = hook::findings(surface, sec);
        // These are libbpf's words, and the loader is another.
        findings.iter_mut().for_each(|finding| finding.message = None);
        Verdict::new(findings, Vec::new())
    })
}

/// The script as a whole: what it does not go on without, and of probes of which one is enough the best.
fn whole(script: &Script, findings: Vec<Finding>, verdicts: &[Verdict]) -> Whole {
    let mut worst = findings.iter().map(|finding| finding.consequence).max().unwrap_or(Consequence::Fine);
    let mut failing = Vec::new();
    let is_grouped = |number: usize| script.groups.iter().flatten().any(|list| list.contains(&number));
    for (number, (probe, verdict)) in script.probes.iter().zip(verdicts).enumerate() {
        if probe.optional || is_grouped(number) {
            continue;
        }
        worst = worst.max(verdict.consequence);
        if verdict.consequence >= Consequence::AttachFails {
            failing.push(probe.name.clone());
        }
    }
    for group in &script.groups {
        // All of a list, and of the lists the best.
        let of_list = |list: &Vec<usize>| {
            let members =
                list.iter().filter_map(|number| Some((script.probes.get(*number)?, verdicts.get(*number)?)));
            members.max_by_key(|(_, verdict)| verdict.consequence)
        };
        let best = group.iter().filter_map(of_list).min_by_key(|(_, verdict)| verdict.consequence);
        let Some((probe, best)) = best else { continue };
        worst = worst.max(best.consequence);
        if best.consequence >= Consequence::AttachFails {
            failing.push(probe.name.clone());
        }
    }
    Whole { consequence: worst, failing, findings }
}

/// Fields that the kernel does not have.
fn fields(surface: &Surface, script: &Script) -> Vec<Finding> {
    let mut findings = Vec::new();
    for field in script.fields.iter().filter(|field| field.kind == "read") {
        let Some((of, path)) = field.path.split_once("::") else { continue };
        let unread = surface.first_unread(&[Fact::Types]);
        let found = surface.types().find(TypeKind::Struct, of);
        if surface.types().find_all(TypeKind::Struct, of).any(|found| resolve(found, path).is_some()) {
            continue;
        }
        let finding = match (unread, found) {
            (Some((_, reason)), _) => Finding::new(Rule::EvidenceMissing, field.path.as_str(), reason),
            (None, Some(_)) => {
                let evidence = format!("`struct {of}` has no such member");
                Finding::new(Rule::FieldAbsent, field.path.as_str(), evidence)
            }
            // What is only in modules is not in the image.
            (None, None) => {
                let evidence = format!("no `struct {of}` in the image; modules were not read");
                Finding::new(Rule::TypeAbsent, field.path.as_str(), evidence).so(Consequence::Unknown)
            }
        };
        let is_sure = script.is_compiled_as_written || finding.consequence <= Consequence::Unknown;
        findings.push(if is_sure {
            finding
        } else {
            let evidence = format!("{}; whether the code is compiled cannot be seen", finding.evidence);
            Finding { evidence, ..finding }.so(Consequence::Unknown)
        });
    }
    findings
}
