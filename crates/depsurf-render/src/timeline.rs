//! The history of one name over the kernels of a group, with unchanged stretches folded.

use std::fmt::Write;

use depsurf::Kind;
use depsurf::diff::rename::Rename;
use depsurf::diff::{Change, Pair};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize;

use crate::change;
use crate::differences::Outcome;
use crate::json::{KernelJson, SCHEMA};
use crate::look::{Look, Tone};
use crate::page::{Entry, Facts, Group, Kernel, Page, State};
use crate::rows::{Rows, Shelf};

/// One name over the kernels of a group.
#[derive(Debug)]
pub struct Timeline<'a> {
    /// What the name names.
    pub kind: Kind,
    /// The name.
    pub name: String,
    /// Which kernels: `Regular`, or what the caller chose.
    pub title: String,
    /// The kernels, in their order.
    pub kernels: Vec<Kernel<'a>>,
    /// What happened from kernel to kernel.
    pub stretches: Vec<Stretch>,
}

/// What is said of the name on a kernel, and up to which kernel that stays so.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Stretch {
    /// The first kernel, with which it happened.
    pub from: String,
    /// The last kernel, up to which nothing changed.
    pub to: String,
    /// What is said.
    #[serde(flatten)]
    pub event: Event,
}

/// What is said of a name at the start of a stretch.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(tag = "event", rename_all = "lowercase")]
pub enum Event {
    /// It is there.
    Present {
        /// What it is there, in a line of C; `None` where that takes more.
        declaration: Option<String>,
    },
    /// It is not there.
    Absent,
    /// It changed.
    Changed {
        /// What changed since the kernel before, in the order of a page.
        changes: Vec<Change>,
    },
    /// It came.
    Appeared {
        /// What it is there, in a line of C; `None` where that takes more.
        declaration: Option<String>,
    },
    /// It went.
    Disappeared {
        /// What it may have become, as far as that is likely, the best first. Nothing in a kernel proves it.
        renames: Vec<Rename>,
    },
    /// Whether it is there, or what it is, was not read.
    Unknown {
        /// Why: the fact, the kernel and the reason.
        reason: String,
    },
}

impl<'a> Timeline<'a> {
    /// Follows a name over the kernels of a group, in their order.
    #[must_use]
    pub fn new(kind: Kind, name: &'a str, group: &Group<'a>) -> Self {
        let group = Group { base: None, ..group.clone() };
        let page = Page::decide(kind, name, std::slice::from_ref(&group));
        let entries = page.groups.iter().flat_map(|section| &section.entries);
        let outcomes = page.differences.iter().flat_map(|section| &section.pairs).map(|pair| &pair.outcome);
        let mut stretches: Vec<Stretch> = Vec::new();
        let befores = [None].into_iter().chain(group.pairs().map(Some));
        let outcomes = [None].into_iter().chain(outcomes.map(Some));
        for ((entry, outcome), pair) in entries.zip(outcomes).zip(befores) {
            let mut event = event(entry, outcome);
            if let (Some(Event::Disappeared { renames }), Some((before, after))) = (&mut event, pair) {
                *renames = Pair::new(before.surface, after.surface).successors(kind, &page.name);
            }
            let label = entry.label.clone();
            match (event, stretches.last_mut()) {
                (None, Some(last)) => last.to = label,
                (Some(event), Some(last)) if last.event == event && event.lasts() => last.to = label,
                (event, _) => {
                    stretches.extend(event.map(|event| Stretch { from: label.clone(), to: label, event }))
                }
            }
        }
        Self { kind, name: page.name, title: group.title, kernels: group.kernels, stretches }
    }

    /// Whether some kernel has it.
    #[must_use]
    pub fn is_somewhere(&self) -> bool {
        let has = |stretch: &Stretch| matches!(stretch.event, Event::Present { .. } | Event::Appeared { .. });
        self.stretches.iter().any(has)
    }
}

impl Timeline<'_> {
    /// Whether some kernel may have it: what would tell was not read.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        self.stretches.iter().any(|stretch| matches!(stretch.event, Event::Unknown { .. }))
    }
}

impl Event {
    /// Whether it is about a state, which neighbours can share.
    fn lasts(&self) -> bool {
        matches!(self, Self::Absent | Self::Unknown { .. })
    }
}

/// What is to be said of a kernel; `None` where it is as the one before.
fn event(entry: &Entry<'_>, outcome: Option<&Outcome<'_>>) -> Option<Event> {
    match outcome {
        Some(Outcome::Both { changes }) if changes.is_empty() => return None,
        Some(Outcome::Both { changes }) => return Some(Event::Changed { changes: changes.clone() }),
        Some(Outcome::Disappeared) => return Some(Event::Disappeared { renames: Vec::new() }),
        Some(Outcome::Absent) => return None,
        Some(Outcome::Appeared | Outcome::Unknown { .. }) | None => {}
    }
    Some(match &entry.state {
        State::Present(facts) => {
            let declaration = declaration(facts);
            match outcome {
                Some(Outcome::Appeared) => Event::Appeared { declaration },
                _ => Event::Present { declaration },
            }
        }
        State::Absent { .. } => Event::Absent,
        State::Unknown { fact, reason, .. } => {
            Event::Unknown { reason: format!("{} could not be read ({reason})", fact.words()) }
        }
    })
}

