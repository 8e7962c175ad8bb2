//! What can change between two kernels: one record per change, and the table of everything that can happen.

use std::fmt;

use serde::{Serialize, Serializer};

/// One change of one thing between an old kernel and a new one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Change {
    /// What happened.
    pub what: What,
    /// The part that it happened to: a parameter, field, enumerator, suffix, flag or ABI. `None` where it
    /// happened to the thing as a whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// What the old kernel has there, as C or as a word; `None` where it has nothing there.
    pub old: Option<String>,
    /// What the new kernel has there; `None` where it has nothing there.
    pub new: Option<String>,
}

impl Change {
    /// A change of the thing as a whole, with nothing to show on either side.
    pub(super) fn bare(what: What) -> Self {
        Self { what, subject: None, old: None, new: None }
    }

    /// Something that only the new kernel has.
    pub(super) fn added(what: What, subject: impl Into<String>, new: impl Into<String>) -> Self {
        Self { what, subject: Some(subject.into()), old: None, new: Some(new.into()) }
    }

    /// Something that only the old kernel has.
    pub(super) fn removed(what: What, subject: impl Into<String>, old: impl Into<String>) -> Self {
        Self { what, subject: Some(subject.into()), old: Some(old.into()), new: None }
    }

    /// Something that both have, of the thing as a whole.
    pub(super) fn changed(what: What, old: impl Into<String>, new: impl Into<String>) -> Self {
        Self { what, subject: None, old: Some(old.into()), new: Some(new.into()) }
    }

    /// The part of the thing that this is about.
    pub(super) fn of(self, subject: impl Into<String>) -> Self {
        Self { subject: Some(subject.into()), ..self }
    }
}

/// What a kind of change is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// The source declares it otherwise: what the published pages list.
    Source,
    /// The compiler made something else of the same source, or it can be attached to otherwise.
    Status,
    /// Sizes and offsets, which CO-RE follows and everything else does not.
    Layout,
    /// Numbers, flags and formats of the interface.
    Interface,
}

impl Class {
    /// All classes.
    pub const ALL: [Self; 4] = [Self::Source, Self::Status, Self::Layout, Self::Interface];

    /// The word in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Status => "status",
            Self::Layout => "layout",
            Self::Interface => "interface",
        }
    }
}

/// Declares everything that can happen, with its class, its id and the words on a page.
macro_rules! what {
    ($($(#[$doc:meta])* $name:ident $class:ident $id:literal $words:literal,)*) => {
        /// What happened, in the order of a page.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum What { $($(#[$doc])* $name,)* }

        impl What {
            /// Everything that can happen.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The id, the same everywhere: `param-removed`.
            #[must_use]
            pub fn id(self) -> &'static str {
                match self { $(Self::$name => $id,)* }
            }

            /// The words on a page: `Param removed`.
            #[must_use]
            pub fn words(self) -> &'static str {
                match self { $(Self::$name => $words,)* }
            }

            /// What it is about.
            #[must_use]
            pub fn class(self) -> Class {
                match self { $(Self::$name => Class::$class,)* }
            }
        }
    };
}

