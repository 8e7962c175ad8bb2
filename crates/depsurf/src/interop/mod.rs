//! Formats of other tools, written from surfaces.

pub mod depsurf;
#[cfg(feature = "parquet")]
pub mod parquet;
