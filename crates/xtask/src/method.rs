//! `method`: the original's verdict on each function beside what the kernel's own checks say of a kprobe on it.
//!
//! The original takes a function for hooked when a symbol has its name, and warns where it is inlined, cloned or
//! defined twice. What it does not look at decides more: ftrace sites, the blacklist, init code, how many symbols
//! there are. Written to `docs/method.md`, with two examples of each class.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context, Result};
use depsurf::progress::Silent;
use depsurf::store::Dataset;
use depsurf::surface::Surface;
use depsurf::surface::attach::{Answer, Obstacle};
use depsurf::surface::function::{Function, InlineKind};

/// Examples of each class.
const EXAMPLES: usize = 2;

/// Compares on the kernels of `cargo xtask dataset` for amd64 in the cloud flavour.
pub fn run() -> Result<()> {
    let directory = crate::target().join("dataset");
    let dataset = Dataset::open(&directory).context("`cargo xtask dataset` makes the kernels")?;
    let opened =
        dataset.surfaces(|kernel| kernel.flavour == "cloud" && kernel.arch.name() == "amd64", &Silent)?;
    let mut text = format!(
        "# The original's method against ours\n\nWritten by `cargo xtask method` on {}, on the kernels of `cargo xtask dataset`.\n\n\
         For every function of a kernel: what the original says of it (by the rules that `export depsurf` writes), and what the\n\
         kernel's own checks say of a kprobe on its name. *Changed* are verdicts that a developer would act on otherwise: it\n\
         said fine and the probe is refused, or it warned of missed calls where the probe is refused, or where none are missed.\n",
        crate::oracle::today()?
    );
    text += WHY;
    for surface in &opened.surfaces {
        text += &kernel(surface);
    }
    let path = crate::root().join("docs/method.md");
    fs::write(&path, &text).with_context(|| format!("cannot write `{}`", path.display()))?;
    println!("{text}");
    Ok(())
}

/// Why the two differ, by what the original says and what the kernel says.
const WHY: &str = "
## Why

- *fine*, and refused: the original takes every function symbol for a hook. The kernel refuses names without an ftrace site (`notrace`, code that is
  built without it, trampolines of static calls) unless it has `CONFIG_KPROBE_EVENTS_ON_NOTRACE`, names on the kprobe blacklist, code that is freed
  after boot, and, since it counts them, names that several symbols have.
- *fine*, and other entries missed: another function of the name, or a clone, has code of its own that the probe does not see.
- *Selective Inline*, and all is seen: GCC also writes `DW_AT_inline` for functions that it has cloned or split and nowhere inlined.
- *Selective Inline*, and refused: no symbol has the plain name, or one of the reasons above.
- *Transformation*, and all is seen: what has the suffix is a part that was moved out of line (`.cold`); the entry is where it was.
- *Full Inline*, and refused for something else: the symbol is there, but assembly gave it no type, so the original does not count it.
";

/// Functions of one class.
#[derive(Default)]
struct Class<'s> {
    count: usize,
    /// The two with the most callers, which are the best known; of equals the first by name.
    examples: Vec<(usize, &'s str)>,
}

impl<'s> Class<'s> {
    fn add(&mut self, function: Function<'s>) {
        self.count += 1;
        let callers = function.instances().map(|instance| instance.callers().count()).sum();
        self.examples.push((callers, function.name()));
        self.examples.sort_by_key(|(callers, _)| std::cmp::Reverse(*callers));
        self.examples.truncate(EXAMPLES);
    }
}

fn kernel(surface: &Surface) -> String {
    let mut classes: BTreeMap<(&str, &str), Class<'_>> = BTreeMap::new();
    let (mut all, mut changed) = (0, 0);
    for function in surface.functions() {
        let (theirs, ours) = (original(function), ours(function));
        all += 1;
        changed += usize::from(differs(theirs, ours));
        classes.entry((theirs, ours)).or_default().add(function);
    }
    let share = 100.0 * changed as f64 / f64::from(all.max(1));
    let mut text = format!(
        "\n## {}\n\n{changed} of {all} verdicts change ({share:.1} %).\n\n\
         | the original says | the kernel says | functions | changed | examples |\n|---|---|---:|---|---|\n",
        surface.kernel()
    );
    let mut rows: Vec<_> = classes.into_iter().collect();
    rows.sort_by_key(|(_, class)| std::cmp::Reverse(class.count));
    for ((theirs, ours), class) in rows {
        let mark = if differs(theirs, ours) { "yes" } else { "" };
        let examples: Vec<String> = class.examples.iter().map(|(_, name)| format!("`{name}`")).collect();
        text += &format!("| {theirs} | {ours} | {} | {mark} | {} |\n", class.count, examples.join(", "));
    }
    text
}

/// The original's words for a function (its rule for inlining: what GCC wrote, whether there are copies or not).
fn original(function: Function<'_>) -> &'static str {
    let has_symbol = function.symbols().next().is_some();
    let inlined = function.instances().any(|instance| instance.inline().is_inlined());
    if !has_symbol {
        "Full Inline"
    } else if inlined {
        "Selective Inline"
    } else if function.is_transformed() {
        "Transformation"
    } else {
        "fine"
    }
}

/// What becomes of a kprobe by name.
fn ours(function: Function<'_>) -> &'static str {
    let attach = function.attach();
    match attach.kprobe {
        Answer::Yes if function.inline_kind() == InlineKind::Selective => "attaches, misses inlined copies",
        Answer::Yes if !attach.misses.is_empty() => "attaches, misses other entries",
        Answer::Yes => "attaches, sees all",
        Answer::Unknown { .. } => "unknown",
        Answer::No { reason } => match reason {
            Obstacle::NoSymbol => "refused: no symbol",
            Obstacle::OnlySuffixed => "refused: only suffixed symbols",
            Obstacle::SeveralSymbols { .. } => "refused: several symbols",
            Obstacle::NoFtraceSite { .. } => "refused: no ftrace site",
            Obstacle::InitText => "refused: init code",
            _ => "refused: blacklisted",
        },
    }
}

/// Whether a developer would do something else.
fn differs(theirs: &str, ours: &str) -> bool {
    match theirs {
        "fine" => ours != "attaches, sees all",
        "Full Inline" => ours != "refused: no symbol",
        "Selective Inline" => ours != "attaches, misses inlined copies",
        _ => ours != "attaches, misses other entries" && ours != "refused: only suffixed symbols",
    }
}
