//! BCC's tools: Python that attaches functions of C, which is in its texts.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

use super::guards;
use super::python::Python;
use super::{Found, Probe, fields, is_pattern, line_at};

fn compiled(pattern: &str) -> Regex {
    Regex::new(pattern).expect("the pattern is right")
}

/// Calls of BCC's object that attach something.
static ATTACH: LazyLock<Regex> = LazyLock::new(|| {
    compiled(
        r"\.\s*(attach_kprobe|attach_kretprobe|attach_tracepoint|attach_raw_tracepoint|attach_uprobe|attach_uretprobe|attach_perf_event|attach_xdp|attach_kfunc|attach_kretfunc|attach_lsm|enable_probe)\s*\(",
    )
});
/// The functions that tell the symbol of a system call.
static SYSCALL: LazyLock<Regex> = LazyLock::new(|| compiled(r"get_syscall_(fnname|prefix)\s*\("));
/// Functions of C that are attached by their names.
static BY_NAME: LazyLock<Regex> = LazyLock::new(|| {
    compiled(r"\b(kprobe|kretprobe|tracepoint|raw_tracepoint|kfunc|kretfunc|lsm)__(\w+)\s*\(")
});
/// Macros that make such functions.
static MACRO: LazyLock<Regex> = LazyLock::new(|| {
    compiled(
        r"\b(TRACEPOINT_PROBE|RAW_TRACEPOINT_PROBE|KFUNC_PROBE|KRETFUNC_PROBE|MODULE_KFUNC_PROBE|MODULE_KRETFUNC_PROBE|KMOD_RET|LSM_PROBE|BPF_ITER)\s*\(\s*(\w+)\s*(?:,\s*(\w+))?",
    )
});
/// Comments of C.
static COMMENT: LazyLock<Regex> = LazyLock::new(|| compiled(r"(?s)/\*.*?\*/|//[^\n]*"));

pub(super) fn read(text: &str, found: &mut Found) {
    let python = Python::new(text);
    let attached: Vec<(usize, String, usize)> = ATTACH
        .captures_iter(&python.masked)
        .filter_map(|it| Some((it.get(0)?.start(), it.get(1)?.as_str().to_owned(), it.get(0)?.end() - 1)))
        .collect();
    for number in 0..python.literals.len() {
        of_c(&python, number, found);
    }
    for (at, call, open) in attached {
        attach(&python, at, &call, open, found);
    }
    if let Some(at) = python.masked.find("src_file") {
        found.unseen(line_at(text, at), "C that is in a file of its own");
    }
    if let Some(at) = python.masked.find(".replace(") {
        let message = || "the C is changed before it is compiled; it was read as it is written".into();
        found.notes.lost("script-text-replaced", message, || format!("line {}", line_at(text, at)));
    }
    fields::leave_out_own(text, found);
    found.probes.sort_by_key(|probe| probe.line);
    found.probes.dedup_by(|a, b| (&a.name, &a.sections, &a.when) == (&b.name, &b.sections, &b.when));
    guards::find(&python, found);
}

