//! `depsurf pages`.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use common::{A, B, Home, Ran};
use depsurf::store::Dataset;
use depsurf::surface::Surface;
use depsurf::surface::build::Parts;
use depsurf::surface::record::{self, NONE};

/// A kernel with these functions.
fn kernel(name: &str, functions: &[&str]) -> Surface {
    let mut parts = Parts::new(common::surface(name).meta().clone());
    let mut functions = functions.to_vec();
    functions.sort_unstable();
    for function in functions {
        let name = parts.strings.intern(function.as_bytes());
        parts.functions.push(record::Function {
            name: name.0.into(),
            first_instance: 0.into(),
            first_symbol: 0.into(),
            btf_func: NONE.into(),
        });
    }
    Surface::from_bytes(parts.encode()).unwrap()
}

fn add(home: &Home, name: &str, functions: &[&str]) {
    Dataset::create(home.dataset()).unwrap().add(&kernel(name, functions)).unwrap();
}

/// Numbers of files written, unchanged and removed.
#[track_caller]
fn counts(ran: Ran) -> [usize; 3] {
    assert_eq!(ran.status, Some(0), "{ran:?}");
    assert_eq!(ran.stdout, "site/README.md\n");
    let words: Vec<&str> = ran.stderr.trim_end().split(", ").collect();
    let number = |index: usize, word: &str| words[index].strip_prefix(word).unwrap().trim().parse().unwrap();
    assert!(words[3].ends_with(" s"), "{words:?}");
    [number(0, "written"), number(1, "unchanged"), number(2, "removed")]
}

fn pages(home: &Home) -> [usize; 3] {
    counts(home.run(&["pages", "-o", "site"]))
}

/// All files below a directory, by path from there.
fn tree(root: &Path) -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    let mut directories = vec![root.to_owned()];
    while let Some(directory) = directories.pop() {
        for file in fs::read_dir(directory).unwrap() {
            let path = file.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                files.insert(name, fs::read_to_string(&path).unwrap());
            }
        }
    }
    files
}

#[test]
fn pages_are_what_show_prints() {
    let home = Home::new();
    add(&home, A, &["vfs_read", "SyS_read"]);
    add(&home, B, &["vfs_read", "sys_read", "aux", "a:b", "_Z"]);
    assert_eq!(pages(&home), [11, 0, 0]);
    let site = tree(&home.path().join("site"));
    for (name, file) in [
        ("vfs_read", "vfs_read"),
        ("sys_read", "sys_read"),
        ("SyS_read", "SyS_read~~5"),
        ("aux", "~61ux"),
        ("a:b", "a~3ab"),
        ("_Z", "_Z"),
    ] {
        let shown = home.run(&["show", "function", name, "--format", "md"]).fine();
        assert_eq!(site[&format!("Function/{file}.md")], shown);
    }
    let index = &site["Index/Function-s.md"];
    assert!(index.contains("| [`SyS_read`](../Function/SyS_read~~5.md) | F | ∅ |\n"), "{index}");
    let readme = &site["README.md"];
    assert!(readme.contains("| Function | 6 | [A](Index/Function-a.md) "), "{readme}");
    assert!(readme.contains(&format!("| Regular | 6.1 | {B} | 5.10 |")), "{readme}");
}

#[test]
fn every_link_leads_to_a_page_and_every_page_has_a_link() {
    let home = Home::new();
    assert_eq!(home.run(&["pages", "-o", "site", "--kind", "kfunc", "--kind", "syscall"]).status, Some(0));
    let site = tree(&home.path().join("site"));
    let mut linked = BTreeSet::from(["README.md".to_owned()]);
    for (file, text) in site.iter().filter(|(file, _)| file.starts_with("Index/") || *file == "README.md") {
        for link in text.split("](").skip(1).filter_map(|rest| rest.split_once(')')) {
            linked.insert(match file.split_once('/') {
                Some(_) => link.0.strip_prefix("../").unwrap().to_owned(),
                None => link.0.to_owned(),
            });
        }
    }
    let written: BTreeSet<String> = site.keys().filter(|file| !file.starts_with('.')).cloned().collect();
    assert!(written.len() > 500, "the starter dataset has {} of these", written.len());
    assert_eq!(linked, written);
}

#[test]
fn only_what_changed_is_written() {
    let home = Home::with_dataset();
    let site = home.path().join("site");
    assert_eq!(pages(&home), [4, 0, 0]);
    let before = tree(&site);
    assert_eq!(pages(&home), [0, 4, 0]);

    // Edited without a change of size, removed, cut.
    fs::write(site.join("Function/vfs_read.md"), before["Function/vfs_read.md"].replace("vfs", "VFS"))
        .unwrap();
    fs::remove_file(site.join("README.md")).unwrap();
    fs::write(site.join("Function/vfs_write.md"), "").unwrap();
    // What runs that died leave behind.
    fs::write(site.join("Function/.depsurf-1-1.partial"), "x").unwrap();
    fs::write(site.join(".depsurf-1-2.partial"), "x").unwrap();
    assert_eq!(pages(&home), [3, 1, 0]);
    assert_eq!(tree(&site), before);

    // Another kernel changes both pages, the index and the list of kernels.
    add(&home, "6.12.1-1-cloud-amd64", &["vfs_read"]);
    assert_eq!(pages(&home), [4, 0, 0]);
    // The same with one thread.
    assert_eq!(counts(home.run(&["pages", "-o", "site", "--jobs", "1"])), [0, 4, 0]);
}

