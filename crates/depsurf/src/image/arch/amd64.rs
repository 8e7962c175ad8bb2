//! x86, 64 bit.

use object::elf;

use super::Machine;
use crate::kernel::Arch;

pub(super) static MACHINE: Machine = Machine {
    arch: Arch::Amd64,
    elf_machine: elf::EM_X86_64,
    address_size: 8,
    big_endian: false,
    relative_relocation: elf::R_X86_64_RELATIVE.0,
    absolute_relocation: elf::R_X86_64_64.0,
};
