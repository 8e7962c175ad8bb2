//! Functions: the prototype, and what the compiler made of the same source.

use super::change::{Change, What};
use super::pair::Pair;
use super::prototype;
use crate::surface::function::{Collision, Function, InlineKind};
use crate::surface::symbol::suffixes;
use crate::surface::{Fact, record};

/// The changes of a function that both kernels have.
pub(super) fn changes(pair: Pair<'_>, old: Function<'_>, new: Function<'_>, out: &mut Vec<Change>) {
    if let (Some(old), Some(new)) = (old.prototype(), new.prototype()) {
        prototype::changes(pair, old, new, out);
    }
    if !pair.knows(&[Fact::Functions]) {
        return;
    }
    let (before, after) = (old.verdict(), new.verdict());
    if pair.knows(&[Fact::Symbols]) {
        inline(before.inline, after.inline, out);
        if before.inline != InlineKind::Full && after.inline != InlineKind::Full {
            symbols(pair, old, new, out);
        }
    }
    collision(before.collision, after.collision, out);
    if let (Some(old), Some(new)) = (file(old, before.collision), file(new, after.collision))
        && old != new
    {
        out.push(Change::changed(What::FileMoved, old, new));
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
            if symbol.name() == function.name() {
                symbols.plain = Some(symbols.plain.unwrap_or(0) | symbol.attach());
            }
            symbols.suffixes.extend(suffixes(symbol.name()));
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
