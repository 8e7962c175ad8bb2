//! Addresses on the stack that a kernel's verifier forgets, because a helper got the address of where they are.
//!
//! Where a helper gets a part of the stack, `check_stack_range_initialized` makes numbers of the addresses there. What counts as
//! getting has changed, and the version does not tell when, as distributions and stable kernels took the changes over:
//!
//! - Kernels that pass it where the access comes from (`enum stack_access_src`, `enum bpf_access_src`) do so even if the helper only
//!   reads. Those that pass it the kind of access (`enum bpf_access_type`) do so where the helper writes.
//! - The former at first left pointers to objects that BTF describes alone. That is one more test of the slot before the one
//!   for all that is spilled, and tells by the lines from which tests are inlined: `is_spilled_reg` and `scrub_spilled_slot` are
//!   6 lines apart without it and 10 with it (5.10, 6.1, 6.12, 7.2). Without debug information it is not known.
//!
//! Kernels without that function refuse to hand out addresses on the stack at all, or not; of them nothing is said.

use std::collections::BTreeSet;

use super::flow::{Reached, Spoils, Through};
use super::object::{Prepared, PreparedProgram};
use super::report::{Errno, Finding};
use super::rules::{Consequence, Rule};
use super::{Ask, variables};
use crate::bpf::Helper;
use crate::surface::types::{Type, TypeKind};
use crate::surface::{Fact, Surface};

const CHECK: &str = "check_stack_range_initialized";

/// What a kernel's verifier makes of the stack that helpers get to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Habit {
    /// What is certain to become a number; `None` where nothing is.
    certain: Option<Spoils>,
    /// What may become one besides, and why that is not known.
    possible: Option<(Spoils, String)>,
    /// What shows it.
    evidence: String,
    /// What the verifier calls a number: a kernel that names the source of an access in the old way calls it in the old way.
    word: &'static str,
}

impl Habit {
    pub fn new(surface: &Surface) -> Self {
        let function = surface.function(CHECK).and_then(|it| it.prototype());
        let in_types = || surface.types().find(TypeKind::Func, CHECK).and_then(Type::target);
        let Some(prototype) = function.or_else(in_types) else {
            let unread = surface.first_unread(&[Fact::Prototypes, Fact::Types, Fact::Functions]);
            let reason = match unread {
                Some((_, reason)) => {
                    format!("what it does with the stack that helpers get is not known: {reason}")
                }
                None => format!(
                    "the kernel's types have no `{CHECK}`, which would tell what it does with the stack"
                ),
            };
            return Self {
                certain: None,
                possible: Some((Spoils::All, reason)),
                evidence: String::new(),
                word: "scalar",
            };
        };
        let has = |name: &str| {
            let types = prototype.params().filter_map(|param| prototype.types().get(param.type_id));
            types.map(|ty| ty.stripped(true)).any(|ty| ty.kind() == TypeKind::Enum && ty.name() == name)
        };
        let told = |certain, word, evidence: &str| Self {
            certain: Some(certain),
            possible: None,
            evidence: format!("its verifier's `{CHECK}` {evidence}"),
            word,
        };
        let (word, source) = match () {
            () if has("bpf_access_type") => {
                return told(Spoils::Written, "scalar", "is told what the helper writes");
            }
            () if has("bpf_access_src") => ("scalar", "enum bpf_access_src"),
            () if has("stack_access_src") => ("inv", "enum stack_access_src"),
            () => {
                let reason = format!("`{CHECK}` has parameters that are not known here");
                return Self {
                    certain: None,
                    possible: Some((Spoils::All, reason)),
                    evidence: String::new(),
                    word: "scalar",
                };
            }
        };
        let takes = format!("takes an `{source}`, so reading counts as writing");
        let tests = [lines(surface, "is_spilled_reg"), lines(surface, "bpf_is_spilled_reg")].concat();
        match keeps_objects(&tests, &lines(surface, "scrub_spilled_slot")) {
            Some(false) => told(Spoils::All, word, &takes),
            Some(true) => told(Spoils::AllButObjects, word, &takes),
            None => {
                let reason = format!(
                    "`{CHECK}` {takes}; whether pointers to the kernel's objects are excepted only debug information tells"
                );
                Self { possible: Some((Spoils::All, reason)), ..told(Spoils::AllButObjects, word, &takes) }
            }
        }
    }

    /// What is wrong with accesses through addresses that became numbers for certain; slots of instructions with it.
    fn certain(&self, reached: &Reached) -> Vec<(usize, Finding)> {
        // Where a program comes by another way too, whether this one is open depends on what is not followed here.
        let (always, sometimes) = reached.through.iter().partition::<Vec<&Through>, _>(|it| it.always);
        let always = always.into_iter().map(|it| (it.slot, self.fails(it)));
        let sometimes = sometimes.into_iter().map(|it| {
            let evidence = format!("{}; on other ways the address is still one", self.evidence);
            let finding = Finding::new(Rule::SpilledPointerLost, name(it.by), evidence);
            (it.slot, finding.so(Consequence::Unknown))
        });
        always.chain(sometimes).collect()
    }

    fn fails(&self, through: &Through) -> Finding {
        let message = format!("R{} invalid mem access '{}'", through.register, self.word);
        Finding::new(Rule::SpilledPointerLost, name(through.by), self.evidence.clone())
            .fails(Errno::Eacces, message)
    }
}

