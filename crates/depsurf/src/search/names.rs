//! The names that a surface has, each with what it names.

use crate::kind::Kind;
use crate::surface::Surface;
use crate::surface::field::fields;
use crate::surface::outline::is_entry;
use crate::surface::strings::{StrId, Strings};
use crate::surface::symbol::base_name;
use crate::surface::syscall::EVENT_SYSTEM;
use crate::surface::types::{Type, TypeKind};

/// What a name names: a [`Kind`], or something that is looked at on the page of one. The numbers are part of
/// the index' format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
#[allow(missing_docs, reason = "most are the kinds of the same name")]
pub enum What {
    Function = 0,
    Struct = 1,
    Union = 2,
    Enum = 3,
    /// A value of an enum.
    Enumerator = 4,
    Field = 5,
    Tracepoint = 6,
    Lsm = 7,
    Kfunc = 8,
    Syscall = 9,
    Config = 10,
    /// Code that has a symbol and no debug information, as assembly.
    Symbol = 11,
}

impl What {
    /// All; the index is the number.
    pub const ALL: [Self; 12] = [
        Self::Function,
        Self::Struct,
        Self::Union,
        Self::Enum,
        Self::Enumerator,
        Self::Field,
        Self::Tracepoint,
        Self::Lsm,
        Self::Kfunc,
        Self::Syscall,
        Self::Config,
        Self::Symbol,
    ];

    /// The kind of page it is on.
    #[must_use]
    pub fn kind(self) -> Kind {
        match self {
            Self::Function | Self::Symbol => Kind::Function,
            Self::Struct => Kind::Struct,
            Self::Union => Kind::Union,
            Self::Enum | Self::Enumerator => Kind::Enum,
            Self::Field => Kind::Field,
            Self::Tracepoint => Kind::Tracepoint,
            Self::Lsm => Kind::Lsm,
            Self::Kfunc => Kind::Kfunc,
            Self::Syscall => Kind::Syscall,
            Self::Config => Kind::Config,
        }
    }

    /// The word for it, in output and JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Enumerator => "enumerator",
            Self::Symbol => "symbol",
            _ => self.kind().name(),
        }
    }

    /// What stands between the name and the one it belongs to; `None` where it belongs to none.
    #[must_use]
    pub fn separator(self) -> Option<&'static str> {
        match self {
            Self::Field | Self::Enumerator => Some("::"),
            Self::Tracepoint => Some(":"),
            _ => None,
        }
    }
}

/// Stands for "belongs to none".
const NONE: u32 = StrId::EMPTY.0;

/// The names of one surface.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// Each name once.
    pub strings: Strings,
    /// What is named, the name, and the name of what it belongs to, as offsets into `strings`; sorted, each once.
    pub entries: Vec<(What, u32, u32)>,
}

impl Names {
    /// Reads the names of a surface.
    pub(super) fn of(surface: &Surface) -> Self {
        let mut names = Self::default();
        for function in surface.functions() {
            names.add(What::Function, NONE, function.name());
        }
        surface.outlines().into_iter().for_each(|name| names.add(What::Function, NONE, name));
        names.symbols(surface);
        for found in surface.types().named() {
            names.of_type(found);
        }
        for tracepoint in surface.tracepoints() {
            let system = names.intern(tracepoint.system().unwrap_or_default());
            names.add(What::Tracepoint, system, tracepoint.name());
        }
        let system = names.intern(EVENT_SYSTEM);
        for event in surface.syscall_events() {
            names.add(What::Tracepoint, system, &event.name());
        }
        surface.lsm_hooks().for_each(|hook| names.add(What::Lsm, NONE, hook.name()));
        surface.kfuncs().for_each(|kfunc| names.add(What::Kfunc, NONE, kfunc.name()));
        surface.syscalls().for_each(|syscall| names.add(What::Syscall, NONE, syscall.name()));
        surface.configs().for_each(|config| names.add(What::Config, NONE, config.name));
        names.entries.sort_unstable();
        names.entries.dedup();
        names
    }

    fn intern(&mut self, name: &str) -> u32 {
        self.strings.intern(name.as_bytes()).0
    }

    fn add(&mut self, what: What, outer: u32, name: &str) {
        if !name.is_empty() {
            let name = self.intern(name);
            self.entries.push((what, name, outer));
        }
    }

    /// Code that the debug information does not tell of.
    fn symbols(&mut self, surface: &Surface) {
        // So far there are only the names of functions.
        let functions = self.strings.bytes().len() as u32;
        let is_function = |names: &Self, name| names.strings.find(name).is_some_and(|id| id.0 < functions);
        for symbol in surface.symbols().filter(|symbol| symbol.is_function()) {
            let name = symbol.name();
            if is_entry(name) && !is_function(self, base_name(name)) {
                self.add(What::Symbol, NONE, name);
            }
        }
    }

    fn of_type(&mut self, found: Type<'_>) {
        let what = match found.kind() {
            TypeKind::Struct => What::Struct,
            TypeKind::Union => What::Union,
            TypeKind::Enum | TypeKind::Enum64 => What::Enum,
            TypeKind::Typedef => return self.of_typedef(found),
            _ => return,
        };
        self.add(what, NONE, found.name());
        self.parts(found.name(), found);
    }

    /// `typedef struct { int counter; } atomic_t`: the type has no other name.
    fn of_typedef(&mut self, found: Type<'_>) {
        let target = found.target().map(|target| target.stripped(false));
        if let Some(target) = target.filter(|target| target.name().is_empty()) {
            self.parts(found.name(), target);
        }
    }

    /// Members and values.
    fn parts(&mut self, outer: &str, of: Type<'_>) {
        let outer = self.intern(outer);
        for value in of.enumerators() {
            self.add(What::Enumerator, outer, value.name);
        }
        for field in fields(of) {
            // What has no name is counted: `(anon-1)`.
            if field.name.starts_with('(') {
                continue;
            }
            self.add(What::Field, outer, &field.name);
            let inner = field.ty.stripped(false);
            // Members of a member whose type has no name are reached through it only.
            if inner.name().is_empty() && matches!(inner.kind(), TypeKind::Struct | TypeKind::Union) {
                for below in fields(inner).iter().filter(|below| !below.name.starts_with('(')) {
                    self.add(What::Field, outer, &format!("{}.{}", field.name, below.name));
                }
            }
        }
    }
}
