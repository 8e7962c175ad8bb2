//! `depsurf doctor` on a made tree of system files, against a kernel of the starter dataset.

mod common;

use std::fs;
use std::path::Path;

use common::Home;
use serde_json::Value;
use testkit::Endian;
use testkit::bpf::{Insn, Object};

/// The configuration of a system for amd64.
const CONFIG: &str = "#\n# Linux/x86 6.1 Kernel Configuration\n#\nCONFIG_64BIT=y\nCONFIG_KPROBE_EVENTS=y\n";

/// A system that says it runs the starter dataset's 6.1 kernel for amd64, and has few of its functions.
fn tree(home: &Home) -> String {
    let root = home.path().join("root");
    for (path, text) in [
        ("proc/version", "Linux version 6.1.0-50-cloud-amd64 (build@host) (gcc) #1 SMP\n"),
        ("boot/config-6.1.0-50-cloud-amd64", CONFIG),
        ("proc/kallsyms", "ffffffff81000000 T vfs_read\nffffffff81000010 T vfs_open\n"),
        ("sys/kernel/tracing/available_filter_functions", "vfs_read\nvfs_open\n"),
        ("sys/kernel/tracing/events/sched/sched_switch/enable", "0\n"),
        ("sys/kernel/tracing/events/sched/sched_switch/format", "name: sched_switch\nID: 314\n"),
        ("sys/kernel/debug/kprobes/blacklist", ""),
    ] {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    root.to_str().unwrap().to_owned()
}

fn object(path: &Path, programs: &[(&str, &str)]) -> String {
    let mut object = Object::new(Endian::Little);
    for (section, name) in programs {
        object.program(section, name, [Insn::mov(0, 0), Insn::exit()]);
    }
    object.license("GPL");
    let path = path.join("object.bpf.o");
    fs::write(&path, object.build()).unwrap();
    path.to_str().unwrap().to_owned()
}

/// Whether a page has a line with these words, whatever is between them.
fn has_line(page: &str, words: &str) -> bool {
    page.lines().any(|line| line.split_whitespace().collect::<Vec<_>>().join(" ").starts_with(words))
}

#[test]
fn predicted_and_observed_stand_beside_each_other() {
    let home = Home::new();
    let root = tree(&home);
    let programs = [
        ("kprobe/vfs_read", "both"),
        ("kprobe/no_such_function", "neither"),
        ("kprobe/vfs_write", "predicted"),
        ("tp/sched/sched_switch", "event"),
        ("fentry/vfs_read", "untold"),
        ("kprobe", "bare"),
    ];
    let file = object(home.path(), &programs);
    let ran = home.run(&["doctor", &file, "--root", &root, "--format", "json"]);
    assert_eq!(ran.status, Some(1), "{ran:?}");
    let told: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(told["predicted_from"], "`6.1.176-50-cloud-amd64` of the dataset");
    let found: Vec<[String; 4]> = told["objects"][0]["programs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| {
            ["name", "predicted", "agrees"].map(|key| &it[key]).into_iter().chain([&it["observed"]["state"]])
        })
        .map(|cells| cells.map(|cell| cell.to_string().replace('"', "")).collect::<Vec<_>>())
        .map(|cells| cells.try_into().unwrap())
        .collect();
    for (program, expected) in found.iter().zip([
        ["both", "fine", "true", "there"],
        ["neither", "attach-fails", "true", "missing"],
        ["predicted", "fine", "false", "missing"],
        ["event", "fine", "true", "there"],
        // There is no BTF in the tree, which is not known to be absent.
        ["untold", "fine", "null", "unknown"],
        ["bare", "unknown", "null", "null"],
    ]) {
        assert_eq!(program, &expected);
    }

    let page = home.run(&["doctor", &file, "--root", &root]).stdout;
    for words in [
        "kernel BTF unknown: there is no `/sys/kernel/btf/vmlinux`",
        "predicted fine missing differs kprobe/vfs_write",
        "no one symbol `vfs_write` in kallsyms",
    ] {
        assert!(has_line(&page, words), "{words}: {page}");
    }

    // All that is looked for is there.
    let file = object(home.path(), &programs[..1]);
    assert_eq!(home.run(&["doctor", &file, "--root", &root]).status, Some(0));
}

#[test]
fn without_files_only_the_system_is_told() {
    let home = Home::new();
    let root = tree(&home);
    let ran = home.run(&["doctor", "--root", &root]);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    assert!(ran.stdout.starts_with("System\n") && ran.stdout.contains("2 symbols"), "{}", ran.stdout);
    assert!(!ran.stdout.contains("predicted"), "{}", ran.stdout);
}

/// Without BTF it tells little of itself: not even which programs it takes.
#[test]
fn a_kernel_that_is_not_in_the_dataset_is_its_own_prediction() {
    let home = Home::new();
    let root = tree(&home);
    let version = "Linux version 6.99.0-1-amd64 (build@host) (gcc) #1 SMP Debian 6.99.1-1\n";
    fs::write(Path::new(&root).join("proc/version"), version).unwrap();
    let config = Path::new(&root).join("boot/config-6.1.0-50-cloud-amd64");
    fs::rename(config, Path::new(&root).join("boot/config-6.99.0-1-amd64")).unwrap();
    let file = object(home.path(), &[("kprobe/vfs_read", "both"), ("?kprobe/no_such_function", "neither")]);
    let ran = home.run(&["doctor", &file, "--root", &root]);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    assert!(ran.stdout.contains("predicted from what the kernel tells of itself"), "{}", ran.stdout);
    assert!(has_line(&ran.stdout, "neither? unknown missing ?kprobe/no_such_function"), "{}", ran.stdout);
}

#[test]
fn nothing_can_be_said_of_a_place_that_is_no_system() {
    let home = Home::new();
    let said = home.run(&["doctor", "--root", "/nowhere"]).failed();
    assert!(said.contains("proc/version"), "{said}");
}
