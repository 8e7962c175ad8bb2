#![no_main]

use depsurf_fuzz::{names, start};
use libfuzzer_sys::fuzz_target;

fuzz_target!(init: start(names::seeds), |data: &[u8]| names::run(data));
