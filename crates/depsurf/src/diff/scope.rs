//! What of a kernel says something about a change: that of vmlinux, and of modules that were read of both kernels.
//!
//! Where one kernel has a module and the other's was not read, whatever only the module has is neither added nor
//! removed.

use std::collections::HashSet;

use foldhash::fast::FixedState;

use crate::surface::function::Function;
use crate::surface::module::Module;
use crate::surface::outline::Outline;
use crate::surface::types::Type;
use crate::surface::{Fact, Surface};

/// What of one kernel counts.
pub(super) struct Scope<'a> {
    surface: &'a Surface,
    /// Names of its modules that are left out.
    left_out: HashSet<&'a str, FixedState>,
}

impl<'a> Scope<'a> {
    /// What of a kernel counts in a comparison with another.
    pub(super) fn new(surface: &'a Surface, other: &Surface) -> Self {
        let mut left_out = HashSet::default();
        if !other.meta().knows(Fact::Modules) {
            left_out.extend(surface.modules().map(|module| module.name()));
            other.modules().for_each(|module| _ = left_out.remove(module.name()));
        }
        Self { surface, left_out }
    }

    /// Whether everything counts.
    pub(super) fn is_all(&self) -> bool {
        self.left_out.is_empty()
    }

    /// Whether something of a module counts, or of vmlinux where there is none.
    pub(super) fn has(&self, module: Option<Module<'_>>) -> bool {
        module.is_none_or(|module| !self.left_out.contains(module.name()))
    }

    /// Whether a type counts.
    pub(super) fn has_type(&self, found: Type<'_>) -> bool {
        self.is_all()
            || found.id().0 < self.surface.vmlinux_types()
            // A type that only DWARF has stands with the first module that has it: nobody can tell who else does.
            || self.surface.module_of_type(found).is_some_and(|module| self.has(Some(module)))
    }

    /// Whether a symbol or a FUNC counts of what tells of a function whose debug information was not read.
    pub(super) fn has_outline(&self, outline: Outline<'_>) -> bool {
        outline.symbols().into_iter().any(|symbol| self.has(symbol.module()))
            || outline.btf_func().is_some_and(|func| self.has(self.surface.module_of_type(func)))
    }

    /// Whether a function counts.
    pub(super) fn has_function(&self, function: Function<'_>) -> bool {
        let in_module = |name: &str| !self.left_out.contains(name);
        self.is_all()
            || function.is_in_vmlinux()
            || function.instances().any(|instance| instance.module().is_some_and(in_module))
    }
}
