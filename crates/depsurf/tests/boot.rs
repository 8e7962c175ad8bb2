//! A bootable image against the vmlinux of the same kernel: what it tells must be what that tells.
//!
//! `DEPSURF_BOOT` names the image or its package, `DEPSURF_VMLINUX` the vmlinux or the debug package.

#![allow(clippy::print_stdout, reason = "it says what it compared and what it left out")]

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::path::Path;

use depsurf::progress::Silent;
use depsurf::surface::{Fact, Surface};
use depsurf::{extract, source};

fn surface(path: &Path) -> Surface {
    let kernel = source::open(path, &source::Options::default(), &Silent).unwrap();
    let extracted = extract::surface(&kernel, &extract::Options::default(), &Silent).unwrap();
    Surface::from_bytes(extracted.bytes).unwrap()
}

/// Says how two sets differ, with some examples.
fn compare<T: Ord + Debug>(what: &str, full: &BTreeSet<T>, boot: &BTreeSet<T>) -> usize {
    let missing: Vec<_> = full.difference(boot).collect();
    let more: Vec<_> = boot.difference(full).collect();
    println!("{what}: {} and {}, {} missing, {} more", full.len(), boot.len(), missing.len(), more.len());
    for (how, list) in [("missing", &missing), ("more", &more)] {
        for one in list.iter().take(12) {
            println!("  {how} {one:?}");
        }
    }
    missing.len() + more.len()
}

/// Symbols that the build leaves out of the kernel's own table, and per-CPU symbols, which older kernels have there
/// without a section.
fn is_listed(name: &str) -> bool {
    // Before 6.4 the table did not have itself in it.
    let of_the_table =
        ["kallsyms_offsets", "kallsyms_addresses", "kallsyms_relative_base", "kallsyms_num_syms"];
    let of_names = ["kallsyms_names", "kallsyms_markers", "kallsyms_seqs_of_names", "kallsyms_token_table"];
    if of_the_table.contains(&name) || of_names.contains(&name) || name == "kallsyms_token_index" {
        return false;
    }
    let left_out = ["$", ".L", "__crc_", "__kstrtab_", "__kstrtabns_", "__pi_", "__efistub_", "__kvm_nvhe_"];
    !left_out.iter().any(|prefix| name.starts_with(prefix))
}

type Symbols = BTreeSet<(String, u64, u32)>;

/// Name, address and what can be attached, of the symbols in a section.
fn symbols(surface: &Surface, mask: u32) -> Symbols {
    surface
        .symbols()
        .filter(|symbol| !matches!(symbol.elf_type(), 3 | 4) && is_listed(symbol.name()))
        .filter(|symbol| symbol.section().is_some_and(|name| name != ".data..percpu"))
        .map(|symbol| (symbol.name().to_owned(), symbol.address(), symbol.attach() & mask))
        .collect()
}

