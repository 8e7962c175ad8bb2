//! Columns of words: how records are cut into them, how they become bytes that compress well, and back.
//!
//! A record of a surface is a row of little-endian fields. The values of one field in all rows are much
//! more alike than the fields of one row, and often grow slowly; so each column is stored by itself, as
//! differences where that is smaller, in the byte order that is smaller. A field of up to four bytes is one
//! column, one of eight bytes two: the low halves and the high halves.

/// The columns of records whose fields have the sizes `fields`.
pub(super) fn split(bytes: &[u8], fields: &[usize]) -> Vec<Vec<u32>> {
    let rows = bytes.chunks_exact(fields.iter().sum::<usize>().max(1));
    let column = |(start, len): (usize, usize)| {
        let word = |row: &[u8]| {
            row[start..start + len].iter().rev().fold(0, |word, byte| word << 8 | u32::from(*byte))
        };
        rows.clone().map(word).collect()
    };
    places(fields).map(column).collect()
}

/// The records of columns; `None` when the columns are not of equal length, or not those of `fields`.
pub(super) fn join(columns: &[Vec<u32>], fields: &[usize]) -> Option<Vec<u8>> {
    let rows = columns.first().map_or(0, Vec::len);
    if columns.len() != places(fields).count() || columns.iter().any(|column| column.len() != rows) {
        return None;
    }
    let size = fields.iter().sum::<usize>();
    let mut bytes = vec![0; rows * size];
    for (column, (start, len)) in columns.iter().zip(places(fields)) {
        for (row, word) in bytes.chunks_exact_mut(size.max(1)).zip(column) {
            row[start..start + len].copy_from_slice(&word.to_le_bytes()[..len]);
        }
    }
    Some(bytes)
}

/// Start and length in the record of what goes into each column.
fn places(fields: &[usize]) -> impl Iterator<Item = (usize, usize)> {
    let halves = fields.iter().flat_map(|&len| if len == 8 { [4, 4] } else { [len, 0] });
    let mut start = 0;
    halves.filter(|len| *len > 0).map(move |len| {
        start += len;
        (start - len, len)
    })
}

/// How many bytes of a record go into each column.
pub(super) fn sizes(fields: &[usize]) -> impl Iterator<Item = usize> {
    places(fields).map(|(_, len)| len)
}

/// Which column the field at `offset` of a record is in; for a field of eight bytes that of its low half.
pub(super) const fn number_of(fields: &[usize], offset: usize) -> usize {
    let (mut start, mut column, mut field) = (0, 0, 0);
    while start < offset {
        start += fields[field];
        column += if fields[field] == 8 { 2 } else { 1 };
        field += 1;
    }
    assert!(start == offset, "a field begins there");
    column
}

/// What is stored in place of the words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Step {
    /// The words themselves.
    None = 0,
    /// Difference to the word before, modulo 2^32.
    Delta = 1,
    /// The same, with the sign in the lowest bit, so that small steps down are small too.
    ZigZag = 2,
    /// The words, with the sign in the lowest bit.
    Sign = 3,
}

/// How words become bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Bytes {
    /// All lowest bytes, then all second bytes, and so on.
    Planes = 0,
    /// LEB128: seven bits per byte, lowest first, the highest bit set on all bytes but the last.
    Varint = 1,
    /// Little-endian words.
    Words = 2,
}

/// A way to store a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Coding {
    pub(super) step: Step,
    pub(super) bytes: Bytes,
}

impl Coding {
    /// Every coding, in the order in which the first of equally small ones is taken.
    pub(super) const ALL: [Self; 12] = {
        let steps = [Step::None, Step::Delta, Step::ZigZag, Step::Sign];
        let bytes = [Bytes::Planes, Bytes::Varint, Bytes::Words];
        let mut all = [Self { step: Step::None, bytes: Bytes::Planes }; 12];
        let mut at = 0;
        while at < 12 {
            all[at] = Self { step: steps[at / 3], bytes: bytes[at % 3] };
            at += 1;
        }
        all
    };

    /// The number in a file.
    pub(super) fn number(self) -> u32 {
        self.step as u32 * 3 + self.bytes as u32
    }

    /// The coding of a number in a file.
    pub(super) fn from_number(number: u32) -> Option<Self> {
        Self::ALL.get(number as usize).copied()
    }

    /// The most bytes that `words` words take.
    pub(super) fn max_len(self, words: usize) -> usize {
        words * if self.bytes == Bytes::Varint { 5 } else { 4 }
    }

