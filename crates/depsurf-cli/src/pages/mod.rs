//! `depsurf pages -o DIR`.

mod folder;

use std::borrow::Cow;
use std::ops::Add;
use std::time::Instant;

use depsurf::names;
use depsurf::progress::Progress;
use depsurf::surface::Surface;
use depsurf_render::index::{self, Cell, Part, Shelf, Table, thousands};
use depsurf_render::{Group, Kind, Page, markdown, path};
use rayon::prelude::*;

use self::folder::{Folder, Put};
use crate::args::{Global, Pages};
use crate::dataset::{self, Opened, Wanted};
use crate::exit;
use crate::groups;
use crate::jobs;
use crate::output::Output;
use crate::progress::Bar;
use crate::terminal::Terminal;

/// Pages that a thread makes before it takes others: enough that taking them costs nothing, few enough that the
/// threads end together.
const CHUNK: usize = 64;

/// A kind whose pages are written.
struct Plan<'a> {
    kind: Kind,
    names: Vec<Cow<'a, str>>,
    /// File name of each name's page.
    files: Vec<String>,
    /// Its index pages.
    parts: Vec<Part>,
}

/// How many files were written, unchanged and removed.
#[derive(Debug, Clone, Copy, Default)]
struct Count {
    written: usize,
    unchanged: usize,
    removed: usize,
}

/// Writes the page of every name and the indexes, and prints the path of the page that leads to all others.
pub fn run(verb: &Pages, global: &Global, terminal: &Terminal, output: &mut Output) -> anyhow::Result<u8> {
    jobs::limit(verb.jobs)?;
    let begun = Instant::now();
    let wanted = Wanted::new(&verb.chosen.kernel, global)?;
    let dataset = dataset::to_read(global, terminal)?;
    let Opened { surfaces, default, damaged } = dataset::open(&dataset, &wanted, terminal)?;
    let groups = groups::around(&surfaces, default, &verb.chosen.group)?;
    let progress = Bar::new(terminal);
    let written = write(verb, &surfaces, &groups, &progress);
    progress.finish();
    let Count { written, unchanged, removed } = written?;
    terminal.summary(format_args!(
        "written {}, unchanged {}, removed {}, {:.1} s",
        thousands(written),
        thousands(unchanged),
        thousands(removed),
        begun.elapsed().as_secs_f64()
    ));
    output.line(verb.output.join(index::README).display())?;
    Ok(if damaged { exit::FAILED } else { exit::FINE })
}

fn write(verb: &Pages, surfaces: &[Surface], groups: &[Group<'_>], progress: &Bar) -> depsurf::Result<Count> {
    let mut folder = Folder::open(&verb.output)?;
    progress.step("collect the names", None);
    let surfaces: Vec<&Surface> = surfaces.iter().collect();
    let chosen = Kind::ALL.into_iter().filter(|kind| match verb.kind.as_slice() {
        [] => *kind != Kind::Field,
        kinds => kinds.contains(kind),
    });
    let plans: Vec<Plan<'_>> = chosen.map(|kind| Plan::new(kind, &surfaces)).collect();
    let files = files(&plans, folder.listed());
    folder.claim(&files)?;
    let mut count = Count { removed: folder.remove_others(&files)?, ..Count::default() };
    for plan in &plans {
        count = count + plan.write(groups, &folder, progress)?;
    }
    let readme = index::readme(&Shelf::of(&files), groups);
    Ok(count + folder.put(index::README, readme.as_bytes(), &mut Vec::new())?.into())
}

/// All files that the directory will have, sorted: those of the plans, and what it has of other kinds.
fn files(plans: &[Plan<'_>], listed: &[String]) -> Vec<String> {
    let is_other =
        |file: &&String| index::kind_of(file).is_some_and(|kind| plans.iter().all(|plan| plan.kind != kind));
    let mut files: Vec<String> = listed.iter().filter(is_other).cloned().collect();
    files.push(index::README.into());
    for plan in plans {
        files.extend(plan.files.iter().map(|file| plan.path(file)));
        files.extend(plan.parts.iter().map(|part| plan.index_path(part)));
    }
    files.sort();
    files
}

impl<'a> Plan<'a> {
    fn new(kind: Kind, surfaces: &[&'a Surface]) -> Self {
        let names = names::all(kind, surfaces);
        Self { kind, files: path::file_names(&names), parts: index::parts(kind, &names), names }
    }

    fn path(&self, file: &str) -> String {
        format!("{}/{file}", self.kind.heading())
    }

    fn index_path(&self, part: &Part) -> String {
        format!("{}/{}", index::DIRECTORY, part.file(self.kind))
    }

    /// Writes the pages, then the index pages, which tell what the pages have.
    fn write(&self, groups: &[Group<'_>], folder: &Folder, progress: &Bar) -> depsurf::Result<Count> {
        progress.step(&format!("{} pages", self.kind), Some(self.names.len() as u64));
        let chunks = self.names.par_chunks(CHUNK).zip(self.files.par_chunks(CHUNK));
        let write_chunk = |scratch: &mut Vec<u8>, (names, files): (&[Cow<'_, str>], &[String])| {
            let mut cells = Vec::with_capacity(names.len() * index::columns(groups).len());
            let mut count = Count::default();
            for (name, file) in names.iter().zip(files) {
                let page = Page::decide(self.kind, name, groups);
                cells.extend(index::cells(&page));
                let text = markdown::page(&page);
                count = count + folder.put(&self.path(file), text.as_bytes(), scratch)?.into();
            }
            progress.advance(names.len() as u64);
            Ok((cells, count))
        };
        let done = chunks.map_init(Vec::new, write_chunk).collect::<depsurf::Result<Vec<_>>>()?;
        let count = done.iter().fold(Count::default(), |sum, (_, count)| sum + *count);
        let cells: Vec<Cell> = done.into_iter().flat_map(|(cells, _)| cells).collect();

        progress.step(&format!("{} index", self.kind), None);
        let columns = index::columns(groups);
        let table = Table {
            kind: self.kind,
            columns: &columns,
            names: &self.names,
            files: &self.files,
            cells: &cells,
        };
        let write_part = |scratch: &mut Vec<u8>, part: &Part| {
            folder.put(&self.index_path(part), table.page(part).as_bytes(), scratch).map(Count::from)
        };
        let indexes = self.parts.par_iter().map_init(Vec::new, write_part);
        Ok(count + indexes.try_reduce(Count::default, |a, b| Ok(a + b))?)
    }
}

impl From<Put> for Count {
    fn from(put: Put) -> Self {
        match put {
            Put::Written => Self { written: 1, ..Self::default() },
            Put::Unchanged => Self { unchanged: 1, ..Self::default() },
        }
    }
}

impl Add for Count {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            written: self.written + other.written,
            unchanged: self.unchanged + other.unchanged,
            removed: self.removed + other.removed,
        }
    }
}
