#![no_main]

use depsurf_fuzz::{btf, start};
use libfuzzer_sys::fuzz_target;

fuzz_target!(init: start(btf::seeds), |data: &[u8]| btf::run(data));
