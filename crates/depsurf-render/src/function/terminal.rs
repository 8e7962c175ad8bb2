//! A function's page on a terminal.

use std::collections::HashMap;
use std::fmt;

use depsurf::surface::attach::{Answer, Attach};
use depsurf::surface::function::Inline;
use depsurf::surface::verdict::Issue;
use depsurf::surface::{module, record};

use foldhash::fast::RandomState;

use super::{CallerFacts, CopyFacts, Facts, InstanceFacts, SymbolFacts};
use crate::look::Tone;
use crate::rows::{Rows, Shelf};

/// The verdict in words. "no issue" is about the compiler's work only; attaching has a section of its own.
pub(crate) fn status(facts: &Facts<'_>) -> (String, Tone) {
    let issues: Vec<&str> = facts.issues().map(Issue::words).collect();
    let collision = facts.verdict.collision.words().to_lowercase();
    // The verdict of what is only declared follows from what debug information lacks.
    let declared_only = facts.instances.iter().all(|instance| instance.inline == Inline::NotSeen);
    let collision = if declared_only {
        format!("{collision}, not defined in C: assembly or built-in")
    } else {
        collision
    };
    if issues.is_empty() {
        (format!("no issue ({collision})"), Tone::Good)
    } else {
        (format!("{} ({collision})", issues.join(", ")), Tone::Caution)
    }
}

/// Kernels with the function, by their place on the page.
type Present<'p, 'a> = [(usize, &'p Facts<'a>)];

/// The sections of a function's page.
pub(crate) fn terminal(present: &Present<'_, '_>, shelf: &mut Shelf<'_>) {
    let among: Vec<usize> = present.iter().map(|(kernel, _)| *kernel).collect();
    let mut prototypes = Rows::default();
    for (kernel, facts) in present {
        match &facts.declaration {
            Some(declaration) => prototypes.add(*kernel, "", declaration, Tone::Plain),
            None => prototypes.add(*kernel, "", "unknown: no prototype in BTF or DWARF", Tone::Caution),
        }
    }
    shelf.section("Prototype", "", &prototypes, &among);
    shelf.section("Attach", "by the plain name", &attach_rows(present), &among);
    shelf.section("Symbols", "", &symbol_rows(present), &among);
    shelf.section("Where", "", &place_rows(present, shelf), &[]);
    edges("Inlined into", "copy", "copies", present, &among, shelf, |instance| {
        instance.inlined_into.iter().map(|copy| (copy.caller, copy.site())).collect()
    });
    edges("Called by", "call", "calls", present, &among, shelf, |instance| {
        instance.called_by.iter().map(|caller| (*caller, None)).collect()
    });
}

/// What each hook answers. Hooks that always answer alike share a row.
fn attach_rows(present: &Present<'_, '_>) -> Rows {
    let mut rows = Rows::default();
    let attached: Vec<Attach<'_>> = present.iter().map(|(_, facts)| facts.attach()).collect();
    let mut hook = |name: &str, of: &dyn Fn(&Attach<'_>) -> Option<(String, Tone)>| {
        for ((kernel, _), attach) in present.iter().zip(&attached) {
            if let Some((text, tone)) = of(attach) {
                rows.add(*kernel, name, text, tone);
            }
        }
    };
    let alike = |same: &dyn Fn(&Attach<'_>) -> bool| attached.iter().all(same);
    if alike(&|it| it.kprobe == it.kretprobe) {
        hook("kprobe, kretprobe", &|it| Some(answer(&it.kprobe)));
    } else {
        hook("kprobe", &|it| Some(answer(&it.kprobe)));
        hook("kretprobe", &|it| Some(answer(&it.kretprobe)));
    }
    if alike(&|it| it.fentry == it.fexit) {
        hook("fentry, fexit", &|it| Some(answer(&it.fentry)));
    } else {
        hook("fentry", &|it| Some(answer(&it.fentry)));
        hook("fexit", &|it| Some(answer(&it.fexit)));
    }
    // Both need what fexit or fentry needs: its refusal is not repeated.
    let refused = |answer: &Answer<'_>| matches!(answer, Answer::No { .. });
    hook("fmod_ret", &|it| (!refused(&it.fexit)).then(|| answer(&it.fmod_ret)));
    hook("sleepable", &|it| (!refused(&it.fentry)).then(|| answer(&it.sleepable)));
    for ((kernel, facts), Attach { kprobe, fentry, misses, module, also_in, .. }) in
        present.iter().zip(&attached)
    {
        if let Some(module) = module {
            rows.add(*kernel, "while loaded", format!("module {module}"), Tone::Caution);
        }
        if !also_in.is_empty() {
            let text = format!("{}: while loaded, the name is not unique", module::words(also_in));
            rows.add(*kernel, "also in", text, Tone::Caution);
        }
        // What is missed only matters where something attaches, or may.
        for miss in misses.iter().filter(|_| !refused(kprobe) || !refused(fentry)) {
            rows.add(*kernel, "does not see", miss.to_string(), Tone::Caution);
        }
        for symbol in &facts.symbols {
            if let Some(kprobe) = &symbol.kprobe {
                let (text, tone) = answer(kprobe);
                rows.add(*kernel, &format!("kprobe on {}", symbol.name), text, tone);
            }
        }
    }
    rows.by_key()
}

fn answer(answer: &Answer<'_>) -> (String, Tone) {
    let tone = match answer {
        Answer::Yes => Tone::Good,
        Answer::No { .. } => Tone::Bad,
        Answer::Unknown { .. } => Tone::Caution,
    };
    (answer.to_string(), tone)
}

fn symbol_rows(present: &Present<'_, '_>) -> Rows {
    let mut rows = Rows::default();
    for (kernel, facts) in present {
        if facts.symbols.is_empty() {
            rows.add(*kernel, "none", "no function symbol carries the name", Tone::Caution);
        }
        for symbol in &facts.symbols {
            let binding = match symbol.binding {
                0 => "local",
                1 => "global",
                2 => "weak",
                _ => "other binding",
            };
            let mut words = vec![binding];
            if symbol.attach & record::ATTACH_EXPORTED_GPL != 0 {
                words.push("exported (GPL)");
            } else if symbol.attach & record::ATTACH_EXPORTED != 0 {
                words.push("exported");
            }
            words.extend((!symbol.meaning.is_empty()).then_some(symbol.meaning));
            let mut text = words.join(", ");
            if let Some(module) = symbol.module {
                text.push_str(&format!(", in module {module}"));
            }
            rows.add(*kernel, symbol.name, text, Tone::Plain);
        }
    }
    rows.by_key()
}

/// Per kernel the instances with their addresses, which differ on each; with one kernel or `-v` also the
/// symbols that are no instance's.
fn place_rows(present: &Present<'_, '_>, shelf: &Shelf<'_>) -> Rows {
    let mut rows = Rows::default();
    let all_symbols = shelf.look().verbose || present.len() == 1;
    for (kernel, facts) in present {
        let label = shelf.label(*kernel);
        let shown = match (shelf.look().verbose, copies(&facts.instances)) {
            (true, _) => usize::MAX,
            (false, None) => INSTANCES_SHOWN,
            (false, Some(text)) => {
                rows.add(*kernel, label, text, Tone::Plain);
                0
            }
        };
        for instance in facts.instances.iter().take(shown) {
            rows.add(*kernel, label, place(instance, &facts.symbols), Tone::Plain);
        }
        if let Some(more) = facts.instances.len().checked_sub(shown).filter(|more| *more > 0 && shown > 0) {
            rows.add(*kernel, label, format!("and {more} more"), Tone::Dim);
        }
        let without_instance = facts.symbols.iter().filter(|symbol| {
            let is_at = |instance: &InstanceFacts<'_>| {
                instance.module == symbol.module && instance.address.is_some_and(|it| symbol.contains(it))
            };
            !facts.instances.iter().any(is_at)
        });
        for symbol in without_instance.filter(|_| all_symbols) {
            let text = format!("{:016x} {:>6} bytes  {}", symbol.address, symbol.size, symbol.name);
            rows.add(*kernel, label, text, Tone::Plain);
        }
    }
    rows.by_key()
}

