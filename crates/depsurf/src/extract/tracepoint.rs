//! Tracepoints: trace events from `__start_ftrace_events`, raw tracepoints from `__start__bpf_raw_tp`.
//!
//! The two lists meet in the `struct tracepoint` that both point to. An event of another kind than a tracepoint
//! (the system call events, which are made from the system call metadata) is left out, and so is one that cannot be enabled.
//! What is in the second list only is a bare tracepoint: raw programs can attach, `events/` does not have it.

mod live;

use std::collections::HashMap;
use std::ops::Range;

use crate::error::Result;
use crate::image::Image;
use crate::note::Notes;
use crate::surface::build::Parts;
use crate::surface::meta::{Evidence, Fact};
use crate::surface::record::{self, MODULE_SHIFT, NONE, TRACEPOINT_EVENT, TRACEPOINT_RAW};
use crate::surface::types::{TypeId, TypeKind, Types};

use super::layout::{Layout, Place, Texts};

/// What the names of functions that fill trace events start with; the class follows.
pub const PROBE_PREFIX: &str = "trace_event_raw_event_";

/// The tracepoints, sorted by name and system.
#[derive(Debug)]
pub struct Tracepoints {
    list: Vec<Tracepoint>,
    events: Evidence,
    raw: Evidence,
}

#[derive(Debug, Default)]
struct Tracepoint {
    name: String,
    system: String,
    class: String,
    format: String,
    record: Option<TypeId>,
    prototype: Option<TypeId>,
    btf_trace: Option<TypeId>,
    flags: u32,
    writable_size: u32,
    raw_args: Option<u32>,
}

/// Reads both lists. One that cannot be read is unknown, and a note; an entry that cannot be read is a note.
pub fn read(image: &Image<'_>, types: Types<'_>, notes: &mut Notes) -> Tracepoints {
    let mut found =
        Found { image, texts: Texts::new(image), types, list: Vec::new(), by_tracepoint: HashMap::new() };
    let known = |what: &str, result: Result<Evidence>, notes: &mut Notes| {
        result.unwrap_or_else(|error| {
            notes.lost("tracepoint-list", || format!("cannot read {what}: {error}"), || what.to_owned());
            Evidence::unknown(error.to_string())
        })
    };
    let events = found.events(notes);
    let events = known("`__start_ftrace_events`", events, notes);
    let raw = found.raw(notes);
    let raw = known("`__start__bpf_raw_tp`", raw, notes);
    let mut list = found.list;
    for tracepoint in &mut list {
        let typedef = format!("{RAW_TYPEDEF}{}", tracepoint.name);
        tracepoint.btf_trace = types.find(TypeKind::Typedef, &typedef).map(|ty| ty.id());
    }
    list.sort_by(|a, b| (&a.name, &a.system).cmp(&(&b.name, &b.system)));
    Tracepoints { list, events, raw }
}

/// What the names of the records' structs start with; the class follows.
const RECORD_PREFIX: &str = "trace_event_raw_";

/// The typedefs of raw arguments, one for each raw tracepoint, start with this.
const RAW_TYPEDEF: &str = "btf_trace_";

/// What the types alone tell: that there is a raw tracepoint for each typedef `btf_trace_*`, and with which arguments.
/// Neither systems nor which of them are events are told; the record of one is found where the class has its name.
/// `own` are the types of the image, the kernel or a module.
pub fn of_types(types: Types<'_>, own: &Range<u32>) -> Tracepoints {
    let mut list = Vec::new();
    let typedefs = own.clone().filter_map(|id| types.get(TypeId(id)));
    for typedef in typedefs.filter(|ty| ty.kind() == TypeKind::Typedef) {
        let Some(name) = typedef.name().strip_prefix(RAW_TYPEDEF) else { continue };
        // `typedef void (*btf_trace_NAME)(void *, PROTO)`.
        let proto = typedef.target().and_then(|pointer| pointer.target());
        let params = proto.filter(|proto| proto.kind() == TypeKind::FuncProto).map(|it| it.params().len());
        list.push(Tracepoint {
            name: name.to_owned(),
            btf_trace: Some(typedef.id()),
            record: types.find(TypeKind::Struct, &format!("{RECORD_PREFIX}{name}")).map(|ty| ty.id()),
            flags: TRACEPOINT_RAW,
            writable_size: NONE,
            raw_args: params.and_then(|count| count.checked_sub(1)).map(|count| count as u32),
            ..Tracepoint::default()
        });
    }
    list.sort_by(|a, b| a.name.cmp(&b.name));
    let raw = if list.is_empty() {
        Evidence::unknown("the types have no typedef `btf_trace_*`: the kernel was built without BPF events")
    } else {
        Evidence::known("typedefs `btf_trace_*` in BTF")
    };
    let events = Evidence::unknown("types do not tell which events there are, and in which systems");
    Tracepoints { list, events, raw }
}

