//! Whether a type of the kernel is what a type of the object means: by name, by kind, or by all of its parts.

use super::spec::{Broken, Spec, Step, is_flexible};
use super::value::is_about_type;
use crate::bpf::core::RelocationKind;
use crate::surface::types::{Type, TypeKind};

/// How deep libbpf follows types.
pub(super) const DEPTH: u32 = 32;

/// The path in the kernel's type that the object's path means (`bpf_core_spec_match`); `None` where there is none.
///
/// # Errors
/// Where libbpf gives up.
pub(super) fn find<'k>(
    local: &Spec<'_>,
    candidate: Type<'k>,
    kind: RelocationKind,
    address_size: u8,
) -> Result<Option<Spec<'k>>, Broken> {
    let root = candidate.stripped(true);
    let mut spec = Spec { root: candidate, steps: Vec::new(), bit_offset: 0 };
    if is_about_type(kind) {
        let matches = match kind {
            RelocationKind::TypeMatches => matches_all(local.root, candidate, false, DEPTH)?,
            _ => is_compatible(local.root, candidate, DEPTH)?,
        };
        return Ok(matches.then_some(spec));
    }
    if kind.is_enumerator() {
        if !is_enum(root) {
            return Ok(None);
        }
        let wanted = essential_name(local.steps[0].name.unwrap_or_default());
        let found = root.enumerators().enumerate().find(|(_, value)| essential_name(value.name) == wanted);
        return Ok(found.map(|(index, value)| {
            spec.steps.push(Step { of: root, index: index as u32, name: Some(value.name) });
            spec
        }));
    }
    let mut current = candidate;
    for (number, step) in local.steps.iter().enumerate() {
        let of = current.stripped(true);
        match step.name {
            Some(name) => {
                let wanted = local_member(step).ok_or(Broken::NoType)?;
                match member(&mut spec, name, wanted, of, DEPTH)? {
                    Some(next) => current = next,
                    None => return Ok(None),
                }
            }
            None => {
                // The first index is into an array of the root, each other one into an array that is met.
                if number > 0 {
                    let Some((element, count)) = of.array() else { return Ok(None) };
                    let flexible = spec
                        .steps
                        .last()
                        .is_some_and(|last| last.name.is_some() && is_flexible(last.of, last.index, count));
                    if !flexible && step.index >= count {
                        return Ok(None);
                    }
                    current = of.types().get(element).ok_or(Broken::NoType)?;
                }
                spec.element(current.stripped(true), step.index, address_size)?;
            }
        }
    }
    Ok(Some(spec))
}

/// The type of the member that a step of the object takes.
fn local_member<'a>(step: &Step<'a>) -> Option<Type<'a>> {
    let member = step.of.members().nth(step.index as usize)?;
    step.of.types().get(member.type_id)
}

/// Finds a member by name, also in members without one, and steps to it (`bpf_core_match_member`). The first one of
/// the name decides, whether it is compatible or not.
fn member<'k>(
    spec: &mut Spec<'k>,
    name: &str,
    wanted: Type<'_>,
    of: Type<'k>,
    depth: u32,
) -> Result<Option<Type<'k>>, Broken> {
    if !is_composite(of) {
        return Ok(None);
    }
    let depth = depth.checked_sub(1).ok_or(Broken::TooDeep)?;
    for (index, member) in of.members().enumerate() {
        let Some(ty) = of.types().get(member.type_id) else { continue };
        let before = spec.advance(member.bit_offset.unwrap_or(0).into())?;
        if member.name.is_empty() {
            if let Some(found) = self::member(spec, name, wanted, ty.stripped(true), depth)? {
                return Ok(Some(found));
            }
        } else if member.name == name {
            if fields_are_compatible(wanted, ty)? {
                spec.steps.push(Step { of, index: index as u32, name: Some(member.name) });
                return Ok(Some(ty));
            }
            spec.bit_offset = before;
            return Ok(None);
        }
        spec.bit_offset = before;
    }
    Ok(None)
}

