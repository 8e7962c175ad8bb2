//! Whether a program can attach to a function, from what the image tells: one answer per kind of hook.
//!
//! The rules are the kernel's own checks at attach time (`kernel/trace/trace_kprobe.c`, `kernel/kprobes.c`,
//! `kernel/bpf/verifier.c: bpf_check_attach_target`, `kernel/bpf/trampoline.c`), applied to facts that are
//! in the image. An answer is `Yes` only when every fact it needs was read. Not judged here: lockdown,
//! permissions, and what is patched or unloaded at run time.

#[cfg(test)]
pub(crate) mod tests;
mod words;

use super::Surface;
use super::function::{Function, InlineKind};
use super::meta::Fact;
use super::module::Module;
use super::record;
use super::symbol::{Symbol, base_name, suffixes};
use super::types::{Type, TypeKind};
use crate::image::arch;
use crate::kernel::Arch;

/// What attaching to a symbol by name leads to, per kind of hook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attach<'a> {
    /// kprobe by name.
    pub kprobe: Answer<'a>,
    /// kretprobe by name.
    pub kretprobe: Answer<'a>,
    /// `fentry`.
    pub fentry: Answer<'a>,
    /// `fexit`.
    pub fexit: Answer<'a>,
    /// `fmod_ret`.
    pub fmod_ret: Answer<'a>,
    /// Sleepable programs: `fentry.s`, `fexit.s`.
    pub sleepable: Answer<'a>,
    /// What an attached program does not see all the same; meaningless where nothing attaches.
    pub misses: Vec<Miss>,
    /// The module that has the symbol, where vmlinux has none: all answers are for the time that it is loaded.
    pub module: Option<&'a str>,
    /// Further modules with a symbol of the name. While one of them is loaded, kernels that refuse names with several
    /// symbols refuse this one.
    pub also_in: Vec<&'a str>,
}

/// Why nothing is known of the code of a module.
const ONLY_DEBUG: &str = "the module's file has debug information only";

/// Whether something attaches.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Answer<'a> {
    /// It does.
    Yes,
    /// It is refused.
    No {
        /// By what.
        reason: Obstacle,
    },
    /// A fact that decides it was not read from the image.
    Unknown {
        /// The fact.
        fact: Fact,
        /// Why it was not read.
        reason: &'a str,
    },
}

/// Why an attach is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Obstacle {
    /// No symbol carries the name.
    NoSymbol,
    /// Symbols carry the name only with a compiler suffix.
    OnlySuffixed,
    /// More than one symbol has the name, and the kernel refuses to choose.
    SeveralSymbols {
        /// How many.
        count: u32,
    },
    /// On the kprobe blacklist (`NOKPROBE_SYMBOL`).
    Blacklisted,
    /// In a section of code that kprobes keep away from.
    ForbiddenText {
        /// `.kprobes.text`, `.noinstr.text` or `.entry.text`.
        section: &'static str,
    },
    /// In init text, which is freed after boot.
    InitText,
    /// No ftrace site at its entry.
    NoFtraceSite {
        /// Whether the source declares it `inline`, which in the kernel implies `notrace`.
        declared_inline: bool,
    },
    /// On the kretprobe blacklist.
    NoKretprobe,
    /// The kernel has no BTF, which tracing programs need.
    NoBtf,
    /// The kernel's BTF has no FUNC of the name.
    NoBtfFunc,
    /// The kernel has no BPF trampolines.
    NoTrampoline,
    /// A signature that BPF trampolines cannot pass on.
    Signature {
        /// What is in the way.
        what: Signature,
    },
    /// In a set of functions that the verifier refuses.
    Denied {
        /// `btf_id_deny`.
        set: &'static str,
    },
    /// It does not return, so nothing runs at its exit.
    NoReturn,
    /// Return values may be changed only where the kernel allows error injection, and of `security_*`.
    NotModifiable,
    /// Sleepable programs may attach only where the kernel allows error injection.
    NotSleepable,
}

