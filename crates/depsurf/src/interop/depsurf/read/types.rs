//! `types_*`: types in full on the top level, named types by kind and name below it.
//!
//! A type that is named inside another one may be defined later, in another file, or nowhere. So while it is
//! built a table refers to *slots*, one per kind and name; in the end those that were defined lead to their first
//! definition, and the others become types of which nothing is known but kind and name.

use std::hash::{BuildHasher, Hasher};

use foldhash::fast::FixedState;
use hashbrown::{HashMap, HashTable};
use serde::Deserialize;

use super::line::{Line, Source, Text};
use crate::error::Result;
use crate::interop::depsurf::Part;
use crate::note::Notes;
use crate::surface::record;
use crate::surface::strings::{StrId, Strings};
use crate::surface::types::Child;
use crate::surface::types::TypeTable;
use crate::surface::{TypeId, TypeKind};

/// Marks the number of a slot in the place of a type's id. A file has too few bytes for that many types.
const SLOT: u32 = 1 << 31;

/// A type as the dataset writes it; which fields there are depends on the kind.
#[derive(Debug, Deserialize)]
pub(super) struct Node<'l> {
    kind: Kind,
    #[serde(borrow)]
    name: Option<Text<'l>>,
    #[serde(rename = "type")]
    inner: Option<Box<Node<'l>>>,
    params: Option<Vec<Member<'l>>>,
    ret_type: Option<Box<Node<'l>>>,
    nr_elems: Option<u32>,
    size: Option<u32>,
    fwd_kind: Option<Forward>,
    members: Option<Vec<Member<'l>>>,
    values: Option<Vec<Value<'l>>>,
}

/// A member of a struct or union, or a parameter.
#[derive(Debug, Deserialize)]
struct Member<'l> {
    #[serde(borrow)]
    name: Text<'l>,
    bits_offset: Option<u64>,
    bitfield_size: Option<u8>,
    #[serde(rename = "type")]
    inner: Node<'l>,
}

#[derive(Debug, Deserialize)]
struct Value<'l> {
    #[serde(borrow)]
    name: Text<'l>,
    val: i32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum Kind {
    Void,
    Int,
    Ptr,
    Array,
    Struct,
    Union,
    Enum,
    Fwd,
    Typedef,
    Volatile,
    Const,
    Restrict,
    Func,
    FuncProto,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Forward {
    Struct,
    Union,
}

/// A named type: the size tells apart what else has one name, as enums inside other types have their size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    kind: TypeKind,
    name: StrId,
    size: Option<u32>,
}

#[derive(Debug)]
struct Slot {
    key: Key,
    definition: Option<TypeId>,
}

/// The types of a kernel while they are read.
pub(super) struct Types {
    table: TypeTable,
    slots: Vec<Slot>,
    by_key: HashMap<Key, u32, FixedState>,
    /// Types without a name, and FWD: equal ones are one.
    shared: HashTable<(u64, TypeId)>,
    hasher: FixedState,
    /// The first FUNC of each name.
    functions: HashMap<StrId, TypeId, FixedState>,
}

type What<T> = Result<T, String>;

impl Types {
    pub(super) fn new() -> Self {
        Self {
            table: TypeTable::new(),
            slots: Vec::new(),
            by_key: HashMap::default(),
            shared: HashTable::new(),
            hasher: FixedState::with_seed(0),
            functions: HashMap::default(),
        }
    }

    /// Reads one of the `types_*` files.
    pub(super) fn read(
        &mut self,
        part: Part,
        source: Source<'_>,
        strings: &mut Strings,
        notes: &mut Notes,
    ) -> Result<()> {
        let (kind, word) = match part {
            Part::TypesFunc => (Kind::Func, "FUNC"),
            Part::TypesStruct => (Kind::Struct, "STRUCT"),
            Part::TypesUnion => (Kind::Union, "UNION"),
            Part::TypesEnum => (Kind::Enum, "ENUM"),
            _ => (Kind::Int, "INT"),
        };
        source.lines(|line| {
            let node: Node<'_> = line.parse()?;
            if node.kind != kind {
                return Err(line.error(format!("{} has types of kind {word} only", part.name())));
            }
            self.define(&node, strings, line, notes).map_err(|what| line.error(what))
        })
    }

