//! Types of DWARF in the table: beside those of `.BTF`, and alone.

use testkit::c::Types;
use testkit::dwarf::*;
use testkit::{Endian, Target};

use super::*;
use crate::progress::Silent;
use crate::surface::c;
use crate::{btf, dwarf};

/// A finished table.
struct Mapped {
    table: TypeTable,
    strings: Strings,
    notes: Vec<(String, u64)>,
    /// First id that is not from BTF.
    first: u32,
    /// Types of the functions' prototypes, in image order.
    prototypes: Vec<u32>,
}

impl Mapped {
    fn new(units: &[Unit], btf: Option<&[u8]>, target: Target) -> Self {
        let sections = Dwarf::new(target, 5).siblings().units(units.iter().cloned()).build();
        let section = |id: gimli::SectionId| sections.get(id.name());
        let facts =
            dwarf::read(target.endian == Endian::Big, section, &dwarf::Others::default(), &Silent).unwrap();
        let (mut strings, mut notes) = (Strings::new(), Notes::new());
        let table =
            btf.map_or_else(TypeTable::new, |bytes| btf::read(bytes, &mut strings, &mut notes).unwrap());
        let first = table.next_id().0;
        let mut mapper = TypeMapper::new(&facts, KnownTypes::new(table), &mut strings, &mut notes);
        let functions = facts.units.iter().flat_map(|unit| &unit.functions);
        let prototypes =
            functions.map(|function| function.prototype.map_or(NONE, |node| mapper.map(node, 0).0)).collect();
        let table = mapper.finish().into_table();
        notes.merge(facts.notes);
        let notes = notes.into_vec().into_iter().map(|note| (note.id, note.count)).collect();
        Self { table, strings, notes, first, prototypes }
    }

    /// What the table has beside BTF: named types and prototypes, as C.
    fn text(&self) -> Vec<String> {
        let by_name = self.table.by_name(&self.strings);
        let types = self.table.view(&self.strings, &by_name);
        types
            .iter()
            .filter(|ty| ty.id().0 >= self.first && !ty.name().is_empty() && ty.kind() != TypeKind::Int)
            .map(|ty| c::definition(ty).split_whitespace().collect::<Vec<_>>().join(" "))
            .collect()
    }

    /// Kind and C text of the `index`th member of the first type of a name.
    fn member(&self, name: &str, index: usize) -> (TypeKind, String) {
        let by_name = self.table.by_name(&self.strings);
        let types = self.table.view(&self.strings, &by_name);
        let member = types.with_name(name).next().unwrap().members().nth(index).unwrap();
        let ty = types.get(member.type_id).unwrap();
        let target = ty.target().map_or(ty.kind(), |target| target.kind());
        (target, c::declaration(ty, member.name))
    }
}

fn alone(units: &[Unit]) -> Mapped {
    Mapped::new(units, None, Target::LE64)
}

fn int() -> Die {
    base_type("int", 4, DW_ATE_signed)
}

const H: &str = "include/h.h";

#[test]
fn without_btf_each_definition_is_there_once_in_image_order() {
    let header = || {
        [
            int(),
            structure(
                "list",
                16,
                H,
                1,
                [member("next", "struct list *", 0), member("prev", "struct list *", 8)],
            ),
            pointer("struct list"),
            union("", 4, H, 3, [member("a", "int", 0), member("b", "int", 0)]).label("ab"),
            structure("box", 24, H, 2, [member("list", "struct list", 0), member("", "ab", 16)]),
            typedef("box_t", "struct box").decl(H, 5),
            enumeration("kind", 4, H, 6, [("NONE", -1), ("ONE", 1)]),
            subroutine_type("int", &["struct list *", "..."]),
            pointer("int (struct list *, ...)"),
            typedef("walk_t", "int (struct list *, ...) *").decl(H, 7),
        ]
    };
    let units = [Unit::new("a.c").children(header()), Unit::new("b.c").children(header())];
    let mapped = alone(&units);
    assert_eq!(
        mapped.text(),
        [
            "struct list { struct list *next; struct list *prev; };",
            "struct box { struct list list; int a; int b; };",
            "typedef struct box box_t;",
            "enum kind { NONE = -1, ONE = 1, };",
            "typedef int (*walk_t)(struct list *, ...);",
        ]
    );
    assert_eq!(mapped.notes, []);
}

