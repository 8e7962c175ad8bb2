//! RISC-V, 64 bit.

use object::elf;

use super::{IRQ_ENTRY, Machine};
use crate::kernel::Arch;

pub(super) static MACHINE: Machine = Machine {
    arch: Arch::Riscv64,
    elf_machine: elf::EM_RISCV,
    address_size: 8,
    big_endian: false,
    relative_relocation: elf::R_RISCV_RELATIVE.0,
    absolute_relocation: elf::R_RISCV_64.0,
    uname_words: &["riscv64"],
    // arch/riscv/kernel/probes/kprobes.c
    no_probe_areas: &[IRQ_ENTRY],
};
