//! `bench`: time and peak memory of the real program on real kernels, beside pahole in the same run.
//!
//! Everything is measured from outside, on the release binary, with files in the page cache. Results are
//! printed and appended to `docs/bench.md`.

mod changes;
mod import;
mod kernels;
mod measure;
mod pages;
mod programs;
pub mod report;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::{Parser, ValueEnum};
use depsurf::image::Image;
use depsurf::source::Bytes;
use depsurf::store::{Dataset, SURFACE_EXTENSION, pack};
use depsurf::surface::Surface;

use self::measure::{Measure, measure};
pub use self::measure::{Run, once, weigh};
pub use self::report::Table;
use self::report::{mega, time};
use crate::cargo;
use crate::packages::{self, Line};

/// What to measure.
#[derive(Debug, Parser)]
pub struct Args {
    /// How often each command is run, beside once to warm up
    #[arg(long, default_value_t = 5)]
    pub runs: usize,
    /// Only the kernel that the budgets are about
    #[arg(long)]
    pub quick: bool,
    /// Only this part
    #[arg(long, value_enum)]
    pub only: Option<Part>,
    /// Print only, and leave `docs/bench.md` as it is
    #[arg(long)]
    pub dry_run: bool,
}

/// A part that can be measured alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// `check` and `deps` of eBPF programs
    Programs,
    /// `add` of packages, with modules, and of many at once
    Kernels,
}

/// Threads that are compared.
const THREADS: [usize; 2] = [1, 2];

/// How many kernels a page is made over.
const PAGE_KERNELS: [usize; 3] = [1, 5, 25];

/// What is searched for: a name, words, a misspelt name, fields, a letter, an expression.
const SEARCHES: [&[&str]; 7] = [
    &["vfs_read"],
    &["account", "io", "start"],
    &["task_strct"],
    &["bpfprgload"],
    &["task_struct::pi"],
    &["a"],
    &["--regex", "^tcp_.*skb"],
];

/// A kernel to measure on.
struct Subject {
    name: String,
    package: PathBuf,
    vmlinux: PathBuf,
}

/// The program, a scratch directory, and how often to run.
struct Bench {
    depsurf: PathBuf,
    scratch: PathBuf,
    runs: usize,
}

/// Budgets and what was measured.
struct Budgets {
    table: Table,
}

/// Measures, prints, and appends to `docs/bench.md`.
pub fn run(args: &Args) -> Result<()> {
    cargo::run(&["build", "--release", "--package", "depsurf-cli"])?;
    let scratch = crate::target().join("bench");
    // What an interrupted run left would be taken for measured.
    if scratch.exists() {
        fs::remove_dir_all(&scratch).with_context(|| format!("cannot empty `{}`", scratch.display()))?;
    }
    fs::create_dir_all(&scratch).with_context(|| format!("cannot create `{}`", scratch.display()))?;
    let bench = Bench { depsurf: crate::target().join("release/depsurf"), scratch, runs: args.runs };

    let mut budgets = Budgets { table: Table::new("### Budgets", &["work", "budget", "measured", "met"]) };
    if args.only == Some(Part::Kernels) {
        let table = bench.kernels()?;
        return bench.finish(args, &[&table]);
    }
    let mut lines: Vec<&Line> = vec![&packages::ORACLE];
    if !args.quick {
        lines = packages::STARTER
            .iter()
            .filter(|line| line.arch == "amd64")
            .chain([&packages::GENERIC])
            .collect();
    }
    let subjects: Vec<Subject> = lines.iter().map(|line| subject(line)).collect::<Result<_>>()?;
    let oracle = lines.iter().position(|line| std::ptr::eq(*line, &packages::ORACLE));
    let oracle =
        oracle.or_else(|| lines.iter().position(|line| line.package() == packages::ORACLE.package()));
    let oracle = oracle.context("the kernel of the budgets is among the subjects")?;

    if args.only == Some(Part::Programs) {
        let table = bench.programs(&subjects, &mut budgets)?;
        return bench.finish(args, &[&budgets.table, &table]);
    }
    let tables = [
        bench.images(&subjects, oracle, &mut budgets)?,
        bench.packages(&subjects, oracle, &mut budgets)?,
        bench.kernels()?,
        bench.sizes(&subjects, oracle, &mut budgets)?,
        bench.pages(&subjects, &mut budgets)?,
        bench.changes(&mut budgets)?,
        bench.imports(&mut budgets)?,
        bench.site(&bench.scratch.join("pages"), &mut budgets)?,
        bench.searches(&mut budgets)?,
        bench.programs(&subjects, &mut budgets)?,
        bench.opening(&subjects, &mut budgets)?,
        bench.small()?,
    ];
    bench.finish(args, &std::iter::once(&budgets.table).chain(&tables).collect::<Vec<_>>())
}

