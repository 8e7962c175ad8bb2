//! The surface of a running kernel, from what [`crate::source::live`] read: BTF, `kallsyms`, the lists of tracefs
//! and debugfs, and the configuration.
//!
//! It is a surface of what can be attached to now: names are those of `kallsyms`, and the ftrace sites and the
//! kprobe blacklist are the kernel's own lists. Without the kernel's memory its tables are unknown: system calls and
//! the sets of `.BTF_ids`. Of modules those that are loaded are told ([`module`]).

mod attach;
mod module;
mod symbols;

use object::Endianness;

use crate::error::{Error, Result};
use crate::image;
use crate::kernel::Arch;
use crate::note::Notes;
use crate::progress::Progress;
use crate::source::live::Live;
use crate::surface::build::Parts;
use crate::surface::meta::{Evidence, Fact};
use crate::surface::strings::Strings;
use crate::surface::types::TypeTable;

use self::attach::Attach;
use self::symbols::Symbols;
use super::{Extracted, Options, btf, config, finish, identity, tracepoint};

/// Extracts the surface of a running kernel.
///
/// # Errors
/// When its BTF is damaged, or it does not tell its architecture or its name and [`Options::name`] does not either; with
/// [`Options::strict`] also when anything was lost.
pub fn surface(live: &Live, options: &Options, progress: &dyn Progress) -> Result<Extracted> {
    progress.step("read types", None);
    let mut notes = Notes::new();
    let btf = live.btf.as_ref().map_err(Clone::clone);
    let (types, strings, machine) = match btf {
        Ok(bytes) => {
            let read = btf::read(bytes, &mut notes).map_err(|e| e.at("/sys/kernel/btf/vmlinux"))?;
            (read.0, read.1, Some(read.2))
        }
        Err(_) => (TypeTable::new(), Strings::new(), None),
    };
    let machine = machine.filter(|machine| machine.arch.is_some());
    let arch = machine
        .and_then(|machine| machine.arch)
        .or_else(|| arch_of_config(live))
        .or(options.name.as_ref().map(|name| name.arch))
        .ok_or_else(|| Error::Usage {
            what: "neither BTF nor configuration tell the running kernel's architecture".into(),
            help: Some("say it with `--name VERSION-RELEASE-FLAVOUR-ARCH`".into()),
        })?;
    let &image::Machine { address_size, big_endian, .. } = image::arch::of(arch);
    let endian = if big_endian { Endianness::Big } else { Endianness::Little };

    progress.step("read symbols", None);
    let symbols = Symbols::parse(live, &mut notes);
    let meta = identity::of(identity::Given {
        banner: &live.banner,
        arch,
        big_endian,
        address_size,
        base_address: symbols.address_of("_stext").or(symbols.address_of("_text")).unwrap_or(0),
        build_id: live.notes.as_ref().ok().and_then(|bytes| image::build_id(bytes, endian)),
        compiler: None,
        package: None,
        name: options.name.as_ref(),
    })?;
    let mut parts = Parts::new(meta);
    parts.strings = strings;
    parts.types = types;

    btf::store(&mut parts, "/sys/kernel/btf/vmlinux");
    if let Err(reason) = btf {
        for fact in [Fact::Btf, Fact::Types, Fact::LsmHooks, Fact::Kfuncs] {
            parts.meta.evidence.insert(fact, Evidence::unknown(reason.clone()));
        }
    }
    let types = parts.types.view(&parts.strings, &parts.types_by_name);
    let mut tracepoints = tracepoint::of_types(types, &(1..types.len()));
    let of_modules = tracepoints.add_events(&live.events, types);
    tracepoints.store(&mut parts, |_| None);
    module::types(live, of_modules, &mut parts, &mut notes)?;

    progress.step("read lists", None);
    let bits = Attach::new(&symbols, live).read(&mut parts, &mut notes);
    symbols::store(&symbols, &bits, live, &mut parts, &mut notes);
    module::symbols(&symbols, &mut parts);
    tell_unknown(&mut parts);
    parts.meta.evidence.insert(Fact::Modules, module::evidence(live, &mut notes));
    match &live.config {
        Ok(config) => {
            config::store(Some((&config.text, &config.origin.file)), &mut parts, &mut notes);
        }
        Err(reason) => {
            parts.meta.evidence.insert(Fact::Config, Evidence::unknown(reason.clone()));
        }
    }
    finish(parts, notes, options, progress)
}

/// What only the kernel's memory or its debug information would tell.
fn tell_unknown(parts: &mut Parts) {
    let mut unknown = |fact, reason: &str| parts.meta.evidence.insert(fact, Evidence::unknown(reason));
    unknown(Fact::Functions, "a running kernel has no debug information");
    let memory = "the running kernel's memory is not read: add its image or its debug package";
    for fact in [Fact::BtfIds, Fact::Syscalls, Fact::SyscallMetadata, Fact::CompatSyscalls] {
        unknown(fact, memory);
    }
}

/// The architecture by the heading of the configuration, `# Linux/x86 6.1.176 Kernel Configuration`, and the options
/// that decide between the two widths and byte orders.
fn arch_of_config(live: &Live) -> Option<Arch> {
    let text = &live.config.as_ref().ok()?.text;
    let heading = text.lines().take(8).find_map(|line| line.strip_prefix("# Linux/"))?;
    let is_set = |option: &str| text.lines().any(|line| line.strip_prefix(option) == Some("=y"));
    let wide = is_set("CONFIG_64BIT");
    let little = !is_set("CONFIG_CPU_BIG_ENDIAN");
    match heading.split(' ').next()? {
        "x86" | "x86_64" if wide => Some(Arch::Amd64),
        "x86" | "i386" => Some(Arch::I386),
        "arm64" if little => Some(Arch::Arm64),
        "arm" if little => Some(Arch::Armhf),
        "riscv" if wide => Some(Arch::Riscv64),
        "s390" => Some(Arch::S390x),
        "powerpc" if wide && little => Some(Arch::Ppc64el),
        "loongarch" if wide => Some(Arch::Loong64),
        "mips" if wide && little => Some(Arch::Mips64el),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
