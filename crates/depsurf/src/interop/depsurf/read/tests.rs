//! Imports of small datasets written by hand, and back.

use std::fs;
use std::io::Write;
use std::path::Path;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::interop::depsurf::export;
use crate::surface::function::{Collision, Inline, InlineKind};
use crate::surface::record::{KFUNC_BTF_ID, LSM_LIST_OPTION};
use crate::surface::{Evidence, TypeKind, c};

const KERNEL: &str = "5.4.0-26-generic-amd64";

/// A dataset with all there is, in the order in which an export writes it.
const FULL: &[(&str, &str)] = &[
    (
        "func_groups",
        r#"{"name": "bpf_f", "collision_type": "Unique Global", "inline_type": "No", "funcs": [{"addr": 4096, "name": "bpf_f", "external": true, "loc": "a.c:7", "file": "a.c", "inline": "seen, unknown", "caller_inline": [], "caller_func": ["b.c:twin", "None:asm", "gone.c:gone", "b.c:twin"]}], "symbols": [{"addr": 4096, "name": "bpf_f", "section": ".text", "bind": "STB_GLOBAL", "size": 16}, {"addr": 8192, "name": "bpf_f.cold", "section": ".text.unlikely", "bind": "STB_LOCAL", "size": 4}]}
{"name": "twin", "collision_type": "Static-Static Collision", "inline_type": "Selective", "funcs": [{"addr": 4112, "name": "twin", "external": false, "loc": "b.c:1", "file": "b.c", "inline": "not declared, inlined", "caller_inline": ["a.c:bpf_f"], "caller_func": []}, {"addr": 5000, "name": "twin", "external": false, "loc": "x.S", "file": "c.c", "inline": "declared, inlined", "caller_inline": [], "caller_func": []}, {"addr": 0, "name": "twin", "external": true, "loc": null, "file": null, "inline": "not seen", "caller_inline": [], "caller_func": []}], "symbols": [{"addr": 4112, "name": "twin", "section": ".text", "bind": "STB_LOCAL", "size": 8}]}
"#,
    ),
    (
        "symtab",
        r#"{"name": "", "section": "SHN_UNDEF", "bind": "STB_LOCAL", "type": "STT_NOTYPE", "local": 0, "visibility": "STV_DEFAULT", "value": 0, "size": 0}
{"name": "a.c", "section": "SHN_ABS", "bind": "STB_LOCAL", "type": "STT_FILE", "local": 0, "visibility": "STV_DEFAULT", "value": 0, "size": 0}
{"name": "twin", "section": ".text", "bind": "STB_LOCAL", "type": "STT_FUNC", "local": 0, "visibility": "STV_DEFAULT", "value": 4112, "size": 8}
{"name": "bpf_f", "section": ".text", "bind": "STB_GLOBAL", "type": "STT_FUNC", "local": 3, "visibility": "STV_HIDDEN", "value": 4096, "size": 16}
{"name": "bpf_f.cold", "section": ".text.unlikely", "bind": "STB_LOCAL", "type": "STT_FUNC", "local": 0, "visibility": "STV_DEFAULT", "value": 8192, "size": 4}
{"name": "__BTF_ID__func__bpf_f__12", "section": 12, "bind": 10, "type": "STT_OBJECT", "local": 0, "visibility": "STV_DEFAULT", "value": 1, "size": 4}
"#,
    ),
    (
        "types_func",
        r#"{"kind": "FUNC", "name": "bpf_f", "type": {"kind": "FUNC_PROTO", "params": [{"name": "(anon)", "type": {"kind": "INT", "name": "int"}}, {"name": "next", "type": {"kind": "PTR", "type": {"kind": "FUNC_PROTO", "params": [], "ret_type": {"name": "void", "kind": "VOID"}}}}, {"name": "(anon-1)", "type": {"name": "void", "kind": "VOID"}}], "ret_type": {"kind": "ENUM", "name": "e", "size": 4}}}
{"kind": "FUNC", "name": "security_open", "type": {"kind": "FUNC_PROTO", "params": [{"name": "f", "type": {"kind": "PTR", "type": {"kind": "STRUCT", "name": "file"}}}], "ret_type": {"kind": "INT", "name": "int"}}}
"#,
    ),
    (
        "types_struct",
        r#"{"kind": "STRUCT", "name": "s", "size": 16, "members": [{"name": "bits", "bits_offset": 3, "bitfield_size": 5, "type": {"kind": "INT", "name": "int"}}, {"name": "(anon)", "bits_offset": 32, "type": {"kind": "ARRAY", "name": "(anon)", "nr_elems": 2, "type": {"kind": "CONST", "name": "(anon)", "type": {"kind": "TYPEDEF", "name": "u16"}}}}, {"name": "p", "bits_offset": 64, "type": {"kind": "PTR", "type": {"kind": "FWD", "name": "f", "fwd_kind": "union"}}}]}
{"kind": "STRUCT", "name": "s", "size": 0, "members": []}
{"kind": "STRUCT", "name": "(anon)", "size": 8, "members": [{"name": "a", "bits_offset": 0, "type": {"kind": "STRUCT", "name": "(anon)"}}]}
{"kind": "STRUCT", "name": "security_hook_heads", "size": 16, "members": [{"name": "open", "bits_offset": 0, "type": {"kind": "STRUCT", "name": "hlist_head"}}, {"name": "lost", "bits_offset": 64, "type": {"kind": "STRUCT", "name": "hlist_head"}}]}
"#,
    ),
    (
        "tracepoints",
        r#"{"class_name": "c", "event_name": "e", "func_name": "trace_event_raw_event_c", "struct_name": "trace_event_raw_c", "fmt_str": "\"%s\\n\", REC->\u00e4", "func": {"kind": "FUNC", "name": "trace_event_raw_event_c", "type": {"kind": "FUNC_PROTO", "params": [], "ret_type": {"name": "void", "kind": "VOID"}}}, "struct": {"kind": "STRUCT", "name": "trace_event_raw_c", "size": 4, "members": [{"name": "x", "bits_offset": 0, "type": {"kind": "INT", "name": "int"}}]}}
{"class_name": "s", "event_name": "n", "func_name": "trace_event_raw_event_s", "struct_name": "trace_event_raw_s", "fmt_str": "", "func": null, "struct": null}
"#,
    ),
    (
        "types_union",
        r#"{"kind": "UNION", "name": "security_list_options", "size": 8, "members": [{"name": "open", "bits_offset": 0, "type": {"kind": "PTR", "type": {"name": "void", "kind": "VOID"}}}]}
"#,
    ),
    (
        "types_enum",
        r#"{"kind": "ENUM", "name": "e", "size": 4, "values": [{"name": "MINUS", "val": -1}, {"name": "MAX", "val": 2147483647}]}
{"kind": "ENUM", "name": "(anon)", "size": 4, "values": [{"name": "A", "val": 0}]}
"#,
    ),
    ("types_int", "{\"kind\": \"INT\", \"name\": \"int\", \"size\": 4}\n"),
    ("syscalls", "{\n  \"0\": \"read\",\n  \"257\": \"openat\"\n}"),
    ("config", "CONFIG_BPF=y\n# CONFIG_NUMA is not set\n"),
    ("comment", "GCC: (Ubuntu 13.2.0-23ubuntu4) 13.2.0\nrustc version 1.75.0\n"),
];

