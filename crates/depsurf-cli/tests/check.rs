//! `depsurf check` and `depsurf deps` on objects that testkit builds, against the real kernels of the starter dataset.

mod common;

use std::fs;
use std::path::PathBuf;

use common::Home;
use serde_json::Value;
use testkit::Endian;
use testkit::bpf::{CoreRelocation, Insn, Object};
use testkit::btf::{Btf, Encoding, Member};

/// Programs of the object, by what is wrong with them: section, name.
const PROGRAMS: [(&str, &str); 16] = [
    ("kprobe/vfs_read", "present"),
    ("kprobe/no_such_function", "gone"),
    ("kprobe/blk_account_io_start", "moves"),
    ("kretprobe/vfs_read", "on_return"),
    ("fentry/vfs_read", "traced"),
    ("fmod_ret/vfs_read", "modifies"),
    ("fentry.s/vfs_read", "sleeps"),
    ("tp/sched/sched_switch", "event"),
    ("tracepoint/syscalls/sys_enter_openat", "call"),
    ("tracepoint/syscalls/sys_enter_nothing", "no_call"),
    ("raw_tp/sched_switch", "raw"),
    ("tp_btf/no_such_event", "no_event"),
    ("lsm/file_open", "hook"),
    ("kprobe", "bare"),
    ("?kprobe/no_such_function", "off"),
    ("ksyscall/openat", "syscall"),
];

/// An object with these programs, and `fields`, which reads `task_struct::state` and, where that is, `__state`.
fn object(endian: Endian) -> Vec<u8> {
    let mut object = Object::new(endian);
    for (section, name) in PROGRAMS {
        object.program(section, name, [Insn::mov(0, 0), Insn::exit()]);
    }
    let mut types = Btf::new(endian);
    let int = types.int("unsigned int", 4, Encoding::Unsigned);
    let old = types.structure("task_struct___old", 4, [Member::new("state", int, 0)]);
    let new = types.structure("task_struct", 4, [Member::new("__state", int, 0)]);
    // r1 = exists(__state); if r1 == 0 goto +2; r2 = offset of __state; goto +1; r2 = offset of state; exit
    let jump = |opcode, dst, offset| Insn { opcode, dst, offset, ..Insn::default() };
    let guarded = [
        Insn::mov(1, 1),
        jump(0x15, 1, 2),
        Insn::mov(2, 0),
        jump(0x05, 0, 1),
        Insn::mov(2, 0),
        Insn::mov(0, 0),
        Insn::exit(),
    ];
    object.program("kprobe/vfs_write", "guarded", guarded);
    object.program("kprobe/vfs_write", "unguarded", [Insn::mov(2, 0), Insn::mov(0, 0), Insn::exit()]);
    let section = "kprobe/vfs_write";
    let relocations =
        [(0, new, "0:0", 2), (2, new, "0:0", 0), (4, old, "0:0", 0), (guarded.len() as u32, old, "0:0", 0)];
    for (slot, type_id, access, kind) in relocations {
        let (section, access) = (section.to_owned(), access.to_owned());
        object.ext.relocations.push(CoreRelocation { section, offset: 8 * slot, type_id, access, kind });
    }
    object.btf = Some(types);
    object.license("GPL");
    object.build()
}

fn written(home: &Home, bytes: &[u8]) -> PathBuf {
    let path = home.path().join("object.bpf.o");
    fs::write(&path, bytes).unwrap();
    path
}

fn checked(home: &Home, arguments: &[&str]) -> (Option<i32>, Value) {
    let path = written(home, &object(Endian::Little));
    let all = [&["check", path.to_str().unwrap(), "--format", "json"], arguments].concat();
    let ran = home.run(&all);
    (ran.status, serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran:?}")))
}

/// The word of each kernel for a program, and its first rule.
fn verdicts(report: &Value, program: &str) -> Vec<(String, String)> {
    let programs = report["objects"][0]["programs"].as_array().unwrap();
    let found = programs.iter().find(|it| it["name"] == program).unwrap();
    let of = |verdict: &Value| {
        let rule = verdict["findings"][0]["rule"].as_str().unwrap_or("").to_owned();
        (verdict["consequence"].as_str().unwrap().to_owned(), rule)
    };
    found["verdicts"].as_array().unwrap().iter().map(of).collect()
}

