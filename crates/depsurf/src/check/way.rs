//! Ways out of a finding, as far as the same kernel shows them: what else to hook, what to test for first.
//!
//! All of them are looked up, none is guessed from versions: that a caller can be hooked is what the kernel's own checks
//! say of it. Whether what is found there is what the program wants is for people to judge.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use serde::Serialize;

use super::report::Finding;
use super::rules::Rule;
use super::types::RELOCATIONS;
use crate::surface::Surface;
use crate::surface::field::{fields, outer_types, split};
use crate::surface::types::TypeKind;

/// Callers that are named; a function with more is no help.
const CALLERS: usize = 6;

/// What kind of thing helps. The order is that of preference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum WayKind {
    /// A tracepoint in the same function.
    Tracepoint,
    /// An LSM hook in the same function.
    LsmHook,
    /// The same function, through another kind of hook.
    OtherHook,
    /// What the thing may be called here.
    Successor,
    /// A function that calls it, or that holds a copy.
    Caller,
    /// A symbol with a compiler suffix.
    SuffixedSymbol,
    /// The kernel's types in a file.
    TypesInFile,
    /// A test to put in front of it.
    Guard,
    /// Another way to write it.
    Rewrite,
}

/// A way out.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Way {
    /// What kind of thing helps.
    pub kind: WayKind,
    /// What to do, in a line.
    pub text: String,
    /// C to paste; none where there is nothing to paste.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}

impl Way {
    fn new(kind: WayKind, text: impl Into<String>) -> Self {
        Self { kind, text: text.into(), code: None }
    }

    fn with(mut self, code: impl Into<String>) -> Self {
        self.code = Some(code.into());
        self
    }
}

/// What is in which function, turned round when it is first asked for.
#[derive(Debug, Default)]
pub(super) struct Inside {
    tracepoints: OnceLock<BTreeMap<String, BTreeSet<String>>>,
    hooks: OnceLock<BTreeMap<String, BTreeSet<String>>>,
}

impl Inside {
    /// Tracepoints in a function: the inline function `trace_NAME` is copied to where the event is.
    fn tracepoints(&self, surface: &Surface, function: &str) -> Vec<String> {
        let all = self.tracepoints.get_or_init(|| {
            let mut all: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
            for event in surface.tracepoints() {
                let name = format!("trace_{}", event.name());
                let Some(found) = surface.function(&name) else { continue };
                for site in found.instances().flat_map(|instance| instance.inline_sites()) {
                    if let Some(function) = site.caller.function() {
                        let name = event.name().to_owned();
                        all.entry(function.name().to_owned()).or_default().insert(name);
                    }
                }
            }
            all
        });
        all.get(function).map(|found| found.iter().cloned().collect()).unwrap_or_default()
    }

    /// LSM hooks that programs can attach to and that a function calls, through `security_NAME`.
    fn hooks(&self, surface: &Surface, function: &str) -> Vec<String> {
        let all = self.hooks.get_or_init(|| {
            let mut all: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
            for hook in surface.lsm_hooks().filter(|hook| hook.is_attachable() == Some(true)) {
                let Some(found) = surface.function(&format!("security_{}", hook.name())) else { continue };
                for caller in found.instances().flat_map(|instance| instance.callers()) {
                    if let Some(function) = caller.function() {
                        let name = hook.name().to_owned();
                        all.entry(function.name().to_owned()).or_default().insert(name);
                    }
                }
            }
            all
        });
        all.get(function).map(|found| found.iter().cloned().collect()).unwrap_or_default()
    }
}

/// The ways out of a finding on a kernel, the preferred ones first.
pub(super) fn ways(surface: &Surface, inside: &Inside, finding: &Finding) -> Vec<Way> {
    let mut ways = match finding.rule {
        Rule::NoKernelBtf if finding.subject == RELOCATIONS => vec![types_in_file(surface)],
        Rule::NoSymbol
        | Rule::FullyInlined
        | Rule::OnlySuffixedSymbols
        | Rule::SeveralSymbols
        | Rule::Blacklisted
        | Rule::NoFtraceSite
        | Rule::NoBtfFunc
        | Rule::NoKernelBtf
        | Rule::NoFuncAddress
        | Rule::NoTrampoline
        | Rule::SignatureNotTraceable
        | Rule::DenyListed
        | Rule::NoReturn
        | Rule::NotSleepable
        | Rule::InlinedCopies
        | Rule::PartialClone => of_function(surface, inside, finding),
        Rule::FieldAbsent => of_field(surface, &finding.subject),
        Rule::NoHelper => {
            let helper = finding.subject.trim_start_matches("bpf_");
            let code = format!("if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_{helper}))");
            vec![Way::new(WayKind::Guard, "test for the helper first").with(code)]
        }
        Rule::NoKfunc | Rule::UnresolvedCall => {
            let code = format!("if (bpf_ksym_exists({}))", finding.subject);
            vec![Way::new(WayKind::Guard, "declare it `__weak` and test for it first").with(code)]
        }
        Rule::SpilledPointerLost => vec![
            Way::new(
                WayKind::Rewrite,
                format!(
                    "hand `{}` the address of a copy, and go on with the pointer itself",
                    finding.subject
                ),
            )
            .with("__u64 copy = (__u64)pointer;"),
            Way::new(WayKind::Rewrite, "read the argument from the context again, behind the call"),
        ],
        Rule::EnumeratorAbsent => guard_of_enumerator(&finding.subject).into_iter().collect(),
        _ => Vec::new(),
    };
    ways.sort();
    ways.dedup();
    ways
}

