use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::surface::build::Parts;
use crate::surface::fixture;
use crate::surface::record::{self, NONE};
use crate::surface::strings::StrId;
use crate::surface::types::{Child, TypeId, TypeTable};

fn parts() -> Parts {
    Parts::new(fixture::meta("6.1.0-1-generic-amd64"))
}

/// A surface with these functions.
fn surface<'n>(names: impl IntoIterator<Item = &'n String>) -> Surface {
    let mut parts = parts();
    for name in names {
        let name = parts.strings.intern(name.as_bytes()).0;
        parts.functions.push(record::Function {
            name: name.into(),
            first_instance: 0.into(),
            first_symbol: 0.into(),
            btf_func: NONE.into(),
        });
    }
    Surface::from_bytes(parts.encode()).unwrap()
}

proptest! {
    #[test]
    fn names_of_many_surfaces_are_merged(lists in prop::collection::vec(
        prop::collection::btree_set("[a-d]{1,3}", 0..30), 0..7,
    )) {
        let surfaces: Vec<Surface> = lists.iter().map(surface).collect();
        let surfaces: Vec<&Surface> = surfaces.iter().collect();
        let expected: BTreeSet<&String> = lists.iter().flatten().collect();
        prop_assert!(all(Kind::Function, &surfaces).iter().eq(expected));
    }
}

#[test]
fn a_table_out_of_order_gives_names_in_order() {
    let names = ["b", "a", "b"].map(str::to_owned);
    assert_eq!(all(Kind::Function, &[&surface(&names)]), ["a", "b"]);
}

#[test]
fn types_are_told_apart_by_kind() {
    let mut parts = parts();
    let mut types = TypeTable::new();
    let mut name = |text: &str| parts.strings.intern(text.as_bytes());
    let int = types.push(TypeKind::Int, false, name("int"), 4, [Child { name: StrId::EMPTY, a: 32, b: 0 }]);
    let field = |name: StrId, of: TypeId| Child { name, a: of.0, b: 0 };
    let inner = types.push(TypeKind::Union, false, StrId::EMPTY, 4, [field(name("pid"), int)]);
    let members = [field(name("state"), int), field(StrId::EMPTY, inner), field(StrId::EMPTY, int)];
    types.push(TypeKind::Struct, false, name("task"), 12, members);
    types.push(TypeKind::Struct, false, name("task"), 4, [field(name("other"), int)]);
    types.push(TypeKind::Struct, false, name("core::Option"), 4, [field(name("some"), int)]);
    types.push(TypeKind::Union, false, name("task"), 4, [field(name("either"), int)]);
    types.push(TypeKind::Enum, false, name("pid_type"), 4, []);
    types.push(TypeKind::Enum, false, StrId::EMPTY, 4, []);
    types.push(TypeKind::Fwd, false, name("nowhere"), 0, []);
    parts.types = types;
    let surface = Surface::from_bytes(parts.encode()).unwrap();
    let of = |kind| all(kind, &[&surface]);
    assert_eq!(of(Kind::Struct), ["core::Option", "task"]);
    assert_eq!(of(Kind::Union), ["task"]);
    assert_eq!(of(Kind::Enum), ["(anon)", "pid_type"]);
    assert_eq!(of(Kind::Field), ["task::(anon)", "task::either", "task::other", "task::pid", "task::state"]);
    assert!(of(Kind::Config).is_empty());
}
