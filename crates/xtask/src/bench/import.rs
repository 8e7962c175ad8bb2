//! Import of the original's dataset: bytes of decompressed files per second, as a whole process.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use depsurf::interop::depsurf::Part;

use super::measure::measure;
use super::report::{Table, mega, time};
use super::{Bench, Budgets, warm};

/// Bytes per second that the budget wants.
const WANTED: f64 = 100e6;

impl Bench {
    /// Both golden datasets, where they are at hand.
    pub(super) fn imports(&self, budgets: &mut Budgets) -> Result<Table> {
        let heads = ["dataset", "kernels", "MB", "2 threads", "MB/s", "cpu", "peak MB"];
        let mut table = Table::new("### Import of DepSurf's dataset", &heads);
        let golden = match crate::test::shared() {
            Ok(shared) => shared.join("golden"),
            Err(reason) => {
                eprintln!("SKIPPED: import: {reason}");
                return Ok(table);
            }
        };
        let original = self.scratch.join("original");
        lay_out(&golden.join("debian-6.1-cloud-amd64"), &original)?;
        for (name, dataset, kernels) in [
            ("25 Ubuntu kernels, cut", golden.join("ubuntu25/dataset"), 25),
            ("Debian 6.1 cloud amd64, whole", original, 1),
        ] {
            eprintln!("import of {name}");
            let bytes = decompressed(&dataset)?;
            let added = self.scratch.join("imported");
            let mut command = self.command(&added);
            command.args(["import", "depsurf"]).arg(&dataset);
            let found = measure(self.runs, &command, || {
                files(&dataset)?.iter().try_for_each(|file| warm(file))?;
                if added.exists() {
                    fs::remove_dir_all(&added).context("cannot empty the dataset")?;
                }
                Ok(())
            })?;
            let rate = bytes as f64 / found.time.as_secs_f64();
            table.row([
                name.into(),
                kernels.to_string(),
                mega(bytes),
                time(found.time),
                format!("{:.0}", rate / 1e6),
                time(found.cpu),
                mega(found.peak),
            ]);
            if kernels > 1 {
                let words = |rate: f64| format!("{:.0} MB/s", rate / 1e6);
                budgets.add("golden import, whole process", words(WANTED), words(rate), rate >= WANTED);
            }
        }
        Ok(table)
    }
}

/// Puts the files of one kernel, which are named after their kind, where the dataset has them.
fn lay_out(from: &Path, to: &Path) -> Result<()> {
    for part in Part::ALL {
        for extension in ["jsonl.zst", "json.zst", "txt"] {
            let file = from.join(format!("{}.{extension}", part.name()));
            if file.exists() {
                let directory = to.join(part.name());
                fs::create_dir_all(&directory).context("cannot make a directory of the dataset")?;
                fs::copy(&file, directory.join(format!("6.1.176-50-cloud-amd64.{extension}")))
                    .with_context(|| format!("cannot copy `{}`", file.display()))?;
            }
        }
    }
    Ok(())
}

/// All files of a dataset.
fn files(dataset: &Path) -> Result<Vec<PathBuf>> {
    let list = |directory: &Path| -> Result<Vec<PathBuf>> {
        let entries =
            fs::read_dir(directory).with_context(|| format!("cannot read `{}`", directory.display()))?;
        Ok(entries.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<_>>()?)
    };
    let mut files = Vec::new();
    for directory in list(dataset)? {
        files.append(&mut list(&directory)?);
    }
    Ok(files)
}

/// Bytes of all files of a dataset, decompressed.
fn decompressed(dataset: &Path) -> Result<u64> {
    let mut total = 0;
    for path in files(dataset)? {
        let file = fs::File::open(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
        let is_packed = path.extension().is_some_and(|extension| extension == "zst");
        total += match is_packed {
            true => io::copy(&mut zstd::Decoder::new(file)?, &mut io::sink())?,
            false => file.metadata()?.len(),
        };
    }
    Ok(total)
}
