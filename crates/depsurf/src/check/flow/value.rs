//! What is known of a register: a number, an address that matters, or nothing.

use crate::bpf::{Class, Helper, Insn};

/// What a register or a slot of the stack holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Value {
    /// Nothing is known.
    #[default]
    Unknown,
    /// This number, on every way to here.
    Number(u64),
    /// The program's context, plus bytes.
    Context(i32),
    /// The stack of a frame (0 is that of the program), below its end by as many bytes.
    Stack {
        /// Depth of calls.
        frame: u8,
        /// Bytes from the frame's end; negative.
        offset: i32,
    },
    /// Somewhere on the stack of a frame.
    OnStack {
        /// Depth of calls.
        frame: u8,
    },
    /// A place in the object's data.
    Data {
        /// Number of the section, by the caller's count.
        section: u32,
        /// Bytes from its start.
        offset: u32,
    },
    /// An address that is not null.
    Address,
    /// That of the object's map with this number.
    Map(u32),
    /// Whatever it was before, the verifier takes it for a number of which nothing is known: this helper got the address of the
    /// slot that it was in.
    Spoiled(Helper),
}

impl Value {
    /// The number, where there is one.
    #[must_use]
    pub fn number(self) -> Option<u64> {
        match self {
            Self::Number(number) => Some(number),
            _ => None,
        }
    }

    /// The frame that it points into.
    pub(super) fn frame(self) -> Option<u8> {
        match self {
            Self::Stack { frame, .. } | Self::OnStack { frame } => Some(frame),
            _ => None,
        }
    }

    /// The address that is some bytes further.
    pub(super) fn plus(self, bytes: i64) -> Self {
        let sum = |offset: i32| i32::try_from(i64::from(offset) + bytes).ok();
        match self {
            Self::Context(offset) => sum(offset).map_or(Self::Unknown, Self::Context),
            Self::Stack { frame, offset } => {
                sum(offset).map_or(Self::Unknown, |offset| Self::Stack { frame, offset })
            }
            Self::Data { section, offset } => u32::try_from(i64::from(offset) + bytes)
                .map_or(Self::Unknown, |offset| Self::Data { section, offset }),
            Self::Number(number) => Self::Number(number.wrapping_add_signed(bytes)),
            Self::OnStack { .. } | Self::Spoiled(_) => self,
            Self::Address | Self::Map(_) | Self::Unknown => Self::Unknown,
        }
    }

    /// What holds on both ways.
    pub(super) fn join(self, other: Self) -> Self {
        match (self, other) {
            (same, other) if same == other => same,
            (one, other) if one.frame().is_some() && one.frame() == other.frame() => {
                one.frame().map_or(Self::Unknown, |frame| Self::OnStack { frame })
            }
            (Self::Address | Self::Map(_), Self::Address | Self::Map(_)) => Self::Address,
            _ => Self::Unknown,
        }
    }
}

/// The result of an arithmetic instruction. `big` is the byte order of the machine, for swaps.
pub(super) fn arithmetic(insn: Insn, dst: Value, src: Value, big: bool) -> Value {
    let wide = insn.class() == Class::Alu64;
    let operation = insn.opcode >> 4;
    let is_register = insn.opcode & 8 != 0;
    let operand = if is_register { src } else { Value::Number(i64::from(insn.imm).cast_unsigned()) };
    // Whole addresses move, and numbers are added to them.
    if wide && insn.offset == 0 {
        match (operation, dst, operand) {
            (MOV, _, value) => return value,
            (ADD, base, Value::Number(bytes)) if base.number().is_none() => {
                return base.plus(bytes.cast_signed());
            }
            (ADD, Value::Number(bytes), base) if base.number().is_none() => {
                return base.plus(bytes.cast_signed());
            }
            (SUB, base, Value::Number(bytes)) if base.number().is_none() => {
                return base.plus(bytes.cast_signed().wrapping_neg());
            }
            (ADD | SUB, base, _) | (ADD, _, base) if base.frame().is_some() => {
                return base.frame().map_or(Value::Unknown, |frame| Value::OnStack { frame });
            }
            _ => {}
        }
    }
    // Nothing of the other operand is left.
    if operand == Value::Number(0) && matches!(operation, AND | MUL) {
        return Value::Number(0);
    }
    if is_register && operation == XOR && insn.dst == insn.src {
        return Value::Number(0);
    }
    let Some(left) = dst.number().or((operation == MOV).then_some(0)) else { return Value::Unknown };
    if operation == END {
        return swapped(insn, left, big).map_or(Value::Unknown, Value::Number);
    }
    let Some(right) = operand.number().or((operation == NEG).then_some(0)) else { return Value::Unknown };
    let result = if wide {
        of_64(operation, insn.offset, left, right)
    } else {
        of_32(operation, insn.offset, left, right)
    };
    result.map_or(Value::Unknown, Value::Number)
}

const ADD: u8 = 0x0;
const SUB: u8 = 0x1;
const MUL: u8 = 0x2;
const DIV: u8 = 0x3;
const OR: u8 = 0x4;
const AND: u8 = 0x5;
const LSH: u8 = 0x6;
const RSH: u8 = 0x7;
const NEG: u8 = 0x8;
const MOD: u8 = 0x9;
const XOR: u8 = 0xa;
const MOV: u8 = 0xb;
const ARSH: u8 = 0xc;
const END: u8 = 0xd;

