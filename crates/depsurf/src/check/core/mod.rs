//! CO-RE: what libbpf makes of a relocation on a kernel.
//!
//! In go the type that the object knows, the access string and the kind of relocation; out comes the number that
//! libbpf writes into the instruction, or that it poisons it, or that it gives up. The steps are those of
//! `tools/lib/bpf/relo_core.c` (`bpf_core_calc_relo_insn`), on the types of the kernel's own BTF, in its order.

mod compat;
mod spec;
#[cfg(test)]
mod tests;
mod value;

use std::collections::HashMap;
use std::ops::Range;

pub use self::spec::Broken;
use self::spec::Spec;
pub use self::value::{Access, Patch};

use crate::bpf::core::{Path, RelocationKind, essential_name};
use crate::surface::types::{Type, TypeId, Types};

/// What libbpf makes of a relocation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// A number; programs go on with it.
    Patched {
        /// The number.
        patch: Patch,
        /// The kernel's type that was taken; `None` where none was needed, or none is there and the number says so.
        candidate: Option<TypeId>,
    },
    /// An instruction that the verifier refuses, should it be reached.
    Poisoned,
    /// Kernel types of the name lead to different numbers, and libbpf gives up on the whole object.
    Ambiguous {
        /// Two of the types that disagree.
        candidates: [TypeId; 2],
    },
    /// Types of the name that modules have, and vmlinux has not, lead to different numbers: it depends on what is loaded.
    Contested {
        /// Two of the types that disagree.
        candidates: [TypeId; 2],
    },
    /// libbpf gives up on the object.
    Refused(Refusal),
}

/// Why libbpf gives up on a relocation, whatever the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// A path that libbpf does not follow.
    Broken(Broken),
    /// A kind of relocation that is not known.
    UnknownKind,
    /// A type without a name cannot be looked for.
    Nameless,
    /// A bitfield that no load of up to eight bytes takes, or a size that is not known.
    TooWide,
}

/// The types of a kernel, and what libbpf remembers of them while it relocates one object.
///
/// Candidates that one relocation rules out are not looked at by later ones of the same local type, in any program:
/// libbpf keeps what is left (`bpf_core_resolve_relo`). So an object's relocations are to be asked for in their order.
#[derive(Debug)]
pub struct Candidates<'k> {
    types: Types<'k>,
    limit: u32,
    /// Where the types of the modules' own BTF are.
    modules: Vec<Range<u32>>,
    machine: value::Machine,
    cache: HashMap<TypeId, Vec<Type<'k>>>,
}

impl<'k> Candidates<'k> {
    /// The types below id `limit` are the kernel's own BTF.
    #[must_use]
    pub fn new(types: Types<'k>, limit: u32, address_size: u8, big_endian: bool) -> Self {
        let machine = value::Machine { address_size, big_endian };
        Self { types, limit, modules: Vec::new(), machine, cache: HashMap::new() }
    }

    /// Looks into the BTF of modules too, for what the kernel itself has no type of the name for, as if all were loaded.
    #[must_use]
    pub fn with_modules(self, modules: impl IntoIterator<Item = Range<u32>>) -> Self {
        Self { modules: modules.into_iter().collect(), ..self }
    }

    /// What libbpf makes of a relocation.
    pub fn relocate(&mut self, path: &Path<'_>) -> Outcome {
        if matches!(path.kind(), RelocationKind::Unknown(_)) {
            return Outcome::Refused(Refusal::UnknownKind);
        }
        match Spec::of_object(path) {
            Ok(local) => self.find(&local, path.kind()).unwrap_or_else(Outcome::Refused),
            Err(broken) => Outcome::Refused(Refusal::Broken(broken)),
        }
    }

    fn find(&mut self, local: &Spec<'_>, kind: RelocationKind) -> Result<Outcome, Refusal> {
        let machine = self.machine;
        let calculate = |spec: Option<&Spec<'k>>| {
            value::of(kind, local, spec, machine).map_err(|value::TooWide| Refusal::TooWide)
        };
        let outcome = |result, candidate| match result {
            Ok(patch) => Outcome::Patched { patch, candidate },
            Err(value::Missing) => Outcome::Poisoned,
        };
        if kind == RelocationKind::TypeIdLocal {
            let patch = Patch { value: u64::from(local.root.id().0), access: Access::Same };
            return Ok(outcome(Ok(patch), None));
        }
        if local.root.name().is_empty() {
            return Err(Refusal::Nameless);
        }
        let candidates = match self.cache.get(&local.root.id()) {
            Some(known) => known.clone(),
            None => self.named(local.root),
        };
        let mut left: Vec<Type<'k>> = Vec::new();
        let mut first = None;
        for candidate in &candidates {
            let found =
                compat::find(local, *candidate, kind, machine.address_size).map_err(Refusal::Broken)?;
            let Some(spec) = found else { continue };
            let result = calculate(Some(&spec))?;
            match &first {
                None => first = Some((spec.bit_offset, result)),
                Some(known) if *known != (spec.bit_offset, result) => {
                    let candidates = [left[0].id(), candidate.id()];
                    return Ok(match candidate.id().0 < self.limit {
                        true => Outcome::Ambiguous { candidates },
                        false => Outcome::Contested { candidates },
                    });
                }
                Some(_) => {}
            }
            left.push(*candidate);
        }
        let Some((_, result)) = first else {
            self.cache.insert(local.root.id(), candidates);
            return Ok(outcome(calculate(None)?, None));
        };
        let taken = left[0].id();
        self.cache.insert(local.root.id(), left);
        Ok(outcome(result, Some(taken)))
    }

    /// The kernel's types of the same kind and name, flavours aside, in the order of their ids; those of modules where
    /// it has none (`bpf_core_find_cands`).
    fn named(&self, local: Type<'_>) -> Vec<Type<'k>> {
        let (wanted, _) = essential_name(local.name());
        let same = |found: &Type<'k>| compat::same_kind(local, *found);
        let (mut kernel, others): (Vec<Type<'k>>, Vec<Type<'k>>) =
            self.types.with_essential_name(wanted).filter(same).partition(|found| found.id().0 < self.limit);
        if kernel.is_empty() {
            let in_module = |found: &Type<'k>| self.modules.iter().any(|ids| ids.contains(&found.id().0));
            kernel = others.into_iter().filter(in_module).collect();
        }
        kernel.sort_by_key(|found| found.id());
        kernel
    }
}

/// Whether libbpf takes the declaration of a function for that of the kernel's function of the same name.
#[must_use]
pub(super) fn compatible_prototypes(declared: Type<'_>, kernel: Type<'_>) -> bool {
    compat::is_compatible(declared, kernel, compat::DEPTH).unwrap_or(false)
}
