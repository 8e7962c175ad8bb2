//! Tracepoints, LSM hooks, kfuncs, system calls and options: things that are few, so that all pairs are compared.

use rayon::prelude::*;

use super::evidence::Evidence;
use super::name::{Alike, Name, Rarity};
use super::prototype::{Memo, Prototype};
use super::rank::Pair;
use super::{KindOf, Rename, proposals};
use crate::Kind;
use crate::surface::Surface;
use crate::surface::types::Type;

/// How alike, in words, the names of two options must be: their values tell next to nothing.
const WORDS: f32 = 0.3;
/// How alike the names of two kfuncs must be, of which both surfaces have one.
const SPLIT_WORDS: f32 = 0.6;

/// Something that is compared. What the surface does not tell is `None`.
#[derive(Default)]
struct Subject<'a> {
    name: Name<'a>,
    prototype: Option<Prototype>,
    system: Option<&'a str>,
    format: Option<&'a str>,
    /// Names of the record's members.
    record: Option<Vec<&'a str>>,
    /// Table and number.
    number: Option<(&'a str, u32)>,
    arguments: Option<Vec<&'a str>>,
    value: Option<&'a str>,
}

/// What is found out about a pair.
struct Facts {
    name: Alike,
    weight: f32,
    found: Vec<(f32, Evidence)>,
}

/// Reads subjects of one kind.
struct Reader<'a> {
    surface: &'a Surface,
    memo: Memo<'a>,
    kind: Kind,
}

impl<'a> Reader<'a> {
    fn new(surface: &'a Surface, kind: Kind) -> Self {
        Self { surface, memo: Memo::new(surface.types()), kind }
    }

    fn subject(&self, name: &'a str) -> Subject<'a> {
        let mut subject = Subject { name: Name::new(name), ..Subject::default() };
        let prototype = |proto: Option<Type<'a>>| proto.map(|proto| self.memo.prototype(proto));
        match self.kind {
            Kind::Lsm => {
                subject.prototype = prototype(self.surface.lsm_hook(name).and_then(|hook| hook.prototype()))
            }
            Kind::Kfunc => {
                subject.prototype = prototype(self.surface.kfunc(name).and_then(|kfunc| kfunc.prototype()))
            }
            Kind::Config => subject.value = self.surface.config(name).map(|config| config.value),
            Kind::Syscall => self.syscall(&mut subject),
            _ => self.tracepoint(&mut subject),
        }
        subject
    }

    fn tracepoint(&self, subject: &mut Subject<'a>) {
        let Some(found) = self.surface.tracepoints_named(subject.name.text).next() else { return };
        subject.system = found.system();
        subject.format = found.format();
        subject.record = found.record().map(|record| record.members().map(|member| member.name).collect());
        // `void (*)(void *, ARGUMENTS)` behind a typedef.
        let raw = found.btf_trace().map(|raw| raw.stripped(true)).and_then(Type::target);
        subject.prototype = raw.map(|proto| self.memo.prototype(proto.stripped(true)));
    }

    fn syscall(&self, subject: &mut Subject<'a>) {
        let Some(found) = self.surface.syscalls().find(|call| call.name() == subject.name.text) else {
            return;
        };
        subject.number = Some((found.abi(), found.number()));
        subject.arguments = found.args().map(|args| args.iter().map(|arg| arg.type_name).collect());
    }
}

/// Pairs of things that are gone or came.
pub(super) fn propose<'a>(
    old: &'a Surface,
    new: &'a Surface,
    kind: Kind,
    removed: &[&'a str],
    added: &[&'a str],
) -> Vec<Rename> {
    let (old, new) = (Reader::new(old, kind), Reader::new(new, kind));
    let all = |reader: &Reader<'a>, names: &[&'a str]| -> Vec<Subject<'a>> {
        names.iter().map(|name| reader.subject(name)).collect()
    };
    let (mut olds, mut news) = (all(&old, removed), all(&new, added));
    let (gone, came) = (olds.len(), news.len());
    if kind == Kind::Kfunc {
        let both: Vec<&str> = old.surface.kfuncs().map(|kfunc| kfunc.name()).collect();
        let both: Vec<&str> = both.into_iter().filter(|name| new.surface.kfunc(name).is_some()).collect();
        olds.extend(all(&old, &both));
        news.extend(all(&new, &both));
    }
    let rarity = Rarity::new(olds[..gone].iter().chain(&news[..came]).map(|subject| &subject.name));
    let facts_of = |a: usize| {
        let (olds, news, rarity) = (&olds, &news, &rarity);
        (0..news.len()).filter_map(move |b| {
            let kind_of = match (a < gone, b < came) {
                (true, true) => KindOf::Renamed,
                (false, true) => KindOf::Split,
                (true, false) => KindOf::Merged,
                (false, false) => return None,
            };
            let facts = Facts::new(&olds[a], &news[b], kind_of, kind, rarity)?;
            Some((Pair { old: a as u32, new: b as u32, kind_of, weight: facts.weight }, facts))
        })
    };
    let found: Vec<(Pair, Facts)> = (0..olds.len()).into_par_iter().flat_map_iter(facts_of).collect();
    let pairs: Vec<Pair> = found.iter().map(|(pair, _)| *pair).collect();
    let text = |subjects: &[Subject<'a>]| -> Vec<&str> {
        subjects.iter().map(|subject| subject.name.text).collect()
    };
    proposals(&pairs, &text(&olds), &text(&news), |pair| {
        let at = found.binary_search_by_key(&(pair.old, pair.new), |(pair, _)| (pair.old, pair.new));
        at.map_or(Vec::new(), |at| found[at].1.evidence())
    })
}

