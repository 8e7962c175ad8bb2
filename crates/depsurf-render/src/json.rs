//! The page as JSON: a superset of what the other forms show.
//!
//! Fields keep their order and their meaning under one [`SCHEMA`] number. Addresses are strings in hex,
//! because they exceed what many readers keep of a number.

mod indent;

use std::collections::BTreeMap;

use depsurf::kernel::Arch;
use depsurf::surface::function::{Function, Inline};
use depsurf::surface::meta::{Evidence, Package};
use depsurf::surface::types::{Type, TypeId};
use depsurf::surface::verdict::{Issue, Verdict};
use depsurf::surface::{Fact, Surface, c, record};
use serde::ser::SerializeSeq;
use serde::{Serialize, Serializer};

use crate::differences::Differences;
use crate::page::{Entry, Facts, Page, Section, State};
use depsurf::Kind;

/// Number of the format; changed whenever a field changes its meaning or goes.
pub const SCHEMA: u32 = 1;

/// The page as JSON, indented, with a newline at its end.
#[must_use]
pub fn page(page: &Page<'_>) -> String {
    let groups = page.groups.iter().map(GroupJson::new).collect();
    let differences = &page.differences;
    let document = Document { schema: SCHEMA, kind: page.kind, name: &page.name, groups, differences };
    indent::to_string(&document) + "\n"
}

#[derive(Serialize)]
struct Document<'p> {
    schema: u32,
    kind: Kind,
    name: &'p str,
    groups: Vec<GroupJson<'p>>,
    differences: &'p [Differences<'p>],
}

#[derive(Serialize)]
struct GroupJson<'p> {
    title: &'p str,
    kernels: Vec<EntryJson<'p>>,
}

#[derive(Serialize)]
struct EntryJson<'p> {
    label: &'p str,
    kernel: KernelJson<'p>,
    #[serde(flatten)]
    state: StateJson<'p>,
}

#[derive(Serialize)]
#[serde(tag = "state", rename_all = "lowercase")]
enum StateJson<'p> {
    Present { facts: FactsJson<'p> },
    Absent { remark: Option<&'p str> },
    Unknown { fact: Fact, reason: &'p str },
}

#[derive(Serialize)]
#[serde(untagged)]
enum FactsJson<'p> {
    Function(&'p crate::function::Facts<'p>),
    Type(&'p crate::types::Facts<'p>),
    Field(&'p crate::field::Facts<'p>),
    Tracepoint(&'p crate::tracepoint::Facts<'p>),
    Lsm(&'p crate::lsm::Facts),
    Kfunc(&'p crate::kfunc::Facts<'p>),
    Syscall(&'p crate::syscall::Facts<'p>),
    Config(&'p crate::config::Facts<'p>),
}

/// The identity of a kernel, and what could not be read of it.
#[derive(Serialize)]
pub(crate) struct KernelJson<'p> {
    id: String,
    version: String,
    release: &'p str,
    flavour: &'p str,
    arch: Arch,
    uname: Option<&'p str>,
    build_id: Option<&'p str>,
    compiler: Option<&'p str>,
    distribution: Option<&'p str>,
    package: Option<&'p Package>,
    unknown: BTreeMap<Fact, &'p str>,
}

impl<'p> GroupJson<'p> {
    fn new(group: &'p Section<'_>) -> Self {
        Self { title: &group.title, kernels: group.entries.iter().map(EntryJson::new).collect() }
    }
}

impl<'p> EntryJson<'p> {
    fn new(entry: &'p Entry<'_>) -> Self {
        let state = match &entry.state {
            State::Present(facts) => StateJson::Present { facts: FactsJson::new(facts) },
            State::Absent { remark } => StateJson::Absent { remark: remark.as_deref() },
            State::Unknown { fact, reason } => StateJson::Unknown { fact: *fact, reason },
        };
        Self { label: &entry.label, kernel: KernelJson::new(entry.surface), state }
    }
}

impl<'p> FactsJson<'p> {
    fn new(facts: &'p Facts<'_>) -> Self {
        match facts {
            Facts::Function(facts) => Self::Function(facts),
            Facts::Type(facts) => Self::Type(facts),
            Facts::Field(facts) => Self::Field(facts),
            Facts::Tracepoint(facts) => Self::Tracepoint(facts),
            Facts::Lsm(facts) => Self::Lsm(facts),
            Facts::Kfunc(facts) => Self::Kfunc(facts),
            Facts::Syscall(facts) => Self::Syscall(facts),
            Facts::Config(facts) => Self::Config(facts),
        }
    }
}

impl<'p> KernelJson<'p> {
    pub(crate) fn new(surface: &'p Surface) -> Self {
        let meta = surface.meta();
        let kernel = &meta.kernel;
        let unread = |(fact, evidence): (&Fact, &'p Evidence)| match evidence {
            Evidence::Known { .. } => None,
            Evidence::Unknown { reason } => Some((*fact, reason.as_str())),
        };
        Self {
            id: kernel.to_string(),
            version: kernel.version.to_string(),
            release: &kernel.release,
            flavour: &kernel.flavour,
            arch: kernel.arch,
            uname: meta.uname.as_deref(),
            build_id: meta.build_id.as_deref(),
            compiler: meta.compiler.as_deref(),
            distribution: meta.distribution.as_deref(),
            package: meta.package.as_ref(),
            unknown: meta.evidence.iter().filter_map(unread).collect(),
        }
    }
}

/// A FUNC_PROTO in parts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Prototype {
    /// Return type, as C.
    pub return_type: String,
    /// Parameters in order; a last one of type `...` stands for variable arguments.
    pub params: Vec<Param>,
}

