//! The records of a surface file: fixed-size, little-endian, readable at any address.
//!
//! A surface file is a header, a table of sections and the sections (see [`super::file`]). Each section
//! is an array of one of these records, except `STRINGS` (see [`super::strings`]), `META` and `NOTES` (JSON).
//! References between records are indices (`u32`); [`NONE`] means "there is none".
//! The sections from [`Section::OPTIONAL`] on are left out of a file when it has nothing behind them.
//! Where a record has a `first_*` field, its run ends where the run of the next record begins.

use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// An index that refers to nothing.
pub const NONE: u32 = u32::MAX;

/// An index or line number of three bytes. What does not fit reads as [`NONE`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct U24([u8; 3]);

impl From<u32> for U24 {
    fn from(value: u32) -> Self {
        let [a, b, c, _] = value.min(0xff_ffff).to_le_bytes();
        Self([a, b, c])
    }
}

impl U24 {
    /// The value; [`NONE`] where there is none.
    #[must_use]
    pub fn get(self) -> u32 {
        let [a, b, c] = self.0;
        match u32::from_le_bytes([a, b, c, 0]) {
            0xff_ffff => NONE,
            value => value,
        }
    }
}

/// A few flag bits, in as many bytes as they need.
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct Bits<const BYTES: usize>([u8; BYTES]);

impl<const BYTES: usize> From<u32> for Bits<BYTES> {
    fn from(value: u32) -> Self {
        let bytes = value.to_le_bytes();
        debug_assert!(bytes[BYTES..].iter().all(|byte| *byte == 0), "the flags need more bytes");
        Self(std::array::from_fn(|index| bytes[index]))
    }
}

impl<const BYTES: usize> Bits<BYTES> {
    /// All bits as one number.
    #[must_use]
    pub fn get(self) -> u32 {
        self.0.iter().rev().fold(0, |value, byte| value << 8 | u32::from(*byte))
    }
}

/// What a section holds. The numbers are part of the format and never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u32)]
#[allow(missing_docs, reason = "each is the table of the record with the same name")]
pub enum Section {
    Meta = 1,
    Notes = 2,
    Strings = 3,
    Files = 4,
    Units = 5,
    Functions = 6,
    Instances = 7,
    InlineSites = 8,
    CallSites = 9,
    Sections = 10,
    Symbols = 11,
    SymbolsByName = 12,
    FunctionSymbols = 13,
    Types = 14,
    TypeChildren = 15,
    TypesByName = 16,
    Tracepoints = 17,
    LsmHooks = 18,
    Kfuncs = 19,
    Syscalls = 20,
    SyscallArgs = 21,
    Configs = 22,
    Sets = 23,
    SetMembers = 24,
    Verdicts = 25,
    Callers = 26,
    Modules = 27,
}

impl Section {
    /// All sections, in the order of the file. An array over this enum is indexed by `number - 1`.
    pub const ALL: [Self; 27] = [
        Self::Meta,
        Self::Notes,
        Self::Strings,
        Self::Files,
        Self::Units,
        Self::Functions,
        Self::Instances,
        Self::InlineSites,
        Self::CallSites,
        Self::Sections,
        Self::Symbols,
        Self::SymbolsByName,
        Self::FunctionSymbols,
        Self::Types,
        Self::TypeChildren,
        Self::TypesByName,
        Self::Tracepoints,
        Self::LsmHooks,
        Self::Kfuncs,
        Self::Syscalls,
        Self::SyscallArgs,
        Self::Configs,
        Self::Sets,
        Self::SetMembers,
        Self::Verdicts,
        Self::Callers,
        Self::Modules,
    ];

    /// How many of [`Section::ALL`] every file has; a reader takes the others as empty where they are missing.
    pub const OPTIONAL: usize = Self::SetMembers as usize;

    /// Bytes of one record; 1 for sections that are plain bytes.
    #[must_use]
    pub fn record_size(self) -> usize {
        if self.is_plain() { 1 } else { self.fields().iter().sum() }
    }

    /// Whether the section is plain bytes instead of records.
    #[must_use]
    pub fn is_plain(self) -> bool {
        self.fields().is_empty()
    }

    /// Whether a file may lack it.
    pub(crate) fn is_optional(self) -> bool {
        self as usize > Self::OPTIONAL
    }

