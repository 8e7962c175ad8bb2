//! `func_groups`: functions with their instances, callers and symbols.

use super::Sink;
use super::json::Json;
use super::symbol::bind;
use crate::error::Result;
use crate::surface::function::{Collision, InlineKind, InlineSite};
use crate::surface::{Function, Instance, Surface, Symbol};

/// One line per function of vmlinux, sorted by name.
pub(super) fn groups(surface: &Surface, sink: Sink<'_>) -> Result<()> {
    let mut json = Json::default();
    for function in surface.functions().filter(|function| function.is_in_vmlinux()) {
        json.clear();
        group(&mut json, function);
        sink(json.line())?;
    }
    Ok(())
}

fn group(json: &mut Json, function: Function<'_>) {
    json.object(|json| {
        json.key("name").string(function.name());
        let collision = function.given_verdict().collision;
        let collision = collision.unwrap_or_else(|| Collision::among(instances(function)));
        json.key("collision_type").string(collision.words());
        let inline = function.given_verdict().inline.unwrap_or_else(|| inline_type(function));
        json.key("inline_type").string(inline.words());
        json.key("funcs").array(|json| {
            for instance in instances(function) {
                func(json, function.name(), instance);
            }
        });
        json.key("symbols").array(|json| {
            for symbol in symbols(function) {
                json.object(|json| {
                    json.key("addr").plain(symbol.address());
                    json.key("name").string(symbol.name());
                    json.key("section").string(symbol.section().unwrap_or_default());
                    bind(json.key("bind"), symbol.binding());
                    json.key("size").plain(symbol.size());
                });
            }
        });
    });
}

/// What vmlinux has of a function: the original reads no modules.
fn instances(function: Function<'_>) -> impl Iterator<Item = Instance<'_>> {
    function.instances().filter(|instance| instance.is_in_vmlinux())
}

/// Its symbols in vmlinux.
fn symbols(function: Function<'_>) -> impl Iterator<Item = Symbol<'_>> {
    function.symbols().filter(|symbol| symbol.module().is_none())
}

/// The original's rule: what GCC writes into `DW_AT_inline` counts, also for functions that have an
/// abstract instance because they were cloned or split, and no inlined copy anywhere.
fn inline_type(function: Function<'_>) -> InlineKind {
    if symbols(function).next().is_none() {
        InlineKind::Full
    } else if instances(function).any(|instance| instance.inline().is_inlined()) {
        InlineKind::Selective
    } else {
        InlineKind::No
    }
}

fn func(json: &mut Json, name: &str, instance: Instance<'_>) {
    json.object(|json| {
        json.key("addr").plain(address(instance));
        json.key("name").string(name);
        json.key("external").plain(instance.is_external());
        match instance.declaration() {
            Some((file, Some(line))) => json.key("loc").strings(&[file, ":", &line.to_string()]),
            Some((file, None)) => json.key("loc").string(file),
            None => json.key("loc").plain("null"),
        }
        json.key("file").optional(instance.file());
        json.key("inline").string(instance.inline().words());
        json.key("caller_inline").array(|json| {
            for site in inline_sites(instance) {
                caller(json, site.caller);
            }
        });
        json.key("caller_func").array(|json| {
            for from in instance.callers().filter(|from| from.is_in_vmlinux()) {
                caller(json, from);
            }
        });
    });
}

/// Its copies in vmlinux.
fn inline_sites(instance: Instance<'_>) -> impl Iterator<Item = InlineSite<'_>> {
    instance.inline_sites().filter(|site| site.caller.is_in_vmlinux())
}

/// Address of the out-of-line code, else the one it was imported with, else of the first inlined copy that has
/// one, else 0.
fn address(instance: Instance<'_>) -> u64 {
    let copy = || inline_sites(instance).find_map(|site| site.address);
    instance.address().or_else(|| instance.address_elsewhere()).or_else(copy).unwrap_or(0)
}

fn caller(json: &mut Json, from: Instance<'_>) {
    json.strings(&[from.file().unwrap_or("None"), ":", from.name()]);
}
