//! Sets of `.BTF_ids` and kfuncs, by the symbols on the sets and on each of their members.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::Result;
use depsurf::surface::{Surface, TypeKind};

use super::super::elf::{self, Line};
use super::super::table::{Reason, Row, UNEXPLAINED};
use super::{File, symbols_in};

const UNRESOLVED: Reason = Reason {
    id: "not-in-btf",
    text: "The function is not in BTF, so that `resolve_btfids` left the id 0: the kernel behaves as if the member were not there.",
};

/// A set: its name, whether it has flags, its members.
type Set = (String, bool, Vec<String>);

/// Compares sets, of the kernel and its modules together, and the kfuncs of modules.
pub fn compare(files: &[File<'_>], vmlinux: &Path, surface: &Surface) -> Result<Vec<Row>> {
    let mut theirs: Vec<Set> = sets(&elf::readelf(vmlinux)?);
    let mut kfuncs = Row::new("kfuncs of modules: members of a SET8");
    for file in files {
        let own = sets(&file.symbols);
        let named: BTreeSet<&str> = own
            .iter()
            .filter(|(_, has_flags, _)| *has_flags)
            .flat_map(|(_, _, members)| members.iter().map(String::as_str))
            .collect();
        let ours: BTreeSet<&str> = surface
            .kfuncs()
            .filter(|found| found.module().is_some_and(|module| module.index() == file.ours.index()))
            .map(|found| found.name())
            .collect();
        let place = |name: &str| format!("`{name}` in `{}`", file.ours.path());
        named.intersection(&ours).for_each(|_| kfuncs.equal());
        named.difference(&ours).for_each(|name| kfuncs.only_there(reason(name, surface), || place(name)));
        ours.difference(&named).for_each(|name| kfuncs.only_here(UNEXPLAINED, || place(name)));
        theirs.extend(own);
    }
    Ok(vec![members(theirs, surface), kfuncs])
}

fn reason(function: &str, surface: &Surface) -> Reason {
    let is_in_btf = surface.types().find_all(TypeKind::Func, function).any(|found| surface.is_in_btf(found));
    if is_in_btf { UNEXPLAINED } else { UNRESOLVED }
}

/// All members of all sets, by the name of the set.
fn members(theirs: Vec<Set>, surface: &Surface) -> Row {
    let mut row = Row::new("members of sets in `.BTF_ids`, kernel and modules");
    let mut counts: BTreeMap<(String, String), i64> = BTreeMap::new();
    for set in surface.sets() {
        for member in set.members() {
            *counts.entry((set.name().into(), member.name.into())).or_default() += 1;
        }
    }
    for (set, _, members) in theirs {
        for member in members {
            match counts.get_mut(&(set.clone(), member.clone())) {
                Some(count) if *count > 0 => {
                    *count -= 1;
                    row.equal();
                }
                _ => row.only_there(reason(&member, surface), || format!("`{member}` of `{set}`")),
            }
        }
    }
    for ((set, member), count) in counts {
        (0..count).for_each(|_| row.only_here(UNEXPLAINED, || format!("`{member}` of `{set}`")));
    }
    row
}

/// A set begins at its symbol and is as long as that says; each member's place has a symbol
/// `__BTF_ID__KIND__NAME__NUMBER`.
fn sets(symbols: &[Line]) -> Vec<Set> {
    let in_section = || symbols_in(symbols, ".BTF_ids");
    let mut found = Vec::new();
    for (name, start, size, _) in in_section() {
        let Some((kind, set)) = name.strip_prefix("__BTF_ID__").and_then(|rest| rest.split_once("__")) else {
            continue;
        };
        if !matches!(kind, "set" | "set8") {
            continue;
        }
        let members = in_section()
            .filter(|(_, place, _, _)| (*start..start + size).contains(place))
            .filter_map(|(name, _, _, _)| {
                let (kind, rest) = name.strip_prefix("__BTF_ID__")?.split_once("__")?;
                let (member, _) = rest.rsplit_once("__").filter(|_| !matches!(kind, "set" | "set8"))?;
                Some(member.to_owned())
            })
            .collect();
        found.push((set.to_owned(), kind == "set8", members));
    }
    found
}