/// `offset` is 1 for signed division, and the width of the source for moves that extend its sign.
fn of_64(operation: u8, offset: i16, left: u64, right: u64) -> Option<u64> {
    let shift = (right & 63) as u32;
    Some(match operation {
        ADD => left.wrapping_add(right),
        SUB => left.wrapping_sub(right),
        MUL => left.wrapping_mul(right),
        // The instruction set defines both for 0.
        DIV if offset == 0 => left.checked_div(right).unwrap_or(0),
        MOD if offset == 0 => left.checked_rem(right).unwrap_or(left),
        OR => left | right,
        AND => left & right,
        LSH => left << shift,
        RSH => left >> shift,
        NEG => left.wrapping_neg(),
        XOR => left ^ right,
        MOV => extended(right, offset)?,
        ARSH => (left.cast_signed() >> shift).cast_unsigned(),
        _ => return None,
    })
}

fn of_32(operation: u8, offset: i16, left: u64, right: u64) -> Option<u64> {
    let (left, right) = (left as u32, right as u32);
    let shift = right & 31;
    Some(u64::from(match operation {
        ADD => left.wrapping_add(right),
        SUB => left.wrapping_sub(right),
        MUL => left.wrapping_mul(right),
        DIV if offset == 0 => left.checked_div(right).unwrap_or(0),
        MOD if offset == 0 => left.checked_rem(right).unwrap_or(left),
        OR => left | right,
        AND => left & right,
        LSH => left << shift,
        RSH => left >> shift,
        NEG => left.wrapping_neg(),
        XOR => left ^ right,
        MOV => extended(right.into(), offset)? as u32,
        ARSH => (left.cast_signed() >> shift).cast_unsigned(),
        _ => return None,
    }))
}

fn extended(value: u64, width: i16) -> Option<u64> {
    Some(match width {
        0 => value,
        8 => i64::from(value as u8 as i8).cast_unsigned(),
        16 => i64::from(value as u16 as i16).cast_unsigned(),
        32 => i64::from(value as u32 as i32).cast_unsigned(),
        _ => return None,
    })
}

/// `bswap`, `le` and `be`, of the low bits; the others become 0.
fn swapped(insn: Insn, value: u64, big: bool) -> Option<u64> {
    let always = insn.class() == Class::Alu64;
    let to_big = insn.opcode & 8 != 0;
    let swaps = always || to_big != big;
    Some(match (insn.imm, swaps) {
        (16, true) => u64::from((value as u16).swap_bytes()),
        (32, true) => u64::from((value as u32).swap_bytes()),
        (64, true) => value.swap_bytes(),
        (16, false) => u64::from(value as u16),
        (32, false) => u64::from(value as u32),
        (64, false) => value,
        _ => return None,
    })
}

/// Whether a conditional jump is taken; `None` where it may or may not.
pub(super) fn is_taken(insn: Insn, dst: Value, src: Value) -> Option<bool> {
    let operand = if insn.opcode & 8 != 0 { src } else { Value::Number(i64::from(insn.imm).cast_unsigned()) };
    let is_null = operand == Value::Number(0);
    let operation = insn.opcode >> 4;
    let not_null = !matches!(dst, Value::Unknown | Value::Number(_) | Value::Spoiled(_));
    if insn.class() == Class::Jmp && not_null && is_null {
        return match operation {
            JEQ => Some(false),
            JNE => Some(true),
            _ => None,
        };
    }
    let (left, right) = dst.number().zip(operand.number())?;
    let signed = |a: u64, b: u64| (a.cast_signed(), b.cast_signed());
    let (left, right, (signed_left, signed_right)) = if insn.class() == Class::Jmp32 {
        let (low_left, low_right) = (left as u32, right as u32);
        let signs = (i64::from(low_left.cast_signed()), i64::from(low_right.cast_signed()));
        (u64::from(low_left), u64::from(low_right), signs)
    } else {
        (left, right, signed(left, right))
    };
    Some(match operation {
        JEQ => left == right,
        0x2 => left > right,
        0x3 => left >= right,
        0x4 => left & right != 0,
        JNE => left != right,
        0x6 => signed_left > signed_right,
        0x7 => signed_left >= signed_right,
        0xa => left < right,
        0xb => left <= right,
        0xc => signed_left < signed_right,
        0xd => signed_left <= signed_right,
        _ => return None,
    })
}

const JEQ: u8 = 0x1;
const JNE: u8 = 0x5;

/// What a register that was compared with a number holds where the jump is taken or not.
pub(super) fn learned(insn: Insn, taken: bool, dst: Value) -> Value {
    let is_immediate = insn.opcode & 8 == 0;
    let is_equal = matches!((insn.opcode >> 4, taken), (JEQ, true) | (JNE, false));
    // The upper half of the register is not compared by 32-bit jumps.
    let is_open = matches!(dst, Value::Unknown | Value::Spoiled(_));
    if is_immediate && is_equal && insn.class() == Class::Jmp && is_open {
        Value::Number(i64::from(insn.imm).cast_unsigned())
    } else {
        dst
    }
}
