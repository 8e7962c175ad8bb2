//! Types, prototypes, trace events: lines of the same name.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use depsurf::interop::depsurf::Part;
use depsurf::surface::{Surface, TypeKind};
use serde_json::Value;

use super::golden::Side;
use super::image::Kernel;
use super::table::{Reason, Row, UNEXPLAINED};

const SEVERAL: Reason = Reason {
    id: "several-definitions",
    text: "The kernel has several definitions of this name, and the original shows another one than the export; the surface keeps all of them.",
};

const WEAK: Reason = Reason {
    id: "weak-definition",
    text: "Several compile units define this external function, and BTF has a FUNC of each. The original's BTF has them in the order of the units, the kernel's own in the order of the threads that made it; both show the first.",
};

const FORMAT_CUT: Reason = Reason {
    id: "format-cut",
    text: "The original cuts `print_fmt` after 4095 bytes; this format is longer.",
};

/// Compares all types.
pub fn compare(there: &Side<'_>, here: &Side<'_>, kernel: &Kernel) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (kind, part, of) in [
        ("prototypes", Part::TypesFunc, Some(TypeKind::Func)),
        ("structs", Part::TypesStruct, Some(TypeKind::Struct)),
        ("unions", Part::TypesUnion, Some(TypeKind::Union)),
        ("enums", Part::TypesEnum, Some(TypeKind::Enum)),
        ("integers", Part::TypesInt, None),
    ] {
        let several = of.map(|of| several(&kernel.surface, of)).unwrap_or_default();
        let reason = |name: &str| match several.contains(name) {
            true if part == Part::TypesFunc && kernel.definitions.contains_key(name) => WEAK,
            true => SEVERAL,
            false => UNEXPLAINED,
        };
        rows.push(lines(kind, &there.values(part, "name")?, &here.values(part, "name")?, reason));
    }
    let key = "event_name";
    let events = [there.values(Part::Tracepoints, key)?, here.values(Part::Tracepoints, key)?];
    let is_cut = |name: &str| {
        let [there, here] = [&events[0], &events[1]].map(|side| side.get(name)?["fmt_str"].as_str());
        there.zip(here).is_some_and(|(there, here)| there.len() == 4095 && here.starts_with(there))
    };
    let reason = |name: &str| if is_cut(name) { FORMAT_CUT } else { UNEXPLAINED };
    rows.push(lines("trace events", &events[0], &events[1], reason));
    Ok(rows)
}

/// Names with several definitions in the image's BTF.
fn several(surface: &Surface, kind: TypeKind) -> BTreeSet<String> {
    let end = surface.meta().btf_types;
    let mut seen = BTreeSet::new();
    let mut several = BTreeSet::new();
    for found in
        surface.types().iter().filter(|found| found.kind() == kind && (end <= 1 || found.id().0 < end))
    {
        if !seen.insert(found.name()) {
            several.insert(found.name().to_owned());
        }
    }
    several
}

fn lines(
    kind: &str,
    there: &BTreeMap<String, Value>,
    here: &BTreeMap<String, Value>,
    reason: impl Fn(&str) -> Reason,
) -> Row {
    let mut row = Row::new(kind);
    for (name, value) in there {
        match here.get(name) {
            // `(anon)` gathers the values of many enums; their order is that of the dump.
            Some(other) if value == other || (name == "(anon)" && sorted(value) == sorted(other)) => {
                row.equal()
            }
            Some(other) => row.different(reason(name), || {
                let [there, here] = around_difference(&value.to_string(), &other.to_string());
                format!("`{name}`: `{there}` there, `{here}` here")
            }),
            None => row.only_there(reason(name), || format!("`{name}`")),
        }
    }
    for name in here.keys().filter(|name| !there.contains_key(*name)) {
        row.only_here(reason(name), || format!("`{name}`"));
    }
    row
}

fn sorted(value: &Value) -> Vec<String> {
    let mut values: Vec<String> =
        value["values"].as_array().into_iter().flatten().map(ToString::to_string).collect();
    values.sort_unstable();
    values
}

/// Where two texts begin to differ, with what is around it.
fn around_difference(a: &str, b: &str) -> [String; 2] {
    let same = a.chars().zip(b.chars()).take_while(|(x, y)| x == y).count();
    [a, b].map(|text| {
        let cut: String = text.chars().skip(same.saturating_sub(60)).take(160).collect();
        format!("... {cut} ...")
    })
}
