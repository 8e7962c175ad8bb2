//! Arm, 64 bit.

use object::elf;

use super::{DataRelocation, ENTRY, IRQ_ENTRY, Machine, SyscallTable};
use crate::kernel::Arch;

pub(super) static MACHINE: Machine = Machine {
    arch: Arch::Arm64,
    elf_machine: elf::EM_AARCH64,
    address_size: 8,
    big_endian: false,
    relative_relocation: elf::R_AARCH64_RELATIVE.0,
    absolute_relocation: elf::R_AARCH64_ABS64.0,
    data_relocations: &[
        (elf::R_AARCH64_ABS64.0, DataRelocation::Set(8)),
        (elf::R_AARCH64_ABS32.0, DataRelocation::Set(4)),
    ],
    site_before_entry: 8,
    site_behind_entry: 8,
    // arch/arm64/kernel/probes/kprobes.c
    no_probe_areas: &[
        ENTRY,
        IRQ_ENTRY,
        ("__idmap_text_start", "__idmap_text_end"),
        ("__hyp_text_start", "__hyp_text_end"),
    ],
    syscall_tables: &[
        SyscallTable {
            symbol: "sys_call_table",
            abi: "64",
            first_number: 0,
            prefixes: &["__arm64_sys_", "sys_"],
            dispatcher: None,
        },
        SyscallTable {
            symbol: "compat_sys_call_table",
            abi: "compat",
            first_number: 0,
            prefixes: &["__arm64_sys_", "__arm64_compat_sys_", "sys_", "compat_sys_"],
            dispatcher: None,
        },
    ],
    metadata_names: &[],
    libbpf_word: "arm64",
    open_syscall_prefix: Some("__arm64_"),
    argument_registers: &[
        "regs[0]", "regs[1]", "regs[2]", "regs[3]", "regs[4]", "regs[5]", "regs[6]", "regs[7]",
    ],
    return_register: "regs[0]",
    register_mark: ("user_pt_regs", "pstate"),
};
