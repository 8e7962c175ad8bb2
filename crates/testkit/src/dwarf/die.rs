//! A debugging information entry and the values of its attributes.

use gimli::constants::{DwAt, DwForm, DwTag};

use super::lists::Range;

/// The file of a `DW_AT_decl_file` or `DW_AT_call_file`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum File {
    /// A path, relative to the compilation directory. It gets an entry in the unit's line table.
    Path(String),
    /// An index in that table, existing or not.
    Index(u64),
}

impl From<&str> for File {
    fn from(path: &str) -> File {
        File::Path(path.to_owned())
    }
}

impl From<u64> for File {
    fn from(index: u64) -> File {
        File::Index(index)
    }
}

/// The value of an attribute, with the form that it is written in.
#[derive(Clone, Debug)]
pub enum Value {
    /// A string in the form of the [`super::Style`].
    Text(String),
    /// `DW_FORM_string`: in place.
    String(String),
    /// `DW_FORM_strp`: in `.debug_str`.
    Strp(String),
    /// `DW_FORM_line_strp`: in `.debug_line_str`.
    LineStrp(String),
    /// `DW_FORM_strx`: through `.debug_str_offsets`.
    Strx(String),
    /// The smallest of `DW_FORM_data1` to `DW_FORM_data8` that holds it.
    Unsigned(u64),
    /// `DW_FORM_data4` or `DW_FORM_data8`, as wide as an address.
    Word(u64),
    /// `DW_FORM_data1`.
    Data1(u8),
    /// `DW_FORM_data2`.
    Data2(u16),
    /// `DW_FORM_data4`.
    Data4(u32),
    /// `DW_FORM_data8`.
    Data8(u64),
    /// `DW_FORM_udata`.
    Udata(u64),
    /// `DW_FORM_sdata`.
    Sdata(i64),
    /// `DW_FORM_implicit_const`: in the abbreviation.
    ImplicitConst(i64),
    /// `DW_FORM_flag`.
    Flag(bool),
    /// `DW_FORM_flag_present`: true, without any bytes.
    FlagPresent,
    /// An address in the form of the [`super::Style`].
    Address(u64),
    /// `DW_FORM_addr`.
    Addr(u64),
    /// `DW_FORM_addrx`: through `.debug_addr`.
    Addrx(u64),
    /// The DIE of this label: `DW_FORM_ref4` in the same unit, else `DW_FORM_ref_addr`.
    Ref(String),
    /// `DW_FORM_ref4` to a label of the same unit.
    Ref4(String),
    /// `DW_FORM_ref_udata` to a label of the same unit, padded to four bytes.
    RefUdata(String),
    /// `DW_FORM_ref_addr` to a label of any unit.
    RefAddr(String),
    /// `DW_FORM_ref4` with any offset from the unit's header.
    Ref4Offset(u32),
    /// `DW_FORM_ref_addr` with any offset in `.debug_info`.
    RefAddrOffset(u32),
    /// `DW_FORM_sec_offset`.
    SecOffset(u32),
    /// `DW_FORM_exprloc`.
    Exprloc(Vec<u8>),
    /// `DW_FORM_block1`.
    Block1(Vec<u8>),
    /// A list in `.debug_ranges` or `.debug_rnglists`.
    Ranges(Vec<Range>),
    /// A list in `.debug_loc` or `.debug_loclists`: where, and an expression.
    Locations(Vec<(Range, Vec<u8>)>),
    /// An index in the unit's file table.
    File(File),
    /// Any form with any bytes.
    Raw(DwForm, Vec<u8>),
}

/// A debugging information entry with its children.
#[derive(Clone, Debug)]
pub struct Die {
    pub(super) tag: DwTag,
    pub(super) label: Option<String>,
    /// The C spelling, by which the DIE is found unless a label is set.
    pub(super) spelling: Option<String>,
    pub(super) attributes: Vec<(DwAt, Value)>,
    pub(super) children: Vec<Die>,
    pub(super) sibling: bool,
    pub(super) abbreviation: Option<u64>,
}

impl Die {
    /// A DIE without attributes, children and label.
    pub fn new(tag: DwTag) -> Die {
        Die {
            tag,
            label: None,
            spelling: None,
            attributes: Vec::new(),
            children: Vec::new(),
            sibling: false,
            abbreviation: None,
        }
    }

    /// Sets the label, in place of the C spelling. No two DIEs of a unit may set the same.
    pub fn label(mut self, label: impl Into<String>) -> Die {
        self.label = Some(label.into());
        self
    }

    /// Appends an attribute. The order is that of the calls.
    pub fn attr(mut self, name: DwAt, value: Value) -> Die {
        self.attributes.push((name, value));
        self
    }

    /// Drops an attribute that a constructor set.
    pub fn without(mut self, name: DwAt) -> Die {
        self.attributes.retain(|(attribute, _)| *attribute != name);
        self
    }

    /// Appends a child.
    pub fn child(mut self, child: Die) -> Die {
        self.children.push(child);
        self
    }

    /// Appends children.
    pub fn children(mut self, children: impl IntoIterator<Item = Die>) -> Die {
        self.children.extend(children);
        self
    }

    /// Adds `DW_AT_sibling`: the offset behind this DIE's children.
    pub fn sibling(mut self) -> Die {
        self.sibling = true;
        self
    }

    /// This DIE inside `depth` others of the same tag, for readers that recurse. The writer and `Drop`
    /// recurse as well: a few thousand is fine.
    pub fn buried(self, tag: DwTag, depth: usize) -> Die {
        (0..depth).fold(self, |inner, _| Die::new(tag).child(inner))
    }

    /// Fault: writes this abbreviation code, which the table need not have.
    pub fn claim_abbreviation(mut self, code: u64) -> Die {
        self.abbreviation = Some(code);
        self
    }

    /// Appends `DW_AT_type`, unless the type is `void`.
    pub(super) fn typed(self, label: &str) -> Die {
        if label == "void" {
            return self;
        }
        self.attr(gimli::DW_AT_type, Value::Ref(label.to_owned()))
    }

    /// Appends `DW_AT_name`, unless it is empty.
    pub(super) fn named(self, name: &str) -> Die {
        if name.is_empty() {
            return self;
        }
        self.attr(gimli::DW_AT_name, Value::Text(name.to_owned()))
    }

    /// Sets the C spelling.
    pub(super) fn spelled(mut self, spelling: String) -> Die {
        self.spelling = Some(spelling);
        self
    }
}
