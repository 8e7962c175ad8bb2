//! Functions of modules as `pfunct` reads them from DWARF.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use depsurf::surface::{Surface, Type};

use super::super::elf;
use super::super::table::{Reason, Row, UNEXPLAINED};
use super::File;

const DECLARED: Reason = Reason {
    id: "declared",
    text: "pfunct lists what a module declares and calls, too; the module has an undefined symbol of the name. Here that is the function of the kernel or of another module.",
};

const UNLINKED: Reason = Reason {
    id: "declared-without-symbol",
    text: "A declaration of which no call is left in the code: of a compiler's builtin, an assertion that did not fail, or a call that was optimized away. Nothing in the kernel has it for this module.",
};

const ALIAS: Reason = Reason {
    id: "alias",
    text: "A declaration with `__attribute__((alias))`, as `module_init` makes it: the symbol stands where that of the definition stands, and the definition is here under its own name.",
};

const INLINE_ASSEMBLY: Reason = Reason {
    id: "inline-assembly",
    text: "C declares it and assembly defines it without debug information: trampolines of static calls, and labels that are called. Trampolines are symbols here, and neither are functions of DWARF.",
};

const ASSEMBLY: Reason = Reason {
    id: "assembly",
    text: "A function of a file of assembly: its definition has no prototype. pfunct shows that as no parameters, or shows a declaration in C of the name; here it is unknown.",
};

const CLONE: Reason = Reason {
    id: "clone",
    text: "pfunct lists an out-of-line copy by itself, too. Where the compiler made a clone with other parameters, it has as many as are left or were added; here the function has those of its source.",
};

/// Numbers of parameters that the definitions of a name have.
type Counts = BTreeSet<usize>;

/// Compares names and number of parameters.
pub fn compare(files: &[File<'_>], surface: &Surface) -> Result<Vec<Row>> {
    let mut ours: BTreeMap<&str, BTreeMap<&str, Counts>> = BTreeMap::new();
    let mut assembly: BTreeSet<(&str, &str)> = BTreeSet::new();
    for function in surface.functions() {
        for instance in function.instances() {
            let Some(module) = instance.module() else { continue };
            let counts = ours.entry(module).or_default().entry(function.name()).or_default();
            if instance.file().is_some_and(|file| file.ends_with(".S")) {
                assembly.insert((module, function.name()));
            }
            // pfunct does not count the `...` at the end, which has no name and no type.
            let count = |prototype: Type<'_>| {
                prototype.params().filter(|param| !(param.name.is_empty() && param.type_id.0 == 0)).count()
            };
            counts.extend(instance.prototype().map(count));
        }
    }
    let mut names = Row::new("functions of `pfunct`, by module");
    let mut parameters = Row::new("functions of `pfunct`: number of parameters");
    let none = BTreeMap::new();
    for file in files {
        let ours = ours.get(file.ours.name()).unwrap_or(&none);
        let mut theirs: BTreeMap<String, Counts> = BTreeMap::new();
        for line in elf::run("pfunct", &["-F", "dwarf", "--nr_parms"], &file.path)?.lines() {
            let Some((name, count)) = line.split_once(": ") else { continue };
            theirs.entry(name.trim().to_owned()).or_default().extend(count.trim().parse::<usize>());
        }
        let place = |name: &str| format!("`{name}` in `{}`", file.ours.path());
        let symbols = |undefined: bool| -> BTreeSet<&str> {
            let of_kind = file.symbols.iter().filter(|line| line.3.ends_with(" UND") == undefined);
            of_kind.map(|line| line.0.as_str()).collect()
        };
        let (undefined, defined) = (symbols(true), symbols(false));
        for (name, counts) in &theirs {
            let Some(ours) = ours.get(name.as_str()) else {
                let reason = match (undefined.contains(name.as_str()), defined.contains(name.as_str())) {
                    (true, _) => DECLARED,
                    (false, false) => UNLINKED,
                    (false, true) if is_alias(file, name, ours) => ALIAS,
                    (false, true) if is_inline_assembly(file, name) => INLINE_ASSEMBLY,
                    (false, true) => UNEXPLAINED,
                };
                names.only_there(reason, || place(name));
                continue;
            };
            names.equal();
            if counts.is_subset(ours) {
                parameters.equal();
            } else {
                let is_assembly = ours.is_empty() && assembly.contains(&(file.ours.name(), name.as_str()));
                let reason = match ours.intersection(counts).count() {
                    _ if is_assembly => ASSEMBLY,
                    0 => UNEXPLAINED,
                    _ => CLONE,
                };
                parameters.different(reason, || format!("{}: {counts:?} there, {ours:?} here", place(name)));
            }
        }
        for name in ours.keys().filter(|name| !theirs.contains_key(**name)) {
            names.only_here(UNEXPLAINED, || place(name));
        }
    }
    Ok(vec![names, parameters])
}

/// Whether a function that is here stands where the symbol of a name stands.
fn is_alias(file: &File<'_>, name: &str, ours: &BTreeMap<&str, Counts>) -> bool {
    let places = |name: &str| -> Vec<(u64, &str)> {
        let of_name = file.symbols.iter().filter(|line| line.0 == name);
        of_name.map(|line| (line.1, line.3.rsplit(' ').next().unwrap_or_default())).collect()
    };
    let wanted = places(name);
    let there = |line: &&elf::Line| wanted.iter().any(|(at, home)| line.1 == *at && line.3.ends_with(home));
    file.symbols.iter().filter(there).any(|line| line.0 != name && ours.contains_key(line.0.as_str()))
}

/// Whether a symbol of a name has no DWARF of its own: the trampoline of a static call, or a label.
fn is_inline_assembly(file: &File<'_>, name: &str) -> bool {
    let mut of_name = file.symbols.iter().filter(|line| line.0 == name);
    name.starts_with("__SCT__") || of_name.all(|line| line.3.starts_with("NOTYPE"))
}
