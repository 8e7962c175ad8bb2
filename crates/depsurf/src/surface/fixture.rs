//! What tests put surfaces together from.

use super::meta::Meta;

/// What is said of a kernel of which nothing was read: 64-bit and little-endian, without any evidence.
pub(crate) fn meta(kernel: &str) -> Meta {
    Meta {
        kernel: kernel.parse().expect("a kernel name"),
        uname: None,
        banner: None,
        build_id: None,
        compiler: None,
        distribution: None,
        package: None,
        big_endian: false,
        address_size: 8,
        base_address: 0,
        btf_types: 1,
        imported: None,
        fetched: None,
        evidence: Default::default(),
    }
}
