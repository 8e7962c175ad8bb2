//! Functions of a kernel whose debug information was not read: what symbols and BTF tell of them all the same.
//!
//! It is where they can be attached to and, by BTF, how they are called. How many functions of a name there are, what is
//! inlined and who calls is in debug information alone, so that none of it makes a [`super::Function`].

use super::Surface;
use super::attach::Attach;
use super::meta::Fact;
use super::symbol::{Symbol, base_name};
use super::types::{Type, TypeKind};

/// What comes before a function's name in symbols that stand beside it: padding, and checks of indirect calls.
const BESIDE: [&str; 2] = ["__pfx_", "__cfi_"];

/// A name of which no debug information was read.
#[derive(Debug, Clone, Copy)]
pub struct Outline<'a> {
    surface: &'a Surface,
    name: &'a str,
}

impl Surface {
    /// What symbols and BTF tell of a function, or that they tell nothing; `None` where debug information tells, and
    /// where neither symbols nor BTF were read.
    #[must_use]
    pub fn outline<'a>(&'a self, name: &'a str) -> Option<Outline<'a>> {
        let meta = self.meta();
        let is_open = !meta.knows(Fact::Functions) && (meta.knows(Fact::Symbols) || meta.knows(Fact::Btf));
        (is_open && self.function(name).is_none()).then_some(Outline { surface: self, name })
    }

    /// The symbols that carry the name of a function, with or without suffix: those of its debug information, or, where that
    /// was not read, those that are called so.
    #[must_use]
    pub fn symbols_of<'a>(&'a self, name: &'a str) -> Vec<Symbol<'a>> {
        match self.function(name) {
            Some(function) => function.symbols().collect(),
            None => self.outline(name).map_or_else(Vec::new, Outline::symbols),
        }
    }

    /// The names of functions by symbols and BTF, sorted, each once, of those that debug information does not tell of
    /// because it was not read. Empty where it was.
    #[must_use]
    pub fn outlines(&self) -> Vec<&str> {
        if self.meta().knows(Fact::Functions) {
            return Vec::new();
        }
        let symbols = self.symbols().filter(|symbol| symbol.is_function()).map(Symbol::name);
        let funcs = self.types().named().filter(|found| is_func(self, *found)).map(Type::name);
        let mut names: Vec<&str> =
            symbols.filter(|name| is_entry(name)).map(base_name).chain(funcs).collect();
        names.sort_unstable();
        names.dedup();
        names.retain(|name| self.outline(name).is_some());
        names
    }
}

/// Whether a function symbol is a way into a function.
pub(crate) fn is_entry(symbol: &str) -> bool {
    !BESIDE.iter().any(|prefix| symbol.starts_with(prefix))
}

fn is_func(surface: &Surface, found: Type<'_>) -> bool {
    found.kind() == TypeKind::Func && surface.is_in_btf(found)
}

impl<'a> Outline<'a> {
    /// The surface it is of.
    #[must_use]
    pub fn surface(self) -> &'a Surface {
        self.surface
    }

    /// The name that was asked for.
    #[must_use]
    pub fn name(self) -> &'a str {
        self.name
    }

    /// The function symbols that carry the name, with or without suffix, in the order of the symbol table.
    #[must_use]
    pub fn symbols(self) -> Vec<Symbol<'a>> {
        let named = self.surface.symbols_with_base(self.name);
        let mut symbols: Vec<Symbol<'a>> = named.filter(|symbol| symbol.is_function()).collect();
        symbols.sort_unstable_by_key(|symbol| symbol.index());
        symbols
    }

    /// The FUNC of its name in the BTF of where the kernel finds its symbol, else in that of vmlinux or of the first module
    /// that has one.
    #[must_use]
    pub fn btf_func(self) -> Option<Type<'a>> {
        let surface = self.surface;
        let funcs = || surface.types().find_all(TypeKind::Func, self.name).filter(|it| is_func(surface, *it));
        let module = |found| surface.module_of_type(found).map(|module| module.index());
        let symbols = self.symbols();
        let home = symbols.iter().map(|symbol| symbol.module().map(|module| module.index())).min();
        funcs().find(|found| Some(module(*found)) == home).or_else(|| funcs().next())
    }

    /// The prototype of that FUNC.
    #[must_use]
    pub fn prototype(self) -> Option<Type<'a>> {
        self.btf_func().and_then(Type::target)
    }

    /// What attaching by the name leads to.
    #[must_use]
    pub fn attach(self) -> Attach<'a> {
        self.surface.attach(self.name)
    }

    /// Whether a symbol or a FUNC has the name. Where none does, it may still be inlined wherever it is called.
    #[must_use]
    pub fn is_there(self) -> bool {
        !self.symbols().is_empty() || self.btf_func().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::super::attach::tests::Image;
    use super::super::record::ATTACH_FTRACE;
    use super::*;

    const SYMBOLS: &[(&str, u32)] =
        &[("f.cold", 0), ("f$other", 0), ("f", ATTACH_FTRACE), ("__pfx_f", 0), ("g.isra.0", 0), ("ff", 0)];

    fn image() -> Image {
        let mut image = Image::new();
        image.types(|types| {
            types.function("f", "int", &[("a", "int")]).function("h", "void", &[]);
        });
        image.symbols(SYMBOLS)
    }

    #[test]
    fn names_are_those_of_symbols_and_of_btf() {
        let surface = image().without_functions().surface();
        let all = ["f", "f$other", "ff", "g", "h"];
        assert_eq!(
            surface.outlines(),
            [&["arch_prepare_bpf_trampoline"], &all[..], &["register_ftrace_direct"]].concat()
        );
        let is_there = |name| surface.outline(name).unwrap().is_there();
        assert!(is_there("g") && is_there("h") && !is_there("isra"));
        let f = surface.outline("f").unwrap();
        assert_eq!(f.symbols().iter().map(|symbol| symbol.name()).collect::<Vec<_>>(), ["f.cold", "f"]);
        assert_eq!(f.prototype().unwrap().params().len(), 1);
        assert!(surface.outline("g").unwrap().prototype().is_none());
        assert_eq!(surface.symbols_of("g").len(), 1);
    }

    #[test]
    fn debug_information_tells_more() {
        let surface = image().surface();
        assert!(surface.outlines().is_empty());
        assert!(surface.outline("f").is_none() && surface.outline("no_such").is_none());
        assert!(surface.symbols_of("no_such").is_empty());
        // Of a kernel whose modules alone have debug information, the rest is told by symbols.
        let surface = image().unknown(Fact::Functions).surface();
        assert!(surface.outline("f").is_none() && surface.outline("g").is_some());
        assert!(!surface.outlines().contains(&"f") && surface.outlines().contains(&"h"));
    }

    #[test]
    fn nothing_is_told_where_nothing_was_read() {
        let surface = image().without_functions().unknown(Fact::Symbols).unknown(Fact::Btf).surface();
        assert!(surface.outline("f").is_none() && surface.outlines().is_empty());
    }
}
