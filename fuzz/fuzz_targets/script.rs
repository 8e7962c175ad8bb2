#![no_main]

use depsurf_fuzz::{script, start};
use libfuzzer_sys::fuzz_target;

fuzz_target!(init: start(script::seeds), |data: &[u8]| script::run(data));