/// A call that attaches.
fn attach(python: &Python<'_>, at: usize, call: &str, open: usize, found: &mut Found) {
    let line = line_at(python.text, at);
    let arguments = python.arguments(open);
    let named = |name: &str| arguments.iter().find(|it| it.0 == Some(name)).map(|it| it.1.clone());
    let positional = || arguments.iter().find(|it| it.0.is_none()).map(|it| it.1.clone());
    let kind = call.trim_start_matches("attach_");
    let probe = |target: &str| format!("{kind}:{target}");
    let mut told: Vec<(String, Vec<String>)> = Vec::new();
    match kind {
        "kprobe" | "kretprobe" => {
            if let Some(pattern) = named("event_re") {
                if let Some(globs) = python.plain(&pattern).and_then(globs) {
                    let sections = globs.iter().map(|glob| format!("{kind}.multi/{glob}")).collect();
                    told.push((probe(&globs.join("|")), sections));
                }
            } else if let Some(event) = named("event").or_else(positional) {
                for target in targets(python, &event, 0) {
                    let (name, section) = match target {
                        Target::Name(name) => (name.clone(), format!("{kind}/{name}")),
                        Target::Syscall(name) => {
                            (name.clone(), format!("{}syscall/{name}", &kind[..kind.len() - 5]))
                        }
                    };
                    told.push((probe(&name), vec![section]));
                }
            }
        }
        "tracepoint" => {
            let tp = named("tp").or_else(|| named("tp_re")).or_else(positional);
            let tp = tp.and_then(|tp| python.plain(&tp));
            if let Some((category, name)) = tp.and_then(|tp| tp.split_once(':')) {
                let name = name.replace(".*", "*");
                if is_pattern(category) && is_pattern(&name) {
                    told.push((
                        probe(&format!("{category}:{name}")),
                        vec![format!("tracepoint/{category}/{name}")],
                    ));
                }
            }
        }
        "raw_tracepoint" => {
            let name = named("tp").or_else(positional).and_then(|tp| python.plain(&tp));
            if let Some(name) = name.filter(|name| is_pattern(name)) {
                told.push((probe(name), vec![format!("raw_tp/{name}")]));
            }
        }
        // Their functions have the names in C; uprobes and the like are not of the kernel.
        "kfunc" | "kretfunc" | "lsm" => return,
        "perf_event" | "xdp" => told.push((kind.to_owned(), vec![kind.to_owned()])),
        "enable_probe" => told.push(("usdt".into(), vec!["usdt".into()])),
        _ => {
            let both = [named("name"), named("sym")].map(|it| it.and_then(|place| python.plain(&place)));
            let (name, section) = match both {
                [Some(path), Some(symbol)] => (format!("{path}:{symbol}"), format!("{kind}/{path}:{symbol}")),
                _ => ("?".into(), kind.to_owned()),
            };
            told.push((probe(&name), vec![section]));
        }
    }
    if told.is_empty() {
        let what = python.text[at..].lines().next().unwrap_or_default().trim_start_matches('.').trim();
        found.unseen(line, what);
    }
    let conditions = python.conditions(at);
    let several = told.len() > 1;
    for (name, sections) in told {
        let when = conditions.first().map(|it| (*it).to_owned());
        let optional = several || !conditions.is_empty();
        found.probes.push(Probe { name, sections, line, optional, when });
    }
}

enum Target {
    Name(String),
    Syscall(String),
}

/// What the value of an argument may be; empty where it is computed.
fn targets(python: &Python<'_>, place: &Range<usize>, depth: usize) -> Vec<Target> {
    if let Some(name) = python.plain(place) {
        return if is_pattern(name) { vec![Target::Name(name.to_owned())] } else { Vec::new() };
    }
    let written = python.masked.get(place.clone()).unwrap_or_default();
    if SYSCALL.is_match(written) {
        let inside =
            python.literals.iter().filter(|it| it.whole.start >= place.start && it.whole.end <= place.end);
        let names: Vec<&str> = inside.filter_map(|it| python.text.get(it.inner.clone())).collect();
        return match names.as_slice() {
            [name] if is_pattern(name) => vec![Target::Syscall((*name).to_owned())],
            _ => Vec::new(),
        };
    }
    let is_variable = !written.is_empty() && written.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !is_variable || depth > 2 {
        return Vec::new();
    }
    let mut found = Vec::new();
    let mut line_start = 0;
    for line in python.masked.split_inclusive('\n') {
        let end = line_start + line.trim_end().len();
        let assigned =
            line.split_once('=').filter(|(name, value)| name.trim() == written && !value.starts_with('='));
        if let Some((name, _)) = assigned {
            let start = line_start + name.len() + 1;
            let of = targets(python, &python.trimmed(&(start..end.max(start))), depth + 1);
            if of.is_empty() {
                return Vec::new();
            }
            found.extend(of);
        }
        line_start += line.len();
    }
    found
}

/// Patterns that take what a regular expression takes; `None` for what they cannot say.
fn globs(pattern: &str) -> Option<Vec<String>> {
    let of = |part: &str| {
        let part = part.strip_prefix('^').unwrap_or(part);
        let (part, is_whole) = part.strip_suffix('$').map_or((part, false), |part| (part, true));
        let marked = part.replace(r"\.", "\u{1}").replace(r"\d", "?").replace(".*", "*");
        let glob = marked.replace('.', "?").replace('\u{1}', ".");
        is_pattern(&glob).then(|| if is_whole || glob.ends_with('*') { glob } else { format!("{glob}*") })
    };
    pattern.split('|').map(of).collect()
}

