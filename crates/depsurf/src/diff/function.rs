//! Functions: the prototype, and what the compiler made of the same source.

use super::change::{Change, What};
use super::pair::Pair;
use super::prototype;
use crate::surface::function::{Collision, Function, InlineKind};
use crate::surface::symbol::suffixes;
use crate::surface::{Fact, Surface, record};

/// All functions that count, sorted by name.
pub(super) fn all<'a>(pair: Pair<'a>, surface: &'a Surface) -> Vec<(&'a str, Function<'a>)> {
    let scope = pair.scope(surface);
    surface
        .functions()
        .filter(|found| scope.has_function(*found))
        .map(|found| (found.name(), found))
        .collect()
}

/// The function of a name if it counts.
pub(super) fn named<'a>(pair: Pair<'a>, surface: &'a Surface, name: &str) -> Vec<Function<'a>> {
    let scope = pair.scope(surface);
    surface.function(name).into_iter().filter(|found| scope.has_function(*found)).collect()
}

/// The changes of a function that both kernels have.
pub(super) fn changes(pair: Pair<'_>, old: Function<'_>, new: Function<'_>, out: &mut Vec<Change>) {
    if let (Some(old), Some(new)) = (old.prototype(), new.prototype()) {
        prototype::changes(pair, old, new, out);
    }
    if !pair.knows(&[Fact::Functions]) {
        return;
    }
    if pair.knows(&[Fact::Symbols]) {
        status(pair, old, new, out);
    }
    let [before, after] =
        [old, new].map(|function| function.given_verdict().collision.unwrap_or_else(|| function.collision()));
    collision(before, after, out);
    if let (Some(old), Some(new)) = (file(old, before), file(new, after))
        && old != new
    {
        out.push(Change::changed(What::FileMoved, old, new));
    }
}

/// Where its code is, and what became of its symbols.
fn status(pair: Pair<'_>, old: Function<'_>, new: Function<'_>, out: &mut Vec<Change>) {
    let given = [old, new].map(|function| function.given_verdict().inline);
    // The original's rule for selective inlining is not ours, so one of each says nothing.
    if given[0].is_some() == given[1].is_some() {
        let [before, after] =
            [(old, given[0]), (new, given[1])].map(|(it, given)| given.unwrap_or_else(|| it.inline_kind()));
        inline(before, after, out);
    }
    if old.symbols().next().is_some() && new.symbols().next().is_some() {
        symbols(pair, old, new, out);
    }
}

fn inline(old: InlineKind, new: InlineKind, out: &mut Vec<Change>) {
    let what = match new {
        _ if old == new => return,
        InlineKind::Full => What::FullyInlined,
        InlineKind::Selective => What::SelectivelyInlined,
        InlineKind::No => What::NoLongerInlined,
    };
    out.push(Change::changed(what, old.words(), new.words()));
}

/// What became of its symbols; both kernels have some.
fn symbols(pair: Pair<'_>, old: Function<'_>, new: Function<'_>, out: &mut Vec<Change>) {
    let (before, after) = (Symbols::new(old), Symbols::new(new));
    match (before.plain, after.plain) {
        (Some(_), None) => out.push(Change::bare(What::SymbolLost)),
        (None, Some(_)) => out.push(Change::bare(What::SymbolGained)),
        _ => {}
    }
    for suffix in after.suffixes.iter().filter(|suffix| !before.suffixes.contains(suffix)) {
        out.push(Change::added(What::SuffixGained, *suffix, *suffix));
    }
    for suffix in before.suffixes.iter().filter(|suffix| !after.suffixes.contains(suffix)) {
        out.push(Change::removed(What::SuffixLost, *suffix, *suffix));
    }
    if let (Some(old), Some(new)) = (before.plain, after.plain) {
        let site = |attach: u32| attach & record::ATTACH_FTRACE != 0;
        if site(old) != site(new) && pair.knows(&[Fact::FtraceSites]) {
            let what = if site(new) { What::FtraceSiteGained } else { What::FtraceSiteLost };
            out.push(Change::bare(what));
        }
    }
}

/// The symbols of a function, as far as they are compared.
#[derive(Default)]
struct Symbols<'a> {
    /// `record::ATTACH_*` bits of the symbols of exactly the name; `None` where there is none.
    plain: Option<u32>,
    /// The suffixes of the others, sorted.
    suffixes: Vec<&'a str>,
}

impl<'a> Symbols<'a> {
    fn new(function: Function<'a>) -> Self {
        let mut symbols = Self::default();
        for symbol in function.symbols() {
            if function.is_plain(symbol) {
                symbols.plain = Some(symbols.plain.unwrap_or(0) | symbol.attach());
            } else {
                symbols.suffixes.extend(suffixes(symbol.name()));
            }
        }
        symbols.suffixes.sort_unstable();
        symbols.suffixes.dedup();
        symbols
    }
}

fn collision(old: Collision, new: Collision, out: &mut Vec<Change>) {
    let what = match (old, new) {
        _ if old == new => return,
        (Collision::UniqueGlobal, Collision::UniqueStatic) => What::BecameStatic,
        (Collision::UniqueStatic, Collision::UniqueGlobal) => What::BecameGlobal,
        _ => What::CollisionChanged,
    };
    out.push(Change::changed(what, old.words(), new.words()));
}

/// The file that declares the function; `None` where several functions share the name.
fn file(function: Function<'_>, collision: Collision) -> Option<&str> {
    match collision {
        Collision::StaticStatic | Collision::StaticGlobal => None,
        Collision::UniqueGlobal | Collision::UniqueStatic | Collision::StaticDuplication => {
            let (file, _) = function.instances().next()?.declaration()?;
            Some(file)
        }
    }
}
