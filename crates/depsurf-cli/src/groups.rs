//! Which kernels are listed together on a page, and what each is called there.

use depsurf::group::{self, Member, series};
use depsurf::kernel::KernelId;
use depsurf::surface::Surface;
use depsurf_render::{Group, Kernel};

/// One group with all kernels, for output in which kernels share lines. Labels are as short as tells them
/// apart.
pub fn flat(surfaces: &[Surface]) -> Vec<Group<'_>> {
    let ids: Vec<&KernelId> = surfaces.iter().map(Surface::kernel).collect();
    let labels = short_labels(&ids);
    let kernels = surfaces.iter().zip(labels).map(|(surface, label)| Kernel { label, surface }).collect();
    vec![Group { title: "Kernels".into(), kernels, base: None }]
}

/// The groups of the published pages, without empty ones.
pub fn published(surfaces: &[Surface]) -> Vec<Group<'_>> {
    let ids: Vec<&KernelId> = surfaces.iter().map(Surface::kernel).collect();
    let Some(default) = group::default_kernel(&ids) else { return Vec::new() };
    let kernel = |Member { label, index }: Member| Kernel { label, surface: &surfaces[index] };
    let group = |found: group::Group| Group {
        title: found.title.to_string(),
        kernels: found.members.into_iter().map(kernel).collect(),
        base: found.base.map(kernel),
    };
    group::arrange(&ids, default).into_iter().map(group).collect()
}

/// The series, with what else is needed to tell the kernels apart; whole names where that is not enough.
pub fn short_labels(ids: &[&KernelId]) -> Vec<String> {
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
}