impl Facts {
    /// `None` for pairs that need no closer look.
    fn new(
        old: &Subject<'_>,
        new: &Subject<'_>,
        kind_of: KindOf,
        kind: Kind,
        rarity: &Rarity,
    ) -> Option<Self> {
        let words = rarity.words(&old.name, &new.name);
        if kind_of != KindOf::Renamed && words < SPLIT_WORDS || kind == Kind::Config && words < WORDS {
            return None;
        }
        let name = Alike::new(&old.name, &new.name, rarity);
        let nothing = if kind_of == KindOf::Renamed { -4.6 } else { -6.0 };
        let mut facts = Self { name, weight: nothing + name.weight(4.6, 2.4), found: Vec::new() };
        facts.prototypes(old, new, kind);
        facts.tracepoints(old, new);
        facts.syscalls(old, new);
        if let (Some(a), Some(b)) = (old.value, new.value) {
            facts.compare(a == b, 0.4, -0.6, || Evidence::SameValue { value: a.to_owned() });
        }
        Some(facts)
    }

    /// Adds what speaks for a pair or against it.
    fn compare(&mut self, same: bool, pro: f32, contra: f32, evidence: impl FnOnce() -> Evidence) {
        if same {
            self.weight += pro;
            self.found.push((pro, evidence()));
        } else {
            self.weight += contra;
        }
    }

    fn prototypes(&mut self, old: &Subject<'_>, new: &Subject<'_>, kind: Kind) {
        let (Some(a), Some(b)) = (&old.prototype, &new.prototype) else { return };
        let params = a.params().max(b.params()) as u32;
        let differences = a.differences(b);
        // Few parameters are soon the same by chance.
        let pro = if params >= 3 { 2.0 } else { 1.2 };
        let same = || match kind {
            Kind::Tracepoint => Evidence::SameArguments { count: params.saturating_sub(1) },
            _ => Evidence::SamePrototype { params, others: 0 },
        };
        match differences {
            1 if params >= 2 => self.compare(true, 0.6, 0.0, || Evidence::PrototypeButOne { params }),
            _ => self.compare(differences == 0, pro, -0.6, same),
        }
    }

    fn tracepoints(&mut self, old: &Subject<'_>, new: &Subject<'_>) {
        if let (Some(a), Some(b)) = (old.system, new.system) {
            self.compare(a == b, 0.8, -1.5, || Evidence::SameSystem { system: a.to_owned() });
        }
        if let (Some(a), Some(b)) = (old.format, new.format) {
            self.compare(a == b, 1.2, 0.0, || Evidence::SameFormat);
        }
        if let (Some(a), Some(b)) = (&old.record, &new.record) {
            let shared = a.iter().filter(|name| b.contains(name)).count();
            let of = a.len() + b.len() - shared;
            // Every record begins with the same entry and ends with the same data.
            let told = shared.saturating_sub(2) as f32 / of.saturating_sub(2).max(1) as f32;
            if shared > 2 {
                let evidence = Evidence::SameMembers { shared: shared as u32, of: of as u32 };
                self.compare(true, 2.0 * told, 0.0, || evidence);
            }
        }
    }

    fn syscalls(&mut self, old: &Subject<'_>, new: &Subject<'_>) {
        if let (Some(a), Some(b)) = (old.number, new.number) {
            self.compare(a == b, 2.5, -0.5, || Evidence::SameNumber { number: a.1 });
        }
        if let (Some(a), Some(b)) = (&old.arguments, &new.arguments) {
            self.compare(a == b, 1.2, -0.6, || Evidence::SameArguments { count: a.len() as u32 });
        }
    }

    fn evidence(&self) -> Vec<(f32, Evidence)> {
        self.name.evidence().into_iter().chain(self.found.iter().cloned()).collect()
    }
}
