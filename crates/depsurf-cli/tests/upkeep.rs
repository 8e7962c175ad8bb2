//! `depsurf remove`, `verify` and `info`, and adding many kernels at once.

mod common;

use std::fs;

use common::{A, B, Home};
use testkit::Target;
use testkit::elf::Machine;
use testkit::kernel::Kernel;

const SAMPLE: &str = "6.1.0-50-test-generic-amd64";

fn sample(home: &Home) {
    let image = Kernel::sample(Machine::X86_64, Target::LE64).build().bytes();
    fs::write(home.path().join("vmlinux"), image).unwrap();
}

#[test]
fn kernels_are_removed_by_name_and_several_only_with_consent() {
    let home = Home::with_dataset();
    let told = home.run(&["remove", "cloud"]).failed();
    assert!(
        told.contains(&format!("`cloud` stands for 2 kernels: {A}, {B}")) && told.contains("--yes"),
        "{told}"
    );
    let told = home.run(&["remove", "9.9"]).failed();
    assert!(told.contains("9.9"), "{told}");
    // Nothing is removed where one of the names is wrong.
    home.run(&["remove", A, "9.9"]).failed();
    assert!(home.run(&["list"]).fine().contains(A));
    assert_eq!(home.run(&["remove", "5.10"]).fine(), format!("{A}\n"));
    assert!(!home.run(&["list"]).fine().contains(A));
    home.run(&["remove", A]).failed();
    assert_eq!(home.run(&["remove", "cloud", B, "--yes"]).fine(), format!("{B}\n"));
    assert_eq!(fs::read_dir(home.dataset()).unwrap().count(), 0);
    // Not the one inside the program.
    let told = Home::new().run(&["remove", "6.1"]).failed();
    assert!(told.contains("no dataset at"), "{told}");
}

#[test]
fn a_damaged_kernel_can_be_removed() {
    let home = Home::with_dataset();
    fs::write(home.dataset().join(format!("{A}.surface")), "nothing").unwrap();
    assert_eq!(home.run(&["remove", A]).fine(), format!("{A}\n"));
}

#[test]
fn every_byte_is_verified() {
    let home = Home::with_dataset();
    sample(&home);
    home.run(&["add", "vmlinux"]).fine();
    assert_eq!(home.run(&["verify"]).fine(), "");
    assert_eq!(home.run(&["verify", "-v", "5.10"]).stdout, format!("{A}: fine\n"));
    let path = home.dataset().join(format!("{SAMPLE}.surface"));
    let good = fs::read(&path).unwrap();
    for at in (700..good.len()).step_by(good.len() / 20) {
        let mut bytes = good.clone();
        bytes[at] ^= 0x10;
        fs::write(&path, bytes).unwrap();
        let ran = home.run(&["verify"]);
        // Between sections there is nothing to damage.
        if good[at..].starts_with(&[0; 8]) && ran.status == Some(0) {
            continue;
        }
        assert_eq!(ran.status, Some(1), "{at}: {ran:?}");
        assert!(ran.stdout.starts_with(&format!("{SAMPLE}: ")) && ran.stdout.lines().count() == 1, "{ran:?}");
        assert!(ran.stderr.contains("1 kernel is damaged: add it again with --force"), "{ran:?}");
    }
    fs::write(&path, &good[..good.len() - 1]).unwrap();
    assert_eq!(home.run(&["verify", SAMPLE]).status, Some(1));
    assert_eq!(home.run(&["verify", A]).status, Some(0));
    home.run(&["add", "--force", "vmlinux"]).fine();
    assert_eq!(home.run(&["verify"]).fine(), "");
}

#[test]
fn the_starter_dataset_is_fine() {
    assert_eq!(Home::new().run(&["verify"]).fine(), "");
}