/// What in a signature a BPF trampoline cannot pass on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Signature {
    /// `...`
    Variadic,
    /// More parameters than the verifier takes, so that a program does not load.
    Params {
        /// How many it has.
        count: u32,
        /// How many there may be.
        limit: u32,
    },
    /// More registers than the architecture's trampoline passes, so that a program does not attach. A struct of up to
    /// 16 bytes takes up to two.
    Registers {
        /// How many the arguments take.
        count: u32,
        /// How many this kernel can pass.
        limit: u32,
    },
    /// A struct or union as an argument or return value.
    ByValue,
}

/// What a program that is attached to the plain symbol does not see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Miss {
    /// Calls that were inlined.
    InlinedCopies {
        /// Number of copies.
        sites: u32,
        /// Number of functions that contain them.
        functions: u32,
    },
    /// Calls that enter at another symbol of the function, whose first part or constant arguments were
    /// folded into the caller.
    Clone {
        /// The suffix: `part`, `isra`, `constprop`, ...
        suffix: CloneKind,
    },
    /// Calls of the other functions of that name: one of them is hooked, and which one is not defined.
    OtherFunctions {
        /// How many symbols have the name.
        symbols: u32,
    },
}

/// The compiler suffixes that stand for a second entry into a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CloneKind {
    /// `.part`: what is left of the function after its first part was inlined into callers.
    Part,
    /// `.constprop`: a copy for constant arguments.
    Constprop,
    /// `.isra`: a copy whose parameters were removed or replaced by what they point to.
    Isra,
}

impl CloneKind {
    /// The suffix without its dot.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Part => "part",
            Self::Constprop => "constprop",
            Self::Isra => "isra",
        }
    }

    /// The kind that a symbol is, from its suffixes; `None` for `.cold` parts and plain symbols.
    #[must_use]
    pub fn of(symbol: &str) -> Option<Self> {
        let mut found = None;
        for suffix in suffixes(symbol) {
            match suffix {
                // The cold part of a clone is no entry.
                "cold" => return None,
                "part" => found = Some(Self::Part),
                "constprop" => found = found.or(Some(Self::Constprop)),
                "isra" => found = found.or(Some(Self::Isra)),
                _ => {}
            }
        }
        found
    }
}

impl Answer<'_> {
    /// Whether it is known to attach.
    #[must_use]
    pub fn is_yes(&self) -> bool {
        matches!(self, Self::Yes)
    }

    fn no(reason: Obstacle) -> Self {
        Self::No { reason }
    }
}

impl<'a> Answer<'a> {
    /// Both checks in a row: the first refusal, else the first unknown, else yes.
    fn and(&self, other: Self) -> Self {
        match (self, &other) {
            (Self::No { .. }, _) | (Self::Unknown { .. }, Self::Yes | Self::Unknown { .. }) => self.clone(),
            _ => other,
        }
    }
}

/// Code of what is built in that would run when it is removed.
pub(crate) const EXIT_TEXT: &str = ".exit.text";

/// Whether the kernel's own symbol table has nothing of [`EXIT_TEXT`], as it is outside of the ranges that `scripts/kallsyms.c`
/// keeps where it is not told to keep all.
pub(crate) fn leaves_out_exit_text(surface: &Surface) -> bool {
    surface.first_unread(&[Fact::Config]).is_none()
        && surface.config("CONFIG_KALLSYMS_ALL").is_none_or(|option| option.value != "y")
}

/// What the checks need to know of a name, looked up once.
struct Subject<'a> {
    surface: &'a Surface,
    name: &'a str,
    function: Option<Function<'a>>,
    /// Symbols of exactly this name that the kernel's own symbol table has, by address. The first is the one that
    /// `kallsyms_lookup_name` finds.
    symbols: Vec<Symbol<'a>>,
    /// The module they are in.
    module: Option<Module<'a>>,
    also_in: Vec<&'a str>,
}

impl Surface {
    /// What attaching by this exact symbol name leads to. The name may have a compiler suffix.
    #[must_use]
    pub fn attach<'a>(&'a self, name: &'a str) -> Attach<'a> {
        Subject::new(self, name).attach()
    }
}

impl<'a> Function<'a> {
    /// What attaching by its name leads to.
    #[must_use]
    pub fn attach(self) -> Attach<'a> {
        self.surface().attach(self.name())
    }
}

