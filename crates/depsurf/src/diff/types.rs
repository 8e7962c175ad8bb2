//! Structs, unions and enums.

use std::collections::{HashMap, HashSet};

use foldhash::fast::FixedState;

use super::change::{Change, What};
use super::merge::few;
use super::pair::Pair;
use crate::surface::field::{Field, fields};
use crate::surface::meaning::{sign_free, value_same};
use crate::surface::types::{Enumerator, Type, TypeKind};
use crate::surface::{Surface, c};

/// Kinds that are structs.
pub(super) const STRUCT: &[TypeKind] = &[TypeKind::Struct];
/// Kinds that are unions.
pub(super) const UNION: &[TypeKind] = &[TypeKind::Union];
/// Kinds that are enums.
pub(super) const ENUM: &[TypeKind] = &[TypeKind::Enum, TypeKind::Enum64];

/// All types of some kinds that count and have a name, sorted by name.
pub(super) fn all<'a>(pair: Pair<'a>, surface: &'a Surface, kinds: &[TypeKind]) -> Vec<(&'a str, Type<'a>)> {
    let scope = pair.scope(surface);
    let named = surface.types().named().filter(|found| kinds.contains(&found.kind()));
    named.filter(|found| scope.has_type(*found)).map(|found| (found.name(), found)).collect()
}

/// The definitions of a name that count.
pub(super) fn named<'a>(
    pair: Pair<'a>,
    surface: &'a Surface,
    kinds: &[TypeKind],
    name: &'a str,
) -> Vec<Type<'a>> {
    let scope = pair.scope(surface);
    let named = surface.types().with_name(name).filter(|found| kinds.contains(&found.kind()));
    named.filter(|found| scope.has_type(*found)).collect()
}

/// The changes of a type that both kernels define, by what compares two definitions.
///
/// CO-RE tries every definition of a name, so those that both kernels have do not count, in whatever order they
/// are; of what is left, the first ones are compared.
pub(super) fn changes<'a>(
    pair: Pair<'a>,
    old: &[Type<'a>],
    new: &[Type<'a>],
    compare: fn(Pair<'a>, Type<'a>, Type<'a>, &mut Vec<Change>),
    out: &mut Vec<Change>,
) {
    if let ([old], [new]) = (old, new) {
        return compare(pair, *old, *new, out);
    }
    let is_equal = |old: Type<'a>, new: Type<'a>| {
        let mut changes = Vec::new();
        compare(pair, old, new, &mut changes);
        changes.is_empty()
    };
    let mut left = few(new).to_vec();
    let mut unmatched = None;
    for before in few(old) {
        match left.iter().position(|after| is_equal(*before, *after)) {
            Some(place) => drop(left.remove(place)),
            None => unmatched = unmatched.or(Some(*before)),
        }
    }
    if let (Some(before), Some(after)) = (unmatched, left.first()) {
        compare(pair, before, *after, out);
    }
}

/// The changes of one definition of a struct or union: of its fields, then of its layout.
pub(super) fn structure(pair: Pair<'_>, old: Type<'_>, new: Type<'_>, out: &mut Vec<Change>) {
    if pair.is_laid_out_alike(old, new) {
        return;
    }
    let (before, after) = (fields(old), fields(new));
    let common = Source { pair, prefix: "", depth: DEPTH }.fields(&before, &after, out);
    if pair.compares_layout() && has_layout(old) && has_layout(new) {
        places(old, new, common.into_iter(), out);
    }
}

/// Whether a field has another type.
pub(super) fn differs(pair: Pair<'_>, old: &Field<'_>, new: &Field<'_>) -> bool {
    let mut changes = Vec::new();
    Source { pair, prefix: "", depth: DEPTH }.ty(old, new, &mut changes);
    !changes.is_empty()
}

/// How deep members without a named type may nest. Real ones go to about three.
const DEPTH: usize = 8;

/// Fields with the same name in both kernels.
type Common<'f, 'a> = Vec<(&'f Field<'a>, &'f Field<'a>)>;

/// Compares what the source declares.
struct Source<'p> {
    pair: Pair<'p>,
    /// What stands before the name of a field: the path to the member of no named type that has it.
    prefix: &'p str,
    depth: usize,
}

impl Source<'_> {
    /// The changes of a list of fields; gives those that both have.
    fn fields<'f, 'a>(
        &self,
        old: &'f [Field<'a>],
        new: &'f [Field<'a>],
        out: &mut Vec<Change>,
    ) -> Common<'f, 'a> {
        let start = out.len();
        // Nearly all lists are equal, which this tells without a table of names.
        let paired = old.len() == new.len() && old.iter().zip(new).all(|(from, to)| from.name == to.name);
        let common: Common<'f, 'a> =
            if paired { old.iter().zip(new).collect() } else { self.names(old, new, out) };
        for (from, to) in &common {
            self.ty(from, to, out);
        }
        // Those of members come with the type of the member, but are told with their like.
        out[start..].sort_by_key(|change| change.what);
        common
    }

    fn names<'f, 'a>(
        &self,
        old: &'f [Field<'a>],
        new: &'f [Field<'a>],
        out: &mut Vec<Change>,
    ) -> Common<'f, 'a> {
        let (old_names, new_names) = (names(old), names(new));
        for field in new.iter().filter(|field| !old_names.contains_key(&*field.name)) {
            out.push(Change::added(What::FieldAdded, self.name(field), self.text(field)));
        }
        for field in old.iter().filter(|field| !new_names.contains_key(&*field.name)) {
            out.push(Change::removed(What::FieldRemoved, self.name(field), self.text(field)));
        }
        old.iter().filter_map(|field| Some((field, &new[*new_names.get(&*field.name)?]))).collect()
    }

    /// The changes of a field's type: of its members where it has no name of its own.
    fn ty(&self, old: &Field<'_>, new: &Field<'_>, out: &mut Vec<Change>) {
        if self.pair.same(old.ty, new.ty) {
            return;
        }
        let inner =
            |ty: Type<'_>| matches!(ty.kind(), TypeKind::Struct | TypeKind::Union) && ty.name_id().is_empty();
        if old.ty.kind() == new.ty.kind() && inner(old.ty) && inner(new.ty) {
            let prefix = self.name(new) + ".";
            let inner = Source { pair: self.pair, prefix: &prefix, depth: self.depth.saturating_sub(1) };
            if self.depth > 0 {
                inner.fields(&fields(old.ty), &fields(new.ty), out);
            }
            return;
        }
        out.push(Change::changed(What::FieldTypeChanged, self.text(old), self.text(new)).of(self.name(new)));
    }

    fn name(&self, field: &Field<'_>) -> String {
        format!("{}{}", self.prefix, field.name)
    }

    fn text(&self, field: &Field<'_>) -> String {
        c::declaration(field.ty, &self.name(field))
    }
}

