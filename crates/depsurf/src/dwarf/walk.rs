//! One walk over the DIEs of a compile unit.
//!
//! What is inside of types and prototypes is skipped here: [`super::types`] reads it when something refers
//! to it. The path through the unit depends on nothing but the unit, so that one thread and many find the
//! same, also where it ends in damage.

use gimli::{AttributeValue, Endianity, constants};

use super::names::NameId;
use super::node::{Kind, NodeId};
use super::split;
use super::types::{TypeAttrs, flag, is_definition, sibling, udata};
use super::unit::{Call, Function, FunctionRef, InlinedCopy, OutOfLine, Unit};
use super::worker::{Context, DieRef, Entries, Slice, Worker};
use crate::note::Notes;

/// Length of a chain of abstract origins beyond which it can only be a cycle.
pub(super) const MAX_ORIGINS: usize = 8;

/// The attributes of a subprogram DIE.
struct FunctionAttrs<'data, E: Endianity> {
    name: Option<AttributeValue<Slice<'data, E>>>,
    origin: Option<DieRef>,
    specification: Option<DieRef>,
    return_type: Option<DieRef>,
    decl_file: Option<u64>,
    decl_line: Option<u64>,
    external: bool,
    declaration: bool,
    inline: Option<u8>,
    address: Address<'data, E>,
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
    /// The physical function that calls below belong to.
    caller: Option<DieRef>,
    /// The function whose parameters are being collected, and where its words start in [`Walk::protos`].
    collecting: Option<(u32, usize)>,
}

/// A call or inlined copy.
struct Edge {
    callee: DieRef,
    caller: DieRef,
    /// Where the copy is; `None` for a call.
    copy: Option<Copy>,
}

struct Copy {
    file: u32,
    line: u32,
    address: Option<u64>,
}

/// An out-of-line instance.
struct Origin {
    /// Offset of its DIE.
    offset: u32,
    /// The abstract instance.
    function: DieRef,
    address: Option<u64>,
}

/// State of a walk over one unit.
#[derive(Default)]
struct Walk {
    unit: Unit,
    edges: Vec<Edge>,
    /// In DIE order.
    origins: Vec<Origin>,
    frames: Vec<Frame>,
    /// The words of prototypes whose parameters are being collected, those of the innermost one last.
    protos: Vec<u32>,
    notes: Notes,
}

