//! An RPM package: what it says about itself, and the kernel files in it.
//!
//! A lead of 96 bytes, two headers (signature and package), then the payload: a compressed cpio archive. A header is a
//! magic number, the number of its entries and the size of its data, then entries of tag, type, offset and count,
//! all big-endian ("Package File Format" in RPM's manual).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::archive::Archive;
use super::cpio::Cpio;
use super::deb::Package;
use super::input::Input;
use super::{Config, Kernel, Origin, Ranges, find, members};
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
const PAYLOAD_DIGEST: u32 = 5092;
const PAYLOAD_DIGEST_ALGORITHM: u32 = 5093;

/// Tags of the signature header whose signatures are over the package's header: binary OpenPGP signatures of the keys that
/// their names tell, and in newer packages any number of them in base64.
const DSA_HEADER: u32 = 267;
const RSA_HEADER: u32 = 268;
const OPENPGP: u32 = 278;

/// Types of values.
const INT32: u32 = 4;
const STRING: u32 = 6;
const BIN: u32 = 7;
const STRING_ARRAY: u32 = 8;

/// SHA-256, by its number in OpenPGP (RFC 9580 §9.5), which is RPM's, too.
const SHA256: u32 = 8;
/// More signatures than this are not looked at. Packages have one or two.
const MOST_SIGNATURES: usize = 16;

/// An opened package.
pub struct Rpm<'a> {
    pub(super) package: Package,
    payload: Input<'a>,
    signature: Header<'a>,
    header: Header<'a>,
}

impl<'a> Rpm<'a> {
    /// Reads the headers of a package of which not all may be there: they are waited for.
    ///
    /// # Errors
    /// When they are cut or damaged, or cannot be had.
    pub fn fetched(bytes: &'a [u8], ranges: &'a dyn Ranges) -> Result<Self> {
        let input = Input::fetched(bytes, ranges);
        if !input.starts_with(MAGIC)? {
            return Err(Error::malformed("RPM", "0x0", "no RPM package"));
        }
        Self::parse(input)
    }

    /// Reads the headers of a package.
    ///
    /// # Errors
    /// When they are cut or damaged.
    pub(super) fn parse(bytes: impl Into<Input<'a>>) -> Result<Self> {
        let bytes = bytes.into();
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
        let payload = bytes.part(header.end..bytes.len()).expect("headers end in the file");
        Ok(Self { package, payload, signature, header })
    }

    /// What the package says it is; the version is `VERSION-RELEASE`.
    #[must_use]
    pub fn package(&self) -> &Package {
        &self.package
    }

    /// The bytes of the package's header, which are what [`Rpm::signatures`] are over.
    #[must_use]
    pub fn header(&self) -> &'a [u8] {
        self.header.bytes
    }

    /// The OpenPGP signatures over the package's header, each once; none where the package is not signed. Those over all of
    /// the file, as packages of before 2018 have them besides, are left out.
    ///
    /// # Errors
    /// When they are damaged, or there are more than anybody makes.
    pub fn signatures(&self) -> Result<Vec<Vec<u8>>> {
        let malformed = |what: &str| Error::malformed("RPM", "signature header", what);
        let mut found: Vec<Vec<u8>> = Vec::new();
        for tag in [DSA_HEADER, RSA_HEADER] {
            found.extend(self.signature.binary(tag)?.map(<[u8]>::to_vec));
        }
        for text in self.signature.strings(OPENPGP)? {
            found.push(STANDARD.decode(text).map_err(|_| malformed("a signature is no base64"))?);
        }
        found.sort();
        found.dedup();
        if found.len() > MOST_SIGNATURES {
            return Err(Error::Limit {
                what: format!("RPM package with {} signatures", found.len()),
                limit: MOST_SIGNATURES.to_string(),
            });
        }
        Ok(found)
    }

    /// SHA-256 of the compressed payload in hex, from the header; `None` where packages are from before RPM 4.14, or use
    /// another digest.
    #[must_use]
    pub fn payload_sha256(&self) -> Option<String> {
        let algorithm = self.header.number(PAYLOAD_DIGEST_ALGORITHM);
        let digest = self.header.strings(PAYLOAD_DIGEST).ok()?.into_iter().next()?;
        // Packages of RPM 6 have no number of the algorithm: what this tag tells is always SHA-256.
        let is_known = algorithm.is_none_or(|algorithm| algorithm == SHA256);
        std::str::from_utf8(digest).ok().filter(|_| is_known).map(str::to_owned)
    }

    /// Its files.
    ///
    /// # Errors
    /// When the payload is compressed in a way that is not known.
    pub(super) fn files(&self) -> Result<Cpio<'a>> {
        Ok(Cpio::new(Archive::new(self.payload)?))
    }

    /// The payload, a compressed cpio archive: all that is behind the headers.
    ///
    /// # Errors
    /// When it cannot be had.
    pub fn payload(&self) -> Result<&'a [u8]> {
        self.payload.all()
    }
}

