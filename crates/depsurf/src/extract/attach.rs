//! What the image tells about attaching to each of its symbols: ftrace sites, the kprobe blacklist, init code,
//! exports, the error-injection list. Read from the tables that the kernel itself reads at boot, by its own logic.
//!
//! A bit says what holds for the symbol; whether a missing bit means "no" is told by the evidence of the same fact.

use std::ops::Range;

use hashbrown::HashMap;

use crate::error::Result;
use crate::image::{ByAddress, Image, Symbol};
use crate::note::Notes;
use crate::surface::meta::{Evidence, Fact};
use crate::surface::record::{
    ATTACH_BLACKLIST, ATTACH_ENTRY, ATTACH_ERROR_INJECTION, ATTACH_EXPORTED, ATTACH_EXPORTED_GPL,
    ATTACH_FTRACE, ATTACH_INIT, ATTACH_KPROBES_TEXT, ATTACH_NOINSTR,
};
use crate::surface::symbol::base_name;

/// `record::ATTACH_*` bits of every symbol, and which of them could be read.
#[derive(Debug)]
pub struct Attach {
    bits: Vec<u32>,
    /// Evidence for the facts behind the bits.
    pub evidence: Vec<(Fact, Evidence)>,
}

impl Attach {
    /// The bits of the symbol at an index of `.symtab`.
    #[must_use]
    pub fn bits(&self, symbol: usize) -> u32 {
        self.bits.get(symbol).copied().unwrap_or(0)
    }
}

/// Labels inside a function are symbols too: so many are looked past, but not the whole image.
const NEAR: usize = 64;

/// Reads all tables. A table that cannot be read is unknown, and a note.
pub fn read(image: &Image<'_>, notes: &mut Notes) -> Attach {
    let mut reader =
        Reader { image, order: image.symbols_by_address(), bits: vec![0; image.symbols().len()] };
    let mut evidence = Vec::new();
    let mut known = |fact, what: &'static str, result: Result<Evidence>, notes: &mut Notes| {
        let read = result.unwrap_or_else(|error| {
            notes.lost("attach-table", || format!("cannot read {what}: {error}"), || what.to_owned());
            Evidence::unknown(error.to_string())
        });
        evidence.push((fact, read));
    };
    let sites = reader.ftrace_sites(notes);
    known(Fact::FtraceSites, "the list of ftrace sites", sites, notes);
    known(Fact::KprobeBlacklist, "the kprobe blacklist", reader.kprobe_blacklist(), notes);
    known(Fact::Exports, "the list of exports", reader.exports(), notes);
    known(Fact::ErrorInjection, "the error-injection list", reader.error_injection(), notes);
    reader.init_text();
    Attach { bits: reader.bits, evidence }
}

struct Reader<'a, 'i> {
    image: &'a Image<'i>,
    order: &'a ByAddress,
    bits: Vec<u32>,
}

