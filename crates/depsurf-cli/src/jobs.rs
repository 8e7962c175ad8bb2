//! How many threads work.

use std::num::NonZeroUsize;
use std::thread;

use anyhow::Context;
use clap::Args;

use crate::batch::Limits;
use crate::memory;

/// What verbs may use that read kernels.
#[derive(Debug, Args)]
pub struct Bounds {
    /// How many threads to use, all kernels together [default: as many as there are processors].
    #[arg(long, value_name = "N")]
    pub jobs: Option<NonZeroUsize>,
    /// How much memory to use, as in 2G: kernels are read at the same time as long as they fit into it
    /// [default: three quarters of what is free].
    #[arg(long, value_name = "SIZE", value_parser = memory::parse)]
    pub memory: Option<u64>,
}

impl Bounds {
    /// With defaults of this machine.
    pub fn limits(&self) -> Limits {
        let processors = || thread::available_parallelism().map_or(1, NonZeroUsize::get);
        Limits {
            threads: self.jobs.map_or_else(processors, NonZeroUsize::get),
            memory: self.memory.unwrap_or_else(memory::available),
        }
    }
}

/// Uses as many threads as `--jobs` says; without it, one per processor.
pub fn limit(jobs: Option<NonZeroUsize>) -> anyhow::Result<()> {
    if let Some(jobs) = jobs {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(jobs.get());
        pool.build_global().context("cannot start the threads of --jobs")?;
    }
    Ok(())
}
