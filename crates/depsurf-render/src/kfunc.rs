//! Kernel functions that eBPF programs may call.

use depsurf::surface::{Surface, c, kfunc, record};
use schemars::JsonSchema;
use serde::Serialize;

use crate::json::Prototype;
use crate::look::Tone;
use crate::markdown;
use crate::rows::{Rows, Shelf};

/// A kfunc on one kernel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "Kfunc")]
pub struct Facts<'a> {
    /// The declaration in C; `None` where the kernel's BTF has no FUNC of the name.
    pub declaration: Option<String>,
    /// Return type and parameters.
    pub prototype: Option<Prototype>,
    /// Names of its `KF_*` flags; a bit without a name is given by its number. `None` where they are unknown.
    pub flags: Option<Vec<String>>,
    /// Sets it is in; the kernel registers each for some program types. `None` where they are unknown.
    pub sets: Option<Vec<&'a str>>,
    /// The module that has it, which must be loaded; missing where that is vmlinux.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub module: Option<&'a str>,
    /// Whether it has the `bpf_kfunc` DECL_TAG.
    pub decl_tag: bool,
    /// Whether all that is known is that some set of `.BTF_ids` has it, which may be one that is not about kfuncs.
    pub some_set: bool,
}

/// The kfunc of a name.
pub(crate) fn lookup<'a>(surface: &'a Surface, name: &str) -> Option<Facts<'a>> {
    let found = surface.kfunc(name)?;
    let flag = |bit: usize| {
        kfunc::FLAG_NAMES.get(bit).map_or_else(|| format!("bit {bit}"), |name| (*name).to_owned())
    };
    let some_set = found.evidence() == record::KFUNC_BTF_ID;
    Some(Facts {
        declaration: found.prototype().map(|proto| c::prototype(proto, found.name())),
        prototype: found.prototype().map(Prototype::new),
        flags: (!some_set).then(|| (0..32).filter(|bit| found.flags() >> bit & 1 != 0).map(flag).collect()),
        sets: (!some_set).then(|| found.sets().collect()),
        module: found.module().map(|module| module.name()),
        decl_tag: found.evidence() & record::KFUNC_DECL_TAG != 0,
        some_set,
    })
}

/// The body of an entry.
pub(crate) fn markdown(facts: &Facts<'_>, out: &mut String) {
    if let Some(declaration) = &facts.declaration {
        markdown::block("c", declaration, out);
        out.push('\n');
    }
    out.push_str(&format!(
        "**Flags:** {}\n\n**Sets:** {}\n",
        list(facts.flags.as_deref()),
        list(facts.sets.as_deref())
    ));
}

fn list<T: AsRef<str>>(words: Option<&[T]>) -> String {
    let Some(words) = words else { return "unknown".into() };
    if words.is_empty() {
        return "none".into();
    }
    words.iter().map(AsRef::as_ref).collect::<Vec<&str>>().join(", ")
}

/// The sections of a kfunc's page.
pub(crate) fn terminal(present: &[(usize, &Facts<'_>)], shelf: &mut Shelf<'_>) {
    let among: Vec<usize> = present.iter().map(|(kernel, _)| *kernel).collect();
    let (mut prototypes, mut facts_rows) = (Rows::default(), Rows::default());
    for (kernel, facts) in present {
        match &facts.declaration {
            Some(declaration) => prototypes.add(*kernel, "", declaration, Tone::Plain),
            None => prototypes.add(*kernel, "", "unknown: no FUNC in the kernel's BTF", Tone::Caution),
        }
        let tone = if facts.some_set { Tone::Caution } else { Tone::Plain };
        facts_rows.add(*kernel, "flags", list(facts.flags.as_deref()), tone);
        facts_rows.add(*kernel, "sets", list(facts.sets.as_deref()), tone);
        if let Some(module) = facts.module {
            facts_rows.add(*kernel, "while loaded", format!("module {module}"), Tone::Caution);
        }
        let known_by = match (facts.decl_tag, facts.some_set) {
            (true, _) => "`bpf_kfunc` tag in the BTF",
            (false, false) => "member of a kfunc set",
            (false, true) => "member of some set of `.BTF_ids`, perhaps one that is not about kfuncs",
        };
        facts_rows.add(*kernel, "known by", known_by, tone);
    }
    shelf.section("Prototype", "", &prototypes, &among);
    shelf.section("Registration", "", &facts_rows.by_key(), &among);
}
