//! `depsurf import`, with the real binary.

mod common;

use std::fs;
use std::path::Path;

use common::Home;

const KERNELS: [&str; 2] = ["5.4.0-26-generic-amd64", "6.8.0-31-generic-amd64"];

const FUNCTIONS: &str = r#"{"name": "f", "collision_type": "Unique Global", "inline_type": "No", "funcs": [{"addr": 4096, "name": "f", "external": true, "loc": "a.c:7", "file": "a.c", "inline": "seen, unknown", "caller_inline": [], "caller_func": ["b.c:g"]}], "symbols": [{"addr": 4096, "name": "f", "section": ".text", "bind": "STB_GLOBAL", "size": 16}]}
"#;
const STRUCTS: &str = r#"{"kind": "STRUCT", "name": "s", "members": [{"name": "a", "type": {"kind": "STRUCT", "name": "gone"}}]}
"#;

fn dataset(home: &Home) {
    for kernel in KERNELS {
        write(home, &format!("func_groups/{kernel}.jsonl"), FUNCTIONS);
        write(home, &format!("types_struct/{kernel}.jsonl"), STRUCTS);
    }
}

fn write(home: &Home, file: &str, text: &str) {
    let path = home.path().join("data").join(file);
    fs::create_dir_all(path.parent().unwrap_or(Path::new("/"))).unwrap();
    fs::write(path, text).unwrap();
}

#[test]
fn kernels_are_imported_listed_and_shown() {
    let home = Home::new();
    dataset(&home);
    let ran = home.run(&["import", "depsurf", "data"]);
    assert_eq!(
        (ran.status, ran.stdout.as_str()),
        (Some(0), "5.4.0-26-generic-amd64\n6.8.0-31-generic-amd64\n")
    );
    let list = home.run(&["list"]).stdout;
    assert!(list.contains("5.4.0-26-generic-amd64") && list.contains('?'), "{list}");
    let page = home.run(&["show", "function", "f", "--format", "md", "--kernel", "5.4*"]).stdout;
    assert!(page.contains("**Collision:** Unique Global") && page.contains("  - b.c:g"), "{page}");
    let page = home.run(&["show", "struct", "s"]).stdout;
    assert!(page.contains("size unknown") && page.contains("?  struct gone a"), "{page}");
    for (kind, name, words) in [
        ("struct", "gone", "the dataset refers to it and does not define it"),
        ("union", "u", "the dataset has no types_union of this kernel"),
        ("field", "gone::a", "the dataset refers to it and does not define it"),
        ("tracepoint", "t", "the dataset has no tracepoints of this kernel"),
        ("kfunc", "k", "the dataset has no symtab of this kernel"),
        ("config", "CONFIG_X", "the dataset has no config of this kernel"),
    ] {
        let page = home.run(&["show", kind, name]).stdout;
        assert!(page.contains("unknown: ") && page.contains(words), "{kind} {name}: {page}");
    }
}

#[test]
fn a_kernel_that_cannot_be_read_does_not_stop_the_others() {
    let home = Home::new();
    dataset(&home);
    write(&home, "types_struct/6.8.0-31-generic-amd64.jsonl", "{\"kind\": \"STRUCT\"}\n");
    write(&home, "config/README.md", "");
    let ran = home.run(&["import", "depsurf", "data"]);
    assert_eq!((ran.status, ran.stdout.as_str()), (Some(2), "5.4.0-26-generic-amd64\n"));
    for words in ["types_struct/6.8.0-31-generic-amd64.jsonl:1", "missing field `name`", "config/README.md"] {
        assert!(ran.stderr.contains(words), "{words}: {}", ran.stderr);
    }
}

#[test]
fn a_selection_that_matches_nothing_is_an_error() {
    let home = Home::new();
    dataset(&home);
    let ran = home.run(&["import", "depsurf", "data", "--kernel", "4.*"]);
    assert_eq!(ran.status, Some(2));
    assert!(
        ran.stderr.contains("no kernel of the DepSurf dataset at `data` matches `4.*`"),
        "{}",
        ran.stderr
    );
    let ran = home.run(&["import", "depsurf", "."]);
    assert!(ran.stderr.contains("no DepSurf dataset at `.`"), "{}", ran.stderr);
    let ran = home.run(&["import", "depsurf", "data", "--kernel", "6.8*"]);
    assert_eq!((ran.status, ran.stdout.as_str()), (Some(0), "6.8.0-31-generic-amd64\n"));
}
