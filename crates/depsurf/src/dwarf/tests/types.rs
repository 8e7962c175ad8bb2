//! Types: bodies of definitions, derived and anonymous types.

use testkit::dwarf::*;

use super::*;

fn int() -> Die {
    base_type("int", 4, DW_ATE_signed)
}

fn char_type() -> Die {
    base_type("char", 1, DW_ATE_signed_char)
}

const FS: &str = "include/linux/fs.h";

#[test]
fn members_have_derived_types() {
    let dies = [
        int(),
        char_type(),
        base_type("double", 8, DW_ATE_float),
        constant("char"),
        pointer("const char"),
        volatile("int"),
        pointer("void"),
        constant("void *"),
        pointer("struct file"),
        restrict("struct file *"),
        subroutine_type("int", &["struct file *", "..."]),
        pointer("int (struct file *, ...)"),
        subroutine_type("void", &[]),
        Die::new(DW_TAG_atomic_type).attr(DW_AT_type, Value::Ref("int".into())).label("_Atomic int"),
        Die::new(DW_TAG_unspecified_type)
            .attr(DW_AT_name, Value::Text("decltype(nullptr)".into()))
            .label("null"),
        structure(
            "file",
            96,
            FS,
            993,
            [
                member("text", "const char *", 0),
                member("state", "volatile int", 8),
                member("next", "struct file *", 16),
                member("fixed", "void * const", 24),
                member("same", "struct file * restrict", 32),
                member("open", "int (struct file *, ...) *", 40),
                member("atomic", "_Atomic int", 48),
                member("nothing", "null", 56),
                member("real", "double", 64),
                member("undefined", "void () *", 72),
            ],
        ),
        pointer("void ()"),
    ];
    expect(
        &[unit(dies)],
        definitions,
        &["struct file include/linux/fs.h:993 96: \
        struct {* const char text@0, volatile int state@64, * struct file next@128, const * void fixed@192, \
        restrict * struct file same@256, * (* struct file, ...) -> int open@320, int atomic@384, \
        void nothing@448, float double real@512, * () -> void undefined@576} 96"],
    );
}

#[test]
fn anonymous_types_are_part_of_what_contains_them() {
    let dies = [
        int(),
        union("", 8, FS, 4, [member("number", "int", 0), member("inner", "anonymous struct", 0)])
            .label("anonymous union"),
        structure("", 8, FS, 5, [member("low", "int", 0), member("high", "int", 4)])
            .label("anonymous struct"),
        enumeration("", 4, FS, 6, [("A", 0), ("B", 7)]).label("anonymous enum"),
        structure(
            "box",
            16,
            FS,
            3,
            [
                member("", "anonymous union", 0),
                member("named", "anonymous struct", 8),
                member("kind", "anonymous enum", 12),
            ],
        ),
        // The usual way to give it a name after all.
        typedef("box_t", "anonymous struct").decl(FS, 8),
        typedef("nothing_t", "void").decl(FS, 9),
    ];
    let pair = "struct {int low@0, int high@32} 8";
    expect(
        &[unit(dies)],
        definitions,
        &[
            "enum  include/linux/fs.h:6 4: enum{A = 0, B = 7} 4",
            &format!(
                "struct box include/linux/fs.h:3 16: struct {{union {{int number@0, {pair} inner@0}} 8 @0, \
             {pair} named@64, enum{{A = 0, B = 7}} 4 kind@96}} 16"
            ),
            &format!("box_t include/linux/fs.h:8: typedef {pair}"),
            "nothing_t include/linux/fs.h:9: typedef void",
        ],
    );
}

