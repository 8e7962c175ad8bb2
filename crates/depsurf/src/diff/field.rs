//! Fields: `struct::member`, wherever the member moved to.

use std::borrow::Cow;

use rayon::prelude::*;

use super::change::{Change, What};
use super::merge::{Entry, Names};
use super::pair::Pair;
use super::types::{differs, has_layout, place, text};
use super::{Changed, KindDiff};
use crate::Kind;
use crate::surface::field::{Field, Found, fields, named as fields_named};
use crate::surface::{Surface, Type, TypeKind};

/// The fields of a name that count, one for each definition that has it.
pub(super) fn named<'a>(pair: Pair<'a>, surface: &'a Surface, name: &'a str) -> Vec<Found<'a>> {
    let scope = pair.scope(surface);
    fields_named(surface, name).filter(|found| scope.has_type(found.outer)).collect()
}

/// The changes of a field that both kernels have, in the first definition that has it.
pub(super) fn changes<'a>(pair: Pair<'a>, old: &[Found<'a>], new: &[Found<'a>], out: &mut Vec<Change>) {
    let (Some(old), Some(new)) = (old.first(), new.first()) else { return };
    one(pair, (old.outer, &old.field), (new.outer, &new.field), out);
}

fn one<'a>(
    pair: Pair<'a>,
    (old_outer, old): (Type<'a>, &Field<'a>),
    (new_outer, new): (Type<'a>, &Field<'a>),
    out: &mut Vec<Change>,
) {
    if differs(pair, old, new) {
        out.push(Change::changed(What::FieldTypeChanged, text(old), text(new)));
    }
    if !pair.compares_layout() {
        return;
    }
    if let Some((old, new)) = sizes(pair, old, new) {
        out.push(Change::changed(What::SizeChanged, old.to_string(), new.to_string()));
    }
    if has_layout(old_outer) && has_layout(new_outer) {
        place(old, new, |change| out.push(change));
    }
}

/// The sizes of a field in bytes where they are known and differ. Imported definitions may come without, as zeros.
fn sizes(pair: Pair<'_>, old: &Field<'_>, new: &Field<'_>) -> Option<(u64, u64)> {
    let size = |field: &Field<'_>, surface: &Surface| field.ty.byte_size(surface.meta().address_size);
    let sizes = size(old, pair.old).zip(size(new, pair.new));
    sizes.filter(|(old, new)| old != new && *old != 0 && *new != 0)
}

/// Compares the members of all structs and unions, and of typedefs of ones without a name.
pub(super) fn compare<'a>(pair: Pair<'a>) -> KindDiff<'a> {
    let (old, new) = (Names::new(outers(pair, pair.old)), Names::new(outers(pair, pair.new)));
    let parts: Vec<Part<'a>> = old.merge(&new).into_par_iter().map(|entry| part(pair, &entry)).collect();
    let mut diff = KindDiff::empty(pair, Kind::Field);
    for mut part in parts {
        diff.old += part.old;
        diff.new += part.new;
        diff.added.append(&mut part.added);
        diff.removed.append(&mut part.removed);
        diff.changed.append(&mut part.changed);
    }
    diff
}

/// Types that fields are named after, by name.
fn outers<'a>(pair: Pair<'a>, surface: &'a Surface) -> Vec<(&'a str, Type<'a>)> {
    let scope = pair.scope(surface);
    let named = surface.types().named().filter(|found| scope.has_type(*found));
    let named = named.filter_map(|found| match found.kind() {
        TypeKind::Struct | TypeKind::Union => Some((found.name(), found)),
        TypeKind::Typedef => {
            let inner = found.stripped(true);
            let counts = matches!(inner.kind(), TypeKind::Struct | TypeKind::Union);
            (counts && inner.name_id().is_empty()).then(|| (found.name(), inner))
        }
        _ => None,
    });
    named.collect()
}

/// What one struct adds to the whole.
#[derive(Default)]
struct Part<'a> {
    old: usize,
    new: usize,
    added: Vec<Cow<'a, str>>,
    removed: Vec<Cow<'a, str>>,
    changed: Vec<Changed<'a>>,
}

fn part<'a>(pair: Pair<'a>, entry: &Entry<'_, 'a, Type<'a>>) -> Part<'a> {
    if let Some(count) = unchanged(pair, entry) {
        return Part { old: count, new: count, ..Part::default() };
    }
    let (old, new) = (members(entry.old), members(entry.new));
    let name = |field: &Field<'_>| Cow::Owned(format!("{}::{}", entry.name, field.name));
    let mut part = Part { old: old.len(), new: new.len(), ..Part::default() };
    let (mut before, mut after) = (old.into_iter().peekable(), new.into_iter().peekable());
    loop {
        let order = match (before.peek(), after.peek()) {
            (Some((_, old)), Some((_, new))) => old.name.cmp(&new.name),
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (None, None) => return part,
        };
        let old = before.next_if(|_| order.is_le());
        let new = after.next_if(|_| order.is_ge());
        match (old, new) {
            (Some((_, field)), None) => part.removed.push(name(&field)),
            (None, Some((_, field))) => part.added.push(name(&field)),
            (Some((old_outer, old)), Some((new_outer, new))) => {
                let mut changes = Vec::new();
                one(pair, (old_outer, &old), (new_outer, &new), &mut changes);
                if !changes.is_empty() {
                    part.changed.push(Changed { name: name(&new), changes });
                }
            }
            (None, None) => {}
        }
    }
}

/// The number of fields where none of them changed; `None` where one may have.
fn unchanged<'a>(pair: Pair<'a>, entry: &Entry<'_, 'a, Type<'a>>) -> Option<usize> {
    let ([old], [new]) = (entry.old, entry.new) else { return None };
    if !pair.is_laid_out_alike(*old, *new) {
        return None;
    }
    // A type may have grown where it leaves the struct as it was.
    let (old, new) = (fields(*old), fields(*new));
    let same = old.iter().zip(&new).all(|(old, new)| sizes(pair, old, new).is_none());
    (same || !pair.compares_layout()).then_some(old.len())
}

/// The fields of all definitions of a name, sorted by name; of several of one name the first.
fn members<'a>(outers: &[Type<'a>]) -> Vec<(Type<'a>, Field<'a>)> {
    let with_outer = |outer: &Type<'a>| {
        let outer = *outer;
        fields(outer).into_iter().map(move |field| (outer, field))
    };
    let mut members: Vec<(Type<'a>, Field<'a>)> = outers.iter().flat_map(with_outer).collect();
    members.sort_by(|(_, a), (_, b)| a.name.cmp(&b.name));
    members.dedup_by(|(_, later), (_, first)| later.name == first.name);
    members
}
