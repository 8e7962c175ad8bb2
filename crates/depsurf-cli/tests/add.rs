//! `depsurf add`, and what follows from it: `show` and `export`.

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use common::Home;
use testkit::Target;
use testkit::elf::{Elf, Machine};
use testkit::kernel::Kernel;
use testkit::package::{cpio, rpm};

const NAME: &str = "6.1.0-50-test-generic-amd64";

fn vmlinux() -> Vec<u8> {
    Kernel::sample(Machine::X86_64, Target::LE64).build().bytes()
}

/// A home with the sample kernel as `vmlinux`.
fn home() -> Home {
    let home = Home::new();
    fs::write(home.path().join("vmlinux"), vmlinux()).unwrap();
    home
}

fn files(directory: &Path) -> Vec<String> {
    let mut names: Vec<String> = match fs::read_dir(directory) {
        Ok(files) => files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect(),
        Err(_) => Vec::new(),
    };
    names.sort();
    names
}

#[test]
fn a_kernel_goes_in_and_a_page_comes_out() {
    let home = home();
    fs::write(home.path().join("config"), "CONFIG_BPF=y\nCONFIG_BPF_SYSCALL=y\n").unwrap();
    let added = home.run(&["add", "vmlinux", "--config", "config"]).fine();
    assert_eq!(added.trim_end(), NAME);
    assert_eq!(files(&home.dataset()), [format!("{NAME}.surface")]);

    let page = home.run(&["show", "function", "vfs_read"]).fine();
    assert!(page.contains("vfs_read"), "{page}");
    let page = home.run(&["show", "function", "vfs_read", "--format", "md"]).fine();
    assert!(page.starts_with("# Function: <code>vfs_read</code>"), "{page}");
    let json = home.run(&["show", "function", "vfs_read", "--format", "json"]).fine();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["name"], "vfs_read");
    assert!(home.run(&["show", "config", "CONFIG_BPF_SYSCALL"]).fine().contains('y'));

    // Adding it again replaces it, and the bytes do not depend on threads.
    let path = home.dataset().join(format!("{NAME}.surface"));
    let before = fs::read(&path).unwrap();
    home.run(&["add", "vmlinux", "--config", "config", "--force", "--jobs", "1"]).fine();
    assert_eq!(fs::read(&path).unwrap(), before);

    home.run(&["export", "depsurf", "out"]).fine();
    let groups =
        fs::read_to_string(home.path().join("out/func_groups").join(format!("{NAME}.jsonl"))).unwrap();
    assert!(
        groups.contains("\"name\": \"vfs_read\"") || groups.contains("\"name\":\"vfs_read\""),
        "{groups}"
    );
}

#[test]
fn a_kernel_can_be_given_a_name() {
    let home = home();
    let name = "6.1.0-1-mine-amd64";
    assert_eq!(home.run(&["add", "vmlinux", "--name", name]).fine().trim_end(), name);
    assert!(home.run(&["list"]).fine().contains(name));
    assert_eq!(home.run(&["add", "vmlinux", "--name", "mine"]).status, Some(2));
}

#[test]
fn names_that_do_not_exist_get_near_ones() {
    let home = home();
    home.run(&["add", "vmlinux"]).fine();
    let told = home.run(&["show", "function", "vfs_raed"]).failed();
    assert!(told.contains("has no function `vfs_raed`\n  help: did you mean vfs_read"), "{told}");
    let told = home.run(&["show", "function", "task_struct"]).failed();
    assert!(told.contains("depsurf show struct task_struct"), "{told}");
}

#[test]
fn what_is_no_kernel_is_refused_and_nothing_is_left() {
    let home = home();
    let elf = Elf::new(Machine::X86_64, Target::LE64);
    let plain = elf.build();
    let image = vmlinux();
    for (name, bytes) in [
        ("text", b"hello".to_vec()),
        ("empty", Vec::new()),
        ("elf", plain),
        ("cut", image[..image.len() / 2].to_vec()),
        ("half.deb", b"!<arch>\ndebian-binary   ".to_vec()),
    ] {
        fs::write(home.path().join(name), bytes).unwrap();
        let ran = home.run(&["add", name]);
        assert_eq!((ran.status, ran.stdout.as_str()), (Some(2), ""), "{name}: {ran:?}");
        let lines: Vec<&str> = ran.stderr.lines().collect();
        assert!(lines[0].starts_with("error: ") && lines[0].contains(name), "{name}: {ran:?}");
        assert!(lines[1..].iter().all(|line| line.starts_with("  help: ")), "{name}: {ran:?}");
        assert!(!home.dataset().exists(), "{name}");
    }
    let told = home.run(&["add", "missing"]).failed();
    assert!(told.contains("`missing`"), "{told}");
}

