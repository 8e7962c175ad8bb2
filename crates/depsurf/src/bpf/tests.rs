//! Objects that testkit builds, in both byte orders, well-formed and broken.

use std::hint::black_box;

use proptest::prelude::*;
use testkit::Endian;
use testkit::bpf::{CoreRelocation, FuncInfo, Insn as Made, LineInfo, Object as Builder};
use testkit::btf::{Btf, Encoding, Linkage, Member, TypeId as Id};
use testkit::elf::Symbol;

use super::core::{RelocationKind, essential_name};
use super::*;

const PROBE: &str = "kprobe/vfs_read+0x10";

/// An object with two programs in one section, functions in `.text`, maps, variables, externs, lines and CO-RE.
fn sample(endian: Endian) -> Builder {
    let mut object = Builder::new(endian);
    let [first, second] = Made::ld_imm64(1, 0);
    let insns =
        [first, second, Made::load(2, 1, 8), Made::helper(1), Made::call(-1), Made::call(-1), Made::exit()];
    object.program(PROBE, "probe", insns);
    object.program(PROBE, "again", [first, second, Made { imm: 4, ..first }, second, Made::exit()]);
    object.program(".text", "twice", [Made::call(0), Made::call(-2), Made::exit()]);
    object.static_function(".text", "add", [Made::mov(0, 1), Made::exit()]);
    object.variable(".maps", "counts", vec![0; 32]);
    object.variable(".rodata", "limit", vec![5, 0, 0, 0, 7, 0, 0, 0]);
    object.zeroed(".bss", "zeroes", 16);
    object.license("GPL");
    object.undefined("kfunc___new", true);
    object.undefined("CONFIG_HZ", false);
    object.section_symbol(".rodata");
    object.refer(PROBE, 0, "counts");
    object.refer_call(PROBE, 32, "twice");
    object.refer_call(PROBE, 40, "kfunc___new");
    object.refer(PROBE, 56, "CONFIG_HZ");
    object.refer(PROBE, 72, ".rodata");

    let mut btf = Btf::new(endian);
    let int = btf.int("int", 4, Encoding::Signed);
    let uint = |btf: &mut Btf, value| {
        let array = btf.array(int, int, value);
        btf.ptr(array)
    };
    let kind = uint(&mut btf, 1);
    let entries = uint(&mut btf, 128);
    let pointer = btf.ptr(int);
    let members = [
        Member::new("type", kind, 0),
        Member::new("key", pointer, 64),
        Member::new("value", pointer, 128),
        Member::new("max_entries", entries, 192),
    ];
    let map = btf.structure("", 32, members);
    let counts = btf.var("counts", map, Linkage::Global);
    btf.datasec(".maps", 0, [(counts, 0, 32)]);
    let limit = btf.var("limit", int, Linkage::Global);
    let hidden = btf.var("hidden", int, Linkage::Static);
    btf.datasec(".rodata", 0, [(limit, 0, 4), (hidden, 4, 4)]);
    let option = btf.var("CONFIG_HZ", int, Linkage::Extern);
    btf.datasec(".kconfig", 0, [(option, 0, 4)]);
    let proto = btf.func_proto(int, [("task", pointer)]);
    let kfunc = btf.func("kfunc___new", proto, Linkage::Extern);
    btf.datasec(".ksyms", 0, [(kfunc, 0, 0)]);
    let inner = btf.structure("", 8, [Member::new("low", int, 0), Member::new("high", int, 32)]);
    let union = btf.union("", 8, [Member::new("", inner, 0)]);
    let list = btf.array(union, int, 4);
    let task = btf.structure("task___old", 48, [Member::new("pid", int, 0), Member::new("list", list, 64)]);
    let values = btf.enumeration("kind", 4, [("ONE", 1), ("MINUS", -1)]);
    let probe = btf.func("probe", proto, Linkage::Global);
    object.btf = Some(btf);
    object.ext.functions.push(FuncInfo { section: PROBE.into(), offset: 0, type_id: probe });
    for (offset, line) in [(0, 10), (24, 11), (56, 20)] {
        let (file, text) = ("probe.c".into(), format!("\tline {line};"));
        object.ext.lines.push(LineInfo { section: PROBE.into(), offset, file, text, line, column: 3 });
    }
    for (offset, kind, type_id, access) in
        [(16, 0, task, "0:1:2:0:1"), (24, 11, values, "1"), (64, 8, task, "0")]
    {
        let (section, access) = (PROBE.into(), access.into());
        object.ext.relocations.push(CoreRelocation { section, offset, type_id, access, kind });
    }
    object
}