/// Fields by name. Of several of one name, which only damaged input has, the first counts.
fn names<'f>(fields: &'f [Field<'_>]) -> HashMap<&'f str, usize, FixedState> {
    let mut names = HashMap::with_capacity_and_hasher(fields.len(), FixedState::default());
    for (place, field) in fields.iter().enumerate() {
        names.entry(&*field.name).or_insert(place);
    }
    names
}

/// Sizes and offsets.
fn places<'f, 'a: 'f>(
    old: Type<'_>,
    new: Type<'_>,
    common: impl Iterator<Item = (&'f Field<'a>, &'f Field<'a>)>,
    out: &mut Vec<Change>,
) {
    if let Some((old, new)) = old.size().zip(new.size()).filter(|(old, new)| old != new) {
        out.push(Change::changed(What::SizeChanged, old.to_string(), new.to_string()));
    }
    for (old, new) in common {
        place(old, new, |change| out.push(change.of(&*new.name)));
    }
}

/// Whether two fields are in the same place, as far as both places are known.
pub(super) fn place(old: &Field<'_>, new: &Field<'_>, mut tell: impl FnMut(Change)) {
    let Some((before, after)) = old.bit_offset.zip(new.bit_offset) else { return };
    if before != after {
        tell(Change::changed(What::OffsetChanged, offset(old, before), offset(new, after)));
    }
    if old.bitfield_size != new.bitfield_size {
        let width = |field: &Field<'_>| field.bitfield_size.unwrap_or(0).to_string();
        tell(Change::changed(What::WidthChanged, width(old), width(new)));
    }
}

/// Bytes; `byte:bit` for a bitfield, where bits count as BTF counts them.
fn offset(field: &Field<'_>, bits: u64) -> String {
    match field.bitfield_size {
        None => (bits / 8).to_string(),
        Some(_) => format!("{}:{}", bits / 8, bits % 8),
    }
}

/// Whether size and offsets are known: imported definitions may come without, as zeros.
pub(super) fn has_layout(ty: Type<'_>) -> bool {
    ty.size() != Some(0) || ty.members().len() == 0
}

