//! Walks the members of a cpio archive of the "new ASCII" format, the payload of an RPM package.
//!
//! Each header is a magic number and 13 numbers of eight hexadecimal digits; then the name with its NUL and the data, each
//! padded to a multiple of four (`Documentation/driver-api/early-userspace/buffer-format.rst`).

use super::archive::Archive;
use super::members::Files;
use super::tar::Member;
use crate::error::{Error, Result};

const HEADER: usize = 110;
/// More members than this are refused. The largest kernel package has 30,000.
const MOST_MEMBERS: u32 = 1 << 20;
/// A longer path than any system knows.
const LONGEST_NAME: u64 = 64 << 10;
/// The name of the last member.
const END: &str = "TRAILER!!!";

/// A position in an archive.
pub struct Cpio<'a> {
    archive: Archive<'a>,
    /// Where the next header is.
    next: u64,
    members: u32,
}

impl<'a> Cpio<'a> {
    /// At the first header.
    #[must_use]
    pub fn new(archive: Archive<'a>) -> Self {
        Self { next: archive.position(), archive, members: 0 }
    }
}

impl<'a> Files<'a> for Cpio<'a> {
    fn next(&mut self) -> Result<Option<Member>> {
        let at = self.next;
        self.archive.seek(at)?;
        let mut header = [0; HEADER];
        self.archive.read_exact(&mut header, "cpio archive")?;
        let malformed = |what: &str| Error::malformed("cpio", format!("{at:#x}"), what);
        if !matches!(&header[..6], b"070701" | b"070702") {
            // `07070X`: files of 4 GiB and more, whose names and sizes are in the package's header.
            return Err(malformed("no member header"));
        }
        let number = |index: usize| {
            let text = std::str::from_utf8(&header[6 + 8 * index..14 + 8 * index]).ok()?;
            u64::from_str_radix(text, 16).ok()
        };
        let (Some(mode), Some(size), Some(name_size)) = (number(1), number(6), number(11)) else {
            return Err(malformed("a number is none"));
        };
        if name_size > LONGEST_NAME {
            return Err(Error::Limit {
                what: format!("cpio name of {name_size} bytes"),
                limit: format!("{LONGEST_NAME} bytes"),
            });
        }
        self.members += 1;
        if self.members > MOST_MEMBERS {
            return Err(Error::Limit {
                what: "number of cpio members".into(),
                limit: MOST_MEMBERS.to_string(),
            });
        }
        let mut name = vec![0; name_size as usize];
        self.archive.read_exact(&mut name, "cpio name")?;
        let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
        let path = String::from_utf8_lossy(name).into_owned();
        if path == END {
            return Ok(None);
        }
        let data = self.archive.position().next_multiple_of(4);
        self.archive.seek(data)?;
        self.next = (data + size).next_multiple_of(4);
        let path = path.strip_prefix("./").unwrap_or(&path).trim_start_matches('/').to_owned();
        // S_IFREG
        Ok(Some(Member { path, size, regular: mode & 0o170_000 == 0o100_000 }))
    }

    fn archive(&mut self) -> &mut Archive<'a> {
        &mut self.archive
    }
}
