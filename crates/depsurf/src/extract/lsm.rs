//! LSM hooks: every hook the kernel's own lists have, what each takes, and whether BPF programs may attach.
//!
//! | list | since | gives |
//! |---|---|---|
//! | `struct lsm_static_calls_table` | 6.12 | names |
//! | `struct security_hook_heads` | until 6.11 | names |
//! | `union security_list_options` | always | names and prototypes |
//! | set `bpf_lsm_hooks` | 5.10 | what `lsm/` programs may attach to |
//! | set `bpf_lsm_disabled_hooks` | 6.12 | less these |
//! | set `sleepable_lsm_hooks` | 5.11 | what `lsm.s/` programs may attach to |

use std::collections::BTreeMap;

use crate::surface::build::Parts;
use crate::surface::meta::{Evidence, Fact};
use crate::surface::record::{
    self, LSM_BPF, LSM_DISABLED, LSM_HEAD, LSM_LIST_OPTION, LSM_SETS_UNKNOWN, LSM_SLEEPABLE, NONE,
};
use crate::surface::types::{Type, TypeId, TypeKind, Types};

use super::set::Sets;

/// What the set members and the functions behind BPF's hooks start with.
const BPF_LSM: &str = "bpf_lsm_";
/// A member of `union security_list_options` that is no hook: it has the address of any of them.
const NO_HOOK: &str = "lsm_func_addr";

/// The hooks, sorted by name.
#[derive(Debug)]
pub struct LsmHooks {
    hooks: BTreeMap<String, Hook>,
    evidence: Evidence,
}

#[derive(Debug, Default)]
struct Hook {
    flags: u32,
    prototype: Option<TypeId>,
}

/// Reads the hooks from the types, and what BPF may do from the sets.
#[must_use]
pub fn read(types: Types<'_>, sets: &Sets) -> LsmHooks {
    let mut hooks: BTreeMap<String, Hook> = BTreeMap::new();
    let mut sources = Vec::new();
    for (kind, name, flag) in [
        (TypeKind::Struct, "lsm_static_calls_table", LSM_HEAD),
        (TypeKind::Struct, "security_hook_heads", LSM_HEAD),
        (TypeKind::Union, "security_list_options", LSM_LIST_OPTION),
    ] {
        let Some(list) = types.find(kind, name) else { continue };
        sources.push(name);
        for member in list.members().filter(|member| !member.name.is_empty() && member.name != NO_HOOK) {
            let hook = hooks.entry(member.name.to_owned()).or_default();
            hook.flags |= flag;
            if flag == LSM_LIST_OPTION {
                hook.prototype = types.get(member.type_id).and_then(prototype);
            }
        }
    }
    for (set, flag) in [
        ("bpf_lsm_hooks", LSM_BPF),
        ("bpf_lsm_disabled_hooks", LSM_DISABLED),
        ("sleepable_lsm_hooks", LSM_SLEEPABLE),
        ("btf_sleepable_lsm_hooks", LSM_SLEEPABLE),
    ] {
        for name in sets.members(set).filter_map(|member| member.strip_prefix(BPF_LSM)) {
            hooks.entry(name.to_owned()).or_default().flags |= flag;
        }
    }
    if !sets.are_known() {
        hooks.values_mut().for_each(|hook| hook.flags |= LSM_SETS_UNKNOWN);
    }
    let evidence = if sources.is_empty() {
        Evidence::unknown("the types have neither `security_list_options` nor a list of hooks")
    } else {
        Evidence::known(sources.join(", "))
    };
    LsmHooks { hooks, evidence }
}

/// The prototype behind a pointer to a function.
fn prototype(pointer: Type<'_>) -> Option<TypeId> {
    let target = pointer.stripped(true).target()?.stripped(true);
    (target.kind() == TypeKind::FuncProto).then(|| target.id())
}

impl LsmHooks {
    /// Moves the hooks into the surface.
    pub fn store(self, parts: &mut Parts) {
        for (name, hook) in self.hooks {
            parts.lsm_hooks.push(record::LsmHook {
                name: parts.strings.intern(name.as_bytes()).0.into(),
                prototype: hook.prototype.map_or(NONE, |id| id.0).into(),
                flags: hook.flags.into(),
            });
        }
        parts.meta.evidence.insert(Fact::LsmHooks, self.evidence);
    }
}
