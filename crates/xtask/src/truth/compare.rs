//! Predictions x what booted kernels made of them.

use anyhow::{Context, Result, ensure};
use depsurf::bpf::{Hook, Object};
use depsurf::check::{
    Consequence, Errno, Finding, ObjectReport, Options, Prepared, ProgramReport, Rule, check,
};
use depsurf::surface::Surface;

use super::objects::Carried;
use super::outcome::{Outcome, Stage, Told};
use super::sample::{self, Try};

/// What the library says of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prediction {
    /// How far it gets; `None` where that was not judged.
    pub stage: Option<Stage>,
    /// The rule behind a stage that is not the last, or behind its being unknown.
    pub rule: Option<Rule>,
    pub errno: Option<Errno>,
    pub evidence: String,
}

/// An attempt, predicted and made.
#[derive(Debug, Clone)]
pub struct Compared {
    /// In the machine's word: `program`, `whole`, `kprobe`.
    pub what: &'static str,
    pub subject: String,
    pub class: &'static str,
    /// Whether it can only be seen as far as loading, because only a loader knows what to attach to.
    pub only_load: bool,
    pub prediction: Prediction,
    pub outcome: Outcome,
}

/// How a verdict relates to the truth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grade {
    Right,
    /// It was not said that anything fails, and something did.
    FalseFine,
    /// It was said that something fails, and nothing did.
    FalseAlarm,
    /// It fails at another stage than was said.
    OtherStage,
    /// Nothing was said.
    Unjudged,
}

impl Compared {
    /// How the verdict relates to the truth.
    pub fn grade(&self) -> Grade {
        let Some(predicted) = self.prediction.stage else { return Grade::Unjudged };
        let (predicted, seen) = match self.only_load {
            true => (self.up_to_load(predicted), self.up_to_load(self.outcome.stage)),
            false => (predicted, self.outcome.stage),
        };
        match (predicted, seen) {
            (predicted, seen) if predicted == seen => Grade::Right,
            (Stage::Works, _) => Grade::FalseFine,
            (_, Stage::Works) => Grade::FalseAlarm,
            _ => Grade::OtherStage,
        }
    }

    fn up_to_load(&self, stage: Stage) -> Stage {
        if stage == Stage::Load { Stage::Load } else { Stage::Works }
    }

    /// Whether it failed, as far as that can be seen.
    pub fn failed(&self) -> bool {
        match self.only_load {
            true => self.outcome.stage == Stage::Load,
            false => self.outcome.stage != Stage::Works,
        }
    }

    /// The rule that what the kernel and libbpf said stands for; `None` where it does not work out.
    pub fn cause(&self) -> Option<Rule> {
        if !self.failed() {
            return None;
        }
        let text = self.outcome.message.as_str();
        let said = SAYINGS.iter().find(|(words, _)| text.contains(words)).map(|(_, rule)| *rule);
        let is_probe = matches!(self.what, "kprobe" | "kretprobe") || text.contains("perf event");
        said.or(match (self.outcome.errno, is_probe) {
            (99, _) => Some(Rule::SeveralSymbols),
            (2, true) => Some(Rule::NoSymbol),
            (22, true) => Some(Rule::Blacklisted),
            (16, false) => Some(Rule::NoFtraceSite),
            (524, false) => Some(Rule::SignatureNotTraceable),
            (13, false) if self.outcome.stage == Stage::Attach => Some(Rule::RecordTooShort),
            (3, false) => Some(match self.what {
                "tp_btf" => Rule::NoBtfTrace,
                "lsm" | "lsm.s" => Rule::NoLsmHook,
                _ => Rule::NoBtfFunc,
            }),
            (2, false) => match self.what {
                "event" => Some(Rule::NoEvent),
                "raw_tp" => Some(Rule::NoRawTracepoint),
                _ => None,
            },
            _ => None,
        })
    }
}

/// Words of libbpf and the kernel, and the rules they stand for; the first that is found counts.
const SAYINGS: [(&str, Rule); 16] = [
    ("probe notrace function", Rule::NoFtraceSite),
    ("failed to determine tracepoint", Rule::NoEvent),
    ("The address of function", Rule::NoFuncAddress),
    ("() is not modifiable", Rule::NotModifiable),
    ("is not sleepable", Rule::NotSleepable),
    ("__noreturn function", Rule::NoReturn),
    ("Attaching tracing programs to function", Rule::DenyListed),
    ("points to wrong type name bpf_lsm", Rule::LsmHookDisabled),
    ("points to disabled hook", Rule::LsmHookDisabled),
    ("invalid CO-RE relocation", Rule::FieldAbsent),
    ("invalid func unknown#195896080", Rule::FieldAbsent),
    ("invalid func unknown#", Rule::NoHelper),
    ("unknown func ", Rule::NoHelper),
    ("extern (kcfg)", Rule::NoKconfigOption),
    ("-th argument", Rule::ArgumentAbsent),
    ("failed to find kernel BTF type ID", Rule::NoBtfFunc),
];

