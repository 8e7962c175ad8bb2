//! Target `wrapping`: RPM packages, signed or not, tar archives and files that are compressed as a whole.
//!
//! The first byte chooses the wrapping, the second the compression; from 0x80 on the rest is the file itself. Buffers
//! of patches are the archive, and the file with it.

use std::hint::black_box;
use std::io::Write;
use std::ops::Range;

use depsurf::extract::{self, Options};
use depsurf::progress::Silent;
use depsurf::source::{self, Ranges, Rpm};
use testkit::Target;
use testkit::elf::{Elf, Machine, Section, Symbol};
use testkit::package::{cpio, member, rpm, tar};
use testkit::rpm::{self as signed, Value, tag};

use crate::patch::{Patch, Patches, write_at};

const RAW: u8 = 0x80;
const ARCHIVE: usize = 0;
const FILE: usize = 1;

const CONFIG: &[u8] = b"# Linux/x86 6.11.4 Kernel Configuration\nCONFIG_BPF=y\n";
const FIELDS: [(u32, &str); 6] = [
    (1000, "kernel-debuginfo"),
    (1001, "6.11.4"),
    (1002, "301.fc41"),
    (1022, "x86_64"),
    (1044, "kernel-6.11.4-301.fc41.src.rpm"),
    (1124, "cpio"),
];

fn vmlinux() -> Vec<u8> {
    let mut elf = Elf::new(Machine::X86_64, Target::LE64);
    elf.section(Section::rodata(".rodata", 0x1000, *b"Linux version 6.11.4-301.fc41.x86_64 (a@b) (c) #1\0"));
    elf.symbol(Symbol::object("linux_banner", 0x1000, 0).global());
    elf.build()
}

pub fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for wrapping in 0..4u8 {
        for compression in 0..4u8 {
            seeds.push(vec![wrapping, compression]);
            for (buffer, offset, bytes) in [
                (ARCHIVE, 54, &b"ffffffff"[..]),
                (ARCHIVE, 94, b"ffffffff"),
                (ARCHIVE, 6, b"zz"),
                (FILE, 104, b"\x7f\xff\xff\xff"),
                (FILE, 124, b"\x7f\xff\xff\xff"),
                (FILE, 96, b"\0"),
            ] {
                seeds.push([&[wrapping, compression][..], &write_at(buffer as u8, offset, bytes)].concat());
            }
        }
    }
    seeds
}

pub fn run(data: &[u8]) {
    let [wrapping, compression, rest @ ..] = data else { return };
    let file = if wrapping & RAW != 0 { rest.to_vec() } else { wrapped(*wrapping, *compression, rest) };
    if let Ok(rpm) = Rpm::fetched(&file, &Here) {
        black_box((rpm.package(), rpm.header().len(), rpm.payload_sha256()));
        black_box((rpm.signatures().is_ok(), rpm.payload().is_ok()));
    }
    let Ok(kernel) = source::open_bytes("kernel", &file, &Silent) else { return };
    black_box((kernel.origin.release(), kernel.vmlinux.present_len()));
    black_box(extract::surface(&kernel, &Options::default(), &Silent).is_ok());
}

/// Everything is there.
struct Here;

impl Ranges for Here {
    fn ensure(&self, _: Range<u64>) -> depsurf::Result<()> {
        Ok(())
    }

    fn expect(&self, _: &[Range<u64>]) {}
}

/// A package with what signatures are kept in. They are by nobody: that is gpgv's to tell.
fn with_signatures(payload: Vec<u8>) -> Vec<u8> {
    let mut package = signed::Rpm::new(FIELDS[0].1, "6.11.4", "301.fc41", &[], <[u8]>::to_vec);
    package.payload = payload;
    package.signature = vec![
        (tag::RSA_HEADER, Value::Binary(vec![0x89, 2, 0x33, 4])),
        (tag::OPENPGP, Value::Texts(vec!["iHUEABYK".into(), "wsBzBAABCAAn".into()])),
    ];
    package.bytes()
}

fn wrapped(wrapping: u8, compression: u8, patches: &[u8]) -> Vec<u8> {
    let patches: Vec<Patch<'_>> = Patches::new(patches).collect();
    let change = |buffer: usize, bytes: Vec<u8>| {
        let mut bytes = [bytes];
        for patch in patches.iter().filter(|patch| patch.buffer % (FILE + 1) == buffer) {
            patch.apply(&mut bytes);
        }
        let [bytes] = bytes;
        bytes
    };
    let (config, path) = ("lib/modules/6.11.4-301.fc41.x86_64/config", "usr/lib/debug/boot/vmlinux");
    let archive = match wrapping % 4 {
        0 | 3 => cpio(&[(config, CONFIG), (path, &vmlinux())]),
        1 => tar(&[member(config, b'0', CONFIG), member(path, b'0', &vmlinux())]),
        _ => vmlinux(),
    };
    let packed = compress(&change(ARCHIVE, archive), compression);
    let file = match wrapping % 4 {
        0 => rpm(&FIELDS, &packed),
        3 => with_signatures(packed),
        _ => packed,
    };
    change(FILE, file)
}

fn compress(bytes: &[u8], compression: u8) -> Vec<u8> {
    let done = "memory can be compressed";
    match compression % 4 {
        0 => bytes.to_vec(),
        1 => zstd::bulk::compress(bytes, 1).expect(done),
        2 => {
            let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            writer.write_all(bytes).expect(done);
            writer.finish().expect(done)
        }
        _ => {
            let mut writer = liblzma::write::XzEncoder::new(Vec::new(), 1);
            writer.write_all(bytes).expect(done);
            writer.finish().expect(done)
        }
    }
}
