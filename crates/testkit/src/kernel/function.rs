//! Functions of the image: a symbol, and what the kernel's tables say about it.

use super::memory::{Memory, Place};
use crate::elf::Symbol;

/// A function. Static, traced by ftrace and without prototype until said otherwise.
#[derive(Clone, Debug)]
pub struct Function {
    pub(super) name: String,
    pub(super) size: u64,
    region: Region,
    bind: Bind,
    traced: bool,
    blacklisted: bool,
    export: Option<Export>,
    pub(super) kfunc: bool,
    pub(super) prototype: Option<(String, Vec<(String, String)>)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bind {
    Local,
    Global,
    Weak,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Export {
    All,
    Gpl,
}

/// Where a function is linked to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Region {
    Text,
    /// `.noinstr.text` of the compiler's output.
    Noinstr,
    /// `.kprobes.text` of the compiler's output.
    Kprobes,
    /// `.entry.text` of the compiler's output.
    Entry,
    Init,
}

impl Function {
    /// A traced static function of 32 bytes in `.text`.
    pub fn new(name: &str) -> Function {
        Function {
            name: name.to_owned(),
            size: 0x20,
            region: Region::Text,
            bind: Bind::Local,
            traced: true,
            blacklisted: false,
            export: None,
            kfunc: false,
            prototype: None,
        }
    }

    /// `STB_GLOBAL`.
    pub fn global(mut self) -> Function {
        self.bind = Bind::Global;
        self
    }

    /// `STB_WEAK`.
    pub fn weak(mut self) -> Function {
        self.bind = Bind::Weak;
        self
    }

    /// Size in bytes.
    pub fn size(mut self, size: u64) -> Function {
        self.size = size;
        self
    }

    /// Without ftrace site: not in the `mcount` table (`notrace`, `inline`, a `.cold` part).
    pub fn untraced(mut self) -> Function {
        self.traced = false;
        self
    }

    /// `__init`: in `.init.text`.
    pub fn init(mut self) -> Function {
        self.region = Region::Init;
        self
    }

    /// `noinstr`: between `__noinstr_text_start` and `__noinstr_text_end`, untraced.
    pub fn noinstr(mut self) -> Function {
        self.region = Region::Noinstr;
        self.untraced()
    }

    /// `__kprobes`: between `__kprobes_text_start` and `__kprobes_text_end`.
    pub fn kprobes(mut self) -> Function {
        self.region = Region::Kprobes;
        self
    }

    /// Entry code: between `__entry_text_start` and `__entry_text_end`, untraced.
    pub fn entry(mut self) -> Function {
        self.region = Region::Entry;
        self.untraced()
    }

    /// `NOKPROBE_SYMBOL`: in the table of the kprobe blacklist.
    pub fn blacklisted(mut self) -> Function {
        self.blacklisted = true;
        self
    }

    /// `EXPORT_SYMBOL`: in `__ksymtab`.
    pub fn exported(mut self) -> Function {
        self.export = Some(Export::All);
        self
    }

    /// `EXPORT_SYMBOL_GPL`: in `__ksymtab_gpl`.
    pub fn exported_gpl(mut self) -> Function {
        self.export = Some(Export::Gpl);
        self
    }

    /// A BTF `DECL_TAG` that says `bpf_kfunc`. Needs a prototype.
    pub fn kfunc(mut self) -> Function {
        self.kfunc = true;
        self
    }

    /// A BTF `FUNC` with this return type and these parameters, by name and type.
    pub fn proto(mut self, returns: &str, parameters: &[(&str, &str)]) -> Function {
        let parameters = parameters.iter().map(|(name, of)| ((*name).to_owned(), (*of).to_owned()));
        self.prototype = Some((returns.to_owned(), parameters.collect()));
        self
    }

    fn symbol(&self, address: u64) -> Symbol {
        let symbol = Symbol::func(&self.name, address, self.size);
        match self.bind {
            Bind::Local => symbol,
            Bind::Global => symbol.global(),
            Bind::Weak => symbol.weak(),
        }
    }
}

/// The next free address of each region. All but `.init.text` are parts of `.text`, as linker scripts
/// put them, between symbols that bound them.
#[derive(Clone, Debug)]
pub(super) struct Regions {
    base: u64,
    next: [u64; 5],
}

/// Bytes of each part of `.text`, and of `.init.text`.
const REGION_SIZE: u64 = 0x2000;
const PARTS: [(Region, &str); 4] = [
    (Region::Text, ""),
    (Region::Noinstr, "noinstr_"),
    (Region::Kprobes, "kprobes_"),
    (Region::Entry, "entry_"),
];

impl Regions {
    pub(super) fn new(base: u64) -> Regions {
        let starts = [0, 1, 2, 3].map(|part| base + part * REGION_SIZE);
        let [text, noinstr, kprobes, entry] = starts;
        Regions { base, next: [text, noinstr, kprobes, entry, base + Place::InitText.offset()] }
    }

