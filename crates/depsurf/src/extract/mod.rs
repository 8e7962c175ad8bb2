//! From an image to a surface: one file per kind of fact, put together here.
//!
//! DWARF is walked by all threads while one of them reads BTF and the symbol tables first; then functions
//! and types are joined, and the tables that need types are read. What cannot be read is noted, and its
//! kind of fact marked as unknown.

pub mod attach;
pub mod boot;
pub mod btf;
pub mod config;
mod debug;
mod dispatch;
pub mod function;
#[cfg(test)]
mod generation_tests;
pub mod identity;
pub mod kfunc;
mod layout;
pub mod live;
pub mod lsm;
mod merge;
mod module;
pub mod set;
pub mod symbol;
pub mod syscall;
#[cfg(test)]
mod table_tests;
pub mod tracepoint;
pub mod types;

use std::collections::HashMap;

use crate::dwarf::{self, Facts};
use crate::error::{Error, Result};
use crate::image::Image;
use crate::kernel::KernelId;
use crate::note::{Note, Notes};
use crate::progress::Progress;
use crate::source::{self, Form, ModuleChoice};
use crate::surface::build::Parts;
use crate::surface::meta::{Evidence, Fact, Fetched, Package};
use crate::surface::record::{self, NONE};
use crate::surface::strings::{StrId, Strings};
use crate::surface::types::{TypeId, TypeTable};

use self::attach::Attach;
use self::debug::{BesideFiles, DebugSections};
use self::function::FunctionTables;
use self::types::{KnownTypes, TypeMapper};

/// How to extract.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The kernel's name, where the image's own should not be used.
    pub name: Option<KernelId>,
    /// Whether a loss is an error instead of a note.
    pub strict: bool,
    /// How the image was fetched, for the provenance that the surface tells.
    pub fetched: Option<Fetched>,
    /// Whether types are taken from DWARF even where the image has `.BTF`, to compare the two.
    pub dwarf_types: bool,
    /// Which modules are read too.
    pub modules: ModuleChoice,
}

/// A surface, ready to be stored.
#[derive(Debug)]
pub struct Extracted {
    /// Which kernel it is of.
    pub kernel: KernelId,
    /// The surface file.
    pub bytes: Vec<u8>,
    /// What was skipped.
    pub notes: Vec<Note>,
}

/// Extracts the dependency surface of a kernel.
///
/// # Errors
/// When the image is no kernel, has neither debug information nor a symbol table of any kind, or is damaged so that nothing of a kind of
/// fact can be trusted; with [`Options::strict`] also when anything was lost.
pub fn surface(kernel: &source::Kernel, options: &Options, progress: &dyn Progress) -> Result<Extracted> {
    match kernel.form {
        Form::Vmlinux => vmlinux(kernel, options, progress),
        Form::Btf => btf::surface(kernel, options, progress),
        Form::Boot { arch } => boot::surface(kernel, arch, options, progress),
    }
}

