//! What objects depend on, as a list for people and as JSON.

use std::collections::BTreeMap;

use depsurf::bpf::{Dependencies, TypeDependency};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize;

use crate::look::{Look, Tone};
use crate::rows::Shelf;

/// Number of the schema.
pub const SCHEMA: u32 = 1;

/// What `depsurf deps --format json` prints.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Deps")]
pub struct DepsJson<'d> {
    /// Number of the format; changed whenever a field changes its meaning or goes.
    schema: u32,
    /// The objects, in the order of the files and of their places in them.
    objects: &'d [Dependencies],
}

/// The JSON Schema of the list.
#[must_use]
pub fn schema(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<DepsJson<'_>>()
}

/// The objects as JSON.
#[must_use]
pub fn json(objects: &[Dependencies]) -> String {
    serde_json::to_string_pretty(&DepsJson { schema: SCHEMA, objects }).expect("plain data serialises") + "\n"
}

/// The objects as text.
#[must_use]
pub fn terminal(objects: &[Dependencies], look: &Look) -> String {
    let mut page = Shelf::new(look, Vec::new());
    for (number, object) in objects.iter().enumerate() {
        if number > 0 {
            page.line(0, Tone::Plain, "");
        }
        let license = object.license.as_deref().unwrap_or("no license");
        let place = format!("{}  {} bytes at {:#x}, {license}", object.name, object.size, object.offset);
        page.heading(&place);
        for program in &object.programs {
            let autoload = if program.autoload { "" } else { ", not loaded by default" };
            let optional = if program.optional { ", optional" } else { "" };
            let code = match program.instructions {
                0 => String::new(),
                count => format!("  {count} instructions"),
            };
            let line = format!("{}  {}{code}{autoload}{optional}", program.name, program.section);
            page.line(2, Tone::Title, &line);
            if !program.targets.is_empty() {
                let guess = if program.is_guess { "  (a guess)" } else { "" };
                page.line(
                    4,
                    Tone::Plain,
                    &format!("attached to  {}{guess}", program.targets.join(", else ")),
                );
            }
            if let Some(when) = &program.when {
                page.line(4, Tone::Plain, &format!("when  {when}"));
            }
            if !program.helpers.is_empty() {
                page.line(4, Tone::Plain, &format!("helpers  {}", program.helpers.join(", ")));
            }
            types(&mut page, &program.types, 4);
        }
        if !object.types.is_empty() {
            page.line(2, Tone::Title, "Fields");
            types(&mut page, &object.types, 4);
        }
        for ways in &object.any_of {
            let ways: Vec<String> = ways.iter().map(|way| way.join(" and ")).collect();
            page.line(2, Tone::Plain, &format!("the loader takes  {}", ways.join(", or ")));
        }
        if !object.maps.is_empty() {
            page.line(2, Tone::Title, "Maps");
        }
        for map in &object.maps {
            let kind = map.map_type.as_deref().unwrap_or("type set by the loader");
            let entries =
                if map.max_entries == 0 { "set by the loader".into() } else { map.max_entries.to_string() };
            let sizes = format!("key {}, value {}, entries {entries}", map.key_size, map.value_size);
            page.line(4, Tone::Plain, &format!("{}  {kind}  {sizes}", map.name));
        }
        if !object.externals.is_empty() {
            page.line(2, Tone::Title, "Of the kernel by name");
        }
        for external in &object.externals {
            let weak = if external.weak { ", may be absent" } else { "" };
            page.line(4, Tone::Plain, &format!("{}  {}{weak}", external.name, external.kind));
        }
        for note in &object.notes {
            let place = note.first.as_ref().map_or_else(String::new, |first| format!(": {first}"));
            page.line(2, Tone::Caution, &format!("note: {} ({}){place}", note.message, note.count));
        }
    }
    page.finish()
}

/// Each path with all that is asked of it; lines of source with `-v`.
fn types(page: &mut Shelf<'_>, list: &[TypeDependency], indent: usize) {
    let mut order: Vec<&str> = Vec::new();
    let mut asked: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (number, of) in list.iter().enumerate() {
        let numbers = asked.entry(&of.path).or_default();
        if numbers.is_empty() {
            order.push(&of.path);
        }
        numbers.push(number);
    }
    for path in order {
        let numbers = &asked[path];
        let kinds: Vec<&str> = numbers.iter().map(|number| list[*number].kind.as_str()).collect();
        page.line(indent, Tone::Plain, &format!("{path}  {}", kinds.join(", ")));
        if page.look().verbose {
            for number in numbers {
                let of = &list[*number];
                if let (Some(place), Some(text)) = (&of.place, &of.text) {
                    page.line(indent + 2, Tone::Dim, &format!("{place}: {text}"));
                }
            }
        }
    }
}
