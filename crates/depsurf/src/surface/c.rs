//! Types as C text, in the form of the pages (SPEC 6 "C declarations").
//!
//! This is C to be read, not to be compiled: qualifiers are written before the type they belong to, wherever
//! that is, so that a `const` pointer to a `const` struct reads `const const struct x * name`; a pointer to an
//! array reads `u32[256] *name`; things without a name are `(anon)`; bitfields show no width. Type tags are
//! left out.

#[cfg(test)]
mod tests;

use super::field::fields;
use super::types::{Type, TypeKind};

/// How deep a declaration is followed. Types that refer to themselves, which only damaged input has, are cut.
const DEPTH: usize = 48;
/// Bytes of one declaration, from which on it is cut; the longest of a real kernel has some hundreds.
const DECLARATION: usize = 1 << 16;
/// Bytes of a struct or enum definition, from which on it is cut.
const DEFINITION: usize = 1 << 22;
/// What stands for the rest of a text that is cut.
const CUT: &str = "/* cut */";

/// The declaration of a variable, member or parameter `name` of this type, without a semicolon:
/// `struct x *name`, `char name[16]`, `int (*name)(struct a *, int)`. With an empty name, the type alone.
#[must_use]
pub fn declaration(ty: Type<'_>, name: &str) -> String {
    Declarator { left: DECLARATION }.text(ty, name, DEPTH)
}

/// The declaration of a function: `int name(void *buffer, size_t buflen);`. `proto` is a FUNC_PROTO or a FUNC.
#[must_use]
pub fn prototype(proto: Type<'_>, name: &str) -> String {
    let proto = match proto.kind() {
        TypeKind::Func => proto.target().unwrap_or(proto),
        _ => proto,
    };
    let mut declarator = Declarator { left: DECLARATION };
    let params = declarator.params(proto, DEPTH, true);
    let mut text = declarator.returns(proto, name, &params, DEPTH);
    text.push(';');
    text
}

/// The definition of a STRUCT or UNION on several lines: one line per field, anonymous members flattened
/// (see [`fields`]), no newline at the end.
#[must_use]
pub fn structure(ty: Type<'_>) -> String {
    let lines = fields(ty).into_iter().map(|field| declaration(field.ty, &field.name) + ";");
    body(&declaration(ty, ""), lines)
}

/// The definition of an ENUM or ENUM64 on several lines: one line per value, no newline at the end.
#[must_use]
pub fn enumeration(ty: Type<'_>) -> String {
    let lines = ty.enumerators().map(|value| format!("{} = {},", value.name, value.value));
    body(&declaration(ty, ""), lines)
}

/// What defines the type: [`structure`], [`enumeration`], `typedef T name;`, [`prototype`] of a FUNC,
/// `T name;` of a VAR, and `T;` for the others.
#[must_use]
pub fn definition(ty: Type<'_>) -> String {
    match ty.kind() {
        TypeKind::Struct | TypeKind::Union => structure(ty),
        TypeKind::Enum | TypeKind::Enum64 => enumeration(ty),
        TypeKind::Func => prototype(ty, ty.name()),
        TypeKind::Typedef | TypeKind::Var => {
            let target =
                ty.target().map_or_else(|| ty.name().to_owned(), |target| declaration(target, ty.name()));
            if ty.kind() == TypeKind::Typedef { format!("typedef {target};") } else { format!("{target};") }
        }
        _ => declaration(ty, "") + ";",
    }
}

fn body(head: &str, lines: impl Iterator<Item = String>) -> String {
    let mut text = format!("{head} {{\n");
    for line in lines {
        if text.len() + line.len() > DEFINITION {
            text.push_str("    ");
            text.push_str(CUT);
            text.push('\n');
            break;
        }
        text.push_str("    ");
        text.push_str(&line);
        text.push('\n');
    }
    text.push_str("};");
    text
}

/// Writes one declaration, from the outside of the type to its inside.
struct Declarator {
    /// Bytes that may still be written.
    left: usize,
}

impl Declarator {
    /// The type with `name` where C wants it. `name` is a whole declarator: it may hold stars and dimensions.
    fn text(&mut self, ty: Type<'_>, name: &str, depth: usize) -> String {
        let cost = name.len().max(ty.name().len()) + 8;
        if depth == 0 || cost > self.left {
            self.left = 0;
            return CUT.into();
        }
        self.left -= cost;
        let depth = depth - 1;
        match ty.kind() {
            TypeKind::Void => join("void", name),
            TypeKind::Int | TypeKind::Float | TypeKind::Typedef => join(ty.name(), name),
            TypeKind::Struct => join_tag("struct", ty.name(), name),
            TypeKind::Union => join_tag("union", ty.name(), name),
            TypeKind::Enum | TypeKind::Enum64 => join_tag("enum", ty.name(), name),
            TypeKind::Fwd => join_tag(if ty.kind_flag() { "union" } else { "struct" }, ty.name(), name),
            TypeKind::Const => self.qualified("const", ty, name, depth),
            TypeKind::Volatile => self.qualified("volatile", ty, name, depth),
            TypeKind::Restrict => self.qualified("restrict", ty, name, depth),
            TypeKind::Ptr => self.pointer(ty, name, depth),
            TypeKind::Array => self.array(ty, name, depth),
            TypeKind::FuncProto => {
                let params = self.params(ty, depth, false);
                self.returns(ty, name, &params, depth)
            }
            TypeKind::TypeTag | TypeKind::Func | TypeKind::Var | TypeKind::DeclTag => match ty.target() {
                Some(target) => self.text(target, name, depth),
                None => join(CUT, name),
            },
            TypeKind::Datasec => join(ty.name(), name),
        }
    }

