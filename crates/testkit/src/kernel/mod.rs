//! A tiny kernel image: the symbols, tables, BTF and DWARF that a real `vmlinux` has, with a handful of
//! entries in each.
//!
//! [`Kernel::sample`] is ready to use. [`Kernel::new`] has an identity and nothing else; what a test is
//! about is then added to it. Addresses are assigned when a function is added, so that DWARF can be
//! written with them; everything else is laid out by [`Kernel::build`]. Tables look as in Linux 6.1 built
//! for that machine; where other versions differ there is a switch.
//!
//! ```
//! use testkit::{Target, elf::Machine, kernel::{Event, Function, Kernel}};
//!
//! let mut kernel = Kernel::new(Machine::X86_64, Target::LE64);
//! kernel.release("6.12.1-test");
//! let address = kernel.function(Function::new("vfs_read").global().proto("long", &[("count", "size_t")]));
//! kernel.event(Event::new("sched", "sched_wakeup").field("pid", "int").argument("p", "struct task_struct *"));
//! let image = kernel.build();
//! assert_eq!(image.elf.address("vfs_read"), address);
//! let bytes: Vec<u8> = image.bytes();
//! ```

mod build;
mod event;
mod function;
mod idset;
mod memory;
mod sample;
mod syscall;
mod types;

pub use event::Event;
pub use function::Function;
pub use idset::IdSet;
pub use syscall::Syscall;

use crate::Target;
use crate::btf::TypeId;
use crate::c::{TypeTable, Types};
use crate::dwarf::{DebugSections, Style, Unit};
use crate::elf::{Elf, FileType, Machine, Symbol};
use function::Regions;

/// How the pointers in the image's tables are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pointers {
    /// In place, in an `ET_EXEC` file (x86, arm, mips).
    InPlace,
    /// In place they are zero; the values are in `.rela.dyn` of an `ET_DYN` file (arm64 and others).
    Rela,
    /// In place, and their addresses are in `.relr.dyn` of an `ET_DYN` file.
    Relr,
}

/// A kernel image under construction.
#[derive(Clone, Debug)]
pub struct Kernel {
    machine: Machine,
    target: Target,
    /// The types of the image. A new kernel has those of the structs in its tables; what is added here
    /// appears in `.BTF`, and in DWARF where a unit asks for it with [`Types::dies`].
    pub types: Types,
    release: String,
    compiler: String,
    build_id: Vec<u8>,
    pointers: Pointers,
    base: u64,
    regions: Regions,
    functions: Vec<(Function, u64)>,
    symbols: Vec<Symbol>,
    events: Vec<Event>,
    syscalls: Vec<Syscall>,
    id_sets: Vec<IdSet>,
    config: Option<String>,
    units: Vec<Unit>,
    dwarf_version: u16,
    style: Style,
    mcount_offset: i64,
    mcount_zeros: usize,
    sized_tables: bool,
    metadata: bool,
}

/// A finished image, still open to changes of its sections.
#[derive(Clone, Debug)]
pub struct Image {
    /// The file. Its symbols give the address of everything in it.
    pub elf: Elf,
    /// The debug sections, as they are in the file; for the offsets of DIEs.
    pub debug: DebugSections,
    machine: Machine,
    types: TypeTable,
}

impl Image {
    /// The bytes of the file.
    pub fn bytes(&self) -> Vec<u8> {
        self.elf.build()
    }

    /// The files of split units, by name: object files without code ([`Kernel::split`]).
    pub fn dwo_files(&self) -> Vec<(String, Vec<u8>)> {
        let file = |name: &str| {
            let mut elf = Elf::new(self.machine, self.elf.target());
            elf.file_type(FileType::Relocatable).sections(self.debug.dwo(name).clone().into_dwo_sections());
            (name.to_owned(), elf.build())
        };
        self.debug.dwo_names().map(file).collect()
    }

    /// The contents of `.BTF`.
    pub fn btf(&self) -> Vec<u8> {
        self.types.btf.build()
    }

    /// BTF id of the type with this spelling.
    pub fn type_id(&self, spelling: &str) -> TypeId {
        self.types.id(spelling)
    }

    /// BTF id of a `FUNC`.
    pub fn func_id(&self, name: &str) -> TypeId {
        self.types.func(name)
    }
}

impl Kernel {
    /// Release `6.1.0-test`, built by GCC 12.2, with pointers stored as this machine's kernels do.
    pub fn new(machine: Machine, target: Target) -> Kernel {
        let pointers = match machine {
            Machine::AARCH64 | Machine::S390 | Machine::RISCV | Machine::LOONGARCH | Machine::PPC64 => {
                Pointers::Rela
            }
            _ => Pointers::InPlace,
        };
        let base = memory::text_base(machine, target);
        Kernel {
            machine,
            target,
            types: types::kernel_types(target),
            release: "6.1.0-test".to_owned(),
            compiler: "GCC: (GNU) 12.2.0".to_owned(),
            build_id: (0..20).collect(),
            pointers,
            base,
            regions: Regions::new(base),
            functions: Vec::new(),
            symbols: Vec::new(),
            events: Vec::new(),
            syscalls: Vec::new(),
            id_sets: Vec::new(),
            config: None,
            units: Vec::new(),
            dwarf_version: 5,
            style: Style::Gcc,
            mcount_offset: 0,
            mcount_zeros: 0,
            sized_tables: true,
            metadata: true,
        }
    }

