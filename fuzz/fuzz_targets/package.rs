#![no_main]

use depsurf_fuzz::{package, start};
use libfuzzer_sys::fuzz_target;

fuzz_target!(init: start(package::seeds), |data: &[u8]| package::run(data));
