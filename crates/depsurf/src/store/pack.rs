//! The packed form of a surface, for shipping: a fifth of its size, the same bytes when it is unpacked.
//!
//! Compressing a surface as it is leaves much on the table, because rows of mixed fields look random. Here
//! every section of records is cut into columns of words, what one column tells about another is
//! subtracted ([`super::predict`]), and every column is compressed by itself ([`super::column`]).
//! `SYMBOLS_BY_NAME` and `TYPES_BY_NAME` follow from other sections and are left out.
//!
//! ```text
//! 0   magic "DEPSPACK"
//! 8   number of this format (u32)    12  schema of the surface (u32)
//! 16  length of the surface (u64)    24  checksum of the surface (u64, XXH3)
//! 32  number of streams (u32)        36  0 (u32)
//! 40  checksum of the stream table (u64, XXH3)
//! 48  stream table: section (u32), coding (u32), words or bytes before coding (u64),
//!     bytes in this file (u64)
//! ..  the streams in the order of the table, each one zstd frame
//! ```
//! All numbers are little-endian. A section of plain bytes is one stream with coding [`PLAIN`]; a section of
//! records has one stream per column ([`super::column`]). What follows from other sections has no stream.
//! Each column has the coding that came out smallest, so equal surfaces give equal bytes, whatever the
//! number of threads. An optional section that is empty has no stream.

use rayon::prelude::*;
use xxhash_rust::xxh3::xxh3_64;
use zerocopy::little_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::column::{self, Coding};
use super::predict::Tables;
use crate::error::{Error, Result};
use crate::surface::index::{symbols_by_name, types_by_name};
use crate::surface::record::{self, Section};
use crate::surface::{self, Meta, SCHEMA, Surface};

/// First bytes of every packed surface.
pub const MAGIC: [u8; 8] = *b"DEPSPACK";

/// Number of the packed format.
pub const FORMAT: u32 = 1;

/// The largest surface that is unpacked; a generic kernel with all its modules takes a sixth of it.
pub const MAX_SURFACE: u64 = 1 << 30;

/// The longest string that is unpacked; format strings of tracepoints take a tenth of it.
const MAX_STRING: usize = 64 << 10;

/// The most strings that are unpacked; a full kernel has a tenth of them.
const MAX_STRINGS: usize = 4 << 20;

/// Coding number of a stream that is bytes instead of words.
const PLAIN: u32 = u32::MAX;

/// zstd's level for what is kept; a surface is packed once and shipped often.
const LEVEL: i32 = 22;

/// zstd's level to compare codings: ranks them as [`LEVEL`] does at a tenth of the time.
const TRIAL_LEVEL: i32 = 6;

#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct Header {
    magic: [u8; 8],
    format: U32,
    schema: U32,
    len: U64,
    checksum: U64,
    streams: U32,
    zero: U32,
    table_checksum: U64,
}

#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct Stream {
    section: U32,
    coding: U32,
    count: U64,
    packed: U64,
}

/// Bytes of the header, which is all that [`Original::read`] needs.
pub const HEADER_LEN: u64 = size_of::<Header>() as u64;

/// The surface that a packed one was made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Original {
    /// Its size in bytes.
    pub len: u64,
    /// XXH3 of its bytes.
    pub checksum: u64,
}

impl Original {
    /// Reads it from the header of a packed surface.
    ///
    /// # Errors
    /// When the bytes do not begin like a packed surface of this format and schema.
    pub fn read(packed: &[u8]) -> Result<Self> {
        let (header, _) = header(packed)?;
        Ok(Self { len: header.len.get(), checksum: header.checksum.get() })
    }
}

fn header(packed: &[u8]) -> Result<(&Header, &[u8])> {
    let (header, rest) = Header::ref_from_prefix(packed).map_err(|_| Error::Truncated {
        what: "the header of a packed surface".into(),
        needed: size_of::<Header>() as u64,
        available: packed.len() as u64,
    })?;
    if header.magic != MAGIC {
        return Err(malformed("offset 0", "the magic number is missing"));
    }
    if header.format.get() != FORMAT {
        return Err(Error::Schema { what: "packed form", found: header.format.get(), expected: FORMAT });
    }
    if header.schema.get() != SCHEMA {
        return Err(Error::Schema { what: "packed surface", found: header.schema.get(), expected: SCHEMA });
    }
    if header.len.get() > MAX_SURFACE {
        return Err(Error::Limit {
            what: format!("an unpacked surface of {} bytes", header.len),
            limit: format!("{MAX_SURFACE} bytes"),
        });
    }
    Ok((header, rest))
}

