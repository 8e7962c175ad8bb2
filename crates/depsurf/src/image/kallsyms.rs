//! The kernel's own symbol table, found by its structure in memory that has no other.
//!
//! `scripts/kallsyms.c` writes these tables, each aligned to a word or to four bytes:
//!
//! | table | contents |
//! |---|---|
//! | `kallsyms_num_syms` | number of symbols |
//! | `kallsyms_names` | for each symbol a length (one byte, or two where the first has its high bit set) and that many tokens; expanded, the letter that `nm` prints and the name |
//! | `kallsyms_markers` | offset in the names of every 256th symbol |
//! | `kallsyms_token_table` | 256 strings, NUL-terminated |
//! | `kallsyms_token_index` | offset in the former of each of them |
//! | `kallsyms_offsets`, `kallsyms_relative_base` | addresses, in one of four ways: see [`Addresses`] |
//!
//! Before 6.4 the last two come first. Nothing points to any of this but code, so it is looked for: digits are tokens
//! of themselves, which gives the token table away; its index says where it starts, the markers end in front of it, and
//! the names they mark end in front of them. Every step is verified by the next.

use std::ops::Range;

use memchr::memmem;
use object::Endianness;
use object::endian::Endian as _;

/// More symbols than any kernel has; the largest have 300,000.
const MOST_SYMBOLS: usize = 1 << 22;
/// Bytes that all names may have together when expanded; those of the largest kernels have 10 MiB.
const MOST_TEXT: usize = 256 << 20;
/// The token table is in front of its index, and behind the tables of names by no more than this: `seqs_of_names`
/// of 6.2 and 6.3 is in between, with three bytes for each symbol.
const FAR: usize = 4 << 20;
/// The most bytes that 256 names take; in real kernels they take some 3,000.
const LARGEST_CHUNK: usize = 256 * 256;
/// Token tables that are tried before the search is given up: data may look like one.
const MOST_CANDIDATES: usize = 16;

/// Places with digits that are looked at.
const MOST_DIGITS: usize = 4096;
/// Places where markers may end that are followed up.
const MOST_MARKERS: usize = 64;

/// How the tables tell addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Addresses {
    /// A word each: kernels before 4.6, those that keep no offsets, and those of 32 bits since 7.0.
    Absolute,
    /// `kallsyms_offsets` from `kallsyms_relative_base`.
    Relative,
    /// As before, where negative ones count from the base down, less one, and others are absolute: per-CPU symbols
    /// of x86 until 6.14.
    RelativeOrAbsolute,
    /// Offsets from their own place, without a base (7.0).
    Place,
}

/// A symbol.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// Where the name starts in [`Kallsyms::text`].
    start: u32,
    length: u16,
    /// The letter that `nm` prints for its kind; a capital for global symbols.
    pub letter: u8,
    /// Address, or what [`Kallsyms::addresses`] makes of it.
    raw: i64,
}

/// The tables, with names expanded.
#[derive(Debug)]
pub struct Kallsyms {
    /// All names, one behind the other.
    text: Vec<u8>,
    /// The symbols in the order of the table, which is that of the addresses.
    pub entries: Vec<Entry>,
    /// How addresses are told.
    pub kind: Addresses,
    /// Offset in the memory of `kallsyms_relative_base` and what is there: zero where a relocation sets it.
    pub base: Option<(usize, u64)>,
}

impl Kallsyms {
    /// Looks for the tables in memory of a byte order, with pointers of `word` bytes.
    #[must_use]
    pub fn find(memory: &[u8], endian: Endianness, word: usize) -> Option<Self> {
        let view = View { bytes: memory, endian, word };
        let digits = memmem::Finder::new(b"0\x001\x002\x003\x004\x005\x006\x007\x008\x009\0");
        digits
            .find_iter(memory)
            .take(MOST_DIGITS)
            .filter_map(|at| Tokens::around(view, at))
            .take(MOST_CANDIDATES)
            .find_map(|tokens| view.tables(&tokens))
    }

