//! Exports of small surfaces made by hand, compared with text as the original writes it.

use std::collections::BTreeMap;

use super::*;
use crate::surface::build::Parts;
use crate::surface::function::Inline;
use crate::surface::record::{self, NONE};
use crate::surface::strings::StrId;
use crate::surface::types::{Child, TypeTable};
use crate::surface::{Evidence, Fact, Meta, fixture, meta};

fn meta(known: &[Fact]) -> Meta {
    Meta {
        compiler: Some("GCC: (Debian 12.2.0-14+deb12u1) 12.2.0".into()),
        package: Some(meta::Package { name: "p".into(), version: "1".into() }),
        base_address: 0x1000,
        evidence: known.iter().map(|fact| (*fact, Evidence::known("test"))).collect::<BTreeMap<_, _>>(),
        ..fixture::meta("6.1.176-50-cloud-amd64")
    }
}

fn text(parts: &Parts, part: Part) -> String {
    let surface = Surface::from_bytes(parts.encode()).unwrap();
    let mut out = String::new();
    part.write(&surface, &mut |piece| {
        out.push_str(piece);
        Ok(())
    })
    .unwrap();
    out
}

/// Adds types with names as text.
struct Builder {
    parts: Parts,
}

impl Builder {
    fn new() -> Self {
        Self { parts: Parts::new(meta(&[Fact::Types])) }
    }

    fn id(&mut self, name: &str) -> StrId {
        self.parts.strings.intern(name.as_bytes())
    }

    fn add(
        &mut self,
        kind: TypeKind,
        flag: bool,
        name: &str,
        word: u32,
        children: &[(&str, u32, u32)],
    ) -> u32 {
        let name = self.id(name);
        let children: Vec<_> =
            children.iter().map(|&(name, a, b)| Child { name: self.id(name), a, b }).collect();
        self.parts.types.push(kind, flag, name, word, children).0
    }
}

