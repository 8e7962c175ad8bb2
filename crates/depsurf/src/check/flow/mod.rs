//! Which instructions of a program the verifier gets to, and what programs read of their context.
//!
//! The verifier follows constants: behind `if (bpf_core_field_exists(...))`, a read-only variable or a Kconfig value it
//! does not look at the way that is not taken, so a poisoned instruction there does no harm. So do we: registers and
//! spilled slots are followed as numbers and addresses along every way, as `kernel/bpf/verifier.c: do_check` does.
//! Where there are too many states of an instruction they are joined, which only adds ways. So an instruction
//! that is not reached here is not reached there; the opposite is likely but not certain, since the verifier also knows
//! ranges of numbers.

mod memory;
mod state;
#[cfg(test)]
mod tests;
mod value;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

use self::state::{Frame, State, States};
pub use self::value::Value;
use crate::bpf::{Access, AccessKind, Call, Flow, Helper, Insn};

/// States that are looked at in all; behind it everything counts as reached.
const BUDGET: usize = 400_000;
/// Calls in each other, as the verifier allows.
const MAX_FRAMES: usize = 8;

/// What is known of an instruction beside its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// The verifier refuses it.
    Poison,
    /// A number in it may be another one.
    Anything,
    /// `ld_imm64` gives this.
    Gives(Value),
    /// It calls the function that begins at this slot.
    Calls {
        /// The slot.
        entry: usize,
        /// Whether the verifier looks at the function for itself, with arguments that can be anything.
        global: bool,
    },
    /// `ld_imm64` gives the address of the function that begins at this slot; something will call it.
    Callback(usize),
    /// It calls something of the kernel that is no helper.
    CallsKernel,
}

/// A program as libbpf hands it to the kernel.
#[derive(Debug)]
pub struct Code<'c> {
    /// All slots; the program begins at the first one.
    pub insns: &'c [Insn],
    /// What is known of some slots.
    pub marks: &'c HashMap<usize, Mark>,
    /// Byte order of the machine.
    pub big_endian: bool,
    /// What the verifier makes of the stack that helpers get to; `None` where that is not asked.
    pub lent: Option<Lent<'c>>,
}

/// What the verifier makes of the stack that helpers get to.
#[derive(Clone, Copy)]
pub struct Lent<'c> {
    /// What becomes of it.
    pub spoils: Spoils,
    /// Bytes of a key and of a value of the object's map of this number; 0 where that is not known.
    pub sizes: &'c dyn Fn(u32) -> (u32, u32),
}

impl fmt::Debug for Lent<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.spoils)
    }
}

/// Which addresses on the stack are numbers for the verifier, once a helper got the address of where they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spoils {
    /// All, whether the helper reads or writes there.
    All,
    /// All, but where the helper reads, pointers to objects that BTF describes stay what they are.
    AllButObjects,
    /// Where the helper writes.
    Written,
}

/// Reads the object's data: section, offset, size in bytes; `None` where it may be anything.
pub type Data<'d> = dyn Fn(u32, u32, u8) -> Option<u64> + 'd;

/// An access to the program's context.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContextAccess {
    /// Slot of the instruction.
    pub slot: usize,
    /// Bytes from the start of the context.
    pub offset: i32,
    /// Bytes.
    pub size: u8,
    /// Whether it is written.
    pub is_store: bool,
}

/// An access through what was an address until a helper got to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Through {
    /// Slot of the instruction.
    pub slot: usize,
    /// The register that would have to be an address.
    pub register: u8,
    /// The helper.
    pub by: Helper,
    /// Whether that is so on every way to the instruction.
    pub always: bool,
}

/// What was found out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reached {
    /// For each slot whether the verifier gets there.
    pub slots: Vec<bool>,
    /// Accesses to the context, by slot.
    pub context: Vec<ContextAccess>,
    /// Whether the context is handed to a helper or stored, so that there may be accesses that are not seen.
    pub context_escapes: bool,
    /// Accesses through what was spoiled, by slot; the verifier goes no further there.
    pub through: Vec<Through>,
    /// Whether there were too many states, and everything counts as reached.
    pub gave_up: bool,
}

