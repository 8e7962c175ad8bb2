//! DIEs of types. Each is labelled with its C spelling.

use gimli::constants::*;

use super::die::{Die, File, Value};

/// `DW_TAG_base_type`, such as `base_type("int", 4, DW_ATE_signed)`.
pub fn base_type(name: &str, size: u64, encoding: DwAte) -> Die {
    Die::new(DW_TAG_base_type)
        .attr(DW_AT_byte_size, Value::Unsigned(size))
        .attr(DW_AT_encoding, Value::Data1(encoding.0))
        .named(name)
        .spelled(name.to_owned())
}

/// `DW_TAG_pointer_type`, spelled `T *` (`T **` for a pointer to a pointer). Without size: every
/// pointer of these images is as wide as an address.
pub fn pointer(to: &str) -> Die {
    let spelling = if to.ends_with('*') { format!("{to}*") } else { format!("{to} *") };
    Die::new(DW_TAG_pointer_type).typed(to).spelled(spelling)
}

/// `DW_TAG_const_type`, spelled `const T`; `T * const` for a pointer.
pub fn constant(of: &str) -> Die {
    qualified(DW_TAG_const_type, "const", of)
}

/// `DW_TAG_volatile_type`, spelled `volatile T`; `T * volatile` for a pointer.
pub fn volatile(of: &str) -> Die {
    qualified(DW_TAG_volatile_type, "volatile", of)
}

/// `DW_TAG_restrict_type`, spelled `T * restrict`.
pub fn restrict(of: &str) -> Die {
    qualified(DW_TAG_restrict_type, "restrict", of)
}

fn qualified(tag: DwTag, word: &str, of: &str) -> Die {
    let spelling = if of.ends_with('*') { format!("{of} {word}") } else { format!("{word} {of}") };
    Die::new(tag).typed(of).spelled(spelling)
}

/// `DW_TAG_typedef`.
pub fn typedef(name: &str, of: &str) -> Die {
    Die::new(DW_TAG_typedef).named(name).typed(of).spelled(name.to_owned())
}

/// `DW_TAG_array_type` of one dimension, spelled `T[count]`.
pub fn array(of: &str, count: u64) -> Die {
    nested_array(of, &[count])
}

/// `DW_TAG_array_type` of several dimensions, spelled `T[2][3]`. As GCC does it, the bound is a
/// `DW_AT_upper_bound`; a dimension of 0 elements has a `DW_AT_count`.
pub fn nested_array(of: &str, counts: &[u64]) -> Die {
    let spelling = counts.iter().fold(of.to_owned(), |spelling, count| format!("{spelling}[{count}]"));
    let bounds = counts.iter().map(|count| {
        let subrange = Die::new(DW_TAG_subrange_type);
        match count.checked_sub(1) {
            Some(last) => subrange.attr(DW_AT_upper_bound, Value::Unsigned(last)),
            None => subrange.attr(DW_AT_count, Value::Unsigned(0)),
        }
    });
    Die::new(DW_TAG_array_type).typed(of).children(bounds).spelled(spelling)
}

/// `DW_TAG_array_type` without a bound, spelled `T[]`.
pub fn flexible_array(of: &str) -> Die {
    let bound = Die::new(DW_TAG_subrange_type);
    Die::new(DW_TAG_array_type).typed(of).child(bound).spelled(format!("{of}[]"))
}

/// `DW_TAG_structure_type`, spelled `struct NAME`; without name and spelling if `name` is empty.
pub fn structure(
    name: &str,
    size: u64,
    file: impl Into<File>,
    line: u64,
    members: impl IntoIterator<Item = Die>,
) -> Die {
    aggregate(DW_TAG_structure_type, "struct", name, size).decl(file, line).children(members)
}

