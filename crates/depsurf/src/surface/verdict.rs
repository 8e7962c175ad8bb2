//! What is said of a function on one kernel: the verdict, and the issues that follow from it.

use serde::{Deserialize, Serialize};

use super::function::{Collision, Function, InlineKind};

/// The three derived facts of a function group.
///
/// Everybody who shows or compares verdicts takes them from here, so that a surface whose evidence
/// is incomplete can give the verdict it was imported with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Verdict {
    /// How the instances relate.
    pub collision: Collision,
    /// Whether there is code of its own, and copies of it.
    pub inline: InlineKind,
    /// Whether some symbol has a compiler suffix.
    pub transformed: bool,
}

/// A reason why a function that exists may not be seen as its source suggests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Issue {
    /// Several copies of one definition, as of a static function in a header.
    Duplicate,
    /// Several functions share the name.
    Collision,
    /// No code of its own.
    FullInline,
    /// Code of its own, and copies in other functions.
    SelectiveInline,
    /// A symbol with a compiler suffix.
    Transformation,
}

impl Issue {
    /// The words on a page.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Duplicate => "Duplicate",
            Self::Collision => "Collision",
            Self::FullInline => "Full Inline",
            Self::SelectiveInline => "Selective Inline",
            Self::Transformation => "Transformation",
        }
    }
}

impl Verdict {
    /// The issues of the verdict, in the order of a page.
    pub fn issues(self) -> impl Iterator<Item = Issue> {
        let collision = match self.collision {
            Collision::UniqueGlobal | Collision::UniqueStatic => None,
            Collision::StaticDuplication => Some(Issue::Duplicate),
            Collision::StaticStatic | Collision::StaticGlobal => Some(Issue::Collision),
        };
        let inline = match self.inline {
            InlineKind::No => None,
            InlineKind::Full => Some(Issue::FullInline),
            InlineKind::Selective => Some(Issue::SelectiveInline),
        };
        let transformed = self.transformed.then_some(Issue::Transformation);
        [collision, inline, transformed].into_iter().flatten()
    }
}

impl Function<'_> {
    /// Its verdict on this kernel.
    #[must_use]
    pub fn verdict(self) -> Verdict {
        Verdict {
            collision: self.collision(),
            inline: self.inline_kind(),
            transformed: self.is_transformed(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn issues_come_in_the_order_of_a_page() {
        let words = |collision, inline, transformed| {
            Verdict { collision, inline, transformed }.issues().map(Issue::words).collect::<Vec<_>>()
        };
        assert_eq!(words(Collision::UniqueGlobal, InlineKind::No, false), Vec::<&str>::new());
        assert_eq!(
            words(Collision::StaticDuplication, InlineKind::Full, false),
            ["Duplicate", "Full Inline"]
        );
        assert_eq!(
            words(Collision::StaticGlobal, InlineKind::Selective, true),
            ["Collision", "Selective Inline", "Transformation"]
        );
        assert_eq!(words(Collision::StaticStatic, InlineKind::No, false), ["Collision"]);
    }
}
