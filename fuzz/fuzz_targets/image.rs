#![no_main]

use depsurf_fuzz::{image, start};
use libfuzzer_sys::fuzz_target;

fuzz_target!(init: start(image::seeds), |data: &[u8]| image::run(data));