    /// A pointer: `T *name`, `T **name`, `R (*name)(A, B)`.
    fn pointer(&mut self, ty: Type<'_>, name: &str, depth: usize) -> String {
        let mut stars = String::from("*");
        let mut target = target(ty);
        while let Some(next) = target.filter(|next| next.kind() == TypeKind::Ptr && stars.len() < DEPTH) {
            stars.push('*');
            target = self::target(next);
        }
        let Some(target) = target else { return join(CUT, &(stars + name)) };
        if target.kind() == TypeKind::FuncProto {
            return self.text(target, &format!("({stars}{name})"), depth);
        }
        if is_function_pointer(target) {
            return self.text(target, &(stars + name), depth);
        }
        self.text(target, "", depth) + " " + &stars + name
    }

    /// An array: `T name[3]`, `T * name[3]`, `R (*name[3])(A, B)`.
    fn array(&mut self, ty: Type<'_>, name: &str, depth: usize) -> String {
        let Some((element, count)) = ty.array().and_then(|(id, count)| Some((ty.types().get(id)?, count)))
        else {
            return join(CUT, name);
        };
        let declarator = format!("{name}[{count}]");
        if element.stripped(false).kind() == TypeKind::Array || is_function_pointer(element) {
            return self.text(element, &declarator, depth);
        }
        let text = self.text(element, "", depth);
        if name.is_empty() { text + &declarator } else { text + " " + &declarator }
    }

    /// A qualified type: the qualifier, then the type, then the name, as in `const struct x * name`.
    fn qualified(&mut self, qualifier: &str, ty: Type<'_>, name: &str, depth: usize) -> String {
        let Some(target) = target(ty) else { return join(qualifier, name) };
        if is_function_pointer(target) {
            // Before the result type the qualifier would seem to be about the result.
            return self.text(target, &join(qualifier, name), depth);
        }
        if target.stripped(false).kind() == TypeKind::Array {
            return format!("{qualifier} {}", self.text(target, name, depth));
        }
        let text = self.text(target, "", depth);
        join(&format!("{qualifier} {text}"), name)
    }

    /// Result type, declarator and parameters. A pointer result has its star at the name, as with variables,
    /// but not where the declarator is a pointer: `struct x *name(int)`, `struct x * (*name)(int)`.
    fn returns(&mut self, proto: Type<'_>, name: &str, params: &str, depth: usize) -> String {
        let declarator = format!("{name}{params}");
        let Some(result) = target(proto) else { return join(CUT, &declarator) };
        if is_function_pointer(result) || !name.starts_with('(') {
            return self.text(result, &declarator, depth);
        }
        self.text(result, "", depth) + " " + &declarator
    }

    /// The parameters in parentheses, with their names or without.
    fn params(&mut self, proto: Type<'_>, depth: usize, names: bool) -> String {
        let mut text = String::from("(");
        for param in proto.params() {
            if text.len() > 1 {
                text.push_str(", ");
            }
            let Some(ty) = proto.types().get(param.type_id) else { continue };
            // BTF's way to say that the number of parameters varies: a nameless `void` at the end.
            if param.name.is_empty() && ty.kind() == TypeKind::Void {
                text.push_str("...");
            } else {
                text.push_str(&self.text(ty, if names { param.name } else { "" }, depth));
            }
            if self.left == 0 {
                break;
            }
        }
        text.push(')');
        text
    }
}

/// What a type refers to, behind type tags.
fn target(ty: Type<'_>) -> Option<Type<'_>> {
    let mut target = ty.target()?;
    for _ in 0..DEPTH {
        if target.kind() != TypeKind::TypeTag {
            break;
        }
        target = target.target()?;
    }
    Some(target)
}

/// Whether the name stands inside the type: a pointer to a function, behind any number of pointers.
fn is_function_pointer(ty: Type<'_>) -> bool {
    let mut current = ty;
    for _ in 0..DEPTH {
        match current.kind() {
            TypeKind::FuncProto => return current.id() != ty.id(),
            TypeKind::Ptr | TypeKind::Const | TypeKind::Volatile | TypeKind::Restrict => {}
            _ => return false,
        }
        match target(current) {
            Some(next) => current = next,
            None => return false,
        }
    }
    false
}

fn join(ty: &str, name: &str) -> String {
    if name.is_empty() { ty.to_owned() } else { format!("{ty} {name}") }
}

fn join_tag(keyword: &str, tag: &str, name: &str) -> String {
    let tag = if tag.is_empty() { "(anon)" } else { tag };
    if name.is_empty() { format!("{keyword} {tag}") } else { format!("{keyword} {tag} {name}") }
}
