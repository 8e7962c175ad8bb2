//! Kconfig options of the build.

use super::Surface;
use super::record::{self, Section};

/// An option.
#[derive(Debug, Clone, Copy)]
pub struct Config<'a> {
    /// Name with `CONFIG_`.
    pub name: &'a str,
    /// Value as written; `n` for "is not set".
    pub value: &'a str,
}

impl Surface {
    /// All options that the build's configuration names, sorted by name.
    pub fn configs(&self) -> impl ExactSizeIterator<Item = Config<'_>> {
        let records: &[record::Config] = self.table(Section::Configs);
        records.iter().map(|record| Config { name: self.text(record.name), value: self.text(record.value) })
    }

    /// The option of a name (with `CONFIG_`). `None` where the configuration does not name it, which for a
    /// known configuration means that its dependencies were not met.
    #[must_use]
    pub fn config(&self, name: &str) -> Option<Config<'_>> {
        let records: &[record::Config] = self.table(Section::Configs);
        let index = self.search(records, name, |record| record.name)?;
        let record = &records[index];
        Some(Config { name: self.text(record.name), value: self.text(record.value) })
    }
}