fn malformed(at: impl Into<String>, what: impl Into<String>) -> Error {
    Error::malformed("packed surface", at, what)
}

/// Whether a section is computed from others when a surface is unpacked.
fn is_derived(section: Section) -> bool {
    matches!(section, Section::SymbolsByName | Section::TypesByName)
}

/// Packs a surface. Takes seconds, because it looks for the smallest form.
///
/// # Errors
/// When the surface is damaged, or would not come out of [`unpack`] byte for byte.
pub fn pack(original: &Surface) -> Result<Vec<u8>> {
    original.verify()?;
    let mut tables = Tables {
        columns: Section::ALL.map(|section| column::split(original.section(section), section.fields())),
        strings: original.section(Section::Strings),
        base_address: original.meta().base_address,
    };
    tables.pack();
    let mut jobs: Vec<(Section, Job<'_>)> = Vec::new();
    for (section, columns) in Section::ALL.into_iter().zip(tables.columns) {
        if section.is_optional() && original.section(section).is_empty() {
            continue;
        }
        if section.is_plain() {
            jobs.push((section, Job::Plain(original.section(section))));
        } else if !is_derived(section) {
            jobs.extend(columns.into_iter().map(|words| (section, Job::Column(words))));
        }
    }
    let streams: Vec<(Stream, Vec<u8>)> = jobs
        .into_par_iter()
        .map(|(section, job)| {
            let (coding, count, bytes) = job.compress()?;
            let stream = Stream {
                section: (section as u32).into(),
                coding: coding.into(),
                count: (count as u64).into(),
                packed: (bytes.len() as u64).into(),
            };
            Ok((stream, bytes))
        })
        .collect::<std::io::Result<_>>()
        .map_err(|error| malformed("zstd", error.to_string()))?;
    let table: Vec<Stream> = streams.iter().map(|(stream, _)| *stream).collect();
    let header = Header {
        magic: MAGIC,
        format: FORMAT.into(),
        schema: SCHEMA.into(),
        len: (original.bytes().len() as u64).into(),
        checksum: xxh3_64(original.bytes()).into(),
        streams: (table.len() as u32).into(),
        zero: 0.into(),
        table_checksum: xxh3_64(table.as_bytes()).into(),
    };
    let mut packed = header.as_bytes().to_vec();
    packed.extend_from_slice(table.as_bytes());
    for (_, bytes) in &streams {
        packed.extend_from_slice(bytes);
    }
    match unpack(&packed) {
        Ok(bytes) if bytes == original.bytes() => {}
        Ok(_) | Err(Error::Checksum { .. }) => {
            return Err(malformed("the whole", "the surface is not in the order that its writer gives"));
        }
        Err(error) => return Err(error),
    }
    Ok(packed)
}

/// What one stream is made from.
enum Job<'a> {
    Plain(&'a [u8]),
    Column(Vec<u32>),
}

impl Job<'_> {
    /// Coding number, words or bytes before coding, and the zstd frame.
    fn compress(self) -> std::io::Result<(u32, usize, Vec<u8>)> {
        match self {
            Self::Plain(bytes) => Ok((PLAIN, bytes.len(), zstd::bulk::compress(bytes, LEVEL)?)),
            Self::Column(words) => {
                let mut best: Option<(usize, Coding, Vec<u8>)> = None;
                for coding in Coding::ALL {
                    let coded = coding.encode(&words);
                    let len = zstd::bulk::compress(&coded, TRIAL_LEVEL)?.len();
                    if best.as_ref().is_none_or(|(smallest, ..)| len < *smallest) {
                        best = Some((len, coding, coded));
                    }
                }
                let (_, coding, coded) = best.expect("there are codings");
                Ok((coding.number(), words.len(), zstd::bulk::compress(&coded, LEVEL)?))
            }
        }
    }
}

