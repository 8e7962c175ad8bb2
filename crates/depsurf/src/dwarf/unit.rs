//! One walk over the DIEs of a compile unit: its functions, and the calls and inlined copies in them.

use gimli::{AttributeValue, Endianity, constants};

use super::names::NameId;
use super::node::{Kind, NodeId};
use super::types::{TypeAttrs, flag, udata};
use super::worker::{Context, DieRef, Entries, Slice, Worker};

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
    /// Prototype; not decoded for declarations.
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
    /// Its functions, in DIE order.
    pub functions: Vec<Function>,
    /// Inlined copies, in DIE order.
    pub inlined: Vec<InlinedCopy>,
    /// Direct calls, in DIE order.
    pub calls: Vec<Call>,
    /// Out-of-line instances of abstract ones: there may be several (clones, split parts).
    pub out_of_line: Vec<OutOfLine>,
}

/// The attributes of a subprogram DIE.
struct FunctionAttrs<'data, E: Endianity> {
    name: Option<AttributeValue<Slice<'data, E>>>,
    origin: Option<DieRef>,
    specification: Option<DieRef>,
    return_type: Option<DieRef>,
    decl_file: u64,
    decl_line: u64,
    external: bool,
    declaration: bool,
    inline: Option<u8>,
    address: Address<'data, E>,
    sibling: Option<usize>,
}

/// The attributes that may tell where code starts.
struct Address<'data, E: Endianity> {
    low_pc: Option<AttributeValue<Slice<'data, E>>>,
    entry_pc: Option<AttributeValue<Slice<'data, E>>>,
    ranges: Option<AttributeValue<Slice<'data, E>>>,
}

impl<E: Endianity> Default for Address<'_, E> {
    fn default() -> Self {
        Self { low_pc: None, entry_pc: None, ranges: None }
    }
}

/// A subprogram whose children are being walked.
struct Frame {
    /// Depth of its children.
    depth: usize,
    /// The physical function that calls below belong to, packed.
    caller: u64,
    /// The function whose parameters are being collected.
    collecting: Option<u32>,
}

/// References to functions of the unit as offsets, until all functions are known.
const NOWHERE: u64 = u64::MAX;
/// Length of a chain of abstract origins beyond which it can only be a cycle.
const MAX_ORIGINS: usize = 8;
const ELSEWHERE: u64 = 1 << 63;

fn pack(reference: DieRef) -> u64 {
    match reference {
        DieRef::Unit(offset) => offset as u64,
        DieRef::Info(offset) => ELSEWHERE | offset as u64,
    }
}

