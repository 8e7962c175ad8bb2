//! The surface while it is made: owned tables that extraction fills, then one file.

use std::borrow::Cow;

use zerocopy::IntoBytes;
use zerocopy::little_endian::U32;

use super::record::{self, Section};
use super::strings::{StrId, Strings};
use super::types::TypeTable;
use super::{Meta, file, index};
use crate::note::Note;

/// All tables of a surface. Extraction fills them; [`Parts::encode`] sorts what a file keeps sorted.
///
/// Invariants the producers keep: `functions` sorted by name; the runs that `first_*` fields start are
/// contiguous and ascending; every index is in range or [`record::NONE`].
#[derive(Debug)]
#[allow(missing_docs, reason = "each field is the table of the record with the same name")]
pub struct Parts {
    pub meta: Meta,
    pub notes: Vec<Note>,
    pub strings: Strings,
    pub files: Vec<StrId>,
    pub units: Vec<record::Unit>,
    pub functions: Vec<record::Function>,
    pub instances: Vec<record::Instance>,
    pub inline_sites: Vec<record::InlineSite>,
    pub call_sites: Vec<record::CallSite>,
    pub sections: Vec<record::ElfSection>,
    pub symbols: Vec<record::Symbol>,
    pub function_symbols: Vec<u32>,
    pub types: TypeTable,
    /// Filled by [`Parts::index_types`].
    pub types_by_name: Vec<U32>,
    pub tracepoints: Vec<record::Tracepoint>,
    pub lsm_hooks: Vec<record::LsmHook>,
    pub kfuncs: Vec<record::Kfunc>,
    pub syscalls: Vec<record::Syscall>,
    pub syscall_args: Vec<record::SyscallArg>,
    pub configs: Vec<record::Config>,
    pub sets: Vec<record::Set>,
    pub set_members: Vec<record::SetMember>,
    /// One byte per function, see [`super::verdict::Given::to_byte`]; empty where all follows from evidence.
    pub verdicts: Vec<u8>,
    pub callers: Vec<record::Caller>,
    pub modules: Vec<record::Module>,
}

impl Parts {
    /// Empty tables.
    #[must_use]
    pub fn new(meta: Meta) -> Self {
        Self {
            meta,
            notes: Vec::new(),
            strings: Strings::new(),
            files: Vec::new(),
            units: Vec::new(),
            functions: Vec::new(),
            instances: Vec::new(),
            inline_sites: Vec::new(),
            call_sites: Vec::new(),
            sections: Vec::new(),
            symbols: Vec::new(),
            function_symbols: Vec::new(),
            types: TypeTable::new(),
            types_by_name: Vec::new(),
            tracepoints: Vec::new(),
            lsm_hooks: Vec::new(),
            kfuncs: Vec::new(),
            syscalls: Vec::new(),
            syscall_args: Vec::new(),
            configs: Vec::new(),
            sets: Vec::new(),
            set_members: Vec::new(),
            verdicts: Vec::new(),
            callers: Vec::new(),
            modules: Vec::new(),
        }
    }

    /// Sorts the types by name, so that they can be looked up. Types must not be added afterwards.
    pub fn index_types(&mut self) {
        self.types_by_name = self.types.by_name(&self.strings);
    }

    /// The surface file.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let types_by_name = match self.types_by_name.as_slice() {
            [] => Cow::Owned(self.types.by_name(&self.strings)),
            index => Cow::Borrowed(index),
        };
        let json = |value: serde_json::Result<Vec<u8>>| value.expect("plain data serialises");
        let meta = json(serde_json::to_vec(&self.meta));
        let notes = json(serde_json::to_vec(&self.notes));
        let files: Vec<U32> = self.files.iter().map(|id| id.0.into()).collect();
        let function_symbols: Vec<U32> = self.function_symbols.iter().map(|&index| index.into()).collect();
        let symbols_by_name = index::symbols_by_name(&self.symbols, self.strings.bytes());
        let sections = Section::ALL.map(|section| match section {
            Section::Meta => meta.as_slice(),
            Section::Notes => notes.as_slice(),
            Section::Strings => self.strings.bytes(),
            Section::Files => files.as_bytes(),
            Section::Units => self.units.as_bytes(),
            Section::Functions => self.functions.as_bytes(),
            Section::Instances => self.instances.as_bytes(),
            Section::InlineSites => self.inline_sites.as_bytes(),
            Section::CallSites => self.call_sites.as_bytes(),
            Section::Sections => self.sections.as_bytes(),
            Section::Symbols => self.symbols.as_bytes(),
            Section::SymbolsByName => symbols_by_name.as_bytes(),
            Section::FunctionSymbols => function_symbols.as_bytes(),
            Section::Types => self.types.records().as_bytes(),
            Section::TypeChildren => self.types.children().as_bytes(),
            Section::TypesByName => types_by_name.as_bytes(),
            Section::Tracepoints => self.tracepoints.as_bytes(),
            Section::LsmHooks => self.lsm_hooks.as_bytes(),
            Section::Kfuncs => self.kfuncs.as_bytes(),
            Section::Syscalls => self.syscalls.as_bytes(),
            Section::SyscallArgs => self.syscall_args.as_bytes(),
            Section::Configs => self.configs.as_bytes(),
            Section::Sets => self.sets.as_bytes(),
            Section::SetMembers => self.set_members.as_bytes(),
            Section::Verdicts => &self.verdicts,
            Section::Callers => self.callers.as_bytes(),
            Section::Modules => self.modules.as_bytes(),
        });
        file::write(&sections)
    }
}
