//! `depsurf check` as CI runs it: formats for machines, baselines, allowed findings, lock files, the kernels to test on.

mod common;

use std::fs;

use common::{Home, Ran};
use serde_json::Value;
use testkit::Endian;
use testkit::bpf::{Insn, Object};

/// Names of the starter dataset's kernels that tests need.
const OLD: &str = "5.10.223-32-cloud-amd64";
const NEW: &str = "6.1.176-50-cloud-amd64";

/// Programs of an object: section, name.
type Programs<'p> = [(&'p str, &'p str)];

/// Works on 5.10 and fails on later kernels; fails everywhere; is not known anywhere; works.
const PROGRAMS: &Programs<'_> = &[
    ("kprobe/blk_account_io_start", "moves"),
    ("kprobe/no_such_function", "gone"),
    ("kprobe", "bare"),
    ("kprobe/vfs_read", "present"),
];

/// A directory with `NAME.bpf.o`, an object of these programs.
fn with(home: &Home, name: &str, programs: &Programs<'_>) {
    let mut object = Object::new(Endian::Little);
    for (section, name) in programs {
        object.program(section, name, [Insn::mov(0, 0), Insn::exit()]);
    }
    object.license("GPL");
    fs::write(home.path().join(name), object.build()).unwrap();
}

fn home(programs: &Programs<'_>) -> Home {
    let home = Home::new();
    with(&home, "x.bpf.o", programs);
    home
}

fn check(home: &Home, arguments: &[&str]) -> Ran {
    home.run(&[&["check", "x.bpf.o"], arguments].concat())
}

fn json(ran: &Ran) -> Value {
    serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran:?}"))
}

/// Writes a report as a baseline.
fn keep(home: &Home, kernels: &str) {
    let ran = check(home, &["--kernel", kernels, "--format", "json"]);
    fs::write(home.path().join("known.json"), ran.stdout).unwrap();
}

/// Why each finding of a program does not count, kernel by kernel.
fn settled(report: &Value, program: &str) -> Vec<String> {
    let programs = report["objects"][0]["programs"].as_array().unwrap();
    let found = programs.iter().find(|it| it["name"] == program).unwrap();
    let findings =
        found["verdicts"].as_array().unwrap().iter().flat_map(|it| it["findings"].as_array().unwrap());
    findings.map(|it| it["settled"]["by"].as_str().unwrap_or("counts").to_owned()).collect()
}

#[test]
fn sarif_has_what_services_ask_for() {
    let home = home(PROGRAMS);
    let log = json(&check(&home, &["--kernel", "amd64", "--format", "sarif"]));
    assert_eq!(log["version"], "2.1.0");
    let run = &log["runs"][0];
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    let results = run["results"].as_array().unwrap();
    let told: Vec<String> = results
        .iter()
        .map(|result| {
            let rule = result["ruleIndex"].as_u64().unwrap() as usize;
            assert_eq!(rules[rule]["id"], result["ruleId"]);
            assert!(rules[rule]["help"]["text"].as_str().unwrap().len() > 20);
            let place = &result["locations"][0]["physicalLocation"];
            assert_eq!(place["artifactLocation"]["uri"], "x.bpf.o");
            assert_eq!(place["region"]["startLine"], 1);
            format!("{} {}", result["level"].as_str().unwrap(), result["ruleId"].as_str().unwrap())
        })
        .collect();
    let expected =
        ["error fully-inlined", "error no-ftrace-site", "error no-symbol", "note target-chosen-by-loader"];
    assert_eq!(told, expected);
    let mut prints: Vec<String> =
        results.iter().map(|result| result["partialFingerprints"].to_string()).collect();
    // They do not depend on which kernels are looked at.
    let fewer = json(&check(&home, &["--kernel", NEW, "--format", "sarif"]));
    let print = fewer["runs"][0]["results"][0]["partialFingerprints"].to_string();
    assert_eq!((&fewer["runs"][0]["results"][0]["ruleId"], &print), (&"fully-inlined".into(), &prints[0]));
    prints.sort();
    prints.dedup();
    assert_eq!(prints.len(), results.len());
}