/// The field in C.
pub(super) fn text(field: &Field<'_>) -> String {
    c::declaration(field.ty, &field.name)
}

/// The name under which all enums without one are collected.
pub(super) const ANONYMOUS: &str = "(anon)";

/// All enums without a name that count.
pub(super) fn anonymous<'a>(pair: Pair<'a>, surface: &'a Surface) -> Vec<Type<'a>> {
    let scope = pair.scope(surface);
    let enums = surface.types().iter().filter(|found| ENUM.contains(&found.kind()));
    enums.filter(|found| found.name_id().is_empty() && scope.has_type(*found)).collect()
}

/// The changes of an enum; of those without a name, of all their values together.
pub(super) fn enums<'a>(pair: Pair<'a>, old: &[Type<'a>], new: &[Type<'a>], out: &mut Vec<Change>) {
    if old.first().is_some_and(|first| first.name_id().is_empty()) {
        let all = |list: &[Type<'a>]| list.iter().flat_map(|found| found.enumerators()).collect::<Vec<_>>();
        return values(&all(old), &all(new), out);
    }
    changes(pair, old, new, enumeration, out);
}

/// The changes of one definition of an enum.
fn enumeration(pair: Pair<'_>, old: Type<'_>, new: Type<'_>, out: &mut Vec<Change>) {
    let (before, after): (Vec<_>, Vec<_>) = (old.enumerators().collect(), new.enumerators().collect());
    values(&before, &after, out);
    let sizes = old.size().zip(new.size()).filter(|_| pair.compares_layout());
    if let Some((old, new)) = sizes.filter(|(old, new)| old != new) {
        out.push(Change::changed(What::SizeChanged, old.to_string(), new.to_string()));
    }
}

/// The changes of a list of enumerators. A name may have several values, as in all anonymous enums together: it is
/// changed as often as it lost one and got another.
fn values(old: &[Enumerator<'_>], new: &[Enumerator<'_>], out: &mut Vec<Change>) {
    let same = |a: &Enumerator<'_>, b: &Enumerator<'_>| a.name == b.name && value_same(a.value, b.value);
    if old.len() == new.len() && old.iter().zip(new).all(|(a, b)| same(a, b)) {
        return;
    }
    let (gone, come) = (missing(old, new), missing(new, old));
    let (gone_by_name, come_by_name) = (by_name(&gone), by_name(&come));
    let text = |value: &Enumerator<'_>| format!("{} = {}", value.name, value.value);
    let count = |names: &ByName<'_>, name: &str| names.get(name).map_or(0, Vec::len);
    let rest = |names: &ByName<'_>, other: &ByName<'_>, value: &Enumerator<'_>| {
        let values = names.get(value.name).map_or(&[][..], Vec::as_slice);
        values.iter().position(|it| *it == value.value) >= Some(count(other, value.name))
    };
    for value in come.iter().filter(|value| rest(&come_by_name, &gone_by_name, value)) {
        out.push(Change::added(What::ValueAdded, value.name, text(value)));
    }
    for value in gone.iter().filter(|value| rest(&gone_by_name, &come_by_name, value)) {
        out.push(Change::removed(What::ValueRemoved, value.name, text(value)));
    }
    for value in gone.iter().filter(|value| !rest(&gone_by_name, &come_by_name, value)) {
        let place = gone_by_name[value.name].iter().position(|it| *it == value.value);
        let other = place.and_then(|place| come_by_name.get(value.name)?.get(place).copied());
        if let Some(other) = other {
            let other = Enumerator { value: other, ..*value };
            out.push(Change::changed(What::ValueChanged, text(value), text(&other)).of(value.name));
        }
    }
}

/// Values of each name, in the order of declaration.
type ByName<'a> = HashMap<&'a str, Vec<i128>, FixedState>;

fn by_name<'a>(values: &[Enumerator<'a>]) -> ByName<'a> {
    let mut names = ByName::default();
    for value in values {
        names.entry(value.name).or_default().push(value.value);
    }
    names
}

/// The enumerators of `list` that `other` does not have, each once.
fn missing<'a>(list: &[Enumerator<'a>], other: &[Enumerator<'a>]) -> Vec<Enumerator<'a>> {
    let key = |value: &Enumerator<'a>| (value.name, sign_free(value.value));
    let mut seen: HashSet<(&str, u64), FixedState> = other.iter().map(key).collect();
    list.iter().copied().filter(|value| seen.insert(key(value))).collect()
}
