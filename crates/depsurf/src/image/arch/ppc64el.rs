//! POWER, 64 bit, little-endian.

use object::elf;

use super::Machine;
use crate::kernel::Arch;

pub(super) static MACHINE: Machine = Machine {
    arch: Arch::Ppc64el,
    elf_machine: elf::EM_PPC64,
    address_size: 8,
    big_endian: false,
    relative_relocation: elf::R_PPC64_RELATIVE.0,
    absolute_relocation: elf::R_PPC64_ADDR64.0,
    uname_words: &["powerpc64le", "ppc64el", "ppc64le"],
    // arch/powerpc/kernel/kprobes.c
    no_probe_areas: &[("_stext", "__head_end")],
};
