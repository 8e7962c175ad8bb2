//! Pages over kernels of several word sizes and byte orders, and over kernels of which not everything is known:
//! what is not there, and what was not read, are told apart.

mod common;

use std::fs;

use common::{Home, surface_with};
use depsurf::store::Dataset;
use depsurf::surface::{Evidence, Fact};
use testkit::Target;
use testkit::elf::Machine;
use testkit::kernel::Kernel;

/// Sample kernels of 64 and 32 bits and of both byte orders.
fn home() -> Home {
    let home = Home::new();
    for (name, machine, target) in [
        ("6.1.0-50-generic-amd64", Machine::X86_64, Target::LE64),
        ("6.1.0-50-generic-i386", Machine::I386, Target::LE32),
        ("6.1.0-50-generic-s390x", Machine::S390, Target::BE64),
    ] {
        let bytes = Kernel::sample(machine, target).build().bytes();
        fs::write(home.path().join("vmlinux"), bytes).unwrap();
        home.run(&["add", "vmlinux", "--name", name]);
    }
    home
}

/// The same, and one of which no more than functions and symbols is known.
fn home_with_a_poor_kernel() -> Home {
    let home = home();
    let poor = surface_with("5.10.0-32-generic-amd64", |meta| {
        meta.evidence.insert(Fact::Symbols, Evidence::known(".symtab"));
    });
    Dataset::open(home.dataset()).unwrap().add(&poor).unwrap();
    home
}

#[test]
fn every_kind_is_shown() {
    let home = home_with_a_poor_kernel();
    let shown = [
        "function vfs_read",
        "struct task_struct",
        "field task_struct::parent",
        "enum bpf_func_id",
        "tracepoint sched_switch",
        "lsm file_open",
        "kfunc cubictcp_init",
        "syscall openat",
        "config CONFIG_BPF",
    ];
    let page = |what: &&str| {
        let arguments: Vec<&str> = ["show"].into_iter().chain(what.split(' ')).collect();
        home.run(&arguments).fine()
    };
    insta::assert_snapshot!(shown.iter().map(page).collect::<Vec<_>>().join("\n"));
}

#[test]
fn what_was_not_read_is_not_absent() {
    let home = home_with_a_poor_kernel();
    let mut told = String::new();
    for what in [
        "function no_such",
        "struct no_such",
        "field task_struct::no_such",
        "tracepoint no_such",
        "lsm no_such",
        "kfunc no_such",
        "syscall no_such",
        "config CONFIG_NO_SUCH",
    ] {
        let arguments: Vec<&str> = ["show"].into_iter().chain(what.split(' ')).collect();
        let ran = home.run(&arguments);
        told += &format!("$ {}\n{}{}", arguments.join(" "), ran.stdout, ran.stderr);
    }
    insta::assert_snapshot!(told);
}

/// Where nothing is like the name, there is nothing to note.
#[test]
fn a_note_says_something() {
    let home = home_with_a_poor_kernel();
    for (name, notes) in [("qqqqqqqq", 0), ("task_strukt", 1)] {
        let ran = home.run(&["show", "struct", name, "-v"]);
        let told: Vec<&str> = ran.stderr.lines().filter(|line| line.starts_with("note:")).collect();
        assert!(told.iter().all(|line| line.trim_end() != "note:"), "{ran:?}");
        assert_eq!(told.len(), notes, "{ran:?}");
    }
}

#[test]
fn a_name_without_its_kind_is_told() {
    let home = home();
    let mut told = String::new();
    for arguments in [
        &["show", "vfs_read"][..],
        &["show", "sched_switch"],
        &["show", "no_such"],
        &["show", "fonction", "vfs_read"],
        &["show", "function"],
        &["show", "function", ""],
        &["show", "function", "task_struct"],
        &["show", "struct", "vfs_read"],
        &["show", "field", "task_struct"],
        &["show", "field", "file_open"],
        &["show", "lsm", "security_file_open"],
        &["show", "syscall", "__x64_sys_openat"],
        &["show", "kfunc", "vfs_read", "--kernel", "6.1:amd64"],
    ] {
        told += &format!("$ depsurf {}\n{}", arguments.join(" "), home.run(arguments).failed());
    }
    insta::assert_snapshot!(told);
}
