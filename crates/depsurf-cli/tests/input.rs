//! What is given to `add`: packages, and what cannot be read. The latter gets one message and leaves nothing behind.

mod common;

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::process::Command;
use std::time::{Duration, Instant};

use common::{A, Home, Ran, surface};
use depsurf::store::{Dataset, pack};
use testkit::Target;
use testkit::elf::Machine;
use testkit::kernel::Kernel;
use testkit::package::{ar, member, tar};

const NAME: &str = "6.1.0-50-test-generic-amd64";
/// What `uname -r` says in the sample kernel.
const RELEASE: &str = "6.1.0-50-test";
const CONFIG: &str = "#\n# Linux/x86 6.1.176 Kernel Configuration\n#\nCONFIG_BPF=y\n";

fn vmlinux() -> Vec<u8> {
    Kernel::sample(Machine::X86_64, Target::LE64).build().bytes()
}

fn zstd(data: &[u8]) -> Vec<u8> {
    zstd::encode_all(data, 3).unwrap()
}

/// A package as Ubuntu's builders make them: all its members compressed with zstd.
fn ubuntu(name: &str, files: &[(&str, &[u8])]) -> Vec<u8> {
    let control = format!(
        "Package: {name}\nSource: linux\nVersion: 6.1.0-50.51\nArchitecture: amd64\n\
         Maintainer: Kernel Team <kernel-team@lists.ubuntu.com>\nDescription: words\n"
    );
    let control = tar(&[member("./", b'5', b""), member("./control", b'0', control.as_bytes())]);
    let mut members = vec![member("./", b'5', b"")];
    members.extend(files.iter().map(|(path, data)| member(&format!("./{path}"), b'0', data)));
    ar(&[
        ("debian-binary", b"2.0\n"),
        ("control.tar.zst", &zstd(&control)),
        ("data.tar.zst", &zstd(&tar(&members))),
    ])
}

fn debug_package() -> Vec<u8> {
    let path = format!("usr/lib/debug/boot/vmlinux-{RELEASE}");
    let module = format!("usr/lib/debug/lib/modules/{RELEASE}/kernel/fs/ext4/ext4.ko");
    let name = format!("linux-image-unsigned-{RELEASE}-dbgsym");
    ubuntu(&name, &[(&path, &vmlinux()), (&module, b"\x7fELF of a module")])
}

/// The one message of an `add` that was refused, after a look at what it left.
#[track_caller]
fn refused(home: &Home, file: &str) -> String {
    told_once(&home.run(&["add", file]), home)
}

#[track_caller]
fn told_once(ran: &Ran, home: &Home) -> String {
    assert_eq!((ran.status, ran.stdout.as_str()), (Some(2), ""), "{ran:?}");
    let mut lines = ran.stderr.lines();
    assert!(lines.next().unwrap().starts_with("error: "), "{ran:?}");
    assert!(lines.all(|line| line.starts_with("  help: ")), "{ran:?}");
    assert!(!home.dataset().exists(), "{ran:?}");
    ran.stderr.clone()
}

#[test]
fn ubuntu_packages_are_added() {
    let home = Home::new();
    fs::write(home.path().join("linux.ddeb"), debug_package()).unwrap();
    let config = format!("boot/config-{RELEASE}");
    let modules = ubuntu(&format!("linux-modules-{RELEASE}"), &[(&config, CONFIG.as_bytes())]);
    fs::write(home.path().join("modules.deb"), modules).unwrap();
    assert_eq!(home.run(&["add", "linux.ddeb", "modules.deb"]).fine().trim_end(), NAME);
    let shown = home.run(&["list", "-v"]).fine();
    assert!(shown.contains(&format!("linux-image-unsigned-{RELEASE}-dbgsym")), "{shown}");
    assert!(home.run(&["show", "config", "CONFIG_BPF"]).fine().contains('y'));
    let page = home.run(&["show", "function", "vfs_read"]).fine();

    // The package changes where it came from and nothing else.
    fs::write(home.path().join("vmlinux"), vmlinux()).unwrap();
    home.run(&["add", "vmlinux", "--dataset", "plain"]).fine();
    assert_eq!(home.run(&["show", "function", "vfs_read", "--dataset", "plain"]).fine(), page);

    // The image package alone says which one has the vmlinux.
    let home = Home::new();
    let image =
        ubuntu(&format!("linux-image-unsigned-{RELEASE}"), &[(&format!("boot/vmlinuz-{RELEASE}"), b"MZ")]);
    fs::write(home.path().join("image.deb"), image).unwrap();
    let told = refused(&home, "image.deb");
    assert!(
        told.contains(&format!("help: the debug package `linux-image-unsigned-{RELEASE}-dbgsym`")),
        "{told}"
    );
}