/// For CO-RE the kernel's types may come from a file, as long as nothing else needs BTF.
fn types_in_file(surface: &Surface) -> Way {
    let kernel = surface.kernel();
    let text = format!("give libbpf the kernel's types: depsurf export btf {kernel} -o {kernel}.btf");
    Way::new(WayKind::TypesInFile, text)
        .with(format!("LIBBPF_OPTS(bpf_object_open_opts, opts, .btf_custom_path = \"{kernel}.btf\");"))
}

fn of_function(surface: &Surface, inside: &Inside, finding: &Finding) -> Vec<Way> {
    let name = finding.subject.as_str();
    let mut ways = Vec::new();
    let attaches = |name: &str| surface.attach(name).kprobe.is_yes();
    for event in inside.tracepoints(surface, name) {
        ways.push(Way::new(WayKind::Tracepoint, format!("raw tracepoint `{event}` is in the function")));
    }
    for hook in inside.hooks(surface, name) {
        ways.push(Way::new(WayKind::LsmHook, format!("LSM hook `{hook}` is called by the function")));
    }
    let misses = matches!(finding.rule, Rule::InlinedCopies | Rule::PartialClone);
    let of_tracing = matches!(
        finding.rule,
        Rule::NoBtfFunc
            | Rule::NoKernelBtf
            | Rule::NoTrampoline
            | Rule::SignatureNotTraceable
            | Rule::DenyListed
            | Rule::NoReturn
    );
    if of_tracing && attaches(name) {
        ways.push(Way::new(WayKind::OtherHook, format!("a kprobe on `{name}` attaches")));
    }
    let Some(function) = surface.function(name) else {
        ways.extend(spelled_otherwise(surface, name));
        return ways;
    };
    if !misses {
        let suffixed = function.symbols().filter(|symbol| symbol.name() != name && attaches(symbol.name()));
        ways.extend(suffixed.map(|symbol| {
            let text = format!("a kprobe on `{}` attaches; arguments may have moved or gone", symbol.name());
            Way::new(WayKind::SuffixedSymbol, text)
        }));
    }
    let mut callers = BTreeSet::new();
    for instance in function.instances() {
        let copies = instance.inline_sites().map(|site| site.caller);
        // Where only copies are missed, calls are not what is looked for.
        let calls = instance.callers().filter(|_| !misses);
        let names = copies.chain(calls).filter_map(|caller| caller.function()).map(|caller| caller.name());
        callers.extend(names.filter(|caller| *caller != name));
    }
    let hooked: Vec<&str> = callers.iter().copied().filter(|caller| attaches(caller)).collect();
    if !hooked.is_empty() && hooked.len() <= CALLERS {
        let all = if hooked.len() == callers.len() { "all" } else { "some" };
        let text = format!("hook what has it: `{}` ({all} of its callers)", hooked.join("`, `"));
        ways.push(Way::new(WayKind::Caller, text));
    }
    // An inlined function's event is in the functions that hold the copies.
    let events: BTreeSet<String> =
        callers.iter().flat_map(|caller| inside.tracepoints(surface, caller)).collect();
    if !misses && ways.iter().all(|way| way.kind != WayKind::Tracepoint) && (1..=2).contains(&events.len()) {
        let names = events.into_iter().collect::<Vec<_>>().join("`, `");
        ways.push(Way::new(WayKind::Tracepoint, format!("raw tracepoints in its callers: `{names}`")));
    }
    ways
}

/// The same name with other underscores, where that can be hooked.
fn spelled_otherwise(surface: &Surface, name: &str) -> Vec<Way> {
    let bare = name.trim_matches('_');
    let names = [bare.to_owned(), format!("_{bare}"), format!("__{bare}"), format!("do_{bare}")];
    let found = names.iter().filter(|other| other.as_str() != name && surface.attach(other).kprobe.is_yes());
    found
        .map(|other| Way::new(WayKind::Successor, format!("there is `{other}`, where a kprobe attaches")))
        .collect()
}

/// A field that is not there: what it may be called, and how to test for it.
fn of_field(surface: &Surface, path: &str) -> Vec<Way> {
    let Some((outer, rest)) = split(path) else { return Vec::new() };
    let member = rest.rsplit('.').next().unwrap_or(rest);
    let mut ways = Vec::new();
    let limit = surface.meta().btf_types;
    let bare = member.trim_matches('_');
    let types = outer_types(surface, outer).filter(|found| found.id().0 < limit);
    let others: BTreeSet<String> = types
        .flat_map(|found| fields(found).into_iter().map(|field| field.name.into_owned()).collect::<Vec<_>>())
        .filter(|other| other != member && other.trim_matches('_') == bare)
        .collect();
    for other in others {
        let keyword = keyword(surface, outer);
        let code = format!(
            "{keyword} {outer}___renamed {{ typeof((({keyword} {outer} *)0)->{member}) {other}; }} \
             __attribute__((preserve_access_index));"
        );
        let text = format!("the member is called `{other}` here; read it through a flavour");
        ways.push(Way::new(WayKind::Successor, text).with(code));
    }
    let code = format!("if (bpf_core_field_exists((({} {outer} *)0)->{rest}))", keyword(surface, outer));
    ways.push(Way::new(WayKind::Guard, "test for the field first").with(code));
    ways
}

fn keyword(surface: &Surface, outer: &str) -> &'static str {
    let is_union = surface.types().with_essential_name(outer).any(|found| found.kind() == TypeKind::Union);
    if is_union { "union" } else { "struct" }
}

/// `enum pid_type::PIDTYPE_PID`.
fn guard_of_enumerator(path: &str) -> Option<Way> {
    let (list, value) = path.split_once("::")?;
    let code = format!("if (bpf_core_enum_value_exists({list}, {value}))");
    Some(Way::new(WayKind::Guard, "test for the enumerator first").with(code))
}
