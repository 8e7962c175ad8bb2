//! Functions whose debug information was not read: what symbols and BTF tell of them.

use std::fmt::Write;

use depsurf::surface::attach::Attach;
use depsurf::surface::{self, Fact, Surface, c};
use schemars::JsonSchema;
use serde::Serialize;

use super::SymbolFacts;
use super::terminal::{Shown, attach_rows};
use crate::{json, markdown};

/// What is known of a function on a kernel whose debug information was not read.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Outline<'a> {
    // Whoever draws asks it for what was not read.
    #[serde(skip)]
    of: surface::Outline<'a>,
    /// The declaration in C by the kernel's BTF, with its semicolon; `None` where that has no FUNC of the name.
    pub declaration: Option<String>,
    /// Return type and parameters, from the same place.
    pub prototype: Option<json::Prototype>,
    /// Whether the kernel's own BTF is known to have a FUNC of the name.
    pub btf_func: bool,
    /// What attaching by the name leads to, per kind of hook.
    #[serde(serialize_with = "json::answers")]
    #[schemars(with = "json::Answers<'_>")]
    pub attach: Attach<'a>,
    /// In the order of the kernel's table.
    pub symbols: Vec<SymbolFacts<'a>>,
}

impl<'a> Outline<'a> {
    /// What is known of a name; `None` where neither symbols nor BTF were read, and where debug information was.
    pub(crate) fn of(surface: &'a Surface, name: &'a str) -> Option<Self> {
        let of = surface.outline(name)?;
        let (func, symbols) = (of.btf_func(), of.symbols());
        let proto = func.and_then(surface::Type::target);
        let has_plain = symbols.iter().any(|symbol| symbol.name() == name);
        Some(Self {
            of,
            declaration: proto.map(|proto| c::prototype(proto, name)),
            prototype: proto.map(json::Prototype::new),
            btf_func: func.is_some(),
            attach: of.attach(),
            symbols: symbols.into_iter().map(|it| SymbolFacts::new(surface, it, has_plain)).collect(),
        })
    }

    /// Whether a symbol or a FUNC has the name.
    pub(crate) fn is_there(&self) -> bool {
        self.btf_func || !self.symbols.is_empty()
    }

    /// Whether symbols were read, so that one that is missing is not there.
    pub(super) fn knows_symbols(&self) -> bool {
        self.of.surface().meta().knows(Fact::Symbols)
    }

    /// Why a module may have a symbol all the same, where none that was read has one.
    pub(super) fn unread_modules(&self) -> Option<&'a str> {
        let meta = self.of.surface().meta();
        meta.unknown_because(Fact::Modules).filter(|_| self.symbols.is_empty() && self.knows_symbols())
    }

    /// Why there is no declaration.
    pub(super) fn without_declaration(&self) -> &'static str {
        let meta = self.of.surface().meta();
        match meta.has_btf() {
            None => "unknown: the kernel's BTF could not be read",
            Some(false) => "unknown: the kernel has no BTF",
            Some(true) => "unknown: BTF has no FUNC of the name",
        }
    }

    /// The entry of a kernel whose debug information could not be read, as `unread` says.
    pub(crate) fn markdown(&self, label: &str, unread: &str, out: &mut String) {
        if !self.is_there() {
            let symbols = match (self.knows_symbols(), self.unread_modules()) {
                (true, None) => "; no symbol has this name",
                (true, Some(_)) => "; no symbol has this name, modules could not be read",
                (false, _) => "",
            };
            let _ = writeln!(out, "In <code>{label}</code>: Unknown ⚠️ ({unread}{symbols})");
            return;
        }
        let _ =
            writeln!(out, "<details>\n<summary>In <code>{label}</code>: Unknown ⚠️ ({unread})</summary>\n");
        if let Some(declaration) = &self.declaration {
            markdown::block("c", declaration, out);
            out.push('\n');
        }
        out.push_str("**Attach:**\n\n```\n");
        for (hook, answer) in attach_rows(&[(0, Shown::Outline(self))]).lines() {
            let _ = writeln!(out, "{hook}: {answer}");
        }
        out.push_str("```\n");
        if !self.symbols.is_empty() {
            out.push_str("\n**Symbols:**\n\n```\n");
            for symbol in &self.symbols {
                let module = symbol.module.map_or_else(String::new, |module| format!(", in module {module}"));
                let binding = markdown::binding(symbol.binding);
                let start = symbol.address;
                let _ = match u64::from(symbol.size) {
                    _ if start == 0 => write!(out, "address unknown"),
                    0 => write!(out, "{start:x}"),
                    size => write!(out, "{start:x}-{:x}", start.wrapping_add(size)),
                };
                let _ = writeln!(out, ": {} ({binding}{module})", symbol.name);
            }
            out.push_str("```\n");
        }
        out.push_str("</details>\n");
    }
}
