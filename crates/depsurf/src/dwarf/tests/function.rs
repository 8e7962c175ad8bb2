//! Functions, their out-of-line instances, calls and inlined copies.

use testkit::dwarf::*;

use super::*;

const A: u64 = 0x8100_0000;

fn int() -> Die {
    base_type("int", 4, DW_ATE_signed)
}

#[test]
fn definitions_and_declarations_have_place_address_and_prototype() {
    let dies = [
        int(),
        pointer("int"),
        subprogram("vfs_read")
            .external()
            .decl("fs/a.c", 450)
            .returns("int")
            .low_pc(A)
            .size(0x40)
            .parameter("buf", "int *"),
        subprogram("cleanup").decl("fs/a.c", 9).low_pc(A + 0x40).size(4),
        subprogram("kfree")
            .external()
            .declaration()
            .decl("include/linux/slab.h", 213)
            .child(formal_parameter("", "int *")),
        // What is known to the compiler itself has no place.
        subprogram("memcpy").external().declaration(),
        subprogram("get_order")
            .decl("include/asm-generic/getorder.h", 29)
            .returns("int")
            .inline(DW_INL_declared_inlined),
        subprogram("far").decl("fs/a.c", 70_000).inline(DW_INL_not_inlined),
    ];
    expect(
        &[unit(dies)],
        functions,
        &[
            "fs/a.c: extern vfs_read fs/a.c:450 @0x81000000 (buf: * int) -> int",
            "fs/a.c: static cleanup fs/a.c:9 @0x81000040 () -> void",
            "fs/a.c: extern declared kfree include/linux/slab.h:213 (* int) -> void",
            "fs/a.c: extern declared memcpy",
            "fs/a.c: static inline 3 get_order include/asm-generic/getorder.h:29 () -> int",
            "fs/a.c: static inline 0 far fs/a.c:70000 () -> void",
        ],
    );
}

#[test]
fn a_header_function_is_in_every_unit_that_includes_it() {
    let die = || subprogram("get_order").decl("include/asm-generic/getorder.h", 29).low_pc(A).size(4);
    let units = ["fs/a.c", "mm/b.c"].map(|name| Unit::new(name).child(die()));
    expect(
        &units,
        functions,
        &[
            "fs/a.c: static get_order include/asm-generic/getorder.h:29 @0x81000000 () -> void",
            "mm/b.c: static get_order include/asm-generic/getorder.h:29 @0x81000000 () -> void",
        ],
    );
}

#[test]
fn prototypes_keep_order_names_and_the_ellipsis() {
    let dies = [
        int(),
        pointer("void"),
        base_type("char", 1, DW_ATE_signed_char),
        constant("char"),
        pointer("const char"),
        subroutine_type("int", &["void *", "..."]),
        pointer("int (void *, ...)"),
        subprogram("printk")
            .external()
            .decl("fs/a.c", 1)
            .returns("int")
            .parameter("fmt", "const char *")
            .child(unspecified_parameters()),
        subprogram("walk")
            .decl("fs/a.c", 2)
            .parameter("cb", "int (void *, ...) *")
            .parameter("data", "void *"),
        subprogram("old_style").decl("fs/a.c", 3).child(unspecified_parameters()),
        // A parameter without name, and children that are none.
        subprogram("odd").decl("fs/a.c", 4).children([
            variable("local", "int"),
            formal_parameter("", "int"),
            lexical_block().child(formal_parameter("inner", "int")),
            formal_parameter("last", "int"),
        ]),
    ];
    expect(
        &[unit(dies)],
        functions,
        &[
            "fs/a.c: extern printk fs/a.c:1 (fmt: * const char, ...) -> int",
            "fs/a.c: static walk fs/a.c:2 (cb: * (* void, ...) -> int, data: * void) -> void",
            "fs/a.c: static old_style fs/a.c:3 (...) -> void",
            "fs/a.c: static odd fs/a.c:4 (int, last: int) -> void",
        ],
    );
}

#[test]
fn nested_functions_keep_their_parameters_apart() {
    let inner = |name: &str| subprogram(name).decl("fs/a.c", 2).returns("int").parameter("x", "int");
    let dies = [
        int(),
        subprogram("outer")
            .decl("fs/a.c", 1)
            .parameter("first", "int")
            .child(inner("nested").child(call_site("outer")))
            .child(lexical_block().child(inner("declared_in_block").external().declaration()))
            .parameter("second", "int")
            .child(call_site("nested")),
    ];
    let units = [unit(dies)];
    expect(
        &units,
        functions,
        &[
            "fs/a.c: static outer fs/a.c:1 (first: int, second: int) -> void",
            "fs/a.c: static nested fs/a.c:2 (x: int) -> int",
            "fs/a.c: extern declared declared_in_block fs/a.c:2 (x: int) -> int",
        ],
    );
    expect(&units, edges, &["nested calls outer", "outer calls nested"]);
}

