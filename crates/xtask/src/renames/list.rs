//! The list of real renames.

use std::fs;

use anyhow::{Context, Result, bail};
use depsurf::Kind;
use depsurf::diff::rename::Rename;
use xxhash_rust::xxh3::xxh3_64;

use super::Proposals;

const PATH: &str = "crates/depsurf/tests/renames.tsv";
/// What the origin of entries begins with that were collected after the detector was tuned.
const LATER: &str = "later";

/// What part of the list an entry is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Half {
    /// What the detector may be tuned on.
    Tuning,
    /// What it is only measured on.
    HeldOut,
    /// What was collected after it was tuned, and is only measured on.
    Later,
}

impl Half {
    pub const ALL: [Self; 3] = [Self::Tuning, Self::HeldOut, Self::Later];

    pub fn word(self) -> &'static str {
        match self {
            Self::Tuning => "tuning",
            Self::HeldOut => "held out",
            Self::Later => "later",
        }
    }

    /// The half that a name falls into: by its hash, so that nobody chooses.
    pub fn of(old: &str) -> Self {
        if xxh3_64(old.as_bytes()).is_multiple_of(2) { Self::Tuning } else { Self::HeldOut }
    }
}

/// A real rename.
#[derive(Debug)]
pub struct Entry {
    pub kind: Kind,
    pub versions: [String; 2],
    pub old: String,
    /// The new name; alternatives are parted by `|`.
    pub new: String,
    /// `renamed`, `split` or `merged`.
    pub what: String,
    pub half: Half,
}

impl Entry {
    pub fn alternatives(&self) -> impl Iterator<Item = &str> {
        self.new.split('|')
    }

    pub fn is_right(&self, rename: &Rename) -> bool {
        self.alternatives().any(|name| name == rename.new)
    }

    /// What is proposed for the old name, the best first.
    pub fn proposals<'a>(&'a self, proposals: &'a [Proposals]) -> impl Iterator<Item = &'a Rename> {
        let pair = proposals.iter().filter(|pair| pair.versions == self.versions);
        pair.flat_map(|pair| pair.of(self.kind, &self.old))
    }
}

/// Reads the list.
pub fn read() -> Result<Vec<Entry>> {
    lines(PATH)?.iter().map(|(place, cells)| entry(cells).with_context(|| place.clone())).collect()
}

fn entry(cells: &[String]) -> Result<Entry> {
    let [kind, old_version, new_version, old, new, what, origin, _] = cells else {
        bail!("{} columns instead of 8", cells.len());
    };
    let half = if origin.starts_with(LATER) { Half::Later } else { Half::of(old) };
    Ok(Entry {
        kind: kind.parse()?,
        versions: [old_version.clone(), new_version.clone()],
        old: old.clone(),
        new: new.clone(),
        what: what.clone(),
        half,
    })
}

/// The lines of a table in the workspace, each with its place and its cells.
pub fn lines(path: &str) -> Result<Vec<(String, Vec<String>)>> {
    let text =
        fs::read_to_string(crate::root().join(path)).with_context(|| format!("cannot read `{path}`"))?;
    let numbered = (1..).zip(text.lines()).filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    let cells = |line: &str| line.split('\t').map(str::to_owned).collect();
    Ok(numbered.map(|(number, line): (u32, &str)| (format!("{path}:{number}"), cells(line))).collect())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn both_halves_are_large_and_nothing_is_listed_twice() {
        let entries = read().unwrap();
        let count = |half| entries.iter().filter(|entry| entry.half == half).count();
        assert!(count(Half::Tuning) >= 200 && count(Half::HeldOut) >= 200 && count(Half::Later) >= 60);
        let mut seen = HashSet::new();
        for entry in &entries {
            let key = (entry.kind, &entry.versions, &entry.old, &entry.new);
            assert!(seen.insert(key), "{} {} twice", entry.kind, entry.old);
            assert!(["renamed", "split", "merged"].contains(&entry.what.as_str()), "{}", entry.what);
        }
    }
}