#[test]
fn bitfields_count_from_the_start_in_both_conventions() {
    let dies = [
        int(),
        base_type("_Bool", 1, DW_ATE_boolean),
        typedef("u32", "int"),
        structure(
            "new",
            16,
            FS,
            1,
            [
                bitfield("a", "int", 0, 3),
                bitfield("b", "int", 3, 29),
                bitfield("far", "_Bool", 95, 1),
                // Both attributes: DW_AT_data_bit_offset counts from the byte.
                bitfield("both", "int", 4, 2).attr(DW_AT_data_member_location, Value::Unsigned(12)),
            ],
        ),
    ];
    expect(
        &[unit(dies)],
        definitions,
        &[
            "u32: typedef int",
            "struct new include/linux/fs.h:1 16: struct {int a@0:3, int b@3:29, _Bool far@95:1, int both@100:2} 16",
        ],
    );

    let dies = [
        int(),
        base_type("_Bool", 1, DW_ATE_boolean),
        constant("int"),
        structure(
            "old",
            16,
            FS,
            1,
            [
                // `int a:3, b:5` at byte 4.
                old_bitfield("a", "int", 4, 4, 29, 3),
                old_bitfield("b", "int", 4, 4, 24, 5),
                old_bitfield("flag", "_Bool", 1, 8, 0, 1),
                // Without DW_AT_byte_size the size is that of the type.
                old_bitfield("unsized", "const int", 4, 12, 30, 2).without(DW_AT_byte_size),
                old_bitfield("unsized_flag", "_Bool", 1, 15, 7, 1).without(DW_AT_byte_size),
            ],
        ),
    ];
    let units = [unit(dies)];
    for form in Form::all() {
        // DWARF 4 §5.5.6: DW_AT_bit_offset is the number of bits above the field; where the lowest byte comes
        // first, these are the last ones.
        let fields = match form.target.endian {
            Endian::Little => {
                "int a@32:3, int b@35:5, _Bool flag@71:1, const int unsized@96:2, _Bool unsized_flag@120:1"
            }
            Endian::Big => {
                "int a@61:3, int b@56:5, _Bool flag@64:1, const int unsized@126:2, _Bool unsized_flag@127:1"
            }
        };
        let sections = form.build(&units);
        let facts = facts(&sections, form.target);
        let expected = format!("struct old include/linux/fs.h:1 16: struct {{{fields}}} 16");
        assert_eq!(definitions(&facts), [expected], "{form:?}");
    }
}

#[test]
fn array_dimensions_multiply() {
    let bound = |value: Value| Die::new(DW_TAG_subrange_type).attr(DW_AT_upper_bound, value);
    let array_of = |label: &str, bounds: Vec<Die>| {
        Die::new(DW_TAG_array_type).attr(DW_AT_type, Value::Ref("int".into())).children(bounds).label(label)
    };
    let cases = [
        ("plain", vec![bound(Value::Data1(15))]),
        ("full", vec![bound(Value::Data1(255))]),
        ("two", vec![bound(Value::Data1(1)), bound(Value::Data2(299))]),
        ("flexible", vec![Die::new(DW_TAG_subrange_type)]),
        ("flexible_two", vec![Die::new(DW_TAG_subrange_type), bound(Value::Data1(2))]),
        ("zero", vec![Die::new(DW_TAG_subrange_type).attr(DW_AT_count, Value::Data1(0))]),
        ("counted", vec![Die::new(DW_TAG_subrange_type).attr(DW_AT_count, Value::Udata(12))]),
        // Bounds of a zero-sized array, as compilers of 32 and 64 bit write -1.
        ("minus_one", vec![bound(Value::Data8(u64::MAX))]),
        ("minus_one_32", vec![bound(Value::Data4(u32::MAX))]),
        ("minus_one_signed", vec![bound(Value::Sdata(-1))]),
        ("variable", vec![bound(Value::Exprloc(vec![DW_OP_lit1.0]))]),
        ("variable_by_die", vec![bound(Value::Ref("int".into()))]),
        ("no_range", vec![]),
        ("huge", vec![bound(Value::Data8(1 << 40)), bound(Value::Data8(1 << 40))]),
        ("implicit", vec![bound(Value::Udata(3))]),
    ];
    let members = cases.iter().map(|(name, _)| member(name, name, 0)).collect::<Vec<_>>();
    let mut dies = vec![int(), structure("arrays", 4, FS, 1, members)];
    dies.extend(cases.iter().map(|(name, bounds)| array_of(name, bounds.clone())));
    each(&[unit(dies)], |facts| {
        let (_, words) = facts.nodes.get(facts.definitions[0].body);
        let counts: Vec<(&str, u32)> = words[2..]
            .chunks(4)
            .map(|member| (text(facts, NameId(member[0])), facts.nodes.get(NodeId(member[1])).1[1]))
            .collect();
        assert_eq!(
            counts,
            [
                ("plain", 16),
                ("full", 256),
                ("two", 600),
                ("flexible", 0),
                ("flexible_two", 0),
                ("zero", 0),
                ("counted", 12),
                ("minus_one", 0),
                ("minus_one_32", 0),
                ("minus_one_signed", 0),
                ("variable", 0),
                ("variable_by_die", 0),
                ("no_range", 0),
                ("huge", u32::MAX),
                ("implicit", 4),
            ]
        );
    });
}

