//! What of an object does not depend on the kernel, worked out once.

use std::collections::HashMap;

use super::flow::{self, Code, ContextAccess, Lent, Mark, Spoils, Value};
use super::report::Place;
use crate::bpf::core::Path;
use crate::bpf::{
    Call, Choices, DataKind, Definition, ExternalKind, Linked, Object, Program, Reference, Sec,
};
use crate::error::Result;

/// An object that is ready to be compared with kernels.
#[derive(Debug)]
pub struct Prepared<'o> {
    /// What it is called in reports.
    pub name: String,
    pub(super) object: &'o Object<'o>,
    /// For each CO-RE relocation what it is about; an error where it makes no sense even in the object.
    pub(super) paths: Vec<Result<Path<'o>>>,
    pub(super) programs: Vec<PreparedProgram<'o>>,
    /// What the loader decides; none where nobody says.
    pub(super) choices: Option<&'o Choices>,
}

/// A program with the functions that it calls.
#[derive(Debug)]
pub(super) struct PreparedProgram<'o> {
    pub program: &'o Program<'o>,
    /// What it attaches to: what its section says, or else what the loader chooses from, in its order.
    pub targets: Vec<Sec<'o>>,
    /// Whether the object works without it.
    pub optional: bool,
    /// Whether the targets are a guess.
    pub is_guess: bool,
    pub linked: Linked,
    /// What is known of slots whatever the kernel.
    pub marks: HashMap<usize, Mark>,
    /// Slots with a CO-RE relocation, and its number.
    pub relocations: Vec<(usize, usize)>,
    /// Slots that refer to something of the kernel, and its number among the externs.
    pub externals: Vec<(usize, usize)>,
    /// Slots that call helpers, and the helper's number.
    pub helpers: Vec<(usize, u32)>,
    /// Accesses to the context, wherever the program may get; by slot.
    pub context: Vec<ContextAccess>,
    /// Whether there may be more that are not seen.
    pub context_escapes: bool,
    /// Whether it reads through something on the stack that a helper got to, so that it may be refused for that.
    pub may_be_spoiled: bool,
}

/// Sections of [`Value::Data`] from here on are options of the kernel, by their number among the externs.
pub(super) const OPTIONS: u32 = 1 << 31;

/// Bytes of a key and of a value of a map; 0 where the loader sets it.
pub(super) fn sizes(object: &Object<'_>, map: u32) -> (u32, u32) {
    object.maps().get(map as usize).map_or((0, 0), |map| (map.shape.key_size, map.shape.value_size))
}

impl<'o> Prepared<'o> {
    /// Works out what does not depend on the kernel.
    ///
    /// # Errors
    /// When a program cannot be put together from the object.
    pub fn new(name: impl Into<String>, object: &'o Object<'o>) -> Result<Self> {
        let paths = object.relocations().iter().map(|relocation| object.path(relocation)).collect();
        let programs = object.programs().map(|program| PreparedProgram::new(object, program));
        Ok(Self {
            name: name.into(),
            object,
            paths,
            programs: programs.collect::<Result<_>>()?,
            choices: None,
        })
    }

    /// With what the loader decides. Programs that the object does not have are passed over.
    #[must_use]
    pub fn with(mut self, choices: &'o Choices) -> Self {
        for program in &mut self.programs {
            let Some(choice) = choices.of(program.program.name) else { continue };
            if !choice.targets.is_empty() {
                program.targets = choice.targets.iter().map(|target| Sec::parse(target)).collect();
            }
            (program.optional, program.is_guess) = (choice.optional, choice.is_guess);
        }
        self.choices = Some(choices);
        self
    }

    /// What the object's constants hold. Everything else may change before or while programs run.
    pub(super) fn constant(&self, map: u32, offset: u32, size: u8) -> Option<u64> {
        let map = self.object.maps().get(map as usize)?;
        if map.definition != Definition::Data(DataKind::Rodata) {
            return None;
        }
        let bytes = self.object.sections().get(map.section? as usize)?.bytes;
        let start = offset as usize;
        let bytes = bytes.get(start..start.checked_add(size.into())?)?;
        let fold = |number: u64, byte: &u8| number << 8 | u64::from(*byte);
        Some(match self.object.is_big_endian() {
            true => bytes.iter().fold(0, fold),
            false => bytes.iter().rev().fold(0, fold),
        })
    }
}

