//! Compile units: languages, paths, what is left out.

use testkit::dwarf::*;

use super::*;

fn function(name: &str, file: impl Into<File>) -> Die {
    subprogram(name).external().decl(file, 1).low_pc(0x1000).size(4)
}

#[test]
fn assembly_has_functions_without_prototype() {
    let assembly = Unit::new("arch/x86/lib/memcpy_64.S").language(DW_LANG_Mips_Assembler).children([
        Die::new(DW_TAG_unspecified_type).label("none"),
        // As GNU as 2.35 and later write them.
        subprogram("memcpy").external().attr(DW_AT_type, Value::Ref("none".into())).low_pc(0x1000).size(8),
        subprogram("local").attr(DW_AT_type, Value::Ref("none".into())).low_pc(0x1008).size(8),
    ]);
    let empty = Unit::new("arch/x86/entry/entry_64.S").language(DW_LANG_Mips_Assembler);
    expect(
        &[assembly, empty],
        functions,
        &[
            "arch/x86/lib/memcpy_64.S: extern memcpy @0x1000",
            "arch/x86/lib/memcpy_64.S: static local @0x1008",
        ],
    );
}

#[test]
fn rust_is_left_out_with_a_note() {
    let rust = |name: &str| {
        Unit::new(name).language(DW_LANG_Rust).children([
            function("rust_function", "rust/kernel/lib.rs"),
            structure("RustStruct", 4, "rust/kernel/lib.rs", 1, []),
        ])
    };
    let units = [
        rust("rust/kernel/lib.rs"),
        Unit::new("fs/a.c").child(function("c_function", "fs/a.c")),
        rust("b.rs"),
    ];
    each(&units, |facts| {
        assert_eq!(functions(facts), ["fs/a.c: extern c_function fs/a.c:1 @0x1000 () -> void"]);
        assert_eq!(definitions(facts), [""; 0]);
        let notes = notes(facts);
        assert_eq!(notes.len(), 1);
        let note = &notes[0];
        assert_eq!((note.id.as_str(), note.count, note.lossy), ("dwarf-rust-unit", 2, false));
        assert_eq!(note.first.as_deref(), Some("rust/kernel/lib.rs"));
        assert_eq!(facts.unit_offsets.len(), 3);
        assert_eq!(facts.units[0].index, 1);
    });
}

#[test]
fn paths_are_relative_to_the_tree_whatever_the_build_directory() {
    let at = |name: &str, directory: &str, header: &str| {
        Unit::new(name).comp_dir(directory).child(function("f", header))
    };
    let lines = |units: &[Unit], lines: &[&str]| expect(units, functions, lines);
    // Out of tree, absolute and relative, and in tree.
    lines(
        &[
            at("/src/linux-6.1/fs/a.c", "/src/linux-6.1/debian/build/amd64", "/src/linux-6.1/include/b.h"),
            at("/src/linux-6.1/init/main.c", "/src/linux-6.1/debian/build/amd64", "include/generated/c.h"),
        ],
        &[
            "fs/a.c: extern f include/b.h:1 @0x1000 () -> void",
            "init/main.c: extern f include/generated/c.h:1 @0x1000 () -> void",
        ],
    );
    lines(
        &[at("fs/a.c", "debian/build/amd64", "include/b.h")],
        &["fs/a.c: extern f include/b.h:1 @0x1000 () -> void"],
    );
    lines(&[at("fs/a.c", "/build/linux", "fs/../mm/b.h")], &["fs/a.c: extern f mm/b.h:1 @0x1000 () -> void"]);
    lines(&[at("fs/a.c", "", "include/b.h")], &["fs/a.c: extern f include/b.h:1 @0x1000 () -> void"]);
}

#[test]
fn equal_directories_below_different_roots_are_told_apart() {
    // In DWARF 5 both units share the strings of directory and file.
    let at =
        |name: &str, directory: &str| Unit::new(name).comp_dir(directory).child(function("f", "include/b.h"));
    let units = [at("/a/linux/init/main.c", "/a/linux"), at("tool.c", "/elsewhere/tool")];
    expect(
        &units,
        functions,
        &[
            "init/main.c: extern f include/b.h:1 @0x1000 () -> void",
            "tool.c: extern f include/b.h:1 @0x1000 () -> void",
        ],
    );
    each(&units, |facts| assert_eq!(facts.files, ["", "include/b.h", "init/main.c", "tool.c"]));
}

