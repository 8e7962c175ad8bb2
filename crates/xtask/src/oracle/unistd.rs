//! The kernel's own lists of system calls, `asm/unistd.h` of each ABI, beside the tables of the image.
//!
//! The headers come from the package linux-libc-dev of the same version. They are a kernel's promise to programs and know
//! nothing of how its entries are called, so numbers have to be equal and names only to mean the same.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use depsurf::kernel::Arch;
use depsurf::surface::Surface;

use super::table::{Reason, Row, UNEXPLAINED};

/// How the headers of an ABI are read.
struct Abi {
    /// Word of the table in the surface.
    abi: &'static str,
    /// GNU triplet, the directory of the headers.
    triplet: &'static str,
    /// Architecture of the package, where packages are not for all.
    package: Arch,
    /// What its compiler predefines and the headers ask for.
    defines: &'static [&'static str],
    /// What is to be added to a number of the header.
    offset: u32,
}

const LP64: [&str; 4] = ["__LP64__=1", "__SIZEOF_LONG__=8", "__CHAR_BIT__=8", "__SIZEOF_POINTER__=8"];

fn abis(arch: Arch) -> Vec<Abi> {
    let abi = |abi, triplet, package, defines| Abi { abi, triplet, package, defines, offset: 0 };
    let mips = |name, defines| abi(name, "mips64el-linux-gnuabi64", Arch::Mips64el, defines);
    match arch {
        Arch::Amd64 => vec![
            abi("64", "x86_64-linux-gnu", Arch::Amd64, &["__x86_64__=1", LP64[0]]),
            abi("ia32", "x86_64-linux-gnu", Arch::Amd64, &["__i386__=1"]),
            // Numbers of x32 have a bit of their own (`__X32_SYSCALL_BIT`), which the table does not.
            Abi {
                offset: 0xc000_0000,
                ..abi("x32", "x86_64-linux-gnu", Arch::Amd64, &["__x86_64__=1", "__ILP32__=1"])
            },
        ],
        Arch::Arm64 => vec![
            abi(
                "64",
                "aarch64-linux-gnu",
                Arch::Arm64,
                &["__aarch64__=1", LP64[0], LP64[1], LP64[2], LP64[3]],
            ),
            abi("compat", "arm-linux-gnueabihf", Arch::Armhf, &["__arm__=1", "__ARM_EABI__=1"]),
        ],
        Arch::Armhf => {
            vec![abi("32", "arm-linux-gnueabihf", Arch::Armhf, &["__arm__=1", "__ARM_EABI__=1"])]
        }
        Arch::I386 => vec![abi("32", "i386-linux-gnu", Arch::I386, &["__i386__=1"])],
        Arch::Loong64 => vec![abi(
            "64",
            "loongarch64-linux-gnu",
            Arch::Loong64,
            &[
                "__loongarch__=1",
                "__loongarch64=1",
                "__loongarch_grlen=64",
                LP64[0],
                LP64[1],
                LP64[2],
                LP64[3],
            ],
        )],
        Arch::Mips64el => vec![
            mips("64", &["__mips__=1", "_ABIO32=1", "_ABIN32=2", "_ABI64=3", "_MIPS_SIM=3"]),
            mips("n32", &["__mips__=1", "_ABIO32=1", "_ABIN32=2", "_ABI64=3", "_MIPS_SIM=2"]),
            mips("o32", &["__mips__=1", "_ABIO32=1", "_ABIN32=2", "_ABI64=3", "_MIPS_SIM=1"]),
        ],
        Arch::Ppc64el => {
            vec![abi("64", "powerpc64le-linux-gnu", Arch::Ppc64el, &["__powerpc64__=1", "__powerpc__=1"])]
        }
        Arch::Riscv64 => vec![abi(
            "64",
            "riscv64-linux-gnu",
            Arch::Riscv64,
            &["__riscv=1", "__riscv_xlen=64", LP64[0], LP64[1], LP64[2], LP64[3]],
        )],
        Arch::S390x => vec![
            abi("64", "s390x-linux-gnu", Arch::S390x, &["__s390x__=1"]),
            abi("compat", "s390x-linux-gnu", Arch::S390x, &["__s390__=1"]),
        ],
    }
}

