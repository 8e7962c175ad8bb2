//! Surfaces of bare BTF.

use std::io::Write as _;

use testkit::Target;
use testkit::elf::Machine;
use testkit::kernel::Kernel;
use testkit::package::{member, tar};

use super::{Machine as Told, REGISTERS};
use crate::error::Result;
use crate::extract::{Options, surface};
use crate::kernel::Arch;
use crate::progress::Silent;
use crate::source;
use crate::surface::attach::Answer;
use crate::surface::{Fact, Surface, TypeKind};

fn sample(registers: &[(&str, &str)], target: Target) -> Vec<u8> {
    let mut kernel = Kernel::sample(Machine::X86_64, target);
    kernel.types.structure("pt_regs", registers);
    kernel.build().btf()
}

const AMD64: [(&str, &str); 3] =
    [("r15", "unsigned long"), ("di", "unsigned long"), ("orig_ax", "unsigned long")];

fn open(file: &str, bytes: &[u8], options: &Options) -> Result<Surface> {
    let kernel = source::open_bytes(file, bytes, &Silent)?;
    Surface::from_bytes(surface(&kernel, options, &Silent)?.bytes)
}

fn named(name: &str) -> Options {
    Options { name: Some(name.parse().unwrap()), ..Options::default() }
}

#[test]
fn types_tell_types_and_nothing_is_absent() {
    let surface = open("5.4.0-1010-aws.btf", &sample(&AMD64, Target::LE64), &Options::default()).unwrap();
    assert_eq!(surface.kernel().to_string(), "5.4.0-1010-aws-amd64");
    let meta = surface.meta();
    assert_eq!(meta.uname.as_deref(), Some("5.4.0-1010-aws"));
    for fact in [Fact::Btf, Fact::Types, Fact::RawTracepoints, Fact::LsmHooks, Fact::Kfuncs] {
        assert!(meta.knows(fact), "{fact:?}: {:?}", meta.unknown_because(fact));
    }
    for fact in Fact::ALL.into_iter().filter(|fact| !meta.knows(*fact)) {
        let reason = meta.unknown_because(fact).unwrap();
        assert_ne!(reason, "it was not looked for", "{fact:?}");
    }
    assert_eq!(Fact::ALL.into_iter().filter(|fact| meta.knows(*fact)).count(), 5);

    assert!(surface.types().find(TypeKind::Struct, "task_struct").is_some());
    assert_eq!(surface.lsm_hooks().map(|hook| hook.is_attachable()).collect::<Vec<_>>(), [None, None]);
    assert_eq!(surface.kfuncs().map(|kfunc| kfunc.name()).collect::<Vec<_>>(), ["bpf_task_acquire"]);
    let raw: Vec<_> = surface.tracepoints().map(|it| (it.name(), it.raw_args())).collect();
    assert_eq!(
        raw,
        [
            ("pelt_cfs_tp", Some(1)),
            ("sched_switch", Some(3)),
            ("sched_wakeup", Some(1)),
            ("sched_waking", Some(1))
        ]
    );
    assert!(surface.tracepoints().all(|it| it.is_raw() && !it.has_event() && !it.knows_writable()));
    let switch = surface.tracepoints_named("sched_switch").next().unwrap();
    assert_eq!(switch.record().map(|record| record.name()), Some("trace_event_raw_sched_switch"));
    // Prototypes are known, and whether anything attaches is not.
    let attach = surface.attach("vfs_read");
    for answer in [attach.kprobe, attach.fentry] {
        assert!(matches!(answer, Answer::Unknown { fact: Fact::Symbols, .. }), "{answer:?}");
    }
}

#[test]
fn a_name_is_asked_for_where_none_is_told() {
    let bytes = sample(&AMD64, Target::LE64);
    let error = open("vmlinux", &bytes, &Options::default()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "BTF does not tell which kernel it is of, and neither does the file's name"
    );
    assert_eq!(error.help().unwrap(), "say it with `--name VERSION-RELEASE-FLAVOUR-amd64`");
    let surface = open("vmlinux", &bytes, &named("6.1.0-1-mine-amd64")).unwrap();
    assert_eq!(surface.kernel().to_string(), "6.1.0-1-mine-amd64");
    let error = open("vmlinux", &bytes, &named("6.1.0-1-mine-arm64")).unwrap_err();
    assert_eq!(error.to_string(), "`6.1.0-1-mine-arm64` is arm64, the types are of amd64");
    // Registers of nobody: the name has to tell the architecture.
    let unclear = sample(&[("acc", "unsigned long")], Target::LE64);
    let error = open("5.4.0-1010-aws.btf", &unclear, &Options::default()).unwrap_err();
    assert_eq!(error.help().unwrap(), "say it with `--name VERSION-RELEASE-FLAVOUR-ARCH`");
    assert!(open("5.4.0-1010-aws.btf", &unclear, &named("5.4.0-1010-aws-arm64")).is_ok());
}

#[test]
fn registers_tell_the_architecture() {
    for (members, size, big, arch) in REGISTERS {
        let target = match (size, big) {
            (8, false) => Target::LE64,
            (8, true) => Target::BE64,
            _ => Target::LE32,
        };
        let members: Vec<_> = members.iter().map(|name| (*name, "unsigned long")).collect();
        let bytes = sample(&members, target);
        let told = told(&bytes);
        assert_eq!((told.arch, told.address_size, told.big_endian), (Some(arch), size, big), "{arch}");
    }
    // The other byte order is of no architecture that has a name here.
    assert_eq!(told(&sample(&[("psw", "int"), ("gprs", "int")], Target::LE64)).arch, None);
    assert!(Arch::ALL.into_iter().all(|arch| REGISTERS.iter().any(|it| it.3 == arch)));
}

fn told(bytes: &[u8]) -> Told {
    super::read(bytes, &mut crate::note::Notes::new()).unwrap().2
}

#[test]
fn archives_of_btf_are_opened() {
    let bytes = sample(&AMD64, Target::LE64);
    let tar = tar(&[member("5.4.0-1010-aws.btf", b'0', &bytes)]);
    let mut packed = liblzma::write::XzEncoder::new(Vec::new(), 1);
    packed.write_all(&tar).unwrap();
    let surface = open("x.btf.tar.xz", &packed.finish().unwrap(), &Options::default()).unwrap();
    assert_eq!(surface.kernel().to_string(), "5.4.0-1010-aws-amd64");
    // Such types may have been made for a kernel that has none of its own.
    assert!(!surface.meta().knows(Fact::Btf) && surface.meta().knows(Fact::Types));
    let error = open("x.tar", &tar[..600], &Options::default()).unwrap_err();
    assert!(error.to_string().starts_with("x.tar: truncated"), "{error}");
}

#[test]
fn damaged_btf_is_one_error() {
    let bytes = sample(&AMD64, Target::LE64);
    for cut in [3, 20, 100, bytes.len() - 1] {
        let error = open("6.1.0-1-aws.btf", &bytes[..cut], &Options::default()).unwrap_err();
        assert!(!error.to_string().is_empty());
    }
    let error = open("6.1.0-1-aws.btf", &bytes[..bytes.len() / 2], &Options::default()).unwrap_err();
    assert!(error.to_string().contains("BTF"), "{error}");
}
