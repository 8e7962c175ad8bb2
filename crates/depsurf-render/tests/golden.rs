//! Published pages, byte for byte, from the dataset they were made of.
//!
//! Needs the directory with `golden/ubuntu25` in `DEPSURF_SHARED`.

mod kernel;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use depsurf::surface::build::Parts;
use depsurf::surface::function::{Collision, Inline, InlineKind};
use depsurf::surface::record::{self, NONE};
use depsurf::surface::types::Child;
use depsurf::surface::verdict::Verdict;
use depsurf::surface::{Surface, TypeId, TypeKind};
use depsurf_render::{Facts, Group, Kernel as Labelled, Kind, Page, State, markdown};
use kernel::{Instance, Kernel};
use serde_json::Value;

/// Kernels of the Regular group, in its order.
const REGULAR: [&str; 17] = [
    "4.4.0-21",
    "4.8.0-22",
    "4.10.0-19",
    "4.13.0-16",
    "4.15.0-20",
    "4.18.0-10",
    "5.0.0-13",
    "5.3.0-18",
    "5.4.0-26",
    "5.8.0-25",
    "5.11.0-16",
    "5.13.0-19",
    "5.15.0-25",
    "5.19.0-21",
    "6.2.0-20",
    "6.5.0-9",
    "6.8.0-31",
];
const ARCH: [&str; 4] = [
    "5.4.0-26-generic-arm64",
    "5.4.0-26-generic-armhf",
    "5.4.0-26-generic-ppc64el",
    "5.4.0-24-generic-riscv64",
];
const FLAVOR: [&str; 4] =
    ["5.4.0-1009-aws-amd64", "5.4.0-1010-azure-amd64", "5.4.0-1009-gcp-amd64", "5.4.0-26-lowlatency-amd64"];

/// A kernel of the dataset with the verdicts that were published.
struct Imported {
    surface: Surface,
    verdicts: HashMap<String, Verdict>,
}

#[test]
#[allow(clippy::print_stderr, reason = "a test that does not run has to say so")]
fn published_pages() {
    let Some(shared) = std::env::var_os("DEPSURF_SHARED") else {
        eprintln!("SKIPPED: DEPSURF_SHARED is not set, so no published page was compared");
        return;
    };
    let root = PathBuf::from(shared).join("golden/ubuntu25");
    let regular: Vec<String> = REGULAR.iter().map(|kernel| format!("{kernel}-generic-amd64")).collect();
    let names: Vec<&str> = regular.iter().map(String::as_str).chain(ARCH).chain(FLAVOR).collect();
    let kernels: Vec<Imported> = names.iter().map(|name| import(&root.join("dataset"), name)).collect();
    let label = |name: &str| {
        let parts: Vec<&str> = name.split('-').collect();
        match (parts[2], parts[3]) {
            ("generic", "amd64") => parts[0].rsplit_once('.').expect("three numbers").0.to_owned(),
            ("generic", arch) => arch.to_owned(),
            (flavour, _) => flavour.to_owned(),
        }
    };
    let labelled: Vec<Labelled<'_>> = names
        .iter()
        .zip(&kernels)
        .map(|(name, kernel)| Labelled { label: label(name), surface: &kernel.surface })
        .collect();
    let default = &labelled[8];
    let base = |label: &str| Some(Labelled { label: label.into(), ..default.clone() });
    let groups = [
        group("Regular", &labelled[..17], None),
        group("Arch", &labelled[17..21], base("amd64")),
        group("Flavor", &labelled[21..], base("generic")),
    ];

    let mut compared = 0;
    let mut wrong = Vec::new();
    for kind in [Kind::Function, Kind::Struct, Kind::Tracepoint, Kind::Lsm] {
        let mut files: Vec<PathBuf> = std::fs::read_dir(root.join("pages").join(kind.heading()))
            .expect("pages")
            .map(|entry| entry.expect("an entry").path())
            .collect();
        files.sort();
        for file in files {
            let name = file.file_stem().and_then(|stem| stem.to_str()).expect("a name").to_owned();
            let golden = std::fs::read_to_string(&file).expect("a page");
            let mut page = Page::decide(kind, &name, &groups);
            publish(&mut page, &kernels);
            let drawn = markdown::page(&page);
            compared += 1;
            if drawn != golden {
                wrong.push((kind, name.clone(), first_difference(&drawn, &golden)));
            }
        }
    }
    assert_eq!(compared, 400 + 150 + 80 + 40);
    assert!(
        wrong.is_empty(),
        "{} of {compared} pages differ, first: {:#?}",
        wrong.len(),
        &wrong[..wrong.len().min(8)]
    );
}

