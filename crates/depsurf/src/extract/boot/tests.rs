//! Bootable images of the sample kernel, in every wrapping, against the vmlinux.

use std::collections::BTreeSet;
use std::io::Write as _;

use testkit::Target;
use testkit::carrier::{Place, android, device_tree, fit, lz4_legacy, lzma, lzop, parts, uimage, uki};
use testkit::elf::{Elf, Machine, Section, Symbol};
use testkit::kallsyms::{Order, bz_image, tables, zboot};
use testkit::kernel::Kernel;
use testkit::package::{ar, member, tar};

use crate::error::{Error, Result};
use crate::extract::{Extracted, Options, surface};
use crate::image::Image;
use crate::kernel::Arch;
use crate::progress::Silent;
use crate::source;
use crate::surface::{Fact, Surface};

const NAME: &str = "6.1.0-50-test-generic-amd64";

/// The letter that `nm` prints, by section and binding.
fn letter(image: &Image<'_>, symbol: &crate::image::Symbol<'_>) -> char {
    let code = image.section_at(symbol.section).is_some_and(|section| section.is_executable());
    let letter = if code { 't' } else { 'd' };
    match symbol.info >> 4 {
        2 => 'W',
        1 => letter.to_ascii_uppercase(),
        _ => letter,
    }
}

/// The kernel's symbols as its own table lists them, and some more, so that there are enough of them.
fn listed(bytes: &[u8], all: bool) -> Vec<(u64, char, String)> {
    let image = Image::parse(bytes).unwrap();
    let mut list: Vec<_> = image
        .symbols()
        .iter()
        .filter(|symbol| symbol.is_located() && !symbol.name.is_empty())
        .map(|symbol| (symbol.address, letter(&image, symbol), symbol.text().to_owned()))
        .filter(|(_, letter, _)| all || letter.eq_ignore_ascii_case(&'t') || *letter == 'W')
        .collect();
    let last = list.iter().map(|it| it.0).max().unwrap();
    list.extend(
        (0..300).map(|index| (last + 0x1000 + index, if all { 'd' } else { 't' }, format!("more_{index}"))),
    );
    list.sort_by_key(|it| it.0);
    list
}

/// What x86 compresses: an ELF file with its sections and without its symbols.
fn payload(all: bool) -> (Vec<u8>, Vec<u8>) {
    let image = Kernel::sample(Machine::X86_64, Target::LE64).build();
    let full = image.bytes();
    let symbols = listed(&full, all);
    let symbols: Vec<_> = symbols.iter().map(|(at, letter, name)| (*at, *letter, name.as_str())).collect();
    let place = symbols.last().unwrap().0 + 0x10_0000;
    let table = tables(Target::LE64, Order::BehindTokens, &symbols, place, symbols[0].0);
    let mut elf: Elf = image.elf.clone();
    for debug in [".debug_info", ".debug_abbrev", ".debug_str", ".debug_line", ".debug_line_str", ".comment"]
    {
        elf.remove(debug);
    }
    elf.section(Section::rodata(".kallsyms", place, table)).strip();
    (full, elf.build())
}

fn xz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 1);
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn bzip2(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::bulk::compress(bytes, 1).unwrap()
}

fn extract(file: &str, bytes: &[u8]) -> Result<Extracted> {
    let kernel = source::open_bytes(file, bytes, &Silent)?;
    surface(&kernel, &Options { name: Some(NAME.parse().unwrap()), ..Options::default() }, &Silent)
}

fn open(file: &str, bytes: &[u8]) -> Surface {
    Surface::from_bytes(extract(file, bytes).unwrap_or_else(|e| panic!("{file}: {e}")).bytes).unwrap()
}

