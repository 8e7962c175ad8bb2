//! Units joined into functions: which DIEs are one instance, and where edges lead.

use std::collections::BTreeMap;

use testkit::dwarf::*;
use testkit::{Endian, Target};

use super::super::types::KnownTypes;
use super::{TypeMapper, functions, join_symbols};
use crate::dwarf;
use crate::dwarf::tests::thread;
use crate::note::Notes;
use crate::progress::Silent;
use crate::surface::build::Parts;
use crate::surface::c::prototype;
use crate::surface::function::Instance;
use crate::surface::types::TypeTable;
use crate::surface::{Evidence, Fact, Meta, Surface, fixture};

const A: u64 = 0xffff_ffff_8100_0000;

fn meta() -> Meta {
    Meta {
        base_address: A,
        evidence: BTreeMap::from([(Fact::Functions, Evidence::known(".debug_info"))]),
        ..fixture::meta("6.1.0-50-test-amd64")
    }
}

/// The surface of some units, all of whose symbols are these.
fn parts(sections: &DebugSections, target: Target, symbols: &[(&str, u64)]) -> Parts {
    let section = |id: gimli::SectionId| sections.get(id.name());
    let facts =
        dwarf::read(target.endian == Endian::Big, section, &dwarf::Others::default(), &Silent).unwrap();
    let symbol_at = |name: &[u8], address: u64| {
        symbols.iter().any(|(other, at)| other.as_bytes() == name && *at == address)
    };
    let mut parts = Parts::new(meta());
    let (mut notes, mut mapper_notes) = (Notes::new(), Notes::new());
    let mut mapper =
        TypeMapper::new(&facts, KnownTypes::new(TypeTable::new()), &mut parts.strings, &mut mapper_notes);
    let tables = functions(&facts, &mut mapper, A, symbol_at, &mut notes);
    parts.types = mapper.finish().into_table();
    parts.files = tables.files.iter().map(|path| parts.strings.intern(path.as_bytes())).collect();
    (parts.units, parts.functions, parts.instances) = (tables.units, tables.functions, tables.instances);
    (parts.inline_sites, parts.call_sites) = (tables.inline_sites, tables.call_sites);
    notes.merge(mapper_notes);
    notes.merge(facts.notes);
    parts.notes = notes.into_vec();
    parts
}

fn surface(units: &[Unit], symbols: &[(&str, u64)]) -> Surface {
    let sections = Dwarf::new(Target::LE64, 5).siblings().units(units.iter().cloned()).build();
    Surface::from_bytes(parts(&sections, Target::LE64, symbols).encode()).unwrap()
}

fn instance_line(instance: Instance<'_>) -> String {
    let mut line = if instance.is_external() { "extern".to_owned() } else { "static".to_owned() };
    line += &format!(" in {}", instance.file().unwrap_or("nothing"));
    if let Some((file, number)) = instance.declaration() {
        line += &format!(" from {file}:{}", number.map_or("?".to_owned(), |number| number.to_string()));
    }
    line += &instance.address().map_or(String::new(), |address| format!(" +{:#x}", address.wrapping_sub(A)));
    format!("{line} {}", instance.inline().words())
}

/// One line per function, instance, inlined copy and call.
fn lines(surface: &Surface) -> Vec<String> {
    let mut lines = Vec::new();
    for function in surface.functions() {
        lines.push(format!("{}: {}", function.name(), function.collision().words()));
        for instance in function.instances() {
            lines.push(format!("  {}", instance_line(instance)));
            for site in instance.inline_sites() {
                let place =
                    site.call_file.map_or(String::new(), |file| format!(" at {file}:{:?}", site.call_line));
                let address = site.address.map_or(String::new(), |at| format!(" +{:#x}", at - A));
                lines.push(format!("    in {}{place}{address}", site.caller.name()));
            }
            for caller in instance.callers() {
                lines.push(format!("    from {} of {}", caller.name(), caller.file().unwrap_or("nothing")));
            }
        }
    }
    lines
}

fn notes(surface: &Surface) -> Vec<(String, u64)> {
    surface.notes().unwrap().into_iter().map(|note| (note.id, note.count)).collect()
}

#[track_caller]
fn expect(units: &[Unit], symbols: &[(&str, u64)], expected: &[&str]) {
    let surface = surface(units, symbols);
    assert_eq!(lines(&surface), expected);
    assert_eq!(notes(&surface), []);
}

