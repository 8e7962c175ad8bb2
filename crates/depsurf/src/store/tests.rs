//! Datasets on disk: what readers see while writers work, die, and fail.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use super::*;
use crate::progress::Silent;
use crate::surface::build::Parts;
use crate::surface::meta::Meta;
use crate::surface::strings::StrId;
use crate::surface::types::{Child, TypeKind};
use crate::surface::{fixture, record};

fn kernel(name: &str) -> KernelId {
    name.parse().unwrap()
}

/// A surface with `size` functions and something in most tables.
pub(super) fn parts(name: &str, size: u32) -> Parts {
    let mut parts = Parts::new(Meta {
        compiler: Some("GCC: (Debian 12.2.0-14+deb12u1) 12.2.0".into()),
        base_address: 0xffff_ffff_8100_0000,
        ..fixture::meta(name)
    });
    let mut state = 1u32;
    let mut random = |below: u32| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) % below.max(1)
    };
    for unit in 0..size.div_ceil(8) {
        let file = parts.strings.intern(format!("fs/unit{unit}.c").as_bytes());
        parts.files.push(file);
        parts.units.push(record::Unit { file: unit.into(), module: 0.into() });
    }
    let units = parts.units.len() as u32;
    // Names come in another order than that of functions, as they do when units are read one by one.
    for row in 0..size {
        let name = format!("name_{:05}", row.wrapping_mul(7919) % size);
        let id = parts.strings.intern(name.as_bytes());
        let proto = parts.types.push(TypeKind::FuncProto, false, StrId::EMPTY, 0, []);
        if row % 3 == 0 {
            parts.types.push(TypeKind::Func, false, id, proto.0, []);
        }
        let member = Child { name: id, a: random(row + 1), b: row * 32 };
        parts.types.push(TypeKind::Struct, false, id, row * 8, [member]);
        let suffixed = parts.strings.intern(format!("{name}.cold").as_bytes());
        for name in [id, suffixed] {
            parts.symbols.push(record::Symbol {
                name: name.0.into(),
                address: (0xffff_ffff_8100_0000 + u64::from(row) * 48).into(),
                size: random(97).into(),
                section: random(3).into(),
                attach: random(4).into(),
                info: if random(9) == 0 { 0x11 } else { 0x12 },
                other: 0,
                special: 0.into(),
            });
        }
    }
    let instances = size * 2;
    for row in 0..size {
        let name = parts.strings.intern(format!("name_{row:05}").as_bytes());
        parts.functions.push(record::Function {
            name: name.0.into(),
            first_instance: (row * 2).into(),
            first_symbol: (parts.function_symbols.len() as u32).into(),
            btf_func: if row % 3 == 0 { random(size).into() } else { record::NONE.into() },
        });
        let symbols = (0u32..).zip(&parts.symbols);
        let own = symbols.filter(|(_, symbol)| symbol.name.get() == name.0).map(|(index, _)| index);
        parts.function_symbols.extend(own);
        for _ in 0..2 {
            let unit = random(units);
            parts.instances.push(record::Instance {
                unit: unit.into(),
                decl_file: if random(5) == 0 { record::NONE.into() } else { unit.into() },
                decl_line: random(900).into(),
                address: (0xffff_ffff_8100_0000 + u64::from(random(size)) * 48).into(),
                prototype: random(size).into(),
                first_inline_site: (parts.inline_sites.len() as u32).into(),
                first_call_site: (parts.call_sites.len() as u32).into(),
                flags: random(16).into(),
            });
            for _ in 0..random(4) {
                parts.call_sites.push(record::CallSite { caller: random(instances).into() });
                parts.inline_sites.push(record::InlineSite {
                    caller: random(instances).into(),
                    call_file: random(units).into(),
                    call_line: random(900).into(),
                    address: if random(9) == 0 { record::NONE.into() } else { random(100_000).into() },
                });
            }
        }
    }
    for row in 0..size / 10 {
        let name = parts.strings.intern(format!("CONFIG_{row}").as_bytes());
        let value = parts.strings.intern([b"y", b"m", b"n"][random(3) as usize]);
        parts.configs.push(record::Config { name: name.0.into(), value: value.0.into() });
    }
    parts
}

