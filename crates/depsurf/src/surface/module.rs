//! Kernel modules: what belongs to which of them.
//!
//! A module is part of its kernel: its functions, types, tracepoints and kfuncs are in the same tables as those of
//! vmlinux, and each tells its module. Nothing of a module is there before it is loaded.

use std::ops::Range;

use super::Surface;
use super::function::{Function, Instance};
use super::kfunc::Kfunc;
use super::record::{self, MODULE_SHIFT, Section};
use super::symbol::Symbol;
use super::tracepoint::Tracepoint;
use super::types::Type;

/// A module that was read.
#[derive(Debug, Clone, Copy)]
pub struct Module<'a> {
    surface: &'a Surface,
    index: usize,
    record: &'a record::Module,
}

/// Names of modules in words, the first of them where there are many: `module ext4`, `modules nfs, nfsd and 3 more`.
#[must_use]
pub fn words(names: &[&str]) -> String {
    const SHOWN: usize = 4;
    let list = names.iter().take(SHOWN).copied().collect::<Vec<_>>().join(", ");
    let more = names.len().saturating_sub(SHOWN);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("module{} {list}{more}", if names.len() == 1 { "" } else { "s" })
}

impl Surface {
    /// The modules that were read, in the order of their files.
    pub fn modules(&self) -> impl ExactSizeIterator<Item = Module<'_>> {
        let records: &[record::Module] = self.table(Section::Modules);
        records.iter().enumerate().map(|(index, record)| Module { surface: self, index, record })
    }

    /// The module of a name, with `_` for `-`; `None` where none of that name was read.
    #[must_use]
    pub fn module(&self, name: &str) -> Option<Module<'_>> {
        self.modules().find(|module| module.name() == name)
    }

    /// The module of a number; `None` for 0, which is vmlinux.
    pub(super) fn module_of_number(&self, number: u32) -> Option<Module<'_>> {
        let index = (number as usize).checked_sub(1)?;
        let records: &[record::Module] = self.table(Section::Modules);
        records.get(index).map(|record| Module { surface: self, index, record })
    }

    /// Whether a type is in BTF, of vmlinux or of a module: what libbpf and the verifier find. Others are only in DWARF.
    #[must_use]
    pub fn is_in_btf(&self, found: Type<'_>) -> bool {
        found.id().0 < self.meta().btf_types || self.module_of_type(found).is_some()
    }

    /// Number of the types of vmlinux, of BTF and of DWARF, `void` included: those of modules follow.
    #[must_use]
    pub fn vmlinux_types(&self) -> u32 {
        let records: &[record::Module] = self.table(Section::Modules);
        records.first().map_or(self.types().len(), |first| first.first_type.get())
    }

    /// The modules whose split BTF has a type of the kind and name of this one, in the order of the surface.
    #[must_use]
    pub fn modules_with_type<'a>(&'a self, found: Type<'a>) -> Vec<Module<'a>> {
        let named = self.types().with_name(found.name()).filter(|other| other.kind() == found.kind());
        let mut modules: Vec<Module<'a>> = named.filter_map(|other| self.module_of_type(other)).collect();
        modules.sort_unstable_by_key(|module| module.index);
        modules.dedup_by_key(|module| module.index);
        modules
    }

    /// The module whose split BTF has a type; `None` for the types of vmlinux, and for those that only DWARF has.
    #[must_use]
    pub fn module_of_type(&self, found: Type<'_>) -> Option<Module<'_>> {
        let id = found.id().0;
        // The ranges ascend, but modules without BTF are between them: their range is empty at the same place.
        let records: &[record::Module] = self.table(Section::Modules);
        let behind = records.partition_point(|record| record.first_type.get() <= id);
        let index = records[..behind].iter().rposition(|record| record.type_count.get() != 0)?;
        let module = Module { surface: self, index, record: &records[index] };
        module.types().contains(&id).then_some(module)
    }
}