/// Everything but debug information, as text.
fn told(surface: &Surface) -> BTreeSet<String> {
    let more = |name: &str| name.starts_with("more_");
    let symbols = surface
        .symbols()
        .filter(|symbol| symbol.section().is_some() && !symbol.name().is_empty() && !more(symbol.name()))
        .map(|it| format!("symbol {} {:#x} {:#x}", it.name(), it.address(), it.attach()));
    let tracepoints = surface.tracepoints().map(|it| {
        format!(
            "event {:?} {} {:?} {:?} {:?}",
            it.system(),
            it.name(),
            it.class(),
            it.format(),
            it.writable_size()
        )
    });
    let syscalls = surface
        .syscalls()
        .map(|it| format!("call {} {} {} {:?}", it.abi(), it.number(), it.name(), it.symbol()));
    let sets = surface.sets().map(|set| {
        format!("set {} {:?}", set.name(), set.members().map(|it| it.name.to_owned()).collect::<Vec<_>>())
    });
    let hooks = surface.lsm_hooks().map(|it| format!("hook {} {}", it.name(), it.flags()));
    let end = surface.meta().btf_types;
    let types = surface.types().iter().filter(move |ty| ty.id().0 < end);
    let types = types.map(|it| format!("type {} {:?} {}", it.id().0, it.kind(), it.name()));
    symbols.chain(tracepoints).chain(syscalls).chain(sets).chain(hooks).chain(types).collect()
}

#[test]
fn every_compression_gives_what_the_vmlinux_has() {
    let (full, payload) = payload(true);
    let full = open("vmlinux", &full);
    let size = payload.len() as u32;
    for (file, bytes) in [
        ("bzImage of gzip", bz_image(&gzip(&payload), size)),
        ("bzImage of xz", bz_image(&xz(&payload), size)),
        ("bzImage of zstd", bz_image(&zstd(&payload), size)),
        ("bzImage of bzip2", bz_image(&bzip2(&payload), size)),
        ("bzImage of lz4", bz_image(&lz4_legacy(&payload), size)),
        ("bzImage of lzma", bz_image(&lzma(&payload), size)),
        ("bzImage of lzo", bz_image(&lzop(&payload), size)),
        ("stripped vmlinux", payload.clone()),
        ("vmlinux.gz", gzip(&payload)),
        ("vmlinux.xz", xz(&payload)),
        ("vmlinux.lz4", lz4_legacy(&payload)),
        ("vmlinux.lzma", lzma(&payload)),
        ("vmlinux.lzo", lzop(&payload)),
        ("zboot", zboot(&gzip(&payload), "gzip")),
    ] {
        let surface = open(file, &bytes);
        let (full, boot) = (told(&full), told(&surface));
        let differences: Vec<_> = full.symmetric_difference(&boot).collect();
        assert!(differences.is_empty(), "{file}: {differences:#?}");
        let meta = surface.meta();
        let unknown: Vec<Fact> = Fact::ALL.into_iter().filter(|fact| !meta.knows(*fact)).collect();
        // A configuration inside is looked for in bootable images alone.
        let is_bootable = file.contains("of") || file == "zboot";
        let mut expected = vec![Fact::Functions, Fact::Config, Fact::Modules];
        expected.retain(|fact| !is_bootable || *fact != Fact::Config);
        assert_eq!(unknown, expected, "{file}");
    }
}

