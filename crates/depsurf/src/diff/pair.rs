//! Two kernels that are compared, and what of them can be compared at all.

use serde::Serialize;

use super::scope::Scope;
use super::{field, function, kfunc, tracepoint, types};
use crate::Kind;
use crate::surface::meaning::{Forward, layout_same_with, same_with};
use crate::surface::{Fact, Surface, Type};

/// An old kernel and a new one.
#[derive(Debug, Clone, Copy)]
pub struct Pair<'a> {
    /// The old kernel.
    pub old: &'a Surface,
    /// The new kernel.
    pub new: &'a Surface,
}

/// One of the two kernels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "the names say it")]
pub enum Side {
    Old,
    New,
}

/// A kind of fact that was not read of a kernel, so that nothing is said about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Unread<'a> {
    /// Which kernel.
    pub side: Side,
    /// The fact.
    pub fact: Fact,
    /// Why it was not read.
    pub reason: &'a str,
}

impl<'a> Pair<'a> {
    /// The two.
    #[must_use]
    pub fn new(old: &'a Surface, new: &'a Surface) -> Self {
        Self { old, new }
    }

    /// Whether sizes and offsets are compared. Those of machines with pointers of another width differ
    /// everywhere, which says nothing about the kernels.
    #[must_use]
    pub fn compares_layout(self) -> bool {
        self.old.meta().address_size == self.new.meta().address_size
    }

    /// What of one of the two counts.
    pub(super) fn scope(self, surface: &'a Surface) -> Scope<'a> {
        let other = if std::ptr::eq(surface, self.old) { self.new } else { self.old };
        Scope::new(surface, other)
    }

    /// What was not read of either kernel and changes of this kind would be told from.
    #[must_use]
    pub fn unread(self, kind: Kind) -> Vec<Unread<'a>> {
        let of = |side, surface: &'a Surface| {
            // Without events of system calls their metadata is not missed.
            let events = kind == Kind::Tracepoint && surface.has_syscall_events().is_none();
            let events = if events { &[Fact::SyscallMetadata][..] } else { &[] };
            // Where no modules were read of either, none are missed.
            let modules = kind.may_be_in_modules() && self.leaves_out_modules();
            let modules = if modules { &[Fact::Modules][..] } else { &[] };
            kind.facts().iter().chain(details(kind)).chain(events).chain(modules).filter_map(move |fact| {
                let reason = surface.meta().unknown_because(*fact)?;
                Some(Unread { side, fact: *fact, reason })
            })
        };
        of(Side::Old, self.old).chain(of(Side::New, self.new)).collect()
    }

    /// Whether something of modules that only one kernel has does not count, because the other's were not read.
    #[must_use]
    pub fn leaves_out_modules(self) -> bool {
        !self.scope(self.old).is_all() || !self.scope(self.new).is_all()
    }

    /// Whether one of the two has a name only in modules that were not read of the other, so that nobody can tell
    /// whether the other has it.
    #[must_use]
    pub fn overlooks(self, kind: Kind, name: &'a str) -> bool {
        let outline = |surface: &'a Surface| {
            let outline = (kind == Kind::Function).then(|| surface.outline(name)).flatten();
            outline.filter(|outline| outline.is_there())
        };
        let counts = |surface| match kind {
            Kind::Function => match outline(surface) {
                Some(outline) => self.scope(surface).has_outline(outline),
                None => !function::named(self, surface, name).is_empty(),
            },
            Kind::Kfunc => !kfunc::named(self, surface, name).is_empty(),
            Kind::Struct => !types::named(self, surface, types::STRUCT, name).is_empty(),
            Kind::Union => !types::named(self, surface, types::UNION, name).is_empty(),
            Kind::Enum if name == types::ANONYMOUS => true,
            Kind::Enum => !types::named(self, surface, types::ENUM, name).is_empty(),
            Kind::Field => !field::named(self, surface, name).is_empty(),
            Kind::Tracepoint => tracepoint::is_there(self, surface, name),
            Kind::Lsm | Kind::Syscall | Kind::Config => true,
        };
        let has = |surface: &'a Surface| surface.has(kind, name) || outline(surface).is_some();
        self.leaves_out_modules()
            && [self.old, self.new].into_iter().any(|surface| has(surface) && !counts(surface))
    }

    /// Whether all these facts were read of both kernels.
    pub(super) fn knows(self, facts: &[Fact]) -> bool {
        facts.iter().all(|fact| self.old.meta().knows(*fact) && self.new.meta().knows(*fact))
    }

    /// Whether two types read the same (SPEC 5).
    ///
    /// A FWD differs from a STRUCT where its kernel has no definition of the name at all, as on the published pages.
    /// Where there is one, the FWD only says that some compile unit, or an old pahole, did without it.
    pub(super) fn same(self, old: Type<'_>, new: Type<'_>) -> bool {
        same_with(old, new, Forward::IsDefinedElsewhere)
    }

    /// Whether two definitions have the same fields in the same places, which is so for nearly all.
    pub(super) fn is_laid_out_alike(self, old: Type<'_>, new: Type<'_>) -> bool {
        layout_same_with(old, new, Forward::IsDefinedElsewhere)
    }
}

/// The facts that changes of a kind are told from, besides those that say whether a name is there.
fn details(kind: Kind) -> &'static [Fact] {
    match kind {
        Kind::Function => &[Fact::Prototypes, Fact::Symbols, Fact::FtraceSites],
        Kind::Tracepoint => &[Fact::Types],
        Kind::Lsm | Kind::Kfunc => &[Fact::Types, Fact::BtfIds],
        Kind::Syscall => &[Fact::SyscallMetadata],
        Kind::Struct | Kind::Union | Kind::Enum | Kind::Field | Kind::Config => &[],
    }
}
