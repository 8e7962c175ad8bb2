//! Puts the image together.

use super::memory::{Memory, Place};
use super::{Image, Kernel, event, function, idset, syscall};
use crate::dwarf::Dwarf;
use crate::elf::{Section, Symbol, gzip};

impl Kernel {
    /// Lays out the image.
    ///
    /// # Panics
    /// When the description contradicts itself: two definitions of a type, an unknown label in a unit.
    pub fn build(&self) -> Image {
        let mut memory = Memory::new(self.target, self.base);
        self.regions.write(&mut memory);
        self.write_identity(&mut memory);
        function::write(&self.functions, self.mcount_offset, self.mcount_zeros, &mut memory);
        for symbol in &self.symbols {
            memory.symbol(symbol.clone());
        }
        event::write(self, &mut memory);
        syscall::write_table(self, &mut memory);

        let types = self.types.btf();
        let btf = types.btf.build();
        let start = memory.put(Place::Btf, 8, &btf);
        memory.symbol(Symbol::notype("__start_BTF", start).global());
        memory.symbol(Symbol::notype("__stop_BTF", start + btf.len() as u64).global());
        idset::write(&self.id_sets, &types, &mut memory);

        let mut elf = memory.into_elf(self.machine, self.pointers, &self.build_id);
        elf.section(Section::debug(".comment", format!("{}\0", self.compiler)));
        let dwarf = Dwarf::new(self.target, self.dwarf_version).style(self.style).siblings();
        let debug = dwarf.units(self.units.iter().cloned()).build();
        elf.sections(debug.clone().into_sections());
        Image { elf, debug, machine: self.machine, types }
    }

    /// The banner and the embedded configuration.
    fn write_identity(&self, memory: &mut Memory) {
        let banner = format!(
            "Linux version {} (build@host) (gcc (GCC) 12.2.0, GNU ld 2.40) #1 SMP PREEMPT_DYNAMIC Thu Jan 1 00:00:00 UTC 1970\n",
            self.release
        );
        let address = memory.string(Place::Rodata, &banner);
        memory.symbol(Symbol::object("linux_banner", address, banner.len() as u64 + 1).global());
        if let Some(config) = &self.config {
            let config = gzip(config.as_bytes());
            memory.put(Place::Rodata, 8, b"IKCFG_ST");
            let start = memory.put(Place::Rodata, 1, &config);
            let end = memory.put(Place::Rodata, 1, b"IKCFG_ED");
            memory.symbol(Symbol::notype("kernel_config_data", start).global());
            memory.symbol(Symbol::notype("kernel_config_data_end", end).global());
        }
    }
}
