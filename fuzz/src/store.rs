//! Target `store`: surface files and packed surfaces, with every accessor of every noun.
//!
//! The first byte chooses the surface to change, and how: bit 7 takes the rest as the bytes of a file, bit 6
//! changes the packed form, and with bit 5 that claims to be of a surface as large as they may be. Buffers of patches are the section table (or stream table) and the sections (or the
//! streams, before they are compressed); lengths and checksums are mended.

use std::hint::black_box;
use std::sync::LazyLock;

use depsurf::extract::{self, Options};
use depsurf::progress::Silent;
use depsurf::source;
use depsurf::store::pack::{MAX_SURFACE, Original, pack, unpack};
use depsurf::surface::Surface;
use xxhash_rust::xxh3::xxh3_64;

use crate::patch::{Patches, write_at};
use crate::{kernels, walk};

const RAW: u8 = 0x80;
const PACKED: u8 = 0x40;
const LARGE: u8 = 0x20;

/// A file of either form: a header that ends with the checksum of a table, the table, and what it lists.
struct File {
    header: Vec<u8>,
    /// The table, then what it lists.
    buffers: Vec<Vec<u8>>,
}

struct Base {
    surface: File,
    packed: File,
}

static BASES: LazyLock<Vec<Base>> = LazyLock::new(|| {
    let kernels = kernels::all().into_iter();
    kernels
        .map(|kernel| {
            let kernel = source::open_bytes("vmlinux", &kernel.bytes(), &Silent).expect("it is an ELF file");
            let bytes =
                extract::surface(&kernel, &Options::default(), &Silent).expect("it is a kernel").bytes;
            let packed =
                pack(&Surface::from_bytes(bytes.clone()).expect("it is a surface")).expect("it packs");
            Base { surface: surface(&bytes), packed: streams(&packed) }
        })
        .collect()
});

/// Layout of a surface file: `surface/file.rs`.
const HEADER: usize = 32;
const ENTRY: usize = 32;
/// Layout of a packed surface: `store/pack.rs`.
const PACKED_HEADER: usize = 48;
const STREAM: usize = 24;

fn surface(bytes: &[u8]) -> File {
    let table = HEADER..HEADER + word(bytes, 12) * ENTRY;
    let mut buffers = vec![bytes[table.clone()].to_vec()];
    for entry in bytes[table].chunks_exact(ENTRY) {
        let (offset, length) = (long(entry, 8), long(entry, 16));
        buffers.push(bytes[offset..offset + length].to_vec());
    }
    File { header: bytes[..HEADER].to_vec(), buffers }
}

fn streams(bytes: &[u8]) -> File {
    let table = PACKED_HEADER..PACKED_HEADER + word(bytes, 32) * STREAM;
    let mut buffers = vec![bytes[table.clone()].to_vec()];
    let mut at = table.end;
    for entry in bytes[table].chunks_exact(STREAM) {
        let length = long(entry, 16);
        buffers.push(zstd::decode_all(&bytes[at..at + length]).expect("a frame that was just written"));
        at += length;
    }
    File { header: bytes[..PACKED_HEADER].to_vec(), buffers }
}

fn word(bytes: &[u8], at: usize) -> usize {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes")) as usize
}

fn long(bytes: &[u8], at: usize) -> usize {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes")) as usize
}

