//! Target `names`: the index of names, searched in every way, and taken as the beginning of a newer one.
//!
//! The first byte chooses what is looked for; with bit 7 the rest is the bytes of a file. Else it is a list of
//! patches of the sections; lengths and the checksum are mended.

use std::hint::black_box;
use std::sync::LazyLock;

use depsurf::extract::{self, Options};
use depsurf::progress::Silent;
use depsurf::search::{Index, Query, Text};
use depsurf::source;
use depsurf::surface::Surface;
use xxhash_rust::xxh3::xxh3_64;

use crate::kernels;
use crate::patch::{Patches, write_at};

const RAW: u8 = 0x80;

/// Layout of the file: `search/index.rs`.
const HEADER: usize = 72;
const LENGTHS: usize = 24;
const SECTIONS: usize = 6;

const TEXTS: [&str; 8] =
    ["read", "task_struct::pi", "::", "sched:sched_switch", "acount io start", "bpfprgload", "vfs_raed", "a"];

struct Base {
    surfaces: Vec<Surface>,
    words: [u8; 4],
    sections: Vec<Vec<u8>>,
}

static BASE: LazyLock<Base> = LazyLock::new(|| {
    let extract = |kernel: &testkit::kernel::Image| {
        let kernel = source::open_bytes("vmlinux", &kernel.bytes(), &Silent).expect("it is an ELF file");
        extract::surface(&kernel, &Options::default(), &Silent).expect("it is a kernel").bytes
    };
    let surfaces: Vec<Surface> = kernels::all()
        .iter()
        .map(|kernel| Surface::from_bytes(extract(kernel)).expect("it is a surface"))
        .collect();
    let stamped: Vec<(&Surface, u64)> = surfaces.iter().zip(1..).collect();
    let index = Index::build(&stamped, None, &Silent).expect("the names are few");
    let bytes = index.bytes();
    let mut at = HEADER;
    let mut sections = Vec::new();
    for number in 0..SECTIONS {
        let length = &bytes[LENGTHS + number * 8..][..8];
        let length = u64::from_le_bytes(length.try_into().expect("eight bytes")) as usize;
        sections.push(bytes[at..at + length].to_vec());
        at += length;
    }
    Base { words: bytes[12..16].try_into().expect("four bytes"), surfaces, sections }
});

pub fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = vec![vec![0], [&[RAW][..], &file(&BASE.sections)].concat()];
    for number in 0..SECTIONS as u8 {
        for offset in [0, 4, 8] {
            for value in [[0xff; 4], [0, 0, 0, 0], [1, 0, 0, 0]] {
                seeds.push([&[number][..], &write_at(number, offset, &value)].concat());
            }
        }
    }
    seeds
}

pub fn run(data: &[u8]) {
    let Some((&mode, rest)) = data.split_first() else { return };
    let bytes = if mode & RAW != 0 { rest.to_vec() } else { patched(rest) };
    let Ok(index) = Index::from_bytes(bytes) else { return };
    let all: Vec<usize> = (0..index.kernels().len() + 1).collect();
    let text = TEXTS[usize::from(mode) % TEXTS.len()];
    for text in [Text::like(text), Text::exact(text), Text::regex("r.*::.").expect("it is one")] {
        let found = index.search(&Query { text, kinds: Vec::new(), limit: 5 }, &all);
        for hit in &found.hits {
            black_box((hit.title(), hit.page()));
            assert!(hit.matched.iter().all(|part| hit.title().get(part.clone()).is_some()));
        }
    }
    let stamped: Vec<(&Surface, u64)> = BASE.surfaces.iter().zip(1..).collect();
    black_box(Index::build(&stamped, Some(&index), &Silent).is_ok());
}

fn patched(patches: &[u8]) -> Vec<u8> {
    let mut sections = BASE.sections.clone();
    for patch in Patches::new(patches) {
        patch.apply(&mut sections);
    }
    file(&sections)
}

/// A file of sections, with the right checksum.
fn file(sections: &[Vec<u8>]) -> Vec<u8> {
    let mut summed = BASE.words.to_vec();
    sections.iter().for_each(|section| summed.extend((section.len() as u64).to_le_bytes()));
    let lengths = summed[4..].to_vec();
    sections.iter().for_each(|section| summed.extend(section));
    let checksum = xxh3_64(&summed).to_le_bytes();
    let body = &summed[4 + lengths.len()..];
    [b"DEPNAMES", &1u32.to_le_bytes()[..], &BASE.words, &checksum, &lengths, body].concat()
}
