//! Functions: names, verdicts, instances, addresses, calls, symbols.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use anyhow::Result;
use depsurf::interop::depsurf::Part;
use depsurf::surface::{Instance, Surface};

use super::golden::{Func, Group, Side};
use super::image::{Definitions, Kernel};
use super::table::{Reason, Row, UNEXPLAINED};

const DOTS: Reason = Reason {
    id: "path-with-dots",
    text: "The original keeps `..` in paths, so one header has several paths; here they are resolved.",
};
const WEAK: Reason = Reason {
    id: "weak-definition",
    text: "Several compile units define this external function: weak defaults, and the one that is linked to the name. The original mixes them (place of the first, `DW_AT_inline` of any); here it is the one that the symbol belongs to.",
};
const WEAK_CALLER: Reason = Reason {
    id: "weak-caller",
    text: "The caller is a weak default that another definition replaces; its code is in the image, but no name leads to it, and it is no instance here.",
};
const ZERO_THERE: Reason = Reason {
    id: "address-from-ranges",
    text: "The original prints 0 for code that has `DW_AT_ranges`, as every function with a `.cold` part has; here it is the entry address.",
};
const COPY_THERE: Reason = Reason {
    id: "address-of-a-copy",
    text: "The original shows the address of an inlined copy, because its DIE comes first; here it is that of the function's own code.",
};
const PART_THERE: Reason = Reason {
    id: "address-of-a-part",
    text: "The original shows the address of a split part or clone, because its DIE comes first; here it is that of the symbol with the plain name.",
};
const OTHER_COPY: Reason = Reason {
    id: "address-of-another-copy",
    text: "There is no code but inlined copies. The original shows the first one that has no `DW_AT_ranges`, here it is the first.",
};
const CALLER_HAS_ABSTRACT: Reason = Reason {
    id: "caller-out-of-line",
    text: "The call is in the out-of-line copy of a function that also has an abstract instance. The original drops those; here the caller is found through `DW_AT_abstract_origin`.",
};

/// Place of an instance: declaration and file of the compile unit, without dots.
type Place = (Option<String>, Option<String>);

/// All comparisons of functions.
pub fn compare(there: &Side<'_>, here: &Side<'_>, kernel: &Kernel) -> Result<Vec<Row>> {
    let read = |side: &Side<'_>| side.by_name(Part::FuncGroups, |group: &Group| group.name.clone());
    let (there, here) = (read(there)?, read(here)?);
    let mut names = Row::new("function names");
    let mut both = Vec::new();
    for (name, group) in &there {
        match here.get(name) {
            Some(other) => {
                names.equal();
                both.push((group, other));
            }
            None => names.only_there(UNEXPLAINED, || format!("`{name}`")),
        }
    }
    for name in here.keys().filter(|name| !there.contains_key(*name)) {
        names.only_here(UNEXPLAINED, || format!("`{name}`"));
    }

    let definitions = &kernel.definitions;
    let mut collision = Row::new("collision verdicts");
    let mut inline = Row::new("inline verdicts (the original's rule)");
    let mut symbols = Row::new("symbols of functions");
    for (a, b) in &both {
        let name = || a.name.clone();
        let reason = || if without_dots(a) == b.collision_type { DOTS } else { UNEXPLAINED };
        collision.compare(&a.collision_type, &b.collision_type, name, reason);
        inline.compare(&a.inline_type, &b.inline_type, name, || weak(definitions, &a.name));
        let (x, y): (BTreeSet<_>, BTreeSet<_>) = (a.symbols.iter().collect(), b.symbols.iter().collect());
        x.intersection(&y).for_each(|_| symbols.equal());
        x.difference(&y).for_each(|symbol| symbols.only_there(UNEXPLAINED, || format!("{symbol:?}")));
        y.difference(&x).for_each(|symbol| symbols.only_here(UNEXPLAINED, || format!("{symbol:?}")));
    }

    let mut rows = vec![names, collision, inline, symbols];
    rows.extend(instances(&both, definitions, &kernel.surface));
    let edges = Edges { definitions, here: &here };
    rows.extend(edges.compare("inlined", &both, |func| &func.caller_inline));
    rows.extend(edges.compare("direct", &both, |func| &func.caller_func));
    Ok(rows)
}

fn weak(definitions: &Definitions, name: &str) -> Reason {
    if definitions.contains_key(name) { WEAK } else { UNEXPLAINED }
}

