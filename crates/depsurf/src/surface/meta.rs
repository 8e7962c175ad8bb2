//! What is known about the image as a whole, and which kinds of facts could be read from it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::kernel::KernelId;

/// Identity and provenance of a surface; the `META` section, as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meta {
    /// The dataset's key.
    pub kernel: KernelId,
    /// `uname -r`, from the banner: `6.1.0-50-cloud-amd64`.
    pub uname: Option<String>,
    /// The `linux_banner` string of the image, without its newline.
    pub banner: Option<String>,
    /// GNU build id of the image, in hex.
    pub build_id: Option<String>,
    /// First line of `.comment`: `GCC: (Debian 12.2.0-14+deb12u1) 12.2.0`.
    pub compiler: Option<String>,
    /// `debian`, `ubuntu` ..., where the banner or the package tells.
    pub distribution: Option<String>,
    /// The package the image came from.
    pub package: Option<Package>,
    /// Whether the machine is big-endian.
    pub big_endian: bool,
    /// Bytes of a pointer: 4 or 8.
    pub address_size: u8,
    /// Lowest address of the image's code; addresses of inline sites count from here.
    pub base_address: u64,
    /// Types below this id were read from the image's `.BTF` and are what libbpf sees;
    /// 1 when the image has no `.BTF` and all types are from DWARF.
    pub btf_types: u32,
    /// What it was imported from; `None` for a surface that was extracted from an image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub imported: Option<Import>,
    /// How it was checked, where depsurf fetched the package itself; `None` for what was a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fetched: Option<Fetched>,
    /// For each kind of fact whether it was read, and if not, why.
    pub evidence: BTreeMap<Fact, Evidence>,
}

/// Where a surface comes from that was not extracted from an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Import {
    /// `DepSurf dataset`.
    pub format: String,
    /// The parts that the dataset has of this kernel, by its own words: `func_groups`, `types_struct` ...
    pub parts: Vec<String>,
    /// Lines of `.comment` behind the one that is [`Meta::compiler`]: other compilers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub further_comments: Vec<String>,
}

/// Where a kernel was fetched from, and what vouches for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Fetched {
    /// `debian`, `ubuntu`, `fedora` or `debuginfod`.
    pub place: String,
    /// The suite or release in which it was found: `bookworm-security`. Empty where there are none.
    pub suite: String,
    /// What was compared.
    pub checked: Checked,
    /// Good signatures that vouch for it, by keys that the user has; none where none were checked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signed: Vec<Signed>,
}

/// What of a fetched kernel has a good signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Signed {
    /// The index, and with it the size and the checksum that it tells of the package.
    Index,
    /// All of the package itself.
    Package,
    /// The header of the package itself. What is behind it was not compared, because parts of it were not fetched or the header does
    /// not tell its checksum.
    Header,
}

/// What of a fetched kernel was compared with what its index says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Checked {
    /// The whole package, with its checksum.
    Whole,
    /// The size of the package only, because parts of it were not fetched. What was fetched has the checksums of its
    /// compression where it was decoded to the end.
    Index,
    /// The build id, because there is no index.
    BuildId,
}

/// Name and version of a package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Package {
    /// `linux-image-6.1.0-50-cloud-amd64-dbg`.
    pub name: String,
    /// `6.1.176-1`.
    pub version: String,
}

/// A kind of fact that an image may or may not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Fact {
    /// Functions, instances, inlined copies and calls, from DWARF.
    Functions,
    /// Symbols, from `.symtab`.
    Symbols,
    /// Types as the kernel's own BTF has them.
    Btf,
    /// Types at all, from BTF or DWARF.
    Types,
    /// Definitions of structs. As known as `types`, unless the evidence lists it.
    Structs,
    /// Definitions of unions. As known as `types`, unless the evidence lists it.
    Unions,
    /// Definitions of enums. As known as `types`, unless the evidence lists it.
    Enums,
    /// Prototypes of functions. As known as `types`, unless the evidence lists it.
    Prototypes,
    /// ftrace sites.
    FtraceSites,
    /// The kprobe blacklist.
    KprobeBlacklist,
    /// Exported symbols.
    Exports,
    /// The error-injection list.
    ErrorInjection,
    /// The sets of `.BTF_ids`.
    BtfIds,
    /// Trace events.
    Tracepoints,
    /// Raw tracepoints.
    RawTracepoints,
    /// LSM hooks.
    LsmHooks,
    /// kfuncs.
    Kfuncs,
    /// The native system call table.
    Syscalls,
    /// Names and types of system call arguments.
    SyscallMetadata,
    /// System call tables for other ABIs.
    CompatSyscalls,
    /// Kconfig options.
    Config,
    /// Kernel modules: what is known of vmlinux is known of them.
    Modules,
}

impl Fact {
    /// All kinds of facts, in their order.
    pub const ALL: [Self; 18] = [
        Self::Functions,
        Self::Symbols,
        Self::Btf,
        Self::Types,
        Self::FtraceSites,
        Self::KprobeBlacklist,
        Self::Exports,
        Self::ErrorInjection,
        Self::BtfIds,
        Self::Tracepoints,
        Self::RawTracepoints,
        Self::LsmHooks,
        Self::Kfuncs,
        Self::Syscalls,
        Self::SyscallMetadata,
        Self::CompatSyscalls,
        Self::Config,
        Self::Modules,
    ];
}

/// Whether a kind of fact was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case", tag = "state")]
pub enum Evidence {
    /// Read: what is not in the surface is not in the kernel.
    Known {
        /// Where it was read from: `.BTF`, `.debug_info`, `__start_mcount_loc` ...
        source: String,
    },
    /// Not read: what is not in the surface may still be in the kernel.
    Unknown {
        /// Why.
        reason: String,
    },
}

impl Evidence {
    /// Shorthand for [`Evidence::Known`].
    #[must_use]
    pub fn known(source: impl Into<String>) -> Self {
        Self::Known { source: source.into() }
    }

    /// Shorthand for [`Evidence::Unknown`].
    #[must_use]
    pub fn unknown(reason: impl Into<String>) -> Self {
        Self::Unknown { reason: reason.into() }
    }
}

impl Fact {
    /// The fact whose evidence counts where a finer one has none of its own.
    fn broader(self) -> Option<Self> {
        match self {
            Self::Structs | Self::Unions | Self::Enums | Self::Prototypes => Some(Self::Types),
            _ => None,
        }
    }
}

impl Meta {
    fn evidence_of(&self, fact: Fact) -> Option<&Evidence> {
        self.evidence.get(&fact).or_else(|| self.evidence.get(&fact.broader()?))
    }

    /// Whether a kind of fact was read.
    #[must_use]
    pub fn knows(&self, fact: Fact) -> bool {
        matches!(self.evidence_of(fact), Some(Evidence::Known { .. }))
    }

    /// Whether the kernel has BTF of its own, behind `/sys/kernel/btf/vmlinux`; `None` where it is not known.
    #[must_use]
    pub fn has_btf(&self) -> Option<bool> {
        if self.btf_types > 1 {
            return Some(true);
        }
        self.knows(Fact::Btf).then_some(false)
    }

    /// Why a kind of fact is unknown; `None` when it is known.
    #[must_use]
    pub fn unknown_because(&self, fact: Fact) -> Option<&str> {
        match self.evidence_of(fact) {
            Some(Evidence::Known { .. }) => None,
            Some(Evidence::Unknown { reason }) => Some(reason),
            None => Some("it was not looked for"),
        }
    }
}