/// The same bytes as of the plain image, however it is wrapped.
#[test]
fn carriers_give_what_their_kernel_gives() {
    let (_, payload) = payload(true);
    let plain = bz_image(&xz(&payload), payload.len() as u32);
    let tree = device_tree();
    let gzipped = [gzip(&plain), tree.clone(), tree.clone()].concat();
    let sized = [bzip2(&plain), (plain.len() as u32).to_le_bytes().into()].concat();
    let unified =
        uki(&[(".text", b"stub"), (".cmdline", b"quiet"), (".linux", &plain), (".initrd", b"initrd")]);
    let of_fit = |place| {
        let images: [(&str, &str, &[u8]); 2] =
            [("ramdisk", "ramdisk", b"initrd"), ("kernel", "kernel", &gzipped)];
        fit(&images, Some("kernel"), place)
    };
    let expected = extract("vmlinuz", &plain).unwrap().bytes;
    for (name, bytes) in [
        ("unified kernel image", unified.clone()),
        ("the same in gzip", gzip(&unified)),
        ("boot.img", android(2, 2048, &plain, b"initrd")),
        ("boot.img of lz4", android(4, 0, &lz4_legacy(&plain), b"initrd")),
        ("boot.img of gzip and device trees", android(3, 0, &gzipped, b"initrd")),
        ("uImage", uimage(2, &plain)),
        ("uImage of lzo", uimage(2, &lzop(&plain))),
        ("uImage of parts", uimage(4, &parts(&[&lzma(&plain), b"initrd"]))),
        ("FIT image", of_fit(Place::Inside)),
        ("FIT image, data behind", of_fit(Place::Position)),
        ("bzImage with device trees", [&plain[..], &tree].concat()),
        ("gzip with device trees", gzipped.clone()),
        ("bzip2 with the size", sized),
        ("lzma", lzma(&plain)),
        ("lzo", lzop(&plain)),
        (
            "uImage in a FIT image in xz",
            xz(&fit(&[("k", "kernel", &uimage(2, &plain))], None, Place::Offset)),
        ),
    ] {
        let found = extract("vmlinuz", &bytes).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert!(found.bytes == expected, "{name}");
    }
}

#[test]
fn a_carrier_may_have_a_vmlinux() {
    let (full, _) = payload(true);
    let expected = extract("vmlinux", &full).unwrap().bytes;
    assert!(extract("vmlinux", &uimage(2, &gzip(&full))).unwrap().bytes == expected);
}

#[test]
fn carriers_in_carriers_are_limited() {
    let (_, payload) = payload(true);
    let mut image = bz_image(&xz(&payload), 0);
    for _ in 0..4 {
        image = uimage(2, &image);
        assert!(extract("uImage", &image).is_ok());
    }
    let place = "data of the uImage: ".repeat(4);
    assert_eq!(
        extract("uImage", &gzip(&image)).unwrap_err().to_string(),
        format!("uImage: {place}number of images and compressions, one in the other, exceeds the limit of 4")
    );
}

#[test]
fn errors_in_carriers_say_where() {
    let (_, payload) = payload(true);
    let message = |bytes: &[u8]| extract("kernel", bytes).unwrap_err().to_string();
    let image = bz_image(&xz(&payload), 0);
    let cut = &image[..image.len() - 500];
    assert!(
        message(&uki(&[(".linux", cut)]))
            .starts_with("kernel: section `.linux`: truncated: compressed kernel")
    );
    assert_eq!(
        message(&android(4, 0, b"nothing like a kernel", b"")),
        "kernel: kernel of Android's boot image: not a Linux kernel: no compressed kernel was found in the bootable image"
    );
    assert!(
        message(&uki(&[(".text", b"code")])).starts_with("kernel: an EFI program without a section `.linux`")
    );
}

