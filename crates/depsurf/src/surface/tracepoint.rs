//! Tracepoints: trace events and raw tracepoints.
//!
//! One example of all names of one thing: system `sched`, event `sched_switch`, class `sched_switch`
//! (`event_class_sched_switch`), record `struct trace_event_raw_sched_switch`, probe
//! `trace_event_raw_event_sched_switch`, raw arguments `btf_trace_sched_switch`.
//! The events of system calls are in no list: [`super::syscall`] makes them.

use super::Surface;
use super::record::{self, NONE, Section};
use super::strings::compare_at;
use super::types::Type;

/// A tracepoint.
#[derive(Debug, Clone, Copy)]
pub struct Tracepoint<'a> {
    surface: &'a Surface,
    record: &'a record::Tracepoint,
}

/// Parts `SYSTEM:NAME` or `SYSTEM/NAME`, as tools and `events/` write it; the system is `None` in a bare name.
#[must_use]
pub fn split(name: &str) -> (Option<&str>, &str) {
    match name.split_once([':', '/']) {
        Some((system, name)) => (Some(system), name),
        None => (None, name),
    }
}

impl Surface {
    /// All tracepoints of the image's own lists, sorted by name, then system.
    pub fn tracepoints(&self) -> impl ExactSizeIterator<Item = Tracepoint<'_>> {
        let records: &[record::Tracepoint] = self.table(Section::Tracepoints);
        records.iter().map(|record| Tracepoint { surface: self, record })
    }

    /// The tracepoints of a name; several systems may have one.
    pub fn tracepoints_named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = Tracepoint<'a>> {
        let records: &[record::Tracepoint] = self.table(Section::Tracepoints);
        let strings = self.section(Section::Strings);
        let start = records.partition_point(|record| compare_at(strings, record.name.get(), name).is_lt());
        records[start..]
            .iter()
            .map(|record| Tracepoint { surface: self, record })
            .take_while(move |found| found.name() == name)
    }
}

impl<'a> Tracepoint<'a> {
    /// Event name; for a tracepoint without event the raw tracepoint's name.
    #[must_use]
    pub fn name(self) -> &'a str {
        self.surface.text(self.record.name)
    }

    /// System, the directory below `events`; `None` where there is no event.
    #[must_use]
    pub fn system(self) -> Option<&'a str> {
        Some(self.surface.text(self.record.system)).filter(|text| !text.is_empty())
    }

    /// Event class; `None` where there is no event.
    #[must_use]
    pub fn class(self) -> Option<&'a str> {
        Some(self.surface.text(self.record.class)).filter(|text| !text.is_empty())
    }

    /// `print_fmt`; `None` where there is no event.
    #[must_use]
    pub fn format(self) -> Option<&'a str> {
        self.has_event().then(|| self.surface.text(self.record.format))
    }

    /// `struct trace_event_raw_CLASS`.
    #[must_use]
    pub fn record(self) -> Option<Type<'a>> {
        self.surface.types().get_optional(self.record.record.get())
    }

    /// Prototype of `trace_event_raw_event_CLASS`.
    #[must_use]
    pub fn prototype(self) -> Option<Type<'a>> {
        self.surface.types().get_optional(self.record.prototype.get())
    }

    /// `TYPEDEF btf_trace_NAME`, whose prototype holds the raw arguments after a first `void *`.
    #[must_use]
    pub fn btf_trace(self) -> Option<Type<'a>> {
        self.surface.types().get_optional(self.record.btf_trace.get())
    }

    /// Whether `events/SYSTEM/NAME` exists.
    #[must_use]
    pub fn has_event(self) -> bool {
        self.record.flags.get() & record::TRACEPOINT_EVENT != 0
    }

    /// Whether it is a raw tracepoint, from `__start__bpf_raw_tp`.
    #[must_use]
    pub fn is_raw(self) -> bool {
        self.record.flags.get() & record::TRACEPOINT_RAW != 0
    }

    /// Bytes of the first argument a `raw_tp.w` program may write; `None` for none, and where that is unknown.
    #[must_use]
    pub fn writable_size(self) -> Option<u32> {
        Some(self.record.writable_size.get()).filter(|size| *size != 0 && *size != NONE)
    }

    /// Whether it is known what a `raw_tp.w` program may write.
    #[must_use]
    pub fn knows_writable(self) -> bool {
        self.record.writable_size.get() != NONE
    }

    /// Number of arguments of the raw tracepoint; `None` where unknown.
    #[must_use]
    pub fn raw_args(self) -> Option<u32> {
        Some(self.record.raw_args.get()).filter(|count| *count != NONE)
    }
}
