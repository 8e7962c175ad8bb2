//! Which kernels are listed together on a page, and what each is called there.

use depsurf::group::{self, Member, Title, series};
use depsurf::kernel::KernelId;
use depsurf::surface::Surface;
use depsurf::{Error, Result};
use depsurf_render::{Group, Kernel};

/// One group with all kernels, for output in which kernels share lines. Labels are as short as tells them
/// apart.
pub fn flat(surfaces: &[Surface]) -> Vec<Group<'_>> {
    let ids: Vec<&KernelId> = surfaces.iter().map(Surface::kernel).collect();
    let labels = short_labels(&ids);
    let kernels = surfaces.iter().zip(labels).map(|(surface, label)| Kernel { label, surface }).collect();
    vec![Group { title: "Kernels".into(), kernels, base: None }]
}

/// The groups of a page, or those of certain titles, around the kernel at `default`; without empty ones.
///
/// # Errors
/// When no kernel is in a group of these titles.
pub fn around<'a>(surfaces: &'a [Surface], default: usize, titles: &[Title]) -> Result<Vec<Group<'a>>> {
    let kernel = |Member { label, index }: Member| Kernel { label, surface: &surfaces[index] };
    let group = |found: group::Group| Group {
        title: found.heading(),
        kernels: found.members.into_iter().map(kernel).collect(),
        base: found.base.map(kernel),
    };
    let ids: Vec<&KernelId> = surfaces.iter().map(Surface::kernel).collect();
    Ok(of_titles(&ids, default, titles)?.into_iter().map(group).collect())
}

/// As [`around`], of kernels by their names.
///
/// # Errors
/// When no kernel is in a group of these titles.
pub fn of_titles(ids: &[&KernelId], default: usize, titles: &[Title]) -> Result<Vec<group::Group>> {
    if titles.is_empty() {
        return Ok(group::arrange(ids, default));
    }
    let (found, others): (Vec<_>, Vec<_>) =
        group::every(ids, default).into_iter().partition(|group| titles.contains(&group.title));
    if !found.is_empty() {
        return Ok(found);
    }
    let words = |titles: &mut dyn Iterator<Item = Title>| {
        let mut words: Vec<&str> = titles.map(Title::word).collect();
        words.dedup();
        words.join(", ")
    };
    Err(Error::Usage {
        what: format!("no kernel is in a group of {}", words(&mut titles.iter().copied())),
        help: Some(format!(
            "around `{}` there are {}",
            ids[default],
            words(&mut others.iter().map(|group| group.title))
        )),
    })
}

/// What kernels are called when they stand side by side.
pub fn labels(surfaces: &[&Surface]) -> Vec<String> {
    short_labels(&surfaces.iter().map(|surface| surface.kernel()).collect::<Vec<_>>())
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
