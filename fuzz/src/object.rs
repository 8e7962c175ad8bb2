//! Target `object`: eBPF objects, every question that can be asked about one.
//!
//! The first byte chooses the object to change, or says (from 0x80 on) that the rest is the object itself. Buffers of
//! patches are the ranges of the file: first all of it, then its section headers, then its sections.

use std::hint::black_box;
use std::ops::Range;
use std::sync::LazyLock;

use depsurf::bpf::{Object, Sec};
use testkit::Endian;
use testkit::bpf::{CoreRelocation, FuncInfo, Insn, LineInfo};
use testkit::btf::{Btf, Encoding, Linkage, Member};

use crate::patch::{Action, Patches, overwrite, write_at};

const RAW: u8 = 0x80;

struct Base {
    file: Vec<u8>,
    ranges: Vec<Range<usize>>,
}

static BASES: LazyLock<Vec<Base>> = LazyLock::new(|| [Endian::Little, Endian::Big].map(base).into());

/// An object with something of everything.
pub fn sample(endian: Endian) -> Vec<u8> {
    let mut object = testkit::bpf::Object::new(endian);
    let [first, second] = Insn::ld_imm64(1, 0);
    object.program(
        "kprobe/vfs_read",
        "probe",
        [first, second, Insn::load(2, 1, 8), Insn::helper(1), Insn::call(-1), Insn::call(-1), Insn::exit()],
    );
    object.program("?tp_btf/sched_switch", "switch", [first, second, first, second, Insn::exit()]);
    object.program(".text", "twice", [Insn::call(0), Insn::call(-2), Insn::exit()]);
    object.static_function(".text", "add", [Insn::mov(0, 1), Insn::exit()]);
    object.variable(".maps", "counts", vec![0; 32]);
    object.variable("maps", "legacy", [[1u8, 0, 0, 0]; 5].concat());
    object.variable(".rodata", "limit", vec![5, 0, 0, 0]);
    object.zeroed(".bss", "zeroes", 16);
    object.variable(".struct_ops", "ops", vec![0; 16]);
    object.license("GPL");
    object.undefined("kfunc", true);
    object.undefined("CONFIG_HZ", false);
    object.undefined("variable", true);
    object.section_symbol(".text");
    object.refer("kprobe/vfs_read", 0, "counts");
    object.refer_call("kprobe/vfs_read", 32, "twice");
    object.refer_call("kprobe/vfs_read", 40, "kfunc");
    object.refer("?tp_btf/sched_switch", 0, "limit");
    object.refer("?tp_btf/sched_switch", 16, "CONFIG_HZ");

    let mut btf = Btf::new(endian);
    let int = btf.int("int", 4, Encoding::Signed);
    let hash = btf.array(int, int, 1);
    let kind = btf.ptr(hash);
    let pointer = btf.ptr(int);
    let members = [
        Member::new("type", kind, 0),
        Member::new("key", pointer, 64),
        Member::new("value", pointer, 128),
        Member::new("max_entries", kind, 192),
    ];
    let map = btf.structure("", 32, members);
    let counts = btf.var("counts", map, Linkage::Global);
    btf.datasec(".maps", 0, [(counts, 0, 32)]);
    let limit = btf.var("limit", int, Linkage::Global);
    btf.datasec(".rodata", 0, [(limit, 0, 4)]);
    let option = btf.var("CONFIG_HZ", int, Linkage::Extern);
    btf.datasec(".kconfig", 0, [(option, 0, 4)]);
    let proto = btf.func_proto(int, [("task", pointer)]);
    let kfunc = btf.func("kfunc", proto, Linkage::Extern);
    let variable = btf.var("variable", int, Linkage::Extern);
    btf.datasec(".ksyms", 0, [(kfunc, 0, 0), (variable, 0, 4)]);
    let union = btf.union("", 8, [Member::new("low", int, 0)]);
    let list = btf.array(union, int, 4);
    let task = btf.structure("task___old", 48, [Member::new("pid", int, 0), Member::new("list", list, 64)]);
    let values = btf.enumeration("kind", 4, [("ONE", 1), ("MINUS", -1)]);
    let ops = btf.var("ops", task, Linkage::Global);
    btf.datasec(".struct_ops", 0, [(ops, 0, 16)]);
    let probe = btf.func("probe", proto, Linkage::Global);
    object.btf = Some(btf);
    let section = || "kprobe/vfs_read".to_owned();
    object.ext.functions.push(FuncInfo { section: section(), offset: 0, type_id: probe });
    for (offset, line) in [(0, 10), (24, 11)] {
        let (file, text) = ("probe.c".to_owned(), "return 0;".to_owned());
        object.ext.lines.push(LineInfo { section: section(), offset, file, text, line, column: 3 });
    }
    for (kind, type_id, access) in [(0, task, "0:1:2:0"), (11, values, "1"), (8, task, "0")] {
        let access = access.to_owned();
        object.ext.relocations.push(CoreRelocation { section: section(), offset: 16, type_id, access, kind });
    }
    object.build()
}

