//! Builds the surface of a small kernel, thing by thing, for tests.

#![allow(dead_code, unused_qualifications, reason = "each test uses a part of it")]

use std::collections::HashMap;

use depsurf::kernel::Arch;
use depsurf::note::Notes;
use depsurf::surface::build::Parts;
use depsurf::surface::function::Inline;
use depsurf::surface::record::{self, NONE};
use depsurf::surface::strings::StrId;
use depsurf::surface::symbol::base_name;
use depsurf::surface::{Evidence, Fact, Meta, Surface, TypeKind};

/// Every fact that a complete image gives.
const FACTS: [Fact; 17] = [
    Fact::Functions,
    Fact::Symbols,
    Fact::Btf,
    Fact::Types,
    Fact::FtraceSites,
    Fact::KprobeBlacklist,
    Fact::Exports,
    Fact::ErrorInjection,
    Fact::BtfIds,
    Fact::Tracepoints,
    Fact::RawTracepoints,
    Fact::LsmHooks,
    Fact::Kfuncs,
    Fact::Syscalls,
    Fact::SyscallMetadata,
    Fact::CompatSyscalls,
    Fact::Config,
];

/// A kernel while it is described.
pub struct Kernel {
    pub parts: Parts,
    functions: Vec<(String, Vec<Instance>)>,
}

/// One definition of a function.
#[derive(Clone)]
pub struct Instance {
    /// Source file of the compile unit; empty for a declaration without definition.
    pub file: String,
    /// `file:line` of the declaration; empty for a declaration without definition.
    pub location: String,
    pub address: Option<u64>,
    pub external: bool,
    pub inline: Inline,
    /// Callers as `file:function`, with the line of the call in that file; 0 for unknown.
    pub inlined_into: Vec<(String, u32)>,
    /// Callers as `file:function`.
    pub called_by: Vec<String>,
}

impl Default for Instance {
    fn default() -> Self {
        Self {
            file: String::new(),
            location: String::new(),
            address: None,
            external: false,
            inline: Inline::SeenUnknown,
            inlined_into: Vec::new(),
            called_by: Vec::new(),
        }
    }
}

impl Kernel {
    /// A kernel of which every kind of fact was read and nothing was found.
    pub fn new(id: &str) -> Self {
        let kernel: depsurf::kernel::KernelId = id.parse().expect("a kernel name");
        let meta = Meta {
            uname: None,
            banner: None,
            build_id: None,
            compiler: None,
            distribution: None,
            package: None,
            big_endian: kernel.arch == Arch::S390x,
            address_size: 8,
            base_address: 0xffff_ffff_8100_0000,
            btf_types: 1,
            imported: None,
            fetched: None,
            evidence: FACTS.into_iter().map(|fact| (fact, Evidence::known("the test"))).collect(),
            kernel,
        };
        let mut parts = Parts::new(meta);
        let text = parts.strings.intern(b".text");
        parts.sections.push(record::ElfSection { name: text.0.into(), module: 0.into() });
        Self { parts, functions: Vec::new() }
    }

    /// A kind of fact that could not be read.
    pub fn unknown(&mut self, fact: Fact, reason: &str) -> &mut Self {
        self.parts.meta.evidence.insert(fact, Evidence::unknown(reason));
        self
    }

    pub fn string(&mut self, text: &str) -> u32 {
        self.parts.strings.intern(text.as_bytes()).0
    }

    /// Takes types as the kernel's BTF; once, before anything refers to them.
    pub fn types(&mut self, types: &testkit::c::Types) -> &mut Self {
        let mut notes = Notes::new();
        let blob = types.btf().btf.build();
        self.parts.types = depsurf::btf::read(&blob, &mut self.parts.strings, &mut notes).expect("BTF");
        self.parts.meta.btf_types = self.parts.types.next_id().0;
        self
    }

    /// Id of a type by kind and name; [`NONE`] where there is none.
    pub fn type_id(&self, kind: TypeKind, name: &str) -> u32 {
        let by_name = self.parts.types.by_name(&self.parts.strings);
        let types = self.parts.types.view(&self.parts.strings, &by_name);
        types.find(kind, name).map_or(NONE, |found| found.id().0)
    }

    /// Ids of all BTF FUNCs and of their prototypes, by name.
    pub fn funcs(&self) -> HashMap<String, (u32, u32)> {
        let by_name = self.parts.types.by_name(&self.parts.strings);
        let types = self.parts.types.view(&self.parts.strings, &by_name);
        let funcs = types.iter().filter(|found| found.kind() == TypeKind::Func);
        let ids =
            |found: depsurf::surface::Type<'_>| (found.id().0, found.target_id().map_or(NONE, |id| id.0));
        funcs.map(|found| (found.name().to_owned(), ids(found))).collect()
    }

    pub fn function(&mut self, name: &str, instances: impl IntoIterator<Item = Instance>) -> &mut Self {
        self.functions.push((name.to_owned(), instances.into_iter().collect()));
        self
    }

    /// A function symbol. `binding` is ELF's number, `attach` are `record::ATTACH_*` bits.
    pub fn symbol(&mut self, name: &str, address: u64, size: u32, binding: u8, attach: u32) -> &mut Self {
        let name = self.string(name);
        self.parts.symbols.push(record::Symbol {
            name: name.into(),
            address: address.into(),
            size: size.into(),
            section: 0.into(),
            attach: attach.into(),
            info: binding << 4 | 2,
            other: 0,
            special: 0.into(),
        });
        self
    }

