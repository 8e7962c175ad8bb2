//! Loaders other than libbpf: who they are, and what one says or does where it is not what libbpf does.

use std::fmt;

use serde::Serialize;

/// A library that loads programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Loader {
    /// The kernel's own library for C.
    Libbpf,
    /// `github.com/cilium/ebpf`, for Go.
    EbpfGo,
    /// aya, for Rust.
    Aya,
}

impl Loader {
    /// The word in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Libbpf => "libbpf",
            Self::EbpfGo => "ebpf-go",
            Self::Aya => "aya",
        }
    }
}

impl fmt::Display for Loader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a loader says, or does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Said {
    /// Who.
    pub loader: Loader,
    /// Its message, with those of its causes; none where only what it does is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// What it does otherwise than libbpf; none where only its words are others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<&'static str>,
}
