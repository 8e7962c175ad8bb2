//! DIEs that no compiler writes: cycles, depth, absurd numbers, siblings that lie, units that fail late.

use std::time::{Duration, Instant};

use testkit::dwarf::*;

use super::*;

/// Where the types say that they are declared.
const H: &str = "h.h";

fn int() -> Die {
    base_type("int", 4, DW_ATE_signed)
}

fn typed(tag: DwTag, to: &str, label: &str) -> Die {
    Die::new(tag).attr(DW_AT_type, Value::Ref(to.into())).label(label)
}

#[test]
fn types_that_contain_themselves_end() {
    let anonymous = |label: &str, members: &[&str]| {
        structure("", 8, H, 1, members.iter().map(|of| member("m", of, 0))).label(label)
    };
    let dies = [
        typed(DW_TAG_pointer_type, "self", "self"),
        typed(DW_TAG_const_type, "b", "a"),
        typed(DW_TAG_volatile_type, "a", "b"),
        typed(DW_TAG_array_type, "array", "array"),
        // Branches at every level.
        anonymous("wide", &["wide 2", "wide 2", "wide 2", "wide 2"]),
        anonymous("wide 2", &["wide", "wide", "wide", "wide"]),
        subroutine_type("proto", &["proto", "proto"]).label("proto"),
        structure(
            "s",
            8,
            H,
            1,
            ["self", "a", "array", "wide", "proto", "struct s", "t"].map(|of| member("m", of, 0)),
        ),
        typedef("t", "u"),
        typedef("u", "t"),
        typedef("v", "v"),
        // Following cycles up to the limit of depth takes more steps than a unit as small as this one has.
        structure("long", 8, H, 2, (0..2000).map(|_| member("m", "int", 0))),
        int(),
    ];
    each(&[unit(dies)], |facts| {
        assert_eq!(note_counts(facts), [("dwarf-type-depth".to_owned(), 1)]);
        // As text the struct would have 4^30 members.
        let (_, words) = facts.nodes.get(facts.definitions[0].body);
        let members: Vec<NodeId> = words[2..].chunks(4).map(|member| NodeId(member[1])).collect();
        assert_eq!(members.len(), 7);
        assert_eq!([5, 6].map(|index| spell(facts, members[index])), ["struct s", "t"]);
        let aliases = facts.definitions[1..4].iter().map(|typedef| spell(facts, typedef.body));
        assert_eq!(aliases.collect::<Vec<_>>(), ["typedef u", "typedef t", "typedef v"]);
    });
}

#[test]
fn depth_has_a_limit_and_breadth_has_not() {
    let chain = |length: usize| {
        let link = |n: usize| match n {
            0 => int().label("link 0"),
            n => typed(DW_TAG_pointer_type, &format!("link {}", n - 1), &format!("link {n}")),
        };
        let mut dies: Vec<Die> = (0..=length).map(link).collect();
        dies.push(typedef("end", &format!("link {length}")));
        unit(dies)
    };
    each(&[chain(60)], |facts| {
        assert_eq!(definitions(facts), [format!("end: typedef {}int", "* ".repeat(60))]);
        assert_eq!(note_counts(facts), []);
    });
    each(&[chain(500)], |facts| {
        assert!(definitions(facts)[0].ends_with("* <too deep>"));
        assert_eq!(note_counts(facts), [("dwarf-type-depth".to_owned(), 1)]);
    });

    // DIEs inside of others: no recursion in the walk.
    let function = subprogram("deep").decl("fs/a.c", 1).low_pc(1).child(call_site("deep"));
    let buried = function.buried(DW_TAG_lexical_block, 3000);
    let around = structure("buried", 4, H, 1, []).buried(DW_TAG_structure_type, 1000);
    expect(&[unit([buried])], functions, &["fs/a.c: static deep fs/a.c:1 @0x1 () -> void"]);
    each(&[unit([around])], |facts| assert!(facts.definitions.len() <= 1));

    let members: Vec<Die> = (0..20_000).map(|n| member("m", "int", n)).collect();
    let values = (0..20_000).map(|n| ("V", n));
    let wide = [int(), structure("wide", 80_000, H, 1, members), enumeration("values", 4, H, 1, values)];
    each(&[unit(wide)], |facts| {
        assert_eq!(note_counts(facts), []);
        assert_eq!(facts.nodes.get(facts.definitions[0].body).1.len(), 2 + 4 * 20_000);
        assert_eq!(facts.nodes.get(facts.definitions[1].body).1.len(), 2 + 3 * 20_000);
    });
}

