//! Facts from DIEs that the tests write themselves, in every byte order, width and version, as lines of text.

mod audit;
mod clang;
mod damage;
mod function;
mod hostile;
mod split;
pub(crate) mod thread;
mod types;
mod unit;

pub(crate) use clang::output;

use testkit::dwarf::{DebugSections, Die, Dwarf, Style, Unit};
use testkit::{Endian, Target};

use super::node::{self, Kind, NodeId};
use super::{Facts, FunctionRef, NameId, Others, read};
use crate::note::Note;
use crate::progress::Silent;

/// A way to write DWARF.
#[derive(Debug, Clone, Copy)]
struct Form {
    target: Target,
    version: u16,
    style: Style,
    siblings: bool,
}

impl Form {
    /// GCC with `DW_AT_sibling` and Clang without, and each once the other way round.
    fn all() -> Vec<Self> {
        let styles = [(4, Style::Gcc), (5, Style::Gcc), (5, Style::Clang)];
        let mut all = Vec::new();
        for target in Target::ALL {
            for (version, style) in styles {
                for siblings in [true, false] {
                    all.push(Self { target, version, style, siblings });
                }
            }
        }
        all
    }

    fn build(self, units: &[Unit]) -> DebugSections {
        let dwarf = Dwarf::new(self.target, self.version).style(self.style).units(units.iter().cloned());
        if self.siblings { dwarf.siblings().build() } else { dwarf.build() }
    }
}

fn facts(sections: &DebugSections, target: Target) -> Facts<'_> {
    read(target.endian == Endian::Big, |id| sections.get(id.name()), &Others::default(), &Silent).unwrap()
}

/// Checks what the units tell, in every form.
#[track_caller]
fn each(units: &[Unit], check: impl Fn(&Facts<'_>)) {
    for form in Form::all() {
        let sections = form.build(units);
        let facts = facts(&sections, form.target);
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| check(&facts)));
        assert!(outcome.is_ok(), "in the form {form:?}");
    }
}

/// Checks that nothing was skipped, and what the lines of some view of the facts are.
#[track_caller]
fn expect(units: &[Unit], view: impl Fn(&Facts<'_>) -> Vec<String>, lines: &[&str]) {
    each(units, |facts| {
        assert_eq!(facts.notes.clone().into_vec(), [], "nothing is skipped");
        assert_eq!(view(facts), lines);
    });
}

/// The unit `fs/a.c` with these DIEs.
fn unit(dies: impl IntoIterator<Item = Die>) -> Unit {
    Unit::new("fs/a.c").children(dies)
}

fn notes(facts: &Facts<'_>) -> Vec<Note> {
    facts.notes.clone().into_vec()
}

/// Ids and counts of the notes.
fn note_counts(facts: &Facts<'_>) -> Vec<(String, u64)> {
    notes(facts).into_iter().map(|note| (note.id, note.count)).collect()
}

fn text<'a>(facts: &Facts<'a>, name: NameId) -> &'a str {
    std::str::from_utf8(facts.name(name)).unwrap()
}

fn composite(word: u32) -> &'static str {
    ["struct ", "union ", "enum ", ""][word as usize]
}

/// A type in short: `* ` for a pointer to what follows, members with their bit offset, a named type by its
/// name alone.
fn spell(facts: &Facts<'_>, node: NodeId) -> String {
    let (kind, words) = facts.nodes.get(node);
    let name = |word: u32| text(facts, NameId(word)).to_owned();
    let of = |word: u32| spell(facts, NodeId(word));
    match kind {
        Kind::Void => "void".to_owned(),
        Kind::Int => name(words[0]),
        Kind::Float => format!("float {}", name(words[0])),
        Kind::Ptr => format!("* {}", of(words[0])),
        Kind::Const => format!("const {}", of(words[0])),
        Kind::Volatile => format!("volatile {}", of(words[0])),
        Kind::Restrict => format!("restrict {}", of(words[0])),
        Kind::Array => format!("[{}] {}", words[1], of(words[0])),
        Kind::Proto => {
            let params: Vec<String> = words[1..]
                .chunks(2)
                .map(|param| match (param[0], param[1]) {
                    (0, 0) => "...".to_owned(),
                    (0, node) => of(node),
                    (word, node) => format!("{}: {}", name(word), of(node)),
                })
                .collect();
            format!("({}) -> {}", params.join(", "), of(words[0]))
        }
        Kind::Named => format!("{}{}", composite(words[0]), name(words[1])),
        Kind::Fwd => format!("{}{}?", composite(words[0]), name(words[1])),
        Kind::Members => {
            let members: Vec<String> = words[2..]
                .chunks(4)
                .map(|member| {
                    let size = if member[3] == 0 { String::new() } else { format!(":{}", member[3]) };
                    format!("{} {}@{}{size}", of(member[1]), name(member[0]), member[2])
                })
                .collect();
            format!("{}{{{}}} {}", composite(words[0]), members.join(", "), words[1])
        }
        Kind::Values => {
            let values: Vec<String> = words[2..]
                .chunks(3)
                .map(|value| {
                    let number = u64::from(value[2]) << 32 | u64::from(value[1]);
                    let signed = number.cast_signed();
                    if words[1] != 0 {
                        format!("{} = {signed}", name(value[0]))
                    } else {
                        format!("{} = {number}", name(value[0]))
                    }
                })
                .collect();
            format!("enum{{{}}} {}", values.join(", "), words[0])
        }
        Kind::Alias => format!("typedef {}", of(words[0])),
        Kind::Unread => match words[0] {
            node::DAMAGED => "<damaged>".to_owned(),
            node::TOO_DEEP => "<too deep>".to_owned(),
            node::FOREIGN => "<foreign>".to_owned(),
            tag => format!("<{}>", gimli::DwTag(tag as u16)),
        },
    }
}

