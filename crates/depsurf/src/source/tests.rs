//! From the bytes of packages to kernels.

use std::io::Read;
use std::ops::Range;

use super::fixture::{
    CONFIG, CONTROL, PATH, ar, control, cpio, debug_tar, elf, gzip, member, noise, package, promise, rpm,
    tar, vmlinux, xz_blocks, xz_even, zst,
};
use super::members::Files as _;
use super::*;
use crate::progress::Silent;

fn open_package(bytes: &[u8]) -> Result<Kernel> {
    open_bytes("linux.deb", bytes, &Silent)
}

/// Ranges of the sections, in the order of [`vmlinux`].
fn sections() -> Vec<Range<u64>> {
    let mut at = 64;
    [3000, 9000, 500, 5000, 8000, 700]
        .map(|size| {
            at += size;
            at - size..at
        })
        .into()
}

#[test]
fn any_compression_gives_the_same_vmlinux() {
    let tar = debug_tar();
    let vmlinux = vmlinux();
    for (name, data) in [
        ("plain", tar.clone()),
        ("gzip", gzip(&tar)),
        ("zstd", zst(&tar)),
        ("xz of one block", xz_blocks(&tar, [])),
        (
            "xz of two streams",
            [xz_blocks(&tar[..9999], []), vec![0; 8], xz_blocks(&tar[9999..], [])].concat(),
        ),
        ("xz of even blocks", xz_even(&tar, 1000)),
        ("xz of tiny blocks", xz_even(&tar, 10)),
        ("xz of odd blocks", xz_blocks(&tar, [1, 2999, 7, 3500, 512, 20000])),
    ] {
        let kernel = open_package(&package(CONTROL, &data)).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(kernel.vmlinux.len(), vmlinux.len(), "{name}");
        for (section, needed) in sections().into_iter().zip([true, false, true, true, false, true]) {
            let expected = &vmlinux[section.start as usize..section.end as usize];
            match kernel.vmlinux.get(section.clone()) {
                Ok(bytes) => assert!(bytes == expected, "{name}: {section:?}"),
                Err(e) => assert!(!needed, "{name}: {section:?}: {e}"),
            }
        }
        // Names and headers behind the sections.
        assert_eq!(kernel.vmlinux.get(26264..vmlinux.len() as u64).unwrap(), &vmlinux[26264..], "{name}");
        assert_eq!(kernel.origin.member.as_deref(), Some(PATH), "{name}");
        assert_eq!(kernel.origin.release(), Some("6.1.0-50-cloud-amd64"), "{name}");
        let package = kernel.origin.package.unwrap();
        assert_eq!(
            (package.version.as_str(), package.source.as_deref()),
            ("6.1.176-1", Some("linux")),
            "{name}"
        );
        assert_eq!(kernel.config_packages, ["linux-image-6.1.0-50-cloud-amd64"], "{name}");
    }
}

#[test]
fn unread_sections_take_no_memory() {
    let sections: Vec<Vec<u8>> = (0..4).map(|seed| noise(5 << 20, seed)).collect();
    let vmlinux = elf(&[
        (".text", 1, 2, &sections[0]),
        (".rela.text", 4, 0, &sections[1]),
        (".debug_loclists", 1, 0, &sections[2]),
        (".debug_info", 1, 0, &sections[3]),
    ]);
    let tar = tar(&[member("vmlinux", b'0', &vmlinux)]);
    for (name, data) in [("xz", xz_even(&tar, 1 << 20)), ("zstd", zst(&tar)), ("tar", tar)] {
        let kernel = open_package(&package(CONTROL, &data)).unwrap();
        let bytes = &kernel.vmlinux;
        assert!(bytes.get(0..64 + (5 << 20)).unwrap() == &vmlinux[..64 + (5 << 20)], "{name}");
        let rest = 64 + (15 << 20);
        assert!(bytes.get(rest as u64..bytes.len() as u64).unwrap() == &vmlinux[rest..], "{name}");
        assert!(!bytes.present(7 << 20..(7 << 20) + 1), "{name}");
        let stored = bytes.present_len();
        assert!((10 << 20..12 << 20).contains(&stored), "{name}: {stored}");
    }
}

