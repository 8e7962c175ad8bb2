//! IBM Z, big-endian.

use object::elf;

use super::{DataRelocation, IRQ_ENTRY, Machine, SyscallTable};
use crate::kernel::Arch;

pub(super) static MACHINE: Machine = Machine {
    arch: Arch::S390x,
    elf_machine: elf::EM_S390,
    address_size: 8,
    big_endian: true,
    relative_relocation: elf::R_390_RELATIVE.0,
    absolute_relocation: elf::R_390_64.0,
    data_relocations: &[(elf::R_390_64.0, DataRelocation::Set(8)), (elf::R_390_32.0, DataRelocation::Set(4))],
    site_before_entry: 0,
    site_behind_entry: 8,
    // arch/s390/kernel/kprobes.c
    no_probe_areas: &[IRQ_ENTRY],
    syscall_tables: &[
        SyscallTable {
            symbol: "sys_call_table",
            abi: "64",
            first_number: 0,
            prefixes: &["__s390x_sys_", "sys_"],
            dispatcher: None,
        },
        SyscallTable {
            symbol: "sys_call_table_emu",
            abi: "compat",
            first_number: 0,
            prefixes: &["__s390_sys_", "__s390_compat_sys_", "__s390x_sys_", "sys_", "compat_sys_"],
            dispatcher: None,
        },
    ],
    metadata_names: &[],
    libbpf_word: "s390x",
    open_syscall_prefix: Some("__s390x_"),
    argument_registers: &["gprs[2]", "gprs[3]", "gprs[4]", "gprs[5]", "gprs[6]"],
    return_register: "gprs[2]",
    register_mark: ("pt_regs", "orig_gpr2"),
};
