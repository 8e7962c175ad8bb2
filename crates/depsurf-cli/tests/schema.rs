//! `depsurf schema`: what is printed as JSON is what the schema says.

mod common;

use std::fs;

use common::Home;
use depsurf::store::Dataset;
use serde_json::Value;

/// The schema of a verb's JSON, with properties that it does not name forbidden.
fn strict(home: &Home, what: &str) -> Value {
    let mut schema: Value = serde_json::from_str(&home.run(&["schema", what]).fine()).unwrap();
    for definition in schema["$defs"].as_object_mut().unwrap().values_mut() {
        if definition["type"] == "object" {
            definition["unevaluatedProperties"] = false.into();
        }
    }
    schema
}

/// What is wrong with the JSON that a command prints.
fn breaches(home: &Home, schema: &Value, command: &[&str]) -> Vec<String> {
    let ran = home.run(&[command, &["--format", "json", "-q"]].concat());
    let printed: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{command:?}: {ran:?}"));
    assert!(printed["schema"].is_u64(), "{command:?}");
    let validator = jsonschema::validator_for(schema).unwrap();
    validator
        .iter_errors(&printed)
        .map(|error| format!("{command:?}: {error} at {}", error.instance_path()))
        .collect()
}

/// One thing of every kind, all of which some starter kernel has.
const THINGS: [[&str; 2]; 12] = [
    ["function", "vfs_read"],
    ["function", "get_order"],
    ["function", "bpf_prog_get"],
    ["struct", "task_struct"],
    ["union", "bpf_attr"],
    ["enum", "bpf_prog_type"],
    ["field", "sk_buff::dev"],
    ["tracepoint", "sched_switch"],
    ["lsm", "file_open"],
    ["kfunc", "bpf_task_acquire"],
    ["syscall", "openat"],
    ["config", "CONFIG_BPF"],
];

/// An object that depends on much.
const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../example/readlat.bpf.o");

/// The command of every verb but `show` that prints JSON.
const COMMANDS: [&[&str]; 11] = [
    &["list"],
    &["info", common::A],
    &["diff", common::A, common::B, "--grep", "^(vfs_|task_|sched_|CONFIG_B|bpf_)"],
    &["diff"],
    &["doctor"],
    &["doctor", EXAMPLE],
    &["log", "function", "vfs_read"],
    &["log", "struct", "task_struct"],
    &["log", "kfunc", "bpf_task_acquire"],
    &["search", "vfs read"],
    &["search", "there is nothing like this"],
];

