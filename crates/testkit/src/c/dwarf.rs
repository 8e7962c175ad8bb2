//! C types as DWARF.

use std::collections::HashSet;

use super::spelling::Shape;
use super::{Definition, Kind, Types};
use crate::btf::Encoding;
use crate::dwarf::{
    DW_ATE_boolean, DW_ATE_signed, DW_ATE_signed_char, DW_ATE_unsigned, DW_ATE_unsigned_char,
    DW_TAG_structure_type, DW_TAG_union_type, Die, array, base_type, bitfield, constant, declared,
    enumeration, flexible_array, member, nested_array, pointer, structure, subroutine_type, typedef, union,
    volatile,
};

/// Where all these types say that they are declared.
const HEADER: &str = "include/linux/types.h";

impl Types {
    /// The DIEs of these types and of all they need, for one unit. Each is found by its spelling.
    pub fn dies(&self, spellings: &[&str]) -> Vec<Die> {
        let (mut dies, mut done) = (Vec::new(), HashSet::new());
        for spelling in spellings {
            self.add_die(&mut dies, &mut done, spelling);
        }
        dies
    }

    /// The DIEs of everything that was defined (of the arithmetic types, those in use).
    pub fn all_dies(&self) -> Vec<Die> {
        let builtin = Types::new(self.target).definitions.len();
        let all = self.definitions[builtin..].iter().map(|definition| definition.spelling.as_str());
        self.dies(&all.collect::<Vec<&str>>())
    }

    fn add_die(&self, dies: &mut Vec<Die>, done: &mut HashSet<String>, spelling: &str) {
        if !done.insert(spelling.to_owned()) {
            return;
        }
        let mut needed: Vec<&str> = Vec::new();
        let die = match Shape::of(spelling) {
            Shape::Void => return,
            Shape::Pointer(to) => {
                needed.push(to);
                pointer(to)
            }
            Shape::Array { of, counts } => {
                needed.push(of);
                match &counts[..] {
                    [0] => flexible_array(of),
                    [count] => array(of, *count),
                    counts => nested_array(of, counts),
                }
            }
            Shape::Function { returns, parameters } => {
                needed.push(returns);
                needed.extend(parameters.iter().filter(|parameter| **parameter != "..."));
                subroutine_type(returns, &parameters)
            }
            Shape::Const(of) => {
                needed.push(of);
                constant(of)
            }
            Shape::Volatile(of) => {
                needed.push(of);
                volatile(of)
            }
            Shape::Named(name) => match self.definition(name) {
                Some(definition) => definition_die(definition, &mut needed),
                None => match name.split_once(' ') {
                    Some(("struct", name)) => declared(DW_TAG_structure_type, name),
                    Some(("union", name)) => declared(DW_TAG_union_type, name),
                    _ => panic!("`{name}` is not defined"),
                },
            },
        };
        dies.push(die.label(spelling));
        for spelling in needed {
            self.add_die(dies, done, spelling);
        }
    }
}

fn definition_die<'a>(definition: &'a Definition, needed: &mut Vec<&'a str>) -> Die {
    let name = &definition.name;
    match &definition.kind {
        Kind::Base { size, encoding } => {
            let encoding = match (encoding, size) {
                (Encoding::Bool, _) => DW_ATE_boolean,
                (Encoding::Signed, 1) => DW_ATE_signed_char,
                (Encoding::Signed, _) => DW_ATE_signed,
                (_, 1) => DW_ATE_unsigned_char,
                _ => DW_ATE_unsigned,
            };
            base_type(name, *size, encoding)
        }
        Kind::Typedef { of } => {
            needed.push(of);
            typedef(name, of)
        }
        Kind::Struct { members, size, .. } | Kind::Union { members, size, .. } => {
            let members: Vec<Die> = members
                .iter()
                .map(|field| {
                    needed.push(&field.spelling);
                    match field.bit_size {
                        Some(bits) => bitfield(&field.name, &field.spelling, field.bit_offset, bits),
                        None => member(&field.name, &field.spelling, field.bit_offset / 8),
                    }
                })
                .collect();
            let is_struct = matches!(definition.kind, Kind::Struct { .. });
            let make = if is_struct { structure } else { union };
            make(name, *size, HEADER, 1, members)
        }
        Kind::Enum { values } => {
            let values = values.iter().map(|(name, value)| (name.as_str(), *value));
            enumeration(name, 4, HEADER, 1, values)
        }
    }
}
