//! LSM hooks: the prototype, and whether programs can attach.

use super::change::{Change, What};
use super::pair::Pair;
use super::prototype;
use crate::surface::lsm::LsmHook;
use crate::surface::{Surface, Type, TypeKind, record};

/// The changes of an LSM hook that both kernels have.
pub(super) fn changes<'a>(pair: Pair<'a>, old: LsmHook<'a>, new: LsmHook<'a>, out: &mut Vec<Change>) {
    if let Some((old, new)) = prototypes(pair, old, new) {
        prototype::changes(pair, old, new, out);
    }
    let mut answer = |old: Option<bool>, new: Option<bool>, [gained, lost]: [What; 2]| {
        if let Some((_, new)) = old.zip(new).filter(|(old, new)| old != new) {
            out.push(Change::bare(if new { gained } else { lost }));
        }
    };
    answer(old.is_attachable(), new.is_attachable(), [What::AttachGained, What::AttachLost]);
    answer(old.is_sleepable(), new.is_sleepable(), [What::SleepableGained, What::SleepableLost]);
}

/// The prototypes to compare: of the hook itself where both kernels tell, as a program sees it, else of the
/// functions that call it, which are all that the published dataset has.
fn prototypes<'a>(pair: Pair<'a>, old: LsmHook<'a>, new: LsmHook<'a>) -> Option<(Type<'a>, Type<'a>)> {
    let own = |surface: &'a Surface, hook: LsmHook<'a>| {
        let is_own = hook.flags() & record::LSM_LIST_OPTION != 0;
        // The pointers in `union security_list_options` have no names for their parameters.
        let attach_point = function(surface, &format!("bpf_lsm_{}", hook.name()));
        attach_point.or_else(|| hook.prototype()).filter(|_| is_own)
    };
    let caller = |surface: &'a Surface, hook: LsmHook<'a>| {
        let found = function(surface, &format!("security_{}", hook.name()));
        found.or_else(|| hook.prototype())
    };
    let both = own(pair.old, old).zip(own(pair.new, new));
    both.or_else(|| caller(pair.old, old).zip(caller(pair.new, new)))
}

/// The prototype of a kernel function, also where only BTF knows it.
fn function<'a>(surface: &'a Surface, name: &str) -> Option<Type<'a>> {
    let known = surface.function(name).and_then(|found| found.prototype());
    let types = surface.types();
    // By id, because what is found by name lives no longer than the name.
    let func = || types.get(types.find(TypeKind::Func, name)?.id())?.target();
    known.or_else(func)
}