#[test]
fn an_interrupted_run_is_resumed() {
    let home = Home::with_dataset();
    let site = home.path().join("site");
    pages(&home);
    let whole = tree(&site);
    // As if it had been killed after the first page: the manifest comes before all pages.
    for file in ["README.md", "Index/Function-v.md", "Function/vfs_write.md"] {
        fs::remove_file(site.join(file)).unwrap();
    }
    assert_eq!(pages(&home), [3, 1, 0]);
    assert_eq!(tree(&site), whole);
}

#[test]
fn pages_of_names_that_are_gone_are_removed() {
    let home = Home::new();
    add(&home, A, &["vfs_read", "SyS_read", "old"]);
    assert_eq!(pages(&home), [7, 0, 0]);
    fs::write(home.path().join("site/Function/mine.md"), "mine").unwrap();
    fs::write(home.path().join("site/NOTES"), "mine").unwrap();

    // `SyS_read` gets another file, because `sys_read` takes its own.
    add(&home, A, &["vfs_read", "SyS_read", "sys_read"]);
    assert_eq!(pages(&home), [4, 2, 3]);
    let site = tree(&home.path().join("site"));
    let files: Vec<&str> = site.keys().map(String::as_str).collect();
    let expected = [
        ".depsurf-pages",
        "Function/SyS_read~~5.md",
        "Function/mine.md",
        "Function/sys_read.md",
        "Function/vfs_read.md",
        "Index/Function-s.md",
        "Index/Function-v.md",
        "NOTES",
        "README.md",
    ];
    assert_eq!(files, expected);
    assert!(site[".depsurf-pages"].ends_with(
        "\nFunction/SyS_read~~5.md\nFunction/sys_read.md\nFunction/vfs_read.md\n\
         Index/Function-s.md\nIndex/Function-v.md\nREADME.md\n"
    ));
}

#[test]
fn kinds_that_were_not_chosen_stay() {
    let home = Home::new();
    let run = |kind: &str| home.run(&["pages", "-o", "site", "--kernel", "6.1*", "--kind", kind]);
    assert_eq!(run("lsm").status, Some(0));
    let lsm = tree(&home.path().join("site"));
    assert_eq!(run("kfunc").status, Some(0));
    let both = tree(&home.path().join("site"));
    assert!(lsm.iter().filter(|(file, _)| file.contains('/')).all(|(file, text)| both[file] == *text));
    let readme = &both["README.md"];
    assert!(readme.contains("| LSM |") && readme.contains("| Kfunc |"), "{readme}");
    assert!(!readme.contains("| Struct |"), "{readme}");
}

#[test]
fn files_of_others_are_not_touched() {
    let home = Home::with_dataset();
    let site = home.path().join("site");
    fs::create_dir(&site).unwrap();
    fs::write(site.join("README.md"), "mine").unwrap();
    let told = home.run(&["pages", "-o", "site"]).failed();
    assert!(told.contains("`site/README.md` is there and was not written by `depsurf pages`\n"), "{told}");
    assert_eq!(tree(&site).len(), 1, "nothing was written");

    // A manifest that somebody made cannot lead out of the directory.
    fs::remove_file(site.join("README.md")).unwrap();
    fs::write(home.path().join("precious"), "mine").unwrap();
    fs::write(site.join(".depsurf-pages"), "../precious\n/precious\nFunction/../../precious\n").unwrap();
    assert_eq!(pages(&home), [4, 0, 0]);
    assert_eq!(fs::read_to_string(home.path().join("precious")).unwrap(), "mine");
}

#[test]
fn what_cannot_be_written_is_told() {
    let home = Home::with_dataset();
    fs::write(home.path().join("file"), "").unwrap();
    let told = home.run(&["pages", "-o", "file"]).failed();
    assert!(told.contains("cannot make the directory `file`"), "{told}");
    // A directory in the place of a page.
    pages(&home);
    let page = home.path().join("site/Function/vfs_read.md");
    fs::remove_file(&page).unwrap();
    fs::create_dir(&page).unwrap();
    let told = home.run(&["pages", "-o", "site"]).failed();
    assert!(told.starts_with("error: cannot write `site/Function/vfs_read.md`: "), "{told}");
    assert_eq!(told.lines().count(), 1, "{told}");
    assert!(!tree(&home.path().join("site")).keys().any(|file| file.ends_with(".partial")));
}

#[test]
fn a_second_run_at_the_same_time_is_refused() {
    let home = Home::with_dataset();
    pages(&home);
    let directory = fs::File::open(home.path().join("site")).unwrap();
    directory.lock().unwrap();
    let told = home.run(&["pages", "-o", "site"]).failed();
    assert!(told.contains("another `depsurf pages` is writing to `site`"), "{told}");
    drop(directory);
    assert_eq!(pages(&home), [0, 4, 0]);
}
