//! The running system, as its own files tell it: facts, and what of a program's hooks is there.
//!
//! Beside [`Live`], what the kernel tells of itself, this reads what an administrator decides. Nothing is loaded, attached or
//! written. What cannot be read is unknown, with the reason and what to do; it is never passed off as absent.

mod facts;
mod observe;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

pub use self::facts::Fact;
pub use self::observe::{Check, Observed, State};

use crate::btf::{self, Base};
use crate::error::Result;
use crate::note::Notes;
use crate::source::ModuleChoice;
use crate::source::live::{Live, Part};
use crate::surface::strings::Strings;
use crate::surface::types::{TypeKind, TypeTable};

/// Bytes of a file that are read at most: the types of a module.
const LIMIT: u64 = 64 << 20;
/// Modules whose types are read at most; a large machine has some 300.
const MODULES: usize = 4096;

/// Functions of the kernel, by name.
#[derive(Debug, Default)]
pub struct Symbols {
    /// For each name of code how many symbols of the image have it.
    image: HashMap<String, u32>,
    /// Modules that have a symbol of the name.
    modules: HashMap<String, String>,
    /// Whether addresses are shown, which takes privileges.
    pub addresses: bool,
    /// Number of all symbols, of data as well.
    pub count: usize,
}

/// The kernel's own types, those of modules behind.
#[derive(Debug)]
pub struct Btf {
    table: TypeTable,
    strings: Strings,
    /// Number of types of the image, `void` included.
    pub types: u32,
    /// Modules that have types, each with the id behind its last.
    modules: Vec<(String, u32)>,
    /// Why the types of some modules could not be read.
    pub unread: Vec<String>,
}

/// What the system's files say, each read once.
#[derive(Debug)]
pub struct System {
    /// What the kernel tells of itself.
    pub live: Live,
    /// The kernel's types.
    pub btf: Part<Btf>,
    /// Symbols.
    pub symbols: Part<Symbols>,
    /// Functions that ftrace can trace.
    pub traceable: Part<HashSet<String>>,
    /// Directories of events, as `SYSTEM/NAME`.
    pub events: Part<HashSet<String>>,
    /// Functions that kprobes keep away from.
    pub blacklist: Part<HashSet<String>>,
    /// Options of the configuration, without those that are not set.
    pub config: Part<BTreeMap<String, String>>,
    /// Active security modules, in their order.
    pub security: Part<Vec<String>>,
    /// `none`, `integrity` or `confidentiality`.
    pub lockdown: Part<String>,
    /// `kernel.unprivileged_bpf_disabled`.
    pub unprivileged: Part<u32>,
    /// `net.core.bpf_jit_enable`.
    pub jit: Part<u32>,
    /// `kernel.kptr_restrict`.
    pub pointers: Part<u32>,
    /// `kernel.ftrace_enabled`.
    pub ftrace: Part<u32>,
}

impl System {
    /// Reads the files below `root`, which is `/` for the system that runs.
    ///
    /// # Errors
    /// When nothing is there: `proc/version` cannot be read.
    pub fn read(root: &Path) -> Result<Self> {
        let live = Live::read(root, &ModuleChoice::None)?;
        let text = |path: &str| text(root, path);
        let number = |path: &str| -> Part<u32> {
            let written = text(path)?;
            written.trim().parse().map_err(|_| format!("`/{path}` is not a number"))
        };
        let security = |name: &str| {
            let path = format!("sys/kernel/security/{name}");
            text(&path).map_err(|why| {
                format!("{why}; where securityfs is not mounted: `mount -t securityfs securityfs /sys/kernel/security`")
            })
        };
        // The first word that is a name: an address may be before it, and a module behind.
        let names = |text: &str, at: usize| -> HashSet<String> {
            text.lines().filter_map(|line| line.split_whitespace().nth(at).map(str::to_owned)).collect()
        };
        let traceable = live.traceable.as_ref().map_err(Clone::clone);
        let config = live.config.as_ref().map_err(Clone::clone);
        Ok(Self {
            btf: types(root, &live),
            symbols: live.kallsyms.as_ref().map_err(Clone::clone).and_then(|text| symbols(text)),
            traceable: traceable.map(|list| names(&list.text, usize::from(list.addresses))),
            events: live
                .events
                .as_ref()
                .map_err(Clone::clone)
                .map(|events| events.iter().map(|it| format!("{}/{}", it.system, it.name)).collect()),
            // `0xffffffff81000000-0xffffffff81000010	name`.
            blacklist: live.blacklist.as_ref().map_err(Clone::clone).map(|text| names(text, 1)),
            config: config.map(|config| options(&config.text)),
            security: security("lsm").map(|text| text.trim().split(',').map(str::to_owned).collect()),
            lockdown: security("lockdown").map(|text| {
                // The active one is in brackets.
                let chosen = text.split_once('[').and_then(|(_, rest)| rest.split_once(']'));
                chosen.map_or_else(|| text.trim().to_owned(), |(word, _)| word.to_owned())
            }),
            unprivileged: number("proc/sys/kernel/unprivileged_bpf_disabled"),
            jit: number("proc/sys/net/core/bpf_jit_enable"),
            pointers: number("proc/sys/kernel/kptr_restrict"),
            ftrace: number("proc/sys/kernel/ftrace_enabled"),
            live,
        })
    }
}

