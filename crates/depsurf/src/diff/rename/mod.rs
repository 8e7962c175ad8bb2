//! Renames, moves and splits: what a name that is gone may have become.
//!
//! In: two surfaces, a kind, and the names of that kind which only one of them has. Out: pairs of names with a score and
//! the evidence for it, ranked. A proposal stands beside *removed* and *added*; it never takes their place, for
//! nothing in an image says that one function is the successor of another.
//!
//! Pairs that could be meant are found by cheap keys (words of the name, the file, callers, callees, the prototype) and
//! then weighed. What a surface does not know (prototypes of an imported one, callers of assembly) is no
//! evidence, neither for nor against. Swapping the surfaces swaps the pairs and changes nothing else.

mod candidate;
mod enumerator;
mod evidence;
mod field;
mod function;
mod graph;
mod hook;
mod name;
mod place;
mod prototype;
mod rank;
mod types;
mod weigh;

use serde::Serialize;

pub use self::evidence::Evidence;
use self::rank::Pair;

use crate::Kind;
use crate::surface::Surface;

/// Scores below this are not proposed.
pub const LEAST: u8 = 10;
/// From this score on a proposal is more likely right than wrong; see `docs/renames.md` for what was measured.
pub const LIKELY: u8 = 50;

/// A proposal: one name may be the successor of another.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Rename {
    /// The name in the old surface.
    pub old: String,
    /// The name in the new surface.
    pub new: String,
    /// What may have happened.
    pub kind_of: KindOf,
    /// How likely it is, in per cent.
    pub score: u8,
    /// What speaks for it, the strongest first.
    pub evidence: Vec<Evidence>,
}

/// What may have happened to a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum KindOf {
    /// The old name is gone, the new one was not there before.
    Renamed,
    /// The name stayed and its file changed.
    Moved,
    /// The old name is still there, and what it did is now done by the new one.
    Split,
    /// The old name is gone, and what it did is now done by one that was there before.
    Merged,
}

impl KindOf {
    /// The word in a table and in JSON.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Renamed => "renamed",
            Self::Moved => "moved",
            Self::Split => "split",
            Self::Merged => "merged",
        }
    }

    /// What it is when old and new are swapped.
    #[must_use]
    pub fn mirrored(self) -> Self {
        match self {
            Self::Split => Self::Merged,
            Self::Merged => Self::Split,
            same => same,
        }
    }
}

/// Proposes what names that are gone may have become, and where names that came may be from.
///
/// `removed` and `added` are the names of `kind` that only `old` or only `new` has, sorted. Fields are named
/// `struct::member`, and are those of structs and unions that both surfaces have. For [`Kind::Enum`] a name
/// `enum::ENUMERATOR` is an enumerator of an enum that both have; anonymous enums are called `(anon)`.
///
/// The proposals are sorted by old name, the best one first.
#[must_use]
pub fn propose(old: &Surface, new: &Surface, kind: Kind, removed: &[&str], added: &[&str]) -> Vec<Rename> {
    if removed.is_empty() && added.is_empty() {
        return Vec::new();
    }
    match kind {
        Kind::Function => function::propose(old, new, removed, added),
        Kind::Field => field::propose(old, new, removed, added),
        Kind::Struct | Kind::Union => types::propose(old, new, kind, removed, added),
        Kind::Enum => enumerator::propose(old, new, removed, added),
        Kind::Tracepoint | Kind::Lsm | Kind::Kfunc | Kind::Syscall | Kind::Config => {
            hook::propose(old, new, kind, removed, added)
        }
    }
}

/// Says of functions that both surfaces have, and whose file changed, how likely they are the same function still
/// ([`KindOf::Moved`]) and not two of one name.
#[must_use]
pub fn moves(old: &Surface, new: &Surface, functions: &[&str]) -> Vec<Rename> {
    function::moves(old, new, functions)
}

/// Ranks pairs of names and says what speaks for each that is proposed, the strongest first.
fn proposals(
    pairs: &[Pair],
    olds: &[&str],
    news: &[&str],
    evidence: impl Fn(&Pair) -> Vec<(f32, Evidence)>,
) -> Vec<Rename> {
    let ranked = rank::rank(pairs).into_iter().map(|(pair, score)| Rename {
        old: olds[pair.old as usize].to_owned(),
        new: news[pair.new as usize].to_owned(),
        kind_of: pair.kind_of,
        score,
        evidence: strongest_first(evidence(&pair)),
    });
    let mut renames: Vec<Rename> = ranked.collect();
    sort(&mut renames);
    renames
}

fn strongest_first(mut evidence: Vec<(f32, Evidence)>) -> Vec<Evidence> {
    evidence.sort_by(|a, b| b.0.total_cmp(&a.0));
    evidence.into_iter().map(|(_, evidence)| evidence).collect()
}

/// By old name, the best one first; then by new name.
fn sort(renames: &mut [Rename]) {
    renames.sort_by(|a, b| {
        a.old
            .cmp(&b.old)
            .then(b.score.cmp(&a.score))
            .then_with(|| a.new.cmp(&b.new))
            .then(a.kind_of.cmp(&b.kind_of))
    });
}

/// A share as whole per cents.
fn percent(share: f32) -> u8 {
    (share * 100.0).round().clamp(0.0, 100.0) as u8
}