    /// Words to bytes.
    pub(super) fn encode(self, words: &[u32]) -> Vec<u8> {
        let mut before = 0u32;
        let steps = words.iter().map(|&word| {
            let delta = word.wrapping_sub(before);
            before = word;
            match self.step {
                Step::None => word,
                Step::Delta => delta,
                Step::ZigZag => with_sign_last(delta),
                Step::Sign => with_sign_last(word),
            }
        });
        match self.bytes {
            Bytes::Words => steps.flat_map(u32::to_le_bytes).collect(),
            Bytes::Planes => {
                let mut bytes = vec![0; words.len() * 4];
                for (row, word) in steps.enumerate() {
                    for (plane, byte) in word.to_le_bytes().into_iter().enumerate() {
                        bytes[plane * words.len() + row] = byte;
                    }
                }
                bytes
            }
            Bytes::Varint => {
                let mut bytes = Vec::with_capacity(words.len() * 2);
                for mut word in steps {
                    while word >= 0x80 {
                        bytes.push(word as u8 | 0x80);
                        word >>= 7;
                    }
                    bytes.push(word as u8);
                }
                bytes
            }
        }
    }

    /// Bytes back to `count` words; `None` when the bytes are not that many words.
    pub(super) fn decode(self, bytes: &[u8], count: usize) -> Option<Vec<u32>> {
        let mut words = match self.bytes {
            Bytes::Words => {
                let (words, rest) = bytes.as_chunks::<4>();
                if words.len() != count || !rest.is_empty() {
                    return None;
                }
                words.iter().map(|&word| u32::from_le_bytes(word)).collect()
            }
            Bytes::Planes => {
                if bytes.len() != count.checked_mul(4)? {
                    return None;
                }
                let (low, high) = bytes.split_at(count * 2);
                let ((a, b), (c, d)) = (low.split_at(count), high.split_at(count));
                let words = a.iter().zip(b).zip(c.iter().zip(d));
                words.map(|((&a, &b), (&c, &d))| u32::from_le_bytes([a, b, c, d])).collect()
            }
            Bytes::Varint => {
                // A word takes a byte at least, so more are not there, whatever the count says.
                let mut words = Vec::with_capacity(count.min(bytes.len()));
                let mut rest = bytes.iter();
                for _ in 0..count {
                    let mut word = 0u32;
                    let mut shift = 0;
                    loop {
                        let byte = *rest.next()?;
                        word |= u32::from(byte & 0x7f).checked_shl(shift)?;
                        if byte < 0x80 {
                            break;
                        }
                        shift += 7;
                    }
                    words.push(word);
                }
                if rest.next().is_some() {
                    return None;
                }
                words
            }
        };
        let mut before = 0u32;
        match self.step {
            Step::None => {}
            Step::Delta => {
                for word in &mut words {
                    before = before.wrapping_add(*word);
                    *word = before;
                }
            }
            Step::ZigZag => {
                for word in &mut words {
                    before = before.wrapping_add(with_sign_first(*word));
                    *word = before;
                }
            }
            Step::Sign => words.iter_mut().for_each(|word| *word = with_sign_first(*word)),
        }
        Some(words)
    }
}

fn with_sign_last(word: u32) -> u32 {
    word << 1 ^ (word.cast_signed() >> 31).cast_unsigned()
}

fn with_sign_first(word: u32) -> u32 {
    word >> 1 ^ (word & 1).wrapping_neg()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn words_survive_every_coding(words in prop::collection::vec(any::<u32>(), 0..200)) {
            for coding in Coding::ALL {
                let bytes = coding.encode(&words);
                prop_assert!(bytes.len() <= coding.max_len(words.len()));
                prop_assert_eq!(coding.decode(&bytes, words.len()), Some(words.clone()));
                prop_assert_eq!(coding.decode(&bytes, words.len() + 1), None);
            }
        }

        #[test]
        fn foreign_bytes_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..64), count in 0usize..80) {
            for coding in Coding::ALL {
                let decoded = coding.decode(&bytes, count);
                prop_assert!(decoded.is_none_or(|words| words.len() == count));
            }
        }
    }

    #[test]
    fn records_are_cut_by_field_and_joined_again() {
        const FIELDS: &[usize] = &[4, 3, 8, 1];
        let bytes: Vec<u8> = (0..48).collect();
        let columns = split(&bytes, FIELDS);
        assert_eq!(columns[1], [0x06_0504, 0x16_1514, 0x26_2524]);
        assert_eq!(columns[3], [0x0e0d_0c0b, 0x1e1d_1c1b, 0x2e2d_2c2b]);
        assert_eq!(columns[4], [0x0f, 0x1f, 0x2f]);
        assert_eq!(number_of(FIELDS, 7), 2);
        assert_eq!(number_of(FIELDS, 15), 4);
        assert_eq!(join(&columns, FIELDS), Some(bytes));
        assert_eq!(join(&columns[1..], FIELDS), None);
    }

    #[test]
    fn numbers_are_stable() {
        for (number, coding) in (0..).zip(Coding::ALL) {
            assert_eq!(coding.number(), number);
            assert_eq!(Coding::from_number(number), Some(coding));
        }
        assert_eq!(Coding::from_number(12), None);
    }
}