impl<'data, E: Endianity> Worker<'data, '_, E> {
    /// Walks one unit. `None` for a unit that is left out: Rust, or without children.
    pub(super) fn walk(&mut self, cx: &Context<'data, E>) -> gimli::Result<Option<Unit>> {
        let mut entries = cx.unit.entries_raw(None)?;
        let Some(root) = entries.read_abbreviation()? else { return Ok(None) };
        let mut language = 0;
        for &spec in root.attributes() {
            let attr = entries.read_attribute_inline(spec)?;
            if attr.name() == constants::DW_AT_language {
                language = udata(&attr.raw_value());
            }
        }
        if language == u64::from(constants::DW_LANG_Rust.0) {
            self.notes.skipped(
                "dwarf-rust-unit",
                || "compile units in Rust are left out of the C surface".into(),
                || String::from_utf8_lossy(cx.unit.name.map_or(&[], |name| name.slice())).into_owned(),
            );
            return Ok(None);
        }
        if !root.has_children() || root.tag() != constants::DW_TAG_compile_unit {
            return Ok(None);
        }
        let mut unit = Unit { index: cx.index, file: self.unit_file(cx), ..Unit::default() };
        let mut walk =
            Walk { edges: Vec::new(), origins: Vec::new(), frames: Vec::new(), params: Vec::new() };
        let mut depth = 1usize;
        while depth > 0 && !entries.is_empty() {
            let offset = entries.next_offset().0;
            let Some(abbrev) = entries.read_abbreviation()? else {
                depth -= 1;
                if walk.frames.last().is_some_and(|frame| frame.depth > depth) {
                    self.close_frame(&mut unit, &mut walk);
                }
                continue;
            };
            let mut sibling = None;
            match abbrev.tag() {
                constants::DW_TAG_subprogram => {
                    sibling =
                        self.subprogram(cx, &mut entries, abbrev, offset, depth, &mut unit, &mut walk)?;
                }
                constants::DW_TAG_inlined_subroutine => {
                    self.inlined_subroutine(cx, &mut entries, abbrev, &mut walk)?;
                }
                constants::DW_TAG_call_site | constants::DW_TAG_GNU_call_site => {
                    sibling = call_site(&mut entries, abbrev, &mut walk)?;
                }
                constants::DW_TAG_formal_parameter | constants::DW_TAG_unspecified_parameters
                    if walk.frames.last().is_some_and(|f| f.depth == depth && f.collecting.is_some()) =>
                {
                    let attrs = TypeAttrs::read(&mut entries, abbrev)?;
                    let name = match &attrs.name {
                        Some(value) => self.name(cx, value)?,
                        None => NameId(0),
                    };
                    let node = if abbrev.tag() == constants::DW_TAG_formal_parameter {
                        self.target(cx, attrs.target, 0)?
                    } else {
                        NodeId::VOID
                    };
                    walk.params.extend([name.0, node.0]);
                }
                tag @ (constants::DW_TAG_structure_type
                | constants::DW_TAG_class_type
                | constants::DW_TAG_union_type
                | constants::DW_TAG_enumeration_type
                | constants::DW_TAG_typedef) => {
                    let attrs = TypeAttrs::read(&mut entries, abbrev)?;
                    if attrs.name.is_some() {
                        let (node, seen) = self.named(cx, tag, offset, &attrs)?;
                        self.memo.set(cx.index, offset, node);
                        if seen {
                            sibling = attrs.sibling;
                        } else {
                            self.fresh.push((node, offset));
                        }
                    }
                }
                _ => entries.skip_attributes(abbrev.attributes())?,
            }
            if abbrev.has_children() {
                match sibling.filter(|next| *next > entries.next_offset().0) {
                    Some(next) => entries = cx.unit.entries_raw(Some(gimli::UnitOffset(next)))?,
                    None => depth += 1,
                }
            }
        }
        while !walk.frames.is_empty() {
            self.close_frame(&mut unit, &mut walk);
        }
        self.decode_fresh(cx)?;
        walk.finish(cx, &mut unit);
        Ok(Some(unit))
    }

    fn function_attrs(
        &self,
        entries: &mut Entries<'_, 'data, E>,
        abbrev: &gimli::Abbreviation,
    ) -> gimli::Result<FunctionAttrs<'data, E>> {
        let mut attrs = FunctionAttrs {
            name: None,
            origin: None,
            specification: None,
            return_type: None,
            decl_file: 0,
            decl_line: 0,
            external: false,
            declaration: false,
            inline: None,
            address: Address::default(),
            sibling: None,
        };
        for &spec in abbrev.attributes() {
            let value = entries.read_attribute_inline(spec)?.raw_value();
            match spec.name() {
                constants::DW_AT_name => attrs.name = Some(value),
                constants::DW_AT_abstract_origin => attrs.origin = DieRef::from_value(&value),
                constants::DW_AT_specification => attrs.specification = DieRef::from_value(&value),
                constants::DW_AT_type => attrs.return_type = DieRef::from_value(&value),
                constants::DW_AT_decl_file => attrs.decl_file = udata(&value),
                constants::DW_AT_decl_line => attrs.decl_line = udata(&value),
                constants::DW_AT_external => attrs.external = flag(&value),
                constants::DW_AT_declaration => attrs.declaration = flag(&value),
                constants::DW_AT_inline => attrs.inline = Some(udata(&value) as u8),
                constants::DW_AT_low_pc => attrs.address.low_pc = Some(value),
                constants::DW_AT_entry_pc => attrs.address.entry_pc = Some(value),
                constants::DW_AT_ranges => attrs.address.ranges = Some(value),
                constants::DW_AT_sibling => {
                    if let AttributeValue::UnitRef(offset) = value {
                        attrs.sibling = Some(offset.0);
                    }
                }
                _ => {}
            }
        }
        Ok(attrs)
    }

    #[allow(clippy::too_many_arguments, reason = "one step of the walk, split out of its loop")]
    fn subprogram(
        &mut self,
        cx: &Context<'data, E>,
        entries: &mut Entries<'_, 'data, E>,
        abbrev: &gimli::Abbreviation,
        offset: usize,
        depth: usize,
        unit: &mut Unit,
        walk: &mut Walk,
    ) -> gimli::Result<Option<usize>> {
        let attrs = self.function_attrs(entries, abbrev)?;
        let address = self.address(cx, &attrs.address, unit_base(cx))?;
        let mut collecting = None;
        let caller = if let Some(origin) = attrs.origin {
            // An out-of-line instance: what it contains belongs to the function it is an instance of.
            walk.origins.push((offset as u32, pack(origin), address));
            Some(origin)
        } else if let Some(function) = self.named_function(cx, &attrs, offset, address, unit)? {
            let (declaration, name) = (function.declaration, function.name);
            unit.functions.push(function);
            // Only the first declaration of a name is decoded, in case there is no definition.
            if declaration && !self.declared.insert(name) {
                return Ok(attrs.sibling);
            }
            // Assembly gives no line, and an unspecified type for all its functions: that is no prototype.
            if attrs.decl_line != 0 {
                let target = self.target(cx, attrs.return_type, 0)?;
                if abbrev.has_children() {
                    collecting = Some(unit.functions.len() as u32 - 1);
                    // Nested subprograms are rare, and the inner one is closed first: keep the outer one's
                    // parameters below those of the inner one.
                    walk.params.extend([u32::MAX, target.0]);
                } else {
                    let node = self.nodes.intern(&[Kind::Proto as u32, target.0]);
                    if let Some(function) = unit.functions.last_mut() {
                        function.prototype = Some(node);
                    }
                }
            }
            Some(DieRef::Unit(offset))
        } else {
            None
        };
        if abbrev.has_children() {
            walk.frames.push(Frame { depth: depth + 1, caller: caller.map_or(NOWHERE, pack), collecting });
        }
        Ok(None)
    }

    /// The function of a subprogram DIE that has a name, or completes a declaration that has one.
    fn named_function(
        &mut self,
        cx: &Context<'data, E>,
        attrs: &FunctionAttrs<'data, E>,
        offset: usize,
        address: Option<u64>,
        unit: &Unit,
    ) -> gimli::Result<Option<Function>> {
        if let Some(name) = &attrs.name {
            return Ok(Some(Function {
                offset: offset as u32,
                name: self.name(cx, name)?,
                decl_file: self.file(cx, attrs.decl_file)?,
                decl_line: attrs.decl_line as u32,
                external: attrs.external,
                declaration: attrs.declaration,
                inline: attrs.inline,
                address,
                prototype: None,
            }));
        }
        let Some(DieRef::Unit(declaration)) = attrs.specification else { return Ok(None) };
        let found = unit.functions.binary_search_by_key(&(declaration as u32), |function| function.offset);
        Ok(found.ok().map(|index| Function {
            offset: offset as u32,
            declaration: false,
            inline: attrs.inline,
            address,
            prototype: None,
            ..unit.functions[index].clone()
        }))
    }

    /// Ends the innermost subprogram: its prototype is complete.
    fn close_frame(&mut self, unit: &mut Unit, walk: &mut Walk) {
        let Some(frame) = walk.frames.pop() else { return };
        let Some(index) = frame.collecting else { return };
        let start = walk.params.iter().rposition(|word| *word == u32::MAX).unwrap_or(0);
        let mut words = vec![Kind::Proto as u32];
        words.extend_from_slice(&walk.params[start + 1..]);
        walk.params.truncate(start);
        unit.functions[index as usize].prototype = Some(self.nodes.intern(&words));
    }

    fn inlined_subroutine(
        &mut self,
        cx: &Context<'data, E>,
        entries: &mut Entries<'_, 'data, E>,
        abbrev: &gimli::Abbreviation,
        walk: &mut Walk,
    ) -> gimli::Result<()> {
        let (mut origin, mut file, mut line) = (None, 0, 0);
        let mut address = Address::default();
        for &spec in abbrev.attributes() {
            let value = entries.read_attribute_inline(spec)?.raw_value();
            match spec.name() {
                constants::DW_AT_abstract_origin => origin = DieRef::from_value(&value),
                constants::DW_AT_call_file => file = udata(&value),
                constants::DW_AT_call_line => line = udata(&value),
                constants::DW_AT_low_pc => address.low_pc = Some(value),
                constants::DW_AT_entry_pc => address.entry_pc = Some(value),
                constants::DW_AT_ranges => address.ranges = Some(value),
                _ => {}
            }
        }
        let (Some(origin), Some(caller)) = (origin, walk.caller()) else { return Ok(()) };
        let address = self.address(cx, &address, unit_base(cx))?;
        let file = self.file(cx, file)?;
        walk.edges.push(Edge {
            callee: pack(origin),
            caller,
            inlined: true,
            file,
            line: line as u32,
            address,
        });
        Ok(())
    }

    /// Where code starts: `DW_AT_low_pc`, `DW_AT_entry_pc`, else the first range.
    fn address(
        &self,
        cx: &Context<'data, E>,
        attrs: &Address<'data, E>,
        base: u64,
    ) -> gimli::Result<Option<u64>> {
        for value in [&attrs.low_pc, &attrs.entry_pc].into_iter().flatten() {
            match value {
                AttributeValue::Addr(address) => return Ok(Some(*address)),
                AttributeValue::DebugAddrIndex(index) => {
                    return self.dwarf.address(&cx.unit, *index).map(Some);
                }
                // DWARF 5 §2.18: DW_AT_entry_pc as a constant is an offset from the base address.
                AttributeValue::Data1(_)
                | AttributeValue::Data2(_)
                | AttributeValue::Data4(_)
                | AttributeValue::Data8(_)
                | AttributeValue::Udata(_) => return Ok(Some(base.wrapping_add(udata(value)))),
                _ => {}
            }
        }
        let offset = match &attrs.ranges {
            Some(AttributeValue::SecOffset(offset)) => gimli::RangeListsOffset(*offset),
            Some(AttributeValue::RangeListsRef(offset)) => {
                self.dwarf.ranges_offset_from_raw(&cx.unit, *offset)
            }
            Some(AttributeValue::DebugRngListsIndex(index)) => self.dwarf.ranges_offset(&cx.unit, *index)?,
            _ => return Ok(None),
        };
        let mut ranges = self.dwarf.ranges(&cx.unit, offset)?;
        Ok(ranges.next()?.map(|range| range.begin))
    }
}