/// Adds a section to the document, which is begun when there is none.
fn append(section: &str) -> Result<()> {
    let path = crate::root().join("docs/bench.md");
    let old = fs::read_to_string(&path).unwrap_or_else(|_| {
        "# Measurements\n\nAppended by `cargo xtask bench`, the newest last. Times are medians of whole processes, on the wall clock,\n\
         with files in the page cache. Peak is the largest resident set, in which the pages of a mapped vmlinux count.\n\
         The file of 100 MB in which objects are looked for stands for a large program of Go with embedded objects: it is the program\n\
         `depsurf` itself, over and over, with objects of libbpf-tools at even distances between. Kernels beyond the downloaded ones are\n\
         the same images under other names.\n"
            .into()
    });
    fs::write(&path, format!("{}\n\n{section}", old.trim_end()))
        .with_context(|| format!("cannot write `{}`", path.display()))?;
    eprintln!("appended to {}", path.display());
    Ok(())
}

/// What the numbers were measured on.
fn machine(runs: usize) -> Result<String> {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model =
        cpu.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": ")).map(|(_, name)| name);
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kilobytes = memory
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:")?.split_whitespace().next()?.parse::<u64>().ok());
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let threads = std::thread::available_parallelism().context("cannot count the processors")?;
    let commit =
        Command::new("git").args(["describe", "--always", "--dirty"]).current_dir(crate::root()).output();
    let commit =
        commit.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default();
    Ok(format!(
        "Commit {commit}; {} processors ({}), {} GB; load at the end {}; median of {runs} runs.",
        threads,
        model.unwrap_or("unknown model"),
        kilobytes.unwrap_or(0) / 1_000_000,
        load.split(' ').next().unwrap_or("unknown"),
    ))
}

fn subject(line: &Line) -> Result<Subject> {
    let flavour = if line.flavour.is_empty() { "generic-" } else { line.flavour };
    Ok(Subject {
        name: format!("{} {flavour}{}", line.series, line.arch),
        package: packages::debug_package(line)?,
        vmlinux: packages::vmlinux(line)?,
    })
}

impl Budgets {
    fn time(&mut self, work: &str, limit: Duration, found: Duration) {
        self.add(work, time(limit), time(found), found <= limit);
    }

    fn bytes(&mut self, work: &str, limit: u64, found: u64) {
        self.add(work, format!("{} MB", mega(limit)), format!("{} MB", mega(found)), found <= limit);
    }

    fn add(&mut self, work: &str, limit: String, found: String, met: bool) {
        self.table.row([work.into(), limit, found, if met { "yes" } else { "no" }.into()]);
    }
}

impl Bench {
    /// Prints the tables, appends them to the document if that is wanted, and removes what was needed for them.
    fn finish(&self, args: &Args, tables: &[&Table]) -> Result<()> {
        let mut text = format!("## {}\n\n{}\n", crate::oracle::today()?, machine(args.runs)?);
        for table in tables {
            text += "\n";
            text += &table.markdown();
        }
        println!("{text}");
        fs::remove_dir_all(&self.scratch).context("cannot remove the scratch directory")?;
        if args.dry_run { Ok(()) } else { append(&text) }
    }

