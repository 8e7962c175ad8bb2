//! Modules into the surface of their kernel.
//!
//! They come in batches. Of a batch all threads read the files and walk the debug information; then one module after
//! the other joins the tables, so that the surface does not depend on threads. A module that cannot be read is a note.

use std::borrow::Cow;
use std::ops::Range;

use rayon::prelude::*;
use zerocopy::little_endian::U32;

use super::attach::{self, Attach};
use super::debug::{BesideFiles, DebugSections};
use super::function::{self, FunctionTables};
use super::merge::Merger;
use super::set::{self, Sets};
use super::types::{KnownTypes, TypeMapper};
use super::{kfunc, probe_prototypes, symbol_at, tracepoint};
use crate::btf;
use crate::dwarf::{self, Facts, Skeleton};
use crate::error::{Error, Result};
use crate::image::{Image, Section};
use crate::note::Notes;
use crate::progress::Progress;
use crate::source::{self, Batches, ModuleChoice, ModuleFile};
use crate::surface::build::Parts;
use crate::surface::index;
use crate::surface::meta::{Evidence, Fact};
use crate::surface::record::{self, MAX_MODULES, MODULE_CODE, MODULE_DEBUG, NONE};
use crate::surface::strings::{StrId, Strings, text_at};
use crate::surface::types::TypeTable;

/// What there is to read.
pub struct Reading<'a> {
    /// Where the modules are.
    pub kernel: &'a source::Kernel,
    /// Which of them are read.
    pub choice: &'a ModuleChoice,
    /// The kernel's `.BTF`, which those of modules build on.
    pub btf: Option<&'a [u8]>,
    /// How far it is.
    pub progress: &'a dyn Progress,
}

/// A module, as far as it is read without the kernel's tables.
struct Loaded<'a> {
    file: &'a ModuleFile,
    /// The file that has the code; where none has, the first.
    image: Image<'a>,
    /// The module's own types.
    btf: Result<Option<Cow<'a, [u8]>>>,
    /// From the file that has debug information.
    debug: DebugSections<'a>,
    attach: Attach,
    /// Why a file was left out.
    lost: Option<String>,
}

impl<'a> Loaded<'a> {
    fn new(file: &'a ModuleFile) -> Result<Self> {
        let mut images = Vec::with_capacity(file.files.len());
        let mut lost = None;
        for bytes in &file.files {
            match Image::parse_module(bytes) {
                Ok(image) => images.push(image),
                Err(error) if file.files.len() == 1 => return Err(error),
                Err(error) => lost = Some(error.to_string()),
            }
        }
        let with_code = images.iter().position(Image::has_code).unwrap_or(0);
        if with_code >= images.len() {
            return Err(Error::malformed("module", "its files", lost.unwrap_or_default()));
        }
        let image = images.swap_remove(with_code);
        images.retain(|other| {
            let differs = other.differs_from(&image);
            lost = lost.take().or(differs.map(|why| format!("it is of another build than its code: {why}")));
            differs.is_none()
        });
        let all = || std::iter::once(&image).chain(&images);
        let debug = DebugSections::load(all().find(|image| image.has_debug_info()).unwrap_or(&image))?;
        let has_btf = |image: &&Image<'_>| image.section(".BTF").is_some_and(Section::has_bytes);
        let btf = all().find(has_btf).map_or(Ok(None), |image| image.section_data(".BTF"));
        // What it could not read is not known for the module, which its record tells.
        let attach = attach::read(&image, &mut Notes::new());
        Ok(Self { file, image, btf, debug, attach, lost })
    }

    fn name(&self) -> String {
        self.image.modinfo("name").map_or_else(|| self.file.name(), str::to_owned)
    }
}

/// What of a module's debug information is in other files.
struct Split<'a> {
    big_endian: bool,
    skeletons: Vec<Skeleton<'a>>,
    files: BesideFiles,
}

impl<'a> Split<'a> {
    fn find(loaded: Option<&'a Loaded<'_>>, kernel: &source::Kernel) -> Self {
        let big_endian = loaded.is_some_and(|loaded| loaded.image.is_big_endian());
        let skeletons =
            loaded.map_or(Vec::new(), |loaded| dwarf::skeletons(big_endian, |id| loaded.debug.get(id)));
        let files = BesideFiles::find(&skeletons, kernel.place.as_ref());
        Self { big_endian, skeletons, files }
    }
}

