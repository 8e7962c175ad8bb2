//! Symbols, system calls, the compiler's line, and what the original derives from symbols.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use depsurf::interop::depsurf::Part;
use serde_json::Value;

use super::golden::Side;
use super::table::{Row, UNEXPLAINED};

/// All comparisons.
pub fn compare(there: &Side<'_>, here: &Side<'_>) -> Result<Vec<Row>> {
    let texts = [there.text(Part::Symtab)?, here.text(Part::Symtab)?];
    let mut symtab = Row::new("symbol table, line by line");
    let (mut a, mut b) = (texts[0].lines(), texts[1].lines());
    loop {
        match (a.next(), b.next()) {
            (None, None) => break,
            (Some(x), Some(y)) if x == y => symtab.equal(),
            (Some(x), Some(y)) => symtab.different(UNEXPLAINED, || format!("`{x}` there, `{y}` here")),
            (Some(x), None) => symtab.only_there(UNEXPLAINED, || format!("`{x}`")),
            (None, Some(y)) => symtab.only_here(UNEXPLAINED, || format!("`{y}`")),
        }
    }

    let mut kfuncs = Row::new("kfuncs (the original's rule: `__BTF_ID__func__*`)");
    names(&mut kfuncs, &btf_ids(&texts[0])?, &btf_ids(&texts[1])?);
    let mut hooks = Row::new("LSM hooks (the original's rule: `security_NAME`)");
    names(&mut hooks, &lsm_hooks(there)?, &lsm_hooks(here)?);

    let mut syscalls = Row::new("system calls");
    let read = |side: &Side<'_>| -> Result<BTreeMap<u32, String>> {
        serde_json::from_str(&side.text(Part::Syscalls)?).context("syscalls")
    };
    let (a, b) = (read(there)?, read(here)?);
    for (number, name) in &a {
        match b.get(number) {
            Some(other) => syscalls.compare(name, other, || number.to_string(), || UNEXPLAINED),
            None => syscalls.only_there(UNEXPLAINED, || format!("{number} `{name}`")),
        }
    }
    for (number, name) in b.iter().filter(|(number, _)| !a.contains_key(number)) {
        syscalls.only_here(UNEXPLAINED, || format!("{number} `{name}`"));
    }

    let mut compiler = Row::new("compiler");
    compiler.compare(
        &there.text(Part::Comment)?,
        &here.text(Part::Comment)?,
        || ".comment".into(),
        || UNEXPLAINED,
    );
    Ok(vec![symtab, kfuncs, hooks, syscalls, compiler])
}

fn names(row: &mut Row, there: &BTreeSet<String>, here: &BTreeSet<String>) {
    there.intersection(here).for_each(|_| row.equal());
    there.difference(here).for_each(|name| row.only_there(UNEXPLAINED, || format!("`{name}`")));
    here.difference(there).for_each(|name| row.only_here(UNEXPLAINED, || format!("`{name}`")));
}

/// Functions that `.BTF_ids` names: `__BTF_ID__func__NAME__NUMBER`.
fn btf_ids(symtab: &str) -> Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    for line in symtab.lines().filter(|line| line.contains("__BTF_ID__func__")) {
        let symbol: Value = serde_json::from_str(line).context("symtab")?;
        let name = symbol["name"].as_str().and_then(|name| name.strip_prefix("__BTF_ID__func__"));
        found.extend(name.and_then(|name| Some(name.rsplit_once("__")?.0.to_owned())));
    }
    Ok(found)
}

/// Members of `struct security_hook_heads` that have a function `security_NAME`.
fn lsm_hooks(side: &Side<'_>) -> Result<BTreeSet<String>> {
    let structs = side.values(Part::TypesStruct, "name")?;
    let functions = side.values(Part::TypesFunc, "name")?;
    let members = structs.get("security_hook_heads").and_then(|heads| heads["members"].as_array());
    Ok(members
        .into_iter()
        .flatten()
        .filter_map(|member| member["name"].as_str())
        .filter(|name| functions.contains_key(&format!("security_{name}")))
        .map(str::to_owned)
        .collect())
}
