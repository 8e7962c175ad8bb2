//! The report as annotations of GitHub's workflows.

use super::Checked;
use super::result::{Files, Found, Level, found};

/// GitHub shows so many annotations of each level of a step, and drops the others without a word.
const PER_LEVEL: usize = 10;

/// The report as workflow commands: one annotation for each distinct finding, the worst first; a last line, for the log, says how many were
/// left out.
#[must_use]
pub fn github(checked: &Checked<'_>, files: &Files<'_>) -> String {
    let mut all = found(checked);
    all.sort_by_key(|found| (Level::of(found), std::cmp::Reverse(found.finding.consequence)));
    let all = distinct(all);
    let mut out = String::new();
    let mut left_out = [(Level::Error, 0), (Level::Warning, 0), (Level::Note, 0)];
    for (level, left) in &mut left_out {
        let of_level: Vec<&Annotation<'_>> = all.iter().filter(|it| Level::of(&it.found) == *level).collect();
        *left = of_level.len().saturating_sub(PER_LEVEL);
        for annotation in of_level.into_iter().take(PER_LEVEL) {
            out += &command(annotation, *level, checked, files);
        }
    }
    let left: Vec<String> = left_out
        .iter()
        .filter(|(_, left)| *left > 0)
        .map(|(level, left)| format!("{left} {}{}", word(*level), if *left == 1 { "" } else { "s" }))
        .collect();
    match (all.is_empty(), left.is_empty()) {
        (true, _) => out += "depsurf: nothing found\n",
        (false, true) => {}
        (false, false) => {
            out += &format!(
                "depsurf: {} left out, because a step may have {PER_LEVEL} annotations of each level\n",
                left.join(", ")
            );
        }
    }
    out
}

/// A finding, with the programs that have it too.
struct Annotation<'r> {
    found: Found<'r>,
    others: Vec<&'r str>,
}

/// Each rule, subject and consequence of an object once, at the first line.
fn distinct(all: Vec<Found<'_>>) -> Vec<Annotation<'_>> {
    let mut distinct: Vec<Annotation<'_>> = Vec::new();
    for found in all {
        let is_same = |known: &&mut Annotation<'_>| {
            let (a, b) = (known.found.finding, found.finding);
            known.found.object == found.object
                && (a.rule, &a.subject, a.consequence) == (b.rule, &b.subject, b.consequence)
        };
        match distinct.iter_mut().find(is_same) {
            Some(known) => {
                let other = found.program.filter(|it| Some(*it) != known.found.program);
                known.others.extend(other.filter(|other| !known.others.contains(other)));
                known.found.kernels.extend(found.kernels);
                known.found.kernels.sort_unstable();
                known.found.kernels.dedup();
            }
            None => distinct.push(Annotation { found, others: Vec::new() }),
        }
    }
    distinct
}

fn word(level: Level) -> &'static str {
    match level {
        Level::Error => "error",
        Level::Warning => "warning",
        Level::Note => "notice",
    }
}

fn command(annotation: &Annotation<'_>, level: Level, checked: &Checked<'_>, files: &Files<'_>) -> String {
    let found = &annotation.found;
    let (file, line) = files.at(found.object, found.finding.place.as_ref());
    let title = format!("{}: {}", found.finding.rule, found.finding.rule.entry().title);
    let mut message = found.message(checked);
    if !annotation.others.is_empty() {
        message += &format!(" So does `{}`.", annotation.others.join("`, `"));
    }
    let (file, title, message) = (property(&file), property(&title), data(&message));
    format!("::{} file={file},line={line},title={title}::{message}\n", word(level))
}

/// The text of a command.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// A property of a command.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_ends_a_command_early() {
        assert_eq!(data("100 %\r\n::error::x"), "100 %25%0D%0A::error::x");
        assert_eq!(property("a:b,c%\n"), "a%3Ab%2Cc%25%0A");
    }
}
