//! Two surfaces of one kernel: the same bytes, or which facts differ.

use std::collections::BTreeMap;
use std::slice;

use anyhow::{Result, ensure};
use depsurf::surface::record::Section;
use depsurf::surface::{Fact, Meta, Surface, c};
use serde::{Deserialize, Serialize};

use super::Expected;
use crate::oracle::boot;
use crate::oracle::table::{self, Row};

/// Lines of a comparison that are kept as examples.
const EXAMPLES: usize = 4;

/// How a surface compares with that of the plain vmlinux.
#[derive(Debug, Serialize, Deserialize)]
pub enum Verdict {
    /// Byte for byte, but for what names the file it came from.
    Same,
    /// These differ, for a reason.
    Explained(String, Vec<Difference>),
    /// It is a part, in which these kinds are the same: how many of each.
    Partial(String, Vec<(String, usize)>),
    /// These differ, and nothing explains it.
    Different(Vec<Difference>),
}

/// How a kind of fact differs.
#[derive(Debug, Serialize, Deserialize)]
pub struct Difference {
    pub kind: String,
    /// How many there are of the plain vmlinux.
    pub all: usize,
    pub missing: usize,
    pub more: usize,
    pub examples: Vec<String>,
}

impl Difference {
    /// What is wrong with a row of a comparison.
    fn of(row: &Row) -> Self {
        let (all, missing) = (row.there, row.there - row.equal);
        let examples = table::reasons(slice::from_ref(row)).lines().map(str::to_owned).collect();
        Self {
            kind: row.kind.clone(),
            all,
            missing,
            more: row.unexplained().saturating_sub(missing),
            examples,
        }
    }
}

impl Verdict {
    pub fn is_wrong(&self) -> bool {
        matches!(self, Self::Different(_))
    }
}

/// Facts by kind, each a line.
type Lines = BTreeMap<&'static str, Vec<String>>;

/// Compares a surface with that of the plain vmlinux.
pub fn compare(plain: &Surface, other: &Surface, expected: Expected) -> Result<Verdict> {
    match expected {
        Expected::Partial(why) => {
            let rows = boot::compare(plain, other);
            let wrong = rows.iter().filter(|row| row.unexplained() > 0);
            let wrong: Vec<Difference> = wrong.map(Difference::of).collect();
            if !wrong.is_empty() {
                return Ok(Verdict::Different(wrong));
            }
            return Ok(Verdict::Partial(
                why.into(),
                rows.into_iter().map(|row| (row.kind, row.equal)).collect(),
            ));
        }
        Expected::Types(why) => {
            let mut compared = Vec::new();
            let wrong = differences(&types(plain), &types(other), &mut compared);
            let is_known = other.meta().knows(Fact::Types);
            ensure!(is_known && !compared.is_empty(), "bare BTF tells nothing");
            return Ok(match wrong.is_empty() {
                true => Verdict::Partial(why.into(), compared),
                false => Verdict::Different(wrong),
            });
        }
        Expected::Same | Expected::Explained(..) => {}
    }
    let differs = |section: &Section| plain.section(*section) != other.section(*section);
    let sections: Vec<Section> = Section::ALL.into_iter().filter(differs).collect();
    let identity = identity(plain, other);
    if identity.is_none() && sections.iter().all(|section| *section == Section::Meta) {
        return Ok(Verdict::Same);
    }
    let mut wrong = differences(&all(plain), &all(other), &mut Vec::new());
    wrong.extend(identity);
    if wrong.is_empty() {
        // The facts are the same, in another order.
        let examples = vec![format!("the bytes of {sections:?}")];
        wrong.push(Difference { kind: "order".into(), all: sections.len(), missing: 0, more: 0, examples });
    }
    Ok(match expected {
        Expected::Explained(why, kinds)
            if wrong.iter().all(|difference| kinds.contains(&difference.kind.as_str())) =>
        {
            Verdict::Explained(why.into(), wrong)
        }
        _ => Verdict::Different(wrong),
    })
}

