//! Type DIEs to nodes.
//!
//! Most type DIEs stand again in every unit that includes the same header. A named type is therefore only
//! registered (kind, name, place of declaration, size -> first place in the image) while units are walked,
//! and decoded once, afterwards. What refers to it is a [`Kind::Named`] leaf.

use gimli::{AttributeValue, DwTag, Endianity, constants};

use super::names::NameId;
use super::node::{self, Kind, NodeId};
use super::worker::{Context, Definition, DieRef, Entries, Slice, Worker};

/// Nested derived and anonymous types deeper than this only occur in hostile input.
const MAX_DEPTH: u32 = 64;

/// Members, parameters or values of one type beyond this only occur in hostile input.
const MAX_CHILDREN: usize = 1 << 17;

/// The attributes of a type DIE, or of a member, enumerator, subrange or parameter.
#[derive(Debug)]
pub(super) struct TypeAttrs<'data, E: Endianity> {
    pub name: Option<AttributeValue<Slice<'data, E>>>,
    pub byte_size: Option<u64>,
    pub decl_file: u64,
    pub decl_line: u64,
    pub target: Option<DieRef>,
    pub sibling: Option<usize>,
    pub declaration: bool,
    encoding: u64,
    const_value: Option<AttributeValue<Slice<'data, E>>>,
    member_location: u64,
    data_bit_offset: Option<u64>,
    bit_offset: Option<u64>,
    bit_size: u64,
    upper_bound: Option<u64>,
    count: Option<u64>,
}

impl<E: Endianity> Default for TypeAttrs<'_, E> {
    fn default() -> Self {
        Self {
            name: None,
            byte_size: None,
            decl_file: 0,
            decl_line: 0,
            target: None,
            sibling: None,
            declaration: false,
            encoding: 0,
            const_value: None,
            member_location: 0,
            data_bit_offset: None,
            bit_offset: None,
            bit_size: 0,
            upper_bound: None,
            count: None,
        }
    }
}

impl<'data, E: Endianity> TypeAttrs<'data, E> {
    /// Reads the attributes of the DIE whose abbreviation was just read.
    pub(super) fn read(
        entries: &mut Entries<'_, 'data, E>,
        abbrev: &gimli::Abbreviation,
    ) -> gimli::Result<Self> {
        let mut attrs = Self::default();
        for &spec in abbrev.attributes() {
            let value = entries.read_attribute_inline(spec)?.raw_value();
            match spec.name() {
                constants::DW_AT_name => attrs.name = Some(value),
                constants::DW_AT_byte_size => attrs.byte_size = value.udata_value(),
                constants::DW_AT_decl_file => attrs.decl_file = udata(&value),
                constants::DW_AT_decl_line => attrs.decl_line = udata(&value),
                constants::DW_AT_type => attrs.target = DieRef::from_value(&value),
                constants::DW_AT_sibling => {
                    if let AttributeValue::UnitRef(offset) = value {
                        attrs.sibling = Some(offset.0);
                    }
                }
                constants::DW_AT_declaration => attrs.declaration = flag(&value),
                constants::DW_AT_encoding => attrs.encoding = udata(&value),
                constants::DW_AT_const_value => attrs.const_value = Some(value),
                constants::DW_AT_data_member_location => attrs.member_location = location(&value),
                constants::DW_AT_data_bit_offset => attrs.data_bit_offset = value.udata_value(),
                constants::DW_AT_bit_offset => attrs.bit_offset = value.udata_value(),
                constants::DW_AT_bit_size => attrs.bit_size = udata(&value),
                constants::DW_AT_upper_bound => attrs.upper_bound = bound(&value),
                constants::DW_AT_count => attrs.count = value.udata_value(),
                _ => {}
            }
        }
        Ok(attrs)
    }
}

