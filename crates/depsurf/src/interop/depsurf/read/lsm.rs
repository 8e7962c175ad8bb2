//! LSM hooks, which the dataset has no file for: by the original's rule they are the members of the struct with the
//! heads of their lists for which there is a function `security_NAME`.

use super::types::Types;
use crate::surface::TypeKind;
use crate::surface::build::Parts;
use crate::surface::meta::Evidence;
use crate::surface::record;

/// The structs with a member per hook: until Linux 6.11, and from 6.12 on.
const HEADS: [&str; 2] = ["security_hook_heads", "lsm_static_calls_table"];

/// Fills the hooks, sorted by name, and tells where they are from. `missing` names a file that would be needed.
pub(super) fn read(types: &Types, missing: Option<&str>, parts: &mut Parts) -> Evidence {
    if let Some(part) = missing {
        return Evidence::unknown(format!("the dataset has no {part} of this kernel"));
    }
    let find = |parts: &Parts, kind, name: &str| types.members(kind, parts.strings.find(name)?);
    let Some((heads, members)) =
        HEADS.into_iter().find_map(|name| Some((name, find(parts, TypeKind::Struct, name)?)))
    else {
        return Evidence::unknown(format!("types_struct has neither `{}` nor `{}`", HEADS[0], HEADS[1]));
    };
    let options = find(parts, TypeKind::Union, "security_list_options").unwrap_or_default();
    let mut hooks = Vec::new();
    for member in members {
        let name = parts.strings.get(member).to_owned();
        let function = parts.strings.find(&format!("security_{name}")).and_then(|id| types.function(id));
        let Some(function) = function else { continue };
        let listed = if options.contains(&member) { record::LSM_LIST_OPTION } else { 0 };
        let hook = record::LsmHook {
            name: member.0.into(),
            prototype: types.prototype_of(function).0.into(),
            flags: (record::LSM_HEAD | record::LSM_SETS_UNKNOWN | listed).into(),
        };
        hooks.push((name, hook));
    }
    hooks.sort_by(|(a, _), (b, _)| a.cmp(b));
    hooks.dedup_by(|(a, _), (b, _)| a == b);
    parts.lsm_hooks = hooks.into_iter().map(|(_, hook)| hook).collect();
    Evidence::known(format!(
        "DepSurf dataset, `{heads}` in types_struct and the functions `security_*` in types_func"
    ))
}