#[test]
fn a_cut_package_is_refused_wherever_it_is_cut() {
    let home = Home::new();
    let package = debug_package();
    // The last byte may be padding.
    let ends = (0..package.len() - 1).step_by(package.len() / 60);
    for end in ends.chain([1, 8, 60, 68, 72, 132, package.len() - 2]) {
        fs::write(home.path().join("cut.ddeb"), &package[..end]).unwrap();
        let told = refused(&home, "cut.ddeb");
        assert!(told.starts_with("error: cut.ddeb: "), "cut at {end}: {told}");
    }
}

#[test]
fn a_cut_vmlinux_is_refused_wherever_it_is_cut() {
    let home = Home::new();
    let image = vmlinux();
    let ends = (0..image.len()).step_by(image.len() / 60);
    for end in ends.chain([1, 4, 5, 16, 63, 64, image.len() - 64, image.len() - 1]) {
        fs::write(home.path().join("vmlinux"), &image[..end]).unwrap();
        let told = refused(&home, "vmlinux");
        assert!(told.starts_with("error: vmlinux: "), "cut at {end}: {told}");
    }
}

#[test]
fn a_kernel_without_debug_information_gets_the_package_that_has_it() {
    let home = Home::new();
    let write = |image: &[u8]| fs::write(home.path().join("vmlinux"), image).unwrap();
    const PACKAGES: &str = "(Debian: linux-image-*-dbg, Ubuntu: linux-image-*-dbgsym)";

    let mut kernel = Kernel::sample(Machine::X86_64, Target::LE64).build();
    kernel.elf.remove(".debug_info").remove(".BTF");
    write(&kernel.bytes());
    let ran = home.run(&["add", "vmlinux"]);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    let told = home.run(&["info", ran.stdout.trim()]).fine();
    assert!(
        told.contains("unknown: the image has no `.debug_info`") && told.contains("from .symtab"),
        "{told}"
    );
    fs::remove_dir_all(home.dataset()).unwrap();

    kernel.elf.strip();
    write(&kernel.bytes());
    let told = refused(&home, "vmlinux");
    assert!(told.starts_with("error: vmlinux: no debug information: the kernel is stripped"), "{told}");
    assert!(told.contains(PACKAGES) && told.contains("CONFIG_DEBUG_INFO"), "{told}");

    // This program is as good as any other that is no kernel.
    let told = refused(&home, env!("CARGO_BIN_EXE_depsurf"));
    assert!(told.contains("not a Linux kernel") && told.contains(PACKAGES), "{told}");

    let mut bootable = vec![0; 0x400];
    bootable[0x202..0x206].copy_from_slice(b"HdrS");
    let mut arm64 = vec![0; 0x400];
    arm64[56..60].copy_from_slice(b"ARM\x64");
    for (image, why) in [(bootable, "boot protocol is older"), (arm64, "no compressed kernel was found")] {
        write(&image);
        let told = refused(&home, "vmlinux");
        assert!(told.contains(why), "{told}");
    }
}

#[test]
fn other_machines_are_refused_by_name_of_those_that_are_known() {
    let home = Home::new();
    let image = vmlinux();
    // `e_machine` of m68k, and the 32-bit class that x32 has.
    for (at, byte) in [(18, 4), (4, 1)] {
        let mut image = image.clone();
        image[at] = byte;
        fs::write(home.path().join("vmlinux"), image).unwrap();
        let told = refused(&home, "vmlinux");
        assert!(told.starts_with("error: vmlinux: unsupported machine: ELF machine "), "{told}");
        assert!(told.contains("known are amd64, arm64"), "{told}");
    }
}

