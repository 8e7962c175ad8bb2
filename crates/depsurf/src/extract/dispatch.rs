//! System call tables that are code: what `ia32_sys_call(regs, nr)` does for each number.
//!
//! Since Linux 1e3ad78334a6 ("x86/syscall: Don't force use of indirect calls for system calls") (in v6.9, and in
//! stable kernels) x86 dispatches through a `switch`. Compilers of kernels with retpolines, or with indirect branch tracking, make
//! no jump tables, so the function is a tree of comparisons of one register, with a tail call at each leaf. Without these the number is
//! an index into a table of such leaves. Both are followed here number by number. Only the few instructions that they are made of
//! are known; at any other the whole table is unknown.

use crate::error::{Error, Result};
use crate::image::Image;

/// Numbers that are tried; the largest one in use (x32) is 547.
const NUMBERS: u32 = 1024;
/// Instructions on the way to one leaf; a balanced tree has some thirty, a chain of comparisons one pair per number.
const STEPS: usize = 4096;

/// The entry that a dispatcher calls for each number, from 0 to the last one that is not the default.
///
/// # Errors
/// When the function is anything but a tree of comparisons and tables.
pub fn entries(image: &Image<'_>, dispatcher: &str, is_entry: impl Fn(u64) -> bool) -> Result<Vec<u64>> {
    let at = || format!("function `{dispatcher}`");
    let symbol =
        image.symbol(dispatcher).ok_or_else(|| Error::malformed("image", at(), "there is no such symbol"))?;
    let (start, end) = (symbol.address, image.symbol_end(symbol));
    let code = image.bytes_at(start, end - start)?;
    let tree = Tree { image, code: &code, start, is_entry: &is_entry };
    let mut entries = Vec::with_capacity(NUMBERS as usize);
    for number in 0..NUMBERS {
        let entry = tree.follow(number).map_err(|(offset, what)| {
            Error::malformed(
                "code",
                format!("`{dispatcher}`+{offset:#x}"),
                format!("{what} for number {number}"),
            )
        })?;
        entries.push(entry);
    }
    // What no case names goes to the default, as does the last number.
    let default = entries.last().copied();
    while entries.last().copied() == default && !entries.is_empty() {
        entries.pop();
    }
    Ok(entries)
}

struct Tree<'a, F> {
    image: &'a Image<'a>,
    code: &'a [u8],
    start: u64,
    is_entry: &'a F,
}

/// Registers that have a number of three bits.
const REGISTERS: usize = 8;
/// That of the second argument (System V ABI, AMD64 supplement, "Parameter Passing").
const ESI: u8 = 6;

/// The two sides of the comparison that a conditional jump asks about.
#[derive(Clone, Copy)]
struct Compared {
    number: u32,
    with: u32,
}

/// One instruction.
enum Instruction {
    /// Changes nothing that matters here.
    Nothing,
    /// Copies a register to another.
    Copy { from: u8, to: u8 },
    /// Sets a register to something else.
    Set { register: u8 },
    /// Jumps to the place that a table of addresses has at the index in a register.
    JumpTable { index: u8, table: u64 },
    /// Compares a register, by its number, with a constant.
    Compare { register: u8, with: u32 },
    /// Subtracts a constant from a register, which compares them as well.
    Subtract { register: u8, constant: u32 },
    /// Jumps by so many bytes if the condition (the low half of the opcode) holds.
    JumpIf { condition: u8, by: i32 },
    /// Jumps by so many bytes.
    Jump { by: i32 },
    /// Calls so many bytes ahead.
    Call { by: i32 },
}

