//! `depsurf search`: what is printed, and that the index in the cache is never in the way.

mod common;

use std::fs;
use std::path::PathBuf;
use std::process::Stdio;

use common::{A, B, Home};
use depsurf::store::Dataset;

/// The indexes in the cache of a home.
fn kept(home: &Home) -> Vec<PathBuf> {
    let files = fs::read_dir(home.path().join(".cache/depsurf/surfaces"));
    let files = files.into_iter().flatten().map(|file| file.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|extension| extension == "index")).collect()
}

#[test]
fn names_are_found_with_their_kernels() {
    let home = Home::with_dataset();
    let both = "kind      name       kernels\n\
                function  vfs_read   all 2\n\
                function  vfs_write  all 2\n";
    assert_eq!(home.run(&["search", "vfs"]).fine(), both);
    assert_eq!(home.run(&["search", "VFS_"]).fine(), both);
    let one = home.run(&["search", "vfs_raed", "--kernel", "5.10*"]).fine();
    assert_eq!(one, "kind      name      kernels\nfunction  vfs_read  5.10\n");
    assert_eq!(
        home.run(&["search", "write", "vfs", "--format", "md"]).fine(),
        "| kind | name | | kernels |\n| --- | --- | --- | --- |\n| function | `vfs_write` |  | all 2 |\n"
    );
    let limited = home.run(&["search", "vfs", "--limit", "1"]).fine();
    assert!(limited.ends_with("vfs_read  all 2\nand 1 more; --limit prints more of them\n"), "{limited}");
    let marked = home.run(&["search", "read", "--color", "always"]).fine();
    assert!(marked.contains("vfs_\u{1b}[32mread\u{1b}[0m"), "{marked:?}");
    assert_eq!(kept(&home).len(), 1);
}

#[test]
fn json_tells_everything() {
    let home = Home::with_dataset();
    let text = home.run(&["search", "--regex", "write$", "--format", "json"]).fine();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        json,
        serde_json::json!({
            "schema": 1,
            "text": "write$",
            "kernels": [A, B],
            "total": 1,
            "hits": [{
                "kind": "function", "name": "vfs_write", "is": "function", "of": null, "page": "vfs_write",
                "rank": "inside", "matched": [[4, 9]], "kernels": [A, B],
            }],
            "unknown": json["unknown"],
        })
    );
    let config = json["unknown"].as_array().unwrap().iter().find(|unknown| unknown["kind"] == "config");
    assert_eq!(config.unwrap()["kernels"], serde_json::json!([A, B]));
}

#[test]
fn what_is_not_found_is_explained() {
    let home = Home::with_dataset();
    let told = home.run(&["search", "zzzz", "--kind", "config"]).failed();
    assert_eq!(
        told,
        "error: 2 kernels have no config name that answers `zzzz`\n  \
         help: it may be there all the same: config is unknown on all 2\n"
    );
    let told = home.run(&["search", "vfs_read", "--kind", "syscall", "--kernel", "6.1*"]).failed();
    assert!(
        told.starts_with(&format!("error: `{B}` has no syscall name that answers `vfs_read`\n")),
        "{told}"
    );
    assert!(told.contains("  help: of other kinds: function `vfs_read`\n"), "{told}");
    let told = home.run(&["search", "--exact", "vfs_raed"]).failed();
    assert!(told.contains("  help: near to it: function `vfs_read`\n"), "{told}");
    assert!(home.run(&["search", "--regex", "("]).failed().contains("`(` is no regular expression"));
    assert!(home.run(&["search", " "]).failed().contains("the text is empty"));
    assert!(home.run(&["search", "vfs", "--kernel", "4.*"]).failed().contains("no kernel of the dataset"));
    let ran = home.run(&["search", "zzzz", "--format", "json"]);
    assert_eq!(ran.status, Some(2));
    assert!(ran.stdout.contains("\"hits\": []"), "{ran:?}");
}

#[test]
fn the_dataset_as_it_is_now_is_searched() {
    let home = Home::with_dataset();
    let kernels = || {
        let text = home.run(&["search", "vfs_read", "--format", "json"]).stdout;
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        json["hits"][0]["kernels"].as_array().map_or(0, Vec::len)
    };
    assert_eq!(kernels(), 2);
    let dataset = Dataset::open(home.dataset()).unwrap();
    dataset.add(&common::surface("6.12.1-1-cloud-amd64")).unwrap();
    assert_eq!(kernels(), 3);
    dataset.remove(&A.parse().unwrap()).unwrap();
    assert_eq!(kernels(), 2);
    assert_eq!(kept(&home).len(), 1, "one index per dataset");
}

#[test]
fn a_cache_that_cannot_be_used_is_none() {
    let home = Home::with_dataset();
    let right = home.run(&["search", "vfs"]).fine();
    let [index] = kept(&home).try_into().unwrap();
    let whole = fs::read(&index).unwrap();
    let mut damaged = whole.clone();
    damaged[whole.len() / 2] ^= 1;
    for bytes in [&damaged[..], &whole[..whole.len() / 2], b"", b"DEPNAMES"] {
        fs::write(&index, bytes).unwrap();
        assert_eq!(home.run(&["search", "vfs"]).fine(), right);
        assert_eq!(fs::read(&index).unwrap(), whole, "it is made again");
    }
    fs::remove_dir_all(home.path().join(".cache")).unwrap();
    fs::write(home.path().join(".cache"), "").unwrap();
    assert_eq!(home.run(&["search", "vfs"]).fine(), right, "no place for a cache");
}

#[test]
fn searches_at_once_do_no_harm() {
    let home = Home::with_dataset();
    let run = || {
        let mut command = home.command();
        command.args(["search", "vfs"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let children = [run(), run(), run(), run()];
    let outputs = children.map(|child| common::Ran::from(child.wait_with_output().unwrap()).fine());
    assert!(outputs.iter().all(|output| *output == outputs[0]));
    let cache = fs::read_dir(home.path().join(".cache/depsurf/surfaces")).unwrap();
    assert_eq!(cache.count(), 1, "no partial files are left");
}

#[test]
fn a_kernel_that_cannot_be_opened_is_told_of() {
    let home = Home::with_dataset();
    home.run(&["search", "vfs"]).fine();
    fs::write(home.dataset().join(format!("{A}.surface")), "damaged").unwrap();
    for _ in 0..2 {
        let ran = home.run(&["search", "vfs_read"]);
        assert_eq!(
            (ran.status, ran.stdout.as_str()),
            (Some(2), "kind      name      kernels\nfunction  vfs_read  6.1\n")
        );
        assert!(ran.stderr.starts_with("error: ") && ran.stderr.contains(A), "{ran:?}");
    }
    home.run(&["search", "vfs_read", "--kernel", "6.1*"]).fine();
}