#[test]
fn file_numbers_follow_the_version() {
    for form in Form::all() {
        let unit = Unit::new("fs/a.c").file("include/b.h").children([
            function("zero", 0),
            function("one", 1),
            function("two", 2),
            function("none", 77),
        ]);
        let sections = form.build(&[unit]);
        let facts = facts(&sections, form.target);
        let files: Vec<&str> = facts.units[0]
            .functions
            .iter()
            .map(|function| facts.files[function.decl_file as usize].as_str())
            .collect();
        // DWARF 4 counts from 1. GCC repeats the unit's own file as number 1 in DWARF 5.
        let expected = match (form.version, form.style) {
            (4, _) => ["", "include/b.h", "", ""],
            (_, Style::Gcc) => ["fs/a.c", "fs/a.c", "include/b.h", ""],
            (_, Style::Clang) => ["fs/a.c", "include/b.h", "", ""],
        };
        assert_eq!(files, expected, "{form:?}");
    }
}

#[test]
fn units_without_a_line_table_name_no_files() {
    let unit = Unit::new("fs/a.c").without_line_table().child(function("f", 1));
    expect(&[unit], functions, &["fs/a.c: extern f :1 @0x1000 () -> void"]);
}

#[test]
fn versions_may_be_mixed() {
    let units = [
        Unit::new("fs/a.c").version(4).child(function("f", "include/b.h")),
        Unit::new("fs/b.c").version(5).child(function("g", "include/b.h")),
    ];
    expect(
        &units,
        functions,
        &[
            "fs/a.c: extern f include/b.h:1 @0x1000 () -> void",
            "fs/b.c: extern g include/b.h:1 @0x1000 () -> void",
        ],
    );
}

#[test]
fn units_that_are_not_compile_units_are_noted() {
    let other = Unit::partial("").tag(DW_TAG_module).child(function("shared", 0));
    each(&[other, Unit::new("fs/a.c").child(function("f", "fs/a.c"))], |facts| {
        assert_eq!(functions(facts), ["fs/a.c: extern f fs/a.c:1 @0x1000 () -> void"]);
        let notes = notes(facts);
        assert_eq!(note_counts(facts), [("dwarf-unit-tag".to_owned(), 1)]);
        assert!(notes[0].lossy);
        assert_eq!(notes[0].message, "units of tag DW_TAG_module are only read where others refer to them");
        assert_eq!(notes[0].first.as_deref(), Some(".debug_info+0x0"));
    });
}

fn import(label: &str) -> Die {
    Die::new(DW_TAG_imported_unit).attr(DW_AT_import, Value::RefAddr(label.into()))
}

/// What `dwz` makes of units that have a function of a header, a declaration and a type in common.
#[test]
fn what_partial_units_have_is_of_every_unit_that_imports_them() {
    let get_order = || {
        subprogram("get_order").label("get_order").decl("include/order.h", 29).inline(DW_INL_declared_inlined)
    };
    let kfree = || {
        subprogram("kfree")
            .label("kfree")
            .external()
            .declaration()
            .decl("include/slab.h", 213)
            .parameter("p", "int")
    };
    let int = || base_type("int", 4, DW_ATE_signed);
    let caller = |file: &str, address: u64| {
        subprogram("f")
            .external()
            .decl(file, 1)
            .low_pc(address)
            .size(16)
            .children([inlined_subroutine("get_order", file, 2, address + 4), call_site("kfree")])
    };
    let instance = |address: u64| {
        Die::new(DW_TAG_subprogram)
            .attr(DW_AT_abstract_origin, Value::Ref("get_order".into()))
            .low_pc(address)
            .size(4)
    };
    let lines = |facts: &Facts<'_>| {
        let mut lines = [functions(facts), edges(facts)].concat();
        lines.sort();
        lines
    };
    let whole = |file: &str, address: u64| {
        let dies = [int(), get_order(), kfree(), caller(file, address), instance(address + 16)];
        Unit::new(file).children(dies)
    };
    let expected = [
        "f calls kfree",
        "f calls kfree",
        "f inlines get_order at fs/a.c:2 @0x1004",
        "f inlines get_order at fs/b.c:2 @0x2004",
        "fs/a.c: extern declared kfree include/slab.h:213 (p: int) -> void",
        "fs/a.c: extern f fs/a.c:1 @0x1000 () -> void",
        "fs/a.c: static inline 3 get_order include/order.h:29 @0x1010 () -> void",
        "fs/b.c: extern declared kfree include/slab.h:213 (p: int) -> void",
        "fs/b.c: extern f fs/b.c:1 @0x2000 () -> void",
        "fs/b.c: static inline 3 get_order include/order.h:29 @0x2010 () -> void",
        "get_order @0x1010",
        "get_order @0x2010",
    ];
    expect(&[whole("fs/a.c", 0x1000), whole("fs/b.c", 0x2000)], lines, &expected);

    // One imports the other, and itself; a third is imported by nobody.
    let first = Unit::partial("").label("first").children([int(), import("first"), kfree()]);
    let second = Unit::partial("").label("second").children([import("first"), get_order()]);
    let lonely = Unit::partial("").child(subprogram("lonely").decl("include/lonely.h", 1));
    let split = |file: &str, address: u64| {
        let dies = [import("second"), caller(file, address), instance(address + 16), import("first")];
        Unit::new(file).children(dies)
    };
    let units = [first, split("fs/a.c", 0x1000), lonely, second, split("fs/b.c", 0x2000)];
    expect(&units, lines, &expected);
}

