//! `depsurf export btf`.

mod common;

use std::fs;

use common::Home;
use testkit::Target;
use testkit::elf::Machine;
use testkit::kernel::Kernel;

/// A kernel with BTF, and a big-endian one without.
fn home() -> Home {
    let home = Home::new();
    let with = Kernel::sample(Machine::X86_64, Target::LE64).build().bytes();
    let mut without = Kernel::sample(Machine::S390, Target::BE64).build().elf;
    without.remove(".BTF").remove(".BTF_ids").remove_symbol("__start_BTF").remove_symbol("__stop_BTF");
    for (name, bytes) in [("6.1.0-1-mine-amd64", with), ("6.1.0-1-mine-s390x", without.build())] {
        fs::write(home.path().join(name), bytes).unwrap();
        home.run(&["add", name, "--name", name]).fine();
    }
    home
}

#[test]
fn types_of_one_kernel_go_to_a_file_or_a_pipe() {
    let home = home();
    for (kernel, magic) in [("amd64", [0x9f, 0xeb]), ("s390x", [0xeb, 0x9f])] {
        assert_eq!(home.run(&["export", "btf", kernel, "-o", "x.btf"]).fine(), "");
        let file = fs::read(home.path().join("x.btf")).unwrap();
        assert_eq!(file[..2], magic, "{kernel}");
        let piped = home.command().args(["export", "btf", kernel]).output().unwrap();
        assert!(piped.status.success());
        assert_eq!(piped.stdout, file, "{kernel}");
    }
}

#[test]
fn what_cannot_be_written_is_told() {
    let home = home();
    let told = home.run(&["export", "btf", "7.2", "-o", "x.btf"]).failed();
    assert!(told.contains("7.2"), "{told}");
    assert!(!home.path().join("x.btf").exists());
    let told = home.run(&["export", "btf", "amd64", "-o", "no/such/x.btf"]).failed();
    assert!(told.contains("cannot write `no/such/x.btf`"), "{told}");
}
