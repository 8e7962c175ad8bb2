//! `renames`: how good the proposals of renames are on real kernels.
//!
//! Two figures need two lists. Recall is the share of *real* renames that is proposed; these are in
//! `crates/depsurf/tests/renames.tsv`, which was collected without looking at proposals. Precision is the share of
//! *proposals* that is right; a random sample of those that count as likely was judged by hand, with the verdicts in
//! `crates/depsurf/tests/rename_sample.tsv`. What came out is in `docs/renames.md`.

mod kernel;
mod list;
mod sample;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use clap::Parser;
use depsurf::Kind;
use depsurf::diff::rename::{LIKELY, Rename};
use depsurf::diff::{Diff, Pair};

use self::kernel::Kernels;
use self::list::{Entry, Half};
use crate::bench::report::{Table, time};

/// What to measure.
#[derive(Debug, Parser)]
pub struct Args {
    /// Directory of a dataset (`cargo xtask dataset` makes one); the starter dataset when none is given
    #[arg(value_name = "DIR")]
    pub directory: Option<PathBuf>,
    /// How often to repeat the work for the table of times; medians are told
    #[arg(long, default_value_t = 1)]
    pub runs: usize,
    /// Print each real rename that does not come first, and what does
    #[arg(long)]
    pub missed: bool,
}

/// The proposals between two neighbours.
pub struct Proposals {
    /// The versions of both, as the lists call them.
    pub versions: [&'static str; 2],
    /// By kind.
    pub kinds: Vec<(Kind, Vec<Rename>)>,
    /// How long it took to compare, and to propose.
    times: [Duration; 2],
}

impl Proposals {
    /// What an old name may have become, the best first.
    fn of<'a>(&'a self, kind: Kind, old: &str) -> impl Iterator<Item = &'a Rename> {
        let all = self.kinds.iter().filter(move |(other, _)| *other == kind).flat_map(|(_, renames)| renames);
        all.filter(move |rename| rename.old == old)
    }
}

/// Compares the neighbours and prints what was found.
pub fn run(args: &Args) -> Result<()> {
    ensure!(args.runs > 0, "`--runs 0` measures nothing");
    let kernels = Kernels::open(args.directory.as_deref())?;
    let entries = list::read()?;
    let proposals: Vec<Proposals> =
        kernels.pairs().map(|(versions, pair)| propose(versions, pair, args.runs)).collect();
    let (entries, left_out): (Vec<Entry>, Vec<Entry>) =
        entries.into_iter().partition(|entry| kernels.have(entry));
    for entry in &left_out {
        println!(
            "left out, because a kernel does not have it: {} {} -> {}",
            entry.kind, entry.old, entry.new
        );
    }
    println!("{}", recall(&entries, &proposals).markdown());
    println!("{}", recall_by_kind(&entries, &proposals).markdown());
    if args.missed {
        missed(&entries, &proposals);
    }
    let sample = sample::draw(&proposals);
    let verdicts = sample::read()?;
    println!("{}", sample::precision(&sample, &verdicts).markdown());
    sample::print_unjudged(&sample, &verdicts);
    println!("{}", times(&proposals).markdown());
    Ok(())
}

