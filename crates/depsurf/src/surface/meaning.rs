//! When two types, of one surface or of two, mean the same (SPEC 5).
//!
//! Two questions are answered here. [`same`]: would the declaration of a parameter or field read the same? Pointers, arrays,
//! qualifiers and prototypes are looked through; what has a name is compared by kind and name; what has none,
//! by its members. [`layout_same`]: are two *definitions* laid out alike, member for member and bit for bit?
//! Each has a hash that is equal where the answer is yes, so that types can be looked up and not only compared.
//!
//! Type tags, parameter names and the order of qualifiers mean nothing to a program and are ignored. So is the
//! difference between INT and FLOAT, and between ENUM and ENUM64: older BTF had only the former.

#[cfg(test)]
mod tests;

use std::collections::HashMap;

use xxhash_rust::xxh3::xxh3_64;

use super::record;
use super::types::{Type, TypeKind, Types};

/// How deep two types are followed. Deeper ones, which only damaged input has, count as different.
const DEPTH: u32 = 64;
/// Pairs of types that one comparison looks at, from which on they count as different. Real types
/// need some hundreds; types that refer to themselves through several ways would need any number.
const STEPS: u32 = 1 << 16;

/// Whether `struct x;` is the same as `struct x { ... }`.
///
/// One image has the definition and another, or another compile unit, only the declaration: in a diff
/// that tells something, in putting the types of one image together it does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Forward {
    /// They differ.
    #[default]
    Differs,
    /// They are the same.
    IsDefinition,
    /// They are the same where the table with the FWD has a definition of that name somewhere else.
    IsDefinedElsewhere,
}

/// Whether both types, of whichever surfaces, mean the same. FWD and STRUCT differ.
#[must_use]
pub fn same(a: Type<'_>, b: Type<'_>) -> bool {
    same_with(a, b, Forward::Differs)
}

/// As [`same`], with a choice about FWD.
#[must_use]
pub fn same_with(a: Type<'_>, b: Type<'_>, forward: Forward) -> bool {
    Comparison { forward, layout: false, steps: STEPS }.meaning(a, b, DEPTH)
}

/// Whether two definitions are laid out alike: kind and size; names, offsets, bitfield sizes and types (by
/// meaning) of members; names and values of enumerators; the target of a typedef; size and encoding of an INT.
/// The types' own names are not compared. Other kinds have no layout and compare as with [`same`].
/// FWD and STRUCT differ.
#[must_use]
pub fn layout_same(a: Type<'_>, b: Type<'_>) -> bool {
    layout_same_with(a, b, Forward::Differs)
}

/// As [`layout_same`], with a choice about FWD in the types of members. A FWD itself has no layout and is never
/// laid out like a STRUCT.
#[must_use]
pub fn layout_same_with(a: Type<'_>, b: Type<'_>, forward: Forward) -> bool {
    Comparison { forward, layout: true, steps: STEPS }.layout(a, b, DEPTH)
}

/// Whether the children of both, members or parameters, have the same names in the same order.
pub(crate) fn same_child_names(a: Type<'_>, b: Type<'_>) -> bool {
    let (left, right) = (a.children(), b.children());
    left.len() == right.len()
        && left.iter().zip(right).all(|(x, y)| same_name(a.types(), x.name.get(), b.types(), y.name.get()))
}

/// Whether two enumerators stand for the same value. BTF written before ENUM had a sign (`kind_flag`) gives
/// -1 as 4294967295; they count as equal.
#[must_use]
pub fn value_same(a: i128, b: i128) -> bool {
    sign_free(a) == sign_free(b)
}

/// A 64-bit hash of the meaning, the same in every process and on every machine: equal where [`same_with`] says
/// yes, whatever it was told about FWD.
#[must_use]
pub fn hash(ty: Type<'_>) -> u64 {
    Hashing::new(ty.types(), HashMap::new()).complete(ty)
}

/// A 64-bit hash of the layout, stable as [`hash`]: equal where [`layout_same_with`] says yes.
#[must_use]
pub fn layout_hash(ty: Type<'_>) -> u64 {
    Hashing::new(ty.types(), HashMap::new()).layout(ty)
}

