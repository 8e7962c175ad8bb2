//! The surface of a bootable image: everything that needs no debug information.
//!
//! With the kernel's own symbol table ([`crate::image::boot`]) the tables of the image are read as those of a vmlinux
//! are. Without data symbols in it (`CONFIG_KALLSYMS_ALL`) no table can be found, and what that hides is unknown.

use std::borrow::Cow;

use crate::error::{Error, Result};
use crate::image::Image;
use crate::image::boot::Boot;
use crate::kernel::Arch;
use crate::note::Notes;
use crate::progress::Progress;
use crate::source;
use crate::surface::build::Parts;
use crate::surface::meta::{Evidence, Fact, Meta};
use crate::surface::record::LSM_SETS_UNKNOWN;

use super::function::FunctionTables;
use super::{
    Extracted, Options, config, finish, identity, module, read_kinds, read_tables, store_functions, symbol,
    tracepoint,
};

/// The facts that are in tables, which data symbols lead to.
const TABLES: [Fact; 10] = [
    Fact::FtraceSites,
    Fact::KprobeBlacklist,
    Fact::Exports,
    Fact::ErrorInjection,
    Fact::BtfIds,
    Fact::Tracepoints,
    Fact::RawTracepoints,
    Fact::Syscalls,
    Fact::SyscallMetadata,
    Fact::CompatSyscalls,
];

/// Extracts the surface. `arch` is what the wrapping told.
///
/// # Errors
/// When there is no kernel inside, it tells neither types nor symbols, or its name cannot be told; with
/// [`Options::strict`] also when anything was lost.
pub fn surface(
    kernel: &source::Kernel,
    arch: Option<Arch>,
    options: &Options,
    progress: &dyn Progress,
) -> Result<Extracted> {
    progress.step("find symbols", None);
    let boot = Boot::read(&kernel.vmlinux, arch)?;
    let image = boot.image()?;
    let meta = identity::read(&image, super::package_of(kernel), options.name.as_ref())?;
    if let Some(config) = &kernel.config {
        config::check(config, &meta)?;
    }
    let mut parts = Parts::new(meta);
    let mut notes = Notes::new();
    let blob = match image.section_data(".BTF")? {
        Some(blob) => Some(blob),
        None => boot.find_btf().map(|range| Cow::Borrowed(&kernel.vmlinux[range])),
    };
    if blob.is_none() && !boot.has_symbols() {
        return Err(Error::NoDebugInfo {
            missing: "the bootable image has neither `.BTF` nor a symbol table of its own",
            suggestion: debug_package(&parts.meta),
        });
    }

    progress.step("read types and tables", None);
    let tables = read_tables(&image, blob.as_deref(), &mut parts.strings, &mut notes)?;
    symbol::store(&image, &tables.attach, &mut parts);
    parts.meta.btf_types = tables.types.next_id().0;
    parts.types = tables.types;
    let mut functions = FunctionTables::default();
    let mut sets = read_kinds(&image, &functions, &mut parts, &mut notes);
    if !options.modules.is_none() {
        let reading = module::Reading { kernel, choice: &options.modules, btf: blob.as_deref(), progress };
        functions = reading.run(functions, &mut sets, &mut parts, &mut notes)?;
    }
    sets.store(&mut parts);
    store_functions(functions, &mut parts);
    if blob.is_some() && !parts.meta.knows(Fact::RawTracepoints) {
        parts.tracepoints.clear();
        let types = parts.types.view(&parts.strings, &parts.types_by_name);
        let tracepoints = tracepoint::of_types(types, &(1..types.len()));
        tracepoints.store(&mut parts, |_| None);
    }
    tell(&boot, blob.is_some(), &image, &mut parts, &mut notes);
    config::store(super::config_of(kernel), &mut parts, &mut notes);
    if kernel.config.is_none() {
        let reason = "no configuration was given, and the image has none inside";
        parts.meta.evidence.insert(Fact::Config, Evidence::unknown(reason));
    }
    finish(parts, notes, options, progress)
}

/// The package with the debug information of a kernel of a distribution that has such packages.
pub(super) fn debug_package(meta: &Meta) -> Option<String> {
    let ubuntu = match meta.distribution.as_deref()? {
        "debian" => false,
        "ubuntu" => true,
        _ => return None,
    };
    Some(source::debug_package(meta.uname.as_deref()?, ubuntu))
}

/// Where there are no types it is not known which LSM hooks there are, whatever the tables say.
pub(super) fn forget_hooks(parts: &mut Parts, unknown: Evidence) {
    let evidence = &mut parts.meta.evidence;
    if let Some(Evidence::Known { .. }) = evidence.get(&Fact::LsmHooks) {
        evidence.insert(Fact::LsmHooks, unknown);
    }
}

/// Evidence of what is read here and what cannot be.
fn tell(boot: &Boot<'_>, has_btf: bool, image: &Image<'_>, parts: &mut Parts, notes: &mut Notes) {
    let package = debug_package(&parts.meta);
    let functions = match &package {
        Some(package) => format!("a bootable image has no debug information; `{package}` has it"),
        None => "a bootable image has no debug information".into(),
    };
    notes.skipped("boot-image", || functions.clone(), || image.banner().chars().take(80).collect());
    let evidence = &mut parts.meta.evidence;
    evidence.insert(Fact::Functions, Evidence::unknown(functions));
    let types = if has_btf { Evidence::known(".BTF") } else { Evidence::unknown("the image has no `.BTF`") };
    for fact in [Fact::Btf, Fact::Types] {
        evidence.insert(fact, types.clone());
    }
    if boot.has_symbols() {
        evidence.insert(Fact::Symbols, Evidence::known("kallsyms"));
    } else {
        evidence.insert(Fact::Symbols, Evidence::unknown("no symbol table was found in the image"));
    }
    if !has_btf {
        forget_hooks(parts, types);
    }
    let evidence = &mut parts.meta.evidence;
    let Some(reason) = boot.no_tables_because() else { return };
    // The sets are among the tables: what they say of hooks and kfuncs is unknown with them.
    let tagged = matches!(evidence.get(&Fact::Kfuncs), Some(Evidence::Known { source }) if source.contains("DECL_TAG"));
    if !tagged {
        evidence.insert(Fact::Kfuncs, Evidence::unknown(reason));
    }
    for hook in &mut parts.lsm_hooks {
        hook.flags = (hook.flags.get() | LSM_SETS_UNKNOWN).into();
    }
    for fact in TABLES {
        let is_of_types =
            matches!(evidence.get(&fact), Some(Evidence::Known { source }) if source.contains("BTF"));
        if !(fact == Fact::RawTracepoints && is_of_types) {
            evidence.insert(fact, Evidence::unknown(reason));
        }
    }
}

#[cfg(test)]
mod tests;