what! {
    /// The record of a tracepoint changed; the changes of its fields follow.
    EventChanged Source "event-changed" "Event changed",
    /// A field that only the new definition has.
    FieldAdded Source "field-added" "Field added",
    /// A field that only the old definition has.
    FieldRemoved Source "field-removed" "Field removed",
    /// A field of another type.
    FieldTypeChanged Source "field-type-changed" "Field type changed",
    /// The function behind a tracepoint changed; the changes of its prototype follow.
    FuncChanged Source "func-changed" "Func changed",
    /// A parameter that only the new prototype has.
    ParamAdded Source "param-added" "Param added",
    /// A parameter that only the old prototype has.
    ParamRemoved Source "param-removed" "Param removed",
    /// A parameter that both have stands in another place; old and new are the names of all parameters.
    ParamReordered Source "param-reordered" "Param reordered",
    /// A parameter of another type.
    ParamTypeChanged Source "param-type-changed" "Param type changed",
    /// Another return type.
    ReturnTypeChanged Source "return-type-changed" "Return type changed",
    /// An enumerator that only the new enum has.
    ValueAdded Source "value-added" "Value added",
    /// An enumerator that only the old enum has.
    ValueRemoved Source "value-removed" "Value removed",
    /// An enumerator with another value.
    ValueChanged Source "value-changed" "Value changed",
    /// A Kconfig option with another value.
    ConfigChanged Source "config-changed" "Config changed",

    /// No code of its own any more: every call is a copy.
    FullyInlined Status "fully-inlined" "Fully inlined",
    /// Code of its own, and copies in other functions.
    SelectivelyInlined Status "selectively-inlined" "Selectively inlined",
    /// Code of its own, and no copies any more.
    NoLongerInlined Status "no-longer-inlined" "No longer inlined",
    /// Only symbols with a compiler suffix are left: the name itself cannot be attached to any more.
    SymbolLost Status "symbol-lost" "Symbol lost",
    /// A symbol of exactly the name, where there were only ones with a compiler suffix.
    SymbolGained Status "symbol-gained" "Symbol gained",
    /// A symbol with this compiler suffix.
    SuffixGained Status "suffix-gained" "Suffix gained",
    /// No symbol with this compiler suffix any more.
    SuffixLost Status "suffix-lost" "Suffix lost",
    /// From external to static.
    BecameStatic Status "became-static" "Became static",
    /// From static to external.
    BecameGlobal Status "became-global" "Became global",
    /// Another relation between the functions of the name.
    CollisionChanged Status "collision-changed" "Collision changed",
    /// `fentry` and ftrace have a place to hook again.
    FtraceSiteGained Status "ftrace-site-gained" "Ftrace site gained",
    /// `fentry` and ftrace have no place to hook any more.
    FtraceSiteLost Status "ftrace-site-lost" "Ftrace site lost",
    /// Declared in another file.
    FileMoved Status "file-moved" "Moved",
    /// Programs can attach to the LSM hook.
    AttachGained Status "attach-gained" "Can be attached to",
    /// Programs cannot attach to the LSM hook any more.
    AttachLost Status "attach-lost" "Cannot be attached to",
    /// Sleepable programs can attach to the LSM hook.
    SleepableGained Status "sleepable-gained" "Sleepable programs can attach",
    /// Sleepable programs cannot attach to the LSM hook any more.
    SleepableLost Status "sleepable-lost" "Sleepable programs cannot attach",
    /// `events/SYSTEM/NAME` where there was only a raw tracepoint.
    EventGained Status "event-gained" "Event gained",
    /// Only a raw tracepoint is left.
    EventLost Status "event-lost" "Event lost",
    /// Raw programs can attach.
    RawGained Status "raw-gained" "Raw tracepoint gained",
    /// Raw programs cannot attach any more.
    RawLost Status "raw-lost" "Raw tracepoint lost",

    /// Another size in bytes.
    SizeChanged Layout "size-changed" "Size changed",
    /// A field in another place; bytes, or `byte:bit` for a bitfield.
    OffsetChanged Layout "offset-changed" "Offset changed",
    /// A bitfield of another width in bits; 0 for a field that is none.
    WidthChanged Layout "width-changed" "Width changed",

    /// Another number in the table of an ABI.
    NumberChanged Interface "number-changed" "Number changed",
    /// An entry in the table of an ABI that both kernels have.
    EntryAdded Interface "entry-added" "Entry added",
    /// No entry in the table of an ABI that both kernels have.
    EntryRemoved Interface "entry-removed" "Entry removed",
    /// The system call does something.
    Implemented Interface "implemented" "Implemented",
    /// The system call has an entry that only returns an error.
    Unimplemented Interface "unimplemented" "Unimplemented",
    /// Other arguments of a system call or of a raw tracepoint.
    ArgsChanged Interface "args-changed" "Arguments changed",
    /// A `KF_*` flag.
    FlagAdded Interface "flag-added" "Flag added",
    /// A `KF_*` flag that is gone.
    FlagRemoved Interface "flag-removed" "Flag removed",
    /// Another `print_fmt`.
    FormatChanged Interface "format-changed" "Format changed",
    /// Another directory below `events`.
    SystemChanged Interface "system-changed" "System changed",
    /// Another number of bytes of its first argument may be written by `raw_tp.w` programs.
    WritableChanged Interface "writable-changed" "Writable size changed",
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}

impl Serialize for What {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.id())
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for What {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "What".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let id = |what: &Self| schemars::json_schema!({ "description": what.words(), "const": what.id() });
        schemars::json_schema!({
            "description": "What can change; the ids are stable.",
            "oneOf": Self::ALL.iter().map(id).collect::<Vec<_>>(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_distinct_and_kebab_case() {
        let mut ids: Vec<&str> = What::ALL.iter().map(|what| what.id()).collect();
        assert!(ids.iter().all(|id| id.bytes().all(|byte| byte == b'-' || byte.is_ascii_lowercase())));
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), What::ALL.len());
    }
}
