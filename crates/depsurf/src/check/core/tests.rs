use testkit::Endian;
use testkit::bpf::{CoreRelocation, Insn as Made, Object as Builder};
use testkit::btf::{Btf, Encoding, Forward, Member, TypeId as Id};

use super::*;
use crate::bpf::Object;
use crate::btf;
use crate::note::Notes;
use crate::surface::strings::Strings;

const SECTION: &str = "kprobe/f";

/// The kernel's types, and what the object asks of its own: type, access string, kind.
fn outcomes(
    endian: Endian,
    kernel: impl FnOnce(&mut Btf),
    object: impl FnOnce(&mut Btf) -> Vec<(Id, &'static str, u32)>,
) -> Vec<Outcome> {
    outcomes_with(None, endian, kernel, object)
}

/// The same where only the types below an id are vmlinux's own, and the others those of modules.
fn outcomes_with(
    own: Option<u32>,
    endian: Endian,
    kernel: impl FnOnce(&mut Btf),
    object: impl FnOnce(&mut Btf) -> Vec<(Id, &'static str, u32)>,
) -> Vec<Outcome> {
    let mut builder = Builder::new(endian);
    let mut types = Btf::new(endian);
    let asked = object(&mut types);
    let insns = asked.iter().map(|_| Made::mov(1, 0)).chain([Made::exit()]);
    builder.program(SECTION, "f", insns.collect::<Vec<_>>());
    for (number, (type_id, access, kind)) in asked.iter().enumerate() {
        let offset = 8 * number as u32;
        builder.ext.relocations.push(CoreRelocation {
            section: SECTION.into(),
            offset,
            type_id: *type_id,
            access: (*access).into(),
            kind: *kind,
        });
    }
    builder.btf = Some(types);
    let bytes = builder.build();
    let object = Object::parse(&bytes).unwrap();

    let mut of_kernel = Btf::new(endian);
    kernel(&mut of_kernel);
    let mut strings = Strings::new();
    let table = btf::read(&of_kernel.build(), &mut strings, &mut Notes::new()).unwrap();
    let by_name = table.by_name(&strings);
    let types = table.view(&strings, &by_name);
    let own = own.unwrap_or(types.len());
    let mut candidates =
        Candidates::new(types, own, 8, endian == Endian::Big).with_modules(std::iter::once(own..types.len()));
    let relocate = |relocation| candidates.relocate(&object.path(relocation).unwrap());
    object.relocations().iter().map(relocate).collect()
}

/// The number, where there is one.
fn values(outcomes: &[Outcome]) -> Vec<Option<u64>> {
    let value = |outcome: &Outcome| match outcome {
        Outcome::Patched { patch, .. } => Some(patch.value),
        _ => None,
    };
    outcomes.iter().map(value).collect()
}

fn int(types: &mut Btf) -> Id {
    types.int("int", 4, Encoding::Signed)
}

#[test]
fn a_field_is_found_by_its_name_wherever_it_is() {
    let kernel = |types: &mut Btf| {
        let int = int(types);
        let inner = types.structure("", 8, [Member::new("x", int, 0), Member::new("pid", int, 32)]);
        let outer = types.union("", 8, [Member::new("", inner, 0)]);
        let constant = types.constant(int);
        types.structure("task", 32, [Member::new("y", constant, 0), Member::new("", outer, 128)]);
    };
    let object = |types: &mut Btf| {
        let int = int(types);
        let task =
            types.structure("task___mine", 8, [Member::new("pid", int, 0), Member::new("gone", int, 32)]);
        vec![
            (task, "0:0", 0),
            (task, "0:0", 1),
            (task, "0:0", 2),
            (task, "0:0", 3),
            (task, "0:1", 2),
            (task, "0:1", 0),
            (task, "1:0", 0),
        ]
    };
    for endian in [Endian::Little, Endian::Big] {
        let found = outcomes(endian, kernel, object);
        // The last one is the field of the next element of an array of tasks, by the kernel's size.
        assert_eq!(values(&found), [Some(20), Some(4), Some(1), Some(1), Some(0), None, Some(52)]);
        assert_eq!(found[5], Outcome::Poisoned);
    }
}

#[test]
fn what_is_not_there_is_0_or_poison_by_what_is_asked() {
    let object = |types: &mut Btf| {
        let int = int(types);
        let gone = types.structure("gone", 4, [Member::new("a", int, 0)]);
        let list = types.enumeration("list", 4, [("A", 1), ("B", 2)]);
        let kinds = [0, 1, 2, 3, 4, 5].map(|kind| (gone, "0:0", kind));
        let whole = [6, 7, 8, 9, 12].map(|kind| (gone, "0", kind));
        let values = [(list, "0", 10), (list, "1", 10), (list, "0", 11), (list, "1", 11)];
        [&kinds[..], &whole, &values].concat()
    };
    let kernel = |types: &mut Btf| {
        types.enumeration("list", 4, [("B", 7), ("C", 8)]);
    };
    let found = values(&outcomes(Endian::Little, kernel, object));
    assert_eq!(found[..6], [None, None, Some(0), None, None, None]);
    // A local type id is the object's own.
    assert_eq!(found[6..11], [Some(2), Some(0), Some(0), Some(0), Some(0)]);
    assert_eq!(found[11..], [Some(0), Some(1), None, Some(7)]);
}

#[test]
fn types_of_one_name_must_agree() {
    let kernel = |types: &mut Btf| {
        let int = int(types);
        types.structure("twice", 8, [Member::new("same", int, 0), Member::new("first", int, 32)]);
        types.structure("twice", 12, [Member::new("same", int, 0), Member::new("first", int, 64)]);
        types.forward("twice", Forward::Struct);
    };
    let object = |types: &mut Btf| {
        let int = int(types);
        let twice = types.structure("twice", 8, [Member::new("same", int, 0), Member::new("first", int, 32)]);
        vec![(twice, "0:0", 0), (twice, "0:1", 0), (twice, "0:1", 2)]
    };
    let found = outcomes(Endian::Little, kernel, object);
    assert_eq!(values(&found[..1]), [Some(0)]);
    assert!(matches!(found[1], Outcome::Ambiguous { .. }), "{:?}", found[1]);
    // Whether it exists is not ambiguous, but where it would be is, and libbpf compares that first.
    assert!(matches!(found[2], Outcome::Ambiguous { .. }), "{:?}", found[2]);

    // Modules that disagree need not be loaded together; vmlinux's own type keeps them out.
    let found = outcomes_with(Some(2), Endian::Little, kernel, object);
    assert_eq!(values(&found[..1]), [Some(0)]);
    assert_eq!(found[1], Outcome::Contested { candidates: [TypeId(2), TypeId(3)] });
    let found = outcomes_with(Some(3), Endian::Little, kernel, object);
    assert_eq!(values(&found), [Some(0), Some(4), Some(1)]);
}

#[test]
fn a_candidate_that_was_ruled_out_stays_so() {
    let kernel = |types: &mut Btf| {
        let int = int(types);
        types.structure("twice", 8, [Member::new("only_here", int, 0), Member::new("both", int, 32)]);
        types.structure("twice", 12, [Member::new("both", int, 64)]);
    };
    let object = |first: bool| {
        move |types: &mut Btf| {
            let int = int(types);
            let twice =
                types.structure("twice", 8, [Member::new("only_here", int, 0), Member::new("both", int, 32)]);
            let asked = vec![(twice, "0:0", 0), (twice, "0:1", 0)];
            if first { asked } else { asked.into_iter().rev().collect() }
        }
    };
    assert_eq!(values(&outcomes(Endian::Little, kernel, object(true))), [Some(0), Some(4)]);
    assert!(matches!(outcomes(Endian::Little, kernel, object(false))[0], Outcome::Ambiguous { .. }));
}

#[test]
fn kinds_of_fields_must_agree_but_not_sizes() {
    let kernel = |types: &mut Btf| {
        let int = int(types);
        let long = types.int("unsigned long", 8, Encoding::Unsigned);
        let pointer = types.ptr(int);
        let other = types.structure("other", 4, [Member::new("x", int, 0)]);
        let list = types.enumeration("named", 4, [("A", 0)]);
        let members = [
            Member::new("grew", long, 0),
            Member::new("pointer", pointer, 64),
            Member::new("aggregate", other, 128),
            Member::new("list", list, 160),
            Member::new("signed", long, 192),
        ];
        types.structure("s", 40, members);
    };
    let object = |types: &mut Btf| {
        let int = int(types);
        let unsigned = types.int("unsigned int", 4, Encoding::Unsigned);
        let aggregate = types.structure("named_otherwise", 8, [Member::new("y", int, 0)]);
        let list = types.enumeration("other", 4, [("A", 0)]);
        let members = [
            Member::new("grew", unsigned, 0),
            Member::new("pointer", int, 32),
            Member::new("aggregate", aggregate, 64),
            Member::new("list", list, 128),
            Member::new("signed", int, 160),
        ];
        let s = types.structure("s", 24, members);
        ["0:0", "0:1", "0:2", "0:3", "0:4"].map(|access| (s, access, 0)).to_vec()
    };
    let found = outcomes(Endian::Little, kernel, object);
    // An int is no pointer; enums of other names are others; structs of any names are alike.
    assert_eq!(values(&found), [Some(0), None, Some(16), None, Some(24)]);
    let access = |at: usize| match &found[at] {
        Outcome::Patched { patch, .. } => patch.access,
        other => panic!("{other:?}"),
    };
    assert_eq!(access(0), Access::Resized(8));
    assert_eq!(access(2), Access::Unfit { object: 8, kernel: 4 });
    assert_eq!(access(4), Access::Unfit { object: 4, kernel: 8 });
}

#[test]
fn bitfields_are_read_by_the_smallest_load_around_them() {
    let kernel = |types: &mut Btf| {
        let byte = types.int("unsigned char", 1, Encoding::Unsigned);
        let members = [Member::bits("a", byte, 0, 3), Member::bits("wide", byte, 12, 8)];
        types.structure("s", 4, members);
    };
    let object = |types: &mut Btf| {
        let int = types.int("unsigned int", 4, Encoding::Unsigned);
        let s = types.structure("s", 4, [Member::bits("a", int, 0, 3), Member::bits("wide", int, 3, 8)]);
        let of = |access: &'static str| [0, 1, 4, 5].map(move |kind| (s, access, kind));
        of("0:0").into_iter().chain(of("0:1")).collect()
    };
    let little = values(&outcomes(Endian::Little, kernel, object));
    assert_eq!(little[..4], [Some(0), Some(1), Some(61), Some(61)]);
    // Bits 12 to 19 need a load of 4 bytes: 8 to 15 and 16 to 23 are in none of 2 that is aligned.
    assert_eq!(little[4..], [Some(0), Some(4), Some(44), Some(56)]);
    let big = values(&outcomes(Endian::Big, kernel, object));
    assert_eq!(big[..4], [Some(0), Some(1), Some(56), Some(61)]);
}

#[test]
fn elements_are_bounded_unless_the_array_is_open() {
    let kernel = |types: &mut Btf| {
        let int = int(types);
        let two = types.array(int, int, 2);
        let open = types.array(int, int, 0);
        types.structure("s", 16, [Member::new("two", two, 0), Member::new("open", open, 64)]);
    };
    let object = |types: &mut Btf| {
        let int = int(types);
        let many = types.array(int, int, 9);
        let s = types.structure("s", 72, [Member::new("two", many, 0), Member::new("open", many, 288)]);
        vec![(s, "0:0:1", 0), (s, "0:0:2", 0), (s, "0:1:7", 0)]
    };
    assert_eq!(values(&outcomes(Endian::Little, kernel, object)), [Some(4), None, Some(36)]);
}

#[test]
fn type_matches_wants_all_that_the_object_knows() {
    let kernel = |types: &mut Btf| {
        let int = int(types);
        let long = types.int("long", 8, Encoding::Signed);
        types.structure(
            "s",
            24,
            [Member::new("b", long, 0), Member::new("a", int, 64), Member::new("c", int, 96)],
        );
    };
    let object = |types: &mut Btf| {
        let int = int(types);
        let fits = types.structure("s", 4, [Member::new("a", int, 0)]);
        let size = types.structure("s", 4, [Member::new("b", int, 0)]);
        let more = types.structure("s", 8, [Member::new("a", int, 0), Member::new("d", int, 32)]);
        vec![(fits, "0", 12), (size, "0", 12), (more, "0", 12), (more, "0", 8), (more, "0", 9)]
    };
    assert_eq!(
        values(&outcomes(Endian::Little, kernel, object)),
        [Some(1), Some(0), Some(0), Some(1), Some(24)]
    );
}

#[test]
fn flavours_of_the_kernel_count_too() {
    let kernel = |types: &mut Btf| {
        let int = int(types);
        types.structure("s___local", 4, [Member::new("a", int, 0)]);
        types.structure("s____no_flavour", 8, [Member::new("a", int, 32)]);
        types.structure("s_other", 8, [Member::new("a", int, 32)]);
    };
    let object = |types: &mut Btf| {
        let int = int(types);
        let s = types.structure("s", 8, [Member::new("a", int, 32)]);
        vec![(s, "0:0", 0)]
    };
    assert_eq!(values(&outcomes(Endian::Little, kernel, object)), [Some(0)]);
}
