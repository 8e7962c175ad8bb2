//! A random sample of likely proposals, and what came out when each was looked up in the sources of both kernels.
//!
//! What is sampled is what `depsurf diff` shows: of each old name the best proposal, where it is likely.

use std::collections::HashMap;

use anyhow::{Context, Result, bail, ensure};
use depsurf::Kind;
use depsurf::diff::rename::{LIKELY, Rename};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::list::{Half, lines};
use super::{Proposals, percent};
use crate::bench::report::Table;

const PATH: &str = "crates/depsurf/tests/rename_sample.tsv";
/// What the sample is drawn by. Another seed is another sample.
const SEED: u64 = 2026;
/// Of which kinds, and how many.
const DRAWN: [(Kind, usize); 2] = [(Kind::Function, 60), (Kind::Field, 30)];
/// Scores in which precision is told apart, each up to the next.
const BANDS: [u8; 3] = [LIKELY, 75, 90];

/// A proposal that is in the sample.
pub struct Drawn<'a> {
    kind: Kind,
    versions: [&'static str; 2],
    rename: &'a Rename,
}

/// What a proposal turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The same thing under another name, wherever it is now.
    Same,
    /// What the old one did, or a part of it, was cut out into the new one, or went into it.
    Part,
    /// Other code or another thing, which has taken the place of the old one.
    Replaced,
    /// Not what became of the old one.
    Wrong,
}

impl Verdict {
    fn of(word: &str) -> Result<Self> {
        Ok(match word {
            "same" => Self::Same,
            "part" => Self::Part,
            "replaced" => Self::Replaced,
            "wrong" => Self::Wrong,
            _ => bail!("`{word}` is no verdict: same, part, replaced or wrong"),
        })
    }
}

/// Verdicts by kind, versions, old and new name.
pub type Verdicts = HashMap<[String; 5], Verdict>;

impl Drawn<'_> {
    fn key(&self) -> [String; 5] {
        let [old, new] = self.versions.map(str::to_owned);
        [self.kind.to_string(), old, new, self.rename.old.clone(), self.rename.new.clone()]
    }
}

/// Draws the sample: those whose hash comes first. So a better detector changes little of it, and verdicts stay of use.
pub fn draw(proposals: &[Proposals]) -> Vec<Drawn<'_>> {
    let drawn = DRAWN.iter().flat_map(|(kind, count)| {
        let mut all: Vec<Drawn<'_>> = proposals.iter().flat_map(|pair| shown(pair, *kind)).collect();
        all.sort_by_cached_key(|drawn| xxh3_64_with_seed(drawn.key().join("\t").as_bytes(), SEED));
        all.truncate(*count);
        all
    });
    drawn.collect()
}

/// The proposals between two kernels that `depsurf diff` shows.
fn shown(pair: &Proposals, kind: Kind) -> impl Iterator<Item = Drawn<'_>> {
    let versions = pair.versions;
    let renames = pair.kinds.iter().filter(move |(other, _)| *other == kind).flat_map(|(_, renames)| renames);
    let mut before = "";
    let best = renames.filter(move |rename| std::mem::replace(&mut before, &rename.old) != rename.old);
    let likely = best.filter(|rename| rename.score >= LIKELY);
    likely.map(move |rename| Drawn { kind, versions, rename })
}

/// Reads the verdicts.
pub fn read() -> Result<Verdicts> {
    let mut verdicts = Verdicts::new();
    for (place, cells) in lines(PATH)? {
        let [kind, old_version, new_version, old, new, verdict, _] = cells.as_slice() else {
            bail!("{place}: {} columns instead of 7", cells.len());
        };
        let key = [kind, old_version, new_version, old, new].map(Clone::clone);
        let verdict = Verdict::of(verdict).with_context(|| place.clone())?;
        ensure!(verdicts.insert(key, verdict).is_none(), "{place}: judged twice");
    }
    Ok(verdicts)
}

/// The share of the sample that is right, of what was judged.
pub fn precision(sample: &[Drawn<'_>], verdicts: &Verdicts) -> Table {
    let head = ["likely proposals", "judged", "same", "part", "replaced", "wrong", "precision"];
    let mut table = Table::new("### Precision", &head);
    let mut add = |title: String, of: &dyn Fn(&Drawn<'_>) -> bool| {
        let judged = sample.iter().filter(|drawn| of(drawn)).filter_map(|drawn| verdicts.get(&drawn.key()));
        let judged: Vec<Verdict> = judged.copied().collect();
        let count = |verdict| judged.iter().filter(|other| **other == verdict).count();
        let counts = [Verdict::Same, Verdict::Part, Verdict::Replaced, Verdict::Wrong].map(count);
        let right = percent(counts[0] + counts[1], judged.len());
        let cells = [judged.len()].into_iter().chain(counts).map(|count| count.to_string());
        table.row([title].into_iter().chain(cells).chain([right]));
    };
    for (kind, _) in DRAWN {
        for half in [Half::Tuning, Half::HeldOut] {
            let of = |drawn: &Drawn<'_>| drawn.kind == kind && Half::of(&drawn.rename.old) == half;
            add(format!("{kind}, {}", half.word()), &of);
        }
        add(format!("{kind}, all"), &|drawn| drawn.kind == kind);
    }
    for (at, from) in BANDS.into_iter().enumerate() {
        let below = BANDS.get(at + 1).copied().unwrap_or(100);
        let of = |drawn: &Drawn<'_>| (from..below).contains(&drawn.rename.score);
        add(format!("score {from} to {}", below - 1), &of);
    }
    table
}

/// Prints the lines of the sample that nobody has judged, ready for the table of verdicts.
pub fn print_unjudged(sample: &[Drawn<'_>], verdicts: &Verdicts) {
    let unjudged: Vec<&Drawn<'_>> =
        sample.iter().filter(|drawn| !verdicts.contains_key(&drawn.key())).collect();
    if unjudged.is_empty() {
        return;
    }
    println!("{} of the sample are not judged; `{PATH}` lacks:", unjudged.len());
    for drawn in unjudged {
        let evidence: Vec<String> = drawn.rename.evidence.iter().map(ToString::to_string).collect();
        let (what, score) = (drawn.rename.kind_of.word(), drawn.rename.score);
        println!("{}\t?\t{what} {score} %: {}", drawn.key().join("\t"), evidence.join("; "));
    }
    println!();
}
