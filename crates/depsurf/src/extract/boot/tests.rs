//! Bootable images of the sample kernel, in every wrapping, against the vmlinux.

use std::collections::BTreeSet;
use std::io::Write as _;

use testkit::Target;
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

fn lz4(bytes: &[u8]) -> Vec<u8> {
    let mut file = vec![0x02, 0x21, 0x4c, 0x18];
    for block in bytes.chunks(8 << 20) {
        let block = lz4_flex::block::compress(block);
        file.extend((block.len() as u32).to_le_bytes());
        file.extend(block);
    }
    file
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
        ("bzImage of lz4", bz_image(&lz4(&payload), size)),
        ("stripped vmlinux", payload.clone()),
        ("vmlinux.gz", gzip(&payload)),
        ("vmlinux.xz", xz(&payload)),
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
