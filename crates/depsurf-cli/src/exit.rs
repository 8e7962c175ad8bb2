//! Exit statuses; `--help` tells them to users.

/// Done, and nothing found by the verbs that judge.
pub const FINE: u8 = 0;

/// Done, and something found by the verbs that judge.
pub const FOUND: u8 = 1;

/// Could not do it, or not all of it.
pub const FAILED: u8 = 2;
