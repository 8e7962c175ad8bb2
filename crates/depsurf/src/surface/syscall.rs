//! System calls: entries of the native and compat tables, and the trace events that the kernel makes of them.
//!
//! The events `syscalls:sys_enter_NAME` and `syscalls:sys_exit_NAME` are in no list of the image: at boot the kernel
//! makes them of every entry of its native table that has metadata (`kernel/trace/trace_syscalls.c`:
//! `init_ftrace_syscalls`, `init_syscall_trace`), and so do we. Raw tracepoints of these names do not exist.

use super::meta::Fact;
use super::record::{self, Section};
use super::types::TypeKind;
use super::{Surface, Type, run};
use crate::image::arch;
use crate::kernel::Arch;

/// The system of the events.
pub const EVENT_SYSTEM: &str = "syscalls";
/// The option without which there are neither metadata nor events.
pub const EVENT_OPTION: &str = "CONFIG_FTRACE_SYSCALLS";

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

/// Which end of a system call an event tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Edge {
    /// `sys_enter_NAME`.
    Enter,
    /// `sys_exit_NAME`.
    Exit,
}

/// A trace event of a system call: `syscalls:sys_enter_openat`.
#[derive(Debug, Clone, Copy)]
pub struct SyscallEvent<'a> {
    syscall: Syscall<'a>,
    edge: Edge,
}

/// A field of such an event, as its `format` file lists it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventField<'a> {
    /// Type, as C text.
    pub type_name: &'a str,
    /// Name.
    pub name: &'a str,
    /// Bytes from the start of the record.
    pub offset: u64,
    /// Bytes. An argument takes a whole word, whatever its type.
    pub size: u64,
}

impl Surface {
    /// All entries, sorted by ABI and number.
    pub fn syscalls(&self) -> impl ExactSizeIterator<Item = Syscall<'_>> {
        let records: &[record::Syscall] = self.table(Section::Syscalls);
        records.iter().enumerate().map(|(index, record)| Syscall { surface: self, index, record })
    }

    /// The trace events of system calls, sorted by name; all there are when [`Surface::has_syscall_events`] is
    /// `Some`.
    #[must_use]
    pub fn syscall_events(&self) -> Vec<SyscallEvent<'_>> {
        let mut traced: Vec<Syscall<'_>> = self.syscalls().filter(|syscall| syscall.is_traced()).collect();
        // The same call may stand under several numbers and, on MIPS, in several tables.
        traced.sort_by_key(|syscall| syscall.traced_name());
        traced.dedup_by_key(|syscall| syscall.traced_name());
        let events = |edge| traced.iter().map(move |&syscall| SyscallEvent { syscall, edge });
        events(Edge::Enter).chain(events(Edge::Exit)).collect()
    }

    /// The trace event of a name, without its system.
    #[must_use]
    pub fn syscall_event(&self, name: &str) -> Option<SyscallEvent<'_>> {
        let (edge, call) = Edge::split(name)?;
        let syscall = self.syscalls().find(|syscall| syscall.traced_name() == call && syscall.is_traced())?;
        Some(SyscallEvent { syscall, edge })
    }

    /// Whether the kernel makes trace events of its system calls; `None` when it cannot be told, or when it cannot be
    /// told of which.
    #[must_use]
    pub fn has_syscall_events(&self) -> Option<bool> {
        let meta = self.meta();
        if meta.knows(Fact::SyscallMetadata) && meta.knows(Fact::Syscalls) {
            return Some(true);
        }
        let is_set = self.config(EVENT_OPTION).is_some_and(|option| option.value == "y");
        (meta.knows(Fact::Config) && !is_set).then_some(false)
    }
}

impl Edge {
    /// What names of events start with; the system call follows.
    #[must_use]
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Enter => "sys_enter_",
            Self::Exit => "sys_exit_",
        }
    }

    /// The edge and the system call that an event's name tells; `None` for other names.
    #[must_use]
    pub fn split(name: &str) -> Option<(Self, &str)> {
        [Self::Enter, Self::Exit].into_iter().find_map(|edge| Some((edge, name.strip_prefix(edge.prefix())?)))
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

impl<'a> Syscall<'a> {
    /// Whether the kernel makes trace events of it.
    fn is_traced(self) -> bool {
        // Entries of other tables are not looked up (`arch_syscall_addr`), but on MIPS they are, for every ABI.
        let arch = self.surface.kernel().arch;
        let is_looked_up = matches!(self.abi(), "64" | "32") || arch == Arch::Mips64el;
        is_looked_up && self.is_implemented() && self.record.flags.get() & record::SYSCALL_HAS_ARGS != 0
    }

    /// The name that its metadata and events have.
    fn traced_name(self) -> &'a str {
        metadata_name(self.surface.kernel().arch, self.name())
    }
}

