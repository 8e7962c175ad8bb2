//! x86, 64 bit.

use object::elf;

use super::{DataRelocation, ENTRY, Machine, SyscallTable};
use crate::kernel::Arch;

pub(super) static MACHINE: Machine = Machine {
    arch: Arch::Amd64,
    elf_machine: elf::EM_X86_64,
    address_size: 8,
    big_endian: false,
    relative_relocation: elf::R_X86_64_RELATIVE.0,
    absolute_relocation: elf::R_X86_64_64.0,
    data_relocations: &[
        (elf::R_X86_64_64.0, DataRelocation::Set(8)),
        (elf::R_X86_64_32.0, DataRelocation::Set(4)),
        (elf::R_X86_64_32S.0, DataRelocation::Set(4)),
    ],
    site_before_entry: 0,
    site_behind_entry: 8,
    // arch/x86/kernel/kprobes/core.c
    no_probe_areas: &[ENTRY],
    syscall_tables: &[
        SyscallTable {
            symbol: "sys_call_table",
            abi: "64",
            first_number: 0,
            prefixes: &[
                "__x64_sys_",
                "__x64_compat_sys_",
                "__x32_compat_sys_",
                "sys_",
                "compat_sys_",
                "ptregs_sys_",
                "stub_",
                "sys32_x32_",
            ],
            dispatcher: Some("x64_sys_call"),
        },
        SyscallTable {
            symbol: "ia32_sys_call_table",
            abi: "ia32",
            first_number: 0,
            prefixes: &["__ia32_sys_", "__ia32_compat_sys_", "sys_", "compat_sys_", "sys32_", "stub32_"],
            dispatcher: Some("ia32_sys_call"),
        },
        SyscallTable {
            symbol: "x32_sys_call_table",
            abi: "x32",
            first_number: 0,
            prefixes: &["__x64_sys_", "__x64_compat_sys_", "__x32_compat_sys_", "sys_", "compat_sys_"],
            dispatcher: Some("x32_sys_call"),
        },
    ],
    metadata_names: &[],
    libbpf_word: "x64",
    open_syscall_prefix: Some("__x64_"),
    argument_registers: &["di", "si", "dx", "cx", "r8", "r9"],
    return_register: "ax",
    register_mark: ("pt_regs", "r15"),
};
