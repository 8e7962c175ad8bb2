//! Modules come out of every wrapping, and halves of them together.

use super::super::Bytes;
use super::super::fixture::{CONTROL, member, noise, package, tar, xz_even};
use super::*;

/// The names of the modules with the sizes of their files.
fn walk(choice: &str, places: &[ModulePackage]) -> Vec<String> {
    let choice = Choice::parse(choice).unwrap();
    let mut batches = Batches::new(places, &choice).unwrap();
    let mut names = Vec::new();
    loop {
        let batch = batches.next_batch().unwrap();
        if batch.is_empty() {
            return names;
        }
        names.extend(batch.iter().map(|file| {
            let sizes: Vec<String> = file.files.iter().map(|bytes| bytes.len().to_string()).collect();
            format!("{} {}", file.name(), sizes.join(" "))
        }));
    }
}

fn place(bytes: Vec<u8>) -> ModulePackage {
    ModulePackage::new(Bytes::owned(bytes), None)
}

fn names(choice: &str, bytes: Vec<u8>) -> Vec<String> {
    walk(choice, &[place(bytes)])
}

#[test]
fn modules_come_out_of_a_package_by_choice_and_without_their_compression() {
    let mut compressed = Vec::new();
    let stream = liblzma::stream::Stream::new_easy_encoder(1, liblzma::stream::Check::Crc64).unwrap();
    let mut encoder = liblzma::write::XzEncoder::new_stream(&mut compressed, stream);
    std::io::Write::write_all(&mut encoder, &[7; 5000]).unwrap();
    encoder.finish().unwrap();
    let files = [
        member("./boot/vmlinux-6.1", b'0', &noise(9000, 1)),
        member("./usr/lib/debug/lib/modules/6.1/kernel/fs/ext4/ext4.ko", b'0', &noise(3000, 2)),
        member("./lib/modules/6.1/kernel/net/nf-nat.ko.xz", b'0', &compressed),
        member("./lib/modules/6.1/modules.dep", b'0', b"x"),
        member("./lib/modules/6.1/kernel/net/", b'5', b""),
    ];
    let bytes = package(CONTROL, &xz_even(&tar(&files), 1000));
    assert_eq!(names("all", bytes.clone()), ["ext4 3000", "nf_nat 5000"]);
    assert_eq!(names("ext4", bytes.clone()), ["ext4 3000"]);
    assert_eq!(names("kernel/net/**", bytes.clone()), ["nf_nat 5000"]);
    assert!(names("none", bytes.clone()).is_empty());
    assert!(names("xfs", bytes).is_empty());
}

#[test]
fn a_pattern_that_is_none_is_an_error() {
    let error = Choice::parse("[").unwrap_err().to_string();
    assert!(error.starts_with("`[` is no pattern of modules"), "{error}");
}

#[test]
fn paths_tell_which_module_of_which_release() {
    let path = |path, anywhere| {
        let found = module_path(path, anywhere)?;
        Some((found.path, found.release.map(str::to_owned)))
    };
    let ext4 = "kernel/fs/ext4/ext4.ko";
    let release = Some("6.1".to_owned());
    for file in [
        "lib/modules/6.1/kernel/fs/ext4/ext4.ko",
        "usr/lib/modules/6.1/kernel/fs/ext4/ext4.ko.zst",
        "usr/lib/debug/lib/modules/6.1/kernel/fs/ext4/ext4.ko.debug",
        "usr/lib/debug/usr/lib/modules/6.1/kernel/fs/ext4/ext4.ko.gz",
    ] {
        assert_eq!(path(file, false), Some((ext4.to_owned(), release.clone())), "{file}");
        assert_eq!(path(file, true), path(file, false), "{file}");
    }
    assert_eq!(path("fs/ext4/ext4.ko", true), Some((ext4.to_owned(), None)));
    for none in [
        "fs/ext4/ext4.ko",
        "lib/modules/6.1/modules.dep",
        "mylib/modules/6.1/kernel/x.ko",
        "lib/modules/x.ko",
    ] {
        assert_eq!(path(none, false), None, "{none}");
    }
    assert_eq!(path("fs/ext4/ext4.ko.cmd", true), None);
}

#[test]
fn halves_come_together_wherever_they_are() {
    let debug = |size| member("./usr/lib/debug/lib/modules/6.1/kernel/a.ko", b'0', &noise(size, 1));
    let code = |size| member("./lib/modules/6.1/kernel/a.ko", b'0', &noise(size, 2));
    let other = member("./lib/modules/6.1/kernel/b.ko", b'0', &noise(30, 3));
    let of_next = member("./lib/modules/6.2/kernel/c.ko", b'0', &noise(40, 4));
    let deb = |files: &[Vec<u8>]| place(package(CONTROL, &tar(files)));
    // In two packages: the second has what the first has not, too.
    assert_eq!(walk("all", &[deb(&[debug(10)]), deb(&[code(20), other.clone()])]), ["a 10 20", "b 30"]);
    assert_eq!(walk("a", &[deb(&[]), deb(&[code(20), other.clone()])]), ["a 20"]);
    // In one archive, in either order; what waits for its other half comes with that.
    assert_eq!(names("all", tar(&[debug(10), other.clone(), code(20)])), ["b 30", "a 20 10"]);
    assert_eq!(names("all", tar(&[code(20), debug(10)])), ["a 10 20"]);
    // Another kernel's.
    let ours = ModulePackage::new(Bytes::owned(tar(&[other, of_next])), Some("6.1"));
    assert_eq!(walk("all", &[ours]), ["b 30"]);
}
