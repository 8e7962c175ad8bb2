//! Bytes of a wrapping that may have to be fetched before they are read.
//!
//! What reads packages takes an [`Input`]: bytes, and for those that are not all there yet the [`Ranges`] that get
//! them. A part is waited for when it is taken, so work on the first bytes goes on while others are on their way, and
//! what nobody takes is never fetched.

use std::io::{self, BufRead, Read};
use std::ops::Range;

use crate::error::{Error, Result};

/// How much of an input that is still on its way is waited for at once.
const STEP: usize = 256 << 10;

/// Gets parts of a file when they are asked for. Called from several threads.
pub trait Ranges: Sync {
    /// Waits until every byte of a range is there.
    ///
    /// # Errors
    /// When it cannot be had.
    fn ensure(&self, range: Range<u64>) -> Result<()>;

    /// Tells which ranges will be asked for, soonest first; nothing else of the file will be, but little. Called at
    /// most once.
    fn expect(&self, ranges: &[Range<u64>]);
}

/// Bytes, or a part of them.
#[derive(Clone, Copy)]
pub struct Input<'a> {
    bytes: &'a [u8],
    /// Where the first byte is in what `ranges` knows.
    at: u64,
    ranges: Option<&'a dyn Ranges>,
}

impl<'a> Input<'a> {
    /// Bytes of which `ranges` tells when they may be read.
    pub fn fetched(bytes: &'a [u8], ranges: &'a dyn Ranges) -> Self {
        Self { bytes, at: 0, ranges: Some(ranges) }
    }

    /// Number of bytes, those that are not there yet included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// A part, without waiting for it; `None` when it reaches beyond the end.
    #[must_use]
    pub fn part(&self, range: Range<usize>) -> Option<Self> {
        let bytes = self.bytes.get(range.clone())?;
        Some(Self { bytes, at: self.at + range.start as u64, ranges: self.ranges })
    }

    /// All bytes.
    ///
    /// # Errors
    /// When they cannot be had.
    pub fn all(&self) -> Result<&'a [u8]> {
        if let Some(ranges) = self.ranges {
            ranges.ensure(self.at..self.at + self.bytes.len() as u64)?;
        }
        Ok(self.bytes)
    }

    /// The bytes of a part; `None` when it reaches beyond the end.
    ///
    /// # Errors
    /// When they cannot be had.
    pub fn get(&self, range: Range<usize>) -> Result<Option<&'a [u8]>> {
        self.part(range).map(|part| part.all()).transpose()
    }

    /// Whether it begins with some bytes.
    ///
    /// # Errors
    /// When its first bytes cannot be had.
    pub fn starts_with(&self, magic: &[u8]) -> Result<bool> {
        Ok(self.get(0..magic.len())?.is_some_and(|bytes| bytes == magic))
    }

    /// Tells which parts will be taken, soonest first, and that others will not be.
    pub fn expect(&self, parts: impl Iterator<Item = Range<usize>>) {
        if let Some(ranges) = self.ranges {
            let place = |part: Range<usize>| self.at + part.start as u64..self.at + part.end as u64;
            ranges.expect(&parts.map(place).collect::<Vec<_>>());
        }
    }

    /// Reads from the first byte on.
    #[must_use]
    pub fn reader(self) -> Reader<'a> {
        Reader { rest: self }
    }
}

impl<'a> From<&'a [u8]> for Input<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, ranges: None }
    }
}

impl<'a> From<&'a Vec<u8>> for Input<'a> {
    fn from(bytes: &'a Vec<u8>) -> Self {
        bytes.as_slice().into()
    }
}

/// A position in an [`Input`].
pub struct Reader<'a> {
    rest: Input<'a>,
}

impl<'a> Reader<'a> {
    /// Whether all was read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next bytes, some of what is left; none at the end.
    ///
    /// # Errors
    /// When they cannot be had.
    pub fn next(&self) -> Result<&'a [u8]> {
        let next = match self.rest.ranges {
            None => self.rest.len(),
            // Up to a multiple, so that every step but the first asks for one piece that is fetched as a whole.
            Some(_) => (STEP - (self.rest.at % STEP as u64) as usize).min(self.rest.len()),
        };
        Ok(self.rest.get(0..next)?.unwrap_or_default())
    }

    /// Goes past bytes that [`Reader::next`] gave.
    pub fn skip(&mut self, count: usize) {
        let end = self.rest.len();
        self.rest = self.rest.part(count.min(end)..end).unwrap_or(self.rest);
    }
}

impl Read for Reader<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let mut next = self.fill_buf()?;
        let count = next.read(out)?;
        self.consume(count);
        Ok(count)
    }
}

impl BufRead for Reader<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.next().map_err(io::Error::other)
    }

    fn consume(&mut self, count: usize) {
        self.skip(count);
    }
}

/// The reason why an input could not be had, if that is what made reading fail.
pub fn cause(error: &io::Error) -> Option<Error> {
    let error = error.get_ref()?.downcast_ref::<Error>()?;
    Some(Error::Fetch { what: error.to_string(), help: error.help() })
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// Remembers what was asked for, and has the first 600 KiB only.
    #[derive(Default)]
    struct Asked(Mutex<Vec<Range<u64>>>);

    impl Ranges for Asked {
        fn ensure(&self, range: Range<u64>) -> Result<()> {
            self.0.lock().unwrap().push(range.clone());
            match range.end {
                0..=614_400 => Ok(()),
                _ => Err(Error::Fetch { what: "gone".into(), help: None }),
            }
        }

        fn expect(&self, ranges: &[Range<u64>]) {
            self.0.lock().unwrap().extend_from_slice(ranges);
        }
    }

    #[test]
    fn parts_are_waited_for_when_they_are_taken() {
        let (bytes, asked) = (vec![7; 1 << 20], Asked::default());
        let input = Input::fetched(&bytes, &asked);
        let part = input.part(1000..700_000).unwrap();
        assert!(asked.0.lock().unwrap().is_empty());
        assert_eq!(part.get(10..20).unwrap(), Some(&[7; 10][..]));
        assert!(part.part(0..699_001).is_none() && part.get(0..699_001).unwrap().is_none());
        part.expect(std::iter::once(5..6));
        assert_eq!(*asked.0.lock().unwrap(), [1010..1020, 1005..1006]);
        assert!(part.all().is_err() && part.starts_with(&[7, 7]).unwrap());
    }

    #[test]
    fn readers_go_in_steps_that_begin_at_multiples() {
        let (bytes, asked) = (vec![7; 1 << 20], Asked::default());
        let mut reader = Input::fetched(&bytes, &asked).part(1000..1 << 20).unwrap().reader();
        let mut all = Vec::new();
        let error = reader.read_to_end(&mut all).unwrap_err();
        assert_eq!(all.len(), (512 << 10) - 1000);
        assert_eq!(cause(&error).unwrap().to_string(), "gone");
        let asked = asked.0.lock().unwrap();
        assert_eq!(asked[0], 1000..262_144);
        assert!(asked.contains(&(262_144..524_288)), "{asked:?}");
        assert_eq!(Input::from(&bytes).reader().next().unwrap().len(), bytes.len());
    }
}
