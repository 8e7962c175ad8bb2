//! bpftrace: `PROBE[, PROBE ...] [/FILTER/] { ACTIONS }`.

use std::sync::LazyLock;

use regex::Regex;

use super::{Found, Probe, fields, is_pattern, line_at};

/// `args->f`, `args.f`.
static ARGS: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\bargs\s*(?:->|\.)\s*(\w+)").expect("the pattern is right"));

pub(super) fn read(text: &str, found: &mut Found) {
    let code = blank(text);
    let bytes = code.as_bytes();
    let mut start = 0;
    while let Some(open) = brace(&code, start) {
        let close = end_of_block(bytes, open);
        let head = &code[start..open];
        // What C declares is at the top, and no probe.
        let first = head.split_whitespace().next().unwrap_or_default();
        let declares =
            ["struct", "union", "enum", "typedef", "macro", "fn", "config", "config="].contains(&first);
        if !declares && !first.is_empty() {
            clause(&code, start, open, close, found);
        }
        start = close;
        // A declaration of C ends with a semicolon.
        while declares && bytes.get(start).is_some_and(|c| c.is_ascii_whitespace() || *c == b';') {
            start += 1;
        }
    }
    fields::leave_out_own(&code, found);
}

/// Whether no code is between conditions of the preprocessor: other directives may be.
pub(super) fn is_compiled_as_written(text: &str) -> bool {
    let mut depth = 0usize;
    for line in text.lines().map(str::trim) {
        match line.strip_prefix('#').map(str::trim_start) {
            Some(directive) if directive.starts_with("if") => depth += 1,
            Some(directive) if directive.starts_with("endif") => depth = depth.saturating_sub(1),
            Some(_) => {}
            None if depth > 0 && !line.is_empty() => return false,
            None => {}
        }
    }
    true
}

/// One clause: its probes and its actions.
fn clause(code: &str, start: usize, open: usize, close: usize, found: &mut Found) {
    let head = &code[start..open];
    let points = &head[..filter(head).unwrap_or(head.len())];
    let first = found.probes.len();
    let mut events = Vec::new();
    let mut count = 0;
    let mut at = start;
    for point in points.split(',') {
        let name = point.trim();
        let line = line_at(code, at + point.len() - point.trim_start().len());
        at += point.len() + 1;
        if name.is_empty() {
            continue;
        }
        count += 1;
        match section(name) {
            Point::Section(section) => {
                if let Some(event) = section.strip_prefix("tracepoint/") {
                    events.push(event.replace('/', ":"));
                }
                let (name, sections) = (name.to_owned(), vec![section]);
                found.probes.push(Probe { name, sections, line, optional: false, when: None });
            }
            Point::Nothing => {}
            Point::Unseen => found.unseen(line, &format!("probe `{name}`")),
        }
    }
    // Of several probes of a clause bpftrace passes over those that it cannot attach, with a warning.
    let several: Vec<usize> = (first..found.probes.len()).collect();
    if count > 1 && several.len() > 1 {
        found.groups.push(several.into_iter().map(|number| vec![number]).collect());
    }
    let body = &code[open..close];
    let first_line = line_at(code, open);
    fields::find(body, first_line, &[("curtask", "task_struct")], found);
    for it in ARGS.captures_iter(&code[start..close]) {
        let (Some(whole), Some(field)) = (it.get(0), it.get(1)) else { continue };
        let line = line_at(code, start + whole.start());
        let text = code.lines().nth(line - 1).unwrap_or_default();
        for event in &events {
            found.field(format!("{event}::{}", field.as_str()), "record field", line, text);
        }
    }
}

enum Point {
    Section(String),
    /// Nothing of the kernel.
    Nothing,
    Unseen,
}

