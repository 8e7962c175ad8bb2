//! Who calls a function and what it is inlined into, over the kernels of a page.

use std::collections::HashMap;
use std::fmt;

use foldhash::fast::RandomState;

use super::{CallerFacts, CopyFacts, Facts, InstanceFacts};
use crate::look::Tone;
use crate::rows::{Rows, Shelf};

/// Functions with calls or copies that are listed without `-v`.
const CALLERS_SHOWN: usize = 8;

/// Places of the calls in one function that are listed.
const SITES_SHOWN: usize = 4;

/// Where the source calls: file and line.
pub(super) type Site<'a> = (&'a str, Option<u32>);

/// A caller on the kernels of a page: the number of sites and the lines of the last kernel that has it.
struct Edge<'a> {
    caller: CallerFacts<'a>,
    kernels: Vec<usize>,
    fewest: usize,
    most: usize,
    sites: Vec<Site<'a>>,
    sites_differ: bool,
    /// Of the kernel that is being read.
    here: Here<'a>,
}

/// Sites of one caller on one kernel.
#[derive(Default)]
struct Here<'a> {
    count: usize,
    sites: Vec<Site<'a>>,
}

/// All callers, in the order of first mention, and the place of each among them.
#[derive(Default)]
struct Edges<'a> {
    order: Vec<Edge<'a>>,
    places: HashMap<CallerFacts<'a>, usize, RandomState>,
}

impl<'a> CopyFacts<'a> {
    pub(super) fn site(&self) -> Option<Site<'a>> {
        Some((self.call_file?, self.call_line))
    }
}

/// The calls to all instances of the function, or its inlined copies, folded by calling function.
pub(super) fn edges<'a>(
    title: &str,
    one: &str,
    many: &str,
    present: &[(usize, &Facts<'a>)],
    among: &[usize],
    shelf: &mut Shelf<'_>,
    of: impl Fn(&InstanceFacts<'a>) -> Vec<(CallerFacts<'a>, Option<Site<'a>>)>,
) {
    let mut edges = Edges::default();
    let (mut sites_span, mut callers_span) = (Span::default(), Span::default());
    for (kernel, facts) in present {
        // Copies and calls in the function itself say nothing about who uses it.
        let from_others = |instance: &'_ InstanceFacts<'a>| {
            let itself = CallerFacts { file: instance.file, name: facts.name };
            of(instance).into_iter().filter(move |(caller, _)| *caller != itself)
        };
        let (sites, callers) = edges.add(*kernel, facts.instances.iter().flat_map(from_others));
        sites_span.add(sites);
        callers_span.add(callers);
    }
    let order = edges.order;
    if order.is_empty() {
        return;
    }
    let shown = if shelf.look().verbose { order.len() } else { CALLERS_SHOWN };
    let mut rows = Rows::default();
    for edge in order.iter().take(shown) {
        let text = format!("{}{}", edge.caller, edge.words(among, shelf));
        edge.kernels.iter().for_each(|kernel| rows.add(*kernel, "", &text, Tone::Plain));
    }
    let words = |span: &Span, one: &str, many: &str| {
        format!("{span} {}", if span.most == 1 && span.fewest == Some(1) { one } else { many })
    };
    let remark =
        format!("{} in {}", words(&sites_span, one, many), words(&callers_span, "function", "functions"));
    shelf.section(title, &remark, &rows, among);
    if order.len() > shown {
        shelf.line(2, Tone::Dim, &format!("and {} more functions (-v lists them)", order.len() - shown));
    }
}

impl<'a> Edges<'a> {
    /// Adds the sites of a kernel; gives how many there are, and in how many callers.
    fn add(
        &mut self,
        kernel: usize,
        sites: impl Iterator<Item = (CallerFacts<'a>, Option<Site<'a>>)>,
    ) -> (usize, usize) {
        let mut touched: Vec<usize> = Vec::new();
        let mut total = 0;
        let mut last: Option<(CallerFacts<'a>, usize)> = None;
        for (caller, site) in sites {
            // Sites in one function stand together.
            let place = match last {
                Some((known, place)) if known == caller => place,
                _ => self.place(caller),
            };
            last = Some((caller, place));
            let here = &mut self.order[place].here;
            if here.count == 0 {
                touched.push(place);
            }
            here.count += 1;
            here.sites.extend(site);
            total += 1;
        }
        for place in &touched {
            self.order[*place].close(kernel);
        }
        (total, touched.len())
    }

    fn place(&mut self, caller: CallerFacts<'a>) -> usize {
        let new = self.order.len();
        let place = *self.places.entry(caller).or_insert(new);
        if place == new {
            self.order.push(Edge::new(caller));
        }
        place
    }
}

impl<'a> Edge<'a> {
    fn new(caller: CallerFacts<'a>) -> Self {
        Self {
            caller,
            kernels: Vec::new(),
            fewest: usize::MAX,
            most: 0,
            sites: Vec::new(),
            sites_differ: false,
            here: Here::default(),
        }
    }

    /// Takes what was found on a kernel.
    fn close(&mut self, kernel: usize) {
        let Here { count, mut sites } = std::mem::take(&mut self.here);
        sites.dedup();
        self.sites_differ |= !self.kernels.is_empty() && self.sites != sites;
        self.fewest = self.fewest.min(count);
        self.most = self.most.max(count);
        self.kernels.push(kernel);
        self.sites = sites;
    }

    /// How often and where: ` ×2 at fs/read_write.c:613, 619`.
    fn words(&self, among: &[usize], shelf: &Shelf<'_>) -> String {
        let mut words = Vec::new();
        if self.most > 1 {
            words.push(format!("×{}", Span { fewest: Some(self.fewest), most: self.most }));
        }
        if !self.sites.is_empty() {
            let mut places: Vec<String> = Vec::new();
            let mut last_file = "";
            for (file, line) in self.sites.iter().take(SITES_SHOWN) {
                let line = line.map_or_else(|| "?".into(), |line| line.to_string());
                places.push(if *file == last_file { line } else { format!("{file}:{line}") });
                last_file = file;
            }
            let more = if self.sites.len() > SITES_SHOWN { ", ..." } else { "" };
            words.push(format!("at {}{more}", places.join(", ")));
            let last = self.kernels.last().filter(|_| self.sites_differ && among.len() > 1);
            words.extend(last.map(|kernel| format!("on {}", shelf.label(*kernel))));
        }
        words.iter().map(|word| format!(" {word}")).collect()
    }
}

/// A number that may differ from kernel to kernel.
#[derive(Default)]
struct Span {
    fewest: Option<usize>,
    most: usize,
}

impl Span {
    fn add(&mut self, count: usize) {
        self.fewest = Some(self.fewest.map_or(count, |fewest| fewest.min(count)));
        self.most = self.most.max(count);
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.fewest {
            Some(fewest) if fewest < self.most => write!(f, "{fewest}..{}", self.most),
            _ => write!(f, "{}", self.most),
        }
    }
}
