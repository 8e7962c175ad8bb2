//! Import and export of the original's dataset: what goes in comes out.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use depsurf::interop::depsurf::{Found, Part, export, find, import};
use depsurf::store::pack::unpack;
use depsurf::surface::Surface;
use tempfile::TempDir;

/// The directory of reference data, or a word that it is missing.
#[allow(clippy::print_stderr, reason = "a test that does not run has to say so")]
fn shared(what: &str) -> Option<PathBuf> {
    let shared = std::env::var_os("DEPSURF_SHARED").map(PathBuf::from);
    if shared.is_none() {
        eprintln!("SKIPPED: DEPSURF_SHARED is not set, so {what}");
    }
    shared
}

/// Imports every kernel, exports it, imports that, and compares the files and the surfaces.
fn round_trip(dataset: &Path) -> usize {
    let listing = find(dataset).expect("a dataset");
    assert!(listing.problems.is_empty(), "{:?}", listing.problems);
    for found in &listing.kernels {
        let surface = import(found).expect("a kernel");
        assert!(surface.notes().expect("notes").is_empty(), "{}: {:?}", found.kernel, surface.notes());
        let out = TempDir::new().expect("a directory");
        export(&surface, out.path()).expect("an export");
        for part in Part::ALL {
            compare(part, dataset, out.path(), found);
        }
        let again = find(out.path()).expect("a dataset");
        let again = import(&again.kernels[0]).expect("a kernel");
        assert!(again.bytes() == surface.bytes(), "{}: the second import differs", found.kernel);
    }
    listing.kernels.len()
}

/// The records of a part: all lines with how often each is there, or the options of a configuration.
fn compare(part: Part, before: &Path, after: &Path, found: &Found) {
    let records = |directory: &Path| {
        let text = read(&directory.join(part.name()), &found.kernel.to_string())?;
        let mut records: BTreeMap<String, usize> = BTreeMap::new();
        let is_record = |line: &&str| {
            part != Part::Config || line.starts_with("CONFIG_") || line.ends_with(" is not set")
        };
        for line in text.lines().filter(is_record) {
            *records.entry(line.to_owned()).or_default() += 1;
        }
        Some(records)
    };
    let (before, after) = (records(before), records(after));
    if before == after {
        return;
    }
    let (before, after) = (before.unwrap_or_default(), after.unwrap_or_default());
    let only = |one: &BTreeMap<String, usize>, other: &BTreeMap<String, usize>| {
        one.iter().find(|(line, count)| other.get(*line) != Some(count)).map(|(line, _)| line.clone())
    };
    panic!(
        "{} of {}: {} and {} lines, first `{:?}` and `{:?}`",
        part.name(),
        found.kernel,
        before.len(),
        after.len(),
        only(&before, &after),
        only(&after, &before)
    );
}

/// The text of a kernel's file, whatever it is packed with.
fn read(directory: &Path, kernel: &str) -> Option<String> {
    let entry = fs::read_dir(directory).ok()?.map(|entry| entry.expect("an entry"));
    let mut entry = entry.filter(|entry| entry.file_name().to_string_lossy().starts_with(kernel));
    let bytes = fs::read(entry.next()?.path()).expect("a file");
    let mut text = String::new();
    match bytes.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        true => zstd::Decoder::new(bytes.as_slice()).expect("zstd").read_to_string(&mut text).expect("text"),
        false => bytes.as_slice().read_to_string(&mut text).expect("text"),
    };
    Some(text)
}

#[test]
fn the_cut_dataset_comes_out_as_it_went_in() {
    let Some(shared) = shared("the cut dataset of 25 kernels was not imported") else { return };
    assert_eq!(round_trip(&shared.join("golden/ubuntu25/dataset")), 25);
}

#[test]
fn the_originals_output_comes_out_as_it_went_in() {
    let Some(shared) = shared("the original's own output was not imported") else { return };
    let golden = shared.join("golden/debian-6.1-cloud-amd64");
    let dataset = TempDir::new().expect("a directory");
    for part in Part::ALL {
        let directory = dataset.path().join(part.name());
        for extension in ["jsonl.zst", "json.zst", "txt"] {
            let file = golden.join(format!("{}.{extension}", part.name()));
            if file.exists() {
                fs::create_dir_all(&directory).expect("a directory");
                let name = format!("6.1.176-50-cloud-amd64.{extension}");
                fs::copy(file, directory.join(name)).expect("a copy");
            }
        }
    }
    assert_eq!(round_trip(dataset.path()), 1);
}

#[test]
fn what_we_extracted_survives_too() {
    let starter = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../starter");
    for kernel in ["5.10.223-32-cloud-amd64", "7.2.12-deb14-cloud-amd64"] {
        let packed = fs::read(starter.join(format!("{kernel}.packed"))).expect("a starter kernel");
        let surface = Surface::from_bytes(unpack(&packed).expect("a surface")).expect("a surface");
        let dataset = TempDir::new().expect("a directory");
        export(&surface, dataset.path()).expect("an export");
        assert_eq!(round_trip(dataset.path()), 1);
    }
}
