//! Fields of structs that C-like code reads through pointers whose type is written down.

use std::collections::{BTreeSet, HashMap};
use std::sync::LazyLock;

use regex::Regex;

use super::{Found, line_at};

fn compiled(pattern: &str) -> Regex {
    Regex::new(pattern).expect("the pattern is right")
}

/// `struct T *v`, in declarations of variables and parameters.
static DECLARED: LazyLock<Regex> = LazyLock::new(|| compiled(r"\bstruct\s+(\w+)\s*\*+\s*(\w+)"));
/// `$v = (struct T *)...;`, as bpftrace has it. What is behind the cast must not be dereferenced.
static ASSIGNED: LazyLock<Regex> =
    LazyLock::new(|| compiled(r"(\$\w+)\s*=\s*\(\s*struct\s+(\w+)\s*\*\s*\)[^;]*;"));
/// `v->f.g`, and whether more follows.
static READ: LazyLock<Regex> = LazyLock::new(|| compiled(r"(\$?\b\w+)\s*->\s*(\w+(?:\s*\.\s*\w+)*)(\s*->)?"));
/// `((struct T *)v)->f.g`.
static CAST: LazyLock<Regex> = LazyLock::new(|| {
    compiled(r"\(\s*\(\s*struct\s+(\w+)\s*\*\s*\)\s*[^()]*\)\s*->\s*(\w+(?:\s*\.\s*\w+)*)(\s*->)?")
});
/// `type *v` of another type: a name for one, or nothing that says what is behind it.
static OTHERWISE: LazyLock<Regex> = LazyLock::new(|| compiled(r"\b(\w+)\s*\*+\s*(\w+)\s*[=;,)]"));
/// `struct T {`: the script's own.
static OWN: LazyLock<Regex> = LazyLock::new(|| compiled(r"\bstruct\s+(\w+)\s*\{"));
/// Where functions of C begin or end.
static FUNCTION: LazyLock<Regex> = LazyLock::new(|| compiled(r"(?m)^\}"));

/// Leaves out fields of structs that a script defines itself, wherever, and names that it replaces before the code is
/// compiled, which are in capitals.
pub(super) fn leave_out_own(text: &str, found: &mut Found) {
    let own: BTreeSet<&str> = OWN.captures_iter(text).map(|it| it.extract::<1>().1[0]).collect();
    let is_placeholder = |part: &str| part.len() > 1 && !part.chars().any(|c| c.is_ascii_lowercase());
    found.fields.retain(|field| {
        let (of, path) = field.path.split_once("::").unwrap_or((&field.path, ""));
        !own.contains(of) && !path.split('.').any(is_placeholder)
    });
}

/// Finds fields in code. `first` is the line of its start. `known` are variables that need no declaration.
pub(super) fn find(code: &str, first: usize, known: &[(&str, &str)], found: &mut Found) {
    let own: BTreeSet<&str> = OWN.captures_iter(code).map(|it| it.extract::<1>().1[0]).collect();
    let mut start = 0;
    let ends = FUNCTION.find_iter(code).map(|it| it.end()).chain([code.len()]);
    for end in ends {
        let part = &code[start..end];
        let at = first + line_at(code, start) - 1;
        let mut types: HashMap<&str, &str> = known.iter().copied().collect();
        for it in DECLARED.captures_iter(part) {
            let [of, variable] = it.extract().1;
            types.insert(variable, of);
        }
        for it in ASSIGNED.captures_iter(part) {
            let [variable, of] = it.extract().1;
            types.insert(variable, of);
        }
        let mut untyped = Vec::new();
        let mut add = |of: &str, path: &str, offset: usize, more: bool| {
            if own.contains(of) {
                return;
            }
            let line = line_at(part, offset);
            let text = part.lines().nth(line - 1).unwrap_or_default();
            let path: String = path.chars().filter(|c| !c.is_whitespace()).collect();
            found.field(format!("{of}::{path}"), "read", at + line - 1, text);
            if more {
                found.notes.lost(
                    "script-field-behind-pointer",
                    || "fields behind a second pointer cannot be seen".into(),
                    || format!("line {}", at + line - 1),
                );
            }
        };
        for it in READ.captures_iter(part) {
            let (Some(variable), Some(path)) = (it.get(1), it.get(2)) else { continue };
            match types.get(variable.as_str()) {
                Some(of) => add(of, path.as_str(), variable.start(), it.get(3).is_some()),
                // The probe's own, which is no struct of the kernel by name.
                None if ["args", "ctx"].contains(&variable.as_str()) => {}
                None if !is_named_by_script(code, part, variable.as_str()) => {
                    untyped.push((at + line_at(part, variable.start()) - 1, it[0].to_owned()));
                }
                None => {}
            }
        }
        for it in CAST.captures_iter(part) {
            let (Some(of), Some(path)) = (it.get(1), it.get(2)) else { continue };
            add(of.as_str(), path.as_str(), of.start(), it.get(3).is_some());
        }
        for (line, text) in untyped {
            found.notes.lost(
                "script-field-untyped",
                || "fields behind pointers without a written type cannot be told".into(),
                || format!("line {line}: {text}"),
            );
        }
        start = end;
    }
}

/// Whether a variable is declared with a name that the script itself gives to a type, as in `typedef struct { ... } val_t;`.
fn is_named_by_script(code: &str, part: &str, variable: &str) -> bool {
    let mut declared = OTHERWISE.captures_iter(part).map(|it| it.extract::<2>().1);
    declared.any(|[of, name]| name == variable && (of.ends_with("_t") || code.contains(&format!("}} {of};"))))
}
