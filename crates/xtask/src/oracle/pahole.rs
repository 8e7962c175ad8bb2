//! Sizes and offsets of all structs and unions as `pahole` prints them from DWARF, beside ours.

use std::collections::HashMap;
use std::path::Path;

use anyhow::Result;
use depsurf::surface::types::Member;
use depsurf::surface::{Surface, Type, TypeKind};

use super::elf::run;
use super::table::{Reason, Row, UNEXPLAINED};

/// A field: name, byte offset of its storage unit or of itself, bit in it and width of a bitfield.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Field {
    name: String,
    /// Offset from the start of the outermost struct, in bits.
    bit_offset: u64,
    /// Width of a bitfield, in bits.
    width: Option<u64>,
}

/// A definition that pahole printed.
#[derive(Debug, Default, PartialEq, Eq)]
struct Definition {
    name: String,
    /// In bytes; pahole tells none for a union.
    size: Option<u64>,
    fields: Vec<Field>,
}

/// Compares all definitions. `surface` has its types from DWARF.
pub fn compare(vmlinux: &Path, surface: &Surface) -> Result<Vec<Row>> {
    let mut ours = Ours::new(surface);
    ours.compare(vmlinux)?;
    Ok(ours.rows())
}

/// The definitions of a surface, which are compared with those of one or more files.
pub struct Ours<'a> {
    definitions: HashMap<(TypeKind, &'a str), Vec<Definition>>,
    /// The same as [`NAMELESS`] tells.
    nameless: HashMap<(TypeKind, &'a str), Vec<Definition>>,
    sizes: Row,
    fields: Row,
}

impl<'a> Ours<'a> {
    /// The definitions of a surface that has its types from DWARF.
    pub fn new(surface: &'a Surface) -> Self {
        let mut ours = Self {
            definitions: HashMap::new(),
            nameless: HashMap::new(),
            sizes: Row::new("sizes of structs in `pahole`"),
            fields: Row::new("fields of structs and unions in `pahole`: names, offsets, widths"),
        };
        for found in surface.types().iter() {
            if matches!(found.kind(), TypeKind::Struct | TypeKind::Union) && !found.name().is_empty() {
                let key = (found.kind(), found.name());
                ours.definitions.entry(key).or_default().push(definition(found, false));
                ours.nameless.entry(key).or_default().push(definition(found, true));
            }
        }
        ours
    }

    /// Compares them with what pahole reads in a file.
    pub fn compare(&mut self, file: &Path) -> Result<()> {
        for (kind, definition) in parse(&run("pahole", &["-F", "dwarf"], file)?) {
            self.one(kind, &definition);
        }
        Ok(())
    }

    /// What was compared.
    pub fn rows(self) -> Vec<Row> {
        vec![self.sizes, self.fields]
    }

    fn one(&mut self, kind: TypeKind, definition: &Definition) {
        let title = || format!("{} `{}`", kind.name(), definition.name);
        let key = (kind, definition.name.as_str());
        let Some(ours) = self.definitions.get(&key) else {
            let is_rust = definition.name.contains(['<', ':', '{', '(', '&', '*']);
            self.sizes.only_there(if is_rust { RUST } else { UNEXPLAINED }, title);
            return;
        };
        if let Some(size) = definition.size {
            if ours.iter().any(|other| other.size == Some(size)) {
                self.sizes.equal();
            } else {
                let sizes = || format!("{}: {size} there, {:?} here", title(), ours[0].size);
                self.sizes.different(UNEXPLAINED, sizes);
            }
        }
        if ours.iter().any(|other| other.fields == definition.fields) {
            self.fields.equal();
        } else {
            let other = ours.iter().find(|other| other.size == definition.size).unwrap_or(&ours[0]);
            let pair = definition.fields.iter().zip(&other.fields).find(|(a, b)| a != b);
            let without = self.nameless.get(&key).into_iter().flatten();
            let is_nameless = without.into_iter().any(|other| other.fields == definition.fields);
            let reason = if is_nameless { NAMELESS } else { UNEXPLAINED };
            self.fields.different(reason, || format!("{}: {pair:?}", title()));
        }
    }
}

const RUST: Reason = Reason {
    id: "rust",
    text: "Types of compile units in Rust, whose names say so; they are left out here, with a note.",
};

const NAMELESS: Reason = Reason {
    id: "name-left-out",
    text: "pahole leaves out the name of a member whose type is a qualified struct without a name (`const struct { ... } bits;`), so that the struct's own fields seem to be the outer one's.",
};

/// A definition of ours. `nameless` takes the name from members of the kind that [`NAMELESS`] tells.
fn definition(found: Type<'_>, nameless: bool) -> Definition {
    let mut fields = Vec::new();
    collect(found, 0, 0, nameless, &mut fields);
    Definition { name: found.name().to_owned(), size: found.size().map(u64::from), fields }
}

fn collect(found: Type<'_>, base: u64, depth: u32, nameless: bool, fields: &mut Vec<Field>) {
    for Member { name, type_id, bit_offset, bitfield_size } in found.members() {
        let Some(bit_offset) = bit_offset.map(|offset| base + u64::from(offset)) else { continue };
        // `const struct { ... };` without a name is printed like one without the qualifier.
        let member = found.types().get(type_id);
        let is_qualified =
            member.is_some_and(|member| matches!(member.kind(), TypeKind::Const | TypeKind::Volatile));
        match member.map(|member| member.stripped(false)) {
            // `struct head;` as a member (-fms-extensions) is printed by its tag.
            Some(inner) if name.is_empty() && is_composite(inner) && !inner.name().is_empty() => {
                fields.push(Field { name: String::new(), bit_offset, width: None });
            }
            Some(inner)
                if depth < 32
                    && is_composite(inner)
                    && (name.is_empty() || nameless && is_qualified && inner.name().is_empty()) =>
            {
                collect(inner, bit_offset, depth + 1, nameless, fields);
            }
            _ => fields.push(Field { name: name.into(), bit_offset, width: bitfield_size.map(u64::from) }),
        }
    }
}

fn is_composite(found: Type<'_>) -> bool {
    matches!(found.kind(), TypeKind::Struct | TypeKind::Union)
}

/// Reads pahole's text: definitions at the left margin, fields with `/* offset size */`, nested braces.
fn parse(text: &str) -> Vec<(TypeKind, Definition)> {
    let mut found = Vec::new();
    let mut current: Option<(TypeKind, Definition)> = None;
    // Where the fields of each open inner brace begin.
    let mut open: Vec<usize> = Vec::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        if !line.starts_with(['\t', ' ', '}']) {
            let head = line.strip_suffix(" {").and_then(|head| head.split_once(' '));
            current = head.and_then(|(word, name)| {
                let kind = match word {
                    "struct" => TypeKind::Struct,
                    "union" => TypeKind::Union,
                    _ => return None,
                };
                Some((kind, Definition { name: name.into(), ..Definition::default() }))
            });
            open.clear();
            continue;
        }
        let Some((_, definition)) = &mut current else { continue };
        let line = line.trim();
        if let Some(size) = line.strip_prefix("/* size: ") {
            definition.size = size.split(',').next().and_then(|size| size.parse().ok());
        } else if line.ends_with('{') {
            open.push(definition.fields.len());
        } else if let Some(rest) = line.strip_prefix('}') {
            let Some(start) = open.pop() else {
                found.extend(current.take());
                continue;
            };
            // A named one is a field itself; of an unnamed one the fields stay.
            if let Some(field) = field(rest) {
                definition.fields.truncate(start);
                definition.fields.push(field);
            }
        } else {
            definition.fields.extend(field(line));
        }
    }
    found
}