fn unit_base<E: Endianity>(cx: &Context<'_, E>) -> u64 {
    cx.unit.low_pc
}

fn call_site<E: Endianity>(
    entries: &mut Entries<'_, '_, E>,
    abbrev: &gimli::Abbreviation,
    walk: &mut Walk,
) -> gimli::Result<Option<usize>> {
    let (mut origin, mut sibling) = (None, None);
    for &spec in abbrev.attributes() {
        let value = entries.read_attribute_inline(spec)?.raw_value();
        match spec.name() {
            constants::DW_AT_call_origin | constants::DW_AT_abstract_origin => {
                origin = DieRef::from_value(&value);
            }
            constants::DW_AT_sibling => {
                if let AttributeValue::UnitRef(offset) = value {
                    sibling = Some(offset.0);
                }
            }
            _ => {}
        }
    }
    if let (Some(origin), Some(caller)) = (origin, walk.caller()) {
        let callee = pack(origin);
        walk.edges.push(Edge { callee, caller, inlined: false, file: 0, line: 0, address: None });
    }
    Ok(sibling)
}

/// A call or inlined copy, with packed references.
struct Edge {
    callee: u64,
    caller: u64,
    inlined: bool,
    file: u32,
    line: u32,
    address: Option<u64>,
}

/// State of a walk over one unit.
struct Walk {
    edges: Vec<Edge>,
    /// Out-of-line instances: offset, packed reference to the abstract instance, address.
    origins: Vec<(u32, u64, Option<u64>)>,
    frames: Vec<Frame>,
    /// Per open prototype: `u32::MAX`, return type, then per parameter name and type.
    params: Vec<u32>,
}

