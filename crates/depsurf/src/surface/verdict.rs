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

const COLLISIONS: [Collision; 5] = [
    Collision::UniqueGlobal,
    Collision::UniqueStatic,
    Collision::StaticDuplication,
    Collision::StaticStatic,
    Collision::StaticGlobal,
];
const INLINES: [InlineKind; 3] = [InlineKind::Full, InlineKind::Selective, InlineKind::No];

/// A verdict that a dataset gave, as far as it gave one, in the byte that a surface keeps: the collision in bits 0-2
/// and the inline kind in bits 3-4, each as its place in the list of these from 1 on, 0 where there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Given {
    /// How the instances relate.
    pub collision: Option<Collision>,
    /// Whether there is code of its own, and copies of it.
    pub inline: Option<InlineKind>,
}

impl Given {
    /// The byte of a surface.
    #[must_use]
    pub fn to_byte(self) -> u8 {
        let place = |place: Option<usize>| place.map_or(0, |place| place as u8 + 1);
        let collision = COLLISIONS.iter().position(|other| Some(*other) == self.collision);
        let inline = INLINES.iter().position(|other| Some(*other) == self.inline);
        place(collision) | place(inline) << 3
    }

    /// What a byte means; numbers that no writer gives are no verdict.
    #[must_use]
    pub fn from_byte(byte: u8) -> Self {
        let place = |number: u8| usize::from(number).wrapping_sub(1);
        Self {
            collision: COLLISIONS.get(place(byte & 7)).copied(),
            inline: INLINES.get(place(byte >> 3 & 3)).copied(),
        }
    }
}

impl Function<'_> {
    /// Its verdict on this kernel: the one it was imported with, else what follows from the evidence.
    #[must_use]
    pub fn verdict(self) -> Verdict {
        let given = self.given_verdict();
        Verdict {
            collision: given.collision.unwrap_or_else(|| self.collision()),
            inline: given.inline.unwrap_or_else(|| self.inline_kind()),
            transformed: self.is_transformed(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_keeps_what_was_given() {
        for collision in COLLISIONS.into_iter().map(Some).chain([None]) {
            for inline in INLINES.into_iter().map(Some).chain([None]) {
                let given = Given { collision, inline };
                assert_eq!(Given::from_byte(given.to_byte()), given);
            }
        }
        assert_eq!(Given::from_byte(7), Given::default());
    }

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
