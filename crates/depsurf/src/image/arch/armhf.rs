//! Arm, 32 bit.

use object::elf;

use super::{ENTRY, IRQ_ENTRY, Machine};
use crate::kernel::Arch;

pub(super) static MACHINE: Machine = Machine {
    arch: Arch::Armhf,
    elf_machine: elf::EM_ARM,
    address_size: 4,
    big_endian: false,
    relative_relocation: elf::R_ARM_RELATIVE.0,
    absolute_relocation: elf::R_ARM_ABS32.0,
    uname_words: &["armmp", "armv7l", "armv7hl"],
    // arch/arm/probes/kprobes/core.c
    no_probe_areas: &[ENTRY, IRQ_ENTRY, ("__idmap_text_start", "__idmap_text_end")],
};
