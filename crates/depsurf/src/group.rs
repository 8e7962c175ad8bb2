//! Which kernels are listed together, what each is called there, and which pairs of them are compared.
//!
//! Groups are relative to one *default* kernel: those of every version, of other architectures, of other
//! flavours. [`default_kernel`] chooses one where the user does not. Kernels that differ in no more than the ABI
//! or the stable update share a *class*; the groups by version, architecture and flavour list one of each class,
//! and a class of several is a Revision group of its own.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use crate::error::Error;
use crate::kernel::KernelId;

/// What the kernels of a group share with the default kernel, or with each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Title {
    /// Architecture and flavour: every version, ascending.
    Regular,
    /// Architecture and flavour: the long-term ones among the versions. See [`is_long_term`].
    Lts,
    /// Series and flavour: other architectures, by name.
    Arch,
    /// Series and architecture: other flavours, by name.
    Flavor,
    /// Series, flavour and architecture, with each other: several ABIs and stable updates, ascending. There is
    /// such a group for every series, flavour and architecture of which there are several kernels, and the one
    /// that stands for them in a group above is among them, so that all neighbours are compared.
    Revision,
    /// Nothing of that.
    Other,
}

impl Title {
    /// Every title, in the order of a page.
    pub const ALL: [Self; 6] =
        [Self::Regular, Self::Lts, Self::Arch, Self::Flavor, Self::Revision, Self::Other];

    /// The word that a user writes.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Regular => "regular",
            Self::Lts => "lts",
            Self::Arch => "arch",
            Self::Flavor => "flavor",
            Self::Revision => "revision",
            Self::Other => "other",
        }
    }

    /// The title of a word, whatever its case; `flavour` is understood too.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        let word = if word.eq_ignore_ascii_case("flavour") { "flavor" } else { word };
        Self::ALL.into_iter().find(|title| title.word().eq_ignore_ascii_case(word))
    }
}

impl fmt::Display for Title {
    /// The word on a page.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Regular => "Regular",
            Self::Lts => "LTS",
            Self::Arch => "Arch",
            Self::Flavor => "Flavor",
            Self::Revision => "Revision",
            Self::Other => "Other",
        })
    }
}

impl FromStr for Title {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::of(text).ok_or_else(|| Error::Usage {
            what: format!("unknown group `{text}`"),
            help: Some(format!("known are {}", Self::ALL.map(Self::word).join(", "))),
        })
    }
}

/// A kernel in a group.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Member {
    /// What it is called there: `6.12`, `arm64`, `cloud`, `6.1.176-50`, or the whole name.
    pub label: String,
    /// Its place in the list that was arranged.
    pub index: usize,
}

/// Kernels that are listed together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// What they share.
    pub title: Title,
    /// What tells groups of one title apart: `6.1`, `6.1 rt arm64`. Empty but for [`Title::Revision`].
    pub scope: String,
    /// The kernels, in the order of the group.
    pub members: Vec<Member>,
    /// The default kernel, where each member is compared with it instead of with its neighbour; it is no member.
    pub base: Option<Member>,
}

impl Group {
    /// What stands above the group: its title, and its scope where it has one.
    #[must_use]
    pub fn heading(&self) -> String {
        if self.scope.is_empty() { self.title.to_string() } else { format!("{} {}", self.title, self.scope) }
    }

    /// The pairs that are compared, old and new: neighbours, or the base and each member.
    pub fn pairs(&self) -> impl Iterator<Item = (&Member, &Member)> {
        let neighbours = self.members.windows(2).filter(|_| self.base.is_none());
        let neighbours = neighbours.map(|pair| (&pair[0], &pair[1]));
        let based = self.base.iter().flat_map(|base| self.members.iter().map(move |member| (base, member)));
        neighbours.chain(based)
    }
}

