//! Which modules of a kernel are read.

use globset::GlobMatcher;

use super::name_of;
use crate::error::{Error, Result};

/// Which modules of a kernel are read.
#[derive(Debug, Clone, Default)]
pub enum Choice {
    /// None of them.
    #[default]
    None,
    /// All of them.
    All,
    /// Those whose name, or whose path below `lib/modules/RELEASE/`, matches a pattern.
    Matching(Box<GlobMatcher>),
}

impl Choice {
    /// Reads `all`, `none`, or a pattern like `ext4` or `kernel/fs/*`.
    ///
    /// # Errors
    /// When the pattern is none.
    pub fn parse(text: &str) -> Result<Self> {
        match text {
            "all" => Ok(Self::All),
            "none" => Ok(Self::None),
            pattern => {
                let glob = globset::Glob::new(pattern).map_err(|error| Error::Usage {
                    what: format!("`{pattern}` is no pattern of modules: {}", error.kind()),
                    help: Some("say all, none, a name like ext4, or a pattern like 'kernel/fs/*'".into()),
                })?;
                Ok(Self::Matching(Box::new(glob.compile_matcher())))
            }
        }
    }

    /// Whether any module is read.
    #[must_use]
    pub fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }

    pub(in crate::source) fn takes(&self, path: &str) -> bool {
        match self {
            Self::None => false,
            Self::All => true,
            Self::Matching(pattern) => pattern.is_match(path) || pattern.is_match(name_of(path)),
        }
    }
}
