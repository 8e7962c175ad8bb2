//! LSM hooks.

use depsurf::surface::types::{Type, TypeKind};
use depsurf::surface::{Surface, c, record};
use schemars::JsonSchema;
use serde::Serialize;

use crate::json::Prototype;
use crate::look::Tone;
use crate::markdown;
use crate::rows::{Rows, Shelf};

/// An LSM hook on one kernel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "Lsm")]
pub struct Facts {
    /// The hook in C, as a program sees it: `int file_open(struct file *file);`. The names of its parameters
    /// are those of `bpf_lsm_NAME`. `None` where no prototype is known.
    pub declaration: Option<String>,
    /// Return type and parameters of the hook.
    pub prototype: Option<Prototype>,
    /// `security_NAME` in C, the function that calls the hook. `None` where the caller has another name.
    pub caller: Option<String>,
    /// Whether programs can attach; `None` where the sets that tell were not read.
    pub attachable: Option<bool>,
    /// Whether sleepable programs can attach; `None` where the sets that tell were not read.
    pub sleepable: Option<bool>,
    /// Whether the kernel lists it as disabled for programs; `None` where the sets that tell were not read.
    pub disabled: Option<bool>,
}

/// The hook of a name.
pub(crate) fn lookup(surface: &Surface, name: &str) -> Option<Facts> {
    let hook = surface.lsm_hook(name)?;
    let attach_point = format!("bpf_lsm_{name}");
    let caller = format!("security_{name}");
    // The pointers in `union security_list_options` have no names for their parameters.
    let proto = prototype(surface, &attach_point).or_else(|| hook.prototype());
    let sets_known = hook.flags() & record::LSM_SETS_UNKNOWN == 0;
    Some(Facts {
        declaration: proto.map(|proto| c::prototype(proto, name)),
        prototype: proto.map(Prototype::new),
        caller: prototype(surface, &caller).map(|proto| c::prototype(proto, &caller)),
        attachable: hook.is_attachable(),
        sleepable: hook.is_sleepable(),
        disabled: sets_known.then(|| hook.flags() & record::LSM_DISABLED != 0),
    })
}

/// What there is of a hook that an imported dataset lists and, by the original's rule, does not count as one.
pub(crate) fn without_function(surface: &Surface, name: &str) -> Option<String> {
    surface.meta().imported.as_ref()?;
    let heads = ["security_hook_heads", "lsm_static_calls_table"];
    let mut heads = heads.into_iter().filter_map(|heads| surface.types().find(TypeKind::Struct, heads));
    let found = heads.find(|heads| heads.members().any(|member| member.name == name))?;
    Some(format!(
        "by the dataset's rule, as there is no `security_{name}`; but `{}` has the hook",
        found.name()
    ))
}

/// The prototype of a kernel function, also where only BTF knows it.
fn prototype<'s>(surface: &'s Surface, function: &'s str) -> Option<Type<'s>> {
    let known = surface.function(function).and_then(|found| found.prototype());
    known.or_else(|| surface.types().find(TypeKind::Func, function).and_then(Type::target))
}

/// The body of an entry: the function that calls the hook, where it has the hook's name.
pub(crate) fn markdown(facts: &Facts, out: &mut String) {
    if let Some(declaration) = facts.caller.as_ref().or(facts.declaration.as_ref()) {
        markdown::block("c", declaration, out);
    }
}

/// The sections of a hook's page.
pub(crate) fn terminal(present: &[(usize, &Facts)], shelf: &mut Shelf<'_>) {
    let among: Vec<usize> = present.iter().map(|(kernel, _)| *kernel).collect();
    let (mut prototypes, mut attach) = (Rows::default(), Rows::default());
    for (kernel, facts) in present {
        match &facts.declaration {
            Some(declaration) => prototypes.add(*kernel, "hook", declaration, Tone::Plain),
            None => prototypes.add(*kernel, "hook", "unknown: no prototype in the types", Tone::Caution),
        }
        match &facts.caller {
            Some(caller) => prototypes.add(*kernel, "called from", caller, Tone::Plain),
            None => prototypes.add(*kernel, "called from", "a function of another name", Tone::Plain),
        }
        let (text, tone) = match (facts.attachable, facts.disabled) {
            (Some(true), _) => ("yes", Tone::Good),
            (Some(false), Some(true)) => ("no: disabled for programs", Tone::Bad),
            (Some(false), _) => ("no: not in `bpf_lsm_hooks`", Tone::Bad),
            (None, _) => ("unknown: the sets of `.BTF_ids` could not be read", Tone::Caution),
        };
        attach.add(*kernel, "lsm", text, tone);
        let (text, tone) = match (facts.attachable, facts.sleepable) {
            (Some(false), _) => ("no", Tone::Bad),
            (_, Some(true)) => ("yes", Tone::Good),
            (_, Some(false)) => ("no: not in `sleepable_lsm_hooks`", Tone::Bad),
            (_, None) => ("unknown: the sets of `.BTF_ids` could not be read", Tone::Caution),
        };
        attach.add(*kernel, "lsm.s", text, tone);
    }
    shelf.section("Prototype", "", &prototypes.by_key(), &among);
    shelf.section("Attach", "", &attach.by_key(), &among);
}