/// The groups of a page around the kernel at `default`, without empty ones: all but [`Title::Lts`], whose kernels
/// are in [`Title::Regular`] too. Every kernel is in one of them; one that stands for its revisions is in their group, too.
#[must_use]
pub fn arrange(ids: &[&KernelId], default: usize) -> Vec<Group> {
    let mut groups = every(ids, default);
    groups.retain(|group| group.title != Title::Lts);
    groups
}

/// As [`arrange`], with [`Title::Lts`].
#[must_use]
pub fn every(ids: &[&KernelId], default: usize) -> Vec<Group> {
    let Some(&id) = ids.get(default) else { return Vec::new() };
    let classes = classes(ids);
    let related = |wanted| {
        let classes = classes.iter().filter(move |(class, _)| class.relation(Class::of(id)) == wanted);
        classes.map(|(class, kernels)| (*class, kernels.as_slice()))
    };
    let named = |label: &dyn Fn(&KernelId) -> String, kernels| {
        let index = representative(ids, kernels, default);
        Member { label: label(ids[index]), index }
    };
    let group = |title, members, base| Group { title, scope: String::new(), members, base };
    let base = |label: &str| Some(Member { label: label.to_owned(), index: default });

    let regular: Vec<Member> = related(Relation::Version).map(|(_, it)| named(&series, it)).collect();
    let mut lts = regular.clone();
    lts.retain(|member| is_long_term(ids[member.index]));
    let arch = |id: &KernelId| id.arch.to_string();
    let flavour = |id: &KernelId| id.flavour.clone();
    let arches = related(Relation::Arch).map(|(_, it)| named(&arch, it)).collect();
    let flavours = related(Relation::Flavour).map(|(_, it)| named(&flavour, it)).collect();
    let mut groups = vec![
        group(Title::Regular, regular, None),
        group(Title::Lts, lts, None),
        group(Title::Arch, arches, base(id.arch.name())),
        group(Title::Flavor, flavours, base(&id.flavour)),
    ];
    for wanted in [Relation::Version, Relation::Arch, Relation::Flavour, Relation::None] {
        for (class, kernels) in related(wanted).filter(|(_, kernels)| kernels.len() > 1) {
            let members =
                kernels.iter().map(|&index| Member { label: revision(ids[index]), index }).collect();
            let scope = class.scope(Class::of(id));
            groups.push(Group { title: Title::Revision, scope, members, base: None });
        }
    }
    let alone = related(Relation::None).filter(|(_, kernels)| kernels.len() == 1);
    let mut others: Vec<usize> = alone.map(|(_, kernels)| kernels[0]).collect();
    others.sort_by_key(|index| ids[*index]);
    let others = others.into_iter().map(|index| Member { label: ids[index].to_string(), index }).collect();
    groups.push(group(Title::Other, others, None));
    groups.retain(|group| !group.members.is_empty());
    groups
}

/// Kernels that differ in the ABI or the stable update at most. Ordered as pages list them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Class<'a> {
    series: (u32, u32),
    flavour: &'a str,
    arch: &'static str,
}

impl<'a> Class<'a> {
    fn of(id: &'a KernelId) -> Self {
        let series = (id.version.major, id.version.minor);
        Self { series, flavour: &id.flavour, arch: id.arch.name() }
    }

    fn relation(self, default: Self) -> Relation {
        match (self.series == default.series, self.arch == default.arch, self.flavour == default.flavour) {
            (_, true, true) => Relation::Version,
            (true, false, true) => Relation::Arch,
            (true, true, false) => Relation::Flavour,
            _ => Relation::None,
        }
    }

    /// The series, and what else differs from the default kernel.
    fn scope(self, default: Self) -> String {
        let mut scope = format!("{}.{}", self.series.0, self.series.1);
        for (own, of_default) in [(self.flavour, default.flavour), (self.arch, default.arch)] {
            if own != of_default {
                scope += &format!(" {own}");
            }
        }
        scope
    }
}

/// The places of the kernels of each class, in their order.
fn classes<'a>(ids: &[&'a KernelId]) -> BTreeMap<Class<'a>, Vec<usize>> {
    let mut order: Vec<usize> = (0..ids.len()).collect();
    order.sort_by_key(|index| ids[*index]);
    let mut classes: BTreeMap<Class<'a>, Vec<usize>> = BTreeMap::new();
    for index in order {
        classes.entry(Class::of(ids[index])).or_default().push(index);
    }
    classes
}

