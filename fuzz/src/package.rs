//! Target `package`: Debian packages, from the ar archive down to the sections of the vmlinux.
//!
//! The first byte chooses the files of the package, the second how its data is compressed; from 0x80 on the rest is
//! the package itself. Buffers of patches are the control file, the tar archive, and what is made of both: the
//! compressed data, the index of its blocks where it is xz, and the package. Checksums of the tar headers and of the
//! xz index are mended.

use std::hint::black_box;
use std::io::Write;
use std::sync::LazyLock;

use depsurf::extract::{self, Options};
use depsurf::progress::Silent;
use depsurf::source::{self, read_config_bytes};
use liblzma::stream::{Action, Check, Status, Stream};
use testkit::Target;
use testkit::elf::{Elf, Machine, Section, Symbol};

use crate::patch::{Patch, Patches, write_at};

const RAW: u8 = 0x80;
const CONTROL: usize = 0;
const TAR: usize = 1;
const PACKED: usize = 2;
const INDEX: usize = 3;
const PACKAGE: usize = 4;

/// Size of the blocks of a tar archive.
const BLOCK: usize = 512;
/// Size of the header and of the footer of an xz stream.
const FOOTER: usize = 12;

const CONTROL_FILE: &str = "Package: linux-image-6.1.0-50-cloud-amd64-dbg\nSource: linux (6.1.176-1)\n\
    Version: 6.1.176-1\nArchitecture: amd64\nMaintainer: Somebody\nDepends: linux-base-6.1.0-50-cloud-amd64 (= 1)\n\
    Description: words\n more words\n";
const CONFIG: &[u8] =
    b"#\n# Linux/x86 6.1.176 Kernel Configuration\n#\nCONFIG_BPF=y\n# CONFIG_KCSAN is not set\n";

/// Tar archives as they are in packages of all kinds.
static TARS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let old = tar(&[
        member("./", b'5', b""),
        member("./usr/lib/debug/boot/System.map-6.1.0-50-cloud-amd64", b'0', &[7; 700]),
        member("./usr/lib/debug/boot/vmlinux-6.1.0-50-cloud-amd64", b'0', &vmlinux()),
    ]);
    let modules = "./usr/lib/debug/lib/modules/6.1.0-50-cloud-amd64/";
    let mut new = vec![member(&format!("{modules}config"), b'0', CONFIG)];
    new.extend(
        (0..12u8).map(|number| member(&format!("{modules}kernel/fs/{number:03}.ko"), b'0', &[number; 600])),
    );
    new.push(member(&format!("{modules}vmlinux"), b'0', &vmlinux()));
    let image = tar(&[
        member("././@LongLink", b'L', b"./boot/config-6.1.0-50-cloud-amd64\0"),
        member("./boot/cut", b'0', CONFIG),
        member("pax", b'x', b"38 path=./boot/vmlinuz-6.1.0-50-amd64\n"),
        member("./boot/other", b'0', b"MZ"),
    ]);
    vec![old, tar(&new), image]
});

/// A small ELF file that is a kernel.
fn vmlinux() -> Vec<u8> {
    let banner = "Linux version 6.1.0-50-cloud-amd64 (a@b) (gcc, ld) #1 SMP Debian 6.1.176-1\n\0";
    let mut elf = Elf::new(Machine::X86_64, Target::LE64);
    elf.section(Section::code(".text", 0xffff_ffff_8100_0000, vec![0x90; 700]));
    elf.section(Section::rodata(".rodata", 0xffff_ffff_8200_0000, banner));
    elf.section(Section::debug(".debug_loclists", vec![1; 900]));
    elf.section(Section::debug(".debug_info", vec![0; 300]));
    elf.symbol(Symbol::object("linux_banner", 0xffff_ffff_8200_0000, banner.len() as u64).global());
    elf.build()
}

fn octal(field: &mut [u8], value: u64) {
    let digits = field.len() - 1;
    field[..digits].copy_from_slice(format!("{value:0digits$o}").as_bytes());
}

fn member(path: &str, kind: u8, data: &[u8]) -> Vec<u8> {
    let mut header = vec![0; BLOCK];
    header[..path.len()].copy_from_slice(path.as_bytes());
    octal(&mut header[124..136], data.len() as u64);
    header[156] = kind;
    header[257..265].copy_from_slice(b"ustar  \0");
    seal(&mut header);
    header.extend_from_slice(data);
    header.resize(header.len().next_multiple_of(BLOCK), 0);
    header
}

/// Writes the checksum of a tar header.
fn seal(header: &mut [u8]) {
    header[148..156].fill(b' ');
    let sum: u64 = header.iter().map(|byte| u64::from(*byte)).sum();
    octal(&mut header[148..155], sum);
    header[154] = 0;
}

fn tar(members: &[Vec<u8>]) -> Vec<u8> {
    let mut tar = members.concat();
    tar.resize(tar.len() + 2 * BLOCK, 0);
    tar
}

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    writer.write_all(data).expect("memory can be compressed");
    writer.finish().expect("memory can be compressed")
}

