//! The image inside a bootable file: memory without symbol table, or an ELF file that was stripped of it.
//!
//! Its own symbol table ([`super::kallsyms`]) takes the place of `.symtab`. An x86 kernel is an ELF file with all of
//! its section headers. Others are flat: memory from `_text` on as it is loaded, whose sections are those that symbols
//! bound, and whose pointers are zero where a relocation of `.rela.dyn`, which is part of the memory, sets them.

use std::sync::OnceLock;

use memchr::memmem;
use object::Endianness;
use object::elf::{SHF_ALLOC, SHF_EXECINSTR, SHF_WRITE, SHN_ABS, SHT_NOBITS, SHT_NOTE, SHT_PROGBITS};
use object::elf::{STB_GLOBAL, STB_LOCAL, STB_WEAK, STT_FUNC, STT_NOTYPE, STT_OBJECT};

use super::arch::{self, Machine};
use super::kallsyms::{Addresses, Entry, Kallsyms};
use super::relocation::Relocations;
use super::section::Section;
use super::symbol::{Symbol, SymbolTable};
use super::{File, Image, elf};
use crate::error::{Error, Result};
use crate::kernel::Arch;

/// What every banner starts with.
const BANNER: &[u8] = b"Linux version ";
/// The magic of BTF and its version.
const BTF: [[u8; 3]; 2] = [[0x9f, 0xeb, 1], [0xeb, 0x9f, 1]];

/// An image without `.symtab`, with its own symbols found.
#[derive(Debug)]
pub struct Boot<'a> {
    bytes: &'a [u8],
    machine: &'static Machine,
    endian: Endianness,
    sections: Vec<Section<'a>>,
    kallsyms: Option<Kallsyms>,
    /// What the addresses of the symbols count from.
    base: u64,
    /// The words that relocations set, for flat memory.
    relocations: Vec<(u64, u64)>,
    /// Whether these are all of them.
    complete: bool,
}

impl<'a> Boot<'a> {
    /// Finds symbols and sections. `arch` is what the wrapping told, which flat memory does not tell.
    ///
    /// # Errors
    /// When the bytes are a damaged ELF file or one of an unknown machine, or flat memory whose architecture nobody told.
    pub fn read(bytes: &'a [u8], arch: Option<Arch>) -> Result<Self> {
        if bytes.starts_with(b"\x7fELF") {
            let elf::Tables { file, machine, sections, .. } = elf::read(bytes, None, elf::Subject::Kernel)?;
            let (kallsyms, base) = in_sections(&file, machine, &sections);
            let endian = file.endian;
            return Ok(Self {
                bytes,
                machine,
                endian,
                sections,
                kallsyms,
                base,
                relocations: Vec::new(),
                complete: true,
            });
        }
        let arch = arch.or_else(|| arch_of_header(bytes)).ok_or_else(|| Error::UnsupportedMachine {
            what: "a bootable image that does not tell its architecture".into(),
        })?;
        Ok(Self::flat(bytes, arch::of(arch)))
    }

    fn flat(bytes: &'a [u8], machine: &'static Machine) -> Self {
        let endian = if machine.big_endian { Endianness::Big } else { Endianness::Little };
        let kallsyms = Kallsyms::find(bytes, endian, machine.address_size.into());
        let mut words = relative_words(bytes, machine, endian);
        words.sort_unstable();
        let mut boot = Self {
            bytes,
            machine,
            endian,
            sections: Vec::new(),
            kallsyms,
            base: 0,
            relocations: words,
            complete: true,
        };
        if let Some(start) = boot.place() {
            boot.relocations.retain(|(place, _)| place.wrapping_sub(start) < bytes.len() as u64);
            boot.sections = boot.divide(start);
        } else {
            // Without an address nothing can be read by address.
            boot.kallsyms = None;
            boot.relocations.clear();
            boot.sections = vec![piece(b"", 0, bytes.len() as u64, 0, false)];
        }
        boot
    }

