//! The index of packages: those that have something of a kernel.

use std::io::BufRead;

use crate::checksum::Sha256;
use crate::error::{Error, Result};

/// A package that an index lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    /// `linux-image-6.1.0-50-cloud-amd64-dbg`.
    pub name: String,
    /// `linux`, `linux-6.12`: what it was built from.
    pub source: String,
    /// `6.1.176-1`.
    pub version: String,
    /// `amd64`.
    pub arch: String,
    /// Path below the mirror.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// Of the file.
    pub sha256: Sha256,
}

/// How the names of packages begin that matter.
const KERNELS: [&str; 3] = ["linux-image-", "linux-base-", "linux-modules-"];

/// More text than this in one index is refused.
const LARGEST: u64 = super::super::index::LARGEST;

/// Reads the packages that have something of a kernel. What is not complete is passed over.
///
/// # Errors
/// When the index is damaged or larger than any is.
pub fn read(url: &str, mut index: Box<dyn BufRead>) -> Result<Vec<Package>> {
    let failed = |what: String| Error::Malformed { format: "index", url: url.into(), what };
    let mut found = Vec::new();
    let mut fields = Fields::default();
    let (mut line, mut total) = (Vec::new(), 0);
    loop {
        line.clear();
        let count = index.read_until(b'\n', &mut line).map_err(|error| failed(error.to_string()))?;
        total += count as u64;
        if total > LARGEST {
            return Err(failed(format!("it expands to more than the limit of {LARGEST} bytes")));
        }
        let text = line.trim_ascii_end();
        if text.is_empty() {
            found.extend(std::mem::take(&mut fields).package());
            if count == 0 {
                return Ok(found);
            }
        } else {
            fields.line(text);
        }
    }
}

#[derive(Default)]
struct Fields {
    name: Option<String>,
    source: Option<String>,
    /// Whether it has nothing but a dependency on the newest debug package.
    stands_for_another: bool,
    version: Option<String>,
    arch: Option<String>,
    path: Option<String>,
    size: Option<u64>,
    sha256: Option<Sha256>,
}

impl Fields {
    fn line(&mut self, line: &[u8]) {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { return };
        let (field, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        let text = || std::str::from_utf8(value).ok().map(str::to_owned);
        match field {
            b"Package" => {
                self.name = text().filter(|name| KERNELS.iter().any(|start| name.starts_with(start)))
            }
            // Nothing more is read of others, which are nearly all.
            _ if self.name.is_none() => {}
            // A version may follow in parentheses.
            b"Source" => self.source = text().and_then(|text| text.split(' ').next().map(str::to_owned)),
            b"Depends" => {
                let debug = |name: &str| name.starts_with("linux-image-") && name.contains("-dbg");
                self.stands_for_another = text().is_some_and(|text| text.split(", ").any(debug));
            }
            b"Version" => self.version = text(),
            b"Architecture" => self.arch = text(),
            b"Filename" => self.path = text(),
            b"Size" => self.size = text().and_then(|size| size.parse().ok()),
            b"SHA256" => self.sha256 = text().and_then(|sum| Sha256::parse(&sum)),
            _ => {}
        }
    }

    fn package(self) -> Option<Package> {
        let name = self.name.filter(|_| !self.stands_for_another)?;
        Some(Package {
            source: self.source.unwrap_or_else(|| name.clone()),
            name,
            version: self.version?,
            arch: self.arch?,
            // The name of the file becomes one here.
            path: self
                .path
                .filter(|path| !path.split('/').any(|part| part.is_empty() || part == ".." || part == "."))?,
            size: self.size?,
            sha256: self.sha256?,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    #[test]
    fn only_whole_entries_about_kernels_are_taken() {
        let sum = Sha256::of(b"");
        let entry = |name: &str, path: &str| {
            format!(
                "Package: {name}\nSource: linux\nVersion: 6.1.176-1\nArchitecture: amd64\nDescription: x\n y: z\n\
                 Filename: {path}\nSize: 12\nSHA256: {sum}\n\n"
            )
        };
        let text = [
            entry("bash", "pool/b.deb"),
            entry("linux-image-6.1.0-50-amd64-dbg", "pool/a.deb"),
            entry("linux-image-evil", "pool/../../a.deb"),
            entry("linux-image-6.12-amd64-dbg", "pool/d.deb")
                .replace("Size", "Depends: linux-image-6.12.117+deb12-amd64-dbg (= 6.12.117-1)\nSize"),
            "Package: linux-image-cut\nVersion: 1\n\n".into(),
            entry("linux-base-7.2.12", "pool/c.deb").trim_end().to_owned(),
        ]
        .concat();
        let found = read("x", Box::new(Cursor::new(text.into_bytes()))).unwrap();
        let names: Vec<&str> = found.iter().map(|package| package.name.as_str()).collect();
        assert_eq!(names, ["linux-image-6.1.0-50-amd64-dbg", "linux-base-7.2.12"]);
        assert_eq!(found[0].source, "linux");
        assert_eq!((found[0].size, found[0].path.as_str()), (12, "pool/a.deb"));
    }
}
