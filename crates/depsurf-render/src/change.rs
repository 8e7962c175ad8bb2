//! Changes in words.

use std::fmt::Write;

use depsurf::diff::{Change, Class, What};

use crate::look::Tone;

/// Changes of one name that are listed without `-v`, and offsets that are listed before they are only counted.
const SHOWN: usize = 12;
const OFFSETS_SHOWN: usize = 3;
/// Bytes of a line that is shown without `-v`.
const LONGEST: usize = 300;

/// The change as an item of a list on a page.
pub(crate) fn markdown(change: &Change, out: &mut String) {
    let _ = writeln!(out, "<li>\n<b>{}. </b>", change.what.words());
    match (&change.old, &change.new) {
        (Some(old), Some(new)) => {
            let _ = writeln!(out, "<code>{old}</code> ➡️ <code>{new}</code>");
        }
        (Some(only), None) | (None, Some(only)) => {
            let _ = writeln!(out, "<code>{only}</code>");
        }
        (None, None) => {}
    }
    out.push_str("</li>\n");
}

/// The change in a line of Markdown.
pub(crate) fn sentence(change: &Change) -> String {
    let words = change.what.words();
    let of = change.subject.as_deref().filter(|_| change.what.class() != Class::Source);
    let of = of.map_or_else(String::new, |subject| format!(" ({subject})"));
    match (&change.old, &change.new) {
        (Some(old), Some(new)) => format!("{words}{of}: `{old}` ➡️ `{new}`"),
        (Some(only), None) | (None, Some(only)) => format!("{words}: `{only}`"),
        (None, None) => format!("{words}{of}"),
    }
}

/// The changes of one name, a line each. Without `verbose` long lists are cut, and say so.
pub(crate) fn lines(changes: &[Change], verbose: bool) -> Vec<(String, Tone)> {
    let moved = changes.iter().filter(|change| change.what == What::OffsetChanged).count();
    let folds = !verbose && moved > OFFSETS_SHOWN;
    let mut lines: Vec<(String, Tone)> = changes
        .iter()
        .filter(|change| !folds || change.what != What::OffsetChanged)
        .map(|change| (short(change, verbose), tone(change.what)))
        .collect();
    if !verbose && lines.len() > SHOWN {
        let more = lines.len() - SHOWN;
        lines.truncate(SHOWN);
        lines.push((format!("and {more} more changes (-v lists them)"), Tone::Dim));
    }
    if folds {
        lines.push((format!("offsets of {moved} fields (-v lists them)"), Tone::Dim));
    }
    lines
}

/// The change in a line, which is cut where it would be very long.
fn short(change: &Change, verbose: bool) -> String {
    let line = words(change);
    if verbose || line.len() <= LONGEST {
        return line;
    }
    format!("{} (-v shows from what to what)", change.what.words().to_lowercase())
}

/// The change in a line.
pub(crate) fn words(change: &Change) -> String {
    let old = change.old.as_deref().unwrap_or_default();
    let new = change.new.as_deref().unwrap_or_default();
    let subject = change.subject.as_deref().unwrap_or_default();
    let from_to = |what: &str| format!("{what} `{old}` -> `{new}`");
    match change.what {
        What::EventChanged => "the record of the event:".into(),
        What::FuncChanged => "the function behind the event:".into(),
        What::FieldAdded => format!("+ field `{new}`"),
        What::FieldRemoved => format!("- field `{old}`"),
        What::FieldTypeChanged => from_to("field") + declared(old, new),
        What::ParamAdded => format!("+ param `{new}`"),
        What::ParamRemoved => format!("- param `{old}`"),
        What::ParamReordered => from_to("params in another order:"),
        What::ParamTypeChanged => from_to("param") + declared(old, new),
        What::ReturnTypeChanged => from_to("returns") + declared(old, new),
        What::ValueAdded => format!("+ value `{new}`"),
        What::ValueRemoved => format!("- value `{old}`"),
        What::ValueChanged => from_to("value"),
        What::ConfigChanged => from_to("value"),
        What::FullyInlined => "fully inlined: no code of its own any more".into(),
        What::SelectivelyInlined => "selectively inlined: copies in other functions".into(),
        What::NoLongerInlined if old == "Full" => "no longer inlined: code of its own".into(),
        What::NoLongerInlined => "no longer inlined: no copies in other functions".into(),
        What::SymbolLost => "lost its plain symbol".into(),
        What::SymbolGained => "got its plain symbol".into(),
        What::SuffixGained => format!("+ suffix `.{new}`"),
        What::SuffixLost => format!("- suffix `.{old}`"),
        What::BecameStatic => "became static".into(),
        What::BecameGlobal => "became global".into(),
        What::CollisionChanged => format!("{} -> {}", old.to_lowercase(), new.to_lowercase()),
        What::FtraceSiteGained => "got an ftrace site".into(),
        What::FtraceSiteLost => "lost its ftrace site".into(),
        What::FileMoved => format!("moved from {old} to {new}"),
        What::AttachGained => "programs can attach".into(),
        What::AttachLost => "programs cannot attach any more".into(),
        What::SleepableGained => "sleepable programs can attach".into(),
        What::SleepableLost => "sleepable programs cannot attach any more".into(),
        What::EventGained => format!("+ event{}", in_system(subject)),
        What::EventLost => format!("- event{}", in_system(subject)),
        What::RawGained => "+ raw tracepoint".into(),
        What::RawLost => "- raw tracepoint".into(),
        What::SizeChanged => format!("size {old} -> {new}"),
        What::OffsetChanged => format!("offset{} {old} -> {new}", of(subject)),
        What::WidthChanged => format!("bits{} {old} -> {new}", of(subject)),
        What::NumberChanged => format!("number in table {subject} {old} -> {new}"),
        What::EntryAdded => format!("+ entry {new} in table {subject}"),
        What::EntryRemoved => format!("- entry {old} in table {subject}"),
        What::Implemented => format!("implemented in table {subject}"),
        What::Unimplemented => format!("no longer implemented in table {subject}"),
        What::ArgsChanged => from_to("arguments"),
        What::FlagAdded => format!("+ flag {new}"),
        What::FlagRemoved => format!("- flag {old}"),
        What::FormatChanged => from_to("format"),
        What::SystemChanged => from_to("system"),
        What::WritableChanged => format!("writable bytes {old} -> {new}"),
    }
}

/// Types that read alike and differ all the same: in members, or one kernel has no definition.
fn declared(old: &str, new: &str) -> &'static str {
    match old == new {
        true if old.contains("(anon)") => " (its members changed)",
        true => " (one kernel only declares the type)",
        false => "",
    }
}

fn of(subject: &str) -> String {
    if subject.is_empty() { String::new() } else { format!(" of `{subject}`") }
}

fn in_system(subject: &str) -> String {
    if subject.is_empty() { String::new() } else { format!(" in system {subject}") }
}

fn tone(what: What) -> Tone {
    match what {
        What::FullyInlined | What::SymbolLost | What::FtraceSiteLost | What::AttachLost => Tone::Bad,
        What::EventLost | What::RawLost | What::Unimplemented => Tone::Bad,
        _ if what.class() == Class::Source => Tone::Caution,
        _ if what.class() == Class::Layout => Tone::Dim,
        _ => Tone::Plain,
    }
}
