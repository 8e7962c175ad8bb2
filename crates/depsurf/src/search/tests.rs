//! What is found, in which order; the index against a plain comparison of all names.

use std::collections::BTreeMap;

use proptest::prelude::*;
use testkit::Target;
use testkit::c::Types;
use testkit::elf::Machine;

use super::names::Names;
use super::score::{Pattern, Rank};
use super::*;
use crate::Kind;
use crate::extract::{self, Options};
use crate::note::Notes;
use crate::progress::Silent;
use crate::source;
use crate::surface::attach::tests::Image;
use crate::surface::build::Parts;
use crate::surface::strings::StrId;
use crate::surface::{Evidence, Fact, Meta, Surface, fixture, record};

/// A kernel with some functions, options and types.
fn kernel(id: &str, functions: &[&str], configs: &[&str], types: impl FnOnce(&mut Types)) -> Surface {
    let mut parts = Parts::new(Meta {
        evidence: [(Fact::Config, Evidence::unknown("no config was given"))].into(),
        ..fixture::meta(id)
    });
    let mut table = Types::new(Target::LE64);
    types(&mut table);
    let blob = table.btf().btf.build();
    parts.types = crate::btf::read(&blob, &mut parts.strings, &mut Notes::new()).unwrap();
    let mut functions = functions.to_vec();
    functions.sort_unstable();
    for name in functions {
        let name = parts.strings.intern(name.as_bytes()).0.into();
        let btf_func = record::NONE.into();
        let (first_instance, first_symbol) = (0.into(), 0.into());
        parts.functions.push(record::Function { name, first_instance, first_symbol, btf_func });
    }
    for name in ["entry_SYSCALL_64", "__pfx_vfs_read"] {
        let name = parts.strings.intern(name.as_bytes()).0.into();
        parts.symbols.push(record::Symbol {
            name,
            address: 0.into(),
            size: 0.into(),
            section: record::NONE.into(),
            attach: 0.into(),
            info: 0x12,
            other: 0,
            special: 0.into(),
        });
    }
    let mut configs = configs.to_vec();
    configs.sort_unstable();
    for name in configs {
        let (name, value) = (parts.strings.intern(name.as_bytes()).0, parts.strings.intern(b"y").0);
        parts.configs.push(record::Config { name: name.into(), value: value.into() });
    }
    let system = parts.strings.intern(b"sched").0;
    for (name, system) in [("pelt_cfs_tp", 0), ("sched_switch", system)] {
        parts.tracepoints.push(record::Tracepoint {
            name: parts.strings.intern(name.as_bytes()).0.into(),
            system: system.into(),
            class: 0.into(),
            format: 0.into(),
            record: record::NONE.into(),
            prototype: record::NONE.into(),
            btf_trace: record::NONE.into(),
            flags: 0.into(),
            writable_size: 0.into(),
            raw_args: 0.into(),
        });
    }
    Surface::from_bytes(parts.encode()).unwrap()
}

fn types(table: &mut Types) {
    table
        .structure("pid", &[("count", "int"), ("level", "unsigned int")])
        .union("<id>", &[("tgid", "int"), ("ptid", "int")])
        .structure(
            "task_struct",
            &[("__state", "int"), ("pids", "struct pid *"), ("", "union <id>"), ("mm", "union <id>")],
        )
        .structure("<counter>", &[("counter", "int")])
        .typedef("atomic_t", "struct <counter>")
        .union("sigval", &[("sival_int", "int")])
        .enumeration("bpf_map_type", &[("BPF_MAP_TYPE_HASH", 1), ("BPF_MAP_TYPE_RINGBUF", 27)]);
}

const OLD: &[&str] = &[
    "vfs_read",
    "vfs_readv",
    "kernel_read",
    "__vfs_read",
    "blk_account_io_start",
    "bpf_prog_load",
    "tcp_read",
];
const NEW: &[&str] =
    &["vfs_read", "vfs_readv", "new_sync_read", "__blk_account_io_start", "bpf_prog_load", "pids"];

