//! The surface of a running kernel, from what [`crate::source::live`] read: BTF, `kallsyms`, the lists of tracefs
//! and debugfs, and the configuration.
//!
//! It is a surface of what can be attached to now: names are those of `kallsyms`, and the ftrace sites and the
//! kprobe blacklist are the kernel's own lists. Without the kernel's memory its tables are unknown: system calls and
//! the sets of `.BTF_ids`. Modules are left out.

use std::ops::Range;

use hashbrown::HashMap;
use object::Endianness;
use object::elf::{SHN_ABS, STB_GLOBAL, STB_LOCAL, STB_WEAK, STT_FUNC, STT_NOTYPE, STT_OBJECT};

use crate::error::{Error, Result};
use crate::image;
use crate::kernel::Arch;
use crate::note::Notes;
use crate::progress::Progress;
use crate::source::live::{Live, Traceable};
use crate::surface::build::Parts;
use crate::surface::meta::{Evidence, Fact};
use crate::surface::record::{
    self, ATTACH_BLACKLIST, ATTACH_ERROR_INJECTION, ATTACH_EXPORTED, ATTACH_EXPORTED_GPL, ATTACH_FTRACE,
    ATTACH_INIT, ATTACH_KPROBES_TEXT, ATTACH_NOINSTR, NONE,
};
use crate::surface::strings::Strings;
use crate::surface::symbol::base_name;
use crate::surface::types::TypeTable;

use super::{Extracted, Options, btf, config, finish, identity, tracepoint};

/// Extracts the surface of a running kernel.
///
/// # Errors
/// When its BTF is damaged, or it does not tell its architecture or its name and [`Options::name`] does not either; with
/// [`Options::strict`] also when anything was lost.
pub fn surface(live: &Live, options: &Options, progress: &dyn Progress) -> Result<Extracted> {
    progress.step("read types", None);
    let mut notes = Notes::new();
    let btf = live.btf.as_ref().map_err(Clone::clone);
    let (types, strings, machine) = match btf {
        Ok(bytes) => {
            let read = btf::read(bytes, &mut notes).map_err(|e| e.at("/sys/kernel/btf/vmlinux"))?;
            (read.0, read.1, Some(read.2))
        }
        Err(_) => (TypeTable::new(), Strings::new(), None),
    };
    let machine = machine.filter(|machine| machine.arch.is_some());
    let arch = machine
        .and_then(|machine| machine.arch)
        .or_else(|| arch_of_config(live))
        .or(options.name.as_ref().map(|name| name.arch))
        .ok_or_else(|| Error::Usage {
            what: "neither BTF nor configuration tell the running kernel's architecture".into(),
            help: Some("say it with `--name VERSION-RELEASE-FLAVOUR-ARCH`".into()),
        })?;
    let &image::Machine { address_size, big_endian, .. } = image::arch::of(arch);
    let endian = if big_endian { Endianness::Big } else { Endianness::Little };

    progress.step("read symbols", None);
    let symbols = Symbols::parse(live.kallsyms.as_deref().unwrap_or_default(), &mut notes);
    let meta = identity::of(identity::Given {
        banner: &live.banner,
        arch,
        big_endian,
        address_size,
        base_address: symbols.address_of("_stext").or(symbols.address_of("_text")).unwrap_or(0),
        build_id: live.notes.as_ref().ok().and_then(|bytes| image::build_id(bytes, endian)),
        compiler: None,
        package: None,
        name: options.name.as_ref(),
    })?;
    let mut parts = Parts::new(meta);
    parts.strings = strings;
    parts.types = types;

    btf::store(&mut parts, "/sys/kernel/btf/vmlinux");
    if let Err(reason) = btf {
        for fact in [Fact::Btf, Fact::Types, Fact::LsmHooks, Fact::Kfuncs] {
            parts.meta.evidence.insert(fact, Evidence::unknown(reason.clone()));
        }
    }
    let types = parts.types.view(&parts.strings, &parts.types_by_name);
    let mut tracepoints = tracepoint::of_types(types);
    tracepoints.add_events(&live.events, types, &mut notes);
    tracepoints.store(&mut parts, |_| None);

    progress.step("read lists", None);
    let bits = Attach::new(&symbols, live).read(&mut parts, &mut notes);
    store_symbols(&symbols, &bits, live, &mut parts, &mut notes);
    tell_unknown(&mut parts);
    match &live.config {
        Ok(config) => {
            config::store(Some((&config.text, &config.origin.file)), &mut parts, &mut notes);
        }
        Err(reason) => {
            parts.meta.evidence.insert(Fact::Config, Evidence::unknown(reason.clone()));
        }
    }
    if let Ok(modules) = &live.modules
        && let Some(first) = modules.first()
    {
        let count = modules.len() as u64;
        let what = || "a loaded module is left out".into();
        notes.add("live-module", count, false, what, Some(|| format!("module `{first}`")));
    }
    finish(parts, notes, options, progress)
}

