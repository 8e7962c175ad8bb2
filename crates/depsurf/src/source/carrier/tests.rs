//! Carriers that the test writes: with a kernel, without, cut at every byte of their headers, and with hostile sizes.

use testkit::carrier::{Place, android, device_tree, fit, parts, uimage, uki};

use super::*;

/// Something that is no carrier itself.
const KERNEL: &[u8] = b"here would be the kernel";
const INITRD: &[u8] = b"initrd";

fn found(name: &str, bytes: &[u8]) -> Vec<u8> {
    let part = kernel(bytes).unwrap_or_else(|e| panic!("{name}: {e}"));
    part.unwrap_or_else(|| panic!("{name}: no carrier")).bytes.to_vec()
}

fn message(bytes: &[u8]) -> String {
    kernel(bytes).unwrap_err().to_string()
}

/// All carriers with a kernel: the name, the file, and how long its headers are.
fn carriers() -> Vec<(&'static str, Vec<u8>, usize)> {
    let images: [(&str, &str, &[u8]); 3] =
        [("initrd", "ramdisk", INITRD), ("other", "kernel", INITRD), ("kernel@1", "kernel", KERNEL)];
    let only = &images[2..];
    let multi = parts(&[KERNEL, INITRD]);
    let tree = |place| fit(&images, None, place).len() - 32;
    vec![
        (
            "UKI",
            uki(&[(".text", b"code"), (".osrel", b"ID=x"), (".linux", KERNEL), (".initrd", INITRD)]),
            0x80 + 24 + 240 + 3 * 40,
        ),
        ("android 0", android(0, 2048, KERNEL, INITRD), 2048),
        ("android 1", android(1, 4096, KERNEL, INITRD), 4096),
        ("android 2", android(2, 16384, KERNEL, b""), 16384),
        ("android 3", android(3, 0, KERNEL, INITRD), 4096),
        ("android 4", android(4, 0, KERNEL, INITRD), 4096),
        ("uImage", uimage(2, KERNEL), 64),
        ("uImage, not loaded", uimage(14, KERNEL), 64),
        ("uImage of parts", uimage(4, &multi), 64 + 12),
        ("FIT", fit(only, None, Place::Inside), fit(only, None, Place::Inside).len() - 1),
        ("FIT, configured", fit(&images, Some("kernel@1"), Place::Inside), 200),
        ("FIT, offset", fit(&images, Some("kernel@1"), Place::Offset), tree(Place::Offset)),
        ("FIT, position", fit(&images, Some("kernel@1"), Place::Position), tree(Place::Position)),
    ]
}

#[test]
fn every_carrier_gives_its_kernel() {
    for (name, bytes, _) in carriers() {
        assert_eq!(found(name, &bytes), KERNEL, "{name}");
        assert!(may_have_kernel(&bytes), "{name}");
    }
    assert!(kernel(KERNEL).unwrap().is_none());
    assert!(kernel(b"").unwrap().is_none());
}

#[test]
fn a_carrier_that_is_cut_is_an_error_or_unknown() {
    for (name, bytes, headers) in carriers() {
        for cut in 0..headers {
            match kernel(&bytes[..cut]) {
                // What tells the kind is not there.
                Ok(None) => assert!(cut < 0x84, "{name} cut at {cut}"),
                Ok(Some(part)) => panic!("{name} cut at {cut}: {:?}", part.bytes),
                Err(e) => {
                    let text = e.to_string();
                    assert!(matches!(e, Error::Truncated { .. }), "{name} cut at {cut}: {text}");
                }
            }
        }
    }
}

#[test]
fn hostile_sizes_and_places_are_refused() {
    let numbers = [0x7fff_ffffu32, 0x8000_0000, u32::MAX - 3, u32::MAX];
    for (name, bytes, headers) in carriers() {
        for at in (0..headers.min(bytes.len() - 4)).step_by(4) {
            for number in numbers {
                for word in [number.to_le_bytes(), number.to_be_bytes()] {
                    let mut hostile = bytes.clone();
                    hostile[at..at + 4].copy_from_slice(&word);
                    // Whatever comes of it is inside of the file.
                    if let Ok(Some(part)) = kernel(&hostile) {
                        assert!(part.bytes.len() <= hostile.len(), "{name} at {at:#x}");
                    }
                }
            }
        }
    }
    let with = |mut bytes: Vec<u8>, at: usize, word: [u8; 4]| {
        bytes[at..at + 4].copy_from_slice(&word);
        message(&bytes)
    };
    let all = u32::MAX.to_le_bytes();
    let image = || android(3, 0, KERNEL, b"");
    assert_eq!(
        with(image(), 8, all),
        "truncated: kernel of Android's boot image needs bytes up to 0x100000fff, the file ends at 0x2000"
    );
    assert_eq!(
        with(android(2, 2048, KERNEL, b""), 36, all),
        "malformed Android boot image at offset 0x24: a page size of 4294967295 bytes"
    );
    assert_eq!(
        with(image(), 40, 5u32.to_le_bytes()),
        "malformed Android boot image at offset 0x28: header version 5, known are those up to 4"
    );
    let section = 0x80 + 24 + 240 + 20;
    assert_eq!(
        with(uki(&[(".linux", KERNEL)]), section, all),
        "truncated: section `.linux` needs bytes up to 0x100000017, the file ends at 0x400"
    );
    let tree = || fit(&[("k", "kernel", KERNEL)], None, Place::Inside);
    assert!(with(tree(), 8, all).starts_with("truncated: nodes of the device tree"));
    assert!(with(tree(), 12, all).starts_with("truncated: names of the device tree"));
    assert_eq!(with(tree(), 20, [0; 4]), "malformed device tree at offset 0x14: version 0, known is 17");
    assert_eq!(
        with(tree(), 56, [9; 4]),
        "malformed device tree at 0x0 of the nodes: an unknown token 0x9090909"
    );
}