#[test]
fn absurd_numbers_are_cut_not_wrapped() {
    let most = u64::MAX;
    let bits = |from_top: u64, size: u64, storage: u64, at: u64| {
        old_bitfield("b", "int", storage, at, from_top, size)
    };
    let dies = [
        int(),
        base_type("huge", most, DW_ATE_signed),
        structure(
            "s",
            most,
            H,
            most,
            [
                member("far", "huge", most),
                member("there", "int", 1 << 29),
                bitfield("bits", "int", most, most),
                bits(most, most, most, most),
                bits(0, 1, 1 << 61, 0),
                bits(1, 1, 0, 0),
            ],
        ),
        array("int", most),
        typedef("array_t", &format!("int[{most}]")),
        subprogram("f").decl("fs/a.c", 1 << 32).inline(DW_INL_inlined).low_pc(most),
        out_of_line("f").low_pc(most).child(inlined_subroutine("f", most, most, most)),
        subprogram("g").decl(most, most),
    ];
    each(&[unit(dies)], |facts| {
        assert_eq!(note_counts(facts), []);
        let lines = definitions(facts);
        assert!(lines[0].starts_with(&format!(
            "struct s h.h:{0} {0}: struct {{huge far@{0}, int there@{0}, int bits@{0}:{0}, int b@",
            u32::MAX
        )));
        assert_eq!(lines[1], format!("array_t: typedef [{}] int", u32::MAX));
        // A line that does not fit is unknown.
        assert!(functions(facts)[0].starts_with("fs/a.c: static inline 1 f @0x"));
        assert_eq!(functions(facts)[1], "fs/a.c: static g");
    });
}

#[test]
fn siblings_that_lie_lose_what_they_skip_and_no_more() {
    let with = |sibling: Die| {
        unit([
            subprogram("before").decl("fs/a.c", 1).low_pc(0x10),
            sibling,
            structure("behind", 4, H, 2, [member("m", "int", 0)]),
            int(),
        ])
    };
    let lying = |offset: u32| {
        let die = structure("liar", 4, H, 1, []).attr(DW_AT_sibling, Value::Ref4Offset(offset));
        die.child(member("m", "int", 0))
    };
    let expected = [
        "struct liar h.h:1 4: struct {int m@0} 4".to_owned(),
        "struct behind h.h:2 4: struct {int m@0} 4".to_owned(),
    ];
    for form in Form::all() {
        let read_with = |offset: u32, check: &dyn Fn(&Facts<'_>)| {
            let mut form = form;
            form.siblings = false;
            let sections = form.build(&[with(lying(offset))]);
            check(&facts(&sections, form.target));
        };
        let sections = form.build(&[with(lying(0))]);
        let own = sections.offset("struct liar") as u32;
        let length = sections.get(".debug_info").len() as u32;
        // Backwards, and at itself: as if there were none.
        for offset in [0, 1, own - 1, own, own + 1] {
            read_with(offset, &|facts| assert_eq!(definitions(facts), expected, "{form:?} {offset}"));
        }
        // Outside: the unit cannot be read on.
        for offset in [length + 1, u32::MAX] {
            read_with(offset, &|facts| {
                assert_eq!(definitions(facts), [""; 0], "{form:?} {offset}");
                assert_eq!(note_counts(facts), [("dwarf-unit".to_owned(), 1)], "{form:?} {offset}");
            });
        }
        // Anywhere inside, mostly into the middle of a DIE: whatever comes of it, the reading ends.
        for offset in own + 1..length {
            read_with(offset, &|facts| assert!(facts.definitions.len() <= 4, "{form:?} {offset}"));
        }
    }
}

