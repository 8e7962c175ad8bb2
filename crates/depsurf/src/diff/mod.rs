//! What changed between two kernels: surfaces -> changes, one file per noun.
//!
//! Names that both kernels have are compared, sorted table against sorted table; what comes out is plain values that
//! printers, JSON and exit codes all read. A change of the *source* ([`Class::Source`]) is what SPEC 5 lists and the
//! published pages show. What the compiler made of the same source, sizes and offsets, numbers and flags are kept
//! apart by their class.
//!
//! A fact that was not read of one kernel gives no change, and is told as [`Unread`]; no name counts as added or
//! removed on the word of a kernel whose names were not read.

mod change;
mod config;
mod field;
mod function;
mod kfunc;
mod lsm;
mod merge;
mod pair;
mod prototype;
pub mod rename;
mod scope;
mod summary;
mod syscall;
mod tracepoint;
mod types;

use std::borrow::Cow;

use rayon::prelude::*;
use serde::Serialize;

pub use self::change::{Change, Class, What};
pub use self::pair::{Pair, Side, Unread};
pub use self::summary::Summary;

use self::merge::Names;
use self::rename::Rename;
use crate::Kind;
use crate::surface::Surface;

/// What changed between two kernels.
#[derive(Debug, Clone)]
pub struct Diff<'a> {
    /// The two.
    pub pair: Pair<'a>,
    /// One per kind, in the order they were asked for.
    pub kinds: Vec<KindDiff<'a>>,
}

/// What changed of one kind.
#[derive(Debug, Clone)]
pub struct KindDiff<'a> {
    /// The kind.
    pub kind: Kind,
    /// Number of names that the old kernel has.
    pub old: usize,
    /// Number of names that the new kernel has.
    pub new: usize,
    /// Whether all names of the old kernel were read; else nothing counts as added.
    pub old_is_known: bool,
    /// Whether all names of the new kernel were read; else nothing counts as removed.
    pub new_is_known: bool,
    /// Names that only the new kernel has, sorted; fields by struct, then by member.
    pub added: Vec<Cow<'a, str>>,
    /// Names that only the old kernel has, sorted.
    pub removed: Vec<Cow<'a, str>>,
    /// Names that both have and that changed, sorted.
    pub changed: Vec<Changed<'a>>,
    /// What removed names, or for enums removed values, may have become: beside removed and added, never in their
    /// place. Empty until [`Diff::propose_renames`].
    pub renames: Vec<Rename>,
    /// What was not read of either kernel.
    pub unread: Vec<Unread<'a>>,
}

/// A name that changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Changed<'a> {
    /// The name.
    pub name: Cow<'a, str>,
    /// Its changes, in the order of a page; never empty.
    pub changes: Vec<Change>,
}

impl Changed<'_> {
    /// Whether some change is of this class.
    #[must_use]
    pub fn has(&self, class: Class) -> bool {
        self.changes.iter().any(|change| change.what.class() == class)
    }
}

impl<'a> Diff<'a> {
    /// Compares everything of some kinds. The result does not depend on the number of threads.
    #[must_use]
    pub fn new(pair: Pair<'a>, kinds: &[Kind]) -> Self {
        Self { pair, kinds: kinds.par_iter().map(|kind| KindDiff::new(pair, *kind)).collect() }
    }

    /// Looks for what removed names may have become. Wants all names: before any are left out.
    pub fn propose_renames(&mut self) {
        let pair = self.pair;
        self.kinds.par_iter_mut().for_each(|kind| kind.propose_renames(pair));
    }

    /// Whether nothing changed, as far as it was read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.kinds.iter().all(KindDiff::is_empty)
    }
}