const BOTH: [Endian; 2] = [Endian::Little, Endian::Big];

#[test]
fn an_object_is_read_in_both_byte_orders() {
    for endian in BOTH {
        let mut builder = sample(endian);
        for extra_words in [0, 2] {
            builder.ext.extra_words = extra_words;
            let bytes = builder.build();
            let object = Object::parse(&bytes).unwrap();
            assert_eq!(object.is_big_endian(), endian == Endian::Big);
            assert_eq!(object.license(), Some("GPL"));
            assert_eq!(object.notes(), []);
            let programs: Vec<_> = object.programs().map(|program| (program.name, program.len())).collect();
            assert_eq!(programs, [("probe", 7), ("again", 5)]);
            let maps: Vec<_> = object.maps().iter().map(|map| (map.name.as_str(), map.shape.kind)).collect();
            let array = MapType::ARRAY;
            assert_eq!(
                maps,
                [("counts", MapType::HASH), (".rodata", array), (".bss", array), (".kconfig", array)]
            );
            let shape = object.maps()[0].shape;
            assert_eq!((shape.key_size, shape.value_size, shape.max_entries), (4, 4, 128));
            let externals: Vec<_> = object
                .externals()
                .iter()
                .map(|external| (external.essential_name(), external.kind, external.weak))
                .collect();
            let expected =
                [("kfunc", ExternalKind::Kfunc, true), ("CONFIG_HZ", ExternalKind::Kconfig, false)];
            assert_eq!(externals, expected);
            let variables: Vec<_> = object
                .variables()
                .iter()
                .map(|variable| {
                    (variable.name.to_owned(), variable.offset, variable.bytes.map(|bytes| bytes[0]))
                })
                .collect();
            assert_eq!(variables, [("limit".into(), 0, Some(5)), ("hidden".into(), 4, Some(7))]);
        }
    }
}

#[test]
fn a_program_has_all_that_it_calls_behind_it() {
    for endian in BOTH {
        let bytes = sample(endian).build();
        let object = Object::parse(&bytes).unwrap();
        let mut programs = object.programs();
        let probe = object.linked(programs.next().unwrap()).unwrap();
        let names: Vec<&str> =
            probe.parts.iter().map(|part| object.functions()[part.function as usize].name).collect();
        // `twice` calls itself, and nobody calls `add`.
        assert_eq!(names, ["probe", "twice"]);
        assert_eq!(probe.parts[1].start, 7);
        assert_eq!(probe.insns[0].imm, 0);
        assert_eq!(probe.marks[0].reference, Some(Reference::Map(0)));
        assert_eq!(probe.insns[4].call(), Some(Call::Subprogram(2)));
        assert_eq!(probe.marks[4].reference, Some(Reference::Part(1)));
        assert_eq!(probe.marks[5].reference, Some(Reference::External(0)));
        assert_eq!(probe.insns[3].call(), Some(Call::Helper(Helper(1))));
        // Within `twice`: its second instruction, and its start.
        assert_eq!(probe.insns[7].call(), Some(Call::Subprogram(-1)));
        assert_eq!(probe.insns[8].call(), Some(Call::Subprogram(-2)));
        let lines: Vec<_> = probe
            .marks
            .iter()
            .map(|mark| mark.line.and_then(|line| object.line(line)).map(|line| line.line))
            .collect();
        assert_eq!(lines[..7], [Some(10), Some(10), Some(10), Some(11), Some(11), Some(11), Some(11)]);
        assert_eq!(lines[7..], [None, None, None]);
        let cores: Vec<_> = probe.marks.iter().map(|mark| mark.core).collect();
        assert_eq!(cores[..4], [None, None, Some(0), Some(1)]);

        let again = object.linked(programs.next().unwrap()).unwrap();
        assert_eq!(again.marks[0].reference, Some(Reference::External(1)));
        assert_eq!(again.marks[2].reference, Some(Reference::Data { map: 1, offset: 4 }));
        assert_eq!(again.marks[1].core, Some(2));
        let line = object.line(again.marks[0].line.unwrap()).unwrap();
        assert_eq!((line.file, line.line, line.column, line.text), ("probe.c", 20, 3, "line 20;"));
    }
}

