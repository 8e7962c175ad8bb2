//! Prototypes: parameters by name, and what they return.

use super::change::{Change, What};
use super::pair::Pair;
use crate::surface::c;
use crate::surface::types::{Type, TypeId, TypeKind};

/// Parameters of a prototype that are told apart. Real ones have some tens at most.
const PARAMS: usize = 256;

/// A parameter while two prototypes are compared.
struct Param<'a> {
    /// What it is matched by.
    key: String,
    /// Its name; empty where the prototype has none.
    name: &'a str,
    /// `None` for the `...` at the end, and for a type that only damaged bytes refer to.
    ty: Option<Type<'a>>,
}

/// The changes of a FUNC_PROTO, in the order of a page.
pub(super) fn changes(pair: Pair<'_>, old: Type<'_>, new: Type<'_>, out: &mut Vec<Change>) {
    if is_equal(pair, old, new) {
        return;
    }
    let (mut before, mut after) = (params(old), params(new));
    // The pointers in `union security_list_options` have no names for their parameters. What has names on one
    // side only is matched by place.
    if is_nameless(&before) {
        borrow_names(&mut before, &after);
    } else if is_nameless(&after) {
        borrow_names(&mut after, &before);
    }
    let place = |list: &[Param<'_>], key: &str| list.iter().position(|param| param.key == key);
    for param in after.iter().filter(|param| place(&before, &param.key).is_none()) {
        out.push(Change::added(What::ParamAdded, param.key.as_str(), param.text()));
    }
    for param in before.iter().filter(|param| place(&after, &param.key).is_none()) {
        out.push(Change::removed(What::ParamRemoved, param.key.as_str(), param.text()));
    }
    let common: Vec<(usize, usize)> =
        (0..before.len()).filter_map(|from| Some((from, place(&after, &before[from].key)?))).collect();
    // A program reads parameters by place, so one that others were put before counts as well.
    if common.iter().any(|(from, to)| from != to) {
        out.push(Change::changed(What::ParamReordered, keys(&before), keys(&after)));
    }
    for (from, to) in common {
        let (from, to) = (&before[from], &after[to]);
        let same = match (from.ty, to.ty) {
            (Some(old), Some(new)) => pair.same(old, new),
            (old, new) => old.is_none() == new.is_none(),
        };
        if !same {
            out.push(Change::changed(What::ParamTypeChanged, from.text(), to.text()).of(to.key.as_str()));
        }
    }
    if let (Some(old), Some(new)) = (old.target(), new.target())
        && !pair.same(old, new)
    {
        let [old, new] = [old, new].map(|ty| c::declaration(ty, ""));
        out.push(Change::changed(What::ReturnTypeChanged, old, new));
    }
}

/// Whether nothing changed: the answer for nearly all, without building lists.
fn is_equal(pair: Pair<'_>, old: Type<'_>, new: Type<'_>) -> bool {
    let same = |from: TypeId, to: TypeId| {
        let types = old.types().get(from).zip(new.types().get(to));
        types.is_some_and(|(old, new)| pair.same(old, new))
    };
    old.params().len() == new.params().len()
        && old.params().zip(new.params()).all(|(from, to)| from.name == to.name)
        && old.params().zip(new.params()).all(|(from, to)| same(from.type_id, to.type_id))
        && old.target_id().zip(new.target_id()).is_some_and(|(from, to)| same(from, to))
}

fn params(proto: Type<'_>) -> Vec<Param<'_>> {
    let mut nameless = 0;
    let mut params = Vec::new();
    for param in proto.params().take(PARAMS) {
        let found = proto.types().get(param.type_id);
        let ty = found.filter(|ty| !param.name.is_empty() || ty.kind() != TypeKind::Void);
        let key = match (param.name, ty, nameless) {
            ("", None, _) => "...".into(),
            ("", _, 0) => "(anon)".into(),
            ("", _, number) => format!("(anon-{number})"),
            (name, ..) => name.to_owned(),
        };
        nameless += usize::from(param.name.is_empty() && ty.is_some());
        params.push(Param { key, name: param.name, ty });
    }
    params
}

/// Whether no parameter has a name, though there are some.
fn is_nameless(params: &[Param<'_>]) -> bool {
    params.iter().any(|param| param.ty.is_some()) && params.iter().all(|param| param.name.is_empty())
}

/// Takes the names of the other side, place by place.
fn borrow_names(params: &mut [Param<'_>], named: &[Param<'_>]) {
    for (param, other) in params.iter_mut().zip(named).filter(|(param, _)| param.ty.is_some()) {
        param.key.clone_from(&other.key);
    }
}

fn keys(params: &[Param<'_>]) -> String {
    params.iter().map(|param| param.key.as_str()).collect::<Vec<_>>().join(", ")
}

impl Param<'_> {
    fn text(&self) -> String {
        self.ty.map_or_else(|| "...".into(), |ty| c::declaration(ty, self.name))
    }
}