    /// The address for a function of that size.
    pub(super) fn place(&mut self, function: &Function) -> u64 {
        let start = match function.region {
            Region::Init => self.base + Place::InitText.offset(),
            region => self.base + region as u64 * REGION_SIZE,
        };
        let next = &mut self.next[function.region as usize];
        let address = *next;
        *next = (address + function.size.max(1)).next_multiple_of(16);
        assert!(*next - start <= REGION_SIZE, "no room for `{}`: the regions are small", function.name);
        address
    }

    /// Fills the sections and sets the symbols that bound the regions.
    pub(super) fn write(&self, memory: &mut Memory) {
        memory.fill(Place::Text, 0xcc, PARTS.len() as u64 * REGION_SIZE);
        let init_start = self.base + Place::InitText.offset();
        memory.fill(Place::InitText, 0xcc, REGION_SIZE);
        let bound = |name: &str, address| Symbol::notype(name, address).global();
        for name in ["_text", "_stext"] {
            memory.symbol(bound(name, self.base));
        }
        let end = self.base + PARTS.len() as u64 * REGION_SIZE;
        memory.symbol(bound("_etext", end));
        for (region, name) in &PARTS[1..] {
            let start = self.base + *region as u64 * REGION_SIZE;
            memory.symbol(bound(&format!("__{name}text_start"), start));
            memory.symbol(bound(&format!("__{name}text_end"), self.next[*region as usize]));
        }
        memory.symbol(bound("__init_begin", init_start));
        memory.symbol(bound("_sinittext", init_start));
        memory.symbol(bound("_einittext", init_start + REGION_SIZE));
    }
}

/// Writes the symbols and the tables that say what can be done with a function.
pub(super) fn write(functions: &[(Function, u64)], offset: i64, zeros: usize, memory: &mut Memory) {
    for (function, address) in functions {
        memory.symbol(function.symbol(*address));
    }
    memory.table("mcount_loc", |memory| {
        for _ in 0..zeros {
            memory.word(Place::InitData, 0);
        }
        for (_, address) in functions.iter().filter(|(function, _)| function.traced) {
            memory.pointer(Place::InitData, address.wrapping_add_signed(offset));
        }
    });
    memory.table("kprobe_blacklist", |memory| {
        for (function, address) in functions.iter().filter(|(function, _)| function.blacklisted) {
            let slot = memory.pointer(Place::InitData, *address);
            memory.symbol(Symbol::object(format!("_kbl_addr_{}", function.name), slot, memory.word_size()));
        }
    });
    for (export, place) in [(Export::All, Place::Ksymtab), (Export::Gpl, Place::KsymtabGpl)] {
        let exported = functions.iter().filter(|(function, _)| function.export == Some(export));
        export_table(exported, place, memory);
    }
}

/// `__ksymtab` or `__ksymtab_gpl`: value, name and namespace of each exported function, relative to the
/// place they are stored in (`CONFIG_HAVE_ARCH_PREL32_RELOCATIONS`) on 64-bit machines.
fn export_table<'a>(functions: impl Iterator<Item = &'a (Function, u64)>, place: Place, memory: &mut Memory) {
    let start = memory.here(place);
    let namespace = memory.string(Place::KsymtabStrings, "");
    for (function, address) in functions {
        let name = memory.string(Place::KsymtabStrings, &function.name);
        memory.symbol(Symbol::notype(format!("__kstrtab_{}", function.name), name));
        memory.symbol(Symbol::notype(format!("__kstrtabns_{}", function.name), namespace));
        memory.symbol(Symbol::notype(format!("__ksymtab_{}", function.name), memory.here(place)));
        for value in [*address, name, namespace] {
            if memory.word_size() == 8 {
                memory.offset32(place, value);
            } else {
                memory.pointer(place, value);
            }
        }
    }
    let name = place.name();
    memory.symbol(Symbol::notype(format!("__start_{name}"), start).global());
    memory.symbol(Symbol::notype(format!("__stop_{name}"), memory.here(place)).global());
}
