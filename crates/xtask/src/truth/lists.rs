//! What a booted kernel lists of itself, beside the surface: functions with an ftrace site, the kprobe blacklist, events.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use depsurf::surface::attach::{Answer, Obstacle};
use depsurf::surface::symbol::base_name;
use depsurf::surface::syscall::EVENT_SYSTEM;
use depsurf::surface::{Surface, record};

use super::outcome::Told;

/// A list: its word on the console, and the file.
const LISTS: [(&str, &str); 3] = [
    ("ftrace", "/sys/kernel/tracing/available_filter_functions"),
    ("blacklist", "/sys/kernel/debug/kprobes/blacklist"),
    ("events", "/sys/kernel/tracing/available_events"),
];

/// Names that are shown of a class.
const SHOWN: usize = 6;

/// What the machine's program is to tell.
pub fn asked() -> String {
    LISTS.iter().map(|(kind, path)| format!("{kind} {path}\n")).collect()
}

/// A list compared.
#[derive(Debug, Default)]
pub struct Listed {
    /// The file.
    pub path: &'static str,
    /// Entries in it.
    pub there: usize,
    pub equal: usize,
    pub only_there: Vec<String>,
    pub only_here: Vec<String>,
    /// Differences of which it is known why, by reason.
    pub explained: BTreeMap<&'static str, Vec<String>>,
}

impl Listed {
    /// Some of the names on one side.
    pub fn examples(names: &[String]) -> String {
        let shown: Vec<String> = names.iter().take(SHOWN).map(|name| format!("`{name}`")).collect();
        shown.join(", ")
    }

    fn explain(&mut self, reason: &'static str, name: &str) {
        self.explained.entry(reason).or_default().push(name.to_owned());
    }
}

/// The lists that were told.
pub fn compare(surface: &Surface, told: &Told) -> Vec<Listed> {
    let lists = LISTS.iter().filter_map(|(kind, path)| {
        let names = told.lists.get(*kind)?;
        Some(match *kind {
            "ftrace" => sites(surface, path, names),
            "blacklist" => blacklist(surface, path, names),
            _ => events(surface, path, names),
        })
    });
    lists.collect()
}

/// Names of the symbols of vmlinux at each address, where one of them has some of the bits. What is freed after boot is in no list.
fn with(surface: &Surface, bits: u32) -> impl Iterator<Item = Vec<&str>> {
    let mut places: BTreeMap<u64, (bool, Vec<&str>)> = BTreeMap::new();
    for symbol in surface.symbols().filter(|symbol| symbol.module().is_none()) {
        let (meant, at) = places.entry(symbol.address()).or_default();
        *meant |= symbol.attach() & bits != 0 && !symbol.has(record::ATTACH_INIT);
        at.push(symbol.name());
    }
    places.into_values().filter_map(|(meant, at)| meant.then_some(at))
}

/// Functions with an ftrace site. The kernel prints one of the names that are at the entry.
fn sites(surface: &Surface, path: &'static str, names: &[String]) -> Listed {
    let mut left: HashMap<&str, usize> = HashMap::new();
    for name in names {
        *left.entry(name).or_default() += 1;
    }
    let mut listed = Listed { path, there: names.len(), ..Listed::default() };
    for at in with(surface, record::ATTACH_FTRACE) {
        match at.iter().find(|name| left.get(**name).is_some_and(|count| *count > 0)) {
            Some(name) => {
                listed.equal += 1;
                *left.entry(name).or_default() -= 1;
            }
            None => listed.only_here.push(at[0].to_owned()),
        }
    }
    let rest = left.into_iter().flat_map(|(name, count)| std::iter::repeat_n(name, count));
    let mut rest: Vec<&str> = rest.collect();
    rest.sort_unstable();
    for name in rest {
        if name.starts_with("__ftrace_invalid_address__") {
            listed.explain(REPLACED, name);
        } else if surface.symbols_named(name).next().is_some() {
            listed.explain(REPLACED_BEHIND, name);
        } else {
            listed.only_there.push(name.to_owned());
        }
    }
    listed
}

const REPLACED: &str = "only there: the site of a weak function that another file replaced, under a name made for it; nothing is hooked there";
const REPLACED_BEHIND: &str = "only there: a second site under the name of the function before it, which is that of a weak function that \
    another file replaced";
const REFUSED: &str =
    "only there: refused all the same, because several symbols have the name, or for want of an ftrace site";
const SUFFIXED: &str =
    "only here: a part or clone of a function that is listed; the kernel looks for the name before the dot";
const MAPPING: &str =
    "only here: a mark of the assembler between code and data, which is in no table of the kernel";

/// What puts a symbol on the blacklist.
const FORBIDDEN: u32 =
    record::ATTACH_BLACKLIST | record::ATTACH_KPROBES_TEXT | record::ATTACH_NOINSTR | record::ATTACH_ENTRY;

/// The kprobe blacklist: what is listed must be refused for that, and what is said to be on it must be listed.
fn blacklist(surface: &Surface, path: &'static str, names: &[String]) -> Listed {
    let mut listed = Listed { path, there: names.len(), ..Listed::default() };
    for name in names {
        match surface.attach(name).kprobe {
            Answer::No { reason: Obstacle::Blacklisted | Obstacle::ForbiddenText { .. } } => {
                listed.equal += 1;
            }
            Answer::No { reason: Obstacle::SeveralSymbols { .. } | Obstacle::NoFtraceSite { .. } } => {
                listed.explain(REFUSED, name);
            }
            answer => listed.only_there.push(format!("{name}: {answer}")),
        }
    }
    let there: BTreeSet<&str> = names.iter().map(String::as_str).collect();
    for at in with(surface, FORBIDDEN) {
        let is_listed = |name: &&str| there.contains(base_name(name));
        if at.iter().any(|name| there.contains(name)) {
            continue;
        }
        match at[0] {
            name if at.iter().any(is_listed) => listed.explain(SUFFIXED, name),
            name if name.contains('$') => listed.explain(MAPPING, name),
            name => listed.only_here.push(name.to_owned()),
        }
    }
    listed
}

fn events(surface: &Surface, path: &'static str, names: &[String]) -> Listed {
    let events = surface.tracepoints().filter(|event| event.has_event() && event.module().is_none());
    let events = events.map(|event| format!("{}:{}", event.system().unwrap_or_default(), event.name()));
    let of_syscalls = surface.syscall_events().into_iter().map(|it| format!("{EVENT_SYSTEM}:{}", it.name()));
    let here: BTreeSet<String> = events.chain(of_syscalls).collect();
    let there: BTreeSet<String> = names.iter().cloned().collect();
    Listed {
        path,
        there: there.len(),
        equal: here.intersection(&there).count(),
        only_there: there.difference(&here).cloned().collect(),
        only_here: here.difference(&there).cloned().collect(),
        explained: BTreeMap::new(),
    }
}
