//! Changes between real kernels, those of the starter dataset.

use std::path::Path;
use std::sync::LazyLock;

use depsurf::Kind;
use depsurf::diff::{Change, Changed, Class, Diff, KindDiff, Pair, What};
use depsurf::store::pack::unpack;
use depsurf::surface::Surface;

/// The kernels, oldest first, and arm64 last.
static KERNELS: LazyLock<Vec<Surface>> = LazyLock::new(|| {
    let names = ["5.10.223-32-cloud-amd64", "6.1.176-50-cloud-amd64", "6.12.107-deb13-cloud-amd64"];
    names.into_iter().chain(["7.2.12-deb14-cloud-amd64", "6.1.176-50-cloud-arm64"]).map(kernel).collect()
});

fn kernel(name: &str) -> Surface {
    let starter = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../starter");
    let packed = std::fs::read(starter.join(format!("{name}.packed"))).expect("a starter kernel");
    Surface::from_bytes(unpack(&packed).expect("a packed surface")).expect("a surface")
}

fn pairs() -> Vec<Pair<'static>> {
    let neighbours = KERNELS[..4].windows(2).map(|pair| Pair::new(&pair[0], &pair[1]));
    neighbours.chain([Pair::new(&KERNELS[1], &KERNELS[4])]).collect()
}

#[test]
fn a_kernel_does_not_differ_from_itself() {
    for kernel in KERNELS.iter() {
        let diff = Diff::new(Pair::new(kernel, kernel), &Kind::ALL);
        let changed = diff.kinds.iter().flat_map(|kind| &kind.changed).next();
        assert!(diff.is_empty(), "{}: {changed:?}", kernel.kernel());
        assert!(
            diff.kinds.iter().all(|kind| kind.old == kind.new && kind.old > 0 || kind.kind == Kind::Kfunc)
        );
    }
}

/// What the way back calls a change.
fn opposite(change: &Change) -> What {
    const OPPOSITES: [(What, What); 14] = [
        (What::FieldAdded, What::FieldRemoved),
        (What::ParamAdded, What::ParamRemoved),
        (What::ValueAdded, What::ValueRemoved),
        (What::SymbolGained, What::SymbolLost),
        (What::SuffixGained, What::SuffixLost),
        (What::BecameStatic, What::BecameGlobal),
        (What::FtraceSiteGained, What::FtraceSiteLost),
        (What::AttachGained, What::AttachLost),
        (What::SleepableGained, What::SleepableLost),
        (What::EventGained, What::EventLost),
        (What::RawGained, What::RawLost),
        (What::EntryAdded, What::EntryRemoved),
        (What::Implemented, What::Unimplemented),
        (What::FlagAdded, What::FlagRemoved),
    ];
    let found = OPPOSITES.iter().find_map(|(one, other)| match change.what {
        what if what == *one => Some(*other),
        what if what == *other => Some(*one),
        _ => None,
    });
    match (change.what, change.old.as_deref()) {
        (What::FullyInlined | What::SelectivelyInlined | What::NoLongerInlined, Some("Full")) => {
            What::FullyInlined
        }
        (What::FullyInlined | What::NoLongerInlined, Some("Selective")) => What::SelectivelyInlined,
        (What::FullyInlined | What::SelectivelyInlined, _) => What::NoLongerInlined,
        (what, _) => found.unwrap_or(what),
    }
}

/// The changes as a set, because what is added stands before what is removed both ways.
fn sorted(changed: &[Changed<'_>], turn: fn(&Change) -> Change) -> Vec<(String, Vec<Change>)> {
    let one = |changed: &Changed<'_>| {
        let mut changes: Vec<Change> = changed.changes.iter().map(turn).collect();
        changes.sort_unstable();
        (changed.name.to_string(), changes)
    };
    changed.iter().map(one).collect()
}

#[test]
fn the_way_back_mirrors_the_way_there() {
    let back = |change: &Change| Change {
        what: opposite(change),
        subject: change.subject.clone(),
        old: change.new.clone(),
        new: change.old.clone(),
    };
    for pair in pairs() {
        let there = Diff::new(pair, &Kind::ALL);
        let returned = Diff::new(Pair::new(pair.new, pair.old), &Kind::ALL);
        for (there, returned) in there.kinds.iter().zip(&returned.kinds) {
            assert_eq!((there.old, there.new), (returned.new, returned.old));
            assert_eq!(there.added, returned.removed);
            assert_eq!(there.removed, returned.added);
            let (there, returned) = (sorted(&there.changed, back), sorted(&returned.changed, Change::clone));
            for (there, returned) in there.iter().zip(&returned) {
                assert_eq!(there, returned);
            }
            assert_eq!(there.len(), returned.len());
        }
    }
}

