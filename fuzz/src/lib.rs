//! What the fuzz targets share. Each module is one target: `seeds` makes its first inputs, `run` tries one.
//!
//! Most bytes of a kernel, a package or a surface matter little, and what matters stands behind checksums
//! and lengths. So an input is rarely the file itself, but a list of changes to a valid one that testkit
//! built (see [`patch`]); the target then mends the checksums. Each target also has a way to take its
//! input as it is.

pub mod boot;
pub mod btf;
pub mod dwarf;
pub mod halves;
pub mod image;
pub mod import;
mod kernels;
pub mod live;
mod memory;
pub mod names;
pub mod object;
pub mod package;
mod patch;
pub mod scan;
pub mod script;
pub mod store;
mod walk;
pub mod wrapping;

use std::path::Path;

/// Names a directory that gets the seeds of the target before it runs.
pub const SEEDS: &str = "DEPSURF_FUZZ_SEEDS";

/// Prepares the process: one thread, so that a run can be repeated, and seeds where they are wanted.
pub fn start(seeds: fn() -> Vec<Vec<u8>>) {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).use_current_thread();
    pool.build_global().expect("nobody has made the pool before");
    if let Some(directory) = std::env::var_os(SEEDS) {
        let directory = Path::new(&directory);
        std::fs::create_dir_all(directory).expect("the directory of seeds can be made");
        for (number, seed) in seeds().iter().enumerate() {
            std::fs::write(directory.join(format!("seed-{number:03}")), seed).expect("seeds can be written");
        }
    }
    memory::watch();
}