/// The collision verdict of a group whose paths have no dots.
fn without_dots(group: &Group) -> &'static str {
    let places: BTreeSet<Option<String>> = group.funcs.iter().map(|func| place(func).0).collect();
    match (places.len(), group.funcs.iter().any(|func| func.external)) {
        (1, _) => "Static Duplication",
        (_, true) => "Static-Global Collision",
        (_, false) => "Static-Static Collision",
    }
}

/// Resolves `.` and `..` in a path.
fn resolved(path: &str) -> String {
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

fn place(func: &Func) -> Place {
    (func.loc.as_deref().map(resolved), func.file.as_deref().map(resolved))
}

/// `NAME LOCATION in FILE`.
fn title(name: &str, func: &Func) -> String {
    let text = |text: &Option<String>| text.as_deref().unwrap_or("None").to_owned();
    format!("{name} {} in {}", text(&func.loc), text(&func.file))
}

fn by_place(group: &Group) -> HashMap<Place, &Func> {
    group.funcs.iter().map(|func| (place(func), func)).collect()
}

fn instances(both: &[(&Group, &Group)], definitions: &Definitions, surface: &Surface) -> Vec<Row> {
    let mut places = Row::new("instances (declaration and file)");
    let mut external = Row::new("instances: external or static");
    let mut inline = Row::new("instances: `DW_AT_inline`");
    let mut address = Row::new("instances: address of the code");
    for (a, b) in both {
        let (ours, theirs) = (by_place(b), by_place(a));
        let weak = || weak(definitions, &a.name);
        for func in &a.funcs {
            let name = || title(&a.name, func);
            let Some(other) = ours.get(&place(func)) else {
                places.only_there(weak(), || format!("`{}`", name()));
                continue;
            };
            places.compare(&(&func.loc, &func.file), &(&other.loc, &other.file), || a.name.clone(), || DOTS);
            external.compare(&func.external, &other.external, name, || UNEXPLAINED);
            inline.compare(&func.inline, &other.inline, name, weak);
            address.compare(&func.addr, &other.addr, name, || {
                if func.addr == 0 {
                    return ZERO_THERE;
                }
                let instance = find(surface, &a.name, other);
                let is_copy = instance.is_some_and(|instance| {
                    instance.inline_sites().any(|site| site.address == Some(func.addr))
                });
                let calls_from_weak =
                    || func.caller_inline.iter().any(|caller| is_replaced(definitions, surface, caller));
                match instance.and_then(Instance::address) {
                    Some(_) if is_copy => COPY_THERE,
                    Some(own) if is_part(b, func.addr) && !is_part(b, own) => PART_THERE,
                    None if is_copy => OTHER_COPY,
                    _ if calls_from_weak() => WEAK_CALLER,
                    _ => weak(),
                }
            });
        }
        for func in b.funcs.iter().filter(|func| !theirs.contains_key(&place(func))) {
            places.only_here(weak(), || format!("`{}`", title(&b.name, func)));
        }
    }
    vec![places, external, inline, address]
}

/// Whether only symbols with a suffix are at an address.
fn is_part(group: &Group, address: u64) -> bool {
    let mut at = group.symbols.iter().filter(|symbol| symbol.addr == address).peekable();
    at.peek().is_some() && at.all(|symbol| symbol.name != group.name)
}

/// The instance that a line of our export is of.
fn find<'a>(surface: &'a Surface, name: &'a str, func: &Func) -> Option<Instance<'a>> {
    surface.function(name)?.instances().find(|instance| {
        let loc = instance.declaration().map(|(file, line)| match line {
            Some(line) => format!("{file}:{line}"),
            None => file.to_owned(),
        });
        loc == func.loc && instance.file() == func.file.as_deref()
    })
}

/// Whether a caller, `FILE:NAME`, is a definition that another one replaces.
fn is_replaced(definitions: &Definitions, surface: &Surface, caller: &str) -> bool {
    let Some((file, name)) = caller.rsplit_once(':') else { return false };
    let defined = definitions.get(name).is_some_and(|files| files.contains(&resolved(file)));
    let is_linked = surface
        .function(name)
        .is_some_and(|function| function.instances().any(|instance| instance.file() == Some(file)));
    defined && !is_linked
}

/// Calls and inlined copies.
struct Edges<'a> {
    definitions: &'a Definitions,
    here: &'a BTreeMap<String, Group>,
}

