//! Types from BTF and DWARF in one table.
//!
//! Types of `.BTF` keep their ids, because they are what libbpf sees. A DWARF type that BTF has too becomes
//! that type; the rest is appended. Without `.BTF` everything is appended, each definition once, in the order
//! of `.debug_info`.

use std::hash::{BuildHasher, Hasher};

use foldhash::fast::FixedState;
use hashbrown::{HashMap, HashTable};
use zerocopy::IntoBytes;

use crate::dwarf::node::{self, Kind, NodeId};
use crate::dwarf::{Facts, NameId};
use crate::note::Notes;
use crate::surface::record::{self, NONE};
use crate::surface::strings::{StrId, Strings};
use crate::surface::types::{Child, TypeId, TypeKind, TypeTable};

/// Nested types deeper than this only occur in hostile input.
const MAX_DEPTH: u32 = 96;

/// A type table that is being filled, and how its types are found again.
pub struct KnownTypes {
    table: TypeTable,
    /// Ids by content, for types that are equal when their words are.
    by_content: HashTable<u32>,
    /// First id and further ids of the named types, by kind and name.
    by_name: HashMap<(TypeKind, StrId), Vec<u32>, FixedState>,
    hasher: FixedState,
}

impl KnownTypes {
    /// Starts from the types of `.BTF`, or from an empty table.
    #[must_use]
    pub fn new(table: TypeTable) -> Self {
        let hasher = FixedState::with_seed(0);
        let by_content = HashTable::with_capacity(table.records().len());
        let mut known = Self { table, by_content, by_name: HashMap::with_hasher(hasher.clone()), hasher };
        known.index(1);
        known
    }

    /// The table.
    #[must_use]
    pub fn table(&self) -> &TypeTable {
        &self.table
    }

    /// The table, for types that come from elsewhere; [`KnownTypes::index`] makes them known.
    pub fn table_mut(&mut self) -> &mut TypeTable {
        &mut self.table
    }

    /// The finished table.
    #[must_use]
    pub fn into_table(self) -> TypeTable {
        self.table
    }

    /// Makes the types from an id on known, where they are not yet.
    pub fn index(&mut self, first: u32) {
        let Self { table, by_content, by_name, hasher } = self;
        for id in first..table.records().len() as u32 {
            let record = &table.records()[id as usize];
            let kind = TypeKind::from_number(record.kind.get() as u8).unwrap_or(TypeKind::Void);
            if record.name.get() == 0 {
                let hash = hash_type(hasher, table, id);
                let equal = |&other: &u32| same_words(table, other, id);
                by_content.entry(hash, equal, |&other| hash_type(hasher, table, other)).or_insert(id);
            } else {
                let ids = by_name.entry((kind, StrId(record.name.get()))).or_default();
                if !ids.contains(&id) {
                    ids.push(id);
                }
            }
        }
    }
}

/// Maps the types of DWARF into a type table.
pub struct TypeMapper<'a, 'data> {
    facts: &'a Facts<'data>,
    known: KnownTypes,
    strings: &'a mut Strings,
    notes: &'a mut Notes,
    /// Whether a typedef must also agree in what it stands for. In one image a name that is unique is; modules use the
    /// same names for other things.
    strict: bool,
    /// Type of each node; `NONE` where it was not needed yet.
    mapped: Vec<u32>,
    /// String of each DWARF name; `NONE` where it was not needed yet.
    names: Vec<u32>,
    /// Body of each named node.
    bodies: HashMap<NodeId, NodeId, FixedState>,
    /// First definition of each composite and name, for forward declarations.
    first_of: HashMap<(u32, NameId), NodeId, FixedState>,
    /// Meaning of each node.
    meanings: Vec<u64>,
    /// Definitions that were appended, by kind, name, size and the meaning of their bodies.
    appended: HashMap<(u32, NameId, u32, u64), u32, FixedState>,
    /// Appended definitions whose content is not filled in yet: type, body.
    unfilled: Vec<(u32, NodeId)>,
}

