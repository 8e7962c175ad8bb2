//! Command line of depsurf.
fn main() {}