    /// Name of a symbol.
    #[must_use]
    pub fn name(&self, entry: Entry) -> &[u8] {
        let start = entry.start as usize;
        &self.text[start..start + usize::from(entry.length)]
    }

    /// The address of a symbol, for a base: `kallsyms_relative_base`, or with [`Addresses::Place`] the address of the
    /// memory's first byte.
    #[must_use]
    pub fn address(&self, entry: Entry, base: u64) -> u64 {
        match self.kind {
            Addresses::Absolute => entry.raw.cast_unsigned(),
            Addresses::Relative | Addresses::Place => base.wrapping_add_signed(entry.raw),
            Addresses::RelativeOrAbsolute if entry.raw < 0 => base.wrapping_add_signed(-1 - entry.raw),
            Addresses::RelativeOrAbsolute => entry.raw.cast_unsigned(),
        }
    }

    /// The first symbol of a name.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<Entry> {
        self.entries.iter().copied().find(|entry| self.name(*entry) == name.as_bytes())
    }

    /// Whether data symbols are listed (`CONFIG_KALLSYMS_ALL`): without it there are only a few that lie in text.
    #[must_use]
    pub fn has_data(&self) -> bool {
        let data = self.entries.iter().filter(|entry| b"dDrRbB".contains(&entry.letter)).count();
        data * 20 > self.entries.len()
    }
}

/// Memory with a byte order and a width.
#[derive(Clone, Copy)]
struct View<'a> {
    bytes: &'a [u8],
    endian: Endianness,
    word: usize,
}

