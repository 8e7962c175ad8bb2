//! Rules of the house that no other tool knows.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// Lines a source file may have; tables and tests may be longer.
const MAX_LINES: usize = 800;

/// What a source names as a reason to be longer.
const LONG_FILE_MARK: &str = "house: long file because";

/// Hosts that texts may link to: specifications, sources of the kernel, documentation.
const HOSTS: &[&str] = &[
    "docs.ebpf.io",
    "docs.kernel.org",
    "docs.oasis-open.org",
    "dwarfstd.org",
    "elixir.bootlin.com",
    "git.kernel.org",
    "github.com",
    "keepachangelog.com",
    "semver.org",
    "json-schema.org",
    "libbpf.readthedocs.io",
    "lore.kernel.org",
    "no-color.org",
    "refspecs.linuxfoundation.org",
    "specifications.freedesktop.org",
    "sourceware.org",
    "tukaani.org",
    "www.apache.org",
    "www.gnu.org",
    "www.kernel.org",
    "www.w3.org",
];

/// Checks all files that git knows; gives one line per breach.
pub fn check(root: &Path) -> Result<Vec<String>> {
    let output = Command::new("git").args(["ls-files", "-z"]).current_dir(root).output();
    let output = output.context("cannot run git")?;
    ensure!(output.status.success(), "git ls-files: {}", String::from_utf8_lossy(&output.stderr));
    let names = String::from_utf8(output.stdout).context("file names are UTF-8")?;
    let mut broken = Vec::new();
    for name in names.split_terminator('\0') {
        // Binary files and files deleted but not yet committed have no text to check.
        if let Ok(text) = std::fs::read_to_string(root.join(name)) {
            broken.extend(check_file(name, &text));
        }
    }
    let readme = std::fs::read_to_string(root.join("README.md")).unwrap_or_default();
    if !readme.contains("cargo xtask test") {
        broken.push("README.md: does not tell how to run the tests (`cargo xtask test`)".into());
    }
    Ok(broken)
}

/// The breaches of one file.
fn check_file(name: &str, text: &str) -> Vec<String> {
    let mut broken = Vec::new();
    let is_source = name.ends_with(".rs");
    let stem = Path::new(name).file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let is_test = name.contains("/tests") || stem == "tests";
    if is_source && !is_test {
        let lines = text.lines().count();
        if lines > MAX_LINES && !text.contains(LONG_FILE_MARK) {
            broken.push(format!("{name}: {lines} lines, split it by noun (limit {MAX_LINES})"));
        }
        if ["util", "utils", "helpers", "misc", "common"].contains(&stem.as_str()) {
            broken.push(format!("{name}: name the file after the noun it is about"));
        }
    }
    for (number, line) in (1..).zip(text.lines()) {
        let mut breach = |what: &str| broken.push(format!("{name}:{number}: {what}: {}", line.trim()));
        for host in hosts(line) {
            // Lock files and licences are not ours to word.
            if name != "Cargo.lock" && !HOSTS.contains(&host) && !is_example(host) {
                breach("link to a host that is not in the list of xtask's house.rs");
            }
        }
        if private_paths(line) {
            breach("path of somebody's machine");
        }
        if is_source
            && (line.contains(concat!("TO", "DO")) || line.contains(concat!("FIX", "ME")))
            && !line.contains('#')
        {
            breach("names no issue");
        }
        if is_source && line.ends_with([' ', '\t']) {
            breach("space at the end");
        }
    }
    broken
}

/// The hosts of all links in a line.
fn hosts(line: &str) -> impl Iterator<Item = &str> {
    let after = |scheme| line.split(scheme).skip(1);
    after("https://").chain(after("http://")).filter_map(|rest| {
        let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || ".-".contains(c))).unwrap_or(rest.len());
        Some(rest[..end].trim_end_matches('.')).filter(|host| !host.is_empty())
    })
}

/// Whether a host is one that nobody has: `x.example` (RFC 2606), or a word without a dot.
fn is_example(host: &str) -> bool {
    host.ends_with(".example") || !host.contains('.')
}

/// Whether a line names a place below the home directory of somebody, other than of a made-up `user`.
fn private_paths(line: &str) -> bool {
    [concat!("/ho", "me/"), concat!("/ro", "ot/"), concat!("/wo", "rk/")].iter().any(|prefix| {
        // As the start of a path: not in the middle of one.
        line.match_indices(prefix).any(|(at, _)| {
            let rest = &line[at + prefix.len()..];
            let nobody = ["a/", "user/"].iter().any(|name| rest.starts_with(name));
            let inside = line[..at].ends_with(|c: char| c.is_ascii_alphanumeric() || "._-}".contains(c));
            !nobody && !inside
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn breaches_are_found() {
        let long = "x\n".repeat(MAX_LINES + 1);
        assert_eq!(check_file("crates/a/src/a.rs", &long).len(), 1);
        assert_eq!(check_file("crates/a/src/a/tests.rs", &long).len(), 0);
        assert_eq!(
            check_file("crates/a/src/a.rs", &format!("// {LONG_FILE_MARK} of a table\n{long}")).len(),
            0
        );
        assert_eq!(check_file("crates/a/src/utils.rs", "").len(), 1);
        let elsewhere = concat!("https:", "//not-listed.org/x");
        assert_eq!(check_file("a.md", &format!("see {elsewhere} and https://github.com/x")).len(), 1);
        assert_eq!(check_file("a.md", "see https://mirror.example/x").len(), 0);
        assert_eq!(check_file("a.md", &format!("in {}somebody/x", concat!("/ho", "me/"))).len(), 1);
        assert_eq!(check_file("a.md", "in arch/home/x and $HOME/x and /home/user/x").len(), 0);
        assert_eq!(check_file("a.rs", concat!("// TO", "DO later")).len(), 1);
        assert_eq!(check_file("a.rs", concat!("// TO", "DO(#12) later")).len(), 0);
    }

    #[test]
    fn hosts_end_where_the_path_begins() {
        let found: Vec<_> = hosts("(https://a.example/c), http://d.example. <https://f-g:80>").collect();
        assert_eq!(found, ["a.example", "f-g", "d.example"]);
    }
}
