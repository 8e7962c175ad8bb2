//! The packed surfaces in `starter/`. Written by `cargo xtask starter`: do not edit.

use depsurf::store::Embedded;

/// The kernels of the starter dataset.
pub const KERNELS: &[Embedded] = &[
    Embedded {
        kernel: "5.10.223-32-cloud-amd64",
        bytes: include_bytes!("../../../../starter/5.10.223-32-cloud-amd64.packed"),
    },
    Embedded {
        kernel: "6.1.176-50-cloud-amd64",
        bytes: include_bytes!("../../../../starter/6.1.176-50-cloud-amd64.packed"),
    },
    Embedded {
        kernel: "6.1.176-50-cloud-arm64",
        bytes: include_bytes!("../../../../starter/6.1.176-50-cloud-arm64.packed"),
    },
    Embedded {
        kernel: "6.12.107-deb13-cloud-amd64",
        bytes: include_bytes!("../../../../starter/6.12.107-deb13-cloud-amd64.packed"),
    },
    Embedded {
        kernel: "7.2.12-deb14-cloud-amd64",
        bytes: include_bytes!("../../../../starter/7.2.12-deb14-cloud-amd64.packed"),
    },
];
