//! A surface of types alone: what a kernel's BTF tells where there is nothing else of the kernel.
//!
//! BTF has prototypes, structs, enums, LSM hooks, raw tracepoints and, since about 6.10, kfuncs. It has neither
//! symbols nor tables, so all that is read from these is unknown. It does not say which kernel it is of either: that
//! is told by the name of the file, except for the architecture, which shows in `struct pt_regs`.

use std::collections::BTreeMap;

use crate::btf;
use crate::error::{Error, Result};
use crate::kernel::{Arch, KernelId, Uname};
use crate::note::Notes;
use crate::progress::Progress;
use crate::source;
use crate::surface::build::Parts;
use crate::surface::field::fields;
use crate::surface::meta::{Evidence, Fact, Meta};
use crate::surface::strings::Strings;
use crate::surface::types::{TypeKind, TypeTable, Types};

use super::set::Sets;
use super::{Extracted, Options, config, finish, kfunc, lsm, tracepoint};

/// Why a fact is unknown that needs more of a kernel than its types.
const ONLY_TYPES: &str = "only the kernel's BTF was given";

/// What types tell about the machine they are of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Machine {
    /// `None` where `struct pt_regs` is of no known architecture.
    pub arch: Option<Arch>,
    /// Whether it is big-endian, by the byte order of the BTF itself.
    pub big_endian: bool,
    /// Bytes of a pointer: those of a `long`.
    pub address_size: u8,
}

/// Members that `struct pt_regs` has on one architecture and on no other, with the bytes of a pointer and
/// whether it is big-endian (`arch/*/include/asm/ptrace.h`, `arch/*/include/uapi/asm/ptrace.h`).
const REGISTERS: [(&[&str], u8, bool, Arch); 9] = [
    (&["r15", "di", "orig_ax"], 8, false, Arch::Amd64),
    (&["bx", "di", "orig_ax"], 4, false, Arch::I386),
    (&["regs", "pstate"], 8, false, Arch::Arm64),
    (&["uregs"], 4, false, Arch::Armhf),
    (&["epc", "a0"], 8, false, Arch::Riscv64),
    (&["psw", "gprs"], 8, true, Arch::S390x),
    (&["nip", "gpr"], 8, false, Arch::Ppc64el),
    (&["csr_era"], 8, false, Arch::Loong64),
    (&["cp0_epc"], 8, false, Arch::Mips64el),
];

impl Machine {
    /// Asks the types of a BTF blob in a byte order. Without a `long`, pointers are taken to have eight bytes.
    #[must_use]
    pub fn of(types: Types<'_>, big_endian: bool) -> Self {
        // GCC's and Clang's words for it.
        let long = ["long int", "long", "long unsigned int", "unsigned long"];
        let size = long.iter().find_map(|name| types.find(TypeKind::Int, name)?.size());
        let address_size = if size == Some(4) { 4 } else { 8 };
        let registers = types.find(TypeKind::Struct, "pt_regs").map(fields).unwrap_or_default();
        let has = |name: &&str| registers.iter().any(|field| field.name == *name);
        let arch = REGISTERS
            .iter()
            .find(|(names, size, big, _)| {
                (*size, *big) == (address_size, big_endian) && names.iter().all(has)
            })
            .map(|(.., arch)| *arch);
        Self { arch, big_endian, address_size }
    }
}

/// Types and strings of a BTF blob, with what they tell of the machine.
pub(super) fn read(bytes: &[u8], notes: &mut Notes) -> Result<(TypeTable, Strings, Machine)> {
    let mut strings = Strings::new();
    let types = btf::read(bytes, &mut strings, notes)?;
    let by_name = types.by_name(&strings);
    // Every blob that could be read begins with the magic in its own order.
    let big_endian = bytes.first() == Some(&0xeb);
    let machine = Machine::of(types.view(&strings, &by_name), big_endian);
    Ok((types, strings, machine))
}

