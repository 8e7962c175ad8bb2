//! Walks the members of a tar archive: POSIX ustar, with GNU long names and pax headers.
//!
//! Every member is a header of 512 bytes and its data, padded to a multiple of 512. Numbers are octal
//! text, or big-endian binary when the first bit is set. A long name comes as the data of a member of
//! type `L` (GNU) or in a `path` record in that of type `x` (pax) in front of the member it names.

use super::archive::Archive;
use super::members::Files;
use super::search::Search;
use crate::error::{Error, Result};

/// Headers begin at multiples of this.
pub const BLOCK: usize = 512;
/// More members than this are refused. The largest kernel package has ten thousand.
const MOST_MEMBERS: u32 = 1 << 20;
/// A longer path than any system knows.
const LONGEST_NAME: u64 = 64 << 10;
/// Extended headers hold a path and a few times.
const LARGEST_PAX: u64 = 1 << 20;

/// A member of the archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Without the leading `./` or `/`.
    pub path: String,
    /// Size in bytes.
    pub size: u64,
    /// Whether it is a file with contents, and not a directory, link or device.
    pub regular: bool,
}

/// A position in an archive.
pub struct Tar<'a> {
    archive: Archive<'a>,
    /// Where the next header is.
    next: u64,
    members: u32,
}

impl<'a> Tar<'a> {
    /// At the first header.
    #[must_use]
    pub fn new(archive: Archive<'a>) -> Self {
        Self { next: archive.position(), archive, members: 0 }
    }

    /// Where the next header is, as an offset in the archive.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.next
    }

    fn text(&mut self, size: u64, limit: u64, what: &str) -> Result<String> {
        let data = self.data(size, limit, what)?;
        Ok(String::from_utf8_lossy(until_nul(&data)).into_owned())
    }
}

impl<'a> Files<'a> for Tar<'a> {
    /// Over what is left of the current one. Refuses more members than [`MOST_MEMBERS`].
    fn next(&mut self) -> Result<Option<Member>> {
        let mut long_name = None;
        let mut pax = Pax::default();
        loop {
            self.archive.seek(self.next)?;
            let mut block = [0; BLOCK];
            self.archive.read_exact(&mut block, "tar archive")?;
            if block == [0; BLOCK] {
                return Ok(None);
            }
            self.members += 1;
            if self.members > MOST_MEMBERS {
                return Err(Error::Limit {
                    what: "number of tar members".into(),
                    limit: MOST_MEMBERS.to_string(),
                });
            }
            let at = self.next;
            let header = Header::parse(&block)
                .ok_or_else(|| Error::malformed("tar", format!("{at:#x}"), "no member header"))?;
            let size = match header.kind {
                b'L' | b'K' | b'x' | b'g' => header.size,
                _ => pax.size.unwrap_or(header.size),
            };
            self.next = size
                .checked_next_multiple_of(BLOCK as u64)
                .and_then(|padded| padded.checked_add(self.archive.position()))
                .ok_or_else(|| Error::malformed("tar", format!("{at:#x}"), "size exceeds 64 bits"))?;
            match header.kind {
                b'L' => long_name = Some(self.text(size, LONGEST_NAME, "long name")?),
                b'x' => pax = Pax::parse(&self.data(size, LARGEST_PAX, "pax header")?),
                // The target of a link, and records for all members: nothing that matters here.
                b'K' | b'g' => {}
                b'S' => {
                    return Err(Error::malformed("tar", format!("{at:#x}"), "sparse members are not read"));
                }
                kind => {
                    let path = pax.path.or(long_name).unwrap_or(header.path);
                    let path = path.strip_prefix("./").unwrap_or(&path).trim_start_matches('/').to_owned();
                    return Ok(Some(Member { path, size, regular: matches!(kind, b'0' | 0 | b'7') }));
                }
            }
        }
    }

    fn archive(&mut self) -> &mut Archive<'a> {
        &mut self.archive
    }

    fn ahead(&mut self, search: &mut Search, path: &str) -> Result<bool> {
        search.ahead(self, path)
    }

    fn jump(&mut self, position: u64) {
        self.next = position;
    }
}

/// Whether an archive at its begin is a tar archive. It is at its begin again afterwards.
///
/// # Errors
/// When the compressed data is cut or damaged.
pub fn begins(archive: &mut Archive<'_>) -> Result<bool> {
    let mut block = [0; BLOCK];
    let whole = archive.read(&mut block)? == BLOCK;
    archive.seek(0)?;
    Ok(whole && is_header(&block))
}

/// Whether 512 bytes are a header: their checksum is right, and they name the format.
#[must_use]
pub fn is_header(block: &[u8]) -> bool {
    let Ok(block) = <&[u8; BLOCK]>::try_from(block) else { return false };
    block[257..].starts_with(b"ustar") && Header::parse(block).is_some()
}

struct Header {
    path: String,
    size: u64,
    kind: u8,
}

impl Header {
    /// `None` when the checksum or a number is wrong.
    fn parse(block: &[u8; BLOCK]) -> Option<Self> {
        let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
        let stored = &block[148..156];
        // The checksum is taken with its own field as spaces.
        let sum = sum - stored.iter().map(|byte| u32::from(*byte)).sum::<u32>() + 8 * u32::from(b' ');
        if number(stored)? != u64::from(sum) {
            return None;
        }
        let name = String::from_utf8_lossy(until_nul(&block[..100]));
        let prefix = until_nul(&block[345..500]);
        // GNU archives have `ustar  ` and use the prefix field for something else.
        let path = if &block[257..263] == b"ustar\0" && !prefix.is_empty() {
            format!("{}/{name}", String::from_utf8_lossy(prefix))
        } else {
            name.into_owned()
        };
        Some(Self { path, size: number(&block[124..136])?, kind: block[156] })
    }
}