fn two() -> Vec<Surface> {
    vec![
        kernel("5.10.1-1-cloud-amd64", OLD, &["CONFIG_BPF", "CONFIG_BPF_SYSCALL"], types),
        kernel("6.1.1-1-cloud-amd64", NEW, &["CONFIG_BPF"], types),
    ]
}

fn index(surfaces: &[Surface]) -> Index {
    built(surfaces, None)
}

fn built(surfaces: &[Surface], old: Option<&Index>) -> Index {
    let stamped: Vec<Stamped<'_>> = surfaces.iter().map(|surface| (surface, stamp(surface))).collect();
    Index::build(&stamped, old, &Silent).unwrap()
}

fn stamp(surface: &Surface) -> u64 {
    xxhash_rust::xxh3::xxh3_64(surface.bytes())
}

fn query(text: Text) -> Query {
    Query { text, kinds: Vec::new(), limit: 100 }
}

fn found(text: &str) -> Vec<String> {
    titles(&index(&two()).search(&query(Text::like(text)), &[0, 1]))
}

fn titles(found: &Found) -> Vec<String> {
    found.hits.iter().map(|hit| format!("{} {}", hit.what.name(), hit.title())).collect()
}

#[test]
fn the_best_come_first() {
    assert_eq!(found("vfs_read"), ["function vfs_read", "function __vfs_read", "function vfs_readv"]);
    assert_eq!(
        found("read"),
        [
            "function vfs_read",
            "function tcp_read",
            "function vfs_readv",
            "function __vfs_read",
            "function kernel_read",
            "function new_sync_read"
        ]
    );
    assert_eq!(found("VFSREAD"), ["function vfs_read", "function __vfs_read"]);
    assert_eq!(
        found("bpf"),
        [
            "config CONFIG_BPF",
            "enum bpf_map_type",
            "function bpf_prog_load",
            "enumerator BPF_MAP_TYPE_HASH",
            "config CONFIG_BPF_SYSCALL",
            "enumerator BPF_MAP_TYPE_RINGBUF",
        ]
    );
}

/// A kernel without debug information has functions by its symbols and its BTF, as one page shows them.
#[test]
fn functions_are_found_without_debug_information() {
    let symbols: &[(&str, u32)] = &[("vfs_read", 0), ("vfs_readv.cold", 0), ("__pfx_vfs_read", 0)];
    let mut image = Image::new();
    image.types(|types| {
        types.function("vfs_readlink", "int", &[("a", "int")]);
    });
    let surfaces = [image.symbols(symbols).without_functions().surface()];
    let index = index(&surfaces);
    assert_eq!(
        titles(&index.search(&query(Text::like("vfs_read")), &[0])),
        ["function vfs_read", "function vfs_readv", "function vfs_readlink"]
    );
    assert_eq!(
        crate::names::all(Kind::Function, &[&surfaces[0]]),
        ["arch_prepare_bpf_trampoline", "register_ftrace_direct", "vfs_read", "vfs_readlink", "vfs_readv"]
    );
}

#[test]
fn fields_are_found_by_member_and_by_struct() {
    assert_eq!(found("pids"), ["function pids", "field task_struct::pids"]);
    assert_eq!(found("::pids"), ["field task_struct::pids"]);
    assert_eq!(found("task_struct::pi"), ["field task_struct::pids"]);
    assert_eq!(found("task_struct::tgid"), ["field task_struct::tgid", "field task_struct::mm.tgid"]);
    assert_eq!(found("task_struct::mm.ptid"), ["field task_struct::mm.ptid"]);
    assert_eq!(found("task_struct"), ["struct task_struct"], "its fields are not meant");
    assert_eq!(found("state"), ["field task_struct::__state"]);
    assert_eq!(found("atomic_t::"), ["field atomic_t::counter"]);
    assert_eq!(found("task_struct::").len(), 7, "{:?}", found("task_struct::"));
    assert_eq!(found("task_strct::pdis"), ["field task_struct::pids"], "both halves are misspelt");
}