const UNIMPLEMENTED: Reason = Reason {
    id: "not-implemented",
    text: "The number is promised to programs, and this kernel answers ENOSYS: its entry is `sys_ni_syscall` or a weak stand-in.",
};
const OTHER_NAME: Reason = Reason {
    id: "entry-of-another-name",
    text: "The function that serves the call has a name of its own: of an age (`newstat`), of a width (`getuid16`, `statfs64`, `futex_time32`), or of an architecture (`mips_mmap`).",
};
const BEHIND: Reason = Reason {
    id: "behind-the-table",
    text: "The header has the number and the table ends before it: the call is of other architectures, or the macro is no system call.",
};
const NO_HEADER: Reason = Reason {
    id: "not-for-programs",
    text: "The kernel serves a number that its headers do not give to programs: served for old ones, or private to the architecture.",
};

/// Compares every table that the surface has. `headers` gives the directory with the headers' package for an architecture.
pub fn compare(surface: &Surface, headers: impl Fn(Arch) -> Result<std::path::PathBuf>) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for abi in abis(surface.kernel().arch) {
        let here: BTreeMap<u32, (&str, bool)> = surface
            .syscalls()
            .filter(|syscall| syscall.abi() == abi.abi)
            .map(|syscall| (syscall.number(), (syscall.name(), syscall.is_implemented())))
            .collect();
        if !here.is_empty() {
            let there = read(&headers(abi.package)?, &abi)?;
            rows.push(table(&abi, &there, &here));
        }
    }
    Ok(rows)
}

fn table(abi: &Abi, there: &BTreeMap<u32, Vec<String>>, here: &BTreeMap<u32, (&str, bool)>) -> Row {
    let mut row = Row::new(format!("system calls of `asm/unistd.h`, ABI `{}`", abi.abi));
    for (number, names) in there {
        let title = || format!("{number} `{}`", names.join("`, `"));
        match here.get(number) {
            None => row.only_there(BEHIND, title),
            Some((name, _)) if names.iter().any(|other| other == name) => row.equal(),
            Some((name, false)) => {
                row.different(UNIMPLEMENTED, || format!("{} there, `{name}` here", title()))
            }
            Some((name, true)) => {
                let means_it = names.iter().any(|other| same(other, name));
                let is_no_call =
                    names.iter().all(|name| ["unused", "reserved"].iter().any(|word| name.starts_with(word)));
                let reason = match (means_it, is_no_call) {
                    (true, _) => OTHER_NAME,
                    (false, true) => NO_HEADER,
                    (false, false) => UNEXPLAINED,
                };
                row.different(reason, || format!("{} there, `{name}` here", title()));
            }
        }
    }
    for (number, (name, implemented)) in here {
        if *implemented && !there.contains_key(number) {
            row.only_here(NO_HEADER, || format!("{number} `{name}`"));
        }
    }
    row
}

/// Whether the name of an entry means the call of a header.
fn same(call: &str, entry: &str) -> bool {
    /// Entries that are called otherwise altogether, by the header's name.
    const PAIRS: &[(&str, &str)] = &[
        ("mmap2", "mmap_pgoff"),
        ("oldolduname", "olduname"),
        ("olduname", "uname"),
        ("exit", "exit"),
        ("ugetrlimit", "getrlimit"),
        ("umount", "oldumount"),
        ("readdir", "old_readdir"),
        ("swapcontext", "swapcontext"),
        ("preadv2", "preadv64v2"),
        ("pwritev2", "pwritev64v2"),
    ];
    bare(call) == bare(entry) || PAIRS.iter().any(|(a, b)| bare(call) == bare(a) && bare(entry) == bare(b))
}

