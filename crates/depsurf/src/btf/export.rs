//! A surface's types as BTF that libbpf takes for the kernel's (`btf_custom_path`), whether the kernel has BTF or not.

use object::Endianness;

use super::write::{write, write_with};
use crate::surface::{Function, Surface, TypeId};

/// Writes the types of a kernel in its byte order.
///
/// A kernel with BTF gets what it has: the same types with the same ids. Of another one the types of its debug information
/// are written, each once, and as pahole would when the kernel is built, a FUNC for each function that has a symbol of its
/// name. Where several functions of a name have code and do not agree on what they take, there is none. Variables are left out.
#[must_use]
pub fn export(surface: &Surface) -> Vec<u8> {
    let meta = surface.meta();
    let endian = if meta.big_endian { Endianness::Big } else { Endianness::Little };
    let types = surface.types();
    if meta.has_btf() == Some(true) {
        return write(types, 1..meta.btf_types, endian);
    }
    let functions = surface.functions().filter_map(|function| Some((function.name(), func(function)?)));
    write_with(types, functions, endian)
}

/// The prototype of a function that gets a FUNC.
fn func(function: Function<'_>) -> Option<TypeId> {
    let name = function.name();
    let is_identifier = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if !is_identifier || !function.symbols().any(|symbol| symbol.name() == name) {
        return None;
    }
    // Code that the compiler found to be equal to another function's has a symbol, and no instance of its own.
    let has_own = function.instances().any(|instance| instance.has_code() == Some(true));
    let mut prototypes = function
        .instances()
        .filter(|instance| !has_own || instance.has_code() == Some(true))
        .map(|instance| instance.prototype().map(|found| found.id()));
    let first = prototypes.next()??;
    prototypes.all(|other| other == Some(first)).then_some(first)
}
