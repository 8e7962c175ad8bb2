//! Which kernels are listed together on a page, and what each is called there.
//!
//! The published pages group kernels around one *default* kernel: those of every version, of other
//! architectures, of other flavours. Here the default is the kernel with the most relatives of these kinds.

use std::cmp::Reverse;

use depsurf::kernel::KernelId;
use depsurf::surface::Surface;
use depsurf_render::{Group, Kernel};

/// One group with all kernels, for output in which kernels share lines. Labels are as short as tells them
/// apart.
pub fn flat(surfaces: &[Surface]) -> Vec<Group<'_>> {
    let ids: Vec<&KernelId> = surfaces.iter().map(Surface::kernel).collect();
    let labels = short_labels(&ids);
    let kernels = surfaces.iter().zip(labels).map(|(surface, label)| Kernel { label, surface }).collect();
    vec![Group { title: "Kernels".into(), kernels }]
}

/// The groups of the published pages, without empty ones.
pub fn published(surfaces: &[Surface]) -> Vec<Group<'_>> {
    let ids: Vec<&KernelId> = surfaces.iter().map(Surface::kernel).collect();
    let kernel = |(label, index): (String, usize)| Kernel { label, surface: &surfaces[index] };
    let group = |(title, members): (&str, Members)| Group {
        title: title.into(),
        kernels: members.into_iter().map(kernel).collect(),
    };
    arrange(&ids).into_iter().map(group).collect()
}

/// Label and index of the kernels in a group.
type Members = Vec<(String, usize)>;

/// The groups of kernels that are in their order.
fn arrange(ids: &[&KernelId]) -> Vec<(&'static str, Members)> {
    let Some(default) = default_kernel(ids) else { return Vec::new() };
    let mut regular = Members::new();
    let mut arch = Members::new();
    let mut flavour = Members::new();
    let mut revision = Members::new();
    let mut other = Members::new();
    // The default first, then from the newest on: of several kernels of one label the first has it.
    let mut order: Vec<usize> = (0..ids.len()).rev().collect();
    order.sort_by_key(|index| ids[*index] != default);
    for index in order {
        let id = ids[index];
        let (group, label) = match relation(id, default) {
            Relation::Version => (&mut regular, series(id)),
            Relation::Arch => (&mut arch, id.arch.to_string()),
            Relation::Flavour => (&mut flavour, id.flavour.clone()),
            Relation::None => (&mut other, id.to_string()),
        };
        if group.iter().any(|(taken, _)| *taken == label) {
            revision.push((id.to_string(), index));
        } else {
            group.push((label, index));
        }
    }
    for group in [&mut regular, &mut revision, &mut other] {
        group.sort_by_key(|(_, index)| *index);
    }
    for group in [&mut arch, &mut flavour] {
        group.sort();
    }
    let groups =
        [("Regular", regular), ("Arch", arch), ("Flavor", flavour), ("Revision", revision), ("Other", other)];
    groups.into_iter().filter(|(_, members)| !members.is_empty()).collect()
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

/// The kernel with the most relatives; of equal ones the newest.
fn default_kernel<'a>(ids: &[&'a KernelId]) -> Option<&'a KernelId> {
    let relatives = |id: &KernelId| {
        let kinds = ids.iter().map(|other| relation(other, id));
        let versions = kinds.clone().filter(|kind| *kind == Relation::Version).count();
        let others = kinds.filter(|kind| matches!(kind, Relation::Arch | Relation::Flavour)).count();
        (versions, others)
    };
    ids.iter().rev().min_by_key(|id| Reverse(relatives(id))).copied()
}

/// What the field calls a version: `6.12`, whatever the stable update.
fn series(id: &KernelId) -> String {
    format!("{}.{}", id.version.major, id.version.minor)
}

/// The series, with what else is needed to tell the kernels apart; whole names where that is not enough.
fn short_labels(ids: &[&KernelId]) -> Vec<String> {
    let differs = |part: fn(&KernelId) -> &str| ids.iter().any(|id| part(id) != part(ids[0]));
    let flavour = differs(|id| &id.flavour);
    let arch = differs(|id| id.arch.name());
    let label = |id: &&KernelId| {
        let mut label = series(id);
        if flavour {
            label += &format!("-{}", id.flavour);
        }
        if arch {
            label += &format!("-{}", id.arch);
        }
        label
    };
    let labels: Vec<String> = ids.iter().map(label).collect();
    let mut sorted = labels.clone();
    sorted.sort();
    sorted.dedup();
    if sorted.len() == labels.len() { labels } else { ids.iter().map(ToString::to_string).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(names: &[&str]) -> Vec<KernelId> {
        names.iter().map(|name| name.parse().unwrap()).collect()
    }

    fn labels(names: &[&str]) -> Vec<String> {
        let ids = ids(names);
        short_labels(&ids.iter().collect::<Vec<_>>())
    }

    #[test]
    fn labels_say_what_differs() {
        assert_eq!(labels(&["5.10.223-32-cloud-amd64", "6.1.176-50-cloud-amd64"]), ["5.10", "6.1"]);
        assert_eq!(labels(&["6.1.176-50-cloud-amd64", "6.1.176-50-cloud-arm64"]), ["6.1-amd64", "6.1-arm64"]);
        assert_eq!(
            labels(&["6.1.170-49-rt-amd64", "6.1.176-50-rt-amd64"]),
            ["6.1.170-49-rt-amd64", "6.1.176-50-rt-amd64"]
        );
        assert_eq!(labels(&[]), [""; 0]);
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
        let groups: Vec<String> = arrange(&ids.iter().collect::<Vec<_>>())
            .into_iter()
            .map(|(title, members)| {
                let labels: Vec<String> = members.into_iter().map(|(label, _)| label).collect();
                format!("{title}: {}", labels.join(", "))
            })
            .collect();
        assert_eq!(
            groups,
            [
                "Regular: 4.4, 5.4, 6.8",
                "Arch: arm64, armhf",
                "Flavor: azure",
                "Revision: 5.4.0-18-generic-amd64",
                "Other: 6.8.0-31-rt-arm64",
            ]
        );
        assert!(arrange(&[]).is_empty());
    }

    #[test]
    fn the_default_has_the_most_relatives() {
        let ids = ids(&[
            "5.10.223-32-cloud-amd64",
            "6.1.176-50-cloud-amd64",
            "6.1.176-50-cloud-arm64",
            "6.12.107-deb13-cloud-amd64",
        ]);
        let default = default_kernel(&ids.iter().collect::<Vec<_>>()).unwrap();
        assert_eq!(default.to_string(), "6.1.176-50-cloud-amd64");
    }
}
