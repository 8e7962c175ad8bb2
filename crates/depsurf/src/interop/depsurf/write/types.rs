//! `types_*`: types in full on the top level, named types by kind and name below it.

use std::collections::{HashMap, HashSet};

use super::Sink;
use super::json::Json;
use crate::error::{Error, Result};
use crate::surface::types::{Member, Param};
use crate::surface::{Function, Surface, Type, TypeId, TypeKind, Types, meaning};

/// How deep types may nest before we take them for a cycle; the kernel's deepest has 12 levels.
const MAX_DEPTH: u32 = 64;
/// How many types one line may print; the kernel's largest line has some 3,000.
const MAX_TYPES: u32 = 1 << 20;

/// One line per function that has a prototype: BTF's FUNCs where there are some, else the functions
/// with a symbol, which is what BTF would hold.
pub(super) fn functions(surface: &Surface, sink: Sink<'_>) -> Result<()> {
    let mut json = Json::default();
    let mut line = |name: &str, proto: Type<'_>| {
        json.clear();
        func(&mut json, name, proto)?;
        sink(json.line())
    };
    if surface.meta().imported.is_some() {
        let mut functions = of_kind(surface, TypeKind::Func);
        return functions
            .try_for_each(|found| found.target().map_or(Ok(()), |proto| line(found.name(), proto)));
    }
    let mut order = Vec::new();
    let mut by_name: HashMap<&str, Vec<Type<'_>>> = HashMap::new();
    for func in of_kind(surface, TypeKind::Func) {
        let same = by_name.entry(func.name()).or_default();
        if same.is_empty() {
            order.push(func.name());
        }
        same.extend(func.target());
    }
    for name in &order {
        if let Some(proto) = chosen(surface, name, &by_name[name]) {
            line(name, proto)?;
        }
    }
    if order.is_empty() {
        let has_code = |function: &Function<'_>| function.symbols().any(|symbol| symbol.module().is_none());
        for function in surface.functions().filter(|it| it.is_in_vmlinux()).filter(has_code) {
            if let Some(proto) = function.prototype() {
                line(function.name(), proto)?;
            }
        }
    }
    Ok(())
}

/// Of several prototypes of one name that of the first instance, as the original's BTF is made in the
/// order of the compile units, while the kernel's own has the order of the threads that made it.
fn chosen<'a>(surface: &'a Surface, name: &str, protos: &[Type<'a>]) -> Option<Type<'a>> {
    let (first, rest) = protos.split_first()?;
    if rest.is_empty() {
        return Some(*first);
    }
    let mut instances =
        surface.function(name).into_iter().flat_map(Function::instances).filter(|it| it.is_in_vmlinux());
    let (Some(instance), Some(_)) = (instances.next(), instances.next()) else { return Some(*first) };
    let Some(wanted) = instance.prototype() else { return Some(*first) };
    let names = |proto: Type<'a>| proto.params().map(|param| param.name);
    let is_it = |proto: &&Type<'a>| names(**proto).eq(names(wanted)) && meaning::same(**proto, wanted);
    Some(*protos.iter().find(is_it).unwrap_or(first))
}

/// One line per named struct or union.
pub(super) fn composites(surface: &Surface, kind: TypeKind, sink: Sink<'_>) -> Result<()> {
    let mut json = Json::default();
    let mut names = Names::new(surface);
    for found in of_kind(surface, kind) {
        if found.name().is_empty() || !names.is_new(found.name()) {
            continue;
        }
        json.clear();
        composite(&mut json, found)?;
        sink(json.line())?;
    }
    Ok(())
}

/// One line per named enum, and one with the values of all anonymous ones.
pub(super) fn enums(surface: &Surface, sink: Sink<'_>) -> Result<()> {
    let mut json = Json::default();
    let mut names = Names::new(surface);
    let is_imported = surface.meta().imported.is_some();
    for found in of_kind(surface, TypeKind::Enum) {
        if !is_imported && found.name().is_empty() || !names.is_new(found.name()) {
            continue;
        }
        json.clear();
        enumeration(&mut json, display_name(found.name()), found.size(), [found]);
        sink(json.line())?;
    }
    if is_imported {
        return Ok(());
    }
    let anonymous = || of_kind(surface, TypeKind::Enum).filter(|found| found.name().is_empty());
    if anonymous().next().is_some() {
        json.clear();
        enumeration(&mut json, "(anon)", Some(4), anonymous());
        sink(json.line())?;
    }
    Ok(())
}

/// One line per integer or float.
pub(super) fn ints(surface: &Surface, sink: Sink<'_>) -> Result<()> {
    let mut json = Json::default();
    let mut names = Names::new(surface);
    let is_number = |found: &Type<'_>| matches!(found.kind(), TypeKind::Int | TypeKind::Float);
    for found in own_types(surface).filter(is_number) {
        if !names.is_new(found.name()) {
            continue;
        }
        json.clear();
        json.object(|json| {
            head(json, found);
            size(json, found.size());
        });
        sink(json.line())?;
    }
    Ok(())
}

/// Which names have had their line. The original has one line per name; what was imported is written as it was.
struct Names<'a> {
    seen: Option<HashSet<&'a str>>,
}

