//! Which kernel an image is: from the banner (`linux_banner`), the ELF header, the build id and the compiler's mark.
//!
//! What a name tells is up to [`Uname`]. The banner adds Debian's stable update (`6.1.0-50-cloud-amd64 ... Debian
//! 6.1.176-1` is 6.1.176) and the distribution; the architecture is always that of the ELF header. An image whose
//! banner names no version is called what its package is called.

use std::collections::BTreeMap;

use crate::error::{Error, Result};
use crate::image::Image;
use crate::kernel::{Arch, Distribution, KernelId, Uname, Version};
use crate::surface::Meta;
use crate::surface::meta::Package;

/// What is known of a kernel beside its types and tables.
#[derive(Debug)]
pub struct Given<'a> {
    /// `Linux version ...`, without its newline.
    pub banner: &'a str,
    /// Its architecture, which nothing overrules.
    pub arch: Arch,
    /// Whether it is big-endian.
    pub big_endian: bool,
    /// Bytes of a pointer.
    pub address_size: u8,
    /// Lowest address of its code; 0 where that is unknown.
    pub base_address: u64,
    /// Its GNU build id.
    pub build_id: Option<&'a [u8]>,
    /// First line of `.comment` that is of a compiler.
    pub compiler: Option<&'a str>,
    /// The package it came from.
    pub package: Option<Package>,
    /// The name that it was given.
    pub name: Option<&'a KernelId>,
}

/// Identity and provenance of an image. `evidence` is empty and `btf_types` 1: the readers of these fill them in.
///
/// # Errors
/// When the banner does not tell the kernel's name and `name` does not either, or when `name` is of another architecture.
pub fn read(image: &Image<'_>, package: Option<Package>, name: Option<&KernelId>) -> Result<Meta> {
    of(Given {
        banner: image.banner(),
        arch: image.machine().arch,
        big_endian: image.is_big_endian(),
        address_size: image.address_size(),
        base_address: image.text_start().unwrap_or(0),
        build_id: image.build_id(),
        compiler: image.comment(),
        package,
        name,
    })
}

/// As [`read`], from what is known.
///
/// # Errors
/// As [`read`].
pub fn of(given: Given<'_>) -> Result<Meta> {
    let Given { arch, package, .. } = given;
    let banner = Banner::parse(given.banner);
    let named = banner.kernel(arch, package.as_ref());
    let distribution = named.as_ref().ok().and_then(|named| named.distribution).or(banner.distribution());
    let kernel = match given.name {
        Some(name) if name.arch == arch => name.clone(),
        Some(name) => {
            return Err(Error::Usage {
                what: format!("`{name}` is {}, the image is {arch}", name.arch),
                help: Some(format!("end the name in `-{arch}`")),
            });
        }
        None => {
            let Uname { version, release, flavour, .. } = named?;
            KernelId { version, release, flavour, arch }
        }
    };
    let build_id = given.build_id.map(|id| id.iter().map(|byte| format!("{byte:02x}")).collect());
    Ok(Meta {
        kernel,
        uname: Some(banner.uname.to_owned()).filter(|uname| !uname.is_empty()),
        banner: Some(given.banner.to_owned()),
        build_id,
        compiler: given.compiler.map(str::to_owned),
        distribution: distribution.map(|it| it.name().to_owned()),
        package,
        big_endian: given.big_endian,
        address_size: given.address_size,
        base_address: given.base_address,
        btf_types: 1,
        imported: None,
        fetched: None,
        evidence: BTreeMap::new(),
    })
}

/// The parts of a banner, `Linux version UNAME (BUILDER) (COMPILER) #NUMBER ...`.
struct Banner<'a> {
    uname: &'a str,
    /// `user@host`.
    builder: &'a str,
    /// From `#` on: build number, options, and what the distribution adds. The part before must not be searched:
    /// a compiler's version names the distribution that built the compiler.
    build: &'a str,
}

impl<'a> Banner<'a> {
    fn parse(banner: &'a str) -> Self {
        let rest = banner.strip_prefix("Linux version ").unwrap_or_default();
        let (uname, rest) = rest.split_once(' ').unwrap_or((rest, ""));
        let builder = rest.strip_prefix('(').and_then(|rest| rest.split(')').next()).unwrap_or_default();
        let build = rest.rfind(") #").map_or("", |at| &rest[at + 2..]);
        Self { uname, builder, build }
    }

    /// The package version in `#1 SMP PREEMPT_DYNAMIC Debian 6.1.176-1 (2026-07-02)`.
    fn debian_version(&self) -> Option<&'a str> {
        let mut words = self.build.split(' ');
        words.find(|word| *word == "Debian")?;
        words.next()
    }

    fn distribution(&self) -> Option<Distribution> {
        let number = self.build.split(' ').next().unwrap_or_default();
        if self.debian_version().is_some() {
            Some(Distribution::Debian)
        } else if number.ends_with("-Ubuntu") || self.build.contains("(Ubuntu ") {
            Some(Distribution::Ubuntu)
        } else {
            Distribution::of_builder(self.builder)
        }
    }

    /// The image's name, from the banner, else from the package's name.
    fn kernel(&self, arch: Arch, package: Option<&Package>) -> Result<Uname> {
        let parse = |name: &str| Uname::parse(name, self.distribution(), Some(arch));
        let of_package = || parse(package_uname(&package?.name)?).ok();
        let mut named = match parse(self.uname) {
            Ok(named) => named,
            Err(why) => of_package().ok_or_else(|| Error::Usage {
                what: format!("the image's name cannot be told from `{}`: {why}", self.uname),
                help: Some(format!("give it with `--name VERSION-RELEASE-FLAVOUR-{arch}`")),
            })?,
        };
        if named.distribution == Some(Distribution::Debian) {
            let version = self.debian_version().or(package.map(|package| package.version.as_str()));
            let stable = version.and_then(|version| debian_stable(version, named.version));
            named.version = stable.unwrap_or(named.version);
        }
        Ok(named)
    }
}