#[test]
fn enums_are_signed_when_a_value_is_negative() {
    let value = |name: &str, value: Value| {
        Die::new(DW_TAG_enumerator).attr(DW_AT_name, Value::Text(name.into())).attr(DW_AT_const_value, value)
    };
    let wide = enumeration("wide", 8, FS, 3, []).children([
        value("TOP", Value::Data8(1 << 63)),
        value("ALL", Value::Udata(u64::MAX)),
        value("ONE", Value::Sdata(1)),
    ]);
    let dies = [
        enumeration("plain", 4, FS, 1, [("ZERO", 0), ("BIG", 0xffff_ffff), ("MANY", 70_000)]),
        enumeration("signed", 4, FS, 2, [("NONE", -1), ("SOME", 200)]),
        wide,
        enumeration("wide_signed", 8, FS, 4, [("LEAST", i64::MIN), ("ZERO", 0)]),
        enumeration("small", 1, FS, 5, [("ONLY", 255)]),
        enumeration("empty", 4, FS, 6, []),
        // Values that a compiler put into the abbreviation, or left out.
        enumeration("odd", 4, FS, 7, []).children([
            value("IMPLICIT", Value::ImplicitConst(-3)),
            value("NOTHING", Value::Block1(vec![1])),
        ]),
    ];
    expect(
        &[unit(dies)],
        definitions,
        &[
            "enum plain include/linux/fs.h:1 4: enum{ZERO = 0, BIG = 4294967295, MANY = 70000} 4",
            "enum signed include/linux/fs.h:2 4: enum{NONE = -1, SOME = 200} 4",
            "enum wide include/linux/fs.h:3 8: \
         enum{TOP = 9223372036854775808, ALL = 18446744073709551615, ONE = 1} 8",
            "enum wide_signed include/linux/fs.h:4 8: enum{LEAST = -9223372036854775808, ZERO = 0} 8",
            "enum small include/linux/fs.h:5 1: enum{ONLY = 255} 1",
            "enum empty include/linux/fs.h:6 4: enum{} 4",
            "enum odd include/linux/fs.h:7 4: enum{IMPLICIT = -3, NOTHING = 0} 4",
        ],
    );
}

#[test]
fn base_types_keep_what_btf_would_say_of_them() {
    let dies = [
        base_type("unsigned char", 1, DW_ATE_unsigned_char),
        base_type("char", 1, DW_ATE_signed_char),
        base_type("long long", 8, DW_ATE_signed),
        base_type("_Bool", 1, DW_ATE_boolean),
        base_type("__int128", 16, DW_ATE_signed),
        base_type("char16_t", 2, DW_ATE_UTF),
        structure(
            "all",
            32,
            FS,
            1,
            [
                member("a", "unsigned char", 0),
                member("b", "char", 1),
                member("c", "long long", 8),
                member("d", "_Bool", 2),
                member("e", "__int128", 16),
                member("f", "char16_t", 4),
            ],
        ),
    ];
    each(&[unit(dies)], |facts| {
        let (_, words) = facts.nodes.get(facts.definitions[0].body);
        let ints: Vec<_> = words[2..]
            .chunks(4)
            .map(|member| {
                let (kind, words) = facts.nodes.get(NodeId(member[1]));
                assert_eq!(kind, Kind::Int);
                (text(facts, NameId(words[0])), words[1], words[2])
            })
            .collect();
        let expected = [
            ("unsigned char", 1, 0),
            ("char", 1, 1),
            ("long long", 8, 1),
            ("_Bool", 1, 4),
            ("__int128", 16, 1),
            ("char16_t", 2, 0),
        ];
        assert_eq!(ints, expected);
    });
}