fn group<'a>(title: &str, kernels: &[Labelled<'a>], base: Option<Labelled<'a>>) -> Group<'a> {
    Group { title: title.into(), kernels: kernels.to_vec(), base }
}

/// Puts the published verdicts in the place of our own.
fn publish(page: &mut Page<'_>, kernels: &[Imported]) {
    let name = page.name.clone();
    for entry in page.groups.iter_mut().flat_map(|group| &mut group.entries) {
        let kernel = kernels.iter().find(|kernel| std::ptr::eq(&kernel.surface, entry.surface));
        if let State::Present(Facts::Function(facts)) = &mut entry.state {
            match kernel.expect("a kernel of the page").verdicts.get(&name) {
                Some(verdict) => facts.verdict = *verdict,
                // Known only as a caller of others.
                None => entry.state = State::Absent { remark: None },
            }
        }
    }
}

fn first_difference(drawn: &str, expected: &str) -> String {
    let pairs = drawn.lines().zip(expected.lines()).enumerate();
    match pairs.into_iter().find(|(_, (a, b))| a != b) {
        Some((line, (a, b))) => format!("line {}: drawn `{a}`, expected `{b}`", line + 1),
        None => "one is longer".into(),
    }
}

fn import(dataset: &Path, name: &str) -> Imported {
    let mut kernel = Kernel::new(name);
    let mut verdicts = HashMap::new();
    let structures = lines(&dataset.join("types_struct").join(format!("{name}.jsonl.zst")));
    let mut structs = Structs::default();
    structures.iter().for_each(|structure| structs.declare(&mut kernel.parts, structure));
    let mut hooks = Vec::new();
    for structure in &structures {
        if text(structure, "name") == "security_hook_heads" {
            hooks = list(structure, "members").iter().map(|member| text(member, "name").to_owned()).collect();
        }
        structs.define(&mut kernel.parts, structure);
    }
    for function in lines(&dataset.join("types_func").join(format!("{name}.jsonl.zst"))) {
        structs.function(&mut kernel.parts, &function);
    }
    for tracepoint in lines(&dataset.join("tracepoints").join(format!("{name}.jsonl.zst"))) {
        let record = structs.structure(&mut kernel.parts, &tracepoint["struct"]).0;
        let prototype = structs.function(&mut kernel.parts, &tracepoint["func"]).0;
        let [name, class, format] = ["event_name", "class_name", "fmt_str"]
            .map(|field| kernel.string(text(&tracepoint, field)).into());
        kernel.parts.tracepoints.push(record::Tracepoint {
            name,
            system: 0.into(),
            class,
            format,
            record: record.into(),
            prototype: prototype.into(),
            btf_trace: NONE.into(),
            flags: record::TRACEPOINT_EVENT.into(),
            writable_size: 0.into(),
            raw_args: NONE.into(),
        });
    }
    let by_name = |parts: &Parts, id: u32| parts.strings.get(depsurf::surface::strings::StrId(id)).to_owned();
    let mut tracepoints = std::mem::take(&mut kernel.parts.tracepoints);
    tracepoints.sort_by_cached_key(|record| by_name(&kernel.parts, record.name.get()));
    kernel.parts.tracepoints = tracepoints;
    kernel.parts.meta.btf_types = kernel.parts.types.next_id().0;
    hooks.sort();
    let funcs = kernel.funcs();
    for hook in hooks {
        if let Some((_, prototype)) = funcs.get(&format!("security_{hook}")) {
            let name = kernel.string(&hook).into();
            let flags = record::LSM_SETS_UNKNOWN.into();
            kernel.parts.lsm_hooks.push(record::LsmHook { name, prototype: (*prototype).into(), flags });
        }
    }
    for group in lines(&dataset.join("func_groups").join(format!("{name}.jsonl.zst"))) {
        let name = text(&group, "name").to_owned();
        verdicts.insert(name.clone(), verdict(&group));
        for symbol in list(&group, "symbols") {
            let bind = match text(symbol, "bind") {
                "STB_LOCAL" => 0,
                "STB_GLOBAL" => 1,
                _ => 2,
            };
            kernel.symbol(
                text(symbol, "name"),
                number(symbol, "addr"),
                number(symbol, "size") as u32,
                bind,
                0,
            );
        }
        kernel.function(&name, list(&group, "funcs").iter().map(instance));
    }
    Imported { surface: kernel.build(), verdicts }
}

