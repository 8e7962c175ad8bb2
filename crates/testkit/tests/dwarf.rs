//! DWARF built here is read back with `gimli`, and with `llvm-dwarfdump --verify` where it is installed.

mod tools;

use gimli::{EndianSlice, RunTimeEndian};
use testkit::dwarf::*;
use testkit::elf::{Elf, Machine};
use testkit::{Endian, Target, Width};

type Slice<'a> = EndianSlice<'a, RunTimeEndian>;

fn endian(target: Target) -> RunTimeEndian {
    match target.endian {
        Endian::Little => RunTimeEndian::Little,
        Endian::Big => RunTimeEndian::Big,
    }
}

fn load<'a>(debug: &'a DebugSections, target: Target) -> gimli::Dwarf<Slice<'a>> {
    gimli::Dwarf::load(|id| Ok::<_, gimli::Error>(EndianSlice::new(debug.get(id.name()), endian(target))))
        .unwrap()
}

/// Every combination that the writer knows.
fn combinations() -> impl Iterator<Item = (Target, u16, Style)> {
    let forms = [(4, Style::Gcc), (5, Style::Gcc), (5, Style::Clang)];
    Target::ALL.into_iter().flat_map(move |target| forms.map(|(version, style)| (target, version, style)))
}

/// DIEs as lines: depth, tag, name.
fn outline(debug: &DebugSections, target: Target) -> Vec<String> {
    let dwarf = load(debug, target);
    let mut lines = Vec::new();
    let mut units = dwarf.units();
    while let Some(header) = units.next().unwrap() {
        let unit = dwarf.unit(header).unwrap();
        let mut entries = unit.entries();
        while let Some(entry) = entries.next_dfs().unwrap() {
            let name = entry.attr_value(DW_AT_name).map(|name| text(&dwarf, &unit, name)).unwrap_or_default();
            let tag = entry.tag().static_string().unwrap();
            lines.push(format!("{}{} {name}", "  ".repeat(entry.depth() as usize), &tag[7..]));
        }
    }
    lines
}

fn text<'a>(
    dwarf: &gimli::Dwarf<Slice<'a>>,
    unit: &gimli::Unit<Slice<'a>>,
    value: gimli::AttributeValue<Slice<'a>>,
) -> String {
    dwarf.attr_string(unit, value).unwrap().to_string().unwrap().to_owned()
}

fn sample() -> [Unit; 2] {
    let read_write = Unit::new("fs/read_write.c").children([
        base_type("int", 4, DW_ATE_signed),
        base_type("char", 1, DW_ATE_signed_char),
        pointer("char"),
        constant("char"),
        array("char", 16),
        structure(
            "file",
            40,
            "include/linux/fs.h",
            993,
            [
                member("f_name", "char[16]", 0),
                member("f_next", "struct file *", 16),
                bitfield("f_low", "int", 192, 3),
                old_bitfield("f_high", "int", 4, 24, 24, 5),
            ],
        ),
        pointer("struct file"),
        typedef("file_t", "struct file"),
        enumeration("pid_type", 4, "include/linux/pid.h", 8, [("PID", 0), ("NONE", -1), ("MANY", 70_000)]),
        subprogram("vfs_read")
            .external()
            .decl("fs/read_write.c", 450)
            .returns("int")
            .low_pc(0x8100_0000)
            .size(0x40)
            .all_calls()
            .parameter("file", "struct file *")
            .child(inlined_subroutine("access_ok", "fs/read_write.c", 458, 0x8100_0010))
            .child(call_site("kfree").return_pc(0x8100_0020)),
        subprogram("access_ok").decl("include/asm-generic/access_ok.h", 33).inline(DW_INL_inlined),
        out_of_line("access_ok").ranges([(0x8100_0100, 0x8100_0120), (0x8200_0000, 0x8200_0010)]),
    ]);
    let slab = Unit::new("mm/slab.c").children([
        subprogram("kfree")
            .external()
            .decl("mm/slab.c", 9)
            .low_pc(0x8100_0200)
            .size(8)
            .parameter("p", "char *"),
        subprogram("ksize").decl("mm/slab.c", 40).low_pc(0x8100_0300).size(8).parameter("p", "void"),
    ]);
    [read_write, slab]
}

fn built(target: Target, version: u16, style: Style) -> DebugSections {
    Dwarf::new(target, version).style(style).units(sample()).build()
}

