//! Every query of the page, in DuckDB; a few of the answers compared with what the library says.
//!
//! `DEPSURF_DUCKDB` names a Python that has DuckDB, as `cargo xtask test` makes one.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use depsurf::interop::parquet::Table;
use depsurf::surface::function::InlineKind;
use depsurf::surface::{Fact, Surface, TypeKind, field};
use serde_json::{Value, json};

use crate::common::Home;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/parquet.md");
const OLD: &str = "6.1.176-50-cloud-amd64";
const NEW: &str = "6.12.107-deb13-cloud-amd64";

/// The SQL of the page, by the heading it stands under. The views come first, under the cookbook's own.
fn queries() -> Vec<(String, String)> {
    let page = fs::read_to_string(PAGE).unwrap();
    let (mut found, mut heading, mut sql) = (Vec::new(), String::new(), None::<String>);
    for line in page.lines() {
        match &mut sql {
            Some(_) if line == "```" => found.push((heading.clone(), sql.take().unwrap())),
            Some(text) => *text += &format!("{line}\n"),
            None if line == "```sql" => sql = Some(String::new()),
            None => {
                if let Some(title) = line.strip_prefix("##") {
                    heading = title.trim_start_matches('#').trim().to_owned();
                }
            }
        }
    }
    found
}

/// The rows of some queries, which run one after the other.
fn run(python: &str, directory: &Path, queries: &[&str]) -> Vec<Vec<Value>> {
    let mut child = Command::new(python)
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/parquet/query.py"))
        .current_dir(directory)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(&serde_json::to_vec(queries).unwrap()).unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{python} {:?}", output.status);
    let answers: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    let rows = answers.iter().zip(queries).map(|(answer, query)| {
        assert!(answer.get("error").is_none(), "{query}\n{}", answer["error"]);
        answer["rows"].as_array().unwrap().clone()
    });
    rows.collect()
}

/// The surfaces that the program expanded from the starter dataset, in the order of their kernels.
fn surfaces(home: &Home) -> Vec<Surface> {
    let files = fs::read_dir(home.path().join(".cache/depsurf/surfaces")).unwrap();
    let open = |file: std::io::Result<fs::DirEntry>| {
        Surface::from_bytes(fs::read(file.unwrap().path()).unwrap()).unwrap()
    };
    let mut surfaces: Vec<Surface> = files.map(open).collect();
    surfaces.sort_by(|a, b| a.kernel().cmp(b.kernel()));
    surfaces
}

#[test]
#[allow(clippy::print_stdout, reason = "a test that does not run has to say so")]
fn every_query_of_the_page_answers() {
    let Ok(python) = std::env::var("DEPSURF_DUCKDB") else {
        println!("SKIPPED: the queries of docs/parquet.md: DEPSURF_DUCKDB names no Python with DuckDB");
        return;
    };
    let home = Home::new();
    let kernels = home.run(&["export", "parquet", "tables", "-q"]).fine();
    assert_eq!(kernels.lines().count(), 5, "{kernels}");
    let directory = home.path().join("tables");
    let surfaces = surfaces(&home);

    let page = queries();
    assert!(page.len() >= 11, "{}", page.len());
    let all: Vec<&str> = page.iter().map(|(_, sql)| sql.as_str()).collect();
    let mut answers = BTreeMap::new();
    for ((heading, _), rows) in page.iter().zip(run(&python, &directory, &all)).skip(1) {
        assert!(!rows.is_empty(), "`{heading}` has no answer: no example to follow");
        assert!(answers.insert(heading.as_str(), rows).is_none(), "`{heading}` twice");
    }

    counts(&python, &directory, &surfaces);
    functions(&answers, &surfaces);
    types(&answers, &surfaces);
    events(&answers, &surfaces);
}

/// The rows under a heading of the page.
#[track_caller]
fn rows<'a>(answers: &'a BTreeMap<&str, Vec<Value>>, heading: &str) -> &'a [Value] {
    answers.get(heading).unwrap_or_else(|| panic!("the page has no `{heading}`"))
}

fn surface<'s>(surfaces: &'s [Surface], kernel: &str) -> &'s Surface {
    surfaces.iter().find(|surface| surface.kernel().to_string() == kernel).unwrap()
}

/// Every table has as many rows as the surface has things.
fn counts(python: &str, directory: &Path, surfaces: &[Surface]) {
    let count = |table: Table| {
        let name = table.name();
        format!("SELECT kernel, count(*) FROM read_parquet('{name}/*/*.parquet') GROUP BY ALL")
    };
    let queries: Vec<String> = Table::ALL.map(count).into();
    let queries: Vec<&str> = queries.iter().map(String::as_str).collect();
    for (table, rows) in Table::ALL.into_iter().zip(run(python, directory, &queries)) {
        for surface in surfaces {
            let kernel = surface.kernel().to_string();
            let found =
                rows.iter().find(|row| row[0] == json!(kernel)).map_or(json!(0), |row| row[1].clone());
            if let Some(expected) = number(table, surface) {
                assert_eq!(found, json!(expected), "{table:?} of {kernel}");
            }
        }
    }
}

