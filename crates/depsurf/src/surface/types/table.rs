//! The types of a surface while it is built.

use zerocopy::little_endian::U32;

use super::{TypeId, TypeKind, Types};
use crate::surface::index;
use crate::surface::record;
use crate::surface::strings::{StrId, Strings};

/// A child of a type while it is built; see [`record::TypeChild`] for the words' meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "see the record")]
pub struct Child {
    pub name: StrId,
    pub a: u32,
    pub b: u32,
}

/// The types of a surface while it is built. Ids are given in order of [`TypeTable::push`], from 1.
#[derive(Debug, Clone)]
pub struct TypeTable {
    records: Vec<record::Type>,
    children: Vec<record::TypeChild>,
}

impl Default for TypeTable {
    fn default() -> Self {
        let void = record::Type {
            name: 0.into(),
            kind: u32::from(TypeKind::Void as u8).into(),
            size_or_type: 0.into(),
            first_child: 0.into(),
        };
        Self { records: vec![void], children: Vec::new() }
    }
}

impl TypeTable {
    /// A table that holds only `void`.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The id that the next [`TypeTable::push`] will give.
    #[must_use]
    pub fn next_id(&self) -> TypeId {
        TypeId(self.records.len() as u32)
    }

    /// Adds a type and gives its id. `size_or_type` and `kind_flag` mean what they mean in `struct btf_type`.
    pub fn push(
        &mut self,
        kind: TypeKind,
        kind_flag: bool,
        name: StrId,
        size_or_type: u32,
        children: impl IntoIterator<Item = Child>,
    ) -> TypeId {
        let id = self.next_id();
        let first_child = self.children.len() as u32;
        self.children.extend(children.into_iter().map(|child| record::TypeChild {
            name: child.name.0.into(),
            a: child.a.into(),
            b: child.b.into(),
        }));
        self.records.push(record::Type {
            name: name.0.into(),
            kind: (u32::from(kind as u8) | u32::from(kind_flag) << 8).into(),
            size_or_type: size_or_type.into(),
            first_child: first_child.into(),
        });
        id
    }

    /// Sets `record::TYPE_*` bits of a type.
    ///
    /// # Panics
    /// When the id is unknown.
    pub fn mark(&mut self, id: TypeId, bits: u32) {
        let record = &mut self.records[id.0 as usize];
        record.kind = (record.kind.get() | bits).into();
    }

    /// Replaces every reference from a type to another one, so that types can be named before they are there.
    pub(crate) fn redirect(&mut self, target: impl Fn(u32) -> u32) {
        for index in 0..self.records.len() {
            let id = TypeId(index as u32);
            let range = self.child_range(id);
            let record = &mut self.records[index];
            let kind = TypeKind::from_number(record.kind.get() as u8).unwrap_or(TypeKind::Void);
            if kind.has_target() {
                record.size_or_type = target(record.size_or_type.get()).into();
            }
            use TypeKind::{Array, Datasec, FuncProto, Struct, Union};
            if matches!(kind, Struct | Union | FuncProto | Array | Datasec) {
                for child in &mut self.children[range] {
                    child.a = target(child.a.get()).into();
                }
            }
        }
    }

    fn child_range(&self, id: TypeId) -> std::ops::Range<usize> {
        let start = self.records[id.0 as usize].first_child.get() as usize;
        let next = self.records.get(id.0 as usize + 1);
        start..next.map_or(self.children.len(), |next| next.first_child.get() as usize)
    }

    /// The children of a type, as stored.
    ///
    /// # Panics
    /// When the id is unknown.
    pub(crate) fn children_of(&self, id: TypeId) -> &[record::TypeChild] {
        &self.children[self.child_range(id)]
    }

    /// Takes back the types from `next` on, as if they had not been pushed.
    pub(crate) fn truncate(&mut self, next: TypeId) {
        if let Some(first) = self.records.get(next.0 as usize) {
            self.children.truncate(first.first_child.get() as usize);
            self.records.truncate(next.0 as usize);
        }
    }

    /// Replaces the content of a type whose number of children is already right, so that types which refer
    /// to each other can be built.
    ///
    /// # Panics
    /// When the number of children differs or the id is unknown.
    pub fn patch(&mut self, id: TypeId, kind_flag: bool, size_or_type: u32, children: &[Child]) {
        let record = &mut self.records[id.0 as usize];
        record.kind = (record.kind.get() & 0xff | u32::from(kind_flag) << 8).into();
        record.size_or_type = size_or_type.into();
        let range = self.child_range(id);
        assert_eq!(range.len(), children.len(), "a type keeps its number of children");
        for (stored, child) in self.children[range].iter_mut().zip(children) {
            *stored = record::TypeChild { name: child.name.0.into(), a: child.a.into(), b: child.b.into() };
        }
    }

    /// The records, as stored.
    #[must_use]
    pub fn records(&self) -> &[record::Type] {
        &self.records
    }

    /// The children, as stored.
    #[must_use]
    pub fn children(&self) -> &[record::TypeChild] {
        &self.children
    }

    /// Ids of the named types, sorted by name, kind, id.
    #[must_use]
    pub fn by_name(&self, strings: &Strings) -> Vec<U32> {
        index::types_by_name(&self.records, strings.bytes())
    }

    /// The table as a view. `by_name` is what [`TypeTable::by_name`] gave.
    #[must_use]
    pub fn view<'a>(&'a self, strings: &'a Strings, by_name: &'a [U32]) -> Types<'a> {
        Types { records: &self.records, children: &self.children, by_name, strings: strings.bytes() }
    }
}