impl Edges<'_> {
    /// Compares distinct pairs of callee and caller, then whole lists with order and repeats.
    fn compare(
        &self,
        kind: &str,
        both: &[(&Group, &Group)],
        list: impl Fn(&Func) -> &Vec<String>,
    ) -> [Row; 2] {
        let mut pairs = Row::new(format!("{kind} calls: distinct pairs"));
        let mut lists = Row::new(format!("{kind} calls: the original's list within ours, order and repeats"));
        let none = Vec::new();
        // An external function is one function, wherever its place is.
        let callees = |group| -> HashMap<Place, &Func> {
            let key =
                |func: &Func| if func.external { (None, Some("external".to_owned())) } else { place(func) };
            by_place(group).into_values().map(|func| (key(func), func)).collect()
        };
        for (a, b) in both {
            let (ours, theirs) = (callees(b), callees(a));
            let places: BTreeSet<&Place> = ours.keys().chain(theirs.keys()).collect();
            for place in places {
                let [x, y] = [&theirs, &ours].map(|side| side.get(place).map_or(&none, |func| list(func)));
                let edge = |caller: &str| {
                    format!("`{caller}` to `{}` ({})", a.name, place.1.as_deref().unwrap_or("no file"))
                };
                let (m, n): (BTreeSet<&String>, BTreeSet<&String>) = (x.iter().collect(), y.iter().collect());
                m.intersection(&n).for_each(|_| pairs.equal());
                m.difference(&n)
                    .for_each(|caller| pairs.only_there(self.missing(&a.name, caller), || edge(caller)));
                n.difference(&m)
                    .for_each(|caller| pairs.only_here(self.extra(&a.name, caller), || edge(caller)));
                if !theirs.contains_key(place) {
                    continue;
                }
                if is_subsequence(x.iter(), y.iter()) {
                    lists.equal();
                    continue;
                }
                let kept = x.iter().filter(|caller| self.missing(&a.name, caller) == UNEXPLAINED);
                let reason = if is_subsequence(kept, y.iter()) {
                    WEAK_CALLER
                } else {
                    weak(self.definitions, &a.name)
                };
                lists.different(reason, || format!("`{}`: {x:?} there, {y:?} here", a.name));
            }
        }
        [pairs, lists]
    }

    /// Why a caller that the original has is not here.
    fn missing(&self, callee: &str, caller: &str) -> Reason {
        let Some((file, name)) = caller.rsplit_once(':') else { return UNEXPLAINED };
        let is_here = self.instance(file, name).is_some();
        let replaced = self.definitions.get(name).is_some_and(|files| files.contains(&resolved(file)));
        if replaced && !is_here { WEAK_CALLER } else { weak(self.definitions, callee) }
    }

    /// Why a caller is here that the original does not have.
    fn extra(&self, callee: &str, caller: &str) -> Reason {
        let Some((file, name)) = caller.rsplit_once(':') else { return UNEXPLAINED };
        let has_abstract =
            |func: &Func| ["declared, inlined", "not declared, inlined"].contains(&func.inline.as_str());
        match self.instance(file, name) {
            Some(func) if has_abstract(func) => CALLER_HAS_ABSTRACT,
            _ if self.definitions.contains_key(name) => WEAK,
            _ => weak(self.definitions, callee),
        }
    }

    fn instance(&self, file: &str, name: &str) -> Option<&Func> {
        self.here.get(name)?.funcs.iter().find(|func| func.file.as_deref() == Some(file))
    }
}

/// Whether all of `part` is in `whole`, in this order.
fn is_subsequence<T: PartialEq>(
    mut part: impl Iterator<Item = T>,
    mut whole: impl Iterator<Item = T>,
) -> bool {
    part.all(|wanted| whole.any(|found| found == wanted))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_with_more_in_between_contain_the_shorter_one() {
        let within = |part: &[u8], whole: &[u8]| is_subsequence(part.iter(), whole.iter());
        assert!(within(&[1, 3, 3], &[1, 2, 3, 4, 3]));
        assert!(!within(&[1, 3, 3], &[1, 2, 3, 4]));
        assert!(!within(&[3, 1], &[1, 3]));
        assert!(within(&[], &[]));
    }

    #[test]
    fn dots_are_resolved() {
        assert_eq!(resolved("lib/zstd/decompress/../common/bits.h:43"), "lib/zstd/common/bits.h:43");
        assert_eq!(resolved("./arch/x86/../../mm/a.c"), "mm/a.c");
        assert_eq!(resolved("../a.c"), "../a.c");
    }
}
