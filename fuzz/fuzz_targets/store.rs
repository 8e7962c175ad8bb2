#![no_main]

use depsurf_fuzz::{start, store};
use libfuzzer_sys::fuzz_target;

fuzz_target!(init: start(store::seeds), |data: &[u8]| store::run(data));