    fn define(
        &mut self,
        node: &Node<'_>,
        strings: &mut Strings,
        line: Line<'_>,
        notes: &mut Notes,
    ) -> What<()> {
        let Some(Text(text)) = &node.name else { return Err("missing field `name`".into()) };
        let name = named(node, strings)?;
        match node.kind {
            Kind::Func => {
                let proto = self.prototype(node, strings)?;
                let id = self.table.push(TypeKind::Func, false, name, proto.0, []);
                self.functions.entry(name).or_insert(id);
            }
            Kind::Struct | Kind::Union => {
                let composite = self.composite(node, strings, line, notes)?;
                let kind = composite.kind;
                let id = composite.push(&mut self.table, name);
                self.defined(Key { kind, name, size: None }, id);
            }
            Kind::Enum => {
                let anonymous = is_anonymous(text);
                let name = if anonymous { StrId::EMPTY } else { name };
                let id = self.enumeration(node, name, strings)?;
                if !anonymous {
                    self.defined(Key { kind: TypeKind::Enum, name, size: node.size }, id);
                }
            }
            Kind::Int => {
                // BTF's word for an INT: its bits. Whether it has a sign is not in the dataset.
                let bits =
                    Child { name: StrId::EMPTY, a: node.size.unwrap_or(0).wrapping_mul(8) & 0xff, b: 0 };
                let id = self.table.push(TypeKind::Int, false, name, node.size.unwrap_or(0), [bits]);
                self.mark_size(id, node.size);
                self.defined(Key { kind: TypeKind::Int, name, size: None }, id);
            }
            _ => {}
        }
        Ok(())
    }

    fn mark_size(&mut self, id: TypeId, size: Option<u32>) {
        if size.is_none() {
            self.table.mark(id, record::TYPE_NO_SIZE);
        }
    }

    /// Lets the slot of a name lead to this definition, unless an earlier one is there.
    fn defined(&mut self, key: Key, id: TypeId) {
        let slot = self.slot(key);
        self.slots[slot as usize].definition.get_or_insert(id);
    }

    fn slot(&mut self, key: Key) -> u32 {
        *self.by_key.entry(key).or_insert_with(|| {
            self.slots.push(Slot { key, definition: None });
            self.slots.len() as u32 - 1
        })
    }

    fn enumeration(&mut self, node: &Node<'_>, name: StrId, strings: &mut Strings) -> What<TypeId> {
        let values = node.values.as_ref().ok_or("missing field `values`")?;
        let signed = values.iter().any(|value| value.val < 0);
        let children = values
            .iter()
            .map(|value| Ok(Child { name: value.name.intern(strings)?, a: value.val.cast_unsigned(), b: 0 }))
            .collect::<What<Vec<_>>>()?;
        let id = self.table.push(TypeKind::Enum, signed, name, node.size.unwrap_or(0), children);
        self.mark_size(id, node.size);
        Ok(id)
    }

    /// A struct or union, not in the table yet.
    fn composite(
        &mut self,
        node: &Node<'_>,
        strings: &mut Strings,
        line: Line<'_>,
        notes: &mut Notes,
    ) -> What<Composite> {
        let members = node.members.as_ref().ok_or("missing field `members`")?;
        let places = places(members);
        let mut bits = 0;
        if node.size.is_none() {
            bits |= record::TYPE_NO_SIZE;
        }
        if places.is_none() {
            bits |= record::TYPE_NO_OFFSETS;
            if members.iter().any(|member| member.bits_offset.is_some()) {
                let what = || "the offsets of a type are incomplete or beyond what BTF can express".into();
                notes.lost("depsurf-offsets", what, || line.place());
            }
        }
        let (kind_flag, words) = places.unwrap_or_else(|| (false, vec![0; members.len()]));
        let mut children = Vec::with_capacity(members.len());
        for (member, b) in members.iter().zip(words) {
            let name = member.name.intern(strings)?;
            children.push(Child { name, a: self.refer(&member.inner, strings)?, b });
        }
        let kind = if node.kind == Kind::Union { TypeKind::Union } else { TypeKind::Struct };
        Ok(Composite { kind, kind_flag, size: node.size.unwrap_or(0), bits, children })
    }

    /// The record of a tracepoint: the type of that name where it is just the same, else one of its own.
    pub(super) fn record(
        &mut self,
        node: &Node<'_>,
        strings: &mut Strings,
        line: Line<'_>,
        notes: &mut Notes,
    ) -> What<TypeId> {
        if !matches!(node.kind, Kind::Struct | Kind::Union) {
            return Err("the record of a tracepoint is a struct".into());
        }
        let mut composite = self.composite(node, strings, line, notes)?;
        let name = named(node, strings)?;
        let slot = self.by_key.get(&Key { kind: composite.kind, name, size: None });
        let listed = slot.and_then(|slot| self.slots[*slot as usize].definition);
        if let Some(listed) = listed.filter(|listed| composite.is_at(&self.table, *listed)) {
            return Ok(listed);
        }
        composite.bits |= record::TYPE_UNLISTED;
        Ok(composite.push(&mut self.table, name))
    }