#[test]
fn a_bootable_image_tells_what_its_vmlinux_tells() {
    let variable = |name| std::env::var_os(name).map(std::path::PathBuf::from);
    let (Some(boot), Some(full)) = (variable("DEPSURF_BOOT"), variable("DEPSURF_VMLINUX")) else {
        println!("SKIPPED: set DEPSURF_BOOT and DEPSURF_VMLINUX to an image and the vmlinux of one kernel");
        return;
    };
    let (full, boot) = (surface(&full), surface(&boot));
    assert_eq!(full.kernel(), boot.kernel());
    assert_eq!(full.meta().banner, boot.meta().banner);
    assert_eq!(full.meta().build_id, boot.meta().build_id);
    let mut wrong = 0;
    // Without data symbols only code is listed, and no table is found.
    let all = boot.meta().knows(Fact::FtraceSites);
    for fact in Fact::ALL {
        let (in_full, in_boot) = (full.meta().knows(fact), boot.meta().knows(fact));
        println!("{fact:?}: {in_full} {in_boot} {:?}", boot.meta().unknown_because(fact));
        let is_elsewhere = matches!(fact, Fact::Functions | Fact::Config);
        let from_dwarf = fact == Fact::Types && !full.meta().knows(Fact::Btf);
        wrong += usize::from(in_boot && !in_full && !is_elsewhere);
        wrong += usize::from(all && in_full && !in_boot && !is_elsewhere && !from_dwarf);
    }
    let percpu: BTreeSet<_> = full
        .symbols()
        .filter(|symbol| symbol.section() == Some(".data..percpu"))
        .map(|symbol| (symbol.name().to_owned(), symbol.address(), 0))
        .collect();
    let mut in_full = symbols(&full, 0);
    let in_boot: Symbols = symbols(&boot, 0).difference(&percpu).cloned().collect();
    if !all {
        in_full.retain(|one| in_boot.contains(one));
    }
    wrong += compare("symbols", &in_full, &in_boot);
    if !all {
        assert_eq!(wrong, 0, "differences were printed");
        assert!(in_boot.len() > 20_000, "{}", in_boot.len());
        return;
    }
    // What is not in the kernel's table at all was told above.
    // Labels at the end of a section are in the next one where sections are not told.
    let functions: BTreeSet<_> = full
        .symbols()
        .filter(|symbol| symbol.elf_type() == 2)
        .map(|symbol| (symbol.name().to_owned(), symbol.address()))
        .collect();
    let both = |surface, other: &Surface| -> Symbols {
        let there = symbols(other, 0);
        symbols(surface, !0)
            .into_iter()
            .filter(|(name, at, _)| there.contains(&(name.clone(), *at, 0)))
            .filter(|(name, at, _)| functions.contains(&(name.clone(), *at)))
            .collect()
    };
    wrong += compare("what attaches", &both(&full, &boot), &both(&boot, &full));
    let types = |surface: &Surface| -> BTreeSet<String> {
        let end = surface.meta().btf_types;
        let types = surface.types().iter().filter(|ty| ty.id().0 < end);
        types.map(|ty| format!("{} {:?} {} {:?}", ty.id().0, ty.kind(), ty.name(), ty.size())).collect()
    };
    wrong += compare("types of BTF", &types(&full), &types(&boot));
    let tracepoints = |surface: &Surface| -> BTreeSet<String> {
        let of = |it: depsurf::surface::tracepoint::Tracepoint<'_>| {
            let record = it.record().map(|ty| ty.id());
            let flags = (it.has_event(), it.is_raw(), it.raw_args(), it.writable_size());
            format!(
                "{:?} {} {:?} {:?} {:?} {record:?}",
                it.system(),
                it.name(),
                it.class(),
                it.format(),
                flags
            )
        };
        surface.tracepoints().map(of).collect()
    };
    wrong += compare("tracepoints", &tracepoints(&full), &tracepoints(&boot));
    let syscalls = |surface: &Surface| -> BTreeSet<String> {
        let of = |it: depsurf::surface::syscall::Syscall<'_>| {
            let args = it.args();
            format!(
                "{} {} {} {:?} {} {args:?}",
                it.abi(),
                it.number(),
                it.name(),
                it.symbol(),
                it.is_implemented()
            )
        };
        surface.syscalls().map(of).collect()
    };
    wrong += compare("system calls", &syscalls(&full), &syscalls(&boot));
    let sets = |surface: &Surface| -> BTreeSet<String> {
        surface
            .sets()
            .map(|set| {
                let members: Vec<_> = set.members().map(|it| (it.name.to_owned(), it.flags)).collect();
                format!("{} {members:?}", set.name())
            })
            .collect()
    };
    wrong += compare("sets of BTF ids", &sets(&full), &sets(&boot));
    let kfuncs = |surface: &Surface| -> BTreeSet<String> {
        surface.kfuncs().map(|it| format!("{} {}", it.name(), it.flags())).collect()
    };
    wrong += compare("kfuncs", &kfuncs(&full), &kfuncs(&boot));
    let hooks = |surface: &Surface| -> BTreeSet<String> {
        surface.lsm_hooks().map(|it| format!("{} {}", it.name(), it.flags())).collect()
    };
    wrong += compare("LSM hooks", &hooks(&full), &hooks(&boot));
    assert_eq!(wrong, 0, "differences were printed");
}