impl Walk {
    fn caller(&self) -> Option<u64> {
        self.frames.last().map(|frame| frame.caller).filter(|caller| *caller != NOWHERE)
    }

    /// Turns offsets into references, now that all functions of the unit are known.
    fn finish(self, cx: &Context<'_, impl Endianity>, unit: &mut Unit) {
        let offsets: Vec<u32> = unit.functions.iter().map(|function| function.offset).collect();
        let start = cx.offset as u64;
        let end = start + cx.unit.header.length_including_self() as u64;
        let origins = self.origins;
        let here = |offset: u32| offsets.binary_search(&offset).ok();
        // A call may name the out-of-line instance in place of the abstract one.
        let resolve = |packed: u64| {
            let mut packed = packed;
            for _ in 0..MAX_ORIGINS {
                let offset = match packed {
                    NOWHERE => break,
                    packed if packed & ELSEWHERE == 0 => packed,
                    packed => match packed & !ELSEWHERE {
                        offset if (start..end).contains(&offset) => offset - start,
                        offset => return FunctionRef::Elsewhere(offset as usize),
                    },
                } as u32;
                if let Some(index) = here(offset) {
                    return FunctionRef::Here(index as u32);
                }
                match origins.binary_search_by_key(&offset, |origin| origin.0) {
                    Ok(index) => packed = origins[index].1,
                    Err(_) => break,
                }
            }
            FunctionRef::Nowhere
        };
        for &(_, origin, address) in &origins {
            let (function, Some(address)) = (resolve(origin), address) else { continue };
            if let FunctionRef::Here(index) = function {
                unit.functions[index as usize].address.get_or_insert(address);
            }
            unit.out_of_line.push(OutOfLine { function, address });
        }
        for edge in self.edges {
            let (callee, caller) = (resolve(edge.callee), resolve(edge.caller));
            if edge.inlined {
                let (call_file, call_line, address) = (edge.file, edge.line, edge.address);
                unit.inlined.push(InlinedCopy { callee, caller, call_file, call_line, address });
            } else {
                unit.calls.push(Call { callee, caller });
            }
        }
    }
}
