#![no_main]

use depsurf_fuzz::{scan, start};
use libfuzzer_sys::fuzz_target;

fuzz_target!(init: start(scan::seeds), |data: &[u8]| scan::run(data));
