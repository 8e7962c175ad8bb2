//! Builds tiny kernel images in memory, so that a test can say DIE by DIE and type by type what the
//! reader under test gets to see.
//!
//! Comes in: a description written in the test. Goes out: the bytes of an ELF file ([`elf::Elf`]), of
//! the DWARF sections ([`dwarf::Dwarf`]), of a `.BTF` section ([`btf::Btf`]), of types given in C for both
//! of these ([`c::Types`]), or of a whole small kernel ([`kernel::Kernel`]), for every [`Target`] (both
//! endians, both widths).
//!
//! Images are well-formed unless the test asks for a fault: the header fields that a careless reader
//! trusts can be overridden one by one. Nothing here depends on the readers that it serves, and but for [`key`], which runs `gpg`,
//! nothing reads a file. A description that contradicts itself (an unknown label, say) panics: it is a bug in the test.

pub mod bpf;
pub mod btf;
mod bytes;
pub mod c;
pub mod carrier;
pub mod dwarf;
pub mod elf;
pub mod kallsyms;
pub mod kernel;
pub mod key;
pub mod mirror;
pub mod package;
pub mod rpm;
pub mod server;

pub use bytes::Bytes;

/// Byte order of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endian {
    /// Least significant byte first, as on x86, arm64, riscv64.
    Little,
    /// Most significant byte first, as on s390x and parts of mips and ppc.
    Big,
}

/// Width of an address: the ELF class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    /// `ELFCLASS32`: addresses of 4 bytes.
    W32,
    /// `ELFCLASS64`: addresses of 8 bytes.
    W64,
}

impl Width {
    /// Bytes in an address, and in C's `long`.
    pub fn bytes(self) -> u8 {
        match self {
            Width::W32 => 4,
            Width::W64 => 8,
        }
    }
}

/// How the numbers of an image are laid out: byte order and width.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// Byte order of every number in the image.
    pub endian: Endian,
    /// Width of addresses.
    pub width: Width,
}

impl Target {
    /// 32 bits, little endian (i386, armhf).
    pub const LE32: Target = Target { endian: Endian::Little, width: Width::W32 };
    /// 64 bits, little endian (amd64, arm64, riscv64, ppc64el, loong64).
    pub const LE64: Target = Target { endian: Endian::Little, width: Width::W64 };
    /// 32 bits, big endian (mips, powerpc).
    pub const BE32: Target = Target { endian: Endian::Big, width: Width::W32 };
    /// 64 bits, big endian (s390x).
    pub const BE64: Target = Target { endian: Endian::Big, width: Width::W64 };
    /// All four, for tests that must hold in each.
    pub const ALL: [Target; 4] = [Target::LE32, Target::LE64, Target::BE32, Target::BE64];

    /// An empty buffer that writes numbers the way of this target.
    pub fn bytes(self) -> Bytes {
        Bytes::new(self)
    }
}
