//! `.BTF` of the image beside the types that we read from its DWARF.

use std::collections::BTreeMap;

use depsurf::surface::meaning::{Forward, layout_same_with};
use depsurf::surface::{Surface, Type, TypeKind, c};

use super::table::{Reason, Row, UNEXPLAINED};

type Named<'a> = BTreeMap<&'a str, Vec<Type<'a>>>;

/// Compares every definition of every name, in the kernel and in modules that were read. `there` has `.BTF`, `here`
/// only DWARF.
pub fn compare(there: &Surface, here: &Surface) -> Vec<Row> {
    [
        ("structs in `.BTF`", &[TypeKind::Struct][..]),
        ("unions in `.BTF`", &[TypeKind::Union]),
        ("enums in `.BTF`", &[TypeKind::Enum, TypeKind::Enum64]),
        ("typedefs in `.BTF`", &[TypeKind::Typedef]),
    ]
    .into_iter()
    .map(|(title, kinds)| {
        let btf = named(there, kinds, |found| there.is_in_btf(found));
        let dwarf = named(here, kinds, |_| true);
        definitions(title, &btf, &dwarf)
    })
    .collect()
}

fn named<'a>(surface: &'a Surface, kinds: &[TypeKind], counts: impl Fn(Type<'a>) -> bool) -> Named<'a> {
    let mut found = Named::new();
    let of_kinds =
        surface.types().iter().filter(|found| !found.name().is_empty() && kinds.contains(&found.kind()));
    for candidate in of_kinds.filter(|found| counts(*found)) {
        found.entry(candidate.name()).or_default().push(candidate);
    }
    found
}

fn definitions(title: &str, btf: &Named<'_>, dwarf: &Named<'_>) -> Row {
    let mut row = Row::new(title);
    let none = Vec::new();
    let same = |a: Type<'_>, b: Type<'_>| layout_same_with(a, b, Forward::IsDefinition);
    for (name, theirs) in btf {
        let ours = dwarf.get(name).unwrap_or(&none);
        for definition in theirs {
            if ours.iter().any(|other| same(*definition, *other)) {
                row.equal();
            } else if let Some(other) = ours.first() {
                row.different(difference(theirs, *definition, *other), || {
                    format!("`{}` there, `{}` here", text(*definition), text(*other))
                });
            } else {
                row.only_there(UNEXPLAINED, || format!("`{}`", text(*definition)));
            }
        }
    }
    for (name, ours) in dwarf {
        let theirs = btf.get(name).unwrap_or(&none);
        for definition in ours.iter().filter(|ours| !theirs.iter().any(|other| same(*other, **ours))) {
            row.only_here(UNEXPLAINED, || format!("`{}`", text(*definition)));
        }
    }
    row
}

/// A struct that one header declares twice, in compile units that give its members other types.
const TWICE: Reason = Reason {
    id: "same-place-same-size",
    text: "Two compile units include one source with other macros, so one declaration gives two structs of equal size. DWARF's are told apart by name, place and size, and only the first is read.",
};

fn difference(theirs: &[Type<'_>], there: Type<'_>, here: Type<'_>) -> Reason {
    if theirs.len() > 1 && there.size() == here.size() { TWICE } else { UNEXPLAINED }
}

fn text(found: Type<'_>) -> String {
    c::definition(found).replace('\n', " ")
}
