//! A function's page on a terminal.

use depsurf::surface::attach::{Answer, Attach};
use depsurf::surface::function::Inline;
use depsurf::surface::verdict::Issue;
use depsurf::surface::{Fact, module, record};

use super::edges::edges;
use super::{Facts, InstanceFacts, Outline, SymbolFacts};
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

/// What a kernel tells of the function.
#[derive(Clone, Copy)]
pub(crate) enum Shown<'p, 'a> {
    /// Everything: its debug information was read.
    Read(&'p Facts<'a>),
    /// What symbols and BTF tell.
    Outline(&'p Outline<'a>),
}

/// Kernels that tell something of the function, by their place on the page.
type Present<'p, 'a> = [(usize, Shown<'p, 'a>)];

impl<'p, 'a> Shown<'p, 'a> {
    fn attach(self) -> Attach<'a> {
        match self {
            Self::Read(facts) => facts.attach(),
            Self::Outline(outline) => outline.attach.clone(),
        }
    }

    fn symbols(self) -> &'p [SymbolFacts<'a>] {
        match self {
            Self::Read(facts) => &facts.symbols,
            Self::Outline(outline) => &outline.symbols,
        }
    }

    /// The declaration, or why there is none; nothing where that is all there is to say.
    fn declaration(self) -> Option<Result<&'p str, &'static str>> {
        match self {
            Self::Read(facts) => {
                Some(facts.declaration.as_deref().ok_or("unknown: no prototype in BTF or DWARF"))
            }
            Self::Outline(outline) if outline.is_there() => {
                Some(outline.declaration.as_deref().ok_or_else(|| outline.without_declaration()))
            }
            Self::Outline(_) => None,
        }
    }

    /// Whether a missing symbol is worth a line. Where nothing has the name, the answers of hooks say so.
    fn tells_symbols(self) -> bool {
        match self {
            Self::Read(_) => true,
            Self::Outline(outline) => outline.is_there() && outline.knows_symbols(),
        }
    }
}

/// The sections of a function's page.
pub(crate) fn terminal<'p, 'a>(present: &Present<'p, 'a>, shelf: &mut Shelf<'_>) {
    let among: Vec<usize> = present.iter().map(|(kernel, _)| *kernel).collect();
    let mut prototypes = Rows::default();
    let mut declared = Vec::new();
    for (kernel, shown) in present {
        let Some(declaration) = shown.declaration() else { continue };
        declared.push(*kernel);
        match declaration {
            Ok(declaration) => prototypes.add(*kernel, "", declaration, Tone::Plain),
            Err(unknown) => prototypes.add(*kernel, "", unknown, Tone::Caution),
        }
    }
    shelf.section("Prototype", "", &prototypes, &declared);
    shelf.section("Attach", "by the plain name", &attach_rows(present), &among);
    let with_symbols: Vec<(usize, Shown<'_, '_>)> =
        present.iter().copied().filter(|(_, shown)| shown.tells_symbols()).collect();
    let among: Vec<usize> = with_symbols.iter().map(|(kernel, _)| *kernel).collect();
    shelf.section("Symbols", "", &symbol_rows(&with_symbols), &among);
    shelf.section("Where", "", &place_rows(present, shelf), &[]);
    let is_read = |(kernel, shown): &(usize, Shown<'p, 'a>)| match shown {
        Shown::Read(facts) => Some((*kernel, *facts)),
        Shown::Outline(_) => None,
    };
    let present: Vec<(usize, &Facts<'_>)> = present.iter().filter_map(is_read).collect();
    let (present, among) = (&present, present.iter().map(|(kernel, _)| *kernel).collect::<Vec<_>>());
    edges("Inlined into", "copy", "copies", present, &among, shelf, |instance| {
        instance.inlined_into.iter().map(|copy| (copy.caller, copy.site())).collect()
    });
    edges("Called by", "call", "calls", present, &among, shelf, |instance| {
        instance.called_by.iter().map(|caller| (*caller, None)).collect()
    });
}

/// What each hook answers. Hooks that always answer alike share a row.
pub(super) fn attach_rows(present: &Present<'_, '_>) -> Rows {
    let mut rows = Rows::default();
    let attached: Vec<Attach<'_>> = present.iter().map(|(_, shown)| shown.attach()).collect();
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
    for ((kernel, shown), Attach { kprobe, fentry, misses, module, also_in, .. }) in
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
        if let Shown::Outline(outline) = shown
            && let Some(reason) = outline.unread_modules()
        {
            let text = format!("unknown: {} could not be read ({reason})", Fact::Modules.words());
            rows.add(*kernel, "in a module", text, Tone::Caution);
        }
        for symbol in shown.symbols() {
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
    for (kernel, shown) in present {
        if shown.symbols().is_empty() {
            rows.add(*kernel, "none", "no function symbol carries the name", Tone::Caution);
        }
        for symbol in shown.symbols() {
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
    let read = present.iter().filter(|(_, shown)| matches!(shown, Shown::Read(_))).count();
    let all_symbols = shelf.look().verbose || read == 1;
    for (kernel, shown) in present {
        let label = shelf.label(*kernel);
        let facts = match shown {
            Shown::Read(facts) => facts,
            Shown::Outline(outline) => {
                outline_rows(*kernel, outline, shelf, &mut rows);
                continue;
            }
        };
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

/// The symbols are all that tells where a function is whose debug information was not read.
fn outline_rows(kernel: usize, outline: &Outline<'_>, shelf: &Shelf<'_>, rows: &mut Rows) {
    let label = shelf.label(kernel);
    let shown = if shelf.look().verbose { usize::MAX } else { SYMBOLS_SHOWN };
    for symbol in outline.symbols.iter().take(shown) {
        let address = match symbol.address {
            0 => format!("{:<16}", "address unknown"),
            address => format!("{address:016x}"),
        };
        // The kernel's own table has no sizes.
        let size = if symbol.size == 0 { String::new() } else { format!(" {:>6} bytes", symbol.size) };
        let module = symbol.module.map_or_else(String::new, |module| format!(", module {module}"));
        rows.add(kernel, label, format!("{address}{size}  {}{module}", symbol.name), Tone::Plain);
    }
    if let Some(more) = outline.symbols.len().checked_sub(shown).filter(|more| *more > 0) {
        rows.add(kernel, label, format!("and {more} more"), Tone::Dim);
    }
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
/// Symbols of one kernel whose debug information was not read that are listed without `-v`.
const SYMBOLS_SHOWN: usize = 5;