#[test]
fn names_are_looked_up_as_they_are_merged() {
    for pair in pairs() {
        for kind in Diff::new(pair, &Kind::ALL).kinds {
            for changed in kind.changed.iter().step_by(101) {
                let changes = Pair::changes(pair, kind.kind, &changed.name);
                assert_eq!(changes.as_ref(), Some(&changed.changes), "{} {}", kind.kind, changed.name);
            }
            for (surface, other, names) in
                [(pair.new, pair.old, &kind.added), (pair.old, pair.new, &kind.removed)]
            {
                for name in names.iter().step_by(101) {
                    let has = |surface: &Surface| surface.has(kind.kind, name);
                    assert!(has(surface) && !has(other), "{} {name}", kind.kind);
                }
            }
        }
    }
}

#[test]
fn threads_change_nothing() {
    let with = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
        pool.install(|| format!("{:?}", Diff::new(pairs()[1], &Kind::ALL).kinds))
    };
    let one = with(1);
    assert!(one == with(2) && one == with(7));
}

fn of(pair: Pair<'static>, kind: Kind) -> KindDiff<'static> {
    KindDiff::new(pair, kind)
}

fn has(names: &[std::borrow::Cow<'_, str>], name: &str) -> bool {
    names.iter().any(|found| found == name)
}

/// Linux 2f064a59a11f ("sched: Change task_struct::state", in v5.14).
#[test]
fn state_of_a_task_got_underscores_and_another_type() {
    let fields = of(pairs()[0], Kind::Field);
    assert!(has(&fields.removed, "task_struct::state") && has(&fields.added, "task_struct::__state"));
    let changes = Pair::changes(pairs()[0], Kind::Struct, "task_struct").expect("both have it");
    let texts = |what: What| {
        let of_kind = changes.iter().filter(move |change| change.what == what);
        of_kind.filter_map(|change| change.old.as_deref().or(change.new.as_deref())).collect::<Vec<_>>()
    };
    assert!(texts(What::FieldAdded).contains(&"unsigned int __state"));
    assert!(texts(What::FieldRemoved).contains(&"volatile long int state"));
}

/// Linux made it a static function of block/blk-mq.c in v5.16, and the compiler had no use for code of its own.
#[test]
fn accounting_of_block_requests_was_inlined() {
    let changes = Pair::changes(pairs()[0], Kind::Function, "blk_account_io_start").expect("both have it");
    let has = |what| changes.iter().any(|change| change.what == what);
    assert!(has(What::FullyInlined) && has(What::BecameStatic) && has(What::FileMoved), "{changes:?}");
    let changes = Pair::changes(pairs()[1], Kind::Function, "blk_account_io_start").expect("both have it");
    assert!(changes.iter().any(|change| change.what == What::NoLongerInlined), "{changes:?}");
}

/// "sched/tracing: Append prev_state to tp args instead", in v5.19.
#[test]
fn sched_switch_got_an_argument() {
    let changes = Pair::changes(pairs()[0], Kind::Tracepoint, "sched_switch").expect("both have it");
    let source = changes.iter().filter(|change| change.what.class() == Class::Source);
    let found: Vec<(What, Option<&str>)> =
        source.map(|change| (change.what, change.new.as_deref())).collect();
    assert_eq!(found, [(What::FuncChanged, None), (What::ParamAdded, Some("unsigned int prev_state"))]);
    assert!(changes.iter().any(|change| change.what == What::ArgsChanged));
}

#[test]
fn helpers_are_values_of_the_kernels_own_enum() {
    let changes = Pair::changes(pairs()[0], Kind::Enum, "bpf_func_id").expect("both have it");
    let added = changes.iter().filter(|change| change.what == What::ValueAdded);
    let added: Vec<&str> = added.filter_map(|change| change.subject.as_deref()).collect();
    assert!(added.contains(&"BPF_FUNC_kptr_xchg"), "{added:?}");
}

/// `futex_waitv` is of v5.16. The events are in no list of the image, and every name is found by itself, too.
#[test]
fn events_of_system_calls_come_with_them() {
    let pair = pairs()[0];
    let diff = of(pair, Kind::Tracepoint);
    for name in ["sys_enter_futex_waitv", "sys_exit_futex_waitv"] {
        assert!(has(&diff.added, name) && pair.new.has(Kind::Tracepoint, name), "{name}");
    }
    let listed = pair.new.tracepoints().map(|found| found.name()).collect::<std::collections::BTreeSet<_>>();
    assert_eq!(diff.new, listed.len() + pair.new.syscall_events().len());
    assert!(diff.added.is_sorted() && diff.removed.is_sorted());
    let names = depsurf::names::all(Kind::Tracepoint, &[pair.new]);
    assert_eq!(names.len(), diff.new);
}