/// The hashes of all types of a table, by id; what [`hash`] and [`layout_hash`] give, but each part only once.
#[derive(Debug, Clone)]
pub struct Hashes {
    /// [`hash`] of each type.
    pub meaning: Vec<u64>,
    /// [`layout_hash`] of each type.
    pub layout: Vec<u64>,
}

impl Hashes {
    /// Hashes every type.
    #[must_use]
    pub fn new(types: Types<'_>) -> Self {
        let mut hashing = Hashing::new(types, vec![UNKNOWN; types.len() as usize]);
        let mut layout = Vec::with_capacity(types.len() as usize);
        for ty in (0..types.len()).filter_map(|id| types.get(super::TypeId(id))) {
            hashing.complete(ty);
            layout.push(hashing.layout(ty));
        }
        Self { meaning: hashing.memo, layout }
    }
}

/// What a kind means: kinds of equal class are not told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Class {
    Void = 1,
    Number,
    Pointer,
    Array,
    Struct,
    Union,
    Enum,
    Typedef,
    Prototype,
    Function,
    Variable,
    Section,
    Tag,
}

fn class(ty: Type<'_>) -> Class {
    match ty.kind() {
        // Qualifiers and type tags are taken off before; what is left of a chain that does not end is nothing.
        TypeKind::Void | TypeKind::Const | TypeKind::Volatile | TypeKind::Restrict | TypeKind::TypeTag => {
            Class::Void
        }
        TypeKind::Int | TypeKind::Float => Class::Number,
        TypeKind::Ptr => Class::Pointer,
        TypeKind::Array => Class::Array,
        TypeKind::Struct => Class::Struct,
        TypeKind::Union => Class::Union,
        TypeKind::Fwd if ty.kind_flag() => Class::Union,
        TypeKind::Fwd => Class::Struct,
        TypeKind::Enum | TypeKind::Enum64 => Class::Enum,
        TypeKind::Typedef => Class::Typedef,
        TypeKind::FuncProto => Class::Prototype,
        TypeKind::Func => Class::Function,
        TypeKind::Var => Class::Variable,
        TypeKind::Datasec => Class::Section,
        TypeKind::DeclTag => Class::Tag,
    }
}

/// Qualifiers as a set, and the type behind them and behind type tags.
fn unqualified(ty: Type<'_>) -> (u8, Type<'_>) {
    let (mut set, mut current) = (0, ty);
    for _ in 0..DEPTH {
        match current.kind() {
            TypeKind::Const => set |= 1,
            TypeKind::Volatile => set |= 2,
            TypeKind::Restrict => set |= 4,
            TypeKind::TypeTag => {}
            _ => break,
        }
        match current.target() {
            Some(next) => current = next,
            None => break,
        }
    }
    (set, current)
}

/// An enumerator's value without its sign; see [`value_same`].
pub(crate) fn sign_free(value: i128) -> u64 {
    let value = value as i64;
    if (-(1 << 31)..1 << 32).contains(&value) { u64::from(value as u32) } else { value.cast_unsigned() }
}

/// The bytes of a name. Unlike [`Type::name`] this does not check that they are UTF-8, which takes longer than
/// all else here.
fn name(types: Types<'_>, at: u32) -> &[u8] {
    let rest = types.strings.get(at as usize..).unwrap_or_default();
    memchr::memchr(0, rest).map_or(&[], |end| &rest[..end])
}

fn same_name(a: Types<'_>, a_at: u32, b: Types<'_>, b_at: u32) -> bool {
    // Equal strings of one table are one string, and the empty one is the first of every table.
    if std::ptr::eq(a.strings, b.strings) || a_at == 0 || b_at == 0 {
        return a_at == b_at;
    }
    let name = name(a, a_at);
    b.strings
        .get(b_at as usize..)
        .and_then(|rest| rest.strip_prefix(name))
        .is_some_and(|rest| rest.first() == Some(&0))
}

struct Comparison {
    forward: Forward,
    /// Whether anonymous members have to be laid out alike.
    layout: bool,
    steps: u32,
}

