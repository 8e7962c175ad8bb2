//! Damaged sections: nothing panics, here or in the stages behind, and what is lost is noted.

use std::sync::LazyLock;

use proptest::prelude::*;
use testkit::dwarf::*;

use super::*;
use crate::extract::function;
use crate::extract::types::{KnownTypes, TypeMapper};
use crate::note::Notes;
use crate::surface::strings::Strings;
use crate::surface::types::TypeTable;

const SECTIONS: [&str; 10] = [
    ".debug_info",
    ".debug_abbrev",
    ".debug_str",
    ".debug_line_str",
    ".debug_line",
    ".debug_ranges",
    ".debug_rnglists",
    ".debug_addr",
    ".debug_str_offsets",
    ".debug_types",
];

/// Two small units with something of every kind.
fn sample() -> [Unit; 2] {
    let types = [
        base_type("int", 4, DW_ATE_signed),
        pointer("struct file"),
        structure(
            "file",
            24,
            "include/fs.h",
            9,
            [
                bitfield("low", "int", 0, 3),
                old_bitfield("high", "int", 4, 4, 24, 5),
                member("next", "struct file *", 8),
                member("", "anonymous", 16),
            ],
        ),
        union("", 8, "include/fs.h", 12, [member("a", "int[2]", 0), member("b", "int", 0)])
            .label("anonymous"),
        array("int", 2),
        typedef("file_t", "struct file").decl("include/fs.h", 20),
        enumeration("kind", 4, "include/fs.h", 21, [("ONE", 1), ("NONE", -1)]),
        declared(DW_TAG_structure_type, "inode"),
        constant("struct inode"),
    ];
    let first = Unit::new("fs/a.c").low_pc(0x1000).children(types).children([
        subprogram("helper").decl("include/fs.h", 30).returns("int").inline(DW_INL_declared_inlined),
        subprogram("read").external().decl("fs/a.c", 5).returns("int").low_pc(0x1000).size(64).children([
            formal_parameter("file", "struct file *"),
            unspecified_parameters(),
            inlined_subroutine("helper", "fs/a.c", 7, 0x1010).child(call_site("other")),
            call_site("code of other"),
        ]),
        out_of_line("helper").ranges([(0x1040, 0x1044), (0x9000, 0x9004)]),
    ]);
    let second = Unit::new("fs/b.c").children([
        structure("inode", 8, "fs/b.c", 3, [member("kind", "enum kind", 0)]),
        subprogram("other").decl("fs/b.c", 5).inline(DW_INL_inlined),
        out_of_line("other").label("code of other").low_pc(0x1080).size(4).child(gnu_call_site("read")),
        subprogram("declared").external().declaration().decl("include/fs.h", 40).label("d"),
        subprogram("").specification("d").low_pc(0x1090),
    ]);
    [first, second]
}

/// Reads sections and does with the facts what extraction does. Gives the number of functions.
fn extract(sections: &DebugSections, target: Target) -> Option<usize> {
    static POOL: LazyLock<rayon::ThreadPool> =
        LazyLock::new(|| rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap());
    let section = |id: gimli::SectionId| sections.get(id.name());
    let facts =
        POOL.install(|| read(target.endian == Endian::Big, section, &Others::default(), &Silent)).ok()?;
    // What was read can be walked, to the last reference.
    everything_lossy(&facts);
    let (mut strings, mut notes, mut mapper_notes) = (Strings::new(), Notes::new(), Notes::new());
    let mut mapper =
        TypeMapper::new(&facts, KnownTypes::new(TypeTable::new()), &mut strings, &mut mapper_notes);
    let tables = function::functions(&facts, &mut mapper, 0x1000, |_, address| address & 1 == 0, &mut notes);
    let types = mapper.finish().into_table();
    assert_eq!(tables.units.len(), facts.units.len());
    let by_name = types.by_name(&strings);
    let view = types.view(&strings, &by_name);
    assert!(view.iter().all(|ty| crate::surface::c::definition(ty).len() < 1 << 24));
    Some(tables.functions.len())
}