    /// Finds the base of the symbols' addresses and gives the address of the first byte of flat memory.
    fn place(&mut self) -> Option<u64> {
        let kallsyms = self.kallsyms.as_ref()?;
        if kallsyms.kind == Addresses::Place {
            self.base = self.start_by_sites(kallsyms)?;
            return Some(self.base);
        }
        if kallsyms.kind != Addresses::Absolute {
            let (at, value) = kallsyms.base?;
            self.base = value;
            if value == 0 {
                if let Some((start, value)) = self.relocated(at as u64) {
                    self.base = value;
                    return self.verified(start);
                }
                // The relocation of this word, and so of others, is not here. s390x is linked to 1 MiB
                // (arch/s390/kernel/vmlinux.lds.S).
                self.base = (self.machine.arch == Arch::S390x).then_some(0x10_0000)?;
                self.complete = false;
            }
        }
        let address = |name| kallsyms.named(name).map(|entry| kallsyms.address(entry, self.base));
        // The banner is where its symbol says. Where only code is listed, that may begin some pages behind the start.
        if let Some(banner) = address("linux_banner") {
            let starts = memmem::find_iter(self.bytes, BANNER).map(|at| banner.wrapping_sub(at as u64));
            return starts.filter(|start| start % 0x1000 == 0).max_by_key(|start| start.trailing_zeros());
        }
        address("_text").or_else(|| Some(address("_stext")? & !0xf_ffff))
    }

    /// The start where symbols tell offsets in the memory alone: the one for which most of the ftrace sites are in functions. Those of
    /// weak functions that others replace are not, or are zero.
    fn start_by_sites(&self, kallsyms: &Kallsyms) -> Option<u64> {
        const SITES: usize = 1024;
        const FIRST: usize = 16;
        /// Kernels are linked, and moved, to multiples of this.
        const STEP: u64 = 0x1000;
        let offset = |name| kallsyms.named(name).map(|entry| kallsyms.address(entry, 0));
        let (table, end) = (offset("__start_mcount_loc")?, offset("__stop_mcount_loc")?);
        let length = self.bytes.len() as u64;
        let word = u64::from(self.machine.address_size);
        if table > end || end > length {
            return None;
        }
        let in_place = |at: u64| {
            let bytes = self.bytes.get(at as usize..)?.get(..word as usize)?;
            Some(super::memory::uint(bytes, self.endian)).filter(|site| *site != 0)
        };
        let mut entries: Vec<u64> =
            kallsyms.entries.iter().map(|&entry| kallsyms.address(entry, 0)).collect();
        entries.sort_unstable();
        // Behind the first instructions of its function, or two words before them.
        let is_site = |offset: u64| {
            let behind = entries.partition_point(|&entry| entry <= offset.saturating_add(8));
            behind > 0 && entries[behind - 1].saturating_add(16) >= offset
        };
        let places = || (table..end).step_by(word as usize);
        // Where a relocation sets a word, its place tells the start and its value the site.
        let by_relocation = self.relocations.first().zip(self.relocations.last()).map(|(first, last)| {
            let lowest = last.0.saturating_add(word).saturating_sub(length);
            lowest.next_multiple_of(STEP)..=first.0
        });
        let below = places().find_map(in_place).map(|site| site.saturating_sub(length)..=site);
        let starts = [by_relocation, below].into_iter().flatten().flat_map(|range| {
            let first = range.start() / STEP * STEP;
            (first..=*range.end()).step_by(STEP as usize)
        });
        let fitting = |start: u64| {
            let site = |at: u64| {
                let set = self.relocations.binary_search_by_key(&start.wrapping_add(at), |it| it.0);
                set.ok().map(|index| self.relocations[index].1).or_else(|| in_place(at))
            };
            let fits = |site: u64| is_site(site.wrapping_sub(start));
            // Nearly all starts are told wrong by the first few.
            let first: Vec<u64> = places().filter_map(site).take(FIRST).collect();
            if first.iter().filter(|site| fits(**site)).count() * 2 < first.len() {
                return None;
            }
            let sites: Vec<u64> = places().filter_map(site).take(SITES).collect();
            let fitting = sites.iter().filter(|site| fits(**site)).count();
            (fitting * 10 >= sites.len() * 9).then_some(fitting).filter(|count| *count > 0)
        };
        let found = starts.filter_map(|start| Some((fitting(start)?, start)));
        found.max_by_key(|(count, start)| (*count, start.trailing_zeros())).map(|(_, start)| start)
    }

