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
    let Some(default) = default_kernel(&ids) else { return Vec::new() };
    let mut groups = ["Regular", "Arch", "Flavor", "Revision", "Other"]
        .map(|title| Group { title: title.into(), kernels: Vec::new() });
    // From the newest on, so that of several kernels that would have one label the newest has it.
    for surface in surfaces.iter().rev() {
        let id = surface.kernel();
        let fits = |group: &Group<'_>, label: &str| {
            id == default
                || group.kernels.iter().all(|kernel| kernel.label != label)
                    && !(group.title == "Regular" && label == series(default))
        };
        let (place, label) = match relation(id, default) {
            Relation::Version => (0, series(id)),
            Relation::Arch => (1, id.arch.to_string()),
            Relation::Flavour => (2, id.flavour.clone()),
            Relation::None => (4, id.to_string()),
        };
        if fits(&groups[place], &label) {
            groups[place].kernels.push(Kernel { label, surface });
        } else {
            groups[3].kernels.push(Kernel { label: id.to_string(), surface });
        }
    }
    for (place, group) in groups.iter_mut().enumerate() {
        group.kernels.reverse();
        if place == 1 || place == 2 {
            group.kernels.sort_by(|a, b| a.label.cmp(&b.label));
        }
    }
    groups.into_iter().filter(|group| !group.kernels.is_empty()).collect()
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