/// C in a text: functions that are attached by their names, fields.
fn of_c(python: &Python<'_>, number: usize, found: &mut Found) {
    let literal = &python.literals[number];
    let Some(written) = python.text.get(literal.inner.clone()) else { return };
    if !written.contains('(') && !written.contains("->") {
        return;
    }
    let code = COMMENT.replace_all(written, |it: &regex::Captures<'_>| {
        it[0].chars().map(|c| if c == '\n' { '\n' } else { ' ' }).collect::<String>()
    });
    let first = line_at(python.text, literal.inner.start);
    let when = conditional_use(python, literal.whole.start);
    let add = |name: String, section: Option<String>, at: usize, found: &mut Found| {
        let line = first + line_at(&code, at) - 1;
        match section {
            Some(section) => {
                let (sections, optional, when) = (vec![section], when.is_some(), when.clone());
                found.probes.push(Probe { name, sections, line, optional, when });
            }
            None => found.unseen(line, &name),
        }
    };
    for it in BY_NAME.captures_iter(&code) {
        let (Some(whole), [kind, name]) = (it.get(0), it.extract().1) else { continue };
        let section = match kind {
            "kprobe" | "kretprobe" => Some(match name.strip_prefix("sys_") {
                Some(call) => format!("{}syscall/{call}", &kind[..kind.len() - 5]),
                None => format!("{kind}/{name}"),
            }),
            "tracepoint" => {
                name.split_once("__").map(|(category, name)| format!("tracepoint/{category}/{name}"))
            }
            "raw_tracepoint" => Some(format!("raw_tp/{name}")),
            "lsm" => Some(format!("lsm/{name}")),
            _ => {
                let prefix = if kind == "kfunc" { "fentry" } else { "fexit" };
                Some(match name.split_once("__") {
                    Some((module, name)) if !module.is_empty() => format!("{prefix}/{module}:{name}"),
                    _ => format!("{prefix}/{name}"),
                })
            }
        };
        add(format!("{kind}__{name}"), section, whole.start(), found);
    }
    for it in MACRO.captures_iter(&code) {
        let (Some(whole), Some(kind), Some(name)) = (it.get(0), it.get(1), it.get(2)) else { continue };
        let (name, second) = (name.as_str(), it.get(3).map(|it| it.as_str()));
        let is_placeholder = |name: &str| !name.chars().any(|c| c.is_ascii_lowercase());
        let section = match (kind.as_str(), second) {
            _ if is_placeholder(name) => None,
            ("TRACEPOINT_PROBE", Some(event)) if !is_placeholder(event) => {
                Some(format!("tracepoint/{name}/{event}"))
            }
            ("RAW_TRACEPOINT_PROBE", _) => Some(format!("raw_tp/{name}")),
            ("KFUNC_PROBE", _) => Some(format!("fentry/{name}")),
            ("KRETFUNC_PROBE", _) => Some(format!("fexit/{name}")),
            ("MODULE_KFUNC_PROBE", Some(function)) => Some(format!("fentry/{name}:{function}")),
            ("MODULE_KRETFUNC_PROBE", Some(function)) => Some(format!("fexit/{name}:{function}")),
            ("KMOD_RET", _) => Some(format!("fmod_ret/{name}")),
            ("LSM_PROBE", _) => Some(format!("lsm/{name}")),
            ("BPF_ITER", _) => Some(format!("iter/{name}")),
            _ => None,
        };
        let told = match second
            .filter(|_| kind.as_str().contains("TRACEPOINT_PROBE") && kind.as_str().starts_with('T'))
        {
            Some(event) => format!("{}({name}, {event})", kind.as_str()),
            None => format!("{}({name})", kind.as_str()),
        };
        add(told, section, whole.start(), found);
    }
    fields::find(&code, first, &[], found);
}

/// The condition under which a text is used: its own, or that of every later use of the variable that holds it.
fn conditional_use(python: &Python<'_>, at: usize) -> Option<String> {
    if let Some(condition) = python.conditions(at).first() {
        return Some((*condition).to_owned());
    }
    let start = python.masked[..at].rfind('\n').map_or(0, |it| it + 1);
    let name = python.masked[start..at].split(['=', '+']).next()?.trim();
    if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return None;
    }
    let mut condition = None;
    for (found, _) in python.masked.match_indices(name).filter(|(found, _)| *found > at) {
        let part = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_');
        let behind = &python.masked[found + name.len()..];
        if part(python.masked[..found].chars().next_back()) || part(behind.chars().next()) {
            continue;
        }
        // Other texts that are put behind it, and changes of it, are no uses.
        if behind.trim_start().starts_with("+=") || behind.trim_start().starts_with('=') {
            continue;
        }
        match python.conditions(found).first() {
            Some(first) => condition = condition.or_else(|| Some((*first).to_owned())),
            None => return None,
        }
    }
    condition
}