fn surface(name: &str) -> Surface {
    Surface::from_bytes(parts(name, 20).encode()).unwrap()
}

fn names(directory: &Path) -> Vec<String> {
    let files = fs::read_dir(directory).unwrap();
    let mut names: Vec<String> = files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn kernels(opened: &Opened) -> Vec<String> {
    opened.surfaces.iter().map(|surface| surface.kernel().to_string()).collect()
}

const A: &str = "6.1.176-50-cloud-amd64";
const B: &str = "5.10.223-32-cloud-amd64";

#[test]
fn adds_replaces_lists_and_removes() {
    let directory = TempDir::new().unwrap();
    let dataset = Dataset::create(directory.path().join("new")).unwrap();
    dataset.add(&surface(A)).unwrap();
    dataset.add(&surface(B)).unwrap();
    let path = dataset.add(&Surface::from_bytes(parts(A, 30).encode()).unwrap()).unwrap();
    assert_eq!(path.file_name().unwrap(), "6.1.176-50-cloud-amd64.surface");

    let opened = dataset.surfaces(|_| true, &Silent).unwrap();
    assert_eq!(kernels(&opened), [B, A]);
    assert_eq!(opened.surfaces[1].functions().len(), 30);
    assert!(opened.problems.is_empty());
    assert_eq!(kernels(&dataset.surfaces(|kernel| kernel.version.major == 5, &Silent).unwrap()), [B]);

    assert!(dataset.remove(&kernel(A)).unwrap());
    assert!(!dataset.remove(&kernel(A)).unwrap());
    assert_eq!(kernels(&dataset.surfaces(|_| true, &Silent).unwrap()), [B]);
}

#[test]
fn a_replaced_surface_stays_readable_for_those_who_have_it() {
    let directory = TempDir::new().unwrap();
    let dataset = Dataset::open(directory.path()).unwrap();
    dataset.add(&surface(A)).unwrap();
    let old = dataset.surfaces(|_| true, &Silent).unwrap();
    dataset.add(&Surface::from_bytes(parts(A, 40).encode()).unwrap()).unwrap();
    dataset.remove(&kernel(A)).unwrap();
    old.surfaces[0].verify().unwrap();
    assert_eq!(old.surfaces[0].functions().len(), 20);
}

#[test]
fn leftovers_of_dead_writers_are_ignored_and_then_removed() {
    let directory = TempDir::new().unwrap();
    let dataset = Dataset::open(directory.path()).unwrap();
    let leftover = directory.path().join(format!(".{A}.surface.1-0.partial"));
    fs::write(&leftover, b"half a sur").unwrap();
    let living = directory.path().join(format!(".{A}.surface.1-1.partial"));
    let writer = File::create(&living).unwrap();
    writer.lock().unwrap();
    let foreign = directory.path().join(".hidden");
    fs::write(&foreign, b"").unwrap();

    let listing = dataset.list().unwrap();
    assert!(listing.entries.is_empty() && listing.problems.is_empty());
    dataset.add(&surface(B)).unwrap();
    assert!(!leftover.exists(), "nobody holds it");
    assert!(living.exists(), "its writer lives");
    assert!(foreign.exists(), "not ours");
}

#[test]
fn writers_at_once_do_no_harm() {
    let directory = TempDir::new().unwrap();
    let dataset = Dataset::open(directory.path()).unwrap();
    let sizes = [10, 20, 30, 40];
    std::thread::scope(|scope| {
        for size in sizes {
            let dataset = &dataset;
            scope.spawn(move || {
                for round in 0..20 {
                    let name = if round % 2 == 0 { A } else { B };
                    dataset.add(&Surface::from_bytes(parts(name, size).encode()).unwrap()).unwrap();
                }
            });
        }
        // A reader sees whole surfaces all the time.
        for _ in 0..200 {
            let opened = dataset.surfaces(|_| true, &Silent).unwrap();
            assert!(opened.problems.is_empty(), "{:?}", opened.problems);
            for surface in opened.surfaces {
                surface.verify().unwrap();
                assert!(sizes.contains(&(surface.functions().len() as u32)));
            }
        }
    });
    assert_eq!(names(directory.path()), [format!("{B}.surface"), format!("{A}.surface")]);
}

#[test]
fn one_bad_file_leaves_the_others_usable() {
    let directory = TempDir::new().unwrap();
    let at = |name: &str| directory.path().join(name);
    let dataset = Dataset::open(directory.path()).unwrap();
    dataset.add(&surface(A)).unwrap();
    let bytes = surface(B).bytes().to_vec();
    fs::write(at("5.10.1-cut-amd64.surface"), &bytes[..bytes.len() / 2]).unwrap();
    fs::write(at("5.10.2-empty-amd64.surface"), b"").unwrap();
    let mut other = bytes.clone();
    other[8] = 99;
    fs::write(at("5.10.3-schema-amd64.surface"), &other).unwrap();
    fs::write(at("5.10.4-renamed-amd64.surface"), &bytes).unwrap();
    fs::write(at("5.10.5-elf-amd64.surface"), b"\x7fELF and what follows in a file of that kind....")
        .unwrap();
    fs::write(at("README"), b"").unwrap();
    fs::write(at("nonsense.surface"), b"").unwrap();
    fs::create_dir(at("5.10.6-dir-amd64.surface")).unwrap();

    let opened = dataset.surfaces(|_| true, &Silent).unwrap();
    assert_eq!(kernels(&opened), [A]);
    let told: Vec<String> = opened
        .problems
        .iter()
        .map(|problem| problem.error.to_string().replace(&format!("{}/", directory.path().display()), ""))
        .collect();
    assert_eq!(
        told,
        [
            "5.10.6-dir-amd64.surface: not a file",
            "README: not a surface file: its name does not end in `.surface` or `.packed`",
            "nonsense.surface: `nonsense` is not a kernel name: it needs a version, a flavour and an architecture",
            &format!(
                "5.10.1-cut-amd64.surface: truncated: the surface file needs bytes up to {:#x}, the file ends at {:#x}",
                bytes.len(),
                bytes.len() / 2
            ),
            "5.10.2-empty-amd64.surface: truncated: the header of a surface file needs bytes up to 0x20, \
             the file ends at 0x0",
            "5.10.3-schema-amd64.surface: surface file of schema 99, this program reads schema 1",
            "the file of `5.10.4-renamed-amd64` holds the kernel `5.10.223-32-cloud-amd64`",
            "5.10.5-elf-amd64.surface: malformed surface file at offset 0: the magic number is missing",
        ]
    );
    assert_eq!(opened.problems.iter().filter(|problem| problem.kernel.is_some()).count(), 5);
    assert!(
        opened
            .problems
            .iter()
            .all(|problem| problem.error.help().is_some() || problem.error.to_string().contains("magic"))
    );
}

#[test]
fn names_that_are_no_directory_are_refused() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, b"").unwrap();
    for error in [
        Dataset::open(&file).unwrap_err(),
        Dataset::create(&file).unwrap_err(),
        Dataset::create(file.join("below")).unwrap_err(),
    ] {
        assert!(error.to_string().contains("is not a directory"), "{error}");
    }
    let missing = Dataset::open(directory.path().join("missing")).unwrap_err();
    assert!(missing.to_string().contains("no such directory"), "{missing}");
    assert!(missing.help().unwrap().contains("depsurf add"));
}

