#![no_main]

use depsurf_fuzz::{wrapping, start};
use libfuzzer_sys::fuzz_target;

fuzz_target!(init: start(wrapping::seeds), |data: &[u8]| wrapping::run(data));