impl<'a, 'data> TypeMapper<'a, 'data> {
    /// Starts from the types that are known already: those of `.BTF`, and for a module all of the kernel.
    pub fn new(
        facts: &'a Facts<'data>,
        known: KnownTypes,
        strings: &'a mut Strings,
        notes: &'a mut Notes,
    ) -> Self {
        let hasher = known.hasher.clone();
        let mut first_of = HashMap::with_hasher(hasher.clone());
        let mut bodies = HashMap::with_hasher(hasher.clone());
        for definition in &facts.definitions {
            bodies.insert(definition.node, definition.body);
            let (_, words) = facts.nodes.get(definition.node);
            first_of.entry((words[0], NameId(words[1]))).or_insert(definition.node);
        }
        Self {
            facts,
            known,
            strings,
            notes,
            strict: false,
            mapped: vec![NONE; facts.nodes.count()],
            names: vec![NONE; facts.name_count()],
            bodies,
            first_of,
            meanings: facts.nodes.meanings(),
            appended: HashMap::with_hasher(hasher),
            unfilled: Vec::new(),
        }
    }

    /// As [`TypeMapper::new`], for a module, where the types that are known are mostly of others.
    pub fn of_module(
        facts: &'a Facts<'data>,
        known: KnownTypes,
        strings: &'a mut Strings,
        notes: &'a mut Notes,
    ) -> Self {
        Self { strict: true, ..Self::new(facts, known, strings, notes) }
    }

    /// The BTF FUNC of a name, if BTF has one.
    pub fn btf_func(&self, name: StrId) -> Option<u32> {
        self.known.by_name.get(&(TypeKind::Func, name)).and_then(|ids| ids.first()).copied()
    }

    /// The string of a DWARF name.
    pub fn name(&mut self, name: NameId) -> StrId {
        let slot = &mut self.names[name.0 as usize];
        if *slot == NONE {
            *slot = self.strings.intern(self.facts.name(name)).0;
        }
        StrId(*slot)
    }

    /// Maps all named types.
    pub fn finish(mut self) -> KnownTypes {
        for definition in &self.facts.definitions {
            self.map(definition.node, 0);
            self.fill();
        }
        self.known
    }

    /// Completes the types that were asked for, and those they refer to.
    pub fn finish_asked(mut self) -> KnownTypes {
        self.fill();
        self.known
    }

    /// The type of a node. What it refers to is complete once [`TypeMapper::finish`] has run.
    pub fn map(&mut self, node: NodeId, depth: u32) -> TypeId {
        let known = self.mapped[node.0 as usize];
        if known != NONE {
            return TypeId(known);
        }
        if depth > MAX_DEPTH {
            self.notes.lost(
                "type-depth",
                || format!("types nested deeper than {MAX_DEPTH} are taken as void"),
                || format!("node {}", node.0),
            );
            return TypeId::VOID;
        }
        let id = self.map_new(node, depth);
        self.mapped[node.0 as usize] = id;
        TypeId(id)
    }

    fn map_new(&mut self, node: NodeId, depth: u32) -> u32 {
        // Borrowed from the facts, not from `self`, so that the table can grow meanwhile.
        let facts = self.facts;
        let (kind, words) = facts.nodes.get(node);
        match kind {
            Kind::Void | Kind::Unread => 0,
            Kind::Int => {
                let name = self.name(NameId(words[0]));
                let known = self.of_name(TypeKind::Int, name, words[1]);
                let encoding = words[2] << 24 | words[1].wrapping_mul(8) & 0xff;
                let child = Child { name: StrId::EMPTY, a: encoding, b: 0 };
                known.unwrap_or_else(|| self.append_named(TypeKind::Int, name, words[1], [child]))
            }
            Kind::Float => {
                let name = self.name(NameId(words[0]));
                let known = self.of_name(TypeKind::Float, name, words[1]);
                known.unwrap_or_else(|| self.append_named(TypeKind::Float, name, words[1], []))
            }
            Kind::Ptr => self.derived(TypeKind::Ptr, NodeId(words[0]), depth),
            Kind::Const => self.derived(TypeKind::Const, NodeId(words[0]), depth),
            Kind::Volatile => self.derived(TypeKind::Volatile, NodeId(words[0]), depth),
            Kind::Restrict => self.derived(TypeKind::Restrict, NodeId(words[0]), depth),
            Kind::Alias => self.map(NodeId(words[0]), depth + 1).0,
            Kind::Array => {
                let element = self.map(NodeId(words[0]), depth + 1).0;
                let child = Child { name: StrId::EMPTY, a: element, b: words[1] };
                self.intern(TypeKind::Array, false, 0, &[child])
            }
            Kind::Proto => {
                let ret = self.map(NodeId(words[0]), depth + 1).0;
                let params: Vec<Child> = words[1..]
                    .chunks_exact(2)
                    .map(|param| Child {
                        name: self.name(NameId(param[0])),
                        a: self.map(NodeId(param[1]), depth + 1).0,
                        b: 0,
                    })
                    .collect();
                self.intern(TypeKind::FuncProto, false, ret, &params)
            }
            Kind::Members | Kind::Values => {
                let content = self.content(node, depth);
                if content.kind == TypeKind::Enum && content.flag {
                    // Older BTF does not mark signed enums.
                    if let Some(id) = self.find(content.kind, false, content.size, &content.children) {
                        return id;
                    }
                }
                self.intern(content.kind, content.flag, content.size, &content.children)
            }
            Kind::Fwd => self.forward(words[0], NameId(words[1]), depth),
            Kind::Named => self.named(node, words, depth),
        }
    }

