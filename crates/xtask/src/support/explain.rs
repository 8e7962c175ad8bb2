//! Why a number of an image is not like those of its neighbours.

use depsurf::surface::Surface;

use super::Row;

/// Something that moves numbers of some images.
pub struct Reason {
    /// Short name.
    pub id: &'static str,
    /// What it is.
    pub text: &'static str,
    /// Columns that it moves.
    columns: &'static [&'static str],
    /// Which images have it.
    applies: fn(&Row, &Surface) -> bool,
}

fn is_one_of(row: &Row, architectures: &[&str]) -> bool {
    architectures.contains(&row.arch.as_str())
}

fn has(surface: &Surface, option: &str) -> bool {
    surface.config(option).is_some_and(|option| option.value == "y")
}

/// All known reasons. Each was looked at in the images.
pub static REASONS: &[Reason] = &[
    Reason {
        id: "other-abis",
        text: "How many ABIs a kernel serves besides its own depends on the architecture and its configuration: amd64 has that of i386 and, but \
               in cloud kernels, x32; arm64 and, until it was dropped, s390x that of their 32-bit programs; mips64el two; the others none.",
        columns: &["compat"],
        applies: |_, _| true,
    },
    Reason {
        id: "generic-table",
        text: "arm64, loong64 and riscv64 came late and have the generic table, without the calls that others keep for old programs.",
        columns: &["call", "args"],
        applies: |row, _| is_one_of(row, &["arm64", "loong64", "riscv64"]),
    },
    Reason {
        id: "calls-for-32-bits",
        text: "armhf and i386 have several calls where others have one: for users and groups of 16 bits, for offsets of 64 bits, for times of 64 bits.",
        columns: &["call", "args"],
        applies: |row, _| is_one_of(row, &["armhf", "i386"]),
    },
    Reason {
        id: "no-btf",
        text: "A kernel that was built without BTF (CONFIG_DEBUG_INFO_BTF) has no kfunc that can be called; that is so for most architectures of 6.1, \
               and for armhf and loong64 still.",
        columns: &["kfunc"],
        applies: |_, surface| surface.meta().has_btf().is_some(),
    },
    Reason {
        id: "small-configuration",
        text: "Kernels for clouds, mainframes and architectures with few machines leave out most of these, and clouds build in what is left: fewer options, \
               functions and init functions, more trace events of file systems.",
        columns: &["func", "symbol", "ftrace", "init", "export", "struct", "event", "raw tp", "config"],
        applies: |row, _| {
            row.release.contains("cloud")
                || is_one_of(row, &["s390x", "mips64el", "ppc64el", "riscv64", "loong64"])
        },
    },
    Reason {
        id: "prefix-symbols",
        text: "On amd64 there is a symbol `__pfx_NAME` on the padding before each function since 6.4, which is a function symbol, too.",
        columns: &["symbol", "init"],
        applies: |row, surface| {
            is_one_of(row, &["amd64"]) && surface.symbols_named("__pfx_vfs_read").next().is_some()
        },
    },
    Reason {
        id: "entry-code",
        text: "How much code is entry code, and whether it is written in C (`noinstr`), in assembly or generated, is a matter of the architecture.",
        columns: &["forbidden"],
        applies: |row, _| !is_one_of(row, &["arm64"]),
    },
    Reason {
        id: "hypervisor-code",
        text: "arm64 has the code of KVM for its exception level 2 in the image, all of which kprobes must not touch; kernels with PREEMPT_RT are \
               built without KVM there.",
        columns: &["forbidden"],
        applies: |row, surface| is_one_of(row, &["arm64"]) && has(surface, "CONFIG_KVM"),
    },
];

/// The first reason for a column of an image.
pub fn reason(row: &Row, surface: &Surface, column: &str) -> Option<&'static Reason> {
    REASONS.iter().find(|reason| reason.columns.contains(&column) && (reason.applies)(row, surface))
}