/// The surface of a kernel with these files.
fn of(files: &[(&str, &str)]) -> Result<Surface> {
    let part = |name: &str| Part::ALL.into_iter().find(|part| part.name() == name).unwrap();
    let files = files.iter().map(|(name, text)| (part(name), text.as_bytes().to_vec()));
    import(&Found::in_memory(KERNEL.parse().unwrap(), files))
}

/// A directory with files of one kernel.
fn dataset(files: &[(&str, &str)]) -> TempDir {
    let dir = TempDir::new().unwrap();
    for (part, text) in files {
        write(dir.path(), part, "", text.as_bytes());
    }
    dir
}

fn write(dir: &Path, part: &str, extension: &str, bytes: &[u8]) {
    let own = match part {
        "syscalls" => "json",
        "config" => "config",
        "comment" => "txt",
        _ => "jsonl",
    };
    fs::create_dir_all(dir.join(part)).unwrap();
    fs::write(dir.join(part).join(format!("{KERNEL}.{own}{extension}")), bytes).unwrap();
}

fn imported(dir: &Path) -> Result<Surface> {
    let Listing { kernels, problems } = find(dir)?;
    assert!(problems.is_empty(), "{problems:?}");
    let [found] = kernels.as_slice() else { panic!("{kernels:?}") };
    import(found)
}

