//! RISC-V, 64 bit.

use object::elf;

use super::{DataRelocation, IRQ_ENTRY, Machine, SyscallTable};
use crate::kernel::Arch;

pub(super) static MACHINE: Machine = Machine {
    arch: Arch::Riscv64,
    elf_machine: elf::EM_RISCV,
    address_size: 8,
    big_endian: false,
    relative_relocation: elf::R_RISCV_RELATIVE.0,
    absolute_relocation: elf::R_RISCV_64.0,
    data_relocations: &[
        (elf::R_RISCV_64.0, DataRelocation::Set(8)),
        (elf::R_RISCV_32.0, DataRelocation::Set(4)),
        (elf::R_RISCV_SET32.0, DataRelocation::Set(4)),
        (elf::R_RISCV_SET16.0, DataRelocation::Set(2)),
        (elf::R_RISCV_SET8.0, DataRelocation::Set(1)),
        (elf::R_RISCV_ADD64.0, DataRelocation::Add(8)),
        (elf::R_RISCV_ADD32.0, DataRelocation::Add(4)),
        (elf::R_RISCV_ADD16.0, DataRelocation::Add(2)),
        (elf::R_RISCV_ADD8.0, DataRelocation::Add(1)),
        (elf::R_RISCV_SUB64.0, DataRelocation::Subtract(8)),
        (elf::R_RISCV_SUB32.0, DataRelocation::Subtract(4)),
        (elf::R_RISCV_SUB16.0, DataRelocation::Subtract(2)),
        (elf::R_RISCV_SUB8.0, DataRelocation::Subtract(1)),
    ],
    site_before_entry: 8,
    site_behind_entry: 8,
    // arch/riscv/kernel/probes/kprobes.c
    no_probe_areas: &[IRQ_ENTRY],
    syscall_tables: &[
        SyscallTable {
            symbol: "sys_call_table",
            abi: "64",
            first_number: 0,
            prefixes: &["__riscv_sys_", "sys_"],
            dispatcher: None,
        },
        SyscallTable {
            symbol: "compat_sys_call_table",
            abi: "compat",
            first_number: 0,
            prefixes: &["__riscv_sys_", "__riscv_compat_sys_", "sys_", "compat_sys_"],
            dispatcher: None,
        },
    ],
    metadata_names: &[],
    libbpf_word: "riscv",
    open_syscall_prefix: Some("__riscv_"),
    argument_registers: &["a0", "a1", "a2", "a3", "a4", "a5", "a6", "a7"],
    return_register: "a0",
    register_mark: ("pt_regs", "badaddr"),
};
