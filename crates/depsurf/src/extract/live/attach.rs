//! What can be attached to, by the lists of the running kernel.

use std::ops::Range;

use hashbrown::HashMap;

use super::symbols::Symbols;
use crate::note::Notes;
use crate::source::live::{Live, Traceable};
use crate::surface::build::Parts;
use crate::surface::meta::{Evidence, Fact};
use crate::surface::record::{
    ATTACH_BLACKLIST, ATTACH_ERROR_INJECTION, ATTACH_EXPORTED, ATTACH_EXPORTED_GPL, ATTACH_FTRACE,
    ATTACH_INIT, ATTACH_KPROBES_TEXT, ATTACH_NOINSTR,
};
use crate::surface::symbol::base_name;

/// Finds out `record::ATTACH_*` bits.
pub(super) struct Attach<'a> {
    symbols: &'a Symbols<'a>,
    live: &'a Live,
    bits: Vec<u32>,
}

impl<'a> Attach<'a> {
    pub fn new(symbols: &'a Symbols<'a>, live: &'a Live) -> Self {
        Self { symbols, live, bits: vec![0; symbols.list.len()] }
    }

    pub fn read(mut self, parts: &mut Parts, notes: &mut Notes) -> Vec<u32> {
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
        let mut lines_of: HashMap<(&str, u32), usize> = HashMap::new();
        for line in traceable.text.lines() {
            let mut words = line.split_ascii_whitespace();
            let site = if traceable.addresses {
                words.next().and_then(|word| u64::from_str_radix(word, 16).ok()).filter(|site| *site != 0)
            } else {
                None
            };
            let Some(name) = words.next() else { continue };
            let Some(module) = self.symbols.module(words.next()) else { continue };
            let named = self.symbols.named(name, module);
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
                    *lines_of.entry((name, module)).or_default() += 1;
                    for &index in named {
                        self.mark(index, ATTACH_FTRACE);
                    }
                }
            }
        }
        for ((name, module), lines) in lines_of {
            let symbols = self.symbols.named(name, module).len();
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
            let Some(module) = self.symbols.module(words.next()) else { continue };
            let start = range.split('-').next().and_then(|word| word.strip_prefix("0x"));
            let start = start.and_then(|word| u64::from_str_radix(word, 16).ok());
            let exact =
                start.filter(|start| *start != 0).and_then(|start| self.symbols.by_address.get(&start));
            for &index in exact.map_or_else(|| self.symbols.named(name, module), Vec::as_slice) {
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
            let symbol = &self.symbols.list[index];
            let base = base_name(symbol.name);
            if base.len() < symbol.name.len()
                && let Some(&first) = self.symbols.named(base, symbol.module).first()
            {
                self.bits[index] |= self.bits[first as usize] & ATTACH_BLACKLIST;
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
            let module = words.next().filter(|word| word.starts_with('['));
            let Some(module) = self.symbols.module(module) else { continue };
            for &index in self.symbols.named(name, module) {
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
                // Where the tables of a module are is not told.
                _ if entry.module != 0 => ATTACH_EXPORTED,
                address if gpl.contains(&address) => ATTACH_EXPORTED | ATTACH_EXPORTED_GPL,
                address if all.contains(&address) => ATTACH_EXPORTED,
                _ => continue,
            };
            found |= entry.module == 0;
            for &index in self.symbols.named(name, entry.module) {
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
