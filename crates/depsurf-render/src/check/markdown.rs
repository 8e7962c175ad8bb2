//! The report as Markdown.

use super::{Checked, NOT_CHECKED, problems, ways_out, word, words};
use depsurf::check::Consequence;

/// The report as Markdown: a table per object, then its problems.
#[must_use]
pub fn markdown(checked: &Checked<'_>) -> String {
    let mut out = String::from("# Check\n");
    for object in &checked.report.objects {
        out += &format!("\n## {}\n\n| program |", object.name);
        checked.labels.iter().for_each(|label| out += &format!(" {label} |"));
        out += "\n|---|";
        checked.labels.iter().for_each(|_| out += "---|");
        out += "\n";
        let mut row = |name: &str, cells: &mut dyn Iterator<Item = Consequence>| {
            out += &format!("| {name} |");
            cells.for_each(|cell| out += &format!(" {} {} |", symbol(cell), word(cell)));
            out += "\n";
        };
        for program in &object.programs {
            let name = format!("`{}`", program.name);
            row(&name, &mut program.verdicts.iter().map(|verdict| verdict.consequence));
        }
        row("**object**", &mut object.whole.iter().map(|whole| whole.consequence));
        for problem in problems(object) {
            let finding = problem.finding;
            let entry = finding.rule.entry();
            out +=
                &format!("\n### {} `{}`\n\n{}: {}", entry.id, finding.subject, entry.title, finding.evidence);
            let kernels: Vec<&str> = problem.kernels.iter().map(|it| checked.labels[*it].as_str()).collect();
            let who = if problem.programs.is_empty() {
                "The object".into()
            } else {
                format!("`{}`", problem.programs.join("`, `"))
            };
            out += &format!("\n\n- {who}: {} on {}\n", words(finding.consequence), kernels.join(", "));
            if let (Some(errno), Some(message)) = (finding.errno, &finding.message) {
                out += &format!("- loader: `{message}` (-{}, {})\n", errno.number(), errno.name());
            }
            if let Some(place) = &finding.place {
                out += &format!("- source: `{}:{}`: `{}`\n", place.file, place.line, place.text);
            }
            for (way, kernels) in ways_out(&problem) {
                let kernels: Vec<&str> = kernels.iter().map(|it| checked.labels[*it].as_str()).collect();
                out += &format!("- way out on {}: {}\n", kernels.join(", "), way.text);
                if let Some(code) = &way.code {
                    out += &format!("  ```c\n  {code}\n  ```\n");
                }
            }
            if !finding.depends_on.is_empty() {
                out += &format!("- only if `{}` is set to another value\n", finding.depends_on.join("`, `"));
            }
        }
    }
    out += &format!("\n{NOT_CHECKED}\n");
    out
}

fn symbol(consequence: Consequence) -> &'static str {
    match consequence {
        Consequence::Fine => "✅",
        Consequence::Unknown => "❔",
        Consequence::ReadsWrong | Consequence::MissesEvents => "⚠️",
        Consequence::AttachFails | Consequence::LoadFails | Consequence::ObjectFails => "❌",
    }
}
