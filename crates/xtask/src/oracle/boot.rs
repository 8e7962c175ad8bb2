//! A bootable image beside the vmlinux of the same build: what it tells must be what that tells.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::path::Path;

use anyhow::Result;
use depsurf::progress::Silent;
use depsurf::surface::set::Set;
use depsurf::surface::syscall::Syscall;
use depsurf::surface::tracepoint::Tracepoint;
use depsurf::surface::{Fact, Surface, Symbol};
use depsurf::{extract, source};

use super::table::{self, Row, UNEXPLAINED};

/// ELF's type of a symbol that is a function.
const FUNCTION: u8 = 2;
/// ELF's types of symbols of sections and files, which are names of nothing in the kernel.
const OF_NOTHING: std::ops::RangeInclusive<u8> = 3..=4;

/// A symbol: name, address, what can be attached.
type Symbols = BTreeSet<(String, u64, u32)>;

/// Reads a vmlinux and a bootable image, or the packages that they are in, compares them and prints what came of it; gives whether
/// all that the image tells is the same.
pub fn check(vmlinux: &Path, image: &Path) -> Result<bool> {
    let read = |path| -> Result<Surface> {
        let kernel = source::open(path, &source::Options::default(), &Silent)?;
        Ok(Surface::from_bytes(extract::surface(&kernel, &extract::Options::default(), &Silent)?.bytes)?)
    };
    let rows = compare(&read(vmlinux)?, &read(image)?);
    println!("{}\n{}", table::table(&rows), table::reasons(&rows));
    Ok(rows.iter().map(Row::unexplained).sum::<usize>() == 0)
}

/// What a surface has of a kind, as text.
type Texts = fn(&Surface) -> BTreeSet<String>;

/// Compares all that the image tells.
pub fn compare(full: &Surface, boot: &Surface) -> Vec<Row> {
    let mut rows = vec![identity(full, boot), facts(full, boot)];
    let all = has_tables(boot);
    let in_boot = symbols(boot, 0);
    let percpu: Symbols = full
        .symbols()
        .filter(|symbol| symbol.section() == Some(PERCPU))
        .map(|symbol| (symbol.name().to_owned(), symbol.address(), 0))
        .collect();
    let here: Symbols = in_boot.difference(&percpu).cloned().collect();
    let mut there = symbols(full, 0);
    if !all {
        // Without data symbols the table lists some of the symbols, but none that is not there.
        there.retain(|symbol| here.contains(symbol));
    }
    rows.push(sets("symbols", &there, &here));
    if !all {
        return rows;
    }
    // What is not in the kernel's table at all was told above. Labels at the end of a section are in the next one where
    // sections are not told, so that only functions are compared.
    let functions: BTreeSet<(&str, u64)> = full
        .symbols()
        .filter(|symbol| symbol.elf_type() == FUNCTION)
        .map(|symbol| (symbol.name(), symbol.address()))
        .collect();
    let of_both = |surface, other: &Symbols| -> Symbols {
        let is_there = |name: &String, at: u64| {
            other.contains(&(name.clone(), at, 0)) && functions.contains(&(name, at))
        };
        symbols(surface, !0).into_iter().filter(|(name, at, _)| is_there(name, *at)).collect()
    };
    let there = of_both(full, &here);
    let here = of_both(boot, &symbols(full, 0));
    rows.push(sets("what can be attached to functions", &there, &here));
    let kinds: [(&str, Fact, Texts); 6] = [
        ("types of `.BTF`", Fact::Btf, types),
        ("tracepoints", Fact::Tracepoints, |surface| surface.tracepoints().map(tracepoint).collect()),
        (
            "system calls",
            Fact::Syscalls,
            if boot.meta().knows(Fact::SyscallMetadata) { syscalls } else { syscalls_alone },
        ),
        ("sets of BTF ids", Fact::BtfIds, |surface| surface.sets().map(set).collect()),
        ("kfuncs", Fact::Kfuncs, |surface| {
            surface.kfuncs().map(|it| format!("{} {}", it.name(), it.flags())).collect()
        }),
        ("LSM hooks", Fact::LsmHooks, |surface| {
            surface.lsm_hooks().map(|it| format!("{} {}", it.name(), it.flags())).collect()
        }),
    ];
    for (kind, fact, of) in kinds {
        // Layouts of tables are types: without them it is said to be unknown.
        if boot.meta().knows(fact) || boot.meta().knows(Fact::Types) {
            rows.push(sets(kind, &of(full), &of(boot)));
        }
    }
    rows
}

/// Whether the image's symbol table lists data, so that the kernel's tables are found by it.
pub fn has_tables(boot: &Surface) -> bool {
    boot.meta().knows(Fact::FtraceSites)
}

