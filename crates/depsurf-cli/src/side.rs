//! What loaders decide: side files that are given, lie beside an object or come with this program, and `--program`.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use depsurf::Error;
use depsurf::bpf::Choices;

use crate::objects::Found;
use crate::terminal::Terminal;

/// What the loader decides, on the command line.
#[derive(Debug, Args)]
pub struct Decided {
    /// Side file that tells what the loader decides [default: beside the object, OBJECT.deps.toml or deps.toml; for
    /// Debian's libbpf-tools, those that come with this program].
    #[arg(long, value_name = "FILE")]
    pub deps: Option<PathBuf>,
    /// What a program attaches to, where the loader decides it, as in `begins=kprobe/vfs_read`; may be given several
    /// times, and wins over side files.
    #[arg(long, value_name = "NAME=SECTION", value_parser = assignment)]
    pub program: Vec<(String, String)>,
}

fn assignment(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, section)) if !name.is_empty() && !section.is_empty() => Ok((name.into(), section.into())),
        _ => Err("give NAME=SECTION, as in `begins=kprobe/vfs_read`".into()),
    }
}

macro_rules! shipped {
    ($($name:literal)*) => {
        /// Side files of Debian's libbpf-tools, by the name of the tool.
        const SHIPPED: &[(&str, &str)] =
            &[$(($name, include_str!(concat!("../../../side/libbpf-tools/", $name, ".toml"))),)*];
    };
}

shipped! {
    "bashreadline"
    "biolatency"
    "biosnoop"
    "biostacks"
    "biotop"
    "btrfsdist"
    "btrfsslower"
    "cachestat"
    "cpudist"
    "ext4dist"
    "ext4slower"
    "filelife"
    "fsdist"
    "fsslower"
    "funclatency"
    "gethostlatency"
    "hardirqs"
    "javagc"
    "killsnoop"
    "klockstat"
    "ksnoop"
    "nfsdist"
    "nfsslower"
    "opensnoop"
    "readahead"
    "runqlat"
    "runqslower"
    "sigsnoop"
    "softirqs"
    "solisten"
    "statsnoop"
    "syscount"
    "tcpconnlat"
    "tcprtt"
    "tcpsynbl"
    "vfsstat"
    "xfsdist"
    "xfsslower"
}

impl Decided {
    /// What is decided about each object, in their order.
    ///
    /// # Errors
    /// When a side file cannot be read or names programs that are not there, or `--program` does.
    pub fn of(&self, objects: &[Found<'_>], terminal: &Terminal) -> anyhow::Result<Vec<Choices>> {
        let mut all = match &self.deps {
            Some(path) => {
                let choices = read(path)?;
                let is_there = |name: &str| objects.iter().any(|object| object.has(name));
                nothing_unknown(path, &choices, is_there)?;
                vec![choices; objects.len()]
            }
            None => objects.iter().map(|object| found(object, terminal)).collect::<anyhow::Result<_>>()?,
        };
        for (name, section) in &self.program {
            let mut is_there = false;
            for (object, choices) in objects.iter().zip(&mut all).filter(|(object, _)| object.has(name)) {
                is_there = true;
                choices
                    .set(name, section)
                    .with_context(|| format!("--program {name}={section} of {}", object.name))?;
            }
            if !is_there {
                let names = objects.iter().flat_map(Found::programs).collect::<Vec<_>>().join(", ");
                let help = Some(format!("programs are {names}"));
                return Err(Error::Usage { what: format!("no program `{name}`"), help }.into());
            }
        }
        for (object, choices) in objects.iter().zip(&mut all) {
            choices.guess(object.object.programs(), &object.texts);
        }
        Ok(all)
    }
}

/// The side file that lies beside an object, or else comes with this program.
fn found(object: &Found<'_>, terminal: &Terminal) -> anyhow::Result<Choices> {
    let file_name = object.path.file_name().unwrap_or_default().to_string_lossy();
    let stem = file_name.strip_suffix(".o").map(|name| name.strip_suffix(".bpf").unwrap_or(name));
    let own = [Some(&*file_name), stem].into_iter().flatten();
    for path in own.map(|name| object.path.with_file_name(format!("{name}.deps.toml"))) {
        if path.exists() {
            let choices = read(&path)?;
            nothing_unknown(&path, &choices, |name| object.has(name))?;
            terminal.note(format_args!("{}: `{}` says what the loader decides", object.name, path.display()));
            return Ok(choices);
        }
    }
    // May be for several objects of the directory.
    let path = object.path.with_file_name("deps.toml");
    if path.exists() {
        terminal.note(format_args!("{}: `{}` says what the loader decides", object.name, path.display()));
        return read(&path);
    }
    let shipped = SHIPPED.iter().find(|(name, _)| object.place.start > 0 && *name == file_name);
    if let Some((name, text)) = shipped {
        let choices = Choices::parse(text).with_context(|| format!("side file of `{name}`"))?;
        if choices.unknown(|name| object.has(name)).is_empty() {
            terminal.note(format_args!("{}: taken for `{name}` of libbpf-tools", object.name));
            return Ok(choices);
        }
    }
    Ok(Choices::default())
}

fn read(path: &Path) -> anyhow::Result<Choices> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read `{}`", path.display()))?;
    Choices::parse(&text).with_context(|| path.display().to_string())
}

fn nothing_unknown(path: &Path, choices: &Choices, has: impl Fn(&str) -> bool) -> anyhow::Result<()> {
    let Some((name, line)) = choices.unknown(has).into_iter().next() else { return Ok(()) };
    Err(Error::Usage {
        what: format!("{}: line {line}: no program `{name}` in the object", path.display()),
        help: Some("`depsurf deps FILE` lists its programs".into()),
    }
    .into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shipped_can_be_read_and_is_in_order() {
        for (name, text) in SHIPPED {
            let choices = Choices::parse(text).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert!(!choices.is_empty(), "{name}");
        }
        assert!(SHIPPED.is_sorted_by_key(|(name, _)| *name));
    }

    #[test]
    fn assignments_have_both_sides() {
        assert_eq!(assignment("a=kprobe/b"), Ok(("a".into(), "kprobe/b".into())));
        for text in ["a", "=kprobe/b", "a="] {
            assert!(assignment(text).is_err(), "{text}");
        }
    }
}