    fn derived(&mut self, kind: TypeKind, target: NodeId, depth: u32) -> u32 {
        let target = self.map(target, depth + 1).0;
        self.intern(kind, false, target, &[])
    }

    /// A declaration without definition: the definition elsewhere in the image, else a FWD.
    fn forward(&mut self, composite: u32, name: NameId, depth: u32) -> u32 {
        let text = self.name(name);
        let kind = type_kind(composite);
        let kinds: &[TypeKind] =
            if kind == TypeKind::Enum { &[TypeKind::Enum, TypeKind::Enum64] } else { &[kind] };
        for kind in kinds {
            if let Some(id) = self.known.by_name.get(&(*kind, text)).and_then(|ids| ids.first()) {
                return *id;
            }
        }
        if let Some(node) = self.first_of.get(&(composite, name)) {
            return self.map(*node, depth + 1).0;
        }
        if kind == TypeKind::Enum {
            // BTF has no forward enum: one without values stands for it.
            return self.append_named(TypeKind::Enum, text, 4, []);
        }
        if let Some(id) = self.known.by_name.get(&(TypeKind::Fwd, text)).and_then(|ids| ids.first()) {
            return *id;
        }
        let id = self.known.table.push(TypeKind::Fwd, composite == node::UNION, text, 0, []).0;
        self.known.by_name.entry((TypeKind::Fwd, text)).or_default().push(id);
        id
    }

    fn named(&mut self, node: NodeId, words: &[u32], depth: u32) -> u32 {
        let (composite, name, size) = (words[0], NameId(words[1]), words[4]);
        let body = self.bodies.get(&node).copied().unwrap_or(NodeId::VOID);
        if name == NameId(0) {
            // An enum without a name, which is told by its values alone.
            return self.map(body, depth + 1).0;
        }
        let text = self.name(name);
        if let Some(id) = self.btf_definition(composite, text, size, body, depth) {
            return id;
        }
        // Copies of a definition in several files, or whose file has several paths, are one type.
        let key = (composite, name, size, self.meanings[body.0 as usize]);
        if let Some(&id) = self.appended.get(&key) {
            return id;
        }
        let (_, body_words) = self.facts.nodes.get(body);
        let (count, kind) = match (composite, self.facts.nodes.get(body).0) {
            (node::ENUM, Kind::Values) => {
                let kind = if size == 8 { TypeKind::Enum64 } else { TypeKind::Enum };
                ((body_words.len() - 2) / 3, kind)
            }
            (node::ENUM, _) => (0, TypeKind::Enum),
            (_, Kind::Members) => ((body_words.len() - 2) / 4, type_kind(composite)),
            _ => (0, type_kind(composite)),
        };
        let blank = Child { name: StrId::EMPTY, a: 0, b: 0 };
        let id = self.known.table.push(kind, false, text, size, std::iter::repeat_n(blank, count)).0;
        self.appended.insert(key, id);
        self.unfilled.push((id, body));
        id
    }

