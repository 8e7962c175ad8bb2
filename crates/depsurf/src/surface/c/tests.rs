use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::*;
use crate::surface::TypeId;
use crate::surface::strings::Strings;
use crate::surface::types::{Child, TypeTable};

/// A table that is filled type by type.
#[derive(Default)]
struct Table {
    types: TypeTable,
    strings: Strings,
}

impl Table {
    fn add(&mut self, kind: TypeKind, name: &str, target: TypeId) -> TypeId {
        let name = self.strings.intern(name.as_bytes());
        self.types.push(kind, false, name, target.0, [])
    }

    fn with_children(
        &mut self,
        kind: TypeKind,
        name: &str,
        third: u32,
        children: &[(&str, u32, u32)],
    ) -> TypeId {
        let name = self.strings.intern(name.as_bytes());
        let children: Vec<Child> = children
            .iter()
            .map(|&(name, a, b)| Child { name: self.strings.intern(name.as_bytes()), a, b })
            .collect();
        self.types.push(kind, false, name, third, children)
    }

    fn int(&mut self) -> TypeId {
        self.with_children(TypeKind::Int, "int", 4, &[("", 0x0100_0020, 0)])
    }

    fn ptr(&mut self, target: TypeId) -> TypeId {
        self.add(TypeKind::Ptr, "", target)
    }

    fn konst(&mut self, target: TypeId) -> TypeId {
        self.add(TypeKind::Const, "", target)
    }

    fn array(&mut self, element: TypeId, count: u32) -> TypeId {
        self.with_children(TypeKind::Array, "", 0, &[("", element.0, count)])
    }

    fn proto(&mut self, result: TypeId, params: &[(&str, TypeId)]) -> TypeId {
        let params: Vec<_> = params.iter().map(|&(name, id)| (name, id.0, 0)).collect();
        self.with_children(TypeKind::FuncProto, "", result.0, &params)
    }