/// What a pax header says about the member behind it.
#[derive(Default)]
struct Pax {
    path: Option<String>,
    size: Option<u64>,
}

impl Pax {
    /// Records are `LENGTH KEY=VALUE\n`, where the length is that of the whole record. Stops at the first
    /// that is none.
    fn parse(mut data: &[u8]) -> Self {
        let mut pax = Self::default();
        while let Some(space) = data.iter().take(20).position(|byte| *byte == b' ') {
            let length = std::str::from_utf8(&data[..space]).ok().and_then(|text| text.parse::<usize>().ok());
            let Some(record) = length.and_then(|length| data.get(space + 1..length)) else { break };
            data = &data[space + 1 + record.len()..];
            let Some(equals) = record.iter().position(|byte| *byte == b'=') else { break };
            let value = String::from_utf8_lossy(&record[equals + 1..]);
            let value = value.trim_end_matches('\n');
            match &record[..equals] {
                b"path" => pax.path = Some(value.to_owned()),
                b"size" => pax.size = value.parse().ok(),
                _ => {}
            }
        }
        pax
    }
}

fn until_nul(bytes: &[u8]) -> &[u8] {
    &bytes[..memchr::memchr(0, bytes).unwrap_or(bytes.len())]
}

/// Octal text between optional spaces, or binary when the first bit is set.
fn number(field: &[u8]) -> Option<u64> {
    if let [first, rest @ ..] = field
        && first & 0x80 != 0
    {
        let mut value = u64::from(first & 0x7f);
        for byte in rest {
            value = value.checked_mul(256)? + u64::from(*byte);
        }
        return Some(value);
    }
    let text = until_nul(field).trim_ascii();
    text.iter().try_fold(0u64, |value, digit| {
        (b'0'..=b'7')
            .contains(digit)
            .then(|| value.checked_mul(8))?
            .map(|value| value + u64::from(digit - b'0'))
    })
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{member, promise, seal, tar};
    use super::*;

    fn list(archive: &[u8]) -> Result<Vec<Member>> {
        let mut tar = Tar::new(Archive::stream(archive)?);
        std::iter::from_fn(|| tar.next().transpose()).collect()
    }

    fn paths(archive: &[u8]) -> Vec<String> {
        list(archive).unwrap().into_iter().map(|member| member.path).collect()
    }

    #[test]
    fn long_names() {
        let long = format!("./usr/lib/debug/{}/vmlinux", "x".repeat(300));
        let pax = |path: &str| {
            let record = format!(" path={path}\n");
            // The length counts its own three digits.
            format!("27 mtime=1350244992.02396011\n{}{record}", record.len() + 3).replacen("27", "29", 1)
        };
        let mut prefixed = <[u8; 512]>::try_from(member("vmlinux", b'0', b"")).unwrap();
        prefixed[257..265].copy_from_slice(b"ustar\x0000");
        prefixed[345..348].copy_from_slice(b"usr");
        seal(&mut prefixed);
        let archive = tar(&[
            member("././@LongLink", b'L', format!("{long}\0").as_bytes()),
            member("cut", b'0', b"1"),
            member("pax", b'x', pax(&long).as_bytes()),
            member("cut", b'0', b"22"),
            member("global", b'g', pax("ignored").as_bytes()),
            member("././@LongLink", b'K', b"target of a link\0"),
            member("/short", b'2', b""),
            prefixed.to_vec(),
        ]);
        assert_eq!(paths(&archive), [&long[2..], &long[2..], "short", "usr/vmlinux"]);
        assert_eq!(list(&archive).unwrap()[1].size, 2);
        assert!(!list(&archive).unwrap()[2].regular);
    }

    #[test]
    fn sizes() {
        let mut data = promise("binary", 1000);
        data.resize(512 + 1024, 7);
        let mut pax = member("pax", b'x', b"13 size=1000\n");
        pax.extend(member("wrong size", b'0', b""));
        pax.resize(pax.len() + 1024, 7);
        let members = list(&tar(&[data, pax, member("last", b'0', b"")])).unwrap();
        assert_eq!(members.iter().map(|member| member.size).collect::<Vec<_>>(), [1000, 1000, 0]);
    }

    #[test]
    fn what_is_no_archive_is_an_error() {
        let error = |archive: &[u8]| list(archive).unwrap_err().to_string();
        assert_eq!(error(&[1; 1024]), "malformed tar at 0x0: no member header");
        let mut flipped = tar(&[member("a", b'0', b"data")]);
        flipped[3] ^= 1;
        assert_eq!(error(&flipped), "malformed tar at 0x0: no member header");
        assert_eq!(
            error(&member("a", b'0', b"data")),
            "truncated: tar archive needs bytes up to 0x600, the file ends at 0x400"
        );
        assert_eq!(
            error(&tar(&[member("a", b'S', b"")])),
            "malformed tar at 0x0: sparse members are not read"
        );
        assert!(list(&promise("name", u64::MAX)).is_err());
        assert_eq!(
            error(&tar(&[member("a", b'L', &vec![b'a'; 65 << 10])])),
            "long name of 66560 bytes exceeds the limit of 65536 bytes"
        );
    }

    #[test]
    fn broken_pax_records_end_the_header() {
        for record in
            ["", "x path=a\n", "9999 path=a\n", "3 path=a\n", "0 \n", "5 abc\n", "99999999999999999999 "]
        {
            let archive = tar(&[member("pax", b'x', record.as_bytes()), member("name", b'0', b"")]);
            assert_eq!(paths(&archive), ["name"], "{record:?}");
        }
    }
}