/// Opens the kernel in a package.
///
/// # Errors
/// When it is cut or damaged, or has no kernel.
pub fn open<'a>(file: &str, bytes: impl Into<Input<'a>>, progress: &dyn Progress) -> Result<Kernel> {
    progress.step("find vmlinux", None);
    let rpm = Rpm::parse(bytes)?;
    let mut files = rpm.files()?;
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
pub fn config<'a>(file: &str, bytes: impl Into<Input<'a>>) -> Result<Config> {
    let rpm = Rpm::parse(bytes)?;
    let Some(config) = members::find_config(&mut rpm.files()?)? else {
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
    /// All of it.
    bytes: &'a [u8],
    entries: &'a [[u8; 16]],
    data: &'a [u8],
    /// Where it ends in the file.
    end: usize,
}

impl<'a> Header<'a> {
    fn at(bytes: Input<'a>, start: usize) -> Result<Self> {
        const HEAD: usize = 16;
        let cut = |needed: u64| Error::Truncated {
            what: "RPM header".into(),
            needed,
            available: bytes.len() as u64,
        };
        let head = bytes.get(start..start + HEAD)?.ok_or_else(|| cut((start + HEAD) as u64))?;
        if !head.starts_with(HEADER) {
            return Err(Error::malformed("RPM", format!("{start:#x}"), "no header"));
        }
        let (entries, data) = (u64::from(number(head, 8)) * 16, u64::from(number(head, 12)));
        if entries + data > LARGEST_HEADER {
            return Err(Error::Limit {
                what: format!("RPM header of {} bytes", entries + data),
                limit: format!("{} MiB", LARGEST_HEADER >> 20),
            });
        }
        let end = start + HEAD + (entries + data) as usize;
        let bytes = bytes.get(start..end)?.ok_or_else(|| cut(end as u64))?;
        let (entries, data) = bytes[HEAD..].split_at(entries as usize);
        Ok(Self { bytes, entries: entries.as_chunks().0, data, end })
    }

    /// Type and count of a tag, and the data from its value on.
    fn value(&self, tag: u32) -> Option<(u32, usize, &'a [u8])> {
        let entry = self.entries.iter().find(|entry| number(*entry, 0) == tag)?;
        let data = self.data.get(number(entry, 8) as usize..)?;
        Some((number(entry, 4), number(entry, 12) as usize, data))
    }

    /// The string of a tag.
    fn string(&self, tag: u32) -> Option<String> {
        let (STRING, _, data) = self.value(tag)? else { return None };
        let text = data.split(|byte| *byte == 0).next()?;
        Some(String::from_utf8_lossy(text).into_owned()).filter(|text| !text.is_empty())
    }

    /// The number of a tag.
    fn number(&self, tag: u32) -> Option<u32> {
        let (INT32, 1.., data) = self.value(tag)? else { return None };
        data.first_chunk().map(|bytes| u32::from_be_bytes(*bytes))
    }

    /// The strings of a tag; none where it is missing.
    fn strings(&self, tag: u32) -> Result<Vec<&'a [u8]>> {
        let Some((STRING | STRING_ARRAY, count, data)) = self.value(tag) else { return Ok(Vec::new()) };
        let texts: Vec<&[u8]> = data.split(|byte| *byte == 0).take(count).collect();
        // Behind the last zero there is one more part, which is no string.
        if texts.len() < count || data.iter().filter(|byte| **byte == 0).take(count).count() < count {
            return Err(Error::malformed("RPM", format!("tag {tag}"), "strings reach beyond the header"));
        }
        Ok(texts)
    }

    /// The bytes of a tag; `None` where it is missing.
    fn binary(&self, tag: u32) -> Result<Option<&'a [u8]>> {
        let Some((BIN, count, data)) = self.value(tag) else { return Ok(None) };
        let bytes = data.get(..count);
        bytes
            .map(Some)
            .ok_or_else(|| Error::malformed("RPM", format!("tag {tag}"), "its bytes reach beyond the header"))
    }
}

