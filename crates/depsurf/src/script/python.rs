//! As much of Python as it takes to find calls: texts, comments, indentation, arguments.

use std::ops::Range;

/// A text in quotes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Literal {
    /// With its quotes.
    pub whole: Range<usize>,
    /// Without them.
    pub inner: Range<usize>,
    /// Whether names in braces are replaced in it.
    pub is_format: bool,
}

/// A branch of `if`, `elif`, `else`, or of `try` and `except`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Branch {
    /// Its first line, without white space around it.
    pub head: Range<usize>,
    /// What is under it.
    pub body: Range<usize>,
}

/// A file of Python.
#[derive(Debug)]
pub(super) struct Python<'t> {
    pub text: &'t str,
    /// The text with comments, and what is in quotes, as spaces: places are the same.
    pub masked: String,
    pub literals: Vec<Literal>,
}

impl<'t> Python<'t> {
    pub fn new(text: &'t str) -> Self {
        let bytes = text.as_bytes();
        let mut masked = bytes.to_vec();
        let mut literals = Vec::new();
        let mut at = 0;
        while at < bytes.len() {
            let wiped = match bytes[at] {
                b'#' => {
                    let end = bytes[at..].iter().position(|c| *c == b'\n').map_or(bytes.len(), |it| at + it);
                    at..end
                }
                quote @ (b'"' | b'\'') => {
                    let literal = literal(bytes, at, quote);
                    let inner = literal.inner.clone();
                    at = literal.whole.end;
                    literals.push(literal);
                    wipe(&mut masked, inner);
                    continue;
                }
                _ => {
                    at += 1;
                    continue;
                }
            };
            at = wiped.end;
            wipe(&mut masked, wiped);
        }
        let masked = String::from_utf8(masked)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
        Self { text, masked, literals }
    }

    /// The text that a place holds, where it is nothing but one text in quotes.
    pub fn plain(&self, place: &Range<usize>) -> Option<&'t str> {
        let place = self.trimmed(place);
        let number = self.literals.partition_point(|it| it.whole.start < place.start);
        let literal = self.literals.get(number)?;
        let prefix = self.masked.get(place.start..literal.whole.start)?;
        let is_all = literal.whole.end == place.end && prefix.chars().all(|c| "bBrRuUfF".contains(c));
        let inner = self.text.get(literal.inner.clone())?;
        (is_all && !(literal.is_format && inner.contains('{'))).then_some(inner)
    }

    /// A place without white space around it.
    pub fn trimmed(&self, place: &Range<usize>) -> Range<usize> {
        let part = self.masked.get(place.clone()).unwrap_or_default();
        let start = place.start + part.len() - part.trim_start().len();
        start..start + part.trim().len()
    }

    /// Arguments of the call whose `(` is at a place: name where it has one, and where its value is.
    pub fn arguments(&self, open: usize) -> Vec<(Option<&str>, Range<usize>)> {
        let (mut depth, mut start, mut found) = (0usize, open + 1, Vec::new());
        for (at, byte) in self.masked.bytes().enumerate().skip(open) {
            let ends = match byte {
                b'(' | b'[' | b'{' => {
                    depth += 1;
                    false
                }
                b')' | b']' | b'}' => {
                    depth = depth.saturating_sub(1);
                    depth == 0
                }
                b',' => depth == 1,
                _ => false,
            };
            if !ends {
                continue;
            }
            let place = self.trimmed(&(start..at.max(start)));
            if !place.is_empty() {
                found.push(self.argument(place));
            }
            start = at + 1;
            if depth == 0 {
                break;
            }
        }
        found
    }

    fn argument(&self, place: Range<usize>) -> (Option<&str>, Range<usize>) {
        let part = &self.masked[place.clone()];
        if let Some((name, value)) = part.split_once('=') {
            let is_name = name.trim().chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
            if is_name && !value.starts_with('=') {
                return (Some(name.trim()), self.trimmed(&(place.end - value.len()..place.end)));
            }
        }
        (None, place)
    }

    /// The conditions that a place is under, the innermost first, as they are written.
    pub fn conditions(&self, at: usize) -> Vec<&'t str> {
        let before = &self.masked[..at];
        let start = before.rfind('\n').map_or(0, |it| it + 1);
        let mut end = start;
        let own = &self.masked[start..at];
        let mut indent = own.len() - own.trim_start().len();
        let mut found = Vec::new();
        let is_condition = |line: &str| {
            let word = line.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
            ["if", "elif", "else", "try", "except"].contains(&word)
        };
        if is_condition(own.trim_start()) {
            found.push(self.text[start..at].trim());
        }
        while indent > 0 && end > 0 {
            let line_start = self.masked[..end - 1].rfind('\n').map_or(0, |it| it + 1);
            let line = &self.masked[line_start..end - 1];
            let words = line.trim_start();
            let depth = line.len() - words.len();
            // What is inside of a text in several lines is white space here.
            if !words.is_empty() && depth < indent && !words.starts_with([')', ']', '}', '"', '\'']) {
                indent = depth;
                if is_condition(words) {
                    found.push(self.text[line_start..end - 1].trim().trim_end_matches(':'));
                }
            }
            end = line_start;
        }
        found
    }
}