/// What only the kernel's memory or its debug information would tell.
fn tell_unknown(parts: &mut Parts) {
    let mut unknown = |fact, reason: &str| parts.meta.evidence.insert(fact, Evidence::unknown(reason));
    unknown(Fact::Functions, "a running kernel has no debug information");
    let memory = "the running kernel's memory is not read: add its image or its debug package";
    for fact in [Fact::BtfIds, Fact::Syscalls, Fact::SyscallMetadata, Fact::CompatSyscalls] {
        unknown(fact, memory);
    }
    unknown(Fact::Modules, "only what is built into the kernel is read");
}

/// The architecture by the heading of the configuration, `# Linux/x86 6.1.176 Kernel Configuration`, and the options
/// that decide between the two widths and byte orders.
fn arch_of_config(live: &Live) -> Option<Arch> {
    let text = &live.config.as_ref().ok()?.text;
    let heading = text.lines().take(8).find_map(|line| line.strip_prefix("# Linux/"))?;
    let is_set = |option: &str| text.lines().any(|line| line.strip_prefix(option) == Some("=y"));
    let wide = is_set("CONFIG_64BIT");
    let little = !is_set("CONFIG_CPU_BIG_ENDIAN");
    match heading.split(' ').next()? {
        "x86" | "x86_64" if wide => Some(Arch::Amd64),
        "x86" | "i386" => Some(Arch::I386),
        "arm64" if little => Some(Arch::Arm64),
        "arm" if little => Some(Arch::Armhf),
        "riscv" if wide => Some(Arch::Riscv64),
        "s390" => Some(Arch::S390x),
        "powerpc" if wide && little => Some(Arch::Ppc64el),
        "loongarch" if wide => Some(Arch::Loong64),
        "mips" if wide && little => Some(Arch::Mips64el),
        _ => None,
    }
}

/// A line of `kallsyms`.
struct Symbol<'a> {
    name: &'a str,
    /// 0 where the kernel hides it.
    address: u64,
    /// The letter that `nm` prints for its kind; a capital for global symbols.
    letter: u8,
}

/// The symbols of the kernel itself, in its order, which is that of the addresses.
struct Symbols<'a> {
    list: Vec<Symbol<'a>>,
    by_name: HashMap<&'a str, Vec<u32>>,
    by_address: HashMap<u64, Vec<u32>>,
    /// Whether the kernel tells no addresses.
    hidden: bool,
}

impl<'a> Symbols<'a> {
    fn parse(text: &'a str, notes: &mut Notes) -> Self {
        let mut list = Vec::new();
        for line in text.lines() {
            let mut words = line.split_ascii_whitespace();
            let symbol = (|| {
                let address = u64::from_str_radix(words.next()?, 16).ok()?;
                let &[letter] = words.next()?.as_bytes() else { return None };
                Some(Symbol { address, letter, name: words.next()? })
            })();
            match symbol {
                // `[ext4]`, `[bpf]`, `[__builtin__ftrace]`: of modules, and code made at run time.
                Some(_) if words.next().is_some() => {}
                Some(symbol) => list.push(symbol),
                None => notes.lost(
                    "kallsyms-line",
                    || "a line of `/proc/kallsyms` is no symbol".into(),
                    || line.chars().take(80).collect(),
                ),
            }
        }
        let mut by_name: HashMap<&str, Vec<u32>> = HashMap::with_capacity(list.len());
        let mut by_address: HashMap<u64, Vec<u32>> = HashMap::with_capacity(list.len());
        for (index, symbol) in (0u32..).zip(&list) {
            by_name.entry(symbol.name).or_default().push(index);
            by_address.entry(symbol.address).or_default().push(index);
        }
        let hidden = list.iter().all(|symbol| symbol.address == 0);
        Self { list, by_name, by_address, hidden }
    }

