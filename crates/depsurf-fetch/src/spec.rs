//! How kernels elsewhere are named.
//!
//! ```text
//! spec  = place ":" what
//! what  = suite "/" flavour      trixie/cloud-amd64, */rt-amd64, noble/generic-amd64, 41/x86_64
//!       | release                6.1.0-50-cloud-arm64, 6.1.0-*-cloud-arm64
//!       | build id               of debuginfod
//! place = debian | ubuntu | fedora | debuginfod
//! ```
//!
//! `* ? [abc] {a,b}` are patterns. A flavour is what follows the version in `uname -r`; where that does not end in the
//! architecture, it may be added, and `generic-amd64` is the flavour without a name of its own.

use std::fmt;
use std::str::FromStr;

use globset::{GlobBuilder, GlobMatcher};

use crate::error::{Error, Result};

/// A kernel, or several, in some place.
#[derive(Debug, Clone)]
pub struct Spec {
    /// As it was written.
    text: String,
    /// `debian`, `ubuntu`, `fedora` or `debuginfod`.
    pub place: &'static str,
    /// What of it.
    pub wanted: Wanted,
}

/// Which kernels of a place.
#[derive(Debug, Clone)]
pub enum Wanted {
    /// The newest of a suite and flavour.
    Suite {
        /// Of the distribution's releases.
        suite: Pattern,
        /// Flavour and architecture.
        flavour: Pattern,
    },
    /// A release, or all that match.
    Release(Pattern),
}

/// A name, or what several have in common.
#[derive(Debug, Clone)]
pub struct Pattern {
    text: String,
    matcher: GlobMatcher,
}

/// The places that are known, and an example of each.
const PLACES: [(&str, &str); 4] = [
    ("debian", "debian:trixie/cloud-amd64"),
    ("ubuntu", "ubuntu:noble/generic-amd64"),
    ("fedora", "fedora:41/x86_64"),
    ("debuginfod", "debuginfod:BUILDID"),
];

impl Pattern {
    fn parse(text: &str) -> Result<Self> {
        let bad = |why: String| {
            Error::usage(format!("bad pattern `{text}`: {why}"), "* ? [abc] {a,b} are patterns")
        };
        if text.is_empty() {
            return Err(bad("it is empty".into()));
        }
        let glob = GlobBuilder::new(text).literal_separator(false).build();
        let matcher = glob.map_err(|error| bad(error.kind().to_string()))?.compile_matcher();
        Ok(Self { text: text.into(), matcher })
    }

    /// Whether it stands for one name only.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        !self.text.contains(['*', '?', '[', '{'])
    }

    /// As it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether it stands for a name.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        self.matcher.is_match(name)
    }
}

impl FromStr for Spec {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let examples = || {
            let examples: Vec<&str> = PLACES.iter().map(|(_, example)| *example).collect();
            format!("write it like {}", examples.join(", "))
        };
        let Some((place, what)) = text.split_once(':') else {
            return Err(Error::usage(format!("`{text}` names no place to get a kernel from"), examples()));
        };
        let Some((place, _)) = PLACES.into_iter().find(|(known, _)| *known == place) else {
            return Err(Error::usage(format!("`{place}` is no place that is known"), examples()));
        };
        let wanted = match what.split_once('/') {
            Some((suite, flavour)) => {
                Wanted::Suite { suite: Pattern::parse(suite)?, flavour: Pattern::parse(flavour)? }
            }
            None => Wanted::Release(Pattern::parse(what)?),
        };
        match (place, &wanted) {
            ("debuginfod", Wanted::Release(id)) if is_build_id(id.text()) => {}
            ("debuginfod", _) => {
                let help = "`depsurf info`, `file vmlinux` and /sys/kernel/notes tell build ids";
                return Err(Error::usage(format!("`{what}` is no build id"), help));
            }
            (_, Wanted::Release(release))
                if !release.text().starts_with(|c: char| c.is_ascii_digit() || "*?[{".contains(c)) =>
            {
                return Err(Error::usage(
                    format!("`{what}` is neither SUITE/FLAVOUR-ARCH nor a release"),
                    format!("for the newest kernel of a suite write `{place}:{what}/*`"),
                ));
            }
            _ => {}
        }
        Ok(Self { text: text.into(), place, wanted })
    }
}

/// Build ids are hashes: of 20 bytes mostly, and never of one.
fn is_build_id(text: &str) -> bool {
    (8..=128).contains(&text.len())
        && text.len().is_multiple_of(2)
        && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

impl fmt::Display for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_written() {
        let spec: Spec = "debian:*/rt-amd64".parse().unwrap();
        assert_eq!((spec.place, spec.to_string().as_str()), ("debian", "debian:*/rt-amd64"));
        let Wanted::Suite { suite, flavour } = &spec.wanted else { panic!("{spec:?}") };
        assert!(suite.matches("trixie") && !suite.is_plain() && flavour.is_plain());
        assert!(flavour.matches("rt-amd64") && !flavour.matches("amd64"));
        let spec: Spec = "debian:6.12.107+deb13-cloud-*".parse().unwrap();
        let Wanted::Release(release) = &spec.wanted else { panic!("{spec:?}") };
        assert!(release.matches("6.12.107+deb13-cloud-arm64") && !release.matches("6.12.107-cloud-arm64"));
        assert!("debuginfod:0123456789abcdef".parse::<Spec>().is_ok());
    }

    #[test]
    fn what_cannot_be_meant_tells_what_can() {
        for (text, told) in [
            ("trixie", "`trixie` names no place"),
            ("suse:15/default", "`suse` is no place"),
            ("debian:", "it is empty"),
            ("debian:trixie", "neither SUITE/FLAVOUR-ARCH nor a release"),
            ("debian:trixie/", "it is empty"),
            ("debian:[/x", "bad pattern `[`"),
            ("debuginfod:vmlinux", "no build id"),
            ("debuginfod:012", "no build id"),
        ] {
            let error = text.parse::<Spec>().unwrap_err();
            assert!(error.to_string().contains(told), "{text}: {error}");
            assert!(error.help().is_some(), "{text}");
        }
    }
}
