//! Tables of small kernels, read back with Parquet's own reader.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use ::bytes::Bytes;
use ::parquet::file::reader::{FileReader, SerializedFileReader};
use testkit::Target;
use testkit::elf::Machine;
use testkit::kernel::Kernel;

use super::*;
use crate::extract::{self, Options};
use crate::progress::Silent;
use crate::source;
use crate::surface::build::Parts;
use crate::surface::field::fields;
use crate::surface::meta::Evidence;
use crate::surface::types::{Child, TypeKind};
use crate::surface::{Meta, fixture, record};

/// The ready-made kernel, extracted.
fn sample() -> Surface {
    let image = Kernel::sample(Machine::X86_64, Target::LE64).build().bytes();
    let kernel = source::open_bytes("vmlinux", &image, &Silent).unwrap();
    let options = Options { name: Some("6.1.0-50-test-amd64".parse().unwrap()), ..Options::default() };
    Surface::from_bytes(extract::surface(&kernel, &options, &Silent).unwrap().bytes).unwrap()
}

/// A kernel of which only some facts were read.
fn parts(known: &[Fact]) -> Parts {
    let evidence = Fact::ALL.into_iter().map(|fact| match known.contains(&fact) {
        true => (fact, Evidence::known("the test")),
        false => (fact, Evidence::unknown("the test has none")),
    });
    Parts::new(Meta { evidence: evidence.collect(), ..fixture::meta("5.4.0-26-generic-amd64") })
}

fn write(table: Table, surface: &Surface) -> Vec<u8> {
    let mut file = Vec::new();
    table.write(surface, &mut file).unwrap();
    file
}

fn reader(file: Vec<u8>) -> SerializedFileReader<Bytes> {
    SerializedFileReader::new(Bytes::from(file)).unwrap()
}

/// The rows of a table: values as text, by column.
fn rows(table: Table, surface: &Surface) -> Vec<BTreeMap<String, String>> {
    let reader = reader(write(table, surface));
    let rows = reader.get_row_iter(None).unwrap();
    rows.map(|row| {
        row.unwrap().get_column_iter().map(|(name, field)| (name.clone(), field.to_string())).collect()
    })
    .collect()
}

/// The row in which a column has a text.
#[track_caller]
fn row<'r>(rows: &'r [BTreeMap<String, String>], column: &str, text: &str) -> &'r BTreeMap<String, String> {
    let quoted = format!("\"{text}\"");
    rows.iter().find(|row| row[column] == quoted).unwrap_or_else(|| panic!("no {column} {text}: {rows:#?}"))
}

#[test]
fn every_table_has_the_rows_of_the_surface() {
    let surface = sample();
    let instances: Vec<_> = surface.functions().flat_map(|function| function.instances()).collect();
    let enumerators = surface.types().iter().map(|found| found.enumerators().len()).sum();
    for (table, expected) in [
        (Table::Kernels, 1),
        (Table::Evidence, Fact::ALL.len()),
        (Table::Notes, surface.notes().unwrap().len()),
        (Table::Functions, surface.functions().len()),
        (Table::Instances, instances.len()),
        (Table::CallEdges, instances.iter().map(|instance| instance.callers().len()).sum()),
        (Table::InlineSites, instances.iter().map(|instance| instance.inline_sites().len()).sum()),
        (Table::Symbols, surface.symbols().len()),
        (Table::Types, surface.types().len() as usize),
        (Table::Enumerators, enumerators),
        (Table::Tracepoints, surface.tracepoints().len()),
        (Table::Hooks, surface.lsm_hooks().len()),
        (Table::Kfuncs, surface.kfuncs().len()),
        (Table::Syscalls, surface.syscalls().len()),
    ] {
        assert!(expected > 0, "{table:?}: nothing to compare");
        assert_eq!(rows(table, &surface).len(), expected, "{table:?}");
    }
}