/// Which kernel of a class is listed beside those of other classes: the default kernel, else the one of the same
/// release, else the newest.
fn representative(ids: &[&KernelId], class: &[usize], default: usize) -> usize {
    let id = ids[default];
    let is_same = |index: usize| ids[index].version == id.version && ids[index].release == id.release;
    let rank = |index: &usize| (*index == default, is_same(*index), ids[*index]);
    class.iter().copied().max_by_key(rank).unwrap_or(default)
}

/// What a kernel shares with the default one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Relation {
    /// All but the version.
    Version,
    /// All but the architecture.
    Arch,
    /// All but the flavour.
    Flavour,
    None,
}

/// The place of the kernel with the most relatives: series of its flavour and architecture, then other
/// architectures and flavours of its series. Of equal ones the newest; `None` where there is no kernel.
#[must_use]
pub fn default_kernel(ids: &[&KernelId]) -> Option<usize> {
    let classes: BTreeSet<Class<'_>> = ids.iter().map(|id| Class::of(id)).collect();
    let relatives = |class: Class<'_>| {
        let relations = classes.iter().map(|other| other.relation(class));
        let versions = relations.clone().filter(|it| *it == Relation::Version).count();
        let others = relations.filter(|it| matches!(it, Relation::Arch | Relation::Flavour)).count();
        (versions, others)
    };
    (0..ids.len()).min_by_key(|&index| Reverse((relatives(Class::of(ids[index])), ids[index])))
}

/// What the field calls a version: `6.12`, whatever the stable update.
#[must_use]
pub fn series(id: &KernelId) -> String {
    format!("{}.{}", id.version.major, id.version.minor)
}

/// What tells kernels of one series apart: `6.1.176-50`.
#[must_use]
pub fn revision(id: &KernelId) -> String {
    let release = if id.release.is_empty() { String::new() } else { format!("-{}", id.release) };
    format!("{}{release}", id.version)
}

/// Upstream's long-term series, by the releases page of kernel.org and its archive
/// (<https://www.kernel.org/category/releases.html>). No fact about a kernel follows from this table: it only says
/// which are listed under [`Title::Lts`]. What a distribution alone maintains for long (Ubuntu's 4.15 and 6.8,
/// Red Hat's 4.18 and 5.14) is not in it.
const LONG_TERM: [(u32, u32); 20] = [
    (3, 0),
    (3, 2),
    (3, 4),
    (3, 10),
    (3, 12),
    (3, 14),
    (3, 16),
    (3, 18),
    (4, 1),
    (4, 4),
    (4, 9),
    (4, 14),
    (4, 19),
    (5, 4),
    (5, 10),
    (5, 15),
    (6, 1),
    (6, 6),
    (6, 12),
    (6, 18),
];

