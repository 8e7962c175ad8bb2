//! The valid kernels that inputs change.

use testkit::Target;
use testkit::dwarf::Style;
use testkit::elf::Machine;
use testkit::kernel::{Image, Kernel};

/// Kernels of each byte order and width that Linux still has, in both versions of DWARF and both ways to write it.
pub fn all() -> Vec<Image> {
    [
        (Machine::X86_64, Target::LE64, 5, Style::Gcc),
        (Machine::AARCH64, Target::LE64, 5, Style::Clang),
        (Machine::S390, Target::BE64, 4, Style::Gcc),
        (Machine::ARM, Target::LE32, 4, Style::Gcc),
        (Machine::S390, Target::BE64, 5, Style::Clang),
    ]
    .into_iter()
    .map(|(machine, target, version, style)| Kernel::sample(machine, target).dwarf(version, style).build())
    .collect()
}

/// Kernels whose debug information is in `.dwo` files, in both versions of DWARF.
pub fn split() -> Vec<Image> {
    [(Machine::X86_64, Target::LE64, 5), (Machine::S390, Target::BE64, 4)]
        .into_iter()
        .map(|(machine, target, version)| {
            Kernel::sample(machine, target).dwarf(version, Style::Gcc).split().build()
        })
        .collect()
}