#[test]
fn a_header_shorter_than_what_is_read_of_it() {
    // A 32-bit file that needs its header and nothing else for a long way.
    let mut vmlinux = vec![0; 5 << 20];
    vmlinux[..6].copy_from_slice(b"\x7fELF\x01\x01");
    vmlinux[32..36].copy_from_slice(&(4u32 << 20).to_le_bytes());
    vmlinux[46..52].copy_from_slice(&[40, 0, 1, 0, 0, 0]);
    let tar = tar(&[member("vmlinux", b'0', &vmlinux)]);
    for data in [xz_even(&tar, 1 << 20), zst(&tar), xz_blocks(&tar, [])] {
        let kernel = open_package(&package(CONTROL, &data)).unwrap();
        assert!(kernel.vmlinux.get(0..52).unwrap() == &vmlinux[..52]);
        assert!(kernel.vmlinux.present(4 << 20..(4 << 20) + 40));
    }
}

#[test]
fn a_cut_package_is_an_error_wherever_it_is_cut() {
    for data in [xz_even(&debug_tar(), 4000), zst(&debug_tar())] {
        let mut package = package(CONTROL, &data);
        // The padding behind the last member means nothing.
        package.truncate(package.len() - data.len() % 2);
        assert!(open_package(&package).is_ok());
        for length in 0..package.len() {
            assert!(open_package(&package[..length]).is_err(), "cut at {length} of {}", package.len());
        }
    }
}

#[test]
fn a_cut_stream_is_an_error_or_was_not_needed() {
    let tar = debug_tar();
    for (name, data) in [("zstd", zst(&tar)), ("gzip", gzip(&tar)), ("xz", xz_blocks(&tar, [])), ("tar", tar)]
    {
        let mut whole = 0;
        for length in 0..data.len() {
            match open_package(&package(CONTROL, &data[..length])) {
                Err(_) => assert_eq!(whole, 0, "{name}: error at {length} behind the vmlinux"),
                Ok(kernel) => {
                    whole += 1;
                    assert!(*kernel.vmlinux == vmlinux()[..], "{name}: cut at {length}");
                }
            }
        }
        // What is behind the vmlinux is not looked at, but the index of xz is at the end, and so little
        // is a single unit for zstd.
        assert_eq!(whole > 0, matches!(name, "gzip" | "tar"), "{name}");
    }
}

#[test]
fn damage_in_a_wanted_block_is_found() {
    let data = xz_even(&debug_tar(), 4000);
    let mut errors = 0;
    for at in (0..data.len()).step_by(13) {
        let mut damaged = data.clone();
        damaged[at] ^= 0x10;
        match open_package(&package(CONTROL, &damaged)) {
            Err(_) => errors += 1,
            Ok(kernel) => {
                for (index, section) in sections().into_iter().enumerate() {
                    // The last section ends in the middle of a block, which is decoded no further and so
                    // not verified.
                    if index != 5
                        && let Ok(bytes) = kernel.vmlinux.get(section.clone())
                    {
                        assert!(
                            bytes == &vmlinux()[section.start as usize..section.end as usize],
                            "{at}: {index}"
                        );
                    }
                }
            }
        }
    }
    assert!(errors > data.len() / 13 / 2, "{errors} errors");
}

#[test]
fn a_package_without_vmlinux_names_the_one_that_has_it() {
    let help = |fields: &[(&str, &str)]| {
        let tar = tar(&[member("./boot/vmlinuz-6.1.0-50-cloud-amd64", b'0', b"MZ")]);
        let error = open_package(&package(&control(fields), &gzip(&tar))).unwrap_err();
        assert_eq!(error.to_string(), "linux.deb: no vmlinux in the package");
        error.help().unwrap()
    };
    assert_eq!(
        help(&[("Package", "linux-image-6.1.0-50-cloud-amd64")]),
        "the debug package `linux-image-6.1.0-50-cloud-amd64-dbg` has it"
    );
    assert_eq!(
        help(&[
            ("Package", "linux-modules-5.4.0-26-generic"),
            ("Maintainer", "Kernel Team <kernel-team@lists.ubuntu.com>")
        ]),
        "the debug package `linux-image-unsigned-5.4.0-26-generic-dbgsym` has it"
    );
    assert_eq!(
        help(&[
            ("Package", "linux-image-amd64"),
            ("Depends", "initramfs, linux-image-6.1.0-50-amd64 (= 6.1.176-1)")
        ]),
        "the debug package `linux-image-6.1.0-50-amd64-dbg` has it"
    );
    assert!(help(&[("Package", "bash")]).contains("linux-image-*-dbg"));
}

