//! What is tried by name: functions of every class that the surface tells apart, events, tracepoints and LSM hooks.
//!
//! The sample is the same for the same surface: of each class those names are taken whose hashes are the smallest.

use std::collections::{BTreeMap, HashSet};

use depsurf::bpf::Object;
use depsurf::surface::attach::CloneKind;
use depsurf::surface::record::{
    ATTACH_BLACKLIST, ATTACH_ENTRY, ATTACH_ERROR_INJECTION, ATTACH_FTRACE, ATTACH_INIT, ATTACH_KPROBES_TEXT,
    ATTACH_NOINSTR,
};
use depsurf::surface::symbol::base_name;
use depsurf::surface::types::{Type, TypeKind};
use depsurf::surface::{Surface, Symbol};
use testkit::Endian;
use testkit::bpf::{Insn, Object as Written};

/// Another number gives another sample.
const SEED: u64 = 1;

/// The ways to attach to a function that are tried with each name, and the sections that stand for them. The words are
/// those of the machine's program.
pub const OF_FUNCTIONS: [(&str, &str); 6] = [
    ("kprobe", "kprobe"),
    ("kretprobe", "kretprobe"),
    ("fentry", "fentry"),
    ("fexit", "fexit"),
    ("fmod_ret", "fmod_ret"),
    ("sleepable", "fentry.s"),
];

/// The other kinds of hooks.
const OF_HOOKS: [(&str, &str); 5] =
    [("event", "tp"), ("raw_tp", "raw_tp"), ("tp_btf", "tp_btf"), ("lsm", "lsm"), ("lsm.s", "lsm.s")];

/// Something that is tried by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Try {
    /// In which way, in the machine's word.
    pub what: &'static str,
    /// `vfs_read`, `sched:sched_switch`.
    pub name: String,
    /// Why it is in the sample.
    pub class: &'static str,
}

impl Try {
    /// The section whose program would attach in this way.
    fn section(&self) -> String {
        let of = |(what, _): &&(&str, &str)| *what == self.what;
        let section = OF_FUNCTIONS.iter().chain(&OF_HOOKS).find(of).map_or("", |(_, section)| section);
        format!("{section}/{}", self.name.replace(':', "/"))
    }
}

/// Names of functions with their classes, each name once.
pub fn names(surface: &Surface) -> Vec<(&'static str, String)> {
    let mut classes: BTreeMap<(usize, &'static str), Vec<String>> = BTreeMap::new();
    let mut add = |class: &(usize, &'static str), name: &str| {
        classes.entry((class.0, class.1)).or_default().push(name.to_owned());
    };
    let symbols = Symbols::new(surface);
    for (name, found) in &symbols.by_name {
        if let Some(class) = class_of_symbol(name, found, &symbols) {
            add(&class, name);
        }
    }
    for function in surface.functions() {
        let name = function.name();
        let copies = function.instances().any(|instance| instance.inline_sites().next().is_some());
        if function.symbols().next().is_none() {
            add(if copies { &(40, "inlined everywhere") } else { &(15, "declared, no code") }, name);
            continue;
        }
        let plain = symbols.by_name.get(name);
        let Some(plain) = plain else {
            add(&(40, "suffixed names only"), name);
            continue;
        };
        let ftrace = plain.iter().any(|symbol| symbol.has(ATTACH_FTRACE));
        if function.instances().any(|it| it.inline().is_declared()) && !ftrace {
            add(&(20, "declared inline, with code"), name);
        } else if ftrace && plain.len() == 1 {
            if function.instances().any(|it| it.is_inlined_elsewhere()) {
                add(&(40, "inlined in places"), name);
            } else if function.instances().all(|it| !it.is_external()) {
                add(&(60, "static"), name);
            } else {
                add(&(60, "global"), name);
            }
        }
        if plain.iter().any(|symbol| symbol.has(ATTACH_ERROR_INJECTION)) {
            add(&(25, "error injection"), name);
        }
        if name.starts_with("security_") {
            add(&(15, "security_"), name);
        }
        if let Some(class) = class_of_prototype(function.btf_func()) {
            add(&class, name);
        } else if ftrace && function.btf_func().is_none() {
            add(&(20, "traceable, not in BTF"), name);
        }
        add(&(10, "made up"), &format!("{name}_is_not_there"));
    }
    for set in surface.sets() {
        let class = match set.name() {
            "btf_id_deny" => (10, "denied to tracing"),
            "noreturn_deny" => (20, "does not return"),
            "btf_non_sleepable_error_inject" => (10, "may not sleep"),
            name if name.contains("fmodret") => (10, "fmod_ret set"),
            _ => continue,
        };
        set.members().for_each(|member| add(&class, member.name));
    }
    // Small classes first: a name is in the first that has it.
    let mut taken = HashSet::new();
    let mut chosen = Vec::new();
    for ((count, class), mut names) in classes {
        names.retain(|name| !name.is_empty() && !taken.contains(name) && !is_deadly(name));
        for name in smallest(names, count) {
            taken.insert(name.clone());
            chosen.push((class, name));
        }
    }
    chosen
}

/// Whether hooking it may end the machine: what traps and trampolines need themselves. fentry on `__memset` attached on
/// 6.1, and the machine ended in a double fault.
fn is_deadly(name: &str) -> bool {
    let name = name.trim_start_matches('_');
    ["memset", "memcpy", "memmove"].iter().any(|prefix| name.starts_with(prefix))
}

/// The symbols of the kernel's own table, by name and by place.
struct Symbols<'a> {
    by_name: BTreeMap<&'a str, Vec<Symbol<'a>>>,
    shared: HashSet<u64>,
}

