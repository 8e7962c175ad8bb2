//! Whether every record of a surface refers to something that is there, and tables are in the order that looking up
//! relies on. Readers go by what they find and give wrong or missing facts where it is not so; this tells.

use std::cmp::Ordering;

use zerocopy::little_endian::U32;
use zerocopy::{FromBytes, Immutable, KnownLayout};

use super::record::{self, NONE, Section};
use super::strings::text_at;
use super::{Surface, TypeKind};
use crate::error::{Error, Result};

/// What a field of a record refers to.
enum Refers {
    /// A string.
    Text(U32),
    /// A record of a section.
    To(Section, u32),
    /// A record of a section, or nothing.
    Maybe(Section, u32),
    /// The first of a run in a section, which may be empty and at its end.
    Run(Section, u32),
}

use Refers::{Maybe, Run, Text, To};

impl Surface {
    /// Checks what [`Surface::verify`] does not: that each reference of each record is within its table, that strings
    /// are whole, and that tables are sorted. Reads the whole file.
    ///
    /// # Errors
    /// Names the first record that is wrong.
    pub fn check_records(&self) -> Result<()> {
        self.check_strings()?;
        self.notes()?;
        self.check_references()?;
        self.check_types()?;
        self.check_order()
    }

    /// Strings end, and are text.
    fn check_strings(&self) -> Result<()> {
        let strings = self.section(Section::Strings);
        let wrong = |what: &str| Err(malformed(Section::Strings, what.into()));
        match (strings.first(), strings.last(), std::str::from_utf8(strings)) {
            (Some(0), Some(0), Ok(_)) => Ok(()),
            (.., Err(error)) => wrong(&format!("no UTF-8 at {:#x}", error.valid_up_to())),
            _ => wrong("it does not begin and end with a NUL"),
        }
    }

    fn check_references(&self) -> Result<()> {
        use Section as S;
        // Callers of a cut dataset are numbered behind the instances.
        let callers = self.count(S::Instances) + self.count(S::Callers);
        let caller = |index: U32| match index.get() as usize {
            index if index < callers => Text(0.into()),
            _ => To(S::Instances, index.get()),
        };
        self.each(S::Files, |id: &U32| [Text(*id)])?;
        self.each(S::Units, |it: &record::Unit| [Maybe(S::Files, it.file.get()), Text(it.module)])?;
        self.each(S::Functions, |it: &record::Function| {
            [
                Text(it.name),
                Run(S::Instances, it.first_instance.get()),
                Run(S::FunctionSymbols, it.first_symbol.get()),
                Maybe(S::Types, it.btf_func.get()),
            ]
        })?;
        self.each(S::Instances, |it: &record::Instance| {
            [
                Maybe(S::Units, it.unit.get()),
                Maybe(S::Files, it.decl_file.get()),
                Maybe(S::Types, it.prototype.get()),
                Run(S::InlineSites, it.first_inline_site.get()),
                Run(S::CallSites, it.first_call_site.get()),
            ]
        })?;
        self.each(S::InlineSites, |it: &record::InlineSite| {
            [caller(it.caller), Maybe(S::Files, it.call_file.get())]
        })?;
        self.each(S::CallSites, |it: &record::CallSite| [caller(it.caller)])?;
        self.each(S::Sections, |it: &record::ElfSection| [Text(it.name), Text(it.module)])?;
        self.each(S::Symbols, |it: &record::Symbol| [Text(it.name), Maybe(S::Sections, it.section.get())])?;
        self.each(S::SymbolsByName, |it: &U32| [To(S::Symbols, it.get())])?;
        self.each(S::FunctionSymbols, |it: &U32| [To(S::Symbols, it.get())])?;
        self.each(S::Types, |it: &record::Type| [Text(it.name), Run(S::TypeChildren, it.first_child.get())])?;
        self.each(S::TypeChildren, |it: &record::TypeChild| [Text(it.name)])?;
        self.each(S::TypesByName, |it: &U32| [To(S::Types, it.get())])?;
        self.each(S::Tracepoints, |it: &record::Tracepoint| {
            [
                Text(it.name),
                Text(it.system),
                Text(it.class),
                Text(it.format),
                Maybe(S::Types, it.record.get()),
                Maybe(S::Types, it.prototype.get()),
                Maybe(S::Types, it.btf_trace.get()),
            ]
        })?;
        self.each(S::LsmHooks, |it: &record::LsmHook| [Text(it.name), Maybe(S::Types, it.prototype.get())])?;
        self.each(S::Kfuncs, |it: &record::Kfunc| [Text(it.name), Maybe(S::Types, it.prototype.get())])?;
        self.each(S::Syscalls, |it: &record::Syscall| {
            [Text(it.abi), Text(it.name), Text(it.symbol), Run(S::SyscallArgs, it.first_arg.get())]
        })?;
        self.each(S::SyscallArgs, |it: &record::SyscallArg| [Text(it.type_name), Text(it.name)])?;
        self.each(S::Configs, |it: &record::Config| [Text(it.name), Text(it.value)])?;
        self.each(S::Sets, |it: &record::Set| [Text(it.name), Run(S::SetMembers, it.first_member.get())])?;
        self.each(S::SetMembers, |it: &record::SetMember| [Text(it.name)])?;
        self.each(S::Callers, |it: &record::Caller| [Text(it.name), Maybe(S::Files, it.file.get())])
    }

