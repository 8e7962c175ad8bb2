//! What a surface knows after an import, and why it does not know the rest.

use super::{FORMAT, Part};
use crate::surface::Meta;
use crate::surface::meta::{Evidence, Fact};

/// The facts that one directory of the dataset has all of.
const PARTS: [(Fact, Part); 9] = [
    (Fact::Functions, Part::FuncGroups),
    (Fact::Symbols, Part::Symtab),
    (Fact::Structs, Part::TypesStruct),
    (Fact::Unions, Part::TypesUnion),
    (Fact::Enums, Part::TypesEnum),
    (Fact::Prototypes, Part::TypesFunc),
    (Fact::Tracepoints, Part::Tracepoints),
    (Fact::Syscalls, Part::Syscalls),
    (Fact::Config, Part::Config),
];

/// The facts that the format has no place for, in words.
const MISSING: [(Fact, &str); 8] = [
    (Fact::FtraceSites, "ftrace sites"),
    (Fact::KprobeBlacklist, "the kprobe blacklist"),
    (Fact::Exports, "exported symbols"),
    (Fact::ErrorInjection, "the error-injection list"),
    (Fact::BtfIds, "the sets of `.BTF_ids`"),
    (Fact::RawTracepoints, "raw tracepoints"),
    (Fact::SyscallMetadata, "arguments of system calls"),
    (Fact::CompatSyscalls, "system call tables of other ABIs"),
];

/// Fills in the evidence of all facts that have none yet, for a kernel that the dataset `has` some parts of.
pub(super) fn tell(meta: &mut Meta, has: &dyn Fn(Part) -> bool) {
    let mut add = |fact: Fact, evidence: Evidence| {
        meta.evidence.entry(fact).or_insert(evidence);
    };
    for (fact, part) in PARTS {
        let name = part.name();
        add(
            fact,
            if has(part) {
                Evidence::known(format!("{FORMAT}, {name}"))
            } else {
                Evidence::unknown(format!("the dataset has no {name} of this kernel"))
            },
        );
    }
    let types = [Part::TypesStruct, Part::TypesUnion, Part::TypesEnum, Part::TypesInt, Part::TypesFunc];
    let types: Vec<&str> = types.into_iter().filter(|part| has(*part)).map(Part::name).collect();
    add(
        Fact::Types,
        if types.is_empty() {
            Evidence::unknown("the dataset has no types of this kernel")
        } else {
            Evidence::known(format!("{FORMAT}, {}", types.join(", ")))
        },
    );
    // The original lets `pahole` make BTF of its own from the DWARF of every kernel.
    add(Fact::Btf, Evidence::unknown("the types of the dataset need not be those of the kernel's own BTF"));
    for (fact, words) in MISSING {
        add(fact, Evidence::unknown(format!("the dataset has nothing about {words}")));
    }
}