#[test]
fn one_bad_file_does_not_stop_the_others() {
    let home = home();
    let image = vmlinux();
    fs::write(home.path().join("cut"), &image[..image.len() / 2]).unwrap();
    let ran = home.run(&["add", "cut", "vmlinux"]);
    assert_eq!((ran.status, ran.stdout.trim_end()), (Some(2), NAME), "{ran:?}");
}

#[test]
fn a_dataset_that_cannot_be_written_is_told() {
    let home = home();
    fs::write(home.path().join("file"), "").unwrap();
    let told = home.run(&["add", "vmlinux", "--dataset", "file"]).failed();
    assert!(told.contains("`file` is not a directory"), "{told}");

    let locked = home.path().join("locked");
    fs::create_dir(&locked).unwrap();
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o555)).unwrap();
    let root = fs::write(locked.join("probe"), "").is_ok();
    if root {
        // Permissions do not bind root; the full disk below stands for both.
        return;
    }
    let told = home.run(&["add", "vmlinux", "--dataset", "locked"]).failed();
    assert!(told.contains("cannot write"), "{told}");
    assert!(files(&locked).is_empty());
}

#[test]
fn a_full_disk_leaves_the_dataset_as_it_was() {
    let home = home();
    home.run(&["add", "vmlinux"]).fine();
    let path = home.dataset().join(format!("{NAME}.surface"));
    let before = fs::read(&path).unwrap();
    // A limit of one block on the size of files acts like a disk with that much room; the signal that comes
    // with it is ignored, so that writing fails as it does there.
    let program = env!("CARGO_BIN_EXE_depsurf");
    let mut shell = Command::new("sh");
    shell.args(["-c", "trap '' XFSZ; ulimit -f 1; exec \"$0\" \"$@\"", program, "add", "--force", "vmlinux"]);
    let output = shell.env_clear().env("HOME", home.path()).current_dir(home.path()).output().unwrap();
    let ran = common::Ran::from(output);
    assert_eq!((ran.status, ran.stdout.as_str()), (Some(2), ""), "{ran:?}");
    assert!(ran.stderr.starts_with("error: cannot write"), "{ran:?}");
    assert_eq!(files(&home.dataset()), [format!("{NAME}.surface")]);
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn a_killed_add_leaves_the_dataset_as_it_was() {
    let home = home();
    home.run(&["add", "vmlinux"]).fine();
    let path = home.dataset().join(format!("{NAME}.surface"));
    let before = fs::read(&path).unwrap();
    for delay in 0..30 {
        let mut child =
            home.command().args(["add", "--force", "vmlinux"]).stdout(Stdio::null()).spawn().unwrap();
        std::thread::sleep(std::time::Duration::from_micros(delay * 700));
        let _ = child.kill();
        child.wait().unwrap();
        assert_eq!(fs::read(&path).unwrap(), before);
        home.run(&["list"]).fine();
    }
    // The next one that lives to its end tidies up.
    home.run(&["add", "--force", "vmlinux"]).fine();
    assert_eq!(files(&home.dataset()), [format!("{NAME}.surface")]);
}

#[test]
fn strict_refuses_what_is_lost() {
    let home = home();
    home.run(&["add", "vmlinux"]).fine();
    let notes = home.run(&["list", "--format", "json"]).fine();
    let json: serde_json::Value = serde_json::from_str(&notes).unwrap();
    let lossy = json["kernels"][0]["notes"].as_array().unwrap().iter().any(|note| note["lossy"] == true);
    let strict = home.run(&["add", "--strict", "vmlinux"]);
    assert_eq!(strict.status, Some(if lossy { 2 } else { 0 }), "{strict:?} {json:#}");
}

#[test]
fn the_running_kernel_is_added_from_its_files() {
    let home = Home::new();
    let root = home.path().join("machine");
    let write = |path: &str, bytes: &[u8]| {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    };
    write("proc/version", b"Linux version 6.1.0-50-cloud-amd64 (a@b) (gcc) #1 SMP Debian 6.1.176-1 (2026)\n");
    write("proc/kallsyms", b"ffffffff81000000 T _stext\nffffffff81000010 T vfs_read\n");
    write("proc/modules", b"");
    write(
        "boot/config-6.1.0-50-cloud-amd64",
        b"# Linux/x86 6.1.176 Kernel Configuration\nCONFIG_64BIT=y\nCONFIG_BPF=y\n",
    );
    let added = home.run(&["add", "--live", "--root", "machine"]).fine();
    assert_eq!(added.trim_end(), "6.1.176-50-cloud-amd64");
    let listed = home.run(&["list", "-v"]).fine();
    assert!(
        listed.contains("tracefs is not mounted: `mount -t tracefs tracefs /sys/kernel/tracing`"),
        "{listed}"
    );
    assert!(home.run(&["show", "config", "CONFIG_BPF"]).fine().contains('y'));
    // Without debug information there are symbols.
    let page = home.run(&["show", "function", "vfs_read"]).fine();
    assert!(page.contains("unknown: functions, with inlining, calls and declarations,"), "{page}");
    assert!(page.contains("Where\n  6.1  ffffffff81000010  vfs_read\n"), "{page}");
    assert!(home.run(&["search", "vfs_rea"]).fine().contains("function  vfs_read  6.1"));
    // Files and the running kernel do not go together.
    assert_eq!(home.run(&["add", "--live", "vmlinux"]).status, Some(2));
    assert_eq!(home.run(&["add"]).status, Some(2));
}

#[test]
fn bare_btf_is_added_under_a_name_and_says_what_it_lacks() {
    let home = Home::new();
    let image = Kernel::sample(Machine::X86_64, Target::LE64).build();
    fs::write(home.path().join("vmlinux"), image.btf()).unwrap();
    let told = home.run(&["add", "vmlinux"]).failed();
    assert!(told.contains("help: say it with `--name VERSION-RELEASE-FLAVOUR-"), "{told}");
    let ran = home.run(&["add", "-v", "vmlinux", "--name", NAME]);
    assert_eq!((ran.status, ran.stdout.trim_end()), (Some(0), NAME), "{ran:?}");
    assert!(ran.stderr.contains("kinds of facts are unknown"), "{ran:?}");
    assert!(home.run(&["show", "struct", "task_struct"]).fine().contains("comm"));
}

#[test]
fn a_part_of_a_kernel_does_not_replace_all_of_it() {
    let home = home();
    home.run(&["add", "vmlinux"]).fine();
    let path = home.dataset().join(format!("{NAME}.surface"));
    let whole = fs::read(&path).unwrap();
    let image = Kernel::sample(Machine::X86_64, Target::LE64).build();
    fs::write(home.path().join("btf"), image.btf()).unwrap();
    let ran = home.run(&["add", "-v", "btf", "--name", NAME]);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    assert!(ran.stderr.contains("is there already with its debug information"), "{ran:?}");
    assert_eq!(fs::read(&path).unwrap(), whole);
    home.run(&["add", "btf", "--name", NAME, "--force"]).fine();
    assert_ne!(fs::read(&path).unwrap(), whole);
}

#[test]
fn the_package_with_the_configuration_may_have_the_code() {
    let release = "6.1.0-50-test";
    let elf = Kernel::sample(Machine::X86_64, Target::LE64).build().elf;
    let package = |name: &str, files: &[(&str, &[u8])]| {
        let fields = [(1000, name), (1001, "6.1.0"), (1002, "1"), (1022, "x86_64")];
        rpm(&fields, &cpio(files))
    };
    let home = Home::new();
    let debug = (format!("./usr/lib/debug/boot/vmlinux-{release}.debug"), elf.only_debug().build());
    let code = (format!("./boot/vmlinux-{release}"), elf.without_debug().build());
    let config = format!("./boot/config-{release}");
    let debug = package("kernel-default-debuginfo", &[(&debug.0, &debug.1)]);
    let default = package("kernel-default", &[(&config, b"CONFIG_BPF=y\n"), (&code.0, &code.1)]);
    fs::write(home.path().join("debug.rpm"), debug).unwrap();
    fs::write(home.path().join("default.rpm"), default).unwrap();
    let told = home.run(&["add", "debug.rpm"]).failed();
    assert!(told.contains("no code, which is in a file of its own"), "{told}");
    home.run(&["add", "debug.rpm", "--config", "default.rpm"]).fine();
    let page = home.run(&["show", "function", "vfs_read"]).fine();
    assert!(page.contains("kprobe, kretprobe  yes"), "{page}");
    assert!(home.run(&["show", "config", "CONFIG_BPF"]).fine().contains('y'));
}
