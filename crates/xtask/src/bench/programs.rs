//! Programs checked over many kernels, their dependencies listed, and objects found in a large file: whole processes.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::measure::measure_judging;
use super::report::{Table, mega, time};
use super::{Bench, Budgets, Subject, warm};
use crate::truth::objects::{self, Carried};

/// How many kernels programs are checked on.
const KERNELS: usize = 25;

/// Bytes of the large file.
const LARGE: u64 = 100_000_000;

/// How many objects are in it.
const EMBEDDED: usize = 8;

impl Bench {
    /// `check` and `deps` on the programs of Debian's libbpf-tools, and on a large file with some of their objects.
    pub(super) fn programs(&self, subjects: &[Subject], budgets: &mut Budgets) -> Result<Table> {
        let dataset = self.scratch.join("pages");
        self.grow(&dataset, subjects, KERNELS)?;
        let place = self.scratch.join("tools");
        let mut tools = objects::tools("amd64", &place)?;
        tools.retain(|tool| fs::read(tool).is_ok_and(|bytes| depsurf::bpf::scan(&bytes).next().is_some()));
        let carried = objects::objects_of(&tools)?;
        ensure!(!carried.is_empty(), "no tool carries an eBPF object");
        let programs = objects::programs(&carried)?;

        let work = format!("{} objects, {programs} programs", carried.len());
        let mut table =
            Table::new("### eBPF programs", &["command", "of", "kernels", "time", "cpu", "peak MB"]);
        let mut row = |command: &str, of: &str, kernels: &str, judged: &Command| {
            eprintln!("{command} of {of}");
            let found = measure_judging(self.runs, judged)?;
            let cells = [command, of, kernels].map(str::to_owned);
            table.row(cells.into_iter().chain([time(found.time), time(found.cpu), mega(found.peak)]));
            anyhow::Ok(found)
        };

        for format in ["table", "json"] {
            let mut check = self.command(&dataset);
            check.arg("check").args(&tools).args(["--format", format]);
            let found = row(&format!("check --format {format}"), &work, &KERNELS.to_string(), &check)?;
            if format == "table" {
                budgets.time(
                    "check of libbpf-tools on 25 kernels, whole process",
                    Duration::from_millis(500),
                    found.time,
                );
            }
        }

        // The largest takes the longest.
        let largest = carried.iter().max_by_key(|it| it.bytes.len()).context("there are objects")?;
        let path = self.scratch.join("largest.bpf.o");
        fs::write(&path, &largest.bytes).with_context(|| format!("cannot write `{}`", path.display()))?;
        let mut deps = self.command(&dataset);
        deps.arg("deps").arg(&path);
        let of = format!("the largest object, {} of {} bytes", largest.name, largest.bytes.len());
        let found = row("deps", &of, "-", &deps)?;
        budgets.time("deps of one object, whole process", Duration::from_millis(10), found.time);

        let large = self.large(&carried)?;
        warm(&large)?;
        let mut deps = self.command(&dataset);
        deps.arg("deps").arg(&large);
        let of = format!("a file of {} MB with {EMBEDDED} objects", LARGE / 1_000_000);
        let found = row("deps", &of, "-", &deps)?;
        budgets.time("deps of a file of 100 MB, whole process", Duration::from_millis(200), found.time);
        fs::remove_file(&large).context("cannot remove the large file")?;
        Ok(table)
    }

    /// A file like a large program with embedded objects: no Go compiler is at hand, so it is `depsurf` itself, a real ELF
    /// program of text, tables and strings, over and over, with objects at even distances between.
    fn large(&self, carried: &[Carried]) -> Result<PathBuf> {
        let program = fs::read(&self.depsurf).context("cannot read the program")?;
        let path = self.scratch.join("large");
        let write = |path: &Path| -> std::io::Result<()> {
            let mut file = std::io::BufWriter::new(fs::File::create(path)?);
            let objects: Vec<&Carried> =
                carried.iter().step_by((carried.len() / EMBEDDED).max(1)).take(EMBEDDED).collect();
            let of_objects: u64 = objects.iter().map(|object| object.bytes.len() as u64).sum();
            let between = (LARGE.saturating_sub(of_objects) / (objects.len() as u64 + 1)) as usize;
            let mut rest = program.iter().copied().cycle();
            let mut fill = |file: &mut dyn Write| {
                let piece: Vec<u8> = rest.by_ref().take(between).collect();
                file.write_all(&piece)
            };
            for object in objects {
                fill(&mut file)?;
                file.write_all(&object.bytes)?;
            }
            fill(&mut file)?;
            file.flush()
        };
        write(&path).with_context(|| format!("cannot write `{}`", path.display()))?;
        Ok(path)
    }
}