/// The files that an export of the surface writes.
fn exported(surface: &Surface) -> Vec<(&'static str, String)> {
    let dir = TempDir::new().unwrap();
    export(surface, dir.path()).unwrap();
    let read = |part: Part| {
        Some((part.name(), fs::read_to_string(dir.path().join(part.path(surface.kernel()))).ok()?))
    };
    Part::ALL.into_iter().filter_map(read).collect()
}

#[test]
fn an_export_gives_back_what_was_imported() {
    let surface = of(FULL).unwrap();
    let files = exported(&surface);
    let files: Vec<(&str, &str)> = files.iter().map(|(part, text)| (*part, text.as_str())).collect();
    let expected: Vec<&str> = FULL.iter().map(|(part, _)| *part).collect();
    assert_eq!(files.iter().map(|(part, _)| *part).collect::<Vec<_>>(), expected);
    for ((part, text), (_, expected)) in files.iter().zip(FULL) {
        assert_eq!(text, expected, "{part}");
    }
    let again = of(&files).unwrap();
    assert!(again.bytes() == surface.bytes(), "the second import differs");
    assert!(surface.notes().unwrap().is_empty(), "{:?}", surface.notes());
}

#[test]
fn facts_are_those_of_the_files() {
    let surface = of(FULL).unwrap();
    let names: Vec<&str> = surface.functions().map(|function| function.name()).collect();
    assert_eq!(names, ["bpf_f", "twin"]);
    let f = surface.function("bpf_f").unwrap();
    assert!(f.verdict().transformed);
    assert_eq!(c::prototype(f.prototype().unwrap(), "bpf_f"), "enum e bpf_f(int, void (*next)(), ...);");
    let twin = surface.function("twin").unwrap();
    assert_eq!(
        (twin.verdict().collision, twin.collision()),
        (Collision::StaticStatic, Collision::StaticGlobal)
    );
    assert_eq!(twin.verdict().inline, InlineKind::Selective);
    let [own, elsewhere, none] = twin.instances().collect::<Vec<_>>().try_into().unwrap();
    assert_eq!(
        (own.address(), own.has_code(), own.declaration()),
        (Some(4112), Some(true), Some(("b.c", Some(1))))
    );
    assert_eq!((elsewhere.address(), elsewhere.address_elsewhere()), (None, Some(5000)));
    assert_eq!((elsewhere.has_code(), elsewhere.declaration()), (None, Some(("x.S", None))));
    assert_eq!((none.file(), none.declaration(), none.inline()), (None, None, Inline::NotSeen));
    assert_eq!(surface.symbols().len(), 6);
    let s = surface.types().find(TypeKind::Struct, "s").unwrap();
    assert_eq!(c::structure(s), "struct s {\n    int bits;\n    const u16 (anon)[2];\n    union f *p;\n};");
    assert_eq!(surface.types().find_all(TypeKind::Struct, "s").count(), 2);
    let hooks: Vec<_> = surface.lsm_hooks().collect();
    assert_eq!(hooks.iter().map(|hook| hook.name()).collect::<Vec<_>>(), ["open"]);
    assert_eq!((hooks[0].is_attachable(), hooks[0].flags() & LSM_LIST_OPTION), (None, LSM_LIST_OPTION));
    let kfuncs: Vec<_> = surface.kfuncs().map(|kfunc| (kfunc.name(), kfunc.evidence())).collect();
    assert_eq!(kfuncs, [("bpf_f", KFUNC_BTF_ID)]);
    assert_eq!(surface.meta().compiler.as_deref(), Some("GCC: (Ubuntu 13.2.0-23ubuntu4) 13.2.0"));
}

