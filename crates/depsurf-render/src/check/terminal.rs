//! The report on a terminal.

use depsurf::check::{Consequence, Loader, ObjectReport};

use super::{Checked, NOT_CHECKED, Problem, columns, problems, ways_out, word, words};
use crate::look::{Look, Tone};
use crate::rows::Shelf;

/// Relocations of a program are listed with `-v` only.
const INDENT: usize = 2;
/// Ways out of one problem that are shown.
const WAYS: usize = 4;

/// The report as text.
#[must_use]
pub fn terminal(checked: &Checked<'_>, look: &Look) -> String {
    let labels = checked.labels.iter().map(String::as_str).collect();
    let mut page = Shelf::new(look, labels);
    for object in &checked.report.objects {
        page.heading(&object.name);
        matrix(&mut page, object);
        let all: Vec<usize> = (0..checked.report.kernels.len()).collect();
        for problem in problems(object) {
            show(&mut page, &problem, &all);
        }
        if look.verbose {
            relocations(&mut page, object);
        }
        page.line(0, Tone::Plain, "");
    }
    page.line(0, Tone::Dim, NOT_CHECKED);
    page.finish()
}

fn tone(consequence: Consequence) -> Tone {
    match consequence {
        Consequence::Fine => Tone::Good,
        Consequence::Unknown | Consequence::ReadsWrong | Consequence::MissesEvents => Tone::Caution,
        Consequence::AttachFails | Consequence::LoadFails | Consequence::ObjectFails => Tone::Bad,
    }
}

/// Programs x kernels; kernels that agree on all programs share a column.
fn matrix(page: &mut Shelf<'_>, object: &ObjectReport) {
    let columns = columns(object);
    let letters: Vec<String> = (0..columns.len()).map(letter).collect();
    let all: Vec<usize> = (0..object.whole.len()).collect();
    let short = |kernels: &[usize]| match kernels {
        [only] => page.label(*only).to_owned(),
        _ => page.kernels(kernels, &all).unwrap_or_else(|| "all kernels".into()),
    };
    let names: Vec<String> = columns.iter().map(|kernels| short(kernels)).collect();
    // Names of kernels above the columns where they fit, else letters, which are told below.
    let name_width = object.programs.iter().map(|it| it.name.chars().count() + 1).max().unwrap_or(0).max(8);
    let width = |name: &str| name.chars().count().max(11) + 2;
    let fits = name_width + names.iter().map(|name| width(name)).sum::<usize>() + INDENT <= page.look().width;
    let heads = if fits { &names } else { &letters };
    let mut line = format!("{:name_width$}", "program");
    for head in heads {
        line += &format!("  {head:11}");
    }
    page.line(0, Tone::Title, line.trim_end());
    let mut row = |name: &str, cells: Vec<Consequence>| {
        let mut line = format!("{name:name_width$}");
        let worst = cells.iter().copied().max().unwrap_or(Consequence::Fine);
        for (cell, head) in cells.iter().zip(heads) {
            line += &format!("  {:width$}", word(*cell), width = head.chars().count().max(11));
        }
        page.line(0, tone(worst), line.trim_end());
    };
    for program in &object.programs {
        let cells = columns.iter().map(|kernels| program.verdicts[kernels[0]].consequence).collect();
        let name = if program.autoload { program.name.clone() } else { format!("{}?", program.name) };
        row(&name, cells);
    }
    row("object", columns.iter().map(|kernels| object.whole[kernels[0]].consequence).collect());
    if !fits {
        for (letter, name) in letters.iter().zip(&names) {
            page.line(INDENT, Tone::Dim, &format!("{letter}  {name}"));
        }
    }
}

/// A, B, ... Z, AA, AB ...
fn letter(number: usize) -> String {
    let last = char::from(b'A' + (number % 26) as u8);
    if number < 26 { last.to_string() } else { format!("{}{last}", letter(number / 26 - 1)) }
}

fn show(page: &mut Shelf<'_>, problem: &Problem<'_>, all: &[usize]) {
    let finding = problem.finding;
    let entry = finding.rule.entry();
    page.line(0, Tone::Plain, "");
    let title = format!("{} `{}`: {}", entry.id, finding.subject, entry.title);
    page.line(0, tone(finding.consequence), &title);
    let kernels = page.kernels(&problem.kernels, all).unwrap_or_else(|| "all kernels".into());
    let who = if problem.programs.is_empty() {
        String::new()
    } else {
        format!("{}: ", problem.programs.join(", "))
    };
    page.line(INDENT, Tone::Plain, &format!("{who}{} on {kernels}", words(finding.consequence)));
    if !finding.evidence.is_empty() {
        page.line(INDENT, Tone::Dim, &format!("evidence  {}", finding.evidence));
    }
    if let (Some(errno), Some(message)) = (finding.errno, &finding.message) {
        page.line(INDENT, Tone::Dim, &format!("loader    {message} (-{}, {})", errno.number(), errno.name()));
    }
    // The first is libbpf, as above.
    for said in finding.loaders.iter().filter(|said| said.loader != Loader::Libbpf) {
        let words = [said.message.as_deref(), said.note].into_iter().flatten().collect::<Vec<_>>();
        page.line(INDENT, Tone::Dim, &format!("{:9} {}", said.loader.name(), words.join("; it ")));
    }
    if let Some(place) = &finding.place {
        page.line(INDENT, Tone::Dim, &format!("source    {}:{}: {}", place.file, place.line, place.text));
    }
    for (way, kernels) in ways_out(problem).iter().take(WAYS) {
        let kernels = match page.kernels(kernels, &problem.kernels) {
            Some(kernels) => format!("  [{kernels}]"),
            None => String::new(),
        };
        page.line(INDENT, Tone::Good, &format!("way out   {}{kernels}", way.text));
        if let Some(code) = &way.code {
            page.line(INDENT + 10, Tone::Plain, code);
        }
    }
    if !finding.depends_on.is_empty() {
        let names = finding.depends_on.join("`, `");
        page.line(INDENT, Tone::Dim, &format!("only if   `{names}` is set to another value"));
    }
}

fn relocations(page: &mut Shelf<'_>, object: &ObjectReport) {
    let all: Vec<usize> = (0..object.whole.len()).collect();
    for program in &object.programs {
        let count = program.verdicts.first().map_or(0, |verdict| verdict.relocations.len());
        for at in 0..count {
            // The same question, and for each kernel its answer.
            let mut answers: Vec<(String, Vec<usize>)> = Vec::new();
            for (kernel, verdict) in program.verdicts.iter().enumerate() {
                let Some(relocated) = verdict.relocations.get(at) else { continue };
                let value = relocated.value.map_or_else(|| "absent".to_owned(), |value| value.to_string());
                let mut text = if relocated.reached { value } else { format!("{value}, not reached") };
                for said in &relocated.loaders {
                    text += &format!(", {} {}", said.loader, said.note.unwrap_or("does otherwise"));
                }
                match answers.iter_mut().find(|known| known.0 == text) {
                    Some(known) => known.1.push(kernel),
                    None => answers.push((text, vec![kernel])),
                }
            }
            let first = &program.verdicts[0].relocations[at];
            let told: Vec<String> = answers
                .iter()
                .map(|(text, kernels)| match page.kernels(kernels, &all) {
                    Some(kernels) => format!("{text} on {kernels}"),
                    None => text.clone(),
                })
                .collect();
            let line = format!("{}  {} <{}>: {}", program.name, first.path, first.kind, told.join("; "));
            page.line(INDENT, Tone::Dim, &line);
        }
    }
}
