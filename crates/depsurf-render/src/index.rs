//! Index pages: all names of a kind, with what each is on every kernel in a symbol or two.
//!
//! | file | what it is |
//! |---|---|
//! | `README.md` | the kinds and their indexes, the symbols, the kernels |
//! | `Index/Struct.md` | all structs; the same for the other kinds |
//! | `Index/Function-s.md` | the functions that begin with `s`, whatever its case and underscores before it |
//! | `Struct/NAME.md` | a page ([`crate::markdown`]), under the name that [`crate::path`] gives it |

use std::collections::BTreeMap;
use std::fmt::Write;

use depsurf::Kind;
use depsurf::surface::verdict::Issue;

use crate::page::{Facts, Group, Page, State};
use crate::path::EXTENSION;

/// The directory of the index pages.
pub const DIRECTORY: &str = "Index";
/// The page that leads to all others.
pub const README: &str = "README.md";

/// A kernel in a group: a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// The group's title; `None` where there is only one.
    pub group: Option<String>,
    /// What the kernel is called.
    pub label: String,
}

/// What a name is on a kernel: a set of [`Symbol`]s, which is empty for what is there and unremarkable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cell(u8);

/// A remark in a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
#[allow(missing_docs, reason = "the meanings are in words below")]
pub enum Symbol {
    Absent,
    Unknown,
    Changed,
    SelectiveInline,
    FullInline,
    Duplicate,
    Collision,
    Transformation,
}

impl Symbol {
    /// All of them, in the order of a cell.
    pub const ALL: [Self; 8] = [
        Self::Absent,
        Self::Unknown,
        Self::Changed,
        Self::SelectiveInline,
        Self::FullInline,
        Self::Duplicate,
        Self::Collision,
        Self::Transformation,
    ];

    /// What stands in a cell.
    #[must_use]
    pub fn letter(self) -> &'static str {
        match self {
            Self::Absent => "∅",
            Self::Unknown => "?",
            Self::Changed => "Δ",
            Self::SelectiveInline => "S",
            Self::FullInline => "F",
            Self::Duplicate => "D",
            Self::Collision => "C",
            Self::Transformation => "T",
        }
    }

    /// What it means.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Unknown => "unknown: what would tell could not be read",
            Self::Changed => "changed since the kernel it is compared with",
            Self::SelectiveInline => "selective inline: has code of its own, and copies in other functions",
            Self::FullInline => "full inline: has no code of its own",
            Self::Duplicate => {
                "duplicate: several copies of one definition, as of a static function in a header"
            }
            Self::Collision => "collision: several functions share the name",
            Self::Transformation => "transformation: a symbol with a compiler suffix",
        }
    }
}

impl From<Issue> for Symbol {
    fn from(issue: Issue) -> Self {
        match issue {
            Issue::Duplicate => Self::Duplicate,
            Issue::Collision => Self::Collision,
            Issue::FullInline => Self::FullInline,
            Issue::SelectiveInline => Self::SelectiveInline,
            Issue::Transformation => Self::Transformation,
        }
    }
}

impl Cell {
    fn new(state: &State<'_>) -> Self {
        match state {
            State::Absent { .. } => Self::default().with(Symbol::Absent),
            State::Unknown { .. } => Self::default().with(Symbol::Unknown),
            State::Present(Facts::Function(facts)) => {
                facts.issues().fold(Self::default(), |cell, issue| cell.with(issue.into()))
            }
            State::Present(_) => Self::default(),
        }
    }

    fn with(self, symbol: Symbol) -> Self {
        Self(self.0 | 1 << symbol as u8)
    }

    fn symbols(self) -> impl Iterator<Item = Symbol> {
        Symbol::ALL.into_iter().filter(move |symbol| self.0 >> *symbol as u8 & 1 != 0)
    }
}