/// What a unit had found when it fails does not count, and does not keep others from finding it.
#[test]
fn a_unit_that_fails_leaves_nothing_behind() {
    let body = || {
        [
            int(),
            structure("shared", 4, "include/s.h", 1, [member("m", "int", 0)]),
            subprogram("declared")
                .external()
                .declaration()
                .decl("include/s.h", 2)
                .returns("int")
                .parameter("p", "int"),
        ]
    };
    let failing = Unit::new("fs/failing.c").children(body()).children([
        structure("only_here", 4, "fs/failing.c", 1, [member("m", "int", 0)]),
        // The prototype is open and inlined copies are pending when the end comes.
        subprogram("open").external().decl("fs/failing.c", 3).low_pc(0x10).parameter("p", "int").children([
            inlined_subroutine("declared", "fs/failing.c", 4, 0x14).child(int().claim_abbreviation(0x7f)),
            formal_parameter("q", "int"),
        ]),
    ]);
    let good = Unit::new("fs/good.c").children(body()).child(
        subprogram("good")
            .external()
            .decl("fs/good.c", 3)
            .low_pc(0x20)
            .parameter("r", "int")
            .child(call_site("open")),
    );
    for units in [vec![failing.clone(), good.clone()], vec![good.clone(), failing.clone(), good, failing]] {
        let failures = units.len() as u64 / 2;
        each(&units, |facts| {
            assert_eq!(definitions(facts), ["struct shared include/s.h:1 4: struct {int m@0} 4"]);
            let functions = functions(facts);
            assert_eq!(
                functions[..2],
                [
                    "fs/good.c: extern declared declared include/s.h:2 (p: int) -> int",
                    "fs/good.c: extern good fs/good.c:3 @0x20 (r: int) -> void",
                ]
            );
            assert!(edges(facts).iter().all(|edge| edge == "good calls elsewhere?"));
            assert_eq!(note_counts(facts), [("dwarf-unit".to_owned(), failures)]);
            let first = notes(facts)[0].first.clone().unwrap();
            assert!(first.starts_with(".debug_info+0x"), "{first}");
        });
    }
}

#[test]
fn damage_in_a_type_stays_in_that_type() {
    let dies = [
        int(),
        structure(
            "dangling",
            8,
            H,
            1,
            [
                member("fine", "int", 0),
                member("far", "void", 4).attr(DW_AT_type, Value::Ref4Offset(0x00ff_ffff)),
                member("zero", "void", 4).attr(DW_AT_type, Value::Ref4Offset(0)),
                member("elsewhere", "void", 4).attr(DW_AT_type, Value::RefAddrOffset(0x00ff_ffff)),
                member("wide", "void", 4).attr(DW_AT_type, Value::Raw(DW_FORM_ref8, vec![0xff; 8])),
            ],
        ),
        structure(
            "nameless",
            8,
            H,
            2,
            [Die::new(DW_TAG_member).attr(DW_AT_name, Value::Raw(DW_FORM_strp, vec![0x7f; 4]))],
        ),
        structure("fine", 4, H, 3, [member("m", "int", 0), member("d", "struct nameless", 0)]),
        subprogram("f")
            .decl("fs/a.c", 4)
            .parameter("p", "int")
            .child(formal_parameter("q", "void").attr(DW_AT_type, Value::Ref4Offset(0x00ff_ffff))),
    ];
    // Both units have the damage; which of them is read first does not matter.
    each(&[unit(dies.clone()), unit(dies)], |facts| {
        let lines = definitions(facts);
        assert_eq!(lines.len(), 3);
        assert!(
            lines[0].starts_with("struct dangling h.h:1 8: struct {int fine@0, <damaged> far@32, "),
            "{}",
            lines[0]
        );
        assert!(lines[0].contains("<damaged> elsewhere@32, <damaged> wide@32} 8"), "{}", lines[0]);
        assert_eq!(lines[1], "struct nameless h.h:2 8: <damaged>");
        assert_eq!(lines[2], "struct fine h.h:3 4: struct {int m@0, struct nameless d@0} 4");
        assert_eq!(functions(facts)[1], "fs/a.c: static f fs/a.c:4 (p: int, q: <damaged>) -> void");
        // Two structs, and a prototype in each unit.
        assert_eq!(note_counts(facts), [("dwarf-type".to_owned(), 4)]);
    });
}