    /// The type of `.BTF` that is this definition.
    fn btf_definition(
        &mut self,
        composite: u32,
        name: StrId,
        size: u32,
        body: NodeId,
        depth: u32,
    ) -> Option<u32> {
        let mut candidates: Vec<u32> = Vec::new();
        let wide = if composite == node::ENUM { Some(TypeKind::Enum64) } else { None };
        for kind in [Some(type_kind(composite)), wide].into_iter().flatten() {
            candidates.extend(self.known.by_name.get(&(kind, name)).into_iter().flatten());
        }
        if composite == node::TYPEDEF {
            if candidates.len() > 1 || self.strict {
                let (_, words) = self.facts.nodes.get(body);
                let target = self.map(NodeId(words.first().copied().unwrap_or(0)), depth + 1).0;
                let exact =
                    |id: &&u32| self.known.table.records()[**id as usize].size_or_type.get() == target;
                let first = candidates.first().filter(|_| !self.strict);
                return candidates.iter().find(exact).or(first).copied();
            }
            return candidates.first().copied();
        }
        candidates.retain(|id| self.known.table.records()[*id as usize].size_or_type.get() == size);
        if candidates.len() > 1 {
            let exact = |id: &&u32| self.same_shape(**id, body);
            return candidates.iter().find(exact).copied();
        }
        candidates.first().copied().filter(|id| self.same_shape(*id, body))
    }

    /// Whether a BTF composite has the same child names at the same offsets or values as a body.
    fn same_shape(&self, id: u32, body: NodeId) -> bool {
        let children = children_of(&self.known.table, id);
        let flag = self.known.table.records()[id as usize].kind.get() >> 8 & 1 != 0;
        let (kind, words) = self.facts.nodes.get(body);
        let text = |name: u32| self.facts.name(NameId(name));
        let same_name = |child: &record::TypeChild, name: u32| {
            self.strings.get(StrId(child.name.get())).as_bytes() == text(name)
        };
        match kind {
            Kind::Members => {
                let members = words[2..].chunks_exact(4);
                members.len() == children.len()
                    && members.zip(children).all(|(member, child)| {
                        let word = child.b.get();
                        let offset = if flag { word & 0xff_ffff } else { word };
                        offset == member[2] && same_name(child, member[0])
                    })
            }
            Kind::Values => {
                let values = words[2..].chunks_exact(3);
                values.len() == children.len()
                    && values
                        .zip(children)
                        .all(|(value, child)| child.a.get() == value[1] && same_name(child, value[0]))
            }
            _ => false,
        }
    }

    /// Fills in the content of appended definitions, until none is left.
    fn fill(&mut self) {
        while let Some((id, body)) = self.unfilled.pop() {
            let (kind, words) = self.facts.nodes.get(body);
            match kind {
                Kind::Members | Kind::Values => {
                    let content = self.content(body, 0);
                    self.known.table.patch(TypeId(id), content.flag, content.size, &content.children);
                }
                Kind::Alias => {
                    let target = self.map(NodeId(words[0]), 0).0;
                    self.known.table.patch(TypeId(id), false, target, &[]);
                }
                _ => {}
            }
        }
    }

    /// Kind, size and children of a body or anonymous composite.
    fn content(&mut self, node: NodeId, depth: u32) -> Content {
        let facts = self.facts;
        let (kind, words) = facts.nodes.get(node);
        if kind == Kind::Values {
            let (size, signed) = (words[0], words[1] != 0);
            let wide = size == 8;
            let children = words[2..]
                .chunks_exact(3)
                .map(|value| Child {
                    name: self.name(NameId(value[0])),
                    a: value[1],
                    b: if wide { value[2] } else { 0 },
                })
                .collect();
            let kind = if wide { TypeKind::Enum64 } else { TypeKind::Enum };
            return Content { kind, flag: signed, size, children };
        }
        // BTF packs offset and size of a bitfield into one word, for all members of the struct or none.
        let mut flag = words[2..].chunks_exact(4).any(|member| member[3] != 0);
        if flag && words[2..].chunks_exact(4).any(|member| member[2] > 0xff_ffff || member[3] > 0xff) {
            flag = false;
            self.notes.lost(
                "type-bitfield-range",
                || "bitfields beyond 2 MiB into a struct lose their size".into(),
                || format!("node {}", node.0),
            );
        }
        let children = words[2..]
            .chunks_exact(4)
            .map(|member| Child {
                name: self.name(NameId(member[0])),
                a: self.map(NodeId(member[1]), depth + 1).0,
                b: if flag { member[2] | member[3] << 24 } else { member[2] },
            })
            .collect();
        Content { kind: type_kind(words[0]), flag, size: words[1], children }
    }

