//! The page: what is known of one name on some kernels. Decided here once, drawn elsewhere.

use depsurf::diff::Pair;
use depsurf::surface::{Fact, Surface};

use crate::differences::Differences;
use crate::{config, field, function, kfunc, lsm, syscall, tracepoint, types};
use depsurf::Kind;

/// Kernels that are listed under one title.
#[derive(Debug, Clone)]
pub struct Group<'a> {
    /// `Regular`, `Arch`, `Flavor`, or what the caller chose.
    pub title: String,
    /// Its kernels, in the order of the page.
    pub kernels: Vec<Kernel<'a>>,
    /// The kernel that each of them is compared with; `None` where neighbours are compared.
    pub base: Option<Kernel<'a>>,
}

impl<'a> Group<'a> {
    /// The pairs that are compared, old and new: neighbours, or the base and each kernel.
    pub fn pairs(&self) -> impl Iterator<Item = (&Kernel<'a>, &Kernel<'a>)> {
        let neighbours = self.kernels.windows(2).filter(|_| self.base.is_none());
        let neighbours = neighbours.map(|pair| (&pair[0], &pair[1]));
        let based = self.base.iter().flat_map(|base| self.kernels.iter().map(move |kernel| (base, kernel)));
        neighbours.chain(based)
    }
}

/// A kernel and what it is called on the page.
#[derive(Debug, Clone)]
pub struct Kernel<'a> {
    /// `6.12`, `arm64`, or the whole name.
    pub label: String,
    /// Its surface.
    pub surface: &'a Surface,
}

/// One name on some kernels.
#[derive(Debug, Clone)]
pub struct Page<'a> {
    /// What the name names.
    pub kind: Kind,
    /// The name.
    pub name: String,
    /// The kernels by group, as they were given.
    pub groups: Vec<Section<'a>>,
    /// What changed between the kernels that each group compares.
    pub differences: Vec<Differences<'a>>,
}

/// A group on the page.
#[derive(Debug, Clone)]
pub struct Section<'a> {
    /// The group's title.
    pub title: String,
    /// One entry per kernel.
    pub entries: Vec<Entry<'a>>,
}

/// One kernel on the page.
#[derive(Debug, Clone)]
pub struct Entry<'a> {
    /// What the kernel is called.
    pub label: String,
    /// Its surface.
    pub surface: &'a Surface,
    /// What it has under the name.
    pub state: State<'a>,
}

/// What a kernel has under a name.
#[derive(Debug, Clone)]
#[allow(clippy::large_enum_variant, reason = "a page has one per kernel")]
pub enum State<'a> {
    /// It has the thing.
    Present(Facts<'a>),
    /// It is known not to have it.
    Absent {
        /// What it has instead, where that helps.
        remark: Option<String>,
    },
    /// The facts that would tell were not read.
    Unknown {
        /// The facts.
        fact: Fact,
        /// Why they were not read.
        reason: &'a str,
        /// What is known of a function all the same.
        outline: Option<function::Outline<'a>>,
    },
}

