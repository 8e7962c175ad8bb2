//! The fields of a struct or union as a program sees them: members of anonymous members included.

use std::borrow::Cow;

use super::Surface;
use super::types::{Type, TypeKind};

/// Members that one type may have after flattening, and anonymous members met on the way. The largest struct
/// of a real kernel has some hundreds; types that contain themselves, which only damaged input has, stop here.
const LIMIT: usize = 1 << 17;
/// How deep anonymous members may nest. Real ones go to about five.
const DEPTH: usize = 32;

/// A field of a struct or union.
#[derive(Debug, Clone)]
pub struct Field<'a> {
    /// Name. `(anon)`, then `(anon-1)` and so on for what has no name and is no struct or union.
    pub name: Cow<'a, str>,
    /// Type, with its qualifiers.
    pub ty: Type<'a>,
    /// Offset from the start of the outer struct, in bits; `None` where it is unknown.
    pub bit_offset: Option<u64>,
    /// Bits of a bitfield; `None` for other fields, and where that is unknown.
    pub bitfield_size: Option<u8>,
}

/// A field that was looked up by its name.
#[derive(Debug, Clone)]
pub struct Found<'a> {
    /// The outermost struct or union.
    pub outer: Type<'a>,
    /// The field; its offset counts from the start of [`Found::outer`].
    pub field: Field<'a>,
}

/// Parts of a field's name `struct::member`; `None` where it is not of this form.
#[must_use]
pub fn split(name: &str) -> Option<(&str, &str)> {
    name.split_once("::").filter(|(outer, path)| !outer.is_empty() && !path.is_empty())
}

/// The types that the first part of a field's name can mean: a struct, a union, or a typedef of one.
pub fn outer_types<'a>(surface: &'a Surface, name: &'a str) -> impl Iterator<Item = Type<'a>> {
    let rank = |found: &Type<'_>| match found.kind() {
        TypeKind::Struct => 0,
        TypeKind::Union => 1,
        TypeKind::Typedef => 2,
        _ => 3,
    };
    let mut found: Vec<Type<'a>> = surface.types().with_name(name).filter(|found| rank(found) < 3).collect();
    found.sort_by_key(rank);
    found.into_iter().map(|found| found.stripped(true))
}

/// The fields of a name, one per definition that has it, the one that is shown first in front.
pub fn named<'a>(surface: &'a Surface, name: &'a str) -> impl Iterator<Item = Found<'a>> {
    split(name).into_iter().flat_map(move |(outer, path)| {
        outer_types(surface, outer)
            .filter_map(move |outer| Some(Found { outer, field: resolve(outer, path)? }))
    })
}

/// Walks a path of member names. An array or a pointer in the middle ends it: a field lies in its struct.
#[must_use]
pub fn resolve<'a>(outer: Type<'a>, path: &str) -> Option<Field<'a>> {
    let mut current = outer;
    let mut base = Some(0u64);
    let mut steps = path.split('.').peekable();
    while let Some(step) = steps.next() {
        let mut field = fields(current).into_iter().find(|field| field.name == step)?;
        field.bit_offset = field.bit_offset.zip(base).map(|(offset, base)| offset + base);
        if steps.peek().is_none() {
            return Some(field);
        }
        base = field.bit_offset;
        current = field.ty.stripped(true);
    }
    None
}

/// The fields of a STRUCT or UNION, in order of declaration: members of anonymous struct and union members take
/// the place of these, with offsets from the start of the outer one. Nothing for other kinds.
#[must_use]
pub fn fields(ty: Type<'_>) -> Vec<Field<'_>> {
    let mut flat = Flat { fields: Vec::with_capacity(ty.members().len()), met: 0, anonymous: 0 };
    flat.add(ty, Some(0), 0);
    flat.fields
}

struct Flat<'a> {
    fields: Vec<Field<'a>>,
    met: usize,
    anonymous: usize,
}

impl<'a> Flat<'a> {
    fn add(&mut self, ty: Type<'a>, base: Option<u64>, depth: usize) {
        for member in ty.members() {
            self.met += 1;
            if self.met > LIMIT {
                return;
            }
            // A member whose type is not of the table can only come from damaged bytes.
            let Some(member_type) = ty.types().get(member.type_id) else { continue };
            let bit_offset = base.zip(member.bit_offset).map(|(base, offset)| base + u64::from(offset));
            if member.name.is_empty() {
                let inner = member_type.stripped(true);
                if matches!(inner.kind(), TypeKind::Struct | TypeKind::Union) {
                    if depth < DEPTH {
                        self.add(inner, bit_offset, depth + 1);
                    }
                    continue;
                }
            }
            let name = match (member.name, self.anonymous) {
                ("", number) => {
                    self.anonymous += 1;
                    anonymous(number)
                }
                (name, _) => Cow::Borrowed(name),
            };
            self.fields.push(Field {
                name,
                ty: member_type,
                bit_offset,
                bitfield_size: member.bitfield_size,
            });
        }
    }
}

/// The name of the `number`th thing without one: `(anon)`, `(anon-1)`, `(anon-2)`.
fn anonymous(number: usize) -> Cow<'static, str> {
    if number == 0 { Cow::Borrowed("(anon)") } else { Cow::Owned(format!("(anon-{number})")) }
}
