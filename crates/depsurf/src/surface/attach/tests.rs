//! Each rule on a kernel of a few symbols, with the fact that decides it there, not there, and not read.

use std::collections::BTreeMap;

use testkit::Target;
use testkit::c::Types;

use super::*;
use crate::note::Notes;
use crate::surface::build::Parts;
use crate::surface::function::Inline;
use crate::surface::record::{ATTACH_FTRACE, NONE};
use crate::surface::{Evidence, Meta, fixture};

/// A function of the kernel: name, source file, `DW_AT_inline`, names of functions that it is inlined into.
type Described<'d> = (&'d str, &'d str, Inline, &'d [&'d str]);

/// A kernel with BPF trampolines and a traceable `f` that nothing speaks against.
pub(crate) struct Image {
    pub(crate) parts: Parts,
    functions: Vec<Described<'static>>,
    pub(crate) symbols: Vec<(&'static str, u32)>,
    /// Those of them that are weak.
    weak: Vec<&'static str>,
    /// The section that all of them are in.
    section: &'static str,
}

impl Image {
    pub(crate) fn new() -> Self {
        let known = [
            Fact::Functions,
            Fact::Symbols,
            Fact::Btf,
            Fact::FtraceSites,
            Fact::KprobeBlacklist,
            Fact::ErrorInjection,
            Fact::BtfIds,
        ];
        let meta = Meta {
            evidence: known.into_iter().map(|fact| (fact, Evidence::known("the test"))).collect(),
            ..fixture::meta("6.12.107-deb13-cloud-amd64")
        };
        let mut image = Self {
            parts: Parts::new(meta),
            functions: vec![("f", "fs/f.c", Inline::SeenUnknown, &[])],
            symbols: vec![
                ("f", ATTACH_FTRACE),
                ("register_ftrace_direct", ATTACH_FTRACE),
                ("arch_prepare_bpf_trampoline", ATTACH_FTRACE),
            ],
            weak: Vec::new(),
            section: ".text",
        };
        image.types(|types| {
            types.function("f", "int", &[("a", "int")]);
        });
        image
    }

    pub(crate) fn types(&mut self, describe: impl FnOnce(&mut Types)) {
        let mut types = Types::new(Target::LE64);
        describe(&mut types);
        let blob = types.btf().btf.build();
        self.parts.types =
            crate::btf::read(&blob, &mut self.parts.strings, &mut Notes::new()).expect("well-formed BTF");
        self.parts.meta.btf_types = self.parts.types.next_id().0;
    }

    pub(crate) fn symbols(mut self, symbols: &[(&'static str, u32)]) -> Self {
        self.symbols.retain(|(name, _)| *name != "f");
        self.symbols.extend_from_slice(symbols);
        self
    }

    pub(crate) fn function(mut self, function: Described<'static>) -> Self {
        self.functions.retain(|(name, ..)| *name != function.0);
        self.functions.push(function);
        self
    }

    pub(crate) fn unknown(mut self, fact: Fact) -> Self {
        self.parts.meta.evidence.insert(fact, Evidence::unknown("the test hides it"));
        self
    }

    pub(crate) fn set(mut self, name: &str, member: &str, flags: u32) -> Self {
        let mut string = |text: &str| self.parts.strings.intern(text.as_bytes()).0.into();
        let (name, member) = (string(name), string(member));
        let first_member = (self.parts.set_members.len() as u32).into();
        self.parts.sets.push(record::Set { name, first_member, flags: 0.into() });
        self.parts.set_members.push(record::SetMember { name: member, flags: flags.into() });
        self
    }

    /// Whose generator of trampolines is the one that refuses, as on arm64 6.1.
    pub(crate) fn without_trampolines(mut self) -> Self {
        self.weak.push("arch_prepare_bpf_trampoline");
        self
    }

    /// Of which no debug information was read.
    pub(crate) fn without_functions(mut self) -> Self {
        self.functions.clear();
        self.unknown(Fact::Functions)
    }

    pub(crate) fn surface(mut self) -> Surface {
        let parts = &mut self.parts;
        let section = parts.strings.intern(self.section.as_bytes()).0.into();
        parts.sections.push(record::ElfSection { name: section, module: 0.into() });
        for (place, (name, attach)) in self.symbols.iter().enumerate() {
            parts.symbols.push(record::Symbol {
                name: parts.strings.intern(name.as_bytes()).0.into(),
                address: (0x1000 * place as u64).into(),
                size: 16.into(),
                section: 0.into(),
                attach: (*attach).into(),
                info: if self.weak.contains(name) { 2 << 4 | 2 } else { 1 << 4 | 2 },
                other: 0,
                special: 0.into(),
            });
        }
        self.functions.sort_by_key(|(name, ..)| *name);
        let place: BTreeMap<&str, u32> = self.functions.iter().map(|(name, ..)| *name).zip(0..).collect();
        for (index, (name, file, inline, inlined_into)) in self.functions.iter().enumerate() {
            let name_id = parts.strings.intern(name.as_bytes()).0;
            parts.functions.push(record::Function {
                name: name_id.into(),
                first_instance: (index as u32).into(),
                first_symbol: (parts.function_symbols.len() as u32).into(),
                btf_func: NONE.into(),
            });
            let own = self.symbols.iter().zip(0..).filter(|((symbol, _), _)| base_name(symbol) == *name);
            parts.function_symbols.extend(own.map(|(_, index): (_, u32)| index));
            let file = parts.strings.intern(file.as_bytes());
            parts.files.push(file);
            parts.units.push(record::Unit { file: (index as u32).into(), module: 0.into() });
            parts.instances.push(record::Instance {
                unit: (index as u32).into(),
                decl_file: (index as u32).into(),
                decl_line: 1.into(),
                address: 0.into(),
                prototype: NONE.into(),
                first_inline_site: (parts.inline_sites.len() as u32).into(),
                first_call_site: 0.into(),
                flags: ((*inline as u32) << record::INSTANCE_INLINE_SHIFT).into(),
            });
            for caller in *inlined_into {
                parts.inline_sites.push(record::InlineSite {
                    caller: place[caller].into(),
                    call_file: NONE.into(),
                    call_line: 0.into(),
                    address: NONE.into(),
                });
            }
        }
        Surface::from_bytes(parts.encode()).expect("what was just written")
    }
}

/// Asks for one answer and compares its words with the obstacle's id, `yes`, or `unknown FACT`.
#[track_caller]
fn check(image: Image, name: &str, of: fn(&Attach<'_>) -> String, expected: &str) {
    assert_eq!(of(&image.surface().attach(name)), expected);
}

fn words(answer: &Answer<'_>) -> String {
    match answer {
        Answer::Yes => "yes".into(),
        Answer::No { reason } => reason.id().into(),
        Answer::Unknown { fact, .. } => format!("unknown {fact:?}"),
    }
}

fn kprobe(attach: &Attach<'_>) -> String {
    words(&attach.kprobe)
}

fn fentry(attach: &Attach<'_>) -> String {
    words(&attach.fentry)
}

fn fexit(attach: &Attach<'_>) -> String {
    words(&attach.fexit)
}

fn fmod_ret(attach: &Attach<'_>) -> String {
    words(&attach.fmod_ret)
}

fn sleepable(attach: &Attach<'_>) -> String {
    words(&attach.sleepable)
}

#[test]
fn a_plain_traceable_function_takes_all_but_fmod_ret() {
    let surface = Image::new().surface();
    let attach = surface.attach("f");
    let answers = [&attach.kprobe, &attach.kretprobe, &attach.fentry, &attach.fexit];
    assert!(answers.into_iter().all(Answer::is_yes), "{attach:?}");
    assert_eq!(fmod_ret(&attach), "not-modifiable");
    assert_eq!(sleepable(&attach), "not-sleepable");
    assert!(attach.misses.is_empty());
}

#[test]
fn without_symbol_nothing_attaches() {
    check(Image::new().symbols(&[]), "f", kprobe, "no-symbol");
    for of in [kprobe, fentry, fmod_ret, sleepable] {
        check(Image::new().symbols(&[]).unknown(Fact::Symbols), "f", of, "unknown Symbols");
    }
    let suffixed = || Image::new().symbols(&[("f.isra.0", ATTACH_FTRACE)]);
    check(suffixed(), "f", kprobe, "only-suffixed");
    check(suffixed(), "f", fentry, "only-suffixed");
    // The symbol itself can still be named.
    check(suffixed(), "f.isra.0", kprobe, "yes");
    check(suffixed(), "f.isra.0", fentry, "no-btf-func");
}

#[test]
fn symbols_tell_of_suffixes_where_functions_were_not_read() {
    let image = |symbols| Image::new().symbols(symbols).without_functions();
    check(image(&[("f.isra.0", ATTACH_FTRACE)]), "f", kprobe, "only-suffixed");
    check(image(&[("f_isra", ATTACH_FTRACE)]), "f", kprobe, "no-symbol");
    let surface = image(&[("f", ATTACH_FTRACE), ("f.part.0", 0)]).surface();
    assert_eq!(surface.attach("f").misses, [Miss::Clone { suffix: CloneKind::Part }]);
}

#[test]
fn labels_of_the_assembler_are_not_in_kallsyms() {
    // 7.2 keeps some `.Ltmp` in its `.symtab`.
    let image = Image::new().symbols(&[(".Ltmp30", ATTACH_FTRACE), (".Ltmp30", ATTACH_FTRACE)]);
    check(image, ".Ltmp30", kprobe, "no-symbol");
}

#[test]
fn several_symbols_are_refused_by_kernels_that_count_them() {
    let twice = || Image::new().symbols(&[("f", ATTACH_FTRACE), ("f", ATTACH_FTRACE)]);
    let counting =
        || twice().function(("number_of_same_symbols", "kernel/trace/trace_kprobe.c", Inline::Inlined, &[]));
    check(twice(), "f", kprobe, "yes");
    check(counting(), "f", kprobe, "several-symbols");
    check(twice().unknown(Fact::Functions), "f", kprobe, "unknown Functions");
    let surface = twice().surface();
    assert_eq!(surface.attach("f").misses, [Miss::OtherFunctions { symbols: 2 }]);
}

#[test]
fn of_several_symbols_the_one_at_the_lowest_address_is_taken() {
    // As `io_serial_out` on 6.1, of which the first is in a file without ftrace sites.
    let image = |first, second| Image::new().symbols(&[("f", first), ("f", second)]);
    for of in [kprobe, fentry] {
        check(image(0, ATTACH_FTRACE), "f", of, "no-ftrace-site");
        check(image(ATTACH_FTRACE, 0), "f", of, "yes");
    }
    check(image(ATTACH_FTRACE, ATTACH_FTRACE | record::ATTACH_BLACKLIST), "f", kprobe, "yes");
    check(image(ATTACH_FTRACE | record::ATTACH_BLACKLIST, ATTACH_FTRACE), "f", kprobe, "kprobe-blacklist");
}

#[test]
fn what_is_refused_on_loading_comes_before_what_is_refused_on_attaching() {
    let untraceable = || Image::new().symbols(&[("f", 0)]);
    check(untraceable(), "f", fmod_ret, "not-modifiable");
    check(untraceable(), "f", sleepable, "not-sleepable");
    check(untraceable().set("btf_id_deny", "f", 0), "f", fentry, "denied");
    check(untraceable().set("noreturn_deny", "f", 0), "f", fexit, "no-return");
    let init = Image::new().symbols(&[("f", ATTACH_FTRACE | record::ATTACH_INIT)]);
    check(init, "f", sleepable, "not-sleepable");
    let mut variadic = untraceable();
    variadic.types(|types| {
        types.function("f", "int", &[("a", "int"), ("", "void")]);
    });
    check(variadic, "f", fentry, "signature");
    // The trampoline is made before ftrace is asked.
    let mut many = untraceable();
    many.types(|types| {
        types.function("f", "int", &[("a", "int"); 7]);
    });
    let limit = Signature::Registers { count: 7, limit: 6 };
    assert_eq!(many.surface().attach("f").fentry, Answer::no(Obstacle::Signature { what: limit }));
}

/// Six registers of x86 have their own test.
#[test]
fn registers_of_other_architectures_are_counted() {
    let many = |count: usize, arch: &str| {
        let mut image = Image::new();
        image.types(|types| {
            types.function("f", "int", &[("a", "int"); 13][..count]);
        });
        image.parts.meta.kernel = format!("6.12.107-deb13-cloud-{arch}").parse().unwrap();
        match image.surface().attach("f").fentry {
            Answer::Yes => "yes",
            Answer::No { .. } => "no",
            Answer::Unknown { .. } => "unknown",
        }
    };
    for (arch, passed) in [("arm64", 8), ("s390x", 5), ("riscv64", 8)] {
        assert_eq!(many(passed, arch), "yes", "{arch}");
        // Newer kernels pass more, and nothing tells which do.
        assert_eq!(many(passed + 1, arch), "unknown", "{arch}");
        assert_eq!(many(13, arch), "no", "{arch}");
    }
}

#[test]
fn exit_text_is_in_kallsyms_only_with_all() {
    let image = |all: Option<&str>| {
        let mut image = Image::new().symbols(&[("f", ATTACH_FTRACE | record::ATTACH_INIT)]);
        image.section = ".exit.text";
        if let Some(value) = all {
            let mut string = |text: &str| image.parts.strings.intern(text.as_bytes()).0.into();
            let (name, value) = (string("CONFIG_KALLSYMS_ALL"), string(value));
            image.parts.configs.push(record::Config { name, value });
            image.parts.meta.evidence.insert(Fact::Config, Evidence::known("the test"));
        }
        image
    };
    check(image(Some("n")), "f", kprobe, "no-symbol");
    check(image(Some("y")), "f", kprobe, "init-text");
    // Without a configuration it is there, and gone all the same.
    check(image(None), "f", kprobe, "init-text");
}

#[test]
fn the_kprobe_blacklist_is_for_kprobes_only() {
    for (bit, expected) in [
        (record::ATTACH_BLACKLIST, "kprobe-blacklist"),
        (record::ATTACH_KPROBES_TEXT, "forbidden-text"),
        (record::ATTACH_NOINSTR, "forbidden-text"),
        (record::ATTACH_ENTRY, "forbidden-text"),
    ] {
        // A refusal that is known holds whatever else is unknown.
        let image = || Image::new().symbols(&[("f", ATTACH_FTRACE | bit)]).unknown(Fact::FtraceSites);
        check(image(), "f", kprobe, expected);
        check(image(), "f", fentry, "yes");
    }
    check(Image::new().unknown(Fact::KprobeBlacklist), "f", kprobe, "unknown KprobeBlacklist");
    check(Image::new().unknown(Fact::KprobeBlacklist), "f", fentry, "yes");
}

#[test]
fn init_code_is_gone() {
    let image = || Image::new().symbols(&[("f", ATTACH_FTRACE | record::ATTACH_INIT)]);
    check(image(), "f", kprobe, "init-text");
    check(image(), "f", fentry, "init-text");
}

#[test]
fn without_ftrace_site_neither_attaches() {
    let image = || Image::new().symbols(&[("f", 0)]);
    check(image(), "f", kprobe, "no-ftrace-site");
    check(image(), "f", fentry, "no-ftrace-site");
    check(image().unknown(Fact::FtraceSites), "f", kprobe, "unknown FtraceSites");
    check(image().unknown(Fact::FtraceSites), "f", fentry, "unknown FtraceSites");
    let surface = image().function(("f", "fs/f.c", Inline::DeclaredInlined, &[])).surface();
    let no = Answer::no(Obstacle::NoFtraceSite { declared_inline: true });
    assert_eq!(surface.attach("f").kprobe, no);
    let mut allowing = image();
    let mut string = |text: &str| allowing.parts.strings.intern(text.as_bytes()).0.into();
    let (name, value) = (string("CONFIG_KPROBE_EVENTS_ON_NOTRACE"), string("y"));
    allowing.parts.configs.push(record::Config { name, value });
    check(allowing, "f", kprobe, "yes");
}

#[test]
fn a_suffixed_symbol_may_use_the_site_of_the_plain_one() {
    let image = Image::new().symbols(&[("f", ATTACH_FTRACE), ("f.part.0", 0)]);
    check(image, "f.part.0", kprobe, "yes");
    let image = Image::new().symbols(&[("f", 0), ("f.part.0", 0)]);
    check(image, "f.part.0", kprobe, "no-ftrace-site");
}

#[test]
fn fentry_needs_the_kernels_own_btf() {
    let mut image = Image::new();
    image.types(|_| ());
    check(image, "f", fentry, "no-btf");
    // BTF without a FUNC of that name.
    let mut image = Image::new();
    image.types(|types| {
        types.structure("s", &[("member", "int")]);
    });
    check(image, "f", fentry, "no-btf-func");
    // The same FUNC, but read from DWARF.
    let mut image = Image::new();
    image.parts.meta.btf_types = 1;
    check(image.unknown(Fact::Btf), "f", fentry, "unknown Btf");
}

#[test]
fn the_sets_of_the_verifier_decide() {
    check(Image::new().set("btf_id_deny", "f", 0), "f", fentry, "denied");
    check(Image::new().set("btf_id_deny", "g", 0), "f", fentry, "yes");
    check(Image::new().set("noreturn_deny", "f", 0), "f", fentry, "yes");
    check(Image::new().set("noreturn_deny", "f", 0), "f", fexit, "no-return");
    check(Image::new().unknown(Fact::BtfIds), "f", fentry, "unknown BtfIds");
    let injectable = || Image::new().symbols(&[("f", ATTACH_FTRACE | record::ATTACH_ERROR_INJECTION)]);
    check(injectable(), "f", fmod_ret, "yes");
    check(injectable(), "f", sleepable, "yes");
    check(injectable().set("btf_non_sleepable_error_inject", "f", 0), "f", sleepable, "not-sleepable");
    check(Image::new().set("hid_bpf_fmodret_ids", "f", 1 << 5), "f", fmod_ret, "yes");
    check(Image::new().set("hid_bpf_fmodret_ids", "f", 1 << 5), "f", sleepable, "yes");
    check(Image::new().set("hid_bpf_fmodret_ids", "f", 0), "f", sleepable, "not-sleepable");
    check(Image::new().unknown(Fact::ErrorInjection), "f", fmod_ret, "unknown ErrorInjection");
}

#[test]
fn entries_of_system_calls_are_open_on_kernels_that_say_so() {
    let open = || {
        let mut image = Image::new().symbols(&[("__x64_sys_f", ATTACH_FTRACE), ("f", ATTACH_FTRACE)]);
        image.types(|types| {
            types.function("__x64_sys_f", "long", &[("regs", "const struct pt_regs *")]);
            types.function("f", "int", &[("a", "int")]);
        });
        image
    };
    let verifier = ("has_arch_syscall_prefix", "kernel/bpf/verifier.c", Inline::Inlined, &[][..]);
    check(open(), "__x64_sys_f", fmod_ret, "not-modifiable");
    check(open().function(verifier), "__x64_sys_f", fmod_ret, "yes");
    check(open().function(verifier), "__x64_sys_f", sleepable, "yes");
    check(open().function(verifier), "f", fmod_ret, "not-modifiable");
    check(open().without_functions(), "__x64_sys_f", fmod_ret, "unknown Functions");
    check(open().without_functions(), "__x64_sys_f", sleepable, "unknown Functions");
    check(open().without_functions(), "f", fmod_ret, "not-modifiable");
}

#[test]
fn trampolines_need_the_architecture_and_direct_calls() {
    let mut without_direct_calls = Image::new();
    without_direct_calls.symbols.retain(|(name, _)| *name != "register_ftrace_direct");
    check(without_direct_calls, "f", fentry, "no-trampoline");
    check(Image::new().without_trampolines(), "f", fentry, "no-trampoline");
    check(Image::new().without_trampolines(), "f", kprobe, "yes");
    check(Image::new().without_functions(), "f", fentry, "yes");
    let without_jit = |mut image: Image| {
        image.symbols.retain(|(name, _)| *name != "arch_prepare_bpf_trampoline");
        image
    };
    check(without_jit(Image::new()), "f", fentry, "no-trampoline");
    check(without_jit(Image::new()).unknown(Fact::Symbols), "f", fentry, "unknown Symbols");
}

#[test]
fn trampolines_have_limits() {
    let with = |params: &[(&str, &str)], returns: &str| {
        let mut image = Image::new();
        image.types(|types| {
            types.structure("pair", &[("a", "long"), ("b", "long")]);
            types.function("f", returns, params);
        });
        image
    };
    let ints = |count: usize| vec![("a", "int"); count];
    check(with(&ints(6), "int"), "f", fentry, "yes");
    check(with(&ints(7), "int"), "f", fentry, "signature");
    let on_stack = ("clean_stack_garbage", "arch/x86/net/bpf_jit_comp.c", Inline::Inlined, &[][..]);
    check(with(&ints(7), "int").function(on_stack), "f", fentry, "yes");
    check(with(&ints(7), "int").unknown(Fact::Functions), "f", fentry, "unknown Functions");
    check(with(&ints(13), "int").function(on_stack), "f", fentry, "signature");
    check(with(&[("a", "int"), ("", "void")], "int"), "f", fentry, "signature");
    check(with(&[("a", "struct pair")], "int"), "f", fentry, "signature");
    check(with(&ints(1), "struct pair"), "f", fentry, "signature");
    let mut by_value = Image::new();
    by_value.types(|types| {
        types.structure("btf_func_model", &[("ret_size", "u8"), ("arg_flags", "u8")]);
        types.structure("pair", &[("a", "long"), ("b", "long")]);
        types.function("f", "int", &[("a", "struct pair")]);
    });
    check(by_value, "f", fentry, "yes");
    // As `fl_create` on 6.1: six parameters, of which one takes two registers.
    let mut wide = Image::new();
    wide.types(|types| {
        types.structure("btf_func_model", &[("ret_size", "u8"), ("arg_flags", "u8")]);
        types.structure("pair", &[("a", "long"), ("b", "long")]);
        types.function("f", "int", &[&[("p", "struct pair")][..], &ints(5)].concat());
    });
    check(wide, "f", fentry, "signature");
    let mut arm = with(&ints(7), "int");
    arm.parts.meta.kernel.arch = Arch::Arm64;
    check(arm, "f", fentry, "yes");
}

#[test]
fn what_a_hook_misses_is_told() {
    let image = || {
        Image::new()
            .symbols(&[("f", ATTACH_FTRACE), ("f.part.0", 0), ("f.isra.0.cold", 0)])
            .function(("g", "fs/g.c", Inline::SeenUnknown, &[]))
            .function(("f", "fs/f.c", Inline::Inlined, &["g", "g", "f"]))
    };
    let surface = image().surface();
    let misses = surface.attach("f").misses;
    assert_eq!(
        misses,
        [Miss::InlinedCopies { sites: 2, functions: 1 }, Miss::Clone { suffix: CloneKind::Part }]
    );
    assert_eq!(misses[0].to_string(), "2 inlined copies in 1 function");
    assert!(surface.attach("f.part.0").misses.is_empty());
}

#[test]
fn the_context_switch_takes_no_kretprobe() {
    let image = Image::new().symbols(&[("__switch_to", ATTACH_FTRACE)]);
    let surface = image.surface();
    let attach = surface.attach("__switch_to");
    assert_eq!((kprobe(&attach).as_str(), words(&attach.kretprobe).as_str()), ("yes", "kretprobe-blacklist"));
}

#[test]
fn answers_serialise_with_id_and_words() {
    let json = |answer: Answer<'_>| serde_json::to_string(&answer).expect("plain data");
    assert_eq!(json(Answer::Yes), r#"{"answer":"yes"}"#);
    assert_eq!(
        json(Answer::no(Obstacle::InitText)),
        r#"{"answer":"no","id":"init-text","reason":"init code, which is freed after boot"}"#
    );
    assert_eq!(
        json(Answer::Unknown { fact: Fact::Btf, reason: "no `.BTF`" }),
        r#"{"answer":"unknown","fact":"btf","reason":"no `.BTF`"}"#
    );
}