#[test]
fn dies_come_back_as_written() {
    let expected = outline(&built(Target::LE64, 5, Style::Gcc), Target::LE64);
    assert_eq!(expected.len(), 29);
    assert_eq!(expected[0], "compile_unit fs/read_write.c");
    assert_eq!(expected[7], "  structure_type file");
    assert_eq!(expected[8], "    member f_name");
    for (target, version, style) in combinations() {
        assert_eq!(
            outline(&built(target, version, style), target),
            expected,
            "{target:?} {version} {style:?}"
        );
    }
}

/// Looks up a labelled DIE and applies `check` to it.
fn at<'a, T>(
    debug: &'a DebugSections,
    target: Target,
    label: &str,
    check: impl FnOnce(
        &gimli::Dwarf<Slice<'a>>,
        &gimli::Unit<Slice<'a>>,
        &gimli::DebuggingInformationEntry<Slice<'a>>,
    ) -> T,
) -> T {
    let dwarf = load(debug, target);
    let offset = gimli::DebugInfoOffset(debug.offset(label) as usize);
    let mut units = dwarf.units();
    while let Some(header) = units.next().unwrap() {
        if let Some(offset) = offset.to_unit_offset(&header) {
            let unit = dwarf.unit(header).unwrap();
            let entry = unit.entry(offset).unwrap();
            return check(&dwarf, &unit, &entry);
        }
    }
    panic!("`{label}` is in no unit")
}

/// Path of a file index.
fn path<'a>(
    dwarf: &gimli::Dwarf<Slice<'a>>,
    unit: &gimli::Unit<Slice<'a>>,
    value: gimli::AttributeValue<Slice<'a>>,
) -> String {
    let header = unit.line_program.as_ref().unwrap().header();
    let gimli::AttributeValue::FileIndex(index) = value else { panic!("{value:?}") };
    let file = header.file(index).unwrap();
    let name = text(dwarf, unit, file.path_name());
    match file.directory_index() {
        0 => name,
        _ => format!("{}/{name}", text(dwarf, unit, file.directory(header).unwrap())),
    }
}

#[test]
fn files_resolve_in_both_formats() {
    for (target, version, style) in combinations() {
        let debug = built(target, version, style);
        for (label, expected) in [
            ("vfs_read", "fs/read_write.c"),
            ("struct file", "include/linux/fs.h"),
            ("enum pid_type", "include/linux/pid.h"),
            ("kfree", "mm/slab.c"),
        ] {
            let found = at(&debug, target, label, |dwarf, unit, entry| {
                let header = unit.line_program.as_ref().unwrap().header();
                assert_eq!(header.version(), version);
                path(dwarf, unit, entry.attr_value(DW_AT_decl_file).unwrap())
            });
            assert_eq!(found, expected, "{target:?} {version} {style:?}");
        }
        at(&debug, target, "vfs_read", |dwarf, unit, _| {
            assert_eq!(unit.comp_dir.unwrap().to_string().unwrap(), "/build/linux");
            if version == 5 {
                let header = unit.line_program.as_ref().unwrap().header();
                assert_eq!(text(dwarf, unit, header.directory(0).unwrap()), "/build/linux");
            }
        });
    }
}

#[test]
fn addresses_and_ranges_come_back() {
    for (target, version, style) in combinations() {
        let debug = built(target, version, style);
        let pieces = at(&debug, target, "vfs_read", |dwarf, unit, entry| pieces(dwarf, unit, entry));
        assert_eq!(pieces, [(0x8100_0000, 0x8100_0040)]);
        let dwarf = load(&debug, target);
        let header = dwarf.units().next().unwrap().unwrap();
        let unit = dwarf.unit(header).unwrap();
        let mut entries = unit.entries();
        let mut found = None;
        while let Some(entry) = entries.next_dfs().unwrap() {
            if entry.attr_value(DW_AT_ranges).is_some() {
                assert_eq!(entry.tag(), DW_TAG_subprogram);
                found = Some(self::pieces(&dwarf, &unit, entry));
            }
        }
        assert_eq!(found.unwrap(), [(0x8100_0100, 0x8100_0120), (0x8200_0000, 0x8200_0010)]);
    }
}

fn pieces<'a>(
    dwarf: &gimli::Dwarf<Slice<'a>>,
    unit: &gimli::Unit<Slice<'a>>,
    entry: &gimli::DebuggingInformationEntry<Slice<'a>>,
) -> Vec<(u64, u64)> {
    let mut ranges = dwarf.die_ranges(unit, entry).unwrap();
    let mut found = Vec::new();
    while let Some(range) = ranges.next().unwrap() {
        found.push((range.begin, range.end));
    }
    found
}

