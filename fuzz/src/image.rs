//! Target `image`: ELF files, down to a surface that is then read in full.
//!
//! The first byte chooses the kernel to change, or says (from 0x80 on) that the rest is the file itself.
//! Buffers of patches are the ranges of the file: first all of it, then its section headers, then its sections.

use std::hint::black_box;
use std::ops::Range;
use std::sync::LazyLock;

use depsurf::extract::{self, Options};
use depsurf::image::Image;
use depsurf::progress::Silent;
use depsurf::source;
use depsurf::surface::Surface;

use crate::patch::{Action, Patches, overwrite, write_at};
use crate::{kernels, walk};

const RAW: u8 = 0x80;

struct Base {
    file: Vec<u8>,
    ranges: Vec<Range<usize>>,
}

static BASES: LazyLock<Vec<Base>> =
    LazyLock::new(|| kernels::all().iter().map(|kernel| base(kernel.bytes())).collect());

fn base(file: Vec<u8>) -> Base {
    let image = Image::parse(&file).expect("testkit's kernels are kernels");
    let wide = image.address_size() == 8;
    let at = if wide { 0x28 } else { 0x20 };
    let table = image.uint(&file[at..at + usize::from(image.address_size())]) as usize;
    let mut ranges = vec![0..file.len(), table..file.len()];
    let sections =
        image.sections().iter().filter(|section| section.has_bytes()).map(|section| section.file_range());
    ranges.extend(sections.map(|range| range.start as usize..range.end as usize));
    drop(image);
    Base { file, ranges }
}

pub fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for (number, base) in (0..).zip(BASES.iter()) {
        seeds.push(vec![number]);
        seeds.push([&[RAW][..], &base.file].concat());
        for range in 0..base.ranges.len() as u8 {
            seeds.push([&[number][..], &write_at(range, 8, &[0xff; 4])].concat());
        }
    }
    seeds
}

pub fn run(data: &[u8]) {
    let Some((&mode, rest)) = data.split_first() else { return };
    let file = if mode & RAW != 0 { rest.to_vec() } else { patched(usize::from(mode), rest) };
    if let Ok(image) = Image::parse(&file) {
        read(&image);
    }
    let Ok(kernel) = source::open_bytes("vmlinux", &file, &Silent) else { return };
    if let Ok(extracted) = extract::surface(&kernel, &Options::default(), &Silent) {
        let surface = Surface::from_bytes(extracted.bytes).expect("what was extracted is a surface");
        surface.verify().expect("its checksums fit");
        walk::surface(&surface);
    }
}

fn patched(number: usize, patches: &[u8]) -> Vec<u8> {
    let base = &BASES[number % BASES.len()];
    let mut file = base.file.clone();
    for patch in Patches::new(patches) {
        let range = base.ranges[patch.buffer % base.ranges.len()].clone();
        let at = range.start + patch.offset % (range.len() + 1);
        match patch.action {
            Action::Cut => file.truncate(at),
            _ => overwrite(file.get_mut(at..range.end).unwrap_or_default(), patch.bytes),
        }
    }
    file
}

/// Everything that an image can be asked.
fn read(image: &Image<'_>) {
    black_box((
        image.banner(),
        image.comment(),
        image.build_id(),
        image.text_start(),
        image.address_of("vfs_read"),
    ));
    for section in image.sections() {
        let name = section.display_name();
        black_box((section.addresses(), section.is_compressed(), image.section_data(&name).is_ok()));
        black_box(image.bytes_at(section.address, 64).is_ok());
        black_box(image.pointers(section.address..section.address.saturating_add(64)).is_ok());
    }
    let order = image.symbols_by_address();
    for symbol in image.symbols() {
        let end = image.symbol_end(symbol);
        black_box((symbol.text(), image.section_of(symbol.address), order.place_of(end)));
        black_box(order.within(&(symbol.address..end)).len());
        black_box(image.symbols_named(symbol.text()).count() + image.symbols_at(symbol.address).count());
        black_box(image.pointer_at(symbol.address).is_ok() && image.c_string_at(symbol.address).is_ok());
    }
}
