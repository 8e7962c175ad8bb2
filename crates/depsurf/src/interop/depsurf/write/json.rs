//! JSON text as Python's `json.dumps` writes it: `, ` and `: ` as separators, ASCII only.

use std::fmt::{Display, Write};

/// A line of JSON in the making. Separators follow from what was written last.
#[derive(Debug, Default)]
pub(super) struct Json {
    text: String,
}

impl Json {
    /// The line, with its end; the buffer is kept for the next one.
    pub(super) fn line(&mut self) -> &str {
        self.text.push('\n');
        &self.text
    }

    /// Empties the buffer.
    pub(super) fn clear(&mut self) {
        self.text.clear();
    }

    fn separate(&mut self) {
        // A value never ends with one of these, so whatever ends with them opens a place for one.
        if !matches!(self.text.as_bytes().last(), None | Some(b'{' | b'[' | b' ')) {
            self.text.push_str(", ");
        }
    }

    /// `{"key": value, ...}`, filled by `fill`.
    pub(super) fn object<T>(&mut self, fill: impl FnOnce(&mut Self) -> T) -> T {
        self.separate();
        self.text.push('{');
        let result = fill(self);
        self.text.push('}');
        result
    }

    /// `[value, ...]`, filled by `fill`.
    pub(super) fn array<T>(&mut self, fill: impl FnOnce(&mut Self) -> T) -> T {
        self.separate();
        self.text.push('[');
        let result = fill(self);
        self.text.push(']');
        result
    }

    /// The key of the value that comes next.
    pub(super) fn key(&mut self, key: &str) -> &mut Self {
        self.separate();
        self.text.push('"');
        self.text.push_str(key);
        self.text.push_str("\": ");
        self
    }

    /// A number, `true`, `false` or `null`.
    pub(super) fn plain(&mut self, value: impl Display) {
        self.separate();
        write!(self.text, "{value}").expect("writing to a string does not fail");
    }

    /// A string.
    pub(super) fn string(&mut self, value: &str) {
        self.strings(&[value]);
    }

    /// A string, given in pieces.
    pub(super) fn strings(&mut self, pieces: &[&str]) {
        self.separate();
        self.text.push('"');
        for piece in pieces {
            escape(&mut self.text, piece);
        }
        self.text.push('"');
    }

    /// A string, or `null`.
    pub(super) fn optional(&mut self, value: Option<&str>) {
        match value {
            Some(value) => self.string(value),
            None => self.plain("null"),
        }
    }
}

fn escape(out: &mut String, text: &str) {
    let is_plain = |byte: u8| (b' '..=0x7f).contains(&byte) && byte != b'"' && byte != b'\\';
    if text.bytes().all(is_plain) {
        out.push_str(text);
        return;
    }
    for char in text.chars() {
        match char {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            ' '..='\u{7f}' => out.push(char),
            _ => {
                for unit in char.encode_utf16(&mut [0; 2]) {
                    write!(out, "\\u{unit:04x}").expect("writing to a string does not fail");
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separators_and_escapes_are_those_of_python() {
        let mut json = Json::default();
        json.object(|json| {
            json.key("a").string("q\" b\\ n\n \u{1} \u{7f} \u{e4} \u{1f600}");
            json.key("b").array(|json| {
                json.plain(-1);
                json.object(|_| ());
                json.array(|_| ());
                json.strings(&["x ", ":", "y"]);
                json.optional(None);
            });
            json.key("c").plain(true);
        });
        // Output of python3 -c 'json.dumps(...)' for the same value.
        let expected = r#"{"a": "q\" b\\ n\n \u0001 "#.to_owned()
            + "\u{7f}"
            + r#" \u00e4 \ud83d\ude00", "b": [-1, {}, [], "x :y", null], "c": true}"#
            + "\n";
        assert_eq!(json.line(), expected);
    }
}
