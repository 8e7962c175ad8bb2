//! BTF of surfaces, with and without BTF of their own.

use testkit::Target;
use testkit::elf::Machine;
use testkit::kernel::Kernel;

use crate::btf;
use crate::extract::{Options, surface};
use crate::note::Notes;
use crate::progress::Silent;
use crate::source;
use crate::surface::meaning::{Forward, layout_same_with};
use crate::surface::strings::Strings;
use crate::surface::{Fact, Surface, TypeKind};

const MACHINES: [(&str, Machine, Target); 3] = [
    ("amd64", Machine::X86_64, Target::LE64),
    ("s390x", Machine::S390, Target::BE64),
    ("armhf", Machine::ARM, Target::LE32),
];

fn surface_of(bytes: &[u8], arch: &str) -> Surface {
    let kernel = source::open_bytes("vmlinux", bytes, &Silent).unwrap();
    let name = Some(format!("6.1.0-50-test-{arch}").parse().unwrap());
    Surface::from_bytes(surface(&kernel, &Options { name, ..Options::default() }, &Silent).unwrap().bytes)
        .unwrap()
}

/// The image with BTF taken out, as one that was built without.
fn without_btf(kernel: &Kernel) -> Vec<u8> {
    let mut elf = kernel.build().elf;
    elf.remove(".BTF").remove(".BTF_ids").remove_symbol("__start_BTF").remove_symbol("__stop_BTF");
    elf.build()
}

#[test]
fn a_kernel_with_btf_gets_its_own() {
    for (arch, machine, target) in MACHINES {
        let image = Kernel::sample(machine, target).build();
        let exported = btf::export(&surface_of(&image.bytes(), arch));
        let types = |bytes: &[u8]| {
            let (mut strings, mut notes) = (Strings::new(), Notes::new());
            let table = btf::read(bytes, &mut strings, &mut notes).unwrap();
            let view = table.view(&strings, &[]);
            view.iter()
                .map(|ty| (ty.kind(), ty.name().to_owned(), ty.size(), ty.target_id()))
                .collect::<Vec<_>>()
        };
        assert_eq!(types(&exported), types(&image.btf()), "{arch}");
    }
}

#[test]
fn a_kernel_without_btf_gets_the_types_of_its_debug_information() {
    for (arch, machine, target) in MACHINES {
        let kernel = Kernel::sample(machine, target);
        let surface = surface_of(&without_btf(&kernel), arch);
        assert_eq!(surface.meta().has_btf(), Some(false), "{arch}");
        assert!(
            [Fact::Btf, Fact::BtfIds, Fact::Kfuncs].iter().all(|fact| surface.meta().knows(*fact)),
            "{arch}"
        );
        assert_eq!(surface.kfuncs().len(), 0, "{arch}: no kfunc can be called without BTF");

        let exported = btf::export(&surface);
        let magic = if arch == "s390x" { [0xeb, 0x9f] } else { [0x9f, 0xeb] };
        assert_eq!(exported[..2], magic, "{arch}");
        let (mut strings, mut notes) = (Strings::new(), Notes::new());
        let table = btf::read(&exported, &mut strings, &mut notes).unwrap();
        let by_name = table.by_name(&strings);
        let types = table.view(&strings, &by_name);
        for found in surface.types().named() {
            let same = types
                .find_all(found.kind(), found.name())
                .any(|other| layout_same_with(found, other, Forward::IsDefinition));
            assert!(same, "{arch}: {} {}", found.kind().name(), found.name());
        }
        let func = |name: &'static str| types.find(TypeKind::Func, name);
        let vfs_read = func("vfs_read").and_then(|func| func.target()).expect("a prototype");
        assert_eq!(vfs_read.kind(), TypeKind::FuncProto);
        assert_eq!(vfs_read.params().count(), 2, "{arch}");
        assert!(func("access_ok").is_none(), "{arch}: it is inlined everywhere");
        assert!(func("account_slab").is_none(), "{arch}: only a clone has a symbol");
    }
}

/// `objcopy --only-keep-debug` takes the contents of `.BTF` away and leaves its header and symbols.
#[test]
fn what_was_taken_away_is_not_absent() {
    let mut elf = Kernel::sample(Machine::X86_64, Target::LE64).build().elf;
    elf.remove(".BTF");
    let surface = surface_of(&elf.build(), "amd64");
    assert_eq!(surface.meta().has_btf(), None);
    let why = surface.meta().unknown_because(Fact::Btf).unwrap();
    assert!(why.contains("built with BTF"), "{why}");
    assert!(!surface.meta().knows(Fact::Kfuncs) || surface.kfuncs().len() > 0);
}
