//! Target `import`: files of DepSurf's dataset, down to a surface, out again and in again.
//!
//! The first byte chooses the dataset to change; with bit 7 the second byte chooses a part of it, and the rest is
//! that file as it is, alone. Buffers of patches are the files, in the order of `Part::ALL`. What was read without
//! notes has to survive an export.

use std::hint::black_box;
use std::sync::LazyLock;

use depsurf::extract::{self, Options};
use depsurf::interop::depsurf::{Found, Part, import};
use depsurf::kernel::KernelId;
use depsurf::progress::Silent;
use depsurf::source;
use depsurf::surface::Surface;

use crate::patch::{Patches, write_at};
use crate::{kernels, walk};

const RAW: u8 = 0x80;

/// A dataset of one kernel.
struct Base {
    kernel: KernelId,
    files: Vec<Vec<u8>>,
}

static BASES: LazyLock<Vec<Base>> = LazyLock::new(|| {
    let kernels = kernels::all().into_iter();
    kernels
        .map(|kernel| {
            let kernel = source::open_bytes("vmlinux", &kernel.bytes(), &Silent).expect("it is an ELF file");
            let bytes =
                extract::surface(&kernel, &Options::default(), &Silent).expect("it is a kernel").bytes;
            let surface = Surface::from_bytes(bytes).expect("it is a surface");
            let files = Part::ALL.map(|part| export(&surface, part).expect("it can be written"));
            Base { kernel: surface.kernel().clone(), files: files.into() }
        })
        .collect()
});

fn export(surface: &Surface, part: Part) -> Option<Vec<u8>> {
    let mut text = Vec::new();
    let written = part.write(surface, &mut |piece| {
        text.extend_from_slice(piece.as_bytes());
        Ok(())
    });
    written.ok().map(|()| text)
}

pub fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for (number, base) in (0..).zip(BASES.iter()) {
        seeds.push(vec![number]);
        for (part, file) in (0..).zip(&base.files) {
            // Some lines, which are worth more to a fuzzer than a whole file.
            let mut lines = file.split_inclusive(|byte| *byte == b'\n');
            for _ in 0..4 {
                let some: Vec<u8> = lines.by_ref().take(3).flatten().copied().collect();
                seeds.push([&[number | RAW, part][..], &some].concat());
            }
            for at in (0..file.len().min(512)).step_by(32) {
                let piece = &file[at..file.len().min(at + 32)];
                seeds.push([&[number][..], &write_at(part, at, piece)].concat());
            }
        }
    }
    seeds
}

pub fn run(data: &[u8]) {
    let Some((&mode, rest)) = data.split_first() else { return };
    let base = &BASES[usize::from(mode & !RAW) % BASES.len()];
    let files = if mode & RAW != 0 {
        let Some((&part, bytes)) = rest.split_first() else { return };
        vec![(Part::ALL[usize::from(part) % Part::ALL.len()], bytes.to_vec())]
    } else {
        let mut files = base.files.clone();
        for patch in Patches::new(rest) {
            patch.apply(&mut files);
        }
        Part::ALL.into_iter().zip(files).collect()
    };
    let parts: Vec<Part> = files.iter().map(|(part, _)| *part).collect();
    let Ok(surface) = import(&Found::in_memory(base.kernel.clone(), files)) else { return };
    walk::surface(&surface);
    let exported: Option<Vec<(Part, Vec<u8>)>> =
        parts.into_iter().map(|part| Some((part, export(&surface, part)?))).collect();
    // Types that nest beyond any sense are read and not written.
    let Some(exported) = exported else { return };
    let again = import(&Found::in_memory(base.kernel.clone(), exported)).expect("what was just written");
    if surface.notes().is_ok_and(|notes| notes.is_empty()) {
        assert!(again.bytes() == surface.bytes(), "an export loses something");
    }
    black_box(again);
}