#[test]
fn sarif_shows_the_line_of_the_source() {
    let ran = example(&["--format", "sarif"]);
    let log = json(&ran);
    let results = log["runs"][0]["results"].as_array().unwrap();
    let found = results.iter().find(|it| it["properties"]["subject"] == "request::rq_disk").unwrap();
    let place = &found["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "example/readlat.bpf.c");
    assert!(place["region"]["startLine"].as_u64().unwrap() > 100, "{place}");
    assert!(place["region"]["snippet"]["text"].as_str().unwrap().contains("io_ends"), "{place}");
}

/// The example of the repository, checked.
fn example(arguments: &[&str]) -> Ran {
    let object = concat!(env!("CARGO_MANIFEST_DIR"), "/../../example/readlat.bpf.o");
    Home::new().run(&[&["check", object], arguments].concat())
}

/// `DEPSURF_SARIF_SCHEMA` names the schema; `cargo xtask test` looks for it.
#[test]
#[allow(clippy::print_stdout, reason = "tells what was not tested")]
fn sarif_is_what_its_schema_says() {
    let Some(path) = std::env::var_os("DEPSURF_SARIF_SCHEMA") else {
        println!("SKIPPED: SARIF against its JSON Schema: DEPSURF_SARIF_SCHEMA is not set");
        return;
    };
    let schema = fs::read_to_string(path).unwrap();
    // The pattern of `language` has a bracket that only ECMAScript's older regular expressions take as it is.
    let schema: Value = serde_json::from_str(&schema.replace("{2}]?$", "{2}\\\\]?$")).unwrap();
    assert!(schema["title"].as_str().unwrap().contains("SARIF"), "another schema");
    let validator = jsonschema::validator_for(&schema).unwrap();
    let home = home(PROGRAMS);
    let nothing =
        home.run(&["check", "x.bpf.o", "--kernel", OLD, "--format", "sarif", "--allow", "/dev/null"]);
    for ran in [example(&["--format", "sarif"]), nothing] {
        let errors: Vec<String> = validator.iter_errors(&json(&ran)).map(|error| error.to_string()).collect();
        assert_eq!(errors, [""; 0]);
    }
    // The schema is not one that takes everything.
    let mut wrong = json(&example(&["--format", "sarif"]));
    wrong["runs"][0]["results"][0]["level"] = "deadly".into();
    assert!(!validator.is_valid(&wrong));
}

#[test]
fn junit_has_a_suite_for_each_kernel() {
    let home = home(&[PROGRAMS, &[("?kprobe/no_such_function", "off")]].concat());
    let ran = check(&home, &["--kernel", &format!("{OLD},{NEW}"), "--format", "junit"]);
    assert_eq!(ran.status, Some(1));
    let start = ran.stdout.lines().take(5).collect::<Vec<_>>().join("\n");
    assert_eq!(
        start,
        format!(
            r#"<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="depsurf check" tests="12" failures="3" errors="0" skipped="4">
  <testsuite name="{OLD}" tests="6" failures="1" errors="0" skipped="2">
    <testcase classname="x.bpf.o" name="(object)"/>
    <testcase classname="x.bpf.o" name="moves"/>"#
        )
    );
    let failure = r#"<failure type="attach-fails" message="no-symbol `no_such_function`: does not attach">"#;
    assert!(ran.stdout.contains(failure), "{}", ran.stdout);
    assert!(
        ran.stdout.contains("<skipped message=\"cannot be told: target-chosen-by-loader"),
        "{}",
        ran.stdout
    );
    assert!(ran.stdout.contains("<skipped message=\"not loaded by default: no-symbol"), "{}", ran.stdout);
    // As bad as asked is what fails.
    let lenient = check(&home, &["--kernel", NEW, "--format", "junit", "--fail-on", "load-fails"]);
    assert_eq!(lenient.status, Some(0));
    assert!(lenient.stdout.contains("failures=\"0\"") && !lenient.stdout.contains("<failure"), "{lenient:?}");
}

#[test]
fn annotations_stay_within_their_limits() {
    let names: Vec<(String, String)> =
        (0..13).map(|number| (format!("kprobe/no_such_{number}"), format!("p{number}"))).collect();
    let mut programs: Vec<(&str, &str)> = names.iter().map(|(section, name)| (&**section, &**name)).collect();
    // Another program with the same problem is no annotation of its own.
    programs.push(("kprobe/no_such_0", "again"));
    programs.push(("?kprobe/no_such_off", "off"));
    let home = home(&programs);
    let told = check(&home, &["--kernel", "amd64", "--format", "github"]).stdout;
    let lines: Vec<&str> = told.lines().collect();
    let of = |word: &str| lines.iter().filter(|line| line.starts_with(word)).count();
    assert_eq!((of("::error "), of("::warning "), lines.len()), (10, 1, 12), "{told}");
    assert!(lines[0].starts_with("::error file=x.bpf.o,line=1,title=no-symbol%3A "), "{told}");
    assert!(
        lines[0].contains("`p0` does not attach on all 4 kernels") && lines[0].ends_with("So does `again`.")
    );
    assert_eq!(lines[11], "depsurf: 3 errors left out, because a step may have 10 annotations of each level");
    let fine = self::home(&[("kprobe/vfs_read", "present")]);
    assert_eq!(check(&fine, &["--kernel", "amd64", "--format", "github"]).stdout, "depsurf: nothing found\n");
}

#[test]
fn what_the_baseline_has_does_not_count() {
    let home = home(PROGRAMS);
    keep(&home, OLD);
    // On the same kernel nothing is new.
    let same = check(&home, &["--kernel", OLD, "--baseline", "known.json"]);
    assert_eq!((same.status, same.stdout.contains("no-symbol")), (Some(0), false), "{same:?}");
    assert!(same.stderr.contains("2 findings known from `known.json`"), "{same:?}");
    // On another one everything is.
    let both = format!("{OLD},{NEW}");
    let more = check(&home, &["--kernel", &both, "--baseline", "known.json", "--format", "json"]);
    assert_eq!(more.status, Some(1));
    assert_eq!(settled(&json(&more), "gone"), ["baseline", "counts"]);
    assert_eq!(settled(&json(&more), "moves"), ["counts"]);
    // Known findings stay in the report, so that it is a baseline too.
    fs::write(home.path().join("known.json"), &more.stdout).unwrap();
    assert_eq!(check(&home, &["--kernel", &both, "--baseline", "known.json"]).status, Some(0));
    // Another subject in the same program is new.
    with(&home, "x.bpf.o", &[("kprobe/no_such_other", "gone"), ("kprobe/vfs_read", "present")]);
    let other = check(&home, &["--kernel", OLD, "--baseline", "known.json"]);
    assert_eq!(other.status, Some(1));
    assert!(other.stdout.contains("no_such_other") && !other.stdout.contains("present"), "{}", other.stdout);
}

#[test]
fn worse_than_the_baseline_counts() {
    let home = home(&[("kprobe/no_such_function", "gone")]);
    keep(&home, OLD);
    let path = home.path().join("known.json");
    let milder = fs::read_to_string(&path).unwrap().replace("attach-fails", "misses-events");
    fs::write(&path, milder).unwrap();
    let ran = check(&home, &["--kernel", OLD, "--baseline", "known.json"]);
    assert_eq!((ran.status, ran.stdout.contains("no-symbol")), (Some(1), true), "{ran:?}");
    // What was worse before is known.
    let harsher = fs::read_to_string(&path).unwrap().replace("misses-events", "load-fails");
    fs::write(&path, harsher).unwrap();
    assert_eq!(check(&home, &["--kernel", OLD, "--baseline", "known.json"]).status, Some(0));
}

#[test]
fn files_that_are_no_baselines_are_refused() {
    let home = home(PROGRAMS);
    keep(&home, OLD);
    let whole = fs::read_to_string(home.path().join("known.json")).unwrap();
    let cases = [
        ("nothing", "no JSON"),
        ("{}", "it has no `schema`"),
        (
            &whole.replace("\"schema\": 1", "\"schema\": 7"),
            "a report of schema 7, this program reads schema 1",
        ),
        (&whole.replace("\"kernels\"", "\"cores\""), "missing field `kernels`"),
        (&whole.replace("attach-fails", "explodes"), "unknown level `explodes`"),
        (&whole.replace(OLD, &format!("{OLD}\", \"{NEW}")), "is judged on 1 kernels of 2"),
    ];
    for (text, what) in cases {
        fs::write(home.path().join("known.json"), text).unwrap();
        let told = check(&home, &["--baseline", "known.json"]).failed();
        assert!(told.contains("`known.json`: ") && told.contains(what), "{what}: {told}");
    }
    let told = check(&home, &["--baseline", "nowhere.json"]).failed();
    assert!(told.contains("cannot read `nowhere.json`"), "{told}");
}

const ALLOW: &str = "\
[[allow]]
rule = \"no-symbol\"
subject = \"no_such_function\"
program = \"g*\"
reason = \"nobody runs it\"
until = \"2999-12-31\"
";

#[test]
fn allowed_findings_do_not_count() {
    let home = home(&[("kprobe/no_such_function", "gone"), ("kprobe/vfs_read", "present")]);
    fs::write(home.path().join("allow.toml"), ALLOW).unwrap();
    let ran = check(&home, &["--kernel", OLD, "--allow", "allow.toml", "--format", "json"]);
    assert_eq!(
        (ran.status, ran.stderr.as_str()),
        (Some(0), "1 finding allowed by `allow.toml`\n"),
        "{ran:?}"
    );
    let report = json(&ran);
    assert_eq!((&report["consequence"], &report["counts"]), (&"attach-fails".into(), &"fine".into()));
    assert_eq!(settled(&report, "gone"), ["allow"]);
    let table = check(&home, &["--kernel", OLD, "--allow", "allow.toml"]).stdout;
    assert!(!table.contains("no-symbol") && table.contains("present"), "{table}");
    let junit = check(&home, &["--kernel", OLD, "--allow", "allow.toml", "--format", "junit"]).stdout;
    assert!(junit.contains("<skipped message=\"allowed: nobody runs it\"/>"), "{junit}");
    // The same file without being asked for, by its name.
    fs::rename(home.path().join("allow.toml"), home.path().join("depsurf.toml")).unwrap();
    assert_eq!(check(&home, &["--kernel", OLD]).status, Some(0));
    // Patterns that do not match allow nothing.
    for (from, to) in [
        ("\"g*\"", "\"h*\""),
        ("program = \"g*\"", "kernel = \"6.*\""),
        ("program", "object"),
        ("no-symbol", "fully-inlined"),
        ("no_such_function", "no_such"),
    ] {
        fs::write(home.path().join("depsurf.toml"), ALLOW.replace(from, to)).unwrap();
        let ran = check(&home, &["--kernel", OLD]);
        assert_eq!((ran.status, ran.stderr.as_str()), (Some(1), ""), "{from} {to}");
    }
}

#[test]
fn an_expired_entry_counts_again_and_is_told() {
    let home = home(&[("kprobe/no_such_function", "gone")]);
    fs::write(home.path().join("depsurf.toml"), ALLOW.replace("2999-12-31", "2020-02-29")).unwrap();
    let ran = check(&home, &["--kernel", OLD]);
    let told = "warning: `depsurf.toml`: line 1: no-symbol `no_such_function` was allowed until 2020-02-29 \
        (nobody runs it); it counts again\n";
    assert_eq!((ran.status, ran.stderr.as_str()), (Some(1), told));
}

#[test]
fn mistakes_in_the_allow_file_are_told_with_their_line() {
    let home = home(PROGRAMS);
    let cases = [
        ("subject", "subjekt", "line 3: unknown field `subjekt`"),
        ("[[allow]]", "[[alow]]", "line 1: unknown field `alow`"),
        ("no-symbol", "no-cymbal", "line 2: unknown rule `no-cymbal`"),
        ("nobody runs it", " ", "line 5: the reason is empty"),
        ("reason = \"nobody runs it\"\n", "", "line 1: missing field `reason`"),
        ("2999-12-31", "2999-02-29", "line 6: `2999-02-29` is no day"),
        ("2999-12-31", "soon", "line 6: `soon` is no day"),
        ("\"g*\"", "\"[\"", "line 4: `[`"),
        ("\"g*\"", "", "line 4: "),
    ];
    for (from, to, what) in cases {
        fs::write(home.path().join("depsurf.toml"), ALLOW.replace(from, to)).unwrap();
        let told = check(&home, &["--kernel", OLD]).failed();
        assert!(told.contains(&format!("`depsurf.toml`: {what}")), "{what}: {told}");
    }
    fs::write(home.path().join("depsurf.toml"), [0xff]).unwrap();
    assert!(check(&home, &[]).failed().contains("no UTF-8"));
    assert!(check(&home, &["--allow", "gone.toml"]).failed().contains("cannot read `gone.toml`"));
}

#[test]
fn a_lock_file_leaves_what_changed() {
    let home = home(PROGRAMS);
    let lock = |arguments: &[&str]| check(&home, &[&["--lock", "lock.json"], arguments].concat());
    let path = home.path().join("lock.json");
    // The first run writes it and tells everything.
    let first = lock(&["--kernel", OLD]);
    assert_eq!((first.status, first.stderr.as_str()), (Some(1), "wrote `lock.json`\n"));
    let written = fs::read_to_string(&path).unwrap();
    let again = lock(&["--kernel", OLD]);
    assert_eq!(again.status, Some(0));
    assert!(
        again.stderr.starts_with("5 programs on kernels unchanged since `lock.json`, 0 changed, 0 new\n")
    );
    // A newer kernel is compared with its older relative: `gone` is as it was.
    let newer = lock(&["--kernel", NEW]);
    assert_eq!(newer.status, Some(1));
    assert!(newer.stdout.contains("fully-inlined") && !newer.stdout.contains("no-symbol"), "{newer:?}");
    assert_eq!(fs::read_to_string(&path).unwrap(), written);
    // One of another architecture has no relative, and all of it is new.
    let other = lock(&["--kernel", "arm64"]);
    assert!(other.stderr.contains("0 programs on kernels unchanged since `lock.json`, 0 changed, 5 new"));
    // Updated with the new kernel, it has both.
    let updated = lock(&["--kernel", NEW, "--update-lock"]);
    assert_eq!(updated.status, Some(1));
    assert_eq!(lock(&["--kernel", &format!("{OLD},{NEW}")]).status, Some(0));
    // A program that now depends on something else has changed.
    with(&home, "x.bpf.o", &[("kprobe/no_such_other", "gone"), ("kprobe/vfs_read", "present")]);
    let changed = lock(&["--kernel", OLD]);
    assert_eq!((changed.status, changed.stdout.contains("no_such_other")), (Some(1), true));
    for (text, what) in
        [("[]", "not a lock file"), ("{\"schema\": 9, \"objects\": {}}", "a lock file of schema 9")]
    {
        fs::write(&path, text).unwrap();
        let told = lock(&[]).failed();
        assert!(told.contains("`lock.json`: ") && told.contains(what), "{told}");
    }
    assert!(check(&home, &["--lock", "no/where.json"]).failed().contains("cannot write `no/where.json`"));
    assert_eq!(check(&home, &["--update-lock"]).status, Some(2));
}

#[test]
fn the_matrix_has_every_outcome() {
    let home = home(PROGRAMS);
    let ran = check(&home, &["--kernel", "amd64", "--matrix"]);
    // `moves`: fine on 5.10, inlined on 6.1, without ftrace site on 6.12 and 7.2.
    assert_eq!(
        ran.fine(),
        "5.10.223-32-cloud-amd64     no attach: gone; unknown: bare; fine: 3\n\
         6.1.176-50-cloud-amd64      no attach: moves\n\
         6.12.107-deb13-cloud-amd64  no attach: moves\n"
    );
    let told = json(&check(&home, &["--kernel", "amd64", "--matrix", "--format", "json"]));
    assert_eq!((&told["outcomes"], &told["smallest"]), (&7.into(), &true.into()));
    assert_eq!(told["chosen"][2]["same"], serde_json::json!(["7.2.12-deb14-cloud-amd64"]));
    let because = &told["chosen"][1]["outcomes"][0]["because"];
    assert_eq!(because, &serde_json::json!([["fully-inlined", "blk_account_io_start"]]));
    let schema: Value = serde_json::from_str(&home.run(&["schema", "check"]).fine()).unwrap();
    assert!(jsonschema::validator_for(&schema).unwrap().is_valid(&told));
    let told = check(&home, &["--matrix", "--format", "sarif"]).failed();
    assert!(told.contains("--matrix is written as a table or as JSON"), "{told}");
}

#[test]
fn files_of_one_name_are_told_apart() {
    let home = home(PROGRAMS);
    fs::create_dir(home.path().join("b")).unwrap();
    with(&home, "b/x.bpf.o", &[("kprobe/vfs_read", "present")]);
    let report = json(&home.run(&["check", "x.bpf.o", "b/x.bpf.o", "--kernel", OLD, "--format", "json"]));
    let names: Vec<&Value> = report["objects"].as_array().unwrap().iter().map(|it| &it["name"]).collect();
    assert_eq!(names, ["x.bpf.o", "b/x.bpf.o"]);
}
