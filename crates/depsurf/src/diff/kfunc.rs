//! Kernel functions that programs may call: the prototype, and the flags that the verifier goes by.

use super::change::{Change, What};
use super::pair::Pair;
use super::prototype;
use crate::surface::kfunc::{FLAG_NAMES, Kfunc};
use crate::surface::{Fact, Surface};

/// All kfuncs that count, sorted by name.
pub(super) fn all<'a>(pair: Pair<'a>, surface: &'a Surface) -> Vec<(&'a str, Kfunc<'a>)> {
    let scope = pair.scope(surface);
    surface.kfuncs().filter(|found| scope.has(found.module())).map(|found| (found.name(), found)).collect()
}

/// The kfunc of a name if it counts.
pub(super) fn named<'a>(pair: Pair<'a>, surface: &'a Surface, name: &str) -> Vec<Kfunc<'a>> {
    let scope = pair.scope(surface);
    surface.kfunc(name).into_iter().filter(|found| scope.has(found.module())).collect()
}

/// The changes of a kfunc that both kernels have.
pub(super) fn changes(pair: Pair<'_>, old: Kfunc<'_>, new: Kfunc<'_>, out: &mut Vec<Change>) {
    if let (Some(old), Some(new)) = (old.prototype(), new.prototype()) {
        prototype::changes(pair, old, new, out);
    }
    // The flags stand in the sets, also where a DECL_TAG tells which functions are kfuncs.
    if !pair.knows(&[Fact::BtfIds]) {
        return;
    }
    for (what, flags) in
        [(What::FlagAdded, new.flags() & !old.flags()), (What::FlagRemoved, old.flags() & !new.flags())]
    {
        for bit in (0..32).filter(|bit| flags >> bit & 1 != 0) {
            let name = FLAG_NAMES.get(bit).map_or_else(|| format!("bit {bit}"), |name| (*name).to_owned());
            out.push(match what {
                What::FlagAdded => Change::added(what, name.as_str(), name.as_str()),
                _ => Change::removed(what, name.as_str(), name.as_str()),
            });
        }
    }
}