#[test]
fn parts_of_other_things_are_found_as_well() {
    assert_eq!(found("BPF_MAP_TYPE_RINGBUF"), ["enumerator BPF_MAP_TYPE_RINGBUF"]);
    assert_eq!(found("bpf_map_type::hash"), ["enumerator BPF_MAP_TYPE_HASH"]);
    assert_eq!(found("sched:sched_switch"), ["tracepoint sched_switch"]);
    assert_eq!(found("sched/switch"), ["tracepoint sched_switch"]);
    assert_eq!(found("pelt_cfs_tp"), ["tracepoint pelt_cfs_tp"]);
    assert_eq!(found("entry_syscall"), ["symbol entry_SYSCALL_64"]);
    let prefixes = found("__pfx_vfs_read");
    assert!(prefixes.iter().all(|name| !name.starts_with("symbol")), "{prefixes:?}");
}

#[test]
fn what_is_near_is_found_where_nothing_else_is() {
    assert_eq!(found("vfs_raed")[0], "function vfs_read");
    assert_eq!(found("bpfprgload"), ["function bpf_prog_load"]);
    assert_eq!(
        found("acount_io_start"),
        ["function blk_account_io_start", "function __blk_account_io_start"]
    );
    assert_eq!(
        found("start account io"),
        ["function blk_account_io_start", "function __blk_account_io_start"]
    );
    assert_eq!(found("vfs_readv.constprop.0")[0], "function vfs_readv");
    assert_eq!(found("task_struct::pids.first"), ["field task_struct::pids"]);
    assert_eq!(found("zzzzzz"), [""; 0]);
    assert_eq!(found("qx"), [""; 0]);
}

#[test]
fn the_likelier_name_is_nearer() {
    let cost = |text: &str, name: &str| {
        Pattern::new(text).near(name.as_bytes(), &mut Vec::new()).map(|score| score.cost)
    };
    for (text, near, far) in [
        ("vfs_raed", "vfs_read", "vfs_readv"),
        ("vfs_raed", "vfs_read", "vcs_read"),
        ("kmaloc", "kmalloc", "kmap_local_page"),
        ("bpfprgload", "bpf_prog_load", "bpf_prog_load_check_attach"),
        ("filp_opn", "filp_open", "file_post_open"),
        ("acount_io_start", "account_io_start", "blk_account_io_start"),
        ("task_strct", "task_struct", "task_struct_whitelist"),
        ("bpfpl", "bpf_prog_load", "bpf_program_pull"),
    ] {
        let (near, far) = (cost(text, near), cost(text, far));
        assert!(near.is_some() && (far.is_none() || near < far), "{text}: {near:?}, {far:?}");
    }
    for (text, name) in [("vfs_raed", "__vfs_removexattr_locked"), ("io", "ip"), ("read", "write")] {
        assert_eq!(cost(text, name), None, "{text} {name}");
    }
}

#[test]
fn a_hit_tells_where_and_on_which_kernels() {
    let index = index(&two());
    let hit = |text: &str| index.search(&query(Text::like(text)), &[0, 1]).hits.swap_remove(0);
    let hash = hit("type_hash");
    assert_eq!((hash.rank, hash.matched.as_slice()), (Rank::Word, std::slice::from_ref(&(8..17))));
    assert_eq!(hash.page(), (Kind::Enum, "bpf_map_type".into()));
    assert_eq!(hit("struct::pid").matched, [5..11, 13..16]);
    assert_eq!(hit("bpfprgload").matched, [0..3, 4..6, 7..8, 9..13]);
    assert_eq!(hit("io account").matched, [4..11, 12..14]);
    assert_eq!((hit("kernel_read").kernels, hit("vfs_read").kernels), (vec![0], vec![0, 1]));
    let newest = index.search(&query(Text::like("kernel_read")), &[1]);
    assert!(newest.hits.iter().all(|hit| hit.name != "kernel_read"), "{newest:?}");
    assert_eq!(index.unknown(Kind::Config, &[0, 1]), [0, 1]);
    assert_eq!(index.unknown(Kind::Lsm, &[0, 1]), [0usize; 0]);
}

