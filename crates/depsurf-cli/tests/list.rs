//! `depsurf list`.

mod common;

use std::fs;

use common::{A, B, Home};

#[test]
fn lists_kernels_as_a_table() {
    let home = Home::with_dataset();
    let table = home.run(&["list"]).fine();
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines.len(), 5, "{table}");
    assert!(lines[0].starts_with("kernel "));
    assert!(lines[1].starts_with("Regular: "));
    assert_eq!(lines[2], "long-term: 5.10, 6.1");
    assert!(lines[3].starts_with(A) && lines[3].contains("gcc 12.2"), "{table}");
    assert!(lines[4].starts_with(B));
    let functions = lines[0].find("func").unwrap() + "func".len();
    assert!(lines[3][..functions].ends_with(" 2"), "{table}");
    assert!(lines[3].contains(" ? "), "unknown is not 0: {table}");
    assert!(lines[3].ends_with(" 1!"), "one note, and something was lost: {table}");

    let chosen = home.run(&["list", "--kernel", "6.*"]).fine();
    assert!(chosen.contains(B) && !chosen.contains(A));
}

#[test]
fn verbose_tells_evidence_and_notes() {
    let home = Home::with_dataset();
    let told = home.run(&["list", "-v"]).fine();
    for expected in [
        "known         functions, from .debug_info",
        "unknown       config: no config was given",
        "lost          an odd DIE was passed over (1 times, first at DIE 0x17) [dwarf-odd]",
    ] {
        assert!(told.contains(expected), "{expected}\n{told}");
    }
}

#[test]
fn json_is_the_superset() {
    let home = Home::with_dataset();
    let json: serde_json::Value =
        serde_json::from_str(&home.run(&["list", "--format", "json"]).fine()).unwrap();
    assert_eq!(json["schema"], 1);
    let kernel = &json["kernels"][1];
    assert_eq!(kernel["kernel"], B);
    assert_eq!(kernel["arch"], "amd64");
    assert_eq!(kernel["counts"]["functions"], 2);
    assert_eq!(kernel["counts"]["configs"], serde_json::Value::Null);
    assert_eq!(kernel["evidence"]["config"]["reason"], "no config was given");
    assert_eq!(kernel["notes"][0]["id"], "dwarf-odd");
}

#[test]
fn markdown_is_a_table() {
    let told = Home::with_dataset().run(&["list", "--format", "md"]).fine();
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!(lines[0], "## Regular");
    assert!(lines[6].starts_with("| kernel | package |"));
    assert!(lines[7].starts_with("| --- | --- | --- | ---: |"));
    assert!(lines[8].starts_with(&format!("| {A} | - | gcc 12.2 | 2 |")), "{told}");
}

/// Versions, architectures, flavours, two updates of one kernel, and one that has no relatives.
const GROUPS: [(&str, &str); 9] = [
    ("4.19.316-27-generic-amd64", "debian"),
    ("5.4.0-26-generic-arm64", "ubuntu"),
    ("6.1.170-49-generic-amd64", "debian"),
    ("6.1.176-50-cloud-amd64", "debian"),
    ("6.1.176-50-generic-amd64", "debian"),
    ("6.1.176-50-generic-arm64", "debian"),
    ("6.1.176-50-rt-amd64", "debian"),
    ("6.9.0-rc3-generic-amd64", "fedora"),
    ("6.12.107-deb13-generic-amd64", "debian"),
];

#[test]
fn kernels_are_listed_by_group() {
    let home = Home::with_kernels(&GROUPS);
    let table = home.run(&["list"]).fine();
    assert!(table.lines().all(|line| line.chars().count() <= 100), "{table}");
    insta::assert_snapshot!("table", table);
    insta::assert_snapshot!(
        "markdown",
        home.run(&["list", "--format", "md", "--group", "lts,revision"]).fine()
    );
    let json = home.run(&["list", "--format", "json"]).fine();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["kernels"].as_array().unwrap().len(), GROUPS.len());
    insta::assert_snapshot!("groups", serde_json::to_string_pretty(&json["groups"]).unwrap());
}

#[test]
fn only_some_groups_are_listed() {
    let home = Home::with_kernels(&GROUPS);
    let json = home.run(&["list", "--group", "flavour", "--format", "json"]).fine();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let names: Vec<&str> =
        json["kernels"].as_array().unwrap().iter().map(|it| it["kernel"].as_str().unwrap()).collect();
    assert_eq!(names, ["6.1.176-50-cloud-amd64", "6.1.176-50-rt-amd64"]);
    let told = home.run(&["list", "--group", "arch", "--kernel", "amd64"]).failed();
    assert!(
        told.contains("no kernel is in a group of arch\n  help: around `6.1.176-50-generic-amd64`"),
        "{told}"
    );
}

#[test]
fn damaged_kernels_are_told_and_the_others_listed() {
    let home = Home::with_dataset();
    let broken = home.dataset().join("4.4.0-broken-amd64.surface");
    fs::write(&broken, b"DEPSURF\0").unwrap();
    let ran = home.run(&["list"]);
    assert_eq!(ran.status, Some(2), "not all of it could be done");
    assert_eq!(ran.stdout.lines().count(), 5);
    assert!(ran.stderr.contains("4.4.0-broken-amd64.surface: truncated"), "{}", ran.stderr);
    assert!(ran.stderr.contains("\n  help: "), "{}", ran.stderr);
    // What was not asked for does not matter.
    home.run(&["list", "--kernel", "6.*"]).fine();
    fs::remove_file(broken).unwrap();

    fs::write(home.dataset().join("README"), b"").unwrap();
    let ran = home.run(&["list"]);
    assert_eq!(ran.status, Some(0));
    assert!(ran.stderr.starts_with("warning: README: not a surface file"), "{}", ran.stderr);
    assert_eq!(home.run(&["list", "-q"]).stderr, "");
}

#[test]
fn nothing_to_list_is_told() {
    let home = Home::with_dataset();
    let told = home.run(&["list", "--kernel", "7.*"]).failed();
    assert!(told.contains("matches `7.*`"), "{told}");
    assert!(home.run(&["list", "--kernel", "[7"]).failed().contains("--kernel: `[7`: "));
    fs::create_dir(home.path().join("empty")).unwrap();
    let told = home.run(&["list", "--dataset", "empty"]).failed();
    assert!(told.contains("the dataset at `empty` has no kernels"), "{told}");
}