/// `TYPE NAME[:WIDTH] [ATTRIBUTES]; /* OFFSET[:BIT] SIZE */`. `None` without name or comment.
fn field(line: &str) -> Option<Field> {
    let (declaration, comment) = line.rsplit_once("/*")?;
    let mut numbers = comment.trim_end_matches("*/").split([' ', ':']).filter(|word| !word.is_empty());
    let offset: u64 = numbers.next()?.parse().ok()?;
    let declaration = declaration.trim().trim_end_matches(';');
    let declaration = declaration.split(" __attribute__").next()?.trim_end();
    let (declaration, width) = match declaration.rsplit_once(':') {
        Some((rest, width)) if width.bytes().all(|b| b.is_ascii_digit()) => (rest, width.parse().ok()),
        _ => (declaration, None),
    };
    let bit = if width.is_some() { numbers.next()?.parse().ok()? } else { 0u64 };
    let words: Vec<&str> = declaration.split_whitespace().collect();
    if matches!(words.as_slice(), ["struct" | "union", tag] if !tag.contains(['*', '('])) {
        return Some(Field { name: String::new(), bit_offset: offset * 8, width: None });
    }
    let name = declarator(declaration);
    (!name.is_empty()).then(|| Field { name, bit_offset: offset * 8 + bit, width })
}

/// The name in a declaration: behind `(*` of a function pointer, before `[` of an array, else the last word.
fn declarator(declaration: &str) -> String {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let text = match declaration.find("(*") {
        Some(at) => declaration[at + 1..].trim_start_matches(['*', ' ']),
        None => {
            let end = declaration.find('[').unwrap_or(declaration.len());
            let start = declaration[..end].rfind(|c| !is_word(c)).map_or(0, |at| at + 1);
            &declaration[start..end]
        }
    };
    text.chars().take_while(|c| is_word(*c)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_pahole_is_read() {
        let text = "\
struct slab {
\tlong unsigned int          __page_flags;         /*     0     8 */

\t/* XXX 4 bytes hole, try to pack */

\tunion {
\t\tstruct list_head   slab_list;            /*     8    16 */
\t\tstruct {
\t\t\tunsigned int inuse:16;           /*    40: 0  4 */
\t\t\tunsigned int frozen:1;           /*    40:31  4 */
\t\t};                                       /*    40     4 */
\t} __attribute__((__aligned__(8)));               /*     8    16 */
\tstruct {
\t\tint a;                             /*    48     4 */
\t} named[2];                                      /*    48     8 */
\tvoid                       (*func)(struct callback_head *, int); /*    56     8 */
\tconst char  *              names[4] __attribute__((__aligned__(64))); /*    64    32 */

\t/* size: 96, cachelines: 2, members: 8 */
\t/* forced alignments: 1 */
} __attribute__((__aligned__(8)));
union u {
\tint                        x;                    /*     0     4 */

\t/* size: 4, cachelines: 1, members: 1 */
};
";
        let found = parse(text);
        let field = |name: &str, bit_offset, width| Field { name: name.into(), bit_offset, width };
        assert_eq!(found.len(), 2);
        assert_eq!(
            found[0].1,
            Definition {
                name: "slab".into(),
                size: Some(96),
                fields: vec![
                    field("__page_flags", 0, None),
                    field("slab_list", 64, None),
                    field("inuse", 320, Some(16)),
                    field("frozen", 351, Some(1)),
                    field("named", 384, None),
                    field("func", 448, None),
                    field("names", 512, None),
                ],
            }
        );
        assert_eq!((found[1].0, found[1].1.size), (TypeKind::Union, Some(4)));
    }
}