#[test]
fn kinds_and_numbers_are_limited() {
    let index = index(&two());
    let mut wanted = query(Text::like("pids"));
    wanted.kinds = vec![Kind::Field];
    assert_eq!(titles(&index.search(&wanted, &[0, 1])), ["field task_struct::pids"]);
    let mut wanted = query(Text::like("read"));
    wanted.limit = 2;
    let found = index.search(&wanted, &[0, 1]);
    assert_eq!((titles(&found).len(), found.total), (2, 6));
    assert_eq!(titles(&found), ["function vfs_read", "function tcp_read"]);
}

#[test]
fn exact_and_regular_expressions() {
    let index = index(&two());
    let search = |text| titles(&index.search(&query(text), &[0, 1]));
    assert_eq!(search(Text::exact("vfs_read")), ["function vfs_read"]);
    assert_eq!(search(Text::exact("task_struct::pids")), ["field task_struct::pids"]);
    assert_eq!(search(Text::exact("VFS_READ")), [""; 0]);
    assert_eq!(search(Text::regex("^vfs_read.?$").unwrap()), ["function vfs_read", "function vfs_readv"]);
    assert_eq!(
        search(Text::regex("^task_.*::p").unwrap()),
        ["field task_struct::pids", "field task_struct::ptid"]
    );
    let error = Text::regex("vfs_(").unwrap_err().to_string();
    assert!(error.starts_with("`vfs_(` is no regular expression"), "{error}");
}

#[test]
fn every_name_is_found_by_its_text() {
    let image = testkit::kernel::Kernel::sample(Machine::X86_64, Target::LE64).build().bytes();
    let image = source::open_bytes("vmlinux", &image, &Silent).unwrap();
    let bytes = extract::surface(&image, &Options::default(), &Silent).unwrap().bytes;
    let mut surfaces = two();
    surfaces.push(Surface::from_bytes(bytes).unwrap());
    let index = index(&surfaces);
    let mut kinds = std::collections::BTreeSet::new();
    for (place, surface) in surfaces.iter().enumerate() {
        let names = Names::of(surface);
        let text = |offset| names.strings.get(StrId(offset));
        for (what, name, outer) in &names.entries {
            let name = text(*name);
            let full = match what.separator().filter(|_| *outer != 0) {
                Some(separator) => format!("{}{separator}{name}", text(*outer)),
                None => name.to_owned(),
            };
            let is_it = |hit: &&Hit| {
                hit.what == *what
                    && hit.name == name
                    && hit.outer.as_deref().unwrap_or_default() == text(*outer)
            };
            let found = index.search(&query(Text::like(&full)), &[place]).hits;
            let best = found.iter().take_while(|hit| hit.rank == Rank::Exact).find(is_it);
            assert!(best.is_some_and(|hit| hit.kernels == [place]), "{what:?} {full}: {found:?}");
            let exact = index.search(&query(Text::exact(&full)), &[place]).hits;
            assert!(exact.iter().any(|hit| is_it(&hit)), "{what:?} {full}: {exact:?}");
            let found = index.search(&query(Text::like(name)), &[place]).hits;
            let mut found = found.iter().filter(|hit| matches!(hit.rank, Rank::Exact | Rank::Member));
            assert!(found.any(|hit| is_it(&hit)), "{what:?} {name}");
        }
        for (what, ..) in &names.entries {
            kinds.insert(*what);
        }
    }
    assert_eq!(kinds.len(), What::ALL.len(), "a kind is missing: {kinds:?}");
}

#[test]
fn damaged_bytes_are_no_index() {
    let bytes = index(&two()).bytes().to_vec();
    for at in (0..bytes.len()).step_by(7).chain(0..80) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x10;
        assert!(Index::from_bytes(damaged).is_err(), "byte {at} changed");
    }
    for length in [0, 7, 71, 72, bytes.len() / 2, bytes.len() - 1] {
        assert!(Index::from_bytes(bytes[..length].to_vec()).is_err(), "cut to {length}");
    }
}