impl<'data, E: Endianity> Worker<'data, '_, E> {
    /// The node of the type a DIE refers to; `void` where it refers to none.
    pub(super) fn target(
        &mut self,
        cx: &Context<'data, E>,
        target: Option<DieRef>,
        depth: u32,
    ) -> gimli::Result<NodeId> {
        match target {
            None => Ok(NodeId::VOID),
            Some(DieRef::Unit(offset)) => self.resolve(cx, offset, depth),
            Some(DieRef::Info(offset)) => self.resolve_elsewhere(cx, offset, depth),
        }
    }

    /// The node of the type DIE at an offset of the unit.
    pub(super) fn resolve(
        &mut self,
        cx: &Context<'data, E>,
        offset: usize,
        depth: u32,
    ) -> gimli::Result<NodeId> {
        if let Some(node) = self.memo.get(cx.index, offset) {
            return Ok(node);
        }
        if depth > MAX_DEPTH {
            self.notes.lost(
                "dwarf-type-depth",
                || format!("types nested deeper than {MAX_DEPTH} are read as void"),
                || cx.place(offset),
            );
            return Ok(NodeId::VOID);
        }
        let mut entries = cx.unit.entries_raw(Some(gimli::UnitOffset(offset)))?;
        let Some(abbrev) = entries.read_abbreviation()? else {
            return Err(gimli::Error::NoEntryAtGivenOffset(offset as u64));
        };
        let attrs = TypeAttrs::read(&mut entries, abbrev)?;
        let tag = abbrev.tag();
        let node = match tag {
            constants::DW_TAG_structure_type
            | constants::DW_TAG_class_type
            | constants::DW_TAG_union_type
            | constants::DW_TAG_enumeration_type
            | constants::DW_TAG_typedef
                if attrs.name.is_some() =>
            {
                let (node, seen) = self.named(cx, tag, offset, &attrs)?;
                if !seen {
                    self.fresh.push((node, offset));
                }
                node
            }
            constants::DW_TAG_pointer_type
            | constants::DW_TAG_reference_type
            | constants::DW_TAG_rvalue_reference_type => self.derived(cx, Kind::Ptr, &attrs, depth)?,
            constants::DW_TAG_const_type => self.derived(cx, Kind::Const, &attrs, depth)?,
            constants::DW_TAG_volatile_type => self.derived(cx, Kind::Volatile, &attrs, depth)?,
            constants::DW_TAG_restrict_type => self.derived(cx, Kind::Restrict, &attrs, depth)?,
            constants::DW_TAG_unspecified_type => NodeId::VOID,
            constants::DW_TAG_base_type => self.base(cx, &attrs)?,
            constants::DW_TAG_atomic_type => self.target(cx, attrs.target, depth + 1)?,
            constants::DW_TAG_array_type
            | constants::DW_TAG_subroutine_type
            | constants::DW_TAG_structure_type
            | constants::DW_TAG_class_type
            | constants::DW_TAG_union_type
            | constants::DW_TAG_enumeration_type => {
                self.decode(cx, tag, abbrev.has_children(), &attrs, &mut entries, depth)?
            }
            _ => {
                self.notes.lost(
                    "dwarf-type-tag",
                    || format!("types of tag {tag} are read as void"),
                    || cx.place(offset),
                );
                NodeId::VOID
            }
        };
        self.memo.set(cx.index, offset, node);
        Ok(node)
    }

    /// Decodes the bodies of the named types that were first seen in this unit.
    pub(super) fn decode_fresh(&mut self, cx: &Context<'data, E>) -> gimli::Result<()> {
        while let Some((node, offset)) = self.fresh.pop() {
            let body = self.body(cx, offset)?;
            if let Some(definition) = self.definitions.get_mut(&node) {
                definition.body = body;
            }
        }
        Ok(())
    }

    /// The node of a named type; a definition is registered. `true` when this worker had seen it before.
    pub(super) fn named(
        &mut self,
        cx: &Context<'data, E>,
        tag: DwTag,
        offset: usize,
        attrs: &TypeAttrs<'data, E>,
    ) -> gimli::Result<(NodeId, bool)> {
        let composite = composite_word(tag);
        let name = match &attrs.name {
            Some(value) => self.name(cx, value)?,
            None => NameId(0),
        };
        if attrs.declaration {
            return Ok((self.nodes.intern(&[Kind::Fwd as u32, composite, name.0]), true));
        }
        let file = self.file(cx, attrs.decl_file)?;
        let size = attrs.byte_size.unwrap_or(0) as u32;
        let words = [Kind::Named as u32, composite, name.0, file, attrs.decl_line as u32, size];
        let node = self.nodes.intern(&words);
        // A worker takes units in ascending order, so what it sees first is the first of its units.
        let mut seen = true;
        self.definitions.entry(node).or_insert_with(|| {
            seen = false;
            Definition { place: (cx.index, offset as u32), body: NodeId::VOID }
        });
        Ok((node, seen))
    }

    /// The body of the named type at an offset of the unit: members, values, or what a typedef stands for.
    pub(super) fn body(&mut self, cx: &Context<'data, E>, offset: usize) -> gimli::Result<NodeId> {
        let mut entries = cx.unit.entries_raw(Some(gimli::UnitOffset(offset)))?;
        let Some(abbrev) = entries.read_abbreviation()? else {
            return Err(gimli::Error::NoEntryAtGivenOffset(offset as u64));
        };
        let attrs = TypeAttrs::read(&mut entries, abbrev)?;
        if abbrev.tag() == constants::DW_TAG_typedef {
            let target = self.target(cx, attrs.target, 0)?;
            return Ok(self.nodes.intern(&[Kind::Alias as u32, target.0]));
        }
        self.decode(cx, abbrev.tag(), abbrev.has_children(), &attrs, &mut entries, 0)
    }

    fn derived(
        &mut self,
        cx: &Context<'data, E>,
        kind: Kind,
        attrs: &TypeAttrs<'data, E>,
        depth: u32,
    ) -> gimli::Result<NodeId> {
        let target = self.target(cx, attrs.target, depth + 1)?;
        Ok(self.nodes.intern(&[kind as u32, target.0]))
    }

    fn base(&mut self, cx: &Context<'data, E>, attrs: &TypeAttrs<'data, E>) -> gimli::Result<NodeId> {
        let Some(name) = &attrs.name else { return Ok(NodeId::VOID) };
        let name = self.name(cx, name)?;
        let size = attrs.byte_size.unwrap_or(0) as u32;
        let encoding = gimli::DwAte(attrs.encoding as u8);
        let bits = match encoding {
            constants::DW_ATE_float
            | constants::DW_ATE_complex_float
            | constants::DW_ATE_imaginary_float
            | constants::DW_ATE_decimal_float => {
                return Ok(self.nodes.intern(&[Kind::Float as u32, name.0, size]));
            }
            constants::DW_ATE_signed | constants::DW_ATE_signed_char => 1,
            constants::DW_ATE_boolean => 4,
            _ => 0,
        };
        Ok(self.nodes.intern(&[Kind::Int as u32, name.0, size, bits]))
    }

    /// A type whose content is in its child DIEs.
    fn decode(
        &mut self,
        cx: &Context<'data, E>,
        tag: DwTag,
        has_children: bool,
        attrs: &TypeAttrs<'data, E>,
        entries: &mut Entries<'_, 'data, E>,
        depth: u32,
    ) -> gimli::Result<NodeId> {
        let size = attrs.byte_size.unwrap_or(0) as u32;
        let mut words: Vec<u32> = match tag {
            constants::DW_TAG_array_type => vec![Kind::Array as u32, 0, 1],
            constants::DW_TAG_subroutine_type => vec![Kind::Proto as u32, 0],
            constants::DW_TAG_enumeration_type => vec![Kind::Values as u32, size, 0],
            _ => vec![Kind::Members as u32, composite_word(tag), size],
        };
        if matches!(tag, constants::DW_TAG_array_type | constants::DW_TAG_subroutine_type) {
            words[1] = self.target(cx, attrs.target, depth + 1)?.0;
        }
        let fixed = words.len();
        let mut dimensions = 0;
        let mut level = usize::from(has_children);
        while level > 0 {
            if entries.is_empty() {
                return Err(gimli::Error::UnexpectedEof(gimli::ReaderOffsetId(cx.offset as u64)));
            }
            let Some(abbrev) = entries.read_abbreviation()? else {
                level -= 1;
                continue;
            };
            let child = abbrev.tag();
            let relevant = level == 1
                && matches!(
                    child,
                    constants::DW_TAG_member
                        | constants::DW_TAG_enumerator
                        | constants::DW_TAG_subrange_type
                        | constants::DW_TAG_formal_parameter
                        | constants::DW_TAG_unspecified_parameters
                        | constants::DW_TAG_inheritance
                );
            if relevant {
                let child_attrs = TypeAttrs::read(entries, abbrev)?;
                match (tag, child) {
                    (constants::DW_TAG_array_type, constants::DW_TAG_subrange_type) => {
                        let count = child_attrs
                            .count
                            .or_else(|| child_attrs.upper_bound.map(|last| last.wrapping_add(1)))
                            .unwrap_or(0) as u32;
                        words[2] = if dimensions == 0 { count } else { words[2].wrapping_mul(count) };
                        dimensions += 1;
                    }
                    (constants::DW_TAG_subroutine_type, constants::DW_TAG_formal_parameter) => {
                        words.push(0);
                        words.push(self.target(cx, child_attrs.target, depth + 1)?.0);
                    }
                    (constants::DW_TAG_subroutine_type, constants::DW_TAG_unspecified_parameters) => {
                        words.extend([0, NodeId::VOID.0]);
                    }
                    (constants::DW_TAG_enumeration_type, constants::DW_TAG_enumerator) => {
                        self.enumerator(cx, &child_attrs, &mut words)?;
                    }
                    (_, constants::DW_TAG_member) => self.member(cx, &child_attrs, depth, &mut words)?,
                    _ => {}
                }
                if words.len() > fixed + 4 * MAX_CHILDREN {
                    return Err(gimli::Error::UnexpectedEof(gimli::ReaderOffsetId(cx.offset as u64)));
                }
            } else {
                entries.skip_attributes(abbrev.attributes())?;
            }
            level += usize::from(abbrev.has_children());
        }
        if tag == constants::DW_TAG_array_type && dimensions == 0 {
            words[2] = 0;
        }
        Ok(self.nodes.intern(&words))
    }

    fn member(
        &mut self,
        cx: &Context<'data, E>,
        attrs: &TypeAttrs<'data, E>,
        depth: u32,
        words: &mut Vec<u32>,
    ) -> gimli::Result<()> {
        let name = match &attrs.name {
            Some(value) => self.name(cx, value)?,
            None => NameId(0),
        };
        let node = self.target(cx, attrs.target, depth + 1)?;
        let start = attrs.member_location.wrapping_mul(8);
        let offset = match (attrs.data_bit_offset, attrs.bit_offset, attrs.bit_size) {
            (Some(bits), _, _) => start.wrapping_add(bits),
            // DWARF 3 §5.6.6: DW_AT_bit_offset counts from the most significant bit of the storage unit.
            (None, Some(bits), size) if size != 0 && !cx.big_endian => {
                let storage = attrs.byte_size.map_or_else(|| self.storage_bits(node, 0), |bytes| bytes * 8);
                start.wrapping_add(storage.wrapping_sub(bits).wrapping_sub(size))
            }
            (None, Some(bits), _) => start.wrapping_add(bits),
            (None, None, _) => start,
        };
        words.extend([name.0, node.0, offset as u32, attrs.bit_size as u32]);
        Ok(())
    }

    /// Bits of the declared type of a bitfield, for producers that leave out its `DW_AT_byte_size`.
    fn storage_bits(&self, node: NodeId, depth: u32) -> u64 {
        match self.nodes.get(node) {
            (Kind::Int, words) => u64::from(words[1]) * 8,
            (Kind::Const | Kind::Volatile, words) if depth < MAX_DEPTH => {
                self.storage_bits(NodeId(words[0]), depth + 1)
            }
            (Kind::Named, words) if words[4] != 0 => u64::from(words[4]) * 8,
            (Kind::Values, words) => u64::from(words[0]) * 8,
            _ => 32,
        }
    }

    fn enumerator(
        &mut self,
        cx: &Context<'data, E>,
        attrs: &TypeAttrs<'data, E>,
        words: &mut Vec<u32>,
    ) -> gimli::Result<()> {
        let name = match &attrs.name {
            Some(value) => self.name(cx, value)?,
            None => NameId(0),
        };
        // GCC writes negative values as DW_FORM_sdata and all others in an unsigned form.
        let value = match &attrs.const_value {
            Some(AttributeValue::Sdata(value)) => {
                if *value < 0 {
                    words[2] = 1;
                }
                value.cast_unsigned()
            }
            Some(value) => value.udata_value().unwrap_or(0),
            None => 0,
        };
        words.extend([name.0, value as u32, (value >> 32) as u32]);
        Ok(())
    }
}

