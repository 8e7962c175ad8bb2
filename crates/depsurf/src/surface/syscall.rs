//! System calls: entries of the native and compat tables.

use super::record::{self, Section};
use super::{Surface, run};

/// An entry of a system call table.
#[derive(Debug, Clone, Copy)]
pub struct Syscall<'a> {
    surface: &'a Surface,
    index: usize,
    record: &'a record::Syscall,
}

/// An argument of a system call.
#[derive(Debug, Clone, Copy)]
pub struct SyscallArg<'a> {
    /// Type, as C text.
    pub type_name: &'a str,
    /// Name.
    pub name: &'a str,
}

impl Surface {
    /// All entries, sorted by ABI and number.
    pub fn syscalls(&self) -> impl ExactSizeIterator<Item = Syscall<'_>> {
        let records: &[record::Syscall] = self.table(Section::Syscalls);
        records.iter().enumerate().map(|(index, record)| Syscall { surface: self, index, record })
    }
}

impl<'a> Syscall<'a> {
    /// Which table: `64`, `x32`, `ia32`, `compat` ...
    #[must_use]
    pub fn abi(self) -> &'a str {
        self.surface.text(self.record.abi)
    }

    /// Number in its table.
    #[must_use]
    pub fn number(self) -> u32 {
        self.record.number.get()
    }

    /// Name without prefix.
    #[must_use]
    pub fn name(self) -> &'a str {
        self.surface.text(self.record.name)
    }

    /// Symbol of the entry; `None` where it is not known.
    #[must_use]
    pub fn symbol(self) -> Option<&'a str> {
        Some(self.surface.text(self.record.symbol)).filter(|text| !text.is_empty())
    }

    /// Whether the kernel implements it.
    #[must_use]
    pub fn is_implemented(self) -> bool {
        self.record.flags.get() & record::SYSCALL_UNIMPLEMENTED == 0
    }

    /// Arguments; `None` where the image has no metadata for it.
    #[must_use]
    pub fn args(self) -> Option<Vec<SyscallArg<'a>>> {
        if self.record.flags.get() & record::SYSCALL_HAS_ARGS == 0 {
            return None;
        }
        let syscalls: &[record::Syscall] = self.surface.table(Section::Syscalls);
        let args: &[record::SyscallArg] = self.surface.table(Section::SyscallArgs);
        let args = run(syscalls, self.index, |syscall| syscall.first_arg, args);
        let text = |id| self.surface.text(id);
        Some(
            args.iter()
                .map(|arg| SyscallArg { type_name: text(arg.type_name), name: text(arg.name) })
                .collect(),
        )
    }
}
