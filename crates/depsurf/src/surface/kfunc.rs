//! Kernel functions that eBPF programs may call.

use super::Surface;
use super::record::{self, Section};
use super::types::Type;

/// A kfunc.
#[derive(Debug, Clone, Copy)]
pub struct Kfunc<'a> {
    surface: &'a Surface,
    record: &'a record::Kfunc,
}

/// Names of the `KF_*` bits (`include/linux/btf.h`), lowest bit first.
pub const FLAG_NAMES: [&str; 17] = [
    "KF_ACQUIRE",
    "KF_RELEASE",
    "KF_RET_NULL",
    "KF_KPTR_GET",
    "KF_TRUSTED_ARGS",
    "KF_SLEEPABLE",
    "KF_DESTRUCTIVE",
    "KF_RCU",
    "KF_ITER_NEW",
    "KF_ITER_NEXT",
    "KF_ITER_DESTROY",
    "KF_RCU_PROTECTED",
    "KF_FASTCALL",
    "KF_ARENA_RET",
    "KF_ARENA_ARG1",
    "KF_ARENA_ARG2",
    "KF_IMPLICIT_ARGS",
];

impl Surface {
    /// All kfuncs, sorted by name.
    pub fn kfuncs(&self) -> impl ExactSizeIterator<Item = Kfunc<'_>> {
        let records: &[record::Kfunc] = self.table(Section::Kfuncs);
        records.iter().map(|record| Kfunc { surface: self, record })
    }

    /// The kfunc of a name.
    #[must_use]
    pub fn kfunc(&self, name: &str) -> Option<Kfunc<'_>> {
        let records: &[record::Kfunc] = self.table(Section::Kfuncs);
        let index = self.search(records, name, |record| record.name)?;
        Some(Kfunc { surface: self, record: &records[index] })
    }
}

impl<'a> Kfunc<'a> {
    /// Name.
    #[must_use]
    pub fn name(self) -> &'a str {
        self.surface.text(self.record.name)
    }

    /// Prototype, from its BTF FUNC.
    #[must_use]
    pub fn prototype(self) -> Option<Type<'a>> {
        self.surface.types().get_optional(self.record.prototype.get())
    }

    /// `KF_*` bits of the kernel; the sets it is in are joined.
    #[must_use]
    pub fn flags(self) -> u32 {
        self.record.flags.get()
    }

    /// `record::KFUNC_*` bits: how it was found.
    #[must_use]
    pub fn evidence(self) -> u32 {
        self.evidence_bits() & ((1 << record::MODULE_SHIFT) - 1)
    }

    pub(super) fn evidence_bits(self) -> u32 {
        self.record.evidence.get()
    }

    pub(super) fn surface(self) -> &'a Surface {
        self.surface
    }

    /// Names of the sets it is in, which are registered for program types.
    pub fn sets(self) -> impl Iterator<Item = &'a str> {
        self.surface
            .sets()
            .filter(move |set| set.is_kfunc_set() && set.members().any(|member| member.name == self.name()))
            .map(super::set::Set::name)
    }
}