    /// `depsurf add` of a file into an empty dataset.
    fn add(&self, file: &Path, threads: usize) -> Result<Measure> {
        let dataset = self.scratch.join("added");
        let mut command = self.command(&dataset);
        command.arg("add").arg("--jobs").arg(threads.to_string()).arg(file);
        measure(self.runs, &command, || {
            warm(file)?;
            if dataset.exists() {
                fs::remove_dir_all(&dataset).context("cannot empty the dataset")?;
            }
            Ok(())
        })
    }

    fn command(&self, dataset: &Path) -> Command {
        let mut command = Command::new(&self.depsurf);
        command.arg("--dataset").arg(dataset).arg("--quiet");
        command
    }

    /// vmlinux to surface, with one and two threads, beside pahole.
    fn images(&self, subjects: &[Subject], oracle: usize, budgets: &mut Budgets) -> Result<Table> {
        let mut table = Table::new(
            "### vmlinux to surface",
            &[
                "kernel",
                "vmlinux MB",
                ".debug_info MB",
                "1 thread",
                "2 threads",
                "speed-up",
                "best, 2",
                "cpu, 2",
                "peak MB, 1",
                "peak MB, 2",
                "ms per MB of .debug_info",
                "pahole -j2",
                "its peak MB",
            ],
        );
        for (number, subject) in subjects.iter().enumerate() {
            eprintln!("vmlinux of {}", subject.name);
            let [one, two] = THREADS.map(|threads| self.add(&subject.vmlinux, threads));
            let (one, two) = (one?, two?);
            let debug = debug_info(&subject.vmlinux)?;
            let pahole = self.pahole(&subject.vmlinux);
            if let Err(error) = &pahole {
                eprintln!("pahole: {error:#}");
            }
            let of_pahole = |text: fn(&Measure) -> String| pahole.as_ref().map_or("-".into(), text);
            table.row([
                subject.name.clone(),
                mega(fs::metadata(&subject.vmlinux)?.len()),
                mega(debug),
                time(one.time),
                time(two.time),
                format!("{:.2}", one.time.as_secs_f64() / two.time.as_secs_f64()),
                time(two.best),
                time(two.cpu),
                mega(one.peak),
                mega(two.peak),
                format!("{:.1}", two.time.as_secs_f64() * 1e9 / debug as f64),
                of_pahole(|pahole| time(pahole.time)),
                of_pahole(|pahole| mega(pahole.peak)),
            ]);
            if number == oracle {
                budgets.time("vmlinux to surface, 2 threads", Duration::from_millis(1200), two.time);
                budgets.bytes("vmlinux to surface, peak", 700_000_000, two.peak);
            }
        }
        Ok(table)
    }

    /// pahole reading the same types, with two threads.
    fn pahole(&self, vmlinux: &Path) -> Result<Measure> {
        let mut command = Command::new("pahole");
        command.args(["-F", "dwarf", "-j2", "--sizes"]).arg(vmlinux);
        measure(self.runs.min(3), &command, || warm(vmlinux))
    }

    /// Package to surface.
    fn packages(&self, subjects: &[Subject], oracle: usize, budgets: &mut Budgets) -> Result<Table> {
        let mut table = Table::new(
            "### Package to surface",
            &["kernel", ".deb MB", "1 thread", "2 threads", "speed-up", "peak MB, 1", "peak MB, 2"],
        );
        for (number, subject) in subjects.iter().enumerate() {
            eprintln!("package of {}", subject.name);
            let [one, two] = THREADS.map(|threads| self.add(&subject.package, threads));
            let (one, two) = (one?, two?);
            table.row([
                subject.name.clone(),
                mega(fs::metadata(&subject.package)?.len()),
                time(one.time),
                time(two.time),
                format!("{:.2}", one.time.as_secs_f64() / two.time.as_secs_f64()),
                mega(one.peak),
                mega(two.peak),
            ]);
            if number == oracle {
                budgets.time("package to surface, 2 threads", Duration::from_secs(4), two.time);
            }
        }
        Ok(table)
    }