/// The [`node`] word of a composite's tag.
pub(super) fn composite_word(tag: DwTag) -> u32 {
    match tag {
        constants::DW_TAG_union_type => node::UNION,
        constants::DW_TAG_enumeration_type => node::ENUM,
        constants::DW_TAG_typedef => node::TYPEDEF,
        _ => node::STRUCT,
    }
}

/// A constant of any form; 0 for other forms.
pub(super) fn udata<R: gimli::Reader>(value: &AttributeValue<R>) -> u64 {
    match value {
        AttributeValue::Data1(value) => u64::from(*value),
        AttributeValue::Data2(value) => u64::from(*value),
        AttributeValue::Data4(value) => u64::from(*value),
        AttributeValue::Data8(value) | AttributeValue::Udata(value) => *value,
        AttributeValue::Sdata(value) => value.cast_unsigned(),
        _ => 0,
    }
}

pub(super) fn flag<R: gimli::Reader>(value: &AttributeValue<R>) -> bool {
    matches!(value, AttributeValue::Flag(true))
}

/// An upper bound; `None` for the expression of a variable length.
fn bound<R: gimli::Reader>(value: &AttributeValue<R>) -> Option<u64> {
    match value {
        AttributeValue::Exprloc(_) | AttributeValue::UnitRef(_) => None,
        // The bound of a zero-sized array is -1.
        AttributeValue::Data4(u32::MAX) => Some(u64::MAX),
        value => Some(udata(value)),
    }
}

/// A member's offset in bytes: a constant, or the expression `DW_OP_plus_uconst N` of DWARF 2.
fn location<R: gimli::Reader>(value: &AttributeValue<R>) -> u64 {
    let mut bytes = match value {
        AttributeValue::Exprloc(expression) => expression.0.clone(),
        AttributeValue::Block(block) => block.clone(),
        constant => return udata(constant),
    };
    match bytes.read_u8() {
        Ok(op) if op == constants::DW_OP_plus_uconst.0 => bytes.read_uleb128().unwrap_or(0),
        _ => 0,
    }
}