impl<'a> Names<'a> {
    fn new(surface: &Surface) -> Self {
        Self { seen: surface.meta().imported.is_none().then(HashSet::new) }
    }

    fn is_new(&mut self, name: &'a str) -> bool {
        self.seen.as_mut().is_none_or(|seen| seen.insert(name))
    }
}

/// The types that the original would see: those of vmlinux's `.BTF`, or all of vmlinux where there is none.
fn own_types(surface: &Surface) -> impl Iterator<Item = Type<'_>> {
    let types = surface.types();
    let end = Some(surface.meta().btf_types).filter(|end| *end > 1).unwrap_or(surface.vmlinux_types());
    (1..end.min(types.len())).filter_map(move |id| types.get(TypeId(id))).filter(|found| found.is_listed())
}

fn of_kind(surface: &Surface, kind: TypeKind) -> impl Iterator<Item = Type<'_>> {
    own_types(surface).filter(move |found| found.kind() == kind)
}

/// `{"kind": "FUNC", ...}`.
pub(super) fn func(json: &mut Json, name: &str, proto: Type<'_>) -> Result<()> {
    json.object(|json| {
        json.key("kind").string("FUNC");
        json.key("name").string(name);
        Printer::new(name).reference(json.key("type"), proto, 0)
    })
}

/// `{"kind": "STRUCT", ...}` or `{"kind": "UNION", ...}` with all members.
pub(super) fn composite(json: &mut Json, found: Type<'_>) -> Result<()> {
    json.object(|json| {
        head(json, found);
        size(json, found.size());
        json.key("members")
            .array(|json| Printer::new(found.name()).members(json, found, 0, &mut Anonymous::default(), 0))
    })
}

/// The size, where it is known.
fn size(json: &mut Json, bytes: Option<u32>) {
    if let Some(bytes) = bytes {
        json.key("size").plain(bytes);
    }
}

fn enumeration<'a>(
    json: &mut Json,
    name: &str,
    bytes: Option<u32>,
    enums: impl IntoIterator<Item = Type<'a>>,
) {
    json.object(|json| {
        json.key("kind").string("ENUM");
        json.key("name").string(name);
        size(json, bytes);
        json.key("values").array(|json| {
            for value in enums.into_iter().flat_map(Type::enumerators) {
                json.object(|json| {
                    json.key("name").string(value.name);
                    // The original reads every value as `__s32`, whatever the enum's sign.
                    json.key("val").plain(value.value as i32);
                });
            }
        });
    });
}

fn head(json: &mut Json, found: Type<'_>) {
    // The original's BTF is made without FLOAT, where a floating-point type is an INT.
    let kind = if found.kind() == TypeKind::Float { TypeKind::Int } else { found.kind() };
    json.key("kind").string(kind.name());
    json.key("name").string(display_name(found.name()));
}

fn display_name(name: &str) -> &str {
    if name.is_empty() { "(anon)" } else { name }
}

/// Names of what has none, within one list: `(anon)`, `(anon-1)`, ...
#[derive(Default)]
struct Anonymous {
    count: u32,
}

impl Anonymous {
    fn name(&mut self, json: &mut Json, name: &str) {
        match (name, self.count) {
            ("", 0) => json.string("(anon)"),
            ("", count) => json.strings(&["(anon-", &count.to_string(), ")"]),
            _ => return json.string(name),
        }
        self.count += 1;
    }
}

