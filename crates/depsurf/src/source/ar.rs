//! The outermost layer of a Debian package: an `ar` archive (deb(5)).
//!
//! ```text
//! "!<arch>\n"  then per member:
//! name[16] mtime[12] uid[6] gid[6] mode[8] size[10] "`\n"   all text, padded with spaces
//! data, padded with "\n" to an even size
//! ```

use super::input::Input;
use crate::error::{Error, Result};

/// First bytes of every `ar` archive.
pub const MAGIC: &[u8] = b"!<arch>\n";
const HEADER: usize = 60;

/// A member: its name and its bytes.
pub struct Member<'a> {
    /// Without the padding, and without the `/` that some writers end names with.
    pub name: &'a str,
    /// Contents.
    pub data: Input<'a>,
}

/// Lists the members; there are three in a package.
///
/// # Errors
/// When a header is cut or is no header, or when there are more members than any package has.
pub fn members<'a>(archive: impl Into<Input<'a>>) -> Result<Vec<Member<'a>>> {
    const MOST: usize = 64;
    let archive = archive.into();
    let mut members = Vec::new();
    let mut at = MAGIC.len();
    if !archive.starts_with(MAGIC)? {
        return Err(Error::malformed("ar", "0x0", "no archive magic"));
    }
    while at < archive.len() {
        if members.len() == MOST {
            return Err(Error::Limit { what: "number of ar members".into(), limit: MOST.to_string() });
        }
        let cut = |needed: usize, what: &str| Error::Truncated {
            what: what.into(),
            needed: needed as u64,
            available: archive.len() as u64,
        };
        let malformed = |what: &str| Error::malformed("ar", format!("{at:#x}"), what);
        let header =
            archive.get(at..at + HEADER)?.ok_or_else(|| cut(at + HEADER, "header of an ar member"))?;
        if &header[58..] != b"`\n" {
            return Err(malformed("no member header"));
        }
        let text = |range| std::str::from_utf8(&header[range]).map(str::trim_ascii_end);
        let name = text(0..16).map_err(|_| malformed("member name is not text"))?;
        let size: usize =
            text(48..58).ok().and_then(|size| size.parse().ok()).ok_or_else(|| malformed("bad size"))?;
        let data = at + HEADER;
        // Ten digits at most: no overflow on 64 bits, and `get` refuses the rest.
        let end = data.saturating_add(size);
        let data = archive.part(data..end).ok_or_else(|| cut(end, &format!("ar member `{name}`")))?;
        members.push(Member { name: name.strip_suffix('/').unwrap_or(name), data });
        at = end + (size & 1);
    }
    Ok(members)
}
