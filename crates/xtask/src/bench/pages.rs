//! All pages of a dataset of full size, beside writing as many files of these sizes and nothing else.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use depsurf::progress::Silent;
use depsurf::store::Dataset;
use depsurf::{Kind, names};

use super::measure::measure;
use super::report::{Table, mega, time};
use super::{Bench, Budgets};

impl Bench {
    /// Every page of a dataset, into an empty directory and once more.
    pub fn site(&self, dataset: &Path, budgets: &mut Budgets) -> Result<Table> {
        let mut table = Table::new(
            "### All pages",
            &[
                "kernels",
                "functions",
                "files",
                "MB",
                "new",
                "cpu",
                "unchanged",
                "cpu",
                "peak MB",
                "anonymous MB",
                "files alone",
            ],
        );
        eprintln!("all pages");
        let opened = Dataset::open(dataset)?.surfaces(|_| true, &Silent)?;
        let surfaces: Vec<_> = opened.surfaces.iter().collect();
        let functions = names::all(Kind::Function, &surfaces).len();
        let site = self.scratch.join("site");
        let mut command = self.command(dataset);
        command.arg("pages").arg("-o").arg(&site);
        let new = measure(1, &command, || empty(&site))?;
        let again = measure(1, &command, || Ok(()))?;
        let files = Files::read(&site)?;
        let bare = files.write_again(&site)?;
        fs::remove_dir_all(&site).context("cannot remove the pages")?;
        let anonymous = new.anonymous.max(again.anonymous);
        table.row([
            surfaces.len().to_string(),
            functions.to_string(),
            files.list.len().to_string(),
            mega(files.bytes()),
            time(new.time),
            time(new.cpu),
            time(again.time),
            time(again.cpu),
            mega(new.peak.max(again.peak)),
            mega(anonymous),
            time(bare),
        ]);
        budgets.time("all pages of 25 kernels", Duration::from_secs(60).max(bare), new.time);
        budgets.bytes("all pages of 25 kernels, peak anonymous", 1_000_000_000, anonymous);
        Ok(table)
    }
}

fn empty(directory: &Path) -> Result<()> {
    if directory.exists() {
        fs::remove_dir_all(directory).context("cannot empty the directory of the pages")?;
    }
    Ok(())
}

/// Files of a directory, with their sizes.
struct Files {
    list: Vec<(PathBuf, usize)>,
}

impl Files {
    fn read(root: &Path) -> Result<Self> {
        let mut list = Vec::new();
        let mut directories = vec![root.to_owned()];
        while let Some(directory) = directories.pop() {
            let read = || format!("cannot read `{}`", directory.display());
            for file in fs::read_dir(&directory).with_context(read)? {
                let file = file.with_context(read)?;
                let found = file.metadata().with_context(read)?;
                match found.is_dir() {
                    true => directories.push(file.path()),
                    false => list.push((file.path(), found.len() as usize)),
                }
            }
        }
        list.sort();
        Ok(Self { list })
    }

    fn bytes(&self) -> u64 {
        self.list.iter().map(|(_, size)| *size as u64).sum()
    }

    /// Writes files of the same names and sizes into new directories, with two threads as the program has, and
    /// tells how long that took.
    fn write_again(&self, root: &Path) -> Result<Duration> {
        fs::remove_dir_all(root).context("cannot empty the directory of the pages")?;
        let largest = self.list.iter().map(|(_, size)| *size).max().unwrap_or(0);
        let content = vec![b'x'; largest];
        let start = Instant::now();
        let mut directories: Vec<&Path> = self.list.iter().filter_map(|(path, _)| path.parent()).collect();
        directories.dedup();
        for directory in directories {
            fs::create_dir_all(directory).context("cannot create a directory")?;
        }
        let half = self.list.len().div_ceil(2).max(1);
        let write = |list: &[(PathBuf, usize)]| {
            list.iter().try_for_each(|(path, size)| fs::write(path, &content[..*size]))
        };
        let done = thread::scope(|scope| {
            let threads: Vec<_> =
                self.list.chunks(half).map(|list| scope.spawn(move || write(list))).collect();
            threads.into_iter().all(|thread| matches!(thread.join(), Ok(Ok(()))))
        });
        ensure!(done, "cannot write `{}`", root.display());
        Ok(start.elapsed())
    }
}
