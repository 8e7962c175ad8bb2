//! Type DIEs to nodes.
//!
//! Most type DIEs stand again in every unit that includes the same header. A named type is therefore only
//! registered (kind, name, place of declaration, size -> first place in the image) while a unit is walked,
//! and its members are decoded at that first place only. What refers to it is a [`Kind::Named`] leaf.
//!
//! Damage stays where it is: a type that cannot be read becomes a [`Kind::Unread`] leaf, and what
//! refers to it is kept. So it does not matter to a unit which of the types it shares with others were
//! decoded there.

use gimli::{AttributeValue, DwTag, Endianity, constants};

use super::names::NameId;
use super::node::{self, Kind, NodeId};
use super::worker::{Context, Definition, DieRef, Entries, Slice, Worker};

/// Nested derived and anonymous types deeper than this only occur in hostile input.
const MAX_DEPTH: u32 = 64;

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
                    attrs.sibling = sibling(&value);
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
    pub(super) fn target(&mut self, cx: &Context<'data, E>, target: Option<DieRef>, depth: u32) -> NodeId {
        match target {
            None => NodeId::VOID,
            Some(DieRef::Unit(offset)) => self.resolve(cx, offset, depth),
            Some(DieRef::Info(offset)) if cx.file.is_none() => self.resolve_elsewhere(cx, offset, depth),
            Some(DieRef::Info(offset)) => match cx.inner(offset) {
                Some(inner) => self.resolve(cx, inner, depth),
                None => self.unread(node::FOREIGN),
            },
            Some(DieRef::Foreign) => self.unread(node::FOREIGN),
        }
    }

    pub(super) fn unread(&mut self, why: u32) -> NodeId {
        self.nodes.intern(&[Kind::Unread as u32, why])
    }

    /// The node of the type DIE at an offset of the unit.
    pub(super) fn resolve(&mut self, cx: &Context<'data, E>, offset: u32, depth: u32) -> NodeId {
        if let Some(node) = self.memo.get(cx.index, offset) {
            return node;
        }
        if depth > MAX_DEPTH {
            return self.unread(node::TOO_DEEP);
        }
        if !cx.contains(offset) {
            return self.unread(node::DAMAGED);
        }
        let node = self.read_type(cx, offset, depth).unwrap_or_else(|_| self.unread(node::DAMAGED));
        self.memo.set(cx.index, offset, node);
        node
    }

    fn read_type(&mut self, cx: &Context<'data, E>, offset: u32, depth: u32) -> gimli::Result<NodeId> {
        let mut entries = cx.unit.entries_raw(Some(gimli::UnitOffset(offset as usize)))?;
        let Some(abbrev) = entries.read_abbreviation()? else {
            return Err(gimli::Error::NoEntryAtGivenOffset(offset.into()));
        };
        let attrs = TypeAttrs::read(&mut entries, abbrev)?;
        let tag = abbrev.tag();
        if is_definition(tag) && attrs.name.is_some() {
            return self.named(cx, tag, offset, &attrs);
        }
        Ok(match tag {
            constants::DW_TAG_pointer_type
            | constants::DW_TAG_reference_type
            | constants::DW_TAG_rvalue_reference_type => self.derived(cx, Kind::Ptr, &attrs, depth),
            constants::DW_TAG_const_type => self.derived(cx, Kind::Const, &attrs, depth),
            constants::DW_TAG_volatile_type => self.derived(cx, Kind::Volatile, &attrs, depth),
            constants::DW_TAG_restrict_type => self.derived(cx, Kind::Restrict, &attrs, depth),
            constants::DW_TAG_unspecified_type => NodeId::VOID,
            constants::DW_TAG_base_type => self.base(cx, &attrs)?,
            constants::DW_TAG_atomic_type | constants::DW_TAG_typedef => {
                self.target(cx, attrs.target, depth + 1)
            }
            constants::DW_TAG_array_type
            | constants::DW_TAG_subroutine_type
            | constants::DW_TAG_structure_type
            | constants::DW_TAG_class_type
            | constants::DW_TAG_union_type
            | constants::DW_TAG_enumeration_type => {
                self.decode(cx, tag, abbrev.has_children(), &attrs, &mut entries, depth)?
            }
            other => self.unread(other.0.into()),
        })
    }

    /// The node of a named type. A definition is also put on the list of what was found.
    pub(super) fn named(
        &mut self,
        cx: &Context<'data, E>,
        tag: DwTag,
        offset: u32,
        attrs: &TypeAttrs<'data, E>,
    ) -> gimli::Result<NodeId> {
        let composite = composite_word(tag);
        let name = match &attrs.name {
            Some(value) => self.name(cx, value)?,
            None => NameId(0),
        };
        if attrs.declaration {
            return Ok(self.nodes.intern(&[Kind::Fwd as u32, composite, name.0]));
        }
        let file = self.file(cx, attrs.decl_file)?;
        let (line, size) = (word(attrs.decl_line), word(attrs.byte_size.unwrap_or(0)));
        // A source file that is included by others may mean something else in each: see `node`.
        let unit = if self.paths.list[file as usize].ends_with(b".c") { self.unit_file(cx) } else { 0 };
        let node = self.nodes.intern(&[Kind::Named as u32, composite, name.0, file, line, size, unit]);
        self.found.push((node, (cx.index, offset)));
        Ok(node)
    }

    /// Decodes the bodies of the named types that were found, unless an earlier place gave them already.
    pub(super) fn decode_found(&mut self, cx: &Context<'data, E>) {
        let mut next = 0;
        // A body may lead to further types that the walk did not see.
        while let Some(&(node, place)) = self.found.get(next) {
            next += 1;
            if self.definitions.get(&node).is_some_and(|known| known.place <= place) {
                continue;
            }
            let body = if place.0 == cx.index {
                self.body(cx, place.1)
            } else {
                self.context(place.0).and_then(|other| self.body(&other, place.1))
            };
            let body = body.unwrap_or_else(|_| self.unread(node::DAMAGED));
            self.definitions.insert(node, Definition { place, body });
        }
        self.found.clear();
    }

    /// The body of the named type at an offset of the unit: members, values, or what a typedef stands for.
    pub(super) fn body(&mut self, cx: &Context<'data, E>, offset: u32) -> gimli::Result<NodeId> {
        let mut entries = cx.unit.entries_raw(Some(gimli::UnitOffset(offset as usize)))?;
        let Some(abbrev) = entries.read_abbreviation()? else {
            return Err(gimli::Error::NoEntryAtGivenOffset(offset.into()));
        };
        let attrs = TypeAttrs::read(&mut entries, abbrev)?;
        if abbrev.tag() == constants::DW_TAG_typedef {
            let target = self.target(cx, attrs.target, 0);
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
    ) -> NodeId {
        let target = self.target(cx, attrs.target, depth + 1);
        self.nodes.intern(&[kind as u32, target.0])
    }

    fn base(&mut self, cx: &Context<'data, E>, attrs: &TypeAttrs<'data, E>) -> gimli::Result<NodeId> {
        let Some(name) = &attrs.name else { return Ok(NodeId::VOID) };
        let name = self.name(cx, name)?;
        let size = word(attrs.byte_size.unwrap_or(0));
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
        let size = word(attrs.byte_size.unwrap_or(0));
        let mut words: Vec<u32> = match tag {
            constants::DW_TAG_array_type => vec![Kind::Array as u32, 0, 0],
            constants::DW_TAG_subroutine_type => vec![Kind::Proto as u32, 0],
            constants::DW_TAG_enumeration_type => vec![Kind::Values as u32, size, 0],
            _ => vec![Kind::Members as u32, composite_word(tag), size],
        };
        if matches!(tag, constants::DW_TAG_array_type | constants::DW_TAG_subroutine_type) {
            words[1] = self.target(cx, attrs.target, depth + 1).0;
        }
        let mut elements: Option<u32> = None;
        let mut level = usize::from(has_children);
        while level > 0 {
            self.budget = self.budget.checked_sub(1).ok_or(gimli::Error::TooManyIterations)?;
            let offset = entries.next_offset().0 as u32;
            let Some(abbrev) = entries.read_abbreviation()? else {
                level -= 1;
                continue;
            };
            let child = abbrev.tag();
            if level == 1 && is_part(child) {
                let child_attrs = TypeAttrs::read(entries, abbrev)?;
                match (tag, child) {
                    (constants::DW_TAG_array_type, constants::DW_TAG_subrange_type) => {
                        let last = |bound: u64| bound.wrapping_add(1);
                        let count = child_attrs.count.or(child_attrs.upper_bound.map(last)).unwrap_or(0);
                        elements = Some(word(count).saturating_mul(elements.unwrap_or(1)));
                    }
                    (constants::DW_TAG_subroutine_type, constants::DW_TAG_formal_parameter) => {
                        words.extend([0, self.target(cx, child_attrs.target, depth + 1).0]);
                    }
                    (constants::DW_TAG_subroutine_type, constants::DW_TAG_unspecified_parameters) => {
                        words.extend([0, NodeId::VOID.0]);
                    }
                    (constants::DW_TAG_enumeration_type, constants::DW_TAG_enumerator) => {
                        self.enumerator(cx, &child_attrs, &mut words)?;
                    }
                    // Only these: in the words of a prototype or of values a member would be misread.
                    (
                        constants::DW_TAG_structure_type
                        | constants::DW_TAG_class_type
                        | constants::DW_TAG_union_type,
                        constants::DW_TAG_member,
                    ) => self.member(cx, &child_attrs, depth, &mut words)?,
                    _ => {}
                }
            } else {
                if level == 1 && is_definition(child) {
                    // The walk skips what is inside of types, so a type that is defined there is found here.
                    self.resolve(cx, offset, depth + 1);
                }
                entries.skip_attributes(abbrev.attributes())?;
            }
            level += usize::from(abbrev.has_children());
        }
        if tag == constants::DW_TAG_array_type {
            words[2] = elements.unwrap_or(0);
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
        let node = self.target(cx, attrs.target, depth + 1);
        let start = attrs.member_location.wrapping_mul(8);
        let offset = match (attrs.data_bit_offset, attrs.bit_offset, attrs.bit_size) {
            (Some(bits), _, _) => start.wrapping_add(bits),
            // DWARF 3 §5.6.6: DW_AT_bit_offset counts from the most significant bit of the storage unit.
            (None, Some(bits), size) if size != 0 && !cx.big_endian => {
                let bytes = attrs.byte_size.unwrap_or_else(|| self.storage_size(node));
                let storage = bytes.wrapping_mul(8);
                start.wrapping_add(storage.wrapping_sub(bits).wrapping_sub(size))
            }
            (None, Some(bits), _) => start.wrapping_add(bits),
            (None, None, _) => start,
        };
        words.extend([name.0, node.0, word(offset), word(attrs.bit_size)]);
        Ok(())
    }

    /// Size of the declared type of a bitfield, for producers that leave out its `DW_AT_byte_size`.
    fn storage_size(&self, mut node: NodeId) -> u64 {
        // Nodes do not form cycles.
        loop {
            match self.nodes.get(node) {
                (Kind::Int, words) => return words[1].into(),
                (Kind::Const | Kind::Volatile, words) => node = NodeId(words[0]),
                (Kind::Named, words) if words[4] != 0 => return words[4].into(),
                (Kind::Values, words) => return words[0].into(),
                _ => return 4,
            }
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

/// Whether DIEs of a tag define a type that a name can refer to.
pub(super) fn is_definition(tag: DwTag) -> bool {
    matches!(
        tag,
        constants::DW_TAG_structure_type
            | constants::DW_TAG_class_type
            | constants::DW_TAG_union_type
            | constants::DW_TAG_enumeration_type
            | constants::DW_TAG_typedef
    )
}

/// Whether DIEs of a tag say what the type above them consists of.
fn is_part(tag: DwTag) -> bool {
    matches!(
        tag,
        constants::DW_TAG_member
            | constants::DW_TAG_enumerator
            | constants::DW_TAG_subrange_type
            | constants::DW_TAG_formal_parameter
            | constants::DW_TAG_unspecified_parameters
    )
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

/// A number as a word. Greater ones do not fit into BTF either.
pub(super) fn word(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// The offset of a `DW_AT_sibling`.
pub(super) fn sibling<R: gimli::Reader<Offset = usize>>(value: &AttributeValue<R>) -> Option<usize> {
    match value {
        AttributeValue::UnitRef(offset) => Some(offset.0),
        _ => None,
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