#[test]
fn same_named_types_are_kept_when_they_differ() {
    let of = |file: &str, field: &str, size: u64| {
        Unit::new(file).children([
            int(),
            structure("inner", 4, file, 1, [member("x", "int", 0)]),
            pointer("struct inner"),
            structure("state", size, file, 5, [member(field, "int", 0), member("p", "struct inner *", 8)]),
            typedef("value_t", if field == "a" { "int" } else { "struct inner" }).decl(file, 9),
        ])
    };
    // `struct inner` is written three times, and means the same each time.
    let units = [of("a.c", "a", 16), of("b.c", "b", 16), of("c.c", "a", 24), of("d.c", "a", 16)];
    let expected = [
        "struct inner { int x; };",
        "struct state { int a; struct inner *p; };",
        "typedef int value_t;",
        "struct state { int b; struct inner *p; };",
        "typedef struct inner value_t;",
        "struct state { int a; struct inner *p; };",
    ];
    assert_eq!(alone(&units).text(), expected);
}

#[test]
fn a_header_with_two_paths_is_one() {
    let of = |name: &str, header: &str| {
        Unit::new(name).children([int(), structure("same", 4, header, 5, [member("a", "int", 0)])])
    };
    let units =
        [of("fs/a.c", "include/same.h"), of("fs/b.c", "fs/../include/same.h"), of("fs/c.c", "copy/same.h")];
    assert_eq!(alone(&units).text(), ["struct same { int a; };"]);
}

#[test]
fn a_forward_declaration_becomes_the_definition_elsewhere() {
    let user = Unit::new("a.c").children([
        declared(DW_TAG_structure_type, "inode"),
        declared(DW_TAG_union_type, "nowhere"),
        declared(DW_TAG_enumeration_type, "mode"),
        declared(DW_TAG_enumeration_type, "nothing"),
        pointer("struct inode"),
        pointer("union nowhere"),
        structure(
            "file",
            32,
            H,
            1,
            [
                member("inode", "struct inode *", 0),
                member("nowhere", "union nowhere *", 8),
                member("mode", "enum mode", 16),
                member("nothing", "enum nothing", 20),
            ],
        ),
    ]);
    let owner = Unit::new("b.c").children([
        int(),
        structure("inode", 4, "b.c", 7, [member("number", "int", 0)]),
        enumeration("mode", 4, "b.c", 8, [("READ", 1)]),
    ]);
    let mapped = alone(&[user, owner]);
    assert_eq!(
        mapped.text(),
        [
            "struct file { struct inode *inode; union nowhere *nowhere; enum mode mode; enum nothing nothing; };",
            "struct inode { int number; };",
            "union nowhere;",
            "enum mode { READ = 1, };",
            "enum nothing { };",
        ]
    );
    assert_eq!(mapped.member("file", 0), (TypeKind::Struct, "struct inode *inode".to_owned()));
    assert_eq!(mapped.member("file", 1), (TypeKind::Fwd, "union nowhere *nowhere".to_owned()));
}

#[test]
fn bitfields_and_wide_values_have_their_kind_flag() {
    let unit = Unit::new("a.c").children([
        int(),
        structure(
            "bits",
            8,
            H,
            1,
            [bitfield("low", "int", 0, 3), bitfield("high", "int", 35, 29), member("m", "int", 4)],
        ),
        structure("plain", 4, H, 2, [member("m", "int", 0)]),
        enumeration("wide", 8, H, 3, [("BIG", i64::MAX), ("LEAST", i64::MIN)]),
        enumeration("unsigned_wide", 8, H, 4, [("BIG", i64::MAX)]),
        structure("far", 1 << 23, H, 5, [bitfield("b", "int", 1 << 25, 1)]),
    ]);
    let mapped = alone(&[unit]);
    let by_name = mapped.table.by_name(&mapped.strings);
    let types = mapped.table.view(&mapped.strings, &by_name);
    let find = |name| types.with_name(name).next().unwrap();
    let bits: Vec<_> =
        find("bits").members().map(|member| (member.bit_offset, member.bitfield_size)).collect();
    assert_eq!(bits, [(Some(0), Some(3)), (Some(35), Some(29)), (Some(32), None)]);
    assert!(!find("plain").kind_flag());
    assert_eq!(find("wide").kind(), TypeKind::Enum64);
    let values: Vec<i128> = find("wide").enumerators().map(|value| value.value).collect();
    assert_eq!(values, [i64::MAX.into(), i64::MIN.into()]);
    assert!(!find("unsigned_wide").kind_flag());
    // Word of a bitfield: 24 bits of offset.
    let far = find("far").members().next().unwrap();
    assert_eq!((far.bit_offset, far.bitfield_size), (Some(1 << 25), None));
    assert_eq!(mapped.notes, [("type-bitfield-range".to_owned(), 1)]);
}