impl<F: Fn(u64) -> bool> Tree<'_, F> {
    /// The entry for a number, or the offset and nature of what is not understood.
    fn follow(&self, number: u32) -> Result<u64, (usize, &'static str)> {
        let mut offset = 0usize;
        let mut compared: Option<Compared> = None;
        // What is left of the number in each register that has it. First it is the second argument.
        let mut left: [Option<u32>; REGISTERS] = [None; REGISTERS];
        left[usize::from(ESI)] = Some(number);
        for _ in 0..STEPS {
            let (instruction, size) = self
                .code
                .get(offset..)
                .and_then(decode)
                .ok_or((offset, "an instruction that no comparison tree has"))?;
            let next = offset + size;
            let target = |by: i32| self.start.wrapping_add(next as u64).wrapping_add_signed(by.into());
            match instruction {
                Instruction::Nothing => offset = next,
                Instruction::Copy { from, to } => {
                    left[usize::from(to)] = left[usize::from(from)];
                    offset = next;
                }
                Instruction::Set { register } => {
                    left[usize::from(register)] = None;
                    offset = next;
                }
                Instruction::Compare { register, with }
                | Instruction::Subtract { register, constant: with } => {
                    let left = &mut left[usize::from(register)];
                    let number = left.ok_or((offset, "a comparison of another register"))?;
                    compared = Some(Compared { number, with });
                    if let Instruction::Subtract { constant, .. } = instruction {
                        *left = Some(number.wrapping_sub(constant));
                    }
                    offset = next;
                }
                Instruction::JumpTable { index, table } => {
                    let index = left[usize::from(index)].ok_or((offset, "a table for another register"))?;
                    let leaf = self.leaf(table, index).ok_or((offset, "a table that is not in the image"))?;
                    match self.inside(leaf) {
                        Some(inside) => offset = inside,
                        None => return self.entry(offset, leaf),
                    }
                }
                Instruction::JumpIf { condition, by } => {
                    let compared = compared.ok_or((offset, "a jump before any comparison"))?;
                    let jumps = compared.meets(condition).ok_or((offset, "a jump on another condition"))?;
                    match (jumps, self.inside(target(by))) {
                        (false, _) => offset = next,
                        (true, Some(inside)) => offset = inside,
                        (true, None) => return self.entry(offset, target(by)),
                    }
                }
                Instruction::Jump { by } => match self.inside(target(by)) {
                    Some(inside) => offset = inside,
                    None => return self.entry(offset, target(by)),
                },
                // `__fentry__` comes first; an entry that does not return is called, not jumped to.
                Instruction::Call { by } if (self.is_entry)(target(by)) => return Ok(target(by)),
                Instruction::Call { .. } => offset = next,
            }
        }
        Err((offset, "no end"))
    }

    /// What a table has at an index: the address of a leaf.
    fn leaf(&self, table: u64, index: u32) -> Option<u64> {
        const SIZE: u64 = 8;
        self.image.pointer_at(table.checked_add(SIZE * u64::from(index))?).ok()
    }

    fn inside(&self, address: u64) -> Option<usize> {
        let offset = address.checked_sub(self.start)?;
        (offset < self.code.len() as u64).then_some(offset as usize)
    }

    fn entry(&self, offset: usize, address: u64) -> Result<u64, (usize, &'static str)> {
        if (self.is_entry)(address) { Ok(address) } else { Err((offset, "a jump to what is no entry")) }
    }
}

impl Compared {
    /// Whether a condition code holds after the comparison (Intel SDM volume 1, appendix B);
    /// `None` for those that no comparison of numbers needs.
    fn meets(self, condition: u8) -> Option<bool> {
        let (a, b) = (self.number, self.with);
        let (signed_a, signed_b) = (a.cast_signed(), b.cast_signed());
        let holds = match condition & 0xe {
            0x2 => a < b,
            0x4 => a == b,
            0x6 => a <= b,
            0xc => signed_a < signed_b,
            0xe => signed_a <= signed_b,
            _ => return None,
        };
        Some(holds != (condition & 1 != 0))
    }
}

/// The instruction at the start of some code and its size (Intel SDM volume 2, appendix A).
fn decode(code: &[u8]) -> Option<(Instruction, usize)> {
    // A conditional jump may carry a prefix as a hint for the branch predictor.
    if let [0x2e | 0x3e, jump @ ..] = code {
        return match decode_plain(jump)? {
            (jump @ Instruction::JumpIf { .. }, size) => Some((jump, size + 1)),
            _ => None,
        };
    }
    decode_plain(code)
}