/// Many instances of one declaration, as of a static function in a header, in a line.
fn copies(instances: &[InstanceFacts<'_>]) -> Option<String> {
    let declaration =
        |instance: &InstanceFacts<'_>| Some((instance.decl_file?.to_owned(), instance.decl_line?));
    let (file, line) = instances.first().and_then(declaration)?;
    let one = instances.iter().all(|other| other.decl_file == Some(&file) && other.decl_line == Some(line));
    let with_code = instances.iter().filter(|instance| instance.address.is_some()).count();
    let unknown = instances.iter().any(|instance| instance.has_code.is_none());
    let code = match with_code {
        0 if unknown => "addresses unknown".into(),
        0 => "no code of its own".into(),
        count if unknown => format!("code of its own in {count} at least"),
        count => format!("code of its own in {count}"),
    };
    (one && instances.len() > INSTANCES_SHOWN)
        .then(|| format!("{file}:{line} in {} files, {code}", instances.len()))
}

/// An instance in a line: address, size, linkage, declaration.
fn place(instance: &InstanceFacts<'_>, symbols: &[SymbolFacts<'_>]) -> String {
    let code = match instance.address {
        None if instance.inline == Inline::NotSeen || instance.has_code.is_none() => {
            format!("{:<29}", "address unknown")
        }
        None => format!("{:<29}", "no code of its own"),
        Some(address) => {
            // Not always its first byte: on arm64 DWARF counts from behind the nops of the ftrace site.
            let symbol =
                symbols.iter().find(|symbol| symbol.module == instance.module && symbol.contains(address));
            let size = symbol.map_or_else(String::new, |symbol| format!("{:>6} bytes", symbol.size));
            format!("{address:016x} {size:<12}")
        }
    };
    let linkage = if instance.external { "global" } else { "static" };
    let declared = match (instance.decl_file, instance.decl_line) {
        (Some(file), Some(line)) => format!("{file}:{line}"),
        (Some(file), None) => file.to_owned(),
        (None, _) => "declared, not defined in C".into(),
    };
    let unit = instance.file.filter(|file| instance.decl_file != Some(file));
    let unit = unit.map_or_else(String::new, |file| format!(" in {file}"));
    let module = instance.module.map_or_else(String::new, |module| format!(", module {module}"));
    format!("{code}  {linkage}  {declared}{unit}{module}")
}

/// Instances of one kernel that are listed without `-v`.
const INSTANCES_SHOWN: usize = 3;
/// Functions with calls or copies that are listed without `-v`.
const CALLERS_SHOWN: usize = 8;

/// Places of the calls in one function that are listed.
const SITES_SHOWN: usize = 4;

/// Where the source calls: file and line.
type Site<'a> = (&'a str, Option<u32>);

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
    fn site(&self) -> Option<Site<'a>> {
        Some((self.call_file?, self.call_line))
    }
}

/// The calls to all instances of the function, or its inlined copies, folded by calling function.
fn edges<'a>(
    title: &str,
    one: &str,
    many: &str,
    present: &Present<'_, 'a>,
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
