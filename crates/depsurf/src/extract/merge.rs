//! The functions of a kernel and of its modules, read one image at a time, in one table.
//!
//! Within an image [`super::function`] has joined everything. Between images only external functions meet: what a
//! module declares and calls is the function of the kernel, or of another module, that has the name.

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use rayon::slice::ParallelSliceMut;
use zerocopy::little_endian::U32;

use super::function::{Edges, FunctionTables};
use crate::surface::record::{self, NONE};
use crate::surface::strings::{StrId, Strings};

/// Tables of several images, the kernel's own first.
pub struct Merger {
    images: Vec<FunctionTables>,
    files: Vec<String>,
    file_numbers: HashMap<String, u32, FixedState>,
    units: Vec<record::Unit>,
}

/// Where an instance was before: image, index.
type Place = (u32, u32);

impl Merger {
    /// Starts with the kernel.
    #[must_use]
    pub fn new(kernel: FunctionTables) -> Self {
        let mut merger = Self {
            images: Vec::new(),
            files: Vec::new(),
            file_numbers: HashMap::with_hasher(FixedState::with_seed(0)),
            units: Vec::new(),
        };
        merger.push(kernel, StrId::EMPTY);
        merger
    }

    /// Adds a module.
    pub fn push(&mut self, mut tables: FunctionTables, module: StrId) {
        let files: Vec<u32> =
            std::mem::take(&mut tables.files).into_iter().map(|path| self.file(path)).collect();
        let file = |number: u32| files.get(number as usize).copied().unwrap_or(NONE);
        let first_unit = self.units.len() as u32;
        self.units.extend(
            std::mem::take(&mut tables.units)
                .into_iter()
                .map(|unit| record::Unit { file: file(unit.file.get()).into(), module: module.0.into() }),
        );
        for instance in &mut tables.instances {
            instance.decl_file = file(instance.decl_file.get()).into();
            if instance.unit.get() != NONE {
                instance.unit = (instance.unit.get() + first_unit).into();
            }
        }
        for site in &mut tables.inline_sites {
            site.call_file = file(site.call_file.get()).into();
        }
        self.images.push(tables);
    }

    fn file(&mut self, path: String) -> u32 {
        let Self { files, file_numbers, .. } = self;
        *file_numbers.entry(path).or_insert_with_key(|path| {
            files.push(path.clone());
            files.len() as u32 - 1
        })
    }

    /// One table for all.
    #[must_use]
    pub fn finish(self, strings: &Strings) -> FunctionTables {
        let mut named: Vec<(&str, Place)> = Vec::new();
        for (image, tables) in (0u32..).zip(&self.images) {
            let functions = (0u32..).zip(&tables.functions);
            named.extend(functions.map(|(index, it)| (strings.get(StrId(it.name.get())), (image, index))));
        }
        named.par_sort_unstable();
        let mut merged = Merged { images: &self.images, ..Merged::default() };
        merged.numbers = self.images.iter().map(|tables| vec![NONE; tables.instances.len()]).collect();
        for group in named.chunk_by(|a, b| a.0 == b.0) {
            merged.group(group);
        }
        merged.edges(self.files, self.units)
    }
}

#[derive(Default)]
struct Merged<'a> {
    images: &'a [FunctionTables],
    functions: Vec<record::Function>,
    instances: Vec<record::Instance>,
    /// New index of each instance of each image.
    numbers: Vec<Vec<u32>>,
}

impl Merged<'_> {
    /// The functions of one name.
    fn group(&mut self, group: &[(&str, Place)]) {
        let first = self.instances.len() as u32;
        let (_, (image, index)) = group[0];
        let name = self.images[image as usize].functions[index as usize].name;
        let mut btf_func = NONE;
        let mut declared: Vec<Place> = Vec::new();
        // What a declaration elsewhere means, the best first: the kernel's definition, its assembly, a module's definition.
        let mut meant: Option<(u32, u32)> = None;
        for &(_, (image, index)) in group {
            let tables = &self.images[image as usize];
            let function = &tables.functions[index as usize];
            if btf_func == NONE {
                btf_func = function.btf_func.get();
            }
            let end = tables
                .functions
                .get(index as usize + 1)
                .map_or(tables.instances.len(), |next| next.first_instance.get() as usize);
            for old in function.first_instance.get() as usize..end {
                let instance = tables.instances[old];
                let is_declaration = instance.unit.get() == NONE;
                if is_declaration && image != 0 {
                    declared.push((image, old as u32));
                    continue;
                }
                let new = self.keep(instance, image, old);
                let is_external = instance.flags.get() & record::INSTANCE_EXTERNAL != 0;
                if is_declaration || is_external {
                    let rank = match (image, is_declaration) {
                        (0, false) => 0,
                        (0, true) => 1,
                        _ => 2,
                    };
                    meant = Some(meant.map_or((rank, new), |known| known.min((rank, new))));
                }
            }
        }
        for (image, old) in declared {
            let new = match meant {
                Some((_, new)) => new,
                None => {
                    let instance = self.images[image as usize].instances[old as usize];
                    let new = self.keep(instance, image, old as usize);
                    meant = Some((3, new));
                    new
                }
            };
            self.numbers[image as usize][old as usize] = new;
        }
        self.functions.push(record::Function {
            name,
            first_instance: first.into(),
            first_symbol: 0.into(),
            btf_func: btf_func.into(),
        });
    }

    fn keep(&mut self, instance: record::Instance, image: u32, old: usize) -> u32 {
        let new = self.instances.len() as u32;
        self.instances.push(instance);
        self.numbers[image as usize][old] = new;
        new
    }

    /// Calls and inlined copies, by the new numbers.
    fn edges(mut self, files: Vec<String>, units: Vec<record::Unit>) -> FunctionTables {
        let mut inlined = Edges::new(self.instances.len());
        let mut calls = Edges::new(self.instances.len());
        for (tables, numbers) in self.images.iter().zip(&self.numbers) {
            let new = |old: U32| numbers.get(old.get() as usize).copied().unwrap_or(NONE);
            let starts = |first: fn(&record::Instance) -> U32, total: usize| {
                let ends = tables.instances.iter().skip(1).map(move |next| first(next).get() as usize);
                ends.chain([total]).zip(tables.instances.iter().map(move |it| first(it).get() as usize))
            };
            let runs = starts(|it| it.first_inline_site, tables.inline_sites.len());
            for (old, (end, start)) in (0u32..).zip(runs) {
                for site in tables.inline_sites.get(start..end).unwrap_or_default() {
                    let caller = new(site.caller).into();
                    inlined.push(new(old.into()), record::InlineSite { caller, ..*site });
                }
            }
            let runs = starts(|it| it.first_call_site, tables.call_sites.len());
            for (old, (end, start)) in (0u32..).zip(runs) {
                for site in tables.call_sites.get(start..end).unwrap_or_default() {
                    calls.push(new(old.into()), record::CallSite { caller: new(site.caller).into() });
                }
            }
        }
        let (inline_sites, inline_starts) = inlined.sorted();
        let (call_sites, call_starts) = calls.sorted();
        for (index, instance) in self.instances.iter_mut().enumerate() {
            instance.first_inline_site = inline_starts[index].into();
            instance.first_call_site = call_starts[index].into();
        }
        FunctionTables {
            files,
            units,
            functions: self.functions,
            instances: self.instances,
            inline_sites,
            call_sites,
        }
    }
}