#[test]
fn paths_are_readable_and_have_their_steps() {
    for endian in BOTH {
        let bytes = sample(endian).build();
        let object = Object::parse(&bytes).unwrap();
        let paths: Vec<_> = object.relocations().iter().map(|found| object.path(found).unwrap()).collect();
        let texts: Vec<String> = paths.iter().map(ToString::to_string).collect();
        assert_eq!(texts, ["task::list[2].high", "enum kind::MINUS", "struct task"]);
        assert_eq!(paths[0].flavour(), Some("old"));
        assert_eq!(paths[0].steps.len(), 5);
        assert!(matches!(paths[1].steps[..], [core::Step::Enumerator { name: "MINUS", value: -1 }]));
        assert!(object.relocations()[2].kind.may_miss());
        assert_eq!(object.relocations()[0].kind, RelocationKind::FieldByteOffset);
    }
}

/// The error of a path in a sample whose CO-RE relocations are replaced by one.
fn path_error(kind: u32, type_id: impl Fn(&mut Btf) -> Id, access: &str) -> String {
    let mut builder = sample(Endian::Little);
    let type_id = type_id(builder.btf.as_mut().unwrap());
    let (section, access) = (PROBE.into(), access.to_owned());
    builder.ext.relocations = vec![CoreRelocation { section, offset: 16, type_id, access, kind }];
    let bytes = builder.build();
    let object = Object::parse(&bytes).unwrap();
    object.path(&object.relocations()[0]).unwrap_err().to_string()
}

#[test]
fn paths_that_lead_nowhere_are_errors() {
    let task = |btf: &mut Btf| {
        let int = btf.int("short", 2, Encoding::Signed);
        btf.structure("task", 4, [Member::new("pid", int, 0)])
    };
    for (kind, access, expected) in [
        (0, "", "it is no list of numbers"),
        (0, "0:x", "it is no list of numbers"),
        (0, "0:1", "no member 1 in `struct task`"),
        (0, "0:0:0", "`short` has no parts"),
        (10, "0", "no such enumerator"),
        (0, &"0:".repeat(70), "more than 64 steps"),
    ] {
        let error = path_error(kind, task, access);
        assert!(error.ends_with(expected), "{error}");
        assert!(error.contains("`.BTF.ext`, instruction 0x10"), "{error}");
    }
    assert!(path_error(0, |_| 4000, "0").contains("there are "));
    // Types that go round in circles end somewhere.
    let circle = |btf: &mut Btf| {
        let next = btf.next_id() + 1;
        btf.typedef("a", next);
        btf.typedef("b", next - 1)
    };
    assert!(path_error(0, circle, "0:0").contains("has no parts"));
}

#[test]
fn a_flavour_is_behind_three_underscores() {
    for (name, expected) in [
        ("task_struct", ("task_struct", None)),
        ("task_struct___old", ("task_struct", Some("old"))),
        ("a___b___c", ("a___b", Some("c"))),
        ("___old", ("___old", None)),
        ("task___", ("task___", None)),
        ("task____old", ("task____old", None)),
        ("", ("", None)),
        ("é___ü", ("é", Some("ü"))),
    ] {
        assert_eq!(essential_name(name), expected, "{name}");
    }
}

#[test]
fn maps_of_the_older_section_are_numbers() {
    for endian in BOTH {
        let mut builder = Builder::new(endian);
        let mut words = builder.target().bytes();
        words.u32(1).u32(4).u32(8).u32(64).u32(2).zeros(16);
        builder.variable("maps", "first", words.take());
        words.u32(2).u32(4).u32(16).u32(1).u32(0);
        builder.variable("maps/second", "second", words.take());
        builder.program("socket", "run", [Made::ld_imm64(1, 0)[0], Made::ld_imm64(1, 0)[1], Made::exit()]);
        builder.refer("socket", 0, "first");
        let bytes = builder.build();
        let object = Object::parse(&bytes).unwrap();
        let maps: Vec<_> = object
            .maps()
            .iter()
            .map(|map| (map.name.as_str(), map.shape.kind.0, map.shape.value_size, map.shape.max_entries))
            .collect();
        assert_eq!(maps, [("first", 1, 8, 64), ("second", 2, 16, 1)]);
        let linked = object.linked(object.programs().next().unwrap()).unwrap();
        assert_eq!(linked.marks[0].reference, Some(Reference::Map(0)));
        assert!(object.types().is_none());

        builder.variable("maps/third", "third", vec![0; 16]);
        let error = Object::parse(&builder.build()).unwrap_err().to_string();
        assert!(error.contains("section `maps/third` offset 0x0, map `third`"), "{error}");
    }
}

