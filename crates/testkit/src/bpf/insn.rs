//! Instructions, eight bytes each.

use crate::{Bytes, Endian};

/// One slot. The second slot of an `ld_imm64` is one of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Insn {
    /// Operation.
    pub opcode: u8,
    /// Destination register.
    pub dst: u8,
    /// Source register.
    pub src: u8,
    /// Offset.
    pub offset: i16,
    /// Immediate.
    pub imm: i32,
}

impl Insn {
    /// `rDST = IMM`.
    pub fn mov(dst: u8, imm: i32) -> Insn {
        Insn { opcode: 0xb7, dst, imm, ..Insn::default() }
    }

    /// `rDST = *(u64 *)(rSRC + OFFSET)`.
    pub fn load(dst: u8, src: u8, offset: i16) -> Insn {
        Insn { opcode: 0x79, dst, src, offset, imm: 0 }
    }

    /// The two slots of `rDST = VALUE`; a relocation of the first says what the value is.
    pub fn ld_imm64(dst: u8, value: u64) -> [Insn; 2] {
        let (low, high) = (value as u32, (value >> 32) as u32);
        let first = Insn { opcode: 0x18, dst, imm: low.cast_signed(), ..Insn::default() };
        [first, Insn { imm: high.cast_signed(), ..Insn::default() }]
    }

    /// A call of a helper.
    pub fn helper(number: i32) -> Insn {
        Insn { opcode: 0x85, imm: number, ..Insn::default() }
    }

    /// A call of a function, `distance` slots behind the next one; -1 where a relocation says which.
    pub fn call(distance: i32) -> Insn {
        Insn { opcode: 0x85, src: 1, imm: distance, ..Insn::default() }
    }

    /// `exit`.
    pub fn exit() -> Insn {
        Insn { opcode: 0x95, ..Insn::default() }
    }

    pub(super) fn write(self, endian: Endian, out: &mut Bytes) {
        // Registers are bit-fields of C: the first one is in the half that comes first.
        let registers = match endian {
            Endian::Little => self.dst | self.src << 4,
            Endian::Big => self.dst << 4 | self.src,
        };
        out.u8(self.opcode).u8(registers).u16(self.offset.cast_unsigned()).u32(self.imm.cast_unsigned());
    }
}