#[test]
fn a_failed_write_leaves_the_dataset_as_it_was() {
    let directory = TempDir::new().unwrap();
    let dataset = Dataset::open(directory.path()).unwrap();
    dataset.add(&surface(B)).unwrap();
    // A directory in the way makes the last step fail for root too.
    fs::create_dir(directory.path().join(format!("{A}.surface"))).unwrap();
    let error = dataset.add(&surface(A)).unwrap_err();
    assert!(error.to_string().contains("cannot write"), "{error}");
    assert_eq!(names(directory.path()), [format!("{B}.surface"), format!("{A}.surface")]);
}

#[test]
fn a_surface_cut_anywhere_is_an_error() {
    let bytes = surface(A).bytes().to_vec();
    for end in 0..bytes.len() {
        assert!(Surface::from_bytes(bytes[..end].to_vec()).is_err(), "cut at {end}");
    }
}

#[test]
fn packed_kernels_are_expanded_once_into_the_cache() {
    let directory = TempDir::new().unwrap();
    let cache = directory.path().join("cache");
    let home = directory.path().join("dataset");
    let dataset = Dataset::create(&home).unwrap().with_cache(Some(cache.clone()));
    let packed = pack::pack(&surface(A)).unwrap();
    dataset.add_packed(&packed).unwrap();
    assert!(dataset.list().unwrap().entries[0].packed);

    for _ in 0..2 {
        let opened = dataset.surfaces(|_| true, &Silent).unwrap();
        assert_eq!(opened.surfaces[0].bytes(), surface(A).bytes());
        assert_eq!(names(&cache).len(), 1);
    }
    let expanded = cache.join(&names(&cache)[0]);
    let before = fs::metadata(&expanded).unwrap().modified().unwrap();
    dataset.surfaces(|_| true, &Silent).unwrap();
    assert_eq!(fs::metadata(&expanded).unwrap().modified().unwrap(), before, "used, not written again");

    // Another expansion of the kernel is kept for a while, what else is there for ever.
    let set_age = |name: &str, days: u64| {
        let file = File::create(cache.join(name)).unwrap();
        let age = std::time::Duration::from_secs(days * 24 * 60 * 60);
        file.set_modified(std::time::SystemTime::now() - age).unwrap();
    };
    set_age(&format!("{A}-00000000000000ff.surface"), 40);
    set_age(&format!("{A}-00000000000000fe.surface"), 20);
    set_age(&format!("{B}-00000000000000fd.surface"), 40);
    set_age(&format!("{A}-mine.surface"), 40);

    // A damaged cache repairs itself.
    fs::write(&expanded, b"rubbish").unwrap();
    assert_eq!(dataset.surfaces(|_| true, &Silent).unwrap().surfaces[0].bytes(), surface(A).bytes());

    assert_eq!(names(&cache).len(), 4, "only the oldest of that kernel went: {:?}", names(&cache));

    // The mapped form counts when both are there.
    dataset.add(&Surface::from_bytes(parts(A, 33).encode()).unwrap()).unwrap();
    let listing = dataset.list().unwrap();
    assert_eq!(listing.entries.len(), 1);
    assert!(!listing.entries[0].packed);
    assert_eq!(dataset.surfaces(|_| true, &Silent).unwrap().surfaces[0].functions().len(), 33);
    assert!(dataset.remove(&kernel(A)).unwrap());
    assert!(names(&home).is_empty());
}

