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
    site_before_entry: 0,
    site_behind_entry: u64::MAX,
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
    // arch/arm/include/asm/ftrace.h: arch_syscall_match_sym_name
    metadata_names: &[
        ("mmap2", "mmap_pgoff"),
        ("statfs64_wrapper", "statfs64"),
        ("fstatfs64_wrapper", "fstatfs64"),
        ("arm_fadvise64_64", "fadvise64_64"),
    ],
    libbpf_word: "arm",
    open_syscall_prefix: None,
    argument_registers: &["uregs[0]", "uregs[1]", "uregs[2]", "uregs[3]"],
    return_register: "uregs[0]",
    register_mark: ("pt_regs", "uregs"),
};