fn is_composite(found: Type<'_>) -> bool {
    matches!(found.kind(), TypeKind::Struct | TypeKind::Union)
}

fn is_enum(found: Type<'_>) -> bool {
    matches!(found.kind(), TypeKind::Enum | TypeKind::Enum64)
}

/// The same kind; enums of 32 and of 64 bits count as one (`btf_kind_core_compat`).
pub(super) fn same_kind(local: Type<'_>, kernel: Type<'_>) -> bool {
    local.kind() == kernel.kind() || is_enum(local) && is_enum(kernel)
}

/// A name without its flavour.
fn essential_name(name: &str) -> &str {
    crate::bpf::core::essential_name(name).0
}

fn same_essential_name(local: Type<'_>, kernel: Type<'_>) -> bool {
    essential_name(local.name()) == essential_name(kernel.name())
}

/// An integer that is one, not the bits of another: BTF's old bitfields have an offset.
fn is_plain_int(found: Type<'_>) -> bool {
    found.children().first().is_none_or(|child| child.a.get() >> 16 & 0xff == 0)
}

/// Whether a field means the same, sizes aside (`bpf_core_fields_are_compat`).
fn fields_are_compatible(mut local: Type<'_>, mut kernel: Type<'_>) -> Result<bool, Broken> {
    for _ in 0..DEPTH {
        (local, kernel) = (local.stripped(true), kernel.stripped(true));
        if is_composite(local) && is_composite(kernel) {
            return Ok(true);
        }
        if !same_kind(local, kernel) {
            return Ok(false);
        }
        match local.kind() {
            TypeKind::Ptr | TypeKind::Float => return Ok(true),
            TypeKind::Fwd | TypeKind::Enum | TypeKind::Enum64 => {
                let nameless = local.name().is_empty() || kernel.name().is_empty();
                return Ok(nameless || same_essential_name(local, kernel));
            }
            TypeKind::Int => return Ok(is_plain_int(local) && is_plain_int(kernel)),
            TypeKind::Array => {
                (local, kernel) = element(local).zip(element(kernel)).ok_or(Broken::NoType)?;
            }
            _ => return Ok(false),
        }
    }
    Err(Broken::TooDeep)
}

/// What `type_exists` and `type_size` ask (`__bpf_core_types_are_compat`). The caller has compared the names.
pub(super) fn is_compatible(mut local: Type<'_>, mut kernel: Type<'_>, level: u32) -> Result<bool, Broken> {
    let level = level.checked_sub(1).ok_or(Broken::TooDeep)?;
    if !same_kind(local, kernel) {
        return Ok(false);
    }
    for _ in 0..DEPTH {
        (local, kernel) = (local.stripped(true), kernel.stripped(true));
        if !same_kind(local, kernel) {
            return Ok(false);
        }
        let next = match local.kind() {
            TypeKind::Void
            | TypeKind::Struct
            | TypeKind::Union
            | TypeKind::Enum
            | TypeKind::Enum64
            | TypeKind::Fwd => return Ok(true),
            TypeKind::Int => return Ok(is_plain_int(local) && is_plain_int(kernel)),
            TypeKind::Ptr => local.target().zip(kernel.target()),
            TypeKind::Array => element(local).zip(element(kernel)),
            TypeKind::FuncProto => {
                if local.params().len() != kernel.params().len() {
                    return Ok(false);
                }
                for (a, b) in local.params().zip(kernel.params()) {
                    let [a, b] = [(local, a), (kernel, b)].map(|(of, param)| of.types().get(param.type_id));
                    let (a, b) = a.zip(b).ok_or(Broken::NoType)?;
                    if !is_compatible(a.stripped(true), b.stripped(true), level)? {
                        return Ok(false);
                    }
                }
                local.target().zip(kernel.target())
            }
            _ => return Ok(false),
        };
        (local, kernel) = next.ok_or(Broken::NoType)?;
    }
    Err(Broken::TooDeep)
}