    fn named(&self, name: &str) -> &[u32] {
        self.by_name.get(name).map_or(&[], Vec::as_slice)
    }

    /// The address of a name; `None` where it is hidden.
    fn address_of(&self, name: &str) -> Option<u64> {
        let address = self.list[*self.named(name).first()? as usize].address;
        (address != 0).then_some(address)
    }

    fn between(&self, start: &str, stop: &str) -> Option<Range<u64>> {
        Some(self.address_of(start)?..self.address_of(stop)?)
    }
}

/// Finds out `record::ATTACH_*` bits.
struct Attach<'a> {
    symbols: &'a Symbols<'a>,
    live: &'a Live,
    bits: Vec<u32>,
}

impl<'a> Attach<'a> {
    fn new(symbols: &'a Symbols<'a>, live: &'a Live) -> Self {
        Self { symbols, live, bits: vec![0; symbols.list.len()] }
    }

    fn read(mut self, parts: &mut Parts, notes: &mut Notes) -> Vec<u32> {
        let sites = match &self.live.traceable {
            Ok(traceable) => {
                self.ftrace_sites(traceable, notes);
                Evidence::known("available_filter_functions")
            }
            Err(reason) => Evidence::unknown(reason.clone()),
        };
        let blacklist = match &self.live.blacklist {
            Ok(text) => {
                self.kprobe_blacklist(text);
                Evidence::known("kprobes/blacklist")
            }
            Err(reason) => Evidence::unknown(reason.clone()),
        };
        let error_injection = self.error_injection();
        let exports = self.exports();
        if let Some(init) = self.symbols.between("_sinittext", "_einittext") {
            self.mark_range(&init, ATTACH_INIT);
        }
        let evidence = [
            (Fact::FtraceSites, sites),
            (Fact::KprobeBlacklist, blacklist),
            (Fact::ErrorInjection, error_injection),
            (Fact::Exports, exports),
        ];
        parts.meta.evidence.extend(evidence);
        self.bits
    }

    fn mark_range(&mut self, range: &Range<u64>, bit: u32) {
        for (symbol, bits) in self.symbols.list.iter().zip(&mut self.bits) {
            if range.contains(&symbol.address) {
                *bits |= bit;
            }
        }
    }

    /// Sets a bit for one of the symbols and its aliases. Where addresses are hidden it has none.
    fn mark(&mut self, index: u32, bit: u32) {
        let address = self.symbols.list[index as usize].address;
        let aliases = self.symbols.by_address.get(&address).filter(|_| address != 0);
        for &index in aliases.map_or(std::slice::from_ref(&index), Vec::as_slice) {
            self.bits[index as usize] |= bit;
        }
    }