#[test]
fn types_that_btf_has_keep_its_ids() {
    for target in Target::ALL {
        let mut types = Types::new(target);
        types
            .typedef("pid_t", "int")
            .enumeration("pid_type", &[("PIDTYPE_PID", 0), ("PIDTYPE_NONE", -1)])
            .union("<id or next>", &[("id", "u64"), ("next", "struct task_struct *")])
            .structure(
                "task_struct",
                &[
                    ("state:3", "unsigned int"),
                    ("pid", "pid_t"),
                    ("comm", "char[16]"),
                    ("table", "int[2][3]"),
                    ("type", "enum pid_type"),
                    ("parent", "struct task_struct *"),
                    ("exit", "void (struct task_struct *, const char *) *"),
                    ("", "union <id or next>"),
                ],
            );
        let blob = types.btf().btf.build();
        let own = [
            subprogram("f").decl("a.c", 1).returns("pid_t").parameter("task", "struct task_struct *"),
            // Known to DWARF only, and one that differs from the one of BTF.
            structure("local", 8, "a.c", 2, [member("pid", "pid_t", 0)]),
            structure("task_struct", 4, "a.c", 3, [member("mine", "int", 0)]).label("other"),
        ];
        let unit = Unit::new("a.c").children(types.all_dies()).children(own);
        let mapped = Mapped::new(&[unit.clone(), unit], Some(&blob), target);
        assert_eq!(
            mapped.text(),
            ["struct local { pid_t pid; };", "struct task_struct { int mine; };"],
            "{target:?}"
        );
        assert_eq!(mapped.notes, [], "{target:?}");
        let by_name = mapped.table.by_name(&mapped.strings);
        let view = mapped.table.view(&mapped.strings, &by_name);
        let prototype = view.get(TypeId(mapped.prototypes[0])).unwrap();
        assert_eq!(c::prototype(prototype, "f"), "pid_t f(struct task_struct *task);");
        let task = view.get(prototype.params().next().unwrap().type_id).unwrap().target().unwrap();
        assert!(task.id().0 < mapped.first, "{target:?}");
        // The appended types: both structs, and the prototype of `f`.
        assert_eq!(mapped.table.next_id().0 - mapped.first, 3, "{target:?}");
    }
}

#[test]
fn a_btf_type_of_another_shape_is_another_type() {
    let mut types = Types::new(Target::LE64);
    types.structure("state", &[("a", "int")]);
    let blob = types.btf().btf.build();
    let of = |file: &str, field: &str| {
        Unit::new(file).children([
            int(),
            structure("state", 4, file, 1, [member(field, "int", 0)]),
            pointer("struct state"),
            subprogram("f").decl(file, 9).parameter("p", "struct state *"),
        ])
    };
    let mapped = Mapped::new(&[of("a.c", "b"), of("b.c", "a")], Some(&blob), Target::LE64);
    assert_eq!(mapped.text(), ["struct state { int b; };"]);
    assert_eq!(mapped.prototypes.len(), 2);
    assert_ne!(mapped.prototypes[0], mapped.prototypes[1]);
}