impl Reading<'_> {
    /// Adds the modules to the tables of the kernel, and gives all functions.
    ///
    /// # Errors
    /// When the package that has them is damaged.
    pub fn run(
        &self,
        functions: FunctionTables,
        sets: &mut Sets,
        parts: &mut Parts,
        notes: &mut Notes,
    ) -> Result<FunctionTables> {
        let base = self.btf.map(btf::Base::new).transpose()?;
        let types = KnownTypes::new(std::mem::take(&mut parts.types));
        let kernel_types = std::mem::take(&mut parts.types_by_name);
        let mut joined =
            Joined { base, types, kernel_types, merger: Merger::new(functions), sets, parts, notes };
        self.progress.step("read modules", None);
        let mut batches = Batches::new(&self.kernel.modules, self.choice)?;
        loop {
            let files = batches.next_batch()?;
            if files.is_empty() {
                break;
            }
            self.batch(&files, &mut joined)?;
        }
        Ok(joined.finish(self.choice))
    }

    fn batch(&self, files: &[ModuleFile], joined: &mut Joined<'_>) -> Result<()> {
        let loaded: Vec<(&ModuleFile, Result<Loaded<'_>>)> =
            files.par_iter().map(|file| (file, Loaded::new(file))).collect();
        let split: Vec<Split<'_>> =
            loaded.par_iter().map(|(_, loaded)| Split::find(loaded.as_ref().ok(), self.kernel)).collect();
        let sections: Vec<_> = split.par_iter().map(|split| split.files.load(split.big_endian)).collect();
        let facts: Vec<Option<Result<Facts<'_>>>> = loaded
            .par_iter()
            .zip(split.par_iter().zip(&sections))
            .map(|((_, loaded), (split, sections))| {
                let loaded = loaded.as_ref().ok()?;
                let others = sections.others(&split.skeletons, &split.files);
                Some(dwarf::read_here(split.big_endian, |id| loaded.debug.get(id), &others))
            })
            .collect();
        for ((file, loaded), facts) in loaded.iter().zip(facts) {
            let result = match (loaded, facts) {
                (Ok(loaded), Some(facts)) => joined.add(loaded, facts),
                (Err(error), _) => Err(Error::malformed("module", file.path.clone(), error.to_string())),
                (Ok(_), None) => Ok(()),
            };
            if let Err(error) = result {
                joined.notes.lost(
                    "module",
                    || format!("a module was left out: {error}"),
                    || format!("`{}`", file.path),
                );
            }
            self.progress.advance(file.files.iter().map(|bytes| bytes.len() as u64).sum());
        }
        Ok(())
    }
}

/// The tables that modules join.
struct Joined<'a> {
    base: Option<btf::Base<'a>>,
    types: KnownTypes,
    /// `TYPES_BY_NAME` of the kernel alone.
    kernel_types: Vec<U32>,
    merger: Merger,
    sets: &'a mut Sets,
    parts: &'a mut Parts,
    notes: &'a mut Notes,
}

