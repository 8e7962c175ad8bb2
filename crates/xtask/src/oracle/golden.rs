//! The original's dataset and our export of the same kernel, as values with names.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use depsurf::interop::depsurf::Part;
use depsurf::surface::Surface;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// The directory of the golden kernel below the directory of golden data.
pub const NAME: &str = "golden/debian-6.1-cloud-amd64";

/// A line of `func_groups`.
#[derive(Debug, Deserialize)]
pub struct Group {
    pub name: String,
    pub collision_type: String,
    pub inline_type: String,
    pub funcs: Vec<Func>,
    pub symbols: Vec<Symbol>,
}

/// An instance of a function.
#[derive(Debug, Deserialize)]
pub struct Func {
    pub addr: u64,
    pub external: bool,
    pub loc: Option<String>,
    pub file: Option<String>,
    pub inline: String,
    pub caller_inline: Vec<String>,
    pub caller_func: Vec<String>,
}

/// A symbol of a function.
#[derive(Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
pub struct Symbol {
    pub name: String,
    pub addr: u64,
    pub section: String,
    pub bind: String,
    pub size: u64,
}

/// What both sides are read from.
pub enum Side<'a> {
    /// The original's files, compressed with zstd.
    Golden(PathBuf),
    /// Our surface, through its export.
    Ours(&'a Surface),
}

impl Side<'_> {
    /// The text of a part.
    pub fn text(&self, part: Part) -> Result<String> {
        let mut text = String::new();
        match self {
            Self::Golden(dir) => {
                reader(dir, part)?
                    .read_to_string(&mut text)
                    .with_context(|| format!("golden {}", part.name()))?;
            }
            Self::Ours(surface) => part.write(surface, &mut |piece| {
                text.push_str(piece);
                Ok(())
            })?,
        }
        Ok(text)
    }

    /// The lines of a part, parsed, by name.
    pub fn by_name<T: DeserializeOwned>(
        &self,
        part: Part,
        name: impl Fn(&T) -> String,
    ) -> Result<BTreeMap<String, T>> {
        let mut found = BTreeMap::new();
        let mut add = |line: &str| -> Result<(), serde_json::Error> {
            let value: T = serde_json::from_str(line)?;
            found.insert(name(&value), value);
            Ok(())
        };
        match self {
            Self::Golden(dir) => {
                for line in reader(dir, part)?.lines() {
                    add(&line?).with_context(|| format!("golden {}", part.name()))?;
                }
            }
            Self::Ours(surface) => {
                let mut failed = None;
                part.write(surface, &mut |line| {
                    if let Err(error) = add(line) {
                        failed.get_or_insert(error);
                    }
                    Ok(())
                })?;
                if let Some(error) = failed {
                    return Err(error).with_context(|| format!("our {}", part.name()));
                }
            }
        }
        Ok(found)
    }

    /// The lines of a part as JSON values, by the string at `key`.
    pub fn values(&self, part: Part, key: &str) -> Result<BTreeMap<String, Value>> {
        self.by_name(part, |value: &Value| value[key].as_str().unwrap_or_default().to_owned())
    }
}

fn reader(dir: &Path, part: Part) -> Result<Box<dyn BufRead>> {
    let extension = match part {
        Part::Comment => "txt",
        Part::Syscalls => "json.zst",
        _ => "jsonl.zst",
    };
    let path = dir.join(format!("{}.{extension}", part.name()));
    let file = File::open(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
    if part == Part::Comment {
        return Ok(Box::new(BufReader::new(file)));
    }
    Ok(Box::new(BufReader::new(zstd::Decoder::new(file)?)))
}