    /// Lines like `vfs_read`, `ffffffff8123 vfs_read` and `ext4_read [ext4]`. Sites in code that is gone have a
    /// name that no symbol has, `__ftrace_invalid_address___1234`.
    fn ftrace_sites(&mut self, traceable: &Traceable, notes: &mut Notes) {
        let mut lines_of: HashMap<&str, usize> = HashMap::new();
        for line in traceable.text.lines() {
            let mut words = line.split_ascii_whitespace();
            let site = if traceable.addresses {
                words.next().and_then(|word| u64::from_str_radix(word, 16).ok()).filter(|site| *site != 0)
            } else {
                None
            };
            let Some(name) = words.next() else { continue };
            if words.next().is_some_and(|module| module.starts_with('[')) {
                continue;
            }
            let named = self.symbols.named(name);
            match site.filter(|_| !self.symbols.hidden) {
                Some(site) => {
                    // The site is in its function, behind the instruction that marks a branch target, or two
                    // words before the entry.
                    let at = |index: &&u32| self.symbols.list[**index as usize].address <= site + 8;
                    let nearest = named.iter().filter(at);
                    if let Some(&index) =
                        nearest.max_by_key(|index| self.symbols.list[**index as usize].address)
                    {
                        self.mark(index, ATTACH_FTRACE);
                    }
                }
                None => {
                    *lines_of.entry(name).or_default() += 1;
                    for &index in named {
                        self.mark(index, ATTACH_FTRACE);
                    }
                }
            }
        }
        for (name, lines) in lines_of {
            let symbols = self.symbols.named(name).len();
            if symbols > lines {
                notes.skipped(
                    "ftrace-ambiguous",
                    || {
                        "not every function of a name can be traced, and the kernel does not tell which"
                            .into()
                    },
                    || format!("`{name}`: {lines} of {symbols}"),
                );
            }
        }
    }

    /// Lines like `0xffffffff81a0-0xffffffff81b0\tname`; addresses may be hidden. The list has what sections
    /// add, but not what the compiler derived from a function.
    fn kprobe_blacklist(&mut self, text: &str) {
        for line in text.lines() {
            let mut words = line.split_ascii_whitespace();
            let (Some(range), Some(name)) = (words.next(), words.next()) else { continue };
            if words.next().is_some() {
                continue;
            }
            let start = range.split('-').next().and_then(|word| word.strip_prefix("0x"));
            let start = start.and_then(|word| u64::from_str_radix(word, 16).ok());
            let exact =
                start.filter(|start| *start != 0).and_then(|start| self.symbols.by_address.get(&start));
            for &index in exact.map_or_else(|| self.symbols.named(name), Vec::as_slice) {
                self.mark(index, ATTACH_BLACKLIST);
            }
        }
        for (bounds, bit) in [
            (("__kprobes_text_start", "__kprobes_text_end"), ATTACH_KPROBES_TEXT),
            (("__noinstr_text_start", "__noinstr_text_end"), ATTACH_NOINSTR),
        ] {
            if let Some(range) = self.symbols.between(bounds.0, bounds.1) {
                self.mark_range(&range, bit);
            }
        }
        for index in 0..self.bits.len() {
            let name = self.symbols.list[index].name;
            let base = base_name(name);
            if base.len() < name.len()
                && self.symbols.named(base).first().is_some_and(|&first| self.bits[first as usize] != 0)
            {
                let first = self.symbols.named(base)[0] as usize;
                self.bits[index] |= self.bits[first] & ATTACH_BLACKLIST;
            }
        }
    }

    /// Lines like `should_failslab\tERRNO`, with `[module]` between for modules.
    fn error_injection(&mut self) -> Evidence {
        let text = match &self.live.error_injection {
            Ok(text) => text,
            Err(reason) => return self.without_error_injection(reason),
        };
        for line in text.lines() {
            let mut words = line.split_ascii_whitespace();
            let Some(name) = words.next() else { continue };
            if words.next().is_some_and(|word| word.starts_with('[')) {
                continue;
            }
            for &index in self.symbols.named(name) {
                self.mark(index, ATTACH_ERROR_INJECTION);
            }
        }
        Evidence::known("error_injection/list")
    }

    /// A configuration without the option says that the list is empty.
    fn without_error_injection(&self, reason: &str) -> Evidence {
        match &self.live.config {
            Ok(config) if !config.text.contains("\nCONFIG_FUNCTION_ERROR_INJECTION=y") => {
                Evidence::known("no CONFIG_FUNCTION_ERROR_INJECTION: built without error injection")
            }
            _ => Evidence::unknown(reason),
        }
    }