impl Joined<'_> {
    fn add(&mut self, loaded: &Loaded<'_>, facts: Result<Facts<'_>>) -> Result<()> {
        let path = &loaded.file.path;
        if self.parts.modules.len() == MAX_MODULES {
            return Err(Error::Limit {
                what: format!("a kernel with more modules than `{path}`"),
                limit: format!("{MAX_MODULES} modules"),
            });
        }
        let built_for = loaded.image.modinfo("vermagic").and_then(|text| text.split(' ').next());
        if let (Some(built_for), Some(uname)) = (built_for, self.parts.meta.uname.as_deref())
            && built_for != uname
        {
            let what = format!("it is for `{built_for}`, and the kernel is `{uname}`");
            return Err(Error::malformed("module", path.clone(), what));
        }
        let name = self.parts.strings.intern(loaded.name().as_bytes());
        let path_id = self.parts.strings.intern(path.as_bytes());
        if self.parts.modules.iter().any(|known| known.path.get() == path_id.0) {
            // The image package and the debug package both have it.
            return Ok(());
        }
        if let Some(why) = &loaded.lost {
            let place = || format!("`{path}`");
            self.notes.lost("module-half", || format!("a file of a module was left out: {why}"), place);
        }
        let own_btf = self.read_btf(loaded);
        let first_type = own_btf.start;
        let facts = facts.unwrap_or_else(|error| {
            let where_ = || format!("`{path}`");
            self.notes.lost("module-dwarf", || format!("a module's DWARF was left out: {error}"), where_);
            Facts::default()
        });
        let tables = self.functions(loaded, &facts, !own_btf.is_empty());
        self.notes.merge(facts.notes);
        let own = first_type..self.types.table().next_id().0;
        let number = self.parts.modules.len() as u32 + 1;
        self.kinds(loaded, number, &own, &own_btf, &tables);
        let first_symbol = self.parts.symbols.len() as u32;
        self.symbols(loaded, name);
        let has_debug = !loaded.debug.is_empty();
        self.merger.push(tables, name);
        let flag = |bit, is_set| if is_set { bit } else { 0 };
        self.parts.modules.push(record::Module {
            name: name.0.into(),
            path: path_id.0.into(),
            first_symbol: first_symbol.into(),
            first_type: first_type.into(),
            type_count: (own_btf.end - own_btf.start).into(),
            flags: (flag(MODULE_CODE, loaded.image.has_code()) | flag(MODULE_DEBUG, has_debug)).into(),
        });
        Ok(())
    }

    /// The module's split BTF; an empty range where it has none that can be read.
    fn read_btf(&mut self, loaded: &Loaded<'_>) -> Range<u32> {
        let next = self.types.table().next_id().0;
        let none = next..next;
        let Some(base) = self.base else { return none };
        let bytes = match &loaded.btf {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return none,
            Err(error) => return self.no_btf(loaded, &error.to_string(), none),
        };
        if loaded.image.section(".BTF.base").is_some() {
            // Built apart from the kernel: its ids are those of a base of its own, which is matched when it is loaded.
            return self.no_btf(loaded, "it builds on `.BTF.base`, not on the kernel's BTF", none);
        }
        match btf::read_split(bytes, base, self.types.table_mut(), &mut self.parts.strings, self.notes) {
            Ok(range) => {
                self.types.index(range.start);
                range
            }
            Err(error) => self.no_btf(loaded, &error.to_string(), none),
        }
    }

    fn no_btf(&mut self, loaded: &Loaded<'_>, why: &str, none: Range<u32>) -> Range<u32> {
        let place = || format!("`{}`", loaded.file.path);
        self.notes.lost("module-btf", || format!("the BTF of a module was left out: {why}"), place);
        none
    }

    fn functions(&mut self, loaded: &Loaded<'_>, facts: &Facts<'_>, has_btf: bool) -> FunctionTables {
        let first_new = self.types.table().next_id().0;
        let types = std::mem::replace(&mut self.types, KnownTypes::new(Default::default()));
        let mut notes = Notes::new();
        let mut mapper = TypeMapper::of_module(facts, types, &mut self.parts.strings, &mut notes);
        let tables = function::functions(facts, &mut mapper, 0, symbol_at(&loaded.image), self.notes);
        // BTF has all definitions of the module, so that only what prototypes need besides is added.
        self.types = if has_btf { mapper.finish_asked() } else { mapper.finish() };
        self.types.index(first_new);
        self.notes.merge(notes);
        tables
    }

    /// Tracepoints, sets and kfuncs of the module. `own` are its types, `btf` those of its BTF.
    fn kinds(
        &mut self,
        loaded: &Loaded<'_>,
        number: u32,
        own: &Range<u32>,
        btf: &Range<u32>,
        tables: &FunctionTables,
    ) {
        let image = &loaded.image;
        let has = |section: &str| image.section(section).is_some_and(|section| section.is_mapped());
        let has_tracepoints = has("_ftrace_events") || has("__bpf_raw_tp_map");
        if !has_tracepoints && !has(".BTF_ids") {
            return;
        }
        let by_name = by_name(&self.kernel_types, self.types.table(), own, &self.parts.strings);
        // The strings are borrowed by the types while the surface is written to.
        let strings = std::mem::take(&mut self.parts.strings);
        let types = self.types.table().view(&strings, &by_name);
        let tracepoints = has_tracepoints.then(|| tracepoint::read(image, types, self.notes));
        let sets =
            has(".BTF_ids").then(|| set::read(image, types, &self.parts.meta, btf.clone(), self.notes));
        let kfuncs = sets.as_ref().map(|sets| kfunc::read(types, own, sets));
        self.parts.strings = strings;
        if let Some(tracepoints) = tracepoints {
            let probes = probe_prototypes(tables, &self.parts.strings);
            tracepoints.store_of(number, self.parts, |name| probes.get(name).copied());
        }
        if let Some(kfuncs) = kfuncs {
            kfuncs.store_of(number, self.parts);
        }
        self.sets.list.extend(sets.into_iter().flat_map(|sets| sets.list));
    }

    /// The module's functions and global variables: what the kernel finds by name.
    fn symbols(&mut self, loaded: &Loaded<'_>, module: StrId) {
        let image = &loaded.image;
        let parts = &mut *self.parts;
        let mut places = vec![NONE; image.sections().len()];
        for (index, symbol) in image.symbols().iter().enumerate() {
            let is_variable = symbol.is_object() && !symbol.is_local();
            if symbol.section == 0 || symbol.name.is_empty() || !(symbol.is_function() || is_variable) {
                continue;
            }
            let Some(place) = places.get_mut(symbol.section as usize) else { continue };
            if *place == NONE {
                *place = parts.sections.len() as u32;
                let name = parts.strings.intern(image.sections()[symbol.section as usize].name);
                parts.sections.push(record::ElfSection { name: name.0.into(), module: module.0.into() });
            }
            parts.symbols.push(record::Symbol {
                name: parts.strings.intern(symbol.name).0.into(),
                address: symbol.address.into(),
                size: u32::try_from(symbol.size).unwrap_or(u32::MAX).into(),
                section: (*place).into(),
                attach: loaded.attach.bits(index).into(),
                info: symbol.info,
                other: symbol.other,
                special: 0.into(),
            });
        }
    }

    /// The tables in the order a surface has them.
    fn finish(self, choice: &ModuleChoice) -> FunctionTables {
        let Self { types, merger, sets, parts, .. } = self;
        let functions = merger.finish(&parts.strings);
        parts.types = types.into_table();
        sets.list.sort_by(|a, b| a.name.cmp(&b.name));
        sort(parts);
        let count = parts.modules.len();
        let evidence = match choice {
            _ if count == 0 => Evidence::unknown("none were found beside the image"),
            ModuleChoice::Matching(pattern) => {
                Evidence::unknown(format!("only those matching `{}` were read", pattern.glob()))
            }
            _ => Evidence::known(format!("{count} modules")),
        };
        parts.meta.evidence.insert(Fact::Modules, evidence);
        functions
    }
}

/// Sorts what the kernel and its modules have put one behind the other.
pub(super) fn sort(parts: &mut Parts) {
    let strings = &parts.strings;
    let text = |id: U32| strings.get(StrId(id.get()));
    parts.tracepoints.sort_by(|a, b| (text(a.name), text(a.system)).cmp(&(text(b.name), text(b.system))));
    parts.kfuncs.sort_by(|a, b| text(a.name).cmp(text(b.name)));
}

/// Ids by name of the kernel's types and a module's own, these first where a name is of both.
pub(super) fn by_name(kernel: &[U32], types: &TypeTable, own: &Range<u32>, strings: &Strings) -> Vec<U32> {
    let (strings, records) = (strings.bytes(), types.records());
    let name_of = |id: U32| text_at(strings, records[id.get() as usize].name.get());
    let mut merged = Vec::with_capacity(kernel.len() + own.len());
    let mut rest = kernel;
    for id in index::types_by_name_within(records, own.clone(), strings) {
        let name = name_of(id);
        let before = rest.partition_point(|&other| name_of(other) < name);
        let (front, back) = rest.split_at(before);
        merged.extend_from_slice(front);
        merged.push(id);
        rest = back;
    }
    merged.extend_from_slice(rest);
    merged
}
