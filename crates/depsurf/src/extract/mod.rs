//! From an image to the tables of a surface, one file per kind of fact.

pub mod function;
pub mod types;
