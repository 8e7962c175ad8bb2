//! Maps: those that `.maps` defines through BTF, those of the older `maps` section, and those that libbpf makes for
//! global variables, options of the kernel and `struct_ops`.

use std::collections::HashMap;

use super::elf::Elf;
use super::rodata::{self, DataKind};
use super::uapi::MapType;
use crate::error::{Error, Result};
use crate::note::Notes;
use crate::surface::types::{Type, Types};
use crate::surface::{TypeId, TypeKind};

/// Members that the struct of a map may have: libbpf knows eleven.
const MAX_MEMBERS: usize = 64;

/// Where a map is defined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Definition {
    /// In `.maps`, as a struct whose members' types are the attributes.
    Btf,
    /// In `maps`, as numbers. libbpf refuses these since 1.0; ebpf-go, iproute2 and BCC's kin take them.
    Legacy,
    /// A section of global variables.
    Data(DataKind),
    /// The options of the kernel that the program asks for.
    Kconfig,
    /// Functions for the kernel to call.
    StructOps {
        /// Whether a link holds it (`.struct_ops.link`).
        link: bool,
    },
}

/// A map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Map {
    /// Name: of the variable, or of the section.
    pub name: String,
    /// Where it is defined.
    pub definition: Definition,
    /// Index of the section that defines it; `None` for the options of the kernel, which have none.
    pub section: Option<u32>,
    /// Offset in its section, in bytes.
    pub offset: u64,
    /// Bytes of the variable that defines it, by its symbol; 0 where that tells none.
    pub(super) size: u64,
    /// Attributes.
    pub shape: Shape,
    /// What the maps that are its values look like, for a map of maps that says so.
    pub inner: Option<Shape>,
    /// The struct of a `struct_ops` map in the object's types.
    pub struct_ops: Option<TypeId>,
}

/// The attributes of a map.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Shape {
    /// Type; `UNSPEC` where the loader sets it.
    pub kind: MapType,
    /// Bytes of a key.
    pub key_size: u32,
    /// Bytes of a value.
    pub value_size: u32,
    /// Type of a key, where BTF tells.
    pub key_type: Option<TypeId>,
    /// Type of a value, where BTF tells.
    pub value_type: Option<TypeId>,
    /// Entries; bytes of a ring buffer; 0 where the loader sets it.
    pub max_entries: u32,
    /// `map_flags`.
    pub flags: u32,
    /// `map_extra`.
    pub extra: u64,
    /// `numa_node`.
    pub numa_node: u32,
    /// `pinning`: 1 for a file of the map's name.
    pub pinning: u32,
}

/// Something that a map holds from the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Slot {
    /// Offset in the variable that defines the map, in bytes: of a member of a `struct_ops`, or of an element of
    /// `values`.
    pub offset: u64,
    /// What it holds.
    pub value: SlotValue,
}

/// What a slot holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SlotValue {
    /// A map, by its index in [`super::Object::maps`].
    Map(u32),
    /// A program, by its index in [`super::Object::functions`].
    Function(u32),
    /// Something that is not known here.
    Unknown,
}

/// `BPF_F_RDONLY_PROG` and `BPF_F_MMAPABLE`, which libbpf sets for sections of variables.
const RDONLY_PROG: u32 = 1 << 7;
const MMAPABLE: u32 = 1 << 10;

/// All maps in libbpf's order: `.maps`, `maps`, sections of variables, options, `struct_ops`.
pub(super) fn read(
    elf: &Elf<'_>,
    types: Option<Types<'_>>,
    kconfig: Option<u32>,
    notes: &mut Notes,
) -> Result<Vec<Map>> {
    let mut maps = Vec::new();
    let mut datasecs = HashMap::new();
    for found in types.iter().flat_map(|types| types.iter()).filter(|found| found.kind() == TypeKind::Datasec)
    {
        datasecs.entry(found.name()).or_insert(found);
    }
    if let Some(section) = elf.section_named(".maps") {
        match types {
            Some(_) => defined(elf, section, datasecs.get(".maps").copied(), &mut maps, notes)?,
            None => notes.lost(
                "bpf-maps-without-btf",
                || "`.maps` without `.BTF`: what the maps are is unknown".into(),
                || "section `.maps`".into(),
            ),
        }
    }
    legacy(elf, &mut maps)?;
    for (index, section) in (0u32..).zip(&elf.sections) {
        let Some(kind) = rodata::kind(section.name, section.is_nobits()) else { continue };
        if section.size == 0 {
            continue;
        }
        let flags = if kind == DataKind::Rodata { RDONLY_PROG } else { 0 };
        // BTF knows one section of each name, and looking at its variables for many would take long.
        let is_first = elf.section_named(section.name) == Some(index);
        let datasec = datasecs.get(section.name).copied().filter(|_| is_first);
        maps.push(variables(section.name, Definition::Data(kind), Some(index), section.size, flags, datasec));
    }
    if let Some(size) = kconfig {
        let datasec = datasecs.get(".kconfig").copied();
        maps.push(variables(".kconfig", Definition::Kconfig, None, size.into(), RDONLY_PROG, datasec));
    }
    for (name, link) in [(".struct_ops", false), (".struct_ops.link", true)] {
        let Some(section) = elf.section_named(name) else { continue };
        struct_ops(elf, section, datasecs.get(name).copied(), link, &mut maps);
    }
    Ok(maps)
}