/// Whether upstream maintains the series of a kernel for years.
#[must_use]
pub fn is_long_term(id: &KernelId) -> bool {
    LONG_TERM.contains(&(id.version.major, id.version.minor))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ids(names: &[&str]) -> Vec<KernelId> {
        names.iter().map(|name| name.parse().unwrap()).collect()
    }

    /// One line per group: heading, labels, pairs.
    fn lines(ids: &[KernelId], default: usize) -> Vec<String> {
        let ids: Vec<&KernelId> = ids.iter().collect();
        let line = |group: Group| {
            let labels: Vec<&str> = group.members.iter().map(|member| member.label.as_str()).collect();
            let pairs: Vec<String> =
                group.pairs().map(|(old, new)| format!("{}..{}", old.label, new.label)).collect();
            format!("{}: {} ({})", group.heading(), labels.join(", "), pairs.join(", "))
        };
        every(&ids, default).into_iter().map(line).collect()
    }

    fn default_of(ids: &[KernelId]) -> Option<usize> {
        default_kernel(&ids.iter().collect::<Vec<_>>())
    }

    #[test]
    fn kernels_are_grouped_around_the_default() {
        let ids = ids(&[
            "4.4.0-21-generic-amd64",
            "5.4.0-18-generic-amd64",
            "5.4.0-26-azure-amd64",
            "5.4.0-26-generic-amd64",
            "5.4.0-26-generic-armhf",
            "5.4.0-26-generic-arm64",
            "6.8.0-31-generic-amd64",
            "6.8.0-31-rt-arm64",
            "6.12.10-1-rt-arm64",
            "6.12.9-1-rt-arm64",
        ]);
        let default = default_of(&ids).unwrap();
        assert_eq!(
            lines(&ids, default),
            [
                "Regular: 4.4, 5.4, 6.8 (4.4..5.4, 5.4..6.8)",
                "LTS: 4.4, 5.4 (4.4..5.4)",
                "Arch: arm64, armhf (amd64..arm64, amd64..armhf)",
                "Flavor: azure (generic..azure)",
                "Revision 5.4: 5.4.0-18, 5.4.0-26 (5.4.0-18..5.4.0-26)",
                "Revision 6.12 rt arm64: 6.12.9-1, 6.12.10-1 (6.12.9-1..6.12.10-1)",
                "Other: 6.8.0-31-rt-arm64 ()",
            ]
        );
        let ids: Vec<&KernelId> = ids.iter().collect();
        assert!(arrange(&ids, default).iter().all(|group| group.title != Title::Lts));
        assert!(arrange(&[], 0).is_empty());
        assert!(arrange(&ids, 99).is_empty());
    }

    /// The kernels of the published dataset, and the groups of its pages.
    #[test]
    fn the_published_kernels_have_the_published_groups() {
        let regular = [
            "4.4.0-21",
            "4.8.0-22",
            "4.10.0-19",
            "4.13.0-16",
            "4.15.0-20",
            "4.18.0-10",
            "5.0.0-13",
            "5.3.0-18",
            "5.4.0-26",
            "5.8.0-25",
            "5.11.0-16",
            "5.13.0-19",
            "5.15.0-25",
            "5.19.0-21",
            "6.2.0-20",
            "6.5.0-9",
            "6.8.0-31",
        ];
        let others = [
            "5.4.0-26-generic-arm64",
            "5.4.0-26-generic-armhf",
            "5.4.0-26-generic-ppc64el",
            "5.4.0-24-generic-riscv64",
            "5.4.0-1009-aws-amd64",
            "5.4.0-1010-azure-amd64",
            "5.4.0-1009-gcp-amd64",
            "5.4.0-26-lowlatency-amd64",
        ];
        let mut ids = ids(&others);
        ids.extend(regular.map(|name| format!("{name}-generic-amd64").parse::<KernelId>().unwrap()));
        ids.sort();
        let default = default_of(&ids).unwrap();
        assert_eq!(ids[default].to_string(), "5.4.0-26-generic-amd64");
        let of_pages: Vec<&KernelId> = ids.iter().collect();
        let groups = arrange(&of_pages, default);
        let titles: Vec<Title> = groups.iter().map(|group| group.title).collect();
        assert_eq!(titles, [Title::Regular, Title::Arch, Title::Flavor]);
        let labels = |at: usize| groups[at].members.iter().map(|it| it.label.as_str()).collect::<Vec<_>>();
        let short = |name: &'static str| name.split_once(".0-").unwrap().0;
        assert_eq!(labels(0), regular.map(short));
        assert_eq!(labels(1), ["arm64", "armhf", "ppc64el", "riscv64"]);
        assert_eq!(labels(2), ["aws", "azure", "gcp", "lowlatency"]);
        assert!(lines(&ids, default)[1].starts_with("LTS: 4.4, 5.4, 5.15 "));
    }

    #[test]
    fn the_nearest_revision_stands_for_the_others() {
        let ids = ids(&[
            "6.1.170-49-cloud-amd64",
            "6.1.170-49-cloud-arm64",
            "6.1.176-50-cloud-amd64",
            "6.1.176-50-cloud-arm64",
            "6.12.107-deb13-cloud-amd64",
            "6.12.108-deb13-cloud-amd64",
        ]);
        let stand = |default: usize| {
            let kernels: Vec<&KernelId> = ids.iter().collect();
            let groups = arrange(&kernels, default);
            let listed = groups.iter().filter(|group| matches!(group.title, Title::Regular | Title::Arch));
            listed.flat_map(|group| &group.members).map(|it| it.index).collect::<Vec<_>>()
        };
        assert_eq!(stand(0), [0, 5, 1], "the default itself, the newest, the one of the same release");
        assert_eq!(stand(2), [2, 5, 3]);
        assert_eq!(
            lines(&ids, 2)[3..],
            [
                "Revision 6.1: 6.1.170-49, 6.1.176-50 (6.1.170-49..6.1.176-50)",
                "Revision 6.12: 6.12.107-deb13, 6.12.108-deb13 (6.12.107-deb13..6.12.108-deb13)",
                "Revision 6.1 arm64: 6.1.170-49, 6.1.176-50 (6.1.170-49..6.1.176-50)",
            ]
        );
    }

    #[test]
    fn the_default_has_the_most_relatives() {
        let debian = [
            "5.10.223-32-cloud-amd64",
            "6.1.176-50-cloud-amd64",
            "6.1.176-50-cloud-arm64",
            "6.12.107-deb13-cloud-amd64",
        ];
        assert_eq!(default_of(&ids(&debian)), Some(1));
        let updates = ["6.1.174-48-rt-amd64", "6.1.175-49-rt-amd64", "6.1.176-50-rt-amd64"];
        let both = [debian.as_slice(), updates.as_slice()].concat();
        assert_eq!(default_of(&ids(&both)), Some(1), "updates of one series count once");
        assert_eq!(default_of(&ids(&updates)), Some(2), "of equal ones the newest");
        assert_eq!(default_of(&[]), None);
    }

    #[test]
    fn titles_are_words() {
        for title in Title::ALL {
            assert_eq!(title.word().parse::<Title>().unwrap(), title);
            assert_eq!(title.to_string().parse::<Title>().unwrap(), title);
        }
        assert_eq!("flavour".parse::<Title>().unwrap(), Title::Flavor);
        let error = "daily".parse::<Title>().unwrap_err();
        assert_eq!(error.help().unwrap(), "known are regular, lts, arch, flavor, revision, other");
    }

    proptest! {
        /// Whatever the kernels are and in which order they come: every one is in a group, in none twice, and
        /// labels tell the members of a group apart.
        #[test]
        fn every_kernel_is_in_a_group(
            names in proptest::collection::btree_set(
                ("[56]\\.[14]\\.[0-2]", "-[12]", "-(generic|rt)", "-(amd64|arm64)").prop_map(|(a, b, c, d)| a + &b + &c + &d),
                1..20
            ).prop_map(|names| names.into_iter().collect::<Vec<_>>()).prop_shuffle(),
        ) {
            let ids: Vec<KernelId> = names.iter().map(|name| name.parse().unwrap()).collect();
            let ids: Vec<&KernelId> = ids.iter().collect();
            let default = default_kernel(&ids).unwrap();
            let groups = arrange(&ids, default);
            let mut listed = BTreeSet::new();
            for group in &groups {
                let labels: BTreeSet<&str> = group.members.iter().map(|it| it.label.as_str()).collect();
                let indexes: BTreeSet<usize> = group.members.iter().map(|it| it.index).collect();
                prop_assert_eq!((labels.len(), indexes.len()), (group.members.len(), group.members.len()));
                listed.extend(indexes);
            }
            prop_assert_eq!(listed.len(), ids.len());
            prop_assert!(groups[0].title == Title::Regular);
            prop_assert!(groups[0].members.iter().any(|member| member.index == default));
        }
    }
}