    fn of_name(&self, kind: TypeKind, name: StrId, size: u32) -> Option<u32> {
        let ids = self.known.by_name.get(&(kind, name))?;
        ids.iter().find(|id| self.known.table.records()[**id as usize].size_or_type.get() == size).copied()
    }

    fn append_named<const N: usize>(
        &mut self,
        kind: TypeKind,
        name: StrId,
        size: u32,
        children: [Child; N],
    ) -> u32 {
        let id = self.known.table.push(kind, false, name, size, children).0;
        self.known.by_name.entry((kind, name)).or_default().push(id);
        id
    }

    /// The unnamed type with this content.
    fn find(&self, kind: TypeKind, flag: bool, size_or_type: u32, children: &[Child]) -> Option<u32> {
        let hash = hash_words(&self.known.hasher, kind_word(kind, flag), size_or_type, children);
        let equal = |&id: &u32| {
            let record = &self.known.table.records()[id as usize];
            record.kind.get() == kind_word(kind, flag)
                && record.size_or_type.get() == size_or_type
                && record.name.get() == 0
                && same_children(children_of(&self.known.table, id), children)
        };
        self.known.by_content.find(hash, equal).copied()
    }

    /// The unnamed type with this content, appended when new.
    fn intern(&mut self, kind: TypeKind, flag: bool, size_or_type: u32, children: &[Child]) -> u32 {
        if let Some(id) = self.find(kind, flag, size_or_type, children) {
            return id;
        }
        let id = self.known.table.push(kind, flag, StrId::EMPTY, size_or_type, children.iter().copied()).0;
        let hash = hash_words(&self.known.hasher, kind_word(kind, flag), size_or_type, children);
        let KnownTypes { by_content, table, hasher, .. } = &mut self.known;
        by_content.insert_unique(hash, id, |&other| hash_type(hasher, table, other));
        id
    }
}

struct Content {
    kind: TypeKind,
    flag: bool,
    size: u32,
    children: Vec<Child>,
}

fn type_kind(composite: u32) -> TypeKind {
    match composite {
        node::UNION => TypeKind::Union,
        node::ENUM => TypeKind::Enum,
        node::TYPEDEF => TypeKind::Typedef,
        _ => TypeKind::Struct,
    }
}

fn kind_word(kind: TypeKind, flag: bool) -> u32 {
    u32::from(kind as u8) | u32::from(flag) << 8
}

fn children_of(table: &TypeTable, id: u32) -> &[record::TypeChild] {
    let records = table.records();
    let start = records[id as usize].first_child.get() as usize;
    let end =
        records.get(id as usize + 1).map_or(table.children().len(), |next| next.first_child.get() as usize);
    &table.children()[start..end]
}

fn same_children(stored: &[record::TypeChild], children: &[Child]) -> bool {
    stored.len() == children.len()
        && stored.iter().zip(children).all(|(stored, child)| {
            (stored.name.get(), stored.a.get(), stored.b.get()) == (child.name.0, child.a, child.b)
        })
}

fn same_words(table: &TypeTable, a: u32, b: u32) -> bool {
    let (x, y) = (&table.records()[a as usize], &table.records()[b as usize]);
    (x.name, x.kind, x.size_or_type) == (y.name, y.kind, y.size_or_type)
        && children_of(table, a) == children_of(table, b)
}

fn hash_type(hasher: &FixedState, table: &TypeTable, id: u32) -> u64 {
    let record = &table.records()[id as usize];
    let mut state = hasher.build_hasher();
    state.write_u32(record.kind.get());
    state.write_u32(record.size_or_type.get());
    state.write(children_of(table, id).as_bytes());
    state.finish()
}

fn hash_words(hasher: &FixedState, kind: u32, size_or_type: u32, children: &[Child]) -> u64 {
    let records: Vec<record::TypeChild> = children
        .iter()
        .map(|child| record::TypeChild { name: child.name.0.into(), a: child.a.into(), b: child.b.into() })
        .collect();
    let mut state = hasher.build_hasher();
    state.write_u32(kind);
    state.write_u32(size_or_type);
    state.write(records.as_bytes());
    state.finish()
}

#[cfg(test)]
mod tests;