fn base(endian: Endian) -> Base {
    let file = sample(endian);
    let object = Object::parse(&file).expect("testkit's objects are objects");
    let whole = 0..file.len();
    let headers = file.len() - 64 * object.sections().len().min(file.len() / 64)..file.len();
    let mut ranges = vec![whole, headers];
    for section in object.sections() {
        ranges.push(section.offset as usize..section.offset as usize + section.bytes.len());
    }
    drop(object);
    Base { file, ranges }
}

pub fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = vec![[&[RAW][..], b"kprobe/vfs_read+0x10"].concat()];
    for (number, base) in (0..).zip(BASES.iter()) {
        seeds.push(vec![number]);
        seeds.push([&[RAW][..], &base.file].concat());
        for range in 0..base.ranges.len() as u8 {
            seeds.push([&[number][..], &write_at(range, 8, &[0xff; 4])].concat());
        }
    }
    seeds
}

pub fn run(data: &[u8]) {
    let Some((&mode, rest)) = data.split_first() else { return };
    if let Ok(name) = str::from_utf8(rest) {
        black_box(Sec::parse(name));
    }
    let file = if mode & RAW != 0 { rest.to_vec() } else { patched(usize::from(mode), rest) };
    let Ok(object) = Object::parse(&file) else { return };
    read(&object);
}

/// Asks everything.
pub fn read(object: &Object<'_>) {
    black_box((
        object.license(),
        object.notes(),
        object.maps(),
        object.externals(),
        object.variables().len(),
    ));
    for program in object.functions() {
        for insn in object.insns(program) {
            black_box((insn.call(), insn.access(), insn.flow(), insn.class()));
        }
        black_box(object.line_at(program.section, program.offset));
        let Ok(linked) = object.linked(program) else { continue };
        assert_eq!(linked.insns.len(), linked.marks.len());
        let end = linked.parts.iter().map(|part| part.len).sum::<u32>();
        assert_eq!(end as usize, linked.insns.len());
        for mark in &linked.marks {
            black_box(mark.line.map(|line| object.line(line)));
            if let Some(core) = mark.core {
                assert!((core as usize) < object.relocations().len());
            }
        }
    }
    for relocation in object.relocations() {
        if let Ok(path) = object.path(relocation) {
            black_box((path.to_string(), path.flavour()));
        }
    }
}

fn patched(number: usize, patches: &[u8]) -> Vec<u8> {
    let base = &BASES[number % BASES.len()];
    let mut file = base.file.clone();
    for patch in Patches::new(patches) {
        let range = base.ranges[patch.buffer % base.ranges.len()].clone();
        let at = range.start + patch.offset % (range.len() + 1);
        match patch.action {
            Action::Cut => file.truncate(at),
            _ => overwrite(file.get_mut(at..range.end).unwrap_or_default(), patch.bytes),
        }
    }
    file
}
