//! Published pages, byte for byte, from the dataset they were made of.
//!
//! Needs the directory with `golden/ubuntu25` in `DEPSURF_SHARED`.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use depsurf::interop;
use depsurf::surface::Surface;
use depsurf_render::{Group, Kernel as Labelled, Kind, Page, markdown};

/// Kernels of the Regular group, in its order.
const REGULAR: [&str; 17] = [
    "4.4.0-21",
    "4.8.0-22",
    "4.10.0-19",
    "4.13.0-16",
    "4.15.0-20",
    "4.18.0-10",
    "5.0.0-13",
    "5.3.0-18",
    "5.4.0-26",
    "5.8.0-25",
    "5.11.0-16",
    "5.13.0-19",
    "5.15.0-25",
    "5.19.0-21",
    "6.2.0-20",
    "6.5.0-9",
    "6.8.0-31",
];
const ARCH: [&str; 4] = [
    "5.4.0-26-generic-arm64",
    "5.4.0-26-generic-armhf",
    "5.4.0-26-generic-ppc64el",
    "5.4.0-24-generic-riscv64",
];
const FLAVOR: [&str; 4] =
    ["5.4.0-1009-aws-amd64", "5.4.0-1010-azure-amd64", "5.4.0-1009-gcp-amd64", "5.4.0-26-lowlatency-amd64"];

#[test]
#[allow(clippy::print_stderr, reason = "a test that does not run has to say so")]
fn published_pages() {
    let Some(shared) = std::env::var_os("DEPSURF_SHARED") else {
        eprintln!("SKIPPED: DEPSURF_SHARED is not set, so no published page was compared");
        return;
    };
    let root = PathBuf::from(shared).join("golden/ubuntu25");
    let regular: Vec<String> = REGULAR.iter().map(|kernel| format!("{kernel}-generic-amd64")).collect();
    let names: Vec<&str> = regular.iter().map(String::as_str).chain(ARCH).chain(FLAVOR).collect();
    let kernels = import(&root.join("dataset"));
    let label = |name: &str| {
        let parts: Vec<&str> = name.split('-').collect();
        match (parts[2], parts[3]) {
            ("generic", "amd64") => parts[0].rsplit_once('.').expect("three numbers").0.to_owned(),
            ("generic", arch) => arch.to_owned(),
            (flavour, _) => flavour.to_owned(),
        }
    };
    let labelled: Vec<Labelled<'_>> =
        names.iter().map(|name| Labelled { label: label(name), surface: &kernels[*name] }).collect();
    let default = &labelled[8];
    let base = |label: &str| Some(Labelled { label: label.into(), ..default.clone() });
    let groups = [
        group("Regular", &labelled[..17], None),
        group("Arch", &labelled[17..21], base("amd64")),
        group("Flavor", &labelled[21..], base("generic")),
    ];

    let mut compared = 0;
    let mut wrong = Vec::new();
    for kind in [Kind::Function, Kind::Struct, Kind::Tracepoint, Kind::Lsm] {
        let mut files: Vec<PathBuf> = std::fs::read_dir(root.join("pages").join(kind.heading()))
            .expect("pages")
            .map(|entry| entry.expect("an entry").path())
            .collect();
        files.sort();
        for file in files {
            let name = file.file_stem().and_then(|stem| stem.to_str()).expect("a name").to_owned();
            let golden = std::fs::read_to_string(&file).expect("a page");
            let drawn = markdown::page(&Page::decide(kind, &name, &groups));
            compared += 1;
            if drawn != golden {
                wrong.push((kind, name.clone(), first_difference(&drawn, &golden)));
            }
        }
    }
    assert_eq!(compared, 400 + 150 + 80 + 40);
    assert!(
        wrong.is_empty(),
        "{} of {compared} pages differ, first: {:#?}",
        wrong.len(),
        &wrong[..wrong.len().min(8)]
    );
}

fn group<'a>(title: &str, kernels: &[Labelled<'a>], base: Option<Labelled<'a>>) -> Group<'a> {
    Group { title: title.into(), kernels: kernels.to_vec(), base }
}

fn first_difference(drawn: &str, expected: &str) -> String {
    let pairs = drawn.lines().zip(expected.lines()).enumerate();
    match pairs.into_iter().find(|(_, (a, b))| a != b) {
        Some((line, (a, b))) => format!("line {}: drawn `{a}`, expected `{b}`", line + 1),
        None => "one is longer".into(),
    }
}

/// The kernels of the dataset by name.
fn import(dataset: &Path) -> HashMap<String, Surface> {
    let listing = interop::depsurf::find(dataset).expect("a dataset");
    assert!(listing.problems.is_empty(), "{:?}", listing.problems);
    let import = |found: &interop::depsurf::Found| {
        (found.kernel.to_string(), interop::depsurf::import(found).expect("a kernel"))
    };
    listing.kernels.iter().map(import).collect()
}