#[test]
fn functions_have_their_verdicts_and_answers() {
    let surface = sample();
    let functions = rows(Table::Functions, &surface);
    let verify = row(&functions, "name", "rw_verify_area");
    assert_eq!(verify["inline_kind"], "\"Selective\"");
    assert_eq!(verify["transformed"], "true");
    assert_eq!(verify["kprobe"], "\"yes\"");
    assert_eq!(verify["kprobe_obstacle"], "null");
    assert_eq!(verify["misses"], "[\"1 inlined copy in 1 function\"]");
    let access_ok = row(&functions, "name", "access_ok");
    assert_eq!((&*access_ok["kprobe"], &*access_ok["misses"]), ("\"no\"", "[]"));
    assert_eq!(access_ok["kprobe_obstacle"], "\"no-symbol\"");
    assert_eq!(access_ok["kprobe_reason"], "\"no symbol has this name\"");
    assert_eq!(access_ok["inline_kind"], "\"Full\"");

    let calls = rows(Table::CallEdges, &surface);
    let call = row(&calls, "callee", "kfree");
    assert_eq!(call["caller"], "\"vfs_read\"");
    let vfs_read = row(&functions, "name", "vfs_read");
    assert_eq!(call["caller_id"], vfs_read["function_id"]);
    let instances = rows(Table::Instances, &surface);
    let caller = instances.iter().find(|row| row["instance_id"] == call["caller_instance_id"]).unwrap();
    assert_eq!(caller["function_id"], vfs_read["function_id"]);
    assert_eq!(caller["decl_file"], "\"fs/read_write.c\"");
    let sites = rows(Table::InlineSites, &surface);
    let site = row(&sites, "callee", "rw_verify_area");
    assert_eq!((&*site["caller"], &*site["call_line"]), ("\"vfs_read\"", "461"));

    let symbols = rows(Table::Symbols, &surface);
    let cold = row(&symbols, "name", "rw_verify_area.cold");
    assert_eq!(cold["base_name"], "\"rw_verify_area\"");
    assert_eq!(cold["function_id"], verify["function_id"]);
    let exported = row(&symbols, "name", "vfs_read");
    assert_eq!((&*exported["exported"], &*exported["exported_gpl"]), ("true", "false"));
}