/// What `submit_bio` returned until 5.10, and `do_unlinkat` returns as `long` there and as `int` later.
#[test]
fn what_functions_return_is_compared() {
    let home = Home::new();
    let mut object = Object::new(Endian::Little);
    let reads = |offset| [Insn::load(2, 1, offset), Insn::mov(0, 0), Insn::exit()];
    // `ax` in the `struct pt_regs` of x86; the place behind one argument.
    object.program("kretprobe/submit_bio", "in_register", reads(80));
    object.program("kretprobe/submit_bio", "elsewhere", reads(112));
    object.program("fexit/submit_bio", "behind", reads(8));
    object.program("fexit/submit_bio", "argument", reads(0));
    object.program("kretprobe/do_unlinkat", "wider", reads(80));
    object.license("GPL");
    let path = written(&home, &object.build());
    let ran =
        home.run(&["check", path.to_str().unwrap(), "--format", "json", "--kernel", "5.10..6.12:amd64"]);
    let report: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran:?}"));
    let word = |program: &str| -> Vec<String> {
        verdicts(&report, program)
            .into_iter()
            .map(|(consequence, rule)| format!("{consequence} {rule}"))
            .collect()
    };
    for (program, old, new) in [
        ("in_register", "fine ", "reads-wrong return-gone"),
        ("elsewhere", "fine ", "fine "),
        ("behind", "fine ", "load-fails return-gone"),
        ("argument", "fine ", "fine "),
        ("wider", "reads-wrong return-changed", "fine "),
    ] {
        assert_eq!(word(program), [old, new, new], "{program}");
    }
}

/// Each loader's words for what is found lead `explain` back to the rule.
#[test]
fn predicted_words_are_understood() {
    let home = Home::new();
    let (_, report) = checked(&home, &[]);
    let mut count = 0;
    for program in report["objects"][0]["programs"].as_array().unwrap() {
        for verdict in program["verdicts"].as_array().unwrap() {
            for finding in verdict["findings"].as_array().unwrap() {
                let rule = finding["rule"].as_str().unwrap();
                let of_others = finding["loaders"].as_array().into_iter().flatten();
                let said = of_others.map(|said| &said["message"]).chain([&finding["message"]]);
                for message in said.filter_map(Value::as_str) {
                    let known = depsurf::check::messages(message);
                    let rules: Vec<&str> = known.iter().flat_map(|it| &it.rules).map(|it| it.id()).collect();
                    // What the system's own words say of an error alone tells no cause.
                    if message == "Invalid argument" {
                        continue;
                    }
                    assert!(rules.contains(&rule), "{message}: {rules:?}, not {rule}");
                    count += 1;
                }
            }
        }
    }
    assert!(count > 40, "{count}");
}

#[test]
fn each_hook_is_judged_on_each_kernel() {
    let home = Home::new();
    let (status, report) = checked(&home, &["--kernel", "amd64"]);
    assert_eq!(status, Some(1));
    let kernels = report["kernels"].as_array().unwrap();
    assert_eq!(kernels.len(), 4, "{kernels:?}");
    let all = |consequence: &str, rule: &str| vec![(consequence.to_owned(), rule.to_owned()); 4];
    let fine = || all("fine", "");
    for program in ["present", "on_return", "traced", "event", "call", "raw", "syscall"] {
        assert_eq!(verdicts(&report, program), fine(), "{program}");
    }
    assert_eq!(verdicts(&report, "gone"), all("attach-fails", "no-symbol"));
    assert_eq!(verdicts(&report, "off"), all("attach-fails", "no-symbol"));
    assert_eq!(verdicts(&report, "modifies"), all("load-fails", "not-modifiable"));
    assert_eq!(verdicts(&report, "sleeps"), all("load-fails", "not-sleepable"));
    assert_eq!(verdicts(&report, "no_call"), all("attach-fails", "no-syscall-event"));
    assert_eq!(verdicts(&report, "no_event"), all("load-fails", "no-btf-trace"));
    assert_eq!(verdicts(&report, "bare"), all("unknown", "target-chosen-by-loader"));
    // Debian's CONFIG_LSM has had `bpf` in its list since 6.1.
    let active = verdicts(&report, "hook");
    assert_eq!(active[0], ("misses-events".into(), "bpf-lsm-inactive".into()));
    assert_eq!(active[1..], fine()[1..]);
    let moves = verdicts(&report, "moves");
    let rules: Vec<&str> = moves.iter().map(|(_, rule)| rule.as_str()).collect();
    assert_eq!(rules, ["", "fully-inlined", "no-ftrace-site", "no-ftrace-site"]);
}