    /// The prototype of a FUNC.
    pub(super) fn prototype(&mut self, node: &Node<'_>, strings: &mut Strings) -> What<TypeId> {
        let inner = node.inner.as_ref().ok_or("missing field `type`")?;
        if node.kind != Kind::Func || inner.kind != Kind::FuncProto {
            return Err("a function is a FUNC with a FUNC_PROTO".into());
        }
        self.refer(inner, strings).map(TypeId)
    }

    /// A type inside another one: its id, or its slot.
    fn refer(&mut self, node: &Node<'_>, strings: &mut Strings) -> What<u32> {
        let kind = match node.kind {
            Kind::Void => return Ok(TypeId::VOID.0),
            Kind::Int => return self.by_name(TypeKind::Int, node, None, strings),
            Kind::Typedef => return self.by_name(TypeKind::Typedef, node, None, strings),
            Kind::Struct => return self.by_name(TypeKind::Struct, node, None, strings),
            Kind::Union => return self.by_name(TypeKind::Union, node, None, strings),
            Kind::Enum => return self.by_name(TypeKind::Enum, node, node.size, strings),
            Kind::Fwd => {
                let forward = node.fwd_kind.ok_or("missing field `fwd_kind`")?;
                let name = named(node, strings)?;
                return Ok(self.share(TypeKind::Fwd, forward == Forward::Union, name, 0, &[]));
            }
            Kind::Func => return Err("a FUNC inside another type".into()),
            Kind::FuncProto => return self.function_prototype(node, strings),
            Kind::Array => {
                let count = node.nr_elems.ok_or("missing field `nr_elems`")?;
                let element = self.refer(inner(node)?, strings)?;
                let child = Child { name: StrId::EMPTY, a: element, b: count };
                return Ok(self.share(TypeKind::Array, false, StrId::EMPTY, 0, &[child]));
            }
            Kind::Ptr => TypeKind::Ptr,
            Kind::Volatile => TypeKind::Volatile,
            Kind::Const => TypeKind::Const,
            Kind::Restrict => TypeKind::Restrict,
        };
        let target = self.refer(inner(node)?, strings)?;
        Ok(self.share(kind, false, StrId::EMPTY, target, &[]))
    }

    fn by_name(
        &mut self,
        kind: TypeKind,
        node: &Node<'_>,
        size: Option<u32>,
        strings: &mut Strings,
    ) -> What<u32> {
        let name = named(node, strings)?;
        let anonymous = node.name.as_ref().is_some_and(|text| is_anonymous(&text.0));
        let name = if anonymous { StrId::EMPTY } else { name };
        Ok(SLOT | self.slot(Key { kind, name, size }))
    }

    fn function_prototype(&mut self, node: &Node<'_>, strings: &mut Strings) -> What<u32> {
        let params = node.params.as_ref().ok_or("missing field `params`")?;
        let result = node.ret_type.as_ref().ok_or("missing field `ret_type`")?;
        let mut children = Vec::with_capacity(params.len());
        let mut anonymous = 0;
        for param in params {
            let name = if is_nth_anonymous(&param.name.0, anonymous) {
                anonymous += 1;
                StrId::EMPTY
            } else {
                param.name.intern(strings)?
            };
            children.push(Child { name, a: self.refer(&param.inner, strings)?, b: 0 });
        }
        let result = self.refer(result, strings)?;
        Ok(self.share(TypeKind::FuncProto, false, StrId::EMPTY, result, &children))
    }

    /// The id of a type that has no definition of its own, added when it is new.
    fn share(&mut self, kind: TypeKind, flag: bool, name: StrId, word: u32, children: &[Child]) -> u32 {
        let mut state = self.hasher.build_hasher();
        state.write_u64(u64::from(kind as u8) << 33 | u64::from(flag) << 32 | u64::from(name.0));
        state.write_u64(word.into());
        for Child { name, a, b } in children {
            state.write_u64(u64::from(name.0) << 32 | u64::from(*a));
            state.write_u32(*b);
        }
        let hash = state.finish();
        let Self { table, shared, .. } = self;
        let kind_word = u32::from(kind as u8) | u32::from(flag) << 8;
        let is_it = |(other, id): &(u64, TypeId)| {
            let found = &table.records()[id.0 as usize];
            *other == hash
                && (found.kind.get(), found.name.get(), found.size_or_type.get()) == (kind_word, name.0, word)
                && same_children(children, table.children_of(*id))
        };
        if let Some((_, id)) = shared.find(hash, is_it) {
            return id.0;
        }
        let id = table.push(kind, flag, name, word, children.iter().copied());
        shared.insert_unique(hash, (hash, id), |(hash, _)| *hash);
        id.0
    }