fn verdict(group: &Value) -> Verdict {
    let collisions = [
        Collision::UniqueGlobal,
        Collision::UniqueStatic,
        Collision::StaticDuplication,
        Collision::StaticStatic,
        Collision::StaticGlobal,
    ];
    let inlines = [InlineKind::Full, InlineKind::Selective, InlineKind::No];
    let collision = collisions.into_iter().find(|it| it.words() == text(group, "collision_type"));
    let inline = inlines.into_iter().find(|it| it.words() == text(group, "inline_type"));
    Verdict {
        collision: collision.expect("a collision type"),
        inline: inline.expect("an inline type"),
        transformed: list(group, "symbols")
            .iter()
            .any(|symbol| depsurf::surface::symbol::suffixes(text(symbol, "name")).next().is_some()),
    }
}

fn instance(func: &Value) -> Instance {
    let inlines = [
        Inline::NotInlined,
        Inline::Inlined,
        Inline::DeclaredNotInlined,
        Inline::DeclaredInlined,
        Inline::SeenUnknown,
        Inline::NotSeen,
    ];
    let callers = |field: &str| list(func, field).iter().map(|it| it.as_str().expect("a caller").to_owned());
    Instance {
        file: func["file"].as_str().unwrap_or_default().into(),
        location: func["loc"].as_str().unwrap_or_default().into(),
        address: Some(number(func, "addr")).filter(|address| *address != 0),
        external: func["external"].as_bool().expect("a truth"),
        inline: inlines.into_iter().find(|it| it.words() == text(func, "inline")).expect("an inline word"),
        inlined_into: callers("caller_inline").map(|caller| (caller, 0)).collect(),
        called_by: callers("caller_func").collect(),
    }
}

/// The structs of a kernel by name, so that types inside others can refer to them.
#[derive(Default)]
struct Structs {
    ids: HashMap<String, TypeId>,
}

impl Structs {
    /// Makes room for a definition.
    fn declare(&mut self, parts: &mut Parts, value: &Value) {
        let name = parts.strings.intern(text(value, "name").as_bytes());
        let members = list(value, "members").iter().map(|_| Child { name: Default::default(), a: 0, b: 0 });
        let id = parts.types.push(TypeKind::Struct, false, name, 0, members.collect::<Vec<_>>());
        self.ids.insert(text(value, "name").to_owned(), id);
    }

    fn define(&mut self, parts: &mut Parts, value: &Value) {
        let members = self.members(parts, value);
        parts.types.patch(self.ids[text(value, "name")], false, 0, &members);
    }

