//! `kernels`, `evidence`, `notes`: what is known of a kernel as a whole.

use super::column::Column;
use super::column::ColumnKind::{Bool, Text, U32, U64};
use super::rows::Rows;
use crate::error::Result;
use crate::kernel::KernelId;
use crate::surface::Surface;
use crate::surface::meta::{Evidence, Fact};

const UNTOLD: &str = "the image or its package does not tell";

/// Columns of `kernels`.
pub(super) const KERNELS: &[Column] = &[
    Column::new("sort_key", Text, "sorts kernels as depsurf does: versions and releases by value"),
    Column::new("version", Text, "upstream version, `6.1.176`"),
    Column::new("major", U32, "first number of the version"),
    Column::new("minor", U32, "second number of the version"),
    Column::new("patch", U32, "third number of the version; 0 where it has none"),
    Column::new("release", Text, "ABI number or release suffix, `50`, `deb13`; empty where there is none"),
    Column::new("flavour", Text, "`generic`, `cloud`, `rt` ..."),
    Column::new("arch", Text, "the distribution's word for the architecture, `amd64`"),
    Column::nullable("uname", Text, "`uname -r`", UNTOLD),
    Column::nullable("banner", Text, "`linux_banner` of the image", UNTOLD),
    Column::nullable("build_id", Text, "GNU build id, in hex", UNTOLD),
    Column::nullable(
        "compiler",
        Text,
        "compiler, by the first line of `.comment` that is not of a linker",
        UNTOLD,
    ),
    Column::nullable("distribution", Text, "`debian`, `ubuntu` ...", UNTOLD),
    Column::nullable("package", Text, "name of the package the image came from", "it came from no package"),
    Column::nullable("package_version", Text, "version of the package", "it came from no package"),
    Column::new("big_endian", Bool, "whether the machine is big-endian"),
    Column::new("address_size", U32, "bytes of a pointer: 4 or 8"),
    Column::new("base_address", U64, "lowest address of the code"),
    Column::new("btf_types", U32, "types with an id below are the kernel's own BTF; 1 where it has none"),
];

/// Columns of `evidence`.
pub(super) const EVIDENCE: &[Column] = &[
    Column::new("fact", Text, "kind of fact: `functions`, `ftrace-sites` ..."),
    Column::new("known", Bool, "whether it was read: if not, what is missing may still be in the kernel"),
    Column::nullable("source", Text, "where it was read from: `.BTF`, `__start_mcount_loc` ...", "not known"),
    Column::nullable("reason", Text, "why it was not read", "known"),
];

/// Columns of `notes`.
pub(super) const NOTES: &[Column] = &[
    Column::new("id", Text, "stable id: `dwarf-rust-unit`"),
    Column::new("message", Text, "what was lost or left out, and why"),
    Column::new("count", U64, "how often"),
    Column::nullable("first", Text, "where it happened first", "no place was kept"),
    Column::new(
        "lossy",
        Bool,
        "whether something a reader would want is missing; false for what is left out by design",
    ),
];

/// The kernel's row.
pub(super) fn kernels(surface: &Surface, rows: &mut Rows<'_>) -> Result<()> {
    let meta = surface.meta();
    let kernel = &meta.kernel;
    rows.row(|row| {
        row.put("sort_key", &sort_key(kernel));
        row.put("version", &kernel.version.to_string());
        row.put("major", kernel.version.major);
        row.put("minor", kernel.version.minor);
        row.put("patch", kernel.version.patch);
        row.put("release", &kernel.release);
        row.put("flavour", &kernel.flavour);
        row.put("arch", kernel.arch.name());
        row.put("uname", meta.uname.as_deref());
        row.put("banner", meta.banner.as_deref());
        row.put("build_id", meta.build_id.as_deref());
        row.put("compiler", meta.compiler.as_deref());
        row.put("distribution", meta.distribution.as_deref());
        row.put("package", meta.package.as_ref().map(|package| &package.name));
        row.put("package_version", meta.package.as_ref().map(|package| &package.version));
        row.put("big_endian", meta.big_endian);
        row.put("address_size", u32::from(meta.address_size));
        row.put("base_address", meta.base_address);
        row.put("btf_types", meta.btf_types);
    })
}

/// One row per kind of fact.
pub(super) fn evidence(surface: &Surface, rows: &mut Rows<'_>) -> Result<()> {
    let meta = surface.meta();
    Fact::ALL.into_iter().try_for_each(|fact| {
        let source = match meta.evidence.get(&fact) {
            Some(Evidence::Known { source }) => Some(source),
            _ => None,
        };
        rows.row(|row| {
            row.put("fact", &id(fact));
            row.put("known", meta.knows(fact));
            row.put("source", source);
            row.put("reason", meta.unknown_because(fact));
        })
    })
}

/// One row per note.
pub(super) fn notes(surface: &Surface, rows: &mut Rows<'_>) -> Result<()> {
    surface.notes()?.iter().try_for_each(|note| {
        rows.row(|row| {
            row.put("id", &note.id);
            row.put("message", &note.message);
            row.put("count", note.count);
            row.put("first", note.first.as_ref());
            row.put("lossy", note.lossy);
        })
    })
}

/// The word for a fact in JSON.
fn id(fact: Fact) -> String {
    let word = serde_json::to_value(fact).ok();
    word.and_then(|word| word.as_str().map(str::to_owned)).expect("a fact is a word in JSON")
}

/// Text that sorts by its bytes as [`KernelId`] sorts: numbers have leading zeros, and what ends first is smaller.
fn sort_key(kernel: &KernelId) -> String {
    let version = kernel.version;
    // Candidates come before their release.
    let stage = u8::from(!kernel.is_candidate());
    let mut key = format!(
        "{:05}.{:05}.{:05}.{:05} {stage} ",
        version.major, version.minor, version.patch, version.fourth
    );
    let mut rest = kernel.release.as_str();
    while let Some(first) = rest.chars().next() {
        let is_digit = first.is_ascii_digit();
        let end = rest.find(|char: char| char.is_ascii_digit() != is_digit).unwrap_or(rest.len());
        let (run, behind) = rest.split_at(end);
        match is_digit {
            true => key.push_str(&format!("{run:0>10}")),
            false => key.push_str(run),
        }
        rest = behind;
    }
    key + " " + &kernel.flavour + " " + kernel.arch.name()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn sort_keys_sort_as_kernels_do(names in prop::collection::vec(
            "[1-6]\\.(0|[1-9][0-9]?)\\.(0|[1-9][0-9]{0,2})(-(deb|rc)?[1-9][0-9]{0,2}){0,2}-(cloud|rt)-(amd64|arm64)", 2)
        ) {
            let [a, b] = [0, 1].map(|at| names[at].parse::<KernelId>().unwrap());
            prop_assert_eq!(sort_key(&a).cmp(&sort_key(&b)), a.cmp(&b));
        }
    }
}
