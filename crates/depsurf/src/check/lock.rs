//! A lock file: of each program on each kernel a fingerprint of what was found, so that only changes are reported.
//!
//! A fingerprint covers what the kernel says: consequences, evidence, errors, what relocations give. Where in the source that
//! is used is not part of it. A kernel that is not in the file is compared with its nearest older relative there.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use super::report::{Errno, Finding, ObjectReport, Relocated, Report, Settled};
use super::rules::{Consequence, Rule};
use crate::error::{Error, Result};
use crate::kernel::KernelId;

/// Number of the file's format.
const SCHEMA: u32 = 1;

/// What stands in the place of a program for what is of the object itself. No function in C is called so.
const OBJECT: &str = "(object)";

/// By program, then by kernel.
type Programs = BTreeMap<String, BTreeMap<String, String>>;

/// Fingerprints of programs on kernels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    schema: u32,
    objects: BTreeMap<String, Programs>,
}

/// How many programs on kernels are as in the lock file; an object itself counts as a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Compared {
    /// With the same facts.
    pub unchanged: usize,
    /// With other facts.
    pub changed: usize,
    /// With nothing to compare with.
    pub new: usize,
}

impl Default for Lock {
    fn default() -> Self {
        Self { schema: SCHEMA, objects: BTreeMap::new() }
    }
}

impl Lock {
    /// Reads a lock file.
    ///
    /// # Errors
    /// When it is something else, or of another schema.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let help = "write it again with --update-lock, after removing it";
        let refused = |what: String| Error::Usage { what, help: Some(help.into()) };
        let lock: Self =
            serde_json::from_slice(bytes).map_err(|error| refused(format!("not a lock file: {error}")))?;
        if lock.schema == SCHEMA {
            return Ok(lock);
        }
        Err(refused(format!("a lock file of schema {}, this program reads schema {SCHEMA}", lock.schema)))
    }

    /// The file.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("plain data serialises") + "\n"
    }

    /// Takes over what a report says. What it does not speak of, objects and kernels, stays.
    ///
    /// The report must have its relocations ([`super::Options::relocations`]), here and in [`Lock::settle`].
    pub fn update(&mut self, report: &Report) {
        let kernels: Vec<String> = report.kernels.iter().map(ToString::to_string).collect();
        for object in &report.objects {
            let programs = self.objects.entry(object.name.clone()).or_default();
            programs.values_mut().for_each(|known| known.retain(|kernel, _| !kernels.contains(kernel)));
            for (program, prints) in fingerprints(object) {
                programs.entry(program).or_default().extend(kernels.iter().cloned().zip(prints));
            }
            programs.retain(|_, known| !known.is_empty());
        }
    }

    /// Settles all findings of programs whose facts are as they were.
    pub fn settle(&self, report: &mut Report) -> Compared {
        let mut compared = Compared::default();
        for object in &mut report.objects {
            let known = self.objects.get(&object.name);
            let bases: Vec<Option<String>> = report
                .kernels
                .iter()
                .map(|kernel| known.and_then(|programs| base(programs, kernel)))
                .collect();
            for (number, (program, prints)) in fingerprints(object).into_iter().enumerate() {
                for (kernel, print) in prints.iter().enumerate() {
                    let before = bases[kernel].as_ref().and_then(|base| known?.get(&program)?.get(base));
                    match before {
                        None => compared.new += 1,
                        Some(before) if before != print => compared.changed += 1,
                        Some(_) => {
                            compared.unchanged += 1;
                            settle(object, number, kernel);
                        }
                    }
                }
            }
        }
        compared
    }
}

/// Settles the findings of the program of a number, or behind the last of the object itself.
fn settle(object: &mut ObjectReport, number: usize, kernel: usize) {
    let findings = match object.programs.get_mut(number) {
        Some(program) => {
            let verdict = &mut program.verdicts[kernel];
            verdict.unchanged = true;
            &mut verdict.findings
        }
        None => &mut object.whole[kernel].findings,
    };
    for finding in findings {
        finding.settled.get_or_insert(Settled::Lock);
    }
}

/// The kernel to compare with: itself, else the nearest older one of its flavour and architecture.
fn base(programs: &Programs, kernel: &KernelId) -> Option<String> {
    let name = kernel.to_string();
    let names = || programs.values().flat_map(BTreeMap::keys);
    if names().any(|known| *known == name) {
        return Some(name);
    }
    let relatives = names().filter_map(|known| known.parse::<KernelId>().ok());
    let older = relatives.filter(|it| it.flavour == kernel.flavour && it.arch == kernel.arch && it < kernel);
    older.max().map(|it| it.to_string())
}

/// What of a finding is about the kernel.
#[derive(Serialize)]
struct Facts<'f> {
    consequence: Consequence,
    findings: Vec<FindingFacts<'f>>,
    relocations: Vec<RelocationFacts<'f>>,
}

#[derive(Serialize)]
struct FindingFacts<'f> {
    rule: Rule,
    consequence: Consequence,
    subject: &'f str,
    evidence: &'f str,
    errno: Option<i32>,
    message: Option<&'f str>,
    depends_on: &'f [String],
}

#[derive(Serialize)]
struct RelocationFacts<'f> {
    path: &'f str,
    kind: &'f str,
    value: Option<u64>,
    reached: bool,
}

impl<'f> Facts<'f> {
    fn new(consequence: Consequence, findings: &'f [Finding], relocations: &'f [Relocated]) -> Self {
        let finding = |it: &'f Finding| FindingFacts {
            rule: it.rule,
            consequence: it.consequence,
            subject: &it.subject,
            evidence: &it.evidence,
            errno: it.errno.map(Errno::number),
            message: it.message.as_deref(),
            depends_on: &it.depends_on,
        };
        let relocation = |it: &'f Relocated| RelocationFacts {
            path: &it.path,
            kind: it.kind,
            value: it.value,
            reached: it.reached,
        };
        Self {
            consequence,
            findings: findings.iter().map(finding).collect(),
            relocations: relocations.iter().map(relocation).collect(),
        }
    }

    fn fingerprint(&self) -> String {
        format!("{:016x}", xxh3_64(&serde_json::to_vec(self).expect("plain data serialises")))
    }
}

/// Of each program, and last of the object itself, one for each kernel.
fn fingerprints(object: &ObjectReport) -> Vec<(String, Vec<String>)> {
    let mut all = Vec::new();
    for program in &object.programs {
        let prints =
            program.verdicts.iter().map(|it| Facts::new(it.consequence, &it.findings, &it.relocations));
        all.push((program.name.clone(), prints.map(|facts| facts.fingerprint()).collect()));
    }
    let own = object.whole.iter().map(|whole| {
        let worst = whole.findings.iter().map(|it| it.consequence).max();
        Facts::new(worst.unwrap_or(Consequence::Fine), &whole.findings, &[]).fingerprint()
    });
    all.push((OBJECT.to_owned(), own.collect()));
    all
}