fn defined(name: &str, file: &str, line: u64, at: u64) -> Die {
    subprogram(name).decl(file, line).low_pc(A + at).size(16)
}

#[test]
fn an_external_function_has_one_instance_per_image() {
    let units = [
        Unit::new("fs/user.c").children([
            subprogram("kfree").external().declaration().decl("include/slab.h", 1),
            defined("user", "fs/user.c", 1, 0).external().child(call_site("kfree")),
        ]),
        Unit::new("mm/slab.c").child(defined("kfree", "mm/slab.c", 9, 0x100).external()),
        Unit::new("fs/later.c").children([
            subprogram("kfree").external().declaration().decl("include/slab.h", 1),
            defined("later", "fs/later.c", 1, 0x200).child(call_site("kfree")),
        ]),
    ];
    expect(
        &units,
        &[],
        &[
            "kfree: Unique Global",
            "  extern in mm/slab.c from mm/slab.c:9 +0x100 seen, unknown",
            "    from user of fs/user.c",
            "    from later of fs/later.c",
            "later: Unique Static",
            "  static in fs/later.c from fs/later.c:1 +0x200 seen, unknown",
            "user: Unique Global",
            "  extern in fs/user.c from fs/user.c:1 +0x0 seen, unknown",
        ],
    );
}

#[test]
fn static_functions_are_told_apart_by_place_and_unit() {
    let header = || defined("get_order", "include/getorder.h", 29, 0);
    let units = [
        Unit::new("fs/a.c").children([
            header(),
            defined("cleanup", "fs/a.c", 5, 0x10),
            defined("probe", "fs/a.c", 7, 0),
        ]),
        Unit::new("fs/b.c").children([header(), defined("cleanup", "fs/b.c", 5, 0x20)]),
        // Twice in one unit at one place: a second DIE of the same function.
        Unit::new("fs/c.c").children([
            header(),
            defined("cleanup", "fs/a.c", 6, 0x30).external(),
            defined("probe", "fs/c.c", 7, 0x40),
            defined("probe", "fs/c.c", 7, 0x50),
        ]),
    ];
    expect(
        &units,
        &[],
        &[
            "cleanup: Static-Global Collision",
            "  static in fs/a.c from fs/a.c:5 +0x10 seen, unknown",
            "  static in fs/b.c from fs/b.c:5 +0x20 seen, unknown",
            "  extern in fs/c.c from fs/a.c:6 +0x30 seen, unknown",
            "get_order: Static Duplication",
            "  static in fs/a.c from include/getorder.h:29 +0x0 seen, unknown",
            "  static in fs/b.c from include/getorder.h:29 +0x0 seen, unknown",
            "  static in fs/c.c from include/getorder.h:29 +0x0 seen, unknown",
            "probe: Static-Static Collision",
            "  static in fs/a.c from fs/a.c:7 +0x0 seen, unknown",
            "  static in fs/c.c from fs/c.c:7 +0x40 seen, unknown",
        ],
    );
}

#[test]
fn the_definition_with_the_symbol_overrides_the_weak_one() {
    let helper = || subprogram("helper").decl("include/h.h", 1).inline(DW_INL_declared_inlined);
    let weak = Unit::new("kernel/weak.c").children([
        helper(),
        defined("arch_setup", "kernel/weak.c", 3, 0x10)
            .external()
            .children([call_site("printk"), inlined_subroutine("helper", "kernel/weak.c", 4, A + 0x14)]),
        subprogram("printk").external().declaration(),
        defined("start", "kernel/weak.c", 9, 0x30).external().child(call_site("arch_setup")),
    ]);
    let strong = Unit::new("arch/x86/strong.c").children([
        helper(),
        // Its code is an out-of-line instance.
        subprogram("arch_setup").external().decl("arch/x86/strong.c", 5).inline(DW_INL_inlined),
        out_of_line("arch_setup").low_pc(A + 0x20).child(call_site("arch_helper")),
        defined("arch_helper", "arch/x86/strong.c", 8, 0x40),
    ]);
    // Code of the weak one does not run: what it calls is not called from there.
    let expected = [
        "arch_helper: Unique Static",
        "  static in arch/x86/strong.c from arch/x86/strong.c:8 +0x40 seen, unknown",
        "    from arch_setup of arch/x86/strong.c",
        "arch_setup: Unique Global",
        "  extern in arch/x86/strong.c from arch/x86/strong.c:5 +0x20 not declared, inlined",
        "    from start of kernel/weak.c",
        "helper: Static Duplication",
        "  static in kernel/weak.c from include/h.h:1 declared, inlined",
        "  static in arch/x86/strong.c from include/h.h:1 declared, inlined",
        "printk: Unique Global",
        "  extern in nothing not seen",
        "start: Unique Global",
        "  extern in kernel/weak.c from kernel/weak.c:9 +0x30 seen, unknown",
    ];
    let symbols = [("arch_setup", A + 0x20)];
    expect(&[weak.clone(), strong.clone()], &symbols, &expected);
    let mut turned = expected;
    turned.swap(7, 8);
    expect(&[strong.clone(), weak.clone()], &symbols, &turned);
    // Without a symbol to tell, the first one counts.
    let first = surface(&[weak, strong], &[]);
    assert!(
        lines(&first)
            .contains(&"  extern in kernel/weak.c from kernel/weak.c:3 +0x10 seen, unknown".to_owned())
    );
}

