//! The page as JSON: a superset of what the other forms show.
//!
//! Fields keep their order and their meaning under one [`SCHEMA`] number. Addresses are strings in hex,
//! because they exceed what many readers keep of a number.

mod indent;

use std::collections::BTreeMap;

use depsurf::kernel::Arch;
use depsurf::surface::attach::{Answer, Attach};
use depsurf::surface::function::{Function, Inline};
use depsurf::surface::meta::{Evidence, Package};
use depsurf::surface::types::{Type, TypeId};
use depsurf::surface::verdict::{Issue, Verdict};
use depsurf::surface::{Fact, Surface, c, record};
use schemars::{JsonSchema, Schema, SchemaGenerator};
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

/// The JSON Schema of a page.
#[must_use]
pub fn schema(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<Document<'_>>()
}

/// What one name is on some kernels.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Page")]
struct Document<'p> {
    /// Number of the format; changed whenever a field changes its meaning or goes.
    schema: u32,
    /// What the name names.
    kind: Kind,
    /// The name.
    name: &'p str,
    /// The kernels by group.
    groups: Vec<GroupJson<'p>>,
    /// What changed, pair by pair of the kernels that a group compares.
    differences: &'p [Differences<'p>],
}

/// Kernels that are listed under one title.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Group")]
struct GroupJson<'p> {
    /// Title of the group.
    title: &'p str,
    /// Its kernels, in the order of the page.
    kernels: Vec<EntryJson<'p>>,
}

/// One kernel on the page.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Entry")]
struct EntryJson<'p> {
    /// What the kernel is called in its group.
    label: &'p str,
    /// Which kernel it is.
    kernel: KernelJson<'p>,
    /// What it has under the name.
    #[serde(flatten)]
    state: StateJson<'p>,
}

/// What a kernel has under a name.
#[derive(Serialize, JsonSchema)]
#[serde(tag = "state", rename_all = "lowercase")]
#[schemars(rename = "State")]
enum StateJson<'p> {
    /// It has the thing.
    Present {
        /// The facts; which ones depends on the kind.
        facts: FactsJson<'p>,
    },
    /// It is known not to have it.
    Absent {
        /// What it has instead, where that helps.
        remark: Option<&'p str>,
    },
    /// The facts that would tell were not read.
    Unknown {
        /// The facts.
        fact: Fact,
        /// Why they were not read.
        reason: &'p str,
        /// What symbols and BTF tell of a function all the same; missing for other kinds, and where neither was read.
        #[serde(skip_serializing_if = "Option::is_none")]
        outline: Option<&'p crate::function::Outline<'p>>,
    },
}

/// The facts of a thing, by kind.
#[derive(Serialize, JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "Facts")]
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
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Kernel")]
pub(crate) struct KernelJson<'p> {
    /// Its name in the dataset: `6.1.176-50-cloud-amd64`.
    id: String,
    /// Upstream version: `6.1.176`.
    version: String,
    /// ABI number or release suffix; empty where there is none.
    release: &'p str,
    /// `generic`, `cloud`, `rt` ...
    flavour: &'p str,
    /// Architecture, by the distribution's word for it.
    arch: Arch,
    /// `uname -r`; `None` where the image does not tell.
    uname: Option<&'p str>,
    /// GNU build id of the image, in hex; `None` where it has none.
    build_id: Option<&'p str>,
    /// First line of `.comment`; `None` where it has none.
    compiler: Option<&'p str>,
    /// `debian`, `ubuntu` ...; `None` where neither banner nor package tell.
    distribution: Option<&'p str>,
    /// The package the image came from; `None` where it came from none.
    package: Option<&'p Package>,
    /// The kinds of facts that were not read, and why: what is missing of these may still be in the kernel.
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
            State::Unknown { fact, reason, outline } => {
                StateJson::Unknown { fact: *fact, reason, outline: outline.as_ref() }
            }
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Prototype {
    /// Return type, as C.
    pub return_type: String,
    /// Parameters in order; a last one of type `...` stands for variable arguments.
    pub params: Vec<Param>,
}

/// A parameter, an argument or a member of a list of these.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
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

/// A verdict as JSON has it.
#[derive(Serialize, JsonSchema)]
pub(crate) struct VerdictWords {
    /// Reasons why the function may not be seen as its source suggests, in the order of a page.
    issues: Vec<Issue>,
    /// How the instances relate.
    collision: &'static str,
    /// `Full`: no symbol carries the name; `Selective`: a symbol, and copies in other functions; `No`: no copies.
    inline: &'static str,
    /// Whether some symbol has a compiler suffix.
    transformed: bool,
}

pub(crate) fn verdict<S: Serializer>(verdict: &Verdict, serializer: S) -> Result<S::Ok, S::Error> {
    VerdictWords {
        issues: verdict.issues().collect(),
        collision: verdict.collision.words(),
        inline: verdict.inline.words(),
        transformed: verdict.transformed,
    }
    .serialize(serializer)
}

/// What attaching leads to, as JSON has it.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Attach")]
pub(crate) struct Answers<'p> {
    /// kprobe by name.
    kprobe: &'p Answer<'p>,
    /// kretprobe by name.
    kretprobe: &'p Answer<'p>,
    /// `fentry`.
    fentry: &'p Answer<'p>,
    /// `fexit`.
    fexit: &'p Answer<'p>,
    /// `fmod_ret`.
    fmod_ret: &'p Answer<'p>,
    /// Sleepable programs: `fentry.s`, `fexit.s`.
    sleepable: &'p Answer<'p>,
    /// What an attached program does not see all the same.
    misses: Vec<String>,
    /// The module that has the symbol: all answers are for the time that it is loaded. Missing where vmlinux has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    module: Option<&'p str>,
    /// Further modules with a symbol of the name, which is not unique while they are loaded.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    also_in: &'p [&'p str],
}

pub(crate) fn attach<S: Serializer>(function: &Function<'_>, serializer: S) -> Result<S::Ok, S::Error> {
    answers(&function.attach(), serializer)
}

pub(crate) fn answers<S: Serializer>(attach: &Attach<'_>, serializer: S) -> Result<S::Ok, S::Error> {
    Answers {
        kprobe: &attach.kprobe,
        kretprobe: &attach.kretprobe,
        fentry: &attach.fentry,
        fexit: &attach.fexit,
        fmod_ret: &attach.fmod_ret,
        sleepable: &attach.sleepable,
        misses: attach.misses.iter().map(ToString::to_string).collect(),
        module: attach.module,
        also_in: &attach.also_in,
    }
    .serialize(serializer)
}

/// An address: text, because it exceeds what many readers keep of a number.
#[derive(JsonSchema)]
#[schemars(rename = "Address")]
#[allow(dead_code, reason = "only its schema is used")]
pub(crate) struct Hex(#[schemars(regex(pattern = "^0x[0-9a-f]+$"))] String);

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
