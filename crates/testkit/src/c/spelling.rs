//! Takes the spelling of a type apart, one step at a time.

/// The outermost constructor of a type.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Shape<'a> {
    Void,
    Pointer(&'a str),
    /// Outermost dimension first; a flexible array has a dimension of 0.
    Array {
        of: &'a str,
        counts: Vec<u64>,
    },
    Function {
        returns: &'a str,
        parameters: Vec<&'a str>,
    },
    Const(&'a str),
    Volatile(&'a str),
    Named(&'a str),
}

impl Shape<'_> {
    pub(super) fn of(spelling: &str) -> Shape<'_> {
        let text = spelling.trim();
        if let Some(of) = text.strip_suffix('*') {
            return Shape::Pointer(of.trim_end());
        }
        if text.ends_with(']') {
            // The dimensions are the run of brackets at the end.
            let start = text.rfind(['*', ')']).map_or(0, |at| at + 1);
            let first = start + text[start..].find('[').expect("a bracket that closes was opened");
            let counts = text[first + 1..text.len() - 1].split("][").map(|count| match count {
                "" => 0,
                count => count.parse().expect("an array has a number of elements"),
            });
            return Shape::Array { of: text[..first].trim_end(), counts: counts.collect() };
        }
        if let Some(inside) = text.strip_suffix(')') {
            let (returns, parameters) = inside.split_at(opening(inside));
            return Shape::Function { returns: returns.trim_end(), parameters: list(&parameters[1..]) };
        }
        for (word, shape) in [("const", Shape::Const as fn(_) -> _), ("volatile", Shape::Volatile)] {
            let inner = text.strip_prefix(word).or_else(|| text.strip_suffix(word));
            // The whole word only: a type may be called `const_t`.
            if let Some(inner) = inner.filter(|inner| inner.starts_with(' ') || inner.ends_with([' ', '*'])) {
                return shape(inner.trim());
            }
        }
        if text == "void" { Shape::Void } else { Shape::Named(text) }
    }
}

/// Where the parenthesis opens that closes behind the end of `text`.
fn opening(text: &str) -> usize {
    let mut depth = 1;
    for (at, character) in text.char_indices().rev() {
        match character {
            ')' => depth += 1,
            '(' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at;
        }
    }
    panic!("`{text})` has no opening parenthesis")
}

/// Splits at the commas outside of parentheses. `void` is the empty list.
fn list(text: &str) -> Vec<&str> {
    if matches!(text.trim(), "" | "void") {
        return Vec::new();
    }
    let mut depth = 0;
    text.split(|character| {
        match character {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        character == ',' && depth == 0
    })
    .map(str::trim)
    .collect()
}

#[cfg(test)]
mod tests {
    use super::Shape;

    #[test]
    fn every_constructor_is_taken_off_in_turn() {
        assert_eq!(Shape::of("void"), Shape::Void);
        assert_eq!(Shape::of("struct file **"), Shape::Pointer("struct file *"));
        assert_eq!(Shape::of("const char"), Shape::Const("char"));
        assert_eq!(Shape::of("char * const"), Shape::Const("char *"));
        assert_eq!(Shape::of("const char *"), Shape::Pointer("const char"));
        assert_eq!(Shape::of("constant_t"), Shape::Named("constant_t"));
        assert_eq!(Shape::of("int[2][3]"), Shape::Array { of: "int", counts: vec![2, 3] });
        assert_eq!(Shape::of("char[]"), Shape::Array { of: "char", counts: vec![0] });
        assert_eq!(Shape::of("int (void) *[4]"), Shape::Array { of: "int (void) *", counts: vec![4] });
        let parameters = vec!["int (long, char *) *", "u64"];
        assert_eq!(
            Shape::of("void (int (long, char *) *, u64)"),
            Shape::Function { returns: "void", parameters }
        );
        assert_eq!(Shape::of("int (void)"), Shape::Function { returns: "int", parameters: vec![] });
    }
}