/// What `uname -r` says in the kernel of a package: `6.1.0-50-cloud-amd64` for
/// `linux-image-6.1.0-50-cloud-amd64-dbg`, `linux-image-unsigned-5.4.0-26-generic-dbgsym`.
fn package_uname(package: &str) -> Option<&str> {
    let name = package.strip_prefix("linux-image-")?;
    let name = name.strip_prefix("unsigned-").unwrap_or(name);
    Some(["-dbgsym", "-dbg", "-unsigned"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name))
}

/// The stable update in a Debian package version: `6.1.176` in `6.1.176-1`, where `uname -r` says 6.1.0.
/// `None` when that is not of the same series, which a rebuilt package may well be.
fn debian_stable(package: &str, series: Version) -> Option<Version> {
    let upstream = package.rsplit_once(':').map_or(package, |(_, after_epoch)| after_epoch);
    let (version, _) = Version::split(upstream)?;
    ((version.major, version.minor) == (series.major, series.minor)).then_some(version)
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
            .section(Section::debug(
                ".comment",
                *b"Linker: Debian LLD 14.0.6\0GCC: (Debian 12.2.0-14) 12.2.0\0",
            ))
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
                Some("fedora"),
            ),
            (
                "6.11.4-301.fc41.aarch64",
                "#1 SMP PREEMPT_DYNAMIC Sun Oct 20",
                arm64,
                "6.11.4-301.fc41-generic-arm64",
                Some("fedora"),
            ),
            (
                "5.14.0-427.13.1.el9_4.aarch64+64k",
                "#1 SMP PREEMPT_DYNAMIC Wed Apr 10",
                arm64,
                "5.14.0-427.13.1.el9_4-64k-arm64",
                Some("rhel"),
            ),
            (
                "6.4.0-150600.21-default",
                "#1 SMP PREEMPT_DYNAMIC Thu May 16",
                amd64,
                "6.4.0-150600.21-default-amd64",
                Some("suse"),
            ),
            (
                "6.1.79-99.167.amzn2023.x86_64",
                "#1 SMP PREEMPT_DYNAMIC Tue Mar 12",
                amd64,
                "6.1.79-99.167.amzn2023-generic-amd64",
                Some("amazon"),
            ),
            (
                "5.15.153.1-microsoft-standard-WSL2",
                "#1 SMP Fri Mar 29",
                amd64,
                "5.15.153.1-microsoft-standard-WSL2-amd64",
                Some("wsl"),
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
    fn the_builder_and_the_package_help_out() {
        let banner = "Linux version 6.6.22-1-lts (linux-lts@archlinux) (gcc (GCC) 13.2.1) #1 SMP";
        let found = meta(banner, ElfMachine::X86_64, None).unwrap();
        assert_eq!(
            (found.kernel.to_string().as_str(), found.distribution.as_deref()),
            ("6.6.22-1-lts-amd64", Some("archlinux"))
        );

        let package = |name: &str, version: &str| Package { name: name.into(), version: version.into() };
        for (banner, package, expected) in [
            (
                "Linux version next-1 (a@b) (gcc) #1",
                package("linux-image-6.1.0-50-cloud-amd64-dbg", "6.1.176-1"),
                "6.1.176-50-cloud-amd64",
            ),
            (
                "Linux version (a@b) (gcc) #1",
                package("linux-image-unsigned-5.4.0-26-generic-dbgsym", "5.4.0-26.30"),
                "5.4.0-26-generic-amd64",
            ),
            // Rebuilt without the distribution's mark in the banner.
            (
                "Linux version 6.1.0-50-amd64 (a@b) (gcc) #1 SMP",
                package("linux-image-6.1.0-50-amd64-dbg", "6.1.176-1+mine1"),
                "6.1.176-50-generic-amd64",
            ),
        ] {
            let bytes = kernel_image(banner, ElfMachine::X86_64);
            let found = read(&Image::parse(&bytes).unwrap(), Some(package), None).unwrap();
            assert_eq!(found.kernel.to_string(), expected, "{banner}");
        }
    }

    #[test]
    fn a_name_of_another_architecture_is_refused() {
        let error = meta("Linux version 6.1.0 (a) (b) #1", ElfMachine::X86_64, Some("6.1.0-1-mine-arm64"));
        assert_eq!(error.unwrap_err().to_string(), "`6.1.0-1-mine-arm64` is arm64, the image is amd64");
    }
}