impl<'a> Module<'a> {
    /// Name, as `/proc/modules` and programs (`fentry/MODULE:FUNCTION`) have it.
    #[must_use]
    pub fn name(self) -> &'a str {
        self.surface.text(self.record.name)
    }

    /// Path of its file below `lib/modules/RELEASE/`: `kernel/fs/ext4/ext4.ko`.
    #[must_use]
    pub fn path(self) -> &'a str {
        self.surface.text(self.record.path)
    }

    /// Place among the modules of the surface.
    #[must_use]
    pub fn index(self) -> usize {
        self.index
    }

    /// Whether its code and data were read: ftrace sites, tracepoints, kfuncs. Else these are unknown.
    #[must_use]
    pub fn has_code(self) -> bool {
        self.record.flags.get() & record::MODULE_CODE != 0
    }

    /// Whether its debug information was read: functions with their calls and inlined copies. Else these are unknown.
    #[must_use]
    pub fn has_debug(self) -> bool {
        self.record.flags.get() & record::MODULE_DEBUG != 0
    }

    /// Whether it was loaded when the surface was read, which a running kernel tells and no file does.
    #[must_use]
    pub fn is_loaded(self) -> bool {
        self.record.flags.get() & record::MODULE_LOADED != 0
    }

    /// Ids of the types in its own BTF; empty where it has none.
    #[must_use]
    pub fn types(self) -> Range<u32> {
        let first = self.record.first_type.get();
        first..first.saturating_add(self.record.type_count.get())
    }

    /// Whether it has BTF, without which typed programs do not find its functions.
    #[must_use]
    pub fn has_btf(self) -> bool {
        self.record.type_count.get() != 0
    }

    /// Its symbols: functions and global variables.
    pub fn symbols(self) -> impl Iterator<Item = Symbol<'a>> {
        let modules: &[record::Module] = self.surface.table(Section::Modules);
        let symbols: &[record::Symbol] = self.surface.table(Section::Symbols);
        let end = modules.get(self.index + 1).map_or(symbols.len() as u32, |next| next.first_symbol.get());
        (self.record.first_symbol.get()..end).filter_map(|index| self.surface.symbol(index))
    }
}

impl<'a> Symbol<'a> {
    /// The module it is in; `None` for vmlinux.
    #[must_use]
    pub fn module(self) -> Option<Module<'a>> {
        let records: &[record::Module] = self.surface().table(Section::Modules);
        let behind = records.partition_point(|record| record.first_symbol.get() <= self.index());
        self.surface().module_of_number(behind as u32)
    }
}

impl<'a> Function<'a> {
    /// Whether vmlinux itself has it, whatever modules have under the name.
    #[must_use]
    pub fn is_in_vmlinux(self) -> bool {
        self.surface().modules().len() == 0 || self.instances().any(Instance::is_in_vmlinux)
    }
}

impl<'a> Instance<'a> {
    /// The module it is compiled into; `None` for vmlinux, and where it is only declared.
    #[must_use]
    pub fn module(self) -> Option<&'a str> {
        self.module_name().filter(|name| !name.is_empty())
    }

    /// Whether it is vmlinux's. What is only declared is, unless nothing but modules calls it.
    #[must_use]
    pub fn is_in_vmlinux(self) -> bool {
        match self.module_name() {
            Some(module) => module.is_empty(),
            None => self.callers().len() == 0 || self.callers().any(|caller| caller.module().is_none()),
        }
    }
}

impl<'a> Tracepoint<'a> {
    /// The module it is in; `None` for vmlinux.
    #[must_use]
    pub fn module(self) -> Option<Module<'a>> {
        self.surface().module_of_number(self.flag_bits() >> MODULE_SHIFT)
    }
}

impl<'a> Kfunc<'a> {
    /// The module it is in; `None` for vmlinux.
    #[must_use]
    pub fn module(self) -> Option<Module<'a>> {
        self.surface().module_of_number(self.evidence_bits() >> MODULE_SHIFT)
    }
}