#[test]
fn a_field_behind_a_test_does_no_harm() {
    let home = Home::new();
    let (_, report) = checked(&home, &["--kernel", "amd64"]);
    assert!(verdicts(&report, "guarded").iter().all(|(word, _)| word == "fine"));
    let rules: Vec<String> = verdicts(&report, "unguarded").into_iter().map(|(_, rule)| rule).collect();
    assert_eq!(rules, ["", "field-absent", "field-absent", "field-absent"]);
    let programs = report["objects"][0]["programs"].as_array().unwrap();
    let guarded = programs.iter().find(|it| it["name"] == "guarded").unwrap();
    let told = |kernel: usize| {
        let list = guarded["verdicts"][kernel]["relocations"].as_array().unwrap();
        list.iter().map(|it| (it["value"].as_u64(), it["reached"].as_bool().unwrap())).collect::<Vec<_>>()
    };
    // 5.10 has `state`, 6.1 has `__state`; what is not reached may be anything.
    assert_eq!(told(0), [(Some(0), true), (None, false), (Some(16), true)]);
    assert_eq!(told(1), [(Some(1), true), (Some(24), true), (None, false)]);
}

#[test]
fn one_failing_program_fails_the_object_unless_it_is_off() {
    let home = Home::new();
    let (_, report) = checked(&home, &["--kernel", "6.1.176-50-cloud-amd64"]);
    let whole = &report["objects"][0]["whole"][0];
    assert_eq!(whole["consequence"], "load-fails");
    let failing: Vec<&str> = whole["failing"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert!(
        failing.contains(&"gone") && !failing.contains(&"off") && !failing.contains(&"bare"),
        "{failing:?}"
    );
}

#[test]
fn the_status_follows_the_level() {
    let home = Home::new();
    let only = |level| checked(&home, &["--kernel", "6.1.176-50-cloud-amd64", "--fail-on", level]).0;
    assert_eq!([only("attach-fails"), only("load-fails"), only("object-fails")], [Some(1), Some(1), Some(0)]);
    let ran = home.run(&["check", "object.bpf.o", "--fail-on", "badly"]);
    assert_eq!(ran.status, Some(2));
}

#[test]
fn the_other_byte_order_is_refused() {
    let home = Home::new();
    let path = written(&home, &object(Endian::Big));
    let ran = home.run(&["check", path.to_str().unwrap(), "--kernel", "6.1.176-50-cloud-amd64"]);
    assert_eq!(ran.status, Some(1));
    assert!(ran.stdout.contains("wrong-machine `byte order`"), "{}", ran.stdout);
}

#[test]
fn tables_say_the_same_as_json() {
    let home = Home::new();
    let path = written(&home, &object(Endian::Little));
    let path = path.to_str().unwrap();
    let table = home.run(&["check", path, "--kernel", "amd64"]).stdout;
    let row = |name: &str| {
        let line = table.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{table}"));
        line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).skip(1).collect::<Vec<_>>().join("|")
    };
    // Kernels that agree on all programs share a column.
    assert_eq!(row("gone"), "no attach|no attach");
    assert_eq!(row("moves"), "fine|no attach");
    assert_eq!(row("off?"), "no attach|no attach");
    let md = home.run(&["check", path, "--kernel", "amd64", "--format", "md"]).stdout;
    assert!(
        md.contains("| `gone` | ❌ no attach |") && md.contains("### no-symbol `no_such_function`"),
        "{md}"
    );
}

#[test]
fn files_without_objects_and_damaged_ones_are_told_of() {
    let home = Home::new();
    let path = written(&home, b"nothing");
    let told = home.run(&["check", path.to_str().unwrap()]).failed();
    assert!(told.contains("has no eBPF object"), "{told}");
    let gone = home.run(&["deps", "nowhere.o"]).failed();
    assert!(gone.contains("cannot read `nowhere.o`"), "{gone}");
    let whole = object(Endian::Little);
    for cut in [64, whole.len() / 2, whole.len() - 1] {
        let path = written(&home, &whole[..cut]);
        let ran = home.run(&["deps", path.to_str().unwrap()]);
        assert_eq!(ran.status, Some(2), "{cut}: {ran:?}");
    }
}