impl<'a> KindDiff<'a> {
    /// Compares everything of one kind.
    #[must_use]
    pub fn new(pair: Pair<'a>, kind: Kind) -> Self {
        let mut diff = match kind {
            Kind::Function => {
                compare(pair, kind, |surface| function::all(pair, surface), first(function::changes))
            }
            Kind::Struct => {
                let all = |surface| types::all(pair, surface, types::STRUCT);
                compare(pair, kind, all, definitions)
            }
            Kind::Union => {
                let all = |surface| types::all(pair, surface, types::UNION);
                compare(pair, kind, all, definitions)
            }
            Kind::Enum => {
                let all = |surface| {
                    let anonymous =
                        types::anonymous(pair, surface).into_iter().map(|it| (types::ANONYMOUS, it));
                    // A parenthesis sorts before all that a name can begin with.
                    anonymous.chain(types::all(pair, surface, types::ENUM)).collect()
                };
                compare(pair, kind, all, types::enums)
            }
            Kind::Field => field::compare(pair),
            Kind::Tracepoint => tracepoint::compare(pair),
            Kind::Lsm => {
                let all = |surface: &'a Surface| surface.lsm_hooks().map(|it| (it.name(), it)).collect();
                compare(pair, kind, all, first(lsm::changes))
            }
            Kind::Kfunc => compare(pair, kind, |surface| kfunc::all(pair, surface), first(kfunc::changes)),
            Kind::Syscall => compare(pair, kind, syscall::all, syscall::changes),
            Kind::Config => {
                let all = |surface: &'a Surface| surface.configs().map(|it| (it.name, it)).collect();
                compare(pair, kind, all, first(|_, old, new, out: &mut _| config::changes(old, new, out)))
            }
        };
        if !diff.old_is_known {
            diff.added.clear();
        }
        if !diff.new_is_known {
            diff.removed.clear();
        }
        diff
    }

    /// Nothing of a kind.
    fn empty(pair: Pair<'a>, kind: Kind) -> Self {
        let knows = |surface: &Surface| surface.unread(kind).is_none();
        Self {
            kind,
            old: 0,
            new: 0,
            old_is_known: knows(pair.old),
            new_is_known: knows(pair.new),
            added: Vec::new(),
            removed: Vec::new(),
            changed: Vec::new(),
            renames: Vec::new(),
            unread: pair.unread(kind),
        }
    }

    /// Whether nothing changed, as far as it was read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty() && self.changed.is_empty()
    }

    fn propose_renames(&mut self, pair: Pair<'a>) {
        // An enum is known by its values, so it is these that are followed.
        let values = |what: What| {
            let of_name = |changed: &Changed<'a>| {
                let subjects =
                    changed.changes.iter().filter(|it| it.what == what).filter_map(|it| it.subject.clone());
                subjects.map(|value| Cow::Owned(format!("{}::{value}", changed.name))).collect::<Vec<_>>()
            };
            self.changed.iter().flat_map(of_name).collect::<Vec<Cow<'a, str>>>()
        };
        let values = match self.kind {
            Kind::Enum => Some((values(What::ValueRemoved), values(What::ValueAdded))),
            _ => None,
        };
        let (removed, added) =
            values.as_ref().map_or((&self.removed, &self.added), |(removed, added)| (removed, added));
        let [removed, added] =
            [removed, added].map(|names| names.iter().map(|it| &**it).collect::<Vec<&str>>());
        self.renames = rename::propose(pair.old, pair.new, self.kind, &removed, &added);
    }

    /// Forgets all names; the numbers of names stay.
    pub fn clear(&mut self) {
        (self.added, self.removed, self.changed) = Default::default();
        self.renames.clear();
    }

    /// Leaves only names that are wanted; the numbers of names stay.
    pub fn retain(&mut self, wanted: impl Fn(&str) -> bool) {
        self.added.retain(|name| wanted(name));
        self.removed.retain(|name| wanted(name));
        self.changed.retain(|changed| wanted(&changed.name));
        self.renames.retain(|rename| wanted(&rename.old) || wanted(&rename.new));
    }
}

impl<'a> Pair<'a> {
    /// What a name that only the old kernel has may have become: the proposals of [`Diff::propose_renames`] that are
    /// likely, the best first. Nothing for enums, of which only the values are followed.
    ///
    /// It takes as long as the whole kind, because each name competes with all others that went.
    #[must_use]
    pub fn successors(self, kind: Kind, name: &str) -> Vec<Rename> {
        let mut diff = KindDiff::new(self, kind);
        diff.propose_renames(self);
        diff.renames.retain(|rename| rename.old == name && rename.score >= rename::LIKELY);
        diff.renames
    }

