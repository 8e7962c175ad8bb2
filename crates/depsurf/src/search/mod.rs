//! Finds names of every kind in many kernels at once: by their beginning, by any part, or misspelt.
//!
//! An [`Index`] holds every name of a dataset once, with the kernels that have it; [`Index::search`] compares each
//! name with a [`Query`], which takes milliseconds however many kernels there are, because they have most
//! names in common. [`crate::store::Dataset::index`] keeps the index beside the dataset's expanded surfaces.

mod build;
mod index;
mod names;
mod query;
pub mod score;
#[cfg(test)]
mod tests;

pub use self::build::Stamped;
pub use self::index::{FORMAT, Index, Kernel, MAGIC};
pub use self::names::What;
pub use self::query::{Found, Hit, Query, Text};
