//! Functions: facts, and how Markdown shows them.

mod edges;
mod outline;
mod terminal;

use std::fmt::{self, Write};

use depsurf::surface::attach::{Answer, Attach};
use depsurf::surface::function::{Function, Inline, InlineSite, Instance};
use depsurf::surface::symbol::{Symbol, suffixes};
use depsurf::surface::verdict::{Issue, Verdict};
use depsurf::surface::{Surface, c};
use schemars::JsonSchema;
use serde::Serialize;

pub use self::outline::Outline;
pub(crate) use self::terminal::{Shown, status, terminal};
use crate::{json, markdown};

/// A function on one kernel.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "Function")]
pub struct Facts<'a> {
    /// Name, as the page has it.
    #[serde(skip)]
    pub name: &'a str,
    /// What follows from the rest, or was imported.
    #[serde(flatten, serialize_with = "json::verdict")]
    #[schemars(with = "json::VerdictWords")]
    pub verdict: Verdict,
    /// The declaration in C, with its semicolon; `None` where no prototype is known.
    pub declaration: Option<String>,
    /// Return type and parameters.
    pub prototype: Option<json::Prototype>,
    /// Whether the kernel's own BTF is known to have a FUNC of the name.
    pub btf_func: bool,
    // Found out when it is asked for.
    /// What attaching by the name leads to, per kind of hook.
    #[serde(rename = "attach", serialize_with = "json::attach")]
    #[schemars(with = "json::Answers<'_>")]
    function: Function<'a>,
    /// In the order of the compile units.
    pub instances: Vec<InstanceFacts<'a>>,
    /// In the order of `.symtab`.
    pub symbols: Vec<SymbolFacts<'a>>,
}

/// One definition, or a declaration without one.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "Instance")]
pub struct InstanceFacts<'a> {
    /// The module that it is compiled into; missing where that is vmlinux.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub module: Option<&'a str>,
    /// Source file of the compile unit; `None` for a declaration without definition.
    pub file: Option<&'a str>,
    /// File of the declaration.
    pub decl_file: Option<&'a str>,
    /// Line of the declaration.
    pub decl_line: Option<u32>,
    /// Address of its code; `None` where it has none, or none is known.
    #[serde(serialize_with = "json::hex_option")]
    #[schemars(with = "Option<json::Hex>")]
    pub address: Option<u64>,
    /// Whether it has code of its own; `None` where that is unknown.
    pub has_code: Option<bool>,
    /// The address that an imported dataset gives and that is not in a symbol of the function: mostly that of an
    /// inlined copy.
    #[serde(serialize_with = "json::hex_option", skip_serializing_if = "Option::is_none")]
    pub address_elsewhere: Option<u64>,
    /// Whether it is visible outside its compile unit.
    pub external: bool,
    /// `DW_AT_inline` in words.
    #[serde(serialize_with = "json::inline")]
    #[schemars(with = "String")]
    pub inline: Inline,
    /// Its inlined copies, in DIE order.
    pub inlined_into: Vec<CopyFacts<'a>>,
    /// Its direct calls, in DIE order.
    pub called_by: Vec<CallerFacts<'a>>,
}

/// An inlined copy.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "Copy")]
pub struct CopyFacts<'a> {
    /// The function that contains it.
    #[serde(flatten)]
    pub caller: CallerFacts<'a>,
    /// File of the call.
    pub call_file: Option<&'a str>,
    /// Line of the call.
    pub call_line: Option<u32>,
    /// Address of the copy's first byte.
    #[serde(serialize_with = "json::hex_option")]
    #[schemars(with = "Option<json::Hex>")]
    pub address: Option<u64>,
}

/// A function that calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[schemars(rename = "Caller")]
pub struct CallerFacts<'a> {
    /// Source file of its compile unit.
    #[serde(rename = "caller_file")]
    pub file: Option<&'a str>,
    /// Its name.
    #[serde(rename = "caller")]
    pub name: &'a str,
}