    /// Types refer to types.
    fn check_types(&self) -> Result<()> {
        let types: &[record::Type] = self.table(Section::Types);
        let children: &[record::TypeChild] = self.table(Section::TypeChildren);
        let is_type = |id: u32| (id as usize) < types.len();
        for (id, it) in types.iter().enumerate() {
            let wrong = |what: &str| Err(malformed(Section::Types, format!("record {id}: {what}")));
            let kind = it.kind.get() as u8;
            let Some(kind) = TypeKind::ALL.get(usize::from(kind)) else { return wrong("no kind of type") };
            use TypeKind as K;
            let refers = matches!(
                kind,
                K::Ptr | K::Typedef | K::Volatile | K::Const | K::Restrict | K::Func | K::FuncProto | K::Var
            ) || matches!(kind, K::DeclTag | K::TypeTag);
            if refers && !is_type(it.size_or_type.get()) {
                return wrong("it refers to a type that is not there");
            }
            let first = it.first_child.get() as usize;
            let end = types.get(id + 1).map_or(children.len(), |next| next.first_child.get() as usize);
            let Some(own) = children.get(first..end) else { return wrong("its parts are not in order") };
            let typed = matches!(kind, K::Struct | K::Union | K::FuncProto | K::Array | K::Datasec);
            if typed && !own.iter().all(|child| is_type(child.a.get())) {
                return wrong("a part of it is of a type that is not there");
            }
        }
        Ok(())
    }

    /// Tables that are searched by name are sorted.
    fn check_order(&self) -> Result<()> {
        use Section as S;
        self.sorted(S::Functions, |it: &record::Function| it.name)?;
        self.sorted(S::LsmHooks, |it: &record::LsmHook| it.name)?;
        self.sorted(S::Kfuncs, |it: &record::Kfunc| it.name)?;
        self.sorted(S::Configs, |it: &record::Config| it.name)?;
        self.sorted(S::Sets, |it: &record::Set| it.name)?;
        self.sorted(S::Tracepoints, |it: &record::Tracepoint| it.name)?;
        let symbols: &[record::Symbol] = self.table(S::Symbols);
        self.sorted(S::SymbolsByName, |it: &U32| symbols[it.get() as usize].name)?;
        let types: &[record::Type] = self.table(S::Types);
        self.sorted(S::TypesByName, |it: &U32| types[it.get() as usize].name)
    }

    fn count(&self, section: Section) -> usize {
        self.section(section).len() / section.record_size()
    }

    /// Checks the references of all records of a section.
    fn each<T: FromBytes + Immutable + KnownLayout, const N: usize>(
        &self,
        section: Section,
        references: impl Fn(&T) -> [Refers; N],
    ) -> Result<()> {
        let strings = self.section(Section::Strings);
        let text = |id: usize| id == 0 || strings.get(id - 1) == Some(&0) && id < strings.len();
        // Counted once: a section has millions of records.
        let counts = Section::ALL.map(|section| self.count(section));
        let count = |section: Section| counts[section as usize - 1];
        for (index, record) in self.table::<T>(section).iter().enumerate() {
            for reference in references(record) {
                let (fits, what) = match reference {
                    Text(id) => (text(id.get() as usize), Section::Strings),
                    To(to, at) => ((at as usize) < count(to), to),
                    Maybe(to, at) => (at == NONE || (at as usize) < count(to), to),
                    Run(to, at) => ((at as usize) <= count(to), to),
                };
                if !fits {
                    let what = format!("record {index} refers to something in {what:?} that is not there");
                    return Err(malformed(section, what));
                }
            }
        }
        Ok(())
    }

    fn sorted<T: FromBytes + Immutable + KnownLayout>(
        &self,
        section: Section,
        name: impl Fn(&T) -> U32,
    ) -> Result<()> {
        let strings = self.section(Section::Strings);
        let text = |record: &T| text_at(strings, name(record).get());
        let table = self.table::<T>(section);
        match table.windows(2).position(|pair| text(&pair[0]).cmp(text(&pair[1])) == Ordering::Greater) {
            None => Ok(()),
            Some(at) => Err(malformed(section, format!("record {} is not sorted by name", at + 1))),
        }
    }
}

fn malformed(section: Section, what: String) -> Error {
    Error::malformed("surface file", format!("section {section:?}"), what)
}

#[cfg(test)]
mod tests;
