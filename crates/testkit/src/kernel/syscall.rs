//! The syscall table, and what `SYSCALL_DEFINE` records about each syscall.

use super::Kernel;
use super::event::{put, syscall_call};
use super::memory::{Memory, Place, Record};
use crate::elf::{Machine, Symbol};

/// A syscall.
#[derive(Clone, Debug)]
pub struct Syscall {
    number: usize,
    pub(super) name: String,
    arguments: Vec<(String, String)>,
    /// Address of the entry function.
    pub(super) entry: u64,
}

impl Syscall {
    /// Without arguments.
    pub fn new(number: usize, name: &str) -> Syscall {
        Syscall { number, name: name.to_owned(), arguments: Vec::new(), entry: 0 }
    }

    /// Appends an argument.
    pub fn argument(mut self, name: &str, spelling: &str) -> Syscall {
        self.arguments.push((name.to_owned(), spelling.to_owned()));
        self
    }

    /// What the entry function of this machine takes: the registers, or the arguments themselves.
    pub(super) fn entry_parameters(&self, machine: Machine) -> Vec<(&str, &str)> {
        if prefix(machine) != UNWRAPPED {
            return vec![("regs", "const struct pt_regs *")];
        }
        self.arguments.iter().map(|(name, of)| (name.as_str(), of.as_str())).collect()
    }
}

/// The prefix of entry functions that take the arguments.
const UNWRAPPED: &str = "sys_";

/// What entry functions of this machine start with (`ARCH_HAS_SYSCALL_WRAPPER` or not).
pub(super) fn prefix(machine: Machine) -> &'static str {
    match machine {
        Machine::X86_64 => "__x64_sys_",
        Machine::AARCH64 => "__arm64_sys_",
        Machine::S390 => "__s390x_sys_",
        Machine::RISCV => "__riscv_sys_",
        _ => UNWRAPPED,
    }
}

/// Writes `sys_call_table`: numbers without syscall lead to `sys_ni_syscall`.
pub(super) fn write_table(kernel: &Kernel, memory: &mut Memory) {
    let Some(last) = kernel.syscalls.iter().map(|syscall| syscall.number).max() else { return };
    let absent = kernel.address(&format!("{}ni_syscall", prefix(kernel.machine)));
    memory.put(Place::Rodata, 32, &[]);
    let table = memory.here(Place::Rodata);
    for number in 0..=last {
        let found = kernel.syscalls.iter().find(|syscall| syscall.number == number);
        memory.pointer(Place::Rodata, found.map_or(absent, |syscall| syscall.entry));
    }
    let size = if kernel.sized_tables { memory.here(Place::Rodata) - table } else { 0 };
    memory.symbol(Symbol::object("sys_call_table", table, size).global());
    // What follows, for readers that must find the end of a table without size.
    let next = memory.string(Place::Rodata, "behind");
    memory.symbol(Symbol::object("behind_sys_call_table", next, 7));
}

/// Writes the metadata, its table, and an enter and an exit event for each syscall.
pub(super) fn write_metadata(kernel: &Kernel, memory: &mut Memory, calls: &mut Vec<(String, u64)>) {
    let system = memory.string(Place::Rodata, "syscalls");
    let mut class = |name: &str| {
        let record = Record::new(kernel.target, &kernel.types, "struct trace_event_class");
        put(memory, name, record.pointer("system", system), true)
    };
    let enter_class = class("event_class_syscall_enter");
    let exit_class = class("event_class_syscall_exit");

    let mut slots = Vec::new();
    for syscall in &kernel.syscalls {
        let short = format!("_{}", syscall.name);
        let name = memory.string(Place::Rodata, &format!("sys{short}"));
        let types = strings(memory, &format!("types_{short}"), syscall.arguments.iter().map(|(_, of)| of));
        let arguments =
            strings(memory, &format!("args_{short}"), syscall.arguments.iter().map(|(name, _)| name));
        // The events and the metadata point at each other: the address of the metadata is that of what
        // is put next, once the events are there.
        let names = ["enter", "exit"].map(|side| memory.string(Place::Rodata, &format!("sys_{side}{short}")));
        let call_size = kernel.types.size("struct trace_event_call").next_multiple_of(32);
        memory.put(Place::Data, 32, &[]);
        let metadata = memory.here(Place::Data) + 2 * call_size;
        let enter = put(
            memory,
            &format!("event_enter_{short}"),
            syscall_call(kernel, enter_class, names[0], metadata),
            false,
        );
        let exit = put(
            memory,
            &format!("event_exit_{short}"),
            syscall_call(kernel, exit_class, names[1], metadata),
            false,
        );
        // The number is -1 until the kernel has booted.
        let record = Record::new(kernel.target, &kernel.types, "struct syscall_metadata")
            .pointer("name", name)
            .number("syscall_nr", u64::MAX)
            .number("nb_args", syscall.arguments.len() as u64)
            .pointer("types", types)
            .pointer("args", arguments)
            .pointer("enter_event", enter)
            .pointer("exit_event", exit);
        let address = put(memory, &format!("__syscall_meta_{short}"), record, false);
        assert_eq!(address, metadata, "the metadata lies right behind its two events");
        slots.push((format!("__p_syscall_meta_{short}"), address));
        calls.push((format!("enter_{short}"), enter));
        calls.push((format!("exit_{short}"), exit));
    }
    memory.table("syscalls_metadata", |memory| {
        for (name, address) in slots {
            let slot = memory.pointer(Place::InitData, address);
            memory.symbol(Symbol::object(name, slot, memory.word_size()));
        }
    });
}

/// An array of pointers to strings, under a symbol; its address, or 0 if it is empty.
fn strings<'a>(memory: &mut Memory, name: &str, texts: impl Iterator<Item = &'a String>) -> u64 {
    let texts: Vec<u64> = texts.map(|text| memory.string(Place::Rodata, text)).collect();
    if texts.is_empty() {
        return 0;
    }
    let size = memory.word_size() * texts.len() as u64;
    let address = memory.put(Place::Data, 32, &[]);
    for text in texts {
        memory.pointer(Place::Data, text);
    }
    memory.symbol(Symbol::object(name, address, size));
    address
}