/// What is wrong with a program because its addresses on the stack are forgotten; `follow` follows it on the kernel.
pub(super) fn findings(
    habit: &Habit,
    prepared: &Prepared<'_>,
    program: &PreparedProgram<'_>,
    follow: &dyn Fn(Ask) -> Reached,
) -> Vec<Finding> {
    if !program.may_be_spoiled {
        return Vec::new();
    }
    let ask = |spoils, open| follow(Ask { open, spoils: Some(spoils) });
    let certain = |open| habit.certain.map_or_else(Vec::new, |spoils| habit.certain(&ask(spoils, open)));
    let mut found = certain(None);
    let mut slots: BTreeSet<usize> = found.iter().map(|(slot, _)| *slot).collect();
    if let Some((spoils, reason)) = &habit.possible {
        let more = possible(&ask(*spoils, None), reason);
        found.extend(more.into_iter().filter(|(slot, _)| slots.insert(*slot)));
    }
    // What happens only with other constants than those in the object.
    let constants = if habit.certain.is_some() { variables(prepared, program) } else { Vec::new() };
    for (name, place) in constants {
        let more = certain(Some(place)).into_iter().filter(|(slot, _)| !slots.contains(slot));
        found.extend(more.map(|(slot, it)| (slot, Finding { depends_on: vec![name.clone()], ..it })));
    }
    found.into_iter().map(|(slot, finding)| finding.at(program.place(prepared.object, slot))).collect()
}

/// What is said of accesses through what may be a number.
fn possible(reached: &Reached, reason: &str) -> Vec<(usize, Finding)> {
    let finding = |it: &Through| Finding::new(Rule::EvidenceMissing, name(it.by), reason);
    reached.through.iter().map(|it| (it.slot, finding(it))).collect()
}

fn name(helper: Helper) -> String {
    helper.name().map_or_else(|| format!("helper {}", helper.0), |name| format!("bpf_{name}"))
}

/// The lines of the kernel's source at which a function is inlined into the check.
fn lines(surface: &Surface, name: &str) -> Vec<u32> {
    let Some(function) = surface.function(name) else { return Vec::new() };
    let sites = function.instances().flat_map(|instance| instance.inline_sites());
    sites.filter(|site| site.caller.name() == CHECK).filter_map(|site| site.call_line).collect()
}

/// Whether pointers to objects stay what they are, by the lines of the tests for what is spilled and of what makes a number of
/// it; `None` where the lines do not tell.
fn keeps_objects(tests: &[u32], scrubs: &[u32]) -> Option<bool> {
    let scrub = *scrubs.iter().min()?;
    let tests: BTreeSet<u32> = tests.iter().copied().filter(|test| *test < scrub).collect();
    let first = *tests.first()?;
    match (tests.len(), scrub - first) {
        (1, 5..=7) => Some(false),
        // Compilers leave out the second test, which has the same answer.
        (1 | 2, 9..=11) => Some(true),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::surface::attach::tests::Image;

    /// A kernel whose check has a parameter of this enum.
    fn kernel(source: &str) -> Surface {
        let mut image = Image::new();
        image.types(|types| {
            types.enumeration(source, &[("ACCESS_DIRECT", 1), ("ACCESS_HELPER", 2)]);
            types.function(CHECK, "int", &[("off", "int"), ("type", &format!("enum {source}"))]);
        });
        image.surface()
    }

    #[test]
    fn the_image_is_asked() {
        let written = Habit::new(&kernel("bpf_access_type"));
        assert_eq!((written.certain, written.possible), (Some(Spoils::Written), None));
        for (source, word) in [("bpf_access_src", "scalar"), ("stack_access_src", "inv")] {
            // There is no debug information.
            let habit = Habit::new(&kernel(source));
            assert_eq!((habit.certain, habit.word), (Some(Spoils::AllButObjects), word));
            assert_eq!(habit.possible.as_ref().map(|it| it.0), Some(Spoils::All));
        }
        for surface in [kernel("some_other"), Image::new().surface()] {
            let habit = Habit::new(&surface);
            assert_eq!(habit.certain, None);
            assert_eq!(habit.possible.map(|it| it.0), Some(Spoils::All));
        }
    }

    #[test]
    fn lines_tell_whether_objects_are_excepted() {
        // 6.1, 6.12, 7.2 and 5.10 of Debian; the last also as a compiler might leave it that keeps both tests.
        for (tests, scrubs, expected) in [
            (&[5380][..], &[5386][..], Some(false)),
            (&[7605], &[7611], Some(false)),
            (&[6774], &[6780], Some(false)),
            (&[4316], &[4326], Some(true)),
            (&[4316, 4320], &[4326], Some(true)),
            (&[4320, 4316, 4400], &[4326, 4326], Some(true)),
            (&[], &[4326], None),
            (&[4316], &[], None),
            (&[4316], &[4346], None),
            (&[4330], &[4326], None),
        ] {
            assert_eq!(keeps_objects(tests, scrubs), expected, "{tests:?} {scrubs:?}");
        }
    }

    #[test]
    fn what_is_certain_fails_and_the_rest_is_unknown() {
        let through = |slot, always| Through { slot, register: 1, by: Helper(1), always };
        let reached = Reached { through: vec![through(5, false), through(9, true)], ..Reached::default() };
        let habit = Habit { certain: Some(Spoils::All), ..Habit::new(&kernel("bpf_access_src")) };
        let found = habit.certain(&reached);
        let told: Vec<_> = found.iter().map(|(slot, it)| (*slot, it.rule, it.consequence)).collect();
        let rule = Rule::SpilledPointerLost;
        assert_eq!(told, [(9, rule, Consequence::LoadFails), (5, rule, Consequence::Unknown)]);
        assert_eq!(found[0].1.message.as_deref(), Some("R1 invalid mem access 'scalar'"));
        assert_eq!(
            (found[0].1.subject.as_str(), found[0].1.errno),
            ("bpf_map_lookup_elem", Some(Errno::Eacces))
        );
        let found = possible(&reached, "why");
        assert!(found.iter().all(|(_, it)| it.consequence == Consequence::Unknown) && found.len() == 2);
    }
}
