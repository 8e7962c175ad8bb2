#![no_main]

use depsurf_fuzz::{live, start};
use libfuzzer_sys::fuzz_target;

fuzz_target!(init: start(live::seeds), |data: &[u8]| live::run(data));