struct Found<'a, 'i, 't> {
    image: &'a Image<'i>,
    texts: Texts<'a, 'i>,
    types: Types<'t>,
    list: Vec<Tracepoint>,
    /// Index in `list` by the address of the `struct tracepoint`.
    by_tracepoint: HashMap<u64, usize>,
}

impl Found<'_, '_, '_> {
    fn events(&mut self, notes: &mut Notes) -> Result<Evidence> {
        let Some(pointers) = self.image.between("__start_ftrace_events", "__stop_ftrace_events") else {
            return Ok(Evidence::unknown(
                "there is no `__start_ftrace_events`: the kernel was built without trace events",
            ));
        };
        let call = CallLayout::new(self.image, self.types)?;
        for address in self.image.pointers(pointers)? {
            match self.event(&call, address) {
                Ok(Some((tracepoint, event))) => {
                    self.by_tracepoint.insert(tracepoint, self.list.len());
                    self.list.push(event);
                }
                Ok(None) => {}
                Err(error) => notes.lost(
                    "tracepoint-event",
                    || format!("a trace event cannot be read: {error}"),
                    || format!("`struct trace_event_call` at {address:#x}"),
                ),
            }
        }
        Ok(Evidence::known("__start_ftrace_events"))
    }

    /// The event of a `struct trace_event_call`, with the address of its tracepoint; `None` for what is no tracepoint.
    fn event(&self, call: &CallLayout, address: u64) -> Result<Option<(u64, Tracepoint)>> {
        let image = self.image;
        let flags = call.flags.read(image, address)?;
        if flags & call.ignore_enable != 0 {
            return Ok(None);
        }
        let tracepoint = call.tracepoint.read(image, address)?;
        let is_tracepoint = match call.is_tracepoint {
            Some(bit) => flags & bit != 0,
            None => named(image, tracepoint, "__tracepoint_").is_some(),
        };
        if !is_tracepoint {
            return Ok(None);
        }
        let class_address = call.class.read(image, address)?;
        let name = match named(image, address, "event_") {
            Some(name) => name,
            None => self.tracepoint_name(tracepoint)?,
        };
        let class = named(image, class_address, "event_class_").unwrap_or_else(|| name.clone());
        let record = format!("{RECORD_PREFIX}{class}");
        let function = format!("{PROBE_PREFIX}{class}");
        let event = Tracepoint {
            system: self.texts.at(call.system.read(image, class_address)?)?,
            format: self.texts.at(call.format.read(image, address)?)?,
            record: self.types.find(TypeKind::Struct, &record).map(|ty| ty.id()),
            prototype: self.types.find(TypeKind::Func, &function).and_then(|function| function.target_id()),
            flags: TRACEPOINT_EVENT,
            name,
            class,
            ..Tracepoint::default()
        };
        Ok(Some((tracepoint, event)))
    }

    fn raw(&mut self, notes: &mut Notes) -> Result<Evidence> {
        let Some(maps) = self.image.between("__start__bpf_raw_tp", "__stop__bpf_raw_tp") else {
            return Ok(Evidence::unknown(
                "there is no `__start__bpf_raw_tp`: the kernel was built without BPF events",
            ));
        };
        let layout = Layout::of(self.types, "bpf_raw_event_map")?;
        let tracepoint = layout.place("tp", self.image)?;
        let args = layout.place("num_args", self.image)?;
        // Since Linux 9df1c28bb752 ("bpf: add writable context for raw tracepoints") (in v5.2).
        let writable = layout.place("writable_size", self.image).ok();
        if !maps.is_empty() {
            // Symbols may be anywhere; what lies in one section has an end.
            self.image.bytes_at(maps.start, maps.end - maps.start)?;
        }
        let mut address = maps.start;
        while maps.end - address >= layout.size && layout.size != 0 {
            let read = || -> Result<_> {
                let writable = writable.map_or(Ok(0), |place| place.read(self.image, address))?;
                Ok((tracepoint.read(self.image, address)?, args.read(self.image, address)?, writable))
            };
            let added = read().and_then(|(tracepoint, args, writable)| {
                self.add_raw(tracepoint, args as u32, writable as u32)
            });
            if let Err(error) = added {
                notes.lost(
                    "tracepoint-raw",
                    || format!("a raw tracepoint cannot be read: {error}"),
                    || format!("`struct bpf_raw_event_map` at {address:#x}"),
                );
            }
            address += layout.size;
        }
        Ok(Evidence::known("__start__bpf_raw_tp"))
    }

    fn add_raw(&mut self, tracepoint: u64, args: u32, writable_size: u32) -> Result<()> {
        let index = match self.by_tracepoint.get(&tracepoint) {
            Some(&index) => index,
            None => {
                let name = self.tracepoint_name(tracepoint)?;
                self.by_tracepoint.insert(tracepoint, self.list.len());
                self.list.push(Tracepoint { name, ..Tracepoint::default() });
                self.list.len() - 1
            }
        };
        let found = &mut self.list[index];
        found.flags |= TRACEPOINT_RAW;
        found.raw_args = Some(args);
        found.writable_size = writable_size;
        Ok(())
    }

    /// The name of a `struct tracepoint`: by its symbol, else by its member `name`.
    fn tracepoint_name(&self, address: u64) -> Result<String> {
        if let Some(name) = named(self.image, address, "__tracepoint_") {
            return Ok(name);
        }
        let name = Layout::of(self.types, "tracepoint")?.place("name", self.image)?;
        self.texts.at(name.read(self.image, address)?)
    }
}