impl<'i> Reader<'_, 'i> {
    fn symbol(&self, index: u32) -> &Symbol<'i> {
        &self.image.symbols()[index as usize]
    }

    /// Sets a bit for all symbols in a range.
    fn mark_range(&mut self, range: &Range<u64>, bit: u32) {
        for &index in self.order.within(range) {
            self.bits[index as usize] |= bit;
        }
    }

    /// Sets a bit for all symbols at some addresses: a function and its aliases.
    fn mark_at(&mut self, mut addresses: Vec<u64>, bit: u32) {
        addresses.sort_unstable();
        addresses.dedup();
        for address in addresses {
            self.mark_range(&(address..address.saturating_add(1)), bit);
        }
    }

    /// The address of the function that a place in its code belongs to.
    fn function_around(&self, address: u64) -> Option<u64> {
        let before = self.order.indices().get(..self.order.place_of(address.checked_add(1)?))?;
        let reach = self.image.machine().site_behind_entry;
        let inside = before.iter().rev().take(NEAR).map(|&index| self.symbol(index)).find(|symbol| {
            let is_near = symbol.size != 0 || address - symbol.address <= reach;
            symbol.is_function()
                && (symbol.address == address || is_near && address < self.image.symbol_end(symbol))
        });
        Some(inside?.address)
    }

    /// The address of the function whose entry is exactly so many bytes behind a place.
    fn function_behind(&self, address: u64, room: u64) -> Option<u64> {
        let entry = address.checked_add(room)?;
        let found = self.order.within(&(entry..entry.checked_add(1)?));
        found.iter().any(|&index| self.symbol(index).is_function()).then_some(entry)
    }

    /// `__start_mcount_loc`..`__stop_mcount_loc`: one pointer per site, which lies in its function or, on some
    /// architectures, before it. Zeros are sites of overridden weak functions, which `scripts/sorttable.c` removed; without it
    /// those are still listed, and belong to no symbol, since only their code is left.
    fn ftrace_sites(&mut self, notes: &mut Notes) -> Result<Evidence> {
        const SECTION: &str = "__patchable_function_entries";
        let (range, source) = match self.image.between("__start_mcount_loc", "__stop_mcount_loc") {
            Some(range) => (range, "__start_mcount_loc"),
            None => match self.image.section(SECTION) {
                Some(section) => (section.addresses(), SECTION),
                None => {
                    return Ok(Evidence::unknown(
                        "there is no `__start_mcount_loc`: the kernel was built without function tracing",
                    ));
                }
            },
        };
        let mut sites = self.image.pointers(range)?;
        sites.retain(|&site| site != 0);
        let mut functions = Vec::with_capacity(sites.len());
        let mut outside = Vec::new();
        for &site in &sites {
            match self.function_around(site) {
                Some(function) => functions.push(function),
                None => outside.push(site),
            }
        }
        // A kernel has its sites before its functions or in them: where most are in functions, one that is not is of
        // an overridden function, however near the next one may be.
        let room = self.image.machine().site_before_entry;
        if room != 0 && functions.len() < outside.len() {
            functions = sites.iter().filter_map(|&site| self.function_behind(site, room)).collect();
            outside.retain(|&site| self.function_behind(site, room).is_none());
        }
        for site in outside {
            notes.skipped(
                "ftrace-site-unowned",
                || "an ftrace site is in no function: of a weak one that another definition replaced".into(),
                || format!("address {site:#x}"),
            );
        }
        self.mark_at(functions, ATTACH_FTRACE);
        Ok(Evidence::known(source))
    }

    /// What `populate_kprobe_blacklist` (`kernel/kprobes.c`) puts together: a list of functions, the sections for
    /// `__kprobes` and `noinstr`, what the architecture adds; and, as `within_kprobe_blacklist` has it,
    /// the compiler's clones and parts of all these. Only areas in the kernel's text get there: arm64 had the text of its identity map
    /// in it and on the list, before it was moved to read-only data.
    fn kprobe_blacklist(&mut self) -> Result<Evidence> {
        let areas = [
            (("__kprobes_text_start", "__kprobes_text_end"), ATTACH_KPROBES_TEXT),
            (("__noinstr_text_start", "__noinstr_text_end"), ATTACH_NOINSTR),
        ];
        let entry = self.image.machine().no_probe_areas.iter().map(|&area| (area, ATTACH_ENTRY));
        let text = self.image.between("_stext", "_etext");
        let is_text = |area: &Range<u64>| {
            text.as_ref().is_none_or(|text| text.start <= area.start && area.end <= text.end)
        };
        for ((start, stop), bit) in areas.into_iter().chain(entry) {
            if let Some(range) = self.image.between(start, stop).filter(is_text) {
                self.mark_range(&range, bit);
            }
        }
        let Some(list) = self.image.between("__start_kprobe_blacklist", "__stop_kprobe_blacklist") else {
            return Ok(Evidence::unknown(
                "there is no `__start_kprobe_blacklist`: the kernel was built without kprobes",
            ));
        };
        // On ppc64 with function descriptors an entry would be a descriptor; ppc64el has none.
        self.mark_at(self.image.pointers(list)?, ATTACH_BLACKLIST);
        self.blacklist_derived();
        Ok(Evidence::known("__start_kprobe_blacklist"))
    }

    /// Code that the compiler derived from a blacklisted function, such as `NAME.cold`.
    fn blacklist_derived(&mut self) {
        const REFUSED: u32 = ATTACH_BLACKLIST | ATTACH_KPROBES_TEXT | ATTACH_NOINSTR | ATTACH_ENTRY;
        // Many clones of one name, with many symbols of that name, would take the product of both.
        let mut first_of: HashMap<&str, Option<u32>> = HashMap::new();
        for index in 0..self.bits.len() {
            let symbol = &self.image.symbols()[index];
            if !symbol.is_function() || self.bits[index] & REFUSED != 0 || !symbol.name.contains(&b'.') {
                continue;
            }
            let base = base_name(symbol.text());
            if base.len() == symbol.name.len() {
                continue;
            }
            // The kernel takes the first of several in its own symbol table, which is sorted by address.
            let first = *first_of.entry(base).or_insert_with(|| {
                let named = self.image.symbols_named(base).filter(|(_, base)| base.is_located());
                named.min_by_key(|(_, base)| base.address).map(|(index, _)| index)
            });
            if first.is_some_and(|base| self.bits[base as usize] & REFUSED != 0) {
                self.bits[index] |= ATTACH_BLACKLIST;
            }
        }
    }

    /// Code that is freed after boot: init and exit functions of what is built in.
    fn init_text(&mut self) {
        let bounds = [("_sinittext", "_einittext"), ("__init_begin", "__init_end")];
        let ranges: Vec<Range<u64>> =
            bounds.iter().filter_map(|(start, stop)| self.image.between(start, stop)).collect();
        let sections: Vec<Range<u64>> = self
            .image
            .sections()
            .iter()
            .filter(|section| section.is_mapped() && section.is_executable())
            .map(|section| section.addresses())
            .collect();
        for code in sections {
            for range in &ranges {
                let inside = code.start.max(range.start)..code.end.min(range.end);
                if !inside.is_empty() {
                    self.mark_range(&inside, ATTACH_INIT);
                }
            }
        }
    }

    /// Symbols `__ksymtab_NAME` in the tables of exports. The table tells who may use them:
    /// `__ksymtab_gpl` on its own, or, in newer kernels, a byte of flags in `__kflagstab` for each entry.
    fn exports(&mut self) -> Result<Evidence> {
        const PREFIX: &[u8] = b"__ksymtab_";
        /// `KSYM_FLAG_GPL_ONLY`.
        const GPL_ONLY: u8 = 1;
        let Some(all) = self.image.between("__start___ksymtab", "__stop___ksymtab") else {
            return Ok(Evidence::unknown(
                "there is no `__start___ksymtab`: the kernel was built without modules",
            ));
        };
        let gpl = self.image.between("__start___ksymtab_gpl", "__stop___ksymtab_gpl").unwrap_or(0..0);
        let flags = match self.image.between("__start___kflagstab", "__stop___kflagstab") {
            Some(flags) => self.image.bytes_at(flags.start, flags.end - flags.start)?,
            None => Default::default(),
        };
        let entry_size = (all.end - all.start).checked_div(flags.len() as u64).unwrap_or(0);
        let mut exports: Vec<(&str, u32)> = Vec::new();
        for range in [&all, &gpl] {
            for &index in self.order.within(range) {
                let entry = self.symbol(index);
                let Some(name) = entry.name.strip_prefix(PREFIX) else { continue };
                let flag = (entry.address - range.start).checked_div(entry_size).unwrap_or(0);
                let is_gpl = gpl.contains(&entry.address)
                    || flags.get(flag as usize).is_some_and(|flag| flag & GPL_ONLY != 0);
                let bits = if is_gpl { ATTACH_EXPORTED | ATTACH_EXPORTED_GPL } else { ATTACH_EXPORTED };
                if let Ok(name) = std::str::from_utf8(name) {
                    exports.push((name, bits));
                }
            }
        }
        if exports.is_empty() && !all.is_empty() {
            return Ok(Evidence::unknown(
                "the table of exports has entries, but no `__ksymtab_*` symbols name them",
            ));
        }
        exports.sort_unstable();
        exports.dedup();
        for (name, bits) in exports {
            // An export is of the global symbol; statics of the same name elsewhere are not exported.
            for (index, _) in self.image.symbols_named(name).filter(|(_, symbol)| !symbol.is_local()) {
                self.bits[index as usize] |= bits;
            }
        }
        Ok(Evidence::known("__ksymtab"))
    }

    /// `struct error_injection_entry { unsigned long addr; int etype; }`.
    fn error_injection(&mut self) -> Result<Evidence> {
        let bounds = ("__start_error_injection_whitelist", "__stop_error_injection_whitelist");
        let Some(list) = self.image.between(bounds.0, bounds.1) else {
            // The linker script has these symbols exactly when the kernel has the list.
            return Ok(Evidence::known(
                "no `__start_error_injection_whitelist`: built without error injection",
            ));
        };
        // Both members take a pointer's room, with the padding.
        let entries = self.image.pointers(list)?;
        let functions = entries.chunks_exact(2).map(|entry| entry[0]).collect();
        self.mark_at(functions, ATTACH_ERROR_INJECTION);
        Ok(Evidence::known(bounds.0))
    }
}