/// How many rows a table shall have; `None` for members, which have no list of their own in the library.
fn number(table: Table, surface: &Surface) -> Option<usize> {
    let instances = || surface.functions().flat_map(|function| function.instances());
    Some(match table {
        Table::Kernels => 1,
        Table::Evidence => Fact::ALL.len(),
        Table::Notes => surface.notes().unwrap().len(),
        Table::Functions => surface.functions().len(),
        Table::Instances => instances().count(),
        Table::CallEdges => instances().map(|instance| instance.callers().len()).sum(),
        Table::InlineSites => instances().map(|instance| instance.inline_sites().len()).sum(),
        Table::Symbols => surface.symbols().len(),
        Table::Types => surface.types().len() as usize,
        Table::Members => return None,
        Table::Enumerators => surface.types().iter().map(|found| found.enumerators().len()).sum(),
        Table::Tracepoints => surface.tracepoints().len(),
        Table::Hooks => surface.lsm_hooks().len(),
        Table::Kfuncs => surface.kfuncs().len(),
        Table::Syscalls => surface.syscalls().len(),
        Table::Configs => surface.configs().len(),
    })
}

fn functions(answers: &BTreeMap<&str, Vec<Value>>, surfaces: &[Surface]) {
    let found = rows(answers, "Functions per kernel, and how they were inlined");
    for (surface, row) in surfaces.iter().zip(found) {
        let verdicts: Vec<_> = surface.functions().map(|function| function.verdict()).collect();
        let of = |kind| verdicts.iter().filter(|verdict| verdict.inline == kind).count();
        let transformed = verdicts.iter().filter(|verdict| verdict.transformed).count();
        let kernel = surface.kernel().to_string();
        let expected =
            json!([kernel, verdicts.len(), of(InlineKind::Full), of(InlineKind::Selective), transformed]);
        assert_eq!(*row, expected);
    }

    let found = rows(answers, "Share of functions that a kprobe cannot reach, by reason");
    for surface in surfaces {
        let kernel = json!(surface.kernel().to_string());
        let yes = surface.functions().filter(|function| function.attach().kprobe.is_yes()).count();
        let row = found.iter().find(|row| row[0] == kernel && row[1] == "yes").unwrap();
        assert_eq!(row[2], json!(yes), "{kernel}");
    }

    let mut copies: BTreeMap<(&str, Option<&str>, Option<u32>), u32> = BTreeMap::new();
    let function = surface(surfaces, NEW).function("bpf_prog_get").unwrap();
    for site in function.instances().flat_map(|instance| instance.inline_sites()) {
        *copies.entry((site.caller.name(), site.call_file, site.call_line)).or_default() += 1;
    }
    let expected: Vec<Value> =
        copies.iter().map(|((caller, file, line), count)| json!([caller, file, line, count])).collect();
    assert_eq!(rows(answers, "Who inlines a function"), expected);
}

fn types(answers: &BTreeMap<&str, Vec<Value>>, surfaces: &[Surface]) {
    let sizes = rows(answers, "The size of a struct over all kernels");
    let places = rows(answers, "A field over all kernels");
    assert_eq!((sizes.len(), places.len()), (surfaces.len(), surfaces.len()));
    for ((surface, size), place) in surfaces.iter().zip(sizes).zip(places) {
        let kernel = json!(surface.kernel().to_string());
        let task = surface.types().find(TypeKind::Struct, "task_struct").unwrap();
        assert_eq!(*size, json!([kernel, task.size(), 1]));
        let buffer = surface.types().find(TypeKind::Struct, "sk_buff").unwrap();
        let device = field::fields(buffer).into_iter().find(|field| field.name == "dev").unwrap();
        assert_eq!(place[0], kernel);
        assert_eq!(place[1], json!(device.bit_offset.map(|bits| bits / 8)), "{kernel}");
    }
}

fn events(answers: &BTreeMap<&str, Vec<Value>>, surfaces: &[Surface]) {
    let events = |kernel| -> BTreeSet<_> {
        let all = surface(surfaces, kernel).tracepoints().filter(|tracepoint| tracepoint.has_event());
        all.map(|tracepoint| (tracepoint.system().unwrap(), tracepoint.name())).collect()
    };
    let added: Vec<Value> = events(NEW).difference(&events(OLD)).map(|event| json!(event)).collect();
    assert_eq!(rows(answers, "Tracepoints that were added"), added);

    // Since Linux fa2c3254d7cf ("sched/tracing: Don't re-read p->state when emitting sched_switch event")
    // (in v5.18) it has a fourth argument.
    let arguments = rows(answers, "Arguments of a raw tracepoint");
    let counts: Vec<usize> = surfaces
        .iter()
        .map(|surface| {
            let kernel = json!(surface.kernel().to_string());
            arguments.iter().filter(|row| row[0] == kernel).count()
        })
        .collect();
    assert_eq!(counts, [3, 4, 4, 4, 4]);
}
