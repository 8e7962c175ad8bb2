//! The order of package versions (deb-version(7)).

use std::cmp::Ordering;

/// Compares `[EPOCH:]UPSTREAM[-REVISION]`, as `dpkg --compare-versions` does.
pub fn compare(a: &str, b: &str) -> Ordering {
    let (a, b) = (parts(a), parts(b));
    a.0.cmp(&b.0).then_with(|| text(a.1, b.1)).then_with(|| text(a.2, b.2))
}

fn parts(version: &str) -> (u64, &str, &str) {
    let (epoch, rest) = version.split_once(':').unwrap_or(("0", version));
    let (upstream, revision) = rest.rsplit_once('-').unwrap_or((rest, ""));
    (epoch.parse().unwrap_or(0), upstream, revision)
}

/// Runs of other characters and runs of digits, by turns.
fn text(mut a: &str, mut b: &str) -> Ordering {
    while !a.is_empty() || !b.is_empty() {
        let (a_text, a_rest) = split(a, |c| !c.is_ascii_digit());
        let (b_text, b_rest) = split(b, |c| !c.is_ascii_digit());
        // The end is less than everything but `~`.
        let weights = |text: &str| text.bytes().map(weight).chain([0]).collect::<Vec<_>>();
        let order = weights(a_text).cmp(&weights(b_text));
        if order.is_ne() {
            return order;
        }
        let (a_digits, a_rest) = split(a_rest, |c| c.is_ascii_digit());
        let (b_digits, b_rest) = split(b_rest, |c| c.is_ascii_digit());
        let (a_digits, b_digits) = (a_digits.trim_start_matches('0'), b_digits.trim_start_matches('0'));
        let order = a_digits.len().cmp(&b_digits.len()).then(a_digits.cmp(b_digits));
        if order.is_ne() {
            return order;
        }
        (a, b) = (a_rest, b_rest);
    }
    Ordering::Equal
}

fn split(text: &str, is: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|c| !is(c)).unwrap_or(text.len()))
}

/// Letters sort before other characters, `~` before the end.
fn weight(byte: u8) -> i32 {
    match byte {
        b'~' => -1,
        byte if byte.is_ascii_alphabetic() => i32::from(byte),
        byte => i32::from(byte) + 256,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_have_the_order_of_dpkg() {
        let ordered = [
            "5.10.223-1",
            "6.1~rc7-1~exp1",
            "6.1.9-1",
            "6.1.76-1",
            "6.1.76-1+deb12u1",
            "6.1.176-1~bpo11+1",
            "6.1.176-1",
            "6.1.176-1+b1",
            "6.1.176-2",
            "6.1.176a-1",
            "6.12.107-1",
            "1:5.0-1",
        ];
        for (at, a) in ordered.iter().enumerate() {
            for (other, b) in ordered.iter().enumerate() {
                assert_eq!(compare(a, b), at.cmp(&other), "{a} {b}");
            }
        }
        assert_eq!(compare("6.01-1", "6.1-1"), Ordering::Equal);
        assert_eq!(compare("0:1", "1"), Ordering::Equal);
    }
}
