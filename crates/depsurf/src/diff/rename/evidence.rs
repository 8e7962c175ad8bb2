//! What speaks for a rename.

use std::fmt;

use serde::Serialize;

/// One thing that speaks for two names being the same thing, with what was found.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "RenameEvidence"))]
#[serde(rename_all = "kebab-case", tag = "evidence")]
pub enum Evidence {
    /// The names differ only in underscores around them.
    Underscores,
    /// The names are alike.
    SimilarName {
        /// Share of words in common, rare ones counting more, in per cent.
        words: u8,
        /// Share of letters that do not have to change, in per cent.
        letters: u8,
    },
    /// The same words are replaced in other pairs.
    Pattern {
        /// Words that only the old name has, joined by underscores; empty for none.
        old: String,
        /// Words that only the new name has.
        new: String,
        /// Pairs in which they are replaced.
        pairs: u32,
    },
    /// The prototypes are the same.
    SamePrototype {
        /// Parameters of both.
        params: u32,
        /// Other names that went or came and have that prototype too.
        others: u32,
    },
    /// The prototypes differ in one place: a parameter more, less or of another type, or the return type.
    PrototypeButOne {
        /// Parameters of the longer one.
        params: u32,
    },
    /// Both are declared in the same file.
    SameFile {
        /// Path relative to the kernel tree.
        file: String,
    },
    /// The same functions call both or hold copies of them, by name.
    SameCallers {
        /// Callers of both.
        shared: u32,
        /// Callers of either.
        of: u32,
    },
    /// Both call the same functions or hold copies of them, by name.
    SameCallees {
        /// Callees of both.
        shared: u32,
        /// Callees of either.
        of: u32,
    },
    /// In functions that hold copies of both, the copies before and after theirs are of the same functions.
    SameNeighbours {
        /// Neighbours in common.
        shared: u32,
        /// Neighbours of either.
        of: u32,
    },
    /// The one that is still there calls the other one, which takes over what it did.
    Calls,
    /// The struct that is still there has the other one as a member.
    Holds,
    /// Both lie at the same offset.
    SameOffset {
        /// Bits from the start of the struct.
        bits: u64,
    },
    /// Both have the same type.
    SameType,
    /// Their types differ only in a name.
    TypeRenamed {
        /// The name in the old type.
        old: String,
        /// The name in the new type.
        new: String,
    },
    /// Both stand between the same neighbours, which did not change.
    SamePosition {
        /// The neighbour before, if it is the same.
        before: Option<String>,
        /// The neighbour after, if it is the same.
        after: Option<String>,
    },
    /// Both have the same members or enumerators; of a split or merge, those that the one still there has no more.
    SameMembers {
        /// Members of both.
        shared: u32,
        /// Members of either, or members that went.
        of: u32,
    },
    /// Both have the same size.
    SameSize {
        /// In bytes.
        bytes: u32,
    },
    /// Both have the same value.
    SameValue {
        /// As a text: the value of an enumerator or of an option.
        value: String,
    },
    /// Both tracepoints are of the same system.
    SameSystem {
        /// The directory below `events`.
        system: String,
    },
    /// Both tracepoints have the same raw arguments.
    SameArguments {
        /// Number of arguments.
        count: u32,
    },
    /// Both tracepoints print the same format.
    SameFormat,
    /// Both system calls have the same number in the same table.
    SameNumber {
        /// The number in its table.
        number: u32,
    },
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Underscores => write!(f, "names differ only in underscores"),
            Self::SimilarName { words, letters } => {
                write!(f, "similar names ({words} % of words, {letters} % of letters)")
            }
            Self::Pattern { old, new, pairs } => {
                let word =
                    |text: &str| if text.is_empty() { "nothing".to_owned() } else { format!("`{text}`") };
                write!(f, "{} becomes {} in {pairs} pairs", word(old), word(new))
            }
            Self::SamePrototype { params, others: 0 } => {
                write!(f, "same prototype ({params} parameters), which no other has")
            }
            Self::SamePrototype { params, others } => {
                write!(f, "same prototype ({params} parameters, {others} others have it)")
            }
            Self::PrototypeButOne { params } => {
                write!(f, "same prototype but in one place ({params} parameters)")
            }
            Self::SameFile { file } => write!(f, "same file `{file}`"),
            Self::SameCallers { shared, of } => write!(f, "same callers ({shared} of {of})"),
            Self::SameCallees { shared, of } => write!(f, "same callees ({shared} of {of})"),
            Self::SameNeighbours { shared, of } => {
                write!(f, "same neighbours in their callers ({shared} of {of})")
            }
            Self::Calls => write!(f, "one calls the other"),
            Self::Holds => write!(f, "one is a member of the other"),
            Self::SameOffset { bits } => write!(f, "same offset (bit {bits})"),
            Self::SameType => write!(f, "same type"),
            Self::TypeRenamed { old, new } => write!(f, "same type but for `{old}`, now `{new}`"),
            Self::SamePosition { before: Some(before), after: Some(after) } => {
                write!(f, "between `{before}` and `{after}` in both")
            }
            Self::SamePosition { before: Some(before), .. } => write!(f, "after `{before}` in both"),
            Self::SamePosition { after: Some(after), .. } => write!(f, "before `{after}` in both"),
            Self::SamePosition { .. } => write!(f, "same position"),
            Self::SameMembers { shared, of } => write!(f, "same members ({shared} of {of})"),
            Self::SameSize { bytes } => write!(f, "same size ({bytes} bytes)"),
            Self::SameValue { value } => write!(f, "same value ({value})"),
            Self::SameSystem { system } => write!(f, "same system `{system}`"),
            Self::SameArguments { count } => write!(f, "same arguments ({count})"),
            Self::SameFormat => write!(f, "same format"),
            Self::SameNumber { number } => write!(f, "same number ({number})"),
        }
    }
}
