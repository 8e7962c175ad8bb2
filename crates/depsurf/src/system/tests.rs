use std::fs;
use std::path::Path;

use tempfile::TempDir;
use testkit::Endian;
use testkit::btf::{Btf as Types, Encoding, Linkage};

use super::*;
use crate::bpf::Sec;

/// A tree of system files.
struct Tree(TempDir);

impl Tree {
    fn new() -> Self {
        let tree = Self(tempfile::tempdir().unwrap());
        tree.file("proc/version", "Linux version 6.1.0-50-cloud-amd64 (build@host) (gcc) #1 SMP\n");
        tree.file(
            "proc/kallsyms",
            "ffffffff81000000 T vfs_read\nffffffff81000010 t twice\nffffffff81000020 t twice\n\
             ffffffff81000030 t part.isra.0\nffffffff81000040 D data\nffffffff81000050 T __x64_sys_bpf\n\
             ffffffff81000060 T __x64_sys_openat\nffffffff81000070 t denied\nffffffffc0000000 t of_module\t[nf]\n",
        );
        tree
    }

    fn full() -> Self {
        let tree = Self::new();
        let functions = "vfs_read\n__x64_sys_openat\ndenied\nof_module [nf]\n";
        tree.file("sys/kernel/tracing/available_filter_functions", functions);
        for file in ["enable", "format"] {
            tree.file(&format!("sys/kernel/tracing/events/sched/sched_switch/{file}"), "0\n");
        }
        tree.file("sys/kernel/debug/kprobes/blacklist", "0xffffffff81000070-0xffffffff81000080\tdenied\n");
        tree.file("sys/kernel/security/lsm", "lockdown,capability,landlock");
        tree.file("sys/kernel/security/lockdown", "none [integrity] confidentiality\n");
        tree.file(
            "boot/config-6.1.0-50-cloud-amd64",
            "# CONFIG_X is not set\nCONFIG_BPF_LSM=y\nCONFIG_KPROBE_EVENTS=y\n",
        );
        let mut types = Types::new(Endian::Little);
        let int = types.int("int", 4, Encoding::Signed);
        let proto = types.func_proto(int, [("a", int)]);
        for name in ["vfs_read", "bpf_lsm_file_open", "bpf_iter_task"] {
            types.func(name, proto, Linkage::Global);
        }
        types.typedef("btf_trace_sched_switch", proto);
        tree.bytes("sys/kernel/btf/vmlinux", &types.build());
        tree
    }

    fn file(&self, path: &str, text: &str) {
        self.bytes(path, text.as_bytes());
    }

    fn bytes(&self, path: &str, bytes: &[u8]) {
        let path = self.0.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    fn system(&self) -> System {
        System::read(self.0.path()).unwrap()
    }
}

fn state(system: &System, section: &str) -> Option<State> {
    system.observe(&Sec::parse(section)).state
}

#[test]
fn hooks_are_there_or_not_by_the_files() {
    let tree = Tree::full();
    let system = tree.system();
    for (section, expected) in [
        ("kprobe/vfs_read", State::There),
        ("kprobe/of_module", State::There),
        ("kprobe/nothing", State::Missing),
        ("kprobe/twice", State::Missing),
        ("kprobe/part", State::Missing),
        ("kprobe/denied", State::Missing),
        ("kprobe.multi/denied", State::There),
        ("ksyscall/openat", State::There),
        ("ksyscall/nothing", State::Missing),
        ("fentry/vfs_read", State::There),
        ("fexit/__x64_sys_openat", State::Missing),
        ("tp/sched/sched_switch", State::There),
        ("tp/sched/nothing", State::Missing),
        ("raw_tp/sched_switch", State::There),
        ("tp_btf/nothing", State::Missing),
        ("iter/task", State::There),
        // The hook is there, and nobody calls it.
        ("lsm/file_open", State::Missing),
    ] {
        assert_eq!(
            state(&system, section),
            Some(expected),
            "{section}: {:?}",
            system.observe(&Sec::parse(section))
        );
    }
    for section in ["kprobe", "xdp", "uprobe//bin/bash:readline", "kprobe.multi/vfs_*"] {
        assert_eq!(state(&system, section), None, "{section}");
    }
    tree.file("boot/config-6.1.0-50-cloud-amd64", "CONFIG_BPF_LSM=y\n");
    assert_eq!(state(&tree.system(), "kprobe/vfs_read"), Some(State::Missing));
    assert_eq!(state(&tree.system(), "fentry/vfs_read"), Some(State::There));
    let only = |section: &str| system.observe(&Sec::parse(section)).checks[0].detail.clone();
    assert_eq!(only("kprobe/part"), "only `part.isra.0`");
    assert_eq!(only("kprobe/twice"), "2 symbols");
    assert_eq!(only("kprobe/of_module"), "in module `nf`");
}

#[test]
fn what_cannot_be_read_is_unknown() {
    let system = Tree::new().system();
    for section in
        ["kprobe/vfs_read", "fentry/vfs_read", "tp/sched/sched_switch", "lsm/file_open", "iter/task"]
    {
        assert_eq!(state(&system, section), Some(State::Unknown), "{section}");
    }
    // One answer is enough where it says no.
    assert_eq!(state(&system, "kprobe/nothing"), Some(State::Missing));
    let checks = system.observe(&Sec::parse("tp/sched/sched_switch")).checks;
    assert!(checks[0].detail.contains("mount -t tracefs"), "{checks:?}");
}

#[test]
fn facts_say_what_they_mean() {
    let tree = Tree::full();
    tree.file("proc/sys/net/core/bpf_jit_enable", "0\n");
    tree.file("proc/sys/kernel/ftrace_enabled", "x\n");
    let facts = tree.system().facts();
    let find = |name: &str| facts.iter().find(|fact| fact.name == name).unwrap();
    let known = |name: &str| find(name).value.clone().unwrap_or_else(|| panic!("{name}: {:?}", find(name)));
    assert_eq!(known("release"), "6.1.0-50-cloud-amd64");
    assert_eq!(known("kallsyms"), "9 symbols");
    assert_eq!(known("traceable functions"), "4");
    assert_eq!(known("lockdown"), "integrity");
    assert!(known("configuration").contains("BPF_LSM=y") && known("configuration").contains("KPROBES=n"));
    for name in ["security modules", "lockdown", "bpf_jit_enable"] {
        assert!(find(name).meaning.is_some(), "{name}");
    }
    for name in ["kptr_restrict", "ftrace_enabled"] {
        assert!(find(name).value.is_none() && find(name).unknown.is_some(), "{name}");
    }
}

#[test]
fn an_empty_mount_point_is_not_a_kernel_without_events() {
    let tree = Tree::new();
    fs::create_dir_all(tree.0.path().join("sys/kernel/tracing")).unwrap();
    let check = tree.system().observe(&Sec::parse("tp/sched/sched_switch")).checks.remove(0);
    assert_eq!(check.state, State::Unknown);
    assert!(check.detail.contains("mount -t tracefs"), "{check:?}");
}

#[test]
fn hostile_files_give_unknown() {
    let tree = Tree::full();
    for bytes in [&b""[..], b"\x9f\xeb\x01\x00", &[0xff; 64]] {
        tree.bytes("sys/kernel/btf/vmlinux", bytes);
        tree.bytes("proc/kallsyms", bytes);
        let system = tree.system();
        assert!(system.btf.is_err(), "{bytes:?}");
        assert_ne!(state(&system, "fentry/vfs_read"), Some(State::There));
    }
    assert!(System::read(Path::new("/nowhere at all")).is_err());
}
