//! What a running kernel tells of itself in `/proc`, `/sys` and `/boot`: read here, understood in
//! [`crate::extract::live`].
//!
//! Every part that cannot be read is the reason for that and what to do, so that a surface can say it.

use std::collections::HashMap;
use std::fs;
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

use super::{Config, ModuleChoice, Origin, modules, plain_config};
use crate::error::{Error, Result};

/// A part of what the kernel tells: its contents, or why it is not known and what to do.
pub type Part<T> = std::result::Result<T, String>;

/// The largest file that is read; `kallsyms` of a large kernel with all modules has 30 MiB.
const LARGEST: u64 = 256 << 20;
/// More events than any kernel has; the largest have 4,000.
const MOST_EVENTS: usize = 1 << 16;

/// A trace event, as `events/SYSTEM/NAME` describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Directory below `events`.
    pub system: String,
    /// Directory below that.
    pub name: String,
    /// Contents of its file `format`.
    pub format: String,
}

/// Everything that was read. Paths in the reasons are those of the machine that the kernel runs on.
#[derive(Debug)]
pub struct Live {
    /// `/proc/version`, without its newline.
    pub banner: String,
    /// `/sys/kernel/btf/vmlinux`.
    pub btf: Part<Vec<u8>>,
    /// `/proc/kallsyms`.
    pub kallsyms: Part<String>,
    /// `available_filter_functions_addrs`, lines of address and name; else `available_filter_functions`, names.
    pub traceable: Part<Traceable>,
    /// `kprobes/blacklist` of debugfs.
    pub blacklist: Part<String>,
    /// `error_injection/list` of debugfs.
    pub error_injection: Part<String>,
    /// The events of tracefs, in the order of their paths.
    pub events: Part<Vec<Event>>,
    /// `/sys/kernel/notes`: the ELF notes of the image.
    pub notes: Part<Vec<u8>>,
    /// The loaded modules that are read, by path.
    pub modules: Vec<Module>,
    /// Names of the loaded modules that are not.
    pub left_out: Part<Vec<String>>,
    /// `/proc/config.gz`, else `/boot/config-RELEASE` or `/lib/modules/RELEASE/config`.
    pub config: Part<Config>,
}

/// A loaded module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Module {
    /// Name, as `/proc/modules` has it.
    pub name: String,
    /// Path of its file below `lib/modules/RELEASE/`, without the ending of compressed ones; the name alone where
    /// `modules.dep` does not tell.
    pub path: String,
    /// `/sys/kernel/btf/NAME`: types that build on those of the kernel. `None` where the kernel has no such file.
    pub btf: Part<Option<Vec<u8>>>,
}

/// The functions with an ftrace site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Traceable {
    /// The file's lines.
    pub text: String,
    /// Whether each line begins with an address.
    pub addresses: bool,
}

impl Live {
    /// `uname -r`.
    #[must_use]
    pub fn release(&self) -> Option<&str> {
        release_of(&self.banner)
    }

    /// Reads the files below a root directory, which is `/` for the kernel that runs, and of loaded modules those that are chosen.
    ///
    /// # Errors
    /// When `proc/version` cannot be read: then nothing is there.
    pub fn read(root: &Path, choice: &ModuleChoice) -> Result<Self> {
        let path = root.join("proc/version");
        let banner = fs::read_to_string(&path).map_err(|e| Error::io("cannot read", &path, e))?;
        let banner = banner.trim_end().to_owned();
        let files = Files { root };
        let mut live = Self {
            banner,
            btf: files.bytes("sys/kernel/btf/vmlinux").map_err(|e| match e.kind() {
                ErrorKind::NotFound => {
                    "there is no `/sys/kernel/btf/vmlinux`: the kernel was built without CONFIG_DEBUG_INFO_BTF"
                        .into()
                }
                _ => why("sys/kernel/btf/vmlinux", &e),
            }),
            kallsyms: files.text("proc/kallsyms").map_err(|e| why("proc/kallsyms", &e)),
            traceable: files.traceable(),
            blacklist: files.debug("kprobes/blacklist"),
            error_injection: files.debug("error_injection/list"),
            events: files.events(),
            notes: files.bytes("sys/kernel/notes").map_err(|e| why("sys/kernel/notes", &e)),
            modules: Vec::new(),
            left_out: files.text("proc/modules").map(|text| names(&text)).map_err(|e| why("proc/modules", &e)),
            config: Err(String::new()),
        };
        live.config = files.config(live.release());
        if let Ok(loaded) = &mut live.left_out {
            let paths = files.module_paths(release_of(&live.banner));
            for name in std::mem::take(loaded) {
                let path = paths.get(&name).cloned().unwrap_or_else(|| name.clone());
                if choice.takes(&path) {
                    live.modules.push(Module { btf: files.module_btf(&name), name, path });
                } else {
                    loaded.push(name);
                }
            }
            live.modules.sort_by(|a, b| a.path.cmp(&b.path));
        }
        Ok(live)
    }
}

