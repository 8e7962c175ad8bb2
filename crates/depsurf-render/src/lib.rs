//! Draws what surfaces hold: one name on many kernels, as terminal text, Markdown and JSON.
//!
//! A [`Page`] is decided once, from [`Group`]s of labelled surfaces, and drawn by [`terminal`],
//! [`markdown`] or [`json`]. One file per noun holds its facts and how each form draws them.
//! Pure functions: nothing is read, printed or asked from the environment.

mod change;
pub mod check;
pub mod config;
pub mod deps;
pub mod diff;
pub mod differences;
pub mod doctor;
pub mod field;
pub mod function;
pub mod index;
pub mod json;
pub mod kfunc;
mod layout;
mod look;
pub mod lsm;
pub mod markdown;
pub mod page;
pub mod path;
mod rows;
pub mod search;
pub mod suggest;
pub mod syscall;
pub mod terminal;
pub mod timeline;
pub mod tracepoint;
pub mod types;

pub use depsurf::Kind;
pub use differences::Differences;
pub use look::Look;
pub use page::{Entry, Facts, Group, Kernel, Page, Section, State};
pub use suggest::{Suggestions, kinds_of, suggest};