/// What the thing is, where that fits in a line.
fn declaration(facts: &Facts<'_>) -> Option<String> {
    match facts {
        Facts::Function(facts) => facts.declaration.clone(),
        Facts::Field(facts) => Some(facts.places.first()?.member.line().0 + ";"),
        Facts::Lsm(facts) => facts.declaration.clone(),
        Facts::Kfunc(facts) => facts.declaration.clone(),
        Facts::Config(facts) => Some(facts.value.to_owned()),
        Facts::Type(_) | Facts::Tracepoint(_) | Facts::Syscall(_) => None,
    }
}

/// The timeline on a terminal.
#[must_use]
pub fn terminal(timeline: &Timeline<'_>, look: &Look) -> String {
    let mut shelf = Shelf::new(look, Vec::new());
    shelf.heading(&format!("{} {}", timeline.kind, timeline.name));
    let mut rows = Rows::default();
    for stretch in &timeline.stretches {
        for (line, tone) in lines(&stretch.event, look.verbose) {
            rows.add(0, &stretch.starts(), line, tone);
        }
        if !stretch.event.lasts() && stretch.from != stretch.to {
            rows.add(0, &stretch.stays(), stretch.event.stays(), Tone::Dim);
        }
    }
    shelf.section("Timeline", &timeline.title, &rows.by_key(), &[]);
    shelf.finish()
}

/// The timeline as Markdown.
#[must_use]
pub fn markdown(timeline: &Timeline<'_>) -> String {
    let mut out = format!("# {}: <code>{}</code>\n", timeline.kind.heading(), timeline.name);
    let _ = writeln!(out, "\n## Timeline: {}\n", timeline.title);
    for stretch in &timeline.stretches {
        let lines: Vec<String> = match &stretch.event {
            Event::Changed { changes } => changes.iter().map(change::sentence).collect(),
            other => lines(other, true).into_iter().map(|(line, _)| line).collect(),
        };
        let _ = writeln!(out, "- **{}**: {}", stretch.starts(), lines.join("; "));
        if !stretch.event.lasts() && stretch.from != stretch.to {
            let _ = writeln!(out, "- **{}**: {}", stretch.stays(), stretch.event.stays());
        }
    }
    out
}

/// The timeline as JSON, indented, with a newline at its end.
///
/// # Panics
/// Never: all of it is plain data with string keys.
#[must_use]
pub fn json(timeline: &Timeline<'_>) -> String {
    let Timeline { kind, name, title, kernels, stretches } = timeline;
    let kernels = kernels
        .iter()
        .map(|kernel| Labelled { label: &kernel.label, kernel: KernelJson::new(kernel.surface) })
        .collect();
    let document = Document { schema: SCHEMA, kind: *kind, name, group: title, kernels, stretches };
    serde_json::to_string_pretty(&document).expect("plain data serialises") + "\n"
}

/// The JSON Schema of a timeline.
#[must_use]
pub fn schema(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<Document<'_>>()
}

/// The history of one name.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Timeline")]
struct Document<'t> {
    /// Number of the format; changed whenever a field changes its meaning or goes.
    schema: u32,
    /// What the name names.
    kind: Kind,
    /// The name.
    name: &'t str,
    /// Which kernels: `Regular`, or what the caller chose.
    group: &'t str,
    /// The kernels, in their order.
    kernels: Vec<Labelled<'t>>,
    /// What happened from kernel to kernel.
    stretches: &'t [Stretch],
}

/// A kernel of a timeline.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "TimelineKernel")]
struct Labelled<'t> {
    /// What it is called.
    label: &'t str,
    /// Which kernel it is.
    kernel: KernelJson<'t>,
}

fn lines(event: &Event, verbose: bool) -> Vec<(String, Tone)> {
    let with = |word: &str, declaration: &Option<String>| match declaration {
        Some(declaration) => format!("{word}: `{declaration}`"),
        None => word.to_owned(),
    };
    match event {
        Event::Present { declaration } => vec![(with("present", declaration), Tone::Good)],
        Event::Absent => vec![("absent".into(), Tone::Bad)],
        Event::Changed { changes } => change::lines(changes, verbose),
        Event::Appeared { declaration } => vec![(with("appeared", declaration), Tone::Good)],
        Event::Disappeared { renames } => {
            let likely = renames.iter().map(|rename| (perhaps(rename), Tone::Caution));
            [("disappeared".into(), Tone::Bad)].into_iter().chain(likely).collect()
        }
        Event::Unknown { reason } => vec![(format!("unknown: {reason}"), Tone::Caution)],
    }
}

/// What a name that went may be called now, and why.
fn perhaps(rename: &Rename) -> String {
    let evidence: Vec<String> = rename.evidence.iter().map(ToString::to_string).collect();
    let (what, score) = (rename.kind_of.word(), rename.score);
    format!("likely {what}: `{}` ({score} %: {})", rename.new, evidence.join(", "))
}

impl Stretch {
    /// The kernel with which it begins, or all of them where only a state is told.
    fn starts(&self) -> String {
        if self.event.lasts() && self.from != self.to { self.stays() } else { self.from.clone() }
    }

    /// The kernels over which nothing changed.
    fn stays(&self) -> String {
        format!("{} .. {}", self.from, self.to)
    }
}

impl Event {
    /// The word for a stretch in which nothing changed after this.
    fn stays(&self) -> &'static str {
        match self {
            Self::Disappeared { .. } => "absent",
            _ => "unchanged",
        }
    }
}
