//! One thread and many tell the same.

use testkit::dwarf::*;

use super::*;

fn int() -> Die {
    base_type("int", 4, DW_ATE_signed)
}

/// What every unit includes.
fn header() -> Vec<Die> {
    vec![
        int(),
        pointer("struct list_head"),
        structure(
            "list_head",
            16,
            "include/linux/types.h",
            178,
            [member("next", "struct list_head *", 0), member("prev", "struct list_head *", 8)],
        ),
        structure("strange", 8, "include/linux/strange.h", 1, [member("odd", "odd", 0)]),
        Die::new(DW_TAG_ptr_to_member_type).label("odd"),
        typedef("size_t", "int").decl("include/linux/types.h", 55),
        subprogram("kfree").external().declaration().decl("include/linux/slab.h", 9).parameter("p", "odd"),
        subprogram("get_order").decl("include/asm-generic/getorder.h", 29).inline(DW_INL_declared_inlined),
    ]
}

/// Many units, with all that may come out in another order: headers that are seen first by one thread or another,
/// names and paths of one unit only, units that are left out, references across.
pub(crate) fn units() -> Vec<Unit> {
    let mut units = drivers();
    for (number, unit) in (0u64..).zip(&mut units) {
        if number % 13 == 5 {
            *unit = unit.clone().language(DW_LANG_Rust);
        }
        if number % 17 == 3 {
            // Damage at the end: all of the unit has been read when it shows.
            *unit = unit.clone().child(int().label("damaged").claim_abbreviation(9999));
        }
        if number % 19 == 0 {
            // Only here, and damaged.
            *unit = unit.clone().child(
                structure("dangling", 4, "include/d.h", 1, [])
                    .child(Die::new(DW_TAG_member).attr(DW_AT_type, Value::Ref4Offset(0x7fff_ffff))),
            );
        }
    }
    units
}

/// The units in C, and without damage.
pub(super) fn drivers() -> Vec<Unit> {
    let mut units = Vec::new();
    for number in 0..150u64 {
        let name = format!("drivers/d{:02}/f{number}.c", number * 37 % 41);
        let mut unit = Unit::new(&name).children(header());
        let address = 0x1000 * (number + 1);
        unit = unit.children([
            // One of seven places of declaration, of one of three sizes.
            structure(
                "private",
                4 + number % 3,
                format!("include/p{}.h", number % 7).as_str(),
                5,
                [member("private", "int", 0), member("list", "struct list_head", 8)],
            ),
            declared(DW_TAG_structure_type, &format!("private_{}", (number + 20) % 150)),
            pointer(&format!("struct private_{}", (number + 20) % 150)),
            structure(
                &format!("private_{number}"),
                8,
                name.as_str(),
                3,
                [member("other", &format!("struct private_{} *", (number + 20) % 150), 0)],
            ),
            subprogram(&format!("probe_{number}"))
                .external()
                .decl(name.as_str(), 10)
                .returns("size_t")
                .low_pc(address)
                .parameter("list", "struct list_head *")
                .child(inlined_subroutine("get_order", name.as_str(), 12, address + 4))
                .child(call_site("kfree"))
                .child(call_site(&format!("probe_{}", (number * 61 + 7) % 150))),
            subprogram("cleanup").decl(name.as_str(), 20).low_pc(address + 0x800),
        ]);
        units.push(unit);
    }
    units
}

pub(crate) fn with_threads<T: Send>(threads: usize, run: impl FnOnce() -> T + Send) -> T {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(run)
}

#[test]
fn facts_do_not_depend_on_the_number_of_threads() {
    for form in Form::all().into_iter().step_by(5) {
        let sections = form.build(&units());
        let told = |threads| with_threads(threads, || everything(&facts(&sections, form.target)));
        let one = told(1);
        assert!(one.iter().any(|line| line.contains("dwarf-unit")), "some units fail");
        assert!(one.iter().any(|line| line.contains("dwarf-type-tag")), "some types are odd");
        for threads in [2, 3, 8, 2, 3, 8] {
            let many = told(threads);
            for (one, many) in one.iter().zip(&many) {
                assert_eq!(one, many, "{threads} threads, {form:?}");
            }
            assert_eq!(one.len(), many.len(), "{threads} threads, {form:?}");
        }
    }
}