#[test]
fn lists_tell_null_from_empty() {
    let mut parts = parts(&[Fact::Syscalls]);
    for (number, flags, args) in
        [(0, 0, &[][..]), (1, record::SYSCALL_HAS_ARGS, &[]), (2, record::SYSCALL_HAS_ARGS, &["fd", "buf"])]
    {
        let syscall = record::Syscall {
            abi: parts.strings.intern(b"64").0.into(),
            number: u32::into(number),
            name: parts.strings.intern(b"read").0.into(),
            symbol: 0.into(),
            first_arg: (parts.syscall_args.len() as u32).into(),
            flags: flags.into(),
        };
        parts.syscalls.push(syscall);
        for name in args {
            let (name, type_name) = (parts.strings.intern(name.as_bytes()), parts.strings.intern(b"int"));
            parts
                .syscall_args
                .push(record::SyscallArg { type_name: type_name.0.into(), name: name.0.into() });
        }
    }
    let surface = Surface::from_bytes(parts.encode()).unwrap();
    let args: Vec<_> = rows(Table::Syscalls, &surface).into_iter().map(|row| row["args"].clone()).collect();
    assert_eq!(args, ["null", "[]", r#"[{name: "fd", type: "int"}, {name: "buf", type: "int"}]"#]);
}

#[test]
fn unknown_facts_are_null_and_told() {
    let mut parts = parts(&[Fact::Functions, Fact::Kfuncs, Fact::RawTracepoints]);
    let name = parts.strings.intern(b"thing").0;
    parts.functions.push(record::Function {
        name: name.into(),
        first_instance: 0.into(),
        first_symbol: 0.into(),
        btf_func: record::NONE.into(),
    });
    parts.kfuncs.push(record::Kfunc {
        name: name.into(),
        prototype: record::NONE.into(),
        flags: 0.into(),
        evidence: record::KFUNC_DECL_TAG.into(),
    });
    parts.lsm_hooks.push(record::LsmHook {
        name: name.into(),
        prototype: record::NONE.into(),
        flags: record::LSM_SETS_UNKNOWN.into(),
    });
    parts.tracepoints.push(record::Tracepoint {
        name: name.into(),
        system: 0.into(),
        class: 0.into(),
        format: 0.into(),
        record: record::NONE.into(),
        prototype: record::NONE.into(),
        btf_trace: record::NONE.into(),
        flags: record::TRACEPOINT_RAW.into(),
        writable_size: 0.into(),
        raw_args: record::NONE.into(),
    });
    let surface = Surface::from_bytes(parts.encode()).unwrap();
    let check = |table, expected: &[(&str, &str)]| {
        let rows = rows(table, &surface);
        for (column, value) in expected {
            assert_eq!(rows[0][*column], *value, "{table:?}: {column}");
        }
    };
    check(
        Table::Functions,
        &[
            ("inline_kind", "null"),
            ("transformed", "null"),
            ("symbol_count", "null"),
            ("prototype", "null"),
            ("kprobe", "\"unknown\""),
            ("kprobe_obstacle", "null"),
            ("kprobe_reason", "\"symbols could not be read (the test has none)\""),
        ],
    );
    check(
        Table::Kfuncs,
        &[("flags", "null"), ("flag_names", "null"), ("sets", "null"), ("decl_tag", "true")],
    );
    check(Table::Hooks, &[("attachable", "null"), ("sleepable", "null"), ("disabled", "null")]);
    check(Table::Tracepoints, &[("event", "null"), ("raw", "true"), ("raw_args", "null")]);
    check(Table::Kernels, &[("sort_key", "\"00005.00004.00000.00000 1 0000000026 generic amd64\"")]);

    let evidence = rows(Table::Evidence, &surface);
    let known = row(&evidence, "fact", "functions");
    assert_eq!((&*known["known"], &*known["source"], &*known["reason"]), ("true", "\"the test\"", "null"));
    let unknown = row(&evidence, "fact", "btf-ids");
    assert_eq!(
        (&*unknown["known"], &*unknown["source"], &*unknown["reason"]),
        ("false", "null", "\"the test has none\"")
    );
    assert!(rows(Table::Configs, &surface).is_empty(), "a table without rows has a file");
}

#[test]
fn members_are_as_declared_and_as_fields() {
    let mut parts = parts(&[Fact::Types]);
    let mut add = |kind, flag, name: &str, word, children: &[(&str, u32, u32)]| {
        let name = parts.strings.intern(name.as_bytes());
        let children: Vec<_> = children
            .iter()
            .map(|&(name, a, b)| Child { name: parts.strings.intern(name.as_bytes()), a, b })
            .collect();
        parts.types.push(kind, flag, name, word, children).0
    };
    let int = add(TypeKind::Int, false, "int", 4, &[("", 1 << 24 | 32, 0)]);
    let deep = add(TypeKind::Struct, true, "", 4, &[("low", int, 3 << 24), ("high", int, 5 << 24 | 3)]);
    let inner = add(TypeKind::Union, false, "", 4, &[("all", int, 0), ("", deep, 0)]);
    add(TypeKind::Struct, false, "outer", 8, &[("first", int, 0), ("", inner, 32)]);
    add(TypeKind::Enum, true, "sign", 4, &[("MINUS", u32::MAX, 0)]);
    add(TypeKind::Enum64, false, "wide", 8, &[("MOST", u32::MAX, u32::MAX)]);
    let surface = Surface::from_bytes(parts.encode()).unwrap();

    let all = rows(Table::Members, &surface);
    let of_outer: Vec<_> = all.iter().filter(|row| row["parent_name"] == "\"outer\"").collect();
    let column = |name: &str| of_outer.iter().map(|row| row[name].as_str()).collect::<Vec<_>>();
    assert_eq!(column("name"), ["\"first\"", "null", "\"all\"", "null", "\"low\"", "\"high\""]);
    assert_eq!(column("depth"), ["0", "0", "1", "1", "2", "2"]);
    let access = ["\"0:0\"", "\"0:1\"", "\"0:1:0\"", "\"0:1:1\"", "\"0:1:1:0\"", "\"0:1:1:1\""];
    assert_eq!(column("access"), access);
    assert_eq!(column("bit_offset"), ["0", "32", "32", "32", "32", "35"]);
    assert_eq!(column("bitfield_size"), ["null", "null", "null", "null", "3", "5"]);
    assert_eq!(column("byte_size"), ["4", "4", "4", "4", "null", "null"]);
    let outer = surface.types().find(TypeKind::Struct, "outer").unwrap();
    let named: Vec<_> = fields(outer).iter().map(|field| format!("\"{}\"", field.name)).collect();
    assert_eq!(column("name").into_iter().filter(|name| *name != "null").collect::<Vec<_>>(), named);

    let values = rows(Table::Enumerators, &surface);
    // The reader shows decimals with their point.
    assert_eq!(row(&values, "name", "MINUS")["value"], "-1.");
    assert_eq!(row(&values, "name", "MOST")["value"], format!("{}.", u64::MAX));
}

#[test]
fn many_rows_make_several_row_groups() {
    let mut parts = parts(&[Fact::Config]);
    let count = 130_000;
    for number in 0..count {
        let name = parts.strings.intern(format!("CONFIG_{number:06}").as_bytes()).0.into();
        parts.configs.push(record::Config { name, value: name });
    }
    let surface = Surface::from_bytes(parts.encode()).unwrap();
    let reader = reader(write(Table::Configs, &surface));
    let groups = reader.metadata().row_groups();
    let counts: Vec<i64> = groups.iter().map(|group| group.num_rows()).collect();
    assert_eq!(counts, [122_880, count - 122_880]);
    let last = reader.get_row_iter(None).unwrap().last().unwrap().unwrap();
    assert!(last.to_string().contains("CONFIG_129999"), "{last}");
}

/// All files below a directory with their bytes.
fn files(directory: &Path, found: &mut BTreeMap<PathBuf, Vec<u8>>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => files(&path, found),
            false => drop(found.insert(path.clone(), fs::read(path).unwrap())),
        }
    }
}

