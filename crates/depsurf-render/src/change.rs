//! One change in words.

use std::fmt::Write;

use depsurf::diff::Change;

/// The change as an item of a list on a page.
pub(crate) fn markdown(change: &Change, out: &mut String) {
    let _ = writeln!(out, "<li>\n<b>{}. </b>", change.what.words());
    match (&change.old, &change.new) {
        (Some(old), Some(new)) => {
            let _ = writeln!(out, "<code>{old}</code> ➡️ <code>{new}</code>");
        }
        (Some(only), None) | (None, Some(only)) => {
            let _ = writeln!(out, "<code>{only}</code>");
        }
        (None, None) => {}
    }
    out.push_str("</li>\n");
}
