//! Lists of members or values on a terminal, as several kernels have them.

use crate::look::Tone;
use crate::rows::{Rows, Shelf};

/// One definition on one kernel.
#[derive(Debug)]
pub(crate) struct List {
    /// Place of the kernel on the page.
    pub kernel: usize,
    /// What is said of the whole definition.
    pub title: String,
    /// Each line and the number before it.
    pub lines: Vec<(String, String)>,
}

/// Columns of a line that offsets may take, of a hundred.
const SHARE_OF_OFFSETS: usize = 55;
/// Letters that name layouts.
const NAMES: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ";

/// A number of things: `1 member`, `2 members`.
pub(crate) fn counted(count: usize, one: &str) -> String {
    format!("{count} {one}{}", if count == 1 { "" } else { "s" })
}

/// Definitions that are equal, with the lists that are of this form.
struct Layout<'l> {
    lists: Vec<&'l List>,
    lines: &'l [(String, String)],
}

/// Members: a line each, with a column of offsets for every layout that occurs.
pub(crate) fn members(title: &str, lines: &str, lists: &[List], among: &[usize], shelf: &mut Shelf<'_>) {
    let layouts = distinct(lists);
    let widths: Vec<usize> = layouts
        .iter()
        .map(|layout| layout.lines.iter().map(|(_, place)| place.chars().count()).max().unwrap_or(1))
        .collect();
    let columns = widths.iter().map(|width| width + 2).sum::<usize>();
    let fits = columns * 100 <= shelf.look().width * SHARE_OF_OFFSETS && layouts.len() <= NAMES.len();
    let named = fits && layouts.len() > 1;
    let mut titles = Rows::default();
    for (layout, name) in layouts.iter().zip(NAMES.iter().chain(std::iter::repeat(&b'?'))) {
        let name = char::from(*name).to_string();
        for list in &layout.lists {
            titles.add(list.kernel, if named { &name } else { "" }, list.title.as_str(), Tone::Plain);
        }
    }
    shelf.section(title, "", &titles, among);
    if layouts.iter().all(|layout| layout.lines.is_empty()) {
        return;
    }
    let mut rows = Rows::default();
    if named {
        let cells: Vec<String> = NAMES.iter().map(|name| char::from(*name).to_string()).collect();
        let heads = cells.iter().map(String::as_str).map(Some);
        among.iter().for_each(|kernel| rows.add(*kernel, &cells_of(heads.clone(), &widths), "", Tone::Dim));
    }
    for line in merged(&layouts) {
        let places: Vec<Option<&str>> = layouts.iter().map(|layout| layout.place(line)).collect();
        if fits {
            let key = cells_of(places.into_iter(), &widths);
            among.iter().for_each(|kernel| rows.add(*kernel, &key, line, Tone::Plain));
        } else {
            let key = span(&places);
            let having = layouts.iter().filter(|layout| layout.place(line).is_some());
            let mut kernels: Vec<usize> =
                having.flat_map(|layout| &layout.lists).map(|list| list.kernel).collect();
            kernels.sort_unstable();
            kernels.iter().for_each(|kernel| rows.add(*kernel, &key, line, Tone::Plain));
        }
    }
    let remark = if named { "byte offsets by layout, declaration" } else { "byte offset, declaration" };
    shelf.section(lines, remark, &rows, among);
}

/// Values: a line each with its number; one for every number that occurs.
pub(crate) fn values(title: &str, lines: &str, lists: &[List], among: &[usize], shelf: &mut Shelf<'_>) {
    let mut titles = Rows::default();
    lists.iter().for_each(|list| titles.add(list.kernel, "", list.title.as_str(), Tone::Plain));
    shelf.section(title, "", &titles, among);
    let layouts = distinct(lists);
    let mut rows = Rows::default();
    for line in merged(&layouts) {
        for list in lists {
            if let Some((_, number)) = list.lines.iter().find(|(text, _)| text == line) {
                rows.add(list.kernel, number, line, Tone::Plain);
            }
        }
    }
    shelf.section(lines, "", &rows, among);
}

impl Layout<'_> {
    fn place(&self, line: &str) -> Option<&str> {
        self.lines.iter().find(|(text, _)| text == line).map(|(_, place)| place.as_str())
    }
}

/// The layouts that occur, in the order of the kernels that have them first.
fn distinct(lists: &[List]) -> Vec<Layout<'_>> {
    let mut layouts: Vec<Layout<'_>> = Vec::new();
    for list in lists {
        match layouts.iter_mut().find(|layout| layout.lines == list.lines) {
            Some(layout) => layout.lists.push(list),
            None => layouts.push(Layout { lists: vec![list], lines: &list.lines }),
        }
    }
    layouts
}

/// All lines in one order, which is that of each layout as far as they agree.
fn merged<'l>(layouts: &[Layout<'l>]) -> Vec<&'l str> {
    let mut order: Vec<&str> = Vec::new();
    for layout in layouts {
        let mut at = 0;
        for (text, _) in layout.lines {
            match order.iter().position(|known| known == text) {
                Some(place) => at = at.max(place + 1),
                None => {
                    order.insert(at, text);
                    at += 1;
                }
            }
        }
    }
    order
}

/// Cells in columns, flush right; a dash where there is nothing.
fn cells_of<'c>(cells: impl Iterator<Item = Option<&'c str>>, widths: &[usize]) -> String {
    let cells: Vec<String> =
        cells.zip(widths).map(|(cell, width)| format!("{:>width$}", cell.unwrap_or("-"))).collect();
    cells.join("  ")
}

/// The lowest and the highest of some offsets.
fn span(places: &[Option<&str>]) -> String {
    let number = |place: &&str| place.split(':').next().and_then(|bytes| bytes.parse::<u64>().ok());
    let mut places: Vec<&str> = places.iter().flatten().copied().collect();
    places.sort_by_key(number);
    match (places.first(), places.last()) {
        (Some(first), Some(last)) if first != last => format!("{first}..{last}"),
        (Some(first), _) => (*first).to_owned(),
        _ => String::new(),
    }
}
