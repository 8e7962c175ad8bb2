//! Arm, 32 bit.

use object::elf;

use super::{DataRelocation, ENTRY, IRQ_ENTRY, Machine, SyscallTable};
use crate::kernel::Arch;

pub(super) static MACHINE: Machine = Machine {
    arch: Arch::Armhf,
    elf_machine: elf::EM_ARM,
    address_size: 4,
    big_endian: false,
    relative_relocation: elf::R_ARM_RELATIVE.0,
    absolute_relocation: elf::R_ARM_ABS32.0,
    data_relocations: &[(elf::R_ARM_ABS32.0, DataRelocation::Set(4))],
    // arch/arm/probes/kprobes/core.c
    no_probe_areas: &[ENTRY, IRQ_ENTRY, ("__idmap_text_start", "__idmap_text_end")],
    syscall_tables: &[
        SyscallTable {
            symbol: "sys_call_table",
            abi: "32",
            first_number: 0,
            prefixes: &["sys_"],
            dispatcher: None,
        },
        SyscallTable {
            symbol: "sys_oabi_call_table",
            abi: "oabi",
            first_number: 0,
            prefixes: &["sys_oabi_", "sys_"],
            dispatcher: None,
        },
    ],
};