/// Prints one line's types and stops where bytes from outside would make it endless.
struct Printer<'a> {
    name: &'a str,
    left: u32,
}

impl<'a> Printer<'a> {
    fn new(name: &'a str) -> Self {
        Self { name, left: MAX_TYPES }
    }

    fn enter(&mut self, depth: u32) -> Result<()> {
        if depth > MAX_DEPTH || self.left == 0 {
            return Err(Error::Limit {
                what: format!("the types in `{}`", self.name),
                limit: format!("{MAX_TYPES} types, {MAX_DEPTH} levels deep"),
            });
        }
        self.left -= 1;
        Ok(())
    }

    /// Members of a struct or union; those of anonymous ones in it are its own.
    fn members(
        &mut self,
        json: &mut Json,
        found: Type<'_>,
        base: u64,
        anonymous: &mut Anonymous,
        depth: u32,
    ) -> Result<()> {
        self.enter(depth)?;
        for member in found.members() {
            let Member { name, type_id, bit_offset, bitfield_size } = member;
            let offset = bit_offset.map(|offset| base + u64::from(offset));
            let inner = target(found.types(), type_id);
            if name.is_empty() && matches!(inner.kind(), TypeKind::Struct | TypeKind::Union) {
                self.members(json, inner, offset.unwrap_or(base), anonymous, depth + 1)?;
                continue;
            }
            json.object(|json| {
                anonymous.name(json.key("name"), name);
                if let Some(offset) = offset {
                    json.key("bits_offset").plain(offset);
                }
                if let Some(size) = bitfield_size {
                    json.key("bitfield_size").plain(size);
                }
                self.reference(json.key("type"), inner, depth + 1)
            })?;
        }
        Ok(())
    }

    /// A type inside another one.
    fn reference(&mut self, json: &mut Json, found: Type<'_>, depth: u32) -> Result<()> {
        use TypeKind::{Array, Const, Enum, Enum64, Func, FuncProto, Fwd, Ptr, Restrict, TypeTag, Volatile};
        self.enter(depth)?;
        let types = found.types();
        let target = |id: Option<TypeId>| target(types, id.unwrap_or(TypeId::VOID));
        match found.kind() {
            // The original's BTF is made without type tags.
            TypeTag => return self.reference(json, target(found.target_id()), depth + 1),
            Func => return self.reference(json, target(found.target_id()), depth + 1),
            _ => {}
        }
        json.object(|json| match found.kind() {
            TypeKind::Void => {
                json.key("name").string("void");
                json.key("kind").string("VOID");
                Ok(())
            }
            Ptr => {
                json.key("kind").string("PTR");
                self.reference(json.key("type"), target(found.target_id()), depth + 1)
            }
            Const | Volatile | Restrict => {
                head(json, found);
                self.reference(json.key("type"), target(found.target_id()), depth + 1)
            }
            Array => {
                let (element, count) = found.array().unwrap_or((TypeId::VOID, 0));
                head(json, found);
                json.key("nr_elems").plain(count);
                self.reference(json.key("type"), target(Some(element)), depth + 1)
            }
            FuncProto => {
                json.key("kind").string("FUNC_PROTO");
                let mut anonymous = Anonymous::default();
                json.key("params").array(|json| {
                    found.params().try_for_each(|Param { name, type_id }| {
                        json.object(|json| {
                            anonymous.name(json.key("name"), name);
                            self.reference(json.key("type"), target(Some(type_id)), depth + 1)
                        })
                    })
                })?;
                self.reference(json.key("ret_type"), target(found.target_id()), depth + 1)
            }
            Enum | Enum64 => {
                json.key("kind").string("ENUM");
                json.key("name").string(display_name(found.name()));
                size(json, found.size());
                Ok(())
            }
            Fwd => {
                head(json, found);
                json.key("fwd_kind").string(if found.kind_flag() { "union" } else { "struct" });
                Ok(())
            }
            _ => {
                head(json, found);
                Ok(())
            }
        })
    }
}

/// The type of an id; `void` for an id out of range, which only a damaged file has.
fn target(types: Types<'_>, id: TypeId) -> Type<'_> {
    types.get(id).or_else(|| types.get(TypeId::VOID)).expect("a table that has some type has record 0")
}
