//! What an object depends on, in words: for people and for JSON.

use std::collections::BTreeSet;

use serde::Serialize;

use super::{Call, Choices, Definition, ExternalKind, Object, Program, Reference};
use crate::error::Result;
use crate::note::Note;

/// What an object depends on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Dependencies {
    /// What it is called: a file, and which of the objects in it.
    pub name: String,
    /// Where it begins in its file, in bytes.
    pub offset: usize,
    /// Bytes.
    pub size: usize,
    /// Its license; none where it has no section of that name.
    pub license: Option<String>,
    /// Its programs, in the order of the file.
    pub programs: Vec<ProgramDependencies>,
    /// Programs of which the loader takes one set, where a side file tells.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub any_of: Vec<Vec<Vec<String>>>,
    /// Fields that a script reads, as far as they can be seen. Objects tell them by program.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub types: Vec<TypeDependency>,
    /// Its maps, and the sections of variables that become maps.
    pub maps: Vec<MapDependency>,
    /// kfuncs, variables and options of the kernel.
    pub externals: Vec<ExternalDependency>,
    /// What could not be read.
    pub notes: Vec<Note>,
}

/// What a program depends on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ProgramDependencies {
    /// Name of its function.
    pub name: String,
    /// Section, as written: what it attaches to.
    pub section: String,
    /// What it attaches to in its place, as the loader chooses; of several the first that works. Empty where the
    /// section is right.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<String>,
    /// Whether these are a guess from the loader's texts.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_guess: bool,
    /// Whether the loader goes on without it, where a side file tells.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub optional: bool,
    /// When the loader loads it, in a side file's words; none where nobody says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    /// Whether it is loaded unless the loader says otherwise.
    pub autoload: bool,
    /// `BPF_PROG_TYPE_KPROBE`; none where the section is unknown.
    pub program_type: Option<String>,
    /// `BPF_TRACE_FENTRY`; none where the type needs none.
    pub attach_type: Option<String>,
    /// Instructions, with those of the functions that it calls.
    pub instructions: usize,
    /// Helpers that it calls, by name, sorted.
    pub helpers: Vec<String>,
    /// What it asks of the kernel's types, in the order of the instructions, each once.
    pub types: Vec<TypeDependency>,
}

/// A field, type or enumerator of the kernel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TypeDependency {
    /// `task_struct::__state`, `struct task_struct`, `enum pid_type::PIDTYPE_PID`.
    pub path: String,
    /// What is asked, in libbpf's word: `byte_off`, `field_exists`.
    pub kind: String,
    /// `FILE:LINE` of the first use; none where the object does not tell.
    pub place: Option<String>,
    /// That line; none where the object does not tell.
    pub text: Option<String>,
}

/// A map.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MapDependency {
    /// Name.
    pub name: String,
    /// `BPF_MAP_TYPE_HASH`; none where the loader sets it.
    pub map_type: Option<String>,
    /// Bytes of a key.
    pub key_size: u32,
    /// Bytes of a value.
    pub value_size: u32,
    /// Entries; 0 where the loader sets it.
    pub max_entries: u32,
}

/// Something that the kernel provides by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ExternalDependency {
    /// Name, as the kernel has it.
    pub name: String,
    /// `kfunc`, `ksym`, `kconfig`, `unknown`.
    pub kind: &'static str,
    /// Whether the program goes on without it.
    pub weak: bool,
}

impl Dependencies {
    /// Lists what an object depends on. `offset` and `size` say where it is in its file.
    ///
    /// # Errors
    /// When a program cannot be put together from the object.
    pub fn of(name: impl Into<String>, object: &Object<'_>, offset: usize, size: usize) -> Result<Self> {
        let maps = object.maps().iter().filter(|map| !matches!(map.definition, Definition::StructOps { .. }));
        let maps = maps.map(|map| MapDependency {
            name: map.name.clone(),
            map_type: map.shape.kind.name().filter(|_| map.shape.kind.0 != 0).map(str::to_owned),
            key_size: map.shape.key_size,
            value_size: map.shape.value_size,
            max_entries: map.shape.max_entries,
        });
        let externals = object.externals().iter().map(|external| ExternalDependency {
            name: external.essential_name().to_owned(),
            kind: match external.kind {
                ExternalKind::Kfunc => "kfunc",
                ExternalKind::Ksym { .. } => "ksym",
                ExternalKind::Kconfig => "kconfig",
                ExternalKind::Unknown => "unknown",
            },
            weak: external.weak,
        });
        Ok(Self {
            name: name.into(),
            offset,
            size,
            license: object.license().map(str::to_owned),
            programs: object.programs().map(|program| of_program(object, program)).collect::<Result<_>>()?,
            any_of: Vec::new(),
            types: Vec::new(),
            maps: maps.collect(),
            externals: externals.collect(),
            notes: object.notes().to_vec(),
        })
    }

    /// With what the loader decides.
    #[must_use]
    pub fn with(mut self, choices: &Choices) -> Self {
        for program in &mut self.programs {
            let Some(choice) = choices.of(&program.name) else { continue };
            program.targets.clone_from(&choice.targets);
            (program.optional, program.is_guess) = (choice.optional, choice.is_guess);
            program.when.clone_from(&choice.when);
        }
        self.any_of = choices.groups().iter().map(|group| group.ways.clone()).collect();
        self
    }
}

fn of_program(object: &Object<'_>, program: &Program<'_>) -> Result<ProgramDependencies> {
    let linked = object.linked(program)?;
    let mut helpers = BTreeSet::new();
    let mut types: Vec<TypeDependency> = Vec::new();
    let mut seen = BTreeSet::new();
    for (insn, mark) in linked.insns.iter().zip(&linked.marks) {
        // The number of a call that is relocated is no helper's.
        let is_kfunc = matches!(mark.reference, Some(Reference::External(_)));
        if let Some(Call::Helper(helper)) = insn.call().filter(|_| !is_kfunc) {
            let name =
                helper.name().map_or_else(|| format!("helper {}", helper.0), |name| format!("bpf_{name}"));
            helpers.insert(name);
        }
        let relocation = mark.core.and_then(|number| object.relocations().get(number as usize));
        let Some(path) = relocation.and_then(|relocation| object.path(relocation).ok()) else { continue };
        let (kind, path) = (path.kind().name(), path.to_string());
        if seen.insert((kind, path.clone())) {
            let line = mark.line.and_then(|number| object.line(number));
            types.push(TypeDependency {
                path,
                kind: kind.to_owned(),
                place: line.map(|line| format!("{}:{}", line.file, line.line)),
                text: line.map(|line| line.text.to_owned()),
            });
        }
    }
    let sec = &program.sec;
    Ok(ProgramDependencies {
        name: program.name.to_owned(),
        section: sec.written.to_owned(),
        targets: Vec::new(),
        is_guess: false,
        optional: false,
        when: None,
        autoload: sec.autoload,
        program_type: sec.entry.and_then(|entry| entry.program.name()).map(str::to_owned),
        attach_type: sec.entry.and_then(|entry| entry.attach?.name()).map(str::to_owned),
        instructions: linked.insns.len(),
        helpers: helpers.into_iter().collect(),
        types,
    })
}
