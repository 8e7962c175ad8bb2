//! The names of a kind over many surfaces, each once and in order.

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use rayon::prelude::*;

use crate::kind::Kind;
use crate::surface::Surface;
use crate::surface::field::fields;
use crate::surface::types::{Type, TypeKind};

/// The name under which anonymous enums are collected.
const ANONYMOUS: &str = "(anon)";

/// The names that some of the surfaces have in a kind, each once, in the order of their bytes.
///
/// Fields are `struct::member` of every struct and union, members of anonymous members included, without paths
/// through named members, of which there is no end.
#[must_use]
pub fn all<'a>(kind: Kind, surfaces: &[&'a Surface]) -> Vec<Cow<'a, str>> {
    // Every list is in order, so they are merged, two by two: what most surfaces have is dropped early.
    surfaces.par_iter().map(|surface| of(kind, surface)).reduce(Vec::new, merge)
}

/// The names of one surface, in order.
fn of(kind: Kind, surface: &Surface) -> Vec<Cow<'_, str>> {
    match kind {
        Kind::Function => {
            let outlines = surface.outlines().into_iter().map(Cow::Borrowed).collect();
            merge(in_order(surface.functions().map(|found| found.name())), outlines)
        }
        Kind::Struct => in_order(types(surface, &[TypeKind::Struct]).map(Type::name)),
        Kind::Union => in_order(types(surface, &[TypeKind::Union]).map(Type::name)),
        Kind::Enum => {
            let kinds = [TypeKind::Enum, TypeKind::Enum64];
            let is_anonymous = |found: Type<'_>| found.name().is_empty() && kinds.contains(&found.kind());
            let anonymous = surface.types().iter().any(is_anonymous).then_some(ANONYMOUS);
            in_order(types(surface, &kinds).map(Type::name).chain(anonymous))
        }
        Kind::Field => in_order(types(surface, &[TypeKind::Struct, TypeKind::Union]).flat_map(fields_of)),
        Kind::Tracepoint => {
            let listed = in_order(surface.tracepoints().map(|found| found.name()));
            merge(listed, in_order(surface.syscall_events().iter().map(|event| event.name())))
        }
        Kind::Lsm => in_order(surface.lsm_hooks().map(|found| found.name())),
        Kind::Kfunc => in_order(surface.kfuncs().map(|found| found.name())),
        Kind::Syscall => in_order(surface.syscalls().map(|found| found.name())),
        Kind::Config => in_order(surface.configs().map(|found| found.name)),
    }
}

/// The types of some kinds that have a name.
fn types<'a>(surface: &'a Surface, kinds: &[TypeKind]) -> impl Iterator<Item = Type<'a>> {
    surface.types().named().filter(|found| kinds.contains(&found.kind()))
}

/// The names of a type's fields. What a name cannot tell apart from a path or another type has none.
fn fields_of(found: Type<'_>) -> impl Iterator<Item = String> {
    let outer = found.name();
    let list = if outer.contains("::") { Vec::new() } else { fields(found) };
    let named = list.into_iter().filter(|field| !field.name.contains('.'));
    named.map(move |field| format!("{outer}::{}", field.name))
}

/// A list of names, each once. Most tables are in order already, which makes this cheap.
fn in_order<'a, T: Into<Cow<'a, str>>>(names: impl Iterator<Item = T>) -> Vec<Cow<'a, str>> {
    let mut names: Vec<Cow<'a, str>> = names.map(Into::into).filter(|name| !name.is_empty()).collect();
    names.sort();
    names.dedup();
    names
}

/// Two lists in order as one.
fn merge<'a>(left: Vec<Cow<'a, str>>, right: Vec<Cow<'a, str>>) -> Vec<Cow<'a, str>> {
    if left.is_empty() || right.is_empty() {
        return if left.is_empty() { right } else { left };
    }
    let mut merged = Vec::with_capacity(left.len().max(right.len()));
    let (mut left, mut right) = (left.into_iter().peekable(), right.into_iter().peekable());
    while let (Some(a), Some(b)) = (left.peek(), right.peek()) {
        let order = a.cmp(b);
        merged.extend(if order.is_le() { left.next() } else { None });
        let second = if order.is_ge() { right.next() } else { None };
        if order.is_gt() {
            merged.extend(second);
        }
    }
    merged.extend(left);
    merged.extend(right);
    merged
}
