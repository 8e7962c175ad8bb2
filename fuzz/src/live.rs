//! Target `live`: what a running kernel tells in text and BTF, down to a surface.
//!
//! Each part is a buffer of patches; a byte in front tells which of them could not be read.

use std::hint::black_box;
use std::sync::LazyLock;

use depsurf::btf;
use depsurf::extract::{self, Options};
use depsurf::note::Notes;
use depsurf::progress::Silent;
use depsurf::source::live::{Event, Live, Module, Traceable};
use depsurf::source::{Config, Origin};
use depsurf::surface::Surface;
use depsurf::surface::strings::Strings;
use testkit::Target;
use testkit::btf::{Btf, Encoding, Linkage};
use testkit::elf::{Machine, note};
use testkit::kernel::Kernel;

use crate::patch::{Patches, write_at};
use crate::walk;

/// The parts, by number.
const BTF: usize = 0;
const KALLSYMS: usize = 1;
const MODULE: usize = 2;
const TRACEABLE: usize = 3;
const BLACKLIST: usize = 4;
const ERROR_INJECTION: usize = 5;
const FORMAT: usize = 6;
const NOTES: usize = 7;
const CONFIG: usize = 8;
const BANNER: usize = 9;
const PARTS: usize = 10;

/// Parts whose absence the byte in front can tell; there is a bit for each.
const MAY_MISS: usize = 8;

static PLAIN: LazyLock<[Vec<u8>; PARTS]> = LazyLock::new(|| {
    let kernel = Kernel::sample(Machine::X86_64, Target::LE64).build();
    let btf = kernel.btf();
    let symbols: [(u64, &str); 9] = [
        (0x00, "T _stext"),
        (0x10, "T vfs_read"),
        (0x40, "t cleanup"),
        (0x80, "W default_idle"),
        (0xc0, "T __noinstr_text_start"),
        (0xe0, "T __noinstr_text_end"),
        (0x100, "R __start___ksymtab"),
        (0x100, "r __ksymtab_vfs_read"),
        (0x10c, "R __stop___ksymtab"),
    ];
    let mut kallsyms: String = symbols
        .iter()
        .map(|(at, symbol)| format!("{:016x} {symbol}\n", 0xffff_ffff_8100_0000 + at))
        .collect();
    kallsyms += "ffffffffc0000000 t tiny_read\t[tiny]\nffffffffc0000010 t __tracepoint_tiny\t[tiny]\n";
    [
        btf.clone(),
        kallsyms.into_bytes(),
        module(&btf),
        b"ffffffff81000010 vfs_read\nffffffffc0000004 tiny_read [tiny]\n".to_vec(),
        b"0xffffffff81000040-0xffffffff81000080\tcleanup\n".to_vec(),
        b"default_idle\tERRNO\ntiny_read [tiny]\tNULL\n".to_vec(),
        b"name: sched_waking\nID: 1\nformat:\n\tfield:int pid;\toffset:8;\tsize:4;\tsigned:1;\n\nprint fmt: \"%d\", REC->pid\n".to_vec(),
        note(Target::LE64, "GNU", 3, &[0xab, 1]),
        b"# Linux/x86 6.1.176 Kernel Configuration\nCONFIG_BPF=y\nCONFIG_64BIT=y\n".to_vec(),
        b"Linux version 6.1.0-50-cloud-amd64 (a@b) (gcc) #1 SMP Debian 6.1.176-1 (2026)".to_vec(),
    ]
});

/// Split BTF of a module: a function of one parameter.
fn module(base: &[u8]) -> Vec<u8> {
    let types = btf::read(base, &mut Strings::new(), &mut Notes::new()).expect("it is whole");
    let strings = u32::from_le_bytes(base[20..24].try_into().expect("four bytes"));
    let mut btf = Btf::split_at(Target::LE64.endian, types.next_id().0, strings);
    let int = btf.int("tiny_int", 4, Encoding::Signed);
    let proto = btf.func_proto(int, [("file", int)]);
    btf.func("tiny_read", proto, Linkage::Static);
    btf.build()
}

pub fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = vec![vec![0]];
    seeds.extend((0..MAY_MISS).map(|part| vec![1 << part]));
    for (part, bytes) in PLAIN.iter().enumerate() {
        for at in (0..bytes.len().min(1024)).step_by(32) {
            let bytes = &bytes[at..bytes.len().min(at + 8)];
            seeds.push([&[0][..], &write_at(part as u8, at, bytes)].concat());
        }
    }
    seeds
}

pub fn run(data: &[u8]) {
    let [missing, patches @ ..] = data else { return };
    let mut parts = PLAIN.clone();
    for patch in Patches::new(patches) {
        patch.apply(&mut parts);
    }
    let bytes = |part: usize| match part < MAY_MISS && missing >> part & 1 != 0 {
        true => Err("it cannot be read".to_owned()),
        false => Ok(parts[part].clone()),
    };
    let text = |part| bytes(part).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let module = Module {
        name: "tiny".into(),
        path: "kernel/fs/tiny.ko".into(),
        btf: bytes(MODULE).map(|bytes| (!bytes.is_empty()).then_some(bytes)),
    };
    let event = |format| Event { system: "sched".into(), name: "sched_waking".into(), format };
    let origin = Origin { file: "config.gz".into(), package: None, member: None };
    let live = Live {
        banner: text(BANNER).unwrap_or_default(),
        btf: bytes(BTF),
        kallsyms: text(KALLSYMS),
        traceable: text(TRACEABLE).map(|text| Traceable { addresses: text.starts_with('f'), text }),
        blacklist: text(BLACKLIST),
        error_injection: text(ERROR_INJECTION),
        events: text(FORMAT).map(|format| vec![event(format)]),
        notes: bytes(NOTES),
        modules: vec![module],
        left_out: Ok(Vec::new()),
        config: text(CONFIG).map(|text| Config { text, origin }),
    };
    let name = Some("6.1.0-50-test-amd64".parse().expect("it is a name"));
    let options = Options { name, ..Options::default() };
    let Ok(extracted) = extract::live::surface(&live, &options, &Silent) else { return };
    let surface = Surface::from_bytes(extracted.bytes).expect("what is written can be read");
    black_box(surface.verify().expect("what is written is whole"));
    walk::surface(&surface);
}