#[test]
fn a_vmlinux_that_is_no_elf_file_is_named() {
    let tar = tar(&[member("./usr/lib/debug/boot/vmlinux-6.1.0", b'0', b"#!/bin/sh\n")]);
    let error = open_package(&package(CONTROL, &tar)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "linux.deb: malformed package at `usr/lib/debug/boot/vmlinux-6.1.0`: not an ELF file"
    );
}

#[test]
fn what_is_no_package_is_described() {
    let error = |bytes: &[u8]| open_bytes("x", bytes, &Silent).unwrap_err().to_string();
    assert_eq!(error(b""), "x: not a kernel image or package: an empty file");
    assert_eq!(error(b"Hello, world\n"), "x: not a kernel image or package: a text file");
    assert_eq!(error(&gzip(b"Hello, world\n")), "x: not a kernel image or package: a text file");
    assert_eq!(
        error(&ar(&[("lib.o", b"\x7fELF")])),
        "x: not a kernel image or package: an ar archive that does not begin with `debian-binary` 2.x"
    );
    assert_eq!(
        error(&package("Package: a\nVersion: 1\n", b"")),
        "x: malformed package at `control`: no field `Architecture`"
    );
}

#[test]
fn sizes_are_refused_before_memory_is_taken() {
    let error = |data: &[Vec<u8>]| match open_package(&package(CONTROL, &gzip(&data.concat()))).unwrap_err() {
        Error::In { source, .. } => *source,
        other => other,
    };
    let mut vmlinux = promise("vmlinux", (8 << 30) + 1);
    vmlinux.extend(elf(&[]));
    assert!(matches!(error(&[vmlinux]), Error::In { source, .. } if matches!(*source, Error::Limit { .. })));
    assert!(matches!(error(&[promise("boot/config-6.1", (16 << 20) + 1)]), Error::Limit { .. }));
    assert!(matches!(error(&[promise("a", u64::MAX)]), Error::Malformed { .. }));
    assert!(matches!(error(&[promise("a", 1 << 62)]), Error::Truncated { .. }));

    let control = [promise("control", (4 << 20) + 1)].concat();
    let package = ar(&[("debian-binary", b"2.0\n"), ("control.tar", &control), ("data.tar", b"")]);
    let error = open_package(&package).unwrap_err().to_string();
    assert_eq!(
        error,
        "linux.deb: control.tar: `control` of 4194305 bytes exceeds the limit of 4194304 bytes"
    );
}

/// Zeros shrink thousandfold: what claims, or turns out, to be that large is refused before it is decoded.
#[test]
fn contents_too_large_for_their_package_are_refused() {
    let error = |data: &[u8]| open_package(&package(CONTROL, data)).unwrap_err().to_string();
    // The vmlinux says how large it is: nothing of it is decoded.
    let mut promised = promise("vmlinux", 300 << 20);
    promised.extend(elf(&[]));
    let found = error(&zst(&promised));
    assert!(found.contains("contents of 314573312 bytes or more in "), "{found}");
    assert!(found.ends_with("exceeds the limit of 268435456 bytes (100 for each compressed one)"), "{found}");
    // A member in front of it does, and is decoded no further than the limit.
    let zeros = |size: u64| {
        let mut writer = zstd::Encoder::new(Vec::new(), 1).unwrap();
        let header = promise("a", size);
        let mut tar = header.as_slice().chain(std::io::repeat(0).take(size));
        std::io::copy(&mut tar, &mut writer).unwrap();
        writer.finish().unwrap()
    };
    let found = error(&zeros(300 << 20));
    assert!(found.contains("exceeds the limit of 268435456 bytes"), "{found}");
    // As much as is allowed in a package of any size, and nothing behind it.
    let found = error(&zeros(1 << 20));
    assert_eq!(
        found,
        "linux.deb: truncated: tar archive needs bytes up to 0x100400, the file ends at 0x100200"
    );
    // The index of xz tells all sizes.
    let data = xz_even(&vec![0; 300 << 20], 100 << 20);
    let found = error(&data);
    assert!(
        found.contains(&format!("contents of {} bytes or more in {} ", 300 << 20, data.len())),
        "{found}"
    );
}