#[test]
fn what_could_not_be_read_is_void() {
    let unit = Unit::new("a.c").children([
        int(),
        structure(
            "damaged",
            8,
            H,
            1,
            [
                member("fine", "int", 0),
                member("lost", "void", 4).attr(DW_AT_type, Value::Ref4Offset(u32::MAX)),
            ],
        ),
        structure(
            "nameless",
            8,
            H,
            2,
            [Die::new(DW_TAG_member).attr(DW_AT_name, Value::Raw(DW_FORM_strp, vec![0x7f; 4]))],
        ),
        enumeration("broken", 4, H, 3, [])
            .child(Die::new(DW_TAG_enumerator).attr(DW_AT_name, Value::Raw(DW_FORM_strp, vec![0x7f; 4]))),
        typedef("alias", "void").attr(DW_AT_type, Value::Ref4Offset(u32::MAX)).decl(H, 4),
    ]);
    let mapped = alone(&[unit]);
    assert_eq!(
        mapped.text(),
        [
            "struct damaged { int fine; void lost; };",
            "struct nameless { };",
            "enum broken { };",
            "typedef void alias;",
        ]
    );
    assert_eq!(mapped.notes, [("dwarf-type".to_owned(), 4)]);
}

#[test]
fn comparing_definitions_does_not_grow_with_their_paths() {
    // Sixty anonymous structs, each of which has the next one twice: as a tree these are 2^60 members.
    let of = |file: &str| {
        let level = |n: usize| {
            let inner = format!("level {}", n + 1);
            structure("", 8, H, 1, [member("a", &inner, 0), member("b", &inner, 0)])
                .label(format!("level {n}"))
        };
        let mut dies: Vec<Die> = (0..60).map(level).collect();
        dies.extend([
            int(),
            structure("leaf", 4, file, 1, [member("x", "int", 0)]),
            pointer("struct leaf").label("level 60"),
            structure("top", 8, file, 2, [member("m", "level 0", 0)]),
        ]);
        // Room for what reading it takes.
        dies.push(variable("v", "int").attr(DW_AT_const_value, Value::Exprloc(vec![0; 4096])));
        Unit::new(file).children(dies)
    };
    // The leaves are declared at different places, so no part of the one is a part of the other.
    let mapped = alone(&[of("a.c"), of("b.c")]);
    let by_name = mapped.table.by_name(&mapped.strings);
    let types = mapped.table.view(&mapped.strings, &by_name);
    assert_eq!(mapped.notes, []);
    assert_eq!(types.with_name("top").count(), 1);
    assert_eq!(types.with_name("leaf").count(), 1);
}

/// `enum { A, B };` is how a header defines constants: no type refers to it, and readers look for its values.
#[test]
fn enums_without_a_name_are_kept_once() {
    let header = || {
        [
            Die::new(DW_TAG_base_type)
                .label("int")
                .attr(DW_AT_name, Value::Text("int".into()))
                .attr(DW_AT_byte_size, Value::Data1(4)),
            enumeration(
                "",
                4,
                "include/linux/trace_events.h",
                6,
                [("FL_FILTERED", 1), ("FL_TRACEPOINT", 16)],
            ),
            enumeration("", 4, "include/linux/trace_events.h", 9, [("OTHER", 7)]),
        ]
    };
    let units = ["a.c", "b.c"].map(|name| Unit::new(name).children(header()));
    let values = |mapped: &Mapped| -> Vec<String> {
        let types = mapped.table.view(&mapped.strings, &[]);
        let enums = types.iter().filter(|ty| ty.kind() == TypeKind::Enum);
        enums
            .map(|ty| ty.enumerators().map(|value| format!("{}={} ", value.name, value.value)).collect())
            .collect()
    };
    let alone = Mapped::new(&units, None, Target::LE64);
    assert_eq!(values(&alone), ["FL_FILTERED=1 FL_TRACEPOINT=16 ", "OTHER=7 "]);

    // What BTF has already is not appended.
    let mut btf = testkit::btf::Btf::new(Endian::Little);
    btf.enumeration("", 4, [("FL_FILTERED", 1), ("FL_TRACEPOINT", 16)]);
    let beside = Mapped::new(&units, Some(&btf.build()), Target::LE64);
    assert_eq!(values(&beside), ["FL_FILTERED=1 FL_TRACEPOINT=16 ", "OTHER=7 "]);
}