    /// Bytes of the surface file, as mapped and as packed.
    fn sizes(&self, subjects: &[Subject], oracle: usize, budgets: &mut Budgets) -> Result<Table> {
        let mut table = Table::new(
            "### Surface files",
            &["kernel", "functions", "types", "mapped MB", "packed MB", "time to pack", "time to unpack"],
        );
        for (number, subject) in subjects.iter().enumerate() {
            eprintln!("surface of {}", subject.name);
            let dataset = self.scratch.join("sizes");
            self.extract(&dataset, &subject.vmlinux, None)?;
            let surface = Surface::from_bytes(fs::read(only_surface(&dataset)?)?)?;
            fs::remove_dir_all(&dataset).context("cannot empty the dataset")?;
            let start = Instant::now();
            let packed = pack::pack(&surface)?;
            let packing = start.elapsed();
            let start = Instant::now();
            ensure!(pack::unpack(&packed)? == surface.bytes(), "unpacking gives other bytes");
            let (mapped, size) = (surface.bytes().len() as u64, packed.len() as u64);
            table.row([
                subject.name.clone(),
                surface.functions().len().to_string(),
                surface.types().len().to_string(),
                mega(mapped),
                mega(size),
                time(packing),
                time(start.elapsed()),
            ]);
            if number == oracle {
                budgets.bytes("surface file, mapped", 25_000_000, mapped);
                budgets.bytes("surface file, packed", 5_000_000, size);
            }
        }
        Ok(table)
    }

    /// A page over some kernels: the whole process.
    fn pages(&self, subjects: &[Subject], budgets: &mut Budgets) -> Result<Table> {
        let mut table = Table::new("### A page", &["page", "kernels", "table", "md", "json", "peak MB"]);
        let dataset = self.scratch.join("pages");
        let names = [
            ("function", "vfs_read"),
            ("function", "kfree"),
            ("struct", "task_struct"),
            ("tracepoint", "sched_switch"),
        ];
        for wanted in PAGE_KERNELS {
            eprintln!("pages over {wanted} kernels");
            self.grow(&dataset, subjects, wanted)?;
            for (kind, name) in names {
                let mut peak = 0;
                let mut times = Vec::new();
                for format in ["table", "md", "json"] {
                    let mut command = self.command(&dataset);
                    command.args(["show", kind, name, "--format", format]);
                    let found = measure(self.runs.max(20), &command, || Ok(()))?;
                    peak = peak.max(found.peak);
                    if (name, format, wanted) == ("vfs_read", "md", 25) {
                        budgets.time(
                            "one page over 25 kernels, whole process",
                            Duration::from_millis(20),
                            found.time,
                        );
                    }
                    times.push(time(found.time));
                }
                let cells = [format!("{kind} `{name}`"), wanted.to_string()];
                table.row(cells.into_iter().chain(times).chain([mega(peak)]));
            }
        }
        Ok(table)
    }