/// Compares what a boot told with the predictions on the surface of the kernel that was booted.
pub fn compare(surface: &Surface, objects: &[Carried], tries: &[Try], told: &Told) -> Result<Vec<Compared>> {
    let bytes = sample::object(tries, surface.meta().big_endian);
    let parsed: Vec<Object<'_>> = objects
        .iter()
        .map(|carried| carried.bytes.as_slice())
        .chain([bytes.as_slice()])
        .map(Object::parse)
        .collect::<Result<_, _>>()?;
    let names = objects.iter().map(|carried| carried.name.as_str()).chain([""]);
    let prepared: Vec<Prepared<'_>> =
        names.zip(&parsed).map(|(name, object)| Prepared::new(name, object)).collect::<Result<_, _>>()?;
    let mut reports = check(&prepared, &[surface], Options::default()).objects;

    let mut compared = Vec::new();
    let sampled = reports.pop().context("the sample is an object as well")?;
    ensure!(
        parsed.last().is_some_and(|object| sample::is_whole(tries, object)),
        "not every attempt became a program"
    );
    for program in &sampled.programs {
        let attempt = sample::of_program(tries, &program.name).context("programs are attempts")?;
        // A machine without BTF tries less.
        let Some(outcome) = told.outcome(attempt.what, &attempt.name) else { continue };
        compared.push(Compared {
            what: attempt.what,
            subject: attempt.name.clone(),
            class: attempt.class,
            only_load: false,
            prediction: predicted(program.verdicts.iter().flat_map(|verdict| &verdict.findings)),
            outcome: outcome.clone(),
        });
    }
    for (report, object) in reports.iter().zip(&parsed) {
        compared.extend(of_object(report, object, told));
    }
    Ok(compared)
}

/// An object's programs one by one, and all together.
fn of_object(report: &ObjectReport, object: &Object<'_>, told: &Told) -> Vec<Compared> {
    let mut compared = Vec::new();
    let whole = report.whole.first();
    let of_all = || whole.iter().flat_map(|whole| &whole.findings);
    let by_hook = object.programs().filter(|program| is_by_loader(&program.sec.hook)).map(|it| it.name);
    // Targets in user space that libbpf cannot read are the loader's, too.
    let says_so =
        |program: &&ProgramReport| of_program(program).any(|it| it.rule == Rule::TargetChosenByLoader);
    let by_report = report.programs.iter().filter(says_so).map(|it| it.name.as_str());
    let by_loader: Vec<&str> = by_hook.chain(by_report).collect();
    for program in &report.programs {
        let subject = format!("{}/{}", report.name, program.name);
        let Some(outcome) = told.outcome("program", &subject) else { continue };
        let prediction = predicted(of_all().chain(of_program(program)));
        let only_load = by_loader.contains(&program.name.as_str());
        let class = "of an object";
        let outcome = outcome.clone();
        compared.push(Compared { what: "program", subject, class, only_load, prediction, outcome });
    }
    if let Some(outcome) = told.outcome("whole", &report.name) {
        let default = report.programs.iter().filter(|program| program.autoload);
        compared.push(Compared {
            what: "whole",
            subject: report.name.clone(),
            class: "object",
            // Attaching ends with the first that fails.
            only_load: by_loader.contains(&outcome.program.as_str()),
            prediction: predicted(of_all().chain(default.flat_map(of_program))),
            outcome: outcome.clone(),
        });
    }
    compared
}

fn of_program(program: &ProgramReport) -> impl Iterator<Item = &Finding> {
    program.verdicts.iter().flat_map(|verdict| &verdict.findings)
}

