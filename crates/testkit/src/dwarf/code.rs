//! DIEs of functions, their copies and their calls.

use gimli::constants::*;

use super::die::{Die, File, Value};
use super::lists::Range;

/// `DW_TAG_subprogram` with a name, by which it is labelled.
pub fn subprogram(name: &str) -> Die {
    Die::new(DW_TAG_subprogram).named(name).spelled(name.to_owned())
}

/// The out-of-line instance of an abstract function: a `DW_TAG_subprogram` with a
/// `DW_AT_abstract_origin` and no name (DWARF 5 §3.3.8.3).
pub fn out_of_line(origin: &str) -> Die {
    Die::new(DW_TAG_subprogram).origin(origin)
}

/// `DW_TAG_inlined_subroutine`: a copy of `origin` at `low_pc`, called from `call_file:call_line`.
pub fn inlined_subroutine(origin: &str, call_file: impl Into<File>, call_line: u64, low_pc: u64) -> Die {
    Die::new(DW_TAG_inlined_subroutine)
        .origin(origin)
        .low_pc(low_pc)
        .attr(DW_AT_call_file, Value::File(call_file.into()))
        .attr(DW_AT_call_line, Value::Unsigned(call_line))
}

/// `DW_TAG_call_site` of DWARF 5: a direct call of `origin`.
pub fn call_site(origin: &str) -> Die {
    Die::new(DW_TAG_call_site).attr(DW_AT_call_origin, Value::Ref(origin.to_owned()))
}

/// `DW_TAG_GNU_call_site`, the form before DWARF 5: a direct call of `origin`.
pub fn gnu_call_site(origin: &str) -> Die {
    Die::new(DW_TAG_GNU_call_site).origin(origin)
}

/// `DW_TAG_lexical_block`.
pub fn lexical_block() -> Die {
    Die::new(DW_TAG_lexical_block)
}

/// `DW_TAG_formal_parameter`; without name if that is empty, as in a `DW_TAG_subroutine_type`.
pub fn formal_parameter(name: &str, type_label: &str) -> Die {
    Die::new(DW_TAG_formal_parameter).named(name).typed(type_label)
}

/// `DW_TAG_unspecified_parameters`: the `...` of a variadic function.
pub fn unspecified_parameters() -> Die {
    Die::new(DW_TAG_unspecified_parameters)
}

/// `DW_TAG_variable`.
pub fn variable(name: &str, type_label: &str) -> Die {
    Die::new(DW_TAG_variable).named(name).typed(type_label)
}

/// Attributes of functions.
impl Die {
    /// `DW_AT_external`: not `static`.
    pub fn external(self) -> Die {
        self.attr(DW_AT_external, Value::FlagPresent)
    }

    /// `DW_AT_declaration`: not defined here.
    pub fn declaration(self) -> Die {
        self.attr(DW_AT_declaration, Value::FlagPresent)
    }

    /// `DW_AT_decl_file` and `DW_AT_decl_line`.
    pub fn decl(self, file: impl Into<File>, line: u64) -> Die {
        self.attr(DW_AT_decl_file, Value::File(file.into())).attr(DW_AT_decl_line, Value::Unsigned(line))
    }

    /// `DW_AT_prototyped` and, unless it is `void`, the return type.
    pub fn returns(self, type_label: &str) -> Die {
        self.attr(DW_AT_prototyped, Value::FlagPresent).typed(type_label)
    }

    /// `DW_AT_inline`.
    pub fn inline(self, code: DwInl) -> Die {
        self.attr(DW_AT_inline, Value::Data1(code.0))
    }

    /// `DW_AT_abstract_origin`.
    pub fn origin(self, label: &str) -> Die {
        self.attr(DW_AT_abstract_origin, Value::Ref(label.to_owned()))
    }

    /// `DW_AT_specification`: completes the declaration of this label.
    pub fn specification(self, label: &str) -> Die {
        self.attr(DW_AT_specification, Value::Ref(label.to_owned()))
    }

    /// `DW_AT_low_pc`.
    pub fn low_pc(self, address: u64) -> Die {
        self.attr(DW_AT_low_pc, Value::Address(address))
    }

    /// `DW_AT_high_pc` as a number of bytes from `DW_AT_low_pc`.
    pub fn size(self, bytes: u64) -> Die {
        self.attr(DW_AT_high_pc, Value::Word(bytes))
    }

    /// `DW_AT_entry_pc` as an address.
    pub fn entry_pc(self, address: u64) -> Die {
        self.attr(DW_AT_entry_pc, Value::Address(address))
    }

    /// `DW_AT_ranges`: code in several pieces, each from an address up to another.
    pub fn ranges(self, pieces: impl IntoIterator<Item = (u64, u64)>) -> Die {
        let ranges = pieces.into_iter().map(|(start, end)| Range::StartEnd(start, end)).collect();
        self.attr(DW_AT_ranges, Value::Ranges(ranges))
    }

    /// `DW_AT_call_return_pc`: the address behind the call of a [`call_site`].
    pub fn return_pc(self, address: u64) -> Die {
        self.attr(DW_AT_call_return_pc, Value::Address(address))
    }

    /// `DW_AT_call_all_calls`: every call in this function has its [`call_site`].
    pub fn all_calls(self) -> Die {
        self.attr(DW_AT_call_all_calls, Value::FlagPresent)
    }

    /// Appends a named parameter.
    pub fn parameter(self, name: &str, type_label: &str) -> Die {
        self.child(formal_parameter(name, type_label))
    }
}