#[test]
fn structs_are_flattened_and_named_types_are_cut() {
    let mut b = Builder::new();
    let int = b.add(TypeKind::Int, false, "int", 4, &[("", 1 << 24 | 32, 0)]);
    let list = b.add(TypeKind::Struct, false, "list_head", 16, &[("next", 3, 0), ("prev", 3, 64)]);
    let pointer = b.add(TypeKind::Ptr, false, "", list, &[]);
    assert_eq!(pointer, 3);
    let inner = b.add(TypeKind::Union, false, "", 8, &[("a", int, 0), ("", int, 0)]);
    let text_type = b.add(TypeKind::Const, false, "", int, &[]);
    let proto = b.add(TypeKind::FuncProto, false, "", 0, &[("", int, 0), ("x", pointer, 0), ("", 0, 0)]);
    let hook = b.add(TypeKind::Ptr, false, "", proto, &[]);
    let fields = [
        ("", inner, 64),
        ("", text_type, 128),
        ("flag", int, 3 << 24 | 160),
        ("hook", hook, 192),
        ("list", list, 256),
    ];
    let outer = b.add(TypeKind::Struct, true, "outer", 48, &fields);
    b.add(TypeKind::Struct, false, "outer", 1, &[]);
    let fwd = b.add(TypeKind::Fwd, true, "gone", 0, &[]);
    let float = b.add(TypeKind::Float, false, "double", 8, &[]);
    let array = b.add(TypeKind::Array, false, "", 0, &[("", fwd, 7)]);
    let tag = b.add(TypeKind::TypeTag, false, "rcu", array, &[]);
    let tree = b.add(TypeKind::Enum64, false, "wide", 8, &[("W", 1, 1)]);
    b.add(TypeKind::Union, false, "u", 8, &[("t", tag, 0), ("d", float, 0), ("o", outer, 0), ("w", tree, 0)]);

    assert_eq!(
        text(&b.parts, Part::TypesStruct),
        concat!(
            r#"{"kind": "STRUCT", "name": "list_head", "size": 16, "members": ["#,
            r#"{"name": "next", "bits_offset": 0, "type": {"kind": "PTR", "type": {"kind": "STRUCT", "name": "list_head"}}}, "#,
            r#"{"name": "prev", "bits_offset": 64, "type": {"kind": "PTR", "type": {"kind": "STRUCT", "name": "list_head"}}}]}"#,
            "\n",
            r#"{"kind": "STRUCT", "name": "outer", "size": 48, "members": ["#,
            r#"{"name": "a", "bits_offset": 64, "type": {"kind": "INT", "name": "int"}}, "#,
            r#"{"name": "(anon)", "bits_offset": 64, "type": {"kind": "INT", "name": "int"}}, "#,
            r#"{"name": "(anon-1)", "bits_offset": 128, "type": {"kind": "CONST", "name": "(anon)", "type": {"kind": "INT", "name": "int"}}}, "#,
            r#"{"name": "flag", "bits_offset": 160, "bitfield_size": 3, "type": {"kind": "INT", "name": "int"}}, "#,
            r#"{"name": "hook", "bits_offset": 192, "type": {"kind": "PTR", "type": {"kind": "FUNC_PROTO", "params": ["#,
            r#"{"name": "(anon)", "type": {"kind": "INT", "name": "int"}}, "#,
            r#"{"name": "x", "type": {"kind": "PTR", "type": {"kind": "STRUCT", "name": "list_head"}}}, "#,
            r#"{"name": "(anon-1)", "type": {"name": "void", "kind": "VOID"}}], "ret_type": {"name": "void", "kind": "VOID"}}}}, "#,
            r#"{"name": "list", "bits_offset": 256, "type": {"kind": "STRUCT", "name": "list_head"}}]}"#,
            "\n",
        )
    );
    assert_eq!(
        text(&b.parts, Part::TypesUnion),
        concat!(
            r#"{"kind": "UNION", "name": "u", "size": 8, "members": ["#,
            r#"{"name": "t", "bits_offset": 0, "type": {"kind": "ARRAY", "name": "(anon)", "nr_elems": 7, "type": {"kind": "FWD", "name": "gone", "fwd_kind": "union"}}}, "#,
            r#"{"name": "d", "bits_offset": 0, "type": {"kind": "INT", "name": "double"}}, "#,
            r#"{"name": "o", "bits_offset": 0, "type": {"kind": "STRUCT", "name": "outer"}}, "#,
            r#"{"name": "w", "bits_offset": 0, "type": {"kind": "ENUM", "name": "wide", "size": 8}}]}"#,
            "\n",
        )
    );
    assert_eq!(
        text(&b.parts, Part::TypesInt),
        "{\"kind\": \"INT\", \"name\": \"int\", \"size\": 4}\n{\"kind\": \"INT\", \"name\": \"double\", \"size\": 8}\n"
    );
}

#[test]
fn enums_are_signed_and_anonymous_ones_are_one() {
    let mut b = Builder::new();
    b.add(TypeKind::Enum, false, "", 4, &[("A", 1, 0)]);
    b.add(TypeKind::Enum, false, "e820_type", 4, &[("E820_TYPE_SOFT_RESERVED", 0xefff_ffff, 0)]);
    b.add(TypeKind::Enum, true, "", 4, &[("B", u32::MAX, 0)]);
    b.add(TypeKind::Enum, false, "e820_type", 4, &[]);
    assert_eq!(
        text(&b.parts, Part::TypesEnum),
        concat!(
            r#"{"kind": "ENUM", "name": "e820_type", "size": 4, "values": [{"name": "E820_TYPE_SOFT_RESERVED", "val": -268435457}]}"#,
            "\n",
            r#"{"kind": "ENUM", "name": "(anon)", "size": 4, "values": [{"name": "A", "val": 1}, {"name": "B", "val": -1}]}"#,
            "\n",
        )
    );
}

#[test]
fn only_types_of_btf_are_exported_where_there_is_btf() {
    let mut b = Builder::new();
    let proto = b.add(TypeKind::FuncProto, false, "", 0, &[]);
    b.add(TypeKind::Func, false, "f", proto, &[("", 1, 0)]);
    b.parts.meta.btf_types = b.parts.types.next_id().0;
    b.add(TypeKind::Func, false, "only_in_dwarf", proto, &[("", 1, 0)]);
    b.add(TypeKind::Struct, false, "only_in_dwarf", 0, &[]);
    assert_eq!(
        text(&b.parts, Part::TypesFunc),
        "{\"kind\": \"FUNC\", \"name\": \"f\", \"type\": {\"kind\": \"FUNC_PROTO\", \"params\": [], \
         \"ret_type\": {\"name\": \"void\", \"kind\": \"VOID\"}}}\n"
    );
    assert_eq!(text(&b.parts, Part::TypesStruct), "");
}

