//! The events of a running kernel, from the files of tracefs.

use std::collections::HashMap;

use crate::source::live::{Event, Part};
use crate::surface::meta::Evidence;
use crate::surface::record::TRACEPOINT_EVENT;
use crate::surface::syscall::EVENT_SYSTEM;
use crate::surface::types::{Type, TypeId, TypeKind, Types};

use super::{PROBE_PREFIX, RECORD_PREFIX, Tracepoint, Tracepoints};

impl Tracepoints {
    /// Adds the events that a running kernel has to the raw tracepoints that its types told, and gives those that are no
    /// tracepoint of the kernel's own: events of modules, and probes that somebody made. Those of system calls are left out.
    pub fn add_events<'e>(&mut self, events: &'e Part<Vec<Event>>, types: Types<'_>) -> Vec<&'e Event> {
        match events {
            Ok(events) => {
                let events = events.iter().filter(|event| event.system != EVENT_SYSTEM).collect();
                let is_known = matches!(self.raw, Evidence::Known { .. });
                self.events = Evidence::known("`events` of tracefs");
                self.add(events, types, is_known)
            }
            Err(reason) => {
                self.events = Evidence::unknown(reason.clone());
                Vec::new()
            }
        }
    }

    /// Adds events to the raw tracepoints of their names and gives the others. Unless all raw tracepoints are known an event makes one.
    pub fn add<'e>(&mut self, events: Vec<&'e Event>, types: Types<'_>, is_known: bool) -> Vec<&'e Event> {
        if events.is_empty() {
            return events;
        }
        let records = Records::new(types);
        let (mut added, mut others) = (Vec::new(), Vec::new());
        for event in events {
            let found = self.list.binary_search_by(|found| found.name.as_str().cmp(&event.name));
            let raw = match found {
                // Events of several systems may be of one tracepoint.
                Ok(index) if self.list[index].flags & TRACEPOINT_EVENT == 0 => &mut self.list[index],
                Err(_) if is_known => {
                    others.push(event);
                    continue;
                }
                _ => {
                    added.push(Tracepoint { name: event.name.clone(), ..Tracepoint::default() });
                    added.last_mut().expect("one was added")
                }
            };
            let format = event.format.split_once("print fmt: ").map_or("", |(_, format)| format);
            raw.format = format.trim_end().to_owned();
            raw.system.clone_from(&event.system);
            raw.flags |= TRACEPOINT_EVENT;
            let record = records.of(&event.name, &event.format);
            raw.record = record.map(|ty| ty.id());
            raw.class = record.and_then(|ty| ty.name().strip_prefix(RECORD_PREFIX)).unwrap_or("").to_owned();
            let probe = format!("{PROBE_PREFIX}{}", raw.class);
            let probe = types.find(TypeKind::Func, &probe);
            raw.prototype = probe.and_then(|function| function.target_id());
        }
        self.list.extend(added);
        self.list.sort_by(|a, b| (&a.name, &a.system).cmp(&(&b.name, &b.system)));
        others
    }
}

/// The structs of records, to be found by what the file `format` of an event tells of them. It does not tell the
/// class, which is what they are named after.
struct Records<'t> {
    types: Types<'t>,
    /// The only struct with these members: name and offset in bytes of each.
    by_members: HashMap<Vec<(String, u32)>, Option<TypeId>>,
}

impl<'t> Records<'t> {
    fn new(types: Types<'t>) -> Self {
        let mut by_members = HashMap::new();
        let records = types.iter().filter(|ty| ty.kind() == TypeKind::Struct);
        for record in records.filter(|ty| ty.name().starts_with(RECORD_PREFIX)) {
            let members = record.members().filter(|member| member.name != "ent" && member.name != "__data");
            let members = members.map(|member| (member.name.to_owned(), member.bit_offset.unwrap_or(0) / 8));
            by_members.entry(members.collect()).and_modify(|only| *only = None).or_insert(Some(record.id()));
        }
        Self { types, by_members }
    }

    /// The struct of an event; `None` where it cannot be told which one of several it is.
    fn of(&self, name: &str, format: &str) -> Option<Type<'t>> {
        let same_name =
            self.types.find(TypeKind::Struct, &format!("{RECORD_PREFIX}{name}")).map(|ty| ty.id());
        let id = match same_name {
            Some(id) => id,
            None => (*self.by_members.get(&format_members(format)?)?)?,
        };
        self.types.get(id)
    }
}

/// Name and offset of each member that a file `format` lists, without those that all events have
/// (`kernel/trace/trace_events.c`, `f_show`): `\tfield:char comm[16];\toffset:8;\tsize:16;\tsigned:0;`.
fn format_members(format: &str) -> Option<Vec<(String, u32)>> {
    let mut members = Vec::new();
    for line in format.lines().filter_map(|line| line.trim().strip_prefix("field:")) {
        let mut parts = line.split(';');
        let declaration = parts.next()?;
        let offset = parts.find_map(|part| part.trim().strip_prefix("offset:"))?.parse().ok()?;
        let name = declaration.split('[').next()?.trim_end();
        let name = match declaration.split_once("[] ") {
            // `__data_loc char[] name` is a word `__data_loc_name` with place and length.
            Some((before, name)) => match before.split(' ').next()? {
                location @ ("__data_loc" | "__rel_loc") => format!("{location}_{name}"),
                _ => name.to_owned(),
            },
            None => name.rsplit([' ', '*']).next()?.to_owned(),
        };
        if !name.starts_with("common_") {
            members.push((name, offset));
        }
    }
    Some(members)
}