/// One line per definition: what it is, where it is declared, what it consists of.
fn definitions(facts: &Facts<'_>) -> Vec<String> {
    let line = |definition: &super::Definition| {
        let (_, words) = facts.nodes.get(definition.node);
        let (file, line, size) = (&facts.files[words[2] as usize], words[3], words[4]);
        let place = if line == 0 { String::new() } else { format!(" {file}:{line}") };
        let size = if size == 0 { String::new() } else { format!(" {size}") };
        format!("{}{place}{size}: {}", spell(facts, definition.node), spell(facts, definition.body))
    };
    facts.definitions.iter().map(line).collect()
}

/// One line per function DIE, by unit: how it is visible, where it is declared and is, its prototype.
fn functions(facts: &Facts<'_>) -> Vec<String> {
    let mut lines = Vec::new();
    for unit in &facts.units {
        for function in &unit.functions {
            let mut line = format!("{}:", facts.files[unit.file as usize]);
            line += if function.external { " extern" } else { " static" };
            line += if function.declaration { " declared" } else { "" };
            line += &function.inline.map_or(String::new(), |code| format!(" inline {code}"));
            line += &format!(" {}", text(facts, function.name));
            let file = &facts.files[function.decl_file as usize];
            if function.decl_line != 0 {
                line += &format!(" {file}:{}", function.decl_line);
            }
            line += &function.address.map_or(String::new(), |address| format!(" @{address:#x}"));
            line += &function.prototype.map_or(String::new(), |proto| format!(" {}", spell(facts, proto)));
            lines.push(line);
        }
    }
    lines
}

/// Name of the function that a reference of a unit leads to.
fn referred(facts: &Facts<'_>, position: usize, reference: FunctionRef) -> String {
    match reference {
        FunctionRef::Here(index) => {
            text(facts, facts.units[position].functions[index as usize].name).to_owned()
        }
        FunctionRef::Elsewhere(_) => match facts.find(position, reference) {
            Some((unit, function)) => {
                format!("elsewhere {}", text(facts, facts.units[unit].functions[function].name))
            }
            None => "elsewhere?".to_owned(),
        },
        FunctionRef::Nowhere => "nowhere".to_owned(),
    }
}

/// One line per call, inlined copy and out-of-line instance, by unit.
fn edges(facts: &Facts<'_>) -> Vec<String> {
    let mut lines = Vec::new();
    for (position, unit) in facts.units.iter().enumerate() {
        let name = |reference| referred(facts, position, reference);
        let at = |address: Option<u64>| address.map_or(String::new(), |address| format!(" @{address:#x}"));
        for copy in &unit.inlined {
            let place = match copy.call_line {
                0 => String::new(),
                line => format!(" at {}:{line}", facts.files[copy.call_file as usize]),
            };
            let (caller, callee, at) = (name(copy.caller), name(copy.callee), at(copy.address));
            lines.push(format!("{caller} inlines {callee}{place}{at}"));
        }
        for call in &unit.calls {
            lines.push(format!("{} calls {}", name(call.caller), name(call.callee)));
        }
        for code in &unit.out_of_line {
            lines.push(format!("{}{}", name(code.function), at(Some(code.address))));
        }
    }
    lines
}

/// All that the facts tell, as text.
fn everything(facts: &Facts<'_>) -> Vec<String> {
    let mut lines = facts.files.clone();
    lines.extend(definitions(facts));
    lines.extend(functions(facts));
    lines.extend(edges(facts));
    lines.extend(notes(facts).into_iter().map(|note| format!("{note:?}")));
    lines
}