    fn print<T>(&self, id: TypeId, print: impl FnOnce(Type<'_>) -> T) -> T {
        print(self.types.view(&self.strings, &[]).get(id).expect("the id is of this table"))
    }

    fn declaration(&self, id: TypeId, name: &str) -> String {
        self.print(id, |ty| declaration(ty, name))
    }
}

#[test]
fn the_name_stands_where_the_pages_have_it() {
    let mut t = Table::default();
    let int = t.int();
    let page = t.add(TypeKind::Struct, "page", TypeId(0));
    let ptr = t.ptr(page);
    assert_eq!(t.declaration(page, "p"), "struct page p");
    assert_eq!(t.declaration(ptr, "p"), "struct page *p");
    assert_eq!(t.declaration(ptr, ""), "struct page *");
    let ptrptr = t.ptr(ptr);
    assert_eq!(t.declaration(ptrptr, "p"), "struct page **p");
    let konst = t.konst(page);
    let ptr_const = t.ptr(konst);
    assert_eq!(t.declaration(ptr_const, "p"), "const struct page *p");
    let const_ptr_const = t.konst(ptr_const);
    assert_eq!(t.declaration(const_ptr_const, "p"), "const const struct page * p");
    let outer = t.ptr(const_ptr_const);
    assert_eq!(t.declaration(outer, "p"), "const const struct page * *p");
    let array = t.array(ptr, 10);
    assert_eq!(t.declaration(array, "p"), "struct page * p[10]");
    let array = t.array(int, 3);
    assert_eq!(t.declaration(array, ""), "int[3]");
    let grid = t.array(array, 2);
    assert_eq!(t.declaration(grid, "p"), "int p[2][3]");
    let to_array = t.ptr(array);
    assert_eq!(t.declaration(to_array, "p"), "int[3] *p");
    let anonymous = t.add(TypeKind::Union, "", TypeId(0));
    assert_eq!(t.declaration(anonymous, "u"), "union (anon) u");
    assert_eq!(t.declaration(TypeId::VOID, ""), "void");
}

#[test]
fn function_pointers_wherever_they_stand() {
    let mut t = Table::default();
    let int = t.int();
    let tag = t.add(TypeKind::TypeTag, "user", TypeId::VOID);
    let buffer = t.ptr(tag);
    let proto = t.proto(int, &[("buffer", buffer), ("", int)]);
    assert_eq!(t.print(proto, |p| prototype(p, "f")), "int f(void *buffer, int);");
    let pointer = t.ptr(proto);
    assert_eq!(t.declaration(pointer, "f"), "int (*f)(void *, int)");
    assert_eq!(t.declaration(pointer, ""), "int (*)(void *, int)");
    let array = t.array(pointer, 4);
    assert_eq!(t.declaration(array, "f"), "int (*f[4])(void *, int)");
    let konst = t.konst(pointer);
    assert_eq!(t.declaration(konst, "f"), "int (*const f)(void *, int)");
    let to_const = t.ptr(konst);
    assert_eq!(t.declaration(to_const, "f"), "int (*const *f)(void *, int)");
    let twice = t.ptr(pointer);
    assert_eq!(t.declaration(twice, "f"), "int (**f)(void *, int)");
    // `void (*signal(int sig, void (*handler)(int)))(int)`, the classic.
    let handler = t.proto(TypeId::VOID, &[("", int)]);
    let handler = t.ptr(handler);
    let signal = t.proto(handler, &[("sig", int), ("handler", handler)]);
    assert_eq!(
        t.print(signal, |p| prototype(p, "signal")),
        "void (*signal(int sig, void (*handler)(int)))(int);"
    );
    let printer = t.proto(buffer, &[("format", buffer), ("", TypeId::VOID)]);
    assert_eq!(t.print(printer, |p| prototype(p, "f")), "void *f(void *format, ...);");
    let printer = t.ptr(printer);
    assert_eq!(t.declaration(printer, "f"), "void * (*f)(void *, ...)");
    let nothing = t.proto(int, &[]);
    assert_eq!(t.print(nothing, |p| prototype(p, "f")), "int f();");
}

#[test]
fn definitions() {
    let mut t = Table::default();
    let int = t.int();
    let inner = t.with_children(TypeKind::Struct, "", 8, &[("b", int.0, 0), ("c", int.0, 32)]);
    let either = t.with_children(TypeKind::Union, "", 8, &[("a", int.0, 0), ("", inner.0, 0)]);
    let outer = t.with_children(
        TypeKind::Struct,
        "outer",
        24,
        &[("first", int.0, 0), ("", either.0, 64), ("", int.0, 128), ("", int.0, 160)],
    );
    assert_eq!(
        t.print(outer, definition),
        "struct outer {\n    int first;\n    int a;\n    int b;\n    int c;\n    int (anon);\n    int (anon-1);\n};"
    );
    let offsets =
        t.print(outer, |ty| fields(ty).iter().map(|field| field.bit_offset.unwrap()).collect::<Vec<_>>());
    assert_eq!(offsets, [0, 64, 64, 96, 128, 160]);
    let name = t.strings.intern(b"state");
    let values = [("DEAD", u32::MAX), ("ALIVE", 1)].map(|(name, value)| Child {
        name: t.strings.intern(name.as_bytes()),
        a: value,
        b: 0,
    });
    let signed = t.types.push(TypeKind::Enum, true, name, 4, values);
    assert_eq!(t.print(signed, definition), "enum state {\n    DEAD = -1,\n    ALIVE = 1,\n};");
    let alias = t.array(signed, 2);
    let alias = t.add(TypeKind::Typedef, "states_t", alias);
    assert_eq!(t.print(alias, definition), "typedef enum state states_t[2];");
}

/// Types that lead back to themselves, and types whose text doubles with every step.
#[test]
fn hostile_types_end() {
    for kind in [TypeKind::Ptr, TypeKind::Const, TypeKind::TypeTag, TypeKind::FuncProto, TypeKind::Func] {
        let mut t = Table::default();
        let id = t.add(kind, "", TypeId(1));
        assert!(t.declaration(id, "x").contains(CUT), "{}", kind.name());
        assert!(t.print(id, |ty| prototype(ty, "x")).len() < 2 * DECLARATION);
    }
    let mut t = Table::default();
    let array = t.array(TypeId(1), 2);
    assert!(t.declaration(array, "x").contains(CUT));

    let mut t = Table::default();
    let mut id = t.int();
    for _ in 0..100 {
        let proto = t.proto(id, &[("", id), ("", id)]);
        id = t.ptr(proto);
    }
    assert!(t.declaration(id, "x").len() < 4 * DECLARATION);

    let mut t = Table::default();
    let mut id = t.int();
    for _ in 0..60 {
        id = t.with_children(TypeKind::Struct, "", 4, &[("", id.0, 0), ("x", id.0, 0), ("", id.0, 0)]);
    }
    assert!(t.print(id, structure).len() <= DEFINITION + 100);
    let myself = t.types.next_id().0;
    let id = t.with_children(TypeKind::Union, "", 4, &[("", myself, 0)]);
    assert_eq!(t.print(id, structure), "union (anon) {\n};");
}

/// Converts the JSON types of DepSurf's dataset, whose struct members are flattened already.
fn import(t: &mut Table, json: &Value) -> TypeId {
    let name = match json["name"].as_str() {
        Some(name) if !name.starts_with("(anon") => name,
        _ => "",
    };
    let parts = |t: &mut Table, key: &str| -> Vec<(String, u32, u32)> {
        let list = json[key].as_array().map_or(&[][..], Vec::as_slice);
        list.iter()
            .map(|part| {
                let name = part["name"].as_str().unwrap_or_default();
                let name = if name.starts_with("(anon") { "" } else { name };
                (name.to_owned(), import(t, &part["type"]).0, 0)
            })
            .collect()
    };
    let push = |t: &mut Table, kind, third, parts: Vec<(String, u32, u32)>| {
        let parts: Vec<_> = parts.iter().map(|(name, a, b)| (name.as_str(), *a, *b)).collect();
        t.with_children(kind, name, third, &parts)
    };
    match json["kind"].as_str().expect("every type of the dataset has a kind") {
        "VOID" => TypeId::VOID,
        "FUNC" => import(t, &json["type"]),
        "INT" => t.add(TypeKind::Int, name, TypeId(4)),
        "TYPEDEF" => t.add(TypeKind::Typedef, name, TypeId::VOID),
        "ENUM" => t.add(TypeKind::Enum, name, TypeId(4)),
        "FWD" => {
            let name = t.strings.intern(name.as_bytes());
            t.types.push(TypeKind::Fwd, json["fwd_kind"] == "union", name, 0, [])
        }
        "PTR" => {
            let target = import(t, &json["type"]);
            t.ptr(target)
        }
        "CONST" => {
            let target = import(t, &json["type"]);
            t.konst(target)
        }
        "VOLATILE" => {
            let target = import(t, &json["type"]);
            t.add(TypeKind::Volatile, "", target)
        }
        "ARRAY" => {
            let element = import(t, &json["type"]);
            t.array(element, json["nr_elems"].as_u64().expect("arrays have a length") as u32)
        }
        "STRUCT" => {
            let members = parts(t, "members");
            push(t, TypeKind::Struct, 0, members)
        }
        "UNION" => {
            let members = parts(t, "members");
            push(t, TypeKind::Union, 0, members)
        }
        "FUNC_PROTO" => {
            let params = parts(t, "params");
            let result = import(t, &json["ret_type"]);
            push(t, TypeKind::FuncProto, result.0, params)
        }
        kind => panic!("kind {kind} is not of the dataset"),
    }
}

/// Name of the kernel's file to name of the type to its text.
type Texts = HashMap<String, HashMap<String, String>>;

/// Reads a directory of the dataset; `print` gives the texts of one line, with their names.
fn texts(directory: &Path, print: impl Fn(&Value) -> Vec<(String, String)>) -> Texts {
    let mut all = Texts::new();
    for entry in std::fs::read_dir(directory).expect("the dataset is readable") {
        let path = entry.expect("the dataset is readable").path();
        let bytes = zstd::decode_all(std::fs::File::open(&path).expect("the dataset is readable"));
        let bytes = bytes.expect("the dataset is zstd");
        let texts = all.entry(path.file_name().expect("a file").to_string_lossy().into_owned()).or_default();
        for line in bytes.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
            texts.extend(print(&serde_json::from_slice(line).expect("the dataset is JSON")));
        }
    }
    all
}

