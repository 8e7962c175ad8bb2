//! An RPM package: what it says about itself, and the kernel files in it.
//!
//! A lead of 96 bytes, two headers (signature and package), then the payload: a compressed cpio archive. A header is a
//! magic number, the number of its entries and the size of its data, then entries of tag, type, offset and count,
//! all big-endian ("Package File Format" in RPM's manual).

use super::archive::Archive;
use super::cpio::Cpio;
use super::deb::Package;
use super::{Config, Kernel, Origin, find, members};
use crate::error::{Error, Result};
use crate::progress::Progress;

/// First bytes of a package.
pub const MAGIC: &[u8] = &[0xed, 0xab, 0xee, 0xdb];
const LEAD: usize = 96;
const HEADER: &[u8] = &[0x8e, 0xad, 0xe8, 1];
/// The largest header that is read; those of packages with 30,000 files have 8 MiB.
const LARGEST_HEADER: u64 = 256 << 20;

/// Tags of the package's header.
const NAME: u32 = 1000;
const VERSION: u32 = 1001;
const RELEASE: u32 = 1002;
const ARCHITECTURE: u32 = 1022;
const SOURCE: u32 = 1044;
const PAYLOAD_FORMAT: u32 = 1124;
const STRING: u32 = 6;

/// An opened package.
pub struct Rpm<'a> {
    /// Its identity; the version is `VERSION-RELEASE`.
    pub package: Package,
    /// The compressed cpio archive.
    pub payload: &'a [u8],
}

impl<'a> Rpm<'a> {
    /// Reads the headers of a package.
    ///
    /// # Errors
    /// When they are cut or damaged.
    pub fn parse(bytes: &'a [u8]) -> Result<Self> {
        let signature = Header::at(bytes, LEAD)?;
        let header = Header::at(bytes, signature.end.next_multiple_of(8))?;
        let field = |tag| header.string(tag);
        let required = |tag, name: &str| {
            field(tag).ok_or_else(|| Error::malformed("RPM", "header", format!("it has no {name}")))
        };
        if let Some(format) = field(PAYLOAD_FORMAT).filter(|format| format != "cpio") {
            return Err(Error::malformed("RPM", "header", format!("the payload is `{format}`, not cpio")));
        }
        let package = Package {
            name: required(NAME, "name")?,
            version: format!("{}-{}", required(VERSION, "version")?, required(RELEASE, "release")?),
            architecture: required(ARCHITECTURE, "architecture")?,
            // `kernel-6.11.4-301.fc41.src.rpm`: all but version and release.
            source: field(SOURCE).and_then(|name| Some(name.rsplitn(3, '-').nth(2)?.to_owned())),
        };
        Ok(Self { package, payload: &bytes[header.end..] })
    }
}

/// Opens the kernel in a package.
///
/// # Errors
/// When it is cut or damaged, or has no kernel.
pub fn open(file: &str, bytes: &[u8], progress: &dyn Progress) -> Result<Kernel> {
    progress.step("find vmlinux", None);
    let rpm = Rpm::parse(bytes)?;
    let mut files = Cpio::new(Archive::new(rpm.payload)?);
    let found = members::find_vmlinux(&mut files, false)?;
    let origin =
        |member| Origin { file: file.into(), package: Some(rpm.package.clone()), member: Some(member) };
    let kernel = find::kernel(&mut files, found, &origin, progress)?;
    kernel.ok_or_else(|| Error::NoVmlinux { suggestion: debug_package(&rpm.package.name) })
}

/// The config in a package.
///
/// # Errors
/// When it is cut or damaged, or has none.
pub fn config(file: &str, bytes: &[u8]) -> Result<Config> {
    let rpm = Rpm::parse(bytes)?;
    let Some(config) = members::find_config(&mut Cpio::new(Archive::new(rpm.payload)?))? else {
        return Err(Error::Usage {
            what: format!("no kernel config in package `{}`", rpm.package.name),
            help: Some("look in `kernel-core`, or in the package with the bootable image".into()),
        });
    };
    let origin = Origin { file: file.into(), package: Some(rpm.package), member: Some(config.path) };
    Ok(Config { text: config.text, origin })
}

/// The package with the vmlinux of the kernel that a package belongs to: `kernel-debuginfo` of Fedora and Red Hat for
/// `kernel-core`, `kernel-modules`; `kernel-default-debuginfo` of SUSE for `kernel-default`.
pub fn debug_package(name: &str) -> Option<String> {
    let flavour = name.strip_prefix("kernel")?;
    let flavour = ["-modules-core", "-modules-extra", "-modules-internal", "-modules", "-core"]
        .iter()
        .find_map(|part| flavour.strip_suffix(part))
        .unwrap_or(flavour);
    Some(format!("kernel{flavour}-debuginfo")).filter(|package| package != name)
}

/// A header of a package.
struct Header<'a> {
    entries: &'a [u8],
    data: &'a [u8],
    /// Where it ends in the file.
    end: usize,
}

impl<'a> Header<'a> {
    fn at(bytes: &'a [u8], start: usize) -> Result<Self> {
        let cut = |needed: u64| Error::Truncated {
            what: "RPM header".into(),
            needed,
            available: bytes.len() as u64,
        };
        let head = bytes.get(start..start + 16).ok_or_else(|| cut(start as u64 + 16))?;
        if !head.starts_with(HEADER) {
            return Err(Error::malformed("RPM", format!("{start:#x}"), "no header"));
        }
        let number =
            |at: usize| u64::from(u32::from_be_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]));
        let (entries, data) = (number(8) * 16, number(12));
        if entries + data > LARGEST_HEADER {
            return Err(Error::Limit {
                what: format!("RPM header of {} bytes", entries + data),
                limit: format!("{} MiB", LARGEST_HEADER >> 20),
            });
        }
        let data_at = start + 16 + entries as usize;
        let end = data_at + data as usize;
        let data = bytes.get(data_at..end).ok_or_else(|| cut(end as u64))?;
        Ok(Self { entries: &bytes[start + 16..data_at], data, end })
    }

    /// The string of a tag.
    fn string(&self, tag: u32) -> Option<String> {
        let (entries, _) = self.entries.as_chunks::<16>();
        let entry = entries.iter().find(|entry| entry[..4] == tag.to_be_bytes())?;
        let number = |at: usize| u32::from_be_bytes([entry[at], entry[at + 1], entry[at + 2], entry[at + 3]]);
        if number(4) != STRING {
            return None;
        }
        let text = self.data.get(number(8) as usize..)?.split(|byte| *byte == 0).next()?;
        Some(String::from_utf8_lossy(text).into_owned()).filter(|text| !text.is_empty())
    }
}