/// Whether a program attaches to something that is not the kernel's, or that its section does not tell.
fn is_by_loader(hook: &Hook<'_>) -> bool {
    match hook {
        Hook::Kprobe { function: None, .. }
        | Hook::Ksyscall { name: None, .. }
        | Hook::Tracepoint { target: None }
        | Hook::RawTracepoint { name: None, .. }
        | Hook::TpBtf { name: None }
        | Hook::Trace { function: None, .. }
        | Hook::Lsm { hook: None, .. }
        | Hook::Iter { target: None }
        | Hook::Uprobe { .. }
        | Hook::Usdt { .. }
        | Hook::Freplace { .. }
        | Hook::StructOps { .. }
        | Hook::Syscall
        | Hook::Other => true,
        Hook::Kprobe { .. }
        | Hook::Ksyscall { .. }
        | Hook::Tracepoint { .. }
        | Hook::RawTracepoint { .. }
        | Hook::TpBtf { .. }
        | Hook::Trace { .. }
        | Hook::Lsm { .. }
        | Hook::Iter { .. }
        | Hook::Malformed { .. }
        | Hook::Unknown => false,
    }
}

/// What findings mean for an attempt with the object's own constants.
fn predicted<'f>(findings: impl Iterator<Item = &'f Finding>) -> Prediction {
    let counts =
        |finding: &&Finding| finding.depends_on.is_empty() && finding.rule != Rule::TargetChosenByLoader;
    let worst = findings.filter(counts).max_by_key(|finding| finding.consequence);
    let stage = match worst.map_or(Consequence::Fine, |finding| finding.consequence) {
        Consequence::ObjectFails | Consequence::LoadFails => Some(Stage::Load),
        Consequence::AttachFails => Some(Stage::Attach),
        Consequence::Unknown => None,
        Consequence::Fine | Consequence::ReadsWrong | Consequence::MissesEvents => Some(Stage::Works),
    };
    let worst = worst.filter(|_| stage != Some(Stage::Works));
    Prediction {
        stage,
        rule: worst.map(|finding| finding.rule),
        errno: worst.and_then(|finding| finding.errno),
        evidence: worst
            .map_or_else(String::new, |finding| format!("{}: {}", finding.subject, finding.evidence)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compared(predicted: Option<Stage>, seen: Stage, only_load: bool) -> Compared {
        let errno = if seen == Stage::Works { 0 } else { 99 };
        Compared {
            what: "kprobe",
            subject: "f".into(),
            class: "global",
            only_load,
            prediction: Prediction { stage: predicted, rule: None, errno: None, evidence: String::new() },
            outcome: Outcome { stage: seen, errno, message: String::new(), program: "-".into() },
        }
    }

    #[test]
    fn verdicts_are_graded() {
        let grade = |predicted, seen, only_load| compared(predicted, seen, only_load).grade();
        assert_eq!(grade(Some(Stage::Works), Stage::Works, false), Grade::Right);
        assert_eq!(grade(Some(Stage::Works), Stage::Attach, false), Grade::FalseFine);
        assert_eq!(grade(Some(Stage::Attach), Stage::Works, false), Grade::FalseAlarm);
        assert_eq!(grade(Some(Stage::Attach), Stage::Load, false), Grade::OtherStage);
        assert_eq!(grade(None, Stage::Load, false), Grade::Unjudged);
        assert_eq!(grade(Some(Stage::Works), Stage::Attach, true), Grade::Right);
        assert_eq!(grade(Some(Stage::Works), Stage::Load, true), Grade::FalseFine);
    }

    #[test]
    fn the_worst_finding_decides_unless_a_loader_does() {
        let finding = |rule| Finding::new(rule, "f", "");
        let misses = predicted([finding(Rule::InlinedCopies)].iter());
        assert_eq!((misses.stage, misses.rule), (Some(Stage::Works), None));
        let by_loader = predicted([finding(Rule::TargetChosenByLoader)].iter());
        assert_eq!(by_loader.stage, Some(Stage::Works));
        let both = predicted([finding(Rule::NoSymbol), finding(Rule::FieldAbsent)].iter());
        assert_eq!((both.stage, both.rule), (Some(Stage::Load), Some(Rule::FieldAbsent)));
        assert_eq!(predicted([finding(Rule::EvidenceMissing)].iter()).stage, None);
    }

    #[test]
    fn errors_stand_for_rules() {
        assert_eq!(compared(None, Stage::Attach, false).cause(), Some(Rule::SeveralSymbols));
        assert_eq!(compared(None, Stage::Works, false).cause(), None);
        let mut notrace = compared(None, Stage::Attach, false);
        notrace.outcome.errno = 22;
        assert_eq!(notrace.cause(), Some(Rule::Blacklisted));
        notrace.outcome.message = "kernel: trace_kprobe: Could not probe notrace function f".into();
        assert_eq!(notrace.cause(), Some(Rule::NoFtraceSite));
    }
}
