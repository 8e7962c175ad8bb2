//! One pair of tiny kernels per change, with every change that is found between the two: one that fires on
//! another's pair shows in the snapshot.

mod kernel;

use std::collections::BTreeSet;

use depsurf::Kind;
use depsurf::diff::{Change, Diff, Pair, What};
use depsurf::surface::function::Inline;
use depsurf::surface::{Fact, Surface, TypeKind, record};
use depsurf_render::diff::{Compared, Comparison, json, markdown, terminal};
use depsurf_render::timeline::{self, Timeline};
use depsurf_render::{Differences, Group, Kernel as Labelled, Look, Page};
use kernel::{Instance, Kernel};
use testkit::Target;
use testkit::c::Types;

type Names = Vec<(&'static str, &'static str)>;

/// All that a tiny kernel has: one thing of each kind.
#[derive(Clone)]
struct World {
    target: Target,
    id: &'static str,
    /// A kind of fact that was not read.
    unknown: Option<Fact>,
    returns: &'static str,
    params: Names,
    instances: Vec<Instance>,
    symbols: Vec<(&'static str, u32)>,
    members: Names,
    /// Members of a member without a type of its own.
    inner: Names,
    values: Vec<(&'static str, i64)>,
    record: Names,
    probe: Names,
    raw: &'static str,
    event: record::Tracepoint,
    system: &'static str,
    format: &'static str,
    lsm: u32,
    kfunc: u32,
    syscalls: Vec<(&'static str, u32, u32)>,
    args: Names,
    config: &'static str,
    /// A name of every kind that only some kernels have.
    more: bool,
}

fn instance(file: &str, external: bool) -> Instance {
    let location = format!("{file}:10");
    Instance { file: file.into(), location, address: Some(0x1000), external, ..Instance::default() }
}

fn world() -> World {
    let none = || record::NONE.into();
    World {
        target: Target::LE64,
        id: "6.1.0-1-generic-amd64",
        unknown: None,
        returns: "int",
        params: vec![("file", "struct file *"), ("count", "unsigned int")],
        instances: vec![instance("fs/a.c", true)],
        symbols: vec![("work", record::ATTACH_FTRACE)],
        members: vec![("first", "int"), ("second", "int"), ("bits:3", "unsigned int")],
        inner: vec![("deep", "int")],
        values: vec![("RED", 0), ("GREEN", 1)],
        record: vec![("ent", "int"), ("pid", "int")],
        probe: vec![("__data", "void *"), ("pid", "int")],
        raw: "void (void *, int) *",
        event: record::Tracepoint {
            name: 0.into(),
            system: 0.into(),
            class: 0.into(),
            format: 0.into(),
            record: none(),
            prototype: none(),
            btf_trace: none(),
            flags: (record::TRACEPOINT_EVENT | record::TRACEPOINT_RAW).into(),
            writable_size: 0.into(),
            raw_args: 1.into(),
        },
        system: "sched",
        format: "\"pid=%d\", REC->pid",
        lsm: record::LSM_LIST_OPTION | record::LSM_BPF | record::LSM_SLEEPABLE,
        kfunc: 1,
        syscalls: vec![("64", 257, 0), ("x32", 257, 0)],
        args: vec![("int", "dfd")],
        config: "y",
        more: false,
    }
}

impl World {
    fn types(&self) -> Types {
        let mut types = Types::new(self.target);
        types.typedef("fmode_t", "unsigned int");
        types.function("work", self.returns, &self.params);
        types.structure("<inner>", &self.inner);
        let mut members = self.members.clone();
        members.push(("part", "struct <inner>"));
        types.structure("thing", &members);
        types.union("choice", &self.members);
        types.enumeration("colour", &self.values);
        types.structure("trace_event_raw_tick", &self.record);
        types.function("trace_event_raw_event_tick", "void", &self.probe);
        types.typedef("btf_trace_tick", self.raw);
        types.function("bpf_lsm_open", self.returns, &self.params);
        types.function("bpf_do", self.returns, &self.params);
        if self.more {
            types.structure("extra", &[("one", "int")]);
            types.union("extra", &[("two", "int")]);
            types.enumeration("extra", &[("EXTRA", 1)]);
        }
        types
    }

    fn build(&self) -> Surface {
        let mut kernel = Kernel::new(self.id);
        kernel.parts.meta.address_size = self.target.width.bytes();
        kernel.types(&self.types());
        kernel.function("work", self.instances.clone());
        for (number, (name, attach)) in (1..).zip(&self.symbols) {
            kernel.symbol(name, number * 0x1000, 16, 1, *attach);
        }
        self.tables(&mut kernel);
        for (number, (abi, place, flags)) in (0..).zip(&self.syscalls) {
            let syscall = record::Syscall {
                abi: kernel.string(abi).into(),
                number: (*place).into(),
                name: kernel.string("openat").into(),
                symbol: 0.into(),
                first_arg: (if number == 0 { 0 } else { self.args.len() as u32 }).into(),
                flags: (flags | if number == 0 { record::SYSCALL_HAS_ARGS } else { 0 }).into(),
            };
            kernel.parts.syscalls.push(syscall);
        }
        for (type_name, name) in &self.args {
            let (type_name, name) = (kernel.string(type_name).into(), kernel.string(name).into());
            kernel.parts.syscall_args.push(record::SyscallArg { type_name, name });
        }
        kernel.config("CONFIG_A", self.config);
        if self.more {
            kernel.function("extra", [instance("fs/b.c", true)]);
            kernel.config("CONFIG_B", "y");
        }
        if let Some(fact) = self.unknown {
            kernel.unknown(fact, "the test hides it");
        }
        kernel.build()
    }

    fn tables(&self, kernel: &mut Kernel) {
        let funcs = kernel.funcs();
        let proto = |name: &str| funcs[name].1.into();
        let mut event = self.event;
        let has_event = event.flags.get() & record::TRACEPOINT_EVENT != 0;
        event.name = kernel.string("tick").into();
        event.btf_trace = kernel.type_id(TypeKind::Typedef, "btf_trace_tick").into();
        if has_event {
            event.system = kernel.string(self.system).into();
            event.class = kernel.string("tick").into();
            event.format = kernel.string(self.format).into();
            event.record = kernel.type_id(TypeKind::Struct, "trace_event_raw_tick").into();
            event.prototype = proto("trace_event_raw_event_tick");
        }
        let name = kernel.string("open").into();
        let hook = record::LsmHook { name, prototype: proto("bpf_lsm_open"), flags: self.lsm.into() };
        let name = kernel.string("bpf_do").into();
        let kfunc = record::Kfunc {
            name,
            prototype: proto("bpf_do"),
            flags: self.kfunc.into(),
            evidence: record::KFUNC_SET.into(),
        };
        if self.more {
            let name = kernel.string("extra").into();
            kernel.parts.tracepoints.push(record::Tracepoint { name, ..event });
            kernel.parts.lsm_hooks.push(record::LsmHook { name, ..hook });
        }
        kernel.parts.tracepoints.push(event);
        kernel.parts.lsm_hooks.push(hook);
        kernel.parts.kfuncs.push(kfunc);
        if self.more {
            let name = kernel.string("extra").into();
            kernel.parts.kfuncs.push(record::Kfunc { name, ..kfunc });
        }
    }
}

/// Makes the new kernel of a pair from the old one.
type Alter = fn(&mut World);

/// What the new kernel of each pair has otherwise.
fn pairs() -> Vec<(&'static str, Alter)> {
    vec![
        ("nothing", |_| {}),
        ("param-added", |it| it.params.push(("flags", "int"))),
        ("param-removed", |it| _ = it.params.pop()),
        ("param-reordered", |it| it.params.swap(0, 1)),
        ("param-put-before", |it| it.params.insert(0, ("flags", "int"))),
        ("param-type-changed", |it| it.params[1].1 = "unsigned long"),
        ("param-const", |it| it.params[0].1 = "const struct file *"),
        ("params-without-names", |it| it.params.iter_mut().for_each(|param| param.0 = "")),
        ("return-type-changed", |it| it.returns = "long"),
        ("fully-inlined", |it| it.symbols.clear()),
        ("selectively-inlined", |it| it.instances[0].inlined_into = vec![("fs/c.c:caller".into(), 7)]),
        ("symbol-lost", |it| it.symbols = vec![("work.isra.0", record::ATTACH_FTRACE)]),
        ("suffix-gained", |it| it.symbols.push(("work.cold", 0))),
        ("became-static", |it| it.instances[0].external = false),
        ("collision-changed", |it| it.instances.push(instance("fs/d.c", false))),
        ("ftrace-site-lost", |it| it.symbols[0].1 = 0),
        ("file-moved", |it| it.instances = vec![instance("fs/b.c", true)]),
        ("declared-inline", |it| it.instances[0].inline = Inline::DeclaredInlined),
        ("field-added", |it| it.members.push(("third", "u64"))),
        ("field-removed", |it| _ = it.members.remove(1)),
        ("field-type-changed", |it| it.members[1].1 = "unsigned int"),
        ("fields-swapped", |it| it.members.swap(0, 1)),
        ("field-width", |it| it.members[2].0 = "bits:4"),
        ("inner-field", |it| it.inner = vec![("deep", "long"), ("deeper", "int")]),
        ("value-added", |it| it.values.push(("BLUE", 2))),
        ("value-removed", |it| _ = it.values.pop()),
        ("value-changed", |it| it.values[1].1 = -1),
        ("event-changed", |it| it.record.push(("comm", "char[16]"))),
        ("func-changed", |it| it.probe.push(("comm", "char *"))),
        ("event-lost", |it| it.event.flags = record::TRACEPOINT_RAW.into()),
        ("raw-lost", |it| it.event.flags = record::TRACEPOINT_EVENT.into()),
        ("args-changed", |it| it.raw = "void (void *, int, char *) *"),
        ("format-changed", |it| it.format = "\"pid %d\", REC->pid"),
        ("system-changed", |it| it.system = "timer"),
        ("writable-changed", |it| it.event.writable_size = 8.into()),
        ("attach-lost", |it| it.lsm |= record::LSM_DISABLED),
        ("sleepable-lost", |it| it.lsm &= !record::LSM_SLEEPABLE),
        ("lsm-sets-unknown", |it| it.lsm = record::LSM_LIST_OPTION | record::LSM_SETS_UNKNOWN),
        ("flag-added", |it| it.kfunc |= 1 << 5),
        ("flag-removed", |it| it.kfunc = 0),
        ("number-changed", |it| it.syscalls[0].1 = 258),
        ("unimplemented", |it| it.syscalls[0].2 = record::SYSCALL_UNIMPLEMENTED),
        ("table-missing", |it| it.syscalls.truncate(1)),
        ("syscall-args-changed", |it| it.args.push(("int", "flags"))),
        ("config-changed", |it| it.config = "m"),
        ("more-names", |it| it.more = true),
        ("word-size", |it| it.target = Target::LE32),
        ("functions-unknown", |it| it.unknown = Some(Fact::Functions)),
        ("symbols-unknown", |it| it.unknown = Some(Fact::Symbols)),
    ]
}

fn line(kind: Kind, name: &str, change: &Change) -> String {
    let or_nothing = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".into());
    let subject = change.subject.as_ref().map(|subject| format!(" [{subject}]")).unwrap_or_default();
    let (old, new) = (or_nothing(&change.old), or_nothing(&change.new));
    format!("{kind} {name}: {}{subject}: {old} => {new}", change.what)
}

fn lines(diff: &Diff<'_>) -> Vec<String> {
    let mut lines = Vec::new();
    for kind in &diff.kinds {
        lines.extend(kind.added.iter().map(|name| format!("{} {name}: added", kind.kind)));
        lines.extend(kind.removed.iter().map(|name| format!("{} {name}: removed", kind.kind)));
        for changed in &kind.changed {
            lines.extend(changed.changes.iter().map(|change| line(kind.kind, &changed.name, change)));
        }
    }
    lines
}

#[test]
fn every_change_on_every_pair() {
    let old = world().build();
    let mut text = String::new();
    let mut seen = BTreeSet::new();
    for (name, change) in pairs() {
        let mut world = world();
        change(&mut world);
        let new = world.build();
        let pair = Pair::new(&old, &new);
        let diff = Diff::new(pair, &Kind::ALL);
        text += &format!("== {name}\n");
        lines(&diff).iter().for_each(|line| text += &format!("{line}\n"));
        for back in [diff, Diff::new(Pair::new(&new, &old), &Kind::ALL)] {
            let changed = back.kinds.iter().flat_map(|kind| &kind.changed);
            seen.extend(changed.flat_map(|changed| &changed.changes).map(|change| change.what));
        }
    }
    let never: Vec<&What> = What::ALL.iter().filter(|what| !seen.contains(what)).collect();
    // Entries come and go only in tables that both kernels have, which the next test is about.
    assert_eq!(never, [&What::EntryAdded, &What::EntryRemoved]);
    insta::assert_snapshot!(text);
}

#[test]
fn an_entry_goes_only_from_a_table_that_stays() {
    let kernel = |native: &[&'static str]| {
        let mut kernel = Kernel::new("6.1.0-1-generic-amd64");
        let native = native.iter().map(|name| ("64", *name));
        for (abi, name) in native.chain([("x32", "openat"), ("x32", "read")]) {
            let (abi, name) = (kernel.string(abi).into(), kernel.string(name).into());
            let (number, nothing) = (1.into(), 0.into());
            let record =
                record::Syscall { abi, number, name, symbol: nothing, first_arg: nothing, flags: nothing };
            kernel.parts.syscalls.push(record);
        }
        kernel.build()
    };
    let (with, without) = (kernel(&["openat", "read"]), kernel(&["openat"]));
    let of = |old, new| lines(&Diff::new(Pair::new(old, new), &[Kind::Syscall]));
    assert_eq!(of(&with, &without), ["syscall read: entry-removed [64]: 1 => -"]);
    assert_eq!(of(&without, &with), ["syscall read: entry-added [64]: - => 1"]);
}

/// Four kernels of a group: something comes, changes, stays, and cannot be told.
fn history() -> Vec<Surface> {
    let versions = [
        "5.4.0-1-generic-amd64",
        "5.10.0-1-generic-amd64",
        "6.1.0-1-generic-amd64",
        "6.12.0-1-generic-amd64",
    ];
    let mut worlds = versions.map(|id| World { id, ..world() });
    worlds[2].params.push(("mode", "fmode_t"));
    worlds[2].members.insert(0, ("zeroth", "u64"));
    worlds[2].symbols[0].1 = 0;
    worlds[3] = World { id: versions[3], ..worlds[2].clone() };
    worlds[3].more = true;
    worlds[3].unknown = Some(Fact::Config);
    worlds.map(|world| world.build()).into()
}

fn group(surfaces: &[Surface]) -> Group<'_> {
    let label =
        |surface: &Surface| format!("{}.{}", surface.kernel().version.major, surface.kernel().version.minor);
    let kernels = surfaces.iter().map(|surface| Labelled { label: label(surface), surface }).collect();
    Group { title: "Regular".into(), kernels, base: None }
}

fn comparison<'a>(surfaces: &'a [Surface], kinds: &[Kind], grep: &str) -> Comparison<'a> {
    let group = group(surfaces);
    let compared = |(old, new): (&Labelled<'a>, &Labelled<'a>)| {
        let diff = Diff::new(Pair::new(old.surface, new.surface), kinds);
        Compared::new(old.label.clone(), new.label.clone(), diff, |name| name.contains(grep))
    };
    Comparison { pairs: group.pairs().map(compared).collect(), lists: true }
}