/// A symbol that carries the name.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "Symbol")]
pub struct SymbolFacts<'a> {
    /// Full name.
    pub name: &'a str,
    /// `st_value`.
    #[serde(serialize_with = "json::hex")]
    #[schemars(with = "json::Hex")]
    pub address: u64,
    /// `st_size` in bytes.
    pub size: u32,
    /// ELF binding: `STB_LOCAL`, `STB_GLOBAL`, `STB_WEAK` ...
    #[serde(serialize_with = "json::binding")]
    #[schemars(with = "String")]
    pub binding: u8,
    /// Section.
    pub section: Option<&'a str>,
    /// The module that has it; missing where that is vmlinux. Its address is then a place in the file, or of a running
    /// kernel where it was loaded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub module: Option<&'a str>,
    /// What the image tells about attaching to it: `ftrace-site`, `kprobe-blacklist` ...
    #[serde(rename = "evidence", serialize_with = "json::evidence")]
    #[schemars(with = "Vec<String>")]
    pub attach: u32,
    /// What its suffixes mean for attaching; empty for the plain symbol.
    pub meaning: &'static str,
    /// What a kprobe on this symbol by its full name leads to; only for entries with a suffix where there is no
    /// plain symbol.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kprobe: Option<Answer<'a>>,
}

/// The function of a name, or what is there instead.
pub(crate) fn lookup<'a>(surface: &'a Surface, name: &'a str) -> Result<Facts<'a>, Option<String>> {
    if let Some(function) = surface.function(name) {
        return Ok(Facts::new(function, function.verdict()));
    }
    // Assembly that no C file declares has a symbol but no DIE.
    let symbol = surface.symbols_named(name).find(|symbol| symbol.elf_type() == 2);
    Err(symbol.map(|_| "not in the debug information, but there is a symbol of this name".into()))
}

impl<'a> Facts<'a> {
    /// The facts of a function, with a verdict that need not be the surface's own.
    #[must_use]
    pub fn new(function: Function<'a>, verdict: Verdict) -> Self {
        let surface = function.surface();
        let proto = function.prototype();
        let has_plain = function.symbols().any(|symbol| symbol.name() == function.name());
        let symbols = function.symbols().map(|symbol| SymbolFacts::new(surface, symbol, has_plain));
        Self {
            name: function.name(),
            verdict,
            declaration: proto.map(|proto| c::prototype(proto, function.name())),
            prototype: proto.map(json::Prototype::new),
            btf_func: function.btf_func().is_some_and(|func| surface.is_in_btf(func)),
            function,
            instances: function.instances().map(InstanceFacts::new).collect(),
            symbols: symbols.collect(),
        }
    }

    /// What attaching by the name leads to. Markdown does not tell it, and finding it out takes as long as all
    /// other facts together.
    #[must_use]
    pub fn attach(&self) -> Attach<'a> {
        self.function.attach()
    }

    /// The issues of the verdict.
    pub fn issues(&self) -> impl Iterator<Item = Issue> {
        self.verdict.issues()
    }
}

impl<'a> InstanceFacts<'a> {
    fn new(instance: Instance<'a>) -> Self {
        let declaration = instance.declaration();
        Self {
            module: instance.module(),
            file: instance.file(),
            decl_file: declaration.map(|(file, _)| file),
            decl_line: declaration.and_then(|(_, line)| line),
            address: instance.address(),
            has_code: instance.has_code(),
            address_elsewhere: instance.address_elsewhere(),
            external: instance.is_external(),
            inline: instance.inline(),
            inlined_into: instance.inline_sites().map(CopyFacts::new).collect(),
            called_by: callers(instance.callers()),
        }
    }
}

/// The facts of callers. Calls stand in the order of the callers' code, so those of one stand together.
fn callers<'a>(callers: impl ExactSizeIterator<Item = Instance<'a>>) -> Vec<CallerFacts<'a>> {
    let mut facts: Vec<CallerFacts<'a>> = Vec::with_capacity(callers.len());
    let mut last = None;
    for caller in callers {
        let repeated = facts.last().copied().filter(|_| last == Some(caller.index()));
        facts.push(repeated.unwrap_or_else(|| CallerFacts::new(caller)));
        last = Some(caller.index());
    }
    facts
}

impl<'a> CopyFacts<'a> {
    fn new(site: InlineSite<'a>) -> Self {
        let InlineSite { caller, call_file, call_line, address } = site;
        Self { caller: CallerFacts::new(caller), call_file, call_line, address }
    }
}

impl<'a> CallerFacts<'a> {
    fn new(caller: Instance<'a>) -> Self {
        Self { file: caller.file(), name: caller.name() }
    }
}

impl<'a> SymbolFacts<'a> {
    /// Whether an address lies in it.
    pub(crate) fn contains(&self, address: u64) -> bool {
        address.wrapping_sub(self.address) < u64::from(self.size.max(1))
    }