/// References into the middle of DIEs can give thousands of anonymous structs the same members, each of
/// them to be read and kept again.
#[test]
fn overlapping_types_cost_no_more_than_the_unit_is_long() {
    // Bytes of DIEs in a block: a struct, whose first member's block reaches over the next openings to a
    // common list of members.
    let (structs, members) = (2000u32, 2000u32);
    let opening = |size: u32| Die::new(DW_TAG_structure_type).attr(DW_AT_byte_size, Value::Data4(size));
    let first = |skip: u32| {
        let block = [&(skip.to_le_bytes())[..], &vec![0; skip as usize]].concat();
        Die::new(DW_TAG_member).attr(DW_AT_const_value, Value::Raw(DW_FORM_block4, block))
    };
    // The shapes of the abbreviations, whose codes follow the order of first use: root 1, then these.
    let shapes = [
        opening(0).child(first(0)).child(Die::new(DW_TAG_member)),
        Die::new(DW_TAG_variable).attr(DW_AT_const_value, Value::Raw(DW_FORM_block4, vec![0; 4])),
    ];
    let mut bytes = Vec::new();
    for number in 0..structs {
        // code 2: struct with size; code 3: member with block.
        bytes.push(2);
        bytes.extend(number.to_le_bytes());
        bytes.push(3);
        let left = (structs - number - 1) * 10;
        bytes.extend(left.to_le_bytes());
    }
    bytes.extend(vec![4; members as usize]);
    bytes.push(0);
    let block = [&(bytes.len() as u32).to_le_bytes()[..], &bytes].concat();
    let carrier =
        Die::new(DW_TAG_variable).attr(DW_AT_const_value, Value::Raw(DW_FORM_block4, block)).label("carrier");
    let form = Form { target: Target::LE64, version: 4, style: Style::Gcc, siblings: false };
    let build = |start: u32| {
        let references = (0..structs).map(|number| {
            Die::new(DW_TAG_typedef)
                .attr(DW_AT_name, Value::String(format!("t{number}")))
                .attr(DW_AT_type, Value::Ref4Offset(start + 10 * number))
        });
        let dies = shapes.clone().into_iter().chain([carrier.clone()]).chain(references);
        form.build(&[unit(dies)])
    };
    // Abbreviation code and length in front of the block.
    let start = build(0).offset("carrier") as u32 + 5;
    let sections = build(start);
    let begin = Instant::now();
    let facts = facts(&sections, form.target);
    assert!(begin.elapsed() < Duration::from_secs(20), "{:?}", begin.elapsed());
    let words: usize = (0..facts.nodes.count() as u32).map(|id| facts.nodes.get(NodeId(id)).1.len()).sum();
    // Four words per member, and those of the typedefs.
    assert!(words <= 5 * sections.get(".debug_info").len(), "{words} words");
    let lines = definitions(&facts);
    assert_eq!(lines.len(), structs as usize);
    assert!(lines[0].matches("void ").count() > members as usize, "the first ones can be read");
    assert_eq!(lines.last().unwrap(), &format!("t{}: typedef <damaged>", structs - 1));
    assert_eq!(note_counts(&facts)[0].0, "dwarf-type");
}

#[test]
fn headers_that_lie_are_errors_or_notes() {
    let good = || Unit::new("fs/good.c").child(subprogram("good").decl("fs/good.c", 1).low_pc(1));
    let of = |unit: Unit| unit.child(subprogram("f").decl(0, 1).low_pc(2));
    let base = || Unit::new("fs/a.c").without_line_table();
    for form in Form::all() {
        let told = |units: &[Unit]| {
            let sections = form.build(units);
            let facts = read(
                form.target.endian == Endian::Big,
                |id| sections.get(id.name()),
                &Others::default(),
                &Silent,
            );
            facts.map(|facts| (functions(&facts), note_counts(&facts)))
        };
        let one = |id: &str| vec![(id.to_owned(), 1)];
        let (lines, notes) = told(&[of(base()).claim_abbreviations(1 << 30), good()]).unwrap();
        assert_eq!((lines.len(), notes), (1, one("dwarf-unit")), "{form:?}");
        // The list of units cannot be followed behind these.
        for fault in
            [of(base()).claim_version(77), of(base()).claim_length(1 << 30), of(base()).claim_address_size(3)]
        {
            assert!(told(&[fault.clone(), good()]).is_err(), "{form:?}");
            let (lines, notes) = told(&[good(), fault, good()]).unwrap();
            assert_eq!((lines.len(), notes), (1, one("dwarf-unit-header")), "{form:?}");
        }
        // Children that never end, end with the unit.
        let (lines, notes) = told(&[of(base()).unterminated(), good()]).unwrap();
        assert_eq!((lines.len(), notes), (2, vec![]), "{form:?}");
    }
}
