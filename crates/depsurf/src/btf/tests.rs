use std::fmt::Write as _;

use testkit::Endian;
use testkit::btf::{Btf, Encoding, Forward, Linkage, Member, RawType};

use super::{Base, read, read_split};
use crate::error::{Error, Result};
use crate::note::Notes;
use crate::surface::strings::{StrId, Strings};
use crate::surface::types::TypeTable;
use crate::surface::{Type, TypeId, TypeKind, c};

mod export;
mod oracle;
mod roundtrip;

const ENDIANS: [Endian; 2] = [Endian::Little, Endian::Big];

/// A table with its strings and notes.
#[derive(Debug, Default)]
struct Tables {
    types: TypeTable,
    strings: Strings,
    notes: Notes,
}

impl Tables {
    fn read(bytes: &[u8]) -> Result<Self> {
        let mut tables = Self::default();
        tables.types = read(bytes, &mut tables.strings, &mut tables.notes)?;
        Ok(tables)
    }

    fn split(&mut self, bytes: &[u8], base: Base<'_>) -> Result<std::ops::Range<u32>> {
        read_split(bytes, base, &mut self.types, &mut self.strings, &mut self.notes)
    }

    fn dump(&self) -> String {
        let view = self.types.view(&self.strings, &[]);
        view.iter().map(dump).collect()
    }
}

/// A type in the words of `bpftool btf dump format raw`, but for the type of an array's index and the size of a
/// data section's variables, which the model does not keep.
fn dump(ty: Type<'_>) -> String {
    let name = |name: &str| if name.is_empty() { "'(anon)'".to_owned() } else { format!("'{name}'") };
    let child = |n: usize| ty.children().get(n).map_or((0, 0), |child| (child.a.get(), child.b.get()));
    let target = ty.target_id().map_or(0, |id| id.0);
    let (size, vlen) = (ty.size().unwrap_or(0), ty.children().len());
    let mut text = format!("[{}] {} {}", ty.id().0, ty.kind().name(), name(ty.name()));
    let linkage = ["static", "global", "extern"].get(child(0).0 as usize).unwrap_or(&"(unknown)");
    match ty.kind() {
        TypeKind::Void => {}
        TypeKind::Int => {
            let word = child(0).0;
            let encoding = ["(none)", "SIGNED", "CHAR", "(unknown)", "BOOL"][(word >> 24) as usize];
            let (offset, bits) = (word >> 16 & 0xff, word & 0xff);
            write!(text, " size={size} bits_offset={offset} nr_bits={bits} encoding={encoding}").unwrap();
        }
        TypeKind::Array => write!(text, " type_id={} nr_elems={}", child(0).0, child(0).1).unwrap(),
        TypeKind::Struct | TypeKind::Union => {
            write!(text, " size={size} vlen={vlen}").unwrap();
            for member in ty.members() {
                let (id, offset) = (member.type_id.0, member.bit_offset.expect("BTF tells"));
                write!(text, "\n\t{} type_id={id} bits_offset={offset}", name(member.name)).unwrap();
                if let Some(bits) = member.bitfield_size {
                    write!(text, " bitfield_size={bits}").unwrap();
                }
            }
        }
        TypeKind::Enum | TypeKind::Enum64 => {
            let encoding = if ty.kind_flag() { "SIGNED" } else { "UNSIGNED" };
            write!(text, " encoding={encoding} size={size} vlen={vlen}").unwrap();
            let suffix = match (ty.kind(), ty.kind_flag()) {
                (TypeKind::Enum, _) => "",
                (_, true) => "LL",
                (_, false) => "ULL",
            };
            for value in ty.enumerators() {
                write!(text, "\n\t{} val={}{suffix}", name(value.name), value.value).unwrap();
            }
        }
        TypeKind::Fwd => {
            write!(text, " fwd_kind={}", if ty.kind_flag() { "union" } else { "struct" }).unwrap();
        }
        TypeKind::FuncProto => {
            write!(text, " ret_type_id={target} vlen={vlen}").unwrap();
            for param in ty.params() {
                write!(text, "\n\t{} type_id={}", name(param.name), param.type_id.0).unwrap();
            }
        }
        TypeKind::Func => write!(text, " type_id={target} linkage={linkage}").unwrap(),
        TypeKind::Var => write!(text, " type_id={target}, linkage={linkage}").unwrap(),
        TypeKind::Datasec => {
            write!(text, " size={size} vlen={vlen}").unwrap();
            for n in 0..vlen {
                write!(text, "\n\ttype_id={} offset={}", child(n).0, child(n).1).unwrap();
            }
        }
        TypeKind::Float => write!(text, " size={size}").unwrap(),
        TypeKind::DeclTag => {
            let component = child(0).0.cast_signed();
            write!(text, " type_id={target} component_idx={component}").unwrap();
        }
        TypeKind::Ptr
        | TypeKind::Typedef
        | TypeKind::Volatile
        | TypeKind::Const
        | TypeKind::Restrict
        | TypeKind::TypeTag => write!(text, " type_id={target}").unwrap(),
    }
    text + "\n"
}

