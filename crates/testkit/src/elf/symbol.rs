//! One entry of `.symtab`.

/// Where a symbol is defined: what becomes `st_shndx`.
#[derive(Clone, Debug)]
pub(super) enum Place {
    /// The allocated section that contains the value, or ends at it; `SHN_ABS` if none does.
    Auto,
    Section(String),
    Number(u16),
}

/// A symbol. Local, of default visibility, and in the section that contains its value, until said
/// otherwise.
#[derive(Clone, Debug)]
pub struct Symbol {
    pub(crate) name: String,
    pub(super) value: u64,
    pub(super) size: u64,
    pub(super) kind: u8,
    pub(super) bind: u8,
    pub(super) visibility: u8,
    pub(super) place: Place,
    pub(super) claimed_name: Option<u32>,
}

impl Symbol {
    /// A symbol of `STT_NOTYPE`: a bound like `__start_mcount_loc`, or assembly.
    pub fn notype(name: impl Into<String>, value: u64) -> Symbol {
        Symbol {
            name: name.into(),
            value,
            size: 0,
            kind: 0,
            bind: 0,
            visibility: 0,
            place: Place::Auto,
            claimed_name: None,
        }
    }

    /// A function, `STT_FUNC`.
    pub fn func(name: impl Into<String>, value: u64, size: u64) -> Symbol {
        Symbol { size, kind: 2, ..Symbol::notype(name, value) }
    }

    /// A variable, `STT_OBJECT`.
    pub fn object(name: impl Into<String>, value: u64, size: u64) -> Symbol {
        Symbol { size, kind: 1, ..Symbol::notype(name, value) }
    }

    /// A source file, `STT_FILE`: local, absolute, without value.
    pub fn file(name: impl Into<String>) -> Symbol {
        Symbol { kind: 4, ..Symbol::notype(name, 0) }.absolute()
    }

    /// Sets the type to any number, such as 10 for `STT_GNU_IFUNC`.
    pub fn kind(mut self, kind: u8) -> Symbol {
        self.kind = kind;
        self
    }

    /// Sets `st_size`.
    pub fn size(mut self, size: u64) -> Symbol {
        self.size = size;
        self
    }

    /// `STB_GLOBAL`.
    pub fn global(mut self) -> Symbol {
        self.bind = 1;
        self
    }

    /// `STB_WEAK`.
    pub fn weak(mut self) -> Symbol {
        self.bind = 2;
        self
    }

    /// `STV_HIDDEN`.
    pub fn hidden(mut self) -> Symbol {
        self.visibility = 2;
        self
    }

    /// In the first section of this name.
    pub fn in_section(mut self, name: impl Into<String>) -> Symbol {
        self.place = Place::Section(name.into());
        self
    }

    /// `SHN_ABS`.
    pub fn absolute(self) -> Symbol {
        self.section_index(0xfff1)
    }

    /// `SHN_UNDEF`.
    pub fn undefined(self) -> Symbol {
        self.section_index(0)
    }

    /// Any `st_shndx`, also one that does not exist.
    pub fn section_index(mut self, index: u16) -> Symbol {
        self.place = Place::Number(index);
        self
    }

    /// Fault: `st_name`, wherever the name is.
    pub fn claim_name(mut self, offset: u32) -> Symbol {
        self.claimed_name = Some(offset);
        self
    }
}
