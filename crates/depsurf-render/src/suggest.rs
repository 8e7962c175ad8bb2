//! Near names for a name that no kernel has.

use std::collections::HashMap;

use depsurf::search::score::{distance, letters, slips};
use depsurf::surface::Surface;
use depsurf::surface::field::{fields, outer_types, split};
use depsurf::surface::types::TypeKind;

use depsurf::Kind;

/// What a user may have meant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Suggestions {
    /// Names of the same kind, the nearest in front; at most eight.
    pub names: Vec<String>,
    /// Other kinds that have exactly this name: "there is a struct of that name".
    pub kinds: Vec<Kind>,
}

/// How many names are suggested.
const MOST: usize = 8;

/// Names near to `name` among the things of a kind, and the other kinds that have `name` itself.
#[must_use]
pub fn suggest(surfaces: &[&Surface], kind: Kind, name: &str) -> Suggestions {
    let name = name.trim();
    let mut kinds = kinds_of(surfaces, name);
    kinds.retain(|other| *other != kind);
    let names = match (kind, split(name)) {
        (Kind::Field, Some((outer, path))) => near_fields(surfaces, outer, path),
        (Kind::Field, None) => near(surfaces, Kind::Struct, name),
        _ => near(surfaces, kind, trimmed(kind, name)),
    };
    Suggestions { names, kinds }
}

/// The kinds of things that have the name on some kernel.
#[must_use]
pub fn kinds_of(surfaces: &[&Surface], name: &str) -> Vec<Kind> {
    let has = |kind: Kind, surface: &Surface| {
        let outline = || surface.outline(name).is_some_and(|outline| outline.is_there());
        surface.has(kind, name) || kind == Kind::Function && outline()
    };
    Kind::ALL.into_iter().filter(|kind| surfaces.iter().any(|surface| has(*kind, surface))).collect()
}

/// The name without what other interfaces put before it.
fn trimmed(kind: Kind, name: &str) -> &str {
    match kind {
        Kind::Struct | Kind::Union | Kind::Enum => {
            name.strip_prefix(kind.name()).map_or(name, str::trim_start)
        }
        Kind::Tracepoint => name.rsplit([':', '/']).next().unwrap_or(name),
        Kind::Lsm => ["security_", "bpf_lsm_"].iter().find_map(|it| name.strip_prefix(it)).unwrap_or(name),
        Kind::Syscall => name.find("sys_").map_or(name, |at| &name[at + "sys_".len()..]),
        _ => name,
    }
}

fn near(surfaces: &[&Surface], kind: Kind, name: &str) -> Vec<String> {
    // All options start alike, which would make all of them near.
    let option = |name: &str| if name.starts_with("CONFIG_") { "CONFIG_".len() } else { 0 };
    let mut best = Best::new(&name[option(name)..]);
    for surface in surfaces {
        let mut offer = |name: &str| best.offer(&name[option(name)..], name);
        let types = |kinds: &'static [TypeKind]| {
            surface.types().named().filter(move |found| kinds.contains(&found.kind()))
        };
        match kind {
            Kind::Function => {
                surface.functions().for_each(|it| offer(it.name()));
                surface.outlines().into_iter().for_each(offer);
            }
            Kind::Tracepoint => {
                surface.tracepoints().for_each(|it| offer(it.name()));
                surface.syscall_events().iter().for_each(|it| offer(&it.name()));
            }
            Kind::Lsm => surface.lsm_hooks().for_each(|it| offer(it.name())),
            Kind::Kfunc => surface.kfuncs().for_each(|it| offer(it.name())),
            Kind::Syscall => surface.syscalls().for_each(|it| offer(it.name())),
            Kind::Config => surface.configs().for_each(|it| offer(it.name)),
            Kind::Struct | Kind::Field => types(&[TypeKind::Struct]).for_each(|it| offer(it.name())),
            Kind::Union => types(&[TypeKind::Union]).for_each(|it| offer(it.name())),
            Kind::Enum => types(&[TypeKind::Enum, TypeKind::Enum64]).for_each(|it| offer(it.name())),
        }
    }
    best.finish()
}

/// Members near to the last step of a path, those of members included; where there is no such struct, structs
/// near to its name.
fn near_fields(surfaces: &[&Surface], outer: &str, path: &str) -> Vec<String> {
    let mut best = Best::new(path.rsplit('.').next().unwrap_or(path));
    let mut has_type = false;
    for surface in surfaces {
        for field in outer_types(surface, outer).flat_map(fields) {
            has_type = true;
            best.offer(&field.name, &field.name);
            for inner in fields(field.ty.stripped(true)) {
                best.offer(&inner.name, &format!("{}.{}", field.name, inner.name));
            }
        }
    }
    let full = |(outer, path): (&str, &str)| format!("{outer}::{path}");
    if has_type {
        return best.finish().iter().map(|member| full((outer, member))).collect();
    }
    near(surfaces, Kind::Struct, outer).iter().map(|outer| full((outer, path))).collect()
}

/// The nearest names seen so far.
struct Best {
    name: String,
    letters: u64,
    /// Edits that still count as a slip.
    limit: usize,
    found: HashMap<String, usize>,
}

impl Best {
    fn new(name: &str) -> Self {
        // The kernel puts underscores before names freely.
        let name = name.trim_start_matches('_').to_ascii_lowercase();
        Self { letters: letters(name.as_bytes()), limit: slips(name.len()), name, found: HashMap::new() }
    }

    /// Considers a name, which stands for `full` in the list.
    fn offer(&mut self, candidate: &str, full: &str) {
        if self.name.is_empty() || candidate.is_empty() {
            return;
        }
        if let Some(score) = self.score(candidate)
            && !self.found.contains_key(full)
        {
            self.found.insert(full.to_owned(), score);
        }
    }

    /// Lower is nearer. Slips of the hand come before names that start with the word, and those before names
    /// that contain it.
    fn score(&self, candidate: &str) -> Option<usize> {
        let trimmed = candidate.trim_start_matches('_');
        let difference = trimmed.len().abs_diff(self.name.len());
        if difference <= self.limit {
            let lower = trimmed.to_ascii_lowercase();
            let slips = distance(self.name.as_bytes(), lower.as_bytes(), self.limit);
            if slips.is_some() {
                return slips;
            }
        }
        // Which letters occur settles the rest for nearly all names.
        let of_candidate = letters(trimmed.as_bytes());
        if self.name.len() < 3 {
            return None;
        }
        if self.letters & !of_candidate == 0 {
            if starts_with_ignoring_case(trimmed, &self.name) {
                return Some(100 + difference);
            }
            if candidate.contains(&self.name) {
                return Some(300 + difference);
            }
        }
        // The word may have a compiler suffix, or something else appended.
        let is_start = of_candidate & !self.letters == 0
            && trimmed.len() >= 4
            && starts_with_ignoring_case(&self.name, trimmed);
        is_start.then_some(200 + difference)
    }

    fn finish(self) -> Vec<String> {
        let mut found: Vec<(usize, String)> =
            self.found.into_iter().map(|(name, score)| (score, name)).collect();
        found.sort_unstable();
        found.truncate(MOST);
        found.into_iter().map(|(_, name)| name).collect()
    }
}

fn starts_with_ignoring_case(text: &str, start: &str) -> bool {
    text.len() >= start.len() && text.as_bytes()[..start.len()].eq_ignore_ascii_case(start.as_bytes())
}