/// `DW_TAG_union_type`, spelled `union NAME`; without name and spelling if `name` is empty.
pub fn union(
    name: &str,
    size: u64,
    file: impl Into<File>,
    line: u64,
    members: impl IntoIterator<Item = Die>,
) -> Die {
    aggregate(DW_TAG_union_type, "union", name, size).decl(file, line).children(members)
}

fn aggregate(tag: DwTag, word: &str, name: &str, size: u64) -> Die {
    let die = Die::new(tag).named(name).attr(DW_AT_byte_size, Value::Unsigned(size));
    if name.is_empty() { die } else { die.spelled(format!("{word} {name}")) }
}

/// A `struct`, `union` or `enum` that is only declared: its name and `DW_AT_declaration`.
pub fn declared(tag: DwTag, name: &str) -> Die {
    let word = if tag == DW_TAG_union_type {
        "union"
    } else if tag == DW_TAG_enumeration_type {
        "enum"
    } else {
        "struct"
    };
    Die::new(tag).named(name).declaration().spelled(format!("{word} {name}"))
}

/// `DW_TAG_member` at an offset in bytes. An anonymous member has an empty name.
pub fn member(name: &str, type_label: &str, offset: u64) -> Die {
    Die::new(DW_TAG_member)
        .named(name)
        .typed(type_label)
        .attr(DW_AT_data_member_location, Value::Unsigned(offset))
}

/// A bit-field by `DW_AT_data_bit_offset`: bits from the start of the struct (DWARF 4 and later).
pub fn bitfield(name: &str, type_label: &str, bit_offset: u64, bit_size: u64) -> Die {
    Die::new(DW_TAG_member)
        .named(name)
        .typed(type_label)
        .attr(DW_AT_bit_size, Value::Unsigned(bit_size))
        .attr(DW_AT_data_bit_offset, Value::Unsigned(bit_offset))
}

/// A bit-field by `DW_AT_bit_offset` as GCC before 11 writes it (DWARF 4 §5.5.6): a storage unit of
/// `storage` bytes at `offset`, in which `from_top` bits lie above the field's most significant bit.
pub fn old_bitfield(
    name: &str,
    type_label: &str,
    storage: u64,
    offset: u64,
    from_top: u64,
    bit_size: u64,
) -> Die {
    Die::new(DW_TAG_member)
        .named(name)
        .typed(type_label)
        .attr(DW_AT_byte_size, Value::Unsigned(storage))
        .attr(DW_AT_bit_size, Value::Unsigned(bit_size))
        .attr(DW_AT_bit_offset, Value::Unsigned(from_top))
        .attr(DW_AT_data_member_location, Value::Unsigned(offset))
}

/// `DW_TAG_enumeration_type`, spelled `enum NAME`. Negative values are written signed, others in the
/// smallest unsigned form, as GCC does.
pub fn enumeration<'a>(
    name: &str,
    size: u64,
    file: impl Into<File>,
    line: u64,
    values: impl IntoIterator<Item = (&'a str, i64)>,
) -> Die {
    let values = values.into_iter().map(|(name, value)| {
        let value = match u64::try_from(value) {
            Ok(value) => Value::Unsigned(value),
            Err(_) => Value::Sdata(value),
        };
        Die::new(DW_TAG_enumerator).named(name).attr(DW_AT_const_value, value)
    });
    aggregate(DW_TAG_enumeration_type, "enum", name, size).decl(file, line).children(values)
}

/// `DW_TAG_subroutine_type`, spelled `int (char *, long)`. A parameter `...` makes it variadic.
pub fn subroutine_type(returns: &str, parameters: &[&str]) -> Die {
    let spelling = format!("{returns} ({})", parameters.join(", "));
    let children = parameters.iter().map(|parameter| match *parameter {
        "..." => super::unspecified_parameters(),
        parameter => super::formal_parameter("", parameter),
    });
    Die::new(DW_TAG_subroutine_type)
        .attr(DW_AT_prototyped, Value::FlagPresent)
        .typed(returns)
        .children(children)
        .spelled(spelling)
}