/// What a search gives without an index, by the rules as they are told to users.
fn compared(surfaces: &[Surface], text: &str) -> Vec<String> {
    let pattern = Pattern::new(text);
    let mut names: BTreeMap<(What, String, String), usize> = BTreeMap::new();
    for surface in surfaces {
        let of = Names::of(surface);
        let text = |offset| of.strings.get(StrId(offset)).to_owned();
        for (what, name, outer) in &of.entries {
            *names.entry((*what, text(*name), text(*outer))).or_default() += 1;
        }
    }
    let mut scratch = Vec::new();
    for near in [false, true] {
        let mut hits = Vec::new();
        for ((what, name, outer), count) in &names {
            let direct = pattern.contained(name.as_bytes(), &mut scratch);
            let near = if near { pattern.near(name.as_bytes(), &mut scratch) } else { None };
            let Some(score) = direct.or(near) else { continue };
            let rank = match (*what, score.rank) {
                (What::Field, Rank::Exact | Rank::Same) => Rank::Member,
                (What::Field, Rank::Prefix) => Rank::Word,
                (_, rank) => rank,
            };
            let title = if *what == What::Field { format!("{outer}::{name}") } else { name.clone() };
            let length = name.len() + if *what == What::Field { outer.len() } else { 0 };
            let order = (rank, score.cost, length, surfaces.len() - count, *what, name, outer);
            hits.push((order, format!("{} {title}", what.name())));
        }
        if !hits.is_empty() {
            hits.sort();
            return hits.into_iter().map(|(_, title)| title).collect();
        }
    }
    Vec::new()
}

/// Kernels with some of the same names, and a text.
fn some_kernels() -> impl Strategy<Value = (Vec<Surface>, String)> {
    let pool = || {
        let part = prop::sample::select(vec!["vfs", "read", "bpf", "io", "__x", "start", "State", "a1"]);
        prop::collection::vec(part, 1..4).prop_map(|parts| parts.join("_"))
    };
    let one = (
        prop::collection::btree_set(pool(), 0..12),
        prop::collection::btree_map(pool(), prop::collection::btree_set(pool(), 1..4), 0..4),
    );
    let text = prop_oneof![pool(), "[a-z_]{1,9}", pool().prop_map(|name| name.replace('a', "e"))];
    (prop::collection::vec(one, 1..70), text).prop_map(|(kernels, text)| {
        let surfaces = kernels.iter().enumerate().map(|(number, (functions, structs))| {
            let functions: Vec<&str> = functions.iter().map(String::as_str).collect();
            kernel(&format!("6.{number}.0-1-cloud-amd64"), &functions, &[], |table| {
                for (name, members) in structs {
                    let members: Vec<(&str, &str)> =
                        members.iter().map(|name| (name.as_str(), "int")).collect();
                    table.structure(name, &members);
                }
            })
        });
        (surfaces.collect(), text)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn the_index_finds_what_a_comparison_of_all_names_finds((surfaces, text) in some_kernels()) {
        let index = index(&surfaces);
        let all: Vec<usize> = (0..surfaces.len()).collect();
        let found = index.search(&Query { limit: 10_000, ..query(Text::like(&text)) }, &all);
        prop_assert_eq!(found.total, found.hits.len());
        prop_assert_eq!(titles(&found), compared(&surfaces, &text));
    }

    #[test]
    fn an_index_does_not_tell_what_it_was_made_from((surfaces, _) in some_kernels(), cut in 0usize..70) {
        let whole = index(&surfaces);
        let cut = cut % surfaces.len();
        // An older one lacks some kernels, or has some that are gone.
        let older = index(&surfaces[cut..]);
        prop_assert!(built(&surfaces, Some(&older)).bytes() == whole.bytes());
        prop_assert!(built(&surfaces[cut..], Some(&whole)).bytes() == older.bytes());
        let one_thread = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        prop_assert!(one_thread.install(|| index(&surfaces)).bytes() == whole.bytes());
    }
}
