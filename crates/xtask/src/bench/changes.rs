//! Two kernels compared, and many opened: the library's own work, in this process.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use depsurf::Kind;
use depsurf::diff::{Diff, Pair};
use depsurf::progress::Silent;
use depsurf::store::Dataset;
use depsurf::surface::Surface;

use super::report::{Table, time};
use super::{Bench, Budgets, Subject};
use crate::packages::{self, Line};

/// How many kernels are opened at once.
const MANY: usize = 200;

impl Bench {
    /// All changes of all kinds between 6.1 and 6.12, and what proposals of renames add.
    pub(super) fn changes(&self, budgets: &mut Budgets) -> Result<Table> {
        let mut table = Table::new("### Two kernels compared", &["work", "time"]);
        let [old, new] = [1, 3].map(|at| kernel(&packages::STARTER[at]));
        let (old, new) = (old?, new?);
        eprintln!("changes from {} to {}", old.kernel(), new.kernel());
        let pair = Pair::new(&old, &new);
        let runs = self.runs.max(10);
        let compared = median(runs, || drop(Diff::new(pair, &Kind::ALL)));
        budgets.time("all changes of all kinds, 6.1 to 6.12", Duration::from_millis(100), compared);
        table.row(["all changes of all kinds".into(), time(compared)]);
        for kind in Kind::ALL {
            let one = median(runs, || drop(Diff::new(pair, &[kind])));
            table.row([format!("of kind {kind}"), time(one)]);
        }
        let mut diff = Diff::new(pair, &Kind::ALL);
        table.row(["proposals of renames, besides".into(), time(median(runs, || diff.propose_renames()))]);
        Ok(table)
    }

    /// Opening a dataset of many kernels, of which there are 25 images and more names.
    pub(super) fn opening(&self, subjects: &[Subject], budgets: &mut Budgets) -> Result<Table> {
        let mut table = Table::new("### Many kernels opened", &["kernels", "time"]);
        let directory = self.scratch.join("pages");
        let smallest = subjects.first().context("there are subjects")?;
        let dataset = Dataset::open(&directory)?;
        eprintln!("opening {MANY} kernels");
        self.grow(&directory, std::slice::from_ref(smallest), MANY)?;
        let opened = || dataset.surfaces(|_| true, &Silent);
        ensure!(opened()?.surfaces.len() == MANY, "not all kernels can be opened");
        let found = median(self.runs.max(10), || drop(opened()));
        budgets.time("200 kernels opened", Duration::from_millis(20), found);
        table.row([MANY.to_string(), time(found)]);
        Ok(table)
    }
}

/// The surface of a line's vmlinux, without its configuration.
fn kernel(line: &Line) -> Result<Surface> {
    let path = packages::vmlinux(line)?;
    let kernel = depsurf::source::open(&path, &depsurf::source::Options::default(), &Silent)?;
    let extracted = depsurf::extract::surface(&kernel, &depsurf::extract::Options::default(), &Silent)?;
    Ok(Surface::from_bytes(extracted.bytes)?)
}

fn median(runs: usize, mut work: impl FnMut()) -> Duration {
    work();
    let mut times: Vec<Duration> = (0..runs)
        .map(|_| {
            let start = Instant::now();
            work();
            start.elapsed()
        })
        .collect();
    times.sort_unstable();
    times[times.len() / 2]
}
