//! Kernels without BTF of their own, and what programs can still have of their types.
//!
//! libbpf takes the types of `/sys/kernel/btf/vmlinux`, and for CO-RE, but for nothing else, those of a file instead
//! (`btf_custom_path`). A surface knows the types of such a kernel from DWARF, so it can tell what the file would give.

use std::collections::HashSet;

use super::core::{Access, Candidates, Outcome};
use super::object::Prepared;
use super::report::{Errno, Finding};
use super::rules::Rule;
use crate::bpf::Class;
use crate::bpf::core::RelocationKind;
use crate::surface::{Fact, Surface};

/// The subject of findings on all relocations of an object.
pub(super) const RELOCATIONS: &str = "CO-RE relocations";
/// What shows that a kernel has no BTF.
pub(super) const NO_BTF: &str = "the kernel was built without BTF";
/// libbpf's words for it.
pub(super) const NO_BTF_MESSAGE: &str = "failed to find valid kernel BTF";

/// Why the kernel's BTF does not tell about something: it has none, or it was not read.
pub(super) fn unread_btf(surface: &Surface, subject: &str) -> Option<Finding> {
    match surface.meta().has_btf() {
        Some(true) => None,
        Some(false) => {
            Some(Finding::new(Rule::NoKernelBtf, subject, NO_BTF).fails(Errno::Esrch, NO_BTF_MESSAGE))
        }
        None => {
            let reason = surface.meta().unknown_because(Fact::Btf).unwrap_or("it was not looked for");
            Some(Finding::new(Rule::EvidenceMissing, subject, reason))
        }
    }
}

/// Relocations that a kernel without BTF leaves undone, with what its types in a file would make of them.
pub(super) fn relocations_without_btf(surface: &Surface, prepared: &Prepared<'_>) -> Finding {
    let meta = surface.meta();
    let mut finding = unread_btf(surface, RELOCATIONS)
        .unwrap_or_else(|| Finding::new(Rule::NoKernelBtf, RELOCATIONS, NO_BTF));
    if finding.rule != Rule::NoKernelBtf || !meta.knows(Fact::Types) {
        return finding;
    }
    let mut candidates =
        Candidates::new(surface.types(), surface.types().len(), meta.address_size, meta.big_endian);
    // A load or store cannot take a field of any other size (`bpf_core_patch_insn`).
    let in_memory: HashSet<usize> = prepared
        .programs
        .iter()
        .flat_map(|program| program.relocations.iter().map(move |place| (program, place)))
        .filter(|(program, (slot, _))| {
            let class = program.linked.insns.get(*slot).map(|insn| insn.class());
            matches!(class, Some(Class::Ldx | Class::St | Class::Stx))
        })
        .map(|(_, (_, number))| *number)
        .collect();
    let (mut all, mut resolved) = (0, 0);
    for (number, path) in prepared.paths.iter().enumerate() {
        let Some(path) = path.as_ref().ok().filter(|path| path.kind() != RelocationKind::TypeIdLocal) else {
            continue;
        };
        all += 1;
        if let Outcome::Patched { patch, .. } = candidates.relocate(path) {
            let unfit = matches!(patch.access, Access::Unfit { .. }) && in_memory.contains(&number);
            resolved += usize::from(!unfit);
        }
    }
    finding.evidence = format!("{NO_BTF}; with its types in a file {resolved} of {all} can be carried out");
    finding
}