/// The facts of a present thing.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "each holds the facts of the kind with the same name")]
#[allow(clippy::large_enum_variant, reason = "a page has one per kernel")]
pub enum Facts<'a> {
    Function(function::Facts<'a>),
    /// A struct, a union or an enum.
    Type(types::Facts<'a>),
    Field(field::Facts<'a>),
    Tracepoint(tracepoint::Facts<'a>),
    Lsm(lsm::Facts),
    Kfunc(kfunc::Facts<'a>),
    Syscall(syscall::Facts<'a>),
    Config(config::Facts<'a>),
}

impl State<'_> {
    /// Whether the kernel has it, or what tells of it.
    fn is_there(&self) -> bool {
        match self {
            Self::Present(_) => true,
            Self::Absent { .. } => false,
            Self::Unknown { outline, .. } => outline.as_ref().is_some_and(function::Outline::is_there),
        }
    }
}

impl<'a> Page<'a> {
    /// Looks a name up on every kernel.
    #[must_use]
    pub fn decide(kind: Kind, name: &'a str, groups: &[Group<'a>]) -> Self {
        let section = |group: &Group<'a>| Section {
            title: group.title.clone(),
            entries: group.kernels.iter().map(|kernel| entry(kind, name, kernel)).collect(),
        };
        let name_of_all = canonical(kind, name);
        let differences = Differences::of(kind, &name_of_all, groups);
        let mut groups: Vec<Section<'a>> = groups.iter().map(section).collect();
        leave_open(kind, name, &mut groups);
        Self { kind, name: name_of_all, groups, differences }
    }

    /// All entries, group by group.
    pub fn entries(&self) -> impl Iterator<Item = &Entry<'a>> {
        self.groups.iter().flat_map(|group| &group.entries)
    }

    /// Whether some kernel has the thing, or what tells of it.
    #[must_use]
    pub fn is_somewhere(&self) -> bool {
        self.entries().any(|entry| entry.state.is_there())
    }
}

/// Makes unknown what only modules of another kernel have, where modules were not read.
fn leave_open<'a>(kind: Kind, name: &'a str, groups: &mut [Section<'a>]) {
    let entries = || groups.iter().flat_map(|group| &group.entries);
    let with_modules = entries().filter(|entry| entry.state.is_there()).map(|entry| entry.surface);
    let with_modules: Vec<&Surface> = with_modules.filter(|surface| surface.modules().len() != 0).collect();
    for entry in groups.iter_mut().flat_map(|group| &mut group.entries) {
        let reason = entry.surface.meta().unknown_because(Fact::Modules);
        let is_absent = matches!(entry.state, State::Absent { .. });
        if let Some(reason) = reason.filter(|_| is_absent)
            && with_modules.iter().any(|other| Pair::new(other, entry.surface).overlooks(kind, name))
        {
            entry.state = State::Unknown { fact: Fact::Modules, reason, outline: None };
        }
    }
}

/// The name as surfaces have it: options have their `CONFIG_`.
fn canonical(kind: Kind, name: &str) -> String {
    match kind {
        Kind::Config if !name.starts_with("CONFIG_") => format!("CONFIG_{name}"),
        _ => name.to_owned(),
    }
}

fn entry<'a>(kind: Kind, name: &'a str, kernel: &Kernel<'a>) -> Entry<'a> {
    let surface = kernel.surface;
    let state = match lookup(kind, name, surface) {
        Ok(facts) => State::Present(facts),
        Err(remark) => absent(kind, name, surface, remark),
    };
    Entry { label: kernel.label.clone(), surface, state }
}

/// The facts, or a remark on what is there instead.
fn lookup<'a>(kind: Kind, name: &'a str, surface: &'a Surface) -> Result<Facts<'a>, Option<String>> {
    let found = match kind {
        Kind::Function => {
            return function::lookup(surface, name).map(Facts::Function);
        }
        Kind::Field => return field::lookup(surface, name).map(Facts::Field),
        Kind::Struct | Kind::Union | Kind::Enum => {
            return types::lookup(surface, kind, name).map(Facts::Type);
        }
        Kind::Tracepoint => return tracepoint::lookup(surface, name).map(Facts::Tracepoint),
        Kind::Lsm => lsm::lookup(surface, name).map(Facts::Lsm),
        Kind::Kfunc => kfunc::lookup(surface, name).map(Facts::Kfunc),
        Kind::Syscall => syscall::lookup(surface, name).map(Facts::Syscall),
        Kind::Config => return config::lookup(surface, name).map(Facts::Config),
    };
    found.ok_or(None)
}

/// Absent is only what cannot have been overlooked.
fn absent<'a>(kind: Kind, name: &'a str, surface: &'a Surface, remark: Option<String>) -> State<'a> {
    let special = if kind == Kind::Tracepoint { tracepoint::needed(surface, name) } else { None };
    let unread = match special {
        Some(facts) => surface.first_unread(facts),
        None => surface.unread(kind),
    };
    if let Some((fact, reason)) = unread.or_else(|| types::undefined(surface, kind, name)) {
        let outline = (kind == Kind::Function).then(|| function::Outline::of(surface, name)).flatten();
        return State::Unknown { fact, reason, outline };
    }
    let second = || {
        let (fact, words) = kind.second_place()?;
        let reason = surface.meta().unknown_because(fact)?;
        Some(format!("{words}; {} could not be read ({reason})", fact.words()))
    };
    let hook = || (kind == Kind::Lsm).then(|| lsm::without_function(surface, name)).flatten();
    State::Absent { remark: remark.or_else(second).or_else(hook) }
}