/// The name under which metadata has a system call of a table.
pub(crate) fn metadata_name(arch: Arch, name: &str) -> &str {
    let names = arch::of(arch).metadata_names;
    names.iter().find(|(entry, _)| *entry == name).map_or(name, |(_, metadata)| metadata)
}

impl<'a> SyscallEvent<'a> {
    /// Name, as in `events/syscalls/NAME`.
    #[must_use]
    pub fn name(self) -> String {
        format!("{}{}", self.edge.prefix(), self.syscall.traced_name())
    }

    /// Event class: the suffix of `event_class_*`.
    #[must_use]
    pub fn class(self) -> &'static str {
        match self.edge {
            Edge::Enter => "syscall_enter",
            Edge::Exit => "syscall_exit",
        }
    }

    /// The system call.
    #[must_use]
    pub fn syscall(self) -> Syscall<'a> {
        self.syscall
    }

    /// `struct syscall_trace_enter` or `struct syscall_trace_exit`, how the kernel fills the record; arguments are the
    /// words of its last member. `None` where the types lack it.
    #[must_use]
    pub fn record(self) -> Option<Type<'a>> {
        let name = match self.edge {
            Edge::Enter => "syscall_trace_enter",
            Edge::Exit => "syscall_trace_exit",
        };
        self.syscall.surface.types().find(TypeKind::Struct, name)
    }

    /// The fields of the record, in their order; `None` where [`SyscallEvent::record`] is, or is of no form that is
    /// known.
    #[must_use]
    pub fn fields(self) -> Option<Vec<EventField<'a>>> {
        let surface = self.syscall.surface;
        let word = surface.meta().address_size;
        let record = self.record()?;
        let field = |member: &str, type_name, name| {
            let member = record.members().find(|candidate| candidate.name == member)?;
            let size = surface.types().get(member.type_id)?.byte_size(word).unwrap_or(0);
            Some(EventField { type_name, name, offset: u64::from(member.bit_offset? / 8), size })
        };
        let mut fields =
            vec![field("ent", "struct trace_entry", "ent")?, field("nr", "int", "__syscall_nr")?];
        match self.edge {
            Edge::Exit => fields.push(field("ret", "long", "ret")?),
            Edge::Enter => {
                let (first, size) = (field("args", "", "")?.offset, u64::from(word));
                let args = self.syscall.args().unwrap_or_default();
                let slots = (first..).step_by(usize::from(word.max(1)));
                let arg = |(arg, offset): (SyscallArg<'a>, u64)| EventField {
                    type_name: arg.type_name,
                    name: arg.name,
                    offset,
                    size,
                };
                fields.extend(args.into_iter().zip(slots).map(arg));
            }
        }
        Some(fields)
    }

    /// Whether the kernel may append a field `__ARG_val` with what a pointer among the arguments points to. Of which
    /// arguments, it decides by the number of the call (`check_faultable_syscall`), and the image does not tell.
    #[must_use]
    pub fn may_append_user_data(self) -> bool {
        let metadata = self.syscall.surface.types().find(TypeKind::Struct, "syscall_metadata");
        let copies = metadata.is_some_and(|found| found.members().any(|member| member.name == "user_mask"));
        let mut args = self.syscall.args().into_iter().flatten();
        self.edge == Edge::Enter && copies && args.any(|arg| arg.type_name.contains('*'))
    }

    /// `print_fmt`, as `set_syscall_print_fmt` makes it at boot; `None` where user data may be part of it.
    #[must_use]
    pub fn format(self) -> Option<String> {
        if self.edge == Edge::Exit {
            return Some("\"0x%lx\", REC->ret".into());
        }
        if self.may_append_user_data() {
            return None;
        }
        let args = self.syscall.args()?;
        let word = self.syscall.surface.meta().address_size;
        let shown: Vec<String> = args.iter().map(|arg| format!("{}: 0x%0{word}lx", arg.name)).collect();
        let values = args.iter().map(|arg| format!(", ((unsigned long)(REC->{}))", arg.name));
        Some(format!("\"{}\"{}", shown.join(", "), values.collect::<String>()))
    }
}