impl<'a> Subject<'a> {
    fn new(surface: &'a Surface, name: &'a str) -> Self {
        // kallsyms has neither file and section symbols nor those without a section, and no labels of the assembler
        // nor copies for the EFI stub (scripts/mksysmap).
        let is_label = [".L", "L0", "$", "__efistub_"].iter().any(|prefix| name.starts_with(prefix));
        let in_kallsyms = |symbol: &Symbol<'_>| {
            let is_named = !is_label && !matches!(symbol.elf_type(), 3 | 4) && symbol.section().is_some();
            is_named && !(symbol.section() == Some(EXIT_TEXT) && leaves_out_exit_text(surface))
        };
        let mut symbols: Vec<Symbol<'_>> = surface.symbols_named(name).filter(in_kallsyms).collect();
        symbols.sort_by_key(|symbol| (symbol.module().map(Module::index), symbol.address()));
        // The kernel looks into vmlinux first, then into the modules that are loaded.
        let module = symbols.first().and_then(|symbol| symbol.module());
        let is_elsewhere =
            |symbol: &Symbol<'_>| symbol.module().map(Module::index) != module.map(Module::index);
        let mut also_in: Vec<&str> = symbols
            .iter()
            .filter(|it| is_elsewhere(it))
            .filter_map(|it| it.module())
            .map(Module::name)
            .collect();
        also_in.dedup();
        symbols.retain(|symbol| !is_elsewhere(symbol));
        Self { surface, name, function: surface.function(base_name(name)), symbols, module, also_in }
    }

    fn attach(&self) -> Attach<'a> {
        let kprobe = self.kprobe();
        let kretprobe = kprobe.and(self.kretprobe_only());
        Attach {
            kprobe,
            kretprobe,
            fentry: self.trace(&[]),
            fexit: self.trace(&[Self::returns]),
            fmod_ret: self.trace(&[Self::modifiable, Self::returns]),
            sleepable: self.trace(&[Self::may_sleep]),
            misses: self.misses(),
            module: self.module.map(Module::name),
            also_in: self.also_in.clone(),
        }
    }

    /// Yes if the fact was read.
    fn knows(&self, fact: Fact) -> Answer<'a> {
        match self.surface.meta().unknown_because(fact) {
            None => Answer::Yes,
            Some(reason) => Answer::Unknown { fact, reason },
        }
    }

    /// The answer where a fact is missing: no if facts of its kind were read, else unknown.
    fn without(&self, fact: Fact, reason: Obstacle) -> Answer<'a> {
        match self.knows(fact) {
            Answer::Yes => Answer::no(reason),
            unknown => unknown,
        }
    }

    /// The answer where no symbol of the name has a bit. Without a symbol there is nothing that could have one.
    fn without_bit(&self, fact: Fact, reason: Obstacle) -> Answer<'a> {
        if self.symbols.is_empty() { self.symbol() } else { self.without(fact, reason) }
    }

    /// A symbol by which the kernel finds an address.
    fn symbol(&self) -> Answer<'a> {
        if !self.symbols.is_empty() {
            return Answer::Yes;
        }
        // One of the name itself may be left out of kallsyms.
        let is_other = |symbol: Symbol<'_>| symbol.name() != self.name;
        let suffixed = self.surface.symbols_of(base_name(self.name)).into_iter().any(is_other);
        self.without(Fact::Symbols, if suffixed { Obstacle::OnlySuffixed } else { Obstacle::NoSymbol })
    }

    /// Whether the symbol that the kernel finds has one of the bits.
    fn has(&self, bits: u32) -> bool {
        self.symbols.first().is_some_and(|symbol| symbol.attach() & bits != 0)
    }

    fn not_init(&self) -> Answer<'a> {
        if self.has(record::ATTACH_INIT) { Answer::no(Obstacle::InitText) } else { Answer::Yes }
    }

    fn ftrace_site(&self) -> Answer<'a> {
        if self.has(record::ATTACH_FTRACE) {
            return Answer::Yes;
        }
        if self.module.is_some_and(|module| !module.has_code()) {
            return Answer::Unknown { fact: Fact::FtraceSites, reason: ONLY_DEBUG };
        }
        let declared_inline = self
            .function
            .is_some_and(|function| function.instances().any(|instance| instance.inline().is_declared()));
        self.without_bit(Fact::FtraceSites, Obstacle::NoFtraceSite { declared_inline })
    }

    /// All checks in a row: the first refusal, else the first unknown, else yes.
    fn all(&self, checks: &[fn(&Self) -> Answer<'a>]) -> Answer<'a> {
        let mut result = Answer::Yes;
        for check in checks {
            result = result.and(check(self));
            if matches!(result, Answer::No { .. }) {
                break;
            }
        }
        result
    }

    fn kprobe(&self) -> Answer<'a> {
        self.all(&[Self::symbol, Self::unique, Self::not_blacklisted, Self::not_init, Self::traceable])
    }

    /// Since Linux b022f0c7e404 ("tracing/kprobes: Return EADDRNOTAVAIL when func matches several symbols")
    /// (in v6.7 and stable updates) a name with several symbols is refused; before, the first one was taken.
    /// The commit brought the function that is looked for here.
    fn unique(&self) -> Answer<'a> {
        let count = self.symbols.len() as u32;
        if count < 2 {
            return Answer::Yes;
        }
        if self.surface.function("number_of_same_symbols").is_some() {
            return Answer::no(Obstacle::SeveralSymbols { count });
        }
        self.knows(Fact::Functions)
    }

    fn not_blacklisted(&self) -> Answer<'a> {
        if self.has(record::ATTACH_BLACKLIST) {
            return Answer::no(Obstacle::Blacklisted);
        }
        let texts = [
            (record::ATTACH_KPROBES_TEXT, ".kprobes.text"),
            (record::ATTACH_NOINSTR, ".noinstr.text"),
            (record::ATTACH_ENTRY, ".entry.text"),
        ];
        match texts.into_iter().find(|(bit, _)| self.has(*bit)) {
            Some((_, section)) => Answer::no(Obstacle::ForbiddenText { section }),
            None => self.knows(Fact::KprobeBlacklist),
        }
    }

    /// kprobe events refuse functions without ftrace site (`within_notrace_func`), unless the kernel was built
    /// to allow them. For a suffixed symbol the site of the plain one counts as well.
    fn traceable(&self) -> Answer<'a> {
        let base = base_name(self.name);
        let may = || {
            let mut plain = self.surface.symbols_named(base);
            let allowed = self.surface.config("CONFIG_KPROBE_EVENTS_ON_NOTRACE");
            base != self.name && plain.any(|symbol| symbol.has(record::ATTACH_FTRACE))
                || allowed.is_some_and(|option| option.value == "y")
        };
        match self.ftrace_site() {
            Answer::Yes => Answer::Yes,
            _ if may() => Answer::Yes,
            refused => refused,
        }
    }

    /// `kretprobe_blacklist` of `arch/x86/kernel/kprobes/core.c`; other architectures have none.
    fn kretprobe_only(&self) -> Answer<'a> {
        let x86 = matches!(self.surface.kernel().arch, Arch::Amd64 | Arch::I386);
        if x86 && self.name == "__switch_to" { Answer::no(Obstacle::NoKretprobe) } else { Answer::Yes }
    }

    /// Tracing programs: what `bpf_check_attach_target` and its caller refuse when the program is loaded, with what is
    /// special to a kind of program in between; then what `bpf_trampoline_link_prog` refuses when it is attached.
    fn trace(&self, special: &[fn(&Self) -> Answer<'a>]) -> Answer<'a> {
        let target = self.all(&[Self::btf_func, Self::prototype, Self::symbol]);
        let loads = target.and(self.all(special)).and(self.not_denied());
        loads.and(self.all(&[Self::trampoline, Self::registers, Self::not_init, Self::ftrace_site]))
    }

    fn kernel_btf_func(&self) -> Option<Type<'a>> {
        let ids = match self.module {
            None => 0..self.surface.meta().btf_types,
            Some(module) => module.types(),
        };
        self.surface.types().find_all(TypeKind::Func, self.name).find(|found| ids.contains(&found.id().0))
    }

    fn btf_func(&self) -> Answer<'a> {
        match self.kernel_btf_func() {
            Some(_) => Answer::Yes,
            None if self.surface.meta().has_btf() == Some(false) => Answer::no(Obstacle::NoBtf),
            None => self.without(Fact::Btf, Obstacle::NoBtfFunc),
        }
    }

    /// Whether a set of `.BTF_ids` has the function; no set means no member.
    fn in_set(&self, set: &str) -> bool {
        self.surface.set_contains(set, self.name) == Some(true)
    }

    fn not_denied(&self) -> Answer<'a> {
        if self.in_set("btf_id_deny") {
            return Answer::no(Obstacle::Denied { set: "btf_id_deny" });
        }
        self.knows(Fact::BtfIds)
    }

    /// Trampolines need the architecture's generator and ftrace's direct calls (else `register_ftrace_direct` is an inline
    /// stub that returns `-ENOTSUPP`). The generator of `kernel/bpf/trampoline.c`, which refuses, is weak, and none of an
    /// architecture is.
    fn trampoline(&self) -> Answer<'a> {
        const WEAK: u8 = 2;
        let generator = self.surface.symbols_named("arch_prepare_bpf_trampoline").next();
        let has_direct_calls = self.surface.symbols_named("register_ftrace_direct").next().is_some();
        match generator {
            Some(generator) if generator.binding() != WEAK && has_direct_calls => Answer::Yes,
            _ => self.without(Fact::Symbols, Obstacle::NoTrampoline),
        }
    }

    /// The limits of `btf_distill_func_proto`.
    fn prototype(&self) -> Answer<'a> {
        let Some(proto) = self.kernel_btf_func().and_then(Type::target) else { return Answer::Yes };
        let no = |what| Answer::no(Obstacle::Signature { what });
        let types = proto.types();
        let params: Vec<_> = proto.params().collect();
        let count = params.len() as u32;
        // MAX_BPF_FUNC_ARGS.
        if count > 12 {
            return no(Signature::Params { count, limit: 12 });
        }
        if params.last().is_some_and(|last| last.type_id.0 == 0) {
            return no(Signature::Variadic);
        }
        let is_aggregate =
            |found: Type<'a>| matches!(found.stripped(true).kind(), TypeKind::Struct | TypeKind::Union);
        if proto.target().is_some_and(is_aggregate) {
            return no(Signature::ByValue);
        }
        // Since Linux 720e6a435194 ("bpf: Allow struct argument in trampoline based programs") (in v6.1)
        // the model of a function has flags for its arguments, and structs of up to 16 bytes can be passed.
        let structs_pass = || {
            let model = types.find(TypeKind::Struct, "btf_func_model");
            model.is_some_and(|model| model.members().any(|member| member.name == "arg_flags"))
        };
        for param in &params {
            let Some(found) = types.get(param.type_id).map(|found| found.stripped(true)) else { continue };
            let passes = match found.kind() {
                TypeKind::Struct => found.size().is_some_and(|size| size <= 16) && structs_pass(),
                kind => kind != TypeKind::Union,
            };
            if !passes {
                return no(Signature::ByValue);
            }
        }
        Answer::Yes
    }

    /// The limit of the architecture's trampoline (`arch_prepare_bpf_trampoline`).
    fn registers(&self) -> Answer<'a> {
        let Some(proto) = self.kernel_btf_func().and_then(Type::target) else { return Answer::Yes };
        // How many registers the calling convention has for arguments.
        let passed = match self.surface.kernel().arch {
            Arch::Amd64 => 6,
            Arch::Arm64 | Arch::Riscv64 | Arch::Ppc64el | Arch::Loong64 => 8,
            Arch::S390x => 5,
            // There are no trampolines.
            Arch::I386 | Arch::Armhf | Arch::Mips64el => return Answer::Yes,
        };
        let registers = |id| {
            let found = proto.types().get(id).map(|found| found.stripped(true));
            let size = found.filter(|found| found.kind() == TypeKind::Struct).and_then(Type::size);
            size.map_or(1, |size| size.div_ceil(8))
        };
        let count: u32 = proto.params().map(|param| registers(param.type_id)).sum();
        if count <= passed {
            return Answer::Yes;
        }
        if self.surface.kernel().arch != Arch::Amd64 {
            // Newer ones pass some on the stack, which nothing in the image is known to tell.
            let reason =
                "whether the trampoline passes arguments on the stack is not known on this architecture";
            return Answer::Unknown { fact: Fact::Functions, reason };
        }
        // Since Linux 473e3150e30a ("bpf, x86: allow function arguments up to 12 for TRACING") (in v6.6) the x86
        // trampoline passes arguments on the stack too. The commit brought the function that is looked for here.
        let limit = if self.surface.function("clean_stack_garbage").is_some() { 12 } else { 6 };
        if count <= limit {
            return Answer::Yes;
        }
        self.without(Fact::Functions, Obstacle::Signature { what: Signature::Registers { count, limit } })
    }

    /// Kernels that refuse to hook the exit of functions that do not return list them in a set.
    fn returns(&self) -> Answer<'a> {
        if self.in_set("noreturn_deny") { Answer::no(Obstacle::NoReturn) } else { self.knows(Fact::BtfIds) }
    }

    /// Sets registered by `register_btf_fmodret_id_set` can only be told by their names.
    fn in_fmodret_set(&self, flags: u32) -> bool {
        self.surface
            .sets()
            .filter(|set| set.name().contains("fmodret"))
            .any(|set| set.members().any(|member| member.name == self.name && member.flags & flags == flags))
    }

    /// Where the kernel is built without error injection, newer verifiers take the prefix of a system call's
    /// entry for it (`has_arch_syscall_prefix` in `kernel/bpf/verifier.c`).
    fn is_open_syscall(&self) -> bool {
        self.has_open_prefix() && self.surface.function("has_arch_syscall_prefix").is_some()
    }

    fn has_open_prefix(&self) -> bool {
        let prefix = arch::of(self.surface.kernel().arch).open_syscall_prefix;
        prefix.is_some_and(|prefix| self.name.starts_with(prefix))
    }

    /// An answer for what is no open system call; a no is none where functions do not tell which calls are.
    fn unless_open_syscall(&self, answer: Answer<'a>) -> Answer<'a> {
        match (&answer, self.knows(Fact::Functions)) {
            (Answer::No { .. }, unknown @ Answer::Unknown { .. }) if self.has_open_prefix() => unknown,
            _ => answer,
        }
    }

    fn modifiable(&self) -> Answer<'a> {
        if self.has(record::ATTACH_ERROR_INJECTION)
            || self.name.starts_with("security_")
            || self.is_open_syscall()
            || self.in_fmodret_set(0)
        {
            return Answer::Yes;
        }
        self.unless_open_syscall(self.without_bit(Fact::ErrorInjection, Obstacle::NotModifiable))
    }

    fn may_sleep(&self) -> Answer<'a> {
        // KF_SLEEPABLE is bit 5 of `super::kfunc::FLAG_NAMES`.
        if self.is_open_syscall() || self.in_fmodret_set(1 << 5) {
            return Answer::Yes;
        }
        if self.in_set("btf_non_sleepable_error_inject") {
            return Answer::no(Obstacle::NotSleepable);
        }
        if self.has(record::ATTACH_ERROR_INJECTION) {
            return self.knows(Fact::BtfIds);
        }
        self.unless_open_syscall(self.without_bit(Fact::ErrorInjection, Obstacle::NotSleepable))
    }

    fn misses(&self) -> Vec<Miss> {
        let mut misses = Vec::new();
        // Copies and clones are those of the function, not those of one of its suffixed symbols.
        let is_known = || self.function.is_some() || self.surface.outline(self.name).is_some();
        if base_name(self.name) != self.name || !is_known() {
            return misses;
        }
        if let Some(function) = self.function
            && function.inline_kind() == InlineKind::Selective
        {
            let mut callers: Vec<u32> = Vec::new();
            for instance in function.instances() {
                let others = instance.inline_sites().map(|site| site.caller.index());
                callers.extend(others.filter(|caller| *caller != instance.index()));
            }
            let sites = callers.len() as u32;
            callers.sort_unstable();
            callers.dedup();
            if sites > 0 {
                misses.push(Miss::InlinedCopies { sites, functions: callers.len() as u32 });
            }
        }
        let symbols = self.surface.symbols_of(self.name);
        for kind in [CloneKind::Part, CloneKind::Constprop, CloneKind::Isra] {
            if symbols.iter().any(|symbol| CloneKind::of(symbol.name()) == Some(kind)) {
                misses.push(Miss::Clone { suffix: kind });
            }
        }
        if self.symbols.len() > 1 {
            misses.push(Miss::OtherFunctions { symbols: self.symbols.len() as u32 });
        }
        misses
    }
}
