//! What a compile unit tells: its functions, and the calls and inlined copies in them.

use super::names::NameId;
use super::node::NodeId;

/// A function DIE: a definition, an abstract instance or a declaration.
#[derive(Debug, Clone)]
pub struct Function {
    /// Offset in the unit.
    pub offset: u32,
    /// `DW_AT_name`.
    pub name: NameId,
    /// Path of the declaration; 0 where unknown.
    pub decl_file: u32,
    /// Line of the declaration; 0 where unknown.
    pub decl_line: u32,
    /// `DW_AT_external`.
    pub external: bool,
    /// `DW_AT_declaration`: there is no body here.
    pub declaration: bool,
    /// `DW_AT_inline`.
    pub inline: Option<u8>,
    /// Address of the first out-of-line instance.
    pub address: Option<u64>,
    /// Prototype; `None` for assembly, which has none.
    pub prototype: Option<NodeId>,
}

/// A function of this unit (index into [`Unit::functions`]) or a DIE elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FunctionRef {
    /// Index into the unit's functions.
    Here(u32),
    /// Offset of the DIE in `.debug_info`.
    Elsewhere(usize),
    /// Refers to no function.
    Nowhere,
}

/// An inlined copy.
#[derive(Debug, Clone)]
pub struct InlinedCopy {
    /// What was inlined.
    pub callee: FunctionRef,
    /// The physical function it is in.
    pub caller: FunctionRef,
    /// Path of the call; 0 where unknown.
    pub call_file: u32,
    /// Line of the call; 0 where unknown.
    pub call_line: u32,
    /// First byte of the copy.
    pub address: Option<u64>,
}

/// Code of a function whose DIE is another one.
#[derive(Debug, Clone)]
pub struct OutOfLine {
    /// Offset of its DIE in the unit.
    pub offset: u32,
    /// The function.
    pub function: FunctionRef,
    /// Where its code starts.
    pub address: u64,
}

/// A direct call.
#[derive(Debug, Clone)]
pub struct Call {
    /// What is called.
    pub callee: FunctionRef,
    /// The physical function that calls.
    pub caller: FunctionRef,
}

/// What one compile unit tells.
#[derive(Debug, Clone, Default)]
pub struct Unit {
    /// Place among the units of `.debug_info`.
    pub index: u32,
    /// Path of its source file.
    pub file: u32,
    /// Whether it is none but a part of others, which import it.
    pub is_partial: bool,
    /// Whether it is in a `.dwo` file, and stands in the place of its skeleton.
    pub is_split: bool,
    /// The units it imports, by their place among all.
    pub imports: Vec<u32>,
    /// How many of its functions stand in itself; the others are imported.
    pub own_functions: u32,
    /// Its functions: its own in DIE order, then those of each unit that it imports.
    pub functions: Vec<Function>,
    /// Inlined copies, in DIE order.
    pub inlined: Vec<InlinedCopy>,
    /// Direct calls, in DIE order.
    pub calls: Vec<Call>,
    /// Out-of-line instances of abstract ones, in DIE order: there may be several (clones, split parts).
    pub out_of_line: Vec<OutOfLine>,
}