#[test]
fn callers_that_are_no_functions_have_name_and_file() {
    let surface = of(FULL).unwrap();
    let f = surface.function("bpf_f").unwrap().instances().next().unwrap();
    let callers: Vec<_> = f.callers().map(|caller| (caller.file(), caller.name())).collect();
    assert_eq!(
        callers,
        [(Some("b.c"), "twin"), (None, "asm"), (Some("gone.c"), "gone"), (Some("b.c"), "twin")]
    );
    let known: Vec<bool> = f.callers().map(|caller| caller.function().is_some()).collect();
    assert_eq!(known, [true, false, false, true]);
    assert!(surface.function("gone").is_none());
    let gone = f.callers().nth(2).unwrap();
    assert_eq!((gone.callers().len(), gone.inline_sites().len(), gone.address()), (0, 0, None));
    // A surface like this can be shipped, too.
    let packed = crate::store::pack::pack(&surface).unwrap();
    assert!(crate::store::pack::unpack(&packed).unwrap() == surface.bytes());
}

#[test]
fn what_a_cut_dataset_lacks_stays_unknown() {
    let structs = r#"{"kind": "STRUCT", "name": "s", "members": [{"name": "a", "type": {"kind": "STRUCT", "name": "gone"}}, {"name": "b", "type": {"kind": "ENUM", "name": "e"}}]}
"#;
    let files = [("types_struct", structs)];
    let surface = of(&files).unwrap();
    let types = surface.types();
    let s = types.find(TypeKind::Struct, "s").unwrap();
    assert_eq!((s.size(), s.is_defined(), s.has_offsets()), (None, true, false));
    let [a, b] = s.members().collect::<Vec<_>>().try_into().unwrap();
    assert_eq!((a.bit_offset, a.bitfield_size), (None, None));
    let gone = types.get(a.type_id).unwrap();
    assert_eq!((gone.kind(), gone.name(), gone.is_defined()), (TypeKind::Struct, "gone", false));
    assert_eq!((gone.size(), gone.byte_size(8)), (None, None));
    assert_eq!(types.get(b.type_id).unwrap().size(), None);
    assert!(types.find(TypeKind::Struct, "gone").is_none());
    assert_eq!(exported(&surface), [("types_struct", structs.to_owned())]);
}

#[test]
fn a_record_with_some_offsets_has_none() {
    let line = |b: &str| {
        format!(
            r#"{{"kind": "STRUCT", "name": "s", "size": 8, "members": [{{"name": "a", "bits_offset": 0, "bitfield_size": 1, "type": {{"kind": "INT", "name": "int"}}}}, {{"name": "b", {b}"type": {{"kind": "INT", "name": "int"}}}}]}}"#
        )
    };
    for b in ["", "\"bits_offset\": 16777216, ", "\"bits_offset\": 99999999999, "] {
        let surface = of(&[("types_struct", &line(b))]).unwrap();
        let s = surface.types().find(TypeKind::Struct, "s").unwrap();
        assert!(s.members().all(|member| member.bit_offset.is_none()), "{b}");
        let notes: Vec<_> =
            surface.notes().unwrap().into_iter().map(|note| (note.id, note.first.unwrap())).collect();
        let place = "types_struct/memory:1".to_owned();
        assert_eq!(notes, [("depsurf-offsets".to_owned(), place)], "{b}");
    }
    let surface = of(&[("types_struct", &line("\"bits_offset\": 32, "))]).unwrap();
    let s = surface.types().find(TypeKind::Struct, "s").unwrap();
    let places: Vec<_> = s.members().map(|member| (member.bit_offset, member.bitfield_size)).collect();
    assert_eq!(places, [(Some(0), Some(1)), (Some(32), None)]);
}

