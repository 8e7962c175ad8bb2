#![no_main]

use depsurf_fuzz::{import, start};
use libfuzzer_sys::fuzz_target;

fuzz_target!(init: start(import::seeds), |data: &[u8]| import::run(data));