#[test]
fn what_is_no_file_is_refused_at_once() {
    let home = Home::new();
    fs::create_dir(home.path().join("directory")).unwrap();
    assert!(Command::new("mkfifo").arg(home.path().join("pipe")).status().unwrap().success());
    let no_file = "not a kernel image or package: a pipe or a device";
    for (name, what) in
        [("directory", "no vmlinux in the package"), ("pipe", no_file), ("/dev/null", no_file)]
    {
        // Nobody writes to the pipe: opening it would wait for ever.
        let mut child =
            home.command().args(["add", name]).stderr(std::process::Stdio::piped()).spawn().unwrap();
        let begun = Instant::now();
        while child.try_wait().unwrap().is_none() {
            if begun.elapsed() > Duration::from_secs(30) {
                child.kill().unwrap();
                panic!("{name}: waits");
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let output = child.wait_with_output().unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{told}");
        assert!(told.starts_with(&format!("error: {name}: {what}\n")), "{told}");
    }
}

#[test]
fn the_config_of_another_kernel_is_refused() {
    let home = Home::new();
    fs::write(home.path().join("vmlinux"), vmlinux()).unwrap();
    for (name, text) in [
        // By the name of the file, and by the heading of one without such a name.
        ("config-5.10.0-32-cloud-amd64", "CONFIG_BPF=y\n".to_owned()),
        (".config", CONFIG.replace("6.1.176", "5.10.223")),
    ] {
        fs::write(home.path().join(name), text).unwrap();
        let told = told_once(&home.run(&["add", "vmlinux", "--config", name]), &home);
        assert!(told.contains(&format!("the config in `{name}` is for `5.10.")), "{told}");
        assert!(told.contains("\n  help: give the config"), "{told}");
    }
    for (name, text) in [(format!("config-{RELEASE}"), "CONFIG_BPF=y\n"), (".config".into(), CONFIG)] {
        fs::write(home.path().join(&name), text).unwrap();
        home.run(&["add", "vmlinux", "--config", &name]).fine();
    }
}

#[test]
fn names_need_not_be_utf8() {
    let home = Home::new();
    let name = |bytes: &[u8]| home.path().join(std::ffi::OsStr::from_bytes(bytes));
    fs::write(name(b"k\xffrnel"), vmlinux()).unwrap();
    let dataset = name(b"d\xffs");
    let run = |arguments: &[&std::ffi::OsStr]| -> Ran {
        home.command().arg("--dataset").arg(&dataset).args(arguments).output().unwrap().into()
    };
    assert_eq!(run(&["add".as_ref(), name(b"k\xffrnel").as_ref()]).fine().trim_end(), NAME);
    assert!(run(&["list".as_ref()]).fine().contains(NAME));
    fs::write(name(b"k\xffrnel"), "").unwrap();
    let told = run(&["add".as_ref(), name(b"k\xffrnel").as_ref()]).failed();
    assert!(told.contains("k\u{fffd}rnel: not a kernel image or package: an empty file"), "{told}");
}

#[test]
fn damaged_surfaces_get_one_message_that_tells_how_to_replace_them() {
    let home = Home::new();
    let whole = surface(A);
    let packed = pack::pack(&whole).unwrap();
    let dataset = Dataset::create(home.dataset()).unwrap();
    let mut told = String::new();
    for (extension, bytes) in [("surface", whole.bytes()), ("packed", packed.as_slice())] {
        let path = home.dataset().join(format!("{A}.{extension}"));
        let ends = (0..bytes.len()).step_by((bytes.len() / 40).max(1));
        for end in ends.chain([1, 8, 31, 47, bytes.len() - 1]) {
            fs::write(&path, &bytes[..end]).unwrap();
            told = home.run(&["show", "function", "vfs_read"]).failed();
            assert_eq!(told.matches("error: ").count(), 1, "{told}");
            assert!(told.contains("depsurf add FILE") && told.contains(extension), "cut at {end}: {told}");
        }
        let mut other = bytes.to_vec();
        other[8] = 99;
        fs::write(&path, other).unwrap();
        let schema = home.run(&["show", "function", "vfs_read"]).failed();
        assert!(schema.contains("schema 99") && schema.contains("\n  help: update depsurf"), "{schema}");
        assert_eq!(schema.lines().count(), 2, "{schema}");
        fs::remove_file(path).unwrap();
    }
    assert!(told.contains("\n  help: the file is damaged"), "{told}");

    // Beside a whole one it is told, and the other is shown.
    dataset.add(&surface(common::B)).unwrap();
    fs::write(home.dataset().join(format!("{A}.surface")), &whole.bytes()[..99]).unwrap();
    let ran = home.run(&["show", "function", "vfs_read"]);
    assert_eq!((ran.status, ran.stderr.matches("error: ").count()), (Some(2), 1), "{ran:?}");
    assert!(ran.stdout.contains("function vfs_read"), "{ran:?}");
}
