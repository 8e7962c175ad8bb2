//! A program with all that it calls in one piece, as libbpf hands it to the kernel
//! (`bpf_object__relocate_calls`).

use super::Object;
use super::elf::Relocation;
use super::insn::{self, Insn, SIZE};
use super::program::Program;
use crate::error::{Error, Result};

/// A program and the functions that it reaches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Linked {
    /// The instructions: the program's, then those of each function in the order in which they are first called.
    /// Calls of these functions and loads of their addresses have the distance in `imm`; all else is as the object
    /// has it.
    pub insns: Vec<Insn>,
    /// What is known of each instruction; as many as there are instructions.
    pub marks: Vec<Mark>,
    /// Which function is where.
    pub parts: Vec<Part>,
}

/// A function in a linked program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// Index in [`Object::functions`].
    pub function: u32,
    /// Its first instruction.
    pub start: u32,
    /// Number of its instructions.
    pub len: u32,
}

/// What is known of an instruction besides itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Mark {
    /// Index of its CO-RE relocation in [`Object::relocations`].
    pub core: Option<u32>,
    /// What its ELF relocation refers to.
    pub reference: Option<Reference>,
    /// Number of its line, for [`Object::line`]; instructions between two records belong to the first.
    pub line: Option<u32>,
}

/// What an instruction refers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reference {
    /// A map, by its index in [`Object::maps`].
    Map(u32),
    /// Global variables: an offset in the value of the map with this index.
    Data {
        /// Index in [`Object::maps`].
        map: u32,
        /// Bytes; beyond the value in a damaged object.
        offset: u64,
    },
    /// A kfunc, ksym or option, by its index in [`Object::externals`].
    External(u32),
    /// A function of the object, by its index in [`Linked::parts`].
    Part(u32),
    /// Something in a section that is not known here.
    Unknown {
        /// Index of the section; `None` where the symbol has none.
        section: Option<u32>,
    },
}

/// A function whose instructions are being looked at.
struct Frame<'o, 'a> {
    program: &'o Program<'a>,
    start: usize,
    /// The instruction to look at next.
    next: usize,
    /// The ELF relocation to look at next.
    relocation: usize,
}

