#![no_main]

use depsurf_fuzz::{halves, start};
use libfuzzer_sys::fuzz_target;

fuzz_target!(init: start(halves::seeds), |data: &[u8]| halves::run(data));
