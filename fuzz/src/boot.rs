//! Target `boot`: bootable images, from their headers down to the kernel's own symbol table, and bare BTF.
//!
//! The first byte chooses a wrapping, a kernel and a carrier around both; from 0x80 on the rest is the file itself. Buffers of
//! patches are the tables of symbols, the kernel with them, the bootable image, and the carrier with it. Of a `uImage` the
//! data alone is patched, and then summed: checksums stop everything else.

use std::hint::black_box;
use std::sync::LazyLock;

use depsurf::extract::{self, Options};
use depsurf::image::kallsyms::Kallsyms;
use depsurf::progress::Silent;
use depsurf::source;
use object::Endianness;
use testkit::Target;
use testkit::carrier::{Place, android, device_tree, fit, lz4_legacy, lzma, lzop, parts, uimage, uki};
use testkit::elf::{Machine, Section};
use testkit::kallsyms::{Order, bz_image, tables, zboot};
use testkit::kernel::Kernel;

use crate::patch::{Patch, Patches, write_at};

const RAW: u8 = 0x80;
const TABLES: usize = 0;
const KERNEL: usize = 1;
const FILE: usize = 2;
const CARRIER: usize = 3;
/// How many carriers there are, none included; and how many bootable images without.
const CARRIERS: u8 = 8;
const IMAGES: u8 = 15;

/// Where the tables are in memory.
const PLACE: u64 = 0xffff_ffff_9000_0000;
const BASE: u64 = 0xffff_ffff_8100_0000;

/// The sample kernel, without symbols.
static IMAGE: LazyLock<testkit::kernel::Image> =
    LazyLock::new(|| Kernel::sample(Machine::X86_64, Target::LE64).build());

/// Names of tables, and enough others.
static NAMES: LazyLock<Vec<(u64, char, String)>> = LazyLock::new(|| {
    let tables = ["linux_banner", "__start_mcount_loc", "__stop_mcount_loc", "sys_call_table", "vfs_read"];
    let mut names: Vec<_> =
        tables.iter().map(|name| (IMAGE.elf.address(name), 'D', (*name).to_owned())).collect();
    names.extend((0..300).map(|index| (BASE + 16 * index, 't', format!("function_{index}"))));
    names.sort_by_key(|name| name.0);
    names
});

fn symbol_tables(order: Order) -> Vec<u8> {
    let names: Vec<_> = NAMES.iter().map(|(at, letter, name)| (*at, *letter, name.as_str())).collect();
    tables(Target::LE64, order, &names, PLACE, names[0].0)
}

pub fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = vec![[&[RAW][..], &IMAGE.btf()].concat()];
    for choice in 0..IMAGES * CARRIERS {
        seeds.push(vec![choice]);
        for (buffer, offset, bytes) in [
            (TABLES, 0, &b"\xff\xff\xff\x7f"[..]),
            (TABLES, 8, b"\xff"),
            (TABLES, 1024, b"\0\0\0\0"),
            (KERNEL, 40, b"\xff\xff"),
            (FILE, 0x248, b"\xff\xff\xff\xff"),
            (FILE, 0x1f1, b"\0"),
            (FILE, 8, b"\0\0\0\0"),
            (CARRIER, 4, b"\xff\xff\xff\xff"),
            (CARRIER, 8, b"\xff\xff\xff\xff"),
            (CARRIER, 36, b"\0\0\0\0"),
            (CARRIER, 64, b"\xff\xff\xff\xff"),
            (CARRIER, 0x168, b"\xff\xff\xff\xff"),
        ] {
            seeds.push([&[choice][..], &write_at(buffer as u8, offset, bytes)].concat());
        }
    }
    seeds
}

pub fn run(data: &[u8]) {
    let [choice, rest @ ..] = data else { return };
    for (endian, word) in [(Endianness::Little, 8), (Endianness::Big, 4)] {
        if let Some(found) = Kallsyms::find(rest, endian, word) {
            for &entry in &found.entries {
                black_box((found.name(entry).len(), found.address(entry, BASE)));
            }
        }
    }
    let file = if choice & RAW != 0 { rest.to_vec() } else { bootable(*choice, rest) };
    let Ok(kernel) = source::open_bytes("vmlinuz", &file, &Silent) else { return };
    let name = Some("6.1.0-50-test-amd64".parse().expect("it is a name"));
    black_box(extract::surface(&kernel, &Options { name, ..Options::default() }, &Silent).is_ok());
}

/// Packed by `lzop`, with a device tree behind it. Packing takes longer than all the rest of a run.
static PACKED: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut elf = IMAGE.elf.clone();
    elf.section(Section::rodata(".kallsyms", PLACE, symbol_tables(Order::ALL[0]))).strip();
    [lzop(&elf.build()), device_tree()].concat()
});

fn bootable(choice: u8, patches: &[u8]) -> Vec<u8> {
    let patches: Vec<Patch<'_>> = Patches::new(patches).collect();
    let change = |buffer: usize, bytes: Vec<u8>| {
        let mut bytes = [bytes];
        for patch in patches.iter().filter(|patch| patch.buffer % (CARRIER + 1) == buffer) {
            patch.apply(&mut bytes);
        }
        let [bytes] = bytes;
        bytes
    };
    let order = Order::ALL[usize::from(choice) % Order::ALL.len()];
    let tables = change(TABLES, symbol_tables(order));
    let mut elf = IMAGE.elf.clone();
    elf.section(Section::rodata(".kallsyms", PLACE, tables)).strip();
    let kernel = change(KERNEL, elf.build());
    let packed = zstd::bulk::compress(&kernel, 1).expect("memory can be compressed");
    let file = match choice / 5 % 3 {
        0 => bz_image(&packed, kernel.len() as u32),
        1 => zboot(&packed, "zstd"),
        _ => kernel,
    };
    let image = change(FILE, file);
    let initrd = b"initrd";
    let in_tree = |place| {
        let images: [(&str, &str, &[u8]); 2] = [("ramdisk", "ramdisk", initrd), ("kernel", "kernel", &image)];
        fit(&images, Some("kernel"), place)
    };
    match choice / IMAGES {
        1 => change(CARRIER, uki(&[(".cmdline", b"quiet"), (".linux", &image)])),
        2 => change(CARRIER, android(0, 2048, &lzma(&image), initrd)),
        3 => change(CARRIER, android(4, 0, &lz4_legacy(&image), initrd)),
        4 => uimage(4, &change(CARRIER, parts(&[&image, initrd]))),
        5 => change(CARRIER, in_tree(Place::Inside)),
        6 => change(CARRIER, in_tree(Place::Position)),
        7 => change(CARRIER, PACKED.clone()),
        _ => change(CARRIER, image),
    }
}