    /// A start, unless the banner is not where it would be: then nothing that is read by address could be believed.
    fn verified(&self, start: u64) -> Option<u64> {
        let kallsyms = self.kallsyms.as_ref()?;
        let Some(banner) = kallsyms.named("linux_banner") else { return Some(start) };
        let at = kallsyms.address(banner, self.base).wrapping_sub(start) as usize;
        self.bytes.get(at..)?.starts_with(BANNER).then_some(start)
    }

    /// Start of the memory and value of the word at an offset in it that a relocation sets to an address near the start.
    /// Of several such starts the one with the most zeros: kernels are linked to round addresses.
    fn relocated(&self, at: u64) -> Option<(u64, u64)> {
        let length = self.bytes.len() as u64;
        let (first, last) = (self.relocations.first()?.0, self.relocations.last()?.0);
        let starts = self.relocations.iter().filter_map(|&(place, value)| {
            let start = place.wrapping_sub(at);
            let is_start = start % 0x1000 == 0 && start <= first && last.wrapping_sub(start) < length;
            (is_start && value % 0x1000 == 0 && value.wrapping_sub(start) < 1 << 21).then_some((start, value))
        });
        starts.max_by_key(|(start, _)| start.trailing_zeros())
    }

    /// The sections of flat memory, as far as symbols bound them.
    fn divide(&self, start: u64) -> Vec<Section<'a>> {
        let end = start.saturating_add(self.bytes.len() as u64);
        let anywhere = |name: &str| {
            let kallsyms = self.kallsyms.as_ref()?;
            Some(kallsyms.address(kallsyms.named(name)?, self.base))
        };
        let address = |name: &str| anywhere(name).filter(|address| (start..=end).contains(address));
        let mut bounds: Vec<Bound> = Vec::new();
        let mut bound = |name: &'static [u8], from: Option<u64>, to: Option<u64>, code: bool| {
            if let (Some(from), Some(to)) = (from, to)
                && from < to
            {
                bounds.push((from, to, name, code));
            }
        };
        bound(b".text", address("_stext"), address("_etext"), true);
        bound(b".init.text", address("_sinittext"), address("_einittext"), true);
        let btf = address("__start_BTF").zip(address("__stop_BTF")).or_else(|| {
            let range = self.find_btf()?;
            Some((start + range.start as u64, start + range.end as u64))
        });
        bound(b".BTF", btf.map(|it| it.0), btf.map(|it| it.1), false);
        let ids = self.btf_ids();
        bound(b".BTF_ids", ids.map(|it| it.0), ids.map(|it| it.1), false);
        let notes = address("__start_notes").zip(address("__stop_notes")).or_else(|| {
            let at = start + build_id_note(self.bytes, self.endian)? as u64;
            Some((at, at + NOTE_SIZE as u64))
        });
        bound(b".notes", notes.map(|it| it.0), notes.map(|it| it.1), false);
        // It may end behind what has bytes.
        let init_end = anywhere("__init_end").map(|to| to.min(end));
        let further = self.further_code(address("__init_begin"), init_end, &bounds);
        bounds.extend(further);
        bounds.sort_unstable();
        let mut sections = vec![piece(b"", 0, 0, 0, false)];
        let mut at = start;
        for (from, to, name, code) in bounds {
            if from < at || to > end {
                continue;
            }
            if at < from {
                sections.push(piece(b"image", at, from - at, at - start, false));
            }
            let mut section = piece(name, from, to - from, from - start, code);
            if name == b".notes" {
                section.kind = SHT_NOTE.0;
            }
            sections.push(section);
            at = to;
        }
        if at < end {
            sections.push(piece(b"image", at, end - at, at - start, false));
        }
        // What has no bytes lies behind.
        let mut bss = piece(b".bss", end, u64::MAX - end, 0, false);
        bss.kind = SHT_NOBITS.0;
        sections.push(bss);
        sections
    }

    /// Other code that is freed after boot, exit functions above all: runs of symbols that are code, outside of `taken`.
    fn further_code(&self, from: Option<u64>, to: Option<u64>, taken: &[Bound]) -> Vec<Bound> {
        let (Some(kallsyms), Some(from), Some(to)) = (&self.kallsyms, from, to) else { return Vec::new() };
        let inside = |address: u64| taken.iter().any(|(start, end, ..)| (*start..*end).contains(&address));
        let entries =
            kallsyms.entries.iter().map(|&entry| (kallsyms.address(entry, self.base), entry.letter));
        let mut found: Vec<Bound> = Vec::new();
        let mut run: Option<u64> = None;
        for (address, letter) in entries.filter(|(address, _)| (from..to).contains(address)) {
            let is_code = b"tTwW".contains(&letter) && !inside(address);
            match run {
                None if is_code => run = Some(address),
                Some(start) if !is_code => {
                    if start < address {
                        found.push((start, address, b".exit.text", true));
                    }
                    run = None;
                }
                _ => {}
            }
        }
        found.extend(run.filter(|start| *start < to).map(|start| (start, to, &b".exit.text"[..], true)));
        found
    }

    /// From the first to behind the last symbol on a BTF id.
    fn btf_ids(&self) -> Option<(u64, u64)> {
        let kallsyms = self.kallsyms.as_ref()?;
        let is_id = |entry: &&Entry| kallsyms.name(**entry).starts_with(b"__BTF_ID__");
        let first = *kallsyms.entries.iter().find(is_id)?;
        let last = kallsyms.entries.iter().rposition(|entry| is_id(&entry))?;
        let behind = kallsyms.entries[last..].iter().map(|entry| kallsyms.address(*entry, self.base));
        let last = behind.clone().next()?;
        // The next symbol is behind padding at most; a set that is last has no more room than this.
        let end = behind.clone().find(|address| *address > last).unwrap_or(last + 4);
        Some((kallsyms.address(first, self.base), end))
    }

    /// Why no table of the kernel can be read; `None` where they can.
    #[must_use]
    pub fn no_tables_because(&self) -> Option<&'static str> {
        match &self.kallsyms {
            None => Some("no symbol table was found in the image, which would lead to the table"),
            Some(kallsyms) if !kallsyms.has_data() => Some(
                "the kernel's own symbol table has no data (CONFIG_KALLSYMS_ALL), which would lead to the table",
            ),
            Some(_) if !self.complete => Some("the relocations of the image are not all in it"),
            Some(_) => None,
        }
    }

    /// Whether the kernel's own symbol table was found.
    #[must_use]
    pub fn has_symbols(&self) -> bool {
        self.kallsyms.is_some()
    }

    /// The types in the image: its section `.BTF`, or what looks like it in flat memory.
    #[must_use]
    pub fn find_btf(&self) -> Option<std::ops::Range<usize>> {
        let big = self.endian == Endianness::Big;
        let magic = memmem::Finder::new(&BTF[usize::from(big)]);
        magic.find_iter(self.bytes).find_map(|at| {
            let length = crate::btf::length(&self.bytes[at..]).filter(|length| *length > 4096)?;
            Some(at..at + length)
        })
    }

    /// The image, with the symbols it lists.
    ///
    /// # Errors
    /// When it has no banner.
    pub fn image(&'a self) -> Result<Image<'a>> {
        let file = File { bytes: self.bytes, present: None, endian: self.endian };
        let symbols = self.symbols();
        let relocations = OnceLock::new();
        if !self.relocations.is_empty() {
            // Nobody has asked yet, so the cell is empty.
            let _ = relocations.set(Relocations::from_sorted(self.relocations.clone()));
        }
        let mut image = Image::assemble(
            file,
            self.machine,
            self.sections.clone(),
            SymbolTable::new(symbols),
            relocations,
            "",
        );
        // Some kernels have other banners besides, without the number of the build.
        let by_symbol = image.read_banner().ok();
        let banner = by_symbol.or_else(|| banner(self.bytes));
        image.banner = banner
            .ok_or_else(|| Error::NotKernel { why: "there is no banner `Linux version ...` in it".into() })?;
        Ok(image)
    }

    /// The symbols, behind a null symbol as `.symtab` has it.
    fn symbols(&'a self) -> Vec<Symbol<'a>> {
        let null = Symbol { name: b"", address: 0, size: 0, section: 0, special: 0, info: 0, other: 0 };
        let mut symbols = vec![null];
        let Some(kallsyms) = &self.kallsyms else { return symbols };
        let mut order: Vec<u32> = (0..self.sections.len() as u32)
            .filter(|&index| {
                self.sections[index as usize].is_allocated() && self.sections[index as usize].size != 0
            })
            .collect();
        order.sort_by_key(|&index| self.sections[index as usize].address);
        symbols.extend(kallsyms.entries.iter().map(|&entry| {
            let address = kallsyms.address(entry, self.base);
            let is_absolute = entry.letter.eq_ignore_ascii_case(&b'a');
            let behind = order.partition_point(|&index| self.sections[index as usize].address <= address);
            // A symbol at the end of a section, or in the padding behind it, belongs to it.
            let section = behind.checked_sub(1).map_or(0, |place| order[place]);
            let section = if is_absolute { 0 } else { section };
            self.symbol(kallsyms.name(entry), entry.letter, address, section)
        }));
        symbols
    }

    fn symbol(&self, name: &'a [u8], letter: u8, address: u64, section: u32) -> Symbol<'a> {
        let home = self.sections.get(section as usize).filter(|_| section != 0);
        // Code by the letter and by the section: that of data may be executable, and then `nm` calls it text.
        let is_code = home.is_some_and(|home| home.is_executable() && home.flags & SHF_WRITE.0 == 0);
        let kind = match letter {
            b't' | b'T' | b'w' | b'W' if is_code => STT_FUNC,
            _ if section == 0 => STT_NOTYPE,
            _ => STT_OBJECT,
        };
        let binding = match letter {
            b'w' | b'W' | b'v' | b'V' => STB_WEAK,
            letter if letter.is_ascii_lowercase() => STB_LOCAL,
            _ => STB_GLOBAL,
        };
        Symbol {
            name,
            address,
            size: 0,
            section,
            special: if section == 0 { SHN_ABS.0 } else { 0 },
            info: binding.0 << 4 | kind.0,
            other: 0,
        }
    }
}

/// Start, end and name of a section, and whether it is code.
type Bound = (u64, u64, &'static [u8], bool);

/// The tables in the read-only data of an ELF file, with the base of its addresses.
fn in_sections(file: &File<'_>, machine: &Machine, sections: &[Section<'_>]) -> (Option<Kallsyms>, u64) {
    for section in sections.iter().filter(|section| section.is_mapped() && section.size > 4096) {
        let Ok(bytes) = file.section_bytes(section) else { continue };
        if let Some(found) = Kallsyms::find(bytes, file.endian, machine.address_size.into()) {
            let base = match found.kind {
                Addresses::Place => section.address,
                _ => found.base.map_or(0, |(_, value)| value),
            };
            return (Some(found), base);
        }
    }
    (None, 0)
}

fn piece(name: &'static [u8], address: u64, size: u64, offset: u64, code: bool) -> Section<'static> {
    let code = if code { SHF_EXECINSTR.0 } else { 0 };
    let (kind, flags) = if size == 0 { (0, 0) } else { (SHT_PROGBITS.0, SHF_ALLOC.0 | code) };
    Section { name, address, offset, size, kind, flags, link: 0, info: 0 }
}

/// The architecture in the header of a flat image.
#[must_use]
pub fn arch_of_header(bytes: &[u8]) -> Option<Arch> {
    match bytes.get(0x38..0x3c)? {
        // Documentation/arch/arm64/booting.rst, Documentation/arch/riscv/boot-image-header.rst
        b"ARM\x64" => Some(Arch::Arm64),
        b"RSC\x05" => Some(Arch::Riscv64),
        // arch/loongarch/include/asm/image.h, LINUX_PE_MAGIC.
        [0xcd, 0x23, 0x82, 0x81] if bytes.starts_with(b"MZ") => Some(Arch::Loong64),
        _ => None,
    }
}

/// Size of a note with a build id of 20 bytes.
const NOTE_SIZE: usize = 36;

/// Where the note with the kernel's build id is in flat memory; `None` where several may be it. The images of the vDSO, which
/// are ELF files of some pages in the kernel's data, have notes of their own.
fn build_id_note(bytes: &[u8], endian: Endianness) -> Option<usize> {
    use object::endian::Endian as _;
    /// The note is in the first pages of a vDSO.
    const NEAR: usize = 0x2000;
    let mut head = Vec::new();
    for word in [4, 20, 3] {
        head.extend(endian.write_u32(word));
    }
    head.extend(b"GNU\0");
    let in_elf = |at: usize| {
        let before = &bytes[at.saturating_sub(NEAR)..at];
        memmem::rfind(before, b"\x7fELF").is_some()
    };
    let mut found =
        memmem::find_iter(bytes, &head).filter(|&at| at + NOTE_SIZE <= bytes.len() && !in_elf(at));
    let first = found.next()?;
    found.next().is_none().then_some(first)
}

/// The entries of `Elf64_Rela` tables that set a word to its addend, as places and values: runs of such entries with
/// ascending places, all of one range of addresses that is no larger than the memory.
fn relative_words(bytes: &[u8], machine: &Machine, endian: Endianness) -> Vec<(u64, u64)> {
    const ENTRY: usize = 24;
    /// Chance does not make as many that fit together.
    const FEWEST: usize = 4;
    if machine.address_size != 8 {
        return Vec::new();
    }
    let word = |at: usize| Some(super::memory::uint(bytes.get(at..at + 8)?, endian));
    let entry = |at: usize| {
        let is_relative = word(at + 8)? == u64::from(machine.relative_relocation);
        is_relative.then(|| Some((word(at)?, word(at + 16)?))).flatten()
    };
    let length = bytes.len() as u64;
    let mut runs: Vec<Vec<(u64, u64)>> = Vec::new();
    let mut at = 0;
    while at + ENTRY <= bytes.len() {
        let run: Vec<_> = (0..).map_while(|index| entry(at + index * ENTRY)).collect();
        if run.len() < FEWEST {
            at += 8;
            continue;
        }
        at += run.len() * ENTRY;
        let ascends = run.is_sorted_by(|a, b| a.0 < b.0);
        let (first, last) = (run[0].0, run[run.len() - 1].0);
        let near = |value: u64| value.wrapping_sub(last.wrapping_sub(length)) < 2 * length;
        if ascends && last.wrapping_sub(first) < length && run.iter().all(|(_, value)| near(*value)) {
            runs.push(run);
        }
    }
    let Some(longest) = runs.iter().max_by_key(|run| run.len()).map(|run| run[0].0) else {
        return Vec::new();
    };
    let near = |place: u64| place.wrapping_sub(longest.wrapping_sub(length)) < 2 * length;
    runs.retain(|run| near(run[0].0));
    runs.concat()
}

/// The kernel's banner, without its newline: of several the first with the number of the build, as `linux_banner` has it.
fn banner(bytes: &[u8]) -> Option<&str> {
    let banners = || {
        memmem::find_iter(bytes, BANNER).filter_map(|at| {
            let rest = &bytes[at..bytes.len().min(at + 4096)];
            let text = std::str::from_utf8(&rest[..memchr::memchr(b'\n', rest)?]).ok()?;
            // `linux_proc_banner` is a format, `Linux version %s (...`.
            let release = text.as_bytes().get(BANNER.len())?;
            (release.is_ascii_digit() && !text.contains('\0')).then_some(text)
        })
    };
    let is_numbered = |text: &&str| {
        let build = text.rfind(") #").and_then(|at| text.as_bytes().get(at + 3));
        build.is_some_and(u8::is_ascii_digit)
    };
    banners().find(is_numbered).or_else(|| banners().next())
}

#[cfg(test)]
mod tests;