#[test]
fn info_tells_where_facts_come_from() {
    let home = Home::new();
    sample(&home);
    home.run(&["add", "vmlinux"]).fine();
    let info = home.run(&["info", "6.1"]).fine();
    for told in [
        SAMPLE,
        "\nOrigin\n",
        "\n  uname -r",
        "machine",
        "\nFacts  16 of 18 kinds known\n",
        "functions",
        "from .debug_info",
        "config",
        "unknown: ",
        "\nNotes  ",
        "\nSize  ",
        "Strings",
    ] {
        assert!(info.contains(told), "{told}: {info}");
    }
    assert!(home.run(&["info", "6.1", "--format", "md"]).fine().starts_with(&format!("## {SAMPLE}\n")));
    home.run(&["info"]).failed_usage();
    assert!(home.run(&["info", "7.2"]).failed().contains("7.2"));
}

#[test]
fn what_is_there_from_the_same_build_is_not_read_again() {
    let home = Home::new();
    sample(&home);
    home.run(&["add", "vmlinux"]).fine();
    let path = home.dataset().join(format!("{SAMPLE}.surface"));
    let modified = || fs::metadata(&path).unwrap().modified().unwrap();
    let before = modified();
    let ran = home.run(&["add", "-v", "vmlinux"]);
    assert_eq!((ran.status, ran.stdout.trim_end()), (Some(0), SAMPLE));
    assert!(ran.stderr.contains("is there already, from the same build; --force reads it again"), "{ran:?}");
    assert_eq!(modified(), before);
    home.run(&["add", "--force", "vmlinux"]).fine();
    assert!(modified() > before);
    // A configuration is news, and so is another name.
    fs::write(home.path().join("config"), "CONFIG_BPF=y\n").unwrap();
    home.run(&["add", "vmlinux", "--config", "config"]).fine();
    assert!(home.run(&["show", "config", "CONFIG_BPF"]).fine().contains('y'));
    assert_eq!(
        home.run(&["add", "vmlinux", "--name", "6.1.0-1-mine-amd64"]).fine().trim_end(),
        "6.1.0-1-mine-amd64"
    );
}

#[test]
fn many_are_added_at_once_in_their_order() {
    let home = Home::new();
    let machines = [
        (Machine::X86_64, Target::LE64, "amd64"),
        (Machine::AARCH64, Target::LE64, "arm64"),
        (Machine::S390, Target::BE64, "s390x"),
    ];
    let mut files = vec!["bad".to_owned()];
    fs::write(home.path().join("bad"), b"\x7fELF").unwrap();
    for (machine, target, name) in machines {
        fs::write(home.path().join(name), Kernel::sample(machine, target).build().bytes()).unwrap();
        files.push(name.to_owned());
    }
    let expected = ["amd64", "arm64", "s390x"].map(|arch| format!("6.1.0-50-test-generic-{arch}"));
    let add = |more: &[&str]| {
        let mut arguments = vec!["add", "--force"];
        arguments.extend(files.iter().map(String::as_str));
        arguments.extend(more);
        home.run(&arguments)
    };
    for more in [&["--jobs", "8"][..], &["--jobs", "1"], &["--jobs", "8", "--memory", "1M"]] {
        let ran = add(more);
        assert_eq!(ran.status, Some(2), "{ran:?}");
        assert_eq!(ran.stdout.lines().collect::<Vec<_>>(), expected, "{more:?}");
        assert_eq!(ran.stderr.matches("error: ").count(), 1, "{}", ran.stderr);
        for told in ["bad: failed", "arm64: added 6.1.0-50-test-generic-arm64", "3 added, 1 failed in "] {
            assert!(ran.stderr.contains(told), "{told}: {}", ran.stderr);
        }
    }
    let ran = home.run(&["add", "amd64", "arm64"]);
    assert!(ran.stderr.contains("0 added, 2 unchanged in "), "{ran:?}");
    let quiet = add(&["-q"]);
    assert_eq!(
        quiet
            .stderr
            .lines()
            .filter(|line| !line.starts_with("error: ") && !line.starts_with("  help"))
            .count(),
        0
    );
    home.run(&["add", "amd64", "--memory", "much"]).failed_usage();
}