#[test]
fn a_function_alone_in_text_is_a_program() {
    let mut builder = Builder::new(Endian::Little);
    builder.program(".text", "alone", [Made::exit()]);
    let bytes = builder.build();
    let object = Object::parse(&bytes).unwrap();
    assert_eq!(object.programs().count(), 1);
    builder.program(".text", "other", [Made::exit()]);
    let bytes = builder.build();
    let object = Object::parse(&bytes).unwrap();
    assert_eq!((object.programs().count(), object.functions().len()), (0, 2));
}

#[test]
fn what_is_unknown_is_said_and_not_fatal() {
    let mut builder = Builder::new(Endian::Little);
    builder.program("my_own/thing", "program", [Made::exit()]);
    builder.static_function("xdp", "hidden", [Made::exit()]);
    builder.undefined("nobody", true);
    let bytes = builder.build();
    let object = Object::parse(&bytes).unwrap();
    let hooks: Vec<_> = object.functions().iter().map(|found| (found.name, found.sec.hook)).collect();
    assert_eq!(hooks, [("program", Hook::Unknown), ("hidden", Hook::Other)]);
    let ids: Vec<&str> = object.notes().iter().map(|note| note.id.as_str()).collect();
    assert_eq!(ids, ["bpf-extern-without-btf", "bpf-static-program"]);
    assert_eq!(object.externals()[0].kind, ExternalKind::Unknown);
}

#[test]
fn calls_that_lead_nowhere_are_errors() {
    let linked = |insns: &[Made], change: &dyn Fn(&mut Builder)| {
        let mut builder = Builder::new(Endian::Little);
        builder.program("xdp", "run", insns.to_vec());
        change(&mut builder);
        let bytes = builder.build();
        let object = Object::parse(&bytes).unwrap();
        object.linked(object.programs().next().unwrap()).unwrap_err().to_string()
    };
    let error = linked(&[Made::call(100), Made::exit()], &|_| {});
    assert!(
        error.ends_with(
            "section `xdp` offset 0x0, program `run`: it refers to no function: offset 0x328 of `.text`"
        ),
        "{error}"
    );
    let [first, _] = Made::ld_imm64(1, 0);
    let error = linked(&[first], &|_| {});
    assert!(error.ends_with("a load of 64 bits has only one half"), "{error}");
    let error = linked(&[Made::exit()], &|builder| {
        builder.undefined("x", false);
        builder.refer("xdp", 0, "x");
    });
    assert!(error.ends_with("a relocation of an instruction with opcode 0x95"), "{error}");
    let error = linked(&[Made::exit()], &|builder| {
        builder.undefined("x", false);
        builder.refer("xdp", 4, "x");
    });
    assert!(error.ends_with("a relocation of something that is no instruction"), "{error}");
}

#[test]
fn functions_that_call_each_other_are_linked_once() {
    let mut builder = Builder::new(Endian::Little);
    builder.program("xdp", "run", [Made::call(-1), Made::exit()]);
    // A chain as long as this would overflow a stack that recursion needs.
    for number in 0..50_000 {
        builder.static_function(".text", &format!("f{number}"), [Made::call(1), Made::exit()]);
    }
    builder.static_function(".text", "last", [Made::call(-100_001), Made::exit()]);
    builder.refer_call("xdp", 0, "f0");
    let bytes = builder.build();
    let object = Object::parse(&bytes).unwrap();
    let linked = object.linked(object.programs().next().unwrap()).unwrap();
    assert_eq!((linked.parts.len(), linked.insns.len()), (50_002, 100_004));
}

