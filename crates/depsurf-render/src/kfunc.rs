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
    /// Names of its `KF_*` flags; a bit without a name is given by its number.
    pub flags: Vec<String>,
    /// Sets it is in; the kernel registers each for some program types.
    pub sets: Vec<&'a str>,
    /// Whether it has the `bpf_kfunc` DECL_TAG.
    pub decl_tag: bool,
}

/// The kfunc of a name.
pub(crate) fn lookup<'a>(surface: &'a Surface, name: &str) -> Option<Facts<'a>> {
    let found = surface.kfunc(name)?;
    let flag = |bit: usize| {
        kfunc::FLAG_NAMES.get(bit).map_or_else(|| format!("bit {bit}"), |name| (*name).to_owned())
    };
    Some(Facts {
        declaration: found.prototype().map(|proto| c::prototype(proto, found.name())),
        prototype: found.prototype().map(Prototype::new),
        flags: (0..32).filter(|bit| found.flags() >> bit & 1 != 0).map(flag).collect(),
        sets: found.sets().collect(),
        decl_tag: found.evidence() & record::KFUNC_DECL_TAG != 0,
    })
}

/// The body of an entry.
pub(crate) fn markdown(facts: &Facts<'_>, out: &mut String) {
    if let Some(declaration) = &facts.declaration {
        markdown::block("c", declaration, out);
        out.push('\n');
    }
    out.push_str(&format!("**Flags:** {}\n\n**Sets:** {}\n", list(&facts.flags), list(&facts.sets)));
}

fn list<T: AsRef<str>>(words: &[T]) -> String {
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
        facts_rows.add(*kernel, "flags", list(&facts.flags), Tone::Plain);
        facts_rows.add(*kernel, "sets", list(&facts.sets), Tone::Plain);
        let tag = if facts.decl_tag { "`bpf_kfunc` tag in the BTF" } else { "member of a kfunc set" };
        facts_rows.add(*kernel, "known by", tag, Tone::Plain);
    }
    shelf.section("Prototype", "", &prototypes, &among);
    shelf.section("Registration", "", &facts_rows.by_key(), &among);
}
