//! What is written reads as what it was.

use object::Endianness;
use proptest::prelude::*;
use zerocopy::IntoBytes as _;

use super::*;
use crate::btf::write;

const ENDIANNESS: [Endianness; 2] = [Endianness::Little, Endianness::Big];

impl Tables {
    fn write(&self, ids: std::ops::Range<u32>, endian: Endianness) -> Vec<u8> {
        write(self.types.view(&self.strings, &[]), ids, endian)
    }
}

fn assert_same_tables(ours: &Tables, theirs: &TypeTable) {
    assert_eq!(ours.types.records().as_bytes(), theirs.records().as_bytes());
    assert_eq!(ours.types.children().as_bytes(), theirs.children().as_bytes());
}

#[test]
fn every_kind_comes_back() {
    for endian in ENDIANNESS {
        let mut tables = Tables::read(&every_kind(Endian::Little).build()).unwrap();
        let bytes = tables.write(1..21, endian);
        assert_eq!(bytes[0] == 0xeb, endian == Endianness::Big);
        let again = read(&bytes, &mut tables.strings, &mut tables.notes).unwrap();
        assert_same_tables(&tables, &again);
        assert_eq!(Tables::read(&bytes).unwrap().dump(), EVERY_KIND);
        let other = write(again.view(&tables.strings, &[]), 1..u32::MAX, endian);
        assert_eq!(bytes, other);
    }
}

/// Split at any id, both parts together are the whole, and the first part is what it is alone.
#[test]
fn split_anywhere() {
    for endian in ENDIANNESS {
        let mut btf = every_kind(Endian::Big);
        // Kinds that refer to later ones cannot be cut off from them.
        btf.typedef("later", 2);
        let tables = Tables::read(&btf.build()).unwrap();
        let whole = tables.dump();
        let end = tables.types.next_id().0;
        for cut in 1..=end {
            let (base, split) = (tables.write(1..cut, endian), tables.write(cut..end, endian));
            let mut again = Tables::read(&base).unwrap();
            if cut > 1 {
                assert_eq!(again.split(&split, Base::new(&base).unwrap()).unwrap(), cut..end);
            } else {
                again = Tables::read(&split).unwrap();
            }
            assert_eq!(again.dump(), whole, "cut at {cut}");
        }
    }
}

#[test]
fn sizes_and_index_types_are_put_back() {
    let mut btf = Btf::new(Endian::Little);
    let long = btf.int("long unsigned int", 4, Encoding::Unsigned);
    let index = btf.int("__ARRAY_SIZE_TYPE__", 4, Encoding::Unsigned);
    let ptr = btf.ptr(long);
    let array = btf.array(ptr, index, 3);
    let alias = btf.typedef("t", array);
    let var = btf.var("v", alias, Linkage::Static);
    let proto = btf.func_proto(0, []);
    let func = btf.func("f", proto, Linkage::Extern);
    btf.datasec(".data..percpu", 20, [(var, 8, 12), (func, 0, 0)]);
    let bytes = btf.build();
    let tables = Tables::read(&bytes).unwrap();
    // Names are stored in the same order, so this is the very blob.
    assert_eq!(tables.write(1..tables.types.next_id().0, Endianness::Little), bytes);
}

#[test]
fn what_could_not_be_read_is_written_as_void() {
    let mut btf = Btf::new(Endian::Little);
    let raw =
        RawType { name_offset: 0, kind: 21, vlen: 0, kind_flag: true, size_or_type: 5, tail: Vec::new() };
    let unknown = btf.raw(raw);
    btf.ptr(unknown);
    btf.layout(vec![0; 22 * 4]);
    let tables = Tables::read(&btf.build()).unwrap();
    let again = Tables::read(&tables.write(1..3, Endianness::Big)).unwrap();
    assert_eq!(again.dump(), "[1] CONST '(anon)' type_id=0\n[2] PTR '(anon)' type_id=1\n");
    let cut = Tables::read(&tables.write(1..2, Endianness::Big)).unwrap();
    assert_eq!(cut.dump(), "[1] CONST '(anon)' type_id=0\n");
}

/// Kind, name, third word and children of a type; references are taken modulo the number of types.
type Recipe = (u8, u8, u32, Vec<(u8, u32, u32)>, bool);

fn recipe() -> impl Strategy<Value = Recipe> {
    let child = (0u8..6, any::<u32>(), any::<u32>());
    (1u8..20, 0u8..6, any::<u32>(), prop::collection::vec(child, 0..5), any::<bool>())
}

/// A table with exactly what the model says of each kind, and nothing that BTF has no room for.
fn table(recipes: &[Recipe]) -> Tables {
    use TypeKind::{
        Array, Datasec, DeclTag, Enum, Enum64, Float, Func, FuncProto, Fwd, Int, Struct, Union, Var, Void,
    };
    let mut tables = Tables::default();
    let count = recipes.len() as u32 + 1;
    let names = ["", "a", "bb", "c\u{e9}", "task_struct", "__x"];
    for (number, name, third, parts, flag) in recipes {
        let kind = TypeKind::from_number(*number).unwrap_or(Void);
        let mut name_id = |name: u8| tables.strings.intern(names[usize::from(name)].as_bytes());
        let plain = |a, b| crate::surface::types::Child { name: StrId::EMPTY, a, b };
        let (_, a, b) = parts.first().copied().unwrap_or_default();
        let children: Vec<_> = match kind {
            Int | DeclTag | Var => vec![plain(a, 0)],
            Func => vec![plain(a & 0xffff, 0)],
            Array => vec![plain(a % count, b)],
            Datasec => parts.iter().map(|(_, a, b)| plain(a % count, *b)).collect(),
            Struct | Union | Enum | Enum64 | FuncProto => parts
                .iter()
                .map(|&(name, a, b)| {
                    let (a, b) = match kind {
                        Enum => (a, 0),
                        Enum64 => (a, b),
                        FuncProto => (a % count, 0),
                        _ => (a % count, b),
                    };
                    crate::surface::types::Child { name: name_id(name), a, b }
                })
                .collect(),
            _ => Vec::new(),
        };
        let third = match kind {
            Array | Fwd => 0,
            Int | Struct | Union | Enum | Enum64 | Float | Datasec => *third,
            _ => third % count,
        };
        let name = name_id(*name);
        tables.types.push(kind, *flag, name, third, children);
    }
    tables
}

proptest! {
    #[test]
    fn what_is_written_reads_as_it_was(recipes in prop::collection::vec(recipe(), 0..20), big in any::<bool>()) {
        let mut tables = table(&recipes);
        let endian = if big { Endianness::Big } else { Endianness::Little };
        let bytes = tables.write(1..tables.types.next_id().0, endian);
        let again = read(&bytes, &mut tables.strings, &mut tables.notes).unwrap();
        assert_same_tables(&tables, &again);
        prop_assert!(std::mem::take(&mut tables.notes).into_vec().is_empty());
    }
}
