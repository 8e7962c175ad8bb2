//! POWER, 64 bit, little-endian.

use object::elf;

use super::{DataRelocation, Machine, SyscallTable};
use crate::kernel::Arch;

pub(super) static MACHINE: Machine = Machine {
    arch: Arch::Ppc64el,
    elf_machine: elf::EM_PPC64,
    address_size: 8,
    big_endian: false,
    relative_relocation: elf::R_PPC64_RELATIVE.0,
    absolute_relocation: elf::R_PPC64_ADDR64.0,
    data_relocations: &[
        (elf::R_PPC64_ADDR64.0, DataRelocation::Set(8)),
        (elf::R_PPC64_ADDR32.0, DataRelocation::Set(4)),
    ],
    site_before_entry: 0,
    site_behind_entry: u64::MAX,
    // arch/powerpc/kernel/kprobes.c
    no_probe_areas: &[("_stext", "__head_end")],
    syscall_tables: &[
        SyscallTable {
            symbol: "sys_call_table",
            abi: "64",
            first_number: 0,
            prefixes: &["__powerpc_sys_", "sys_", "ppc64_", "ppc_"],
            dispatcher: None,
        },
        SyscallTable {
            symbol: "compat_sys_call_table",
            abi: "compat",
            first_number: 0,
            prefixes: &["__powerpc_compat_sys_", "__powerpc_sys_", "compat_sys_", "sys_", "ppc32_", "ppc_"],
            dispatcher: None,
        },
    ],
    metadata_names: &[],
    libbpf_word: "powerpc",
    open_syscall_prefix: Some("sys_"),
    argument_registers: &["gpr[3]", "gpr[4]", "gpr[5]", "gpr[6]", "gpr[7]", "gpr[8]", "gpr[9]", "gpr[10]"],
    return_register: "gpr[3]",
    register_mark: ("pt_regs", "orig_gpr3"),
};
