//! What an object expects others to provide: kfuncs, variables, options of the configuration.

use super::core::compatible_prototypes;
use super::hook::{needs_module_of, not_in_image};
use super::report::{Errno, Finding};
use super::rules::Rule;
use super::types::unread_btf;
use crate::bpf::{External, ExternalKind, Object};
use crate::image::arch;
use crate::surface::types::{Type, TypeKind};
use crate::surface::{Fact, Surface};

/// What libbpf makes of an extern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Resolved {
    /// It is there: a function or a variable.
    There,
    /// A weak one is not there: 0.
    Absent,
    /// An option has this value.
    Value(u64),
    /// It cannot be told, or not as a number.
    Unknown,
}

/// All externs of an object on a kernel, and what is wrong with those that must be there.
pub(super) fn resolve(surface: &Surface, object: &Object<'_>) -> (Vec<Resolved>, Vec<Finding>) {
    let mut findings = Vec::new();
    let resolved = object.externals().iter().map(|external| {
        let result = match external.kind {
            ExternalKind::Kfunc => kfunc(surface, object, external),
            ExternalKind::Ksym { typed } => ksym(surface, external, typed),
            ExternalKind::Kconfig => option(surface, object, external),
            ExternalKind::Unknown => Ok(Resolved::Unknown),
        };
        result.unwrap_or_else(|finding| {
            let unknown = finding.rule == Rule::EvidenceMissing;
            if external.weak && finding.rule == Rule::NeedsModule {
                return Resolved::Unknown;
            }
            if external.weak && !unknown {
                return Resolved::Absent;
            }
            findings.push(*finding);
            Resolved::Unknown
        })
    });
    (resolved.collect(), findings)
}

fn unread(surface: &Surface, subject: &str, facts: &[Fact]) -> Option<Finding> {
    let (_, reason) = surface.first_unread(facts)?;
    Some(Finding::new(Rule::EvidenceMissing, subject, reason))
}

fn in_btf<'s>(surface: &'s Surface, kind: TypeKind, name: &str) -> Option<Type<'s>> {
    // The ids of vmlinux come first, and libbpf looks there first.
    surface
        .types()
        .with_essential_name(name)
        .find(|it| it.kind() == kind && it.name() == name && surface.is_in_btf(*it))
}

fn kfunc(surface: &Surface, object: &Object<'_>, external: &External<'_>) -> Result<Resolved, Box<Finding>> {
    let name = external.essential_name();
    let Some(found) = in_btf(surface, TypeKind::Func, name) else {
        if let Some(finding) = unread_btf(surface, name) {
            return Err(finding.into());
        }
        let message = format!("extern (func ksym) '{name}': not found in kernel or module BTFs");
        let evidence = format!("no FUNC of that name in BTF: {}", not_in_image(surface));
        return Err(Finding::new(Rule::NoKfunc, name, evidence).fails(Errno::Esrch, message).into());
    };
    let declared = object.types().zip(external.type_id).and_then(|(types, id)| types.get(id));
    let prototypes = declared.and_then(Type::target).zip(found.target());
    match prototypes {
        Some((declared, found)) if !compatible_prototypes(declared, found) => {
            let message = format!("extern (func ksym) '{name}': func_proto incompatible with vmlinux");
            let evidence = crate::surface::c::declaration(found, name);
            Err(Finding::new(Rule::KfuncPrototype, name, evidence).fails(Errno::Einval, message).into())
        }
        _ => there(surface, found, name),
    }
}

/// What is found, unless that depends on a module being loaded.
fn there(surface: &Surface, found: Type<'_>, name: &str) -> Result<Resolved, Box<Finding>> {
    match needs_module_of(surface, found, name) {
        Some(finding) => Err(finding.into()),
        None => Ok(Resolved::There),
    }
}

