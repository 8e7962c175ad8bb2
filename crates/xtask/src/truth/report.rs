//! Tables of how predictions fared, as Markdown.

use std::collections::BTreeMap;
use std::fmt::Write;

use depsurf::check::{Errno, Rule};

use super::compare::{Compared, Grade};
use super::lists::Listed;
use super::outcome::Stage;
use crate::bench::Table;

/// A kernel that was booted.
#[derive(Debug)]
pub struct Booted {
    /// Name of the kernel, with its machine.
    pub kernel: String,
    /// How it was booted, and with which libbpf.
    pub how: String,
    pub compared: Vec<Compared>,
    /// What the kernel lists of itself.
    pub lists: Vec<Listed>,
    /// Lines that the machine's program wrote about itself.
    pub troubles: Vec<String>,
}

/// Counts of grades.
#[derive(Debug, Default, Clone, Copy)]
struct Tally {
    right: usize,
    false_fine: usize,
    false_alarm: usize,
    other_stage: usize,
    unjudged: usize,
    failed: usize,
    /// Of those that were rightly said to fail, those whose error number was said too.
    same_errno: usize,
    with_errno: usize,
}

impl Tally {
    fn of<'c>(all: impl Iterator<Item = &'c Compared>) -> Self {
        let mut tally = Self::default();
        for compared in all {
            let grade = compared.grade();
            match grade {
                Grade::Right => tally.right += 1,
                Grade::FalseFine => tally.false_fine += 1,
                Grade::FalseAlarm => tally.false_alarm += 1,
                Grade::OtherStage => tally.other_stage += 1,
                Grade::Unjudged => tally.unjudged += 1,
            }
            tally.failed += usize::from(compared.failed());
            if let Some(errno) = compared.prediction.errno.filter(|_| grade == Grade::Right) {
                tally.with_errno += 1;
                tally.same_errno += usize::from(errno.number() == compared.outcome.errno);
            }
        }
        tally
    }

    fn verdicts(self) -> usize {
        self.right + self.false_fine + self.false_alarm + self.other_stage
    }

    fn cells(self) -> [String; 9] {
        let share = match self.verdicts() {
            0 => "-".into(),
            all => format!("{:.2}", 100.0 * self.right as f64 / all as f64),
        };
        [
            self.verdicts().to_string(),
            self.failed.to_string(),
            self.right.to_string(),
            share,
            self.false_fine.to_string(),
            self.false_alarm.to_string(),
            self.other_stage.to_string(),
            self.unjudged.to_string(),
            format!("{} of {}", self.same_errno, self.with_errno),
        ]
    }
}

const TALLY: [&str; 9] = [
    "verdicts",
    "failed",
    "right",
    "right %",
    "false fine",
    "false alarm",
    "other stage",
    "not judged",
    "same errno",
];

/// All tables.
pub fn report(kernels: &[Booted]) -> String {
    let mut text = String::new();
    for booted in kernels {
        let _ = writeln!(text, "- {}: {}", booted.kernel, booted.how);
        for trouble in &booted.troubles {
            let _ = writeln!(text, "  - trouble: `{}`", trouble.replace('\t', " "));
        }
    }
    let all = || kernels.iter().flat_map(|booted| &booted.compared);
    let by_kernel = kernels.iter().map(|booted| (booted.kernel.as_str(), Tally::of(booted.compared.iter())));
    let sum = ("all", Tally::of(all()));
    text += &tallies("### By kernel", "kernel", by_kernel.chain([sum]));
    let mut kinds: BTreeMap<&str, Vec<&Compared>> = BTreeMap::new();
    let mut classes: BTreeMap<&str, Vec<&Compared>> = BTreeMap::new();
    for compared in all() {
        kinds.entry(compared.what).or_default().push(compared);
        classes.entry(compared.class).or_default().push(compared);
    }
    let tally = |(name, list): (&'static str, Vec<&Compared>)| (name, Tally::of(list.into_iter()));
    text += &tallies("### By kind of attempt", "kind", kinds.into_iter().map(tally));
    text += &tallies("### By class of the name", "class", classes.into_iter().map(tally));
    text += &rules(&all().collect::<Vec<_>>());
    text += &misses(kernels);
    text
}

/// What kernels list of themselves.
pub fn lists(kernels: &[Booted]) -> String {
    let mut text = String::new();
    let head = ["kernel", "list", "there", "equal", "explained", "only there", "only here"];
    let mut table = Table::new("### What the kernels list of themselves", &head);
    let mut examples = String::new();
    for booted in kernels {
        for trouble in &booted.troubles {
            let _ = writeln!(text, "- {}: trouble: `{}`", booted.kernel, trouble.replace('\t', " "));
        }
        for list in &booted.lists {
            table.row([
                booted.kernel.clone(),
                format!("`{}`", list.path),
                list.there.to_string(),
                list.equal.to_string(),
                list.explained.values().map(Vec::len).sum::<usize>().to_string(),
                list.only_there.len().to_string(),
                list.only_here.len().to_string(),
            ]);
            for (reason, names) in &list.explained {
                let shown = Listed::examples(names);
                let _ = writeln!(
                    examples,
                    "- {} `{}`, {} {reason}: {shown}",
                    booted.kernel,
                    list.path,
                    names.len()
                );
            }
            for (side, names) in [("only there", &list.only_there), ("only here", &list.only_here)] {
                if !names.is_empty() {
                    let shown = Listed::examples(names);
                    let _ = writeln!(examples, "- {} `{}`, {side}: {shown}", booted.kernel, list.path);
                }
            }
        }
    }
    text + &table.markdown() + "\n" + &examples
}

fn tallies<'n>(title: &str, first: &str, rows: impl Iterator<Item = (&'n str, Tally)>) -> String {
    let head: Vec<&str> = std::iter::once(first).chain(TALLY).collect();
    let mut table = Table::new(title, &head);
    for (name, tally) in rows {
        table.row(std::iter::once(name.to_owned()).chain(tally.cells()));
    }
    format!("\n{}", table.markdown())
}

