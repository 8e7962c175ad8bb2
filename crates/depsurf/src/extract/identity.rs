//! Which kernel an image is: from the banner (`linux_banner`), the ELF header, the build id and the compiler's mark.
//!
//! | banner says | version | release | flavour |
//! |---|---|---|---|
//! | `6.1.0-50-cloud-amd64 ... Debian 6.1.176-1` | 6.1.176 | 50 | cloud |
//! | `6.12.107+deb13-amd64 ... Debian 6.12.107-1` | 6.12.107 | deb13 | generic |
//! | `5.4.0-26-generic ... #30-Ubuntu` | 5.4.0 | 26 | generic |
//! | `6.9.0-rc3-dirty ...` | 6.9.0 | rc3-dirty | generic |
//!
//! Only Debian and Ubuntu have a known way to write a flavour into `uname -r`. What anyone else puts behind the
//! version is the release as a whole, and the flavour is `generic`. The architecture is always that of the ELF header.

use std::collections::BTreeMap;

use crate::error::{Error, Result};
use crate::image::{Image, Machine};
use crate::kernel::{KernelId, Version};
use crate::surface::Meta;
use crate::surface::meta::Package;

/// The flavour of kernels that name none.
const PLAIN: &str = "generic";

/// Identity and provenance of an image. `evidence` is empty and `btf_types` 1: the readers of these fill them in.
///
/// # Errors
/// When the banner does not tell the kernel's name and `name` does not either, or when `name` is of another architecture.
pub fn read(image: &Image<'_>, package: Option<Package>, name: Option<&KernelId>) -> Result<Meta> {
    let machine = image.machine();
    let banner = Banner::parse(image.banner());
    let kernel = match name {
        Some(name) if name.arch == machine.arch => name.clone(),
        Some(name) => {
            return Err(Error::Usage {
                what: format!("`{name}` is {}, the image is {}", name.arch, machine.arch),
                help: Some(format!("end the name in `-{}`", machine.arch)),
            });
        }
        None => banner.kernel(machine)?,
    };
    let build_id = image.build_id().map(|id| id.iter().map(|byte| format!("{byte:02x}")).collect());
    Ok(Meta {
        kernel,
        uname: Some(banner.uname.to_owned()).filter(|uname| !uname.is_empty()),
        banner: Some(image.banner().to_owned()),
        build_id,
        compiler: image.comment().map(str::to_owned),
        distribution: banner.distribution().map(str::to_owned),
        package,
        big_endian: image.is_big_endian(),
        address_size: image.address_size(),
        base_address: image.text_start().unwrap_or(0),
        btf_types: 1,
        imported: None,
        evidence: BTreeMap::new(),
    })
}

/// The parts of a banner, `Linux version UNAME (BUILDER) (COMPILER) #NUMBER ...`.
struct Banner<'a> {
    uname: &'a str,
    /// From `#` on: build number, options, and what the distribution adds. The part before must not be searched:
    /// a compiler's version names the distribution that built the compiler.
    build: &'a str,
}

impl<'a> Banner<'a> {
    fn parse(banner: &'a str) -> Self {
        let rest = banner.strip_prefix("Linux version ").unwrap_or_default();
        let uname = rest.split(' ').next().unwrap_or_default();
        let build = rest.rfind(") #").map_or("", |at| &rest[at + 2..]);
        Self { uname, build }
    }

