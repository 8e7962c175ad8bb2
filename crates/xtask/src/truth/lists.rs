//! What a booted kernel lists of itself, beside the surface: functions with an ftrace site, the kprobe blacklist, events.

use std::collections::{BTreeMap, BTreeSet, HashMap};

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
}

impl Listed {
    /// Some of the names on one side.
    pub fn examples(names: &[String]) -> String {
        let shown: Vec<String> = names.iter().take(SHOWN).map(|name| format!("`{name}`")).collect();
        shown.join(", ")
    }
}

/// The lists that were told.
pub fn compare(surface: &Surface, told: &Told) -> Vec<Listed> {
    let lists = LISTS.iter().filter_map(|(kind, path)| {
        let names = told.lists.get(*kind)?;
        Some(match *kind {
            "ftrace" => by_address(surface, path, names, |bits| bits & record::ATTACH_FTRACE != 0),
            "blacklist" => by_address(surface, path, names, |bits| bits & FORBIDDEN != 0),
            _ => events(surface, path, names),
        })
    });
    lists.collect()
}

/// What puts a symbol on the blacklist.
const FORBIDDEN: u32 =
    record::ATTACH_BLACKLIST | record::ATTACH_KPROBES_TEXT | record::ATTACH_NOINSTR | record::ATTACH_ENTRY;

/// One entry for each address with symbols that are meant. The kernel prints one of the names that are there. What is freed after
/// boot is in neither list.
fn by_address(
    surface: &Surface,
    path: &'static str,
    names: &[String],
    is_meant: impl Fn(u32) -> bool,
) -> Listed {
    let mut places: BTreeMap<u64, (bool, Vec<&str>)> = BTreeMap::new();
    for symbol in surface.symbols().filter(|symbol| symbol.module().is_none()) {
        let (meant, at) = places.entry(symbol.address()).or_default();
        *meant |= is_meant(symbol.attach()) && !symbol.has(record::ATTACH_INIT);
        at.push(symbol.name());
    }
    let mut left: HashMap<&str, usize> = HashMap::new();
    for name in names {
        *left.entry(name).or_default() += 1;
    }
    let mut listed = Listed { path, there: names.len(), ..Listed::default() };
    for (_, at) in places.into_values().filter(|(meant, _)| *meant) {
        match at.iter().find(|name| left.get(**name).is_some_and(|count| *count > 0)) {
            Some(name) => {
                listed.equal += 1;
                *left.entry(name).or_default() -= 1;
            }
            None => listed.only_here.push(at[0].to_owned()),
        }
    }
    let rest = left.into_iter().flat_map(|(name, count)| std::iter::repeat_n(name.to_owned(), count));
    listed.only_there = rest.collect();
    listed.only_there.sort();
    listed.only_here.sort();
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
    }
}