impl<'a> Symbols<'a> {
    fn new(surface: &'a Surface) -> Self {
        let mut by_name: BTreeMap<&str, Vec<Symbol<'_>>> = BTreeMap::new();
        let (mut seen, mut shared) = (HashSet::new(), HashSet::new());
        for symbol in surface.symbols() {
            // Files, sections and labels are not in it, and what is not code cannot be probed.
            let is_code = symbol.section().is_some_and(|section| section.ends_with("text"));
            let is_label = symbol.name().starts_with(['.', '$']);
            if matches!(symbol.elf_type(), 1 | 3 | 4) || !is_code || is_label {
                continue;
            }
            by_name.entry(symbol.name()).or_default().push(symbol);
            if !seen.insert(symbol.address()) {
                shared.insert(symbol.address());
            }
        }
        Self { by_name, shared }
    }
}

/// The class of a name by its symbols: how many are taken, and its word.
fn class_of_symbol(name: &str, found: &[Symbol<'_>], symbols: &Symbols<'_>) -> Option<(usize, &'static str)> {
    let has = |bits: u32| found.iter().any(|symbol| symbol.attach() & bits != 0);
    if has(ATTACH_BLACKLIST) {
        return Some((30, "kprobe blacklist"));
    }
    if has(ATTACH_NOINSTR | ATTACH_ENTRY | ATTACH_KPROBES_TEXT) {
        return Some((30, "forbidden text"));
    }
    if has(ATTACH_INIT) {
        return Some((30, "init"));
    }
    if found.len() > 1 {
        return Some((40, "several symbols"));
    }
    if base_name(name) != name {
        return Some(match CloneKind::of(name) {
            Some(CloneKind::Isra) => (20, ".isra"),
            Some(CloneKind::Constprop) => (20, ".constprop"),
            Some(CloneKind::Part) => (20, ".part"),
            None if name.contains(".cold") => (15, ".cold"),
            None => (10, "another suffix"),
        });
    }
    let glue =
        ["__pfx_", "__cfi_", "__traceiter_", "__probestub_", "__SCT__", "trace_raw_output_", "__bpf_trace_"];
    if glue.iter().any(|prefix| name.starts_with(prefix)) {
        return Some((30, "glue"));
    }
    if found.iter().any(|symbol| symbols.shared.contains(&symbol.address())) {
        return Some((25, "alias"));
    }
    (!has(ATTACH_FTRACE)).then_some((50, "no ftrace site"))
}

/// The class of a function by its prototype in BTF.
fn class_of_prototype(function: Option<Type<'_>>) -> Option<(usize, &'static str)> {
    let proto = function?.target()?;
    let is_aggregate = |id| {
        let found = proto.types().get(id).map(|found| found.stripped(true).kind());
        matches!(found, Some(TypeKind::Struct | TypeKind::Union))
    };
    let params: Vec<_> = proto.params().collect();
    if params.last().is_some_and(|last| last.type_id.0 == 0) {
        Some((10, "variable arguments"))
    } else if params.len() > 6 {
        Some((25, "more than six parameters"))
    } else if proto.target_id().is_some_and(is_aggregate) {
        Some((10, "returns a struct"))
    } else if params.iter().any(|param| is_aggregate(param.type_id)) {
        Some((20, "takes a struct"))
    } else {
        None
    }
}

/// Other hooks with their classes.
pub fn hooks(surface: &Surface) -> Vec<Try> {
    let mut chosen = Vec::new();
    let mut add = |what: &'static str, class: &'static str, count: usize, names: Vec<String>| {
        chosen.extend(smallest(names, count).into_iter().map(|name| Try { what, name, class }));
    };
    let all: Vec<_> = surface.tracepoints().collect();
    let events = all.iter().filter(|it| it.has_event());
    let events: Vec<String> =
        events.filter_map(|it| Some(format!("{}:{}", it.system()?, it.name()))).collect();
    let gone = |names: &[String]| names.iter().map(|name| format!("{name}_is_not_there")).collect();
    add("event", "event, made up", 5, gone(&events));
    add("event", "event", 40, events);
    let calls = surface.syscall_events();
    let calls = calls.iter().map(|event| format!("syscalls:{}", event.name()));
    add("event", "event of a system call", 25, calls.collect());
    // A call of another architecture, and those that are in the table without being implemented.
    let absent = surface.syscalls().filter(|call| !call.is_implemented() && !call.name().is_empty());
    add(
        "event",
        "event of a missing system call",
        10,
        absent.map(|call| format!("syscalls:sys_enter_{}", call.name())).collect(),
    );
    let names: Vec<String> = all.iter().map(|it| it.name().to_owned()).collect();
    for (what, class, made_up) in
        [("raw_tp", "raw tracepoint", "raw tracepoint, made up"), ("tp_btf", "tp_btf", "tp_btf, made up")]
    {
        add(what, made_up, 5, gone(&names));
        add(what, class, 40, names.clone());
    }
    let names: Vec<String> = surface.lsm_hooks().map(|hook| hook.name().to_owned()).collect();
    for (what, class) in [("lsm", "LSM hook"), ("lsm.s", "LSM hook, sleepable")] {
        add(what, class, 60, names.clone());
    }
    chosen
}

/// The names with the smallest hashes, in the order of names.
fn smallest(names: Vec<String>, count: usize) -> Vec<String> {
    let mut keyed: Vec<(u64, String)> = names.into_iter().map(|name| (hash(&name), name)).collect();
    keyed.sort();
    keyed.dedup();
    keyed.truncate(count);
    let mut chosen: Vec<String> = keyed.into_iter().map(|(_, name)| name).collect();
    chosen.sort();
    chosen
}

/// FNV-1a, which is the same everywhere.
fn hash(name: &str) -> u64 {
    let start = 0xcbf2_9ce4_8422_2325 ^ SEED;
    let mixed =
        name.bytes().fold(start, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    // The last bytes of names, which are alike, reach the upper half only.
    mixed ^ mixed >> 32
}

/// An object with a program for each attempt, in this order: so that predictions go the way of every other object.
pub fn object(tries: &[Try], big_endian: bool) -> Vec<u8> {
    let mut object = Written::new(if big_endian { Endian::Big } else { Endian::Little });
    for (number, attempt) in tries.iter().enumerate() {
        object.program(&attempt.section(), &format!("p{number}"), [Insn::mov(0, 0), Insn::exit()]);
    }
    object.license("GPL");
    object.build()
}

/// The attempt that a program of such an object stands for.
pub fn of_program<'t>(tries: &'t [Try], program: &str) -> Option<&'t Try> {
    tries.get(program.strip_prefix('p')?.parse::<usize>().ok()?)
}

/// Checks that an object of attempts has a program for each.
pub fn is_whole(tries: &[Try], object: &Object<'_>) -> bool {
    object.programs().count() == tries.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_does_not_depend_on_the_order() {
        let names: Vec<String> = (0..100).map(|number| format!("function_{number}")).collect();
        let chosen = smallest(names.clone(), 10);
        assert_eq!(chosen.len(), 10);
        assert_eq!(smallest(names.into_iter().rev().collect(), 10), chosen);
    }

    #[test]
    fn attempts_become_programs() {
        let attempt = |what, name: &str| Try { what, name: name.into(), class: "global" };
        let tries = [attempt("kprobe", "a.isra.0"), attempt("sleepable", "b"), attempt("event", "sched:x")];
        let bytes = object(&tries, false);
        let object = Object::parse(&bytes).unwrap();
        assert!(is_whole(&tries, &object));
        let sections: Vec<&str> = object.programs().map(|program| program.sec.written).collect();
        assert_eq!(sections, ["kprobe/a.isra.0", "fentry.s/b", "tp/sched/x"]);
        assert_eq!(of_program(&tries, "p1"), Some(&tries[1]));
    }
}