#[test]
fn imports_without_end_are_left_out() {
    let many = (0..400).map(|number| subprogram(&format!("f{number}")).decl("include/many.h", number + 1));
    let shared = Unit::partial("").label("shared").children(many);
    let importer = |number: u64| {
        Unit::new(&format!("fs/{number}.c")).children([import("shared"), function("own", "fs/a.c")])
    };
    let units: Vec<Unit> = std::iter::once(shared).chain((0..200).map(importer)).collect();
    each(&units, |facts| {
        let functions: usize = facts.units.iter().map(|unit| unit.functions.len()).sum();
        assert!((60_000..66_000).contains(&functions), "{functions}");
        let [note] = notes(facts).try_into().unwrap();
        assert_eq!((note.id.as_str(), note.lossy), ("dwarf-import", true));
        assert!(facts.units.iter().all(|unit| unit.own_functions == 1));
    });
}

#[test]
fn imports_are_followed_so_many_times() {
    let label = |number: u64| format!("unit {number}");
    let part = |number: u64| Unit::partial("").label(&label(number)).child(import(&label(number + 1)));
    let end = Unit::partial("").label(&label(1000)).child(subprogram("f").decl("include/f.h", 1));
    let importer = |number: u64| Unit::new(&format!("fs/{number}.c")).child(import(&label(0)));
    let units: Vec<Unit> = (0..1000).map(part).chain([end]).chain((0..100).map(importer)).collect();
    each(&units, |facts| {
        assert_eq!(facts.units.len(), 100);
        let with = facts.units.iter().filter(|unit| unit.functions.len() == 1).count();
        assert_eq!(with, (1 << 16) / 1001);
        let [note] = notes(facts).try_into().unwrap();
        assert_eq!((note.id.as_str(), note.count), ("dwarf-import", 100 - with as u64));
    });
}

/// DWARF 4 has a compile unit with an attribute of GNU's, DWARF 5 the same or a tag of its own.
#[test]
fn units_whose_dies_are_in_other_files_are_noted() {
    let split = |name: &str, attribute| Unit::new(name).attr(attribute, Value::Text("x.dwo".into()));
    let units = [
        split("fs/a.c", DW_AT_GNU_dwo_name),
        split("fs/b.c", DW_AT_dwo_name),
        Unit::new("fs/c.c").child(function("f", "fs/c.c")),
    ];
    each(&units, |facts| {
        assert_eq!(functions(facts), ["fs/c.c: extern f fs/c.c:1 @0x1000 () -> void"]);
        let notes = notes(facts);
        assert_eq!(note_counts(facts), [("dwarf-split-unit".to_owned(), 2)]);
        assert!(notes[0].lossy && notes[0].message.contains("CONFIG_DEBUG_INFO_SPLIT"));
        assert_eq!(notes[0].first.as_deref(), Some("fs/a.c"));
    });
}

#[test]
fn without_debug_information_there_are_no_facts() {
    let facts = read(false, |_| &[], &Others::default(), &Silent).unwrap();
    assert_eq!(everything(&facts), [""]);
    assert_eq!(facts.name_count(), 1);
}