/// Archives and directories have what boot loaders take beside what has no kernel.
#[test]
fn carriers_are_found_by_their_names() {
    let (_, payload) = payload(true);
    let image = bz_image(&xz(&payload), 0);
    let unified = uki(&[(".linux", &image)]);
    let stub = uki(&[(".text", b"code")]);
    for (path, bytes) in [
        ("boot/EFI/Linux/6.1.0-50-test.efi", unified.clone()),
        ("EFI/LINUX/TEST.EFI", unified.clone()),
        ("boot/efi/linux.efi", image.clone()),
        ("usr/lib/modules/6.1.0-50-test/vmlinuz-virt.efi", unified),
        ("boot/boot-6.1.0-50-test.img", android(4, 0, &lz4_legacy(&image), b"")),
        ("boot/uImage", uimage(2, &image)),
        ("boot/fitImage", fit(&[("k", "kernel", &image)], None, Place::Inside)),
        ("boot/linux.itb", fit(&[("k", "kernel", &image)], None, Place::Position)),
        ("boot/Image.lzma", lzma(&image)),
    ] {
        let others: [(&str, &[u8]); 4] = [
            ("EFI/BOOT/BOOTX64.EFI", &stub),
            ("boot.img", b"a file system"),
            ("boot/firmware.itb", &fit(&[("a", "firmware", b"code")], None, Place::Inside)),
            ("boot/initrd.img", b"initrd"),
        ];
        let files = others.into_iter().chain([(path, &bytes[..])]);
        let members: Vec<_> = files.clone().map(|(path, data)| member(path, b'0', data)).collect();
        let in_archive = extract("linux.tar", &tar(&members)).unwrap_or_else(|e| panic!("{path}: {e}"));
        let directory = tempfile::tempdir().unwrap();
        for (path, data) in files {
            let file = directory.path().join(path);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, data).unwrap();
        }
        let kernel = source::open(directory.path(), &source::Options::default(), &Silent);
        let kernel = kernel.unwrap_or_else(|e| panic!("{path}: {e}"));
        assert_eq!(kernel.origin.member.as_deref(), Some(path));
        let name = Some(NAME.parse().unwrap());
        let in_directory = surface(&kernel, &Options { name, ..Options::default() }, &Silent).unwrap();
        for found in [in_archive, in_directory] {
            let surface = Surface::from_bytes(found.bytes).unwrap();
            assert!(surface.symbols_named("vfs_read").next().is_some(), "{path}");
        }
    }
}

#[test]
fn without_data_symbols_tables_are_unknown_and_not_absent() {
    let (_, payload) = payload(false);
    let surface = open("bzImage", &bz_image(&gzip(&payload), 0));
    let meta = surface.meta();
    let known: Vec<Fact> = Fact::ALL.into_iter().filter(|fact| meta.knows(*fact)).collect();
    assert_eq!(
        known,
        [
            Fact::Symbols,
            Fact::Btf,
            Fact::Types,
            Fact::RawTracepoints,
            Fact::LsmHooks,
            Fact::Kfuncs,
            Fact::Config
        ]
    );
    assert!(meta.unknown_because(Fact::FtraceSites).unwrap().contains("CONFIG_KALLSYMS_ALL"));
    assert!(surface.tracepoints().any(|it| it.name() == "sched_switch" && it.is_raw()));
    assert!(surface.lsm_hooks().all(|hook| hook.is_attachable().is_none()));
}

#[test]
fn a_package_without_vmlinux_gives_its_bootable_image() {
    let (_, payload) = payload(true);
    let image = bz_image(&xz(&payload), 0);
    let control = "Package: linux-image-6.1.0-50-cloud-amd64\nVersion: 6.1.176-1\nArchitecture: amd64\n";
    let control = tar(&[member("./control", b'0', control.as_bytes())]);
    let data = tar(&[
        member("./boot/config-6.1.0-50-test", b'0', b"CONFIG_BPF=y\n"),
        member("./boot/vmlinuz-6.1.0-50-test", b'0', &image),
        member("./lib/modules/6.1.0-50-test/kernel/a.ko", b'0', b"module"),
    ]);
    let package = ar(&[("debian-binary", b"2.0\n"), ("control.tar", &control), ("data.tar", &data)]);
    let surface = open("x.deb", &package);
    assert_eq!(surface.config("CONFIG_BPF").unwrap().value, "y");
    assert_eq!(surface.meta().package.as_ref().unwrap().version, "6.1.176-1");
    assert!(surface.symbols_named("vfs_read").next().is_some());
    // A tar archive goes on to a vmlinux behind the image.
    let (full, _) = self::payload(true);
    let tarball = tar(&[
        member("boot/vmlinuz-6.1.0-50-test", b'0', &image),
        member("boot/vmlinux-6.1.0-50-test", b'0', &full),
    ]);
    assert!(open("linux.tar.xz", &xz(&tarball)).meta().knows(Fact::Functions));
    assert!(
        !open("linux.tar.gz", &gzip(&tar(&[member("vmlinuz", b'0', &image)]))).meta().knows(Fact::Functions)
    );
}

