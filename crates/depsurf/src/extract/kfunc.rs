//! kfuncs: functions with the DECL_TAG `bpf_kfunc`, and members of the sets that are registered as kfuncs.
//!
//! Newer builds tag the functions in BTF (`pahole --btf_features=decl_tag_kfuncs`, about 6.10). The flags are in
//! the sets, and a function may be in several, each registered for other program types.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::surface::build::Parts;
use crate::surface::meta::{Evidence, Fact};
use crate::surface::record::{self, KFUNC_DECL_TAG, KFUNC_SET, MODULE_SHIFT, NONE, SET_KFUNCS};
use crate::surface::types::{TypeId, TypeKind, Types};

use super::set::Sets;

/// The kfuncs, sorted by name.
#[derive(Debug)]
pub struct Kfuncs {
    kfuncs: BTreeMap<String, Kfunc>,
    evidence: Evidence,
}

#[derive(Debug, Default)]
struct Kfunc {
    flags: u32,
    evidence: u32,
    prototype: Option<TypeId>,
}

/// Reads the kfuncs of an image from its sets, and from tags on the types that are its own.
#[must_use]
pub fn read(types: Types<'_>, own: &Range<u32>, sets: &Sets) -> Kfuncs {
    let mut kfuncs: BTreeMap<String, Kfunc> = BTreeMap::new();
    for tag in types.find_all(TypeKind::DeclTag, "bpf_kfunc").filter(|tag| own.contains(&tag.id().0)) {
        let Some(function) = tag.target().filter(|target| target.kind() == TypeKind::Func) else { continue };
        let kfunc = kfuncs.entry(function.name().to_owned()).or_default();
        kfunc.evidence |= KFUNC_DECL_TAG;
        kfunc.prototype = function.target_id();
    }
    let tagged = !kfuncs.is_empty();
    for (name, flags) in
        sets.list.iter().filter(|set| set.flags & SET_KFUNCS != 0).flat_map(|set| &set.members)
    {
        let kfunc = kfuncs.entry(name.clone()).or_default();
        kfunc.evidence |= KFUNC_SET;
        kfunc.flags |= flags;
        if kfunc.prototype.is_none() {
            kfunc.prototype = types.find(TypeKind::Func, name).and_then(|function| function.target_id());
        }
    }
    let evidence = match (tagged, &sets.evidence) {
        (true, _) => Evidence::known("DECL_TAG `bpf_kfunc`"),
        (false, Evidence::Known { source }) => Evidence::known(source.clone()),
        (false, unknown) => unknown.clone(),
    };
    Kfuncs { kfuncs, evidence }
}

impl Kfuncs {
    /// Moves the kfuncs of the kernel into the surface.
    pub fn store(self, parts: &mut Parts) {
        let evidence = self.evidence.clone();
        self.store_of(0, parts);
        parts.meta.evidence.insert(Fact::Kfuncs, evidence);
    }

    /// Moves the kfuncs of the module with a number into the surface. They are sorted once all are there.
    pub fn store_of(self, module: u32, parts: &mut Parts) {
        for (name, kfunc) in self.kfuncs {
            parts.kfuncs.push(record::Kfunc {
                name: parts.strings.intern(name.as_bytes()).0.into(),
                prototype: kfunc.prototype.map_or(NONE, |id| id.0).into(),
                flags: kfunc.flags.into(),
                evidence: (kfunc.evidence | module << MODULE_SHIFT).into(),
            });
        }
    }
}
