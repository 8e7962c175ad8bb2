//! Reads files of the dataset, plain or compressed, line by line.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use serde::Deserialize;

use crate::error::{Error, Result};
use crate::surface::strings::{StrId, Strings};

/// Bytes of a file after decompression, from which on it is refused; the largest of a real kernel has 200 MB.
const MAX_FILE: u64 = 1 << 30;
/// Bytes of a line, from which on it is refused; the longest of a real kernel has some megabytes.
const MAX_LINE: usize = 64 << 20;
/// Bytes of all names of a kernel, from which on it is refused.
const MAX_STRINGS: usize = 1 << 30;
/// Bytes that are read at once.
const CHUNK: usize = 256 << 10;

/// A file of the dataset.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source<'s> {
    pub(super) place: Place<'s>,
    /// What to call it in messages: `func_groups/5.4.0-26-generic-amd64.jsonl.zst`.
    pub(super) name: &'s str,
}

/// Where a file is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Place<'s> {
    Path(&'s Path),
    Memory(&'s [u8]),
}

/// A line of a file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line<'l> {
    bytes: &'l [u8],
    file: &'l str,
    number: u64,
}

/// A string of a line, borrowed where it has no escapes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub(super) struct Text<'l>(#[serde(borrow)] pub(super) Cow<'l, str>);

impl<'s> Source<'s> {
    /// The bytes of the file, decompressed; what the bytes look like decides, not the name.
    fn open(self) -> Result<Box<dyn BufRead + 's>> {
        let failed = |error| self.unreadable(error);
        let mut file: Box<dyn BufRead + 's> = match self.place {
            Place::Memory(bytes) => Box::new(bytes),
            Place::Path(path) => Box::new(BufReader::with_capacity(CHUNK, File::open(path).map_err(failed)?)),
        };
        let head = file.fill_buf().map_err(failed)?;
        Ok(if head.starts_with(&[0x1f, 0x8b]) {
            Box::new(BufReader::with_capacity(CHUNK, flate2::bufread::MultiGzDecoder::new(file)))
        } else if head.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
            let decoder = zstd::stream::read::Decoder::with_buffer(file).map_err(failed)?;
            Box::new(BufReader::with_capacity(CHUNK, decoder))
        } else {
            file
        })
    }

    fn too_large(self) -> Error {
        Error::Limit { what: self.name.to_owned(), limit: format!("{} MiB decompressed", MAX_FILE >> 20) }
    }

    fn unreadable(self, error: io::Error) -> Error {
        match self.place {
            Place::Path(path) => Error::io("cannot read", path, error),
            Place::Memory(_) => Error::io("cannot read", self.name, error),
        }
    }

    /// The whole file as text.
    ///
    /// # Errors
    /// When it cannot be read, is too large or is not UTF-8.
    pub(super) fn text(self) -> Result<String> {
        let mut bytes = Vec::new();
        let read = self.open()?.take(MAX_FILE + 1).read_to_end(&mut bytes);
        read.map_err(|error| self.unreadable(error))?;
        if bytes.len() as u64 > MAX_FILE {
            return Err(self.too_large());
        }
        String::from_utf8(bytes).map_err(|error| {
            let at = error.utf8_error().valid_up_to();
            Error::malformed("DepSurf dataset", format!("{}, offset {at:#x}", self.name), "not UTF-8")
        })
    }

    /// Hands every line that is not blank to `each`.
    ///
    /// # Errors
    /// When the file cannot be read or is too large, and what `each` returns.
    pub(super) fn lines(self, mut each: impl FnMut(Line<'_>) -> Result<()>) -> Result<()> {
        let mut reader = self.open()?;
        let mut buffer = Vec::new();
        let (mut number, mut total) = (0, 0);
        loop {
            buffer.clear();
            let end = self.line(&mut *reader, &mut buffer)?;
            if !end && buffer.is_empty() {
                return Ok(());
            }
            number += 1;
            total += buffer.len() as u64;
            if total > MAX_FILE {
                return Err(self.too_large());
            }
            if !buffer.trim_ascii().is_empty() {
                each(Line { bytes: &buffer, file: self.name, number })?;
            }
        }
    }

    /// Reads up to the end of a line, which is not kept; whether there was one.
    fn line(self, reader: &mut dyn BufRead, buffer: &mut Vec<u8>) -> Result<bool> {
        loop {
            let chunk = match reader.fill_buf() {
                Ok(chunk) => chunk,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(self.unreadable(error)),
            };
            if chunk.is_empty() {
                return Ok(false);
            }
            let end = memchr::memchr(b'\n', chunk);
            let part = &chunk[..end.unwrap_or(chunk.len())];
            if buffer.len() + part.len() > MAX_LINE {
                return Err(Error::Limit {
                    what: format!("a line of {}", self.name),
                    limit: format!("{} MiB", MAX_LINE >> 20),
                });
            }
            buffer.extend_from_slice(part);
            let used = part.len() + usize::from(end.is_some());
            reader.consume(used);
            if end.is_some() {
                return Ok(true);
            }
        }
    }
}

impl<'l> Line<'l> {
    /// A line with bytes that were kept.
    pub(super) fn kept(file: &'l str, number: u64, bytes: &'l [u8]) -> Self {
        Self { bytes, file, number }
    }

    /// Its number in the file, from 1, and its bytes.
    pub(super) fn parts(self) -> (u64, &'l [u8]) {
        (self.number, self.bytes)
    }

    /// The value that the line is in JSON.
    ///
    /// # Errors
    /// When it is none, or lacks what is needed; nesting beyond 128 levels is refused.
    pub(super) fn parse<T: Deserialize<'l>>(self) -> Result<T> {
        serde_json::from_slice(self.bytes).map_err(|error| {
            // It is the first line of what the parser sees.
            let text = error.to_string();
            let what = text.rsplit_once(" at line ").map_or(text.as_str(), |(what, _)| what);
            let at = format!("{}:{}, column {}", self.file, self.number, error.column());
            Error::malformed("DepSurf dataset", at, what)
        })
    }

    /// An error in this line.
    pub(super) fn error(self, what: impl Into<String>) -> Error {
        Error::malformed("DepSurf dataset", self.place(), what)
    }

    /// File and line.
    pub(super) fn place(self) -> String {
        format!("{}:{}", self.file, self.number)
    }
}

impl Text<'_> {
    /// Puts it into a string table.
    ///
    /// # Errors
    /// When it has a NUL byte or the table is full.
    pub(super) fn intern(&self, strings: &mut Strings) -> Result<StrId, String> {
        // JSON has no raw control characters, so what is borrowed has none.
        if matches!(&self.0, Cow::Owned(text) if text.contains('\0')) {
            return Err(format!("{:?} has a NUL byte in it", self.0));
        }
        if strings.bytes().len() + self.0.len() > MAX_STRINGS {
            return Err(format!("the names take more than {} MiB", MAX_STRINGS >> 20));
        }
        Ok(strings.intern(self.0.as_bytes()))
    }
}