fn ksym(surface: &Surface, external: &External<'_>, typed: bool) -> Result<Resolved, Box<Finding>> {
    let name = external.essential_name();
    if typed {
        if let Some(found) = in_btf(surface, TypeKind::Var, name) {
            return there(surface, found, name);
        }
        if let Some(finding) = unread_btf(surface, name) {
            return Err(finding.into());
        }
        let message = format!("extern (var ksym) '{name}': not found in kernel BTF");
        let evidence = format!("no VAR of that name in BTF: {}", not_in_image(surface));
        return Err(Finding::new(Rule::NoKsym, name, evidence).fails(Errno::Esrch, message).into());
    }
    // By name in kallsyms. The surface keeps symbols of code only, so a variable cannot be called absent.
    let mut addresses: Vec<u64> =
        surface.symbols_named(external.name).map(|symbol| symbol.address()).collect();
    addresses.sort_unstable();
    addresses.dedup();
    match addresses.len() {
        0 => Err(Finding::new(Rule::EvidenceMissing, name, "symbols of data are not kept").into()),
        1 => Ok(Resolved::There),
        count => {
            let message = format!("extern (ksym) '{name}': resolution is ambiguous");
            let evidence = format!("{count} symbols of that name");
            Err(Finding::new(Rule::KsymAmbiguous, name, evidence).fails(Errno::Einval, message).into())
        }
    }
}

/// An option, or one of the values that libbpf makes up.
fn option(surface: &Surface, object: &Object<'_>, external: &External<'_>) -> Result<Resolved, Box<Finding>> {
    let name = external.name;
    match name {
        "LINUX_KERNEL_VERSION" => {
            let version = &surface.kernel().version;
            let [major, minor, patch] = [version.major, version.minor, version.patch].map(u64::from);
            return Ok(Resolved::Value(major << 16 | minor << 8 | patch.min(255)));
        }
        "LINUX_HAS_SYSCALL_WRAPPER" => {
            if surface.first_unread(&[Fact::Symbols]).is_some() {
                return Ok(Resolved::Unknown);
            }
            let prefix = arch::of(surface.kernel().arch).libbpf_word;
            let symbol = format!("__{prefix}_sys_bpf");
            let has = surface.symbols_named(&symbol).next().is_some();
            return Ok(Resolved::Value(has.into()));
        }
        // libbpf tries the helper `bpf_get_attach_cookie`; what it can do is of the same commits.
        "LINUX_HAS_BPF_COOKIE" => {
            let features = super::feature::Features::new(surface);
            return Ok(features.has_helper(174).map_or(Resolved::Unknown, |has| Resolved::Value(has.into())));
        }
        _ => {}
    }
    if let Some(finding) = unread(surface, name, &[Fact::Config]) {
        return Err(finding.into());
    }
    let Some(found) = surface.config(name).filter(|option| option.value != "n") else {
        let message = format!("extern (kcfg) '{name}': value not found");
        return Err(Finding::new(Rule::NoKconfigOption, name, "not set").fails(Errno::Esrch, message).into());
    };
    let ty = object.types().zip(external.type_id).and_then(|(types, id)| types.get(id));
    Ok(number(found.value, ty.map(|ty| ty.stripped(true))).map_or(Resolved::Unknown, Resolved::Value))
}

/// The value of an option as the program's variable holds it (`set_kcfg_value_tri`, `set_kcfg_value_num`).
fn number(value: &str, ty: Option<Type<'_>>) -> Option<u64> {
    let ty = ty?;
    let is_enum = matches!(ty.kind(), TypeKind::Enum | TypeKind::Enum64);
    let is_char = ty.kind() == TypeKind::Int && ty.size() == Some(1) && ty.name().contains("char");
    match (value, is_enum) {
        // `enum libbpf_tristate`.
        ("y", true) => Some(1),
        ("m", true) => Some(2),
        ("y" | "m", false) if is_char => value.bytes().next().map(u64::from),
        ("y", false) => Some(1),
        _ if ty.kind() != TypeKind::Int => None,
        _ => match value.strip_prefix("0x") {
            Some(digits) => u64::from_str_radix(digits, 16).ok(),
            None => value.parse::<i64>().ok().map(i64::cast_unsigned),
        },
    }
}
