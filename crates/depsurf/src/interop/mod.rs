//! Formats of other tools, written from surfaces.

pub mod depsurf;
