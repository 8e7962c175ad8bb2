//! What becomes of each relocation of a program, for people who want to see all of them.

use super::Relocations;
use super::core::Outcome;
use super::loader::{Loader, Said};
use super::object::{Prepared, PreparedProgram};
use super::report::Relocated;
use crate::bpf::core::RelocationKind;

/// The relocations of a program, in the order of its instructions.
pub(super) fn list(
    prepared: &Prepared<'_>,
    program: &PreparedProgram<'_>,
    relocations: &Relocations,
    is_reached: &dyn Fn(usize) -> bool,
    loaders: bool,
) -> Vec<Relocated> {
    let list = program.relocations.iter().filter_map(|&(slot, number)| {
        let path = prepared.paths.get(number)?.as_ref().ok()?;
        let outcome = relocations.outcomes.get(number)?.as_ref();
        let value = match outcome {
            Some(Outcome::Patched { patch, .. }) => Some(patch.value),
            _ => None,
        };
        Some(Relocated {
            instruction: slot,
            kind: path.kind().name(),
            path: path.to_string(),
            value,
            reached: is_reached(slot),
            loaders: if loaders { others(path.kind(), outcome) } else { Vec::new() },
            place: program.place(prepared.object, slot),
        })
    });
    list.collect()
}

/// Where other loaders do something else than libbpf.
fn others(kind: RelocationKind, outcome: Option<&Outcome>) -> Vec<Said> {
    let is_missed = matches!(outcome, Some(Outcome::Patched { candidate: None, .. }));
    match kind {
        // ebpf-go takes only the kinds that ask whether something is there for answered by 0
        // (`checksForExistence` in its btf/core.go).
        RelocationKind::TypeSize | RelocationKind::TypeIdTarget if is_missed => {
            let note = "poisons the instruction, where libbpf gives 0";
            vec![Said { loader: Loader::EbpfGo, message: None, note: Some(note) }]
        }
        // `RelocationKind` of aya-obj 0.6 ends before it.
        RelocationKind::TypeMatches => {
            let message = Some("invalid BTF relocation kind `12`".to_owned());
            vec![Said { loader: Loader::Aya, message, note: Some("refuses the object") }]
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::core::{Access, Patch};
    use super::*;
    use crate::surface::types::TypeId;

    #[test]
    fn dialects_differ_only_where_they_do() {
        let patched =
            |candidate| Outcome::Patched { patch: Patch { value: 0, access: Access::Same }, candidate };
        let who = |kind, outcome: &Outcome| -> Vec<Loader> {
            others(kind, Some(outcome)).iter().map(|said| said.loader).collect()
        };
        let (missed, found) = (patched(None), patched(Some(TypeId(7))));
        for kind in [RelocationKind::TypeSize, RelocationKind::TypeIdTarget] {
            assert_eq!(who(kind, &missed), [Loader::EbpfGo]);
            assert_eq!(who(kind, &found), []);
        }
        for kind in [RelocationKind::TypeExists, RelocationKind::FieldExists, RelocationKind::TypeIdLocal] {
            assert_eq!(who(kind, &missed), []);
        }
        assert_eq!(who(RelocationKind::TypeMatches, &found), [Loader::Aya]);
    }
}
