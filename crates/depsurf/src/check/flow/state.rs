//! Registers and stack on one way through a program, and which of them were seen at an instruction.

use super::Value;
use crate::bpf::Helper;

/// States of one instruction that are told apart; more are joined into one.
const KEPT: usize = 24;

/// Bytes of a function's stack.
const STACK: i32 = 512;
/// Bytes of a slot of the stack that the verifier follows as one.
const SLOT: i32 = 8;

/// What a function has: registers that survive calls, and its stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Frame {
    /// Slot to go on at when it returns.
    back: usize,
    /// `r6` to `r9` of the caller.
    saved: [Value; 4],
    /// What is known of the stack: offset from its end, size, value; by offset. Nothing overlaps.
    stack: Vec<(i32, u8, Value)>,
}

impl Frame {
    /// The frame of a function that nothing is known to call.
    pub(super) fn new() -> Self {
        Self { back: usize::MAX, saved: [Value::Unknown; 4], stack: Vec::new() }
    }
}

/// Registers and frames.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct State {
    registers: [Value; 11],
    frames: Vec<Frame>,
}

impl State {
    pub(super) fn new(frame: Frame) -> Self {
        let mut registers = [Value::Unknown; 11];
        registers[10] = Value::Stack { frame: 0, offset: 0 };
        Self { registers, frames: vec![frame] }
    }

    pub(super) fn get(&self, register: u8) -> Value {
        self.registers.get(usize::from(register)).copied().unwrap_or_default()
    }

    pub(super) fn set(&mut self, register: u8, value: Value) {
        // The frame pointer cannot be written.
        if let Some(place) = self.registers[..10].get_mut(usize::from(register)) {
            *place = value;
        }
    }

    pub(super) fn frames(&self) -> usize {
        self.frames.len()
    }

    /// Calls a function of the object, which goes on at `back`.
    pub(super) fn enter(mut self, back: usize) -> Self {
        let mut saved = [Value::Unknown; 4];
        saved.copy_from_slice(&self.registers[6..10]);
        self.registers[0] = Value::Unknown;
        self.registers[6..10].fill(Value::Unknown);
        self.registers[10] = Value::Stack { frame: self.frames.len() as u8, offset: 0 };
        self.frames.push(Frame { back, saved, stack: Vec::new() });
        self
    }

    /// Returns to the caller; `None` where there is none.
    pub(super) fn leave(mut self) -> Option<(usize, Self)> {
        let frame = self.frames.pop()?;
        let depth = self.frames.len().checked_sub(1)? as u8;
        self.registers[1..6].fill(Value::Unknown);
        self.registers[6..10].copy_from_slice(&frame.saved);
        self.registers[10] = Value::Stack { frame: depth, offset: 0 };
        // Nothing may point into a frame that is gone.
        let gone = |value: &Value| value.frame().is_some_and(|frame| frame > depth);
        for register in self.registers.iter_mut().filter(|value| gone(value)) {
            *register = Value::Unknown;
        }
        for frame in &mut self.frames {
            frame.stack.retain(|(_, _, value)| !gone(value));
        }
        Some((frame.back, self))
    }

    /// What is not known any more behind a call of the kernel: registers, and memory that it may write.
    pub(super) fn forget_call(&mut self) {
        for register in 1..=5u8 {
            let place = self.get(register);
            if let Value::OnStack { frame } = place {
                self.retain(frame, |_, _, value| matches!(value, Value::Spoiled(_)));
            }
            if let Value::Stack { frame, offset } = place {
                // Mostly the size is the next argument. Without one, all that lies above may be written.
                let size = match self.get(register + 1) {
                    Value::Number(size) if register < 5 => i32::try_from(size).unwrap_or(i32::MAX),
                    _ => i32::MAX,
                };
                let end = offset.saturating_add(size);
                self.retain(frame, |at, size, value| {
                    // What is a number for the verifier does not become an address by this.
                    at + i32::from(size) <= offset || at >= end || matches!(value, Value::Spoiled(_))
                });
            }
        }
        self.registers[..6].fill(Value::Unknown);
    }

    /// Marks the slots that hold some of these bytes of the stack as what a helper made numbers of; of them only those with
    /// addresses that are certainly none of an object that BTF describes, where those `are_kept`.
    pub(super) fn spoil(&mut self, place: Value, size: u32, by: Helper, are_kept: bool) {
        let Value::Stack { frame, offset } = place else { return };
        let Some(frame) = self.frames.get_mut(usize::from(frame)) else { return };
        let end = offset.saturating_add(i32::try_from(size).unwrap_or(i32::MAX)).min(0);
        let mut slot = offset.max(-STACK).div_euclid(SLOT) * SLOT;
        while slot < end {
            let begin = frame.stack.partition_point(|it| it.0 + i32::from(it.1) <= slot);
            let count = frame.stack[begin..].partition_point(|it| it.0 < slot + SLOT);
            let is_spoiled = match &frame.stack[begin..begin + count] {
                [] => !are_kept,
                [(_, _, Value::Spoiled(_) | Value::Number(_))] => false,
                [(_, _, Value::Address)] => !are_kept,
                [_] => true,
                // Only numbers have less than eight bytes.
                _ => false,
            };
            if is_spoiled {
                frame.stack.splice(begin..begin + count, [(slot, SLOT as u8, Value::Spoiled(by))]);
            }
            slot += SLOT;
        }
    }

