//! Kconfig options.

use super::change::{Change, What};
use crate::surface::config::Config;

/// The changes of an option that both configurations name.
pub(super) fn changes(old: Config<'_>, new: Config<'_>, out: &mut Vec<Change>) {
    if old.value != new.value {
        out.push(Change::changed(What::ConfigChanged, old.value, new.value));
    }
}
