//! The starter dataset: packed surfaces inside the program, so that the first command needs no download.

mod table;

pub use table::KERNELS;
