//! C types become the same types in BTF and in DWARF.

mod tools;

use testkit::Target;
use testkit::c::Types;
use testkit::dwarf::{Dwarf, Unit};
use testkit::elf::{Elf, Machine};

fn sample(target: Target) -> Types {
    let mut types = Types::new(target);
    types.structure("list_head", &[("next", "struct list_head *"), ("prev", "struct list_head *")]);
    types.union("<name or tp>", &[("name", "const char *"), ("tp", "struct tracepoint *")]);
    types.structure(
        "call",
        &[
            ("flag", "bool"),
            ("list", "struct list_head"),
            ("", "union <name or tp>"),
            ("count", "u64"),
            ("low:3", "unsigned int"),
            ("high:5", "unsigned int"),
            ("wide:30", "unsigned int"),
            ("perm", "int (struct call *, long) *"),
            ("matrix", "int[2][3]"),
            ("data", "char[]"),
        ],
    );
    types.enumeration("reg", &[("REGISTER", 0), ("NEGATIVE", -1)]);
    types.function("register_call", "int", &[("call", "struct call *"), ("how", "enum reg")]);
    types.tag("bpf_kfunc", "register_call");
    types
}

#[test]
fn members_are_where_a_compiler_puts_them() {
    let types = sample(Target::LE64);
    let offset = |member| types.offset("struct call", member);
    assert_eq!([offset("flag"), offset("list"), offset("tp"), offset("count")], [0, 8, 24, 32]);
    assert_eq!([offset("low"), offset("wide"), offset("perm"), offset("matrix")], [40, 44, 48, 56]);
    assert_eq!((offset("data"), types.size("struct call")), (80, 80));

    let types = sample(Target::BE32);
    let offset = |member| types.offset("struct call", member);
    assert_eq!([offset("flag"), offset("list"), offset("tp"), offset("count")], [0, 4, 12, 16]);
    assert_eq!([offset("low"), offset("wide"), offset("perm"), offset("matrix")], [24, 28, 32, 36]);
    assert_eq!((offset("data"), types.size("struct call")), (60, 64));
}

#[test]
fn btf_has_every_type_once() {
    let types = sample(Target::LE64);
    let table = types.btf();
    assert_eq!(table.id("struct list_head"), 1);
    assert_eq!(table.find_func("vfs_read"), None);
    let Some(output) = tools::run("bpftool", &["btf", "dump", "file", "FILE"], &table.btf.build()) else {
        return;
    };
    let count = |text: &str| output.stdout.matches(text).count();
    assert_eq!(count("STRUCT 'list_head' size=16 vlen=2"), 1, "{}", output.stdout);
    assert_eq!(count("UNION '(anon)' size=8 vlen=2"), 1);
    assert_eq!(count("FWD 'tracepoint' fwd_kind=struct"), 1);
    assert_eq!(count("'high' type_id="), 1);
    assert_eq!(count("bits_offset=323 bitfield_size=5"), 1);
    assert_eq!(count("FUNC 'register_call'"), 1);
    assert_eq!(count("DECL_TAG 'bpf_kfunc'"), 1);
}

#[test]
fn bpftool_turns_the_types_back_into_c() {
    for target in [Target::LE64, Target::BE64] {
        let arguments = ["btf", "dump", "file", "FILE", "format", "c"];
        let Some(output) = tools::run("bpftool", &arguments, &sample(target).btf().btf.build()) else {
            return;
        };
        let text = output.stdout;
        for expected in
            ["int (*perm)(struct call *, long", "int matrix[2][3];", "char data[0];", "NEGATIVE = -1,"]
        {
            assert!(text.contains(expected), "no `{expected}` in {text}");
        }
    }
}

#[test]
fn pahole_prints_the_same_struct_from_btf_and_dwarf() {
    for target in Target::ALL {
        let types = sample(target);
        let machine = if target.width == testkit::Width::W64 { Machine::S390 } else { Machine::MIPS };
        let unit = Unit::new("call.c").children(types.all_dies());
        let mut elf = Elf::new(machine, target);
        elf.sections(Dwarf::new(target, 5).unit(unit).build().into_sections());
        let Some(dwarf) = tools::run("pahole", &["-F", "dwarf", "-C", "call", "FILE"], &elf.build()) else {
            return;
        };
        let btf =
            tools::run("pahole", &["-F", "btf", "-C", "call", "FILE"], &types.btf().btf.build()).unwrap();
        assert!(dwarf.stdout.contains("perm"), "{target:?}: {}", dwarf.stderr);
        let size = format!("size: {}", types.size("struct call"));
        assert!(dwarf.stdout.contains(&size), "{}", dwarf.stdout);
        let members = |text: &str| -> Vec<String> {
            // pahole prints the dimensions of an array in BTF the other way round.
            let lines = text.lines().filter(|line| line.contains(';') && !line.contains("matrix"));
            lines.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
        };
        assert_eq!(members(&btf.stdout), members(&dwarf.stdout), "{target:?} {}", btf.stderr);
    }
}

#[test]
#[should_panic(expected = "`struct missing` is not defined")]
fn a_member_needs_a_defined_type() {
    Types::new(Target::LE64).structure("s", &[("m", "struct missing")]);
}
