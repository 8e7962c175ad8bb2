//! x86, 64 bit.

use object::elf;

use super::{ENTRY, Machine};
use crate::kernel::Arch;

pub(super) static MACHINE: Machine = Machine {
    arch: Arch::Amd64,
    elf_machine: elf::EM_X86_64,
    address_size: 8,
    big_endian: false,
    relative_relocation: elf::R_X86_64_RELATIVE.0,
    absolute_relocation: elf::R_X86_64_64.0,
    uname_words: &["amd64", "x86_64"],
    // arch/x86/kernel/kprobes/core.c
    no_probe_areas: &[ENTRY],
};
