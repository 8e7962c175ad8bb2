//! What was found: per object, program and kernel.

use serde::Serialize;

use super::loader::Said;
use super::rules::{Consequence, Rule};
use super::way::Way;
use crate::kernel::KernelId;

/// Number of the JSON in which reports are written; changed whenever a field changes its meaning or goes.
pub const SCHEMA: u32 = 1;

/// An error number of Linux, as loaders report it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "the names are Linux'")]
pub enum Errno {
    Enoent,
    Esrch,
    E2big,
    Eacces,
    Ebusy,
    Einval,
    Erange,
    Eaddrnotavail,
    Enotsupp,
}

impl Errno {
    /// The number, negated as in messages: -2.
    #[must_use]
    pub fn number(self) -> i32 {
        match self {
            Self::Enoent => 2,
            Self::Esrch => 3,
            Self::E2big => 7,
            Self::Eacces => 13,
            Self::Ebusy => 16,
            Self::Einval => 22,
            Self::Erange => 34,
            Self::Eaddrnotavail => 99,
            Self::Enotsupp => 524,
        }
    }

    /// `ENOENT`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Enoent => "ENOENT",
            Self::Esrch => "ESRCH",
            Self::E2big => "E2BIG",
            Self::Eacces => "EACCES",
            Self::Ebusy => "EBUSY",
            Self::Einval => "EINVAL",
            Self::Erange => "ERANGE",
            Self::Eaddrnotavail => "EADDRNOTAVAIL",
            Self::Enotsupp => "ENOTSUPP",
        }
    }

    /// What C's `strerror` says.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::Enoent => "No such file or directory",
            Self::Esrch => "No such process",
            Self::E2big => "Argument list too long",
            Self::Eacces => "Permission denied",
            Self::Ebusy => "Device or resource busy",
            Self::Einval => "Invalid argument",
            Self::Erange => "Numerical result out of range",
            Self::Eaddrnotavail => "Cannot assign requested address",
            Self::Enotsupp => "Unknown error 524",
        }
    }
}

impl Serialize for Errno {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// A place in the program's source.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Place {
    /// File, as the compiler was given it.
    pub file: String,
    /// Line, from 1.
    pub line: u32,
    /// Column, from 1; 0 where it is not told.
    pub column: u32,
    /// The line itself.
    pub text: String,
}

/// Why a finding is not held against a program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "by", rename_all = "kebab-case")]
pub enum Settled {
    /// An earlier report has it, and as bad.
    Baseline,
    /// Nothing of what the program depends on changed since the lock file was written.
    Lock,
    /// Somebody looked at it and put up with it.
    Allow {
        /// What they say about it.
        reason: String,
        /// The last day on which that holds, as `2027-01-31`; none where it holds for good.
        #[serde(skip_serializing_if = "Option::is_none")]
        until: Option<String>,
    },
}

/// A dependency that does not hold on a kernel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Finding {
    /// The rule.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub rule: Rule,
    /// What happens.
    pub consequence: Consequence,
    /// What it is about: `blk_account_io_start`, `task_struct::state`.
    pub subject: String,
    /// What of the kernel shows it.
    pub evidence: String,
    /// The error that the loader returns; none where nothing fails.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub errno: Option<Errno>,
    /// What libbpf says, without the name of the object; none where it says nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// What each loader says, where one says or does something else than libbpf; empty where that is not known or asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub loaders: Vec<Said>,
    /// The line of the program that depends on it; none where the object does not tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// Read-only variables that loaders set, and on which it depends whether this matters. Empty where it always does.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<String>,
    /// Ways out on this kernel, the preferred ones first; empty where none was found or looked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ways: Vec<Way>,
    /// Why it does not count; none where it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settled: Option<Settled>,
}

impl Finding {
    /// A finding with the consequence of its rule.
    #[must_use]
    pub fn new(rule: Rule, subject: impl Into<String>, evidence: impl Into<String>) -> Self {
        Self {
            rule,
            consequence: rule.entry().consequence,
            subject: subject.into(),
            evidence: evidence.into(),
            errno: None,
            message: None,
            loaders: Vec::new(),
            place: None,
            depends_on: Vec::new(),
            ways: Vec::new(),
            settled: None,
        }
    }

    /// With the error and what libbpf says.
    #[must_use]
    pub fn fails(mut self, errno: Errno, message: impl Into<String>) -> Self {
        (self.errno, self.message) = (Some(errno), Some(message.into()));
        self
    }

    /// With another consequence.
    #[must_use]
    pub fn so(mut self, consequence: Consequence) -> Self {
        self.consequence = consequence;
        self
    }

    /// With the line of the program.
    #[must_use]
    pub fn at(mut self, place: Option<Place>) -> Self {
        self.place = place;
        self
    }
}

/// What a relocation gives on a kernel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Relocated {
    /// Number of the instruction in the program, with the functions that it calls behind it.
    pub instruction: usize,
    /// What is asked, in libbpf's word: `byte_off`.
    pub kind: &'static str,
    /// Of what: `task_struct::__state`.
    pub path: String,
    /// The number; none where the instruction is poisoned.
    pub value: Option<u64>,
    /// Whether the verifier gets to the instruction.
    pub reached: bool,
    /// What other loaders make of it, where it is something else than what libbpf does.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub loaders: Vec<Said>,
    /// The line of the program.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
}