    /// The changes of one name; `None` where not both kernels have it.
    #[must_use]
    pub fn changes(self, kind: Kind, name: &'a str) -> Option<Vec<Change>> {
        match kind {
            Kind::Function => {
                self.one(|surface| function::named(self, surface, name), first(function::changes))
            }
            Kind::Struct => self.one(|surface| types::named(self, surface, types::STRUCT, name), definitions),
            Kind::Union => self.one(|surface| types::named(self, surface, types::UNION, name), definitions),
            Kind::Enum if name == types::ANONYMOUS => {
                self.one(|surface| types::anonymous(self, surface), types::enums)
            }
            Kind::Enum => self.one(|surface| types::named(self, surface, types::ENUM, name), types::enums),
            Kind::Field => self.one(|surface| field::named(self, surface, name), field::changes),
            Kind::Tracepoint => tracepoint::named(self, name),
            Kind::Lsm => {
                self.one(|surface| surface.lsm_hook(name).into_iter().collect(), first(lsm::changes))
            }
            Kind::Kfunc => self.one(|surface| kfunc::named(self, surface, name), first(kfunc::changes)),
            Kind::Syscall => self.one(|surface| syscall::named(surface, name), syscall::changes),
            Kind::Config => self.one(
                |surface| surface.config(name).into_iter().collect(),
                first(|_, old, new, out: &mut _| config::changes(old, new, out)),
            ),
        }
    }

    fn one<T>(
        self,
        named: impl Fn(&'a Surface) -> Vec<T>,
        changes: impl Fn(Self, &[T], &[T], &mut Vec<Change>),
    ) -> Option<Vec<Change>> {
        let (old, new) = (named(self.old), named(self.new));
        let mut out = Vec::new();
        (!old.is_empty() && !new.is_empty()).then(|| changes(self, &old, &new, &mut out))?;
        Some(out)
    }
}

/// Whether a kernel has a name, and tells what the source declares there: a function in assembly has no prototype,
/// and one that is inlined everywhere is not in BTF.
#[must_use]
pub fn declares(surface: &Surface, kind: Kind, name: &str) -> bool {
    match kind {
        Kind::Function => surface.function(name).is_some_and(|found| found.prototype().is_some()),
        _ => surface.has(kind, name),
    }
}

/// Compares all definitions of a struct or union.
fn definitions<'a>(
    pair: Pair<'a>,
    old: &[crate::surface::Type<'a>],
    new: &[crate::surface::Type<'a>],
    out: &mut Vec<Change>,
) {
    types::changes(pair, old, new, types::structure, out);
}

/// For kinds that have one thing under each name.
fn first<'a, T: Copy>(
    changes: impl Fn(Pair<'a>, T, T, &mut Vec<Change>),
) -> impl Fn(Pair<'a>, &[T], &[T], &mut Vec<Change>) {
    move |pair, old, new, out| {
        if let (Some(old), Some(new)) = (old.first(), new.first()) {
            changes(pair, *old, *new, out);
        }
    }
}

/// Merges all things of a kind, and compares those that both kernels have.
fn compare<'a, T: Send + Sync>(
    pair: Pair<'a>,
    kind: Kind,
    all: impl Fn(&'a Surface) -> Vec<(&'a str, T)> + Sync,
    changes: impl Fn(Pair<'a>, &[T], &[T], &mut Vec<Change>) + Sync,
) -> KindDiff<'a> {
    let (old, new) = rayon::join(|| Names::new(all(pair.old)), || Names::new(all(pair.new)));
    let mut diff = KindDiff { old: old.len(), new: new.len(), ..KindDiff::empty(pair, kind) };
    let entries = old.merge(&new);
    for entry in &entries {
        match (entry.old.is_empty(), entry.new.is_empty()) {
            (true, _) => diff.added.push(Cow::Borrowed(entry.name)),
            (_, true) => diff.removed.push(Cow::Borrowed(entry.name)),
            _ => {}
        }
    }
    let both = entries.par_iter().filter(|entry| !entry.old.is_empty() && !entry.new.is_empty());
    let changed = both.filter_map(|entry| {
        let mut out = Vec::new();
        changes(pair, entry.old, entry.new, &mut out);
        (!out.is_empty()).then_some(Changed { name: Cow::Borrowed(entry.name), changes: out })
    });
    diff.changed = changed.collect();
    diff
}
