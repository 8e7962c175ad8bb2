//! Helpers, and types of maps, programs and attachments: whether the kernel's own enums have them.

use std::collections::HashSet;

use super::report::{Errno, Finding};
use super::rules::Rule;
use crate::bpf::{AttachType, Definition, Helper, MapType, Object, ProgramType, Sec};
use crate::surface::types::TypeKind;
use crate::surface::{Fact, Surface};

/// The enums of a kernel; `None` where its types do not have one.
#[derive(Debug)]
pub(super) struct Features {
    helpers: Option<HashSet<i128>>,
    maps: Option<HashSet<i128>>,
    programs: Option<HashSet<i128>>,
    attach: Option<HashSet<i128>>,
}

impl Features {
    pub(super) fn new(surface: &Surface) -> Self {
        let values = |name: &str, end: &str| {
            let found = [TypeKind::Enum, TypeKind::Enum64].into_iter().find_map(|kind| {
                surface.types().with_essential_name(name).find(|it| it.kind() == kind && it.name() == name)
            })?;
            // The last enumerator counts the others.
            let values = found.enumerators().filter(|value| !value.name.contains(end));
            Some(values.map(|value| value.value).collect())
        };
        Self {
            helpers: values("bpf_func_id", "MAX_ID"),
            maps: values("bpf_map_type", "__MAX_"),
            programs: values("bpf_prog_type", "__MAX_"),
            attach: values("bpf_attach_type", "__MAX_"),
        }
    }

    /// Whether the kernel has a helper; `None` where that is not known.
    pub(super) fn has_helper(&self, helper: u32) -> Option<bool> {
        has(self.helpers.as_ref(), helper)
    }
}

fn has(values: Option<&HashSet<i128>>, number: u32) -> Option<bool> {
    values.map(|values| values.contains(&i128::from(number)))
}

/// What is said where an enum is not among the kernel's types.
fn no_enum(surface: &Surface, subject: &str, name: &str) -> Finding {
    let reason = surface.first_unread(&[Fact::Types, Fact::Enums]).map(|(_, reason)| reason);
    let evidence = reason.map_or_else(|| format!("the kernel's types have no `enum {name}`"), str::to_owned);
    Finding::new(Rule::EvidenceMissing, subject, evidence)
}

/// The types of a program and of its attachment.
pub(super) fn of_program(surface: &Surface, features: &Features, sec: &Sec<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let kind = sec.program_type();
    if kind == ProgramType::UNSPEC {
        return findings;
    }
    let name = kind.name().map_or_else(|| format!("program type {}", kind.0), str::to_owned);
    match has(features.programs.as_ref(), kind.0) {
        Some(true) => {}
        Some(false) => findings.push(
            Finding::new(Rule::NoProgramType, name, "not in `enum bpf_prog_type`")
                .fails(Errno::Einval, "Invalid argument"),
        ),
        None => findings.push(no_enum(surface, &name, "bpf_prog_type")),
    }
    if let Some(attach) = sec.entry.and_then(|entry| entry.attach) {
        findings.extend(of_attachment(features, attach));
    }
    findings
}

fn of_attachment(features: &Features, attach: AttachType) -> Option<Finding> {
    let name = attach.name().map_or_else(|| format!("attach type {}", attach.0), str::to_owned);
    (has(features.attach.as_ref(), attach.0) == Some(false)).then(|| {
        Finding::new(Rule::NoAttachType, name, "not in `enum bpf_attach_type`")
            .fails(Errno::Einval, "Invalid argument")
    })
}

/// The types of an object's maps.
pub(super) fn of_maps(surface: &Surface, features: &Features, object: &Object<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for map in object.maps() {
        let kind = map.shape.kind;
        if kind == MapType(0) || matches!(map.definition, Definition::StructOps { .. }) {
            continue;
        }
        let name = kind.name().map_or_else(|| format!("map type {}", kind.0), str::to_owned);
        match has(features.maps.as_ref(), kind.0) {
            Some(true) => {}
            Some(false) => findings.push(
                Finding::new(
                    Rule::NoMapType,
                    format!("{name} of `{}`", map.name),
                    "not in `enum bpf_map_type`",
                )
                .fails(Errno::Einval, format!("Error in bpf_create_map_xattr({}): -EINVAL", map.name)),
            ),
            None => {
                findings.push(no_enum(surface, &name, "bpf_map_type"));
                break;
            }
        }
    }
    findings
}

/// The helper that libbpf calls instead on kernels without the newer one (`bpf_program_fixup_func_proto` and
/// `bpf_object__sanitize_prog`): reads of kernel and of user memory were one helper before.
pub(super) fn replacement(helper: u32) -> Option<u32> {
    let name = Helper(helper).name()?;
    match name {
        "probe_read_kernel" | "probe_read_user" => Some(4),
        "probe_read_kernel_str" | "probe_read_user_str" => Some(45),
        _ => None,
    }
}

/// A helper that the kernel does not have.
pub(super) fn no_helper(helper: u32) -> Finding {
    let name = Helper(helper).name().map_or_else(|| format!("helper {helper}"), |name| format!("bpf_{name}"));
    Finding::new(Rule::NoHelper, name, "not in `enum bpf_func_id`")
        .fails(Errno::Einval, format!("invalid func unknown#{helper}"))
}

/// A helper of which it is not known.
pub(super) fn unknown_helper(surface: &Surface, helper: u32) -> Finding {
    let name = Helper(helper).name().map_or_else(|| format!("helper {helper}"), |name| format!("bpf_{name}"));
    no_enum(surface, &name, "bpf_func_id")
}
