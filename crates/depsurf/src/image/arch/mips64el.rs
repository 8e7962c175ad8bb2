//! MIPS, 64 bit, little-endian.

use object::elf;

use super::Machine;
use crate::kernel::Arch;

pub(super) static MACHINE: Machine = Machine {
    arch: Arch::Mips64el,
    elf_machine: elf::EM_MIPS,
    address_size: 8,
    big_endian: false,
    relative_relocation: elf::R_MIPS_REL32.0,
    absolute_relocation: elf::R_MIPS_64.0,
    uname_words: &["mips64el", "mips64r2el"],
    no_probe_areas: &[],
};