#[test]
fn a_specification_completes_a_declaration() {
    let dies = [
        int(),
        subprogram("init")
            .external()
            .declaration()
            .decl("include/linux/init.h", 7)
            .returns("int")
            .label("decl"),
        subprogram("").specification("decl").low_pc(A).size(4).parameter("arg", "int"),
        subprogram("").specification("decl").decl("fs/a.c", 9).inline(DW_INL_inlined),
    ];
    // DWARF 5 §2.13.2: all attributes of the declaration but `DW_AT_declaration` hold for the definition.
    expect(
        &[unit(dies)],
        functions,
        &[
            "fs/a.c: extern declared init include/linux/init.h:7 () -> int",
            "fs/a.c: extern init include/linux/init.h:7 @0x81000000 (arg: int) -> int",
            "fs/a.c: extern inline 1 init fs/a.c:9 () -> int",
        ],
    );
}

#[test]
fn functions_without_a_name_are_noted() {
    let dies = [
        subprogram("named").decl("fs/a.c", 1),
        Die::new(DW_TAG_subprogram).low_pc(A).child(call_site("named")),
        Die::new(DW_TAG_subprogram)
            .specification("named")
            .without(DW_AT_specification)
            .attr(DW_AT_specification, Value::Ref4Offset(0xff_ffff)),
        subprogram("").attr(DW_AT_name, Value::String(String::new())),
    ];
    each(&[unit(dies)], |facts| {
        assert_eq!(functions(facts), ["fs/a.c: static named fs/a.c:1 () -> void"]);
        assert_eq!(edges(facts), [""; 0]);
        assert_eq!(note_counts(facts), [("dwarf-function-name".to_owned(), 3)]);
    });
}

#[test]
fn code_starts_at_low_pc_entry_pc_or_the_first_range() {
    let cold = A + 0x10_0000;
    let dies = |low_pc: u64| {
        Unit::new("fs/a.c").low_pc(low_pc).children([
            subprogram("low").decl("fs/a.c", 1).low_pc(A).size(4),
            subprogram("entry").decl("fs/a.c", 2).entry_pc(A + 4),
            subprogram("entry_offset").decl("fs/a.c", 3).attr(DW_AT_entry_pc, Value::Udata(0x20)),
            subprogram("ranges").decl("fs/a.c", 4).ranges([(A + 8, A + 12), (cold, cold + 4)]),
            subprogram("entry_and_ranges")
                .decl("fs/a.c", 5)
                .ranges([(cold, cold + 4), (A + 12, A + 16)])
                .entry_pc(A + 12),
            subprogram("empty_ranges").decl("fs/a.c", 6).attr(DW_AT_ranges, Value::Ranges(Vec::new())),
            subprogram("nothing").decl("fs/a.c", 7).inline(DW_INL_inlined),
        ])
    };
    for low_pc in [0, A] {
        expect(
            &[dies(low_pc)],
            functions,
            &[
                "fs/a.c: static low fs/a.c:1 @0x81000000 () -> void",
                "fs/a.c: static entry fs/a.c:2 @0x81000004 () -> void",
                // DWARF 5 §2.18: a constant counts from the unit's base address.
                &format!("fs/a.c: static entry_offset fs/a.c:3 @{:#x} () -> void", low_pc + 0x20),
                "fs/a.c: static ranges fs/a.c:4 @0x81000008 () -> void",
                "fs/a.c: static entry_and_ranges fs/a.c:5 @0x8100000c () -> void",
                "fs/a.c: static empty_ranges fs/a.c:6 () -> void",
                "fs/a.c: static inline 1 nothing fs/a.c:7 () -> void",
            ],
        );
    }
}

#[test]
fn out_of_line_instances_give_the_address() {
    let dies = [
        // In front of the abstract instance, as GCC writes it, and behind.
        out_of_line("before").low_pc(A).size(4),
        subprogram("before").decl("fs/a.c", 1).inline(DW_INL_inlined),
        subprogram("behind").external().decl("fs/a.c", 2).inline(DW_INL_declared_inlined),
        out_of_line("behind").ranges([(A + 8, A + 12), (A + 0x1000, A + 0x1004)]),
        // Clones: `clones.isra.0`, `clones.constprop.0`.
        subprogram("clones").decl("fs/a.c", 3).inline(DW_INL_inlined),
        out_of_line("clones").entry_pc(A + 16),
        out_of_line("clones").low_pc(A + 32).size(4),
        out_of_line("clones"),
    ];
    let units = [unit(dies)];
    expect(
        &units,
        functions,
        &[
            "fs/a.c: static inline 1 before fs/a.c:1 @0x81000000 () -> void",
            "fs/a.c: extern inline 3 behind fs/a.c:2 @0x81000008 () -> void",
            "fs/a.c: static inline 1 clones fs/a.c:3 @0x81000010 () -> void",
        ],
    );
    expect(
        &units,
        edges,
        &["before @0x81000000", "behind @0x81000008", "clones @0x81000010", "clones @0x81000020"],
    );
}

