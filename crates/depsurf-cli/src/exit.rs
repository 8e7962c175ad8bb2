//! Exit statuses; `--help` tells them to users.

/// Done, and nothing found by the verbs that judge.
pub const FINE: u8 = 0;

// 1 is for verbs that judge and found something; none does yet.

/// Could not do it, or not all of it.
pub const FAILED: u8 = 2;