#[test]
fn limits_and_contradictions_are_errors_that_say_where() {
    let error = |change: &dyn Fn(&mut Builder)| {
        let mut builder = sample(Endian::Big);
        change(&mut builder);
        Object::parse(&builder.build()).unwrap_err().to_string()
    };
    let text = error(&|builder| builder.symbol(Symbol::func("long", 8, 800).global().in_section(PROBE)));
    assert!(text.contains(&format!("section `{PROBE}` offset 0x8, program `long`: 800 bytes")), "{text}");
    let text = error(&|builder| builder.symbol(Symbol::func("odd", 4, 8).global().in_section(PROBE)));
    assert!(text.ends_with("program `odd`: 8 bytes are not a number of instructions"), "{text}");
    let text = error(&|builder| {
        let btf = builder.btf.as_mut().unwrap();
        let odd = btf.int("odd", 4, Encoding::Signed);
        let map = btf.structure("", 8, (0..65).map(|_| Member::new("type", odd, 0)));
        let map = btf.var("counts", map, Linkage::Global);
        btf.datasec(".maps", 0, [(map, 0, 8)]);
        // The first section of a name counts.
        let mine = btf.next_id() - 1;
        for id in 1..mine {
            if btf.edit(id).kind == testkit::btf::kind::DATASEC && btf.edit(id).tail.len() == 3 {
                btf.edit(id).tail[0] = mine - 1;
            }
        }
    });
    assert!(text.contains("map `counts`: its struct has 65 members, 64 are allowed"), "{text}");

    let mut elf = sample(Endian::Little).elf();
    elf.claim_section_count(60_000);
    assert!(Object::parse(&elf.build()).unwrap_err().to_string().starts_with("truncated: section headers"));

    let elf = testkit::elf::Elf::new(testkit::elf::Machine::X86_64, testkit::Target::LE64);
    let text = Object::parse(&elf.build()).unwrap_err().to_string();
    assert!(text.contains("machine 62"), "{text}");
}

#[test]
fn sections_that_overlap_are_refused() {
    use testkit::elf::Section;
    let mut elf = sample(Endian::Little).elf();
    let size = elf.build().len() as u64;
    for _ in 0..2 {
        elf.section(Section::debug(".again", []).claim_offset(0).claim_size(size));
    }
    let mut bytes = elf.build();
    for _ in 0..2 {
        let text = Object::parse(&bytes).unwrap_err().to_string();
        assert!(text.ends_with("sections overlap: they are larger than the file"), "{text}");
        // Inside a larger file they are no better.
        bytes.resize(bytes.len() + 3 * size as usize, 0);
    }
}

/// Asks everything that an object can be asked.
fn ask(bytes: &[u8]) {
    let Ok(object) = Object::parse(bytes) else { return };
    black_box(object.variables());
    object.maps().iter().for_each(|map| _ = black_box(object.slots(map)));
    for program in object.functions() {
        black_box(object.line_at(program.section, program.offset));
        if let Ok(linked) = object.linked(program) {
            assert_eq!(linked.insns.len(), linked.marks.len());
            linked
                .marks
                .iter()
                .filter_map(|mark| mark.line)
                .for_each(|line| _ = black_box(object.line(line)));
        }
    }
    for relocation in object.relocations() {
        _ = black_box(object.path(relocation).map(|path| path.to_string()));
    }
}

#[test]
fn an_object_that_is_cut_anywhere_is_an_error_or_less() {
    for endian in BOTH {
        let bytes = sample(endian).build();
        for end in 0..bytes.len() {
            // Section headers are at the end.
            assert!(Object::parse(&bytes[..end]).is_err(), "{end}");
        }
        ask(&bytes);
    }
}

#[test]
fn single_bits_do_no_harm() {
    for endian in BOTH {
        let mut bytes = sample(endian).build();
        for at in 0..bytes.len() {
            for bit in 0..8 {
                bytes[at] ^= 1 << bit;
                ask(&bytes);
                bytes[at] ^= 1 << bit;
            }
        }
    }
}

