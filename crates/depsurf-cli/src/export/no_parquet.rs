//! `depsurf export parquet DIR` in a program that cannot.

use std::path::Path;

use depsurf::surface::Surface;

use crate::output::Output;
use crate::progress::Bar;

/// Refuses, and tells how to get a program that can.
pub fn available() -> depsurf::Result<()> {
    Err(depsurf::Error::Usage {
        what: "this program was built without `export parquet`".into(),
        help: Some(
            "build it with the feature: cargo run --release --features parquet -- export parquet DIR".into(),
        ),
    })
}

/// Never gets here.
pub fn export(_: Vec<Surface>, _: &Path, _: &Bar, _: &mut Output) -> anyhow::Result<()> {
    Ok(available()?)
}