impl<'o> PreparedProgram<'o> {
    fn new(object: &'o Object<'o>, program: &'o Program<'o>) -> Result<Self> {
        let linked = object.linked(program)?;
        let mut prepared = Self {
            program,
            targets: vec![program.sec],
            optional: false,
            is_guess: false,
            marks: HashMap::new(),
            relocations: Vec::new(),
            externals: Vec::new(),
            helpers: Vec::new(),
            context: Vec::new(),
            context_escapes: false,
            may_be_spoiled: false,
            linked,
        };
        for (slot, mark) in prepared.linked.marks.iter().enumerate() {
            if let Some(number) = mark.core {
                prepared.relocations.push((slot, number as usize));
            }
            let insn = prepared.linked.insns[slot];
            let known = match mark.reference {
                Some(Reference::Data { map, offset }) => {
                    u32::try_from(offset).ok().map(|offset| Mark::Gives(Value::Data { section: map, offset }))
                }
                Some(Reference::Map(map)) => Some(Mark::Gives(Value::Map(map))),
                Some(Reference::Unknown { .. }) => Some(Mark::Gives(Value::Address)),
                Some(Reference::External(number)) => {
                    prepared.externals.push((slot, number as usize));
                    let is_option = object
                        .externals()
                        .get(number as usize)
                        .is_some_and(|external| external.kind == ExternalKind::Kconfig);
                    let section = OPTIONS | number;
                    match (is_option, insn.is_ld_imm64()) {
                        (true, _) => Some(Mark::Gives(Value::Data { section, offset: 0 })),
                        (false, true) => Some(Mark::Gives(Value::Unknown)),
                        (false, false) => Some(Mark::CallsKernel),
                    }
                }
                Some(Reference::Part(part)) => prepared.linked.parts.get(part as usize).map(|part| {
                    let entry = part.start as usize;
                    let function = object.functions().get(part.function as usize);
                    if insn.is_ld_imm64() {
                        Mark::Callback(entry)
                    } else {
                        let global = function.is_some_and(|found| !found.is_static && !found.is_hidden);
                        Mark::Calls { entry, global }
                    }
                }),
                None => None,
            };
            if let Some(known) = known {
                prepared.marks.insert(slot, known);
            } else if let Some(Call::Helper(helper)) = insn.call() {
                prepared.helpers.push((slot, helper.0));
            }
        }
        // Relocated numbers may be anything here.
        let mut marks = prepared.marks.clone();
        for (slot, _) in &prepared.relocations {
            if prepared.linked.insns[*slot].is_ld_imm64() {
                marks.insert(*slot, Mark::Gives(Value::Unknown));
            } else {
                marks.insert(*slot, Mark::Anything);
            }
        }
        let big_endian = object.is_big_endian();
        let code = Code { insns: &prepared.linked.insns, marks: &marks, big_endian, lent: None };
        let reached = flow::follow(&code, &|_, _, _| None);
        let lent = Some(Lent { spoils: Spoils::All, sizes: &|map| sizes(object, map) });
        let spoiled = flow::follow(&Code { lent, ..code }, &|_, _, _| None);
        prepared.may_be_spoiled = spoiled.gave_up || !spoiled.through.is_empty();
        prepared.context = reached.context;
        prepared.context_escapes = reached.context_escapes;
        Ok(prepared)
    }

    /// What it attaches to, before any other target is tried.
    pub fn sec(&self) -> &Sec<'o> {
        self.targets.first().unwrap_or(&self.program.sec)
    }

    /// The line of the program's source that a slot comes from.
    pub fn place(&self, object: &Object<'_>, slot: usize) -> Option<Place> {
        let line = object.line(self.linked.marks.get(slot)?.line?)?;
        Some(Place {
            file: line.file.to_owned(),
            line: line.line,
            column: line.column,
            text: line.text.to_owned(),
        })
    }
}