proptest! {
    #[test]
    fn damage_does_no_harm(big: bool, changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u32>()), 1..8)) {
        let mut bytes = sample(BOTH[usize::from(big)]).build();
        for (at, value) in changes {
            let at = at.index(bytes.len() - 4);
            bytes[at..at + 4].copy_from_slice(&value.to_ne_bytes());
        }
        ask(&bytes);
        scan(&bytes).count();
    }
}

#[test]
fn objects_are_found_inside_files() {
    let [little, big] = BOTH.map(|endian| sample(endian).build());
    let mut file = b"\x7fELF something else".to_vec();
    let first = file.len();
    file.extend(&little);
    file.extend(b"\x7fEL\x7fELF");
    let second = file.len();
    file.extend(&big);
    file.extend(&big[..big.len() - 1]);
    let found: Vec<_> = scan(&file).collect();
    assert_eq!(found, [first..first + little.len(), second..second + big.len()]);
    assert!(Object::parse(&file[second..]).is_ok(), "what is behind an object does not matter");
    let other = testkit::elf::Elf::new(testkit::elf::Machine::X86_64, testkit::Target::LE64).build();
    assert_eq!(scan(&other).count(), 0);
    assert_eq!(scan(b"").count(), 0);
}

#[test]
fn compressed_layers_are_told() {
    let member = |contents: &[u8]| {
        let mut block = vec![0; 512];
        block[257..262].copy_from_slice(b"ustar");
        block[124..136].copy_from_slice(format!("{:011o}\0", contents.len()).as_bytes());
        block.extend(contents);
        block.resize(block.len().next_multiple_of(512), 0);
        block
    };
    let plain = member(&sample(Endian::Little).build());
    let file = [&plain[..], &member(b"\x1f\x8b\x08 gzip"), &member(b"\x28\xb5\x2f\xfd zstd")].concat();
    assert_eq!(compressed(&file).collect::<Vec<_>>(), [plain.len() + 512, plain.len() + 1536]);
    assert_eq!(scan(&file).count(), 1);
    assert_eq!(compressed(&file[1..]).count(), 0);
    assert_eq!(compressed(&file[..600]).count(), 0);
}

#[test]
fn sections_say_what_a_program_attaches_to() {
    let hook = |section: &'static str| Sec::parse(section).hook;
    let kprobe =
        |function, offset, ret, multi, session| Hook::Kprobe { function, offset, ret, multi, session };
    assert_eq!(TABLE.len(), 116);
    assert_eq!(hook("kprobe"), kprobe(None, 0, false, false, false));
    assert_eq!(hook("kprobe/vfs_read"), kprobe(Some("vfs_read"), 0, false, false, false));
    assert_eq!(hook("kprobe/a.isra.0+0x10"), kprobe(Some("a.isra.0"), 16, false, false, false));
    assert_eq!(hook("kprobe/a+010"), kprobe(Some("a"), 8, false, false, false));
    assert_eq!(hook("kretprobe/a"), kprobe(Some("a"), 0, true, false, false));
    assert!(matches!(hook("kretprobe/a+1"), Hook::Malformed { .. }));
    assert!(matches!(hook("kprobe/"), Hook::Malformed { .. }));
    assert_eq!(hook("kprobe.multi/vfs_*"), kprobe(Some("vfs_*"), 0, false, true, false));
    assert_eq!(hook("kprobe.session/vfs_?"), kprobe(Some("vfs_?"), 0, false, true, true));
    assert_eq!(hook("ksyscall/openat"), Hook::Ksyscall { name: Some("openat"), ret: false });
    let target = Some(UserFunction { path: "/lib/libc.so.6", function: "malloc", offset: 4 });
    assert_eq!(
        hook("uprobe//lib/libc.so.6:malloc+4"),
        Hook::Uprobe { target, ret: false, multi: false, session: false }
    );
    assert!(matches!(hook("uretprobe/readline"), Hook::Malformed { .. }));
    assert_eq!(hook("uprobe"), Hook::Uprobe { target: None, ret: false, multi: false, session: false });
    let target = Some(UserProbe { path: "/usr/bin/x", provider: "p", name: "n" });
    assert_eq!(hook("usdt//usr/bin/x:p:n"), Hook::Usdt { target });
    let target = Some(Tracepoint { category: "sched", name: "sched_switch" });
    assert_eq!(hook("tp/sched/sched_switch"), Hook::Tracepoint { target });
    assert_eq!(hook("tracepoint.s/sched/sched_switch"), Hook::Tracepoint { target });
    assert!(matches!(hook("tp/sched"), Hook::Malformed { .. }));
    assert_eq!(hook("raw_tp.w/x"), Hook::RawTracepoint { name: Some("x"), writable: true });
    assert_eq!(hook("tp_btf/x"), Hook::TpBtf { name: Some("x") });
    let trace = |at, module, function, multi| Hook::Trace { at, module, function, multi };
    assert_eq!(hook("fentry/nf:f"), trace(TraceAt::Fentry, Some("nf"), Some("f"), false));
    assert_eq!(hook("fexit.multi.s/tcp_*"), trace(TraceAt::Fexit, None, Some("tcp_*"), true));
    assert_eq!(hook("fmod_ret"), trace(TraceAt::FmodRet, None, None, false));
    assert!(matches!(hook("fentry/"), Hook::Malformed { .. }));
    assert_eq!(hook("lsm_cgroup/bind"), Hook::Lsm { hook: Some("bind"), cgroup: true });
    assert_eq!(hook("iter.s/task"), Hook::Iter { target: Some("task") });
    assert_eq!(hook("struct_ops"), Hook::StructOps { name: None });
    assert_eq!(hook("syscall"), Hook::Syscall);
    assert_eq!(hook("cgroup/connect_unix"), Hook::Other);
    for unknown in ["", "?", "kprobes", "syscall/x", "xdp/x", "fmod_ret.multi/x", "tc/", "/", ".text"] {
        assert_eq!(hook(unknown), Hook::Unknown, "{unknown}");
    }
    let off = Sec::parse("?lsm.s/file_open");
    assert!(!off.autoload && off.is_sleepable());
    assert_eq!(off.program_type(), ProgramType::LSM);
}