    /// The package version in `#1 SMP PREEMPT_DYNAMIC Debian 6.1.176-1 (2026-07-02)`.
    fn debian_version(&self) -> Option<&'a str> {
        let mut words = self.build.split(' ');
        words.find(|word| *word == "Debian")?;
        words.next()
    }

    fn distribution(&self) -> Option<&'static str> {
        let number = self.build.split(' ').next().unwrap_or_default();
        if self.debian_version().is_some() {
            Some("debian")
        } else if number.ends_with("-Ubuntu") || self.build.contains("(Ubuntu ") {
            Some("ubuntu")
        } else {
            None
        }
    }

    /// The dataset's key.
    fn kernel(&self, machine: &Machine) -> Result<KernelId> {
        let unclear = |why: &str| Error::Usage {
            what: format!("the image's name cannot be told from `{}`: {why}", self.uname),
            help: Some(format!("give it with `--name VERSION-RELEASE-FLAVOUR-{}`", machine.arch)),
        };
        let (version, suffix) =
            split_version(self.uname).ok_or_else(|| unclear("it starts with no version"))?;
        if !suffix.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._+~".contains(&byte)) {
            return Err(unclear("only letters, digits and -._+~ may occur"));
        }
        // `6.12.107+deb13`: what a plus sign adds is a release, whatever it looks like. A lone one is kept:
        // it marks a tree that was changed after the tag.
        let added = suffix.len() > 1 && suffix.starts_with('+');
        let suffix = if added { &suffix[1..] } else { suffix.trim_start_matches(['-', '.', '~']) };
        let parts: Vec<&str> = suffix.split('-').filter(|part| !part.is_empty()).collect();
        let (release, flavour) = match self.distribution() {
            Some("debian") => debian(&parts, usize::from(added), machine),
            Some("ubuntu") => ubuntu(&parts),
            _ => (other(&parts, machine), String::new()),
        };
        Ok(KernelId {
            version: self.debian_version().and_then(|text| debian_stable(text, version)).unwrap_or(version),
            release,
            flavour: if flavour.is_empty() { PLAIN.to_owned() } else { flavour },
            arch: machine.arch,
        })
    }
}

/// `6.1.0` and `-50-cloud-amd64`: two or three numbers, then the rest.
fn split_version(text: &str) -> Option<(Version, &str)> {
    let (mut start, mut end) = (0, 0);
    for _ in 0..3 {
        let digits = text[start..].bytes().take_while(u8::is_ascii_digit).count();
        if digits == 0 {
            break;
        }
        end = start + digits;
        if text.as_bytes().get(end) != Some(&b'.') {
            break;
        }
        start = end + 1;
    }
    Some((text[..end].parse().ok()?, &text[end..]))
}

/// The stable update in a Debian package version: `6.1.176` in `6.1.176-1`, where `uname -r` says 6.1.0.
/// `None` when that is not of the same series, which a rebuilt package may well be.
fn debian_stable(package: &str, series: Version) -> Option<Version> {
    let upstream = package.rsplit_once(':').map_or(package, |(_, after_epoch)| after_epoch);
    let (version, _) = split_version(upstream)?;
    ((version.major, version.minor) == (series.major, series.minor)).then_some(version)
}

/// Debian: the ABI number or `deb13`, then the flavour, which for plain kernels is the architecture
/// (`amd64`, `686-pae`, `armmp`) and for others has it in it (`cloud-amd64`, `rt-686-pae`, `arm64-16k`).
/// At least `first` parts are the release.
fn debian(parts: &[&str], first: usize, machine: &Machine) -> (String, String) {
    let is_release = |part: &str| {
        let number = part.bytes().all(|byte| byte.is_ascii_digit()) && !machine.uname_words.contains(&part);
        number || part.contains('.') || part.starts_with("rc") || part.starts_with("deb")
    };
    let release = parts.iter().take_while(|part| is_release(part)).count().max(first).min(parts.len());
    let flavour: Vec<&str> =
        parts[release..].iter().copied().filter(|part| !machine.uname_words.contains(part)).collect();
    (parts[..release].join("-"), join_flavour(&flavour))
}

/// Ubuntu: the ABI number, then the flavour, without the architecture.
fn ubuntu(parts: &[&str]) -> (String, String) {
    match parts {
        [abi, flavour @ ..] if abi.starts_with(|first: char| first.is_ascii_digit()) => {
            ((*abi).to_owned(), join_flavour(flavour))
        }
        _ => (String::new(), join_flavour(parts)),
    }
}

/// A flavour is one word of a kernel's name, so its own hyphens become underscores: `lowlatency_64k`.
fn join_flavour(parts: &[&str]) -> String {
    parts.join("_")
}

/// Everybody else: all is release, but the architecture at the end (`301.fc41.x86_64`) is left out.
fn other(parts: &[&str], machine: &Machine) -> String {
    let mut release = parts.join("-");
    for word in machine.uname_words {
        if let Some(rest) = release.strip_suffix(word) {
            release.truncate(rest.trim_end_matches(['.', '-']).len());
            break;
        }
    }
    release
}

#[cfg(test)]
mod tests {
    use testkit::Target;
    use testkit::elf::{Elf, Machine as ElfMachine, Section, Symbol, note};

    use super::*;