impl Comparison {
    fn meaning(&mut self, a: Type<'_>, b: Type<'_>, depth: u32) -> bool {
        if depth == 0 || self.steps == 0 {
            return false;
        }
        self.steps -= 1;
        if std::ptr::eq(a.types().records, b.types().records) && a.id() == b.id() {
            return true;
        }
        let ((a_set, a), (b_set, b)) = (unqualified(a), unqualified(b));
        if a_set != b_set || class(a) != class(b) {
            return false;
        }
        let named = same_name(a.types(), a.name_id().0, b.types(), b.name_id().0);
        let anonymous = a.name_id().is_empty();
        match class(a) {
            Class::Void => true,
            Class::Number | Class::Typedef | Class::Section => named,
            Class::Struct | Class::Union if !named => false,
            Class::Struct | Class::Union => {
                let forward = (a.kind() == TypeKind::Fwd, b.kind() == TypeKind::Fwd);
                match forward {
                    (true, true) => true,
                    (false, false) => !anonymous || self.members(a, b, depth),
                    _ if anonymous => false,
                    (a_is, _) => match self.forward {
                        Forward::Differs => false,
                        Forward::IsDefinition => true,
                        Forward::IsDefinedElsewhere => is_defined(if a_is { a } else { b }),
                    },
                }
            }
            Class::Enum => named && (!anonymous || self.enumerators(a, b)),
            Class::Array => {
                let (Some((a_id, a_count)), Some((b_id, b_count))) = (a.array(), b.array()) else {
                    return false;
                };
                a_count == b_count && self.ids(a, a_id.0, b, b_id.0, depth)
            }
            Class::Pointer => self.targets(a, b, depth),
            Class::Prototype => {
                let (left, right) = (a.children(), b.children());
                left.len() == right.len()
                    && self.targets(a, b, depth)
                    && left.iter().zip(right).all(|(x, y)| self.ids(a, x.a.get(), b, y.a.get(), depth))
            }
            Class::Function | Class::Variable => named && self.targets(a, b, depth),
            Class::Tag => named && first_word(a) == first_word(b) && self.targets(a, b, depth),
        }
    }

    fn targets(&mut self, a: Type<'_>, b: Type<'_>, depth: u32) -> bool {
        match (a.target_id(), b.target_id()) {
            (Some(a_id), Some(b_id)) => self.ids(a, a_id.0, b, b_id.0, depth),
            _ => false,
        }
    }

    /// The meaning of the types that `a` and `b` refer to by these ids.
    fn ids(&mut self, a: Type<'_>, a_id: u32, b: Type<'_>, b_id: u32, depth: u32) -> bool {
        match (a.types().get(super::TypeId(a_id)), b.types().get(super::TypeId(b_id))) {
            (Some(a), Some(b)) => self.meaning(a, b, depth - 1),
            _ => false,
        }
    }

    fn members(&mut self, a: Type<'_>, b: Type<'_>, depth: u32) -> bool {
        let (left, right) = (a.children(), b.children());
        if left.len() != right.len() || self.layout && a.size() != b.size() {
            return false;
        }
        left.iter().zip(right).all(|(x, y)| {
            same_name(a.types(), x.name.get(), b.types(), y.name.get())
                && (!self.layout || place(a, x) == place(b, y))
                && self.ids(a, x.a.get(), b, y.a.get(), depth)
        })
    }

    fn enumerators(&self, a: Type<'_>, b: Type<'_>) -> bool {
        a.children().len() == b.children().len()
            && (!self.layout || a.size() == b.size())
            && a.enumerators()
                .zip(b.enumerators())
                .all(|(x, y)| x.name == y.name && value_same(x.value, y.value))
    }

    fn layout(&mut self, a: Type<'_>, b: Type<'_>, depth: u32) -> bool {
        match (a.kind(), b.kind()) {
            (TypeKind::Struct, TypeKind::Struct) | (TypeKind::Union, TypeKind::Union) => {
                self.members(a, b, depth)
            }
            (TypeKind::Enum | TypeKind::Enum64, TypeKind::Enum | TypeKind::Enum64) => self.enumerators(a, b),
            (TypeKind::Typedef, TypeKind::Typedef) => self.targets(a, b, depth),
            (TypeKind::Int, TypeKind::Int) => a.size() == b.size() && first_word(a) == first_word(b),
            (TypeKind::Float, TypeKind::Float) => a.size() == b.size(),
            _ if is_definition(a) || is_definition(b) => false,
            _ => self.meaning(a, b, depth),
        }
    }
}

/// Whether the table of a FWD has a definition of its name.
fn is_defined(forward: Type<'_>) -> bool {
    let kind = if forward.kind_flag() { TypeKind::Union } else { TypeKind::Struct };
    forward.types().find(kind, forward.name()).is_some()
}

