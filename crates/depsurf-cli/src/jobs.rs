//! How many threads work.

use std::num::NonZeroUsize;

use anyhow::Context;

/// Uses as many threads as `--jobs` says; without it, one per processor.
pub fn limit(jobs: Option<NonZeroUsize>) -> anyhow::Result<()> {
    if let Some(jobs) = jobs {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(jobs.get());
        pool.build_global().context("cannot start the threads of --jobs")?;
    }
    Ok(())
}
