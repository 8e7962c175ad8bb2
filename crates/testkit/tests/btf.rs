//! BTF built here is read back word by word, and with `bpftool` where it is installed.

mod tools;

use testkit::Endian;
use testkit::btf::{Btf, Encoding, Forward, Linkage, Member, RawType, kind};

/// A reader as simple as the format: the words of the type section, the strings, and nothing trusted
/// but what the builder promises.
struct Read {
    types: Vec<u32>,
    strings: Vec<u8>,
}

impl Read {
    fn new(section: &[u8], endian: Endian) -> Read {
        let word = |at: usize| {
            let bytes = section[at..at + 4].try_into().unwrap();
            match endian {
                Endian::Little => u32::from_le_bytes(bytes),
                Endian::Big => u32::from_be_bytes(bytes),
            }
        };
        let header = word(4) as usize;
        let part = |at: usize| {
            let start = header + word(at) as usize;
            start..start + word(at + 4) as usize
        };
        let types = part(8).step_by(4).map(word).collect();
        Read { types, strings: section[part(16)].to_vec() }
    }

    fn string(&self, offset: u32) -> &str {
        let text = &self.strings[offset as usize..];
        let end = text.iter().position(|byte| *byte == 0).unwrap();
        std::str::from_utf8(&text[..end]).unwrap()
    }
}

fn info(kind: u8, vlen: u32, kind_flag: bool) -> u32 {
    u32::from(kind) << 24 | vlen | u32::from(kind_flag) << 31
}

/// One type of every kind.
fn every_kind(endian: Endian) -> Btf {
    let mut btf = Btf::new(endian);
    let int = btf.int("int", 4, Encoding::Signed);
    let list = btf.structure("list_head", 16, []);
    let link = btf.ptr(list);
    btf.set_members(list, [Member::new("next", link, 0), Member::new("prev", link, 64)]);
    let ten = btf.array(int, int, 10);
    btf.union("sigval", 4, [Member::new("sival_int", int, 0)]);
    btf.structure("flags", 4, [Member::bits("low", int, 0, 3), Member::bits("high", int, 3, 5)]);
    btf.enumeration("pid_type", 4, [("PIDTYPE_PID", 0), ("PIDTYPE_NONE", -1)]);
    btf.enum64("big", 8, [("BIG_FLAG", 0x1_0000_0002)]);
    btf.forward("module", Forward::Struct);
    btf.forward("bpf_attr", Forward::Union);
    let alias = btf.typedef("pid_t", int);
    let volatile = btf.volatile(alias);
    let constant = btf.constant(volatile);
    btf.restrict(link);
    let proto = btf.func_proto(int, [("fmt", link), ("", 0)]);
    let func = btf.func("printk", proto, Linkage::Global);
    let var = btf.var("jiffies", constant, Linkage::Global);
    btf.datasec(".data..percpu", 4, [(var, 0, 4)]);
    btf.float("double", 8);
    btf.decl_tag("bpf_kfunc", func, None);
    btf.decl_tag("user", func, Some(0));
    let tag = btf.type_tag("rcu", ten);
    btf.ptr(tag);
    btf
}

#[test]
fn words_are_those_of_the_specification() {
    for endian in [Endian::Little, Endian::Big] {
        let mut btf = Btf::new(endian);
        let int = btf.int("int", 4, Encoding::Signed);
        let fields = btf.structure("s", 8, [Member::new("a", int, 0), Member::bits("b", int, 32, 3)]);
        let wide = btf.enum64("e", 8, [("E", -2)]);
        assert_eq!((int, fields, wide, btf.next_id()), (1, 2, 3, 4));

        let read = Read::new(&btf.build(), endian);
        assert_eq!(read.types[1..4], [info(kind::INT, 0, false), 4, 1 << 24 | 32]);
        assert_eq!(read.string(read.types[0]), "int");
        assert_eq!(read.types[5..7], [info(kind::STRUCT, 2, true), 8]);
        assert_eq!(read.types[8..10], [int, 0]);
        assert_eq!(read.types[11..13], [int, 3 << 24 | 32]);
        assert_eq!(read.string(read.types[10]), "b");
        assert_eq!(read.types[14..16], [info(kind::ENUM64, 1, true), 8]);
        assert_eq!(read.types[17..19], [-2i32 as u32, u32::MAX]);
    }
}

#[test]
fn strings_are_shared_and_start_with_the_empty_one() {
    let mut btf = Btf::new(Endian::Little);
    assert_eq!(btf.string(""), 0);
    let first = btf.string("pid");
    assert_eq!((first, btf.string("pid")), (1, 1));
    let read = Read::new(&btf.build(), Endian::Little);
    assert_eq!(read.strings, b"\0pid\0");
}

#[test]
fn split_btf_goes_on_where_the_base_ends() {
    let mut base = Btf::new(Endian::Big);
    let int = base.int("int", 4, Encoding::Signed);
    let mut module = Btf::split(&base);
    assert_eq!(module.next_id(), int + 1);
    let alias = module.typedef("kvm_t", int);
    assert_eq!(alias, 2);
    assert_eq!(module.string("int"), 1, "a string of the base is used where it is");
    let read = Read::new(&module.build(), Endian::Big);
    assert_eq!(read.types, [5, info(kind::TYPEDEF, 0, false), int]);
    assert_eq!(read.strings, b"kvm_t\0");
    assert_eq!(Btf::split_at(Endian::Big, 100, 7).string("x"), 7);
}

#[test]
fn unknown_kinds_and_wrong_headers_are_written_as_told() {
    let mut btf = Btf::new(Endian::Little);
    let odd =
        RawType { name_offset: 0, kind: 30, vlen: 1, kind_flag: true, size_or_type: 7, tail: vec![1, 2] };
    let id = btf.raw(odd);
    btf.edit(id).size_or_type = 9;
    btf.layout(vec![1, 2, 3, 4]);
    let section = btf.build_with(|header| header.type_off = 8);
    assert_eq!(section[..2], [0x9f, 0xeb]);
    assert_eq!(section[4..8], 32u32.to_le_bytes());
    assert_eq!(section[8..12], 8u32.to_le_bytes());
    assert_eq!(section[section.len() - 4..], [1, 2, 3, 4]);
    assert_eq!(section[32 + 4..32 + 12], [1, 0, 0, 30 | 0x80, 9, 0, 0, 0]);
}

#[test]
#[should_panic(expected = "no type has the id 7")]
fn editing_an_absent_type_is_a_bug_in_the_test() {
    Btf::new(Endian::Little).edit(7);
}

#[test]
fn bpftool_dumps_every_kind() {
    for endian in [Endian::Little, Endian::Big] {
        let btf = every_kind(endian);
        let Some(output) = tools::run("bpftool", &["btf", "dump", "file", "FILE"], &btf.build()) else {
            return;
        };
        assert_eq!(output.stderr, "");
        for expected in [
            "[1] INT 'int' size=4 bits_offset=0 nr_bits=32 encoding=SIGNED",
            "'next' type_id=3 bits_offset=0",
            "'high' type_id=1 bits_offset=3 bitfield_size=5",
            "'PIDTYPE_NONE' val=-1",
            "'BIG_FLAG' val=4294967298ULL",
            "FWD 'bpf_attr' fwd_kind=union",
            "FUNC 'printk' type_id=15 linkage=global",
            "DATASEC '.data..percpu' size=4 vlen=1",
            "DECL_TAG 'user' type_id=16 component_idx=0",
            "TYPE_TAG 'rcu' type_id=4",
        ] {
            assert!(output.stdout.contains(expected), "no `{expected}` in:\n{}", output.stdout);
        }
    }
}