/// Whether the type has a layout of its own.
fn is_definition(ty: Type<'_>) -> bool {
    use TypeKind::{Enum, Enum64, Float, Int, Struct, Typedef, Union};
    matches!(ty.kind(), Struct | Union | Enum | Enum64 | Typedef | Int | Float)
}

/// Bit offset and bitfield size of a member, in one number.
fn place(ty: Type<'_>, member: &record::TypeChild) -> u64 {
    let word = u64::from(member.b.get());
    // Without `kind_flag` the word is the offset alone; with it, the size is in bits 24-31.
    if ty.kind_flag() { word & 0xff_ffff | (word >> 24) << 32 } else { word }
}

fn first_word(ty: Type<'_>) -> u32 {
    ty.children().first().map_or(0, |child| child.a.get())
}

/// A type that has no hash yet, and one that is being hashed. No hash has one of these values.
const UNKNOWN: u64 = 0;
const OPEN: u64 = 1;
/// The hash of all types that lead back to themselves without a name between, as only damaged input has them: two of
/// them are the same where they lead to one and the same type, wherever in the ring that is.
const RING: u64 = 2;

/// The hash of `void`.
const NOTHING: u64 = 3;

/// Marks of what would else hash as a named type followed by a number: `const enum b` and `enum { b = 1 }`.
const QUALIFIED: u64 = 1 << 32;
const ANONYMOUS: u64 = 1 << 33;

/// Hashes by id: of all types, or of those that one type leads to.
trait Memo {
    fn get(&self, id: u32) -> u64;
    fn set(&mut self, id: u32, hash: u64);
}

impl Memo for Vec<u64> {
    fn get(&self, id: u32) -> u64 {
        self.as_slice().get(id as usize).copied().unwrap_or(UNKNOWN)
    }

    fn set(&mut self, id: u32, hash: u64) {
        if let Some(slot) = self.as_mut_slice().get_mut(id as usize) {
            *slot = hash;
        }
    }
}

impl Memo for HashMap<u32, u64> {
    fn get(&self, id: u32) -> u64 {
        self.get(&id).copied().unwrap_or(UNKNOWN)
    }

    fn set(&mut self, id: u32, hash: u64) {
        self.insert(id, hash);
    }
}

struct Hashing<'a, M> {
    types: Types<'a>,
    memo: M,
    steps: u32,
    /// Whether the type that is being hashed leads back to itself, as far as that is seen.
    ring: bool,
    /// The type where the walk ended because it went deep enough: it has to be hashed first.
    deep: Option<u32>,
}

impl<'a, M: Memo> Hashing<'a, M> {
    fn new(types: Types<'a>, memo: M) -> Self {
        Self { types, memo, steps: STEPS, ring: false, deep: None }
    }

    /// The hash of a type, however deep it is.
    fn complete(&mut self, ty: Type<'a>) -> u64 {
        let known = self.memo.get(ty.id().0);
        if known != UNKNOWN {
            return known;
        }
        let mut waiting = vec![ty];
        while let Some(&first) = waiting.last() {
            (self.steps, self.ring, self.deep) = (STEPS, false, None);
            self.meaning(first, DEPTH);
            match self.deep {
                None => drop(waiting.pop()),
                // Each of those that wait leads to the next: what waits already is a ring longer than a walk.
                Some(id) if waiting.iter().any(|other| other.id().0 == id) => self.memo.set(id, RING),
                Some(id) => waiting.extend(self.types.get(super::TypeId(id))),
            }
        }
        self.memo.get(ty.id().0)
    }

    fn meaning(&mut self, ty: Type<'a>, depth: u32) -> u64 {
        let at = ty.id().0;
        match self.memo.get(at) {
            // A walk that has to be repeated goes nowhere any more.
            UNKNOWN if self.deep.is_some() => return RING,
            UNKNOWN => {}
            OPEN | RING => {
                self.ring = true;
                return RING;
            }
            known => return known,
        }
        if depth == 0 || self.steps == 0 {
            self.deep = Some(at);
            return RING;
        }
        self.steps -= 1;
        self.memo.set(at, OPEN);
        let outer = std::mem::replace(&mut self.ring, false);
        let (qualifiers, inner) = unqualified(ty);
        let inner = if class(inner) == Class::Void {
            // What a chain of qualifiers that does not end is taken for, wherever it is left.
            NOTHING
        } else if inner.id() == ty.id() {
            self.unqualified(ty, depth)
        } else {
            self.meaning(inner, depth - 1)
        };
        let hash = if qualifiers == 0 { inner } else { mix(inner, QUALIFIED | u64::from(qualifiers)) };
        let hash = match (self.deep, self.ring) {
            (Some(_), _) => UNKNOWN,
            (None, true) => RING,
            (None, false) => hash.max(RING + 1),
        };
        self.memo.set(at, hash);
        self.ring |= outer;
        hash
    }

