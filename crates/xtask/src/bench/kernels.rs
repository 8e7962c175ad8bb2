//! `add` of kernels as packages, with their modules, and many at once, beside what only decoding and reading the files takes.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use super::measure::{Measure, Run, measure, once};
use super::report::{Table, mega, time};
use super::{Bench, warm};
use crate::packages::{self, DATASET, GENERIC, Line, ORACLE, STARTER};

/// The ten kernels that are read at once.
fn ten() -> Vec<Line> {
    let cloud_arm64 = [STARTER[0], STARTER[3]].map(|line| Line { arch: "arm64", ..line });
    DATASET.into_iter().chain(cloud_arm64).collect()
}

impl Bench {
    /// One kernel, one with all of its modules, and ten.
    pub(super) fn kernels(&self) -> Result<Table> {
        let mut table = Table::new(
            "### Kernels, modules, and many at once",
            &["work", ".deb MB", "time", "cpu", "peak MB", "to unpack", "to read", "of unpacking"],
        );
        let ten = ten().iter().map(packages::debug_package).collect::<Result<Vec<PathBuf>, _>>()?;
        let one = |line: &Line| packages::debug_package(line).map(|path| vec![path]);
        for (name, files, modules) in [
            ("cloud kernel", one(&ORACLE)?, "none"),
            ("cloud kernel with all modules", one(&ORACLE)?, "all"),
            ("generic kernel", one(&GENERIC)?, "none"),
            ("generic kernel with all modules", one(&GENERIC)?, "all"),
            ("ten kernels at once", ten, "none"),
        ] {
            eprintln!("{name}");
            let found = self.add_all(&files, modules)?;
            let unpacked =
                bound(&files, r#"for f; do dpkg-deb --fsys-tarfile "$f" >/dev/null || exit 1; done"#)?;
            let read = bound(&files, r#"cat -- "$@" >/dev/null"#)?;
            let bytes =
                files.iter().map(|file| fs::metadata(file).map(|meta| meta.len())).sum::<Result<u64, _>>();
            table.row([
                name.to_owned(),
                mega(bytes.context("a package is gone")?),
                time(found.time),
                time(found.cpu),
                mega(found.peak),
                time(unpacked.time),
                time(read.time),
                format!("{:.2}", found.time.as_secs_f64() / unpacked.time.as_secs_f64()),
            ]);
        }
        Ok(table)
    }

    /// `depsurf add` of packages into an empty dataset, with all processors.
    fn add_all(&self, files: &[PathBuf], modules: &str) -> Result<Measure> {
        let dataset = self.scratch.join("added");
        let mut command = self.command(&dataset);
        command.args(["add", "--modules", modules]).args(files);
        measure(self.runs, &command, || {
            files.iter().try_for_each(|file| warm(file))?;
            if dataset.exists() {
                fs::remove_dir_all(&dataset).context("cannot empty the dataset")?;
            }
            Ok(())
        })
    }
}

/// What a line of shell takes with the packages, once: it does so much of the same that it hardly varies.
fn bound(files: &[PathBuf], script: &str) -> Result<Run> {
    files.iter().try_for_each(|file| warm(file))?;
    let mut command = Command::new("sh");
    command.args(["-c", script, "sh"]).args(files);
    once(&command, &[])
}