/// Before there were versions, vendors had the size of the device trees where the version is now.
#[test]
fn an_android_image_may_have_a_size_in_place_of_its_version() {
    let mut image = android(0, 2048, KERNEL, INITRD);
    image[40..44].copy_from_slice(&300_000u32.to_le_bytes());
    assert_eq!(found("android", &image), KERNEL);
}

#[test]
fn what_has_no_kernel_says_so() {
    let help = |bytes: &[u8]| {
        let error = kernel(bytes).unwrap_err();
        assert!(matches!(error, Error::Usage { .. }) && error.help().is_some(), "{error}");
        assert!(is_carrier(bytes) && !may_have_kernel(bytes), "{error}");
        error.to_string()
    };
    assert_eq!(
        help(&uki(&[(".text", b"code"), (".cmdline", b"quiet")])),
        "an EFI program without a section `.linux`: a boot loader, a stub or an addon, and not a kernel"
    );
    assert_eq!(help(b"VNDRBOOT\x04\0\0\0"), "Android's `vendor_boot` image, which has no kernel");
    assert!(help(&android(4, 0, b"", INITRD)).contains("`init_boot`"));
    assert_eq!(help(&uimage(3, INITRD)), "a uImage of a ramdisk, not of a kernel");
    assert_eq!(help(&uimage(99, INITRD)), "a uImage of an image of type 99, not of a kernel");
    assert_eq!(help(&uimage(4, &parts(&[]))), "a uImage without parts");
    assert_eq!(help(&device_tree()), "a device tree without `/images`, and so not a FIT image");
    assert_eq!(help(&fit(&[("a", "ramdisk", INITRD)], None, Place::Inside)), "a FIT image without a kernel");
    assert_eq!(
        message(&fit(&[("a", "kernel", KERNEL)], Some("b"), Place::Inside)),
        "malformed FIT image at `/images`: no image `b`, which a configuration names"
    );
}

#[test]
fn checksums_of_a_uimage_are_compared() {
    let image = uimage(2, KERNEL);
    let damaged = |at: usize| {
        let mut image = image.clone();
        image[at] ^= 1;
        message(&image)
    };
    assert_eq!(damaged(20), "checksum mismatch in the header of the uImage");
    assert_eq!(damaged(70), "checksum mismatch in the data of the uImage");
    // What is behind the data belongs to something else.
    assert_eq!(found("padded", &[&image[..], &[0; 99]].concat()), KERNEL);
}

#[test]
fn nodes_of_a_fit_image_are_limited() {
    let names: Vec<String> = (0..4097).map(|index| format!("k{index}")).collect();
    let images: Vec<_> = names.iter().map(|name| (name.as_str(), "kernel", KERNEL)).collect();
    assert_eq!(found("FIT", &fit(&images[1..], None, Place::Inside)), KERNEL);
    assert_eq!(
        message(&fit(&images, None, Place::Inside)),
        "number of nodes in `/images` exceeds the limit of 4096"
    );
}

#[test]
fn device_trees_behind_a_kernel_are_cut_off() {
    let gzip = b"\x1f\x8b and so on".to_vec();
    let tree = device_tree();
    assert!(kernel(&gzip).unwrap().is_none());
    for trees in 1..4 {
        let bytes = [gzip.clone(), tree.repeat(trees)].concat();
        assert_eq!(found("trees", &bytes), gzip, "{trees}");
        // Only a tree that ends with the file is behind the kernel and not a part of it.
        assert!(kernel(&[&bytes[..], b"more"].concat()).unwrap().is_none());
        assert!(kernel(&bytes[..bytes.len() - 1]).unwrap().is_none());
    }
    let mut other = [gzip, tree].concat();
    let version = other.len() - device_tree().len() + 23;
    other[version] = 3;
    assert!(kernel(&other).unwrap().is_none());
}
