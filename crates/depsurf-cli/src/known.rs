//! Which kernels a dataset has already, so that they are not read again.

use depsurf::kernel::KernelId;
use depsurf::store::Dataset;
use depsurf::surface::meta::{Checked, Package};
use depsurf::surface::{Fact, Surface};

/// What tells the kernels of a dataset from others.
#[derive(Default)]
pub struct Known(Vec<Entry>);

struct Entry {
    kernel: KernelId,
    package: Option<Package>,
    build_id: Option<String>,
    /// Whether only the index was compared when it was fetched.
    index_only: bool,
    /// Whether its functions are known, which takes debug information.
    functions: bool,
    config: bool,
    modules: bool,
}

/// What is known of a kernel before it is read.
#[derive(Default)]
pub struct Wanted<'a> {
    /// Name and version of the package.
    pub package: Option<(&'a str, &'a str)>,
    /// In hex.
    pub build_id: Option<&'a str>,
    /// What it shall be called.
    pub name: Option<&'a KernelId>,
    /// Whether it has a configuration with it.
    pub config: bool,
    /// Whether modules are read too.
    pub modules: bool,
    /// Whether the whole package shall have been compared with its checksum.
    pub verify: bool,
}

impl Known {
    /// Looks at all kernels of a dataset. One that cannot be opened is as good as missing.
    pub fn of(dataset: &Dataset) -> Self {
        let entries = dataset.list().map(|listing| listing.entries).unwrap_or_default();
        Self(entries.iter().filter_map(|entry| Some(Entry::of(&dataset.surface(entry).ok()?))).collect())
    }

    /// The kernel that reading would give again, with nothing new.
    pub fn find(&self, wanted: &Wanted<'_>) -> Option<&KernelId> {
        self.0.iter().find(|entry| entry.is(wanted)).map(|entry| &entry.kernel)
    }

    /// Whether a kernel is there with its functions, which takes debug information.
    pub fn has_functions(&self, kernel: &KernelId) -> bool {
        self.0.iter().any(|entry| entry.functions && entry.kernel == *kernel)
    }
}

impl Entry {
    fn of(surface: &Surface) -> Self {
        let meta = surface.meta();
        Self {
            kernel: surface.kernel().clone(),
            package: meta.package.clone(),
            build_id: meta.build_id.clone(),
            index_only: meta.fetched.as_ref().is_some_and(|fetched| fetched.checked == Checked::Index),
            functions: meta.knows(Fact::Functions),
            config: meta.knows(Fact::Config),
            modules: meta.knows(Fact::Modules),
        }
    }

    fn is(&self, wanted: &Wanted<'_>) -> bool {
        let package = self.package.as_ref().map(|package| (package.name.as_str(), package.version.as_str()));
        let same = match (wanted.package, wanted.build_id) {
            (Some(wanted), _) => package == Some(wanted),
            // A build id is that of the code. What had no debug information has it, too.
            (None, Some(id)) => self.functions && self.build_id.as_deref() == Some(id),
            (None, None) => false,
        };
        same && wanted.name.is_none_or(|name| *name == self.kernel)
            && (self.config || !wanted.config)
            && (self.modules || !wanted.modules)
            && !(wanted.verify && self.index_only)
    }
}