/// What the surfaces say of themselves, where it differs in more than where the bytes came from.
fn identity(plain: &Surface, other: &Surface) -> Option<Difference> {
    let words = |surface: &Surface| {
        let mut meta: Meta = surface.meta().clone();
        meta.package = None;
        meta.fetched = None;
        let states: Vec<(Fact, bool)> = Fact::ALL.into_iter().map(|fact| (fact, meta.knows(fact))).collect();
        meta.evidence.clear();
        (format!("{meta:?}"), states, surface.notes().map(|notes| format!("{notes:?}")).unwrap_or_default())
    };
    let (mine, theirs) = (words(plain), words(other));
    let mut examples = Vec::new();
    if mine.0 != theirs.0 && other.meta().compiler == plain.meta().compiler {
        examples.push(format!("{} instead of {}", theirs.0, mine.0));
    }
    let is_whole = other.meta().knows(Fact::Functions);
    if is_whole && mine.1 != theirs.1 {
        let pairs = theirs.1.iter().zip(&mine.1);
        examples.extend(pairs.filter(|(a, b)| a != b).map(|(a, _)| format!("{:?} known: {}", a.0, a.1)));
    }
    if is_whole && mine.2 != theirs.2 {
        examples.push(format!("notes {}", theirs.2));
    }
    let more = examples.len();
    (more > 0).then_some(Difference { kind: "identity".into(), all: 1, missing: 0, more, examples })
}

/// Which lines of a kind only one side has; `compared` gets how many lines there were.
fn differences(plain: &Lines, other: &Lines, compared: &mut Vec<(String, usize)>) -> Vec<Difference> {
    let mut found = Vec::new();
    for (kind, mine) in plain {
        let Some(theirs) = other.get(kind) else { continue };
        compared.push(((*kind).to_owned(), theirs.len()));
        let (missing, more) = (only(mine, theirs), only(theirs, mine));
        if missing.is_empty() && more.is_empty() {
            continue;
        }
        let mut examples: Vec<String> =
            missing.iter().take(EXAMPLES).map(|line| format!("- {line}")).collect();
        examples.extend(more.iter().take(EXAMPLES).map(|line| format!("+ {line}")));
        found.push(Difference {
            kind: (*kind).to_owned(),
            all: mine.len(),
            missing: missing.len(),
            more: more.len(),
            examples,
        });
    }
    found
}

/// The lines of a sorted list that another does not have as often.
fn only<'a>(mine: &'a [String], theirs: &[String]) -> Vec<&'a String> {
    let mut rest = theirs.iter().peekable();
    mine.iter()
        .filter(|line| {
            while rest.next_if(|other| other < line).is_some() {}
            rest.next_if(|other| other == line).is_none()
        })
        .collect()
}

/// Everything that a surface with debug information tells.
fn all(surface: &Surface) -> Lines {
    let mut lines = Lines::new();
    let (mut functions, mut copies, mut calls) = (Vec::new(), Vec::new(), Vec::new());
    for function in surface.functions() {
        let name = function.name();
        for instance in function.instances() {
            let place = format!("{name} {:?} in {:?}", instance.declaration(), instance.file());
            let prototype = instance.prototype().map(|proto| c::prototype(proto, name));
            let code = (instance.is_external(), instance.address(), instance.inline());
            functions.push(format!("{place} {code:?} {prototype:?}"));
            for site in instance.inline_sites() {
                copies.push(format!("{place}: {site:?}"));
            }
            for caller in instance.callers() {
                calls.push(format!("{place}: {} in {:?}", caller.name(), caller.file()));
            }
        }
    }
    lines.insert("functions", functions);
    lines.insert("inlined copies", copies);
    lines.insert("calls", calls);
    let of_sections = |symbol: &depsurf::surface::Symbol<'_>| symbol.elf_type() == 3;
    let symbol = |symbol: depsurf::surface::Symbol<'_>| {
        let kind = (symbol.binding(), symbol.elf_type(), symbol.other(), symbol.attach());
        format!("{} {:#x} {} {:?} {kind:?}", symbol.name(), symbol.address(), symbol.size(), symbol.section())
    };
    lines.insert("symbols", surface.symbols().filter(|it| !of_sections(it)).map(symbol).collect());
    lines.insert("symbols of sections", surface.symbols().filter(of_sections).map(symbol).collect());
    let end = surface.meta().btf_types;
    let besides = surface.types().iter().filter(|ty| ty.id().0 >= end);
    lines.insert(
        "types besides BTF",
        besides.map(|ty| format!("{:?} {}", ty.kind(), c::definition(ty))).collect(),
    );
    lines.insert("configuration", surface.configs().map(|config| format!("{config:?}")).collect());
    lines.insert(
        "modules",
        surface.modules().map(|it| format!("{} {} {}", it.path(), it.has_code(), it.has_debug())).collect(),
    );
    lines.extend(tables(surface));
    lines.values_mut().for_each(|lines| lines.sort());
    lines
}