/// Whose kernel it is.
fn identity(full: &Surface, boot: &Surface) -> Row {
    let mut row = Row::new("name, banner and build id");
    let mut compare = |what: &str, there: &dyn Debug, here: &dyn Debug| {
        row.compare(&format!("{there:?}"), &format!("{here:?}"), || what.into(), || UNEXPLAINED);
    };
    compare("name", &full.kernel(), &boot.kernel());
    compare("banner", &full.meta().banner, &boot.meta().banner);
    // Of several notes in flat memory it cannot be told which is the kernel's.
    if boot.meta().build_id.is_some() {
        compare("build id", &full.meta().build_id, &boot.meta().build_id);
    }
    row
}

/// What is known at all. Functions need debug information, types without `.BTF` too, and the configuration is in the package.
fn facts(full: &Surface, boot: &Surface) -> Row {
    let mut row = Row::new("kinds of facts that an image has");
    for fact in Fact::ALL {
        let (there, here) = (full.meta().knows(fact), boot.meta().knows(fact));
        let is_elsewhere = matches!(fact, Fact::Functions | Fact::Config);
        // The kernel has no types of its own, and those of its debug information tell the layouts of its tables, too.
        let from_debug_information = !boot.meta().knows(Fact::Types) && full.meta().has_btf() == Some(false);
        match (there, here) {
            (false, true) if !is_elsewhere => row.only_here(UNEXPLAINED, || format!("{fact:?}")),
            (true, false) if has_tables(boot) && !is_elsewhere && !from_debug_information => {
                row.only_there(UNEXPLAINED, || {
                    format!("{fact:?}: {}", boot.meta().unknown_because(fact).unwrap_or_default())
                });
            }
            (true, true) => row.equal(),
            _ => {}
        }
    }
    row
}

/// The section of per-CPU variables, which older kernels list without a section.
const PERCPU: &str = ".data..percpu";

/// Whether the build leaves a symbol in the kernel's own table (scripts/kallsyms.c, scripts/mksysmap).
fn is_listed(name: &str) -> bool {
    // Before 6.4 the table did not have itself in it.
    let of_the_table = [
        "kallsyms_offsets",
        "kallsyms_addresses",
        "kallsyms_relative_base",
        "kallsyms_num_syms",
        "kallsyms_names",
        "kallsyms_markers",
        "kallsyms_seqs_of_names",
        "kallsyms_token_table",
        "kallsyms_token_index",
    ];
    let left_out = ["$", ".L", "__crc_", "__kstrtab_", "__kstrtabns_", "__pi_", "__efistub_", "__kvm_nvhe_"];
    !of_the_table.contains(&name) && !left_out.iter().any(|prefix| name.starts_with(prefix))
}

/// The symbols in a section, with what can be attached as far as `mask` has it.
fn symbols(surface: &Surface, mask: u32) -> Symbols {
    let is_compared = |symbol: &Symbol<'_>| {
        !OF_NOTHING.contains(&symbol.elf_type())
            && is_listed(symbol.name())
            && symbol.section().is_some_and(|name| name != PERCPU)
    };
    surface
        .symbols()
        .filter(is_compared)
        .map(|symbol| (symbol.name().to_owned(), symbol.address(), symbol.attach() & mask))
        .collect()
}

fn types(surface: &Surface) -> BTreeSet<String> {
    let end = surface.meta().btf_types;
    let types = surface.types().iter().filter(|ty| ty.id().0 < end);
    types.map(|ty| format!("{} {:?} {} {:?}", ty.id().0, ty.kind(), ty.name(), ty.size())).collect()
}

fn tracepoint(it: Tracepoint<'_>) -> String {
    let record = it.record().map(|ty| ty.id());
    let flags = (it.has_event(), it.is_raw(), it.raw_args(), it.writable_size());
    format!("{:?} {} {:?} {:?} {flags:?} {record:?}", it.system(), it.name(), it.class(), it.format())
}

fn syscalls(surface: &Surface) -> BTreeSet<String> {
    surface.syscalls().map(|it| format!("{} {} {:?}", it.name(), syscall(it), it.args())).collect()
}

/// System calls without what their metadata tell.
fn syscalls_alone(surface: &Surface) -> BTreeSet<String> {
    surface.syscalls().map(syscall).collect()
}

fn syscall(it: Syscall<'_>) -> String {
    format!("{} {} {:?} {}", it.abi(), it.number(), it.symbol(), it.is_implemented())
}

fn set(set: Set<'_>) -> String {
    let members: Vec<_> = set.members().map(|it| (it.name.to_owned(), it.flags)).collect();
    format!("{} {members:?}", set.name())
}

fn sets<T: Ord + Debug>(kind: &str, there: &BTreeSet<T>, here: &BTreeSet<T>) -> Row {
    let mut row = Row::new(kind);
    for one in there {
        if here.contains(one) {
            row.equal();
        } else {
            row.only_there(UNEXPLAINED, || format!("{one:?}"));
        }
    }
    for one in here.difference(there) {
        row.only_here(UNEXPLAINED, || format!("{one:?}"));
    }
    row
}