impl<'data, E: Endianity> Worker<'data, '_, E> {
    /// Walks one unit. `None` for a unit without functions and types, or of which these are left out.
    pub(super) fn walk(&mut self, cx: &Context<'data, E>) -> gimli::Result<Option<Unit>> {
        let mut entries = cx.unit.entries_raw(None)?;
        let Some(root) = entries.read_abbreviation()? else { return Ok(None) };
        let mut language = 0;
        let mut is_skeleton = root.tag() == constants::DW_TAG_skeleton_unit;
        for &spec in root.attributes() {
            let attr = entries.read_attribute_inline(spec)?;
            match attr.name() {
                constants::DW_AT_language => language = udata(&attr.raw_value()),
                // DWARF 5 §3.1.2, and GCC's and Clang's extension of DWARF 4 by the same means.
                constants::DW_AT_dwo_name | constants::DW_AT_GNU_dwo_name => is_skeleton = true,
                _ => {}
            }
        }
        let mut walk = Walk::default();
        let name = || String::from_utf8_lossy(cx.unit.name.map_or(&[], |name| name.slice())).into_owned();
        // Clang repeats the name in the file.
        if is_skeleton && cx.file.is_none() {
            split::missing(&mut walk.notes, name);
        } else if !matches!(root.tag(), constants::DW_TAG_compile_unit | constants::DW_TAG_partial_unit) {
            let message = || format!("units of tag {} are only read where others refer to them", root.tag());
            walk.notes.lost("dwarf-unit-tag", message, || cx.place(0));
        } else if language == u64::from(constants::DW_LANG_Rust.0) {
            let message = || "compile units in Rust are left out of the C surface".into();
            walk.notes.skipped("dwarf-rust-unit", message, name);
        } else if root.has_children() {
            walk.unit.index = cx.index;
            walk.unit.is_partial = root.tag() == constants::DW_TAG_partial_unit;
            walk.unit.is_split = cx.file.is_some();
            walk.unit.file = self.unit_file(cx);
            self.budget = self.budget.saturating_add(cx.unit.header.length_including_self());
            self.walk_children(cx, &mut entries, &mut walk)?;
            self.decode_found(cx);
            walk.finish(cx);
            self.notes.push((cx.index, walk.notes));
            return Ok(Some(walk.unit));
        }
        self.notes.push((cx.index, walk.notes));
        Ok(None)
    }

    /// Walks what is below the root DIE.
    fn walk_children<'unit>(
        &mut self,
        cx: &'unit Context<'data, E>,
        entries: &mut Entries<'unit, 'data, E>,
        walk: &mut Walk,
    ) -> gimli::Result<()> {
        let mut depth = 1usize;
        while depth > 0 && !entries.is_empty() {
            let offset = entries.next_offset().0 as u32;
            let Some(abbrev) = entries.read_abbreviation()? else {
                depth -= 1;
                if walk.frames.last().is_some_and(|frame| frame.depth > depth) {
                    self.close_frame(walk);
                }
                continue;
            };
            let mut next = None;
            match abbrev.tag() {
                constants::DW_TAG_subprogram => {
                    self.subprogram(cx, entries, abbrev, (offset, depth), walk)?;
                }
                constants::DW_TAG_inlined_subroutine => {
                    self.inlined_subroutine(cx, entries, abbrev, walk)?;
                }
                constants::DW_TAG_call_site | constants::DW_TAG_GNU_call_site => {
                    next = call_site(entries, abbrev, walk)?;
                }
                constants::DW_TAG_imported_unit => self.imported_unit(cx, entries, abbrev, walk)?,
                constants::DW_TAG_formal_parameter | constants::DW_TAG_unspecified_parameters
                    if walk.frames.last().is_some_and(|f| f.depth == depth && f.collecting.is_some()) =>
                {
                    let attrs = TypeAttrs::read(entries, abbrev)?;
                    let name = match &attrs.name {
                        Some(value) => self.name(cx, value)?,
                        None => NameId(0),
                    };
                    let node = self.target(cx, attrs.target, 0);
                    walk.protos.extend([name.0, node.0]);
                }
                tag if is_definition(tag) => {
                    let attrs = TypeAttrs::read(entries, abbrev)?;
                    if attrs.name.is_some() {
                        let node = self.named(cx, tag, offset, &attrs)?;
                        self.memo.set(cx.index, offset, node);
                    } else if tag == constants::DW_TAG_enumeration_type && attrs.decl_line != 0 {
                        // `enum { A, B };` stands for its constants: nothing refers to it. Its place is its
                        // identity, so that a header's is decoded once; what does refer to it takes its content.
                        self.named(cx, tag, offset, &attrs)?;
                    }
                    next = attrs.sibling;
                }
                _ => entries.skip_attributes(abbrev.attributes())?,
            }
            if abbrev.has_children() {
                match next.filter(|next| *next > entries.next_offset().0) {
                    Some(next) => *entries = cx.unit.entries_raw(Some(gimli::UnitOffset(next)))?,
                    None => depth += 1,
                }
            }
        }
        while !walk.frames.is_empty() {
            self.close_frame(walk);
        }
        Ok(())
    }

    /// A unit that belongs to this one, too (DWARF 5 §3.2.5).
    fn imported_unit(
        &self,
        cx: &Context<'data, E>,
        entries: &mut Entries<'_, 'data, E>,
        abbrev: &gimli::Abbreviation,
        walk: &mut Walk,
    ) -> gimli::Result<()> {
        let mut import = None;
        for &spec in abbrev.attributes() {
            let value = entries.read_attribute_inline(spec)?.raw_value();
            if spec.name() == constants::DW_AT_import {
                import = DieRef::from_value(&value);
            }
        }
        match import {
            Some(DieRef::Info(offset)) if cx.file.is_none() => {
                walk.unit.imports.extend(self.unit_at(offset).map(|(index, _)| index))
            }
            Some(DieRef::Info(_) | DieRef::Foreign) => {
                let message = || "what `dwz -m` moved to another file is left out".into();
                walk.notes.lost("dwarf-import-foreign", message, || cx.place(0));
            }
            Some(DieRef::Unit(_)) | None => {}
        }
        Ok(())
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
            decl_file: None,
            decl_line: None,
            external: false,
            declaration: false,
            inline: None,
            address: Address::default(),
        };
        for &spec in abbrev.attributes() {
            let value = entries.read_attribute_inline(spec)?.raw_value();
            match spec.name() {
                constants::DW_AT_name => attrs.name = Some(value),
                constants::DW_AT_abstract_origin => attrs.origin = DieRef::from_value(&value),
                constants::DW_AT_specification => attrs.specification = DieRef::from_value(&value),
                constants::DW_AT_type => attrs.return_type = DieRef::from_value(&value),
                constants::DW_AT_decl_file => attrs.decl_file = Some(udata(&value)),
                constants::DW_AT_decl_line => attrs.decl_line = Some(udata(&value)),
                constants::DW_AT_external => attrs.external = flag(&value),
                constants::DW_AT_declaration => attrs.declaration = flag(&value),
                constants::DW_AT_inline => attrs.inline = Some(udata(&value) as u8),
                constants::DW_AT_low_pc => attrs.address.low_pc = Some(value),
                constants::DW_AT_entry_pc => attrs.address.entry_pc = Some(value),
                constants::DW_AT_ranges => attrs.address.ranges = Some(value),
                _ => {}
            }
        }
        Ok(attrs)
    }

    /// Reads a subprogram DIE at an offset and depth, and opens a frame for its children.
    fn subprogram(
        &mut self,
        cx: &Context<'data, E>,
        entries: &mut Entries<'_, 'data, E>,
        abbrev: &gimli::Abbreviation,
        (offset, depth): (u32, usize),
        walk: &mut Walk,
    ) -> gimli::Result<()> {
        let attrs = self.function_attrs(entries, abbrev)?;
        let address = self.address(cx, &attrs.address)?;
        let mut collecting = None;
        let caller = if let Some(origin) = attrs.origin {
            // An out-of-line instance: what it contains belongs to the function it is an instance of.
            walk.origins.push(Origin { offset, function: origin, address });
            Some(origin)
        } else if let Some((function, proto)) =
            self.named_function(cx, &attrs, offset, address, &walk.unit)?
        {
            let index = walk.unit.functions.len() as u32;
            // Assembly gives no line, and an unspecified type for all its functions: that is no prototype.
            let has_prototype = function.decl_line != 0;
            walk.unit.functions.push(function);
            if has_prototype {
                let start = walk.protos.len();
                walk.protos.extend([Kind::Proto as u32, proto.0]);
                collecting = Some((index, start));
            }
            Some(DieRef::Unit(offset))
        } else {
            let message = || "functions without a name are left out, with the calls in them".into();
            let at = || cx.place(offset);
            walk.notes.lost("dwarf-function-name", message, at);
            None
        };
        walk.frames.push(Frame { depth: depth + 1, caller, collecting });
        if !abbrev.has_children() {
            self.close_frame(walk);
        }
        Ok(())
    }

    /// The function of a subprogram DIE that has a name, or completes a declaration that has one; and what it
    /// returns.
    fn named_function(
        &mut self,
        cx: &Context<'data, E>,
        attrs: &FunctionAttrs<'data, E>,
        offset: u32,
        address: Option<u64>,
        unit: &Unit,
    ) -> gimli::Result<Option<(Function, NodeId)>> {
        let name = match &attrs.name {
            Some(name) => self.name(cx, name)?,
            None => NameId(0),
        };
        // DWARF 5 §2.13.2: what the declaration says need not be said again.
        let declared = match attrs.specification {
            Some(DieRef::Unit(declared)) => {
                let found = unit.functions.binary_search_by_key(&declared, |function| function.offset);
                found.ok().map(|index| &unit.functions[index])
            }
            _ => None,
        };
        let name = if name == NameId(0) { declared.map_or(name, |declared| declared.name) } else { name };
        if name == NameId(0) {
            return Ok(None);
        }
        let returns = match (attrs.return_type, declared.and_then(|declared| declared.prototype)) {
            (None, Some(prototype)) => NodeId(self.nodes.get(prototype).1[0]),
            (target, _) => self.target(cx, target, 0),
        };
        let function = Function {
            offset,
            name,
            decl_file: match (attrs.decl_file, declared) {
                (None, Some(declared)) => declared.decl_file,
                (number, _) => self.file(cx, number.unwrap_or(0))?,
            },
            decl_line: match (attrs.decl_line, declared) {
                (None, Some(declared)) => declared.decl_line,
                (number, _) => line(number.unwrap_or(0)),
            },
            external: attrs.external || declared.is_some_and(|declared| declared.external),
            declaration: attrs.declaration,
            inline: attrs.inline.or(declared.and_then(|declared| declared.inline)),
            address,
            prototype: None,
        };
        Ok(Some((function, returns)))
    }

    /// Ends the innermost subprogram: its prototype is complete.
    fn close_frame(&mut self, walk: &mut Walk) {
        let Some(frame) = walk.frames.pop() else { return };
        let Some((index, start)) = frame.collecting else { return };
        walk.unit.functions[index as usize].prototype = Some(self.nodes.intern(&walk.protos[start..]));
        walk.protos.truncate(start);
    }

    fn inlined_subroutine(
        &mut self,
        cx: &Context<'data, E>,
        entries: &mut Entries<'_, 'data, E>,
        abbrev: &gimli::Abbreviation,
        walk: &mut Walk,
    ) -> gimli::Result<()> {
        let (mut origin, mut file, mut call_line) = (None, 0, 0);
        let mut address = Address::default();
        for &spec in abbrev.attributes() {
            let value = entries.read_attribute_inline(spec)?.raw_value();
            match spec.name() {
                constants::DW_AT_abstract_origin => origin = DieRef::from_value(&value),
                constants::DW_AT_call_file => file = udata(&value),
                constants::DW_AT_call_line => call_line = udata(&value),
                constants::DW_AT_low_pc => address.low_pc = Some(value),
                constants::DW_AT_entry_pc => address.entry_pc = Some(value),
                constants::DW_AT_ranges => address.ranges = Some(value),
                _ => {}
            }
        }
        let (Some(callee), Some(caller)) = (origin, walk.caller()) else { return Ok(()) };
        let address = self.address(cx, &address)?;
        let file = self.file(cx, file)?;
        let copy = Some(Copy { file, line: line(call_line), address });
        walk.edges.push(Edge { callee, caller, copy });
        Ok(())
    }

    /// Where code starts: `DW_AT_low_pc`, `DW_AT_entry_pc`, else the first range.
    fn address(&self, cx: &Context<'data, E>, attrs: &Address<'data, E>) -> gimli::Result<Option<u64>> {
        let sections = self.sections(cx);
        for value in [&attrs.low_pc, &attrs.entry_pc].into_iter().flatten() {
            match value {
                AttributeValue::Addr(address) => return Ok(Some(*address)),
                AttributeValue::DebugAddrIndex(index) => {
                    return sections.address(&cx.unit, *index).map(Some);
                }
                // DWARF 5 §2.18: DW_AT_entry_pc as a constant is an offset from the base address.
                AttributeValue::Data1(_)
                | AttributeValue::Data2(_)
                | AttributeValue::Data4(_)
                | AttributeValue::Data8(_)
                | AttributeValue::Udata(_) => return Ok(Some(cx.unit.low_pc.wrapping_add(udata(value)))),
                _ => {}
            }
        }
        let offset = match &attrs.ranges {
            Some(AttributeValue::SecOffset(offset)) => {
                sections.ranges_offset_from_raw(&cx.unit, gimli::RawRangeListsOffset(*offset))
            }
            Some(AttributeValue::RangeListsRef(offset)) => sections.ranges_offset_from_raw(&cx.unit, *offset),
            Some(AttributeValue::DebugRngListsIndex(index)) => sections.ranges_offset(&cx.unit, *index)?,
            _ => return Ok(None),
        };
        let mut ranges = sections.ranges(&cx.unit, offset)?;
        Ok(ranges.next()?.map(|range| range.begin))
    }
}