#[test]
fn member_offsets_may_be_expressions() {
    let at = |name: &str, value: Value| {
        Die::new(DW_TAG_member)
            .attr(DW_AT_name, Value::Text(name.into()))
            .attr(DW_AT_type, Value::Ref("int".into()))
            .attr(DW_AT_data_member_location, value)
    };
    let plus = |bytes: &[u8]| [&[DW_OP_plus_uconst.0], bytes].concat();
    let dies = [
        int(),
        structure(
            "s",
            512,
            FS,
            1,
            [
                at("expression", Value::Exprloc(plus(&[0x84, 0x01]))),
                at("block", Value::Block1(plus(&[8]))),
                at("other", Value::Exprloc(vec![DW_OP_lit1.0])),
                at("cut", Value::Block1(vec![])),
                at("signed", Value::Sdata(12)),
            ],
        ),
    ];
    expect(
        &[unit(dies)],
        definitions,
        &["struct s include/linux/fs.h:1 512: struct {int expression@1056, \
        int block@64, int other@0, int cut@0, int signed@96} 512"],
    );
}

#[test]
fn a_declaration_is_told_from_the_definition_in_another_unit() {
    let user = Unit::new("fs/a.c").children([
        declared(DW_TAG_structure_type, "inode"),
        pointer("struct inode"),
        declared(DW_TAG_enumeration_type, "mode"),
        structure("file", 8, FS, 1, [member("inode", "struct inode *", 0), member("mode", "enum mode", 4)]),
    ]);
    let owner = Unit::new("fs/inode.c").children([
        int(),
        structure("inode", 4, "fs/inode.c", 7, [member("number", "int", 0)]),
        pointer("struct inode"),
        structure("file", 8, FS, 1, [member("inode", "struct inode *", 0), member("mode", "int", 4)]),
    ]);
    expect(
        &[user, owner],
        definitions,
        &[
            "struct file include/linux/fs.h:1 8: struct {* struct inode? inode@0, enum mode? mode@32} 8",
            "struct inode fs/inode.c:7 4: struct {int number@0} 4",
        ],
    );
}

#[test]
fn different_types_of_one_name_are_all_kept() {
    let of = |file: &'static str, name: &str, size: u64, field: &str| {
        Unit::new(file).children([int(), structure(name, size, file, 5, [member(field, "int", 0)])])
    };
    let units =
        [of("fs/a.c", "state", 4, "a"), of("fs/b.c", "state", 4, "b"), of("fs/a.c", "state", 8, "larger")];
    expect(
        &units,
        definitions,
        &[
            "struct state fs/a.c:5 4: struct {int a@0} 4",
            "struct state fs/b.c:5 4: struct {int b@0} 4",
            "struct state fs/a.c:5 8: struct {int larger@0} 8",
        ],
    );
}

/// `fs/compat_binfmt_elf.c` defines some macros and includes `fs/binfmt_elf.c`.
#[test]
fn an_included_source_file_may_mean_something_else() {
    let of = |name: &str, own: &str| {
        Unit::new(name).children([
            int(),
            base_type("unsigned int", 4, DW_ATE_unsigned),
            structure(
                "elf_note_info",
                8,
                "fs/binfmt_elf.c",
                1779,
                [member("csigdata", own, 0), member("size", "int", 4)],
            ),
            pointer("struct elf_note_info"),
            subprogram("fill").decl("fs/binfmt_elf.c", 9).parameter("info", "struct elf_note_info *"),
        ])
    };
    let units = [of("fs/binfmt_elf.c", "int"), of("fs/compat_binfmt_elf.c", "unsigned int")];
    expect(
        &units,
        definitions,
        &[
            "struct elf_note_info fs/binfmt_elf.c:1779 8: struct {int csigdata@0, int size@32} 8",
            "struct elf_note_info fs/binfmt_elf.c:1779 8: struct {unsigned int csigdata@0, int size@32} 8",
        ],
    );
    each(&units, |facts| {
        let prototypes: Vec<_> = facts.units.iter().map(|unit| unit.functions[0].prototype).collect();
        assert_ne!(prototypes[0], prototypes[1], "each function takes its own");
    });
}

