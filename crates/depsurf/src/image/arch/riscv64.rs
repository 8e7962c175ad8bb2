//! RISC-V, 64 bit.

use object::elf;

use super::Machine;
use crate::kernel::Arch;

pub(super) static MACHINE: Machine = Machine {
    arch: Arch::Riscv64,
    elf_machine: elf::EM_RISCV,
    address_size: 8,
    big_endian: false,
    relative_relocation: elf::R_RISCV_RELATIVE.0,
    absolute_relocation: elf::R_RISCV_64.0,
};