#[test]
fn an_export_is_the_same_with_one_thread_and_with_many_and_leaves_nothing_else() {
    let surface = sample();
    let directory = tempfile::tempdir().unwrap();
    let written = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| export(&surface, directory.path(), || ())).unwrap();
        let mut found = BTreeMap::new();
        files(directory.path(), &mut found);
        found
    };
    let once = written(1);
    assert_eq!(once.len(), Table::ALL.len(), "{:?}", once.keys());
    assert!(once.contains_key(&directory.path().join("functions/kernel=6.1.0-50-test-amd64/part-0.parquet")));
    assert_eq!(written(4), once, "and files of the same kernel are replaced");
}

#[test]
fn a_file_that_cannot_be_written_is_told() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("functions"), "").unwrap();
    let error = export(&sample(), directory.path(), || ()).unwrap_err().to_string();
    assert!(error.starts_with("cannot create `"), "{error}");
}

#[test]
fn damaged_surfaces_give_tables_or_errors() {
    let bytes = sample().bytes().to_vec();
    let mut opened = 0;
    for at in (0..bytes.len()).step_by(bytes.len() / 400) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0xff;
        let Ok(surface) = Surface::from_bytes(damaged) else { continue };
        opened += 1;
        for table in Table::ALL {
            let _ = table.write(&surface, &mut Vec::new());
        }
    }
    assert!(opened > 100, "{opened}");
}

#[test]
fn the_page_documents_every_column() {
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/parquet.md")).unwrap();
    let mut expected = String::new();
    for table in Table::ALL {
        expected += &document(table);
    }
    let after = page.split_once("this with the code. -->\n").unwrap().1;
    let found = after.split_once("## Cookbook").unwrap().0;
    assert!(found.trim() == expected.trim(), "docs/parquet.md should have:\n{expected}");
    for table in Table::ALL {
        let view =
            format!("CREATE VIEW {:12} AS FROM read_parquet('{}/*/*.parquet',", table.name(), table.name());
        assert!(page.contains(&view), "{view}");
    }
}

/// A table as the page has it.
fn document(table: Table) -> String {
    let facts: Vec<String> = table
        .facts()
        .iter()
        .map(|fact| format!("`{}`", serde_json::to_value(fact).unwrap().as_str().unwrap()))
        .collect();
    let mut text = format!("### {}\n\n{}", table.name(), table.rows());
    if !facts.is_empty() {
        text += &format!(" Complete where known: {}.", facts.join(", "));
    }
    text += "\n\n| column | type | meaning | null when |\n| --- | --- | --- | --- |\n";
    for column in table.columns() {
        let null = column.null.unwrap_or("never");
        let kind = column.type_name();
        text += &format!("| `{}` | `{kind}` | {} | {null} |\n", column.name, column.meaning);
    }
    text + "\n"
}
