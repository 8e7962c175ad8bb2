//! MIPS, 64 bit, little-endian.

use object::elf;

use super::{DataRelocation, Machine, SyscallTable};
use crate::kernel::Arch;

pub(super) static MACHINE: Machine = Machine {
    arch: Arch::Mips64el,
    elf_machine: elf::EM_MIPS,
    address_size: 8,
    big_endian: false,
    relative_relocation: elf::R_MIPS_REL32.0,
    absolute_relocation: elf::R_MIPS_64.0,
    data_relocations: &[
        (elf::R_MIPS_64.0, DataRelocation::Set(8)),
        (elf::R_MIPS_32.0, DataRelocation::Set(4)),
    ],
    site_before_entry: 0,
    site_behind_entry: u64::MAX,
    no_probe_areas: &[],
    syscall_tables: &[
        SyscallTable {
            symbol: "sys_call_table",
            abi: "64",
            first_number: 5000,
            prefixes: &["sys_", "__sys_", "mips_"],
            dispatcher: None,
        },
        SyscallTable {
            symbol: "sysn32_call_table",
            abi: "n32",
            first_number: 6000,
            prefixes: &["sys_32_", "sys_", "__sys_", "compat_sys_", "sys32_", "sysn32_", "mips_"],
            dispatcher: None,
        },
        SyscallTable {
            symbol: "sys32_call_table",
            abi: "o32",
            first_number: 4000,
            prefixes: &["sys_32_", "sys_", "__sys_", "compat_sys_", "sys32_", "mips_"],
            dispatcher: None,
        },
    ],
    metadata_names: &[],
    libbpf_word: "mips",
    open_syscall_prefix: None,
    argument_registers: &[
        "regs[4]", "regs[5]", "regs[6]", "regs[7]", "regs[8]", "regs[9]", "regs[10]", "regs[11]",
    ],
    return_register: "regs[2]",
    register_mark: ("pt_regs", "cp0_status"),
};