/// A parameter, an argument or a member of a list of these.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Param {
    /// Name; `None` where there is none.
    pub name: Option<String>,
    /// Type, as C.
    #[serde(rename = "type")]
    pub type_name: String,
    /// Type and name, as C.
    #[serde(skip)]
    pub declaration: String,
}

impl Prototype {
    /// The parts of a FUNC_PROTO.
    #[must_use]
    pub fn new(proto: Type<'_>) -> Self {
        let param = |param: depsurf::surface::types::Param<'_>| {
            // BTF writes the `...` at the end as a parameter of type void.
            let found = proto.types().get(param.type_id).filter(|found| found.id() != TypeId::VOID);
            Param {
                name: Some(param.name).filter(|name| !name.is_empty()).map(Into::into),
                type_name: found.map_or_else(|| "...".into(), type_name),
                declaration: found.map_or_else(|| "...".into(), |found| c::declaration(found, param.name)),
            }
        };
        Self {
            return_type: proto.target().map_or_else(|| "void".into(), type_name),
            params: proto.params().map(param).collect(),
        }
    }
}

/// A type as C, without a name declared.
pub(crate) fn type_name(found: Type<'_>) -> String {
    c::declaration(found, "").trim_end().to_owned()
}

pub(crate) fn verdict<S: Serializer>(verdict: &Verdict, serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Words {
        issues: Vec<Issue>,
        collision: &'static str,
        inline: &'static str,
        transformed: bool,
    }
    Words {
        issues: verdict.issues().collect(),
        collision: verdict.collision.words(),
        inline: verdict.inline.words(),
        transformed: verdict.transformed,
    }
    .serialize(serializer)
}

pub(crate) fn attach<S: Serializer>(function: &Function<'_>, serializer: S) -> Result<S::Ok, S::Error> {
    use depsurf::surface::attach::Answer;
    #[derive(Serialize)]
    struct Answers<'p> {
        kprobe: &'p Answer<'p>,
        kretprobe: &'p Answer<'p>,
        fentry: &'p Answer<'p>,
        fexit: &'p Answer<'p>,
        fmod_ret: &'p Answer<'p>,
        sleepable: &'p Answer<'p>,
        misses: Vec<String>,
    }
    let attach = function.attach();
    Answers {
        kprobe: &attach.kprobe,
        kretprobe: &attach.kretprobe,
        fentry: &attach.fentry,
        fexit: &attach.fexit,
        fmod_ret: &attach.fmod_ret,
        sleepable: &attach.sleepable,
        misses: attach.misses.iter().map(ToString::to_string).collect(),
    }
    .serialize(serializer)
}

pub(crate) fn hex<S: Serializer>(address: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{address:#x}"))
}

pub(crate) fn hex_option<S: Serializer>(address: &Option<u64>, serializer: S) -> Result<S::Ok, S::Error> {
    match address {
        Some(address) => hex(address, serializer),
        None => serializer.serialize_none(),
    }
}

pub(crate) fn inline<S: Serializer>(inline: &Inline, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(inline.words())
}

pub(crate) fn binding<S: Serializer>(binding: &u8, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(crate::markdown::binding(*binding))
}

/// Names of the `record::ATTACH_*` bits.
const EVIDENCE: [(u32, &str); 9] = [
    (record::ATTACH_FTRACE, "ftrace-site"),
    (record::ATTACH_BLACKLIST, "kprobe-blacklist"),
    (record::ATTACH_KPROBES_TEXT, "kprobes-text"),
    (record::ATTACH_NOINSTR, "noinstr-text"),
    (record::ATTACH_ENTRY, "entry-text"),
    (record::ATTACH_INIT, "init-text"),
    (record::ATTACH_EXPORTED, "exported"),
    (record::ATTACH_EXPORTED_GPL, "exported-gpl"),
    (record::ATTACH_ERROR_INJECTION, "error-injection"),
];

pub(crate) fn evidence<S: Serializer>(attach: &u32, serializer: S) -> Result<S::Ok, S::Error> {
    let mut list = serializer.serialize_seq(None)?;
    for (_, name) in EVIDENCE.iter().filter(|(bit, _)| attach & bit != 0) {
        list.serialize_element(name)?;
    }
    list.end()
}