    /// A search over the kernels of [`Bench::pages`]: the whole process, with the index and without.
    fn searches(&self, budgets: &mut Budgets) -> Result<Table> {
        let mut table = Table::new("### A search over 25 kernels", &["text", "time", "peak MB"]);
        let dataset = self.scratch.join("pages");
        let cache = self.scratch.join("cache");
        // The index is in the user's cache, which is none of ours.
        let mut begin = Command::new("env");
        begin.arg(format!("XDG_CACHE_HOME={}", cache.display())).arg(&self.depsurf);
        begin.arg("--dataset").arg(&dataset).args(["--quiet", "search"]);
        let search = |text: &[&str]| {
            let mut command = Command::new(begin.get_program());
            command.args(begin.get_args()).args(text);
            command
        };
        let forget = || match fs::remove_dir_all(&cache) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(error).context("cannot empty the cache")
            }
            _ => Ok(()),
        };
        let first = measure(self.runs.min(3), &search(&["vfs_read"]), forget)?;
        table.row(["the first one, `vfs_read`".into(), time(first.time), mega(first.peak)]);
        let mut slowest = Duration::ZERO;
        for text in SEARCHES {
            eprintln!("search for {}", text.join(" "));
            let found = measure(self.runs.max(20), &search(text), || Ok(()))?;
            slowest = slowest.max(found.time);
            table.row([format!("`{}`", text.join(" ")), time(found.time), mega(found.peak)]);
        }
        budgets.time(
            "a search over 25 kernels, whole process, the slowest",
            Duration::from_millis(50),
            slowest,
        );
        Ok(table)
    }

    /// The image that the tests build: what a run costs before there is anything to read.
    fn small(&self) -> Result<Table> {
        let mut table =
            Table::new("### A generated image", &["image", "bytes", "1 thread", "2 threads", "peak MB"]);
        let image = testkit::kernel::Kernel::sample(testkit::elf::Machine::X86_64, testkit::Target::LE64);
        let bytes = image.build().bytes();
        let path = self.scratch.join("vmlinux");
        fs::write(&path, &bytes).with_context(|| format!("cannot write `{}`", path.display()))?;
        let [one, two] = THREADS.map(|threads| self.add(&path, threads));
        let (one, two) = (one?, two?);
        let peak = one.peak.max(two.peak);
        table.row([
            "testkit sample".into(),
            bytes.len().to_string(),
            time(one.time),
            time(two.time),
            mega(peak),
        ]);
        Ok(table)
    }

    /// Adds kernels to a dataset until it has so many: the same images again under other names, so that no two files are
    /// one in the page cache.
    fn grow(&self, dataset: &Path, subjects: &[Subject], wanted: usize) -> Result<()> {
        let have = if dataset.exists() { Dataset::open(dataset)?.list()?.entries.len() } else { 0 };
        for number in have..wanted {
            let name = format!("6.{number}.0-1-cloud-amd64");
            self.extract(dataset, &subjects[number % subjects.len()].vmlinux, Some(&name))?;
        }
        Ok(())
    }

    /// Adds a kernel, not measured.
    fn extract(&self, dataset: &Path, vmlinux: &Path, name: Option<&str>) -> Result<()> {
        let mut command = self.command(dataset);
        command.arg("add").arg(vmlinux);
        if let Some(name) = name {
            command.arg("--name").arg(name);
        }
        let output = command.output().context("cannot run depsurf")?;
        ensure!(output.status.success(), "depsurf add: {}", String::from_utf8_lossy(&output.stderr));
        Ok(())
    }
}

/// The one surface of a dataset.
fn only_surface(dataset: &Path) -> Result<PathBuf> {
    let files = fs::read_dir(dataset).with_context(|| format!("cannot read `{}`", dataset.display()))?;
    files
        .filter_map(|file| Some(file.ok()?.path()))
        .find(|path| path.extension().is_some_and(|extension| extension == SURFACE_EXTENSION))
        .context("the dataset has no surface")
}

/// Brings a file into the page cache.
fn warm(path: &Path) -> Result<()> {
    let mut file = fs::File::open(path).with_context(|| format!("cannot read `{}`", path.display()))?;
    std::io::copy(&mut file, &mut std::io::sink())
        .with_context(|| format!("cannot read `{}`", path.display()))?;
    Ok(())
}

/// Bytes of `.debug_info`.
fn debug_info(vmlinux: &Path) -> Result<u64> {
    let bytes = Bytes::map(vmlinux)?;
    let image = Image::parse(&bytes)?;
    Ok(image.section_data(".debug_info")?.map_or(0, |data| data.len() as u64))
}