#[test]
fn a_config_in_front_of_the_vmlinux_is_taken() {
    let config = |path: &str| {
        let tar = tar(&[
            member("boot/config-5.4.0-26-generic", b'0', b"no config at all"),
            member(path, b'0', CONFIG.as_bytes()),
            member("vmlinux", b'0', &vmlinux()),
        ]);
        open_package(&package(CONTROL, &tar)).unwrap().config
    };
    let found = config("./boot/config-6.1.0-50-cloud-amd64").unwrap();
    assert_eq!(found.text, CONFIG);
    assert_eq!(found.origin.release(), Some("6.1.0-50-cloud-amd64"));
    assert_eq!(config("usr/lib/modules/7.2.12+deb14/config").unwrap().origin.release(), Some("7.2.12+deb14"));
    assert_eq!(config("usr/src/linux-headers-6.1/.config").unwrap().origin.release(), Some("6.1"));
    assert_eq!(config("etc/config"), None);
}

#[test]
fn configs_are_read_from_packages_and_files() {
    let plain = read_config_bytes("config-6.1.0-50-cloud-amd64", CONFIG.as_bytes()).unwrap();
    assert_eq!((plain.text.as_str(), plain.origin.release()), (CONFIG, Some("6.1.0-50-cloud-amd64")));
    assert_eq!(read_config_bytes("config.gz", &gzip(CONFIG.as_bytes())).unwrap().text, CONFIG);

    let tar_of = |path| tar(&[member("./boot/", b'5', b""), member(path, b'0', CONFIG.as_bytes())]);
    let image = control(&[("Package", "linux-image-6.1.0-50-cloud-amd64")]);
    let bytes = package(&image, &zst(&tar_of("./boot/config-6.1.0-50-cloud-amd64")));
    let config = read_config_bytes("image.deb", &bytes).unwrap();
    assert_eq!(config.origin.member.as_deref(), Some("boot/config-6.1.0-50-cloud-amd64"));
    assert_eq!(config.text, CONFIG);

    let error = read_config_bytes("x", b"CONFI").unwrap_err();
    assert_eq!(error.to_string(), "x: not a kernel config: a file of a few bytes");
    let error = read_config_bytes("x", &vec![b'#'; (16 << 20) + 1]).unwrap_err();
    assert_eq!(error.to_string(), "x: kernel config exceeds the limit of 16 MiB");
}

#[test]
fn a_package_without_config_names_the_one_that_has_it() {
    // Debian since 7.2: the image package has hardly more than dependencies.
    let image = control(&[
        ("Package", "linux-image-7.2.12+deb14-cloud-amd64"),
        (
            "Depends",
            "dracut | initramfs-tools (>= 0.120+deb8u2), linux-modules-7.2.12+deb14-cloud-amd64 (= 7.2.12-1),\n \
             linux-base (>= 4.3~), linux-base-7.2.12+deb14-cloud-amd64 (= 7.2.12-1)",
        ),
    ]);
    let error = read_config_bytes("x.deb", &package(&image, &tar(&[]))).unwrap_err();
    assert_eq!(
        error.to_string(),
        "x.deb: no kernel config in package `linux-image-7.2.12+deb14-cloud-amd64`"
    );
    assert_eq!(
        error.help().unwrap(),
        "look in `linux-base-7.2.12+deb14-cloud-amd64` or `linux-modules-7.2.12+deb14-cloud-amd64`"
    );
}

#[test]
fn a_config_of_another_kernel_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let image = directory.path().join("vmlinux-6.1.0-50-cloud-amd64");
    std::fs::write(&image, vmlinux()).unwrap();
    let open_with = |name: &str| {
        let config = directory.path().join(name);
        std::fs::write(&config, CONFIG).unwrap();
        open(&image, &Options { config: Some(config), ..Options::default() }, &Silent)
    };
    let kernel = open_with("config-6.1.0-50-cloud-amd64").unwrap();
    assert!(*kernel.vmlinux == vmlinux()[..]);
    assert_eq!(kernel.config.unwrap().text, CONFIG);
    assert!(open_with("my.config").is_ok());
    assert_eq!(
        open_with("config-6.1.0-49-cloud-amd64").unwrap_err().to_string(),
        "the config in `config-6.1.0-49-cloud-amd64` is for `6.1.0-49-cloud-amd64`, the image for `6.1.0-50-cloud-amd64`"
    );
}

