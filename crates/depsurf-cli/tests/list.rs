//! `depsurf list`.

mod common;

use std::fs;

use common::{A, B, Home};

#[test]
fn lists_kernels_as_a_table() {
    let home = Home::with_dataset();
    let table = home.run(&["list"]).fine();
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines.len(), 3, "{table}");
    assert!(lines[0].starts_with("kernel "));
    assert!(lines[1].starts_with(A) && lines[1].contains("gcc 12.2"), "{table}");
    assert!(lines[2].starts_with(B));
    let functions = lines[0].find("funcs").unwrap() + "funcs".len();
    assert!(lines[1][..functions].ends_with(" 2"), "{table}");
    assert!(lines[1].contains(" ? "), "unknown is not 0: {table}");

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
    assert!(lines[0].starts_with("| kernel | package |"));
    assert!(lines[1].starts_with("| --- | --- | --- | ---: |"));
    assert!(lines[2].starts_with(&format!("| {A} | - | gcc 12.2 | 2 |")), "{told}");
}

#[test]
fn damaged_kernels_are_told_and_the_others_listed() {
    let home = Home::with_dataset();
    let broken = home.dataset().join("4.4.0-broken-amd64.surface");
    fs::write(&broken, b"DEPSURF\0").unwrap();
    let ran = home.run(&["list"]);
    assert_eq!(ran.status, Some(2), "not all of it could be done");
    assert_eq!(ran.stdout.lines().count(), 3);
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
    assert!(home.run(&["list", "--kernel", "[7"]).failed().contains("`--kernel [7`"));
    fs::create_dir(home.path().join("empty")).unwrap();
    let told = home.run(&["list", "--dataset", "empty"]).failed();
    assert!(told.contains("the dataset at `empty` has no kernels"), "{told}");
}