fn vmlinux(kernel: &source::Kernel, options: &Options, progress: &dyn Progress) -> Result<Extracted> {
    let present = |range| kernel.vmlinux.present(range);
    let image = match Image::parse_sparse(&kernel.vmlinux, &present) {
        // Its own symbol table may be in it all the same.
        Err(stripped @ Error::NoDebugInfo { .. }) => {
            return match boot::surface(kernel, None, options, progress) {
                Err(Error::NoDebugInfo { .. }) => Err(stripped),
                read => read,
            };
        }
        image => image?,
    };
    let mut meta = identity::read(&image, package_of(kernel), options.name.as_ref())?;
    meta.fetched.clone_from(&options.fetched);
    if let Some(config) = &kernel.config {
        config::check(config, &meta)?;
    }
    let mut parts = Parts::new(meta);
    let mut notes = Notes::new();

    let debug = DebugSections::load(&image)?;
    let btf = if options.dwarf_types { None } else { image.section_data(".BTF")? };
    let is_bare = debug.is_empty() && btf.is_none();
    let skeletons = dwarf::skeletons(image.is_big_endian(), |id| debug.get(id));
    let beside = BesideFiles::find(&skeletons, kernel.place.as_ref());
    let beside_sections = beside.load(image.is_big_endian());
    let others = beside_sections.others(&skeletons, &beside);
    let (facts, tables) = rayon::join(
        || dwarf::read(image.is_big_endian(), |id| debug.get(id), &others, progress),
        || read_tables(&image, btf.as_deref(), &mut parts.strings, &mut notes),
    );
    let (facts, tables) = (facts?, tables?);

    progress.step("join functions and types", None);
    symbol::store(&image, &tables.attach, &mut parts);
    parts.meta.evidence.extend(tables.attach.evidence.iter().cloned());
    parts.meta.btf_types = tables.types.next_id().0;
    evidence_of_types(&image, &mut parts, &facts, btf.is_some());
    let mut functions = join(&image, &facts, tables.types, &mut parts, &mut notes);
    notes.merge(facts.notes);
    drop(facts.units);

    progress.step("read tables", None);
    let mut sets = read_kinds(&image, &functions, &mut parts, &mut notes);
    if !options.modules.is_none() {
        let reading = module::Reading { kernel, choice: &options.modules, btf: btf.as_deref(), progress };
        functions = reading.run(functions, &mut sets, &mut parts, &mut notes)?;
    }
    sets.store(&mut parts);
    if is_bare {
        // What hooks there are is told by types alone.
        boot::forget_hooks(&mut parts, Evidence::unknown("the image has neither `.debug_info` nor `.BTF`"));
    }
    store_functions(functions, &mut parts);
    config::store(config_of(kernel), &mut parts, &mut notes);
    finish(parts, notes, options, progress)
}

/// The package that a kernel came from.
fn package_of(kernel: &source::Kernel) -> Option<Package> {
    let package = kernel.origin.package.as_ref()?;
    Some(Package { name: package.name.clone(), version: package.version.clone() })
}

/// Text and origin of a kernel's configuration, where it has one.
fn config_of(kernel: &source::Kernel) -> Option<(&str, &str)> {
    kernel.config.as_ref().map(|config| (config.text.as_str(), config.origin.file.as_str()))
}

/// The file of a surface that is complete.
fn finish(mut parts: Parts, notes: Notes, options: &Options, progress: &dyn Progress) -> Result<Extracted> {
    progress.step("write the surface", None);
    parts.notes = notes.into_vec();
    if options.strict
        && let Some(first) = parts.notes.iter().find(|note| note.lossy)
    {
        let count = parts.notes.iter().filter(|note| note.lossy).count();
        return Err(Error::Strict { count, first: first.message.clone() });
    }
    let bytes = parts.encode();
    Ok(Extracted { kernel: parts.meta.kernel, bytes, notes: parts.notes })
}

/// What is read beside DWARF.
struct Tables {
    types: TypeTable,
    attach: Attach,
}

fn read_tables(
    image: &Image<'_>,
    btf: Option<&[u8]>,
    strings: &mut Strings,
    notes: &mut Notes,
) -> Result<Tables> {
    let types = match btf {
        Some(bytes) => crate::btf::read(bytes, strings, notes).map_err(|error| error.at("section `.BTF`"))?,
        None => TypeTable::new(),
    };
    Ok(Tables { types, attach: attach::read(image, notes) })
}

fn evidence_of_types(image: &Image<'_>, parts: &mut Parts, facts: &Facts<'_>, has_btf: bool) {
    // Without units, or with none that was read, nothing is told; the notes say why.
    let debug_info = if !facts.units.is_empty() {
        Evidence::known(".debug_info")
    } else if facts.unit_offsets.is_empty() {
        let what = "the image has no `.debug_info`";
        Evidence::unknown(match boot::debug_package(&parts.meta) {
            Some(package) => format!("{what}; `{package}` has it"),
            None => what.into(),
        })
    } else {
        Evidence::unknown("no compile unit of `.debug_info` could be read")
    };
    let evidence = &mut parts.meta.evidence;
    evidence.insert(Fact::Symbols, Evidence::known(".symtab"));
    if has_btf {
        evidence.insert(Fact::Btf, Evidence::known(".BTF"));
        evidence.insert(Fact::Types, Evidence::known(".BTF"));
    } else {
        evidence.insert(Fact::Btf, evidence_without_btf(image));
        evidence.insert(Fact::Types, debug_info.clone());
    }
    evidence.insert(Fact::Functions, debug_info);
}

