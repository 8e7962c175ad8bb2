//! Choosing kernels, wherever a verb takes them.

mod common;

use std::fs;

use common::{Home, Ran};

const KERNELS: [(&str, &str); 6] = [
    ("5.10.223-32-cloud-amd64", "debian"),
    ("6.1.176-50-cloud-amd64", "debian"),
    ("6.1.176-50-cloud-arm64", "debian"),
    ("6.1.176-50-rt-amd64", "debian"),
    ("6.8.0-31-generic-amd64", "ubuntu"),
    ("6.12.107-deb13-cloud-amd64", "debian"),
];

/// The places in [`KERNELS`] of what a listing has.
fn places(ran: Ran) -> Vec<usize> {
    let json: serde_json::Value = serde_json::from_str(&ran.fine()).unwrap();
    let kernels = json["kernels"].as_array().unwrap();
    let place = |kernel: &serde_json::Value| KERNELS.iter().position(|it| kernel["kernel"] == it.0).unwrap();
    kernels.iter().map(place).collect()
}

fn listed(home: &Home, arguments: &[&str]) -> Vec<usize> {
    places(home.run(&[&["list", "--format", "json"][..], arguments].concat()))
}

#[test]
fn kernels_are_chosen_in_many_ways() {
    let home = Home::with_kernels(&KERNELS);
    for (arguments, expected) in [
        (&["--kernel", "6.1*"][..], &[1, 2, 3, 5][..]),
        (&["--kernel", "6.1..6.8"], &[1, 2, 3, 4]),
        (&["--kernel", "..6.1,!rt"], &[0, 1, 2]),
        (&["--kernel", "6.1", "--kernel", "-rt"], &[1, 2]),
        (&["--kernel=-rt"], &[0, 1, 2, 4, 5]),
        (&["--kernel", "aarch64"], &[2]),
        (&["--kernel", "ubuntu"], &[4]),
        (&["--kernel", "debian:6.1..:amd64"], &[1, 3, 5]),
        (&["--kernel", "lts"], &[0, 1, 5]),
        (&["--kernel", "flavor", "--default", "6.1.176-50-cloud-amd64"], &[1, 3]),
        (&["--kernel", "regular", "--default", "ubuntu"], &[4]),
    ] {
        assert_eq!(listed(&home, arguments), expected, "{arguments:?}");
    }
}

#[test]
fn every_verb_takes_a_selection() {
    let home = Home::with_kernels(&KERNELS);
    let page = home.run(&["show", "function", "vfs_read", "--kernel", "rt,6.12", "--format", "json"]).fine();
    assert_eq!(page.matches("\"label\"").count(), 2, "{page}");
    let page = home.run(&["show", "function", "vfs_read", "--group", "lts", "--format", "md"]).fine();
    assert!(page.contains("<b>LTS</b>") && !page.contains("<b>Regular</b>"), "{page}");
    let page = home.run(&["show", "function", "vfs_read", "--format", "md"]).fine();
    assert!(page.contains("<b>Regular</b>") && !page.contains("<b>LTS</b>"), "{page}");
    let exported = home.run(&["export", "depsurf", "out", "--kernel", "arm64"]).fine();
    assert_eq!(exported.trim_end(), KERNELS[2].0);
}

#[test]
fn the_default_kernel_is_the_users() {
    let home = Home::with_kernels(&KERNELS);
    let default = |arguments: &[&str], variable: &str| {
        let mut command = home.command();
        command.args(["list", "--format", "json"]).args(arguments).env("DEPSURF_DEFAULT", variable);
        let ran = Ran::from(command.output().unwrap());
        let json: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
        (json["default"].as_str().unwrap().to_owned(), ran.stderr)
    };
    assert_eq!(default(&[], "").0, KERNELS[1].0, "the one with the most relatives");
    assert_eq!(default(&[], "5.10").0, KERNELS[0].0);
    assert_eq!(default(&["--default", "arm64"], "5.10"), (KERNELS[2].0.to_owned(), String::new()));
    // The variable is for every dataset, so it may mean nothing in this one.
    let (kernel, told) = default(&[], "7.2");
    assert_eq!(kernel, KERNELS[1].0);
    assert!(told.starts_with("warning: DEPSURF_DEFAULT is not used: no kernel matches `7.2`"), "{told}");
    let (kernel, told) = default(&["--default", "5.10", "--kernel", "6.1"], "");
    assert_eq!(kernel, KERNELS[1].0);
    assert!(told.contains("the kernel of --default is not among the chosen ones"), "{told}");

    let told = home.run(&["list", "--default", "6.1"]).failed();
    assert!(
        told.contains("--default: `6.1` is 3 kernels where one is needed\n  help: there are 6.1.176"),
        "{told}"
    );
}

#[test]
fn what_chooses_nothing_is_told() {
    let home = Home::with_kernels(&KERNELS);
    let told = home.run(&["list", "--kernel", "7.2"]).failed();
    assert!(
        told.contains("no kernel matches `7.2`\n  help: versions are 5.10, 6.1, 6.8, 6.12; arch"),
        "{told}"
    );
    let told = home.run(&["show", "function", "vfs_read", "--kernel", "fedora"]).failed();
    assert!(told.contains("distributions debian, ubuntu"), "{told}");
    assert!(
        home.run(&["export", "depsurf", "out", "--kernel", "6.1,"]).failed().contains("an empty selection")
    );
}

#[test]
fn a_damaged_kernel_may_be_of_a_distribution() {
    let home = Home::with_kernels(&KERNELS);
    fs::write(home.dataset().join("4.4.0-broken-amd64.surface"), b"DEPSURF\0").unwrap();
    // By its name it is not meant, by its distribution it may be.
    assert_eq!(listed(&home, &["--kernel", "arm64"]), [2]);
    let ran = home.run(&["list", "--kernel", "ubuntu"]);
    assert_eq!((ran.status, ran.stdout.lines().count()), (Some(2), 3), "{ran:?}");
    assert!(ran.stderr.contains("4.4.0-broken-amd64.surface: truncated"), "{ran:?}");
}
