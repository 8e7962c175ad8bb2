//! The kept index: the same answer with it, without it, and while others write.

use std::path::PathBuf;
use std::thread;
use std::time::{Duration, SystemTime};

use tempfile::TempDir;

use super::*;
use crate::progress::Silent;
use crate::search::{Query, Text};
use crate::store::Embedded;
use crate::store::pack::pack;
use crate::store::tests::parts;

const A: &str = "5.10.1-1-cloud-amd64";
const B: &str = "6.1.1-1-cloud-amd64";

/// A surface whose functions are `name_00000` and so on.
fn surface(name: &str, size: u32) -> Surface {
    Surface::from_bytes(parts(name, size).encode()).unwrap()
}

struct Place {
    directory: TempDir,
    dataset: Dataset,
}

impl Place {
    fn new() -> Self {
        let directory = TempDir::new().unwrap();
        let dataset = Dataset::create(directory.path().join("data")).unwrap();
        let dataset = dataset.with_cache(Some(directory.path().join("cache")));
        dataset.add(&surface(A, 20)).unwrap();
        dataset.add(&surface(B, 30)).unwrap();
        Self { directory, dataset }
    }

    fn kept(&self) -> Vec<PathBuf> {
        let files = fs::read_dir(self.directory.path().join("cache"));
        files.into_iter().flatten().map(|file| file.unwrap().path()).collect()
    }

    /// What is found, which must be the same without a cache.
    #[track_caller]
    fn check(&self) -> Vec<(String, Vec<usize>)> {
        let with = found(&self.dataset);
        assert_eq!(with, found(&self.dataset.clone().with_cache(None)));
        with
    }
}

fn found(dataset: &Dataset) -> Vec<(String, Vec<usize>)> {
    let index = dataset.index(&Silent).unwrap().index;
    let all: Vec<usize> = (0..index.kernels().len()).collect();
    let query = Query { text: Text::like("name_"), kinds: vec![crate::Kind::Function], limit: 1000 };
    index.search(&query, &all).hits.into_iter().map(|hit| (hit.name, hit.kernels)).collect()
}

#[test]
fn it_follows_the_dataset() {
    let place = Place::new();
    let has = |found: &[(String, Vec<usize>)], name: &str| {
        found.iter().find(|(other, _)| other == name).map(|(_, kernels)| kernels.clone())
    };
    let first = place.check();
    assert_eq!(first.len(), 30);
    assert_eq!((has(&first, "name_00019"), has(&first, "name_00029")), (Some(vec![0, 1]), Some(vec![1])));

    place.dataset.add(&surface(A, 40)).unwrap();
    let replaced = place.check();
    assert_eq!(
        (has(&replaced, "name_00039"), has(&replaced, "name_00029")),
        (Some(vec![0]), Some(vec![0, 1]))
    );

    place.dataset.add(&surface("6.12.1-1-cloud-amd64", 10)).unwrap();
    assert_eq!(has(&place.check(), "name_00009"), Some(vec![0, 1, 2]));

    place.dataset.remove(&A.parse().unwrap()).unwrap();
    let removed = place.check();
    assert_eq!((removed.len(), has(&removed, "name_00009")), (30, Some(vec![0, 1])));

    // The packed form of other content takes the place of a removed surface.
    place.dataset.remove(&B.parse().unwrap()).unwrap();
    place.dataset.add_packed(&pack(&surface(B, 35)).unwrap()).unwrap();
    assert_eq!(place.check().len(), 35);
    assert_eq!(place.kept().iter().filter(|path| path.extension().unwrap() == EXTENSION).count(), 1);
}

#[test]
fn it_is_made_once() {
    let place = Place::new();
    let first = place.check();
    let [index] = place.kept().try_into().unwrap();
    let long_ago = SystemTime::now() - Duration::from_secs(1000);
    let file = fs::File::options().write(true).open(&index).unwrap();
    file.set_modified(long_ago).unwrap();
    // A surface that is not opened need not be whole behind its header.
    let path = place.directory.path().join(format!("data/{A}.surface"));
    let whole = fs::read(&path).unwrap();
    let mut damaged = whole.clone();
    damaged[4000..].fill(0);
    fs::write(&path, damaged).unwrap();
    assert_eq!(found(&place.dataset), first);
    assert_eq!(fs::metadata(&index).unwrap().modified().unwrap(), long_ago);
}

#[test]
fn other_bytes_in_its_place_are_ignored() {
    let place = Place::new();
    let first = place.check();
    let [index] = place.kept().try_into().unwrap();
    let whole = fs::read(&index).unwrap();
    let other = Dataset::create(place.directory.path().join("other")).unwrap();
    other.add(&surface("4.4.1-1-cloud-amd64", 50)).unwrap();
    let other = other.index(&Silent).unwrap().index.bytes().to_vec();
    for bytes in [&whole[1..], &whole[..100], b"", &other] {
        fs::write(&index, bytes).unwrap();
        assert_eq!(place.check(), first);
        assert_eq!(fs::read(&index).unwrap(), whole);
    }
    fs::remove_file(&index).unwrap();
    fs::create_dir(&index).unwrap();
    assert_eq!(place.check(), first, "a directory has its name");
}

#[test]
fn a_kernel_that_cannot_be_opened_is_a_problem_each_time() {
    let place = Place::new();
    fs::write(place.directory.path().join(format!("data/{A}.surface")), b"").unwrap();
    fs::write(place.directory.path().join("data/README"), b"").unwrap();
    for _ in 0..2 {
        let indexed = place.dataset.index(&Silent).unwrap();
        assert_eq!(indexed.index.kernels().len(), 1);
        let kernels: Vec<Option<String>> =
            indexed.problems.iter().map(|problem| problem.kernel.as_ref().map(ToString::to_string)).collect();
        assert_eq!(kernels, [None, Some(A.to_owned())]);
    }
}

#[test]
fn searches_while_kernels_come_and_go_are_right() {
    let place = Place::new();
    let dataset = &place.dataset;
    thread::scope(|scope| {
        scope.spawn(|| {
            for size in 1..20 {
                dataset.add(&surface(A, 20 + size % 2)).unwrap();
            }
        });
        for _ in 0..2 {
            scope.spawn(|| {
                for _ in 0..20 {
                    let count = found(dataset).len();
                    assert_eq!(count, 30, "what B has, and A has no more");
                }
            });
        }
    });
    dataset.add(&surface(A, 31)).unwrap();
    assert_eq!(place.check().len(), 31);
    assert_eq!(place.kept().len(), 1, "no partial files are left: {:?}", place.kept());
}

#[test]
fn a_dataset_inside_the_program_has_one_as_well() {
    let directory = TempDir::new().unwrap();
    let packed: &'static [u8] = pack(&surface(A, 20)).unwrap().leak();
    let files: &'static [Embedded] = vec![Embedded { kernel: A, bytes: packed }].leak();
    let dataset = Dataset::embedded(files).with_cache(Some(directory.path().to_owned()));
    assert_eq!(found(&dataset).len(), 20);
    assert!(directory.path().join("names-starter.index").is_file());
    assert_eq!(found(&dataset), found(&Dataset::embedded(files)));
}