/// What a file without the contents of `.BTF` tells. A kernel that was built with BTF has symbols that bound it
/// (`include/asm-generic/vmlinux.lds.h`); where they are missing, there is nothing behind `/sys/kernel/btf/vmlinux`.
fn evidence_without_btf(image: &Image<'_>) -> Evidence {
    let had = image.section(".BTF").is_some()
        || image.symbol("__start_BTF").is_some_and(|symbol| symbol.section != 0 || symbol.special != 0);
    if had {
        Evidence::unknown("built with BTF, of which the contents were not read")
    } else {
        Evidence::known("no `.BTF`: built without CONFIG_DEBUG_INFO_BTF")
    }
}

/// Functions of DWARF, and all types into the table of the surface.
fn join(
    image: &Image<'_>,
    facts: &Facts<'_>,
    types: TypeTable,
    parts: &mut Parts,
    notes: &mut Notes,
) -> FunctionTables {
    let mut mapper_notes = Notes::new();
    let known = KnownTypes::new(types);
    let mut mapper = TypeMapper::new(facts, known, &mut parts.strings, &mut mapper_notes);
    let base = parts.meta.base_address;
    let tables = function::functions(facts, &mut mapper, base, symbol_at(image), notes);
    parts.types = mapper.finish().into_table();
    notes.merge(mapper_notes);
    tables
}

/// Tells whether a symbol of a name stands at an address.
fn symbol_at<'a>(image: &'a Image<'_>) -> impl Fn(&[u8], u64) -> bool + use<'a> {
    |name, address| {
        std::str::from_utf8(name)
            .is_ok_and(|name| image.symbols_named(name).any(|(_, symbol)| symbol.address == address))
    }
}

/// Moves the functions into the surface, with the symbols that carry their names.
fn store_functions(mut tables: FunctionTables, parts: &mut Parts) {
    let strings = &parts.strings;
    let function_symbols = (0u32..)
        .zip(&parts.symbols)
        .filter(|(_, symbol)| crate::image::is_function(symbol.info))
        .map(|(index, symbol)| (index, strings.get(StrId(symbol.name.get()))));
    parts.function_symbols = function::join_symbols(&mut tables.functions, strings, function_symbols);
    parts.files = tables.files.iter().map(|path| parts.strings.intern(path.as_bytes())).collect();
    parts.units = tables.units;
    parts.functions = tables.functions;
    parts.instances = tables.instances;
    parts.inline_sites = tables.inline_sites;
    parts.call_sites = tables.call_sites;
}

/// The kinds of facts that are read from the kernel's own tables, by the layouts its types tell.
/// The sets are given back, because those of modules join them.
fn read_kinds(
    image: &Image<'_>,
    functions: &FunctionTables,
    parts: &mut Parts,
    notes: &mut Notes,
) -> set::Sets {
    parts.index_types();
    let types = parts.types.view(&parts.strings, &parts.types_by_name);
    let tracepoints = tracepoint::read(image, types, notes);
    let sets = set::read(image, types, &parts.meta, 0..0, notes);
    let lsm_hooks = lsm::read(types, &sets);
    let kfuncs = kfunc::read(types, &(1..types.len()), &sets);
    let syscalls = syscall::read(image, types, notes);
    let probes = probe_prototypes(functions, &parts.strings);
    tracepoints.store(parts, |name| probes.get(name).copied());
    lsm_hooks.store(parts);
    kfuncs.store(parts);
    syscalls.store(parts);
    sets
}

/// Prototypes in DWARF of the functions that fill trace events, for kernels whose BTF leaves them out.
fn probe_prototypes(tables: &FunctionTables, strings: &Strings) -> HashMap<String, TypeId> {
    let mut prototypes = HashMap::new();
    let name_of = |function: &record::Function| strings.get(StrId(function.name.get()));
    let start = tables.functions.partition_point(|function| name_of(function) < tracepoint::PROBE_PREFIX);
    for function in &tables.functions[start..] {
        let name = name_of(function);
        if !name.starts_with(tracepoint::PROBE_PREFIX) {
            break;
        }
        let instance = tables.instances.get(function.first_instance.get() as usize);
        let prototype = instance.map_or(NONE, |instance| instance.prototype.get());
        if prototype != NONE {
            prototypes.insert(name.to_owned(), TypeId(prototype));
        }
    }
    prototypes
}

#[cfg(test)]
mod tests;