/// Follows a program.
#[must_use]
pub fn follow(code: &Code<'_>, data: &Data<'_>) -> Reached {
    let mut walk = Walk {
        code,
        data,
        states: States::new(code.insns.len()),
        work: Vec::new(),
        context: BTreeMap::new(),
        through: BTreeMap::new(),
        accessed: BTreeSet::new(),
        escapes: false,
    };
    let mut start = State::new(Frame::new());
    start.set(1, Value::Context(0));
    walk.push(0, start);
    let mut steps = 0;
    while let Some((at, state)) = walk.work.pop() {
        steps += 1;
        if steps > BUDGET {
            let slots = vec![true; code.insns.len()];
            let mut found = walk.found();
            // There may be other ways.
            found.through.iter_mut().for_each(|it| it.always = false);
            return Reached { slots, gave_up: true, ..found };
        }
        walk.step(at, state);
    }
    walk.found()
}

struct Walk<'c> {
    code: &'c Code<'c>,
    data: &'c Data<'c>,
    states: States,
    work: Vec<(usize, State)>,
    context: BTreeMap<(usize, i32), ContextAccess>,
    /// By slot.
    through: BTreeMap<usize, Through>,
    /// Slots with accesses through anything else.
    accessed: BTreeSet<usize>,
    escapes: bool,
}