/// The parameter names of the exported prototype of `f`, of which BTF has `(first)` and then `(second)`.
fn shown(instances: &[&str]) -> String {
    let mut b = Builder::new();
    let int = b.add(TypeKind::Int, false, "int", 4, &[]);
    let protos = ["first", "second"].map(|name| b.add(TypeKind::FuncProto, false, "", 0, &[(name, int, 0)]));
    for proto in protos {
        b.add(TypeKind::Func, false, "f", proto, &[]);
    }
    let name = b.id("f").0.into();
    b.parts.functions.push(record::Function {
        name,
        first_instance: 0.into(),
        first_symbol: 0.into(),
        btf_func: NONE.into(),
    });
    for instance in instances {
        b.parts.instances.push(record::Instance {
            unit: NONE.into(),
            decl_file: NONE.into(),
            decl_line: 0.into(),
            address: 0.into(),
            prototype: protos[usize::from(*instance == "second")].into(),
            first_inline_site: 0.into(),
            first_call_site: 0.into(),
            flags: 0.into(),
        });
    }
    let text = text(&b.parts, Part::TypesFunc);
    assert_eq!(text.lines().count(), 1);
    text.split("\"params\": [{\"name\": \"").nth(1).unwrap().split('"').next().unwrap().to_owned()
}

#[test]
fn of_several_prototypes_the_first_instance_has_the_word() {
    assert_eq!(shown(&["second", "first"]), "second");
    assert_eq!(shown(&["first", "second"]), "first");
    // One instance: the other FUNC is of a weak definition, and the original shows what BTF has first.
    assert_eq!(shown(&["second"]), "first");
    assert_eq!(shown(&[]), "first");
}

#[test]
fn endless_types_are_an_error() {
    let mut b = Builder::new();
    let proto = b.add(TypeKind::FuncProto, false, "", 0, &[("a", 1, 0), ("b", 1, 0)]);
    assert_eq!(proto, 1);
    b.add(TypeKind::Struct, false, "loop", 8, &[("", 2, 0)]);
    b.add(TypeKind::Func, false, "f", proto, &[]);
    let surface = Surface::from_bytes(b.parts.encode()).unwrap();
    for part in [Part::TypesFunc, Part::TypesStruct] {
        let error = part.write(&surface, &mut |_| Ok(())).unwrap_err();
        assert!(error.to_string().contains("levels deep"), "{error}");
    }
}