fn decode_plain(code: &[u8]) -> Option<(Instruction, usize)> {
    let byte = |at: usize| Some(code.get(at)?.cast_signed());
    let word = |at: usize| Some(i32::from_le_bytes(code.get(at..at + 4)?.try_into().ok()?));
    Some(match *code {
        // endbr64, endbr32
        [0xf3, 0x0f, 0x1e, 0xfa | 0xfb, ..] => (Instruction::Nothing, 4),
        // nop
        [0x90, ..] => (Instruction::Nothing, 1),
        [0x66, 0x90, ..] => (Instruction::Nothing, 2),
        // push r64, pop r64; add rsp, imm8, sub rsp, imm8: where one of the entries does not return and so is called
        [0x50..=0x57, ..] => (Instruction::Nothing, 1),
        [pop @ 0x58..=0x5f, ..] => (Instruction::Set { register: pop & 7 }, 1),
        [0x48, 0x83, 0xc4 | 0xec, ..] => (Instruction::Nothing, 4),
        // mov r32, r32, which clears the upper half of the register
        [0x89, modrm @ 0xc0..=0xff, ..] => (Instruction::Copy { from: modrm >> 3 & 7, to: modrm & 7 }, 2),
        [0x8b, modrm @ 0xc0..=0xff, ..] => (Instruction::Copy { from: modrm & 7, to: modrm >> 3 & 7 }, 2),
        // jmp [disp32 + r64 * 8], but for rsp, which is no index
        [0xff, 0x24, sib, ..] if sib & 0xc7 == 0xc5 && sib != 0xe5 => {
            let table = i64::from(word(3)?).cast_unsigned();
            (Instruction::JumpTable { index: sib >> 3 & 7, table }, 7)
        }
        // cmp r32, imm32; cmp r32, imm8; cmp eax, imm32
        [0x81, modrm @ 0xf8..=0xff, ..] => {
            (Instruction::Compare { register: modrm & 7, with: word(2)?.cast_unsigned() }, 6)
        }
        [0x83, modrm @ 0xf8..=0xff, ..] => {
            let with = i32::from(byte(2)?).cast_unsigned();
            (Instruction::Compare { register: modrm & 7, with }, 3)
        }
        [0x3d, ..] => (Instruction::Compare { register: 0, with: word(1)?.cast_unsigned() }, 5),
        // sub r32, imm32; sub r32, imm8
        [0x81, modrm @ 0xe8..=0xef, ..] => {
            (Instruction::Subtract { register: modrm & 7, constant: word(2)?.cast_unsigned() }, 6)
        }
        [0x83, modrm @ 0xe8..=0xef, ..] => {
            let constant = i32::from(byte(2)?).cast_unsigned();
            (Instruction::Subtract { register: modrm & 7, constant }, 3)
        }
        // test of a register with itself: a comparison with 0
        [0x85, modrm @ 0xc0..=0xff, ..] if modrm & 7 == modrm >> 3 & 7 => {
            (Instruction::Compare { register: modrm & 7, with: 0 }, 2)
        }
        // jcc rel32, jcc rel8
        [0x0f, opcode @ 0x80..=0x8f, ..] => {
            (Instruction::JumpIf { condition: opcode & 0xf, by: word(2)? }, 6)
        }
        [opcode @ 0x70..=0x7f, ..] => {
            (Instruction::JumpIf { condition: opcode & 0xf, by: byte(1)?.into() }, 2)
        }
        // jmp rel32, jmp rel8, call rel32
        [0xe9, ..] => (Instruction::Jump { by: word(1)? }, 5),
        [0xeb, ..] => (Instruction::Jump { by: byte(1)?.into() }, 2),
        [0xe8, ..] => (Instruction::Call { by: word(1)? }, 5),
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