#[test]
fn a_configuration_inside_is_read() {
    let (_, payload) = payload(true);
    let surface = open("bzImage", &bz_image(&gzip(&payload), 0));
    assert_eq!(surface.config("CONFIG_DEFAULT_HOSTNAME").unwrap().value, "\"(none)\"");
}

#[test]
fn damaged_images_are_one_error_each() {
    let (_, payload) = payload(true);
    let packed = xz(&payload);
    let whole = bz_image(&packed, 0);
    let message = |bytes: &[u8]| extract("bzImage", bytes).unwrap_err().to_string();
    assert!(message(&whole[..whole.len() - 500]).starts_with("bzImage: truncated: compressed kernel"));
    assert!(message(&whole[..0x210]).starts_with("bzImage: truncated: setup header"));
    let mut broken = whole.clone();
    let at = whole.len() - packed.len() / 2;
    broken[at..at + 64].fill(0);
    assert!(message(&broken).starts_with("bzImage: malformed xz"), "{}", message(&broken));
    let unknown = bz_image(b"\0\0\0\0kernel", 0);
    assert!(message(&unknown).contains("a kernel compressed in an unknown way"));
    // Zeros shrink a thousandfold.
    let bomb = bz_image(&zstd(&vec![0; 64 << 20]), 0);
    assert!(message(&bomb).contains("exceeds the limit"), "{}", message(&bomb));
    let empty = bz_image(&gzip(b"no kernel"), 0);
    assert!(extract("bzImage", &empty).is_err());
    let old = {
        let mut image = whole;
        image[0x206..0x208].copy_from_slice(&0x200u16.to_le_bytes());
        image
    };
    assert!(message(&old).contains("boot protocol is older than 2.08"));
    assert!(matches!(
        extract("vmlinux", &payload[..payload.len() / 2]),
        Err(Error::In { .. } | Error::Truncated { .. })
    ));
}

#[test]
fn a_vmlinux_may_have_the_name_of_a_bootable_image() {
    let mut kernel = Kernel::sample(Machine::X86_64, Target::LE64).build();
    kernel.elf.remove(".debug_info");
    let control = b"Package: linux-binary-6.1.0-50-test\nVersion: 6.1.176-1\nArchitecture: amd64\n";
    let control = tar(&[member("./control", b'0', control)]);
    let data = tar(&[member("./usr/lib/modules/6.1.0-50-test/vmlinuz", b'0', &kernel.bytes())]);
    let package = ar(&[("debian-binary", b"2.0\n"), ("control.tar", &control), ("data.tar", &data)]);
    let surface = open("x.deb", &package);
    let symbols = surface.meta().evidence.get(&Fact::Symbols).unwrap();
    assert_eq!(format!("{symbols:?}"), r#"Known { source: ".symtab" }"#);
    assert!(surface.meta().knows(Fact::Syscalls) && !surface.meta().knows(Fact::Functions));
}

#[test]
fn an_elf_file_for_mips_may_be_what_decompresses_a_kernel() {
    let (_, payload) = payload(true);
    let wrapper = |symbols: bool| {
        let mut elf = Elf::new(Machine::MIPS, Target::LE64);
        elf.section(Section::code(".text", 0x1000, [0; 64]))
            .section(Section::data(".data", 0x2000, gzip(&payload)))
            .symbol(Symbol::func("decompress_kernel", 0x1000, 64));
        if !symbols {
            elf.strip();
        }
        elf.build()
    };
    let form = |bytes: &[u8]| source::open_bytes("vmlinuz", bytes, &Silent).map(|kernel| kernel.form);
    assert_eq!(form(&wrapper(false)).unwrap(), source::Form::Boot { arch: Some(Arch::Mips64el) });
    // With a symbol table it is a vmlinux, whatever it has inside.
    assert_eq!(form(&wrapper(true)).unwrap(), source::Form::Vmlinux);
}