#[test]
fn parts_that_are_missing_are_unknown() {
    let surface = of(&[FULL[0], FULL[3]]).unwrap();
    let meta = surface.meta();
    for (fact, known) in [
        (Fact::Functions, true),
        (Fact::Types, true),
        (Fact::Structs, true),
        (Fact::Unions, false),
        (Fact::Enums, false),
        (Fact::Prototypes, false),
        (Fact::Symbols, false),
        (Fact::Btf, false),
        (Fact::Tracepoints, false),
        (Fact::LsmHooks, false),
        (Fact::Kfuncs, false),
        (Fact::Syscalls, false),
        (Fact::Config, false),
        (Fact::FtraceSites, false),
    ] {
        assert_eq!(meta.knows(fact), known, "{fact:?}");
        assert!(meta.evidence.contains_key(&fact), "{fact:?}");
    }
    assert_eq!(meta.evidence[&Fact::Functions], Evidence::known("DepSurf dataset, func_groups"));
    assert_eq!(meta.unknown_because(Fact::Unions), Some("the dataset has no types_union of this kernel"));
    assert_eq!(surface.symbols().len(), 3, "those of the functions");
    let parts: Vec<_> = exported(&surface).into_iter().map(|(part, _)| part).collect();
    assert_eq!(parts, ["func_groups", "types_struct"]);
}