#[test]
fn instructions_are_decoded() {
    let insn = |opcode, src, imm| Insn { opcode, dst: 1, src, offset: -8, imm };
    let access =
        |opcode, imm| insn(opcode, 2, imm).access().map(|found| (found.kind, found.base, found.size));
    assert_eq!(access(0x61, 0), Some((AccessKind::Load, 2, 4)));
    assert_eq!(access(0x79, 0), Some((AccessKind::Load, 2, 8)));
    assert_eq!(access(0x91, 0), Some((AccessKind::Load, 2, 1)));
    assert_eq!(access(0x6a, 0), Some((AccessKind::Store, 1, 2)));
    assert_eq!(access(0x7b, 0), Some((AccessKind::Store, 1, 8)));
    assert_eq!(access(0xdb, 0), Some((AccessKind::Atomic, 1, 8)));
    assert_eq!(access(0xdb, 0x100), Some((AccessKind::Load, 2, 8)));
    assert_eq!(access(0x28, 0), Some((AccessKind::Packet, 2, 2)));
    assert_eq!(access(0x18, 0), None);
    assert_eq!(access(0xb7, 0), None);
    assert!(insn(0x91, 2, 0).access().unwrap().signed);
    assert_eq!(insn(0x85, 0, POISON).call(), Some(Call::Poison));
    assert_eq!(insn(0x85, 0, 14).call().map(|call| format!("{call:?}")), Some("Helper(Helper(14))".into()));
    assert_eq!(insn(0x85, 2, 7).call(), Some(Call::Kfunc(7)));
    assert_eq!(insn(0x85, 9, 7).call(), Some(Call::Unknown(9)));
    assert_eq!(insn(0x8d, 0, 0).call(), Some(Call::Register(1)));
    assert_eq!(insn(0x05, 0, 0).flow(), Flow::Jump(-8));
    assert_eq!(insn(0x06, 0, 9).flow(), Flow::Jump(9));
    assert_eq!(insn(0x15, 0, 0).flow(), Flow::Branch(-8));
    assert_eq!(insn(0x95, 0, 0).flow(), Flow::Exit);
    assert_eq!(insn(0x85, 0, 1).flow(), Flow::Next);
    assert_eq!(insn(0x0d, 0, 0).flow(), Flow::Indirect(1));
    assert_eq!(Helper(1).name(), Some("map_lookup_elem"));
    assert_eq!(Helper(0).name(), None);
}