/// The big-endian number at a place that exists.
fn number(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

#[cfg(test)]
mod tests {
    use testkit::rpm::{Rpm as Built, Value, tag};

    use super::*;

    /// Everything is there.
    struct Here;

    impl Ranges for Here {
        fn ensure(&self, _: std::ops::Range<u64>) -> Result<()> {
            Ok(())
        }

        fn expect(&self, _: &[std::ops::Range<u64>]) {}
    }

    fn package() -> Built {
        let mut package = Built::new("kernel-core", "6.1", "1", &[("./a", b"contents")], <[u8]>::to_vec);
        package.signature = vec![
            (tag::RSA_HEADER, Value::Binary(b"rsa".to_vec())),
            (tag::DSA_HEADER, Value::Binary(b"dsa".to_vec())),
            // Newer packages have the same signature in both places.
            (tag::OPENPGP, Value::Texts(vec!["cnNh".into(), "bmV3".into()])),
        ];
        package
    }

    #[test]
    fn signatures_are_those_over_the_header() {
        let built = package();
        let bytes = built.bytes();
        let rpm = Rpm::fetched(&bytes, &Here).unwrap();
        assert_eq!((rpm.package().name.as_str(), rpm.package().version.as_str()), ("kernel-core", "6.1-1"));
        assert_eq!(rpm.header(), built.header());
        assert_eq!(rpm.signatures().unwrap(), [b"dsa", b"new", b"rsa"]);
        assert_eq!(rpm.payload().unwrap(), built.payload);
        assert_eq!(rpm.payload_sha256(), Some(testkit::mirror::sum(&built.payload)));
        // SHA-512, which nobody uses there.
        let mut other = built.clone();
        other.fields.last_mut().unwrap().1 = Value::Number(10);
        assert_eq!(Rpm::fetched(&other.bytes(), &Here).unwrap().payload_sha256(), None);
        assert!(Rpm::fetched(b"!<arch>\n", &Here).is_err());
    }

    #[test]
    fn damaged_headers_are_errors_or_tell_less() {
        let (bytes, good) = (package().bytes(), package().payload);
        let headers = bytes.len() - good.len();
        let read = |bytes: &[u8]| {
            let Ok(rpm) = Rpm::fetched(bytes, &Here) else { return false };
            // Neither may panic, whatever they say.
            let signatures = rpm.signatures();
            rpm.payload_sha256().is_some() && signatures.is_ok_and(|signatures| signatures.len() == 3)
        };
        assert!(read(&bytes));
        let mut differs = 0;
        for at in 0..headers {
            assert!(!read(&bytes[..at]), "{at}");
            for value in [0, 1, 0x7f, 0xff] {
                let mut bytes = bytes.clone();
                bytes[at] = value;
                differs += u32::from(!read(&bytes));
            }
        }
        assert!(differs > 500, "{differs}");
    }
}
