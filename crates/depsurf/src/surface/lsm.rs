//! LSM hooks, by the kernel's own lists.

use super::Surface;
use super::record::{self, Section};
use super::types::Type;

/// An LSM hook.
#[derive(Debug, Clone, Copy)]
pub struct LsmHook<'a> {
    surface: &'a Surface,
    record: &'a record::LsmHook,
}

impl Surface {
    /// All LSM hooks, sorted by name.
    pub fn lsm_hooks(&self) -> impl ExactSizeIterator<Item = LsmHook<'_>> {
        let records: &[record::LsmHook] = self.table(Section::LsmHooks);
        records.iter().map(|record| LsmHook { surface: self, record })
    }

    /// The LSM hook of a name, without `security_` or `bpf_lsm_`.
    #[must_use]
    pub fn lsm_hook(&self, name: &str) -> Option<LsmHook<'_>> {
        let records: &[record::LsmHook] = self.table(Section::LsmHooks);
        let index = self.search(records, name, |record| record.name)?;
        Some(LsmHook { surface: self, record: &records[index] })
    }
}

impl<'a> LsmHook<'a> {
    /// Name, as in `SEC("lsm/NAME")`.
    #[must_use]
    pub fn name(self) -> &'a str {
        self.surface.text(self.record.name)
    }

    /// Prototype, from `union security_list_options`.
    #[must_use]
    pub fn prototype(self) -> Option<Type<'a>> {
        self.surface.types().get_optional(self.record.prototype.get())
    }

    /// `record::LSM_*` bits.
    #[must_use]
    pub fn flags(self) -> u32 {
        self.record.flags.get()
    }

    /// Whether a program can attach: in `bpf_lsm_hooks` and not disabled; `None` where the sets are unknown.
    #[must_use]
    pub fn is_attachable(self) -> Option<bool> {
        self.sets(|flags| flags & record::LSM_BPF != 0 && flags & record::LSM_DISABLED == 0)
    }

    /// Whether a sleepable program can attach; `None` where the sets are unknown.
    #[must_use]
    pub fn is_sleepable(self) -> Option<bool> {
        self.sets(|flags| flags & record::LSM_SLEEPABLE != 0)
    }

    fn sets(self, test: impl Fn(u32) -> bool) -> Option<bool> {
        (self.flags() & record::LSM_SETS_UNKNOWN == 0).then(|| test(self.flags()))
    }
}
