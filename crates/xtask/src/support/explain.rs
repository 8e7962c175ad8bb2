//! Why a number of an image is not like those of its neighbours.

use super::Row;

/// Something that moves numbers of some images.
pub struct Reason {
    /// Short name.
    pub id: &'static str,
    /// What it is.
    pub text: &'static str,
    /// Columns that it moves.
    columns: &'static [&'static str],
    /// Which images have it.
    applies: fn(&Row) -> bool,
}

/// All known reasons. Each was looked at in the images.
pub static REASONS: &[Reason] = &[];

/// The first reason for a column of an image.
pub fn reason(row: &Row, column: &str) -> Option<&'static Reason> {
    REASONS.iter().find(|reason| reason.columns.contains(&column) && (reason.applies)(row))
}