/// Two functions: `helper`, static, with an abstract instance in `a.c` and a declaration-only twin,
/// and `caller`, external, which holds a copy of it and calls it.
fn functions() -> Parts {
    let mut parts = Parts::new(meta(&[Fact::Functions, Fact::Symbols]));
    let name = |parts: &mut Parts, text: &str| -> zerocopy::little_endian::U32 {
        parts.strings.intern(text.as_bytes()).0.into()
    };
    let file = parts.strings.intern(b"mm/a.c");
    parts.files.push(file);
    parts.units.push(record::Unit { file: 0.into(), module: 0.into() });
    let (caller, helper) = (name(&mut parts, "caller"), name(&mut parts, "helper"));
    let function = |name, first_instance: u32, first_symbol: u32| record::Function {
        name,
        first_instance: first_instance.into(),
        first_symbol: first_symbol.into(),
        btf_func: NONE.into(),
    };
    parts.functions.extend([function(caller, 0, 0), function(helper, 1, 1)]);
    let instance = |unit: u32, line: u32, address: Option<u64>, inline: Inline, sites: u32, external| {
        let mut flags = (inline as u32) << record::INSTANCE_INLINE_SHIFT;
        flags |= if address.is_some() { record::INSTANCE_HAS_ADDRESS } else { 0 };
        flags |= if external { record::INSTANCE_EXTERNAL } else { 0 };
        record::Instance {
            unit: unit.into(),
            decl_file: unit.into(),
            decl_line: line.into(),
            address: address.unwrap_or(0).into(),
            prototype: NONE.into(),
            first_inline_site: sites.into(),
            first_call_site: sites.into(),
            flags: flags.into(),
        }
    };
    parts.instances.extend([
        instance(0, 12, Some(0x1010), Inline::SeenUnknown, 0, true),
        instance(0, 7, None, Inline::Inlined, 0, false),
        instance(NONE, 0, None, Inline::NotSeen, 1, true),
    ]);
    parts.inline_sites.push(record::InlineSite {
        caller: 0.into(),
        call_file: 0.into(),
        call_line: 13.into(),
        address: 0x14.into(),
    });
    parts.call_sites.push(record::CallSite { caller: 0.into() });
    let section = name(&mut parts, ".text");
    parts.sections.push(record::ElfSection { name: section, module: 0.into() });
    let symbol = |name, address: u64, section: u32, info, special: u16| record::Symbol {
        name,
        address: address.into(),
        size: 9.into(),
        section: section.into(),
        attach: 0.into(),
        info,
        other: 2,
        special: special.into(),
    };
    let cold = name(&mut parts, "helper.cold");
    let absolute = name(&mut parts, "absolute");
    parts.symbols.extend([
        symbol(0.into(), 0, NONE, 0, 0),
        symbol(caller, 0x1010, 0, 0x12, 0),
        symbol(cold, 0x2000, 0, 2, 0),
        symbol(absolute, 1, NONE, 0x20, 0xfff1),
    ]);
    parts.function_symbols.extend([1, 2]);
    parts
}

#[test]
fn groups_keep_the_originals_verdicts() {
    assert_eq!(
        text(&functions(), Part::FuncGroups),
        concat!(
            r#"{"name": "caller", "collision_type": "Unique Global", "inline_type": "No", "funcs": ["#,
            r#"{"addr": 4112, "name": "caller", "external": true, "loc": "mm/a.c:12", "file": "mm/a.c", "#,
            r#""inline": "seen, unknown", "caller_inline": [], "caller_func": []}], "symbols": ["#,
            r#"{"addr": 4112, "name": "caller", "section": ".text", "bind": "STB_GLOBAL", "size": 9}]}"#,
            "\n",
            r#"{"name": "helper", "collision_type": "Static-Global Collision", "inline_type": "Selective", "funcs": ["#,
            r#"{"addr": 4116, "name": "helper", "external": false, "loc": "mm/a.c:7", "file": "mm/a.c", "#,
            r#""inline": "not declared, inlined", "caller_inline": ["mm/a.c:caller"], "caller_func": ["mm/a.c:caller"]}, "#,
            r#"{"addr": 0, "name": "helper", "external": true, "loc": null, "file": null, "#,
            r#""inline": "not seen", "caller_inline": [], "caller_func": []}], "symbols": ["#,
            r#"{"addr": 8192, "name": "helper.cold", "section": ".text", "bind": "STB_LOCAL", "size": 9}]}"#,
            "\n",
        )
    );
}

#[test]
fn symbols_have_the_words_of_elf() {
    let text = text(&functions(), Part::Symtab);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 4);
    assert_eq!(
        lines[0],
        r#"{"name": "", "section": "SHN_UNDEF", "bind": "STB_LOCAL", "type": "STT_NOTYPE", "local": 0, "visibility": "STV_HIDDEN", "value": 0, "size": 9}"#
    );
    assert_eq!(
        lines[3],
        r#"{"name": "absolute", "section": "SHN_ABS", "bind": "STB_WEAK", "type": "STT_NOTYPE", "local": 0, "visibility": "STV_HIDDEN", "value": 1, "size": 9}"#
    );
}