/// `linkage` of a VAR.
const STATIC: u32 = 0;

/// The map of a section of variables: an array of one element. User space may map it where a variable can be seen
/// from outside.
fn variables(
    name: &str,
    definition: Definition,
    section: Option<u32>,
    size: u64,
    flags: u32,
    datasec: Option<Type<'_>>,
) -> Map {
    let value_size = u32::try_from(size).unwrap_or(u32::MAX);
    let is_visible = |found: Type<'_>| found.children().first().is_some_and(|child| child.a.get() != STATIC);
    let mmapable = datasec.is_some_and(|datasec| variables_of(datasec).any(|(found, _)| is_visible(found)));
    let shape = Shape {
        kind: MapType::ARRAY,
        key_size: 4,
        value_size,
        value_type: datasec.map(Type::id),
        max_entries: 1,
        flags: flags | if mmapable { MMAPABLE } else { 0 },
        ..Shape::default()
    };
    Map { name: name.into(), definition, section, offset: 0, size, shape, inner: None, struct_ops: None }
}

/// The variables of a DATASEC, with the offsets that it gives.
fn variables_of(datasec: Type<'_>) -> impl Iterator<Item = (Type<'_>, u32)> {
    datasec.children().iter().filter_map(move |child| {
        let found = datasec.types().get(TypeId(child.a.get()))?;
        (found.kind() == TypeKind::Var).then_some((found, child.b.get()))
    })
}

/// The variables of a section, with their offsets and sizes: by symbol, because compilers leave them out of BTF.
fn placed<'t>(elf: &Elf<'_>, section: u32, datasec: Option<Type<'t>>) -> Vec<(Type<'t>, u64, u64)> {
    let mut symbols = HashMap::new();
    for symbol in elf.symbols.iter().filter(|symbol| symbol.section == Some(section) && !symbol.is_section())
    {
        symbols.entry(symbol.name).or_insert((symbol.value, symbol.size));
    }
    let variables = datasec.into_iter().flat_map(variables_of);
    let placed = variables.map(|(found, offset)| {
        let (offset, size) = symbols.get(found.name()).copied().unwrap_or((offset.into(), 0));
        (found, offset, size)
    });
    placed.collect()
}

/// The maps of `.maps`.
fn defined(
    elf: &Elf<'_>,
    section: u32,
    datasec: Option<Type<'_>>,
    maps: &mut Vec<Map>,
    notes: &mut Notes,
) -> Result<()> {
    for (variable, offset, size) in placed(elf, section, datasec) {
        let name = variable.name();
        let place = || format!("section `.maps` offset {offset:#x}, map `{name}`");
        let failed = |what: String| Error::malformed("eBPF object", place(), what);
        let target = variable.target().map(|target| target.stripped(true));
        let Some(target) = target.filter(|target| target.kind() == TypeKind::Struct) else {
            return Err(failed("it is no struct".into()));
        };
        let mut inner = None;
        let shape = shape(target, Some(&mut inner), &place, notes).map_err(failed)?;
        let inner = inner.map(|inner| self::shape(inner, None, &place, notes)).transpose();
        let inner = inner.map_err(|what| failed(format!("inner map: {what}")))?;
        let (name, section) = (name.to_owned(), Some(section));
        let definition = Definition::Btf;
        maps.push(Map { name, definition, section, offset, size, shape, inner, struct_ops: None });
    }
    Ok(())
}

