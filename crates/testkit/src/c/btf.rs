//! C types as BTF.

use std::collections::HashMap;

use super::spelling::Shape;
use super::{Definition, Kind, Member, Types};
use crate::btf::{self, Btf, Forward, Linkage, TypeId};

/// BTF made from C types, and the ids that they got.
#[derive(Clone, Debug)]
pub struct TypeTable {
    /// The types in the order of their definition, each behind those it needs; then the functions. More
    /// can be added.
    pub btf: Btf,
    types: HashMap<String, TypeId>,
    functions: HashMap<String, TypeId>,
}

impl TypeTable {
    /// Id of the type with this spelling.
    ///
    /// # Panics
    /// When nothing that was defined uses it.
    pub fn id(&self, spelling: &str) -> TypeId {
        let found = self.types.get(spelling);
        *found.unwrap_or_else(|| panic!("no type `{spelling}` in the BTF"))
    }

    /// Id of the `FUNC` of this name.
    ///
    /// # Panics
    /// When there is none.
    pub fn func(&self, name: &str) -> TypeId {
        self.find_func(name).unwrap_or_else(|| panic!("no function `{name}` in the BTF"))
    }

    /// Id of the `FUNC` of this name, if there is one.
    pub fn find_func(&self, name: &str) -> Option<TypeId> {
        self.functions.get(name).copied()
    }
}

impl Types {
    /// BTF of everything that was defined (of the arithmetic types, those in use).
    pub fn btf(&self) -> TypeTable {
        let btf = Btf::new(self.target.endian);
        let mut table = TypeTable { btf, types: HashMap::new(), functions: HashMap::new() };
        let builtin = Types::new(self.target).definitions.len();
        for definition in &self.definitions[builtin..] {
            self.add(&mut table, &definition.spelling);
        }
        for function in &self.functions {
            let returns = self.add(&mut table, &function.returns);
            let parameters: Vec<(&str, TypeId)> = function
                .parameters
                .iter()
                .map(|(name, spelling)| (name.as_str(), self.add(&mut table, spelling)))
                .collect();
            let proto = table.btf.func_proto(returns, parameters);
            let id = table.btf.func(&function.name, proto, Linkage::Static);
            table.functions.insert(function.name.clone(), id);
        }
        for (text, function) in &self.tags {
            let on = table.func(function);
            table.btf.decl_tag(text, on, None);
        }
        table
    }

    /// Adds a type with all it needs, unless it is there already.
    fn add(&self, table: &mut TypeTable, spelling: &str) -> TypeId {
        if let Some(id) = table.types.get(spelling) {
            return *id;
        }
        let id = match Shape::of(spelling) {
            Shape::Void => 0,
            Shape::Pointer(to) => {
                let to = self.add(table, to);
                table.btf.ptr(to)
            }
            Shape::Array { of, counts } => {
                let index = self.add(table, "unsigned int");
                let element = self.add(table, of);
                counts.iter().rev().fold(element, |of, count| table.btf.array(of, index, *count as u32))
            }
            Shape::Function { returns, parameters } => {
                let returns = self.add(table, returns);
                let parameters: Vec<(&str, TypeId)> = parameters
                    .into_iter()
                    .map(|parameter| ("", if parameter == "..." { 0 } else { self.add(table, parameter) }))
                    .collect();
                table.btf.func_proto(returns, parameters)
            }
            Shape::Const(of) => {
                let of = self.add(table, of);
                table.btf.constant(of)
            }
            Shape::Volatile(of) => {
                let of = self.add(table, of);
                table.btf.volatile(of)
            }
            Shape::Named(name) => return self.add_named(table, name),
        };
        table.types.insert(spelling.to_owned(), id);
        id
    }

    fn add_named(&self, table: &mut TypeTable, spelling: &str) -> TypeId {
        let Some(definition) = self.definition(spelling) else {
            let id = match spelling.split_once(' ') {
                Some(("struct", name)) => table.btf.forward(name, Forward::Struct),
                Some(("union", name)) => table.btf.forward(name, Forward::Union),
                _ => panic!("`{spelling}` is not defined"),
            };
            table.types.insert(spelling.to_owned(), id);
            return id;
        };
        let Definition { name, kind, .. } = definition;
        let id = match kind {
            Kind::Base { size, encoding } => table.btf.int(name, *size as u32, *encoding),
            Kind::Typedef { of } => {
                let of = self.add(table, of);
                table.btf.typedef(name, of)
            }
            Kind::Struct { size, .. } => table.btf.structure(name, *size as u32, []),
            Kind::Union { size, .. } => table.btf.union(name, *size as u32, []),
            Kind::Enum { values } => {
                let values = values.iter().map(|(name, value)| (name.as_str(), *value));
                table.btf.enumeration(name, 4, values)
            }
        };
        table.types.insert(spelling.to_owned(), id);
        // Members may lead back here, and now find the id.
        if let Kind::Struct { members, .. } | Kind::Union { members, .. } = kind {
            let members: Vec<btf::Member> = members.iter().map(|member| self.member(table, member)).collect();
            table.btf.set_members(id, members);
        }
        id
    }

    fn member(&self, table: &mut TypeTable, member: &Member) -> btf::Member {
        let Member { name, spelling, bit_offset, bit_size } = member;
        let id = self.add(table, spelling);
        btf::Member::bits(name, id, *bit_offset as u32, bit_size.unwrap_or(0) as u32)
    }
}
