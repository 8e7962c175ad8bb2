//! x86, 32 bit.

use object::elf;

use super::{DataRelocation, ENTRY, Machine, SyscallTable};
use crate::kernel::Arch;

pub(super) static MACHINE: Machine = Machine {
    arch: Arch::I386,
    elf_machine: elf::EM_386,
    address_size: 4,
    big_endian: false,
    relative_relocation: elf::R_386_RELATIVE.0,
    absolute_relocation: elf::R_386_32.0,
    data_relocations: &[(elf::R_386_32.0, DataRelocation::Set(4))],
    site_before_entry: 0,
    site_behind_entry: 8,
    // arch/x86/kernel/kprobes/core.c
    no_probe_areas: &[ENTRY],
    syscall_tables: &[SyscallTable {
        symbol: "sys_call_table",
        abi: "32",
        first_number: 0,
        prefixes: &["__ia32_sys_", "sys_", "ptregs_"],
        dispatcher: Some("ia32_sys_call"),
    }],
    metadata_names: &[],
    libbpf_word: "ia32",
    open_syscall_prefix: Some("__ia32_"),
    argument_registers: &["ax", "dx", "cx"],
    return_register: "ax",
    register_mark: ("pt_regs", "orig_ax"),
};