#[test]
fn calls_belong_to_the_physical_function_around_them() {
    let dies = [
        subprogram("callee").external().declaration().decl("include/b.h", 1),
        subprogram("helper").decl("fs/a.c", 1).inline(DW_INL_inlined),
        out_of_line("helper")
            .low_pc(A)
            .size(16)
            .label("helper's code")
            .children([call_site("callee").return_pc(A + 4), inlined_subroutine("deep", "fs/a.c", 3, A + 8)]),
        subprogram("deep").decl("fs/a.c", 2).inline(DW_INL_declared_inlined),
        subprogram("caller").decl("fs/a.c", 10).low_pc(A + 16).size(64).children([
            lexical_block().child(inlined_subroutine("helper", "fs/a.c", 12, A + 20).children([
                formal_parameter("", "void").origin("helper"),
                inlined_subroutine("deep", "fs/a.c", 3, A + 24).child(call_site("callee")),
                gnu_call_site("caller"),
            ])),
            // To the instance, not the abstract one.
            call_site("helper's code"),
            inlined_subroutine("helper's code", "include/b.h", 5, A + 40),
            // Through a pointer: no edge.
            Die::new(DW_TAG_call_site).return_pc(A + 48).child(Die::new(DW_TAG_call_site_parameter)),
            call_site("callee"),
        ]),
        // Between functions there is nobody who calls.
        call_site("callee"),
    ];
    expect(
        &[unit(dies)],
        edges,
        &[
            "helper inlines deep at fs/a.c:3 @0x81000008",
            "caller inlines helper at fs/a.c:12 @0x81000014",
            "caller inlines deep at fs/a.c:3 @0x81000018",
            "caller inlines helper at include/b.h:5 @0x81000028",
            "helper calls callee",
            "caller calls callee",
            "caller calls caller",
            "caller calls helper",
            "caller calls callee",
            "helper @0x81000000",
        ],
    );
}

#[test]
fn inlined_copies_start_at_low_pc_entry_pc_or_the_first_range() {
    let copy = || Die::new(DW_TAG_inlined_subroutine).origin("f");
    let dies = [
        subprogram("f").decl("fs/a.c", 1).inline(DW_INL_inlined),
        subprogram("g").decl("fs/a.c", 2).low_pc(A).size(64).children([
            copy().entry_pc(A + 8).ranges([(A + 4, A + 6), (A + 8, A + 10)]),
            copy().ranges([(A + 12, A + 14), (A + 16, A + 18)]),
            copy(),
        ]),
    ];
    expect(&[unit(dies)], edges, &["g inlines f @0x81000008", "g inlines f @0x8100000c", "g inlines f"]);
}

#[test]
fn references_that_lead_to_no_function_are_kept_as_such() {
    let dies = [
        int(),
        subprogram("f").decl("fs/a.c", 1).low_pc(A).children([
            call_site("int"),
            Die::new(DW_TAG_call_site).attr(DW_AT_call_origin, Value::Ref4Offset(u32::MAX)),
            Die::new(DW_TAG_call_site).attr(DW_AT_call_origin, Value::RefAddrOffset(u32::MAX)),
            Die::new(DW_TAG_call_site).attr(DW_AT_call_origin, Value::Raw(DW_FORM_ref_sig8, vec![0; 8])),
            call_site("loop"),
        ]),
        out_of_line("loop 2").label("loop").low_pc(A + 4),
        out_of_line("loop").label("loop 2").low_pc(A + 8).child(call_site("f")),
    ];
    expect(
        &[unit(dies)],
        edges,
        &[
            "f calls nowhere",
            "f calls nowhere",
            "f calls elsewhere?",
            "f calls nowhere",
            "f calls nowhere",
            "nowhere calls f",
            "nowhere @0x81000004",
            "nowhere @0x81000008",
        ],
    );
}

#[test]
fn functions_of_other_units_are_referred_to_by_offset() {
    // As link-time optimisation leaves it: abstract instances in one unit, code in another.
    let early = Unit::new("fs/early.c").children([
        int(),
        subprogram("small").decl("fs/early.c", 1).returns("int").inline(DW_INL_inlined),
        subprogram("large").external().decl("fs/early.c", 2).parameter("x", "int"),
    ]);
    let late = Unit::new("<artificial>").children([
        out_of_line("large").label("code of large").low_pc(A).size(32).children([
            inlined_subroutine("small", "fs/early.c", 3, A + 4),
            call_site("large"),
            call_site("code of large"),
            Die::new(DW_TAG_call_site).attr(DW_AT_call_origin, Value::RefAddr("here".into())),
        ]),
        subprogram("local").label("here").decl("fs/early.c", 4).low_pc(A + 32).child(gnu_call_site("small")),
    ]);
    // A call may name the code of a function whose abstract instance is in a third unit.
    let call = Die::new(DW_TAG_call_site).attr(DW_AT_call_origin, Value::RefAddr("code of large".into()));
    let later = Unit::new("fs/later.c")
        .children([subprogram("last").decl("fs/later.c", 1).low_pc(A + 64).child(call)]);
    expect(
        &[early, late, later],
        edges,
        &[
            "elsewhere large inlines elsewhere small at fs/early.c:3 @0x81000004",
            "elsewhere large calls elsewhere large",
            "elsewhere large calls elsewhere large",
            "elsewhere large calls local",
            "local calls elsewhere small",
            "elsewhere large @0x81000000",
            "last calls elsewhere large",
        ],
    );
}