/// Gives back the bytes of the surface that was packed.
///
/// # Errors
/// When the bytes are not a packed surface of this format and schema, or are damaged.
pub fn unpack(packed: &[u8]) -> Result<Vec<u8>> {
    let (header, rest) = header(packed)?;
    let cut = |what: &str, needed: usize| Error::Truncated {
        what: what.into(),
        needed: needed as u64,
        available: packed.len() as u64,
    };
    let count = header.streams.get() as usize;
    let (table, mut rest) = <[Stream]>::ref_from_prefix_with_elems(rest, count).map_err(|_| {
        cut("the stream table", size_of::<Header>().saturating_add(count.saturating_mul(size_of::<Stream>())))
    })?;
    if xxh3_64(table.as_bytes()) != header.table_checksum.get() {
        return Err(Error::Checksum { what: "the stream table".into() });
    }
    let mut frames = Vec::with_capacity(count);
    // What all streams unpack to, so that many small lies are refused like a big one.
    let mut total = 0u64;
    // While it is unpacked a field takes four bytes, however small it is.
    let mut words = 0u64;
    let mut number = 0;
    let mut before = 0;
    for stream in table {
        number = if stream.section.get() == before { number + 1 } else { 0 };
        before = stream.section.get();
        let size = field_size(before, number).ok_or_else(|| {
            malformed("the stream table", format!("column {number} of section {before}, which has none such"))
        })?;
        total = total.saturating_add(stream.count.get().saturating_mul(size));
        if stream.coding.get() != PLAIN {
            words = words.saturating_add(stream.count.get().saturating_mul(4));
        }
        let Some((frame, behind)) = rest.split_at_checked(stream.packed.get() as usize) else {
            let start = packed.len() - rest.len();
            return Err(cut("a stream", start.saturating_add(stream.packed.get() as usize)));
        };
        frames.push((stream, frame));
        rest = behind;
    }
    if !rest.is_empty() {
        return Err(malformed(
            format!("offset {:#x}", packed.len() - rest.len()),
            "bytes behind the streams",
        ));
    }
    if total > header.len.get() {
        return Err(malformed("the stream table", "the streams are larger than the surface"));
    }
    if words > MAX_SURFACE {
        return Err(Error::Limit {
            what: format!("columns of {words} bytes"),
            limit: format!("{MAX_SURFACE} bytes"),
        });
    }
    let unpacked: Vec<Unpacked> =
        frames.into_par_iter().map(|(stream, frame)| decompress(stream, frame)).collect::<Result<_>>()?;
    let bytes = assemble(table, unpacked)?;
    if bytes.len() as u64 != header.len.get() || xxh3_64(&bytes) != header.checksum.get() {
        return Err(Error::Checksum { what: "the unpacked surface".into() });
    }
    Ok(bytes)
}

/// Bytes that a word of a column takes in a surface; `None` where there is no such column.
fn field_size(section: u32, column: usize) -> Option<u64> {
    let section = Section::ALL.get((section as usize).checked_sub(1)?)?;
    if section.is_plain() {
        return (column == 0).then_some(1);
    }
    column::sizes(section.fields()).nth(column).map(|size| size as u64)
}

/// A stream, unpacked.
enum Unpacked {
    Plain(Vec<u8>),
    Column(Vec<u32>),
}

fn decompress(stream: &Stream, frame: &[u8]) -> Result<Unpacked> {
    let bad = |what: String| malformed(format!("a stream of section {}", stream.section), what);
    // `unpack` has checked that all counts together are below `MAX_SURFACE`.
    let count = stream.count.get() as usize;
    let inflate = |limit| zstd::bulk::decompress(frame, limit).map_err(|error| bad(error.to_string()));
    if stream.coding.get() == PLAIN {
        let bytes = inflate(count)?;
        return if bytes.len() == count { Ok(Unpacked::Plain(bytes)) } else { Err(bad("too short".into())) };
    }
    let coding = Coding::from_number(stream.coding.get())
        .ok_or_else(|| bad(format!("unknown coding {}", stream.coding)))?;
    let bytes = inflate(coding.max_len(count))?;
    coding.decode(&bytes, count).map(Unpacked::Column).ok_or_else(|| bad(format!("not {count} words")))
}