/// A line number; greater ones count as unknown.
fn line(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(0)
}

/// Reads a call site; gives the offset of its sibling.
fn call_site<E: Endianity>(
    entries: &mut Entries<'_, '_, E>,
    abbrev: &gimli::Abbreviation,
    walk: &mut Walk,
) -> gimli::Result<Option<usize>> {
    let (mut origin, mut next) = (None, None);
    for &spec in abbrev.attributes() {
        let value = entries.read_attribute_inline(spec)?.raw_value();
        match spec.name() {
            constants::DW_AT_call_origin | constants::DW_AT_abstract_origin => {
                origin = DieRef::from_value(&value);
            }
            constants::DW_AT_sibling => next = sibling(&value),
            _ => {}
        }
    }
    if let (Some(callee), Some(caller)) = (origin, walk.caller()) {
        walk.edges.push(Edge { callee, caller, copy: None });
    }
    Ok(next)
}

impl Walk {
    fn caller(&self) -> Option<DieRef> {
        self.frames.last()?.caller
    }

    /// Turns references into functions, now that all functions of the unit are known.
    fn finish(&mut self, cx: &Context<'_, impl Endianity>) {
        let Self { unit, edges, origins, .. } = self;
        unit.own_functions = unit.functions.len() as u32;
        let offsets: Vec<u32> = unit.functions.iter().map(|function| function.offset).collect();
        // A call may name the out-of-line instance in place of the abstract one.
        let resolve = |mut reference: DieRef| {
            for _ in 0..MAX_ORIGINS {
                let offset = match reference {
                    DieRef::Unit(offset) => offset,
                    DieRef::Info(offset) => match cx.inner(offset) {
                        Some(inner) => inner,
                        None if cx.file.is_none() => return FunctionRef::Elsewhere(offset),
                        None => break,
                    },
                    DieRef::Foreign => break,
                };
                if let Ok(index) = offsets.binary_search(&offset) {
                    return FunctionRef::Here(index as u32);
                }
                match origins.binary_search_by_key(&offset, |origin| origin.offset) {
                    Ok(index) => reference = origins[index].function,
                    Err(_) => break,
                }
            }
            FunctionRef::Nowhere
        };
        for origin in origins.iter() {
            let (function, Some(address)) = (resolve(origin.function), origin.address) else { continue };
            if let FunctionRef::Here(index) = function {
                unit.functions[index as usize].address.get_or_insert(address);
            }
            unit.out_of_line.push(OutOfLine { offset: origin.offset, function, address });
        }
        for edge in edges.drain(..) {
            let (callee, caller) = (resolve(edge.callee), resolve(edge.caller));
            match edge.copy {
                Some(Copy { file: call_file, line: call_line, address }) => {
                    unit.inlined.push(InlinedCopy { callee, caller, call_file, call_line, address });
                }
                None => unit.calls.push(Call { callee, caller }),
            }
        }
    }
}