/// Names of modules in the lines of `/proc/modules`. One that is no file name is none.
fn names(text: &str) -> Vec<String> {
    let names = text.lines().filter_map(|line| line.split(' ').next());
    let names = names.filter(|name| !name.is_empty() && !name.contains('/') && !name.starts_with('.'));
    names.map(str::to_owned).collect()
}

fn release_of(banner: &str) -> Option<&str> {
    let rest = banner.strip_prefix("Linux version ")?;
    rest.split(' ').next().filter(|release| !release.is_empty() && !release.contains('/'))
}

/// Where tracefs is: mounted by itself, or below debugfs.
const TRACING: [&str; 2] = ["sys/kernel/tracing", "sys/kernel/debug/tracing"];
const DEBUG: &str = "sys/kernel/debug";

struct Files<'a> {
    root: &'a Path,
}

impl Files<'_> {
    fn path(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    /// The sizes that the kernel tells of these files are wrong, so the limit counts what comes.
    fn bytes(&self, path: &str) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        fs::File::open(self.path(path))?.take(LARGEST + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > LARGEST {
            return Err(io::Error::other(format!("it has more than {} MiB", LARGEST >> 20)));
        }
        Ok(bytes)
    }

    fn text(&self, path: &str) -> io::Result<String> {
        self.bytes(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Whether a directory has anything in it; an unmounted file system is an empty directory, or none.
    fn is_mounted(&self, directory: &str) -> io::Result<bool> {
        match fs::read_dir(self.path(directory)) {
            Ok(mut entries) => Ok(entries.next().is_some()),
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(false),
            Err(e) => Err(e),
        }
    }

    /// Where tracefs is mounted.
    fn tracing(&self) -> Part<&'static str> {
        let mut refused = None;
        for directory in TRACING {
            match self.is_mounted(directory) {
                Ok(true) => return Ok(directory),
                Ok(false) => {}
                Err(e) => refused = refused.or(Some(why(directory, &e))),
            }
        }
        Err(refused.unwrap_or_else(|| {
            "tracefs is not mounted: `mount -t tracefs tracefs /sys/kernel/tracing`".into()
        }))
    }

    fn traceable(&self) -> Part<Traceable> {
        let tracing = self.tracing()?;
        // Newer kernels tell addresses beside the names, so that names that several functions have are told apart.
        let with_addresses = self.text(&format!("{tracing}/available_filter_functions_addrs"));
        if let Ok(text) = with_addresses
            && !text.is_empty()
        {
            return Ok(Traceable { text, addresses: true });
        }
        let path = format!("{tracing}/available_filter_functions");
        match self.text(&path) {
            Ok(text) => Ok(Traceable { text, addresses: false }),
            Err(e) if e.kind() == ErrorKind::NotFound => {
                Err(format!("there is no `/{path}`: the kernel was built without dynamic function tracing"))
            }
            Err(e) => Err(why(&path, &e)),
        }
    }

    /// A file of debugfs.
    fn debug(&self, name: &str) -> Part<String> {
        let path = format!("{DEBUG}/{name}");
        match self.text(&path) {
            Ok(text) => Ok(text),
            Err(e) if e.kind() == ErrorKind::NotFound => Err(match self.is_mounted(DEBUG) {
                Ok(true) => format!("there is no `/{path}`: the kernel was built without it"),
                Ok(false) => format!("debugfs is not mounted: `mount -t debugfs debugfs /{DEBUG}`"),
                Err(e) => why(DEBUG, &e),
            }),
            Err(e) => Err(why(&path, &e)),
        }
    }

    /// All events that can be enabled. A directory without `enable` describes a record of the ring buffer only.
    fn events(&self) -> Part<Vec<Event>> {
        let events = format!("{}/events", self.tracing()?);
        let mut list = Vec::new();
        for system in self.directories(&events).map_err(|e| match e.kind() {
            ErrorKind::NotFound => {
                format!("there is no `/{events}`: the kernel was built without trace events")
            }
            _ => why(&events, &e),
        })? {
            let directory = format!("{events}/{system}");
            for name in self.directories(&directory).map_err(|e| why(&directory, &e))? {
                if list.len() == MOST_EVENTS {
                    return Err(format!("there are more than {MOST_EVENTS} trace events"));
                }
                let path = format!("{directory}/{name}");
                if !self.path(&path).join("enable").exists() {
                    continue;
                }
                let format = format!("{path}/format");
                let format = self.text(&format).map_err(|e| why(&format, &e))?;
                list.push(Event { system: system.clone(), name, format });
            }
        }
        Ok(list)
    }

    /// Names of the directories in one, sorted.
    fn directories(&self, path: &str) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(self.path(path))? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                names.push(entry.file_name().to_string_lossy().into_owned());
            }
        }
        names.sort();
        Ok(names)
    }

    fn module_btf(&self, name: &str) -> Part<Option<Vec<u8>>> {
        let path = format!("sys/kernel/btf/{name}");
        match self.bytes(&path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
            Err(e) => Err(why(&path, &e)),
        }
    }

    /// Paths of modules by name, from the lines of `modules.dep`: `kernel/fs/ext4/ext4.ko.xz: kernel/fs/jbd2/jbd2.ko.xz`.
    fn module_paths(&self, release: Option<&str>) -> HashMap<String, String> {
        let Some(release) = release else { return HashMap::new() };
        let text = self.text(&format!("lib/modules/{release}/modules.dep")).unwrap_or_default();
        let path = |line: &str| {
            let path = line.split_once(':')?.0;
            let end = path.rfind(".ko")? + ".ko".len();
            Some((modules::name_of(&path[..end]), path[..end].to_owned()))
        };
        text.lines().filter_map(path).collect()
    }

    fn config(&self, release: Option<&str>) -> Part<Config> {
        let mut paths = vec!["proc/config.gz".to_owned()];
        if let Some(release) = release {
            paths.push(format!("boot/config-{release}"));
            paths.push(format!("lib/modules/{release}/config"));
        }
        for path in &paths {
            let bytes = match self.bytes(path) {
                Ok(bytes) => bytes,
                Err(e) if e.kind() == ErrorKind::NotFound => continue,
                Err(e) => return Err(why(path, &e)),
            };
            let text = plain_config(&bytes).map_err(|e| format!("`/{path}`: {e}"))?;
            let text = text.ok_or_else(|| format!("`/{path}` is no kernel configuration"))?;
            let origin = Origin { file: format!("/{path}"), package: None, member: None };
            return Ok(Config { text, origin });
        }
        let paths: Vec<String> = paths.iter().map(|path| format!("`/{path}`")).collect();
        Err(format!("there is neither {}", paths.join(" nor ")))
    }
}

/// Why a file could not be read, and what to do.
fn why(path: &str, error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::NotFound => format!("there is no `/{path}`"),
        // EACCES is for users; EPERM is said to root as well where the kernel is locked down.
        ErrorKind::PermissionDenied if error.raw_os_error() == Some(1) => {
            format!("`/{path}` may not be read: the kernel is locked down, or this is a container")
        }
        ErrorKind::PermissionDenied => format!("`/{path}` may not be read: run as root"),
        _ => format!("cannot read `/{path}`: {error}"),
    }
}