/// The whole way on a package of a distribution: the sections of the decoded image are those of the
/// image decoded from front to back.
#[test]
fn a_real_package_has_the_sections_it_has_as_a_stream() {
    let Some(path) = std::env::var_os("DEPSURF_TEST_DEB").map(PathBuf::from) else {
        #[allow(clippy::print_stderr, reason = "a skipped test must be seen")]
        {
            eprintln!("SKIPPED: set DEPSURF_TEST_DEB to a debug package to run this test");
        }
        return;
    };
    let kernel = open(&path, &Options::default(), &Silent).unwrap();
    let member = kernel.origin.member.unwrap();
    let bytes = Bytes::map(&path).unwrap();
    let data = ar::members(&*bytes).unwrap().pop().unwrap().data.all().unwrap();
    let mut files = tar::Tar::new(Archive::stream(data).unwrap());
    let found = std::iter::from_fn(|| files.next().unwrap()).find(|one| one.path == member).unwrap();
    assert_eq!(found.size, kernel.vmlinux.len() as u64);
    let (mut chunk, mut at, mut compared) = (vec![0; 4096], 0, 0);
    while at < found.size {
        let length = (found.size - at).min(4096);
        files.archive().read_exact(&mut chunk[..length as usize], "vmlinux").unwrap();
        if let Ok(bytes) = kernel.vmlinux.get(at..at + length) {
            assert!(bytes == &chunk[..length as usize], "differs in {at:#x}..{:#x}", at + length);
            compared += length;
        }
        at += length;
    }
    assert!(compared > kernel.vmlinux.present_len() * 99 / 100);
}

proptest::proptest! {
    #[test]
    fn damaged_packages_do_not_panic(
        changes in proptest::collection::vec((0usize..1 << 16, proptest::num::u8::ANY), 1..4),
        kind in 0usize..3,
    ) {
        static PACKAGES: std::sync::LazyLock<[Vec<u8>; 3]> = std::sync::LazyLock::new(|| {
            [xz_even(&debug_tar(), 4000), gzip(&debug_tar()), debug_tar()].map(|data| package(CONTROL, &data))
        });
        let mut bytes = PACKAGES[kind].clone();
        for (at, value) in changes {
            let at = at % bytes.len();
            bytes[at] = value;
        }
        let _ = open_package(&bytes);
        let _ = read_config_bytes("x", &bytes);
    }
}