#[test]
fn events_calls_and_options() {
    let mut parts = Parts::new(meta(&[]));
    let mut table = TypeTable::new();
    let proto = table.push(TypeKind::FuncProto, false, StrId::EMPTY, 0, []);
    parts.types = table;
    let name = |parts: &mut Parts, text: &str| -> zerocopy::little_endian::U32 {
        parts.strings.intern(text.as_bytes()).0.into()
    };
    let event = name(&mut parts, "sched_switch");
    let class = name(&mut parts, "sched_class");
    let format = name(&mut parts, "\"%d\", REC->x");
    let tracepoint = |name, class, flags: u32| record::Tracepoint {
        name,
        system: class,
        class,
        format,
        record: NONE.into(),
        prototype: proto.0.into(),
        btf_trace: NONE.into(),
        flags: flags.into(),
        writable_size: 0.into(),
        raw_args: NONE.into(),
    };
    let bare = name(&mut parts, "pelt_tp");
    parts.tracepoints.push(tracepoint(bare, 0.into(), record::TRACEPOINT_RAW));
    parts.tracepoints.push(tracepoint(event, class, record::TRACEPOINT_EVENT));
    for (abi, number, call) in [("32", 1u32, "exit"), ("64", 0, "read"), ("64", 1, "write")] {
        let (abi, call) = (name(&mut parts, abi), name(&mut parts, call));
        parts.syscalls.push(record::Syscall {
            abi,
            number: number.into(),
            name: call,
            symbol: 0.into(),
            first_arg: 0.into(),
            flags: 0.into(),
        });
    }
    for (option, value) in [("CONFIG_A", "y"), ("CONFIG_B", "n"), ("CONFIG_C", "\"x y\"")] {
        let (option, value) = (name(&mut parts, option), name(&mut parts, value));
        parts.configs.push(record::Config { name: option, value });
    }
    assert_eq!(
        text(&parts, Part::Tracepoints),
        concat!(
            r#"{"class_name": "sched_class", "event_name": "sched_switch", "func_name": "trace_event_raw_event_sched_class", "#,
            r#""struct_name": "trace_event_raw_sched_class", "fmt_str": "\"%d\", REC->x", "#,
            r#""func": {"kind": "FUNC", "name": "trace_event_raw_event_sched_class", "type": {"kind": "FUNC_PROTO", "params": [], "#,
            r#""ret_type": {"name": "void", "kind": "VOID"}}}, "struct": null}"#,
            "\n",
        )
    );
    assert_eq!(text(&parts, Part::Syscalls), "{\n  \"0\": \"read\",\n  \"1\": \"write\"\n}");
    assert_eq!(text(&parts, Part::Config), "CONFIG_A=y\n# CONFIG_B is not set\nCONFIG_C=\"x y\"\n");
}

#[test]
fn an_export_has_the_known_files_and_no_others() {
    let dir = tempfile::tempdir().unwrap();
    let surface = Surface::from_bytes(functions().encode()).unwrap();
    for _ in 0..2 {
        export(&surface, dir.path()).unwrap();
    }
    let mut files: Vec<String> = fs::read_dir(dir.path())
        .unwrap()
        .flat_map(|part| fs::read_dir(part.unwrap().path()).unwrap())
        .map(|file| file.unwrap().path().strip_prefix(dir.path()).unwrap().display().to_string())
        .collect();
    files.sort();
    let name = "6.1.176-50-cloud-amd64";
    assert_eq!(
        files,
        [format!("comment/{name}.txt"), format!("func_groups/{name}.jsonl"), format!("symtab/{name}.jsonl"),]
    );
    let comment = fs::read_to_string(dir.path().join(&files[0])).unwrap();
    assert_eq!(comment, "GCC: (Debian 12.2.0-14+deb12u1) 12.2.0\n");
}

#[test]
fn a_failed_export_replaces_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let good = Surface::from_bytes(functions().encode()).unwrap();
    export(&good, dir.path()).unwrap();
    let read = || fs::read(dir.path().join(Part::FuncGroups.path(good.kernel()))).unwrap();
    let before = read();

    // The directory of another part cannot be made, because there is a file of its name.
    let mut parts = functions();
    parts.functions.clear();
    parts.meta.evidence.insert(Fact::Tracepoints, Evidence::known("test"));
    fs::write(dir.path().join("tracepoints"), "in the way").unwrap();
    export(&Surface::from_bytes(parts.encode()).unwrap(), dir.path()).unwrap_err();
    assert_eq!(read(), before);
    let leftovers = fs::read_dir(dir.path().join("func_groups")).unwrap().count();
    assert_eq!(leftovers, 1);
}