/// A program on a kernel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Verdict {
    /// What happens, the worst of all findings.
    pub consequence: Consequence,
    /// What was found; empty where it is fine.
    pub findings: Vec<Finding>,
    /// CO-RE relocations, in the order of the instructions.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub relocations: Vec<Relocated>,
    /// Whether a lock file has the same facts.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub unchanged: bool,
}

impl Verdict {
    /// The verdict of some findings.
    #[must_use]
    pub fn new(findings: Vec<Finding>, relocations: Vec<Relocated>) -> Self {
        let worst = findings.iter().filter(|it| it.depends_on.is_empty()).map(|it| it.consequence).max();
        Self { consequence: worst.unwrap_or(Consequence::Fine), findings, relocations, unchanged: false }
    }
}

/// A program of an object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ProgramReport {
    /// Name of its function.
    pub name: String,
    /// Section, as written.
    pub section: String,
    /// What it attaches to in its place, as the loader chooses; of several the first that works. Empty where the
    /// section is right.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<String>,
    /// Whether these are a guess from the loader's texts.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_guess: bool,
    /// Whether it is loaded unless the loader says otherwise.
    pub autoload: bool,
    /// Whether the loader goes on without it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub optional: bool,
    /// One for each kernel, in the order of the report's kernels.
    pub verdicts: Vec<Verdict>,
}

/// An object on a kernel, as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Whole {
    /// What happens when it is loaded: the worst of all programs that are loaded by default and that the loader does
    /// not go on without. Of programs of which it takes some, what the best set does.
    pub consequence: Consequence,
    /// What is about the object and none of its programs: maps, externs.
    pub findings: Vec<Finding>,
    /// Programs that are loaded by default and fail, so that no program of the object works.
    pub failing: Vec<String>,
}

/// An object on some kernels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ObjectReport {
    /// What it is called: a file, and which of the objects in it.
    pub name: String,
    /// One for each kernel, in the order of the report's kernels.
    pub whole: Vec<Whole>,
    /// Its programs, in the order of the file.
    pub programs: Vec<ProgramReport>,
}

/// Objects on kernels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Report {
    /// The kernels, in the order of all lists in it.
    #[serde(serialize_with = "names")]
    #[cfg_attr(feature = "schema", schemars(with = "Vec<String>"))]
    pub kernels: Vec<KernelId>,
    /// The objects.
    pub objects: Vec<ObjectReport>,
}

impl Report {
    /// The worst of what counts: of findings that nothing settles and that are certain, in programs that are loaded by default and
    /// in objects themselves.
    #[must_use]
    pub fn counts(&self) -> Consequence {
        let mut worst = Consequence::Fine;
        for object in &self.objects {
            for (kernel, whole) in object.whole.iter().enumerate() {
                let own = open(&whole.findings).map(|finding| finding.consequence);
                let programs = object.programs.iter().filter(|program| program.autoload && !program.optional);
                let findings =
                    programs.filter_map(|it| it.verdicts.get(kernel)).flat_map(|it| open(&it.findings));
                let certain = findings.filter(|it| it.depends_on.is_empty());
                // Where the loader has another way, what one program cannot do is not what happens to the object.
                let of_programs = certain.map(|finding| finding.consequence.min(whole.consequence));
                worst = own.chain(of_programs).max().unwrap_or(Consequence::Fine).max(worst);
            }
        }
        worst
    }

    /// The report without findings that are settled. What happens to a program is still told by all its findings.
    #[must_use]
    pub fn unsettled(&self) -> Self {
        let mut report = self.clone();
        for object in &mut report.objects {
            let whole = object.whole.iter_mut().map(|whole| &mut whole.findings);
            let verdicts = object.programs.iter_mut().flat_map(|program| &mut program.verdicts);
            let of_programs = verdicts.map(|verdict| &mut verdict.findings);
            whole.chain(of_programs).for_each(|findings| findings.retain(|it| it.settled.is_none()));
        }
        report
    }

    /// What is left to look at: [`Report::unsettled`], and of that only programs with findings or with other facts than in the lock
    /// file, and objects with such programs or findings.
    #[must_use]
    pub fn pending(&self) -> Self {
        let mut report = self.unsettled();
        let mut verdicts =
            report.objects.iter().flat_map(|it| &it.programs).flat_map(|program| &program.verdicts);
        let locked = verdicts.any(|verdict| verdict.unchanged);
        for object in &mut report.objects {
            object.programs.retain(|program| {
                program.verdicts.iter().any(|it| !it.findings.is_empty() || locked && !it.unchanged)
            });
        }
        report.objects.retain(|object| {
            !object.programs.is_empty() || object.whole.iter().any(|whole| !whole.findings.is_empty())
        });
        report
    }
}

/// The findings that nothing settles.
fn open(findings: &[Finding]) -> impl Iterator<Item = &Finding> {
    findings.iter().filter(|finding| finding.settled.is_none())
}

/// Kernels by their names.
fn names<S: serde::Serializer>(kernels: &[KernelId], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(kernels.iter().map(KernelId::to_string))
}