#[test]
fn every_kind_of_range_and_location_entry_reads_back() {
    for (target, version, style) in combinations() {
        let entries = [
            Range::Offsets(0x10, 0x20),
            Range::Base(0x8200_0000),
            Range::Offsets(1, 2),
            Range::StartEnd(0x8200_0100, 0x8200_0108),
            Range::StartLength(0x8300_0000, 4),
        ];
        let expressions = entries.map(|entry| (entry, vec![DW_OP_reg5.0]));
        let unit = Unit::new("a.c").low_pc(0x8100_0000).child(
            subprogram("f").attr(DW_AT_ranges, Value::Ranges(entries.to_vec())).child(
                formal_parameter("p", "void")
                    .attr(DW_AT_location, Value::Locations(expressions.to_vec()))
                    .label("p"),
            ),
        );
        // A unit in front, so that offsets into the sections are not the first ones.
        let debug = Dwarf::new(target, version).style(style).units(sample()).unit(unit).build();
        let expected = [
            (0x8100_0010, 0x8100_0020),
            (0x8200_0001, 0x8200_0002),
            (0x8200_0100, 0x8200_0108),
            (0x8300_0000, 0x8300_0004),
        ];
        let found = at(&debug, target, "f", |dwarf, unit, entry| pieces(dwarf, unit, entry));
        assert_eq!(found, expected, "{target:?} {version} {style:?}");
        at(&debug, target, "p", |dwarf, unit, entry| {
            let value = entry.attr_value(DW_AT_location).unwrap();
            let mut locations = dwarf.attr_locations(unit, value).unwrap().unwrap();
            for expected in expected {
                let location = locations.next().unwrap().unwrap();
                assert_eq!((location.range.begin, location.range.end), expected);
                assert_eq!(location.data.0.slice(), [DW_OP_reg5.0]);
            }
            assert!(locations.next().unwrap().is_none());
        });
    }
}

#[test]
fn references_stay_in_the_unit_or_cross_units() {
    for (target, version, style) in combinations() {
        let debug = built(target, version, style);
        let own = at(&debug, target, "struct file *", |_, unit, entry| match entry.attr_value(DW_AT_type) {
            Some(gimli::AttributeValue::UnitRef(offset)) => {
                offset.to_debug_info_offset(&unit.header).unwrap().0
            }
            other => panic!("{other:?}"),
        });
        assert_eq!(own as u64, debug.offset("struct file"));

        let dwarf = load(&debug, target);
        let mut units = dwarf.units();
        let mut crossing = Vec::new();
        while let Some(header) = units.next().unwrap() {
            let unit = dwarf.unit(header).unwrap();
            let mut entries = unit.entries();
            while let Some(entry) = entries.next_dfs().unwrap() {
                for attribute in entry.attrs() {
                    if let gimli::AttributeValue::DebugInfoRef(offset) = attribute.value() {
                        crossing.push((attribute.name(), offset.0 as u64));
                    }
                }
            }
        }
        let expected = [(DW_AT_call_origin, debug.offset("kfree")), (DW_AT_type, debug.offset("char *"))];
        assert_eq!(crossing, expected);
    }
}

