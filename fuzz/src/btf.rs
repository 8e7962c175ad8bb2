//! Target `btf`: BTF and split BTF, to types, to C, to hashes, and back to BTF.
//!
//! The first byte chooses the blob to change; its high bit says that the rest is a blob as it is. Buffers of
//! patches are types, strings, header and layout. Unless the header is patched its lengths are mended.

use std::hint::black_box;
use std::sync::LazyLock;

use depsurf::btf::{Base, read, read_split, write};
use depsurf::note::Notes;
use depsurf::surface::strings::Strings;
use object::Endianness;
use testkit::Endian;
use testkit::btf::{Btf, Encoding, Forward, Linkage, Member};

use crate::patch::{Patches, write_at};
use crate::{kernels, walk};

const RAW: u8 = 0x80;
const TYPES: usize = 0;
const STRINGS: usize = 1;
const HEADER: usize = 2;
const LAYOUT: usize = 3;

/// A blob in its parts, and the one it was split from.
struct Blob {
    big: bool,
    buffers: Vec<Vec<u8>>,
    split_from: Option<Vec<u8>>,
}

static BASES: LazyLock<Vec<Blob>> = LazyLock::new(|| {
    let mut blobs = Vec::new();
    for endian in [Endian::Little, Endian::Big] {
        let base = all_kinds(Btf::new(endian));
        blobs.push(blob(endian, &base.build(), None));
        let split = all_kinds(Btf::split(&base));
        blobs.push(blob(endian, &split.build(), Some(base.build())));
        let mut known = base.clone();
        known.layout(layout());
        blobs.push(blob(endian, &known.build(), None));
    }
    let sample = kernels::all().swap_remove(0);
    blobs.push(blob(Endian::Little, &sample.btf(), None));
    blobs
});

/// One type of every kind, on top of what there is.
fn all_kinds(mut btf: Btf) -> Btf {
    let int = btf.int("int", 4, Encoding::Signed);
    let long = btf.int("long unsigned int", 8, Encoding::Unsigned);
    let flag = btf.int("_Bool", 1, Encoding::Bool);
    let pointer = btf.ptr(int);
    let constant = btf.constant(int);
    let volatile = btf.volatile(constant);
    let restrict = btf.restrict(pointer);
    let array = btf.array(int, long, 16);
    let nested = btf.array(array, long, 3);
    let anonymous = btf.union("", 8, [Member::new("a", int, 0), Member::new("b", long, 0)]);
    let members = [
        Member::new("count", int, 0),
        Member::bits("policy", int, 32, 3),
        Member::new("", anonymous, 64),
        Member::new("list", nested, 128),
    ];
    let structure = btf.structure("task", 208, members);
    btf.forward("rq", Forward::Struct);
    btf.enumeration("kind", 4, [("MINUS", -1), ("ONE", 1)]);
    btf.enum64("wide", 8, [("BIG", 1 << 40)]);
    let typedef = btf.typedef("task_t", structure);
    let tag = btf.type_tag("user", typedef);
    let tagged = btf.ptr(tag);
    let proto = btf.func_proto(int, [("task", tagged), ("list", restrict), ("", 0)]);
    let callback = btf.ptr(proto);
    let outer = btf.func_proto(0, [("call", callback), ("flag", flag), ("state", volatile)]);
    let function = btf.func("walk", outer, Linkage::Static);
    btf.decl_tag("bpf_kfunc", function, None);
    btf.float("double", 8);
    let variable = btf.var("runqueues", structure, Linkage::Global);
    btf.datasec(".data..percpu", 208, [(variable, 0, 208)]);
    btf
}

/// Sizes of all kinds, as the layout section of newer kernels gives them, and of one unknown kind.
fn layout() -> Vec<u8> {
    let sizes: [[u8; 2]; 21] = [
        [0, 0],
        [4, 0],
        [0, 0],
        [12, 0],
        [0, 12],
        [0, 12],
        [0, 8],
        [0, 0],
        [0, 0],
        [0, 0],
        [0, 0],
        [0, 0],
        [0, 0],
        [0, 8],
        [4, 0],
        [0, 12],
        [0, 0],
        [4, 0],
        [0, 0],
        [0, 12],
        [8, 4],
    ];
    sizes.iter().flat_map(|[info, element]| [*info, *element, 0, 0]).collect()
}