/// Joins the streams to sections, computes those that have none, and joins the sections to a file.
fn assemble(table: &[Stream], streams: Vec<Unpacked>) -> Result<Vec<u8>> {
    let mut streams = table.iter().map(|stream| stream.section.get()).zip(streams).peekable();
    let mut plain: [Vec<u8>; Section::ALL.len()] = std::array::from_fn(|_| Vec::new());
    let mut columns: [Vec<Vec<u32>>; Section::ALL.len()] = std::array::from_fn(|_| Vec::new());
    for ((section, plain), columns) in Section::ALL.into_iter().zip(&mut plain).zip(&mut columns) {
        let mut found = 0;
        while let Some((_, stream)) = streams.next_if(|(number, _)| *number == section as u32) {
            found += 1;
            match stream {
                Unpacked::Plain(bytes) if section.is_plain() => *plain = bytes,
                Unpacked::Column(column) if !section.is_plain() => columns.push(column),
                _ => return Err(malformed(format!("section {section:?}"), "a stream of the wrong kind")),
            }
        }
        if section.is_plain() && found != 1 && !(found == 0 && section.is_optional()) {
            return Err(malformed(format!("section {section:?}"), format!("{found} streams, expected 1")));
        }
    }
    if streams.next().is_some() {
        return Err(malformed("the stream table", "the streams are not in the order of the sections"));
    }
    let meta: Meta = serde_json::from_slice(&plain[Section::Meta as usize - 1])
        .map_err(|error| malformed("section Meta", error.to_string()))?;
    let strings = &plain[Section::Strings as usize - 1];
    check_strings(strings)?;
    let mut tables = Tables { columns, strings, base_address: meta.base_address };
    tables.unpack();
    let columns = tables.columns;
    let mut sections: [Vec<u8>; Section::ALL.len()] = std::array::from_fn(|_| Vec::new());
    for (((section, bytes), plain), columns) in
        Section::ALL.into_iter().zip(&mut sections).zip(plain).zip(columns)
    {
        *bytes = if section.is_plain() {
            plain
        } else if section.is_optional() && columns.is_empty() {
            Vec::new()
        } else {
            let columns = if is_derived(section) { vec![Vec::new()] } else { columns };
            column::join(&columns, section.fields())
                .ok_or_else(|| malformed(format!("section {section:?}"), "columns that do not fit"))?
        };
    }
    let of = |section: Section| sections[section as usize - 1].as_slice();
    let symbols = <[record::Symbol]>::ref_from_bytes(of(Section::Symbols)).unwrap_or_default();
    let types = <[record::Type]>::ref_from_bytes(of(Section::Types)).unwrap_or_default();
    let strings = of(Section::Strings);
    let (symbols, types) =
        rayon::join(|| symbols_by_name(symbols, strings), || types_by_name(types, strings));
    let sections = Section::ALL.map(|section| match section {
        Section::SymbolsByName => symbols.as_bytes(),
        Section::TypesByName => types.as_bytes(),
        section => of(section),
    });
    Ok(surface::file::write(&sections))
}