#[test]
fn explicit_forms_are_the_ones_written() {
    let die = subprogram("f").without(DW_AT_name).label("f");
    let die = [
        Value::String("a".into()),
        Value::Strp("b".into()),
        Value::LineStrp("c".into()),
        Value::Data1(1),
        Value::Data2(2),
        Value::Data4(3),
        Value::Data8(4),
        Value::Udata(300),
        Value::Sdata(-300),
        Value::ImplicitConst(-7),
        Value::Flag(true),
        Value::FlagPresent,
        Value::Addr(0x1000),
        Value::Ref4("f".into()),
        Value::RefUdata("f".into()),
        Value::RefAddr("f".into()),
        Value::SecOffset(9),
        Value::Exprloc(vec![DW_OP_nop.0]),
        Value::Block1(vec![1, 2]),
        Value::Raw(DW_FORM_data16, vec![5; 16]),
    ]
    .into_iter()
    .fold(die, |die, value| die.attr(DW_AT_GNU_all_call_sites, value));
    for target in Target::ALL {
        let debug = Dwarf::new(target, 5).unit(Unit::new("a.c").child(die.clone())).build();
        at(&debug, target, "f", |_, _, entry| {
            let forms: Vec<DwForm> = entry.attrs().iter().map(|attribute| attribute.form()).collect();
            let expected = [
                DW_FORM_string,
                DW_FORM_strp,
                DW_FORM_line_strp,
                DW_FORM_data1,
                DW_FORM_data2,
                DW_FORM_data4,
                DW_FORM_data8,
                DW_FORM_udata,
                DW_FORM_sdata,
                DW_FORM_implicit_const,
                DW_FORM_flag,
                DW_FORM_flag_present,
                DW_FORM_addr,
                DW_FORM_ref4,
                DW_FORM_ref_udata,
                DW_FORM_ref_addr,
                DW_FORM_sec_offset,
                DW_FORM_exprloc,
                DW_FORM_block1,
                DW_FORM_data16,
            ];
            assert_eq!(forms, expected);
            let value = |index: usize| entry.attrs()[index].raw_value();
            assert_eq!(value(7).udata_value(), Some(300));
            assert_eq!(value(8).sdata_value(), Some(-300));
            assert_eq!(value(9).sdata_value(), Some(-7));
            assert_eq!(value(12), gimli::AttributeValue::Addr(0x1000));
            // The DIE refers to itself.
            for index in [13, 14] {
                assert_eq!(value(index), gimli::AttributeValue::UnitRef(entry.offset()));
            }
            let absolute = gimli::DebugInfoOffset(debug.offset("f") as usize);
            assert_eq!(value(15), gimli::AttributeValue::DebugInfoRef(absolute));
        });
    }
}

#[test]
fn siblings_point_behind_the_children() {
    let debug = Dwarf::new(Target::BE32, 4).siblings().units(sample()).build();
    let target = Target::BE32;
    let sibling = |label: &str| {
        at(&debug, target, label, |_, unit, entry| match entry.attr_value(DW_AT_sibling) {
            Some(gimli::AttributeValue::UnitRef(offset)) => {
                Some(offset.to_debug_info_offset(&unit.header).unwrap().0 as u64)
            }
            None => None,
            other => panic!("{other:?}"),
        })
    };
    assert_eq!(sibling("vfs_read"), Some(debug.offset("access_ok")));
    assert_eq!(sibling("struct file"), Some(debug.offset("struct file *")));
    assert_eq!(sibling("access_ok"), None, "no children");
    assert_eq!(sibling("ksize"), None, "last of its siblings");
}

#[test]
fn spellings_find_the_first_and_labels_win() {
    let unit = Unit::new("a.c").children([
        subprogram("f").declaration(),
        subprogram("f").low_pc(0x10).size(1),
        structure("s", 4, 1, 1, []).label("mine"),
        typedef("t", "mine"),
    ]);
    let debug = Dwarf::new(Target::LE64, 5).unit(unit).build();
    at(&debug, Target::LE64, "f", |_, _, entry| assert!(entry.attr_value(DW_AT_declaration).is_some()));
    at(&debug, Target::LE64, "t", |_, unit, entry| {
        let expected =
            gimli::DebugInfoOffset(debug.offset("mine") as usize).to_unit_offset(&unit.header).unwrap();
        assert_eq!(entry.attr_value(DW_AT_type), Some(gimli::AttributeValue::UnitRef(expected)));
    });
}

#[test]
#[should_panic(expected = "unit `a.c` refers to `nothing`")]
fn an_unknown_label_is_a_bug_in_the_test() {
    Dwarf::new(Target::LE64, 5).unit(Unit::new("a.c").child(pointer("nothing"))).build();
}

#[test]
#[should_panic(expected = "two DIEs of unit `a.c` are labelled `x`")]
fn a_label_is_given_once() {
    let unit = Unit::new("a.c").children([pointer("void").label("x"), pointer("void").label("x")]);
    Dwarf::new(Target::LE64, 5).unit(unit).build();
}

