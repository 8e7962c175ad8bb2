//! Tracepoints and trace events, as `TRACE_EVENT`, `DEFINE_EVENT` and `DECLARE_TRACE` generate them.

use super::memory::{Memory, Place, Record};
use super::{Function, Kernel};
use crate::c::Types;
use crate::elf::Symbol;

/// A tracepoint, with a trace event of its name unless it is bare.
#[derive(Clone, Debug)]
pub struct Event {
    system: String,
    name: String,
    class: String,
    fields: Vec<(String, String)>,
    arguments: Vec<(String, String)>,
    print_fmt: String,
    flags: u64,
    writable_size: u32,
    bare: bool,
}

/// `TRACE_EVENT_FL_TRACEPOINT` and others.
const CAP_ANY: u64 = 2;
const IGNORE_ENABLE: u64 = 8;
const TRACEPOINT: u64 = 16;

impl Event {
    /// `TRACE_EVENT`: an event with a class of the same name.
    pub fn new(system: &str, name: &str) -> Event {
        Event {
            system: system.to_owned(),
            name: name.to_owned(),
            class: name.to_owned(),
            fields: Vec::new(),
            arguments: Vec::new(),
            print_fmt: "\"\"".to_owned(),
            flags: TRACEPOINT,
            writable_size: 0,
            bare: false,
        }
    }

    /// `DECLARE_TRACE`: a raw tracepoint without an event.
    pub fn bare(name: &str) -> Event {
        Event { bare: true, ..Event::new("", name) }
    }

    /// Sets the class, as `DEFINE_EVENT` does. The first event of a class defines its record.
    pub fn class(mut self, class: &str) -> Event {
        self.class = class.to_owned();
        self
    }

    /// Appends a field of the record, `struct trace_event_raw_CLASS`, behind `struct trace_entry ent`.
    pub fn field(mut self, name: &str, spelling: &str) -> Event {
        self.fields.push((name.to_owned(), spelling.to_owned()));
        self
    }

    /// Appends an argument of the tracepoint (`TP_PROTO`).
    pub fn argument(mut self, name: &str, spelling: &str) -> Event {
        self.arguments.push((name.to_owned(), spelling.to_owned()));
        self
    }

    /// Sets the format string of the class.
    pub fn print_fmt(mut self, text: &str) -> Event {
        self.print_fmt = text.to_owned();
        self
    }

    /// `TRACE_EVENT_FL_IGNORE_ENABLE`: an event of ftrace itself, with a name instead of a tracepoint.
    pub fn ignored(mut self) -> Event {
        self.flags = IGNORE_ENABLE;
        self
    }

    /// Bytes that a raw tracepoint program may write (`DEFINE_EVENT_WRITABLE`).
    pub fn writable(mut self, size: u32) -> Event {
        self.writable_size = size;
        self
    }

    fn is_tracepoint(&self) -> bool {
        self.flags & TRACEPOINT != 0
    }

    /// Adds the functions and types that the macros generate.
    pub(super) fn declare(&self, kernel: &mut Kernel) {
        let class = &self.class;
        let mut arguments: Vec<(&str, &str)> = vec![("__data", "void *")];
        arguments.extend(self.arguments.iter().map(|(name, of)| (name.as_str(), of.as_str())));
        let known = kernel.events.iter().any(|event| event.class == *class && !event.bare);
        if !known && !self.bare {
            let mut members = vec![("ent", "struct trace_entry")];
            members.extend(self.fields.iter().map(|(name, of)| (name.as_str(), of.as_str())));
            members.push(("__data", "char[]"));
            kernel.types.structure(&format!("trace_event_raw_{class}"), &members);
            if self.is_tracepoint() {
                for prefix in ["trace_event_raw_event_", "perf_trace_"] {
                    let function = Function::new(&format!("{prefix}{class}")).untraced();
                    kernel.function(function.proto("void", &arguments));
                }
            }
        }
        if !self.is_tracepoint() {
            return;
        }
        if !known || self.bare {
            let function = Function::new(&format!("__bpf_trace_{class}")).untraced();
            kernel.function(function.proto("void", &arguments));
        }
        let iterator = Function::new(&format!("__traceiter_{}", self.name)).global().untraced();
        kernel.function(iterator.proto("int", &arguments));
        let spellings: Vec<&str> = arguments.iter().map(|(_, of)| *of).collect();
        let pointer = format!("void ({}) *", spellings.join(", "));
        kernel.types.typedef(&format!("btf_trace_{}", self.name), &pointer);
    }
}