#[test]
fn compressed_files_are_told_by_their_bytes() {
    let plain = of(FULL).unwrap();
    let gzip = |text: &str| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    };
    let zstd = |text: &str| zstd::encode_all(text.as_bytes(), 1).unwrap();
    type Compress<'c> = &'c dyn Fn(&str) -> Vec<u8>;
    let cases: [(&str, Compress<'_>); 3] = [(".gz", &gzip), (".zst", &zstd), ("", &zstd)];
    for (extension, compress) in cases {
        let dir = TempDir::new().unwrap();
        for (part, text) in FULL {
            write(dir.path(), part, extension, &compress(text));
        }
        assert!(imported(dir.path()).unwrap().bytes() == plain.bytes(), "`{extension}`");
        // Half of a file is an error, however it is compressed.
        let half = compress(FULL[0].1);
        write(dir.path(), "func_groups", extension, &half[..half.len() / 2]);
        assert!(imported(dir.path()).is_err(), "`{extension}`");
    }
}

#[test]
fn errors_name_the_line_and_what_is_wrong() {
    let deep = |depth: usize| {
        let (open, close) = (r#"{"kind": "PTR", "type": "#.repeat(depth), "}".repeat(depth));
        let inner = r#"{"name": "void", "kind": "VOID"}"#;
        format!(
            r#"{{"kind": "STRUCT", "name": "s", "members": [{{"name": "m", "type": {open}{inner}{close}}}]}}"#
        )
    };
    let func = |change: (&str, &str)| FULL[0].1.replacen(change.0, change.1, 1);
    let twice = FULL[0].1.repeat(2);
    let cases: &[(&str, String)] = &[
        ("func_groups", "\n\n[1, 2]".into()),
        ("func_groups", "{\"name\": \"f\", \"funcs\": []}".into()),
        ("func_groups", func(("4096", "-4096"))),
        ("func_groups", func(("4096", "99999999999999999999999"))),
        ("func_groups", func(("Unique Global", "Unique"))),
        ("func_groups", func(("STB_GLOBAL", "STB_X"))),
        ("func_groups", func(("None:asm", "asm"))),
        ("func_groups", func(("\"name\": \"bpf_f\", \"external\"", "\"name\": \"g\", \"external\""))),
        ("func_groups", func(("bpf_f", "bpf\\u0000"))),
        ("func_groups", twice),
        ("symtab", FULL[1].1.replacen("STT_FILE", "STT_X", 1)),
        ("symtab", FULL[1].1.replacen("\"local\": 3", "\"local\": 8", 1)),
        ("types_struct", deep(60)),
        ("types_struct", deep(5000)),
        ("types_struct", FULL[2].1.into()),
        ("types_struct", "{\"kind\": \"STRUCT\", \"name\": \"\", \"members\": []}".into()),
        ("types_func", FULL[2].1.replacen("VOID", "NOTHING", 1)),
        (
            "types_func",
            "{\"kind\": \"FUNC\", \"name\": \"f\", \"type\": {\"kind\": \"INT\", \"name\": \"x\"}}".into(),
        ),
        (
            "types_enum",
            "{\"kind\": \"ENUM\", \"name\": \"e\", \"values\": [{\"name\": \"A\", \"val\": 4294967296}]}"
                .into(),
        ),
        ("tracepoints", FULL[4].1.replacen("trace_event_raw_c", "raw_c", 1)),
        ("syscalls", "{\"0\": \"read\", \"x\": \"write\"}".into()),
        ("syscalls", "{\"0\": \"read\",\n \"0\": \"write\"}".into()),
    ];
    let mut told = Vec::new();
    for (part, text) in cases {
        told.push(match of(&[(part, text)]) {
            Ok(_) => format!("{part}: fine"),
            Err(error) => error.to_string(),
        });
    }
    let expected = [
        "malformed DepSurf dataset at func_groups/memory:3, column 2: invalid type: integer `1`, expected a string",
        "malformed DepSurf dataset at func_groups/memory:1, column 26: missing field `symbols`",
        "malformed DepSurf dataset at func_groups/memory:1, column 98: invalid value: integer `-4096`, expected u64",
        "malformed DepSurf dataset at func_groups/memory:1, column 116: invalid type: floating point `1e+23`, expected u64",
        "malformed DepSurf dataset at func_groups/memory:1: `collision_type` is `Unique`, known are: Unique Global, Unique Static, Static Duplication, Static-Static Collision, Static-Global Collision",
        "malformed DepSurf dataset at func_groups/memory:1: `bind` is `STB_X`, which is no word of ELF's",
        "malformed DepSurf dataset at func_groups/memory:1: the caller `asm` is not of the form file:function",
        "malformed DepSurf dataset at func_groups/memory:1: `g` is among the functions `bpf_f`",
        "malformed DepSurf dataset at func_groups/memory:1: \"bpf\\0\" has a NUL byte in it",
        "malformed DepSurf dataset at func_groups/memory:3: the functions `bpf_f` are in line 1 already",
        "malformed DepSurf dataset at symtab/memory:2: `type` is `STT_X`, which is no word of ELF's",
        "malformed DepSurf dataset at symtab/memory:4: `local` is 8, which has more than three bits",
        "types_struct: fine",
        "malformed DepSurf dataset at types_struct/memory:1, column 3043: recursion limit exceeded",
        "malformed DepSurf dataset at types_struct/memory:1: types_struct has types of kind STRUCT only",
        "malformed DepSurf dataset at types_struct/memory:1: an empty name",
        "malformed DepSurf dataset at types_func/memory:1, column 268: unknown variant `NOTHING`, expected one of `VOID`, `INT`, `PTR`, `ARRAY`, `STRUCT`, `UNION`, `ENUM`, `FWD`, `TYPEDEF`, `VOLATILE`, `CONST`, `RESTRICT`, `FUNC`, `FUNC_PROTO`",
        "malformed DepSurf dataset at types_func/memory:1: a function is a FUNC with a FUNC_PROTO",
        "malformed DepSurf dataset at types_enum/memory:1, column 72: invalid value: integer `4294967296`, expected i32",
        "malformed DepSurf dataset at tracepoints/memory:1: `struct_name` is `raw_c`, expected `trace_event_raw_c`",
        "malformed DepSurf dataset at syscalls/memory:1, column 27: `x` is not a number",
        "malformed DepSurf dataset at syscalls/memory: system call 0 is there twice",
    ];
    assert_eq!(told, expected);
}

#[test]
fn bytes_that_are_not_text_are_refused() {
    for (part, bytes) in
        [("config", &b"CONFIG_A=\"\xff\"\n"[..]), ("types_int", b"{\"kind\": \"INT\", \"name\": \"\xff\"}")]
    {
        let dir = TempDir::new().unwrap();
        write(dir.path(), part, "", bytes);
        assert!(imported(dir.path()).is_err(), "{part}");
    }
}

#[test]
fn unknown_keys_mean_nothing() {
    let with = FULL[7].1.replace("\"size\"", "\"encoding\": {\"deep\": [1, 2.5, null]}, \"size\"");
    let a = of(&[FULL[7]]).unwrap();
    let b = of(&[(FULL[7].0, &with)]).unwrap();
    assert!(a.bytes() == b.bytes());
}

#[test]
fn directories_are_told_apart() {
    let dir = dataset(FULL);
    fs::write(dir.path().join("config/README"), "").unwrap();
    fs::write(dir.path().join("config/.hidden"), "").unwrap();
    let listing = find(dir.path()).unwrap();
    assert_eq!(listing.kernels.len(), 1);
    assert_eq!(listing.problems.len(), 1, "{:?}", listing.problems);
    write(dir.path(), "config", ".gz", b"");
    let error = import(&find(dir.path()).unwrap().kernels[0]).unwrap_err();
    assert!(error.to_string().starts_with("config has several files of one kernel"), "{error}");
    let empty = TempDir::new().unwrap();
    assert!(find(empty.path()).unwrap_err().to_string().starts_with("no DepSurf dataset at"));
    assert!(find(&empty.path().join("nowhere")).is_err());
}

/// The text of a type inside another one.
fn type_text() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just(r#"{"name": "void", "kind": "VOID"}"#.to_owned()),
        Just(r#"{"kind": "INT", "name": "int"}"#.to_owned()),
        Just(r#"{"kind": "STRUCT", "name": "s"}"#.to_owned()),
        Just(r#"{"kind": "STRUCT", "name": "gone"}"#.to_owned()),
        Just(r#"{"kind": "UNION", "name": "(anon)"}"#.to_owned()),
        Just(r#"{"kind": "ENUM", "name": "e", "size": 1}"#.to_owned()),
        Just(r#"{"kind": "ENUM", "name": "e", "size": 4}"#.to_owned()),
        Just(r#"{"kind": "FWD", "name": "s", "fwd_kind": "struct"}"#.to_owned()),
        Just(r#"{"kind": "TYPEDEF", "name": "u32"}"#.to_owned()),
    ];
    leaf.prop_recursive(5, 24, 3, |inner| {
        let qualified = (prop_oneof![Just("CONST"), Just("VOLATILE"), Just("RESTRICT")], inner.clone());
        prop_oneof![
            inner.clone().prop_map(|inner| format!(r#"{{"kind": "PTR", "type": {inner}}}"#)),
            qualified.prop_map(|(kind, inner)| {
                format!(r#"{{"kind": "{kind}", "name": "(anon)", "type": {inner}}}"#)
            }),
            (0u32.., inner.clone()).prop_map(|(count, inner)| {
                format!(r#"{{"kind": "ARRAY", "name": "(anon)", "nr_elems": {count}, "type": {inner}}}"#)
            }),
            (prop::collection::vec((any::<bool>(), inner.clone()), 0..3), inner)
                .prop_map(|(params, result)| proto_text(&params, &result)),
        ]
    })
}

fn proto_text(params: &[(bool, String)], result: &str) -> String {
    let mut anonymous = 0;
    let params: Vec<String> = params
        .iter()
        .map(|(named, inner)| {
            let name = match (named, anonymous) {
                (true, _) => "p".to_owned(),
                (false, 0) => "(anon)".to_owned(),
                (false, number) => format!("(anon-{number})"),
            };
            anonymous += u32::from(!named);
            format!(r#"{{"name": "{name}", "type": {inner}}}"#)
        })
        .collect();
    format!(r#"{{"kind": "FUNC_PROTO", "params": [{}], "ret_type": {result}}}"#, params.join(", "))
}

#[test]
fn a_return_at_the_end_of_a_comment_is_no_part_of_it() {
    for text in ["GCC: 12\r", "GCC: 12\r\n", "GCC: 12\r\r"] {
        let surface = of(&[("comment", text)]).unwrap();
        assert_eq!(surface.meta().compiler.as_deref(), Some("GCC: 12"));
        let again = of(&[("comment", &exported(&surface)[0].1)]).unwrap();
        assert!(again.bytes() == surface.bytes(), "{text:?}");
    }
}

#[test]
fn a_function_without_a_verdict_is_told_of() {
    let (name, text) = FULL[0];
    let notes = |text: &str| of(&[(name, text)]).unwrap().notes().unwrap().len();
    assert_eq!(notes(text), 0);
    for key in ["inline_type", "collision_type"] {
        assert_eq!(notes(&text.replacen(key, "another", 1)), 1, "{key}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn types_survive(
        types in prop::collection::vec((type_text(), 0u32..1 << 24, prop::option::of(1u8..)), 0..6),
        defined in any::<bool>(),
        cut in any::<bool>(),
    ) {
        let members: Vec<String> = types
            .iter()
            .map(|(inner, offset, bits)| {
                let place = match (cut, bits) {
                    (true, _) => String::new(),
                    (false, Some(bits)) => format!(r#""bits_offset": {offset}, "bitfield_size": {bits}, "#),
                    (false, None) => format!(r#""bits_offset": {offset}, "#),
                };
                format!(r#"{{"name": "m", {place}"type": {inner}}}"#)
            })
            .collect();
        let name = if defined { "s" } else { "t" };
        let text = format!(
            "{{\"kind\": \"STRUCT\", \"name\": \"{name}\", \"size\": 8, \"members\": [{}]}}\n",
            members.join(", ")
        );
        let files = [FULL[6], ("types_struct", text.as_str()), FULL[7]];
        let surface = of(&files).unwrap();
        let exported = exported(&surface);
        let (_, again) = exported.iter().find(|(part, _)| *part == "types_struct").unwrap();
        prop_assert_eq!(again, &text);
    }

    #[test]
    fn the_order_of_lines_means_nothing(seed in any::<u64>()) {
        let mut lines: Vec<&str> = FULL[0].1.lines().chain(
            [r#"{"name": "a", "funcs": [], "symbols": []}"#, r#"{"name": "z", "funcs": [], "symbols": []}"#],
        ).collect();
        let files = [("func_groups", lines.join("\n"))];
        let expected = of(&[(files[0].0, &files[0].1)]).unwrap();
        let turn = seed as usize % lines.len();
        lines.rotate_left(turn);
        if seed & 1 << 40 != 0 {
            lines.reverse();
        }
        let surface = of(&[("func_groups", &lines.join("\n"))]).unwrap();
        prop_assert!(surface.bytes() == expected.bytes());
    }

    #[test]
    fn damage_does_no_harm(part in 0usize..9, at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let (name, text) = FULL[part];
        let mut bytes = text.as_bytes().to_vec();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let part = Part::ALL.into_iter().find(|part| part.name() == name).unwrap();
        let kernel = || KERNEL.parse().unwrap();
        if let Ok(surface) = import(&Found::in_memory(kernel(), [(part, bytes)])) {
            let again = of(&[(name, &exported(&surface)[0].1)]).unwrap();
            prop_assert!(!surface.notes().unwrap().is_empty() || again.bytes() == surface.bytes());
        }
    }
}
