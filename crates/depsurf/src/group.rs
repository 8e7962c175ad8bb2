//! Which kernels are listed together, what each is called there, and which pairs of them are compared.
//!
//! Groups are relative to one *default* kernel: those of every version, of other architectures, of other
//! flavours. [`default_kernel`] chooses one where the user does not.

use std::cmp::Reverse;
use std::fmt;

use crate::kernel::KernelId;

/// What the kernels of a group share with the default kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Title {
    /// Architecture and flavour: every version, ascending.
    Regular,
    /// Series and flavour: other architectures, by name.
    Arch,
    /// Series and architecture: other flavours, by name.
    Flavor,
    /// The label of a kernel in a group above: other ABIs and stable updates.
    Revision,
    /// Nothing of that.
    Other,
}

impl fmt::Display for Title {
    /// The word on a page.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Regular => "Regular",
            Self::Arch => "Arch",
            Self::Flavor => "Flavor",
            Self::Revision => "Revision",
            Self::Other => "Other",
        })
    }
}

/// A kernel in a group.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Member {
    /// What it is called there: `6.12`, `arm64`, `cloud`, or the whole name.
    pub label: String,
    /// Its place in the list that was arranged.
    pub index: usize,
}

/// Kernels that are listed together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// What they share.
    pub title: Title,
    /// The kernels, in the order of the group.
    pub members: Vec<Member>,
    /// The default kernel, where each member is compared with it instead of with its neighbour; it is no member.
    pub base: Option<Member>,
}

impl Group {
    /// The pairs that are compared, old and new: neighbours, or the base and each member.
    pub fn pairs(&self) -> impl Iterator<Item = (&Member, &Member)> {
        let neighbours = self.members.windows(2).filter(|_| self.base.is_none());
        let neighbours = neighbours.map(|pair| (&pair[0], &pair[1]));
        let based = self.base.iter().flat_map(|base| self.members.iter().map(move |member| (base, member)));
        neighbours.chain(based)
    }
}

/// The groups around the kernel at `default`, without empty ones. The kernels are in their order.
#[must_use]
pub fn arrange(ids: &[&KernelId], default: usize) -> Vec<Group> {
    let Some(&id) = ids.get(default) else { return Vec::new() };
    let titles = [Title::Regular, Title::Arch, Title::Flavor, Title::Revision, Title::Other];
    let base = |title| match title {
        Title::Arch => Some(Member { label: id.arch.to_string(), index: default }),
        Title::Flavor => Some(Member { label: id.flavour.clone(), index: default }),
        Title::Regular | Title::Revision | Title::Other => None,
    };
    let mut groups = titles.map(|title| Group { title, members: Vec::new(), base: base(title) });
    // The default first, then from the newest on: of several kernels of one label the first has it.
    let mut order: Vec<usize> = (0..ids.len()).rev().collect();
    order.sort_by_key(|index| *index != default);
    for index in order {
        let other = ids[index];
        let (title, label) = match relation(other, id) {
            Relation::Version => (Title::Regular, series(other)),
            Relation::Arch => (Title::Arch, other.arch.to_string()),
            Relation::Flavour => (Title::Flavor, other.flavour.clone()),
            Relation::None => (Title::Other, other.to_string()),
        };
        let is_taken = |group: &Group| group.members.iter().any(|member| member.label == label);
        let taken = groups.iter().any(|group| group.title == title && is_taken(group));
        let (title, label) = if taken { (Title::Revision, other.to_string()) } else { (title, label) };
        let group = groups.iter_mut().find(|group| group.title == title);
        group.expect("there is a group of every title").members.push(Member { label, index });
    }
    for group in &mut groups {
        match group.title {
            Title::Regular | Title::Revision | Title::Other => {
                group.members.sort_by_key(|member| member.index);
            }
            Title::Arch | Title::Flavor => group.members.sort(),
        }
    }
    groups.into_iter().filter(|group| !group.members.is_empty()).collect()
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

fn relation(id: &KernelId, default: &KernelId) -> Relation {
    match (series(id) == series(default), id.arch == default.arch, id.flavour == default.flavour) {
        (_, true, true) => Relation::Version,
        (true, false, true) => Relation::Arch,
        (true, true, false) => Relation::Flavour,
        _ => Relation::None,
    }
}

/// The place of the kernel with the most relatives, of equal ones the newest; `None` where there is no kernel.
#[must_use]
pub fn default_kernel(ids: &[&KernelId]) -> Option<usize> {
    let relatives = |index: &usize| {
        let kinds = ids.iter().map(|other| relation(other, ids[*index]));
        let versions = kinds.clone().filter(|kind| *kind == Relation::Version).count();
        let others = kinds.filter(|kind| matches!(kind, Relation::Arch | Relation::Flavour)).count();
        (versions, others)
    };
    (0..ids.len()).rev().min_by_key(|index| Reverse(relatives(index)))
}

/// What the field calls a version: `6.12`, whatever the stable update.
#[must_use]
pub fn series(id: &KernelId) -> String {
    format!("{}.{}", id.version.major, id.version.minor)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(names: &[&str]) -> Vec<KernelId> {
        names.iter().map(|name| name.parse().unwrap()).collect()
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
        ]);
        let ids: Vec<&KernelId> = ids.iter().collect();
        let default = default_kernel(&ids).unwrap();
        let groups: Vec<String> = arrange(&ids, default)
            .into_iter()
            .map(|group| {
                let labels: Vec<&str> = group.members.iter().map(|member| member.label.as_str()).collect();
                let pairs: Vec<String> =
                    group.pairs().map(|(old, new)| format!("{}..{}", old.label, new.label)).collect();
                format!("{}: {} ({})", group.title, labels.join(", "), pairs.join(", "))
            })
            .collect();
        assert_eq!(
            groups,
            [
                "Regular: 4.4, 5.4, 6.8 (4.4..5.4, 5.4..6.8)",
                "Arch: arm64, armhf (amd64..arm64, amd64..armhf)",
                "Flavor: azure (generic..azure)",
                "Revision: 5.4.0-18-generic-amd64 ()",
                "Other: 6.8.0-31-rt-arm64 ()",
            ]
        );
        assert!(arrange(&[], 0).is_empty());
    }

    #[test]
    fn the_default_has_the_most_relatives() {
        let ids = ids(&[
            "5.10.223-32-cloud-amd64",
            "6.1.176-50-cloud-amd64",
            "6.1.176-50-cloud-arm64",
            "6.12.107-deb13-cloud-amd64",
        ]);
        assert_eq!(default_kernel(&ids.iter().collect::<Vec<_>>()), Some(1));
        assert_eq!(default_kernel(&[]), None);
    }
}