/// Attributes from the struct of a map. `inner` gets the struct of the maps that are its values.
fn shape<'t>(
    of: Type<'t>,
    mut inner: Option<&mut Option<Type<'t>>>,
    place: &dyn Fn() -> String,
    notes: &mut Notes,
) -> std::result::Result<Shape, String> {
    if of.children().len() > MAX_MEMBERS {
        return Err(format!("its struct has {} members, {MAX_MEMBERS} are allowed", of.children().len()));
    }
    let mut shape = Shape::default();
    for member in of.members() {
        let name = member.name;
        let types = of.types();
        let number =
            || number(types, member.type_id).ok_or_else(|| format!("member `{name}` holds no number"));
        let small =
            || number().and_then(|value| u32::try_from(value).map_err(|_| format!("`{name}` is {value}")));
        let pointed = || {
            let target = types.get(member.type_id).filter(|found| found.kind() == TypeKind::Ptr);
            let target =
                target.and_then(Type::target).ok_or_else(|| format!("member `{name}` is no pointer"))?;
            let size = target.byte_size(8).and_then(|size| u32::try_from(size).ok());
            Ok::<_, String>((
                target.id(),
                size.ok_or_else(|| format!("member `{name}` points to no known size"))?,
            ))
        };
        match name {
            "type" => shape.kind = MapType(small()?),
            "max_entries" => shape.max_entries = small()?,
            "map_flags" => shape.flags = small()?,
            "map_extra" => shape.extra = number()?,
            "numa_node" => shape.numa_node = small()?,
            "pinning" => shape.pinning = small()?,
            "key_size" => shape.key_size = small()?,
            "value_size" => shape.value_size = small()?,
            "key" => {
                let (id, size) = pointed()?;
                (shape.key_type, shape.key_size) = (Some(id), size);
            }
            "value" => {
                let (id, size) = pointed()?;
                (shape.value_type, shape.value_size) = (Some(id), size);
            }
            "values" => {
                // Maps of maps and of programs: an array without length of pointers to what is in there. Both
                // have numbers of four bytes for values.
                shape.value_size = 4;
                let array = types.get(member.type_id).and_then(Type::array);
                let element =
                    array.and_then(|(element, _)| types.get(element)).map(|found| found.stripped(true));
                let target = element.and_then(Type::target).map(|found| found.stripped(true));
                match (&mut inner, target) {
                    (Some(inner), Some(found)) if found.kind() == TypeKind::Struct => **inner = Some(found),
                    (Some(_), Some(found)) if found.kind() == TypeKind::FuncProto => {}
                    (None, _) => return Err("a map in a map has maps itself".into()),
                    _ => return Err("member `values` is no array of pointers to maps or functions".into()),
                }
            }
            _ => notes.lost(
                "bpf-map-attribute",
                || "attributes of maps that are not known here".into(),
                || format!("{}: `{name}`", place()),
            ),
        }
    }
    Ok(shape)
}

/// The number in a member: the length of an array that the member points to (`__uint`), or the value of an enum
/// (`__ulong`).
fn number(types: Types<'_>, id: TypeId) -> Option<u64> {
    let found = types.get(id)?.stripped(true);
    match found.kind() {
        TypeKind::Ptr => found.target()?.array().map(|(_, count)| count.into()),
        TypeKind::Enum | TypeKind::Enum64 => u64::try_from(found.enumerators().next()?.value).ok(),
        _ => None,
    }
}

/// The maps of the sections `maps` and `maps/NAME`: one symbol each, five words.
fn legacy(elf: &Elf<'_>, maps: &mut Vec<Map>) -> Result<()> {
    for symbol in elf.symbols.iter().filter(|symbol| !symbol.is_section() && !symbol.name.is_empty()) {
        let Some(index) = symbol.section else { continue };
        let Some(section) = elf.section(index) else { continue };
        if !is_legacy(section.name) || section.is_executable() {
            continue;
        }
        let at = usize::try_from(symbol.value).ok();
        let word = |number: usize| super::word(section.bytes, at?.checked_add(4 * number)?, elf.is_big());
        let words = (word(0), word(1), word(2), word(3), word(4));
        let (Some(kind), Some(key_size), Some(value_size), Some(max_entries), Some(flags)) = words else {
            let place =
                format!("section `{}` offset {:#x}, map `{}`", section.name, symbol.value, symbol.name);
            return Err(Error::malformed("eBPF object", place, "it reaches behind the section's end"));
        };
        let kind = MapType(kind);
        let shape = Shape { kind, key_size, value_size, max_entries, flags, ..Shape::default() };
        let (name, definition) = (symbol.name.to_owned(), Definition::Legacy);
        let (section, offset) = (Some(index), symbol.value);
        let size = symbol.size;
        maps.push(Map { name, definition, section, offset, size, shape, inner: None, struct_ops: None });
    }
    Ok(())
}

/// Whether a section holds maps as numbers.
pub(super) fn is_legacy(name: &str) -> bool {
    name == "maps" || name.starts_with("maps/")
}

fn struct_ops(elf: &Elf<'_>, section: u32, datasec: Option<Type<'_>>, link: bool, maps: &mut Vec<Map>) {
    for (variable, offset, size) in placed(elf, section, datasec) {
        let Some(target) = variable.target().map(|target| target.stripped(true)) else { continue };
        let value_size = target.byte_size(8).and_then(|size| u32::try_from(size).ok()).unwrap_or_default();
        let kind = MapType::STRUCT_OPS;
        let shape = Shape { kind, key_size: 4, value_size, max_entries: 1, ..Shape::default() };
        let (name, definition) = (variable.name().to_owned(), Definition::StructOps { link });
        let (section, struct_ops) = (Some(section), Some(target.id()));
        maps.push(Map { name, definition, section, offset, size, shape, inner: None, struct_ops });
    }
}