/// One of each kind.
fn every_kind(endian: Endian) -> Btf {
    let mut btf = Btf::new(endian);
    let int = btf.int("int", 4, Encoding::Signed);
    let ptr = btf.ptr(int);
    let array = btf.array(ptr, int, 7);
    btf.structure("s", 64, [Member::new("a", array, 0), Member::bits("b", int, 448, 5)]);
    btf.union("", 4, [Member::new("x", int, 0)]);
    btf.enumeration("e", 4, [("NO", -1), ("YES", 1)]);
    btf.forward("f", Forward::Union);
    let alias = btf.typedef("t", int);
    let volatile = btf.volatile(alias);
    let constant = btf.constant(volatile);
    btf.restrict(ptr);
    let proto = btf.func_proto(constant, [("p", ptr), ("", 0)]);
    let func = btf.func("fn", proto, Linkage::Global);
    let var = btf.var("v", int, Linkage::Extern);
    btf.datasec(".data", 32, [(var, 16, 4)]);
    btf.float("double", 8);
    btf.decl_tag("kfunc", func, None);
    btf.decl_tag("arg", func, Some(1));
    btf.type_tag("user", int);
    btf.enum64("big", 8, [("TOP", 1i128 << 63), ("LOW", 3)]);
    btf
}

const EVERY_KIND: &str = "\
[1] INT 'int' size=4 bits_offset=0 nr_bits=32 encoding=SIGNED
[2] PTR '(anon)' type_id=1
[3] ARRAY '(anon)' type_id=2 nr_elems=7
[4] STRUCT 's' size=64 vlen=2
\t'a' type_id=3 bits_offset=0
\t'b' type_id=1 bits_offset=448 bitfield_size=5
[5] UNION '(anon)' size=4 vlen=1
\t'x' type_id=1 bits_offset=0
[6] ENUM 'e' encoding=SIGNED size=4 vlen=2
\t'NO' val=-1
\t'YES' val=1
[7] FWD 'f' fwd_kind=union
[8] TYPEDEF 't' type_id=1
[9] VOLATILE '(anon)' type_id=8
[10] CONST '(anon)' type_id=9
[11] RESTRICT '(anon)' type_id=2
[12] FUNC_PROTO '(anon)' ret_type_id=10 vlen=2
\t'p' type_id=2
\t'(anon)' type_id=0
[13] FUNC 'fn' type_id=12 linkage=global
[14] VAR 'v' type_id=1, linkage=extern
[15] DATASEC '.data' size=32 vlen=1
\ttype_id=14 offset=16
[16] FLOAT 'double' size=8
[17] DECL_TAG 'kfunc' type_id=13 component_idx=-1
[18] DECL_TAG 'arg' type_id=13 component_idx=1
[19] TYPE_TAG 'user' type_id=1
[20] ENUM64 'big' encoding=UNSIGNED size=8 vlen=2
\t'TOP' val=9223372036854775808ULL
\t'LOW' val=3ULL
";

#[test]
fn every_kind_in_both_endians() {
    for endian in ENDIANS {
        let tables = Tables::read(&every_kind(endian).build()).unwrap();
        assert_eq!(tables.dump(), EVERY_KIND);
        assert!(tables.notes.into_vec().is_empty());
    }
}

#[test]
fn cut_anywhere_is_an_error() {
    for endian in ENDIANS {
        let bytes = every_kind(endian).build();
        for length in 0..bytes.len() {
            let error = Tables::read(&bytes[..length]).expect_err("a cut blob must not read");
            assert!(matches!(error, Error::Truncated { .. }), "{length}: {error}");
        }
    }
}