/// A name without what tells age, width and architecture.
fn bare(name: &str) -> &str {
    const BEFORE: [&str; 17] = [
        "compat_sys_",
        "compat_",
        "sys32_",
        "sysn32_",
        "sysm_",
        "sys_",
        "ia32_",
        "x32_",
        "mips_",
        "arm64_",
        "aarch32_",
        "arm_",
        "ppc64_",
        "ppc_",
        "s390_",
        "new",
        "old",
    ];
    const BEHIND: [&str; 9] = ["_wrapper", "_time32", "_time64", "_64", "64", "32", "16", "31", "2"];
    let mut name = name.trim_start_matches('_');
    loop {
        let before =
            BEFORE.iter().find_map(|word| name.strip_prefix(word)).map(|rest| rest.trim_start_matches('_'));
        let shorter = before.or_else(|| BEHIND.iter().find_map(|word| name.strip_suffix(word)));
        match shorter.filter(|rest| rest.len() > 2) {
            Some(shorter) => name = shorter,
            None => return name,
        }
    }
}

/// Names by number, as the C preprocessor gives them.
fn read(directory: &Path, abi: &Abi) -> Result<BTreeMap<u32, Vec<String>>> {
    let include = directory.join("usr/include");
    let own = include.join(abi.triplet);
    ensure!(own.is_dir(), "no headers in `{}`", own.display());
    const SOURCE: &str = "#include <asm/unistd.h>\n";
    let run = |option: &str, source: &str| -> Result<String> {
        let mut command = Command::new("cpp");
        command.args(["-undef", "-nostdinc", option]).arg("-I").arg(&own).arg("-I").arg(&include);
        command.args(abi.defines.iter().map(|define| format!("-D{define}")));
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = child.context("cannot run cpp")?;
        child.stdin.take().context("a pipe was asked for")?.write_all(source.as_bytes())?;
        let output = child.wait_with_output()?;
        ensure!(output.status.success(), "cpp: {}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let macros = run("-dM", SOURCE)?;
    let names: Vec<&str> = macros
        .lines()
        .filter_map(|line| line.strip_prefix("#define __NR_")?.split_whitespace().next())
        // Not calls but the bases of others.
        .filter(|name| !name.chars().any(|letter| letter.is_ascii_uppercase()))
        .filter(|name| !matches!(*name, "syscalls" | "arch_specific_syscall"))
        .collect();
    let mut source = SOURCE.to_owned();
    for name in &names {
        // In quotes the name is not expanded, beside it its value is.
        source += &format!("CALL \"{name}\" __NR_{name}\n");
    }
    let mut calls: BTreeMap<u32, Vec<String>> = BTreeMap::new();
    for line in run("-P", &source)?.lines() {
        let Some((name, value)) = line.strip_prefix("CALL \"").and_then(|rest| rest.split_once("\" ")) else {
            continue;
        };
        let Some(number) = sum(value) else { continue };
        calls.entry(number.wrapping_add(abi.offset)).or_default().push(name.to_owned());
    }
    ensure!(!calls.is_empty(), "no system calls in `{}`", own.display());
    Ok(calls)
}

/// The value of `(4000 + 1)` and the like.
fn sum(text: &str) -> Option<u32> {
    text.replace(['(', ')'], " ").split('+').map(|part| number(part.trim())).sum()
}

fn number(text: &str) -> Option<u32> {
    match text.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_sums() {
        assert_eq!(sum("(4000 + 1)"), Some(4001));
        assert_eq!(sum("((0x0f0000 + 0)+5)"), Some(0xf0005));
        assert_eq!(sum("__NR_Linux"), None);
    }

    #[test]
    fn names_mean_the_same() {
        for (call, entry) in [
            ("stat", "newstat"),
            ("futex_time64", "futex"),
            ("getuid32", "getuid"),
            ("statfs64", "statfs64_wrapper"),
            ("_llseek", "llseek"),
            ("umount2", "umount"),
            ("mmap", "mips_mmap"),
            ("fadvise64", "ia32_fadvise64"),
            ("oldolduname", "olduname"),
        ] {
            assert!(same(call, entry), "{call} {entry}");
        }
        assert!(!same("read", "write"));
        assert!(!same("open", "openat"));
    }
}
