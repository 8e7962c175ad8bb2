//! Split BTF of modules as `bpftool` prints it: every type with all of its fields.

use std::fmt::Write;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use depsurf::surface::{Surface, Type};
use serde_json::Value;

use super::super::table::{Row, UNEXPLAINED};
use super::File;

/// Compares the types of all modules.
pub fn compare(files: &[File<'_>], vmlinux: &Path, surface: &Surface) -> Result<Row> {
    let mut row = Row::new("types of split BTF in `bpftool` (all fields)");
    let kernel = u64::from(surface.meta().btf_types);
    for file in files {
        let own = file.ours.types();
        let place = |id: u64| if id < kernel { id } else { id - kernel + u64::from(own.start) };
        let mut count = 0;
        for there in dump(vmlinux, &file.path)? {
            count += 1;
            let id = u32::try_from(place(number(&there, "id"))).context("ids have 32 bits")?;
            let theirs = text(&there, place);
            let ours = surface.types().get_optional(id).filter(|_| own.contains(&id)).map(our_text);
            let example = || format!("type {id} of `{}`", file.ours.path());
            match ours {
                Some(ours) => row.compare(&theirs, &ours, example, || UNEXPLAINED),
                None => row.only_there(UNEXPLAINED, || format!("{}: {theirs}", example())),
            }
        }
        for id in own.start + count..own.end {
            row.only_here(UNEXPLAINED, || format!("type {id} of `{}`", file.ours.path()));
        }
    }
    Ok(row)
}

/// The module's own types.
fn dump(vmlinux: &Path, module: &Path) -> Result<Vec<Value>> {
    let output = Command::new("bpftool")
        .args(["--json", "--base-btf"])
        .arg(vmlinux)
        .args(["btf", "dump", "file"])
        .arg(module)
        .output()
        .context("cannot run bpftool")?;
    ensure!(output.status.success(), "bpftool: {}", String::from_utf8_lossy(&output.stdout));
    let mut value: Value = serde_json::from_slice(&output.stdout).context("bpftool's JSON")?;
    Ok(value["types"].as_array_mut().map(std::mem::take).unwrap_or_default())
}

fn number(value: &Value, key: &str) -> u64 {
    value[key].as_u64().unwrap_or(0)
}

fn name(value: &Value) -> &str {
    value["name"].as_str().filter(|name| *name != "(anon)").unwrap_or_default()
}

/// A type on one line, with its ids as they are here.
fn text(value: &Value, place: impl Fn(u64) -> u64) -> String {
    let kind = value["kind"].as_str().unwrap_or_default();
    let mut text = format!("{kind} `{}`", name(value));
    if value["size"].is_u64() {
        let _ = write!(text, " size {}", number(value, "size"));
    }
    let target = if kind == "FUNC_PROTO" { "ret_type_id" } else { "type_id" };
    if kind == "ARRAY" {
        let _ = write!(text, " of {} {}", number(value, "nr_elems"), place(number(value, "type_id")));
    } else if value[target].is_u64() {
        let _ = write!(text, " to {}", place(number(value, target)));
    }
    let list = |key: &str| value[key].as_array().into_iter().flatten();
    for member in list("members") {
        let (id, bits) = (place(number(member, "type_id")), number(member, "bitfield_size"));
        let _ = write!(text, ", `{}` {id} at {} {bits}", name(member), number(member, "bits_offset"));
    }
    for param in list("params") {
        let _ = write!(text, ", `{}` {}", name(param), place(number(param, "type_id")));
    }
    // bpftool prints the 32 bits of a value as a signed number, and that as one of 64 bits without sign.
    let is_cut = kind == "ENUM" && number(value, "size") == 4 && value["encoding"] == "UNSIGNED";
    for value in list("values") {
        let _ = match value["val"].as_u64().filter(|_| is_cut) {
            Some(wide) => write!(text, ", `{}` {}", name(value), wide as u32),
            None => write!(text, ", `{}` {}", name(value), value["val"]),
        };
    }
    text
}

fn our_text(found: Type<'_>) -> String {
    let mut text = format!("{} `{}`", found.kind().name(), found.name());
    if let Some(size) = found.size() {
        let _ = write!(text, " size {size}");
    }
    if let Some((element, count)) = found.array() {
        let _ = write!(text, " of {count} {}", element.0);
    } else if let Some(target) = found.target_id() {
        let _ = write!(text, " to {}", target.0);
    }
    for member in found.members() {
        let (offset, bits) = (member.bit_offset.unwrap_or(u32::MAX), member.bitfield_size.unwrap_or(0));
        let _ = write!(text, ", `{}` {} at {offset} {bits}", member.name, member.type_id.0);
    }
    for param in found.params() {
        let _ = write!(text, ", `{}` {}", param.name, param.type_id.0);
    }
    for value in found.enumerators() {
        let _ = write!(text, ", `{}` {}", value.name, value.value);
    }
    text
}