/// Looks at every type in every way, so that what was read cannot break a reader.
fn look_at_all(tables: &Tables) {
    let view = tables.types.view(&tables.strings, &[]);
    for ty in view.iter() {
        assert!(ty.children().len() < 1000);
        assert!(c::declaration(ty, "x").len() < 1 << 20);
        assert!(c::definition(ty).len() < 1 << 23);
        std::hint::black_box(ty.byte_size(8));
    }
}

#[test]
fn no_damaged_word_does_harm() {
    for endian in ENDIANS {
        let bytes = every_kind(endian).build();
        for at in 0..bytes.len() {
            for value in [0u8, 1, 2, 4, 0x12, 0x14, 0x7f, 0x80, 0xff] {
                let mut bytes = bytes.clone();
                bytes[at] = value;
                if let Ok(tables) = Tables::read(&bytes) {
                    look_at_all(&tables);
                }
                let end = bytes.len().min(at + 4);
                bytes[at..end].fill(value);
                if let Ok(tables) = Tables::read(&bytes) {
                    look_at_all(&tables);
                }
            }
        }
    }
}

fn message(btf: &Btf) -> String {
    Tables::read(&btf.build()).expect_err("the blob is damaged").to_string()
}

#[test]
fn errors_tell_type_and_offset() {
    for endian in ENDIANS {
        let mut btf = every_kind(endian);
        btf.edit(2).size_or_type = 21;
        assert_eq!(
            message(&btf),
            "malformed BTF at type 2 at offset 0x28: refers to type 21, the last is 20"
        );

        let mut btf = every_kind(endian);
        btf.edit(4).tail[3] = 999;
        assert_eq!(
            message(&btf),
            "malformed BTF at type 4 at offset 0x4c: name at 0x3e7 of a string section of 0x49 bytes"
        );

        let mut btf = every_kind(endian);
        btf.edit(16).kind = 20;
        assert_eq!(message(&btf), "malformed BTF at type 16 at offset 0x130: unknown kind 20");

        let mut btf = every_kind(endian);
        btf.edit(20).vlen = 3;
        assert_eq!(
            message(&btf),
            "truncated: BTF type 20 at offset 0x168 needs bytes up to 0x198, the file ends at 0x18c"
        );

        let bytes = every_kind(endian).build_with(|header| header.str_len -= 1);
        let error = Tables::read(&bytes).expect_err("the last string does not end").to_string();
        assert!(error.contains("type 20 at offset 0x168") && error.contains("does not end"), "{error}");

        let bytes = every_kind(endian).build_with(|header| header.version = 2);
        let error = Tables::read(&bytes).expect_err("the version is unknown").to_string();
        assert_eq!(error, "malformed BTF at offset 2: version 2 where only 1 is known");

        let bytes = every_kind(endian).build_with(|header| header.hdr_len = 20);
        let error = Tables::read(&bytes).expect_err("the header is short").to_string();
        assert_eq!(error, "malformed BTF at offset 4: header length 20, at least 24 is needed");
    }
    let error = Tables::read(b"\x7fELF\0\0\0\0").expect_err("not BTF").to_string();
    assert_eq!(error, "malformed BTF at offset 0: magic bytes 7f 45 in place of 9f eb or eb 9f");
}

#[test]
fn longer_headers_are_read() {
    for endian in ENDIANS {
        let mut btf = every_kind(endian);
        btf.layout(Vec::new());
        let bytes = btf.build_with(|header| {
            header.tail.extend([0xdead_beef; 3]);
            header.hdr_len += 12;
        });
        assert_eq!(Tables::read(&bytes).unwrap().dump(), EVERY_KIND);
    }
}