/// Refuses string tables that would take hours or gigabytes to sort.
fn check_strings(strings: &[u8]) -> Result<()> {
    let limit = |what: String, limit| Err(Error::Limit { what, limit: format!("{limit}") });
    let mut start = 0;
    for (count, end) in memchr::memchr_iter(0, strings).chain([strings.len()]).enumerate() {
        if end - start > MAX_STRING {
            return limit(format!("a string of {} bytes", end - start), MAX_STRING);
        }
        if count > MAX_STRINGS {
            return limit("the number of strings".into(), MAX_STRINGS);
        }
        start = end + 1;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use proptest::prelude::*;

    use super::*;
    use crate::store::tests::parts;

    fn surface(size: u32) -> Surface {
        Surface::from_bytes(parts("6.1.176-50-cloud-amd64", size).encode()).unwrap()
    }

    #[test]
    fn surfaces_of_another_order_are_not_packed() {
        let mut parts = parts("6.1.176-50-cloud-amd64", 40);
        parts.functions.swap(0, 1);
        let error = pack(&Surface::from_bytes(parts.encode()).unwrap()).unwrap_err();
        assert!(error.to_string().contains("not in the order"), "{error}");
    }

    #[test]
    fn string_tables_beyond_any_kernel_are_refused() {
        assert!(check_strings(b"\0vfs_read\0").is_ok());
        assert!(check_strings(&vec![b'a'; MAX_STRING + 1]).is_err());
        assert!(check_strings(&vec![0; MAX_STRINGS + 1]).is_err());
    }

    #[test]
    fn gives_back_every_byte() {
        for size in [0, 1, 2, 300, 4000] {
            let original = surface(size);
            let packed = pack(&original).unwrap();
            assert_eq!(unpack(&packed).unwrap(), original.bytes());
            assert_eq!(Original::read(&packed).unwrap().len, original.bytes().len() as u64);
        }
        let original = surface(4000);
        let packed = pack(&original).unwrap().len();
        let plain = zstd::bulk::compress(original.bytes(), LEVEL).unwrap().len();
        assert!(packed < plain, "{packed} {plain}");
    }

    #[test]
    fn threads_do_not_change_the_bytes() {
        let pool = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let original = surface(3000);
        let one = pool(1).install(|| pack(&original)).unwrap();
        assert_eq!(one, pool(4).install(|| pack(&original)).unwrap());
    }

    #[test]
    fn cut_anywhere_is_an_error() {
        let packed = pack(&surface(20)).unwrap();
        for end in 0..packed.len() {
            assert!(unpack(&packed[..end]).is_err(), "cut at {end}");
        }
    }

    #[test]
    fn a_damaged_surface_is_not_packed() {
        let mut bytes = surface(20).bytes().to_vec();
        let last = bytes.len() - 1;
        bytes[last - 200] ^= 1;
        let damaged = Surface::from_bytes(bytes);
        assert!(damaged.is_ok_and(|damaged| matches!(pack(&damaged), Err(Error::Checksum { .. }))));
    }

    /// A packed file whose stream table is changed, with a checksum that fits.
    fn with_table(change: impl FnMut(&mut Stream)) -> Vec<u8> {
        let mut packed = pack(&surface(20)).unwrap();
        let count = header(&packed).unwrap().0.streams.get() as usize;
        let (head, rest) = packed.split_at_mut(size_of::<Header>());
        let (table, _) = <[Stream]>::mut_from_prefix_with_elems(rest, count).unwrap();
        table.iter_mut().for_each(change);
        let checksum = xxh3_64(table.as_bytes());
        head[size_of::<Header>() - 8..].copy_from_slice(&checksum.to_le_bytes());
        packed
    }

    #[test]
    fn a_table_that_lies_is_refused() {
        assert!(unpack(&with_table(|_| {})).is_ok());
        assert!(unpack(&with_table(|stream| stream.count = u64::MAX.into())).is_err());
        assert!(unpack(&with_table(|stream| stream.count = (stream.count.get() + 1).into())).is_err());
        assert!(unpack(&with_table(|stream| stream.packed = u64::MAX.into())).is_err());
        assert!(unpack(&with_table(|stream| stream.coding = 77.into())).is_err());
        assert!(unpack(&with_table(|stream| stream.section = 24.into())).is_err());
    }

    #[test]
    fn columns_of_small_fields_beyond_the_limit_are_refused_before_anything_is_unpacked() {
        // `st_info` takes one byte in a surface, and a word of four while it is unpacked.
        let (mut column, count) = (0, MAX_SURFACE / 2);
        let mut packed = with_table(|stream| {
            if stream.section.get() == Section::Symbols as u32 {
                if field_size(stream.section.get(), column) == Some(1) {
                    stream.count = count.into();
                    column = usize::MAX / 2;
                }
                column += 1;
            }
        });
        packed[16..24].copy_from_slice(&MAX_SURFACE.to_le_bytes());
        let error = unpack(&packed).unwrap_err();
        assert!(error.to_string().starts_with("columns of "), "{error}");
    }

    #[test]
    fn a_surface_beyond_the_limit_is_refused_before_anything_is_unpacked() {
        let mut packed = pack(&surface(20)).unwrap();
        packed[16..24].copy_from_slice(&(MAX_SURFACE + 1).to_le_bytes());
        assert!(matches!(unpack(&packed), Err(Error::Limit { .. })));
    }

    proptest! {
        #[test]
        fn a_changed_byte_is_an_error_or_changes_nothing(at in any::<prop::sample::Index>(), bit in 0u8..8) {
            static PACKED: LazyLock<Vec<u8>> = LazyLock::new(|| pack(&surface(20)).unwrap());
            let mut packed = PACKED.clone();
            let at = at.index(packed.len());
            packed[at] ^= 1 << bit;
            if let Ok(bytes) = unpack(&packed) {
                prop_assert_eq!(bytes, unpack(&PACKED).unwrap());
            }
        }

        #[test]
        fn foreign_bytes_are_an_error(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            prop_assert!(unpack(&bytes).is_err());
        }
    }
}