    fn new(surface: &'a Surface, symbol: Symbol<'a>, has_plain: bool) -> Self {
        let is_entry = !suffixes(symbol.name()).any(|suffix| suffix == "cold");
        Self {
            name: symbol.name(),
            address: symbol.address(),
            size: symbol.size(),
            binding: symbol.binding(),
            section: symbol.section(),
            module: symbol.module().map(|module| module.name()),
            attach: symbol.attach(),
            meaning: meaning(symbol.name(), has_plain),
            kprobe: (is_entry && !has_plain).then(|| surface.attach(symbol.name()).kprobe),
        }
    }
}

/// What the suffixes of a symbol mean for whoever attaches to the plain name.
fn meaning(symbol: &str, has_plain: bool) -> &'static str {
    // The cold part of a clone is a cold part; of several clone suffixes the strongest tells.
    let words = ["cold", "part", "isra", "constprop", "localalias", "llvm", "lto_priv"];
    let of = |word: &&str| suffixes(symbol).any(|suffix| suffix == *word);
    match (words.into_iter().find(of), has_plain) {
        (Some("cold"), _) => "cold part, moved out of line; the entry is where it was",
        (Some("part"), _) => {
            "what is left after the first part was inlined; calls that enter here are missed"
        }
        (Some("isra"), true) => "copy with changed parameters; calls that enter here are missed",
        (Some("isra"), false) => "parameters changed; not attachable by the plain name",
        (Some("constprop"), true) => "copy for constant arguments; calls that enter here are missed",
        (Some("constprop"), false) => "made for constant arguments; not attachable by the plain name",
        (Some("localalias"), _) => "alias for calls within its own file; the same code",
        (Some("llvm" | "lto_priv"), _) => "renamed by link-time optimisation",
        (_, _) if suffixes(symbol).next().is_some() => "derived by the compiler",
        _ => "",
    }
}

/// The body of a function's entry.
pub(crate) fn markdown(facts: &Facts<'_>, out: &mut String) {
    if let Some(declaration) = &facts.declaration {
        markdown::block("c", declaration, out);
        out.push('\n');
    }
    let Verdict { collision, inline, transformed } = facts.verdict;
    let transformed = if transformed { "True" } else { "False" };
    let _ = writeln!(out, "**Collision:** {}\n", collision.words());
    let _ = writeln!(out, "**Inline:** {}\n", inline.words());
    let _ = writeln!(out, "**Transformation:** {transformed}\n");
    out.push_str("**Instances:**\n\n");
    for instance in &facts.instances {
        markdown_instance(instance, out);
    }
    if !facts.symbols.is_empty() {
        out.push_str("**Symbols:**\n\n```\n");
        for symbol in &facts.symbols {
            let (start, end) = (symbol.address, symbol.address.wrapping_add(symbol.size.into()));
            let binding = markdown::binding(symbol.binding);
            let _ = writeln!(out, "{start:x}-{end:x}: {} ({binding})", symbol.name);
        }
        out.push_str("```\n");
    }
}

fn markdown_instance(instance: &InstanceFacts<'_>, out: &mut String) {
    let file = instance.file.unwrap_or("None");
    let address = instance.address.or(instance.address_elsewhere).unwrap_or(0);
    let _ = writeln!(out, "```\nIn {file} ({address:x})");
    let _ = match (instance.decl_file, instance.decl_line) {
        (Some(file), Some(line)) => writeln!(out, "Location: {file}:{line}"),
        (Some(file), None) => writeln!(out, "Location: {file}"),
        (None, _) => writeln!(out, "Location: None"),
    };
    let _ = writeln!(out, "Inline: {}", if instance.inline.is_inlined() { "True" } else { "False" });
    let mut list = |title: &str, callers: &mut dyn Iterator<Item = CallerFacts<'_>>| {
        for (index, caller) in callers.enumerate() {
            if index == 0 {
                let _ = writeln!(out, "{title}:");
            }
            let _ = writeln!(out, "  - {caller}");
        }
    };
    list("Inline callers", &mut instance.inlined_into.iter().map(|copy| copy.caller));
    list("Direct callers", &mut instance.called_by.iter().copied());
    out.push_str("```\n");
}

impl fmt::Display for CallerFacts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file.unwrap_or("None"), self.name)
    }
}
