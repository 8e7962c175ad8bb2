//! Instructions (`Documentation/bpf/standardization/instruction-set.rst`): eight bytes each, in either byte order.

use super::uapi::Helper;

/// Bytes of an instruction; `ld_imm64` takes two of them.
pub const SIZE: usize = 8;

/// `imm` of a call in the place of an instruction whose CO-RE relocation failed, as libbpf writes it.
pub const POISON: i32 = 0xbad_2310;

const CLASS: u8 = 0x07;
const LD: u8 = 0x00;
const LDX: u8 = 0x01;
const ST: u8 = 0x02;
const STX: u8 = 0x03;
const JMP: u8 = 0x05;
const JMP32: u8 = 0x06;
/// `src_reg` of a call of a function of the same object, or, by relocation, of a kfunc.
const PSEUDO_CALL: u8 = 1;
/// `src_reg` of a call of a kfunc, once its id is known.
const PSEUDO_KFUNC_CALL: u8 = 2;
/// `src_reg` of an `ld_imm64` of the address of a function.
pub(super) const PSEUDO_FUNC: u8 = 4;

/// One slot of eight bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Insn {
    /// Operation: class in the low three bits.
    pub opcode: u8,
    /// Destination register.
    pub dst: u8,
    /// Source register, or what a call or `ld_imm64` means.
    pub src: u8,
    /// Offset of a memory access (in bytes) or of a jump (in slots behind the next one).
    pub offset: i16,
    /// Immediate.
    pub imm: i32,
}

/// Class of an instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names are the specification's")]
pub enum Class {
    Ld,
    Ldx,
    St,
    Stx,
    Alu,
    Jmp,
    Jmp32,
    Alu64,
}

/// What a call calls, as the instruction alone says it. A relocation may say more: before libbpf has filled in the
/// id, a kfunc is called like a function of the object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Call {
    /// A helper.
    Helper(Helper),
    /// A function of the object, this many slots behind the next one.
    Subprogram(i32),
    /// A kfunc by BTF id.
    Kfunc(i32),
    /// The function whose address is in a register.
    Register(u8),
    /// Nothing that exists: libbpf's mark of a failed relocation.
    Poison,
    /// A `src_reg` that is not known here.
    Unknown(u8),
}

/// How memory is accessed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AccessKind {
    /// Into a register.
    Load,
    /// From a register or an immediate.
    Store,
    /// Read, changed and written at once.
    Atomic,
    /// Packet data by `BPF_ABS` or `BPF_IND`, of the oldest programs.
    Packet,
}

/// An access to memory at `base + offset`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Access {
    /// Load or store.
    pub kind: AccessKind,
    /// Register with the address.
    pub base: u8,
    /// Added to it, in bytes.
    pub offset: i16,
    /// Bytes.
    pub size: u8,
    /// Whether a load extends the sign.
    pub signed: bool,
}

/// Where control goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Flow {
    /// With the next instruction.
    Next,
    /// This many slots behind the next one.
    Jump(i32),
    /// Either.
    Branch(i32),
    /// Out of the function.
    Exit,
    /// To the address in a register (a jump table).
    Indirect(u8),
}

impl Insn {
    /// Decodes one slot.
    #[must_use]
    pub fn decode(bytes: [u8; SIZE], big: bool) -> Self {
        let [opcode, registers, o0, o1, i0, i1, i2, i3] = bytes;
        let (low, high) = (registers & 0xf, registers >> 4);
        // The two registers are bit-fields of C, which follow the byte order.
        let (dst, src) = if big { (high, low) } else { (low, high) };
        let (offset, imm) = if big {
            (i16::from_be_bytes([o0, o1]), i32::from_be_bytes([i0, i1, i2, i3]))
        } else {
            (i16::from_le_bytes([o0, o1]), i32::from_le_bytes([i0, i1, i2, i3]))
        };
        Self { opcode, dst, src, offset, imm }
    }

    /// Class of the instruction.
    #[must_use]
    pub fn class(self) -> Class {
        match self.opcode & CLASS {
            LD => Class::Ld,
            LDX => Class::Ldx,
            ST => Class::St,
            STX => Class::Stx,
            JMP => Class::Jmp,
            JMP32 => Class::Jmp32,
            4 => Class::Alu,
            _ => Class::Alu64,
        }
    }

    /// Whether it is the first of the two slots of an `ld_imm64`. The second has opcode 0 and the upper half of the
    /// value in `imm`.
    #[must_use]
    pub fn is_ld_imm64(self) -> bool {
        self.opcode == 0x18
    }

    /// Whether it loads the address of a function of the object.
    #[must_use]
    pub fn is_function_address(self) -> bool {
        self.is_ld_imm64() && self.src == PSEUDO_FUNC
    }

    /// Whether it is a call.
    #[must_use]
    pub fn is_call(self) -> bool {
        self.opcode == 0x85
    }

    /// What it calls; `None` where it is no call.
    #[must_use]
    pub fn call(self) -> Option<Call> {
        match (self.opcode, self.src) {
            (0x8d, _) => Some(Call::Register(self.dst)),
            (0x85, 0) if self.imm == POISON => Some(Call::Poison),
            (0x85, 0) => Some(Call::Helper(Helper(self.imm.cast_unsigned()))),
            (0x85, PSEUDO_CALL) => Some(Call::Subprogram(self.imm)),
            (0x85, PSEUDO_KFUNC_CALL) => Some(Call::Kfunc(self.imm)),
            (0x85, other) => Some(Call::Unknown(other)),
            _ => None,
        }
    }

    /// The memory it accesses; `None` where it accesses none, or in a way that is not known here.
    #[must_use]
    pub fn access(self) -> Option<Access> {
        let size = [4, 2, 1, 8][usize::from(self.opcode >> 3 & 3)];
        let mode = self.opcode >> 5;
        let (kind, base, signed) = match (self.opcode & CLASS, mode) {
            (LD, 1 | 2) => (AccessKind::Packet, self.src, false),
            // BPF_MEM and BPF_MEMSX; load-acquire is an atomic of class STX.
            (LDX, 3) => (AccessKind::Load, self.src, false),
            (LDX, 4) => (AccessKind::Load, self.src, true),
            (ST | STX, 3) => (AccessKind::Store, self.dst, false),
            (STX, 6) if self.imm == 0x100 => (AccessKind::Load, self.src, false),
            (STX, 6) if self.imm == 0x110 => (AccessKind::Store, self.dst, false),
            (STX, 6) => (AccessKind::Atomic, self.dst, false),
            _ => return None,
        };
        Some(Access { kind, base, offset: self.offset, size, signed })
    }

    /// Where control goes on.
    #[must_use]
    pub fn flow(self) -> Flow {
        match (self.opcode & CLASS, self.opcode >> 4) {
            (JMP, 0) if self.opcode & 8 != 0 => Flow::Indirect(self.dst),
            (JMP, 0) => Flow::Jump(self.offset.into()),
            // `gotol`: the distance is in the immediate.
            (JMP32, 0) => Flow::Jump(self.imm),
            (JMP, 9) => Flow::Exit,
            (JMP, 8) => Flow::Next,
            // `may_goto` and the conditional jumps.
            (JMP | JMP32, _) => Flow::Branch(self.offset.into()),
            _ => Flow::Next,
        }
    }
}

/// The slots of a program.
pub(super) fn decode(bytes: &[u8], big: bool) -> impl ExactSizeIterator<Item = Insn> {
    bytes.as_chunks().0.iter().map(move |slot| Insn::decode(*slot, big))
}