    /// Sizes of a record's fields in bytes; none for sections that are plain bytes.
    pub(crate) fn fields(self) -> &'static [usize] {
        match self {
            Self::Meta | Self::Notes | Self::Strings | Self::Verdicts => &[],
            Self::Files | Self::SymbolsByName | Self::FunctionSymbols | Self::TypesByName => {
                &[size_of::<U32>()]
            }
            Self::Units => Unit::FIELDS,
            Self::Functions => Function::FIELDS,
            Self::Instances => Instance::FIELDS,
            Self::InlineSites => InlineSite::FIELDS,
            Self::CallSites => CallSite::FIELDS,
            Self::Sections => ElfSection::FIELDS,
            Self::Symbols => Symbol::FIELDS,
            Self::Types => Type::FIELDS,
            Self::TypeChildren => TypeChild::FIELDS,
            Self::Tracepoints => Tracepoint::FIELDS,
            Self::LsmHooks => LsmHook::FIELDS,
            Self::Kfuncs => Kfunc::FIELDS,
            Self::Syscalls => Syscall::FIELDS,
            Self::SyscallArgs => SyscallArg::FIELDS,
            Self::Configs => Config::FIELDS,
            Self::Sets => Set::FIELDS,
            Self::SetMembers => SetMember::FIELDS,
            Self::Callers => Caller::FIELDS,
            Self::Modules => Module::FIELDS,
        }
    }
}