/// The parts of `struct trace_event_call` and `struct trace_event_class` that are read.
struct CallLayout {
    class: Place,
    tracepoint: Place,
    format: Place,
    flags: Place,
    system: Place,
    /// The bit of events that cannot be enabled; 0 where the types do not tell it.
    ignore_enable: u64,
    /// The bit of events that are tracepoints; `None` where the types do not tell it. It moved over time, so there is no guess.
    is_tracepoint: Option<u64>,
}

impl CallLayout {
    fn new(image: &Image<'_>, types: Types<'_>) -> Result<Self> {
        let call = Layout::of(types, "trace_event_call")?;
        let class = Layout::of(types, "trace_event_class")?;
        Ok(Self {
            class: call.place("class", image)?,
            tracepoint: call.place("tp", image)?,
            format: call.place("print_fmt", image)?,
            flags: call.place("flags", image)?,
            system: class.place("system", image)?,
            ignore_enable: enumerator(types, "TRACE_EVENT_FL_IGNORE_ENABLE").unwrap_or(0),
            is_tracepoint: enumerator(types, "TRACE_EVENT_FL_TRACEPOINT"),
        })
    }
}

/// The value of an enumerator of an anonymous enum.
fn enumerator(types: Types<'_>, name: &str) -> Option<u64> {
    types
        .iter()
        .filter(|ty| matches!(ty.kind(), TypeKind::Enum | TypeKind::Enum64))
        .flat_map(|ty| ty.enumerators())
        .find(|enumerator| enumerator.name == name)
        .and_then(|enumerator| u64::try_from(enumerator.value).ok())
}

/// What follows a prefix in the name of a symbol at an address.
fn named(image: &Image<'_>, address: u64, prefix: &str) -> Option<String> {
    image.symbols_at(address).find_map(|(_, symbol)| {
        let name = symbol.name.strip_prefix(prefix.as_bytes())?;
        std::str::from_utf8(name).ok().map(str::to_owned)
    })
}

impl Tracepoints {
    /// Moves the tracepoints into the surface. `prototype_of` is asked for the prototype of a function that BTF does
    /// not have: the one of `trace_event_raw_event_*` is missing from the BTF of 5.10.
    pub fn store(self, parts: &mut Parts, prototype_of: impl Fn(&str) -> Option<TypeId>) {
        let (events, raw) = (self.events.clone(), self.raw.clone());
        self.store_of(0, parts, prototype_of);
        parts.meta.evidence.insert(Fact::Tracepoints, events);
        parts.meta.evidence.insert(Fact::RawTracepoints, raw);
    }

    /// Moves the tracepoints of the module with a number into the surface. They are sorted once all are there.
    pub fn store_of(self, module: u32, parts: &mut Parts, prototype_of: impl Fn(&str) -> Option<TypeId>) {
        let id = |id: Option<TypeId>| id.map_or(NONE, |id| id.0).into();
        for found in self.list {
            let prototype = found.prototype.or_else(|| {
                let is_event = found.flags & TRACEPOINT_EVENT != 0;
                is_event.then(|| prototype_of(&format!("{PROBE_PREFIX}{}", found.class))).flatten()
            });
            let mut text = |text: &str| parts.strings.intern(text.as_bytes()).0.into();
            parts.tracepoints.push(record::Tracepoint {
                name: text(&found.name),
                system: text(&found.system),
                class: text(&found.class),
                format: text(&found.format),
                record: id(found.record),
                prototype: id(prototype),
                btf_trace: id(found.btf_trace),
                flags: (found.flags | module << MODULE_SHIFT).into(),
                writable_size: found.writable_size.into(),
                raw_args: found.raw_args.unwrap_or(NONE).into(),
            });
        }
    }
}
