//! Reads Linux kernel images and extracts their *dependency surface*: the functions, types,
//! tracepoints, LSM hooks, kfuncs, syscalls and options that eBPF programs build on.
//!
//! Data flows one way: bytes -> [`source`] -> image, DWARF and BTF views -> a surface.
//! The library never prints, never exits and never reads the environment.

pub mod bpf;
pub mod btf;
pub mod check;
pub mod diff;
pub mod dwarf;
pub mod error;
pub mod extract;
pub mod group;
pub mod image;
pub mod interop;
pub mod kernel;
pub mod kind;
pub mod names;
pub mod note;
pub mod progress;
pub mod script;
pub mod search;
pub mod select;
pub mod source;
pub mod store;
pub mod surface;
pub mod system;

pub use error::{Error, Result};
pub use kind::Kind;
