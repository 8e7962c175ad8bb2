//! A kernel's types without the kernel: `/sys/kernel/btf/vmlinux`, or a file of BTFHub's archives, which are tar
//! archives with one `RELEASE.btf` in them.

/// Whether bytes begin with the header of BTF in either byte order (`Documentation/bpf/btf.rst`, "BTF Header").
#[must_use]
pub fn is_btf(bytes: &[u8]) -> bool {
    matches!(bytes, [0x9f, 0xeb, 1, ..] | [0xeb, 0x9f, 1, ..])
}