/// Writes the tables: pointers to the calls, and the raw tracepoints.
pub(super) fn write(kernel: &Kernel, memory: &mut Memory) {
    let mut tracepoints = Vec::new();
    for event in kernel.events.iter().filter(|event| event.is_tracepoint()) {
        tracepoints.push(event.write_tracepoint(kernel, memory));
    }
    let mut calls = Vec::new();
    let mut classes: Vec<(&str, u64, u64)> = Vec::new();
    let mut tracepoint = tracepoints.iter();
    for event in &kernel.events {
        let tracepoint = if event.is_tracepoint() { tracepoint.next().copied() } else { None };
        if event.bare {
            continue;
        }
        let known = classes.iter().find(|(name, ..)| *name == event.class).copied();
        let (_, class, print_fmt) = known.unwrap_or_else(|| {
            let (class, print_fmt) = event.write_class(kernel, memory);
            classes.push((&event.class, class, print_fmt));
            (&event.class, class, print_fmt)
        });
        let call = Record::new(kernel.target, &kernel.types, "struct trace_event_call")
            .pointer("class", class)
            .pointer("print_fmt", print_fmt)
            .number("flags", event.flags);
        let call = match tracepoint {
            Some(address) => call.pointer("tp", address),
            None => call.pointer("name", memory.string(Place::Rodata, &event.name)),
        };
        calls.push((event.name.clone(), put(memory, &format!("event_{}", event.name), call, false)));
    }
    if kernel.metadata && !kernel.syscalls.is_empty() {
        super::syscall::write_metadata(kernel, memory, &mut calls);
    }
    memory.table("ftrace_events", |memory| {
        for (name, call) in calls {
            let slot = memory.pointer(Place::InitData, call);
            memory.symbol(Symbol::object(format!("__event_{name}"), slot, memory.word_size()));
        }
    });
    memory.table("_bpf_raw_tp", |memory| {
        let events = kernel.events.iter().filter(|event| event.is_tracepoint());
        for (event, tracepoint) in events.zip(&tracepoints) {
            let map = Record::new(kernel.target, &kernel.types, "struct bpf_raw_event_map")
                .pointer("tp", *tracepoint)
                .pointer("bpf_func", kernel.address(&format!("__bpf_trace_{}", event.class)))
                .number("num_args", event.arguments.len() as u64)
                .number("writable_size", event.writable_size.into());
            let size = map.size();
            let address = memory.record(Place::InitData, map);
            memory.symbol(Symbol::object(format!("__bpf_trace_tp_map_{}", event.name), address, size));
        }
    });
}

impl Event {
    fn write_tracepoint(&self, kernel: &Kernel, memory: &mut Memory) -> u64 {
        let name = memory.string(Place::Rodata, &self.name);
        let size = self.name.len() as u64 + 1;
        memory.symbol(Symbol::object(format!("__tpstrtab_{}", self.name), name, size));
        let iterator = kernel.address(&format!("__traceiter_{}", self.name));
        let record = Record::new(kernel.target, &kernel.types, "struct tracepoint")
            .pointer("name", name)
            .pointer("iterator", iterator);
        put(memory, &format!("__tracepoint_{}", self.name), record, true)
    }

    /// Address of the class and of its format string.
    fn write_class(&self, kernel: &Kernel, memory: &mut Memory) -> (u64, u64) {
        let class = &self.class;
        let system = memory.string(Place::Rodata, &self.system);
        let print_fmt = memory.string(Place::Data, &self.print_fmt);
        let size = self.print_fmt.len() as u64 + 1;
        memory.symbol(Symbol::object(format!("print_fmt_{class}"), print_fmt, size));
        let mut record =
            Record::new(kernel.target, &kernel.types, "struct trace_event_class").pointer("system", system);
        if self.is_tracepoint() {
            record = record
                .pointer("probe", kernel.address(&format!("trace_event_raw_event_{class}")))
                .pointer("perf_probe", kernel.address(&format!("perf_trace_{class}")));
        }
        (put(memory, &format!("event_class_{class}"), record, false), print_fmt)
    }
}

/// Puts a record into `.data` under a symbol and returns its address.
pub(super) fn put(memory: &mut Memory, name: &str, record: Record, global: bool) -> u64 {
    let size = record.size();
    let address = memory.record(Place::Data, record);
    let symbol = Symbol::object(name, address, size);
    memory.symbol(if global { symbol.global() } else { symbol });
    address
}

/// The class and the call of one side of a syscall: `TRACE_EVENT_FL_CAP_ANY`, with the metadata in `data`
/// and no tracepoint of its own.
pub(super) fn syscall_call<'a>(kernel: &'a Kernel, class: u64, name: u64, metadata: u64) -> Record<'a> {
    let types: &'a Types = &kernel.types;
    Record::new(kernel.target, types, "struct trace_event_call")
        .pointer("class", class)
        .pointer("name", name)
        .pointer("data", metadata)
        .number("flags", CAP_ANY)
}