#[test]
fn a_declaration_without_definition_has_no_place() {
    let units = [
        Unit::new("fs/a.c").children([
            base_type("int", 4, DW_ATE_signed),
            subprogram("memcpy")
                .external()
                .declaration()
                .decl("include/string.h", 3)
                .returns("int")
                .parameter("n", "int"),
            defined("user", "fs/a.c", 1, 0).child(call_site("memcpy")),
        ]),
        // Of several declarations the first one tells.
        Unit::new("fs/b.c").children([
            subprogram("memcpy").external().declaration().decl("include/other.h", 3),
            defined("other", "fs/b.c", 1, 0x10).child(call_site("memcpy")),
        ]),
    ];
    let surface = surface(&units, &[]);
    let memcpy = surface.function("memcpy").unwrap();
    assert_eq!(
        lines(&surface)[..4],
        [
            "memcpy: Unique Global",
            "  extern in nothing not seen",
            "    from user of fs/a.c",
            "    from other of fs/b.c",
        ]
    );
    let instance = memcpy.instances().next().unwrap();
    assert_eq!((instance.address(), instance.declaration()), (None, None));
    assert_eq!(prototype(memcpy.prototype().unwrap(), "memcpy"), "int memcpy(int n);");
}

#[test]
fn a_static_declaration_announces_the_definition_in_its_unit() {
    let of = |file: &str, at: u64| {
        Unit::new(file).children([
            subprogram("later").declaration().decl(file, 1).label("announced"),
            defined("caller", file, 2, at).child(call_site("announced")),
            defined("later", file, 9, at + 0x10).label("definition"),
        ])
    };
    let lonely = Unit::new("fs/c.c").children([
        subprogram("later").declaration().decl("fs/c.c", 1).label("announced"),
        defined("caller", "fs/c.c", 2, 0x80).child(call_site("announced")),
    ]);
    expect(
        &[of("fs/a.c", 0), of("fs/b.c", 0x40), lonely],
        &[],
        &[
            "caller: Static-Static Collision",
            "  static in fs/a.c from fs/a.c:2 +0x0 seen, unknown",
            "  static in fs/b.c from fs/b.c:2 +0x40 seen, unknown",
            "  static in fs/c.c from fs/c.c:2 +0x80 seen, unknown",
            "later: Static-Static Collision",
            "  static in fs/a.c from fs/a.c:9 +0x10 seen, unknown",
            "    from caller of fs/a.c",
            "  static in fs/b.c from fs/b.c:9 +0x50 seen, unknown",
            "    from caller of fs/b.c",
            "  static in nothing not seen",
            "    from caller of fs/c.c",
        ],
    );
}

#[test]
fn calls_that_only_fail_a_build_are_left_out() {
    let units = [Unit::new("fs/a.c").children([
        subprogram("__compiletime_assert_42").external().declaration().decl("fs/a.c", 7),
        defined("__compiletime_assert_43", "fs/a.c", 8, 0x20).child(call_site("user")),
        defined("user", "fs/a.c", 1, 0)
            .child(call_site("__compiletime_assert_42"))
            .child(inlined_subroutine("__compiletime_assert_43", "fs/a.c", 2, A)),
    ])];
    expect(&units, &[], &["user: Unique Static", "  static in fs/a.c from fs/a.c:1 +0x0 seen, unknown"]);
}

