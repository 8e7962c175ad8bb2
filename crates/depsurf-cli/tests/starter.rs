//! The starter dataset: used when no dataset is named and none exists.

mod common;

use std::fs;
use std::path::PathBuf;
use std::process::Stdio;

use common::{A, Home};
use depsurf::store::Dataset;

/// Kernels of the listing of a home.
fn listed(home: &Home, arguments: &[&str]) -> Vec<String> {
    let json = home.run(&[&["list", "--format", "json"][..], arguments].concat()).fine();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let kernels = json["kernels"].as_array().unwrap();
    kernels.iter().map(|kernel| kernel["kernel"].as_str().unwrap().to_owned()).collect()
}

fn cached(home: &Home) -> Vec<PathBuf> {
    let files = fs::read_dir(home.path().join(".cache/depsurf/surfaces"));
    let mut files: Vec<PathBuf> = files.into_iter().flatten().map(|file| file.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn the_first_command_needs_nothing() {
    let home = Home::new();
    let page = home.run(&["show", "function", "vfs_read", "--format", "md"]).fine();
    assert!(page.starts_with("# Function: <code>vfs_read</code>"), "{page}");
    let kernels = listed(&home, &[]);
    assert_eq!(kernels.len(), 5, "{kernels:?}");
    assert!(!home.dataset().exists(), "looking makes no dataset");

    let expanded = cached(&home);
    assert_eq!(expanded.len(), 5);
    let times =
        || expanded.iter().map(|file| fs::metadata(file).unwrap().modified().unwrap()).collect::<Vec<_>>();
    let before = times();
    listed(&home, &[]);
    assert_eq!(times(), before, "expanded once");
}

#[test]
fn it_ends_where_a_dataset_begins() {
    let home = Home::new();
    fs::create_dir_all(home.dataset()).unwrap();
    assert_eq!(listed(&home, &["--kernel", "5.10.*"]).len(), 1, "an empty directory is no dataset");
    Dataset::open(home.dataset()).unwrap().add(&common::surface(A)).unwrap();
    assert_eq!(listed(&home, &[]), [A]);
    assert!(home.run(&["list", "--dataset", "."]).stderr.contains("`.` has no kernels"));
}

#[test]
fn processes_at_once_expand_it_whole() {
    let home = Home::new();
    let run = || {
        let mut command = home.command();
        command.args(["list", "--kernel", "5.10.*", "--format", "json"]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let outputs: Vec<String> = [run(), run(), run()]
        .map(|child| common::Ran::from(child.wait_with_output().unwrap()).fine())
        .into_iter()
        .collect();
    assert!(outputs.iter().all(|output| *output == outputs[0]));
    let expanded = cached(&home);
    assert_eq!(expanded.len(), 1, "no partial files are left: {expanded:?}");
    let bytes = fs::read(&expanded[0]).unwrap();
    depsurf::surface::Surface::from_bytes(bytes).unwrap().verify().unwrap();
}

#[test]
fn it_works_without_a_place_for_a_cache() {
    let home = Home::new();
    fs::write(home.path().join(".cache"), "").unwrap();
    assert_eq!(listed(&home, &["--kernel", "5.10.*"]).len(), 1);
    let homeless = home.command().env_remove("HOME").args(["list", "--kernel", "5.10.*"]).output().unwrap();
    assert_eq!(common::Ran::from(homeless).fine().lines().count(), 4);
}