/// The kernel files of a directory of members, as a package of each kind has them.
fn release_files() -> [(&'static str, Vec<u8>); 4] {
    [
        ("lib/modules/6.11.4-301.fc41.x86_64/config", CONFIG.into()),
        ("lib/modules/6.11.4-301.fc41.x86_64/kernel/fs/ext4.ko.xz", noise(900, 1)),
        ("usr/lib/debug/lib/modules/6.11.4-301.fc41.x86_64/vmlinux", vmlinux()),
        ("usr/share/doc/kernel", b"words".into()),
    ]
}

fn rpm_package(compress: fn(&[u8]) -> Vec<u8>) -> Vec<u8> {
    let files = release_files();
    let files: Vec<_> = files.iter().map(|(path, data)| (format!("./{path}"), data.as_slice())).collect();
    let files: Vec<_> = files.iter().map(|(path, data)| (path.as_str(), *data)).collect();
    let fields = [
        (1000, "kernel-debuginfo"),
        (1001, "6.11.4"),
        (1002, "301.fc41"),
        (1022, "x86_64"),
        (1044, "kernel-6.11.4-301.fc41.src.rpm"),
        (1124, "cpio"),
    ];
    rpm(&fields, &compress(&cpio(&files)))
}

#[test]
fn rpm_packages_are_opened() {
    for (name, compress) in [
        ("zstd", zst as fn(&[u8]) -> Vec<u8>),
        ("xz", |data: &[u8]| xz_blocks(data, [])),
        ("gzip", gzip),
        ("none", <[u8]>::to_vec),
    ] {
        let bytes = rpm_package(compress);
        let kernel = open_bytes("kernel.rpm", &bytes, &Silent).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(kernel.vmlinux.get(64..3064).unwrap(), &vmlinux()[64..3064], "{name}");
        assert_eq!(kernel.origin.release(), Some("6.11.4-301.fc41.x86_64"));
        let package = kernel.origin.package.unwrap();
        assert_eq!(
            (package.name.as_str(), package.version.as_str()),
            ("kernel-debuginfo", "6.11.4-301.fc41")
        );
        assert_eq!((package.architecture.as_str(), package.source.as_deref()), ("x86_64", Some("kernel")));
        assert_eq!(kernel.config.unwrap().text, CONFIG);
    }
    let core = rpm(
        &[(1000, "kernel-rt-core"), (1001, "1"), (1002, "1"), (1022, "x86_64")],
        &cpio(&[("./boot/nothing", b"")]),
    );
    let error = open_bytes("x.rpm", &core, &Silent).unwrap_err();
    assert_eq!(error.to_string(), "x.rpm: no vmlinux in the package");
    assert_eq!(error.help().unwrap(), "the debug package `kernel-rt-debuginfo` has it");
}

#[test]
fn a_cut_rpm_package_is_refused_wherever_it_is_cut() {
    let bytes = rpm_package(gzip);
    // Up to the end of the vmlinux, which is not the last member.
    for cut in (4..bytes.len() * 9 / 10).step_by(17) {
        let error = open_bytes("x.rpm", &bytes[..cut], &Silent).map(|_| ()).unwrap_err().to_string();
        assert!(error.starts_with("x.rpm: ") && !error.contains('\n'), "{cut}: {error}");
    }
    let mut large = bytes;
    large[104..108].copy_from_slice(&0x7fff_ffffu32.to_be_bytes());
    let error = open_bytes("x.rpm", &large, &Silent).unwrap_err().to_string();
    assert!(error.contains("RPM header of") && error.contains("exceeds the limit"), "{error}");
}

#[test]
fn archives_directories_and_compressed_files_are_opened() {
    let members: Vec<_> =
        release_files().iter().map(|(path, data)| member(&format!("./{path}"), b'0', data)).collect();
    let tarball = tar(&members);
    for (name, bytes) in [
        ("linux.tar", tarball.clone()),
        ("linux.tar.gz", gzip(&tarball)),
        ("linux.tar.zst", zst(&tarball)),
        ("linux.tar.xz", xz_even(&tarball, 1000)),
    ] {
        let kernel = open_bytes(name, &bytes, &Silent).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(kernel.vmlinux.get(64..3064).unwrap(), &vmlinux()[64..3064], "{name}");
        assert_eq!(kernel.config.unwrap().text, CONFIG, "{name}");
    }
    let mut lz4 = lz4_flex::frame::FrameEncoder::new(Vec::new());
    std::io::Write::write_all(&mut lz4, &vmlinux()).unwrap();
    for (name, bytes) in [
        ("vmlinux.gz", gzip(&vmlinux())),
        ("vmlinux.xz", xz_even(&vmlinux(), 1000)),
        ("vmlinux.lz4", lz4.finish().unwrap()),
    ] {
        let kernel = open_bytes(name, &bytes, &Silent).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(kernel.vmlinux.get(64..3064).unwrap(), &vmlinux()[64..3064], "{name}");
    }

    let directory = tempfile::tempdir().unwrap();
    let write = |path: &str, data: &[u8]| {
        let path = directory.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, data).unwrap();
    };
    let open = || open(directory.path(), &Options::default(), &Silent);
    assert!(open().unwrap_err().to_string().ends_with("no vmlinux in the package"));
    for (path, data) in release_files() {
        write(path, &data);
    }
    let kernel = open().unwrap();
    assert_eq!(kernel.origin.release(), Some("6.11.4-301.fc41.x86_64"));
    assert_eq!(kernel.config.unwrap().text, CONFIG);
    // The place of a build: the vmlinux on top is the kernel, that of the decompressor is not.
    write("arch/x86/boot/compressed/vmlinux", &elf(&[]));
    write("vmlinux", &vmlinux());
    write(".config", b"CONFIG_TOP=y\n");
    let kernel = open().unwrap();
    assert_eq!(kernel.origin.member.as_deref(), Some("vmlinux"));
    assert_eq!(kernel.config.unwrap().text, "CONFIG_TOP=y\n");
}