    /// Keeps of a frame's stack what fits: offset, size, value.
    fn retain(&mut self, frame: u8, fits: impl Fn(i32, u8, Value) -> bool) {
        if let Some(frame) = self.frames.get_mut(usize::from(frame)) {
            frame.stack.retain(|&(at, size, value)| fits(at, size, value));
        }
    }

    fn forget(&mut self, frame: u8, offset: i32, size: i32) {
        let end = offset.saturating_add(size);
        self.retain(frame, |at, size, _| at + i32::from(size) <= offset || at >= end);
    }

    /// Reads the stack: what was stored there with the same size.
    pub(super) fn load(&self, place: Value, size: u8) -> Value {
        let Value::Stack { frame, offset } = place else { return Value::Unknown };
        let frame = self.frames.get(usize::from(frame));
        let found = frame.and_then(|frame| frame.stack.iter().find(|it| (it.0, it.1) == (offset, size)));
        found.map_or(Value::Unknown, |found| found.2)
    }

    /// Writes memory.
    pub(super) fn store(&mut self, place: Value, size: u8, value: Value) {
        match place {
            Value::Stack { frame, offset } => {
                self.forget(frame, offset, size.into());
                let value = match value {
                    Value::Number(number) if size < 8 => {
                        Value::Number(number & ((1 << (8 * u32::from(size))) - 1))
                    }
                    Value::Number(_) => value,
                    other if size == 8 => other,
                    _ => Value::Unknown,
                };
                if value == Value::Unknown {
                    return;
                }
                if let Some(frame) = self.frames.get_mut(usize::from(frame)) {
                    let at = frame.stack.partition_point(|it| it.0 < offset);
                    frame.stack.insert(at, (offset, size, value));
                }
            }
            Value::OnStack { frame } => self.retain(frame, |_, _, _| false),
            // What points into a stack is known to do so.
            _ => {}
        }
    }

    /// What holds on both ways; they must be of the same calls.
    fn join(&mut self, other: &Self) {
        for (mine, theirs) in self.registers.iter_mut().zip(&other.registers) {
            *mine = mine.join(*theirs);
        }
        for (mine, theirs) in self.frames.iter_mut().zip(&other.frames) {
            for (value, other) in mine.saved.iter_mut().zip(theirs.saved) {
                *value = value.join(other);
            }
            mine.stack.retain(|slot| theirs.stack.contains(slot));
        }
    }

    fn has_the_calls_of(&self, other: &Self) -> bool {
        self.frames.len() == other.frames.len()
            && self.frames.iter().zip(&other.frames).all(|(mine, theirs)| mine.back == theirs.back)
    }

    /// Whether everything that the other tells is told, or nothing is known of it. Where it counts which addresses are
    /// `spoiled`, not knowing it is not the same.
    fn covers(&self, other: &Self, spoiled: bool) -> bool {
        let counts = |value: &Value| spoiled && matches!(value, Value::Spoiled(_));
        let value =
            |mine: &Value, theirs: &Value| mine == theirs || *mine == Value::Unknown && !counts(theirs);
        self.has_the_calls_of(other)
            && self.registers.iter().zip(&other.registers).all(|(mine, theirs)| value(mine, theirs))
            && self.frames.iter().zip(&other.frames).all(|(mine, theirs)| {
                mine.saved.iter().zip(&theirs.saved).all(|(mine, theirs)| value(mine, theirs))
                    && mine.stack.iter().all(|slot| theirs.stack.contains(slot))
                    && theirs.stack.iter().all(|slot| !counts(&slot.2) || mine.stack.contains(slot))
            })
    }
}

/// The states that were seen, by slot.
#[derive(Debug)]
pub(super) struct States {
    seen: Vec<Vec<State>>,
}

impl States {
    pub(super) fn new(slots: usize) -> Self {
        Self { seen: vec![Vec::new(); slots] }
    }

    /// Adds a state of a slot; gives what is to be followed from there, `None` where nothing new would be seen.
    pub(super) fn add(&mut self, at: usize, mut state: State) -> Option<State> {
        let seen = self.seen.get_mut(at)?;
        // Once states are joined, what was spoiled may be lost like everything else, or that would not end.
        let is_full = seen.len() >= KEPT;
        if seen.iter().any(|known| known.covers(&state, !is_full)) {
            return None;
        }
        if is_full && let Some(same) = seen.iter().position(|known| known.has_the_calls_of(&state)) {
            // Every join loses a fact, so this ends.
            state.join(&seen[same]);
            seen.retain(|known| !state.covers(known, false));
        }
        seen.push(state.clone());
        Some(state)
    }

    pub(super) fn reached(&self) -> Vec<bool> {
        self.seen.iter().map(|seen| !seen.is_empty()).collect()
    }
}