impl Python<'_> {
    /// The branches of the innermost condition that a line is under, all of them in their order; `None` where it is
    /// under none.
    pub fn branches(&self, at: usize) -> Option<Vec<Branch>> {
        // Lines with something in them, and how far they are indented.
        let mut lines: Vec<(Range<usize>, usize)> = Vec::new();
        let mut start = 0;
        for line in self.masked.split_inclusive('\n') {
            let words = line.trim_start();
            if !words.is_empty() && !words.starts_with([')', ']', '}', '"', '\'']) {
                lines.push((start..start + line.trim_end().len(), line.len() - words.len()));
            }
            start += line.len();
        }
        let word = |place: &Range<usize>| {
            let text = self.masked[place.clone()].trim_start();
            text.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default()
        };
        let goes_on = |place: &Range<usize>| ["elif", "else", "except"].contains(&word(place));
        let own = lines.iter().rposition(|(place, _)| place.start <= at)?;
        let mut indent = lines[own].1;
        // Up to the line that is less indented, and from there over branches to the first of them.
        let mut first = None;
        for number in (0..own).rev() {
            let (place, depth) = &lines[number];
            match first {
                None if *depth >= indent => continue,
                Some(_) if *depth > indent => continue,
                Some(_) if *depth < indent => return None,
                _ => {}
            }
            indent = *depth;
            match word(place) {
                "if" | "try" => {
                    first = Some(number);
                    break;
                }
                _ if goes_on(place) => first = Some(number),
                // Another block, as that of a function.
                _ if first.is_none() => {}
                _ => return None,
            }
        }
        let first = first?;
        let mut branches: Vec<Branch> = Vec::new();
        for (number, (place, depth)) in lines.iter().enumerate().skip(first) {
            if number > first && *depth <= indent && !(*depth == indent && goes_on(place)) {
                break;
            }
            if *depth == indent {
                branches.push(Branch { head: self.trimmed(place), body: place.end..place.end });
            } else if let Some(branch) = branches.last_mut() {
                branch.body.end = place.end;
            }
        }
        Some(branches)
    }
}

fn wipe(masked: &mut [u8], place: Range<usize>) {
    masked[place].iter_mut().filter(|c| **c != b'\n').for_each(|c| *c = b' ');
}

/// The text whose first quote is at a place. One in single quotes ends with its line at the latest.
fn literal(bytes: &[u8], at: usize, quote: u8) -> Literal {
    let is_format = at > 0
        && bytes[..at].iter().rev().take(2).any(|c| *c == b'f' || *c == b'F')
        && bytes[..at].iter().rev().take_while(|c| c.is_ascii_alphanumeric() || **c == b'_').count() <= 2;
    let is_long = bytes[at..].starts_with(&[quote; 3]);
    let width = if is_long { 3 } else { 1 };
    let start = at + width;
    let mut end = start;
    while end < bytes.len() {
        match bytes[end] {
            b'\\' => end += 1,
            b'\n' if !is_long => break,
            c if c == quote && (!is_long || bytes[end..].starts_with(&[quote; 3])) => {
                return Literal { whole: at..end + width, inner: start..end, is_format };
            }
            _ => {}
        }
        end += 1;
    }
    let end = end.min(bytes.len());
    Literal { whole: at..end, inner: start.min(end)..end, is_format }
}