/// xz data in blocks of this size.
fn xz(data: &[u8], block: usize) -> Vec<u8> {
    let mut stream = Stream::new_easy_encoder(0, Check::Crc32).expect("there is memory for an encoder");
    let mut out = Vec::with_capacity(data.len() + (64 << 10));
    let mut blocks = data.chunks(block).peekable();
    while let Some(mut input) = blocks.next() {
        let action = if blocks.peek().is_some() { Action::FullFlush } else { Action::Finish };
        loop {
            let before = stream.total_in();
            let status = stream.process_vec(input, &mut out, action).expect("memory can be compressed");
            input = &input[(stream.total_in() - before) as usize..];
            if status == Status::StreamEnd {
                break;
            }
            out.reserve(64 << 10);
        }
    }
    out
}

fn ar(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = b"!<arch>\n".to_vec();
    for (name, data) in members {
        let header = format!("{name:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n", 0, 0, 0, 100_644, data.len());
        archive.extend_from_slice(header.as_bytes());
        archive.extend_from_slice(data);
        if data.len() % 2 == 1 {
            archive.push(b'\n');
        }
    }
    archive
}

pub fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = vec![CONFIG.to_vec(), gzip(CONFIG)];
    for (number, tar) in (0..).zip(TARS.iter()) {
        for compression in 0..5 {
            seeds.push(vec![number, compression]);
            seeds.push([&[RAW, 0][..], &package(number.into(), compression, &[])].concat());
            for (buffer, offset, bytes) in [
                (CONTROL, 9, &b"linux-modules"[..]),
                (TAR, 124, b"77777777777"),
                (TAR, 124, b"\x80\0\0\0\0\0\0\xff\xff\xff\xff\xff"),
                (TAR, 0, &tar[..32]),
                (PACKED, 8, b"\xff"),
                (INDEX, 1, b"\xff\x7f"),
                (INDEX, 2, b"\xff\xff\xff\x7f"),
                (PACKAGE, 56, b"9999"),
            ] {
                seeds.push([&[number, compression][..], &write_at(buffer as u8, offset, bytes)].concat());
            }
        }
    }
    seeds
}

pub fn run(data: &[u8]) {
    let [files, compression, rest @ ..] = data else { return };
    black_box(read_config_bytes("config", data).is_ok());
    let bytes = if files & RAW != 0 { rest.to_vec() } else { package((*files).into(), *compression, rest) };
    black_box(read_config_bytes("x.deb", &bytes).is_ok());
    let Ok(kernel) = source::open_bytes("x.deb", &bytes, &Silent) else { return };
    let length = kernel.vmlinux.len() as u64;
    black_box((kernel.origin.release(), kernel.vmlinux.get(0..length).is_ok()));
    assert!(kernel.vmlinux.present_len() <= length);
    black_box(extract::surface(&kernel, &Options::default(), &Silent).is_ok());
}

fn package(files: usize, compression: u8, patches: &[u8]) -> Vec<u8> {
    let patches: Vec<Patch<'_>> = Patches::new(patches).collect();
    let change = |buffer: usize, bytes: Vec<u8>| {
        let mut bytes = [bytes];
        let wanted = patches.iter().filter(|patch| patch.buffer % (PACKAGE + 1) == buffer);
        for patch in wanted {
            patch.apply(&mut bytes);
        }
        let [bytes] = bytes;
        bytes
    };
    let mut tar_file = change(TAR, TARS[files % TARS.len()].clone());
    for block in tar_file.chunks_exact_mut(BLOCK).filter(|block| block[257..262] == *b"ustar") {
        seal(block);
    }
    let packed = match compression % 5 {
        0 => tar_file,
        1 => gzip(&tar_file),
        2 => zstd::bulk::compress(&tar_file, 1).expect("memory can be compressed"),
        3 => xz(&tar_file, tar_file.len().max(1)),
        _ => xz(&tar_file, 1024),
    };
    let packed = change(
        PACKED,
        if compression % 5 > 2 { with_index(packed, |index| change(INDEX, index)) } else { packed },
    );
    let control = change(CONTROL, CONTROL_FILE.into());
    let control = tar(&[member("./", b'5', b""), member("./control", b'0', &control)]);
    change(PACKAGE, ar(&[("debian-binary", b"2.0\n"), ("control.tar", &control), ("data.tar.bz2", &packed)]))
}

/// xz data with another index, whose checksum fits, and the footer that belongs to it.
fn with_index(mut data: Vec<u8>, change: impl Fn(Vec<u8>) -> Vec<u8>) -> Vec<u8> {
    let Some(at) = data.len().checked_sub(FOOTER) else { return data };
    let mut footer = data.split_off(at);
    let words = u32::from_le_bytes(footer[4..8].try_into().expect("four bytes")) as usize + 1;
    let mut index = data.split_off(data.len() - words * 4);
    index.truncate(index.len() - 4);
    let mut index = change(index);
    index.resize(index.len().next_multiple_of(4), 0);
    let crc = crc32(&index);
    index.extend_from_slice(&crc.to_le_bytes());
    footer[4..8].copy_from_slice(&((index.len() / 4) as u32 - 1).to_le_bytes());
    let crc = crc32(&footer[4..10]);
    footer[..4].copy_from_slice(&crc.to_le_bytes());
    [data, index, footer].concat()
}

fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    crc.sum()
}