#[test]
fn a_header_is_one_whatever_the_path_to_it() {
    let of = |name: &str, header: &'static str| {
        Unit::new(name).children([int(), structure("same", 4, header, 5, [member("a", "int", 0)])])
    };
    let units = [
        of("fs/a.c", "include/linux/same.h"),
        of("fs/b.c", "fs/../include/linux/same.h"),
        of("fs/c.c", "./include/linux/same.h"),
        of("fs/d.c", "/build/linux/include/linux/same.h"),
    ];
    expect(&units, definitions, &["struct same include/linux/same.h:5 4: struct {int a@0} 4"]);
}

#[test]
fn names_are_equal_by_content() {
    let named = |value: Value| Die::new(DW_TAG_structure_type).attr(DW_AT_name, value);
    let body = |die: Die| {
        die.attr(DW_AT_byte_size, Value::Data1(4)).decl(FS, 5).child(member("m", "int", 0)).label("struct s")
    };
    let forms = [Value::Strp("s".into()), Value::LineStrp("s".into()), Value::String("s".into())];
    let units = forms.map(|form| {
        // Something before it, so that the string is not at the same place everywhere.
        unit([int(), typedef("before", "int"), body(named(form)), pointer("struct s")])
    });
    for form in Form::all().into_iter().filter(|form| form.version == 5) {
        let sections = form.build(&units);
        let facts = facts(&sections, form.target);
        let expected = ["before: typedef int", "struct s include/linux/fs.h:5 4: struct {int m@0} 4"];
        assert_eq!(definitions(&facts), expected, "{form:?}");
    }
}

#[test]
fn types_inside_of_types_and_functions_are_found() {
    let dies = [
        int(),
        structure(
            "outer",
            8,
            FS,
            1,
            [
                structure("inner", 4, FS, 2, [member("x", "int", 0)]),
                member("field", "struct inner", 0),
                // No member uses it.
                enumeration("unused", 4, FS, 3, [("A", 1)]),
                union("", 4, FS, 4, [typedef("deep_t", "int").decl(FS, 5), member("y", "int", 0)]).label("u"),
                member("", "u", 4),
            ],
        ),
        subprogram("f").decl("fs/a.c", 1).child(lexical_block().child(structure(
            "local",
            4,
            "fs/a.c",
            2,
            [member("z", "int", 0)],
        ))),
    ];
    expect(
        &[unit(dies)],
        definitions,
        &[
            "struct outer include/linux/fs.h:1 8: \
         struct {struct inner field@0, union {int y@0} 4 @32} 8",
            "struct inner include/linux/fs.h:2 4: struct {int x@0} 4",
            "enum unused include/linux/fs.h:3 4: enum{A = 1} 4",
            "deep_t include/linux/fs.h:5: typedef int",
            "struct local fs/a.c:2 4: struct {int z@0} 4",
        ],
    );
}