/// The columns of every index.
#[must_use]
pub fn columns(groups: &[Group<'_>]) -> Vec<Column> {
    let title = |group: &Group<'_>| (groups.len() > 1).then(|| group.title.clone());
    let columns = groups.iter().flat_map(|group| group.kernels.iter().map(move |kernel| (group, kernel)));
    columns.map(|(group, kernel)| Column { group: title(group), label: kernel.label.clone() }).collect()
}

/// The cells of a page's row, one per column.
#[must_use]
pub fn cells(page: &Page<'_>) -> Vec<Cell> {
    let mut cells = Vec::new();
    let mut differences = page.differences.iter().peekable();
    for section in &page.groups {
        let first = cells.len();
        cells.extend(section.entries.iter().map(|entry| Cell::new(&entry.state)));
        // Groups without a pair have no differences.
        let Some(found) = differences.next_if(|found| found.title == section.title) else { continue };
        // Pairs are about the last kernels of the group: the first one has no neighbour before it.
        let first = first + section.entries.len().saturating_sub(found.pairs.len());
        for (cell, pair) in cells[first..].iter_mut().zip(&found.pairs) {
            if pair.is_changed() {
                *cell = cell.with(Symbol::Changed);
            }
        }
    }
    cells
}

/// The names of a kind with their files and cells.
#[derive(Debug, Clone, Copy)]
pub struct Table<'t, T> {
    /// The kind.
    pub kind: Kind,
    /// The columns.
    pub columns: &'t [Column],
    /// The names, in order.
    pub names: &'t [T],
    /// The file of each name in the directory of its kind.
    pub files: &'t [String],
    /// The cells of all names, row by row.
    pub cells: &'t [Cell],
}

impl<T: AsRef<str>> Table<'_, T> {
    /// An index page.
    #[must_use]
    pub fn page(&self, part: &Part) -> String {
        let heading = self.kind.heading();
        let mut out = format!("# {heading} index");
        if let Some(letter) = part.letter {
            let _ = write!(out, ": {}", letter.title());
        }
        let count = thousands(part.rows.len());
        let pages = if part.rows.len() == 1 { "page" } else { "pages" };
        let _ = write!(out, "\n\n{count} {pages}. [All indexes, and what the symbols mean](../{README})\n\n");
        self.head(&mut out);
        for row in &part.rows {
            let (name, file) = (code(self.names[*row].as_ref()), &self.files[*row]);
            let _ = write!(out, "| [{name}](../{heading}/{file}) |");
            let width = self.columns.len();
            for cell in self.cells.get(row * width..(row + 1) * width).unwrap_or_default() {
                out.push(' ');
                cell.symbols().for_each(|symbol| out.push_str(symbol.letter()));
                out.push_str(" |");
            }
            out.push('\n');
        }
        out
    }

    fn head(&self, out: &mut String) {
        let _ = write!(out, "| {} |", self.kind.heading());
        for Column { group, label } in self.columns {
            let _ = match group {
                Some(group) => write!(out, " {group}<br>{label} |"),
                None => write!(out, " {label} |"),
            };
        }
        out.push_str("\n| - |");
        self.columns.iter().for_each(|_| out.push_str(" :-: |"));
        out.push('\n');
    }
}

/// The names that stand on one index page.
#[derive(Debug, Clone)]
pub struct Part {
    letter: Option<Letter>,
    rows: Vec<usize>,
}

/// What names of one index page begin with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Letter {
    /// A small letter.
    Of(char),
    /// A digit.
    Digit,
    /// Something else, or nothing but underscores.
    Other,
}

impl Letter {
    fn of(name: &str) -> Self {
        match name.trim_start_matches('_').chars().next() {
            Some(first) if first.is_ascii_alphabetic() => Self::Of(first.to_ascii_lowercase()),
            Some(first) if first.is_ascii_digit() => Self::Digit,
            _ => Self::Other,
        }
    }

    fn title(self) -> String {
        match self {
            Self::Of(letter) => letter.to_ascii_uppercase().to_string(),
            Self::Digit => "0-9".into(),
            Self::Other => "other".into(),
        }
    }
}

impl Part {
    /// Its file name in [`DIRECTORY`].
    #[must_use]
    pub fn file(&self, kind: Kind) -> String {
        let heading = kind.heading();
        match self.letter {
            None => format!("{heading}{EXTENSION}"),
            Some(letter) => format!("{heading}-{}{EXTENSION}", letter.title().to_ascii_lowercase()),
        }
    }
}

/// The index pages of a kind: one, or one per first letter; none where there are no names.
#[must_use]
pub fn parts<T: AsRef<str>>(kind: Kind, names: &[T]) -> Vec<Part> {
    if names.is_empty() {
        return Vec::new();
    }
    if !matches!(kind, Kind::Function | Kind::Field) {
        return vec![Part { letter: None, rows: (0..names.len()).collect() }];
    }
    let mut parts: BTreeMap<Letter, Vec<usize>> = BTreeMap::new();
    for (row, name) in names.iter().enumerate() {
        parts.entry(Letter::of(name.as_ref())).or_default().push(row);
    }
    parts.into_iter().map(|(letter, rows)| Part { letter: Some(letter), rows }).collect()
}