#[test]
fn deps_lists_what_an_object_asks_for() {
    let home = Home::new();
    // Inside of something else.
    let inside =
        [b"#!/bin/sh\n".as_slice(), &object(Endian::Little), &object(Endian::Little), b"end"].concat();
    let path = written(&home, &inside);
    let path = path.to_str().unwrap();
    let json: Value = serde_json::from_str(&home.run(&["deps", path, "--format", "json"]).fine()).unwrap();
    let objects = json["objects"].as_array().unwrap();
    assert_eq!(objects.len(), 2);
    assert_eq!((&objects[0]["name"], &objects[0]["offset"]), (&"object.bpf.o#1".into(), &10.into()));
    let guarded =
        objects[1]["programs"].as_array().unwrap().iter().find(|it| it["name"] == "guarded").unwrap();
    let asked: Vec<(&str, &str)> = guarded["types"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| (it["path"].as_str().unwrap(), it["kind"].as_str().unwrap()))
        .collect();
    let (new, old) = ("task_struct::__state", "task_struct::state");
    assert_eq!(asked, [(new, "field_exists"), (new, "byte_off"), (old, "byte_off")]);
    let table = home.run(&["deps", path]).fine();
    assert!(table.contains("task_struct::__state  field_exists, byte_off"), "{table}");
}

#[test]
fn json_is_what_the_schema_says() {
    let home = Home::new();
    let path = written(&home, &object(Endian::Little));
    for verb in ["check", "deps"] {
        let schema: Value = serde_json::from_str(&home.run(&["schema", verb]).fine()).unwrap();
        let mut strict = schema.clone();
        for definition in strict["$defs"].as_object_mut().unwrap().values_mut() {
            if definition["type"] == "object" {
                definition["unevaluatedProperties"] = false.into();
            }
        }
        let validator = jsonschema::validator_for(&strict).unwrap();
        let printed = home.run(&[verb, path.to_str().unwrap(), "--format", "json"]).stdout;
        let printed: Value = serde_json::from_str(&printed).unwrap();
        let errors: Vec<String> = validator.iter_errors(&printed).map(|error| error.to_string()).collect();
        assert_eq!(errors, [""; 0]);
    }
}

#[test]
fn every_rule_is_explained() {
    let home = Home::new();
    let list = home.run(&["explain"]).fine();
    let ids: Vec<&str> = list.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert!(ids.len() > 40, "{ids:?}");
    for id in &ids {
        let told = home.run(&["explain", id]).fine();
        assert!(told.starts_with(&format!("{id}: ")) && told.contains("\nsource "), "{told}");
        assert!(id.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'), "{id}");
    }
    let mut unique = ids.clone();
    unique.sort_unstable();
    unique.dedup();
    assert_eq!(unique.len(), ids.len());
    let told = home.run(&["explain", "nothing"]).failed();
    assert!(told.contains("unknown rule `nothing`"), "{told}");
}

#[test]
fn a_message_is_traced_to_its_cause() {
    let home = Home::new();
    let path = written(&home, &object(Endian::Little));
    let kernel = ["--kernel", "6.1.176-50-cloud-amd64"];
    let said = "failed to create kprobe 'blk_account_io_start+0x0' perf event: No such file or directory";
    let alone = home.run(&["explain", said]).fine();
    assert!(alone.contains("no-symbol `blk_account_io_start`") && alone.contains("fully-inlined"), "{alone}");
    let object = ["--object", path.to_str().unwrap()];
    let found = home.run(&[&["explain", said][..], &object, &kernel].concat()).fine();
    assert!(
        found.contains("fully-inlined `blk_account_io_start`") && !found.contains("no-symbol"),
        "{found}"
    );
    assert!(found.contains("way out: hook what has it"), "{found}");
    let core = "libbpf: prog 'unguarded': relo #0: failed to resolve CO-RE relocation <byte_off> [3] \
                struct task_struct___old.state (0:0 @ offset 0)";
    let found = home.run(&[&["explain", core][..], &object, &kernel].concat()).fine();
    assert!(found.contains("field-absent `task_struct::state`"), "{found}");
    assert!(found.contains("the member is called `__state` here"), "{found}");
    let nothing = home.run(&["explain", "all is well"]).failed();
    assert!(nothing.contains("no message that is known"), "{nothing}");
}
