//! IBM Z, big-endian.

use object::elf;

use super::{IRQ_ENTRY, Machine};
use crate::kernel::Arch;

pub(super) static MACHINE: Machine = Machine {
    arch: Arch::S390x,
    elf_machine: elf::EM_S390,
    address_size: 8,
    big_endian: true,
    relative_relocation: elf::R_390_RELATIVE.0,
    absolute_relocation: elf::R_390_64.0,
    uname_words: &["s390x"],
    // arch/s390/kernel/kprobes.c
    no_probe_areas: &[IRQ_ENTRY],
};
