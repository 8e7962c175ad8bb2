#![no_main]

use depsurf_fuzz::{dwarf, start};
use libfuzzer_sys::fuzz_target;

fuzz_target!(init: start(dwarf::seeds), |data: &[u8]| dwarf::run(data));