    pub fn set(&mut self, name: &str, flags: u32, members: &[(&str, u32)]) -> &mut Self {
        let name = self.string(name);
        let first_member = self.parts.set_members.len() as u32;
        self.parts.sets.push(record::Set {
            name: name.into(),
            first_member: first_member.into(),
            flags: flags.into(),
        });
        for (member, flags) in members {
            let name = self.string(member).into();
            self.parts.set_members.push(record::SetMember { name, flags: (*flags).into() });
        }
        self
    }

    pub fn config(&mut self, name: &str, value: &str) -> &mut Self {
        let (name, value) = (self.string(name).into(), self.string(value).into());
        self.parts.configs.push(record::Config { name, value });
        self
    }

    fn file(&mut self, path: &str) -> u32 {
        if path.is_empty() {
            return NONE;
        }
        let id = self.parts.strings.intern(path.as_bytes());
        let known = self.parts.files.iter().position(|file| *file == id);
        known.unwrap_or_else(|| {
            self.parts.files.push(id);
            self.parts.files.len() - 1
        }) as u32
    }

    fn unit(&mut self, path: &str) -> u32 {
        if path.is_empty() {
            return NONE;
        }
        let file = self.file(path);
        let known = self.parts.units.iter().position(|unit| unit.file.get() == file);
        known.unwrap_or_else(|| {
            self.parts.units.push(record::Unit { file: file.into(), module: 0.into() });
            self.parts.units.len() - 1
        }) as u32
    }

    /// The surface. Callers that were not described become functions of their own.
    pub fn build(mut self) -> Surface {
        let mut functions = std::mem::take(&mut self.functions);
        let callers: Vec<String> = functions
            .iter()
            .flat_map(|(_, instances)| instances)
            .flat_map(|it| it.inlined_into.iter().map(|(caller, _)| caller).chain(&it.called_by))
            .cloned()
            .collect();
        let mut places: HashMap<String, usize> =
            functions.iter().enumerate().map(|(place, (name, _))| (name.clone(), place)).collect();
        for caller in callers {
            let (file, name) = caller.rsplit_once(':').expect("file:function");
            let place = *places.entry(name.to_owned()).or_insert_with(|| {
                functions.push((name.to_owned(), Vec::new()));
                functions.len() - 1
            });
            let file = if file == "None" { "" } else { file };
            let instances = &mut functions[place].1;
            if !instances.iter().any(|instance| instance.file == file) {
                instances.push(Instance { file: file.into(), external: true, ..Instance::default() });
            }
        }
        functions.sort_by(|(a, _), (b, _)| a.cmp(b));
        // Index of the first instance of each `file:function`.
        let mut index = HashMap::new();
        let named = functions.iter().flat_map(|(name, instances)| instances.iter().map(move |it| (name, it)));
        for (place, (name, instance)) in named.enumerate() {
            let file = if instance.file.is_empty() { "None" } else { &instance.file };
            index.entry(format!("{file}:{name}")).or_insert(place as u32);
        }
        let symbols: Vec<(u32, String)> = (0u32..)
            .zip(&self.parts.symbols)
            .map(|(place, symbol)| (place, self.parts.strings.get(StrId(symbol.name.get())).to_owned()))
            .collect();
        let mut symbols_of: HashMap<&str, Vec<u32>> = HashMap::new();
        for (place, name) in &symbols {
            symbols_of.entry(base_name(name)).or_default().push(*place);
        }
        let funcs = self.funcs();
        for (name, instances) in &functions {
            let record = record::Function {
                name: self.string(name).into(),
                first_instance: (self.parts.instances.len() as u32).into(),
                first_symbol: (self.parts.function_symbols.len() as u32).into(),
                btf_func: funcs.get(name).map_or(NONE, |(id, _)| *id).into(),
            };
            self.parts.functions.push(record);
            self.parts.function_symbols.extend(symbols_of.get(name.as_str()).into_iter().flatten());
            for instance in instances {
                self.instance(instance, &index);
            }
        }
        Surface::from_bytes(self.parts.encode()).expect("what was just written")
    }

    fn instance(&mut self, instance: &Instance, index: &HashMap<String, u32>) {
        let (file, line) = instance.location.rsplit_once(':').unwrap_or((&instance.location, "0"));
        let mut flags = (instance.inline as u32) << record::INSTANCE_INLINE_SHIFT;
        if instance.external {
            flags |= record::INSTANCE_EXTERNAL;
        }
        if instance.address.is_some() {
            flags |= record::INSTANCE_HAS_ADDRESS;
        }
        let record = record::Instance {
            unit: self.unit(&instance.file).into(),
            decl_file: self.file(file).into(),
            decl_line: line.parse::<u32>().expect("a line").into(),
            address: instance.address.unwrap_or(0).into(),
            prototype: NONE.into(),
            first_inline_site: (self.parts.inline_sites.len() as u32).into(),
            first_call_site: (self.parts.call_sites.len() as u32).into(),
            flags: flags.into(),
        };
        self.parts.instances.push(record);
        for (caller, line) in &instance.inlined_into {
            let call_file =
                if *line == 0 { NONE } else { self.file(caller.rsplit_once(':').expect("file:function").0) };
            self.parts.inline_sites.push(record::InlineSite {
                caller: index[caller].into(),
                call_file: call_file.into(),
                call_line: (*line).into(),
                address: NONE.into(),
            });
        }
        for caller in &instance.called_by {
            self.parts.call_sites.push(record::CallSite { caller: index[caller].into() });
        }
    }
}
