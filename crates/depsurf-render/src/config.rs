//! Kconfig options.

use depsurf::surface::Surface;
use schemars::JsonSchema;
use serde::Serialize;

use crate::look::Tone;
use crate::rows::{Rows, Shelf};

/// An option on one kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "Config")]
pub struct Facts<'a> {
    /// Value as written; `n` for "is not set".
    pub value: &'a str,
}

/// The option of a name, with or without `CONFIG_`.
pub(crate) fn lookup<'a>(surface: &'a Surface, name: &str) -> Result<Facts<'a>, Option<String>> {
    match surface.config(name).or_else(|| surface.config(&format!("CONFIG_{name}"))) {
        Some(found) => Ok(Facts { value: found.value }),
        None => Err(Some(
            "the configuration does not name it: no such option, or its dependencies are not met".into(),
        )),
    }
}

/// The body of an entry.
pub(crate) fn markdown(facts: &Facts<'_>, out: &mut String) {
    out.push_str(&format!("**Value:** `{}`\n", facts.value));
}

/// The sections of an option's page.
pub(crate) fn terminal(present: &[(usize, &Facts<'_>)], shelf: &mut Shelf<'_>) {
    let among: Vec<usize> = present.iter().map(|(kernel, _)| *kernel).collect();
    let mut values = Rows::default();
    for (kernel, facts) in present {
        let text = match facts.value {
            "n" => "n (is not set)",
            value => value,
        };
        values.add(*kernel, "", text, Tone::Plain);
    }
    shelf.section("Value", "", &values, &among);
}
