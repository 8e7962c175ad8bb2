//! Indented JSON, byte for byte as `serde_json` writes it, with one write for the indentation of a line: pages of
//! functions with thousands of callers are mostly that.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::Serializer;
use serde_json::ser::Formatter;

/// A line break and more spaces than pages have levels for; deeper ones are written in pieces.
const BREAK: &[u8] = b"\n                                                                ";
/// Spaces of a level.
const STEP: usize = 2;

/// A value as indented JSON.
///
/// # Panics
/// Never, for data with string keys only.
pub(crate) fn to_string(value: &impl Serialize) -> String {
    let mut bytes = Vec::new();
    let mut serializer = Serializer::with_formatter(&mut bytes, Indented::default());
    value.serialize(&mut serializer).expect("plain data serialises");
    String::from_utf8(bytes).expect("JSON is text")
}

/// How deep the writer is, and whether the innermost array or object has something in it.
#[derive(Default)]
struct Indented {
    depth: usize,
    filled: bool,
}

impl Indented {
    fn line<W: Write + ?Sized>(&self, writer: &mut W) -> io::Result<()> {
        let spaces = self.depth * STEP;
        match BREAK.get(..=spaces) {
            Some(line) => writer.write_all(line),
            None => {
                writer.write_all(BREAK)?;
                (BREAK.len() - 1..spaces).try_for_each(|_| writer.write_all(b" "))
            }
        }
    }

    fn begin<W: Write + ?Sized>(&mut self, writer: &mut W, bracket: &[u8]) -> io::Result<()> {
        self.depth += 1;
        self.filled = false;
        writer.write_all(bracket)
    }

    fn end<W: Write + ?Sized>(&mut self, writer: &mut W, bracket: &[u8]) -> io::Result<()> {
        self.depth -= 1;
        if self.filled {
            self.line(writer)?;
        }
        // What just ended is something in what surrounds it.
        self.filled = true;
        writer.write_all(bracket)
    }

    fn next<W: Write + ?Sized>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        if !first {
            writer.write_all(b",")?;
        }
        self.filled = true;
        self.line(writer)
    }
}

impl Formatter for Indented {
    fn begin_array<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.begin(writer, b"[")
    }

    fn end_array<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.end(writer, b"]")
    }

    fn begin_array_value<W: Write + ?Sized>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.next(writer, first)
    }

    fn begin_object<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.begin(writer, b"{")
    }

    fn end_object<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.end(writer, b"}")
    }

    fn begin_object_key<W: Write + ?Sized>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.next(writer, first)
    }

    fn begin_object_value<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b": ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn it_is_what_serde_json_writes() {
        let mut deep = json!({ "a": [1, [], {}, { "b": [[]] }], "empty": {}, "text": "x\"\n", "null": null });
        for _ in 0..50 {
            deep = json!([deep, { "more": [] }, 2.5]);
        }
        for value in [json!(1), json!([]), json!({}), json!([[]]), Value::Null, deep] {
            assert_eq!(to_string(&value), serde_json::to_string_pretty(&value).unwrap());
        }
    }
}
