//! Targets that the loader chooses: side files and `--program`, on real kernels of the starter dataset.

mod common;

use std::fs;

use common::{Home, Ran};
use serde_json::Value;
use testkit::Endian;
use testkit::bpf::{Insn, Object};

const KERNEL: &str = "6.1.176-50-cloud-amd64";

/// An object whose programs all need their loader to work. In 6.1 `blk_account_io_start` is inlined everywhere.
fn object() -> Vec<u8> {
    let mut object = Object::new(Endian::Little);
    for (section, name) in [
        ("kprobe", "bare"),
        ("kprobe/blk_account_io_start", "gone"),
        ("fentry/blk_account_io_start", "fast"),
        ("kprobe/vfs_read", "slow"),
        ("kprobe/dummy", "either"),
    ] {
        object.program(section, name, [Insn::mov(0, 0), Insn::exit()]);
    }
    object.license("GPL");
    object.build()
}

const SIDE: &str = "\
[program.bare]
target = \"kprobe/vfs_read\"

[program.gone]
optional = true

[program.either]
target = [\"kprobe/blk_account_io_start\", \"kprobe/vfs_read\"]
when = \"the first that is there\"

[[any_of]]
programs = [\"fast\", \"slow\"]
";

fn home(side: Option<(&str, &str)>) -> Home {
    let home = Home::new();
    fs::write(home.path().join("x.bpf.o"), object()).unwrap();
    if let Some((name, text)) = side {
        fs::write(home.path().join(name), text).unwrap();
    }
    home
}

fn check(home: &Home, arguments: &[&str]) -> Ran {
    home.run(&[&["check", "x.bpf.o", "--kernel", KERNEL, "--format", "json"], arguments].concat())
}

fn report(ran: Ran) -> Value {
    serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran:?}"))
}

fn word<'r>(report: &'r Value, program: &str) -> &'r str {
    let programs = report["objects"][0]["programs"].as_array().unwrap();
    let found = programs.iter().find(|it| it["name"] == program).unwrap();
    found["verdicts"][0]["consequence"].as_str().unwrap()
}

#[test]
fn without_a_side_file_the_object_fails() {
    let ran = check(&home(None), &[]);
    assert_eq!(ran.status, Some(1));
    let report = report(ran);
    let words = ["bare", "gone", "fast", "slow", "either"].map(|name| word(&report, name));
    assert_eq!(words, ["unknown", "attach-fails", "load-fails", "fine", "attach-fails"]);
    assert_eq!(report["objects"][0]["whole"][0]["consequence"], "load-fails");
}

#[test]
fn a_side_file_beside_the_object_is_taken() {
    for name in ["x.bpf.o.deps.toml", "x.deps.toml", "deps.toml"] {
        let ran = check(&home(Some((name, SIDE))), &[]);
        assert_eq!(ran.status, Some(0), "{name}: {ran:?}");
        let report = report(ran);
        let words = ["bare", "gone", "fast", "slow", "either"].map(|name| word(&report, name));
        assert_eq!(words, ["fine", "attach-fails", "load-fails", "fine", "fine"], "{name}");
        let whole = &report["objects"][0]["whole"][0];
        assert_eq!(
            (whole["consequence"].as_str(), whole["failing"].as_array().unwrap().len()),
            (Some("fine"), 0)
        );
        assert_eq!(report["objects"][0]["programs"][1]["optional"], true);
        assert_eq!(report["objects"][0]["programs"][0]["targets"][0], "kprobe/vfs_read");
    }
}

#[test]
fn a_side_file_that_is_given_wins_over_one_that_lies_there() {
    let home = home(Some(("x.deps.toml", "[program.nobody]\n")));
    fs::write(home.path().join("given.toml"), SIDE).unwrap();
    assert_eq!(check(&home, &["--deps", "given.toml"]).status, Some(0));
    let told = check(&home, &[]).failed();
    assert!(told.contains("x.deps.toml: line 1: no program `nobody` in the object"), "{told}");
}

#[test]
fn the_command_line_wins_over_side_files() {
    let home = home(Some(("x.deps.toml", SIDE)));
    let ran = check(&home, &["--program", "bare=kprobe/no_such_function"]);
    assert_eq!(ran.status, Some(1));
    let whole = &report(ran)["objects"][0]["whole"][0];
    assert_eq!(whole["failing"], serde_json::json!(["bare"]));
    let told = check(&home, &["--program", "nobody=kprobe/vfs_read"]).failed();
    assert!(told.contains("no program `nobody`") && told.contains("programs are bare, gone"), "{told}");
    let told = check(&home, &["--program", "bare=kprobes/vfs_read"]).failed();
    assert!(told.contains("`kprobes/vfs_read` is no section that libbpf knows"), "{told}");
    assert_eq!(check(&home, &["--program", "bare"]).status, Some(2));
}