fn bytes(path: PathBuf, told: &str) -> Part<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = fs::File::open(path).and_then(|open| open.take(LIMIT).read_to_end(&mut bytes));
    read.map_err(|error| match error.kind() {
        ErrorKind::NotFound => format!("there is no `/{told}`"),
        ErrorKind::PermissionDenied => format!("`/{told}` may not be read: run as root"),
        _ => format!("cannot read `/{told}`: {error}"),
    })?;
    Ok(bytes)
}

fn text(root: &Path, path: &str) -> Part<String> {
    Ok(String::from_utf8_lossy(&bytes(root.join(path), path)?).into_owned())
}

/// `ffffffff81000000 T name [module]` in each line.
fn symbols(text: &str) -> Part<Symbols> {
    let mut found = Symbols::default();
    for line in text.lines() {
        let mut words = line.split_whitespace();
        let (Some(address), Some(kind), Some(name)) = (words.next(), words.next(), words.next()) else {
            continue;
        };
        found.count += 1;
        found.addresses |= address.bytes().any(|digit| digit != b'0');
        if !matches!(kind, "t" | "T" | "w" | "W") {
            continue;
        }
        match words.next() {
            Some(module) => {
                let module = module.trim_matches(['[', ']']).to_owned();
                found.modules.entry(name.to_owned()).or_insert(module);
            }
            None => *found.image.entry(name.to_owned()).or_default() += 1,
        }
    }
    match found.count {
        0 => Err("`/proc/kallsyms` is empty: the kernel was built without CONFIG_KALLSYMS".into()),
        _ => Ok(found),
    }
}

/// The types of the image and of all modules.
fn types(root: &Path, live: &Live) -> Part<Btf> {
    const DIRECTORY: &str = "sys/kernel/btf";
    let blob = live.btf.as_ref().map_err(Clone::clone)?;
    let wrong = |name: &str, error: crate::Error| format!("`/{DIRECTORY}/{name}`: {error}");
    let (mut strings, mut notes) = (Strings::new(), Notes::new());
    let table = btf::read(blob, &mut strings, &mut notes).map_err(|error| wrong("vmlinux", error))?;
    let base = Base::new(blob).map_err(|error| wrong("vmlinux", error))?;
    let types = table.next_id().0;
    let mut found = Btf { table, strings, types, modules: Vec::new(), unread: Vec::new() };
    let entries = fs::read_dir(root.join(DIRECTORY)).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let mut names: Vec<String> = names.filter(|name| name != "vmlinux").take(MODULES).collect();
    names.sort();
    for name in names {
        let path = format!("{DIRECTORY}/{name}");
        let read = bytes(root.join(&path), &path).and_then(|blob| {
            btf::read_split(&blob, base, &mut found.table, &mut found.strings, &mut notes)
                .map_err(|error| wrong(&name, error))
        });
        match read {
            Ok(ids) => found.modules.push((name, ids.end)),
            Err(why) => found.unread.push(why),
        }
    }
    Ok(found)
}

impl Btf {
    /// How many modules have types of their own.
    #[must_use]
    pub fn module_count(&self) -> usize {
        self.modules.len()
    }

    /// Where a type of a kind and name is: `vmlinux`, or a module.
    fn find(&self, kind: TypeKind, name: &str) -> Option<&str> {
        let wanted = self.strings.find(name)?;
        // The kind is in the low byte, marks are above (`surface::record::Type`).
        let is_it = |record: &crate::surface::record::Type| {
            record.name.get() == wanted.0 && TypeKind::from_number(record.kind.get() as u8) == Some(kind)
        };
        let place = self.table.records().iter().position(is_it)?;
        let id = u32::try_from(place).ok()?;
        if id < self.types {
            return Some("vmlinux");
        }
        self.modules.iter().find(|module| id < module.1).map(|module| module.0.as_str())
    }
}

/// Options that are set.
fn options(text: &str) -> BTreeMap<String, String> {
    let option = |line: &str| {
        let (name, value) = line.split_once('=')?;
        name.starts_with("CONFIG_").then(|| (name.to_owned(), value.to_owned()))
    };
    text.lines().filter_map(option).collect()
}