#[test]
fn assembly_has_its_file_and_no_line() {
    let units = [
        Unit::new("arch/x86/lib/memcpy_64.S").language(DW_LANG_Mips_Assembler).children([subprogram(
            "memcpy",
        )
        .external()
        .low_pc(A)
        .size(8)]),
        Unit::new("fs/a.c").children([
            subprogram("memcpy").external().declaration().decl("include/string.h", 3),
            defined("user", "fs/a.c", 1, 0x10).child(call_site("memcpy")),
        ]),
    ];
    let surface = surface(&units, &[]);
    assert_eq!(
        lines(&surface)[..3],
        [
            "memcpy: Unique Global",
            "  extern in arch/x86/lib/memcpy_64.S from arch/x86/lib/memcpy_64.S:? +0x0 seen, unknown",
            "    from user of fs/a.c",
        ]
    );
    assert!(surface.function("memcpy").unwrap().prototype().is_none());
}

#[test]
fn edges_are_in_die_order_one_per_site() {
    let units = [
        Unit::new("fs/a.c").children([
            subprogram("helper").decl("include/h.h", 1).inline(DW_INL_declared_inlined),
            defined("second", "fs/a.c", 9, 0x100).children([
                call_site("first"),
                inlined_subroutine("helper", "fs/a.c", 12, A + 0x108),
                call_site("first"),
                inlined_subroutine("helper", "fs/a.c", 11, A + 0x104).child(call_site("first")),
            ]),
            defined("first", "fs/a.c", 1, 0).external().child(call_site("first")),
        ]),
        Unit::new("fs/b.c").children([
            subprogram("first").external().declaration().decl("include/h.h", 2),
            subprogram("helper").decl("include/h.h", 1).inline(DW_INL_declared_inlined),
            defined("second", "fs/b.c", 1, 0x200).children([
                inlined_subroutine("helper", "fs/b.c", 2, A + 0x200),
                // Before the first address, and too far behind it: unknown.
                inlined_subroutine("helper", "fs/b.c", 3, A - 1),
                inlined_subroutine("helper", "fs/b.c", 4, 0),
                call_site("first"),
            ]),
        ]),
    ];
    expect(
        &units,
        &[],
        &[
            "first: Unique Global",
            "  extern in fs/a.c from fs/a.c:1 +0x0 seen, unknown",
            "    from second of fs/a.c",
            "    from second of fs/a.c",
            "    from second of fs/a.c",
            "    from first of fs/a.c",
            "    from second of fs/b.c",
            "helper: Static Duplication",
            "  static in fs/a.c from include/h.h:1 declared, inlined",
            "    in second at fs/a.c:Some(12) +0x108",
            "    in second at fs/a.c:Some(11) +0x104",
            "  static in fs/b.c from include/h.h:1 declared, inlined",
            "    in second at fs/b.c:Some(2) +0x200",
            "    in second at fs/b.c:Some(3)",
            "    in second at fs/b.c:Some(4)",
            "second: Static-Static Collision",
            "  static in fs/a.c from fs/a.c:9 +0x100 seen, unknown",
            "  static in fs/b.c from fs/b.c:1 +0x200 seen, unknown",
        ],
    );
}

#[test]
fn of_several_clones_the_one_with_the_plain_symbol_gives_the_address() {
    let unit = Unit::new("fs/a.c").children([
        subprogram("cloned").decl("fs/a.c", 1).inline(DW_INL_inlined),
        out_of_line("cloned").low_pc(A + 0x10).child(call_site("cloned")),
        out_of_line("cloned").ranges([(A + 0x20, A + 0x24), (A + 0x900, A + 0x904)]),
        out_of_line("cloned").low_pc(A + 0x30),
    ]);
    let address = |symbols: &[(&str, u64)]| {
        let surface = surface(std::slice::from_ref(&unit), symbols);
        let cloned = surface.function("cloned").unwrap();
        assert_eq!(cloned.instances().len(), 1);
        let instance = cloned.instances().next().unwrap();
        assert_eq!(instance.callers().map(Instance::name).collect::<Vec<_>>(), ["cloned"]);
        instance.address().unwrap() - A
    };
    assert_eq!(
        address(&[("cloned.isra.0", A + 0x10), ("cloned", A + 0x20), ("cloned.cold", A + 0x900)]),
        0x20
    );
    assert_eq!(address(&[("cloned.isra.0", A + 0x10), ("cloned.constprop.0", A + 0x30)]), 0x10);
    assert_eq!(address(&[]), 0x10);
}