    fn unqualified(&mut self, ty: Type<'a>, depth: u32) -> u64 {
        let class = class(ty);
        let seed = class as u64;
        let named = || mix(seed, xxh3_64(name(ty.types(), ty.name_id().0)));
        match class {
            Class::Void => seed,
            Class::Number | Class::Typedef | Class::Section => named(),
            Class::Struct | Class::Union | Class::Enum if !ty.name_id().is_empty() => named(),
            // Only FWD: it has no members, and is equal to FWD alone.
            Class::Struct | Class::Union if ty.kind() == TypeKind::Fwd => mix(seed, 1),
            Class::Struct | Class::Union => ty.children().iter().fold(seed | ANONYMOUS, |hash, member| {
                let name = xxh3_64(name(ty.types(), member.name.get()));
                mix(mix(hash, name), self.id(member.a.get(), depth))
            }),
            Class::Enum => enumerators(seed | ANONYMOUS, ty),
            Class::Array => {
                let (element, count) = ty.array().unwrap_or((super::TypeId::VOID, 0));
                mix(mix(seed, u64::from(count)), self.id(element.0, depth))
            }
            Class::Pointer => mix(seed, self.target(ty, depth)),
            Class::Prototype => {
                ty.children().iter().fold(mix(seed, self.target(ty, depth)), |hash, param| {
                    mix(hash, self.id(param.a.get(), depth))
                })
            }
            Class::Function | Class::Variable => mix(named(), self.target(ty, depth)),
            Class::Tag => mix(mix(named(), u64::from(first_word(ty))), self.target(ty, depth)),
        }
    }

    fn target(&mut self, ty: Type<'a>, depth: u32) -> u64 {
        ty.target_id().map_or(RING, |id| self.id(id.0, depth))
    }

    fn id(&mut self, id: u32, depth: u32) -> u64 {
        self.types.get(super::TypeId(id)).map_or(RING, |ty| self.meaning(ty, depth - 1))
    }

    fn complete_id(&mut self, id: u32) -> u64 {
        self.types.get(super::TypeId(id)).map_or(RING, |ty| self.complete(ty))
    }

    fn layout(&mut self, ty: Type<'a>) -> u64 {
        let size = u64::from(ty.size().unwrap_or(0));
        // Not one of the classes: a definition is never taken for what has only a meaning.
        let seed = mix(0x100 | class(ty) as u64, size);
        match ty.kind() {
            TypeKind::Struct | TypeKind::Union => ty.children().iter().fold(seed, |hash, member| {
                let name = xxh3_64(name(ty.types(), member.name.get()));
                mix(mix(mix(hash, name), place(ty, member)), self.complete_id(member.a.get()))
            }),
            TypeKind::Enum | TypeKind::Enum64 => enumerators(seed, ty),
            TypeKind::Typedef => mix(seed, ty.target_id().map_or(RING, |id| self.complete_id(id.0))),
            TypeKind::Int => mix(seed, u64::from(first_word(ty))),
            TypeKind::Float => seed,
            _ => self.complete(ty),
        }
    }
}

fn enumerators(seed: u64, ty: Type<'_>) -> u64 {
    ty.enumerators()
        .fold(seed, |hash, item| mix(mix(hash, xxh3_64(item.name.as_bytes())), sign_free(item.value)))
}

/// Folds `next` into `hash`; the order matters. The factors are digits of pi and e.
fn mix(hash: u64, next: u64) -> u64 {
    let product = u128::from(hash ^ 0x243f_6a88_85a3_08d3) * u128::from(next ^ 0xb7e1_5162_8aed_2a6b | 1);
    (product as u64 ^ (product >> 64) as u64).wrapping_add(next)
}
