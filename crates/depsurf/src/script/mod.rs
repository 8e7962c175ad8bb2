//! Programs of bpftrace and tools of BCC: text in, probes and fields out, and notes on what only a run would tell.
//!
//! Neither is run or parsed in full. What a script computes (names put together from pieces, loops, arguments of the
//! command line) is noted with its line and not guessed. Probes are written as libbpf's sections, so that they are judged
//! by the same rules as those of objects.

mod bcc;
mod bpftrace;
mod fields;
mod guards;
mod python;

use crate::bpf::{Dependencies, ProgramDependencies, Sec, TypeDependency};
use crate::note::{Note, Notes};

/// What a script is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Language {
    /// bpftrace's own language.
    Bpftrace,
    /// Python, with C in it, for BCC.
    Bcc,
}

impl Language {
    /// Tells from a file's name and first bytes; `None` where it is no script of these.
    #[must_use]
    pub fn of(name: &str, bytes: &[u8]) -> Option<Self> {
        let text = str::from_utf8(bytes).ok()?;
        let first = text.lines().next().unwrap_or_default();
        let is_python = first.starts_with("#!") && first.contains("python") || name.ends_with(".py");
        if first.starts_with("#!") && first.contains("bpftrace") || name.ends_with(".bt") {
            return Some(Self::Bpftrace);
        }
        let imports = |line: &str| {
            let line = line.trim_start();
            line.starts_with("from bcc ") || line.starts_with("from bcc.") || line.starts_with("import bcc")
        };
        (is_python && text.lines().any(imports)
            || text.lines().any(|line| line.starts_with("from bcc import")))
        .then_some(Self::Bcc)
    }

    /// What it is called.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Bpftrace => "bpftrace",
            Self::Bcc => "BCC",
        }
    }
}

/// A script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// What it is written in.
    pub language: Language,
    /// Its probes, in the order of the text.
    pub probes: Vec<Probe>,
    /// Probes of which the script takes some, by their numbers: one of the lists in each, whole.
    pub groups: Vec<Vec<Vec<usize>>>,
    /// Fields of the kernel's structs that it reads, as far as they can be seen.
    pub fields: Vec<TypeDependency>,
    /// Whether all of its code is compiled, so that a field that is not there is an error. Not so where the text has
    /// conditions of the preprocessor around code, or is changed when the script runs.
    pub is_compiled_as_written: bool,
    /// What cannot be seen.
    pub notes: Vec<Note>,
    /// Bytes of the text.
    size: usize,
}

/// A probe of a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// As the script has it.
    pub name: String,
    /// Sections of libbpf that would attach to the same; of several the first that works.
    pub sections: Vec<String>,
    /// Line, from 1.
    pub line: usize,
    /// Whether the script goes on without it.
    pub optional: bool,
    /// The condition that it is under, as the script has it; none where it is under none.
    pub when: Option<String>,
}

impl Script {
    /// Reads a script. Anything is read; what is not understood becomes a note.
    #[must_use]
    pub fn parse(language: Language, text: &str) -> Self {
        let mut found = Found::default();
        match language {
            Language::Bpftrace => bpftrace::read(text, &mut found),
            Language::Bcc => bcc::read(text, &mut found),
        }
        let Found { probes, groups, fields, notes } = found;
        let is_compiled_as_written = language == Language::Bpftrace && bpftrace::is_compiled_as_written(text);
        let (notes, size) = (notes.into_vec(), text.len());
        Self { language, probes, groups, fields, is_compiled_as_written, notes, size }
    }

    /// Lists what it depends on.
    #[must_use]
    pub fn dependencies(&self, name: impl Into<String>) -> Dependencies {
        let programs = self.probes.iter().map(|probe| {
            let written = probe.sections.first().map_or("", String::as_str);
            let sec = Sec::parse(written);
            ProgramDependencies {
                name: probe.name.clone(),
                section: written.to_owned(),
                targets: if probe.sections.len() > 1 { probe.sections.clone() } else { Vec::new() },
                is_guess: false,
                optional: probe.optional,
                when: probe.when.clone(),
                autoload: true,
                program_type: sec.entry.and_then(|entry| entry.program.name()).map(str::to_owned),
                attach_type: sec.entry.and_then(|entry| entry.attach?.name()).map(str::to_owned),
                instructions: 0,
                helpers: Vec::new(),
                types: Vec::new(),
            }
        });
        let name_of = |number: &usize| self.probes.get(*number).map(|probe| probe.name.clone());
        let names = |list: &Vec<usize>| list.iter().filter_map(name_of).collect();
        let groups = self.groups.iter().map(|group| group.iter().map(names).collect());
        Dependencies {
            name: name.into(),
            offset: 0,
            size: self.size,
            // Both load their programs under it, unless a script says otherwise.
            license: Some("GPL".into()),
            programs: programs.collect(),
            any_of: groups.collect(),
            types: self.fields.clone(),
            maps: Vec::new(),
            externals: Vec::new(),
            notes: self.notes.clone(),
        }
    }
}

/// What has been found so far.
#[derive(Debug, Default)]
struct Found {
    probes: Vec<Probe>,
    groups: Vec<Vec<Vec<usize>>>,
    fields: Vec<TypeDependency>,
    notes: Notes,
}

impl Found {
    /// Notes that something is only known when the script runs.
    fn unseen(&mut self, line: usize, what: &str) {
        self.notes.lost(
            "script-computed",
            || "what the script computes when it runs cannot be seen".into(),
            || format!("line {line}: {what}"),
        );
    }

    /// Adds a field, once.
    fn field(&mut self, path: String, kind: &str, line: usize, text: &str) {
        if self.fields.iter().all(|known| known.path != path || known.kind != kind) {
            let (place, text) = (Some(format!("line {line}")), Some(text.trim().to_owned()));
            self.fields.push(TypeDependency { path, kind: kind.to_owned(), place, text });
        }
    }
}

/// Line of an offset, from 1.
fn line_at(text: &str, at: usize) -> usize {
    1 + text.as_bytes()[..at.min(text.len())].iter().filter(|byte| **byte == b'\n').count()
}

/// Whether a name may be that of a function or event, or a pattern of some.
fn is_pattern(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "_.*?".contains(c))
}

#[cfg(test)]
mod tests;