    /// A definition of its own.
    fn structure(&mut self, parts: &mut Parts, value: &Value) -> TypeId {
        let members = self.members(parts, value);
        let name = parts.strings.intern(text(value, "name").as_bytes());
        parts.types.push(TypeKind::Struct, false, name, 0, members)
    }

    fn members(&mut self, parts: &mut Parts, value: &Value) -> Vec<Child> {
        let member = |member: &Value| Child {
            name: parts.strings.intern(text(member, "name").as_bytes()),
            a: self.refer(parts, &member["type"]).0,
            b: 0,
        };
        list(value, "members").iter().map(member).collect()
    }

    /// A FUNC; gives the id of its prototype.
    fn function(&mut self, parts: &mut Parts, value: &Value) -> TypeId {
        let name = parts.strings.intern(text(value, "name").as_bytes());
        let proto = self.refer(parts, &value["type"]);
        parts.types.push(TypeKind::Func, false, name, proto.0, []);
        proto
    }

    /// A type inside another one.
    fn refer(&mut self, parts: &mut Parts, value: &Value) -> TypeId {
        let name = parts.strings.intern(text(value, "name").as_bytes());
        let mut modifier = |kind: TypeKind| {
            let target = self.refer(parts, &value["type"]).0;
            parts.types.push(kind, false, Default::default(), target, [])
        };
        match text(value, "kind") {
            "VOID" => TypeId::VOID,
            "PTR" => modifier(TypeKind::Ptr),
            "CONST" => modifier(TypeKind::Const),
            "VOLATILE" => modifier(TypeKind::Volatile),
            "RESTRICT" => modifier(TypeKind::Restrict),
            "ARRAY" => {
                let element = self.refer(parts, &value["type"]).0;
                let child =
                    Child { name: Default::default(), a: element, b: number(value, "nr_elems") as u32 };
                parts.types.push(TypeKind::Array, false, Default::default(), 0, [child])
            }
            "FUNC_PROTO" => {
                let param = |param: &Value| {
                    let name = Some(text(param, "name")).filter(|name| !name.starts_with("(anon"));
                    Child {
                        name: parts.strings.intern(name.unwrap_or_default().as_bytes()),
                        a: self.refer(parts, &param["type"]).0,
                        b: 0,
                    }
                };
                let params: Vec<Child> = list(value, "params").iter().map(param).collect();
                let returns = self.refer(parts, &value["ret_type"]).0;
                parts.types.push(TypeKind::FuncProto, false, Default::default(), returns, params)
            }
            "INT" => {
                let encoding = Child { name: Default::default(), a: 0, b: 0 };
                parts.types.push(TypeKind::Int, false, name, 4, [encoding])
            }
            "TYPEDEF" => parts.types.push(TypeKind::Typedef, false, name, 0, []),
            "ENUM" => parts.types.push(TypeKind::Enum, false, name, 4, []),
            "UNION" => parts.types.push(TypeKind::Union, false, name, 0, []),
            // The definition where the dataset has it; else one without members.
            "STRUCT" => match self.ids.get(text(value, "name")) {
                Some(id) => *id,
                None => parts.types.push(TypeKind::Struct, false, name, 0, []),
            },
            "FWD" => parts.types.push(TypeKind::Fwd, text(value, "fwd_kind") == "union", name, 0, []),
            other => panic!("type of kind {other}"),
        }
    }
}

fn lines(path: &Path) -> Vec<Value> {
    let packed = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let bytes = zstd::decode_all(packed.as_slice()).expect("zstd");
    let text = String::from_utf8(bytes).expect("UTF-8");
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn text<'v>(value: &'v Value, field: &str) -> &'v str {
    value[field].as_str().unwrap_or_default()
}

fn number(value: &Value, field: &str) -> u64 {
    value[field].as_u64().unwrap_or_default()
}

fn list<'v>(value: &'v Value, field: &str) -> &'v [Value] {
    value[field].as_array().map_or(&[], Vec::as_slice)
}
