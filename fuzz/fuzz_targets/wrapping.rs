#![no_main]

use depsurf_fuzz::{start, wrapping};
use libfuzzer_sys::fuzz_target;

fuzz_target!(init: start(wrapping::seeds), |data: &[u8]| wrapping::run(data));