    fn kernel_image(banner: &str, machine: ElfMachine) -> Vec<u8> {
        let mut elf = Elf::new(machine, Target::LE64);
        elf.section(Section::code(".text", 0x1000, [0; 16]))
            .section(Section::rodata(".rodata", 0x2000, [banner.as_bytes(), b"\n\0"].concat()))
            .section(Section::notes(".notes", 0x3000, note(Target::LE64, "GNU", 3, &[0xab, 0x01])))
            .section(Section::debug(".comment", *b"GCC: (Debian 12.2.0-14) 12.2.0\0"))
            .symbol(Symbol::object("linux_banner", 0x2000, 0).global());
        elf.build()
    }

    fn meta(banner: &str, machine: ElfMachine, name: Option<&str>) -> Result<Meta> {
        let bytes = kernel_image(banner, machine);
        let name: Option<KernelId> = name.map(|name| name.parse().unwrap());
        read(&Image::parse(&bytes).unwrap(), None, name.as_ref())
    }

    const BUILD: &str = "(x@y) (gcc-12 (Debian 12.2.0-14+deb12u1) 12.2.0, GNU ld (Debian) 2.40)";

    #[test]
    fn names_follow_from_banners() {
        let arm64 = ElfMachine::AARCH64;
        let amd64 = ElfMachine::X86_64;
        for (uname, build, machine, want, distribution) in [
            (
                "6.1.0-50-cloud-amd64",
                "#1 SMP PREEMPT_DYNAMIC Debian 6.1.176-1 (2026-07-02)",
                amd64,
                "6.1.176-50-cloud-amd64",
                Some("debian"),
            ),
            (
                "6.1.0-50-amd64",
                "#1 SMP PREEMPT_DYNAMIC Debian 6.1.176-1 (2026-07-02)",
                amd64,
                "6.1.176-50-generic-amd64",
                Some("debian"),
            ),
            (
                "6.1.0-50-rt-amd64",
                "#1 SMP PREEMPT_RT Debian 6.1.176-1 (2026-07-02)",
                amd64,
                "6.1.176-50-rt-amd64",
                Some("debian"),
            ),
            (
                "6.1.0-50-cloud-arm64",
                "#1 SMP Debian 6.1.176-1 (2026-07-02)",
                arm64,
                "6.1.176-50-cloud-arm64",
                Some("debian"),
            ),
            (
                "6.12.107+deb13-arm64-16k",
                "#1 SMP Debian 6.12.107-1 (2026-08-29)",
                arm64,
                "6.12.107-deb13-16k-arm64",
                Some("debian"),
            ),
            (
                "6.12.107+deb13-cloud-amd64",
                "#1 SMP PREEMPT_DYNAMIC Debian 6.12.107-1 (2026-08-29)",
                amd64,
                "6.12.107-deb13-cloud-amd64",
                Some("debian"),
            ),
            (
                "7.2.12+deb14-cloud-amd64",
                "#1 SMP PREEMPT_DYNAMIC Debian 7.2.12-1 (2026-10-22)",
                amd64,
                "7.2.12-deb14-cloud-amd64",
                Some("debian"),
            ),
            (
                "6.12.9+deb13+1-amd64",
                "#1 SMP Debian 6.12.9-1+1 (2025-01-02)",
                amd64,
                "6.12.9-deb13+1-generic-amd64",
                Some("debian"),
            ),
            (
                "6.10.11-amd64",
                "#1 SMP PREEMPT_DYNAMIC Debian 6.10.11-1 (2024-09-22)",
                amd64,
                "6.10.11-generic-amd64",
                Some("debian"),
            ),
            (
                "6.12-rc6-amd64",
                "#1 SMP PREEMPT_DYNAMIC Debian 6.12~rc6-1~exp1 (2024-11-10)",
                amd64,
                "6.12.0-rc6-generic-amd64",
                Some("debian"),
            ),
            (
                "6.1.0-0.deb11.6-cloud-amd64",
                "#1 SMP Debian 6.1.15-1~bpo11+1 (2023-03-16)",
                amd64,
                "6.1.15-0.deb11.6-cloud-amd64",
                Some("debian"),
            ),
            (
                "5.10.0-32-cloud-amd64",
                "#1 SMP Debian 5.10.223-1 (2024-08-10)",
                amd64,
                "5.10.223-32-cloud-amd64",
                Some("debian"),
            ),
            (
                "6.6.31+rpt-rpi-v8",
                "#1 SMP PREEMPT Debian 1:6.6.31-1+rpt1 (2024-05-29)",
                arm64,
                "6.6.31-rpt-rpi_v8-arm64",
                Some("debian"),
            ),
            (
                "5.4.0-26-generic",
                "#30-Ubuntu SMP Mon Apr 20 16:58:30 UTC 2020 (Ubuntu 5.4.0-26.30-generic 5.4.30)",
                amd64,
                "5.4.0-26-generic-amd64",
                Some("ubuntu"),
            ),
            (
                "5.15.0-1019-azure",
                "#24-Ubuntu SMP Thu Aug 18 19:56:56 UTC 2022 (Ubuntu 5.15.0-1019.24-azure 5.15.39)",
                arm64,
                "5.15.0-1019-azure-arm64",
                Some("ubuntu"),
            ),
            (
                "6.8.0-31-lowlatency-64k",
                "#31.1-Ubuntu SMP PREEMPT_DYNAMIC Sun Apr 21",
                arm64,
                "6.8.0-31-lowlatency_64k-arm64",
                Some("ubuntu"),
            ),
            (
                "6.9.0-rc3-dirty",
                "#2 SMP PREEMPT_DYNAMIC Mon Apr  8",
                amd64,
                "6.9.0-rc3-dirty-generic-amd64",
                None,
            ),
            ("6.9.0-rc3+", "#2 SMP", amd64, "6.9.0-rc3+-generic-amd64", None),
            ("6.12.0+", "#2 SMP", amd64, "6.12.0-+-generic-amd64", None),
            ("6.12.0", "#1 SMP PREEMPT_DYNAMIC Sun Nov 17", amd64, "6.12.0-generic-amd64", None),
            ("6.12", "#1", arm64, "6.12.0-generic-arm64", None),
            (
                "6.11.4-301.fc41.x86_64",
                "#1 SMP PREEMPT_DYNAMIC Sun Oct 20",
                amd64,
                "6.11.4-301.fc41-generic-amd64",
                None,
            ),
            (
                "6.11.4-301.fc41.aarch64",
                "#1 SMP PREEMPT_DYNAMIC Sun Oct 20",
                arm64,
                "6.11.4-301.fc41-generic-arm64",
                None,
            ),
        ] {
            let banner = format!("Linux version {uname} {BUILD} {build}");
            let meta = meta(&banner, machine, None).unwrap_or_else(|error| panic!("{uname}: {error}"));
            assert_eq!(meta.kernel.to_string(), want, "{banner}");
            assert_eq!(meta.kernel, want.parse().unwrap(), "the name reads back");
            assert_eq!(meta.distribution.as_deref(), distribution, "{banner}");
            assert_eq!(meta.uname.as_deref(), Some(uname));
            assert_eq!(meta.banner, Some(banner));
        }
    }

