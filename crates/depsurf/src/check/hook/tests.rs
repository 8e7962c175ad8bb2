//! Stages at which hooks are refused, on a kernel of a few symbols.

use super::*;
use crate::surface::attach::tests::Image;
use crate::surface::record::{self, ATTACH_FTRACE, LSM_BPF, LSM_SLEEPABLE, NONE};
use crate::surface::{Evidence, Meta};

/// Rule and consequence of each finding for a section.
fn found(surface: &Surface, section: &str) -> Vec<(Rule, Consequence)> {
    let findings = findings(surface, &Sec::parse(section));
    findings.iter().map(|finding| (finding.rule, finding.consequence)).collect()
}

fn know(meta: &mut Meta, fact: Fact) {
    meta.evidence.insert(fact, Evidence::known("the test"));
}

/// A kernel with the LSM hook `file_open`.
fn with_lsm(attach: u32) -> Image {
    let mut image = Image::new().symbols(&[("bpf_lsm_file_open", attach)]);
    image.types(|types| {
        types.function("bpf_lsm_file_open", "int", &[("file", "void *")]);
    });
    let mut string = |text: &str| image.parts.strings.intern(text.as_bytes()).0.into();
    let hook = record::LsmHook {
        name: string("file_open"),
        prototype: NONE.into(),
        flags: (LSM_BPF | LSM_SLEEPABLE).into(),
    };
    let config = [("CONFIG_BPF_LSM", "y"), ("CONFIG_LSM", "\"landlock,bpf\"")];
    let config = config.map(|(name, value)| record::Config { name: string(name), value: string(value) });
    image.parts.lsm_hooks.push(hook);
    image.parts.configs.extend(config);
    know(&mut image.parts.meta, Fact::LsmHooks);
    know(&mut image.parts.meta, Fact::Config);
    image
}

#[test]
fn lsm_programs_need_trampolines() {
    assert_eq!(found(&with_lsm(ATTACH_FTRACE).surface(), "lsm/file_open"), []);
    assert_eq!(found(&with_lsm(ATTACH_FTRACE).surface(), "lsm.s/file_open"), []);
    let without = with_lsm(ATTACH_FTRACE).without_trampolines().surface();
    for section in ["lsm/file_open", "lsm.s/file_open"] {
        assert_eq!(found(&without, section), [(Rule::NoTrampoline, Consequence::AttachFails)]);
    }
    let unread = with_lsm(0).unknown(Fact::FtraceSites).surface();
    assert_eq!(found(&unread, "lsm/file_open"), [(Rule::EvidenceMissing, Consequence::Unknown)]);
}

#[test]
fn of_two_refusals_of_a_program_the_earlier_one_is_told() {
    let many = |symbols: &[(&'static str, u32)]| {
        let mut image = Image::new().symbols(symbols);
        image.types(|types| {
            types.function("f", "int", &[("a", "int"); 13]);
            types.function("g", "int", &[("a", "int")]);
        });
        image.surface()
    };
    let surface = many(&[("f", ATTACH_FTRACE), ("g", 0)]);
    let refused = |section| found(&surface, section);
    // The verifier counts parameters, the trampoline registers.
    assert_eq!(refused("fentry/f"), [(Rule::SignatureNotTraceable, Consequence::LoadFails)]);
    assert_eq!(refused("fentry/g"), [(Rule::NoFtraceSite, Consequence::AttachFails)]);
    assert_eq!(refused("fexit.s/g"), [(Rule::NotSleepable, Consequence::LoadFails)]);
    let never = Image::new()
        .symbols(&[("f", ATTACH_FTRACE | record::ATTACH_ERROR_INJECTION)])
        .set("noreturn_deny", "f", 0)
        .surface();
    assert_eq!(found(&never, "fexit.s/f"), [(Rule::NoReturn, Consequence::LoadFails)]);
}

#[test]
fn what_a_module_has_needs_it_to_be_loaded() {
    let with = |flags: u32| {
        let mut image = Image::new().symbols(&[("f", ATTACH_FTRACE), ("g", ATTACH_FTRACE)]);
        let first_symbol = image.symbols.len() as u32 - 1;
        let name = image.parts.strings.intern(b"tiny").0.into();
        image.parts.modules.push(record::Module {
            name,
            path: name,
            first_symbol: first_symbol.into(),
            first_type: image.parts.meta.btf_types.into(),
            type_count: 0.into(),
            flags: flags.into(),
        });
        image.surface()
    };
    let file = with(record::MODULE_CODE);
    assert_eq!(found(&file, "kprobe/g"), [(Rule::NeedsModule, Consequence::Unknown)]);
    assert_eq!(found(&file, "kprobe/f"), []);
    assert_eq!(found(&with(record::MODULE_CODE | record::MODULE_LOADED), "kprobe/g"), []);
}
