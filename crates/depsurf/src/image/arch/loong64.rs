//! LoongArch, 64 bit.

use object::elf;

use super::{DataRelocation, IRQ_ENTRY, Machine, SyscallTable};
use crate::kernel::Arch;

pub(super) static MACHINE: Machine = Machine {
    arch: Arch::Loong64,
    elf_machine: elf::EM_LOONGARCH,
    address_size: 8,
    big_endian: false,
    relative_relocation: elf::R_LARCH_RELATIVE.0,
    absolute_relocation: elf::R_LARCH_64.0,
    data_relocations: &[
        (elf::R_LARCH_64.0, DataRelocation::Set(8)),
        (elf::R_LARCH_32.0, DataRelocation::Set(4)),
        (elf::R_LARCH_ADD64.0, DataRelocation::Add(8)),
        (elf::R_LARCH_ADD32.0, DataRelocation::Add(4)),
        (elf::R_LARCH_ADD16.0, DataRelocation::Add(2)),
        (elf::R_LARCH_ADD8.0, DataRelocation::Add(1)),
        (elf::R_LARCH_SUB64.0, DataRelocation::Subtract(8)),
        (elf::R_LARCH_SUB32.0, DataRelocation::Subtract(4)),
        (elf::R_LARCH_SUB16.0, DataRelocation::Subtract(2)),
        (elf::R_LARCH_SUB8.0, DataRelocation::Subtract(1)),
    ],
    site_before_entry: 0,
    site_behind_entry: 8,
    // arch/loongarch/kernel/kprobes.c
    no_probe_areas: &[IRQ_ENTRY],
    syscall_tables: &[SyscallTable {
        symbol: "sys_call_table",
        abi: "64",
        first_number: 0,
        prefixes: &["__loongarch_sys_", "sys_"],
        dispatcher: None,
    }],
    metadata_names: &[],
    libbpf_word: "loongarch",
    open_syscall_prefix: Some("sys_"),
    argument_registers: &[
        "regs[4]", "regs[5]", "regs[6]", "regs[7]", "regs[8]", "regs[9]", "regs[10]", "regs[11]",
    ],
    return_register: "regs[4]",
    register_mark: ("pt_regs", "csr_era"),
};
