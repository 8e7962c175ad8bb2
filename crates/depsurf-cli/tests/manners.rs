//! How the program behaves whatever the verb: help, exit status, streams, colour.

mod common;

use std::fs::{self, File};
use std::io;

use common::{A, Home};

#[test]
fn help_starts_with_examples() {
    let home = Home::new();
    let help = home.run(&["--help"]).fine();
    assert!(help.starts_with("Examples:\n  depsurf check /usr/sbin/biosnoop"), "{help}");
    assert!(help.contains("Exit status:"));
    for line in help.lines() {
        assert!(line.chars().count() <= 100, "{line}");
    }
    assert!(home.run(&["list", "--help"]).fine().starts_with("Examples:\n  depsurf list"));
    for verb in [
        "check", "doctor", "add", "list", "show", "diff", "log", "search", "export", "import", "pages",
        "schema",
    ] {
        assert!(help.contains(&format!("\n  {verb} ")), "{verb}: {help}");
    }
    assert!(help.contains("\n  completions ") && help.contains("\n  man "), "{help}");
}

#[test]
fn a_bad_command_line_is_status_2() {
    let home = Home::new();
    for arguments in [&["frobnicate"][..], &[], &["list", "--format", "xml"], &["list", "-q", "-v"]] {
        let ran = home.run(arguments);
        assert_eq!((ran.status, ran.stdout.as_str()), (Some(2), ""), "{ran:?}");
        assert!(!ran.stderr.is_empty());
    }
}

#[test]
fn a_closed_pipe_is_no_error() {
    let home = Home::with_dataset();
    for arguments in [&["list"][..], &["list", "--format", "json"], &["completions", "bash"]] {
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        let output = home.command().args(arguments).stdout(writer).output().unwrap();
        assert_eq!(output.status.code(), Some(0));
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    }
}

#[test]
fn output_that_cannot_be_written_is_status_2() {
    let home = Home::with_dataset();
    let full = File::options().write(true).open("/dev/full").unwrap();
    let output = home.command().arg("list").stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.starts_with("error: cannot write to standard output: No space left"), "{told}");
}

#[test]
fn color_is_for_terminals_and_for_who_asks() {
    let home = Home::with_dataset();
    let colored = |arguments: &[&str]| home.run(arguments).stdout.contains('\x1b');
    assert!(!colored(&["list"]));
    assert!(colored(&["list", "--color", "always"]));
    assert!(!colored(&["list", "--color", "always", "--format", "json"]));
    assert!(!colored(&["list", "--color", "never"]));
}

#[test]
fn color_of_messages_follows_the_same_rules() {
    let home = Home::new();
    let colored = |arguments: &[&str], no_color: &str| {
        let output = home.command().env("NO_COLOR", no_color).args(arguments).output().unwrap();
        common::Ran::from(output).stderr.contains('\x1b')
    };
    assert!(!colored(&["add", "missing"], ""));
    assert!(!colored(&["add", "missing", "--color", "never"], ""));
    // Who asks on the command line is answered, whatever the environment says.
    assert!(colored(&["add", "missing", "--color", "always"], ""));
    assert!(colored(&["add", "missing", "--color", "always"], "1"));
}

#[test]
fn a_reader_that_goes_away_is_no_error_for_any_verb() {
    let home = Home::with_dataset();
    for arguments in [
        &["--help"][..],
        &["show", "function", "vfs_read"],
        &["search", "vfs"],
        &["diff", "5.10", "6.1"],
        &["schema"],
        &["completions", "zsh"],
        &["export", "depsurf", "out"],
        &["pages", "-q", "-o", "site"],
    ] {
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        let output = home.command().args(arguments).stdout(writer).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{arguments:?}");
    }
}

#[test]
fn a_home_that_cannot_be_written_keeps_nothing_from_being_read() {
    let home = Home::with_dataset();
    let dataset = home.dataset();
    // Below a file nothing can be made, not even by root.
    fs::write(home.path().join("file"), "").unwrap();
    let below = home.path().join("file/home");
    let run = |arguments: &[&str]| -> common::Ran {
        home.command().env("HOME", &below).args(arguments).output().unwrap().into()
    };
    let dataset = dataset.to_str().unwrap();
    for arguments in [&["search", "vfs_read"][..], &["show", "function", "vfs_read"], &["list"]] {
        let named = [arguments, &["--dataset", dataset]].concat();
        assert_eq!(run(&named).fine(), home.run(arguments).fine());
    }
    // Without a dataset it is the starter dataset, expanded in memory.
    assert!(run(&["search", "vfs_read", "--kernel", "5.10"]).fine().contains("vfs_read"));
}

#[test]
fn the_dataset_is_the_named_one_then_the_variable_then_the_users() {
    let home = Home::with_dataset();
    let other = home.path().join("other");
    fs::create_dir(&other).unwrap();
    fs::copy(home.dataset().join(format!("{A}.surface")), other.join(format!("{A}.surface"))).unwrap();
    let count = |text: String| text.lines().filter(|line| line.ends_with(" 1!")).count();
    assert_eq!(count(home.run(&["list"]).fine()), 2);
    assert_eq!(count(home.run(&["list", "--dataset", "other"]).fine()), 1);
    assert_eq!(count(home.run(&["--dataset", "other", "list"]).fine()), 1);
    let by_variable = |value: &str, arguments: &[&str]| {
        let output = home.command().env("DEPSURF_DATASET", value).args(arguments).output().unwrap();
        count(common::Ran::from(output).fine())
    };
    assert_eq!(by_variable("other", &["list"]), 1);
    assert_eq!(by_variable("", &["list"]), 2);
    let named = home.dataset();
    assert_eq!(by_variable("other", &["list", "--dataset", named.to_str().unwrap()]), 2);

    fs::write(home.path().join("file"), "").unwrap();
    let told = home.command().env("DEPSURF_DATASET", "file").arg("list").output().unwrap();
    let told = common::Ran::from(told).failed();
    assert!(told.contains("`file` is not a directory\n  help: a dataset is a directory"), "{told}");
    let told = home.run(&["list", "--dataset", "missing"]).failed();
    assert!(
        told.contains("no dataset at `missing`: there is no such directory\n  help: `depsurf add"),
        "{told}"
    );
}

#[test]
fn completions_and_manual_pages_are_written() {
    let home = Home::new();
    for shell in ["bash", "zsh", "fish"] {
        assert!(home.run(&["completions", shell]).fine().contains("depsurf"));
    }
    home.run(&["man", "pages"]).fine();
    let page = fs::read_to_string(home.path().join("pages/depsurf-list.1")).unwrap();
    assert!(page.contains("Only these kernels"), "{page}");
    assert!(fs::read_to_string(home.path().join("pages/depsurf.1")).unwrap().contains("Exit status"));
}