fn blob(endian: Endian, bytes: &[u8], split_from: Option<Vec<u8>>) -> Blob {
    let big = endian == Endian::Big;
    let header = word(bytes, 4, big) as usize;
    let types =
        header + word(bytes, 8, big) as usize..header + (word(bytes, 8, big) + word(bytes, 12, big)) as usize;
    let strings = header + word(bytes, 16, big) as usize
        ..header + (word(bytes, 16, big) + word(bytes, 20, big)) as usize;
    let layout = bytes[strings.end..].to_vec();
    Blob {
        big,
        buffers: vec![bytes[types].to_vec(), bytes[strings].to_vec(), bytes[..header].to_vec(), layout],
        split_from,
    }
}

fn word(bytes: &[u8], at: usize, big: bool) -> u32 {
    let bytes: [u8; 4] = bytes[at..at + 4].try_into().expect("four bytes");
    if big { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }
}

pub fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for (number, base) in (0..).zip(BASES.iter()) {
        seeds.push(vec![number]);
        seeds
            .push([&[RAW][..], &base.buffers[HEADER], &base.buffers[TYPES], &base.buffers[STRINGS]].concat());
        for at in (0..base.buffers[0].len().min(1024)).step_by(12) {
            seeds.push([&[number][..], &write_at(0, at, &base.buffers[0][at..at + 12])].concat());
        }
    }
    seeds
}

pub fn run(data: &[u8]) {
    let Some((&mode, rest)) = data.split_first() else { return };
    let base = &BASES[usize::from(mode & !RAW) % BASES.len()];
    let bytes = if mode & RAW != 0 { rest.to_vec() } else { patched(base, rest) };
    let (mut strings, mut notes) = (Strings::new(), Notes::new());
    let mut first = 1;
    let table = if let Some(whole) = &base.split_from {
        let mut table = read(whole, &mut strings, &mut notes).expect("testkit's BTF is valid");
        first = table.next_id().0;
        let base = Base::new(whole).expect("testkit's BTF is valid");
        if read_split(&bytes, base, &mut table, &mut strings, &mut notes).is_err() {
            assert_eq!(table.next_id().0, first, "the table is as it was");
        }
        table
    } else {
        black_box(Base::new(&bytes).is_ok());
        match read(&bytes, &mut strings, &mut notes) {
            Ok(table) => table,
            Err(_) => return,
        }
    };
    let by_name = table.by_name(&strings);
    let types = table.view(&strings, &by_name);
    walk::types(types);
    for endian in [Endianness::Little, Endianness::Big] {
        let whole = write(types, 1..types.len(), endian);
        let again =
            read(&whole, &mut Strings::new(), &mut Notes::new()).expect("what was written can be read");
        assert_eq!(again.next_id(), table.next_id(), "every type keeps its id");
        black_box(write(types, first..types.len(), endian).len());
    }
}

fn patched(base: &Blob, patches: &[u8]) -> Vec<u8> {
    let mut buffers = base.buffers.clone();
    let mut mend = true;
    for patch in Patches::new(patches) {
        let which = [TYPES, TYPES, TYPES, TYPES, STRINGS, STRINGS, HEADER, LAYOUT][patch.buffer % 8];
        patch.apply(&mut buffers[which..=which]);
        mend &= which != HEADER;
    }
    if mend {
        let [types, strings, layout] = [TYPES, STRINGS, LAYOUT].map(|part| buffers[part].len() as u32);
        for (at, value) in [(12, types), (16, types), (20, strings), (24, types + strings), (28, layout)] {
            let bytes = if base.big { value.to_be_bytes() } else { value.to_le_bytes() };
            if let Some(field) = buffers[HEADER].get_mut(at..at + 4) {
                field.copy_from_slice(&bytes);
            }
        }
    }
    [HEADER, TYPES, STRINGS, LAYOUT].map(|part| &buffers[part][..]).concat()
}