pub fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for (number, base) in (0..).zip(BASES.iter()) {
        seeds.push(vec![number]);
        seeds.push(vec![number | PACKED]);
        seeds.push([&[RAW][..], &joined(&base.surface, &[])].concat());
        seeds.push([&[RAW | PACKED][..], &packed(&base.packed, &[], false)].concat());
        for (buffer, bytes) in (0..).zip(&base.surface.buffers) {
            for at in (0..bytes.len().min(256)).step_by(16) {
                seeds.push(
                    [&[number][..], &write_at(buffer, at, &bytes[at..bytes.len().min(at + 16)])].concat(),
                );
            }
        }
        for (buffer, bytes) in (0..).zip(&base.packed.buffers) {
            let bytes = &bytes[..bytes.len().min(16)];
            seeds.push([&[number | PACKED][..], &write_at(buffer, 0, bytes)].concat());
        }
        for stream in 0..base.packed.buffers[0].len() / STREAM {
            // A count that is too large, with every coding.
            for coding in 0..9u8 {
                let entry = [coding, 0, 0, 0, 0, 0, 0, 2];
                seeds.push(
                    [&[number | PACKED | LARGE][..], &write_at(0, stream * STREAM + 4, &entry)].concat(),
                );
            }
        }
    }
    seeds
}

pub fn run(data: &[u8]) {
    let Some((&mode, rest)) = data.split_first() else { return };
    let base = &BASES[usize::from(mode & 0x1f) % BASES.len()];
    if mode & PACKED != 0 {
        let bytes =
            if mode & RAW != 0 { rest.to_vec() } else { packed(&base.packed, rest, mode & LARGE != 0) };
        black_box(Original::read(&bytes).is_ok());
        if let Ok(bytes) = unpack(&bytes) {
            walk(bytes);
        }
    } else {
        walk(if mode & RAW != 0 { rest.to_vec() } else { joined(&base.surface, rest) });
    }
}

fn walk(bytes: Vec<u8>) {
    if let Ok(surface) = Surface::from_bytes(bytes) {
        walk::surface(&surface);
    }
}

/// A surface file from changed sections.
fn joined(file: &File, patches: &[u8]) -> Vec<u8> {
    let mut buffers = file.buffers.clone();
    let mut mend = true;
    for patch in Patches::new(patches) {
        mend &= patch.apply(&mut buffers) != 0;
    }
    let (table, sections) = buffers.split_first_mut().expect("there is a table");
    let mut offset = HEADER + table.len();
    let mut body = Vec::new();
    for (entry, section) in table.chunks_exact_mut(ENTRY).zip(sections) {
        let record = word(entry, 4).max(1);
        section.truncate(section.len() / record * record);
        if mend {
            entry[8..16].copy_from_slice(&(offset as u64).to_le_bytes());
            entry[16..24].copy_from_slice(&(section.len() as u64).to_le_bytes());
        }
        offset += section.len();
        body.append(section);
    }
    let mut header = file.header.clone();
    header[16..24].copy_from_slice(&(offset as u64).to_le_bytes());
    header[24..32].copy_from_slice(&xxh3_64(table).to_le_bytes());
    [header, table.clone(), body].concat()
}

/// A packed surface from changed streams.
fn packed(file: &File, patches: &[u8], large: bool) -> Vec<u8> {
    let mut buffers = file.buffers.clone();
    for patch in Patches::new(patches) {
        patch.apply(&mut buffers);
    }
    let (table, streams) = buffers.split_first_mut().expect("there is a table");
    let mut body = Vec::new();
    for (entry, stream) in table.chunks_exact_mut(STREAM).zip(streams) {
        let frame = zstd::bulk::compress(stream, 1).expect("memory can be compressed");
        entry[16..24].copy_from_slice(&(frame.len() as u64).to_le_bytes());
        body.extend_from_slice(&frame);
    }
    let mut header = file.header.clone();
    // Inserted bytes must not make the streams larger than the surface is said to be.
    let length = if large { MAX_SURFACE } else { long(&header, 16) as u64 + patches.len() as u64 };
    header[16..24].copy_from_slice(&length.to_le_bytes());
    header[32..36].copy_from_slice(&((table.len() / STREAM) as u32).to_le_bytes());
    header[40..48].copy_from_slice(&xxh3_64(&table[..table.len() / STREAM * STREAM]).to_le_bytes());
    [header, table[..table.len() / STREAM * STREAM].to_vec(), body].concat()
}