/// As [`everything`], for names that are not UTF-8.
fn everything_lossy(facts: &Facts<'_>) {
    for id in 0..facts.nodes.count() as u32 {
        facts.nodes.get(NodeId(id));
    }
    for unit in &facts.units {
        for function in &unit.functions {
            assert!(!facts.name(function.name).is_empty());
            assert!((function.decl_file as usize) < facts.files.len());
            assert!(function.prototype.is_none_or(|node| facts.nodes.get(node).0 == Kind::Proto));
        }
        let references = unit.calls.iter().flat_map(|call| [call.callee, call.caller]);
        let copies = unit.inlined.iter().flat_map(|copy| [copy.callee, copy.caller]);
        for reference in references.chain(copies).chain(unit.out_of_line.iter().map(|code| code.function)) {
            if let FunctionRef::Here(index) = reference {
                assert!((index as usize) < unit.functions.len());
            }
        }
    }
    for definition in &facts.definitions {
        assert_eq!(facts.nodes.get(definition.node).0, Kind::Named);
        let body = facts.nodes.get(definition.body).0;
        assert!(matches!(body, Kind::Members | Kind::Values | Kind::Alias | Kind::Unread), "{body:?}");
    }
}

fn forms() -> Vec<Form> {
    Form::all().into_iter().filter(|form| form.siblings).collect()
}

#[test]
fn every_section_may_end_anywhere() {
    for form in forms() {
        let whole = form.build(&sample());
        assert_eq!(extract(&whole, form.target), Some(4), "{form:?}");
        for name in SECTIONS {
            for length in 0..whole.get(name).len() {
                let mut cut = whole.clone();
                cut.get_mut(name).truncate(length);
                let functions = extract(&cut, form.target);
                assert!(functions.is_none_or(|functions| functions <= 4), "{form:?}, {name} cut to {length}");
            }
            let mut without = whole.clone();
            without.remove(name);
            extract(&without, form.target);
        }
    }
}

#[test]
fn a_cut_that_loses_a_function_is_noted() {
    for form in forms() {
        let whole = form.build(&sample());
        for length in 1..whole.get(".debug_info").len() {
            let mut cut = whole.clone();
            cut.get_mut(".debug_info").truncate(length);
            match read(
                form.target.endian == Endian::Big,
                |id| cut.get(id.name()),
                &Others::default(),
                &Silent,
            ) {
                Ok(facts) => {
                    let functions: usize = facts.units.iter().map(|unit| unit.functions.len()).sum();
                    let whole_units = length as u64 == whole.unit_offset(1);
                    assert!(whole_units != notes(&facts).iter().any(|note| note.lossy), "{form:?} {length}");
                    assert!(functions < 6, "{form:?} {length}");
                }
                Err(error) => assert!((length as u64) < whole.unit_offset(1), "{form:?} {length}: {error}"),
            }
        }
    }
}

/// Every byte of `.debug_info` and of the abbreviations takes a few telling values.
#[test]
fn every_byte_may_be_wrong() {
    let form = Form { target: Target::LE64, version: 5, style: Style::Gcc, siblings: true };
    let whole = form.build(&sample());
    for name in [".debug_info", ".debug_abbrev"] {
        for at in 0..whole.get(name).len() {
            let before = whole.get(name)[at];
            for value in [0, 1, before.wrapping_add(1), before.wrapping_sub(1), before ^ 0x80, 0x7f, 0xff] {
                let mut damaged = whole.clone();
                damaged.get_mut(name)[at] = value;
                extract(&damaged, form.target);
            }
        }
    }
}

fn any_form() -> impl Strategy<Value = Form> {
    (0..Form::all().len()).prop_map(|index| Form::all()[index])
}

proptest! {
    /// Several bytes anywhere, with values that mean something to DWARF more often than others.
    #[test]
    fn bytes_may_be_anything(
        form in any_form(),
        changes in proptest::collection::vec(
            (0..SECTIONS.len(), any::<prop::sample::Index>(), prop_oneof![0..=0x40u8, any::<u8>(), Just(0xffu8)]),
            1..12,
        ),
    ) {
        let mut sections = form.build(&sample());
        for (section, at, value) in changes {
            let name = SECTIONS[section];
            if !sections.get(name).is_empty() {
                let bytes = sections.get_mut(name);
                let at = at.index(bytes.len());
                bytes[at] = value;
            }
        }
        extract(&sections, form.target);
    }

    /// Parts of one place copied over another.
    #[test]
    fn parts_may_be_moved(
        form in any_form(),
        moves in proptest::collection::vec(
            (0..2usize, any::<prop::sample::Index>(), any::<prop::sample::Index>(), 1..24usize),
            1..6,
        ),
    ) {
        let mut sections = form.build(&sample());
        for (section, from, to, length) in moves {
            let bytes = sections.get_mut(SECTIONS[section]);
            let (from, to) = (from.index(bytes.len()), to.index(bytes.len()));
            let length = length.min(bytes.len() - from.max(to));
            bytes.copy_within(from..from + length, to);
        }
        extract(&sections, form.target);
    }
}
