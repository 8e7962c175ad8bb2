//! `diff` and `log` on the starter dataset.

mod common;

use common::{A, B, Home};

/// Standard output of a run that found something.
#[track_caller]
fn found(home: &Home, arguments: &[&str]) -> String {
    let ran = home.run(arguments);
    assert_eq!((ran.status, ran.stderr.as_str()), (Some(1), ""), "{ran:?}");
    ran.stdout
}

#[test]
fn the_status_tells_whether_something_changed() {
    let home = Home::new();
    let same = home.run(&["diff", A, A]).fine();
    assert!(same.contains("function"), "{same}");
    let other = found(&home, &["diff", A, "6.12"]);
    assert!(other.starts_with(&format!("{A} -> 6.12.107-deb13-cloud-amd64\n\nkind ")), "{other}");
    assert!(!other.contains("vfs_read"), "without a question there are only numbers");
    home.run(&["diff", A, "6.12", "--grep", "^no such name$"]).fine();
}

#[test]
fn names_are_listed_when_asked_for() {
    let home = Home::new();
    let text = found(&home, &["diff", A, "6.12", "--kind", "field", "--grep", "^task_struct::(__)?state$"]);
    assert!(text.contains("\n  + task_struct::__state\n  - task_struct::state\n"), "{text}");
    assert!(!text.contains("tracepoint"), "{text}");
    let text = found(&home, &["diff", A, "6.12", "--grep", "^CONFIG_GCC_VERSION$", "--format", "md"]);
    assert!(text.starts_with("# Changes\n"), "{text}");
    assert!(text.contains("\n- `CONFIG_GCC_VERSION`\n  - Config changed: `100201` ➡️ `"), "{text}");
}

#[test]
fn json_has_everything_with_ids() {
    let home = Home::new();
    let text = found(&home, &["diff", A, "6.12", "--kind", "tracepoint", "--format", "json"]);
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    let pair = &json["pairs"][0];
    assert_eq!((&json["schema"], &pair["old"]["kernel"]["id"]), (&1.into(), &A.into()));
    let changed = pair["kinds"][0]["names"]["changed"].as_array().unwrap();
    let switch = changed.iter().find(|changed| changed["name"] == "sched_switch").unwrap();
    assert!(switch["changes"].as_array().unwrap().iter().any(|change| change["what"] == "func-changed"));
}

#[test]
fn a_group_is_compared_pair_by_pair() {
    let home = Home::new();
    let text = found(&home, &["diff", "--kind", "syscall", "--kind", "kfunc"]);
    for pair in ["5.10 -> 6.1", "6.1 -> 6.12", "6.12 -> 7.2"] {
        assert_eq!(text.matches(&format!("\n{pair} ")).count(), 2, "{text}");
    }
    let text = found(&home, &["diff", "--group", "Arch", "--kind", "syscall"]);
    assert!(text.starts_with("amd64 -> arm64\n"), "{text}");
    let text = found(&home, &["diff", A, "6.12", "7.2", "--kind", "lsm"]);
    assert!(text.contains("\n5.10 -> 6.12 ") && text.contains("\n6.12 -> 7.2 "), "{text}");
}

#[test]
fn a_kernel_has_to_be_one() {
    let home = Home::new();
    // `6.1` is two kernels, of which one is in the Regular group; of the several that begin with 6 two are.
    found(&home, &["diff", A, "6.1", "--kind", "lsm"]);
    let told = home.run(&["diff", A, "6"]).failed();
    assert!(told.starts_with("error: `6` is 3 kernels where one is needed\n  help: "), "{told}");
    assert!(home.run(&["diff", A, "4.4"]).failed().contains("no kernel matches `4.4`"));
    assert!(home.run(&["diff", A]).failed().contains(&format!("`{A}` is compared with nothing")));
    assert!(
        home.run(&["diff", "--group", "lunch"])
            .failed()
            .contains("'lunch' for '--group <GROUP>'\n  [possible values: regular, lts")
    );
    assert!(home.run(&["diff", A, "6.12", "--grep", "("]).failed().contains("`--grep (` is not a regular"));
}

#[test]
fn what_was_not_read_is_told() {
    let home = Home::with_dataset();
    let ran = home.run(&["diff", A, B, "--kind", "config"]);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    assert!(ran.stdout.contains("config: the configuration of 5.10"), "{}", ran.stdout);
}

#[test]
fn a_timeline_folds_what_stays() {
    let home = Home::new();
    let text = home.run(&["log", "field", "task_struct::__state"]).fine();
    assert_eq!(
        text,
        "field task_struct::__state\n\
         Timeline  Regular\n  \
         5.10        absent\n  \
         6.1         appeared: `unsigned int __state;`\n  \
         6.1 .. 7.2  unchanged\n"
    );
    let text = home.run(&["log", "function", "blk_account_io_start", "--format", "json"]).fine();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json["stretches"][0]["event"], "present");
    assert_eq!(json["stretches"][1]["event"], "changed");
    let told = home.run(&["log", "function", "vfs_raed"]).failed();
    assert!(told.contains("has the function `vfs_raed`\n  help: did you mean vfs_read"), "{told}");
}

#[test]
fn a_timeline_tells_what_a_name_may_have_become() {
    let home = Home::new();
    let text = home.run(&["log", "field", "task_struct::state"]).fine();
    let likely = "disappeared\n              likely renamed: `task_struct::__state` (";
    assert!(text.contains(likely) && text.contains("  6.1 .. 7.2  absent\n"), "{text}");
    let text = home.run(&["log", "function", "lock_page_memcg", "--format", "json"]).fine();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    let gone = json["stretches"].as_array().unwrap().iter().find(|it| it["event"] == "disappeared");
    let gone = gone.expect("it went");
    assert_eq!((&gone["from"], &gone["renames"]), (&"6.12".into(), &serde_json::json!([])));
    let text = home.run(&["log", "field", "task_struct::state", "--format", "md"]).fine();
    assert!(text.contains("- **6.1**: disappeared; likely renamed: `task_struct::__state` ("), "{text}");
}

#[test]
fn a_page_tells_where_it_changed() {
    let home = Home::new();
    let text = home.run(&["show", "tracepoint", "sched_switch"]).fine();
    assert!(text.contains("\nChanges\n  5.10 -> 6.1 "), "{text}");
    let text = home.run(&["show", "function", "vfs_read", "--format", "md"]).fine();
    let differences = text.split_once("\n## Differences\n<b>Regular</b>\n").expect("the part").1;
    assert!(differences.contains("No changes between <code>5.10</code> and <code>6.1</code> ✅"), "{text}");
}