/// Compares two kernels and proposes, some times over.
fn propose(versions: [&'static str; 2], pair: Pair<'_>, runs: usize) -> Proposals {
    let mut measured = [Vec::new(), Vec::new()];
    let mut kinds = Vec::new();
    for _ in 0..runs {
        let start = Instant::now();
        let mut diff = Diff::new(pair, &Kind::ALL);
        measured[0].push(start.elapsed());
        let start = Instant::now();
        diff.propose_renames();
        measured[1].push(start.elapsed());
        kinds = diff.kinds.into_iter().map(|kind| (kind.kind, kind.renames)).collect();
    }
    let times = measured.map(|mut times| {
        times.sort_unstable();
        times[times.len() / 2]
    });
    Proposals { versions, kinds, times }
}

/// How many of some real renames were found.
#[derive(Debug, Default)]
struct Found {
    all: usize,
    first: usize,
    likely: usize,
    proposed: usize,
}

impl Found {
    fn of<'e>(entries: impl Iterator<Item = &'e Entry>, proposals: &[Proposals]) -> Self {
        let mut found = Self::default();
        for entry in entries {
            let ranks: Vec<&Rename> = entry.proposals(proposals).collect();
            let right = |rename: &&Rename| entry.is_right(rename);
            found.all += 1;
            found.first += usize::from(ranks.first().is_some_and(right));
            found.likely += usize::from(ranks.iter().any(|rename| rename.score >= LIKELY && right(rename)));
            found.proposed += usize::from(ranks.iter().any(right));
        }
        found
    }

    fn cells(&self) -> [String; 4] {
        let share = |count: usize| percent(count, self.all);
        [self.all.to_string(), share(self.first), share(self.likely), share(self.proposed)]
    }
}

/// A share in whole per cents, with the numbers it is of.
fn percent(count: usize, all: usize) -> String {
    match all {
        0 => "-".into(),
        _ => format!("{:.0} % ({count})", count as f64 * 100.0 / all as f64),
    }
}

const HEAD: [&str; 5] = ["real renames", "listed", "first", "likely", "proposed"];

fn recall(entries: &[Entry], proposals: &[Proposals]) -> Table {
    let mut table = Table::new("### Recall", &HEAD);
    for half in Half::ALL {
        for (what, functions) in [("functions", true), ("other kinds", false)] {
            let of = |entry: &&Entry| entry.half == half && (entry.kind == Kind::Function) == functions;
            let found = Found::of(entries.iter().filter(of), proposals);
            table.row([format!("{}, {what}", half.word())].into_iter().chain(found.cells()));
        }
        let found = Found::of(entries.iter().filter(|entry| entry.half == half), proposals);
        table.row([format!("{}, all", half.word())].into_iter().chain(found.cells()));
    }
    table
}

fn recall_by_kind(entries: &[Entry], proposals: &[Proposals]) -> Table {
    let mut table = Table::new("### Recall by kind and by what happened", &HEAD);
    let mut groups: Vec<(Kind, &str)> =
        entries.iter().map(|entry| (entry.kind, entry.what.as_str())).collect();
    groups.sort_unstable();
    groups.dedup();
    for (kind, what) in groups {
        let of = |entry: &&Entry| entry.kind == kind && entry.what == what;
        let found = Found::of(entries.iter().filter(of), proposals);
        table.row([format!("{kind}, {what}")].into_iter().chain(found.cells()));
    }
    table
}

/// What came in the place of each real rename that is not first.
fn missed(entries: &[Entry], proposals: &[Proposals]) {
    for entry in entries {
        let mut ranks = entry.proposals(proposals).peekable();
        if ranks.peek().is_some_and(|rename| entry.is_right(rename)) {
            continue;
        }
        let line = |rename: &Rename| format!("{} ({} %)", rename.new, rename.score);
        let ranks: Vec<String> = ranks.map(line).collect();
        let instead = if ranks.is_empty() { "nothing".to_owned() } else { ranks.join(", ") };
        let (half, [old, new]) = (entry.half.word(), &entry.versions);
        println!("{half} {} {old} {new}: {} -> {}: {instead}", entry.kind, entry.old, entry.new);
    }
    println!();
}

fn times(proposals: &[Proposals]) -> Table {
    let head = ["kernels", "compare", "propose", "both", "proposals", "likely"];
    let mut table = Table::new("### Time and number", &head);
    for Proposals { versions: [old, new], kinds, times: [compare, propose] } in proposals {
        let all = || kinds.iter().flat_map(|(_, renames)| renames);
        let likely = all().filter(|rename| rename.score >= LIKELY).count();
        table.row([
            format!("{old} -> {new}"),
            time(*compare),
            time(*propose),
            time(*compare + *propose),
            all().count().to_string(),
            likely.to_string(),
        ]);
    }
    table
}