#[test]
fn edges_cross_units() {
    let early = Unit::new("fs/early.c").children([
        subprogram("small").decl("fs/early.c", 1).inline(DW_INL_inlined),
        subprogram("large").external().decl("fs/early.c", 2).inline(DW_INL_not_inlined),
    ]);
    let late = Unit::new("<artificial>").children([out_of_line("large")
        .label("code")
        .low_pc(A + 0x20)
        .children([inlined_subroutine("small", "fs/early.c", 3, A + 0x24), call_site("code")])]);
    for units in [[early.clone(), late.clone()], [late, early]] {
        expect(
            &units,
            &[],
            &[
                "large: Unique Global",
                "  extern in fs/early.c from fs/early.c:2 +0x20 not declared, not inlined",
                "    from large of fs/early.c",
                "small: Unique Static",
                "  static in fs/early.c from fs/early.c:1 not declared, inlined",
                "    in large at fs/early.c:Some(3) +0x24",
            ],
        );
    }
}

#[test]
fn edges_to_nothing_are_noted() {
    let rust = Unit::new("rust/lib.rs").language(DW_LANG_Rust).child(subprogram("in_rust").external());
    let user = Unit::new("fs/a.c").child(defined("user", "fs/a.c", 1, 0).children([
        call_site("in_rust"),
        Die::new(DW_TAG_call_site).attr(DW_AT_call_origin, Value::Ref4Offset(1)),
        inlined_subroutine("in_rust", "fs/a.c", 4, A),
    ]));
    let surface = surface(&[rust, user], &[]);
    assert_eq!(
        lines(&surface),
        ["user: Unique Static", "  static in fs/a.c from fs/a.c:1 +0x0 seen, unknown"]
    );
    assert_eq!(notes(&surface), [("dwarf-edge-target".to_owned(), 3), ("dwarf-rust-unit".to_owned(), 1)]);
}

#[test]
fn inline_attributes_are_kept() {
    let codes =
        [DW_INL_not_inlined, DW_INL_inlined, DW_INL_declared_not_inlined, DW_INL_declared_inlined, DwInl(77)];
    let dies = (0u64..)
        .zip(codes)
        .map(|(line, code)| subprogram(&format!("f{line}")).decl("fs/a.c", 1 + line).inline(code));
    let surface = surface(&[Unit::new("fs/a.c").children(dies)], &[]);
    let words: Vec<_> =
        surface.functions().map(|function| function.instances().next().unwrap().inline().words()).collect();
    assert_eq!(
        words,
        [
            "not declared, not inlined",
            "not declared, inlined",
            "declared, not inlined",
            "declared, inlined",
            "seen, unknown",
        ]
    );
}

#[test]
fn symbols_are_joined_by_the_name_up_to_the_first_dot() {
    let units =
        [Unit::new("fs/a.c").children([defined("b", "fs/a.c", 1, 0), defined("a", "fs/a.c", 2, 0x10)])];
    let sections = Dwarf::new(Target::LE64, 5).units(units).build();
    let mut parts = parts(&sections, Target::LE64, &[]);
    let symbols =
        ["b.isra.0", "__pfx_a", "a", "c", "__cfi_b", "b", "a.cold", "b.part.1.cold"].into_iter().enumerate();
    let symbols = symbols.map(|(index, name)| (10 + index as u32, name));
    let joined = join_symbols(&mut parts.functions, &parts.strings, symbols);
    assert_eq!(joined, [12, 16, 10, 15, 17]);
    let starts: Vec<u32> = parts.functions.iter().map(|function| function.first_symbol.get()).collect();
    assert_eq!(starts, [0, 2]);
}

#[test]
fn bytes_do_not_depend_on_the_number_of_threads() {
    let units = thread::units();
    for (target, version) in [(Target::LE64, 5), (Target::BE32, 4)] {
        let sections = Dwarf::new(target, version).siblings().units(units.iter().cloned()).build();
        let symbols = [("probe_4", 0x5000), ("probe_5", 0x6001)];
        let bytes = |threads| thread::with_threads(threads, || parts(&sections, target, &symbols).encode());
        let one = bytes(1);
        assert!(
            Surface::from_bytes(one.clone()).unwrap().function("cleanup").unwrap().instances().len() > 100
        );
        for threads in [2, 3, 8, 2, 3, 8] {
            assert!(bytes(threads) == one, "{threads} threads, {target:?}");
        }
    }
}
