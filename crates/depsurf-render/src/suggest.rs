//! Near names for a name that no kernel has.

use std::collections::HashMap;

use depsurf::surface::Surface;
use depsurf::surface::field::fields;
use depsurf::surface::types::{Type, TypeKind};

use crate::field;
use crate::kind::Kind;

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
    let kinds = Kind::ALL
        .into_iter()
        .filter(|other| *other != kind && surfaces.iter().any(|surface| has(surface, *other, name)))
        .collect();
    let names = match (kind, field::split(name)) {
        (Kind::Field, Some((outer, path))) => near_fields(surfaces, outer, path),
        (Kind::Field, None) => near(surfaces, Kind::Struct, name),
        _ => near(surfaces, kind, trimmed(kind, name)),
    };
    Suggestions { names, kinds }
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

/// Whether a surface has the name itself.
fn has(surface: &Surface, kind: Kind, name: &str) -> bool {
    let has_type =
        |kinds: &[TypeKind]| surface.types().with_name(name).any(|found| kinds.contains(&found.kind()));
    match kind {
        Kind::Function => surface.function(name).is_some(),
        Kind::Struct => has_type(&[TypeKind::Struct]),
        Kind::Union => has_type(&[TypeKind::Union]),
        Kind::Enum => has_type(&[TypeKind::Enum, TypeKind::Enum64]),
        Kind::Field => field::lookup(surface, name).is_ok(),
        Kind::Tracepoint => surface.tracepoints_named(name).next().is_some(),
        Kind::Lsm => surface.lsm_hook(name).is_some(),
        Kind::Kfunc => surface.kfunc(name).is_some(),
        Kind::Syscall => surface.syscalls().any(|syscall| syscall.name() == name),
        Kind::Config => surface.config(name).is_some(),
    }
}

fn near(surfaces: &[&Surface], kind: Kind, name: &str) -> Vec<String> {
    let mut best = Best::new(name);
    for surface in surfaces {
        let mut types = |kinds: &[TypeKind]| {
            let of_kind = surface.types().named().filter(|found| kinds.contains(&found.kind()));
            of_kind.for_each(|found| best.offer(found.name()));
        };
        match kind {
            Kind::Struct | Kind::Field => types(&[TypeKind::Struct]),
            Kind::Union => types(&[TypeKind::Union]),
            Kind::Enum => types(&[TypeKind::Enum, TypeKind::Enum64]),
            Kind::Function => surface.functions().for_each(|it| best.offer(it.name())),
            Kind::Tracepoint => surface.tracepoints().for_each(|it| best.offer(it.name())),
            Kind::Lsm => surface.lsm_hooks().for_each(|it| best.offer(it.name())),
            Kind::Kfunc => surface.kfuncs().for_each(|it| best.offer(it.name())),
            Kind::Syscall => surface.syscalls().for_each(|it| best.offer(it.name())),
            Kind::Config => surface.configs().for_each(|it| best.offer(it.name)),
        }
    }
    best.finish()
}

/// Members near to the last step of a path; where there is no such struct, structs near to its name.
fn near_fields(surfaces: &[&Surface], outer: &str, path: &str) -> Vec<String> {
    let mut best = Best::new(path);
    let mut has_type = false;
    for surface in surfaces {
        let found: Vec<Type<'_>> = field::outer_types(surface, outer).collect();
        has_type |= !found.is_empty();
        found.iter().flat_map(|found| fields(*found)).for_each(|field| best.offer(&field.name));
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
        let name = plain(name);
        let limit = match name.len() {
            0..=3 => 1,
            4..=9 => 2,
            _ => 3,
        };
        Self { letters: letters(&name), limit, name, found: HashMap::new() }
    }

    fn offer(&mut self, candidate: &str) {
        if self.name.is_empty() || candidate.is_empty() {
            return;
        }
        if let Some(score) = self.score(candidate)
            && !self.found.contains_key(candidate)
        {
            self.found.insert(candidate.to_owned(), score);
        }
    }

    /// Lower is nearer. Slips of the hand come before names that start with the word, and those before names
    /// that contain it.
    fn score(&self, candidate: &str) -> Option<usize> {
        let trimmed = candidate.trim_start_matches('_');
        let difference = trimmed.len().abs_diff(self.name.len());
        // Two names within `limit` edits differ in at most twice as many letters: this spares the distance
        // for nearly all names.
        if difference <= self.limit {
            let candidate = plain(candidate);
            let differing = (letters(&candidate) ^ self.letters).count_ones() as usize;
            if differing <= 2 * self.limit {
                let distance = strsim::osa_distance(&candidate, &self.name);
                if distance <= self.limit {
                    return Some(distance);
                }
            }
        }
        if self.name.len() < 3 {
            return None;
        }
        if starts_with_ignoring_case(trimmed, &self.name) {
            return Some(100 + difference);
        }
        // A name with a compiler suffix, or with something appended.
        if trimmed.len() >= 4 && starts_with_ignoring_case(&self.name, trimmed) {
            return Some(200 + difference);
        }
        candidate.contains(&self.name).then_some(300 + difference)
    }

    fn finish(self) -> Vec<String> {
        let mut found: Vec<(usize, String)> =
            self.found.into_iter().map(|(name, score)| (score, name)).collect();
        found.sort_unstable();
        found.truncate(MOST);
        found.into_iter().map(|(_, name)| name).collect()
    }
}

/// Lower case, without the underscores that the kernel puts before names.
fn plain(name: &str) -> String {
    name.trim_start_matches('_').to_ascii_lowercase()
}

/// Which letters and digits occur, as a set of bits.
fn letters(name: &str) -> u64 {
    name.bytes().fold(0, |set, byte| set | 1 << (byte & 63))
}

fn starts_with_ignoring_case(text: &str, start: &str) -> bool {
    text.len() >= start.len() && text.as_bytes()[..start.len()].eq_ignore_ascii_case(start.as_bytes())
}