#[test]
fn types_of_other_units_are_read_there() {
    // Offsets differ between the units, so that reading at the right offset of the wrong one shows.
    let user = Unit::new("fs/user.c").children([
        typedef("padding", "void").decl(FS, 1),
        typedef("more_padding", "void").decl(FS, 2),
        pointer("struct only_there"),
        structure(
            "user",
            24,
            FS,
            3,
            [
                member("p", "struct only_there *", 0),
                member("e", "enum there", 8),
                member("u", "anonymous there", 16),
            ],
        ),
        subprogram("f").decl("fs/user.c", 4).parameter("t", "there_t"),
    ]);
    let shared = Unit::partial("shared").children([
        int(),
        structure("only_there", 8, FS, 10, [member("next", "struct only_there *", 0)])
            .label("struct only_there"),
        pointer("struct only_there"),
        enumeration("there", 4, FS, 11, [("X", 5)]),
        union("", 4, FS, 12, [member("i", "int", 0)]).label("anonymous there"),
        typedef("there_t", "struct only_there").decl(FS, 13),
    ]);
    each(&[user, shared], |facts| {
        let mut lines = definitions(facts);
        lines.sort();
        assert_eq!(
            lines,
            [
                "enum there include/linux/fs.h:11 4: enum{X = 5} 4",
                "more_padding include/linux/fs.h:2: typedef void",
                "padding include/linux/fs.h:1: typedef void",
                "struct only_there include/linux/fs.h:10 8: struct {* struct only_there next@0} 8",
                "struct user include/linux/fs.h:3 24: struct {* struct only_there p@0, enum there e@64, \
             union {int i@0} 4 u@128} 24",
                "there_t include/linux/fs.h:13: typedef struct only_there",
            ]
        );
        assert_eq!(functions(facts), ["fs/user.c: static f fs/user.c:4 (t: there_t) -> void"]);
        assert_eq!(note_counts(facts), []);
    });
}

#[test]
fn a_definition_that_another_unit_leads_to_keeps_its_first_place() {
    let first =
        Unit::new("fs/first.c").children([pointer("struct late"), typedef("p", "struct late *").decl(FS, 1)]);
    let body = || structure("late", 4, FS, 9, [member("a", "int", 0)]);
    let second = Unit::new("fs/second.c").children([int(), typedef("early", "int").decl(FS, 2), body()]);
    let third = Unit::new("fs/third.c").children([int(), body()]);
    // The first unit refers into the second; with the third in front, that one is the first place.
    expect(
        &[first.clone(), second.clone(), third.clone()],
        definitions,
        &[
            "p include/linux/fs.h:1: typedef * struct late",
            "early include/linux/fs.h:2: typedef int",
            "struct late include/linux/fs.h:9 4: struct {int a@0} 4",
        ],
    );
    expect(
        &[third, first, second],
        definitions,
        &[
            "struct late include/linux/fs.h:9 4: struct {int a@0} 4",
            "p include/linux/fs.h:1: typedef * struct late",
            "early include/linux/fs.h:2: typedef int",
        ],
    );
}

#[test]
fn what_is_no_type_of_c_is_noted() {
    let dies = [
        int(),
        Die::new(DW_TAG_ptr_to_member_type).label("member pointer"),
        structure(
            "odd",
            16,
            FS,
            1,
            [
                member("fine", "int", 0),
                member("odd", "member pointer", 4),
                member("variable", "no type", 8),
                member("foreign", "void", 12).attr(DW_AT_type, Value::Raw(DW_FORM_ref_sig8, vec![7; 8])),
            ],
        ),
        variable("v", "int").label("no type"),
        structure("fine", 4, FS, 2, [member("of", "struct odd", 0)]),
        subprogram("f").decl("fs/a.c", 1).parameter("p", "member pointer"),
    ];
    let sections = Form::all().remove(0).build(&[unit(dies.clone())]);
    each(&[unit(dies)], |facts| {
        assert_eq!(
            definitions(facts),
            [
                "struct odd include/linux/fs.h:1 16: struct {int fine@0, <DW_TAG_ptr_to_member_type> odd@32, \
             <DW_TAG_variable> variable@64, <foreign> foreign@96} 16",
                "struct fine include/linux/fs.h:2 4: struct {struct odd of@0} 4",
            ]
        );
        assert_eq!(functions(facts), ["fs/a.c: static f fs/a.c:1 (p: <DW_TAG_ptr_to_member_type>) -> void"]);
        // The struct and the prototype, each for the first thing in it.
        assert_eq!(note_counts(facts), [("dwarf-type-tag".to_owned(), 2)]);
    });
    let facts = facts(&sections, Form::all()[0].target);
    let note = &notes(&facts)[0];
    assert_eq!(note.message, "types of tag DW_TAG_ptr_to_member_type are read as void");
    assert_eq!(note.first, Some(format!(".debug_info+{:#x}", sections.offset("struct odd"))));
}
