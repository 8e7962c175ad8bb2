//! Conditions of BCC's tools that ask the kernel: of probes in their branches one branch's are attached.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::Regex;

use super::python::{Branch, Python};
use super::{Found, line_at};

/// The branches of a condition, and numbers and places of the probes in them.
type Chain = (Vec<Branch>, Vec<(usize, usize)>);

/// What tools ask the kernel, or try.
static ASKS: LazyLock<Regex> = LazyLock::new(|| {
    compiled(
        r"get_kprobe_functions|get_tracepoints|ksymname|tracepoint_exists|support_kfunc|support_raw_tracepoint|support_lsm|kernel_struct_has_field|^try\b",
    )
});
/// What tools ask of the kernel's version.
static ASKS_VERSION: LazyLock<Regex> = LazyLock::new(|| {
    compiled(r"platform\.release|uname|kernel_version|kver|LINUX_VERSION|StrictVersion|LooseVersion")
});
/// What ends a tool.
static ENDS: LazyLock<Regex> = LazyLock::new(|| compiled(r"\bexit\s*\(|\b_exit\s*\(|\braise\b"));

fn compiled(pattern: &str) -> Regex {
    Regex::new(pattern).expect("the pattern is right")
}

/// Finds branches with probes of which the kernel decides which is taken, and makes groups of them. Branches that the command
/// line decides stay optional: it is not known that any is taken.
pub(super) fn find(python: &Python<'_>, found: &mut Found) {
    let mut chains: BTreeMap<usize, Chain> = BTreeMap::new();
    let mut start = 0;
    let starts: Vec<usize> = python
        .masked
        .split_inclusive('\n')
        .map(|line| {
            let first = start + line.len() - line.trim_start().len();
            start += line.len();
            first
        })
        .collect();
    for (number, probe) in found.probes.iter().enumerate() {
        let Some(&at) = starts.get(probe.line - 1).filter(|_| probe.when.is_some()) else { continue };
        let is_call = python.masked[at..].lines().next().is_some_and(|line| line.contains("attach_"));
        // Where a condition is around the condition, it may be that none of its branches is taken.
        if !is_call || python.conditions(at).len() != 1 {
            continue;
        }
        let Some(branches) = python.branches(at) else { continue };
        let first = branches[0].head.start;
        chains.entry(first).or_insert_with(|| (branches, Vec::new())).1.push((number, at));
    }
    for (branches, probes) in chains.into_values() {
        group(python, &branches, &probes, found);
    }
}

/// One chain of branches. `probes` are numbers and places.
fn group(python: &Python<'_>, branches: &[Branch], probes: &[(usize, usize)], found: &mut Found) {
    let text = |branch: &Branch| {
        python.text.get(branch.head.clone()).unwrap_or_default().trim_end_matches(':').to_owned()
    };
    let is_else = |head: &str| head.starts_with("else") || head.starts_with("except");
    let (Some(first), Some(last)) = (branches.first(), branches.last()) else { return };
    let conditions: Vec<String> = branches.iter().map(text).filter(|head| !is_else(head)).collect();
    let by_version = conditions.iter().any(|head| ASKS_VERSION.is_match(head));
    let asks = conditions.iter().all(|head| ASKS.is_match(head) || ASKS_VERSION.is_match(head));
    // A name that is one of several in a variable is not known to be tried.
    let is_sure = probes.iter().all(|probe| probes.iter().filter(|other| other.1 == probe.1).count() == 1);
    if !asks || !is_else(&text(last)) || !is_sure {
        return;
    }
    let mut alternatives: Vec<Vec<usize>> = Vec::new();
    for branch in branches {
        let here = probes.iter().filter(|(_, at)| branch.body.contains(at)).map(|probe| probe.0);
        let here: Vec<usize> = here.collect();
        if !here.is_empty() {
            alternatives.push(here);
        } else if !ENDS.is_match(&python.masked[branch.body.clone()]) {
            // It goes on without.
            return;
        }
    }
    if by_version {
        let (line, head) = (line_at(python.text, first.head.start), text(first));
        let what = "probes are chosen by the kernel's version, and not by what is there";
        found.notes.lost("script-version-guard", || what.into(), || format!("line {line}: {head}"));
    }
    for number in alternatives.iter().flatten() {
        found.probes[*number].optional = false;
    }
    found.groups.push(alternatives);
}
