#![no_main]

use depsurf_fuzz::{object, start};
use libfuzzer_sys::fuzz_target;

fuzz_target!(init: start(object::seeds), |data: &[u8]| object::run(data));