#[test]
fn faults_reach_the_reader() {
    let target = Target::LE64;
    let unit = || Unit::new("a.c").child(subprogram("f").child(lexical_block()));
    let reads = |unit: Unit| {
        let debug = Dwarf::new(target, 5).unit(unit).build();
        let dwarf = load(&debug, target);
        let walk = || -> gimli::Result<usize> {
            let mut count = 0;
            let mut units = dwarf.units();
            while let Some(header) = units.next()? {
                let unit = dwarf.unit(header)?;
                let mut entries = unit.entries();
                while entries.next_dfs()?.is_some() {
                    count += 1;
                }
            }
            Ok(count)
        };
        walk()
    };
    assert_eq!(reads(unit()), Ok(3));
    assert!(reads(unit().claim_length(1 << 30)).is_err());
    assert!(reads(unit().claim_version(77)).is_err());
    assert!(reads(unit().claim_abbreviations(1 << 30)).is_err());
    assert!(reads(unit().claim_address_size(3)).is_err());
    assert!(reads(unit().child(lexical_block().claim_abbreviation(99))).is_err());
    // Without the ends of lists the next DIE becomes a child.
    let unterminated = Dwarf::new(target, 5).unit(unit().unterminated().child(pointer("void"))).build();
    assert_eq!(outline(&unterminated, target).last().unwrap().trim_end(), "    pointer_type");
    let deep =
        Dwarf::new(target, 5).unit(unit().child(pointer("void").buried(DW_TAG_lexical_block, 500))).build();
    assert!(outline(&deep, target).last().unwrap().starts_with(&"  ".repeat(501)));
}

#[test]
fn dwarfdump_has_no_complaints() {
    for (target, version, style) in combinations() {
        let machine = match target.width {
            Width::W32 => Machine::MIPS,
            Width::W64 => Machine::PPC64,
        };
        let mut elf = Elf::new(machine, target);
        elf.sections(
            Dwarf::new(target, version).style(style).siblings().units(sample()).build().into_sections(),
        );
        let Some(output) = tools::run("llvm-dwarfdump", &["--verify", "FILE"], &elf.build()) else { return };
        assert!(
            output.stderr.is_empty(),
            "{target:?} {version} {style:?}:\n{}\n{}",
            output.stdout,
            output.stderr
        );
    }
}

/// A unit in a file of its own says what the same unit says in the image, and skeleton and unit have one id.
#[test]
fn split_units_are_found_by_their_ids() {
    for (target, version, _) in combinations().filter(|(_, _, style)| *style == Style::Gcc) {
        let [read_write, _] = sample();
        let slab = Unit::new("mm/slab.c").children([
            base_type("char", 1, DW_ATE_signed_char),
            pointer("char"),
            subprogram("kfree").external().low_pc(0x8100_0200).size(8).parameter("p", "char *"),
            subprogram("ksize").low_pc(0x8100_0300).size(8),
        ]);
        let whole = Dwarf::new(target, version).unit(slab.clone()).build();
        let debug =
            Dwarf::new(target, version).units([read_write, slab.split("mm/slab.dwo", 0xfedc)]).build();
        let image = load(&debug, target);
        let header = image.units().last().unwrap().unwrap();
        let skeleton = image.unit(header).unwrap();
        assert_eq!(text(&image, &skeleton, skeleton.dwo_name().unwrap().unwrap()), "mm/slab.dwo");
        assert_eq!(debug.dwo_names().collect::<Vec<_>>(), ["mm/slab.dwo"]);

        let mut file = load(debug.dwo("mm/slab.dwo"), target);
        file.make_dwo(&image);
        let header = file.units().next().unwrap().unwrap();
        let mut unit = file.unit(header).unwrap();
        unit.copy_relocated_attributes(&skeleton);
        assert_eq!((skeleton.dwo_id, unit.dwo_id), (Some(gimli::DwoId(0xfedc)), Some(gimli::DwoId(0xfedc))));
        let names = |dwarf: &gimli::Dwarf<Slice<'_>>, unit: &gimli::Unit<Slice<'_>>| {
            let mut names = Vec::new();
            let mut entries = unit.entries();
            while let Some(entry) = entries.next_dfs().unwrap() {
                let name = entry.attr_value(DW_AT_name).map(|name| text(dwarf, unit, name));
                let address = entry.attr_value(DW_AT_low_pc).filter(|_| entry.tag() == DW_TAG_subprogram);
                let address = address.map(|value| dwarf.attr_address(unit, value).unwrap().unwrap());
                names.push((entry.tag(), name, address));
            }
            names
        };
        let expected = load(&whole, target);
        let expected_unit = expected.unit(expected.units().next().unwrap().unwrap()).unwrap();
        assert_eq!(names(&file, &unit), names(&expected, &expected_unit), "{target:?} {version}");
    }
}