/// Declares a record: all fields little-endian, no padding, any alignment.
macro_rules! records {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
        #[repr(C)]
        pub struct $name { $($(#[$field_doc])* pub $field: $type,)* }

        impl $name {
            /// Sizes of the fields in bytes.
            pub(crate) const FIELDS: &[usize] = &[$(size_of::<$type>()),*];
        }
    )*};
}

records! {
    /// A compile unit, in the order of `.debug_info`.
    Unit {
        /// Path relative to the kernel tree: index into `FILES`.
        file: U32,
        /// Module the unit belongs to (string); 0 for vmlinux itself.
        module: U32,
    }
    /// All functions of one name; sorted by name (bytes).
    Function {
        /// Name (string).
        name: U32,
        /// First of its instances.
        first_instance: U32,
        /// First of its entries in `FUNCTION_SYMBOLS`.
        first_symbol: U32,
        /// The BTF `FUNC` of that name in `TYPES`, or `NONE`.
        btf_func: U32,
    }
    /// One definition, or one declaration without a definition.
    Instance {
        /// Compile unit: index into `UNITS`; `NONE` for a declaration without definition.
        unit: U32,
        /// File of the declaration: index into `FILES`, or `NONE`.
        decl_file: U32,
        /// Line of the declaration; 0 where unknown.
        decl_line: U24,
        /// `INSTANCE_*` bits.
        flags: Bits<1>,
        /// Address of the out-of-line code; meaningful with `INSTANCE_HAS_ADDRESS`.
        address: U64,
        /// `FUNC_PROTO` in `TYPES`, from DWARF; `NONE` where DWARF has none (assembly).
        prototype: U32,
        /// First of the places where it is inlined, in `INLINE_SITES`.
        first_inline_site: U32,
        /// First of the direct calls to it, in `CALL_SITES`.
        first_call_site: U32,
    }
    /// One inlined copy of an instance, in DIE order.
    InlineSite {
        /// The enclosing physical function: index into `INSTANCES`, behind these into `CALLERS`.
        caller: U32,
        /// File of the call: index into `FILES`, or `NONE`.
        call_file: U24,
        /// Line of the call; 0 where unknown.
        call_line: U24,
        /// Address of the first byte of the copy, in vmlinux minus `Meta::base_address`; `NONE` where unknown.
        address: U32,
    }
    /// One direct call of an instance, in DIE order.
    CallSite {
        /// The enclosing physical function: index into `INSTANCES`, behind these into `CALLERS`.
        caller: U32,
    }
    /// An ELF section that symbols refer to.
    ElfSection {
        /// Name (string).
        name: U32,
        /// Module (string); 0 for vmlinux.
        module: U32,
    }
    /// A symbol, in the order of `.symtab`; those of modules behind them, by module.
    Symbol {
        /// Name (string).
        name: U32,
        /// `st_value`.
        address: U64,
        /// `st_size`, cut to 32 bits.
        size: U32,
        /// Index into `SECTIONS`; `NONE` where undefined or absolute.
        section: U24,
        /// `ATTACH_*` bits.
        attach: Bits<2>,
        /// ELF `st_info`: binding in the high half, type in the low one.
        info: u8,
        /// ELF `st_other`: visibility and machine bits.
        other: u8,
        /// ELF `st_shndx` for the reserved values (`SHN_ABS`, `SHN_COMMON`), else 0.
        special: U16,
    }
    /// A type, in BTF's terms; ids start at 1, record 0 is `void`.
    Type {
        /// Name (string); 0 for none.
        name: U32,
        /// Kind in bits 0-7, BTF's `kind_flag` in bit 8, `TYPE_*` bits above.
        kind: U32,
        /// Size in bytes, or the id of the type referred to, as in `struct btf_type`.
        size_or_type: U32,
        /// First child in `TYPE_CHILDREN`.
        first_child: U32,
    }
    /// A part of a type; the meaning of the words depends on the kind.
    ///
    /// | kind | name | a | b |
    /// |---|---|---|---|
    /// | STRUCT, UNION | member | type | bit offset; with `kind_flag`: bits 0-23 offset, 24-31 bitfield size |
    /// | FUNC_PROTO | parameter | type | 0 |
    /// | ENUM | enumerator | value | 0 |
    /// | ENUM64 | enumerator | low half | high half |
    /// | ARRAY | 0 | element type | number of elements |
    /// | INT | 0 | BTF's encoding word | 0 |
    /// | FUNC | 0 | linkage | 0 |
    /// | VAR | 0 | linkage | 0 |
    /// | DATASEC | 0 | type of the variable | offset (its size is that of the type) |
    /// | DECL_TAG | 0 | component index | 0 |
    TypeChild {
        /// Name (string); 0 for none.
        name: U32,
        /// See the table.
        a: U32,
        /// See the table.
        b: U32,
    }
    /// A tracepoint; sorted by name, then system.
    Tracepoint {
        /// Event name (string), as in `events/SYSTEM/NAME`; for a bare one the name of the raw tracepoint.
        name: U32,
        /// System (string), as in `events/SYSTEM/NAME`; 0 where there is no event.
        system: U32,
        /// Class (string): the suffix of `event_class_*`; 0 where there is no event.
        class: U32,
        /// `print_fmt` (string); 0 where there is no event.
        format: U32,
        /// `STRUCT trace_event_raw_CLASS` in `TYPES`, or `NONE`.
        record: U32,
        /// `FUNC_PROTO` of `trace_event_raw_event_CLASS`, or `NONE`.
        prototype: U32,
        /// `TYPEDEF btf_trace_NAME` in `TYPES`, or `NONE`.
        btf_trace: U32,
        /// `TRACEPOINT_*` bits, and from `MODULE_SHIFT` on the number of its module.
        flags: U32,
        /// Bytes of the first argument a raw tracepoint may write (`raw_tp.w`); 0 for none, `NONE` where
        /// unknown.
        writable_size: U32,
        /// Number of arguments of the raw tracepoint, from `bpf_raw_event_map`; `NONE` where unknown.
        raw_args: U32,
    }
    /// An LSM hook; sorted by name.
    LsmHook {
        /// Hook name (string), without `security_` or `bpf_lsm_`.
        name: U32,
        /// `FUNC_PROTO` from `union security_list_options`, or `NONE`.
        prototype: U32,
        /// `LSM_*` bits.
        flags: U32,
    }
    /// A kernel function that programs may call; sorted by name.
    Kfunc {
        /// Name (string).
        name: U32,
        /// `FUNC_PROTO`, or `NONE`.
        prototype: U32,
        /// `KF_*` flags of the kernel (`include/linux/btf.h`), all sets of the function joined.
        flags: U32,
        /// `KFUNC_*` bits: where it was found; from `MODULE_SHIFT` on the number of its module.
        evidence: U32,
    }
    /// A system call entry; sorted by ABI (string order of the words), then number.
    Syscall {
        /// Which table (string): `64`, `x32`, `ia32`, `compat` ...
        abi: U32,
        /// Number in that table.
        number: U32,
        /// Name (string) without prefix: `openat`; `ni_syscall` where not implemented.
        name: U32,
        /// The entry's symbol (string): `__x64_sys_openat`; 0 where none.
        symbol: U32,
        /// First of its arguments in `SYSCALL_ARGS`.
        first_arg: U32,
        /// `SYSCALL_*` bits.
        flags: U32,
    }
    /// An argument of a system call, from the syscall metadata.
    SyscallArg {
        /// Type as C text (string).
        type_name: U32,
        /// Name (string).
        name: U32,
    }
    /// A Kconfig option; sorted by name.
    Config {
        /// Name (string) with `CONFIG_`.
        name: U32,
        /// Value (string) as written: `y`, `m`, `n` (for "is not set"), a number, a quoted string.
        value: U32,
    }
    /// A set of functions from `.BTF_ids` or a similar table; sorted by name.
    Set {
        /// Name (string): `bpf_lsm_hooks`, `btf_id_deny` ...
        name: U32,
        /// First member in `SET_MEMBERS`.
        first_member: U32,
        /// `SET_*` bits.
        flags: U32,
    }
    /// A member of a set, in the order of the image.
    SetMember {
        /// Name of the function or type (string).
        name: U32,
        /// Flags of the member (SET8 sets), else 0.
        flags: U32,
    }
    /// A function that is known only as a caller of others, in a dataset that was cut; sorted by name, then file.
    Caller {
        /// Name (string).
        name: U32,
        /// Source file of its compile unit: index into `FILES`, or `NONE`.
        file: U32,
    }
    /// A kernel module, in the order of their files. Its number is its place here plus 1; 0 is vmlinux.
    Module {
        /// Name (string), as `/proc/modules` has it.
        name: U32,
        /// Path (string) below `lib/modules/RELEASE/`.
        path: U32,
        /// First of its symbols; those of vmlinux come before all.
        first_symbol: U32,
        /// First type of its split BTF in `TYPES`.
        first_type: U32,
        /// Number of types of its split BTF; 0 where it has none.
        type_count: U32,
        /// `MODULE_*` bits.
        flags: U32,
    }
}

/// [`Module::flags`]: its code and data were read, so that its ftrace sites, tracepoints and kfuncs are known.
pub const MODULE_CODE: u32 = 1;
/// [`Module::flags`]: its debug information was read, so that its functions are known.
pub const MODULE_DEBUG: u32 = 1 << 1;
/// [`Module::flags`]: it was loaded in the running kernel that the surface is of.
pub const MODULE_LOADED: u32 = 1 << 2;

/// Where the number of the module begins in [`Tracepoint::flags`] and [`Kfunc::evidence`].
pub const MODULE_SHIFT: u32 = 16;
/// The most modules a surface holds.
pub const MAX_MODULES: usize = 0xffff;

/// [`Instance::flags`]: `DW_AT_external`.
pub const INSTANCE_EXTERNAL: u32 = 1;
/// [`Instance::flags`]: the address is known.
pub const INSTANCE_HAS_ADDRESS: u32 = 1 << 1;
/// [`Instance::flags`]: shift of the three bits that hold an [`super::function::Inline`] code.
pub const INSTANCE_INLINE_SHIFT: u32 = 2;
/// [`Instance::flags`]: the address is not in a symbol of the function. DepSurf's dataset has the address of an
/// inlined copy in such cases, and does not tell of which.
pub const INSTANCE_ADDRESS_ELSEWHERE: u32 = 1 << 5;
/// [`Instance::flags`]: whether it has code of its own is not told where there is no address.
pub const INSTANCE_CODE_UNKNOWN: u32 = 1 << 6;

impl Instance {
    /// What stands for an instance of which nothing is known.
    pub(super) const UNKNOWN: Self = Self {
        unit: U32::new(NONE),
        decl_file: U32::new(NONE),
        decl_line: U24([0; 3]),
        flags: Bits([(4 << INSTANCE_INLINE_SHIFT | INSTANCE_CODE_UNKNOWN) as u8]),
        address: U64::new(0),
        prototype: U32::new(NONE),
        first_inline_site: U32::new(0),
        first_call_site: U32::new(0),
    };
}

/// [`Type::kind`]: known only because other types name it. What it is made of is unknown, and it is not among
/// the types by name.
pub const TYPE_UNDEFINED: u32 = 1 << 9;
/// [`Type::kind`]: defined, but not among the types by name, because it was not listed under its own.
pub const TYPE_UNLISTED: u32 = 1 << 10;
/// [`Type::kind`]: the size is unknown.
pub const TYPE_NO_SIZE: u32 = 1 << 11;
/// [`Type::kind`]: the offsets of the members are unknown, and which of them are bitfields.
pub const TYPE_NO_OFFSETS: u32 = 1 << 12;

/// [`Tracepoint::flags`]: has a `trace_event_call`, so `events/SYSTEM/NAME` exists.
pub const TRACEPOINT_EVENT: u32 = 1;
/// [`Tracepoint::flags`]: is in `__start__bpf_raw_tp`, so raw programs can attach.
pub const TRACEPOINT_RAW: u32 = 1 << 1;

/// [`LsmHook::flags`]: member of `security_list_options`.
pub const LSM_LIST_OPTION: u32 = 1;
/// [`LsmHook::flags`]: member of `security_hook_heads` or `lsm_static_calls_table`.
pub const LSM_HEAD: u32 = 1 << 1;
/// [`LsmHook::flags`]: `bpf_lsm_NAME` is in the set `bpf_lsm_hooks`.
pub const LSM_BPF: u32 = 1 << 2;
/// [`LsmHook::flags`]: in `bpf_lsm_disabled_hooks`.
pub const LSM_DISABLED: u32 = 1 << 3;
/// [`LsmHook::flags`]: in `sleepable_lsm_hooks`.
pub const LSM_SLEEPABLE: u32 = 1 << 4;
/// [`LsmHook::flags`]: the sets of `.BTF_ids` could not be read, so the three bits above are unknown.
pub const LSM_SETS_UNKNOWN: u32 = 1 << 5;

/// [`Kfunc::evidence`]: has the `bpf_kfunc` DECL_TAG.
pub const KFUNC_DECL_TAG: u32 = 1;
/// [`Kfunc::evidence`]: member of a SET8 marked as a kfunc set.
pub const KFUNC_SET: u32 = 1 << 1;
/// [`Kfunc::evidence`]: named by a symbol `__BTF_ID__func__*`, so it is in some set of `.BTF_ids`, which may be
/// one that is not about kfuncs. Flags and sets are unknown.
pub const KFUNC_BTF_ID: u32 = 1 << 2;

/// [`Syscall::flags`]: the entry is `sys_ni_syscall`.
pub const SYSCALL_UNIMPLEMENTED: u32 = 1;
/// [`Syscall::flags`]: arguments are known from the metadata.
pub const SYSCALL_HAS_ARGS: u32 = 1 << 1;

/// [`Set::flags`]: SET8, members have flags.
pub const SET_8: u32 = 1;
/// [`Set::flags`]: the SET8 header marks it as a set of kfuncs (`BTF_SET8_KFUNCS`).
pub const SET_KFUNCS: u32 = 1 << 1;

/// [`Symbol::attach`]: an ftrace site lies in the symbol.
pub const ATTACH_FTRACE: u32 = 1;
/// [`Symbol::attach`]: on the kprobe blacklist (`_kprobe_blacklist`).
pub const ATTACH_BLACKLIST: u32 = 1 << 1;
/// [`Symbol::attach`]: in `.kprobes.text`.
pub const ATTACH_KPROBES_TEXT: u32 = 1 << 2;
/// [`Symbol::attach`]: in `.noinstr.text`.
pub const ATTACH_NOINSTR: u32 = 1 << 3;
/// [`Symbol::attach`]: in `.entry.text` or the like.
pub const ATTACH_ENTRY: u32 = 1 << 4;
/// [`Symbol::attach`]: in init text, which is freed after boot.
pub const ATTACH_INIT: u32 = 1 << 5;
/// [`Symbol::attach`]: exported to modules.
pub const ATTACH_EXPORTED: u32 = 1 << 6;
/// [`Symbol::attach`]: exported to GPL modules only.
pub const ATTACH_EXPORTED_GPL: u32 = 1 << 7;
/// [`Symbol::attach`]: in the error-injection list (`_error_injection_whitelist`).
pub const ATTACH_ERROR_INJECTION: u32 = 1 << 8;