#[test]
fn a_group_fails_where_all_of_it_fails() {
    let side = "[program.bare]\ntarget = \"kprobe/vfs_read\"\n[program.gone]\noptional = true\n\
        [program.either]\noptional = true\n[program.slow]\ntarget = \"kprobe/no_such_function\"\n\
        [[any_of]]\nprograms = [\"fast\", \"slow\"]\n";
    let whole = &report(check(&home(Some(("deps.toml", side))), &[]))["objects"][0]["whole"][0];
    // The better of both fails only on attaching.
    assert_eq!(
        (&whole["consequence"], &whole["failing"]),
        (&"attach-fails".into(), &serde_json::json!(["slow"]))
    );
    let whole = format!("{side}optional = true\n");
    let report = report(check(&home(Some(("deps.toml", &whole))), &[]));
    assert_eq!(report["objects"][0]["whole"][0]["consequence"], "fine");
}

#[test]
fn a_side_file_with_a_slip_is_refused_with_its_line() {
    for (text, expected) in [
        (
            "[program.bare]\ntargets = \"kprobe/x\"\n",
            "x.deps.toml: malformed side file at line 2: unknown field `targets`",
        ),
        ("[[any_of]]\nprograms = [\"fast\", \"quick\"]\n", "x.deps.toml: line 2: no program `quick`"),
    ] {
        let told = check(&home(Some(("x.deps.toml", text))), &[]).failed();
        assert!(told.contains(expected), "{told}");
    }
}

#[test]
fn deps_tells_what_the_loader_decides() {
    let home = home(Some(("deps.toml", SIDE)));
    let told = home.run(&["deps", "x.bpf.o"]).fine();
    for expected in [
        "attached to  kprobe/vfs_read",
        "attached to  kprobe/blk_account_io_start, else kprobe/vfs_read",
        "when  the first that is there",
        "the loader takes  fast, or slow",
        ", optional",
    ] {
        assert!(told.contains(expected), "{expected}: {told}");
    }
}

#[test]
fn scripts_are_judged_by_the_same_rules() {
    let home = Home::new();
    let text = "kprobe:vfs_read { }\n\
        kprobe:blk_account_io_start { @ = ((struct request *)arg0)->rq_disk; }\n\
        kprobe:vfs_read, kprobe:blk_account_io_start { }\n";
    fs::write(home.path().join("x.bt"), text).unwrap();
    let ran = home.run(&["check", "x.bt", "--kernel", KERNEL, "--format", "json"]);
    assert_eq!((ran.status, ran.stderr.as_str()), (Some(1), ""));
    let whole = &report(ran)["objects"][0]["whole"][0];
    assert_eq!(whole["failing"], serde_json::json!(["kprobe:blk_account_io_start"]));
    assert_eq!(whole["findings"][0]["rule"], "field-absent");
    // In 5.10 all of it is there.
    let ran = home.run(&["check", "x.bt", "--kernel", "5.10"]);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    let told = home.run(&["deps", "x.bt"]).fine();
    assert!(told.contains("kprobe:vfs_read  kprobe/vfs_read") && told.contains("request::rq_disk"), "{told}");
}

#[test]
fn what_a_script_computes_is_told() {
    let home = Home::new();
    let text = "#!/usr/bin/python3\nfrom bcc import BPF\nif BPF.get_kprobe_functions(b\"blk_account_io_start\"):\n    \
        b.attach_kprobe(event=\"blk_account_io_start\")\nb.attach_kprobe(event=sys.argv[1])\n";
    fs::write(home.path().join("tool"), text).unwrap();
    let ran = home.run(&["check", "tool", "--kernel", KERNEL, "--format", "json"]);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    assert!(
        ran.stderr.contains("cannot be seen (1): line 5: attach_kprobe(event=sys.argv[1])"),
        "{}",
        ran.stderr
    );
    let report = report(ran);
    assert_eq!(word(&report, "kprobe:blk_account_io_start"), "attach-fails");
    assert_eq!(report["objects"][0]["programs"][0]["optional"], true);
}