/// Checks what all verbs print of the dataset of a home.
fn check(home: &Home, things: impl Iterator<Item = [&'static str; 2]>) {
    for command in COMMANDS {
        assert_eq!(breaches(home, &strict(home, command[0]), command), [""; 0]);
    }
    let schema = strict(home, "show");
    for [kind, name] in things {
        assert_eq!(breaches(home, &schema, &["show", kind, name]), [""; 0]);
    }
}

#[test]
fn what_is_printed_of_real_kernels_is_valid() {
    check(&Home::new(), THINGS.into_iter());
}

#[test]
fn what_is_printed_of_small_kernels_with_unknown_facts_is_valid() {
    let home = Home::with_dataset();
    let image = testkit::kernel::Kernel::sample(testkit::elf::Machine::X86_64, testkit::Target::LE64);
    fs::write(home.path().join("vmlinux"), image.build().bytes()).unwrap();
    home.run(&["add", "-q", "vmlinux"]).fine();
    assert_eq!(Dataset::open(home.dataset()).unwrap().list().unwrap().entries.len(), 3);
    let functions =
        [["function", "vfs_read"], ["function", "account_slab"], ["kfunc", "cubictcp_init"]].into_iter();
    check(&home, functions.chain(THINGS.into_iter().filter(|[kind, _]| *kind != "function")));
}

#[test]
fn what_is_printed_without_debug_information_is_valid() {
    let home = Home::new();
    let root = home.path().join("machine");
    fs::create_dir_all(root.join("proc")).unwrap();
    let version = "Linux version 6.1.0-50-cloud-amd64 (a@b) (gcc) #1 SMP Debian 6.1.176-1 (2026)\n";
    fs::write(root.join("proc/version"), version).unwrap();
    fs::write(root.join("proc/kallsyms"), "ffffffff81000010 T vfs_read\n").unwrap();
    home.run(&["add", "-q", "--live", "--root", "machine", "--name", "6.1.176-50-cloud-amd64"]).fine();
    let schema = strict(&home, "show");
    for name in ["vfs_read", "no_such"] {
        let command = ["show", "function", name];
        assert!(home.run(&[&command[..], &["--format", "json"]].concat()).fine().contains("\"outline\": {"));
        assert_eq!(breaches(&home, &schema, &command), [""; 0]);
    }
}

#[test]
fn what_is_not_of_the_schema_is_refused() {
    let home = Home::with_dataset();
    let schema = strict(&home, "show");
    let validator = jsonschema::validator_for(&schema).unwrap();
    let page = home.run(&["show", "function", "vfs_read", "--format", "json"]).stdout;
    let page: Value = serde_json::from_str(&page).unwrap();
    assert!(validator.is_valid(&page));
    let refused = |change: &dyn Fn(&mut Value)| {
        let mut changed = page.clone();
        change(&mut changed);
        !validator.is_valid(&changed)
    };
    assert!(refused(&|page| drop(page.as_object_mut().unwrap().remove("schema"))));
    assert!(refused(&|page| page["more"] = 1.into()));
    assert!(refused(&|page| page["kind"] = "thing".into()));
    assert!(refused(&|page| page["groups"][0]["kernels"][0]["state"] = "gone".into()));
    assert!(refused(&|page| page["groups"][0]["kernels"][0]["facts"]["issues"] = "none".into()));
    assert!(refused(
        &|page| page["groups"][0]["kernels"][0]["facts"]["attach"]["kprobe"]["answer"] = "no?".into()
    ));
}

/// Properties without a description, below a schema.
fn undocumented(schema: &Value, place: &str, found: &mut Vec<String>) {
    match schema {
        Value::Object(map) => {
            for (name, property) in map.get("properties").and_then(Value::as_object).into_iter().flatten() {
                // The word that tells alternatives apart is described by the alternative.
                let is_tag = property.get("const").is_some() && map.contains_key("description");
                if property.get("description").is_none() && !is_tag {
                    found.push(format!("{place}/{name}"));
                }
            }
            map.iter().for_each(|(key, inner)| undocumented(inner, &format!("{place}/{key}"), found));
        }
        Value::Array(list) => list.iter().for_each(|inner| undocumented(inner, place, found)),
        _ => {}
    }
}

#[test]
fn every_property_is_documented() {
    let home = Home::new();
    let printed = home.run(&["schema"]).fine();
    assert_eq!(home.run(&["schema"]).fine(), printed);
    let schema: Value = serde_json::from_str(&printed).unwrap();
    assert!(jsonschema::meta::is_valid(&schema));
    let mut found = Vec::new();
    undocumented(&schema, "", &mut found);
    assert_eq!(found, [""; 0]);
    assert!(
        !printed.contains("`None`") && !printed.contains("[`"),
        "JSON has neither `None` nor links to Rust"
    );
    let defined: Vec<&String> = schema["$defs"].as_object().unwrap().keys().collect();
    assert!(defined.iter().all(|name| !name.ends_with(|last: char| last.is_ascii_digit())), "{defined:?}");
    for alternative in schema["anyOf"].as_array().unwrap() {
        let name = alternative["$ref"].as_str().unwrap().rsplit('/').next().unwrap();
        let required = schema["$defs"][name]["required"].as_array().unwrap();
        assert!(required.contains(&"schema".into()), "`{name}` has no schema number");
    }
    let told = home.run(&["schema", "add"]);
    assert_eq!(told.status, Some(2), "{told:?}");
}
