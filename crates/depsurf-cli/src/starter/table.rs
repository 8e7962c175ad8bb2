//! The packed surfaces in `starter/`. Written by `cargo xtask starter`: do not edit.

use depsurf::store::Embedded;

/// The kernels of the starter dataset.
pub const KERNELS: &[Embedded] = &[];