#[test]
fn kernels_compared() {
    let surfaces = history();
    let two = comparison(&surfaces[1..3], &Kind::ALL, "");
    let all = comparison(&surfaces, &[Kind::Function, Kind::Config], "");
    let look = Look::default();
    insta::assert_snapshot!("compared_terminal", terminal(&two, &look) + "\n\n" + &terminal(&all, &look));
    insta::assert_snapshot!("compared_markdown", markdown(&all));
    insta::assert_snapshot!(
        "compared_json",
        json(&comparison(&surfaces[2..], &[Kind::Function, Kind::Config], ""))
    );
    assert!(!two.is_empty());
    assert!(comparison(&surfaces[..2], &Kind::ALL, "").is_empty());
    assert!(comparison(&surfaces, &Kind::ALL, "no such name").is_empty());
}

#[test]
fn long_lists_are_cut_and_say_so() {
    let old = world().build();
    let mut world = world();
    let names: Vec<String> = (0..40).map(|number| format!("field_{number:02}")).collect();
    world.members = names.iter().map(|name| (&*name.clone().leak(), "int")).collect();
    let new = world.build();
    let surfaces = [old, new];
    let comparison = comparison(&surfaces, &[Kind::Struct, Kind::Field], "thing");
    let cut = terminal(&comparison, &Look::default());
    assert!(cut.contains("and 20 more added (-v lists them)") && cut.contains("more changes (-v"), "{cut}");
    let whole = terminal(&comparison, &Look { verbose: true, ..Look::default() });
    assert!(names.iter().all(|name| whole.contains(&format!("+ thing::{name}\n"))), "{whole}");
    assert!(!whole.contains("-v"), "{whole}");
}

