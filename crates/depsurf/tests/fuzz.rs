//! What hostile input once did, so that it does not do it again. Found by the targets in `fuzz`, and by reading
//! the code that they had reached; docs/fuzz.md has the list.

use depsurf::dwarf;
use depsurf::extract::types::TypeMapper;
use depsurf::note::Notes;
use depsurf::progress::Silent;
use depsurf::surface::strings::Strings;
use depsurf::surface::types::TypeTable;
use depsurf::surface::{TypeKind, c};
use testkit::Target;
use testkit::dwarf::{
    DW_ATE_signed, Dwarf, Unit, array, base_type, enumeration, member, structure, subroutine_type,
};

/// Two structs of one name, whose members lead to prototypes that each name the next one twice.
///
/// They differ only in the line of the struct at the end, so a comparison that takes every way there is does
/// two to the power of fifty steps.
#[test]
fn comparing_types_with_many_ways_to_one_end_comes_to_an_end() {
    let unit = |name: &str, line| {
        let end = structure("end", 4, name, line, []);
        let first = subroutine_type("struct end", &["struct end"]).label("prototype 0");
        let others = (1..50).map(|number| {
            let next = format!("prototype {}", number - 1);
            subroutine_type(&next, &[&next]).label(format!("prototype {number}"))
        });
        let top = structure("top", 8, name, line + 1, [member("call", "prototype 49", 0)]);
        Unit::new(name).children([end, first]).children(others).child(top)
    };
    let debug = Dwarf::new(Target::LE64, 5).unit(unit("a.c", 1)).unit(unit("b.c", 11)).build();
    let facts = dwarf::read(false, |id| debug.get(id.name()), &Silent).unwrap();
    let (mut strings, mut notes) = (Strings::new(), Notes::new());
    let types = TypeMapper::new(&facts, TypeTable::new(), &mut strings, &mut notes).finish();
    let by_name = types.by_name(&strings);
    let types = types.view(&strings, &by_name);
    assert!(types.find(TypeKind::Struct, "top").is_some());
    assert!(types.find(TypeKind::Struct, "end").is_some());
}

/// A member in an enumeration, a prototype or an array: its words were taken for those of a value or parameter,
/// and an offset for a type.
#[test]
fn members_of_what_has_none_are_ignored() {
    let stray = || member("stray", "int", 4000);
    let unit = Unit::new("a.c").children([
        base_type("int", 4, DW_ATE_signed),
        enumeration("kind", 4, "a.c", 1, [("ONE", 1)]).child(stray()),
        subroutine_type("int", &["int"]).label("prototype").child(stray()),
        array("int", 4).label("array").child(stray()),
        structure("top", 24, "a.c", 2, [member("call", "prototype", 0), member("list", "array", 8)]),
    ]);
    let debug = Dwarf::new(Target::LE64, 5).unit(unit).build();
    let facts = dwarf::read(false, |id| debug.get(id.name()), &Silent).unwrap();
    let (mut strings, mut notes) = (Strings::new(), Notes::new());
    let types = TypeMapper::new(&facts, TypeTable::new(), &mut strings, &mut notes).finish();
    let by_name = types.by_name(&strings);
    let types = types.view(&strings, &by_name);
    let kind = types.find(TypeKind::Enum, "kind").unwrap();
    assert_eq!(kind.enumerators().map(|value| value.name).collect::<Vec<_>>(), ["ONE"]);
    let top = types.find(TypeKind::Struct, "top").unwrap();
    assert_eq!(c::structure(top), "struct top {\n    int call(int);\n    int list[4];\n};");
}
