//! The forms of a selection, parsed without knowing any kernel.

use globset::{GlobBuilder, GlobMatcher};

use crate::error::{Error, Result};
use crate::kernel::Version;

/// One condition on a kernel.
#[derive(Debug, Clone)]
pub(super) enum Form {
    Glob(GlobMatcher),
    Versions(Versions),
    Key(Key, String),
    /// What it means depends on the kernels.
    Word(String),
}

/// What a `key=value` is about, where the value is not parsed as another form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    Arch,
    Flavour,
    Distribution,
    Group,
}

impl Form {
    pub(super) fn parse(text: &str) -> Result<Self> {
        if text.is_empty() {
            return Err(Error::Usage {
                what: "an empty selection of kernels".into(),
                help: Some(
                    "write what to choose, as in `6.1,cloud:arm64`; nothing at all chooses every kernel"
                        .into(),
                ),
            });
        }
        if let Some((key, value)) = text.split_once('=') {
            return Self::of_key(key, value);
        }
        if text.contains("..") {
            return Versions::parse(text).map(Self::Versions);
        }
        if text.contains(['*', '?', '[', '{']) {
            return glob(text);
        }
        Ok(Self::Word(text.to_owned()))
    }

    fn of_key(key: &str, value: &str) -> Result<Self> {
        let key = match key {
            "name" | "kernel" => return glob(value),
            "version" => return Versions::parse(value).map(Self::Versions),
            "arch" => Key::Arch,
            "flavour" | "flavor" => Key::Flavour,
            "distribution" | "dist" => Key::Distribution,
            "group" => Key::Group,
            _ => {
                return Err(Error::Usage {
                    what: format!("kernels cannot be chosen by `{key}`"),
                    help: Some("known are name, version, arch, flavour, distribution, group".into()),
                });
            }
        };
        Ok(Self::Key(key, value.to_owned()))
    }
}

fn glob(text: &str) -> Result<Form> {
    let glob = GlobBuilder::new(text).build().map_err(|error| Error::Usage {
        what: format!("`{text}`: {}", error.kind()),
        help: Some("write * for any text and ? for one character, as in `6.1.*-amd64`".into()),
    })?;
    Ok(Form::Glob(glob.compile_matcher()))
}

/// The parts between separators that are not in braces or brackets: globs have commas of their own.
pub(super) fn split(text: &str, separator: char) -> Vec<&str> {
    let (mut parts, mut start, mut depth) = (Vec::new(), 0, 0usize);
    for (at, letter) in text.char_indices() {
        match letter {
            '{' | '[' => depth += 1,
            '}' | ']' => depth = depth.saturating_sub(1),
            _ if letter == separator && depth == 0 => {
                parts.push(&text[start..at]);
                start = at + letter.len_utf8();
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

/// Versions from one to another, both included as far as they are written: up to `6.1` has 6.1.176.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Versions {
    from: Start,
    to: Start,
}

/// How a version starts; of no parts when there is no bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Start {
    parts: [u32; 4],
    count: usize,
}

impl Versions {
    /// `6.1..7.2`, `..6.1`, `6.1..`, or the start of a version.
    fn parse(text: &str) -> Result<Self> {
        let bad = |part: &str| Error::Usage {
            what: format!("`{part}` in `{text}` is not a version"),
            help: Some("write versions as 6.1 or 6.1.176, and a range as 6.1..7.2, ..6.1 or 6.12..".into()),
        };
        let Some((from, to)) = text.split_once("..") else {
            return Self::starting_with(text).ok_or_else(|| bad(text));
        };
        let bound = |part: &str| match part {
            "" => Ok(Start { parts: [0; 4], count: 0 }),
            part => Start::parse(part).ok_or_else(|| bad(part)),
        };
        let found = Self { from: bound(from)?, to: bound(to)? };
        let count = found.from.count.min(found.to.count);
        if found.from.parts[..count] > found.to.parts[..count] {
            return Err(Error::Usage {
                what: format!("`{text}` ends before it starts"),
                help: Some(format!("write it as {to}..{from}")),
            });
        }
        Ok(found)
    }

    /// The versions that start so; `None` when a version cannot.
    pub(super) fn starting_with(text: &str) -> Option<Self> {
        let start = Start::parse(text)?;
        Some(Self { from: start, to: start })
    }

    pub(super) fn have(&self, version: Version) -> bool {
        let parts = [version.major, version.minor, version.patch, version.fourth];
        parts[..self.from.count] >= self.from.parts[..self.from.count]
            && parts[..self.to.count] <= self.to.parts[..self.to.count]
    }
}

impl Start {
    /// `6`, `6.1`, `v6.1.176`.
    fn parse(text: &str) -> Option<Self> {
        let text = text.strip_prefix('v').unwrap_or(text);
        let mut start = Self { parts: [0; 4], count: 0 };
        for part in text.split('.') {
            let is_number = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
            *start.parts.get_mut(start.count).filter(|_| is_number)? = part.parse().ok()?;
            start.count += 1;
        }
        Some(start)
    }
}