    /// The first FUNC of a name.
    pub(super) fn function(&self, name: StrId) -> Option<TypeId> {
        self.functions.get(&name).copied()
    }

    /// The prototype of a FUNC of [`Types::function`].
    pub(super) fn prototype_of(&self, function: TypeId) -> TypeId {
        TypeId(self.table.records()[function.0 as usize].size_or_type.get())
    }

    /// Names of the members of the first struct or union of a name; `None` where it is not defined.
    pub(super) fn members(&self, kind: TypeKind, name: StrId) -> Option<Vec<StrId>> {
        let slot = *self.by_key.get(&Key { kind, name, size: None })?;
        let id = self.slots[slot as usize].definition?;
        Some(self.table.children_of(id).iter().map(|child| StrId(child.name.get())).collect())
    }

    /// The table, with every slot in its place.
    pub(super) fn finish(mut self) -> TypeTable {
        let mut targets = Vec::with_capacity(self.slots.len());
        for Slot { key: Key { kind, name, size }, definition } in &self.slots {
            targets.push(definition.unwrap_or_else(|| {
                let id = self.table.push(*kind, false, *name, size.unwrap_or(0), []);
                let no_size = if size.is_none() { record::TYPE_NO_SIZE } else { 0 };
                self.table.mark(id, record::TYPE_UNDEFINED | no_size);
                id
            }));
        }
        self.table.redirect(|id| if id & SLOT == 0 { id } else { targets[(id & !SLOT) as usize].0 });
        self.table
    }
}

/// A struct or union that is not in the table yet.
struct Composite {
    kind: TypeKind,
    kind_flag: bool,
    size: u32,
    /// `record::TYPE_*`
    bits: u32,
    children: Vec<Child>,
}

impl Composite {
    fn push(self, table: &mut TypeTable, name: StrId) -> TypeId {
        let id = table.push(self.kind, self.kind_flag, name, self.size, self.children);
        table.mark(id, self.bits);
        id
    }

    /// Whether the type of an id is just the same.
    fn is_at(&self, table: &TypeTable, id: TypeId) -> bool {
        let found = &table.records()[id.0 as usize];
        let kind = u32::from(self.kind as u8) | u32::from(self.kind_flag) << 8 | self.bits;
        (found.kind.get(), found.size_or_type.get()) == (kind, self.size)
            && same_children(&self.children, table.children_of(id))
    }
}

fn same_children(children: &[Child], stored: &[record::TypeChild]) -> bool {
    let same = |(child, stored): (&Child, &record::TypeChild)| {
        (child.name.0, child.a, child.b) == (stored.name.get(), stored.a.get(), stored.b.get())
    };
    children.len() == stored.len() && children.iter().zip(stored).all(same)
}

/// Where the members are, in BTF's words, and its `kind_flag`; `None` where that is not told in full, and where a
/// bitfield is farther from the start than BTF can say.
fn places(members: &[Member<'_>]) -> Option<(bool, Vec<u32>)> {
    let bits = |member: &Member<'_>| member.bitfield_size.unwrap_or(0);
    let has_bitfields = members.iter().any(|member| bits(member) != 0);
    let word = |member: &Member<'_>| {
        let offset = u32::try_from(member.bits_offset?).ok()?;
        if !has_bitfields {
            return Some(offset);
        }
        (offset < 1 << 24).then(|| u32::from(bits(member)) << 24 | offset)
    };
    Some((has_bitfields, members.iter().map(word).collect::<Option<_>>()?))
}

fn inner<'n, 'l>(node: &'n Node<'l>) -> What<&'n Node<'l>> {
    node.inner.as_deref().ok_or_else(|| "missing field `type`".into())
}

fn named(node: &Node<'_>, strings: &mut Strings) -> What<StrId> {
    let name = node.name.as_ref().ok_or("missing field `name`")?;
    if name.0.is_empty() { Err("an empty name".into()) } else { name.intern(strings) }
}

/// What the dataset calls a type without a name.
fn is_anonymous(name: &str) -> bool {
    name == "(anon)"
}

/// Whether a name stands for the `number`th thing without one in a list: `(anon)`, `(anon-1)`, `(anon-2)`.
fn is_nth_anonymous(name: &str, number: u32) -> bool {
    match number {
        0 => name == "(anon)",
        _ => {
            let digits = name.strip_prefix("(anon-").and_then(|rest| rest.strip_suffix(')'));
            digits.is_some_and(|digits| digits == number.to_string())
        }
    }
}
