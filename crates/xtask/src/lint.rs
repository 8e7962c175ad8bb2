//! `lint`: format, clippy, and the rules of the house.

use anyhow::{Result, bail};

use crate::cargo;

/// Runs all checks; reports all rules that are broken, not only the first.
pub fn run() -> Result<()> {
    let mut failed = Vec::new();
    for (name, args) in [
        ("rustfmt", &["fmt", "--all", "--check"][..]),
        ("clippy", &clippy("--all-features")[..]),
        ("clippy", &clippy("--no-default-features")[..]),
    ] {
        if !installed(name) {
            crate::test::loudly(&[format!("{name}: it is not installed (rustup component add {name})")]);
        } else if cargo::run(args).is_err() {
            failed.push(name.to_owned());
        }
    }
    eprintln!("$ house rules");
    let broken = crate::house::check(crate::root())?;
    for line in &broken {
        eprintln!("{line}");
    }
    if !broken.is_empty() {
        failed.push(format!("{} house rule(s)", broken.len()));
    }
    if !failed.is_empty() {
        bail!("lint failed: {}", failed.join(", "));
    }
    Ok(())
}

/// Clippy over everything, with the features that a flag chooses.
fn clippy(features: &str) -> [&str; 8] {
    ["clippy", "--workspace", "--all-targets", features, "--quiet", "--", "-D", "warnings"]
}

/// Whether a component of the toolchain is there, or could be added.
fn installed(component: &str) -> bool {
    let subcommand = if component == "rustfmt" { "fmt" } else { component };
    let there = || cargo::cargo(&[subcommand, "--version"]).output().is_ok_and(|out| out.status.success());
    there() || (cargo::exists("rustup", &["component", "add", component]) && there())
}
