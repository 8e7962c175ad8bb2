//! The page as Markdown, in the format of the published pages.
//!
//! Those pages are compared byte for byte, so blank lines and emoji are part of the format. The
//! `## Differences` part follows the `## Status` part and is drawn from changes between kernels.

use std::fmt::Write;

use crate::page::{Entry, Facts, Page, State};
use crate::{config, differences, field, function, kfunc, lsm, syscall, tracepoint, types};

/// The page as Markdown.
#[must_use]
pub fn page(page: &Page<'_>) -> String {
    let mut out = format!("# {}: <code>{}</code>\n", page.kind.heading(), page.name);
    status(page, &mut out);
    differences::markdown(&page.differences, &mut out);
    out
}

/// The `## Status` part: one list per group, one item per kernel.
fn status(page: &Page<'_>, out: &mut String) {
    out.push_str("\n## Status\n");
    for group in &page.groups {
        let _ = writeln!(out, "<b>{}</b>\n<ul>", group.title);
        for entry in &group.entries {
            out.push_str("<li>\n");
            item(entry, out);
            out.push_str("</li>\n");
        }
        out.push_str("</ul>\n");
    }
}

fn item(entry: &Entry<'_>, out: &mut String) {
    let label = &entry.label;
    let facts = match &entry.state {
        State::Present(facts) => facts,
        State::Absent { .. } => {
            let _ = writeln!(out, "In <code>{label}</code>: Absent ⚠️");
            return;
        }
        State::Unknown { fact, reason, outline } => {
            let unread = format!("{} could not be read: {reason}", fact.words());
            match outline {
                Some(outline) => outline.markdown(label, &unread, out),
                None => _ = writeln!(out, "In <code>{label}</code>: Unknown ⚠️ ({unread})"),
            }
            return;
        }
    };
    let _ = writeln!(out, "<details>\n<summary>In <code>{label}</code>: {}</summary>\n", status_words(facts));
    match facts {
        Facts::Function(facts) => function::markdown(facts, out),
        Facts::Type(facts) => types::markdown(facts, out),
        Facts::Field(facts) => field::markdown(facts, out),
        Facts::Tracepoint(facts) => tracepoint::markdown(facts, out),
        Facts::Lsm(facts) => lsm::markdown(facts, out),
        Facts::Kfunc(facts) => kfunc::markdown(facts, out),
        Facts::Syscall(facts) => syscall::markdown(facts, out),
        Facts::Config(facts) => config::markdown(facts, out),
    }
    out.push_str("</details>\n");
}

fn status_words(facts: &Facts<'_>) -> String {
    let issues: Vec<&str> = match facts {
        Facts::Function(facts) => facts.issues().map(|issue| issue.words()).collect(),
        _ => Vec::new(),
    };
    if issues.is_empty() { "✅".into() } else { format!("{} ⚠️", issues.join(", ")) }
}

/// A fenced block; `language` may be empty.
pub(crate) fn block(language: &str, text: &str, out: &mut String) {
    let _ = writeln!(out, "```{language}\n{}\n```", text.trim_end_matches('\n'));
}

/// ELF's word for a symbol's binding.
pub(crate) fn binding(binding: u8) -> &'static str {
    match binding {
        0 => "STB_LOCAL",
        1 => "STB_GLOBAL",
        2 => "STB_WEAK",
        10 => "STB_GNU_UNIQUE",
        _ => "STB_UNKNOWN",
    }
}
