//! Kconfig options, from the text that a build leaves as `.config` and a distribution ships as `/boot/config-*`.

use std::collections::BTreeMap;

use crate::error::{Error, Result};
use crate::kernel::Version;
use crate::note::Notes;
use crate::source::Config;
use crate::surface::build::Parts;
use crate::surface::meta::{Evidence, Fact, Meta};
use crate::surface::record;

/// Refuses the configuration of another kernel, as far as it can be told: from the release in its file's name, and
/// from the version in its heading, `# Linux/x86 6.1.176 Kernel Configuration` (scripts/kconfig/confdata.c). Of the
/// latter only the series counts, because distributions do not say the stable update in `uname -r`.
///
/// # Errors
/// When it is of another release or series.
pub fn check(config: &Config, meta: &Meta) -> Result<()> {
    let Some(uname) = meta.uname.as_deref() else { return Ok(()) };
    let other_release = config.origin.release().filter(|release| *release != uname);
    let series = |text| Version::split(text).map(|(version, _)| (version.major, version.minor));
    let heading = || heading(&config.text).filter(|version| series(version) != series(uname));
    match other_release.or_else(heading) {
        None => Ok(()),
        Some(other) => Err(Error::Usage {
            what: format!("the config in `{}` is for `{other}`, the image is `{uname}`", config.origin.file),
            help: Some("give the config, or the image package, of the same kernel".into()),
        }),
    }
}

/// The version in the heading of a configuration.
fn heading(text: &str) -> Option<&str> {
    let mut comments = text.lines().take_while(|line| line.is_empty() || line.starts_with('#'));
    let words = comments.find_map(|line| line.strip_suffix(" Kernel Configuration"))?;
    words.rsplit(' ').next().filter(|version| version.starts_with(|c: char| c.is_ascii_digit()))
}

/// The value of an option that is known and off.
const OFF: &str = "n";

/// Fills `configs`, sorted by name. `origin` says where the text is from; `None` without text leaves the options unknown.
///
/// `CONFIG_X=value` keeps the value as written, quotes included; `# CONFIG_X is not set` is `n`. The last line of
/// an option decides, as in Kconfig itself (`scripts/kconfig/confdata.c`).
pub fn store(text: Option<(&str, &str)>, parts: &mut Parts, notes: &mut Notes) {
    let Some((text, origin)) = text else {
        let reason = "no configuration was given: it is in the image package, not in the debug package";
        parts.meta.evidence.insert(Fact::Config, Evidence::unknown(reason));
        return;
    };
    let mut options = BTreeMap::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        let option = match line.strip_prefix("# ") {
            Some(comment) => comment.strip_suffix(" is not set").map(|name| (name, OFF)),
            None => line.split_once('='),
        };
        match option {
            Some((name, value)) if is_option(name) => {
                options.insert(name, value);
            }
            _ if line.is_empty() || line.starts_with('#') => {}
            _ => notes.lost(
                "config-line",
                || format!("a line of the configuration is neither option nor comment: `{line}`"),
                || format!("{origin}, line {}", number + 1),
            ),
        }
    }
    if options.is_empty() {
        let reason = format!("{origin} sets no option");
        parts.meta.evidence.insert(Fact::Config, Evidence::unknown(reason));
        return;
    }
    parts.configs = options
        .into_iter()
        .map(|(name, value)| record::Config {
            name: parts.strings.intern(name.as_bytes()).0.into(),
            value: parts.strings.intern(value.as_bytes()).0.into(),
        })
        .collect();
    parts.meta.evidence.insert(Fact::Config, Evidence::known(origin));
}

fn is_option(name: &str) -> bool {
    let rest = name.strip_prefix("CONFIG_").unwrap_or_default();
    !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