/// Extracts the surface of bare BTF.
///
/// # Errors
/// When the BTF is damaged, or neither the file's name nor [`Options::name`] tells which kernel it is of; with
/// [`Options::strict`] also when anything was lost.
pub fn surface(kernel: &source::Kernel, options: &Options, progress: &dyn Progress) -> Result<Extracted> {
    progress.step("read types", None);
    let mut notes = Notes::new();
    let (types, strings, machine) = read(&kernel.vmlinux, &mut notes)?;
    let meta = identity(&kernel.origin, machine, options.name.as_ref())?;
    if let Some(config) = &kernel.config {
        config::check(config, &meta)?;
    }
    let mut parts = Parts::new(meta);
    parts.strings = strings;
    parts.types = types;
    store(&mut parts, "BTF");
    if kernel.origin.member.is_some() {
        // Such archives are made from debug information, for kernels that were built without BTF.
        let reason = "the types are from an archive, and need not be the kernel's own BTF";
        parts.meta.evidence.insert(Fact::Btf, Evidence::unknown(reason));
    }
    let types = parts.types.view(&parts.strings, &parts.types_by_name);
    let tracepoints = tracepoint::of_types(types, &(1..types.len()));
    tracepoints.store(&mut parts, |_| None);
    for fact in [
        Fact::Functions,
        Fact::Symbols,
        Fact::FtraceSites,
        Fact::KprobeBlacklist,
        Fact::Exports,
        Fact::ErrorInjection,
        Fact::Syscalls,
        Fact::SyscallMetadata,
        Fact::CompatSyscalls,
        Fact::Modules,
    ] {
        parts.meta.evidence.insert(fact, Evidence::unknown(ONLY_TYPES));
    }
    config::store(super::config_of(kernel), &mut parts, &mut notes);
    finish(parts, notes, options, progress)
}

/// The kinds of facts that are read from types alone, for parts that have these and nothing but these.
/// `source` is where the types are from.
pub(super) fn store(parts: &mut Parts, source: &str) {
    parts.meta.btf_types = parts.types.next_id().0;
    parts.index_types();
    let sets = Sets { list: Vec::new(), evidence: Evidence::unknown(ONLY_TYPES) };
    let types = parts.types.view(&parts.strings, &parts.types_by_name);
    let lsm_hooks = lsm::read(types, &sets);
    let kfuncs = kfunc::read(types, &(1..types.len()), &sets);
    lsm_hooks.store(parts);
    kfuncs.store(parts);
    sets.store(parts);
    for fact in [Fact::Btf, Fact::Types] {
        parts.meta.evidence.insert(fact, Evidence::known(source));
    }
}

/// Which kernel the types are of.
fn identity(origin: &source::Origin, machine: Machine, name: Option<&KernelId>) -> Result<Meta> {
    let release = origin.release();
    let uname = release.and_then(|release| Uname::parse(release, None, machine.arch).ok());
    let distribution = uname.as_ref().and_then(|uname| uname.distribution);
    let kernel = match (name, machine.arch) {
        (Some(name), Some(arch)) if name.arch != arch => {
            return Err(Error::Usage {
                what: format!("`{name}` is {}, the types are of {arch}", name.arch),
                help: Some(format!("end the name in `-{arch}`")),
            });
        }
        (Some(name), _) => name.clone(),
        (None, arch) => uname.and_then(Uname::kernel).ok_or_else(|| {
            let arch = arch.map_or("ARCH", Arch::name);
            Error::Usage {
                what: "BTF does not tell which kernel it is of, and neither does the file's name".into(),
                help: Some(format!("say it with `--name VERSION-RELEASE-FLAVOUR-{arch}`")),
            }
        })?,
    };
    Ok(Meta {
        kernel,
        uname: release.map(str::to_owned),
        banner: None,
        build_id: None,
        compiler: None,
        distribution: distribution.map(|it| it.name().to_owned()),
        package: None,
        big_endian: machine.big_endian,
        address_size: machine.address_size,
        base_address: 0,
        btf_types: 1,
        imported: None,
        fetched: None,
        evidence: BTreeMap::new(),
    })
}

#[cfg(test)]
mod tests;