    #[test]
    fn provenance_comes_from_the_file() {
        let meta = meta(&format!("Linux version 6.12.0 {BUILD} #1"), ElfMachine::X86_64, None).unwrap();
        assert_eq!(meta.build_id.as_deref(), Some("ab01"));
        assert_eq!(meta.compiler.as_deref(), Some("GCC: (Debian 12.2.0-14) 12.2.0"));
        assert_eq!((meta.address_size, meta.big_endian, meta.base_address), (8, false, 0x1000));
    }

    #[test]
    fn an_unclear_name_is_asked_for() {
        for uname in ["next-20260101", "6", "6.x", "6.1.0-a/b"] {
            let banner = format!("Linux version {uname} {BUILD} #1");
            let error = meta(&banner, ElfMachine::X86_64, None).expect_err(uname);
            assert!(matches!(error, Error::Usage { .. }), "{uname}: {error}");
            let help = error.help().unwrap();
            assert_eq!(help, "give it with `--name VERSION-RELEASE-FLAVOUR-amd64`");
            let named = meta(&banner, ElfMachine::X86_64, Some("6.1.0-1-mine-amd64")).unwrap();
            assert_eq!(named.kernel.to_string(), "6.1.0-1-mine-amd64");
        }
    }

    #[test]
    fn a_name_of_another_architecture_is_refused() {
        let error = meta("Linux version 6.1.0 (a) (b) #1", ElfMachine::X86_64, Some("6.1.0-1-mine-arm64"));
        assert_eq!(error.unwrap_err().to_string(), "`6.1.0-1-mine-arm64` is arm64, the image is amd64");
    }
}