/// Positives and negatives of each rule that was said or should have been.
fn rules(all: &[&Compared]) -> String {
    #[derive(Default)]
    struct Row {
        true_positive: usize,
        false_positive: usize,
        false_negative: usize,
    }
    let judged: Vec<_> = all.iter().filter(|it| it.grade() != Grade::Unjudged).collect();
    let mut rows: BTreeMap<Option<Rule>, Row> = BTreeMap::new();
    for compared in &judged {
        let (said, grade) = (compared.prediction.rule, compared.grade());
        if compared.prediction.stage != Some(Stage::Works) {
            let row = rows.entry(said).or_default();
            match grade {
                Grade::Right => row.true_positive += 1,
                _ => row.false_positive += 1,
            }
        }
        if matches!(grade, Grade::FalseFine | Grade::OtherStage) {
            rows.entry(compared.cause()).or_default().false_negative += 1;
        }
    }
    let head = ["rule", "true positive", "false positive", "false negative", "true negative"];
    let mut table = Table::new("### By rule", &head);
    for (rule, row) in rows {
        let said = row.true_positive + row.false_positive + row.false_negative;
        table.row([
            rule.map_or("another reason", Rule::id).to_owned(),
            row.true_positive.to_string(),
            row.false_positive.to_string(),
            row.false_negative.to_string(),
            (judged.len() - said.min(judged.len())).to_string(),
        ]);
    }
    format!("\n{}", table.markdown())
}

/// Every verdict that was wrong, what was not judged, and what failed as was said but with another error.
fn misses(kernels: &[Booted]) -> String {
    let is_other_errno = |it: &Compared| {
        it.grade() == Grade::Right
            && it.prediction.errno.is_some_and(|errno| errno.number() != it.outcome.errno)
    };
    let is_wrong = |it: &Compared| !matches!(it.grade(), Grade::Right | Grade::Unjudged);
    let mut text = list("### Wrong", kernels, &is_wrong);
    text += &list("### Not judged", kernels, &|it| it.grade() == Grade::Unjudged);
    text += &list("### Right, with another error number", kernels, &is_other_errno);
    text
}

/// The attempts of a list, one a line.
fn list(title: &str, kernels: &[Booted], is_listed: &dyn Fn(&Compared) -> bool) -> String {
    let mut text = format!("\n{title}\n\n");
    for booted in kernels {
        for compared in booted.compared.iter().filter(|it| is_listed(it)) {
            let said = compared.prediction.stage.map_or("nothing", Stage::word);
            let rule = compared.prediction.rule.map_or("-", Rule::id);
            let errno = compared.prediction.errno.map_or("-", Errno::name);
            let _ = writeln!(
                text,
                "- {} {} `{}` ({}): said {said}, {rule}, {errno}, {}; saw {}, {}, {}",
                booted.kernel,
                compared.what,
                compared.subject,
                compared.class,
                compared.prediction.evidence,
                compared.outcome.stage.word(),
                compared.outcome.errno,
                end(&compared.outcome.message),
            );
        }
    }
    text
}

/// The end of a message, where the verifier gives its reason.
fn end(message: &str) -> String {
    let skip = message.chars().count().saturating_sub(400);
    message.chars().skip(skip).collect()
}
