#![no_main]

use depsurf_fuzz::{boot, start};
use libfuzzer_sys::fuzz_target;

fuzz_target!(init: start(boot::seeds), |data: &[u8]| boot::run(data));