    /// Symbols `__ksymtab_NAME`, which only kernels with CONFIG_KALLSYMS_ALL list, between the bounds of the two
    /// tables of older kernels. Newer ones have one table, and what is for GPL modules only is in flags, in memory.
    fn exports(&mut self) -> Evidence {
        let bounds = |name: &str| {
            self.symbols.between(&format!("__start___ksymtab{name}"), &format!("__stop___ksymtab{name}"))
        };
        let (Some(all), Some(gpl)) = (bounds(""), bounds("_gpl")) else {
            return Evidence::unknown("`/proc/kallsyms` does not list the tables of exports");
        };
        let mut found = false;
        for entry in &self.symbols.list {
            let Some(name) = entry.name.strip_prefix("__ksymtab_") else { continue };
            let bits = match entry.address {
                address if gpl.contains(&address) => ATTACH_EXPORTED | ATTACH_EXPORTED_GPL,
                address if all.contains(&address) => ATTACH_EXPORTED,
                _ => continue,
            };
            found = true;
            for &index in self.symbols.named(name) {
                if !self.symbols.list[index as usize].letter.is_ascii_lowercase() {
                    self.bits[index as usize] |= bits;
                }
            }
        }
        if found || all.is_empty() {
            Evidence::known("__ksymtab")
        } else {
            Evidence::unknown("`/proc/kallsyms` does not list `__ksymtab_*`")
        }
    }
}

/// The words for what `kallsyms` tells of a symbol's section: its kind.
const SECTIONS: [(&str, &[u8]); 4] =
    [("text", b"tTwW"), ("data", b"dDgGvV"), ("rodata", b"rR"), ("bss", b"bBsS")];

/// Fills `sections` and `symbols`, the null symbol first, as `.symtab` has it.
fn store_symbols(symbols: &Symbols<'_>, bits: &[u32], live: &Live, parts: &mut Parts, notes: &mut Notes) {
    for (name, _) in SECTIONS {
        let name = parts.strings.intern(name.as_bytes()).0.into();
        parts.sections.push(record::ElfSection { name, module: 0.into() });
    }
    let null = record::Symbol {
        name: 0.into(),
        address: 0.into(),
        size: 0.into(),
        section: NONE.into(),
        attach: 0.into(),
        info: 0,
        other: 0,
        special: 0.into(),
    };
    let named = symbols.list.iter().zip(bits).map(|(symbol, bits)| {
        let section = SECTIONS.iter().position(|(_, letters)| letters.contains(&symbol.letter));
        let kind = match section {
            Some(0) => STT_FUNC,
            Some(_) => STT_OBJECT,
            None => STT_NOTYPE,
        };
        let binding = match symbol.letter {
            b'w' | b'W' | b'v' | b'V' => STB_WEAK,
            letter if letter.is_ascii_lowercase() => STB_LOCAL,
            _ => STB_GLOBAL,
        };
        let is_absolute = symbol.letter.eq_ignore_ascii_case(&b'a');
        record::Symbol {
            name: parts.strings.intern(symbol.name.as_bytes()).0.into(),
            address: symbol.address.into(),
            size: 0.into(),
            section: section.map_or(NONE, |index| index as u32).into(),
            attach: (*bits).into(),
            info: binding.0 << 4 | kind.0,
            other: 0,
            special: if is_absolute { SHN_ABS.0 } else { 0 }.into(),
        }
    });
    parts.symbols = std::iter::once(null).chain(named).collect();
    let evidence = match &live.kallsyms {
        Err(reason) => Evidence::unknown(reason.clone()),
        Ok(_) if symbols.list.is_empty() => {
            Evidence::unknown("`/proc/kallsyms` is empty: the kernel was built without CONFIG_KALLSYMS")
        }
        Ok(_) => Evidence::known("/proc/kallsyms"),
    };
    if symbols.hidden && !symbols.list.is_empty() {
        notes.lost(
            "kallsyms-hidden",
            || {
                "the kernel hides the addresses of its symbols: run as root, or set kernel.kptr_restrict=1"
                    .into()
            },
            || "/proc/kallsyms".into(),
        );
    }
    parts.meta.evidence.insert(Fact::Symbols, evidence);
}

#[cfg(test)]
mod tests;