impl Object<'_> {
    /// Appends to a program the functions that it reaches, and says what is known of each instruction.
    ///
    /// # Errors
    /// Names program and instruction where a call leads to no function, or where a relocation changes something that
    /// is no instruction, a call or a load of 64 bits.
    pub fn linked(&self, program: &Program<'_>) -> Result<Linked> {
        let mut linked = Linked { insns: Vec::new(), marks: Vec::new(), parts: Vec::new() };
        // For each function of the object the part that it has become.
        let mut places: std::collections::HashMap<u32, u32> = std::collections::HashMap::new();
        let Some(index) = self.function_index(program.section, program.offset) else {
            return Err(Error::malformed(
                "eBPF object",
                format!("program `{}`", program.name),
                "it is of another object",
            ));
        };
        let mut stack = Vec::new();
        self.append(index, &mut linked, &mut places, &mut stack);
        while let Some(frame) = stack.last_mut() {
            let Frame { program, start, next, .. } = *frame;
            if next >= program.len() {
                stack.pop();
                continue;
            }
            frame.next += 1;
            let relocation = self.relocation_of(frame, next)?;
            let at = start + next;
            let insn = linked.insns[at];
            let failed = |what: String| {
                let section = program.sec.written;
                let offset = program.offset + (next * SIZE) as u64;
                let place = format!("section `{section}` offset {offset:#x}, program `{}`", program.name);
                Error::malformed("eBPF object", place, what)
            };
            if insn.is_ld_imm64() {
                frame.next += 1;
                if next + 1 >= program.len() {
                    return Err(failed("a load of 64 bits has only one half".into()));
                }
            }
            let offset = program.offset as i64 + (next * SIZE) as i64;
            let is_call = matches!(insn.call(), Some(insn::Call::Subprogram(_)));
            let target = match relocation {
                None if insn.is_function_address() => {
                    return Err(failed("it loads the address of a function without saying which".into()));
                }
                None if is_call => offset + (i64::from(insn.imm) + 1) * SIZE as i64,
                None => continue,
                Some(relocation) => {
                    if !insn.is_call() && !insn.is_ld_imm64() {
                        return Err(failed(format!(
                            "a relocation of an instruction with opcode {:#04x}",
                            insn.opcode
                        )));
                    }
                    let reference = self.reference(relocation, insn);
                    match reference {
                        Resolved::Known(reference) => {
                            linked.marks[at].reference = Some(reference);
                            continue;
                        }
                        Resolved::Text(value) if insn.is_call() => {
                            value as i64 + (i64::from(insn.imm) + 1) * SIZE as i64
                        }
                        Resolved::Text(value) => value as i64 + i64::from(insn.imm),
                    }
                }
            };
            // Functions that are called are in `.text`, whatever section the call is in.
            let found = self.elf.section_named(".text").zip(u64::try_from(target).ok());
            let found = found.and_then(|(text, target)| self.function_index(text, target));
            let Some(callee) = found else {
                return Err(failed(format!("it refers to no function: offset {target:#x} of `.text`")));
            };
            let part = match places.get(&callee) {
                Some(&part) => part,
                None => self.append(callee, &mut linked, &mut places, &mut stack),
            };
            let distance = i64::from(linked.parts[part as usize].start) - at as i64 - 1;
            linked.insns[at].imm = distance as i32;
            if insn.is_ld_imm64() {
                // Older compilers leave that to libbpf.
                linked.insns[at].src = insn::PSEUDO_FUNC;
            }
            linked.marks[at].reference = Some(Reference::Part(part));
        }
        Ok(linked)
    }

    /// Adds a function's instructions and what is known of them without following references.
    fn append<'o, 'a>(
        &'o self,
        index: u32,
        linked: &mut Linked,
        places: &mut std::collections::HashMap<u32, u32>,
        stack: &mut Vec<Frame<'o, 'a>>,
    ) -> u32
    where
        'o: 'a,
    {
        let program = &self.functions[index as usize];
        let start = linked.insns.len();
        linked.insns.extend(self.insns(program));
        let part = linked.parts.len() as u32;
        linked.parts.push(Part {
            function: index,
            start: start as u32,
            len: (linked.insns.len() - start) as u32,
        });
        places.insert(index, part);

        let (section, offset) = (program.section, program.offset);
        let mut core = self.ext.relocation_from(section, offset);
        let mut line = self.ext.line_behind(section, offset.saturating_sub(1));
        if offset == 0 {
            line = self.ext.lines.partition_point(|info| info.section < section);
        }
        let mut current = None;
        for number in 0..program.len() {
            let at = offset + (number * SIZE) as u64;
            while let Some(info) = self.ext.lines.get(line)
                && (info.section, u64::from(info.offset)) <= (section, at)
            {
                current = Some(line as u32);
                line += 1;
            }
            let mut mark = Mark { line: current, ..Mark::default() };
            while let Some(relocation) = self.ext.relocations.get(core)
                && (relocation.section, u64::from(relocation.offset)) <= (section, at)
            {
                if u64::from(relocation.offset) == at && mark.core.is_none() {
                    mark.core = Some(core as u32);
                }
                core += 1;
            }
            linked.marks.push(mark);
        }
        let relocations = self.elf.relocations(section);
        let relocation = relocations.partition_point(|entry| entry.offset < offset);
        stack.push(Frame { program, start, next: 0, relocation });
        part
    }

    /// The ELF relocation of an instruction. Frames ask for one instruction after the other.
    fn relocation_of(&self, frame: &mut Frame<'_, '_>, number: usize) -> Result<Option<Relocation>> {
        let at = frame.program.offset + (number * SIZE) as u64;
        let relocations = self.elf.relocations(frame.program.section);
        let mut found = None;
        while let Some(entry) = relocations.get(frame.relocation)
            && entry.offset < at + SIZE as u64
        {
            if entry.offset != at {
                let section = frame.program.sec.written;
                let place = format!(
                    "section `{section}` offset {:#x}, program `{}`",
                    entry.offset, frame.program.name
                );
                return Err(Error::malformed(
                    "eBPF object",
                    place,
                    "a relocation of something that is no instruction",
                ));
            }
            found = Some(*entry);
            frame.relocation += 1;
        }
        Ok(found)
    }

    /// What a relocation refers to.
    fn reference(&self, relocation: Relocation, insn: Insn) -> Resolved {
        let unknown = |section| Resolved::Known(Reference::Unknown { section });
        if let Some(&external) = self.external_by_symbol.get(&relocation.symbol) {
            return Resolved::Known(Reference::External(external));
        }
        let Some(symbol) = self.elf.symbol(relocation.symbol) else { return unknown(None) };
        let Some(section) = symbol.section else { return unknown(None) };
        if self.elf.section_named(".text") == Some(section) {
            return Resolved::Text(symbol.value);
        }
        if let Some(&map) = self.map_by_place.get(&(section, symbol.value)) {
            return Resolved::Known(Reference::Map(map));
        }
        if let Some(&map) = self.data_by_section.get(&section) {
            let offset = symbol.value.wrapping_add_signed(insn.imm.into());
            return Resolved::Known(Reference::Data { map, offset });
        }
        unknown(Some(section))
    }
}

/// What a relocation refers to, before functions have a place.
enum Resolved {
    Known(Reference),
    /// Bytes in `.text`, to which the instruction adds its own number.
    Text(u64),
}
