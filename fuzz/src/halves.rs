//! Target `halves`: a vmlinux in two files, put together and read.
//!
//! Both are in an archive. Buffers of patches are the half with the code, and that with the debug information. The bits of the byte in
//! front tell which of them has the symbol table.

use std::hint::black_box;
use std::sync::LazyLock;

use depsurf::extract::{self, Options};
use depsurf::progress::Silent;
use depsurf::source;
use testkit::Target;
use testkit::elf::{Elf, Machine};
use testkit::kernel::{Image, Kernel};
use testkit::package::{member, tar};

use crate::patch::{Patches, write_at};

const CODE: usize = 0;
const DEBUG: usize = 1;

const CODE_HAS_SYMBOLS: u8 = 1;
const DEBUG_HAS_SYMBOLS: u8 = 2;

static IMAGE: LazyLock<Image> = LazyLock::new(|| Kernel::sample(Machine::X86_64, Target::LE64).build());

/// The half with the code.
fn code(has_symbols: bool) -> Vec<u8> {
    built(IMAGE.elf.without_debug(), has_symbols)
}

/// The half with the debug information.
fn debug(has_symbols: bool) -> Vec<u8> {
    built(IMAGE.elf.only_debug(), has_symbols)
}

fn built(mut elf: Elf, has_symbols: bool) -> Vec<u8> {
    if !has_symbols {
        elf.strip();
    }
    elf.build()
}

pub fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for symbols in 0..4u8 {
        seeds.push(vec![symbols]);
        for (buffer, bytes) in [(CODE, code(true)), (DEBUG, debug(true))] {
            // The headers of the file, and those of its sections at its end.
            let end = bytes.len().saturating_sub(64 * 24);
            for at in (0..64).step_by(8).chain((end..bytes.len()).step_by(8)) {
                seeds.push([&[symbols][..], &write_at(buffer as u8, at, &bytes[at..at + 4])].concat());
            }
        }
    }
    seeds
}

pub fn run(data: &[u8]) {
    let [symbols, patches @ ..] = data else { return };
    let mut halves = [code(symbols & CODE_HAS_SYMBOLS != 0), debug(symbols & DEBUG_HAS_SYMBOLS != 0)];
    for patch in Patches::new(patches) {
        patch.apply(&mut halves);
    }
    let [code, debug] = &halves;
    let archive = tar(&[
        member("boot/vmlinux-6.1.0-50-test", b'0', code),
        member("usr/lib/debug/boot/vmlinux-6.1.0-50-test", b'0', debug),
    ]);
    let Ok(kernel) = source::open_bytes("kernel.tar", &archive, &Silent) else { return };
    black_box(extract::surface(&kernel, &Options::default(), &Silent).is_ok());
}
