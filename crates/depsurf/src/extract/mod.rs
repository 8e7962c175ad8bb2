//! From an image to the tables of a surface, one file per kind of fact.

pub mod attach;
pub mod function;
pub mod identity;
pub mod symbol;
pub mod types;
