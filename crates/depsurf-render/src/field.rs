//! Fields: `struct::member`, through anonymous members and along paths like `se.vruntime`.

use depsurf::surface::Surface;
use depsurf::surface::field::{outer_types, resolve, split};
use schemars::JsonSchema;
use serde::Serialize;

use crate::look::Tone;
use crate::markdown;
use crate::rows::{Rows, Shelf};
use crate::types::{MemberFacts, source};

/// A field on one kernel: one entry per definition of the struct that has it.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "Field")]
pub struct Facts<'a> {
    /// The field in each definition, the first one in front.
    pub places: Vec<Place<'a>>,
}

/// A field in one definition of its struct.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "FieldPlace")]
pub struct Place<'a> {
    /// `btf` or `dwarf`, as in the definition of a struct.
    pub source: &'static str,
    /// The module whose BTF has it; missing where the kernel's own has it, or none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub module: Option<&'a str>,
    /// The field; its offset counts from the start of the outermost struct.
    #[serde(flatten)]
    pub member: MemberFacts<'a>,
    /// Size of the outermost struct in bytes.
    pub struct_size: Option<u32>,
}

/// The field of a name, or what is in the way.
pub(crate) fn lookup<'a>(surface: &'a Surface, name: &'a str) -> Result<Facts<'a>, Option<String>> {
    let Some((outer, path)) = split(name) else {
        return Err(Some("write a field as struct::member".into()));
    };
    let mut places: Vec<Place<'a>> = Vec::new();
    let mut has_type = false;
    for found in outer_types(surface, outer) {
        has_type = true;
        let Some(field) = resolve(found, path) else { continue };
        let member = MemberFacts::new(surface, field);
        let module = surface.module_of_type(found).map(|module| module.name());
        let place = Place { source: source(surface, found), module, member, struct_size: found.size() };
        if !places
            .iter()
            .any(|other| Place { source: other.source, module: other.module, ..place.clone() } == *other)
        {
            places.push(place);
        }
    }
    match (places.is_empty(), has_type) {
        (false, _) => Ok(Facts { places }),
        (true, true) => Err(Some(format!("`{outer}` has no such member"))),
        (true, false) => Err(Some(format!("there is no `{outer}`"))),
    }
}

/// The body of an entry.
pub(crate) fn markdown(facts: &Facts<'_>, out: &mut String) {
    for (index, place) in facts.places.iter().enumerate() {
        if index > 0 {
            out.push_str("\nIn another definition of the type:\n\n");
        }
        markdown::block("c", &(place.member.line().0 + ";"), out);
        out.push('\n');
        out.push_str(&format!(
            "**Offset:** {}\n\n**Size:** {}\n",
            place.member.place(),
            place.member.extent()
        ));
    }
}

/// The sections of a field's page.
pub(crate) fn terminal(present: &[(usize, &Facts<'_>)], shelf: &mut Shelf<'_>) {
    let among: Vec<usize> = present.iter().map(|(kernel, _)| *kernel).collect();
    let (mut types, mut layout) = (Rows::default(), Rows::default());
    for (kernel, facts) in present {
        for place in &facts.places {
            let from = match (place.source, place.module) {
                ("dwarf", _) => "  (from DWARF: not in the kernel's BTF)".to_owned(),
                (_, Some(module)) => format!("  (in module {module})"),
                _ => String::new(),
            };
            types.add(*kernel, "", format!("{};{from}", place.member.line().0), Tone::Plain);
            let unit = if place.member.bitfield_size.is_some() { "" } else { " bytes" };
            let outer = place.struct_size.map_or_else(String::new, |size| format!(" of {size}"));
            let words =
                format!("offset {}{outer}, size {}{unit}", place.member.place(), place.member.extent());
            layout.add(*kernel, "", words, Tone::Plain);
        }
    }
    shelf.section("Type", "", &types, &among);
    shelf.section("Layout", "", &layout, &among);
}
