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
    /// Start and stop symbols of code that the architecture's `arch_populate_kprobe_blacklist` or
    /// `arch_within_kprobe_blacklist` puts on the kprobe blacklist, beside what every architecture has there.
    pub no_probe_areas: &'static [(&'static str, &'static str)],
    /// System call tables: the native one first, then those for other ABIs.
    pub syscall_tables: &'static [SyscallTable],
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

/// What is particular to an architecture.
#[must_use]
pub fn of(arch: Arch) -> &'static Machine {
    MACHINES.into_iter().find(|known| known.arch == arch).expect("every architecture is in the table")
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