/// Name and text of one type of the dataset.
fn text(json: &Value) -> (String, String) {
    let name = json["name"].as_str().expect("a name").to_owned();
    let mut t = Table::default();
    let id = import(&mut t, json);
    let text = t.print(id, |ty| if json["kind"] == "FUNC" { prototype(ty, &name) } else { structure(ty) });
    (name, text)
}

/// Function and struct of a tracepoint, as "EVENT FUNC" and "EVENT STRUCT".
fn tracepoint(json: &Value) -> Vec<(String, String)> {
    let event = json["event_name"].as_str().expect("a name");
    let parts = [&json["func"], &json["struct"]].into_iter().filter(|part| !part.is_null());
    parts.map(|part| (format!("{event} {}", part["kind"].as_str().expect("a kind")), text(part).1)).collect()
}

/// Kernel of a `<summary>In <code>LABEL</code>` line of a page. Labels name a version, an architecture or a
/// flavour; the dataset's files have all of it in their name.
fn file_of<'a>(files: impl Iterator<Item = &'a String>, label: &str) -> Option<&'a String> {
    let arch = ["arm64", "armhf", "ppc64el", "riscv64"].contains(&label);
    let flavour = ["aws", "azure", "gcp", "lowlatency"].contains(&label);
    files.into_iter().find(|file| {
        let stem = file.trim_end_matches(".jsonl.zst");
        let mut parts = stem.split('-');
        let version = parts.next().unwrap_or_default();
        let (_, file_flavour, file_arch) = (parts.next(), parts.next(), parts.next());
        if arch {
            file_arch == Some(label)
        } else if flavour {
            file_flavour == Some(label)
        } else {
            version.trim_end_matches(".0") == label.trim_end_matches(".0")
                && file_flavour == Some("generic")
                && file_arch == Some("amd64")
        }
    })
}