/// What the kernel's own tables and types tell.
fn tables(surface: &Surface) -> Lines {
    let mut lines = Lines::new();
    let end = surface.meta().btf_types;
    let types = surface.types().iter().filter(|ty| ty.id().0 < end);
    lines.insert(
        "types of BTF",
        types.map(|ty| format!("{} {:?} {}", ty.id().0, ty.kind(), c::definition(ty))).collect(),
    );
    let prototype = |ty: Option<depsurf::surface::types::Type<'_>>| ty.map(|ty| c::definition(ty));
    let of_event = |it: depsurf::surface::tracepoint::Tracepoint<'_>| {
        let flags = (it.has_event(), it.is_raw(), it.raw_args(), it.writable_size());
        let words = (it.system(), it.class(), it.format(), it.record().map(|ty| ty.id().0));
        format!("{} {words:?} {flags:?}", it.name())
    };
    lines.insert("tracepoints", surface.tracepoints().map(of_event).collect());
    let of_call = |it: depsurf::surface::syscall::Syscall<'_>| {
        format!(
            "{} {} {} {:?} {} {:?}",
            it.abi(),
            it.number(),
            it.name(),
            it.symbol(),
            it.is_implemented(),
            it.args()
        )
    };
    lines.insert("system calls", surface.syscalls().map(of_call).collect());
    let of_set = |it: depsurf::surface::set::Set<'_>| {
        let members: Vec<(String, u32)> = it.members().map(|one| (one.name.to_owned(), one.flags)).collect();
        format!("{} {members:?}", it.name())
    };
    lines.insert("sets of BTF ids", surface.sets().map(of_set).collect());
    let of_kfunc = |it: depsurf::surface::kfunc::Kfunc<'_>| {
        format!("{} {:#x} {:?}", it.name(), it.flags(), prototype(it.prototype()))
    };
    lines.insert("kfuncs", surface.kfuncs().map(of_kfunc).collect());
    let of_hook = |it: depsurf::surface::lsm::LsmHook<'_>| {
        format!("{} {:#x} {:?}", it.name(), it.flags(), prototype(it.prototype()))
    };
    lines.insert("LSM hooks", surface.lsm_hooks().map(of_hook).collect());
    lines
}

/// What types alone tell.
fn types(surface: &Surface) -> Lines {
    let mut lines = tables(surface);
    lines.retain(|kind, _| *kind == "types of BTF");
    lines.insert("names of kfuncs", surface.kfuncs().map(|it| it.name().to_owned()).collect());
    lines.insert("names of LSM hooks", surface.lsm_hooks().map(|it| it.name().to_owned()).collect());
    lines.values_mut().for_each(|lines| lines.sort());
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_count_as_often_as_they_are_there() {
        let list = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(only(&list("a b b c"), &list("b c d")), ["a", "b"]);
        assert_eq!(only(&list("a b"), &list("a b b")), [""; 0]);
        let lines = |text| Lines::from([("letters", list(text))]);
        let mut compared = Vec::new();
        let found = differences(&lines("a b"), &lines("b c d"), &mut compared);
        assert_eq!(compared, [("letters".to_owned(), 3)]);
        assert_eq!((found[0].all, found[0].missing, found[0].more), (2, 1, 2));
        assert_eq!(found[0].examples, ["- a", "+ c", "+ d"]);
    }
}
