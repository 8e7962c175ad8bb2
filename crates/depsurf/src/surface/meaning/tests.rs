use proptest::prelude::*;
use testkit::Endian;
use testkit::btf::{Btf, Encoding, Forward as Fwd, Member};

use super::*;
use crate::btf;
use crate::note::Notes;
use crate::surface::strings::Strings;
use crate::surface::types::TypeTable;
use crate::surface::{TypeId, c};

struct Tables {
    types: TypeTable,
    strings: Strings,
}

impl Tables {
    fn new(btf: &Btf) -> Self {
        let mut strings = Strings::new();
        let types =
            btf::read(&btf.build(), &mut strings, &mut Notes::new()).expect("the blob is well-formed");
        Self { types, strings }
    }

    fn get(&self, id: u32) -> Type<'_> {
        self.types.view(&self.strings, &[]).get(TypeId(id)).expect("the id is of this table")
    }
}

/// A type as a tree, whose meaning can be written down.
#[derive(Debug, Clone)]
enum Tree {
    Void,
    Int(&'static str),
    Struct(&'static str),
    Union(&'static str),
    Fwd(&'static str),
    Enum(&'static str),
    Enum64(&'static str),
    Typedef(&'static str, Box<Tree>),
    Ptr(Box<Tree>),
    Const(Box<Tree>),
    Volatile(Box<Tree>),
    Tag(Box<Tree>),
    Array(Box<Tree>, u32),
    Proto(Box<Tree>, Vec<(&'static str, Tree)>),
    AnonymousStruct(Vec<(&'static str, Tree)>),
    AnonymousEnum(Vec<(&'static str, i64)>),
}

/// How a tree is written; none of it means anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Style {
    endian: Endian,
    /// Other types and strings come first, so that ids and offsets differ.
    noise: bool,
    /// Size and offset of things.
    size: u32,
}

impl Tree {
    fn push(&self, btf: &mut Btf, style: Style) -> u32 {
        let list = |btf: &mut Btf, parts: &[(&'static str, Self)]| -> Vec<(&'static str, u32)> {
            parts.iter().map(|(name, part)| (*name, part.push(btf, style))).collect()
        };
        match self {
            Self::Void => 0,
            Self::Int(name) => btf.int(name, style.size, Encoding::Signed),
            Self::Struct(name) => btf.structure(name, style.size, []),
            Self::Union(name) => btf.union(name, style.size, []),
            Self::Fwd(name) => btf.forward(name, Fwd::Struct),
            Self::Enum(name) => btf.enumeration(name, style.size, []),
            Self::Enum64(name) => btf.enum64(name, 8, []),
            Self::Typedef(name, of) => {
                let of = of.push(btf, style);
                btf.typedef(name, of)
            }
            Self::Ptr(to) => {
                let to = to.push(btf, style);
                btf.ptr(to)
            }
            Self::Const(of) => {
                let of = of.push(btf, style);
                btf.constant(of)
            }
            Self::Volatile(of) => {
                let of = of.push(btf, style);
                btf.volatile(of)
            }
            Self::Tag(on) => {
                let on = on.push(btf, style);
                btf.type_tag("user", on)
            }
            Self::Array(of, count) => {
                let of = of.push(btf, style);
                let index = btf.int("index", 4, Encoding::Unsigned);
                btf.array(of, index, *count)
            }
            Self::Proto(result, params) => {
                let result = result.push(btf, style);
                let params = list(btf, params);
                btf.func_proto(result, params)
            }
            Self::AnonymousStruct(members) => {
                let members = list(btf, members);
                let size = style.size;
                let members = (0..).zip(members).map(|(n, (name, id))| Member::new(name, id, n * size * 8));
                btf.structure("", size * 4, members)
            }
            Self::AnonymousEnum(values) => btf.enumeration("", style.size, values.iter().copied()),
        }
    }

    /// The meaning as text. `qualifiers` are those met on the way to this type.
    fn meaning(&self, qualifiers: (bool, bool)) -> String {
        let none = (false, false);
        let list = |parts: &[(&str, Self)], names: bool| -> String {
            let part = |(name, part): &(&str, Self)| {
                format!("{} {};", if names { name } else { "" }, part.meaning(none))
            };
            parts.iter().map(part).collect()
        };
        let text = match self {
            Self::Const(of) => return of.meaning((true, qualifiers.1)),
            Self::Volatile(of) => return of.meaning((qualifiers.0, true)),
            Self::Tag(on) => return on.meaning(qualifiers),
            Self::Void => "void".into(),
            Self::Int(name) => format!("int {name}"),
            Self::Struct(name) => format!("struct {name}"),
            Self::Fwd(name) => format!("declared {name}"),
            Self::Union(name) => format!("union {name}"),
            Self::Enum(name) | Self::Enum64(name) => format!("enum {name}"),
            Self::Typedef(name, _) => format!("typedef {name}"),
            Self::Ptr(to) => format!("ptr {}", to.meaning(none)),
            Self::Array(of, count) => format!("array {count} {}", of.meaning(none)),
            Self::Proto(result, params) => format!("({}) {}", list(params, false), result.meaning(none)),
            Self::AnonymousStruct(members) => format!("{{{}}}", list(members, true)),
            Self::AnonymousEnum(values) => format!("{values:?}"),
        };
        format!("{qualifiers:?} {text}")
    }

    /// Whether the printed declaration shows all that counts.
    fn prints_fully(&self) -> bool {
        match self {
            Self::Void
            | Self::Int(_)
            | Self::Struct(_)
            | Self::Union(_)
            | Self::Enum(_)
            | Self::Typedef(..) => true,
            Self::Ptr(of) | Self::Array(of, _) => of.prints_fully(),
            Self::Proto(result, params) => {
                result.prints_fully() && params.iter().all(|(_, param)| param.prints_fully())
            }
            // One order of qualifiers of several; FWD prints as a struct; (anon) prints without members.
            _ => false,
        }
    }
}

fn name() -> impl Strategy<Value = &'static str> {
    prop::sample::select(&["a", "b"][..])
}

fn tree() -> impl Strategy<Value = Tree> {
    let leaf = prop_oneof![
        Just(Tree::Void),
        // No typedef has such a name, for it would print the same and mean something else.
        prop::sample::select(&["int", "long"][..]).prop_map(Tree::Int),
        name().prop_map(Tree::Struct),
        name().prop_map(Tree::Union),
        name().prop_map(Tree::Fwd),
        name().prop_map(Tree::Enum),
        name().prop_map(Tree::Enum64),
        prop::collection::vec((name(), -2i64..2), 0..3).prop_map(Tree::AnonymousEnum),
    ];
    leaf.prop_recursive(4, 12, 3, |inner| {
        let boxed = || inner.clone().prop_map(Box::new);
        let list = || prop::collection::vec((name(), inner.clone()), 0..3);
        prop_oneof![
            (name(), boxed()).prop_map(|(name, of)| Tree::Typedef(name, of)),
            boxed().prop_map(Tree::Ptr),
            boxed().prop_map(Tree::Const),
            boxed().prop_map(Tree::Volatile),
            boxed().prop_map(Tree::Tag),
            (boxed(), 1u32..3).prop_map(|(of, count)| Tree::Array(of, count)),
            (boxed(), list()).prop_map(|(result, params)| Tree::Proto(result, params)),
            list().prop_map(Tree::AnonymousStruct),
        ]
    })
}

fn style() -> impl Strategy<Value = Style> {
    (any::<bool>(), any::<bool>(), prop::sample::select(&[4u32, 8][..])).prop_map(|(big, noise, size)| {
        Style { endian: if big { Endian::Big } else { Endian::Little }, noise, size }
    })
}

fn build(tree: &Tree, style: Style) -> (Tables, u32) {
    let mut btf = Btf::new(style.endian);
    if style.noise {
        btf.structure("b", 4, []);
        btf.int("x", 4, Encoding::Bool);
    }
    let id = tree.push(&mut btf, style);
    (Tables::new(&btf), id)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    /// Two unrelated types, which are small enough to mean the same now and then.
    #[test]
    fn types_are_the_same_when_their_meaning_is((a, b) in (tree(), tree()), (x, y) in (style(), style())) {
        let ((a_table, a_id), (b_table, b_id)) = (build(&a, x), build(&b, y));
        let (left, right) = (a_table.get(a_id), b_table.get(b_id));
        let (a_text, b_text) = (a.meaning((false, false)), b.meaning((false, false)));
        prop_assert_eq!(same(left, right), a_text == b_text);
        prop_assert_eq!(same(left, right), same(right, left));
        let forward = same_with(left, right, Forward::IsDefinition);
        prop_assert_eq!(forward, a_text.replace("declared", "struct") == b_text.replace("declared", "struct"));
        prop_assert_eq!(hash(left) == hash(right), forward, "{} {}", a_text, b_text);
        if a.prints_fully() && b.prints_fully() {
            prop_assert_eq!(same(left, right), c::declaration(left, "x") == c::declaration(right, "x"));
        }
        if layout_same(left, right) {
            prop_assert_eq!(layout_hash(left), layout_hash(right));
        }
    }

    /// One type, written in two ways.
    #[test]
    fn ids_sizes_and_endian_do_not_matter(tree in tree(), (x, y) in (style(), style())) {
        let ((a_table, a_id), (b_table, b_id)) = (build(&tree, x), build(&tree, y));
        let (left, right) = (a_table.get(a_id), b_table.get(b_id));
        prop_assert!(same(left, right));
        prop_assert_eq!(hash(left), hash(right));
        prop_assert!(x.size != y.size || layout_same(left, right));
        let hashes = Hashes::new(left.types());
        prop_assert_eq!(hashes.meaning[a_id as usize], hash(left));
        prop_assert_eq!(hashes.layout[a_id as usize], layout_hash(left));
    }
}

/// Definitions that differ from `struct s { int a; int b:3; }` in one way each, and those that do not.
#[test]
fn layouts() {
    let build = |edit: &dyn Fn(&mut Btf, u32) -> u32| {
        let mut btf = Btf::new(Endian::Little);
        let int = btf.int("int", 4, Encoding::Signed);
        let id = edit(&mut btf, int);
        (Tables::new(&btf), id)
    };
    let original = |btf: &mut Btf, int: u32| {
        btf.structure("s", 8, [Member::new("a", int, 0), Member::bits("b", int, 32, 3)])
    };
    let (table, id) = build(&original);
    let ours = table.get(id);
    let compare = |edit: &dyn Fn(&mut Btf, u32) -> u32| {
        let (table, id) = build(edit);
        let theirs = table.get(id);
        let alike = layout_same(ours, theirs);
        assert_eq!(alike, layout_same(theirs, ours));
        assert_eq!(alike, layout_hash(ours) == layout_hash(theirs));
        alike
    };
    assert!(compare(&original));
    assert!(compare(&|btf, int| {
        btf.structure("other", 8, [Member::new("a", int, 0), Member::bits("b", int, 32, 3)])
    }));
    type Edit = (&'static str, fn(&mut Btf, u32) -> u32);
    let edits: [Edit; 9] = [
        ("size", |btf, int| {
            btf.structure("s", 12, [Member::new("a", int, 0), Member::bits("b", int, 32, 3)])
        }),
        ("offset", |btf, int| {
            btf.structure("s", 8, [Member::new("a", int, 8), Member::bits("b", int, 32, 3)])
        }),
        ("bits", |btf, int| btf.structure("s", 8, [Member::new("a", int, 0), Member::bits("b", int, 32, 4)])),
        ("no bits", |btf, int| btf.structure("s", 8, [Member::new("a", int, 0), Member::new("b", int, 32)])),
        ("name", |btf, int| btf.structure("s", 8, [Member::new("c", int, 0), Member::bits("b", int, 32, 3)])),
        ("order", |btf, int| {
            btf.structure("s", 8, [Member::bits("b", int, 32, 3), Member::new("a", int, 0)])
        }),
        ("fewer", |btf, int| btf.structure("s", 8, [Member::new("a", int, 0)])),
        ("kind", |btf, int| btf.union("s", 8, [Member::new("a", int, 0), Member::bits("b", int, 32, 3)])),
        ("type", |btf, int| {
            let other = btf.constant(int);
            btf.structure("s", 8, [Member::new("a", other, 0), Member::bits("b", int, 32, 3)])
        }),
    ];
    for (what, edit) in edits {
        assert!(!compare(&edit), "{what}");
    }
    assert!(!compare(&|btf, _| btf.forward("s", Fwd::Struct)));
}

#[test]
fn layouts_of_what_is_no_struct() {
    let mut btf = Btf::new(Endian::Big);
    let int = btf.int("int", 4, Encoding::Signed);
    let wide = btf.int("int", 8, Encoding::Signed);
    let unsigned = btf.int("int", 4, Encoding::Unsigned);
    let one = btf.typedef("t", int);
    let two = btf.typedef("t", unsigned);
    let other = btf.ptr(int);
    let three = btf.typedef("t", other);
    let e = btf.enumeration("e", 4, [("A", -1), ("B", 2)]);
    // As BTF of old kernels has it: no sign.
    let unsigned_e = btf.enumeration("e", 4, [("A", 0xffff_ffff), ("B", 2)]);
    let other_e = btf.enumeration("e", 4, [("A", -1), ("B", 3)]);
    let wide_e = btf.enum64("e", 8, [("A", -1), ("B", 2)]);
    // An anonymous struct with an int at 0 or at 32, in a struct that has it at 0.
    let at_0 = btf.structure("", 8, [Member::new("x", int, 0)]);
    let at_32 = btf.structure("", 8, [Member::new("x", int, 32)]);
    let outer = btf.structure("o", 8, [Member::new("", at_0, 0)]);
    let shifted = btf.structure("o", 8, [Member::new("", at_32, 0)]);
    let ptr_0 = btf.ptr(at_0);
    let ptr_32 = btf.ptr(at_32);
    let tables = Tables::new(&btf);
    let alike = |a: u32, b: u32| {
        let (a, b) = (tables.get(a), tables.get(b));
        let (alike, hashes) = (layout_same(a, b), Hashes::new(a.types()));
        assert!(!alike || layout_hash(a) == layout_hash(b));
        assert_eq!(hashes.layout[a.id().0 as usize], layout_hash(a));
        alike
    };
    assert!(alike(int, int) && !alike(int, wide) && !alike(int, unsigned));
    assert!(alike(one, two), "int by name, whatever its encoding");
    assert!(!alike(one, three));
    assert!(alike(e, unsigned_e) && !alike(e, other_e) && !alike(e, wide_e));
    assert!(!alike(outer, shifted) && !alike(ptr_0, ptr_32));
    assert!(same(tables.get(at_0), tables.get(at_32)) && same(tables.get(ptr_0), tables.get(ptr_32)));
}

/// Types that lead to themselves, or double at every step.
#[test]
fn hostile_types_end() {
    let mut btf = Btf::new(Endian::Little);
    btf.ptr(1);
    btf.constant(2);
    btf.func_proto(3, [("", 3), ("", 3)]);
    btf.structure("", 4, [Member::new("", 4, 0), Member::new("", 4, 0)]);
    let mut last = btf.next_id() - 1;
    for _ in 0..200 {
        last = btf.structure("", 4, [Member::new("x", last, 0), Member::new("y", last, 0)]);
    }
    let (one, two) = (Tables::new(&btf), Tables::new(&btf));
    let (a, b) = (Hashes::new(one.get(0).types()), Hashes::new(two.get(0).types()));
    assert_eq!((a.meaning, a.layout), (b.meaning, b.layout));
    for id in 0..last {
        let _either = same(one.get(id), two.get(id)) | layout_same(one.get(id), two.get(id));
        assert!(same(one.get(id), one.get(id)), "a type is the same as itself");
        assert_eq!(hash(one.get(id)), hash(two.get(id)));
    }
}

/// A qualifier of itself, qualifiers of that, and chains of them that are longer than is looked at, qualify nothing.
#[test]
fn qualifiers_that_do_not_end_hash_alike() {
    let mut btf = Btf::new(Endian::Little);
    btf.constant(1);
    btf.constant(1);
    btf.constant(0);
    for id in 3..100 {
        btf.constant(id);
    }
    let tables = Tables::new(&btf);
    let hashes = Hashes::new(tables.get(0).types());
    for id in 1..=100 {
        let (one, other) = (tables.get(3), tables.get(id));
        assert!(same(one, other), "{id}");
        assert_eq!(hashes.meaning[3], hashes.meaning[id as usize], "{id}");
        assert_eq!(hash(one), hash(other), "{id}");
    }
}

/// Two pointers to one type mean the same wherever the walk over the types comes from: in a ring, behind a chain that is
/// longer than one walk, and in a ring that is.
#[test]
fn pointers_to_one_type_hash_alike_in_rings_and_long_chains() {
    for length in [2, 3, 63, 64, 65, 66, 130, 200] {
        for is_ring in [false, true] {
            let mut btf = Btf::new(Endian::Little);
            // Each a pointer to the next, the last to the first or to an integer behind all.
            for id in 1..length {
                btf.ptr(id + 1);
            }
            btf.ptr(if is_ring { 1 } else { length + 2 });
            let middle = 1 + length / 2;
            let twin = btf.ptr(middle);
            btf.int("int", 4, Encoding::Signed);
            let tables = Tables::new(&btf);
            let hashes = Hashes::new(tables.get(0).types());
            let (inside, twin) = (tables.get(middle - 1), tables.get(twin));
            assert!(same(inside, twin), "{length} {is_ring}");
            let of = |ty: Type<'_>| hashes.meaning[ty.id().0 as usize];
            assert_eq!(of(inside), of(twin), "{length} {is_ring}");
            assert_eq!((hash(inside), hash(twin)), (of(inside), of(twin)), "{length} {is_ring}");
        }
    }
}
