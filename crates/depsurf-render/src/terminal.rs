//! The page as text for a terminal.
//!
//! Many kernels have to fit on a screen, so the page is ordered by question, and kernels that give the same
//! answer share a line: the answer, then in brackets which kernels give it, or nothing where all do.
//! Colour only repeats what the words say: without it the text is the same.

use depsurf::surface::Fact;

use crate::look::{Look, Tone};
use crate::page::{Entry, Facts, Page, State};
use crate::rows::{Rows, Shelf};
use crate::{config, differences, field, function, kfunc, lsm, syscall, tracepoint, types};
use depsurf::Kind;

/// The entries that have the thing, as pairs of their place and their facts of one kind.
macro_rules! present {
    ($entries:expr, $kind:ident) => {
        $entries
            .iter()
            .enumerate()
            .filter_map(|(place, entry)| match &entry.state {
                State::Present(Facts::$kind(facts)) => Some((place, facts)),
                _ => None,
            })
            .collect::<Vec<_>>()
    };
}

/// The page as text.
#[must_use]
pub fn page(page: &Page<'_>, look: &Look) -> String {
    let entries: Vec<&Entry<'_>> = page.entries().collect();
    let labels = entries.iter().map(|entry| entry.label.as_str()).collect();
    let mut shelf = Shelf::new(look, labels);
    shelf.heading(&format!("{} {}", page.kind, page.name));
    status(&entries, &mut shelf);
    match page.kind {
        Kind::Function => function::terminal(&functions(&entries), &mut shelf),
        Kind::Struct | Kind::Union | Kind::Enum => types::terminal(&present!(entries, Type), &mut shelf),
        Kind::Field => field::terminal(&present!(entries, Field), &mut shelf),
        Kind::Tracepoint => tracepoint::terminal(&present!(entries, Tracepoint), &mut shelf),
        Kind::Lsm => lsm::terminal(&present!(entries, Lsm), &mut shelf),
        Kind::Kfunc => kfunc::terminal(&present!(entries, Kfunc), &mut shelf),
        Kind::Syscall => syscall::terminal(&present!(entries, Syscall), &mut shelf),
        Kind::Config => config::terminal(&present!(entries, Config), &mut shelf),
    }
    differences::terminal(&page.differences, &mut shelf);
    unread(page.kind, &entries, &mut shelf);
    shelf.finish()
}

/// The entries that tell something of a function.
fn functions<'p, 'a>(entries: &[&'p Entry<'a>]) -> Vec<(usize, function::Shown<'p, 'a>)> {
    let shown = |(place, entry): (usize, &&'p Entry<'a>)| match &entry.state {
        State::Present(Facts::Function(facts)) => Some((place, function::Shown::Read(facts))),
        State::Unknown { outline: Some(outline), .. } => Some((place, function::Shown::Outline(outline))),
        _ => None,
    };
    entries.iter().enumerate().filter_map(shown).collect()
}

/// Which kernels have it, and in what state.
fn status(entries: &[&Entry<'_>], shelf: &mut Shelf<'_>) {
    let mut rows = Rows::default();
    for (place, entry) in entries.iter().enumerate() {
        match &entry.state {
            State::Present(Facts::Function(facts)) => {
                let (text, tone) = function::status(facts);
                rows.add(place, "", text, tone);
            }
            State::Present(_) => rows.add(place, "", "present", Tone::Good),
            State::Absent { remark: None } => rows.add(place, "", "absent", Tone::Bad),
            State::Absent { remark: Some(remark) } => {
                rows.add(place, "", format!("absent: {remark}"), Tone::Bad);
            }
            State::Unknown { fact, reason, outline } => {
                let is_there = outline.as_ref().is_some_and(function::Outline::is_there);
                let with = if is_there { ", with inlining, calls and declarations," } else { "" };
                let text = format!("unknown: {}{with} could not be read ({reason})", fact.words());
                rows.add(place, "", text, Tone::Caution);
            }
        }
    }
    let all: Vec<usize> = (0..entries.len()).collect();
    shelf.section("Status", "", &rows, &all);
}

/// What could not be read of a kernel that matters for the kind, so that silence is not taken for "no".
fn unread(kind: Kind, entries: &[&Entry<'_>], shelf: &mut Shelf<'_>) {
    let mut rows = Rows::default();
    for (place, entry) in entries.iter().enumerate() {
        for fact in related(kind) {
            if let Some(reason) = entry.surface.meta().unknown_because(*fact) {
                rows.add(place, fact.words(), reason, Tone::Caution);
            }
        }
        if shelf.look().verbose {
            for note in entry.surface.notes().unwrap_or_default().iter().filter(|note| note.lossy) {
                rows.add(place, &note.id, format!("{} ({} times)", note.message, note.count), Tone::Caution);
            }
        }
    }
    let all: Vec<usize> = (0..entries.len()).collect();
    shelf.section("Not read", "", &rows.by_key(), &all);
}

/// The facts that a page of a kind is made of.
fn related(kind: Kind) -> &'static [Fact] {
    match kind {
        Kind::Function => &[
            Fact::Functions,
            Fact::Prototypes,
            Fact::Symbols,
            Fact::Btf,
            Fact::FtraceSites,
            Fact::KprobeBlacklist,
            Fact::Exports,
            Fact::ErrorInjection,
            Fact::BtfIds,
        ],
        Kind::Struct => &[Fact::Structs, Fact::Btf],
        Kind::Union => &[Fact::Unions, Fact::Btf],
        Kind::Enum => &[Fact::Enums, Fact::Btf],
        Kind::Field => &[Fact::Structs, Fact::Unions, Fact::Btf],
        Kind::Tracepoint => &[Fact::Tracepoints, Fact::RawTracepoints, Fact::Btf],
        Kind::Lsm => &[Fact::LsmHooks, Fact::BtfIds],
        Kind::Kfunc => &[Fact::Kfuncs, Fact::BtfIds],
        Kind::Syscall => &[Fact::Syscalls, Fact::CompatSyscalls, Fact::SyscallMetadata],
        Kind::Config => &[Fact::Config],
    }
}