#[test]
fn without_a_usable_cache_packed_kernels_are_expanded_in_memory() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, b"").unwrap();
    let packed: &'static [u8] = pack::pack(&surface(A)).unwrap().leak();
    let files: &'static [Embedded] = vec![Embedded { kernel: A, bytes: packed }].leak();
    for cache in [None, Some(file.join("below"))] {
        let dataset = Dataset::embedded(files).with_cache(cache);
        assert_eq!(dataset.surfaces(|_| true, &Silent).unwrap().surfaces[0].bytes(), surface(A).bytes());
        assert!(dataset.add(&surface(B)).is_err());
    }
}

#[test]
fn two_hundred_kernels_open_fast() {
    let directory = TempDir::new().unwrap();
    let dataset = Dataset::open(directory.path()).unwrap();
    for number in 0..200 {
        let name = format!("6.1.{number}-cloud-amd64");
        fs::write(directory.path().join(format!("{name}.surface")), surface(&name).bytes()).unwrap();
    }
    let start = std::time::Instant::now();
    assert_eq!(dataset.surfaces(|_| true, &Silent).unwrap().surfaces.len(), 200);
    // The budget is 20 ms; the limit leaves room for an unoptimised build on a busy machine.
    assert!(start.elapsed().as_millis() < 1000, "{:?}", start.elapsed());
}