    /// Byte order and width.
    pub fn target(&self) -> Target {
        self.target
    }

    /// The release in the banner, as `uname -r` prints it.
    pub fn release(&mut self, release: &str) -> &mut Kernel {
        self.release = release.to_owned();
        self
    }

    /// The text of `.comment`.
    pub fn compiler(&mut self, compiler: &str) -> &mut Kernel {
        self.compiler = compiler.to_owned();
        self
    }

    /// The build id in `.notes`.
    pub fn build_id(&mut self, id: &[u8]) -> &mut Kernel {
        self.build_id = id.to_owned();
        self
    }

    /// How pointers are stored.
    pub fn pointers(&mut self, pointers: Pointers) -> &mut Kernel {
        self.pointers = pointers;
        self
    }

    /// Where the ftrace site of a function lies, from its symbol's value: behind an `endbr64` it is 4, in
    /// front of the function it is negative. Every entry of the `mcount` table gets it.
    pub fn mcount_offset(&mut self, offset: i64) -> &mut Kernel {
        self.mcount_offset = offset;
        self
    }

    /// Puts entries of 0 in front of the `mcount` table, as weak functions leave them behind.
    pub fn mcount_zeros(&mut self, count: usize) -> &mut Kernel {
        self.mcount_zeros = count;
        self
    }

    /// Gives `sys_call_table` a symbol of size 0, as tables written in assembly have.
    pub fn unsized_syscall_table(&mut self) -> &mut Kernel {
        self.sized_tables = false;
        self
    }

    /// Leaves out the syscall metadata and the events made from it, as without `CONFIG_FTRACE_SYSCALLS`.
    pub fn without_syscall_metadata(&mut self) -> &mut Kernel {
        self.metadata = false;
        self
    }

    /// Embeds a configuration, as `CONFIG_IKCONFIG` does.
    pub fn config(&mut self, text: &str) -> &mut Kernel {
        self.config = Some(text.to_owned());
        self
    }

    /// Adds a function and returns its address.
    pub fn function(&mut self, function: Function) -> u64 {
        let address = self.regions.place(&function);
        if let Some((returns, parameters)) = &function.prototype {
            let parameters: Vec<(&str, &str)> =
                parameters.iter().map(|(name, of)| (name.as_str(), of.as_str())).collect();
            self.types.function(&function.name, returns, &parameters);
        }
        if function.kfunc {
            self.types.tag("bpf_kfunc", &function.name);
        }
        self.functions.push((function, address));
        address
    }

    /// Adds any symbol, behind those of the functions.
    pub fn symbol(&mut self, symbol: Symbol) -> &mut Kernel {
        self.symbols.push(symbol);
        self
    }

    /// Adds a tracepoint, with all that its macros generate: an event unless it is bare, a class unless
    /// another event brought it, functions and types.
    pub fn event(&mut self, event: Event) -> &mut Kernel {
        event.declare(self);
        self.events.push(event);
        self
    }

    /// Adds a syscall: its entry function, its place in `sys_call_table` and its metadata.
    pub fn syscall(&mut self, mut syscall: Syscall) -> &mut Kernel {
        let prefix = syscall::prefix(self.machine);
        if self.syscalls.is_empty() {
            self.function(Function::new(&format!("{prefix}ni_syscall")).global());
        }
        let entry = Function::new(&format!("{prefix}{}", syscall.name)).global();
        syscall.entry = self.function(entry.proto("long", &syscall.entry_parameters(self.machine)));
        self.syscalls.push(syscall);
        self
    }

    /// Adds a set to `.BTF_ids`.
    pub fn id_set(&mut self, set: IdSet) -> &mut Kernel {
        self.id_sets.push(set);
        self
    }

    /// Adds a compile unit. Without any the image has no debug information.
    pub fn unit(&mut self, unit: Unit) -> &mut Kernel {
        self.units.push(unit);
        self
    }

    /// Leaves only skeletons of all units in the image, as `CONFIG_DEBUG_INFO_SPLIT` does.
    pub fn split(&mut self) -> &mut Kernel {
        let units = std::mem::take(&mut self.units);
        self.units = (1..).zip(units).map(|(id, unit)| unit.split_beside(id)).collect();
        self
    }

    /// DWARF version of units that do not set their own, 5 at first, and how they are written.
    pub fn dwarf(&mut self, version: u16, style: Style) -> &mut Kernel {
        self.dwarf_version = version;
        self.style = style;
        self
    }

    /// Address of the first function of this name.
    ///
    /// # Panics
    /// When there is none.
    pub fn address(&self, name: &str) -> u64 {
        let found = self.functions.iter().find(|(function, _)| function.name == name);
        found.unwrap_or_else(|| panic!("no function `{name}` was added")).1
    }
}