fn element(array: Type<'_>) -> Option<Type<'_>> {
    array.types().get(array.array()?.0)
}

/// What `type_matches` asks (`__bpf_core_types_match`): everything that the object knows of the type, the kernel's
/// has too.
fn matches_all(
    mut local: Type<'_>,
    mut kernel: Type<'_>,
    mut behind_pointer: bool,
    level: u32,
) -> Result<bool, Broken> {
    let level = level.checked_sub(1).ok_or(Broken::TooDeep)?;
    for _ in 0..DEPTH {
        (local, kernel) = (local.stripped(true), kernel.stripped(true));
        if !same_essential_name(local, kernel) {
            return Ok(false);
        }
        let same = local.kind() == kernel.kind();
        // The flag of a forward declaration tells a union.
        let forward_is = |fwd: Type<'_>, other: TypeKind| {
            other == if fwd.kind_flag() { TypeKind::Union } else { TypeKind::Struct }
        };
        let next = match local.kind() {
            TypeKind::Void => return Ok(same),
            TypeKind::Fwd if same => return Ok(local.kind_flag() == kernel.kind_flag()),
            TypeKind::Fwd => return Ok(behind_pointer && forward_is(local, kernel.kind())),
            TypeKind::Enum | TypeKind::Enum64 => return Ok(is_enum(kernel) && enums_match(local, kernel)),
            TypeKind::Struct | TypeKind::Union if behind_pointer => {
                return Ok(same || kernel.kind() == TypeKind::Fwd && forward_is(kernel, local.kind()));
            }
            TypeKind::Struct | TypeKind::Union => {
                return if same { composites_match(local, kernel, level) } else { Ok(false) };
            }
            TypeKind::Int => {
                return Ok(same && local.size() == kernel.size() && local.is_signed() == kernel.is_signed());
            }
            TypeKind::Ptr => {
                behind_pointer = true;
                local.target().zip(kernel.target()).filter(|_| same)
            }
            TypeKind::Array => {
                let counts = [local, kernel].map(|found| found.array().map(|(_, count)| count));
                element(local).zip(element(kernel)).filter(|_| same && counts[0] == counts[1])
            }
            TypeKind::FuncProto => {
                if !same || local.params().len() != kernel.params().len() {
                    return Ok(false);
                }
                for (a, b) in local.params().zip(kernel.params()) {
                    let [a, b] = [(local, a), (kernel, b)].map(|(of, param)| of.types().get(param.type_id));
                    let (a, b) = a.zip(b).ok_or(Broken::NoType)?;
                    if !matches_all(a, b, behind_pointer, level)? {
                        return Ok(false);
                    }
                }
                local.target().zip(kernel.target())
            }
            _ => return Ok(false),
        };
        let Some(next) = next else { return Ok(false) };
        (local, kernel) = next;
    }
    Err(Broken::TooDeep)
}

/// Every member of the object's type, by name, in any order.
fn composites_match(local: Type<'_>, kernel: Type<'_>, level: u32) -> Result<bool, Broken> {
    if local.members().len() > kernel.members().len() {
        return Ok(false);
    }
    for wanted in local.members() {
        let mut has = false;
        for member in kernel.members().filter(|it| essential_name(it.name) == essential_name(wanted.name)) {
            let types = local.types().get(wanted.type_id).zip(kernel.types().get(member.type_id));
            let (a, b) = types.ok_or(Broken::NoType)?;
            if matches_all(a, b, false, level)? {
                has = true;
                break;
            }
        }
        if !has {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Every value's name.
fn enums_match(local: Type<'_>, kernel: Type<'_>) -> bool {
    let has =
        |name: &str| kernel.enumerators().any(|value| essential_name(value.name) == essential_name(name));
    local.size() == kernel.size()
        && local.enumerators().len() <= kernel.enumerators().len()
        && local.enumerators().all(|value| has(value.name))
}
