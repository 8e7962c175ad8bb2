//! What differs by architecture: one file each, one table here.

mod amd64;
mod arm64;
mod armhf;
mod i386;
mod loong64;
mod mips64el;
mod ppc64el;
mod riscv64;
mod s390x;

use object::Endianness;
use object::elf;

use crate::error::{Error, Result};
use crate::kernel::Arch;

/// Facts of one architecture that cannot be read from an image.
#[derive(Debug)]
pub struct Machine {
    /// The distribution's word.
    pub arch: Arch,
    /// ELF `e_machine`.
    pub elf_machine: elf::Machine,
    /// Bytes of a pointer: 4 or 8. Decides between ELF machines that come in both widths.
    pub address_size: u8,
    /// Byte order. Decides between ELF machines that come in both.
    pub big_endian: bool,
    /// `R_*_RELATIVE`: the word is the addend.
    pub relative_relocation: u32,
    /// The relocation of a whole word against a symbol.
    pub absolute_relocation: u32,
    /// Relocations of data in object files, by their numbers.
    pub data_relocations: &'static [(u32, DataRelocation)],
    /// Bytes before a function's entry at which its ftrace site is, where the kernel was built with sites before entries: with
    /// `CONFIG_DYNAMIC_FTRACE_WITH_CALL_OPS` two words precede the entry. 0 where sites are never there.
    pub site_before_entry: u64,
    /// Bytes that an ftrace site in a function may be behind the entry, where no size bounds the function: there the site is in
    /// the first instructions, behind what marks a branch target at most (`FTRACE_MCOUNT_MAX_OFFSET` of the kernel's
    /// `arch/*/include/asm/ftrace.h`). No bound where functions save registers first, and the site is behind that.
    pub site_behind_entry: u64,
    /// Start and stop symbols of code that the architecture's `arch_populate_kprobe_blacklist` or
    /// `arch_within_kprobe_blacklist` puts on the kprobe blacklist, beside what every architecture has there.
    pub no_probe_areas: &'static [(&'static str, &'static str)],
    /// System call tables: the native one first, then those for other ABIs.
    pub syscall_tables: &'static [SyscallTable],
    /// Names of entries, and those that the metadata of the same system calls has, where an architecture's wrappers have
    /// names of their own.
    pub metadata_names: &'static [(&'static str, &'static str)],
    /// libbpf's word for it, in the names of system call entries (`arch_specific_syscall_pfx`): `__WORD_sys_NAME`.
    pub libbpf_word: &'static str,
    /// What newer verifiers take for the name of a system call's entry (`has_arch_syscall_prefix` in
    /// `kernel/bpf/verifier.c`); `None` where they take none.
    pub open_syscall_prefix: Option<&'static str>,
    /// The registers that hold the first arguments of a function, by their names in `struct pt_regs`, in order.
    pub argument_registers: &'static [&'static str],
    /// The register that holds what a function returns.
    pub return_register: &'static str,
    /// A struct and a member of it that only this architecture has, among the registers. Of amd64 and i386, and only of these, the
    /// first in the table is it.
    pub register_mark: (&'static str, &'static str),
}

/// What a relocation of data does, to a word of 1, 2, 4 or 8 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DataRelocation {
    /// The word becomes symbol and addend.
    Set(u8),
    /// Symbol and addend are added: half of a difference, on machines whose linkers change the size of code.
    Add(u8),
    /// Symbol and addend are subtracted: the other half.
    Subtract(u8),
}

impl DataRelocation {
    /// Bytes of the word.
    #[must_use]
    pub fn size(self) -> u8 {
        match self {
            Self::Set(size) | Self::Add(size) | Self::Subtract(size) => size,
        }
    }
}

/// A table of system call entries.
#[derive(Debug)]
pub struct SyscallTable {
    /// Symbol of the table.
    pub symbol: &'static str,
    /// The word for its ABI: `64` or `32` for the native one, `compat`, `ia32`, `x32`, `n32` ...
    pub abi: &'static str,
    /// Number of its first entry.
    pub first_number: u32,
    /// What the entry functions' names start with, the likeliest first.
    pub prefixes: &'static [&'static str],
    /// The function that dispatches by number in kernels that have no such table.
    pub dispatcher: Option<&'static str>,
}

/// Interrupt entry code, as the linker script of every architecture bounds it.
const IRQ_ENTRY: (&str, &str) = ("__irqentry_text_start", "__irqentry_text_end");
/// System call and exception entry code, where an architecture gives it a section of its own.
const ENTRY: (&str, &str) = ("__entry_text_start", "__entry_text_end");

/// All architectures that have a name.
static MACHINES: [&Machine; 9] = [
    &amd64::MACHINE,
    &arm64::MACHINE,
    &armhf::MACHINE,
    &i386::MACHINE,
    &loong64::MACHINE,
    &mips64el::MACHINE,
    &ppc64el::MACHINE,
    &riscv64::MACHINE,
    &s390x::MACHINE,
];

/// The facts of an architecture.
///
/// # Panics
/// Never: every [`Arch`] has its place in the table, which a test looks at.
#[must_use]
pub fn of(arch: Arch) -> &'static Machine {
    MACHINES.into_iter().find(|machine| machine.arch == arch).expect("every architecture is in the table")
}

/// All architectures, in the order of their names.
pub fn all() -> impl Iterator<Item = &'static Machine> {
    MACHINES.into_iter()
}

/// Bytes of a pointer of an architecture, and whether it is big-endian.
#[must_use]
pub fn shape(arch: Arch) -> (u8, bool) {
    let machine = of(arch);
    (machine.address_size, machine.big_endian)
}

/// The architecture of an ELF header.
pub(super) fn find(machine: elf::Machine, is_64: bool, endian: Endianness) -> Result<&'static Machine> {
    let big_endian = endian == Endianness::Big;
    let address_size = if is_64 { 8 } else { 4 };
    MACHINES
        .into_iter()
        .find(|known| {
            known.elf_machine == machine
                && known.address_size == address_size
                && known.big_endian == big_endian
        })
        .ok_or_else(|| {
            let (bits, order) = (u32::from(address_size) * 8, if big_endian { "big" } else { "little" });
            let known: Vec<_> = MACHINES.iter().map(|machine| machine.arch.name()).collect();
            let what = match machine {
                elf::EM_BPF => "an eBPF object, not a kernel".to_owned(),
                _ => format!(
                    "ELF machine {}, {bits} bit, {order}-endian (known are {})",
                    machine.0,
                    known.join(", ")
                ),
            };
            Error::UnsupportedMachine { what }
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_architecture_is_in_the_table() {
        for arch in Arch::ALL {
            assert_eq!(of(arch).arch, arch);
        }
    }

    #[test]
    fn registers_tell_architectures_apart() {
        for machine in all() {
            let others = all().filter(|other| other.register_mark == machine.register_mark);
            assert_eq!(others.count(), 1, "{:?}", machine.arch);
            assert!(!machine.argument_registers.is_empty());
        }
    }
}