/// Compares every C block of the pages of a kind with what is printed from the dataset. `key` tells from the
/// page's name and the block under which name the text is found.
fn compare(pages: &Path, texts: &Texts, key: impl Fn(&str, &str) -> String) -> usize {
    let mut compared = 0;
    for entry in std::fs::read_dir(pages).expect("the pages are readable") {
        let path = entry.expect("the pages are readable").path();
        let page = std::fs::read_to_string(&path).expect("the pages are text");
        let name = path.file_stem().expect("a file").to_string_lossy();
        let mut label = "";
        let mut rest = page.as_str();
        while let Some((line, tail)) = rest.split_once('\n') {
            rest = tail;
            if let Some(start) = line.strip_prefix("<summary>In <code>") {
                label = start.split_once('<').map_or(start, |(label, _)| label);
            }
            if line == "```c" {
                let (block, tail) = rest.split_once("\n```\n").expect("the block ends");
                rest = tail;
                let file = file_of(texts.keys(), label).unwrap_or_else(|| panic!("no kernel is {label}"));
                let key = key(&name, block);
                let text = texts[file].get(&key).unwrap_or_else(|| panic!("{file} has no {key}"));
                assert_eq!(text, block, "{} in {label}", path.display());
                compared += 1;
            }
        }
    }
    compared
}

#[test]
#[allow(clippy::print_stderr, reason = "a test that checks nothing has to say so")]
fn pages_show_these_texts() {
    let Some(shared) = std::env::var_os("DEPSURF_SHARED").map(PathBuf::from) else {
        eprintln!(
            "SKIPPED: set DEPSURF_SHARED to the folder that has golden/ubuntu25 to compare with its pages"
        );
        return;
    };
    let golden = shared.join("golden/ubuntu25");
    let functions = texts(&golden.join("dataset/types_func"), |json| vec![text(json)]);
    let structs = texts(&golden.join("dataset/types_struct"), |json| vec![text(json)]);
    let tracepoints = texts(&golden.join("dataset/tracepoints"), tracepoint);
    let plain = |name: &str, _: &str| name.to_owned();
    let hook = |name: &str, _: &str| format!("security_{name}");
    let event = |name: &str, block: &str| {
        format!("{name} {}", if block.starts_with("struct trace_event_raw_") { "STRUCT" } else { "FUNC" })
    };
    let compared = [
        compare(&golden.join("pages/Function"), &functions, plain),
        compare(&golden.join("pages/LSM"), &functions, hook),
        compare(&golden.join("pages/Struct"), &structs, plain),
        compare(&golden.join("pages/Tracepoint"), &tracepoints, event),
    ];
    eprintln!("compared {compared:?} blocks of functions, LSM hooks, structs and tracepoints");
    assert!(compared.iter().all(|&blocks| blocks > 500), "{compared:?}");
}