/// The kind that a file belongs to, a page or an index page; `None` for others.
#[must_use]
pub fn kind_of(file: &str) -> Option<Kind> {
    let (directory, name) = file.split_once('/')?;
    let is_of = |kind: &Kind| match directory {
        DIRECTORY => name.strip_prefix(kind.heading()).is_some_and(|rest| rest.starts_with(['-', '.'])),
        _ => directory == kind.heading(),
    };
    Kind::ALL.into_iter().find(is_of)
}

/// A kind as [`readme`] lists it.
#[derive(Debug, Clone)]
pub struct Shelf {
    /// The kind.
    pub kind: Kind,
    /// How many pages there are.
    pub pages: usize,
    /// Its index pages: file names in [`DIRECTORY`].
    pub indexes: Vec<String>,
}

impl Shelf {
    /// The kinds that some of `files` belong to.
    #[must_use]
    pub fn of(files: &[String]) -> Vec<Self> {
        let empty = |kind| Self { kind, pages: 0, indexes: Vec::new() };
        let mut shelves: Vec<Self> = Kind::ALL.map(empty).into();
        for file in files {
            let Some(kind) = kind_of(file) else { continue };
            let Some(shelf) = shelves.iter_mut().find(|shelf| shelf.kind == kind) else { continue };
            match file.strip_prefix(DIRECTORY).and_then(|rest| rest.strip_prefix('/')) {
                Some(index) => shelf.indexes.push(index.to_owned()),
                None => shelf.pages += 1,
            }
        }
        shelves.retain(|shelf| shelf.pages > 0);
        shelves
    }
}

/// The page that leads to all others.
#[must_use]
pub fn readme(shelves: &[Shelf], groups: &[Group<'_>]) -> String {
    let mut out = String::from("# Dependency surfaces of Linux kernels\n\n");
    out.push_str("What every name is on each of the kernels below, one page per name.\n\n");
    out.push_str("| Kind | Pages | Index |\n| - | -: | - |\n");
    for Shelf { kind, pages, indexes } in shelves {
        let links: Vec<String> = indexes.iter().map(|file| link(*kind, file)).collect();
        let _ = writeln!(out, "| {} | {} | {} |", kind.heading(), thousands(*pages), links.join(" "));
    }
    out.push_str("\n## Symbols\n\n");
    out.push_str("An index has a column for each kernel of each group. An empty cell is a name that is there, without more to say.\n\n");
    out.push_str("| Symbol | Meaning |\n| :-: | - |\n");
    for symbol in Symbol::ALL {
        let _ = writeln!(out, "| {} | {} |", symbol.letter(), symbol.words());
    }
    out.push_str("\n## Kernels\n\n| Group | Label | Kernel | Compared with |\n| - | - | - | - |\n");
    for group in groups {
        let mut before = None;
        for kernel in &group.kernels {
            let compared = group.base.as_ref().or(before).map_or("", |kernel| kernel.label.as_str());
            let _ = writeln!(
                out,
                "| {} | {} | {} | {compared} |",
                group.title,
                kernel.label,
                kernel.surface.kernel()
            );
            before = Some(kernel);
        }
    }
    out
}

/// A link to an index page, named by its letter; `all` where there is one page.
fn link(kind: Kind, file: &str) -> String {
    let stem = file.strip_suffix(EXTENSION).unwrap_or(file);
    let letter = stem.strip_prefix(kind.heading()).and_then(|rest| rest.strip_prefix('-'));
    let text = match letter {
        Some(letter) if letter.len() == 1 => letter.to_ascii_uppercase(),
        Some(letter) => letter.to_owned(),
        None => "all".into(),
    };
    format!("[{text}]({DIRECTORY}/{file})")
}

/// A name as Markdown that shows it as it is, in a cell of a table.
fn code(name: &str) -> String {
    // What Markdown means something by is given by its number, which it then means nothing by (CommonMark §2.5).
    let is_plain = |c: char| c.is_alphanumeric() || " _-.:()/$@+,*&".contains(c);
    if !name.is_empty() && name.trim() == name && name.chars().all(is_plain) {
        return format!("`{name}`");
    }
    let mut text = String::from("<code>");
    for c in name.chars() {
        if c.is_alphanumeric() {
            text.push(c);
        } else {
            let _ = write!(text, "&#{};", u32::from(c));
        }
    }
    text + "</code>"
}

/// `152,301`.
#[must_use]
pub fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
