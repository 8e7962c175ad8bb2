//! Proposals of renames between tiny kernels: the two that everybody met, a split, and what must not be proposed.

#[path = "../../depsurf-render/tests/kernel/mod.rs"]
mod kernel;

use depsurf::Kind;
use depsurf::diff::rename::{Evidence, KindOf, LIKELY, Rename};
use depsurf::diff::{Diff, KindDiff, Pair};
use depsurf::surface::Surface;
use kernel::{Instance, Kernel};
use testkit::Target;
use testkit::c::Types;

type Params = &'static [(&'static str, &'static str)];

/// A function: its name, file, prototype and callers, these as `file:function`.
struct Function(&'static str, &'static str, (&'static str, Params), &'static [&'static str]);

const REQUEST: (&str, Params) = ("void", &[("rq", "struct request *")]);
const DONE: (&str, Params) = ("void", &[("req", "struct request *"), ("now", "u64")]);
const MERGE: (&str, Params) =
    ("int", &[("q", "struct request_queue *"), ("bio", "struct bio *"), ("nr_segs", "unsigned int")]);

/// What the functions of both kernels call, and what else there is.
fn surface(id: &str, functions: &[Function], task: Params) -> Surface {
    let mut types = Types::new(Target::LE64);
    types.structure("task_struct", task);
    for Function(name, _, (returns, params), _) in functions {
        types.function(name, returns, params);
    }
    let mut kernel = Kernel::new(id);
    kernel.types(&types);
    for Function(name, file, _, callers) in functions {
        let instance = Instance {
            file: (*file).into(),
            location: format!("{file}:10"),
            address: Some(0x1000),
            external: true,
            called_by: callers.iter().map(|&caller| caller.into()).collect(),
            ..Instance::default()
        };
        kernel.function(name, [instance]);
    }
    kernel.build()
}

const OLD_TASK: Params = &[
    ("flags", "unsigned long"),
    ("state", "long"),
    ("stack", "void *"),
    ("on_cpu", "int"),
    ("last_arrival", "u64"),
];
const NEW_TASK: Params = &[
    ("flags", "unsigned long"),
    ("__state", "unsigned int"),
    ("stack", "void *"),
    ("on_cpu", "int"),
    ("mm_cid", "int"),
];

fn old() -> Surface {
    let functions = [
        Function("blk_account_io_start", "block/blk-core.c", REQUEST, &["block/blk-mq.c:blk_mq_submit_bio"]),
        Function("blk_account_io_done", "block/blk-core.c", DONE, &["block/blk-mq.c:blk_mq_end_request"]),
        Function(
            "blk_do_io_stat",
            "block/blk.h",
            REQUEST,
            &["block/blk-core.c:blk_account_io_start", "block/blk-core.c:blk_account_io_done"],
        ),
        Function("update_io_ticks", "block/blk-core.c", DONE, &["block/blk-core.c:blk_account_io_start"]),
        Function("blk_attempt_plug_merge", "block/blk-core.c", MERGE, &["block/blk-mq.c:blk_mq_submit_bio"]),
        Function("pgd_dtor", "arch/x86/mm/pgtable.c", ("void", &[("pgd", "u64 *")]), &[]),
    ];
    surface("5.10.0-1-generic-amd64", &functions, OLD_TASK)
}

/// With one function in the place of `blk_account_io_start`, or with two.
fn new(splits: bool) -> Surface {
    let wrapper: &[&str] = if splits { &["block/blk-mq.h:blk_account_io_start"] } else { CALLERS };
    const CALLERS: &[&str] = &["block/blk-mq.c:blk_mq_submit_bio"];
    let mut functions = vec![
        Function("__blk_account_io_start", "block/blk-mq.c", REQUEST, wrapper),
        Function("blk_account_io_done", "block/blk-mq.c", DONE, &["block/blk-mq.c:blk_mq_end_request"]),
        Function(
            "blk_do_io_stat",
            "block/blk.h",
            REQUEST,
            &["block/blk-mq.c:__blk_account_io_start", "block/blk-mq.c:blk_account_io_done"],
        ),
        Function("update_io_ticks", "block/blk-core.c", DONE, &["block/blk-mq.c:__blk_account_io_start"]),
        Function("blk_attempt_bio_merge", "block/blk-merge.c", MERGE, &["block/blk-mq.c:blk_mq_submit_bio"]),
        Function("xen_vtsc_init", "arch/x86/xen/time.c", ("int", &[("cpu", "int")]), &[]),
    ];
    if splits {
        functions.push(Function("blk_account_io_start", "block/blk-mq.h", REQUEST, CALLERS));
    }
    surface("6.1.0-1-generic-amd64", &functions, NEW_TASK)
}

fn diff<'a>(old: &'a Surface, new: &'a Surface, kind: Kind) -> KindDiff<'a> {
    let mut diff = Diff::new(Pair::new(old, new), &[kind]);
    diff.propose_renames();
    diff.kinds.remove(0)
}

fn best<'d>(diff: &'d KindDiff<'_>, name: &str) -> &'d Rename {
    diff.renames.iter().find(|rename| rename.old == name).expect("a proposal")
}

#[test]
fn a_function_that_got_underscores_is_found() {
    let (old, new) = (old(), new(false));
    let diff = diff(&old, &new, Kind::Function);
    let rename = best(&diff, "blk_account_io_start");
    assert_eq!((rename.new.as_str(), rename.kind_of), ("__blk_account_io_start", KindOf::Renamed));
    assert!(rename.score >= LIKELY, "{rename:?}");
    for evidence in [
        Evidence::Underscores,
        Evidence::SamePrototype { params: 1, others: 0 },
        Evidence::SameCallers { shared: 1, of: 1 },
        Evidence::SameCallees { shared: 2, of: 2 },
    ] {
        assert!(rename.evidence.contains(&evidence), "{evidence:?} is not in {rename:?}");
    }
    // Beside removed and added, never in their place.
    assert!(diff.removed.iter().any(|name| name == "blk_account_io_start"), "{:?}", diff.removed);
    assert!(diff.added.iter().any(|name| name == "__blk_account_io_start"), "{:?}", diff.added);
}

#[test]
fn a_function_that_became_a_wrapper_is_a_split() {
    let (old, new) = (old(), new(true));
    let diff = diff(&old, &new, Kind::Function);
    let rename = best(&diff, "blk_account_io_start");
    assert_eq!((rename.new.as_str(), rename.kind_of), ("__blk_account_io_start", KindOf::Split));
    assert!(rename.score >= LIKELY && rename.evidence.contains(&Evidence::Calls), "{rename:?}");
    assert!(!diff.removed.iter().any(|name| name == "blk_account_io_start"), "{:?}", diff.removed);
}

#[test]
fn a_field_that_got_underscores_and_another_type_is_found() {
    let (old, new) = (old(), new(false));
    let diff = diff(&old, &new, Kind::Field);
    let rename = best(&diff, "task_struct::state");
    assert_eq!((rename.new.as_str(), rename.kind_of), ("task_struct::__state", KindOf::Renamed));
    let (before, after) = (Some("flags".to_owned()), Some("stack".to_owned()));
    assert!(rename.score >= LIKELY, "{rename:?}");
    for evidence in
        [Evidence::Underscores, Evidence::SameOffset { bits: 64 }, Evidence::SamePosition { before, after }]
    {
        assert!(rename.evidence.contains(&evidence), "{evidence:?} is not in {rename:?}");
    }
    assert!(diff.removed.iter().any(|name| name == "task_struct::state"), "{:?}", diff.removed);
    assert!(diff.added.iter().any(|name| name == "task_struct::__state"), "{:?}", diff.added);
}

#[test]
fn what_has_nothing_in_common_is_not_likely() {
    let (old, new) = (old(), new(false));
    let likely = |kind, name: &str| {
        let diff = diff(&old, &new, kind);
        diff.renames.into_iter().any(|rename| rename.old == name && rename.score >= LIKELY)
    };
    assert!(likely(Kind::Function, "blk_account_io_start"));
    assert!(!likely(Kind::Function, "pgd_dtor"));
    assert!(!likely(Kind::Field, "task_struct::last_arrival"));
}

#[test]
fn the_way_back_has_the_same_pairs() {
    let (old, new) = (old(), new(true));
    for kind in [Kind::Function, Kind::Field] {
        let pairs = |old, new, turned: bool| {
            let renames = diff(old, new, kind).renames.into_iter();
            let pair = |rename: Rename| match turned {
                false => (rename.old, rename.new, rename.kind_of, rename.score),
                true => (rename.new, rename.old, rename.kind_of.mirrored(), rename.score),
            };
            let mut pairs: Vec<(String, String, KindOf, u8)> = renames.map(pair).collect();
            pairs.sort();
            pairs
        };
        let there = pairs(&old, &new, false);
        assert!(!there.is_empty());
        assert_eq!(there, pairs(&new, &old, true));
    }
}

#[test]
fn the_successors_of_one_name_are_those_that_the_comparison_proposes() {
    let (old, new) = (old(), new(false));
    let pair = Pair::new(&old, &new);
    for (kind, name) in [(Kind::Function, "blk_account_io_start"), (Kind::Field, "task_struct::state")] {
        let successors = pair.successors(kind, name);
        assert_eq!(successors.first(), Some(best(&diff(&old, &new, kind), name)));
        assert!(successors.iter().all(|rename| rename.old == name && rename.score >= LIKELY));
    }
    assert_eq!(pair.successors(Kind::Function, "blk_do_io_stat"), []);
    assert_eq!(pair.successors(Kind::Function, "pgd_dtor"), []);
}