/// libbpf's section for a probe.
fn section(point: &str) -> Point {
    let clean = point.replace('"', "");
    let mut parts = clean.split(':');
    let kind = parts.next().unwrap_or_default();
    let rest: Vec<&str> = parts.collect();
    let last = rest.last().copied().unwrap_or_default();
    let is_name = |name: &str| is_pattern(name);
    let has_pattern = |name: &str| name.contains(['*', '?']);
    let of = |section: String| Point::Section(section);
    match kind {
        "BEGIN" | "END" | "begin" | "end" | "self" | "bench" | "test" => Point::Nothing,
        "kprobe" | "k" | "kretprobe" | "kr" => {
            let prefix = if matches!(kind, "kprobe" | "k") { "kprobe" } else { "kretprobe" };
            let name = last.split('+').next().unwrap_or_default();
            match () {
                () if !is_name(name) => Point::Unseen,
                () if has_pattern(name) => of(format!("{prefix}.multi/{last}")),
                () => of(format!("{prefix}/{last}")),
            }
        }
        "kfunc" | "f" | "fentry" | "kretfunc" | "fr" | "fexit" => {
            let prefix = if matches!(kind, "kfunc" | "f" | "fentry") { "fentry" } else { "fexit" };
            let multi = if has_pattern(&clean) { ".multi" } else { "" };
            match rest.as_slice() {
                [name] | ["vmlinux", name] if is_name(name) => of(format!("{prefix}{multi}/{name}")),
                [module, name] if is_name(module) && is_name(name) => {
                    of(format!("{prefix}{multi}/{module}:{name}"))
                }
                _ => Point::Unseen,
            }
        }
        "tracepoint" | "t" => match rest.as_slice() {
            [category, name] if is_name(category) && is_name(name) => {
                of(format!("tracepoint/{category}/{name}"))
            }
            _ => Point::Unseen,
        },
        "rawtracepoint" | "rt" => {
            if is_name(last) {
                of(format!("raw_tp/{last}"))
            } else {
                Point::Unseen
            }
        }
        "iter" | "it" => match rest.first() {
            Some(name) if is_name(name) => of(format!("iter/{name}")),
            _ => Point::Unseen,
        },
        "uprobe" | "u" | "uretprobe" | "ur" => {
            let prefix = if matches!(kind, "uprobe" | "u") { "uprobe" } else { "uretprobe" };
            match rest.as_slice() {
                [path, .., function] if !path.is_empty() && !function.is_empty() => {
                    of(format!("{prefix}/{path}:{function}"))
                }
                _ => Point::Unseen,
            }
        }
        "usdt" | "U" => of("usdt".into()),
        "hardware" | "h" | "software" | "s" | "profile" | "p" | "interval" | "i" | "watchpoint" | "w"
        | "asyncwatchpoint" | "aw" => of("perf_event".into()),
        _ => Point::Unseen,
    }
}

/// Where the filter begins: a `/` behind white space that is not the start of a path.
fn filter(head: &str) -> Option<usize> {
    let bytes = head.as_bytes();
    let begins = |&at: &usize| {
        if bytes[at] != b'/' || !bytes[at - 1].is_ascii_whitespace() {
            return false;
        }
        let before = head[..at].trim_end();
        !before.is_empty() && !before.ends_with([',', ':'])
    };
    (1..bytes.len()).find(begins)
}

/// The next `{` outside of texts.
fn brace(code: &str, from: usize) -> Option<usize> {
    let bytes = code.as_bytes();
    let mut at = from;
    while at < bytes.len() {
        match bytes[at] {
            b'"' => at = end_of_text(bytes, at),
            b'{' => return Some(at),
            _ => at += 1,
        }
    }
    None
}

/// Behind the `}` that belongs to a `{`, or the end.
fn end_of_block(bytes: &[u8], open: usize) -> usize {
    let (mut at, mut depth) = (open, 0usize);
    while at < bytes.len() {
        match bytes[at] {
            b'"' => {
                at = end_of_text(bytes, at);
                continue;
            }
            b'{' => depth += 1,
            b'}' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return at + 1;
                }
            }
            _ => {}
        }
        at += 1;
    }
    bytes.len()
}

/// Behind a text in quotes, which ends with its line at the latest.
fn end_of_text(bytes: &[u8], quote: usize) -> usize {
    let mut at = quote + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 1,
            b'"' => return at + 1,
            b'\n' => return at,
            _ => {}
        }
        at += 1;
    }
    bytes.len()
}

/// The text with comments and lines of the preprocessor as spaces, so that places stay what they are.
fn blank(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = bytes.to_vec();
    let mut at = 0;
    let mut fresh = true;
    let mut wipe = |from: usize, to: usize| {
        out[from..to.min(bytes.len())].iter_mut().filter(|c| **c != b'\n').for_each(|c| *c = b' ');
    };
    let line_end =
        |from: usize| bytes[from..].iter().position(|c| *c == b'\n').map_or(bytes.len(), |it| from + it);
    while at < bytes.len() {
        match (bytes[at], bytes.get(at + 1)) {
            (b'/', Some(b'*')) => {
                let end = bytes[at + 2..]
                    .windows(2)
                    .position(|it| it == b"*/")
                    .map_or(bytes.len(), |it| at + it + 4);
                wipe(at, end);
                at = end;
            }
            (b'/', Some(b'/')) => {
                let end = line_end(at);
                wipe(at, end);
                at = end;
            }
            (b'#', _) if fresh => {
                let mut end = line_end(at);
                while end < bytes.len() && bytes[end - 1] == b'\\' {
                    end = line_end(end + 1);
                }
                wipe(at, end);
                at = end;
            }
            (b'"', _) => {
                at = end_of_text(bytes, at);
                fresh = false;
            }
            (c, _) => {
                fresh = c == b'\n' || fresh && c.is_ascii_whitespace();
                at += 1;
            }
        }
    }
    // Only whole characters inside of comments were replaced, byte by byte.
    String::from_utf8(out).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}