impl Walk<'_> {
    fn found(&self) -> Reached {
        let always = |through: &Through| !self.accessed.contains(&through.slot);
        Reached {
            slots: self.states.reached(),
            context: self.context.values().copied().collect(),
            context_escapes: self.escapes,
            through: self.through.values().map(|it| Through { always: always(it), ..*it }).collect(),
            gave_up: false,
        }
    }

    /// Goes on at a slot, if there is something new to see.
    fn push(&mut self, at: usize, state: State) {
        if at < self.code.insns.len()
            && let Some(state) = self.states.add(at, state)
        {
            self.work.push((at, state));
        }
    }

    /// Goes on at a distance from the next slot.
    fn jump(&mut self, at: usize, distance: i32, state: State) {
        if let Ok(target) = (at as i64 + 1 + i64::from(distance)).try_into() {
            self.push(target, state);
        }
    }

    fn step(&mut self, at: usize, mut state: State) {
        let insn = self.code.insns[at];
        let mark = self.code.marks.get(&at).copied();
        if mark == Some(Mark::Poison) {
            // The verifier ends here.
            return;
        }
        if insn.is_ld_imm64() {
            let value = match mark {
                Some(Mark::Gives(value)) => value,
                Some(Mark::Callback(entry)) => {
                    self.enter_anew(entry);
                    Value::Address
                }
                _ if insn.src == 0 => Value::Number(self.immediate(at)),
                _ => Value::Address,
            };
            state.set(insn.dst, value);
            return self.push(at + 2, state);
        }
        if let Some(call) = insn.call() {
            return self.call(at, call, mark, state);
        }
        if let Some(access) = insn.access() {
            if let (Value::Spoiled(by), true) = (state.get(access.base), access.kind != AccessKind::Packet) {
                let through = Through { slot: at, register: access.base, by, always: false };
                self.through.entry(at).or_insert(through);
                return;
            }
            self.accessed.insert(at);
            self.access(at, insn, access, &mut state, mark == Some(Mark::Anything));
            return self.push(at + 1, state);
        }
        match insn.flow() {
            Flow::Exit => {
                if let Some((slot, state)) = state.leave() {
                    self.push(slot, state);
                }
            }
            Flow::Jump(distance) => self.jump(at, distance, state),
            Flow::Branch(distance) => self.branch(at, insn, distance, state, mark),
            // Where a jump table leads is not told by the instruction: to every place, as far as is known.
            Flow::Indirect(_) => {
                for slot in 0..self.code.insns.len() {
                    self.push(slot, State::new(Frame::new()));
                }
            }
            Flow::Next => {
                let (dst, src) = (state.get(insn.dst), state.get(insn.src));
                let result = match (mark, dst.frame()) {
                    (Some(Mark::Anything), Some(frame)) => Value::OnStack { frame },
                    (Some(Mark::Anything), None) => Value::Unknown,
                    _ => value::arithmetic(insn, dst, src, self.code.big_endian),
                };
                state.set(insn.dst, result);
                self.push(at + 1, state);
            }
        }
    }

    fn immediate(&self, at: usize) -> u64 {
        let upper = self.code.insns.get(at + 1).map_or(0, |next| next.imm.cast_unsigned());
        u64::from(upper) << 32 | u64::from(self.code.insns[at].imm.cast_unsigned())
    }

    /// A function that may be called with anything.
    fn enter_anew(&mut self, entry: usize) {
        self.push(entry, State::new(Frame::new()));
    }

    fn branch(&mut self, at: usize, insn: Insn, distance: i32, state: State, mark: Option<Mark>) {
        let (dst, src) = (state.get(insn.dst), state.get(insn.src));
        let taken = if mark == Some(Mark::Anything) { None } else { value::is_taken(insn, dst, src) };
        for (way, distance) in [(false, 0), (true, distance)] {
            if taken.is_none_or(|taken| taken == way) {
                let mut state = state.clone();
                if taken.is_none() && mark != Some(Mark::Anything) {
                    state.set(insn.dst, value::learned(insn, way, dst));
                }
                self.jump(at, distance, state);
            }
        }
    }

    fn call(&mut self, at: usize, call: Call, mark: Option<Mark>, mut state: State) {
        if let Some(Mark::Calls { entry, global }) = mark {
            if global {
                self.enter_anew(entry);
            } else if state.frames() < MAX_FRAMES {
                return self.push(entry, state.enter(at + 1));
            }
        }
        if call == Call::Poison {
            return;
        }
        self.note_escapes(&state);
        if let (Some(lent), None, Call::Helper(helper)) = (self.code.lent, mark, call) {
            memory::lend(&mut state, helper, lent);
        }
        state.forget_call();
        self.push(at + 1, state);
    }

    /// Notes where the context goes out of sight.
    fn note_escapes(&mut self, state: &State) {
        self.escapes |= (1..=5).any(|register| matches!(state.get(register), Value::Context(_)));
    }

    fn access(&mut self, at: usize, insn: Insn, access: Access, state: &mut State, anywhere: bool) {
        let base = state.get(access.base);
        let base = match (anywhere, base.frame()) {
            (false, _) => base.plus(access.offset.into()),
            (true, Some(frame)) => Value::OnStack { frame },
            (true, None) => Value::Unknown,
        };
        let is_store = access.kind == AccessKind::Store;
        if let Value::Context(offset) = base {
            let found = ContextAccess { slot: at, offset, size: access.size, is_store };
            self.context.insert((at, offset), found);
        }
        match access.kind {
            AccessKind::Load => {
                let value = match base {
                    Value::Stack { .. } => state.load(base, access.size),
                    Value::Data { section, offset } => {
                        (self.data)(section, offset, access.size).map_or(Value::Unknown, Value::Number)
                    }
                    _ => Value::Unknown,
                };
                state.set(insn.dst, if access.signed { sign_extended(value, access.size) } else { value });
            }
            AccessKind::Store => {
                // An immediate has class ST: there is no source register.
                let value = if insn.opcode & 1 == 0 {
                    Value::Number(i64::from(insn.imm).cast_unsigned())
                } else {
                    state.get(insn.src)
                };
                self.escapes |= matches!(value, Value::Context(_)) && !matches!(base, Value::Stack { .. });
                state.store(base, access.size, value);
            }
            AccessKind::Atomic => {
                state.store(base, access.size, Value::Unknown);
                state.set(insn.src, Value::Unknown);
                state.set(0, Value::Unknown);
            }
            AccessKind::Packet => {
                for register in 0..=5 {
                    state.set(register, Value::Unknown);
                }
            }
        }
    }
}

fn sign_extended(value: Value, size: u8) -> Value {
    let Value::Number(number) = value else { return Value::Unknown };
    let unused = 64 - 8 * u32::from(size);
    Value::Number(((number << unused).cast_signed() >> unused).cast_unsigned())
}
