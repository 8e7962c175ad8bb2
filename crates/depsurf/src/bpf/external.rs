//! What an object expects others to provide: kfuncs and variables of the kernel, and options of its configuration.

use std::collections::HashMap;

use super::core::essential_name;
use super::elf::Elf;
use crate::note::Notes;
use crate::surface::types::Types;
use crate::surface::{TypeId, TypeKind};

/// What is expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ExternalKind {
    /// A function of the kernel or of a module.
    Kfunc,
    /// A variable of the kernel or of a module. Found by its type in BTF, or, where the program declares it as
    /// `void`, only by its name in kallsyms.
    Ksym {
        /// Whether it has a type.
        typed: bool,
    },
    /// An option of the kernel's configuration, or one of libbpf's own (`LINUX_KERNEL_VERSION`).
    Kconfig,
    /// Unknown: the object's BTF does not tell, or there is none. libbpf refuses such an object.
    Unknown,
}

/// Something that an object expects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct External<'a> {
    /// Name as the program has it.
    pub name: &'a str,
    /// What it is.
    pub kind: ExternalKind,
    /// Whether the program goes on without it: an absent one is 0.
    pub weak: bool,
    /// The FUNC of a kfunc, the type of a variable or option; `None` where the object's BTF does not tell.
    pub type_id: Option<TypeId>,
    /// Index in `.symtab`.
    pub(super) symbol: u32,
}

impl<'a> External<'a> {
    /// Name without flavour: what the kernel calls it (`bpf_dynptr_from_xdp` for `bpf_dynptr_from_xdp___new`).
    #[must_use]
    pub fn essential_name(&self) -> &'a str {
        essential_name(self.name).0
    }
}

/// BTF's numbers for "extern".
const FUNC_EXTERN: u32 = 2;
const VAR_EXTERN: u32 = 2;

/// The undefined symbols, in the order of `.symtab`.
pub(super) fn read<'a>(elf: &Elf<'a>, types: Option<Types<'_>>, notes: &mut Notes) -> Vec<External<'a>> {
    let is_wanted = |name: &str| !name.is_empty();
    let symbols =
        (0u32..).zip(&elf.symbols).filter(|(_, symbol)| symbol.is_extern() && is_wanted(symbol.name));
    let mut externals: Vec<External<'_>> = symbols
        .map(|(index, symbol)| External {
            name: symbol.name,
            kind: ExternalKind::Unknown,
            weak: symbol.is_weak(),
            type_id: None,
            symbol: index,
        })
        .collect();
    if externals.is_empty() {
        return externals;
    }
    let declared = types.map(Declared::new).unwrap_or_default();
    for external in &mut externals {
        match declared.by_name.get(external.name).and_then(|&id| declared.kind(types?, id)) {
            Some((kind, type_id)) => (external.kind, external.type_id) = (kind, Some(type_id)),
            None => notes.lost(
                "bpf-extern-without-btf",
                || {
                    "undefined symbols of which BTF does not tell what they are; libbpf refuses the object"
                        .into()
                },
                || format!("`{}`", external.name),
            ),
        }
    }
    externals
}

/// What BTF says of externs.
#[derive(Default)]
struct Declared<'t> {
    /// FUNC or VAR of a name.
    by_name: HashMap<&'t str, TypeId>,
    /// For each of them the name of its DATASEC.
    sections: HashMap<TypeId, &'t str>,
}

impl<'t> Declared<'t> {
    fn new(types: Types<'t>) -> Self {
        let mut declared = Self::default();
        for found in types.iter() {
            let linkage = || found.children().first().map(|child| child.a.get());
            match found.kind() {
                TypeKind::Func if linkage() == Some(FUNC_EXTERN) => {
                    declared.by_name.entry(found.name()).or_insert(found.id());
                }
                TypeKind::Var if linkage() == Some(VAR_EXTERN) => {
                    declared.by_name.entry(found.name()).or_insert(found.id());
                }
                TypeKind::Datasec if [".ksyms", ".kconfig"].contains(&found.name()) => {
                    for child in found.children() {
                        declared.sections.entry(TypeId(child.a.get())).or_insert(found.name());
                    }
                }
                _ => {}
            }
        }
        declared
    }

    fn kind(&self, types: Types<'_>, id: TypeId) -> Option<(ExternalKind, TypeId)> {
        let found = types.get(id)?;
        match (self.sections.get(&id).copied(), found.kind()) {
            (Some(".ksyms"), TypeKind::Func) => Some((ExternalKind::Kfunc, id)),
            (Some(".ksyms"), _) => {
                let typed = found.target()?.stripped(true).kind() != TypeKind::Void;
                Some((ExternalKind::Ksym { typed }, found.target_id()?))
            }
            (Some(".kconfig"), TypeKind::Var) => Some((ExternalKind::Kconfig, found.target_id()?)),
            _ => None,
        }
    }
}