#[test]
fn timelines() {
    let surfaces = history();
    let group = group(&surfaces);
    let mut text = String::new();
    for (kind, name) in [
        (Kind::Function, "work"),
        (Kind::Function, "extra"),
        (Kind::Struct, "thing"),
        (Kind::Field, "thing::first"),
        (Kind::Field, "thing::part.deep"),
        (Kind::Tracepoint, "tick"),
        (Kind::Config, "CONFIG_A"),
        (Kind::Config, "B"),
        (Kind::Enum, "no_such"),
    ] {
        let timeline = Timeline::new(kind, name, &group);
        text += &timeline::terminal(&timeline, &Look::default());
        text += &format!("somewhere: {}, unknown: {}\n\n", timeline.is_somewhere(), timeline.is_unknown());
    }
    insta::assert_snapshot!("timeline_terminal", text);
    let timeline = Timeline::new(Kind::Function, "work", &group);
    insta::assert_snapshot!("timeline_markdown", timeline::markdown(&timeline));
    insta::assert_snapshot!("timeline_json", timeline::json(&timeline));
}

#[test]
fn differences_of_a_page() {
    let mut surfaces = history();
    let mut hidden = World { id: "6.18.0-1-generic-amd64", ..world() };
    hidden.unknown = Some(Fact::Functions);
    hidden.instances.clear();
    surfaces.push(hidden.build());
    let mut based = group(&surfaces[1..]);
    based.base = Some(based.kernels.remove(0));
    based.title = "Based".into();
    let mut text = String::new();
    for (kind, name) in [(Kind::Function, "work"), (Kind::Function, "extra"), (Kind::Struct, "thing")] {
        let groups = [group(&surfaces), based.clone()];
        let mut page = Page::decide(kind, name, &groups);
        let markdown = depsurf_render::markdown::page(&page);
        text += &format!("== {kind} {name}\n");
        text += markdown.split_once("\n## Differences\n").expect("the part of the page").1;
        page.differences = Differences::of(kind, name, &groups);
        let terminal = depsurf_render::terminal::page(&page, &Look::default());
        text += terminal.split_once("Changes\n").map_or("", |(_, rest)| rest);
    }
    insta::assert_snapshot!(text);
}
