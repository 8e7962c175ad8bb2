//! Serialises BTF: header, types, strings.

use super::Btf;
use crate::{Target, Width};

/// `struct btf_header`. Offsets are from its end, in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are those of the specification")]
pub struct Header {
    pub magic: u16,
    pub version: u8,
    pub flags: u8,
    pub hdr_len: u32,
    pub type_off: u32,
    pub type_len: u32,
    pub str_off: u32,
    pub str_len: u32,
    /// What follows in a header longer than 24 bytes: offset and length of the layout section.
    pub tail: Vec<u32>,
}

const HEADER_SIZE: u32 = 24;

pub(super) fn write(btf: &Btf, edit: impl FnOnce(&mut Header)) -> Vec<u8> {
    // Nothing in BTF is as wide as an address.
    let target = Target { endian: btf.endian, width: Width::W64 };
    let mut types = target.bytes();
    for raw in &btf.types {
        let info = u32::from(raw.vlen) | u32::from(raw.kind & 0x1f) << 24 | u32::from(raw.kind_flag) << 31;
        types.u32(raw.name_offset).u32(info).u32(raw.size_or_type);
        for word in &raw.tail {
            types.u32(*word);
        }
    }
    let types = types.into_vec();
    let layout = btf.layout.as_deref();
    let tail = layout.map(|layout| vec![(types.len() + btf.strings.len()) as u32, layout.len() as u32]);
    let tail = tail.unwrap_or_default();
    let mut header = Header {
        magic: 0xeb9f,
        version: 1,
        flags: 0,
        hdr_len: HEADER_SIZE + 4 * tail.len() as u32,
        type_off: 0,
        type_len: types.len() as u32,
        str_off: types.len() as u32,
        str_len: btf.strings.len() as u32,
        tail,
    };
    edit(&mut header);
    let mut out = target.bytes();
    out.u16(header.magic).u8(header.version).u8(header.flags);
    out.u32(header.hdr_len).u32(header.type_off).u32(header.type_len).u32(header.str_off).u32(header.str_len);
    for word in &header.tail {
        out.u32(*word);
    }
    out.raw(&types).raw(&btf.strings).raw(layout.unwrap_or_default());
    out.into_vec()
}
