//! What hostile input once did, so that it does not do it again. Found by the targets in `fuzz`, and by reading
//! the code that they had reached; docs/fuzz.md has the list.

use depsurf::extract::types::{KnownTypes, TypeMapper};
use depsurf::extract::{self, Options};
use depsurf::note::Notes;
use depsurf::progress::Silent;
use depsurf::surface::strings::Strings;
use depsurf::surface::types::TypeTable;
use depsurf::surface::{Fact, Surface, TypeKind, c};
use depsurf::{dwarf, source};
use testkit::Target;
use testkit::dwarf::{
    DW_ATE_signed, Dwarf, Unit, array, base_type, enumeration, member, structure, subroutine_type,
};
use testkit::elf::{Elf, Machine, Section, Symbol};
use testkit::kernel::Kernel;

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
    let facts = dwarf::read(false, |id| debug.get(id.name()), &dwarf::Others::default(), &Silent).unwrap();
    let (mut strings, mut notes) = (Strings::new(), Notes::new());
    let types = TypeMapper::new(&facts, KnownTypes::new(TypeTable::new()), &mut strings, &mut notes)
        .finish()
        .into_table();
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
    let facts = dwarf::read(false, |id| debug.get(id.name()), &dwarf::Others::default(), &Silent).unwrap();
    let (mut strings, mut notes) = (Strings::new(), Notes::new());
    let types = TypeMapper::new(&facts, KnownTypes::new(TypeTable::new()), &mut strings, &mut notes)
        .finish()
        .into_table();
    let by_name = types.by_name(&strings);
    let types = types.view(&strings, &by_name);
    let kind = types.find(TypeKind::Enum, "kind").unwrap();
    assert_eq!(kind.enumerators().map(|value| value.name).collect::<Vec<_>>(), ["ONE"]);
    let top = types.find(TypeKind::Struct, "top").unwrap();
    assert_eq!(c::structure(top), "struct top {\n    int call(int);\n    int list[4];\n};");
}

/// The ready-made kernel, changed; what is extracted from it.
fn extracted(change: impl FnOnce(&mut Elf)) -> depsurf::Result<Surface> {
    let mut image = Kernel::sample(Machine::X86_64, Target::LE64).build();
    change(&mut image.elf);
    let kernel = source::open_bytes("vmlinux", &image.bytes(), &Silent)?;
    Surface::from_bytes(extract::surface(&kernel, &Options::default(), &Silent)?.bytes)
}

/// The table was walked up to its end symbol, one note per record, wherever that symbol was.
#[test]
fn a_table_that_ends_nowhere_near_its_start_is_not_walked() {
    let surface = extracted(|elf| {
        elf.remove_symbol("__stop__bpf_raw_tp").symbol(Symbol::notype("__stop__bpf_raw_tp", u64::MAX));
    });
    let surface = surface.unwrap();
    let reason = surface.meta().unknown_because(Fact::RawTracepoints);
    assert!(reason.is_some_and(|reason| reason.contains("reach behind section")), "{reason:?}");
}

/// Addresses behind the end of the address space were added up.
#[test]
fn the_end_of_the_address_space_is_an_end() {
    let error = extracted(|elf| {
        elf.section(Section::rodata(".wraps", u64::MAX - 7, vec![0; 64]));
    });
    let error = error.unwrap_err().to_string();
    assert_eq!(error, "malformed ELF at section `.wraps`: it reaches behind the end of the address space");

    let last = u64::MAX - 3;
    let surface = extracted(|elf| {
        elf.remove(".BTF_ids").section(Section::rodata(".BTF_ids", last, vec![0; 3]));
        elf.symbol(Symbol::object("__BTF_ID__set8__last", last, 64));
    });
    assert_eq!(surface.unwrap().sets().count(), 0);
}