#[test]
fn kinds_of_the_future_are_stepped_over() {
    for endian in ENDIANS {
        let mut btf = every_kind(endian);
        let raw = |vlen, tail: &[u32]| RawType {
            name_offset: 0xffff,
            kind: 25,
            vlen,
            kind_flag: true,
            size_or_type: 0xffff,
            tail: tail.into(),
        };
        let unknown = btf.raw(raw(2, &[1, 2, 3]));
        let known = btf.ptr(unknown);
        btf.raw(raw(0, &[1]));
        assert_eq!(message(&btf), "malformed BTF at type 21 at offset 0x18c: unknown kind 25");

        let mut layout = vec![0; 26 * 4];
        // Four bytes behind `struct btf_type` and four for each of `vlen` entries.
        layout[100..102].copy_from_slice(&[4, 4]);
        btf.layout(layout.clone());
        let tables = Tables::read(&btf.build()).unwrap();
        let expected = format!(
            "{EVERY_KIND}[21] VOID '(anon)'\n[{known}] PTR '(anon)' type_id=21\n[23] VOID '(anon)'\n"
        );
        assert_eq!(tables.dump(), expected);
        let notes = tables.notes.into_vec();
        assert_eq!((notes[0].id.as_str(), notes[0].count, notes[0].lossy), ("btf-unknown-kind", 2, true));
        assert_eq!(notes[0].first.as_deref(), Some("type 21 at offset 0x194"));

        layout.truncate(100);
        btf.layout(layout);
        assert_eq!(message(&btf), "malformed BTF at type 21 at offset 0x194: unknown kind 25");
    }
}

#[test]
fn modules_go_on_where_the_kernel_ends() {
    for endian in ENDIANS {
        let base = every_kind(endian);
        let base_bytes = base.build();
        let module = |name: &str| {
            let mut btf = Btf::split(&base);
            let alias = btf.typedef(name, 4);
            let ptr = btf.ptr(alias);
            btf.structure("s", 8, [Member::new("own", ptr, 0), Member::new("a", 1, 64)]);
            btf.build()
        };
        let mut tables = Tables::read(&base_bytes).unwrap();
        let info = Base::new(&base_bytes).unwrap();
        assert_eq!(tables.split(&module("one_t"), info).unwrap(), 21..24);
        assert_eq!(tables.split(&module("two_t"), info).unwrap(), 24..27);
        let part = |name: &str, id: u32| {
            format!(
                "[{id}] TYPEDEF '{name}' type_id=4\n[{}] PTR '(anon)' type_id={id}\n[{}] STRUCT 's' size=8 vlen=2\n\
                 \t'own' type_id={} bits_offset=0\n\t'a' type_id=1 bits_offset=64\n",
                id + 1,
                id + 2,
                id + 1
            )
        };
        let expected = EVERY_KIND.to_owned() + &part("one_t", 21) + &part("two_t", 24);
        assert_eq!(tables.dump(), expected);

        let mut broken = Btf::split(&base);
        broken.typedef("good", 1);
        broken.ptr(23);
        let error = tables.split(&broken.build(), info).expect_err("no type 23 in this module").to_string();
        assert_eq!(error, "malformed BTF at type 22 at offset 0x24: refers to type 23, the last is 22");
        assert_eq!(tables.dump(), expected, "a module that does not read leaves nothing behind");

        let error = Tables::default().split(&module("x"), info).expect_err("the base is missing").to_string();
        assert_eq!(error, "malformed BTF at split: builds on 21 types, the table has 1");
    }
}

/// Names that start one byte apart in one long string would add up to the square of its length.
#[test]
fn overlapping_names_are_refused() {
    let mut btf = Btf::new(Endian::Little);
    let start = btf.string(&"x".repeat(100_000));
    for n in 0..50_000 {
        let id = btf.ptr(0);
        btf.edit(id).name_offset = start + n;
    }
    let error = message(&btf);
    assert!(error.contains("names overlap"), "{error}");
}

#[test]
fn types_may_refer_to_later_ones_and_to_themselves() {
    let mut btf = Btf::new(Endian::Little);
    btf.ptr(2);
    btf.constant(2);
    let tables = Tables::read(&btf.build()).unwrap();
    let view = tables.types.view(&tables.strings, &[]);
    assert_eq!(view.get(TypeId(1)).and_then(|ty| ty.target_id()), Some(TypeId(2)));
    look_at_all(&tables);
}

proptest::proptest! {
    #[test]
    fn noise_does_no_harm(
        changes in proptest::collection::vec((0usize..500, 0u8..), 1..12),
        big in proptest::bool::ANY,
    ) {
        let mut bytes = every_kind(if big { Endian::Big } else { Endian::Little }).build();
        for (at, value) in changes {
            let at = at % bytes.len();
            bytes[at] = value;
        }
        if let Ok(tables) = Tables::read(&bytes) {
            look_at_all(&tables);
        }
    }
}