impl View<'_> {
    fn u16(self, at: usize) -> Option<u16> {
        Some(self.endian.read_u16(self.bytes.get(at..at.checked_add(2)?)?.try_into().ok()?))
    }

    fn u32(self, at: usize) -> Option<u32> {
        Some(self.endian.read_u32(self.bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
    }

    fn uint(self, at: usize, size: usize) -> Option<u64> {
        if size == 4 {
            return self.u32(at).map(u64::from);
        }
        Some(self.endian.read_u64(self.bytes.get(at..at.checked_add(8)?)?.try_into().ok()?))
    }
}

/// Token table and index.
struct Tokens {
    /// Where each token is.
    places: Vec<Range<usize>>,
    /// Where the table starts.
    start: usize,
    /// Where the index ends.
    end: usize,
}

impl Tokens {
    /// The table that has the token `0` at a place.
    fn around(view: View<'_>, digit: usize) -> Option<Self> {
        let behind = digit..digit.checked_add(1 << 16)?.min(view.bytes.len());
        let last = memchr::memchr_iter(0, &view.bytes[behind]).nth(255 - usize::from(b'0'))?;
        let end = digit + last + 1;
        (end..end + 8).find_map(|index| {
            let first = view.u16(index)?;
            let offset = usize::from(view.u16(index + 2 * usize::from(b'0'))?);
            let start = digit.checked_sub(offset).filter(|_| first == 0)?;
            let mut places = Vec::with_capacity(256);
            for token in 0..256 {
                let at = start + usize::from(view.u16(index + 2 * token)?);
                let next = match token {
                    255 => end,
                    _ => start + usize::from(view.u16(index + 2 * token + 2)?),
                };
                let is_token = at < next && next <= end && view.bytes[next - 1] == 0;
                if !is_token || view.bytes[at..next - 1].contains(&0) {
                    return None;
                }
                places.push(at..next - 1);
            }
            Some(Self { places, start, end: index + 512 })
        })
    }
}

/// Markers and names, verified against each other.
struct Names {
    /// Where `kallsyms_num_syms` is.
    count_at: usize,
    /// Where each symbol's tokens are.
    tokens: Vec<Range<usize>>,
}

impl View<'_> {
    fn tables(self, tokens: &Tokens) -> Option<Kallsyms> {
        let names = self.names(tokens.start)?;
        let (kind, base, raw) = self.addresses(tokens, &names)?;
        let mut text = Vec::new();
        let mut entries = Vec::with_capacity(names.tokens.len());
        for (range, raw) in names.tokens.into_iter().zip(raw) {
            let start = text.len();
            for &token in &self.bytes[range] {
                text.extend_from_slice(&self.bytes[tokens.places[usize::from(token)].clone()]);
            }
            let letter = text.get(start).copied()?;
            let length = u16::try_from(text.len() - start - 1).ok()?;
            if text.len() > MOST_TEXT {
                return None;
            }
            entries.push(Entry { start: start as u32 + 1, length, letter, raw });
        }
        Some(Kallsyms { text, entries, kind, base })
    }

    /// The names whose markers end somewhere in front of a place.
    fn names(self, before: usize) -> Option<Names> {
        let widths = if self.word == 8 { &[4, 8][..] } else { &[4] };
        let lowest = before.saturating_sub(FAR);
        let found = || {
            (lowest..=before)
                .rev()
                .filter(|end| end % 4 == 0)
                .flat_map(|end| widths.iter().filter_map(move |&width| self.markers(end, width)))
        };
        // Other numbers may look like a few markers, but hardly like many.
        let many = |markers: &Markers| markers.count >= 16;
        let likely = found().filter(many).take(MOST_MARKERS).find_map(|markers| self.marked(&markers));
        likely.or_else(|| {
            let few = found().filter(|markers| !many(markers));
            few.take(MOST_MARKERS).find_map(|markers| self.marked(&markers))
        })
    }

    /// The markers that end at a place: ascending offsets, the first of which is 0.
    fn markers(self, end: usize, width: usize) -> Option<Markers> {
        let last = usize::try_from(self.uint(end.checked_sub(width)?, width)?).ok()?;
        if last > end {
            return None;
        }
        let mut at = end - width;
        let mut next = last;
        while next != 0 {
            at = at.checked_sub(width)?;
            let value = usize::try_from(self.uint(at, width)?).ok()?;
            // Each name has a length and a token at least.
            let chunk = next.checked_sub(value)?;
            if !(512..=LARGEST_CHUNK).contains(&chunk) {
                return None;
            }
            next = value;
        }
        // A table of one could be any zero.
        (last != 0).then(|| Markers { start: at, width, count: (end - at) / width, last })
    }

    /// The names that some markers mark.
    fn marked(self, markers: &Markers) -> Option<Names> {
        let highest = markers.start.checked_sub(markers.last)?;
        let lowest = highest.saturating_sub(LARGEST_CHUNK);
        let counts = (markers.count - 1) * 256 + 1..=markers.count * 256;
        for count_at in (lowest..highest).rev().filter(|at| at % 4 == 0) {
            let count = self.u32(count_at)? as usize;
            if !counts.contains(&count) || count > MOST_SYMBOLS {
                continue;
            }
            for start in [count_at + 4, count_at + 8] {
                // Since 6.1 a length may have two bytes; before, one with its high bit set was a length as any other.
                for long in [true, false] {
                    if let Some(tokens) = self.walk(start, count, long, markers) {
                        return Some(Names { count_at, tokens });
                    }
                }
            }
        }
        None
    }

    /// Walks over all names, past every marker, to where the markers start.
    fn walk(self, start: usize, count: usize, long: bool, markers: &Markers) -> Option<Vec<Range<usize>>> {
        let mut tokens = Vec::with_capacity(count.min(1 << 16));
        let mut at = start;
        for index in 0..count {
            if index % 256 == 0 {
                let marker = self.uint(markers.start + index / 256 * markers.width, markers.width)?;
                if marker != (at - start) as u64 {
                    return None;
                }
            }
            let mut length = usize::from(*self.bytes.get(at)?);
            at += 1;
            if long && length & 0x80 != 0 {
                length = length & 0x7f | usize::from(*self.bytes.get(at)?) << 7;
                at += 1;
            }
            let end = at + length;
            if length == 0 || end > markers.start {
                return None;
            }
            tokens.push(at..end);
            at = end;
        }
        (markers.start - at < 8).then_some(tokens)
    }

    /// The addresses: behind the token index since 6.4, in front of the names before.
    fn addresses(self, tokens: &Tokens, names: &Names) -> Option<Told> {
        let count = names.tokens.len();
        let up = |at: usize, to: usize| at.next_multiple_of(to);
        let down = |at: usize, to: usize| at / to * to;
        for offsets in [tokens.end, up(tokens.end, self.word)] {
            if let Some(raw) = self.word_offsets(offsets, count) {
                return Some((Addresses::Absolute, None, raw));
            }
            let base = up(offsets + 4 * count, self.word);
            if let Some(found) = self.offsets(offsets, base, count) {
                return Some(found);
            }
            if let Some(raw) = self.place_offsets(offsets, count) {
                return Some((Addresses::Place, None, raw));
            }
        }
        let base = down(names.count_at, self.word).checked_sub(self.word)?;
        for to in [4, 8] {
            let offsets = base.checked_sub(4 * count).map(|at| down(at, to));
            if let Some(found) = offsets.and_then(|offsets| self.offsets(offsets, base, count)) {
                return Some(found);
            }
        }
        [up(tokens.end, self.word)]
            .into_iter()
            .chain(down(names.count_at, self.word).checked_sub(self.word * count))
            .find_map(|at| {
                let words = (0..count).map(|index| self.uint(at + index * self.word, self.word));
                let words: Vec<u64> = words.collect::<Option<_>>()?;
                let likely = words.is_sorted() && words.last() != Some(&0);
                likely.then(|| (Addresses::Absolute, None, words.into_iter().map(u64::cast_signed).collect()))
            })
    }

    /// Offsets from a base, by either rule.
    fn offsets(self, at: usize, base_at: usize, count: usize) -> Option<Told> {
        let words: Vec<u32> = (0..count).map(|index| self.u32(at + 4 * index)).collect::<Option<_>>()?;
        let base = self.uint(base_at, self.word)?;
        let distinct = words.first() != words.last() || count == 1;
        if words.is_sorted() && distinct {
            let raw = words.iter().map(|&word| i64::from(word)).collect();
            return Some((Addresses::Relative, Some((base_at, base)), raw));
        }
        // Absolute ones first, which are small; then those below zero, in descending order.
        let split = words.partition_point(|&word| word.cast_signed() >= 0);
        let (absolute, relative) = words.split_at(split);
        let relative = || relative.iter().map(|&word| word.cast_signed());
        if absolute.is_sorted()
            && split < count
            && relative().all(|word| word < 0)
            && relative().rev().is_sorted()
        {
            let raw = words.iter().map(|&word| i64::from(word.cast_signed())).collect();
            return Some((Addresses::RelativeOrAbsolute, Some((base_at, base)), raw));
        }
        None
    }

    /// Addresses in the place of offsets, where they have the same size: what would be offsets leads out of the memory.
    fn word_offsets(self, at: usize, count: usize) -> Option<Vec<i64>> {
        if self.word != 4 {
            return None;
        }
        let words: Vec<u32> = (0..count).map(|index| self.u32(at + 4 * index)).collect::<Option<_>>()?;
        let lead_out = words.first().is_some_and(|&first| first as usize > self.bytes.len());
        (lead_out && words.is_sorted()).then(|| words.into_iter().map(i64::from).collect())
    }

    /// Offsets from their own place.
    fn place_offsets(self, at: usize, count: usize) -> Option<Vec<i64>> {
        let raw = (0..count).map(|index| {
            let place = at + 4 * index;
            Some(place as i64 + i64::from(self.u32(place)?.cast_signed()))
        });
        let raw: Vec<i64> = raw.collect::<Option<_>>()?;
        (raw.is_sorted() && (raw.first() != raw.last() || count == 1)).then_some(raw)
    }
}

/// How addresses are told, where the base is and what is there, and what is told of each symbol.
type Told = (Addresses, Option<(usize, u64)>, Vec<i64>);

/// The table of markers.
struct Markers {
    start: usize,
    width: usize,
    count: usize,
    last: usize,
}

#[cfg(test)]
mod tests;
