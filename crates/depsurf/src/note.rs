//! What was skipped while the work went on: counted, located, never silent.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Something that could not be read, or was left out on purpose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Note {
    /// Stable id in kebab case, as in `dwarf-rust-unit`.
    pub id: String,
    /// What was lost and why, one line.
    pub message: String,
    /// How often it happened.
    pub count: u64,
    /// Where it happened first: file, section, offset, DIE or type id.
    pub first: Option<String>,
    /// Whether something the reader would want is missing (`true`),
    /// or whether the omission is by design (`false`). `--strict` refuses the former.
    pub lossy: bool,
}

/// Collects notes, one per id; the first place is kept, further ones are counted.
#[derive(Debug, Clone, Default)]
pub struct Notes {
    by_id: BTreeMap<&'static str, Note>,
}

impl Notes {
    /// An empty collection.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Notes a loss: something a user would have wanted.
    pub fn lost(&mut self, id: &'static str, message: impl FnOnce() -> String, at: impl FnOnce() -> String) {
        self.add(id, 1, true, message, Some(at));
    }

    /// Notes an omission that is by design.
    pub fn skipped(
        &mut self,
        id: &'static str,
        message: impl FnOnce() -> String,
        at: impl FnOnce() -> String,
    ) {
        self.add(id, 1, false, message, Some(at));
    }

    /// Adds `count` occurrences of a note.
    pub fn add(
        &mut self,
        id: &'static str,
        count: u64,
        lossy: bool,
        message: impl FnOnce() -> String,
        at: Option<impl FnOnce() -> String>,
    ) {
        self.by_id.entry(id).and_modify(|note| note.count += count).or_insert_with(|| Note {
            id: id.into(),
            message: message(),
            count,
            first: at.map(|at| at()),
            lossy,
        });
    }

    /// Adds all notes of `other`; for the same id the earlier place is kept.
    pub fn merge(&mut self, other: Self) {
        for (id, note) in other.by_id {
            self.by_id.entry(id).and_modify(|mine| mine.count += note.count).or_insert(note);
        }
    }

    /// The notes, sorted by id.
    #[must_use]
    pub fn into_vec(self) -> Vec<Note> {
        self.by_id.into_values().collect()
    }
}
